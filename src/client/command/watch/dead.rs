//! `chat-cli watch --as NAME --dead`

use std::io::Write;

use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::messages::Messages;
use crate::client::verbs;
use crate::model::{CursorName, MessageId, Token};
use crate::protocol::arguments::{Ack, DeadLetter, FETCH_MESSAGES_MAX, Fetch, FetchFrom};

/// Shows the dead letters of a cursor, oldest first. With `clear`, it then removes those that were
/// written, and no others. Without dead letters the result is [`Exit::Nothing`].
pub fn run(
    cursor: &CursorName,
    clear: bool,
    mut messages: Messages,
    token: Token,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut last = MessageId::ZERO;
    loop {
        let from = FetchFrom::Dead(cursor.clone(), last);
        let fetch = Fetch {
            from,
            with: None,
            thread: None,
            since: None,
            filter: Box::default(),
            limit: FETCH_MESSAGES_MAX,
        };
        let page = verbs::fetch(link, token, fetch)?;
        messages.write(&page.messages, out)?;
        last = page.messages.last().map_or(last, |message| message.id);
        if !page.more || page.messages.is_empty() {
            break;
        }
    }
    out.flush()?;
    if last == MessageId::ZERO {
        return Ok(Exit::Nothing);
    }
    if clear {
        let (cursor, dead) = (cursor.clone(), Some(DeadLetter::Clear));
        verbs::ack(link, token, Ack { cursor, upto: last, rewind: false, dead })?;
    }
    Ok(Exit::Done)
}
