//! `user passwd`

use serde_json::json;

use super::{change, ended, password};
use crate::admin::request::Request;
use crate::catalogue::server;
use crate::operate::arguments::UserPasswdArguments;
use crate::operate::database::Database;
use crate::operate::failure::Failure;
use crate::operate::output::Output;
use crate::operate::user_name;

/// Sets a user's password, and ends all sessions.
pub(super) fn run(
    db: &Database<'_>,
    arguments: &UserPasswdArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let name = user_name::parse(&arguments.name)?;
    let chosen = password::choose(&name, arguments.generate)?;
    let request = Request::UserPasswd { name: name.clone(), password: chosen.secret() };
    let sessions = change(db, &request)?;
    if output.is_json {
        let mut fields = json!({"name": name, "ended": sessions});
        if let Some(password) = chosen.to_print() {
            fields["password"] = password.into();
        }
        output.object(&fields)?;
    }
    chosen.tell(&server::password_changed(name, ended(sessions)), &mut output)?;
    output.finish()
}
