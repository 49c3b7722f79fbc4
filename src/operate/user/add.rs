//! `user add`

use serde_json::json;

use super::{display_name, password};
use crate::admin::request::{NewUser, Request};
use crate::catalogue::{server, token};
use crate::model::{DisplayName, UserName};
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
    if arguments.bot {
        return add_bot(db, name, display_name, output);
    }
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

/// Adds a user whom no password logs in.
fn add_bot(
    db: &Database<'_>,
    name: UserName,
    display_name: DisplayName,
    mut output: Output,
) -> Result<(), Failure> {
    let mut admin = AdminClient::open(db, Missing::Create)?;
    let (bot, shown) = (name.clone(), display_name.clone());
    admin.ask(&Request::BotAdd { name: bot, display_name: shown })?;
    if output.is_json {
        let new = admin.created();
        output.object(&json!({"name": name, "display_name": display_name, "new_database": new}))?;
    }
    output.new_database(admin.created())?;
    output.did(&server::user_added(&name))?;
    output.did_beside(&token::token_of_bot(&name))?;
    output.finish()
}
