//! `user enable`

use serde_json::json;

use super::change;
use crate::admin::request::Request;
use crate::catalogue::server;
use crate::operate::arguments::UserName;
use crate::operate::database::Database;
use crate::operate::failure::Failure;
use crate::operate::output::Output;
use crate::operate::user_name;

/// Lets a user log in again.
pub(super) fn run(db: &Database<'_>, user: &UserName, mut output: Output) -> Result<(), Failure> {
    let name = user_name::parse(&user.name)?;
    let sessions = change(db, &Request::UserEnable { name: name.clone() })?;
    if output.is_json {
        output.object(&json!({"name": name, "ended": sessions}))?;
    }
    output.did(&server::user_enabled(name))?;
    output.finish()
}
