//! `chat-cli inbox`
//!
//! Messages are acknowledged only after they have been written: each page is fetched, written,
//! flushed and then acknowledged. If the reader of the output goes away or this process is killed,
//! at worst a page is shown twice. With a filter, only messages before the first unread one of their
//! conversation that it leaves out are acknowledged.

use std::collections::BTreeMap;
use std::io::Write;

use super::filter;
use crate::catalogue::client;
use crate::client::arguments::InboxArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::View;
use crate::client::render::inbox::{Clock, Layout};
use crate::client::render::json_map::JsonMap;
use crate::client::render::messages::Messages;
use crate::client::{local_login, verbs};
use crate::model::{CursorName, Filter, MailboxName, Message, MessageId, Token};
use crate::protocol::arguments::{Ack, FETCH_MESSAGES_MAX, Fetch, FetchFrom, Mark};
use crate::terminal;

/// The most text in one JSON map, which must be complete before it can be written.
const MAP_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Shows unread messages: laid out on a terminal, as objects with `--json`, as JSON maps elsewhere,
/// or raw.
pub fn run(
    arguments: InboxArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let selection = Selection {
        filter: filter(&arguments.filter)?,
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

/// Shows unread messages to a person, or says that there are none.
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

/// Shows messages page by page. Returns whether there were none.
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
        // Without messages, an empty map is written.
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

/// The messages to show, and whether to acknowledge them.
#[derive(Debug, Default)]
struct Selection {
    filter: Box<Filter>,
    count: Option<usize>,
    all: bool,
    peek: bool,
}

/// Reads the selected messages, page by page.
struct InboxReader {
    selection: Selection,
    /// How many more messages may be shown.
    missing: usize,
    /// The last message that was fetched.
    last: Option<MessageId>,
    /// All messages up to this one were shown.
    whole_upto: Option<MessageId>,
    /// Whether a message was skipped.
    has_gap: bool,
    /// The last message that was acknowledged.
    acknowledged: Option<MessageId>,
    conversations: BTreeMap<MailboxName, Shown>,
    at_end: bool,
}

/// What was shown of a conversation.
#[derive(Default)]
struct Shown {
    /// All messages up to this one were shown.
    whole_upto: Option<MessageId>,
    /// Whether a message was skipped.
    has_gap: bool,
    /// The place of the mark.
    marked: Option<MessageId>,
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
            conversations: BTreeMap::new(),
            at_end: false,
        }
    }

    /// The next page, which may be empty; `None` after the last one.
    fn next_page(
        &mut self,
        link: &mut Link,
        token: Token,
    ) -> Result<Option<Vec<Message>>, Failure> {
        if self.at_end || self.missing == 0 {
            return Ok(None);
        }
        let from = match self.last {
            Some(id) if self.selection.all => FetchFrom::Incoming(id),
            Some(id) => FetchFrom::Unread(id),
            None if self.selection.all => FetchFrom::Incoming(MessageId::ZERO),
            None => FetchFrom::Cursor(CursorName::inbox()),
        };
        // The messages that are left out come too: what counts as read ends before the first.
        let limit = match self.selection.filter.is_empty() {
            true => self.missing.min(FETCH_MESSAGES_MAX),
            false => FETCH_MESSAGES_MAX,
        };
        let page = verbs::fetch_incoming(
            link,
            token,
            Fetch { from, with: None, thread: None, since: None, filter: Box::default(), limit },
        )?;
        // A page may be empty and not the last one: the server leaves out the user's own messages
        // to rooms.
        let last = page.messages.last().map(|last| last.id).max(page.upto);
        self.at_end = !page.more || last.is_none();
        if self.at_end && page.messages.is_empty() {
            return Ok(None);
        }
        self.last = last;
        Ok(Some(self.select(page.messages)))
    }

    fn select(&mut self, messages: Vec<Message>) -> Vec<Message> {
        let mut selected = Vec::new();
        for message in messages {
            if self.missing == 0 {
                break;
            }
            let of = self.conversations.entry(message.conversation()).or_default();
            if !self.selection.filter.passes(&message) {
                (self.has_gap, of.has_gap) = (true, true);
                continue;
            }
            self.missing -= 1;
            if !self.has_gap {
                self.whole_upto = Some(message.id);
            }
            if !of.has_gap {
                of.whole_upto = Some(message.id);
            }
            selected.push(message);
        }
        selected
    }

    /// Call this after the pages so far have been written to `out`. It flushes `out` and then
    /// acknowledges them.
    fn acknowledge_written(
        &mut self,
        link: &mut Link,
        token: Token,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        out.flush()?;
        if self.selection.peek {
            return Ok(());
        }
        if let Some(upto) = self.whole_upto
            && self.acknowledged != self.whole_upto
        {
            let cursor = CursorName::inbox();
            verbs::ack(link, token, Ack { cursor, upto, rewind: false, dead: None })?;
            self.acknowledged = self.whole_upto;
        }
        // The cursor stops at the first message that was left out. Other conversations go on.
        for (name, of) in &mut self.conversations {
            if let Some(upto) = of.whole_upto.filter(|_| of.whole_upto > self.acknowledged)
                && of.marked != of.whole_upto
            {
                verbs::mark_shown(link, token, Mark { with: name.clone(), upto })?;
                of.marked = of.whole_upto;
            }
        }
        Ok(())
    }
}
