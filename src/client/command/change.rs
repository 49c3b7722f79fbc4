//! `chat-cli edit MESSAGE TEXT…`, `chat-cli delete MESSAGE`

use std::io::Write;

use serde::Serialize;

use super::send;
use crate::catalogue::change;
use crate::client::arguments::{DeleteArguments, EditArguments};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{delivery, local_login, verbs};
use crate::model::{Key, Message, MessageId, Token, UserName};
use crate::protocol::arguments::{Delete, Edit, Search};
use crate::protocol::reply::Changed;
use crate::terminal::text;

/// Gives a message of the user another text, exactly once.
pub fn edit(
    arguments: EditArguments,
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
    let edit = Edit { id: arguments.message, body, key: Some(key.clone()) };
    let changed =
        verbs::edit(link, token, edit).map_err(|failure| failure.with_key(key.clone()))?;
    if view.is_json {
        writeln!(out, "{}", object::line(&Edited { changed, key: key.as_str() }))?;
    } else {
        writeln!(out, "{}", change::message_is_edited(arguments.message.0))?;
    }
    Ok(Exit::Done)
}

/// The object of an edit.
#[derive(Serialize)]
struct Edited<'a> {
    #[serde(flatten)]
    changed: Changed,
    key: &'a str,
}

/// Deletes a message.
pub fn delete(
    arguments: &DeleteArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let changed = verbs::delete(link, token, Delete { id: arguments.message })?;
    if view.is_json {
        writeln!(out, "{}", object::line(&changed))?;
    } else {
        writeln!(out, "{}", change::message_is_deleted(arguments.message.0))?;
    }
    Ok(Exit::Done)
}

/// The user's own newest messages that are not deleted, newest first, at most `limit`.
pub fn newest_of(
    link: &mut Link,
    token: Token,
    user: &UserName,
    limit: usize,
) -> Result<Vec<Message>, Failure> {
    let search = Search { query: format!("from:{user}"), before: None, limit };
    let found = verbs::search(link, token, search)?;
    Ok(found.messages.into_iter().map(|hit| hit.message).collect())
}

/// The beginning of a text, on one line that is safe to show.
pub fn beginning(text: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    let line = text::visible(text.lines().next().unwrap_or_default());
    match line.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// [`edit`] at the prompt.
pub fn edit_at_prompt(
    link: &mut Link,
    token: Token,
    (id, text): (MessageId, &str),
) -> Result<Changed, Failure> {
    let body = send::body(text.into())?;
    let key: Option<Key> = Some(delivery::new_key()?);
    verbs::edit(link, token, Edit { id, body, key })
}
