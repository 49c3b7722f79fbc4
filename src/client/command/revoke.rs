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
        Some(id) => Revoke::Session(SessionId(id)),
        None => Revoke::Others(True),
    };
    let ended = verbs::revoke(link, token, revoke)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&ended))?;
    } else {
        writeln!(out, "{}", told(ended.ended))?;
    }
    Ok(if arguments.id.is_some() && ended.ended == 0 { Exit::Nothing } else { Exit::Done })
}

/// How many sessions were ended, for a person.
pub fn told(ended: usize) -> String {
    match ended {
        1 => client::one_session_ended().to_owned(),
        count => client::sessions_ended(count),
    }
}
