//! `user`: adds, changes, lists and deletes users.

mod add;
mod delete;
mod disable;
mod enable;
mod list;
mod passwd;
pub(super) mod password;
mod rename;
mod show;

use super::admin_client::{AdminClient, Missing, unexpected};
use super::arguments::UserCommand;
use super::failure::{Exit, Failure};
use super::output::Output;
use crate::admin::answer::AdminReply;
use crate::admin::request::Request;
use crate::catalogue::{client, server};
use crate::model::{DISPLAY_NAME_BYTES_MAX, DisplayName};
use crate::operate::database::Database;
use crate::terminal::reason::of_invalid;

/// Executes a `user` command.
pub(super) fn run(db: &Database<'_>, command: &UserCommand, output: Output) -> Result<(), Failure> {
    match command {
        UserCommand::Add(arguments) => add::run(db, arguments, output),
        UserCommand::List => list::run(db, output),
        UserCommand::Show(user) => show::run(db, user, output),
        UserCommand::Passwd(arguments) => passwd::run(db, arguments, output),
        UserCommand::Disable(user) => disable::run(db, user, output),
        UserCommand::Enable(user) => enable::run(db, user, output),
        UserCommand::Rename(arguments) => rename::run(db, arguments, output),
        UserCommand::Delete(arguments) => delete::run(db, arguments, output),
    }
}

fn display_name(given: &str) -> Result<DisplayName, Failure> {
    given.parse().map_err(|invalid| {
        let given = format_args!("{given:?}");
        Failure::new(Exit::Data, server::no_display_name(given, of_invalid(invalid)))
            .hint(server::give_display_name(DISPLAY_NAME_BYTES_MAX))
    })
}

/// Changes a user. Returns the number of sessions that ended with it.
fn change(db: &Database<'_>, request: &Request) -> Result<usize, Failure> {
    change_over(&mut AdminClient::open(db, Missing::Refuse)?, request)
}

/// [`change`] with an open client.
fn change_over(admin: &mut AdminClient, request: &Request) -> Result<usize, Failure> {
    match admin.ask(request)? {
        AdminReply::Ended { sessions } => Ok(sessions),
        answer => Err(unexpected(&answer)),
    }
}

/// `2 sessions ended`
pub(super) fn ended(sessions: usize) -> String {
    match sessions {
        1 => client::one_session_ended().to_owned(),
        count => client::sessions_ended(count),
    }
}
