//! `chat-cli conversations [-n N]`

use std::collections::HashSet;
use std::io::{self, Write};

use crate::client::arguments::ConversationsArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::inbox::Clock;
use crate::client::render::messages::moment;
use crate::client::render::wrap::wrap;
use crate::client::render::{View, details, object};
use crate::client::{local_login, verbs};
use crate::model::{MessageId, Token};
use crate::protocol::arguments::{CONVERSATIONS_MAX, ListConversations};
use crate::protocol::reply::Conversation;
use crate::terminal::{self, text};

/// Lists conversations, the newest first. Changes nothing.
pub fn run(
    arguments: &ConversationsArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let is_shown = terminal::is_shown();
    let found = list(link, token, arguments.limit, |page| match () {
        () if view.is_json => page.iter().try_for_each(|of| writeln!(out, "{}", object::line(of))),
        () if is_shown => {
            let clock = view.clock.unwrap_or_default();
            columns(page, clock).iter().try_for_each(|line| writeln!(out, "{line}"))
        }
        // A program can sort UTC times, and they mean the same on every machine.
        () => page.iter().try_for_each(|of| plain(of, view.clock.unwrap_or(Clock::Utc), out)),
    })?;
    Ok(if found == 0 { Exit::Nothing } else { Exit::Done })
}

/// Passes at most `limit` conversations to `show`, page by page, and returns how many there were.
pub fn list(
    link: &mut Link,
    token: Token,
    limit: usize,
    mut show: impl FnMut(&[Conversation]) -> io::Result<()>,
) -> Result<usize, Failure> {
    let (mut before, mut missing): (Option<MessageId>, usize) = (None, limit);
    let mut known = HashSet::new();
    while missing > 0 {
        let request = ListConversations { before, limit: missing.min(CONVERSATIONS_MAX) };
        let mut page = verbs::conversations(link, token, request)?;
        // A later page may have a conversation again, with an older message.
        page.conversations.retain(|of| of.name().is_some_and(|name| known.insert(name)));
        show(&page.conversations)?;
        missing = missing.saturating_sub(page.conversations.len());
        // A page may be empty and still have more after it.
        match page.before {
            Some(next) if page.more => before = Some(next),
            _ => break,
        }
    }
    Ok(limit - missing)
}

/// The lines for a person: the number of unread messages and the mentions, the name, the time and the
/// beginning of the last message.
pub fn columns(conversations: &[Conversation], clock: Clock) -> Vec<String> {
    let columns = terminal::columns();
    let counts: Vec<String> = conversations.iter().map(counts).collect();
    let names: Vec<String> = conversations.iter().map(name).collect();
    let width = |texts: &[String]| texts.iter().map(String::len).max().unwrap_or(0);
    let (count_width, name_width) = (width(&counts), width(&names));
    let line = |((of, count), name): ((&Conversation, &String), &String)| {
        let at = moment(of.last.at, clock);
        let line = format!("{count:>count_width$}  {name:<name_width$}  {at}  {}", beginning(of));
        // The rest of a long text is in `history`.
        wrap(&line, columns).first().map_or_else(String::new, |row| (*row).to_owned())
    };
    conversations.iter().zip(&counts).zip(&names).map(line).collect()
}

/// `3`, `1000+`, or `3 @1` with a mention; nothing if all is read.
fn counts(of: &Conversation) -> String {
    let more = if of.more { "+" } else { "" };
    match (of.unread, of.mentions) {
        (0, _) => String::new(),
        (unread, 0) => format!("{unread}{more}"),
        (unread, mentions) => format!("{unread}{more} @{mentions}"),
    }
}

fn name(of: &Conversation) -> String {
    of.name().map(|name| name.to_string()).unwrap_or_default()
}

/// The sender in a room, and the first line of the text.
fn beginning(of: &Conversation) -> String {
    let text = details::text(&of.last);
    let first = text.lines().next().unwrap_or_default();
    let first = text::visible(first);
    match of.room {
        Some(_) => format!("{}: {first}", of.last.from),
        None => first,
    }
}

/// One line: name, unread messages, mentions, id, time, sender and text, separated by tabs.
fn plain(of: &Conversation, clock: Clock, out: &mut dyn Write) -> io::Result<()> {
    let Conversation { last, unread, mentions, .. } = of;
    let (id, at, from) = (last.id.0, moment(last.at, clock), &last.from);
    let body = details::text(last);
    let (name, body) = (name(of), text::visible(&body));
    writeln!(out, "{name}\t{unread}\t{mentions}\t{id}\t{at}\t{from}\t{body}")
}
