//! `chat-cli history [USER|ROOM] [--thread ID | --around ID | --raw-log] [-n N]`

use std::io::{self, Write};

use super::{filter, parse_mailbox};
use crate::client::arguments::HistoryArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::View;
use crate::client::render::messages::Messages;
use crate::client::{local_login, verbs};
use crate::model::{Change, Message, MessageId};
use crate::protocol::arguments::{FETCH_MESSAGES_MAX, Fetch, FetchFrom};

/// Shows the newest messages, the oldest of them first. Changes nothing.
pub fn run(
    arguments: &HistoryArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let mut filter = filter(&arguments.filter)?;
    let with = match filter.room.take() {
        Some(room) => Some(room.into()),
        None => arguments.user.as_deref().map(parse_mailbox).transpose()?,
    };
    if let Some(id) = arguments.around {
        let limit = arguments.count.clamp(2, FETCH_MESSAGES_MAX);
        let (thread, since, from) = (None, None, FetchFrom::Around(id));
        let page = verbs::fetch(link, token, Fetch { from, with, thread, since, filter, limit })?;
        Messages::of(view, arguments.raw).write(&page.messages, out)?;
        return Ok(if page.messages.is_empty() { Exit::Nothing } else { Exit::Done });
    }
    // The newest page arrives first and is shown last.
    let mut pages: Vec<(Vec<Message>, Vec<Change>)> = Vec::new();
    let mut before = MessageId(i64::MAX);
    let mut missing = arguments.count;
    while missing > 0 {
        let limit = missing.min(FETCH_MESSAGES_MAX);
        let from = match arguments.raw_log {
            true => FetchFrom::RawBefore(before),
            false => FetchFrom::Before(before),
        };
        let fetch = Fetch {
            from,
            with: with.clone(),
            thread: arguments.thread,
            since: None,
            filter: filter.clone(),
            limit,
        };
        let page = verbs::fetch(link, token, fetch)?;
        // A page with a filter may be empty and still have more before it.
        let next = page.upto.or(page.messages.first().map(|first| first.id));
        missing = missing.saturating_sub(page.messages.len());
        pages.push((page.messages, page.changes));
        match next {
            Some(next) if page.more => before = next,
            _ => break,
        }
    }
    let mut messages = Messages::of(view, arguments.raw);
    for (page, changes) in pages.iter().rev() {
        write(&mut messages, page, changes, out)?;
    }
    let is_empty = pages.iter().all(|(page, changes)| page.is_empty() && changes.is_empty());
    Ok(if is_empty { Exit::Nothing } else { Exit::Done })
}

/// Writes messages and changes in the order of the message log.
fn write(
    shown: &mut Messages,
    mut messages: &[Message],
    changes: &[Change],
    out: &mut dyn Write,
) -> io::Result<()> {
    for change in changes {
        let place = messages.partition_point(|message| message.id < change.change);
        let (before, after) = messages.split_at(place);
        if !before.is_empty() {
            shown.write(before, out)?;
        }
        shown.write_change(change, out)?;
        messages = after;
    }
    if messages.is_empty() { Ok(()) } else { shown.write(messages, out) }
}
