//! `chat-cli inbox`
//!
//! Messages count as read only when they have been written out: each page is fetched, written and
//! flushed, and then acknowledged. A reader that goes away, or this process being killed, at worst
//! shows a page a second time. And only as far as every unread message was shown: with `--from`, up
//! to the first one of somebody else.

use std::io::Write;

use super::parse_user;
use crate::catalogue::client;
use crate::client::arguments::InboxArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::View;
use crate::client::render::inbox::{Clock, Layout};
use crate::client::render::json_map::JsonMap;
use crate::client::render::messages::Messages;
use crate::client::{session, verbs};
use crate::model::{CursorName, Message, MessageId, Token, UserName};
use crate::protocol::arguments::{Ack, FETCH_MESSAGES_MAX, Fetch, FetchFrom};
use crate::terminal;

/// How much text one JSON map holds: it has to be complete before it can be written.
const MAP_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Shows what is unread: laid out on a terminal, with `--json` as objects, as JSON maps anywhere
/// else, or raw.
pub fn run(
    arguments: InboxArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = session::current(link.account())?;
    let selection = Selection {
        from: arguments.from.as_deref().map(parse_user).transpose()?,
        count: arguments.count,
        all: arguments.all,
        peek: arguments.peek,
    };
    let reader = InboxReader::new(selection);
    if view.is_json || arguments.raw {
        show(reader, Messages::of(view, arguments.raw), link, token, out)?;
    } else if terminal::is_shown() {
        let is_empty = show(reader, Messages::of(view, false), link, token, out)?;
        report_if_empty(is_empty, out)?;
    } else {
        show_as_json_map(reader, link, token, out)?;
    }
    Ok(Exit::Done)
}

/// Shows what is unread, for a person to read; also that there is nothing.
pub fn show_laid_out(
    link: &mut Link,
    token: Token,
    clock: Clock,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let messages = Messages::LaidOut(Layout::for_terminal(clock));
    let is_empty = show(InboxReader::new(Selection::default()), messages, link, token, out)?;
    report_if_empty(is_empty, out)
}

fn report_if_empty(is_empty: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if is_empty {
        writeln!(out, "{}", client::no_new_messages())?;
    }
    Ok(())
}

/// Shows messages page by page; gives whether there was none.
fn show(
    mut reader: InboxReader,
    mut messages: Messages,
    link: &mut Link,
    token: Token,
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    let mut is_empty = true;
    while let Some(page) = reader.next_page(link, token)? {
        is_empty &= page.is_empty();
        messages.write(&page, out)?;
        reader.acknowledge_written(link, token, out)?;
    }
    Ok(is_empty)
}

fn show_as_json_map(
    mut reader: InboxReader,
    link: &mut Link,
    token: Token,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut map = JsonMap::default();
    let mut begun = false;
    loop {
        let page = reader.next_page(link, token)?;
        if let Some(page) = &page {
            map.extend(page);
        }
        // Nothing at all is a map too.
        let complete = map.bytes() >= MAP_BYTES_MAX || page.is_none();
        if complete && (map.bytes() > 0 || !begun) {
            begun = true;
            writeln!(out, "{}", std::mem::take(&mut map).into_line())?;
            reader.acknowledge_written(link, token, out)?;
        }
        if page.is_none() {
            return Ok(());
        }
    }
}

/// Which messages are shown, and whether they count as read then.
#[derive(Debug, Default)]
struct Selection {
    from: Option<UserName>,
    count: Option<usize>,
    all: bool,
    peek: bool,
}

/// Goes through what is to be shown, page by page.
struct InboxReader {
    selection: Selection,
    /// How many messages may still be shown.
    missing: usize,
    /// The last message that was fetched.
    last: Option<MessageId>,
    /// Up to here every message was shown.
    whole_upto: Option<MessageId>,
    /// A message was left out.
    has_gap: bool,
    /// The last message that the server was told was read.
    acknowledged: Option<MessageId>,
    at_end: bool,
}

impl InboxReader {
    fn new(selection: Selection) -> Self {
        Self {
            missing: selection.count.unwrap_or(usize::MAX),
            selection,
            last: None,
            whole_upto: None,
            has_gap: false,
            acknowledged: None,
            at_end: false,
        }
    }

    /// The next page, which may be without a message to show; `None` after the last.
    fn next_page(
        &mut self,
        link: &mut Link,
        token: Token,
    ) -> Result<Option<Vec<Message>>, Failure> {
        if self.at_end || self.missing == 0 {
            return Ok(None);
        }
        let from = match self.last {
            Some(id) => FetchFrom::After(id),
            None if self.selection.all => FetchFrom::After(MessageId::ZERO),
            None => FetchFrom::Cursor(CursorName::inbox()),
        };
        let limit = match self.selection.from {
            None => self.missing.min(FETCH_MESSAGES_MAX),
            Some(_) => FETCH_MESSAGES_MAX,
        };
        let page = verbs::fetch(link, token, Fetch { from, with: None, since: None, limit })?;
        self.at_end = !page.more;
        let Some(last) = page.messages.last() else {
            self.at_end = true;
            return Ok(None);
        };
        self.last = Some(last.id);
        Ok(Some(self.select(page.messages)))
    }

    fn select(&mut self, messages: Vec<Message>) -> Vec<Message> {
        let mut selected = Vec::new();
        for message in messages {
            if self.missing == 0 {
                break;
            }
            if self.selection.from.as_ref().is_some_and(|from| *from != message.from) {
                self.has_gap = true;
                continue;
            }
            self.missing -= 1;
            if !self.has_gap {
                self.whole_upto = Some(message.id);
            }
            selected.push(message);
        }
        selected
    }

    /// All pages so far have been written to `out`: see that they arrive, then count them as read.
    fn acknowledge_written(
        &mut self,
        link: &mut Link,
        token: Token,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        out.flush()?;
        if let Some(upto) = self.whole_upto
            && self.acknowledged != self.whole_upto
            && !self.selection.peek
        {
            let cursor = CursorName::inbox();
            verbs::ack(link, token, Ack { cursor, upto, rewind: false, dead: None })?;
            self.acknowledged = self.whole_upto;
        }
        Ok(())
    }
}
