//! `chat-cli ack ID|--all [--with USER|--room ROOM] [--as NAME] [--rewind]`

use std::io::Write;

use super::parse_user;
use crate::catalogue::client;
use crate::client::arguments::AckArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::model::{CursorName, MailboxName, MessageId, Token};
use crate::protocol::arguments::{Ack, Fetch, FetchFrom, Mark};

/// Moves a cursor or the mark of a conversation, and prints its new position.
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
    let conversation = match (&arguments.with, &arguments.room) {
        (Some(user), _) => Some(MailboxName::User(parse_user(user)?)),
        (None, room) => room.clone().map(MailboxName::Room),
    };
    let (token, _) = local_login::current(link)?;
    let upto = match upto {
        Some(id) => id,
        None => newest_of(link, token, conversation.clone())?,
    };
    if let Some(with) = conversation {
        let marked = verbs::mark(link, token, Mark { with: with.clone(), upto })?;
        if view.is_json {
            writeln!(out, "{}", object::line(&marked))?;
        } else {
            writeln!(out, "{}", client::conversation_is_read(&with, marked.upto.0))?;
        }
        return Ok(Exit::Done);
    }
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
    newest_of(link, token, None)
}

/// The newest message of a conversation, or the newest received one.
fn newest_of(
    link: &mut Link,
    token: Token,
    with: Option<MailboxName>,
) -> Result<MessageId, Failure> {
    let from = FetchFrom::Before(MessageId(i64::MAX));
    let fetch = Fetch { from, with, thread: None, since: None, filter: Box::default(), limit: 1 };
    let page = verbs::fetch(link, token, fetch)?;
    Ok(page.messages.last().map_or(MessageId::ZERO, |message| message.id))
}
