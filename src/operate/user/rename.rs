//! `user rename`

use serde_json::json;

use super::change;
use crate::admin::request::Request;
use crate::catalogue::server;
use crate::operate::arguments::UserRenameArguments;
use crate::operate::database::Database;
use crate::operate::failure::Failure;
use crate::operate::output::Output;
use crate::operate::user_name;

/// Renames a user. Messages, cursors and sessions stay.
pub(super) fn run(
    db: &Database<'_>,
    arguments: &UserRenameArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let (from, to) = (user_name::parse(&arguments.old)?, user_name::parse(&arguments.new)?);
    change(db, &Request::UserRename { name: from.clone(), to: to.clone() })?;
    if output.is_json {
        output.object(&json!({"name": to, "old_name": from}))?;
    }
    output.did(&server::user_renamed(from, to))?;
    output.finish()
}
