//! Tools that read messages without waiting, and the one that marks them as read.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Selection, filter, limit, refused};
use crate::catalogue::mcp as texts;
use crate::client::command::mcp::calls::Call;
use crate::client::command::mcp::page::Page;
use crate::client::command::mcp::session::Session;
use crate::client::command::parse_mailbox;
use crate::client::failure::Failure;
use crate::client::verbs;
use crate::model::{CursorName, MessageId};
use crate::protocol::arguments::{
    Ack as AckRequest, Fetch, FetchFrom, ListConversations, Mark, Search as SearchRequest,
};
use crate::protocol::reply::Conversation;

pub fn inbox(given: Selection, session: &Session) -> Result<Value, Failure> {
    if given.timeout_seconds.is_some() {
        return Err(refused("timeout_seconds", texts::only_for_wait()));
    }
    let from = given.after.map_or(FetchFrom::Cursor(CursorName::inbox()), FetchFrom::Incoming);
    let fetch = Fetch {
        from,
        with: None,
        thread: None,
        since: None,
        filter: filter(&given)?,
        limit: limit(given.limit)?,
    };
    let found = session.run(|link, token| verbs::fetch_incoming(link, token, fetch.clone()))?;
    let mut page = Page::default();
    let mut messages = found.messages.iter();
    let mut after = None;
    let left_out = messages.by_ref().find(|message| {
        let fits = page.push(message);
        if fits {
            after = Some(message.id);
        }
        !fits
    });
    // What the filter has left out is behind this page.
    let after = if left_out.is_none() { found.upto.or(after) } else { after };
    let more = found.more || left_out.is_some();
    Ok(of_page(page, more, "after", after))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    with: Option<String>,
    thread: Option<MessageId>,
    before: Option<MessageId>,
    limit: Option<usize>,
}

pub fn history(given: History, session: &Session) -> Result<Value, Failure> {
    if given.with.is_some() && given.thread.is_some() {
        return Err(refused("thread", texts::with_or_thread()));
    }
    let fetch = Fetch {
        from: FetchFrom::Before(given.before.unwrap_or(MessageId(i64::MAX))),
        with: given.with.as_deref().map(parse_mailbox).transpose()?,
        thread: given.thread,
        since: None,
        filter: Box::default(),
        limit: limit(given.limit)?,
    };
    let found = session.run(|link, token| verbs::fetch(link, token, fetch.clone()))?;
    let mut page = Page::default();
    // The newest ones have room first.
    let kept = found.messages.iter().rev().take_while(|message| page.push(message)).count();
    let oldest = found.messages.len() - kept;
    let more = found.more || oldest > 0;
    let before = found.messages.get(oldest).map(|message| message.id).or(found.upto);
    let mut result = of_page(page, more, "before", before);
    if let Some(messages) = result["messages"].as_array_mut() {
        messages.reverse();
    }
    Ok(result)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    query: String,
    before: Option<MessageId>,
    limit: Option<usize>,
}

pub fn search(given: Search, session: &Session, call: &Call) -> Result<Value, Failure> {
    let Search { query, before, limit } = given;
    let mut search = SearchRequest { query, before, limit: self::limit(limit)? };
    loop {
        let found = session.run(|link, token| verbs::search(link, token, search.clone()))?;
        let mut page = Page::default();
        let messages = found.messages.iter().map(|hit| &hit.message);
        let kept = messages.take_while(|message| page.push(message)).count();
        let (more, before) = match kept < found.messages.len() {
            true => (true, found.messages[..kept].last().map(|hit| hit.message.id)),
            false => (found.more, found.upto),
        };
        // The server looks at a part of the messages only, which may have none to find.
        let goes_on = kept == 0 && more && !call.is_last() && !call.is_cancelled();
        if !goes_on {
            return Ok(of_page(page, more, "before", before));
        }
        search.before = before;
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversations {
    before: Option<MessageId>,
    limit: Option<usize>,
}

pub fn conversations(given: Conversations, session: &Session) -> Result<Value, Failure> {
    let list = ListConversations { before: given.before, limit: limit(given.limit)? };
    let found = session.run(|link, token| verbs::conversations(link, token, list.clone()))?;
    let (mut page, mut kept) = (Page::default(), Vec::new());
    for of in &found.conversations {
        if !page.push(&of.last) {
            break;
        }
        kept.push(of);
    }
    let is_cut = kept.len() < found.conversations.len();
    let before = if is_cut { kept.last().map(|of| of.last.id) } else { found.before };
    let last = page.into_messages();
    let with_last = |(of, last): (&&Conversation, Value)| {
        let mut of = json!({
            "with": of.name().map(|name| name.to_string()),
            "unread": of.unread,
            "mentions": of.mentions,
            "upto": of.upto,
        });
        of["last"] = last;
        of
    };
    let all: Vec<Value> = kept.iter().zip(last).map(with_last).collect();
    let mut result = json!({"conversations": all, "more": is_cut || found.more});
    if let Some(before) = before {
        result["before"] = json!(before);
    }
    Ok(result)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    upto: MessageId,
    with: Option<String>,
}

pub fn ack(given: Ack, session: &Session) -> Result<Value, Failure> {
    let with = given.with.as_deref().map(parse_mailbox).transpose()?;
    session.run(|link, token| {
        let upto = match with.clone() {
            Some(with) => verbs::mark(link, token, Mark { with, upto: given.upto })?.upto,
            None => {
                let cursor = CursorName::inbox();
                let ack = AckRequest { cursor, upto: given.upto, rewind: false, dead: None };
                verbs::ack(link, token, ack)?.upto
            }
        };
        let unread = verbs::unread(link, token)?.unread;
        Ok(json!({"upto": upto, "unread": unread}))
    })
}

/// The result of a tool that returns a page. It says where the next one begins, if there is one.
pub fn of_page(page: Page, more: bool, next: &str, at: Option<MessageId>) -> Value {
    let mut result = json!({"messages": page.into_messages(), "more": more});
    if let Some(at) = at {
        result[next] = json!(at);
    }
    result
}
