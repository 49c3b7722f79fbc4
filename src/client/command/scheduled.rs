//! `chat-cli scheduled`, `chat-cli scheduled cancel ID`

use std::io::Write;

use crate::catalogue::scheduled as texts;
use crate::client::arguments::{ScheduledArguments, ScheduledCommand};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::inbox::Clock;
use crate::client::render::messages::moment;
use crate::client::render::{View, object};
use crate::client::{delivery, local_login, verbs};
use crate::model::Token;
use crate::protocol::scheduled::ScheduledMessage;
use crate::terminal::text;

/// Lists or cancels scheduled messages.
pub fn run(
    arguments: &ScheduledArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    if let Some(ScheduledCommand::Cancel(cancel)) = &arguments.command {
        let cancelled = verbs::cancel(link, token, cancel.id)?;
        match view.is_json {
            true => writeln!(out, "{}", object::line(&cancelled))?,
            false => writeln!(out, "{}", texts::scheduled_cancelled(cancelled.id.0))?,
        }
        return Ok(Exit::Done);
    }
    let found = all(link, token)?;
    for message in &found {
        match view.is_json {
            true => writeln!(out, "{}", object::line(message))?,
            false => writeln!(out, "{}", line(message, view.clock()))?,
        }
    }
    Ok(if found.is_empty() { Exit::Nothing } else { Exit::Done })
}

/// The scheduled messages of the user, the next one first.
pub fn all(link: &mut Link, token: Token) -> Result<Vec<ScheduledMessage>, Failure> {
    let mut found = Vec::new();
    verbs::scheduled(link, token, |message| found.push(message))?;
    found.sort_by_key(|message| (message.due_at, message.id));
    Ok(found)
}

/// One line: number, time, recipients and text, separated by tabs.
pub fn line(message: &ScheduledMessage, clock: Clock) -> String {
    let ScheduledMessage { id, due_at, to, body, .. } = message;
    let (id, due_at, to) = (id.0.to_string(), moment(*due_at, clock), delivery::names(to, ","));
    [id.as_str(), &due_at, &to, &text::visible(body.as_str())].join("\t")
}
