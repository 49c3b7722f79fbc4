//! `chat-cli revoke ID|--others`

use std::io::Write;

use crate::catalogue::client;
use crate::client::arguments::RevokeArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::model::SessionId;
use crate::protocol::arguments::{Revoke, True};

/// Ends sessions, and prints how many. If a single session does not exist, the result is
/// [`Exit::Nothing`]. With `--others`, zero is a success.
pub fn run(
    arguments: &RevokeArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let revoke = match arguments.id {
        Some(id) => Revoke::Session(id),
        None => Revoke::Others(True),
    };
    let ended = verbs::revoke(link, token, revoke)?;
    let done = check(revoke, ended.ended);
    if view.is_json {
        writeln!(out, "{}", object::line(&ended))?;
    } else if done.is_ok() {
        writeln!(out, "{}", summary(ended.ended))?;
    }
    done.map(|()| Exit::Done)
}

/// Whether the request was fulfilled: the session existed, or all others were meant.
pub fn check(revoke: Revoke, ended: usize) -> Result<(), Failure> {
    match revoke {
        Revoke::Session(SessionId(id)) if ended == 0 => {
            let failure = Failure::new(Exit::Nothing, client::no_session_of_yours(id));
            Err(failure.with_hint(client::list_sessions()))
        }
        _ => Ok(()),
    }
}

/// The number of ended sessions, for a person.
pub fn summary(ended: usize) -> String {
    match ended {
        1 => client::one_session_ended().to_owned(),
        count => client::sessions_ended(count),
    }
}
