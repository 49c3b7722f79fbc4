//! `chat-cli reply MESSAGE TEXT…`

use std::io::Write;

use super::send;
use crate::client::arguments::ReplyArguments;
use crate::client::delivery::{self, Text};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::View;
use crate::client::{local_login, verbs};
use crate::model::{Body, Details, MailboxName, Message, MessageId, Token, UserName};
use crate::protocol::arguments::{Fetch, FetchFrom};
use crate::protocol::refusal::Code;

/// Answers a message: the answer goes to its sender, or to its recipient if the user has sent it.
pub fn run(
    arguments: ReplyArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let body = send::body_of(&arguments.text)?;
    let (token, _) = local_login::current(link)?;
    let key = match arguments.id {
        Some(key) => key,
        None => delivery::new_key()?,
    };
    let user = verbs::whoami(link, token)?.user;
    let to = other_side(&find(link, token, arguments.message)?, &user);
    send::one(answer(body, arguments.message), vec![to], &key, token, (view, link), out)
}

/// The text of an answer to a message.
pub fn answer(body: Body, reply_to: MessageId) -> Text {
    let details = Details { reply_to: Some(reply_to), ..Details::default() };
    Text { body, details: details.if_any() }
}

/// The message with this id, which the user has sent or received.
pub fn find(link: &mut Link, token: Token, id: MessageId) -> Result<Message, Failure> {
    let fetch = Fetch {
        from: FetchFrom::After(MessageId(id.0 - 1)),
        with: None,
        thread: Some(id),
        since: None,
        filter: Box::default(),
        limit: 1,
    };
    let found = verbs::fetch(link, token, fetch)?.messages.into_iter().next();
    // It may have been purged a moment ago.
    found.filter(|message| message.id == id).ok_or_else(|| Code::UnknownMessage.into())
}

/// Where an answer of `user` to the message goes: to the other user, or to the room.
pub fn other_side(message: &Message, user: &UserName) -> MailboxName {
    match &message.to {
        MailboxName::User(to) if to == user => message.from.clone().into(),
        to => to.clone(),
    }
}
