//! `user delete`

use std::path::Path;

use serde_json::json;

use super::{change, ended, name};
use crate::admin::request::Request;
use crate::operate::arguments::UserDeleteArguments;
use crate::operate::confirm::confirm;
use crate::operate::failure::Failure;
use crate::operate::output::Output;

/// Leaves of a user the name and the messages.
pub(super) fn run(
    db: &Path,
    arguments: &UserDeleteArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let name = name(&arguments.name)?;
    let question = format!("delete the user {name}, and keep the name and the messages?");
    confirm(&question, arguments.yes)?;
    let sessions = change(db, &Request::UserDelete { name: name.clone() })?;
    if output.is_json {
        output.object(&json!({"name": name, "ended": sessions}))?;
    }
    output.note(&format!("{name} is deleted, {}", ended(sessions)))?;
    output.finish()
}
