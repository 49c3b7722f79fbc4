//! `chat-cli ack ID|--all [--as NAME] [--rewind]`

use std::io::Write;

use crate::catalogue::client;
use crate::client::arguments::AckArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::model::{CursorName, MessageId, Token};
use crate::protocol::arguments::{Ack, Fetch, FetchFrom};

/// Moves a cursor, and prints its new position.
pub fn run(
    arguments: &AckArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let upto = match arguments.id.map(MessageId::try_from) {
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return Err(Failure::new(Exit::Usage, client::id_negative())),
        None => None,
    };
    let (token, _) = local_login::current(link)?;
    let upto = match upto {
        Some(id) => id,
        None => newest(link, token)?,
    };
    let cursor = arguments.cursor.clone().unwrap_or_else(CursorName::inbox);
    let ack = Ack { cursor, upto, rewind: arguments.rewind, dead: None };
    let acked = verbs::ack(link, token, ack)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&acked))?;
    } else {
        writeln!(out, "{}", client::cursor_stands_at(acked.cursor.as_str(), acked.upto.0))?;
    }
    Ok(Exit::Done)
}

/// The newest received message; [`MessageId::ZERO`] if there is none.
pub fn newest(link: &mut Link, token: Token) -> Result<MessageId, Failure> {
    let from = FetchFrom::Before(MessageId(i64::MAX));
    let fetch =
        Fetch { from, with: None, thread: None, since: None, filter: Box::default(), limit: 1 };
    let page = verbs::fetch(link, token, fetch)?;
    Ok(page.messages.last().map_or(MessageId::ZERO, |message| message.id))
}
