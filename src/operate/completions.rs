//! `completions`: prints the script for a shell, and answers its queries. It opens no database: the
//! names of users come from a running server.

use std::ffi::OsString;
use std::io;

use clap::{CommandFactory, ValueHint};

use super::admin_client;
use super::arguments::Arguments;
use super::database::Database;
use super::failure::{Exit, Failure};
use super::settings::Resolved;
use crate::admin::answer::AdminReply;
use crate::admin::request::Request;
use crate::catalogue::server;
use crate::catalogue::{command_line, server_help};
use crate::completion::cursor::Cursor;
use crate::completion::{self, CompletionsArguments, LIVE_WAIT};

/// Prints the script, or answers a query of it.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn run(arguments: &CompletionsArguments) -> Result<(), Failure> {
    let definitions = command_line::spoken(Arguments::command(), server_help::HELP);
    completion::run(arguments, definitions, live, &mut io::stdout())
        .map_err(|error| Failure::new(Exit::Io, server::answer_failed(error)))
}

/// The possible values at the cursor. None if the server does not answer in time.
fn live(cursor: &Cursor<'_>) -> Vec<String> {
    let hint = cursor.argument().map(clap::Arg::get_value_hint);
    if hint != Some(ValueHint::Username) {
        return Vec::new();
    }
    // The words before the cursor choose the database, as for the command itself.
    let words = ["chat-server"].iter().chain(cursor.global_options()).chain(&["user", "list"]);
    let words: Vec<OsString> = words.map(OsString::from).collect();
    let Ok(resolved) = Resolved::of(&words) else { return Vec::new() };
    completion::in_time(move |found| {
        let Ok(database) = Database::of(&resolved) else { return };
        let mut after = None;
        // Completion does not report a missing server.
        while let Ok(Some(AdminReply::Users { users, more })) =
            admin_client::ask_server(&database, &Request::UserList { after }, LIVE_WAIT)
        {
            users.iter().map(|user| user.name.to_string()).for_each(found);
            match users.into_iter().next_back().filter(|_| more) {
                Some(last) => after = Some(last.name),
                None => return,
            }
        }
    })
}
