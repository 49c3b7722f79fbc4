//! `user add`

use serde_json::json;

use super::{display_name, password};
use crate::admin::request::{NewUser, Request};
use crate::catalogue::server;
use crate::model::DisplayName;
use crate::operate::admin_client::{AdminClient, Missing};
use crate::operate::arguments::UserAddArguments;
use crate::operate::database::Database;
use crate::operate::failure::Failure;
use crate::operate::output::Output;
use crate::operate::user_name;

/// Adds a user. Creates the database if it does not exist.
pub(super) fn run(
    db: &Database<'_>,
    arguments: &UserAddArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let name = user_name::parse(&arguments.name)?;
    let display_name = match &arguments.display_name {
        Some(given) => display_name(given)?,
        None => DisplayName::from(&name),
    };
    let chosen = password::choose(&name, arguments.generate)?;
    // Only now: the file must not be locked while the operator types the password.
    let mut admin = AdminClient::open(db, Missing::Create)?;
    let password = chosen.secret();
    let user = NewUser { name: name.clone(), display_name: display_name.clone(), password };
    admin.ask(&Request::UserAdd { user })?;
    if output.is_json {
        let mut fields =
            json!({"name": name, "display_name": display_name, "new_database": admin.created()});
        if let Some(password) = chosen.to_print() {
            fields["password"] = password.into();
        }
        output.object(&fields)?;
    }
    output.new_database(admin.created())?;
    chosen.tell(&server::user_added(name), &mut output)?;
    output.finish()
}
