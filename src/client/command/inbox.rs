//! `chat-cli inbox`
//!
//! Messages count as read only when they have been written out: each page is fetched, written and
//! flushed, and then acknowledged. A reader that goes away, or this process being killed, at worst
//! shows a page a second time.

use std::io::Write;

use crate::client::arguments::InboxArguments;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::inbox::{Clock, Layout};
use crate::client::render::json_map::JsonMap;
use crate::client::{session, terminal, verbs};
use crate::model::{CursorName, MessageId, Token};
use crate::protocol::arguments::{Ack, FETCH_MESSAGES_MAX, Fetch, FetchFrom};
use crate::protocol::reply::Page;

/// How much text one JSON map holds: it has to be complete before it can be written.
const MAP_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Shows what is unread: laid out on a terminal, as JSON maps anywhere else, or raw.
pub fn run(
    arguments: &InboxArguments,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let (token, _) = session::current(link.address())?;
    if arguments.raw {
        show_raw(link, token, out)
    } else if terminal::is_shown() {
        show_laid_out(link, token, arguments.time, out)
    } else {
        show_as_json(link, token, out)
    }
}

/// Shows what is unread, for a person to read; also that there is nothing.
pub fn show_laid_out(
    link: &mut Link,
    token: Token,
    clock: Clock,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut layout = None;
    let mut unread = Unread::default();
    while let Some(page) = unread.next_page(link, token)? {
        let layout = layout.get_or_insert_with(|| Layout::new(terminal::columns(), clock));
        out.write_all(layout.page(&page.messages).as_bytes())?;
        unread.written(link, token, out)?;
    }
    if layout.is_none() {
        writeln!(out, "no new messages")?;
    }
    Ok(())
}

fn show_raw(link: &mut Link, token: Token, out: &mut dyn Write) -> Result<(), Failure> {
    let mut unread = Unread::default();
    while let Some(page) = unread.next_page(link, token)? {
        for message in &page.messages {
            writeln!(out, "{}", message.body.as_str())?;
        }
        unread.written(link, token, out)?;
    }
    Ok(())
}

fn show_as_json(link: &mut Link, token: Token, out: &mut dyn Write) -> Result<(), Failure> {
    let mut unread = Unread::default();
    let mut map = JsonMap::default();
    let mut begun = false;
    loop {
        let page = unread.next_page(link, token)?;
        if let Some(page) = &page {
            map.extend(&page.messages);
        }
        // Nothing at all is a map too.
        let complete = map.bytes() >= MAP_BYTES_MAX || page.is_none();
        if complete && (map.bytes() > 0 || !begun) {
            begun = true;
            writeln!(out, "{}", std::mem::take(&mut map).into_line())?;
            unread.written(link, token, out)?;
        }
        if page.is_none() {
            return Ok(());
        }
    }
}

/// Goes through what is unread, page by page.
#[derive(Default)]
struct Unread {
    /// The last message that was fetched.
    last: Option<MessageId>,
    /// The last message that the server was told was read.
    acknowledged: Option<MessageId>,
    at_end: bool,
}

impl Unread {
    /// The next page, with at least one message; `None` after the last.
    fn next_page(&mut self, link: &mut Link, token: Token) -> Result<Option<Page>, Failure> {
        if self.at_end {
            return Ok(None);
        }
        let from = match self.last {
            Some(id) => FetchFrom::After(id),
            None => FetchFrom::Cursor(CursorName::inbox()),
        };
        let fetch = Fetch { from, with: None, since: None, limit: FETCH_MESSAGES_MAX };
        let page = verbs::fetch(link, token, fetch)?;
        self.at_end = !page.more;
        let Some(last) = page.messages.last() else {
            self.at_end = true;
            return Ok(None);
        };
        self.last = Some(last.id);
        Ok(Some(page))
    }

    /// All pages so far have been written to `out`: see that they arrive, then count them as read.
    fn written(
        &mut self,
        link: &mut Link,
        token: Token,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        out.flush()?;
        if let Some(upto) = self.last
            && self.acknowledged != self.last
        {
            verbs::ack(
                link,
                token,
                Ack { cursor: CursorName::inbox(), upto, rewind: false, dead: None },
            )?;
            self.acknowledged = self.last;
        }
        Ok(())
    }
}
