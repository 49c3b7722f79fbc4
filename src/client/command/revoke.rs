//! `chat-cli revoke ID|--others`

use std::io::Write;

use crate::catalogue::client;
use crate::client::arguments::RevokeArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{session, verbs};
use crate::model::SessionId;
use crate::protocol::arguments::{Revoke, True};

/// Ends sessions, and prints how many. A session that is not there is [`Exit::Nothing`]; that there
/// are no others is as it should be.
pub fn run(
    arguments: &RevokeArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = session::current(link.account())?;
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

/// Whether it was done: a session of that number was there, or all others were meant.
pub fn check(revoke: Revoke, ended: usize) -> Result<(), Failure> {
    match revoke {
        Revoke::Session(SessionId(id)) if ended == 0 => {
            let failure = Failure::new(Exit::Nothing, client::no_session_of_yours(id));
            Err(failure.with_hint(client::list_sessions()))
        }
        _ => Ok(()),
    }
}

/// How many sessions were ended, for a person.
pub fn summary(ended: usize) -> String {
    match ended {
        1 => client::one_session_ended().to_owned(),
        count => client::sessions_ended(count),
    }
}
