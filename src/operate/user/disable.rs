//! `user disable`

use serde_json::json;

use super::{change, ended};
use crate::admin::request::Request;
use crate::catalogue::server;
use crate::operate::arguments::UserName;
use crate::operate::database::Database;
use crate::operate::failure::Failure;
use crate::operate::output::Output;
use crate::operate::user_name;

/// Ends a user's sessions, and refuses new ones.
pub(super) fn run(db: &Database<'_>, user: &UserName, mut output: Output) -> Result<(), Failure> {
    let name = user_name::parse(&user.name)?;
    let sessions = change(db, &Request::UserDisable { name: name.clone() })?;
    if output.is_json {
        output.object(&json!({"name": name, "ended": sessions}))?;
    }
    output.did(&server::user_disabled(name, ended(sessions)))?;
    output.finish()
}
