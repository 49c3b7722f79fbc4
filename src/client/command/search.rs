//! `chat-cli search WORDS... [-n N]`

use std::io::{self, Write};

use crate::client::arguments::SearchArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::inbox::{Clock, Layout, Places};
use crate::client::render::messages::moment;
use crate::client::render::{View, details, object};
use crate::client::{local_login, verbs};
use crate::model::{MessageId, Token};
use crate::protocol::arguments::{SEARCH_MESSAGES_MAX, Search};
use crate::protocol::reply::Hit;
use crate::terminal::{self, text};

/// Shows the messages that were found, the newest first. Changes nothing.
pub fn run(
    arguments: &SearchArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let query = arguments.query.join(" ");
    let is_shown = terminal::is_shown();
    let mut layout = Layout::for_terminal(view.clock.unwrap_or_default());
    let found = search(link, token, &query, arguments.limit, |hits| match () {
        () if view.is_json => {
            hits.iter().try_for_each(|hit| writeln!(out, "{}", object::line(hit)))
        }
        () if is_shown => out.write_all(page(&mut layout, hits).as_bytes()),
        // A program can sort UTC times, and they mean the same on every machine.
        () => hits.iter().try_for_each(|hit| plain(hit, view.clock.unwrap_or(Clock::Utc), out)),
    })?;
    Ok(if found == 0 { Exit::Nothing } else { Exit::Done })
}

/// Passes at most `limit` messages to `show`, page by page, and returns how many there were.
pub fn search(
    link: &mut Link,
    token: Token,
    query: &str,
    limit: usize,
    mut show: impl FnMut(&[Hit]) -> io::Result<()>,
) -> Result<usize, Failure> {
    let mut before: Option<MessageId> = None;
    let mut missing = limit;
    while missing > 0 {
        let limit = missing.min(SEARCH_MESSAGES_MAX);
        let search = Search { query: query.to_owned(), before, limit };
        let page = verbs::search(link, token, search)?;
        show(&page.messages)?;
        missing = missing.saturating_sub(page.messages.len());
        // A page may be empty and still have more before it.
        match page.upto {
            Some(upto) if page.more => before = Some(upto),
            _ => break,
        }
    }
    Ok(limit - missing)
}

/// A page for a person, with marks where the words are.
pub fn page(layout: &mut Layout, hits: &[Hit]) -> String {
    let places = hits.iter().map(|Hit { message, matches, title_matches }| {
        (message, Places { title: title_matches, body: matches })
    });
    layout.found_page(&places.collect::<Vec<_>>())
}

/// One line: id, time, sender, recipient and text, separated by tabs.
fn plain(hit: &Hit, clock: Clock, out: &mut dyn Write) -> io::Result<()> {
    let message = &hit.message;
    let (id, at, body) = (message.id.0, moment(message.at, clock), details::text(message));
    let (from, to, body) = (&message.from, &message.to, text::visible(&body));
    writeln!(out, "{id}\t{at}\t{from}\t{to}\t{body}")
}
