//! Tools that send messages. The sender is always the user of the session.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{refused, tags};
use crate::catalogue::mcp as texts;
use crate::client::arguments::parse_choice;
use crate::client::command::mcp::session::Session;
use crate::client::command::{
    ask as ask_command, parse_mailbox, reply as reply_command, send as send_command,
};
use crate::client::delivery::{self, Text};
use crate::client::failure::Failure;
use crate::client::question::CHOICES_MAX;
use crate::client::verbs;
use crate::model::{Body, Click, Details, MailboxName, MessageId, Priority, Tag, Title, UserName};
use crate::protocol::arguments::Key;
use crate::protocol::reply::Posted;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    to: String,
    body: String,
    title: Option<Title>,
    priority: Option<Priority>,
    #[serde(default)]
    tags: Vec<Tag>,
    click: Option<Click>,
    reply_to: Option<MessageId>,
    expires_in: Option<u64>,
    key: Option<Key>,
}

pub fn send(given: Send, session: &Session) -> Result<Value, Failure> {
    let details = Details {
        title: given.title,
        priority: given.priority.unwrap_or_default(),
        tags: tags(given.tags)?,
        click: given.click,
        reply_to: given.reply_to,
        expires_in: given.expires_in,
        ..Details::default()
    };
    let to = send_command::parse_recipients(&given.to)?;
    let text = Text { body: body(given.body)?, details: details.if_any() };
    let key = key(given.key)?;
    deliver(session, &to, &text, &key)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    message: MessageId,
    body: String,
    key: Option<Key>,
}

pub fn reply(given: Reply, session: &Session) -> Result<Value, Failure> {
    let text = reply_command::answer(body(given.body)?, given.message);
    let key = key(given.key)?;
    let to = session.run(|link, token| {
        let user = verbs::whoami(link, token)?.user;
        let message = reply_command::find(link, token, given.message)?;
        Ok(reply_command::other_side(&message, &user))
    })?;
    deliver(session, &[to], &text, &key)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    user: String,
    question: String,
    #[serde(default)]
    choices: Vec<String>,
    #[serde(default)]
    from: Vec<UserName>,
    key: Option<Key>,
}

pub fn ask(given: Ask, session: &Session) -> Result<Value, Failure> {
    if given.choices.len() > CHOICES_MAX {
        return Err(refused("choices", texts::give_range(0, CHOICES_MAX)));
    }
    let choice = |text: &String| parse_choice(text).map_err(|reason| refused("choices", reason));
    let choices: Vec<Tag> = given.choices.iter().map(choice).collect::<Result<_, _>>()?;
    let to = parse_mailbox(&given.user)?;
    if to.user().is_some() && !given.from.is_empty() {
        return Err(refused("from", texts::only_in_a_room()));
    }
    let details = ask_command::details(&choices, &given.from)?;
    let text = Text { body: body(given.question)?, details };
    let key = key(given.key)?;
    let posted = post(session, &[to], &text, &key)?;
    Ok(json!({"ticket": posted.id, "key": key, "duplicate": posted.duplicate}))
}

fn deliver(
    session: &Session,
    to: &[MailboxName],
    text: &Text,
    key: &Key,
) -> Result<Value, Failure> {
    let Posted { at, duplicate, sent, .. } = post(session, to, text, key)?;
    let sent: Vec<Value> =
        sent.iter().map(|copy| json!({"to": copy.to.as_str(), "id": copy.id})).collect();
    Ok(json!({"sent": sent, "at": at, "key": key, "duplicate": duplicate}))
}

fn post(session: &Session, to: &[MailboxName], text: &Text, key: &Key) -> Result<Posted, Failure> {
    session
        .run(|link, token| delivery::deliver(link, token, to, text, key))
        .map_err(|failure| send_command::naming_users(failure, to.len()))
}

fn body(text: String) -> Result<Body, Failure> {
    send_command::body(text.into())
}

fn key(given: Option<Key>) -> Result<Key, Failure> {
    given.map_or_else(delivery::new_key, Ok)
}
