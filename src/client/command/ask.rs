//! `chat-cli ask USER TEXT…`

use std::ffi::OsStr;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::{parse_user, send};
use crate::catalogue::client;
use crate::client::arguments::{ASK_TIMEOUT_DEFAULT, AskArguments, TIMEOUT_DEFAULT};
use crate::client::exit::Exit;
use crate::client::failure::{Failure, is_closed};
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::stream::{SILENCE_MAX, Stream, StreamEvent, Timeouts};
use crate::client::{delivery, local_login, verbs};
use crate::model::{CursorName, Message, MessageId, Token, UserName};
use crate::protocol::arguments::{Ack, Fetch, FetchFrom, Key, Watch, WatchFrom};
use crate::terminal::{self, text};

/// Sends the question once, and prints the first message from the user after it. If none arrives in
/// time, the result is [`Exit::Nothing`]. An answer that arrived before this process waits for it
/// is found too.
pub fn run(
    arguments: AskArguments,
    timeout: Option<Duration>,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let user = parse_user(&arguments.user)?;
    let question = match arguments.text.as_slice() {
        [word] if word == "-" => send::read_text(io::stdin().lock())?,
        words => words.join(OsStr::new(" ")),
    };
    let key = match arguments.id {
        Some(key) => key,
        None => delivery::new_key()?,
    };
    let deadline = Instant::now() + timeout.unwrap_or(ASK_TIMEOUT_DEFAULT);
    let to = std::slice::from_ref(&user);
    let asked = delivery::deliver(link, token, to, &send::body(question)?.into(), &key)?;
    let answered = print_answer(asked.id, &user, token, deadline, view, link, out);
    answered.map_err(|failure| asked_already(failure, &user, &key))
}

/// Waits for the answer to the question with this id.
fn print_answer(
    asked: MessageId,
    user: &UserName,
    token: Token,
    deadline: Instant,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let begin = Watch { cursor: None, from: WatchFrom::After(asked), sent: false };
    let timeouts = Timeouts { answer: TIMEOUT_DEFAULT, silence: SILENCE_MAX };
    let mut stream = Stream::new(link.dialer().clone(), token, begin, timeouts);
    let Some(answer) = wait(&mut stream, user, deadline)? else { return Ok(Exit::Nothing) };
    if view.is_json {
        writeln!(out, "{}", object::message(&answer))?;
    } else if terminal::is_shown() {
        for line in text::visible_lines(answer.body.as_str()) {
            writeln!(out, "{line}")?;
        }
    } else {
        writeln!(out, "{}", answer.body.as_str())?;
    }
    out.flush()?;
    count_as_read(link, token, &answer)?;
    Ok(Exit::Done)
}

/// The failure after the question was stored. It contains the key, which leads to the same answer.
fn asked_already(failure: Failure, user: &UserName, key: &Key) -> Failure {
    let (exit, message) = match &failure {
        Failure::Output(error) if is_closed(error) => return failure,
        Failure::Output(error) => (Exit::TryAgain, client::answer_not_printed(error)),
        Failure::NoAnswer(_) => (Exit::TryAgain, client::question_sent(&failure)),
        _ => (failure.exit(), client::question_sent(&failure)),
    };
    Failure::new(exit, message)
        .with_key(key.clone())
        .with_hint(client::ask_under_id(key.as_str(), user))
}

fn wait(
    stream: &mut Stream,
    user: &UserName,
    deadline: Instant,
) -> Result<Option<Message>, Failure> {
    while let Some(event) = stream.next(Some(deadline))? {
        if let StreamEvent::Message(message) = event
            && message.from == *user
        {
            return Ok(Some(message));
        }
    }
    Ok(None)
}

/// Acknowledges the answer, unless an older message is unread, which nobody has seen.
fn count_as_read(link: &mut Link, token: Token, answer: &Message) -> Result<(), Failure> {
    let (cursor, upto) = (CursorName::inbox(), answer.id);
    let from = FetchFrom::Cursor(cursor.clone());
    let unread = verbs::fetch(link, token, Fetch { from, with: None, since: None, limit: 1 })?;
    if unread.messages.first().is_some_and(|first| first.id == upto) {
        verbs::ack(link, token, Ack { cursor, upto, rewind: false, dead: None })?;
    }
    Ok(())
}
