//! Finds the open questions in the messages of the last day.

use super::failure::Failure;
use super::link::Link;
use super::question::{OPEN_MAX, is_question, open_before};
use super::verbs;
use crate::model::{Message, MessageId, Timestamp, Token, UserName};
use crate::protocol::arguments::{FETCH_MESSAGES_MAX, Fetch, FetchFrom};

/// The messages between the user and another one that decide about `message`: those of a day before
/// it, the newest [`FETCH_MESSAGES_MAX`] at most.
pub fn conversation(
    link: &mut Link,
    token: Token,
    with: &UserName,
    message: &Message,
) -> Result<Vec<Message>, Failure> {
    let fetch = Fetch {
        from: FetchFrom::Before(message.id),
        with: Some(with.clone().into()),
        thread: None,
        since: Some(message.at.minus(OPEN_MAX)),
        filter: Box::default(),
        limit: FETCH_MESSAGES_MAX,
    };
    Ok(verbs::fetch(link, token, fetch)?.messages)
}

/// The questions to `user` that are open now: the newest received messages of a day tell.
pub fn to_user(link: &mut Link, token: Token, user: &UserName) -> Result<Vec<Message>, Failure> {
    let fetch = Fetch {
        from: FetchFrom::Before(MessageId(i64::MAX)),
        with: None,
        thread: None,
        since: Some(Timestamp::now().minus(OPEN_MAX)),
        filter: Box::default(),
        limit: FETCH_MESSAGES_MAX,
    };
    let asked = verbs::fetch(link, token, fetch.clone())?.messages;
    let mut askers: Vec<&UserName> = Vec::new();
    for question in asked.iter().filter(|message| is_question(message)) {
        if !askers.contains(&&question.from) {
            askers.push(&question.from);
        }
    }
    let mut found = Vec::new();
    for asker in askers {
        let with = Fetch { with: Some(asker.clone().into()), ..fetch.clone() };
        let messages = verbs::fetch(link, token, with)?.messages;
        // A message that comes after all of them.
        let Some(last) = messages.last() else { continue };
        let next = Message { id: MessageId(last.id.0.saturating_add(1)), ..last.clone() };
        let open = open_before(&messages, &next, (asker, user));
        found.extend(messages.iter().filter(|message| open.contains(&message.id)).cloned());
    }
    found.sort_by_key(|question| question.id);
    Ok(found)
}
