//! `chat-cli ask TO TEXT…`, `chat-cli ask --room ROOM TEXT…`
//!
//! Which message answers the question is decided by [`question::relation`], from the messages alone.
//! So two questions to the same person, or in the same room, cannot get each other's answer.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::{parse_mailbox, send};
use crate::catalogue::{client, shared};
use crate::client::arguments::{ASK_TIMEOUT_DEFAULT, AskArguments, TIMEOUT_DEFAULT};
use crate::client::delivery::Text;
use crate::client::exit::{Ending, Exit};
use crate::client::failure::{Failure, Refused, is_closed};
use crate::client::link::Link;
use crate::client::question::{self, BY_BYTES_MAX, CHOICES_MAX, Relation};
use crate::client::render::{View, object};
use crate::client::stream::{SILENCE_MAX, Stream, StreamEvent, Timeouts};
use crate::client::{delivery, local_login, open_questions, verbs};
use crate::model::{Body, CursorName, Details, Filter, MailboxName, Message, Tag, Token, UserName};
use crate::protocol::arguments::{Ack, Fetch, FetchFrom, Key, Mark, Watch, WatchFrom};
use crate::protocol::refusal::Code;
use crate::protocol::reply::Posted;
use crate::terminal::{self, text};

/// The pause before the conversation is read again, after the server was not there.
const PAUSE: Duration = Duration::from_millis(200);

/// How often to look whether the room of a question still takes answers. No event tells it.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Sends the question once, and prints the answer. If none arrives in time, the result is
/// [`Exit::Nothing`]. An answer that arrived before this process waits for it is found too.
pub fn run(
    arguments: AskArguments,
    timeout: Option<Duration>,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let details = details(&arguments.choices, &arguments.from)?;
    let (token, _) = local_login::current(link)?;
    let (to, body) = to_and_body(&arguments)?;
    if to.user().is_some() && !arguments.from.is_empty() {
        return Err(Failure::new(Exit::Usage, client::from_is_for_a_room(&to)));
    }
    let key = match arguments.id {
        Some(key) => key,
        None => delivery::new_key()?,
    };
    let deadline = Instant::now() + timeout.unwrap_or(ASK_TIMEOUT_DEFAULT);
    let text = Text { body, details };
    let question = ask(link, token, (&to, text), arguments.choices.is_empty(), &key)?;
    let mut asker = Asker { question, token, deadline, link };
    let answered = asker.print_answer(view, out);
    answered.map_err(|failure| asked_already(failure, &to, &key))
}

/// Whom to ask, and the text. With `--room` all words are the text.
fn to_and_body(arguments: &AskArguments) -> Result<(MailboxName, Body), Failure> {
    let AskArguments { room, to, text, .. } = arguments;
    let (to, first) = match (room, to) {
        (Some(room), first) => (room.clone().into(), first.as_ref()),
        (None, Some(to)) => (parse_mailbox(&to.to_string_lossy())?, None),
        // `clap` requires one of them.
        (None, None) => return Err(Code::UnknownRecipient.into()),
    };
    let words: Vec<&OsStr> = first.into_iter().chain(text).map(OsString::as_os_str).collect();
    Ok((to, send::body_of(&words)?))
}

/// [`question::details`], or why there are none.
pub fn details(choices: &[Tag], by: &[UserName]) -> Result<Option<Box<Details>>, Failure> {
    match question::details(choices, by) {
        None => {
            let why = client::question_does_not_fit(CHOICES_MAX, BY_BYTES_MAX);
            Err(Failure::new(Exit::Usage, why))
        }
        details => Ok(details),
    }
}

/// A question that was asked.
struct Question {
    posted: Posted,
    to: MailboxName,
    text: Text,
    /// Its text only: the server is older than questions, or an older client has asked it.
    is_plain: bool,
}

impl Question {
    /// The question of `from` as a message.
    fn message(&self, from: UserName) -> Message {
        let Self { posted, to, text: Text { body, details }, .. } = self;
        let (to, body, details) = (to.clone(), body.clone(), details.clone());
        Message { id: posted.id, at: posted.at, from, to, body, details }
    }
}

/// Stores the question.
fn ask(
    link: &mut Link,
    token: Token,
    (to, text): (&MailboxName, Text),
    any_answer_will_do: bool,
    key: &Key,
) -> Result<Question, Failure> {
    let names = std::slice::from_ref(to);
    let asked = delivery::deliver(link, token, names, &text, key);
    let (posted, is_plain) = match asked {
        // A server that knows rooms knows questions.
        Err(Failure::Refused(Refused {
            code: Some(Code::BadArgument | Code::KeyConflict),
            ..
        })) if any_answer_will_do && to.user().is_some() => {
            (delivery::deliver(link, token, names, &text.body.clone().into(), key)?, true)
        }
        asked => (asked?, false),
    };
    Ok(Question { posted, to: to.clone(), text, is_plain })
}

/// An answer, and the number of the offered answer that it is.
type Answer = (Message, Option<usize>);

/// Waits for the answer.
struct Asker<'a> {
    question: Question,
    token: Token,
    deadline: Instant,
    link: &'a mut Link,
}

impl Asker<'_> {
    fn print_answer(&mut self, view: View, out: &mut dyn Write) -> Result<Ending, Failure> {
        let Some((answer, number)) = self.wait()? else { return Ok(Exit::Nothing.into()) };
        if view.is_json {
            writeln!(out, "{}", object::message(&answer))?;
        } else {
            if answer.to.room().is_some() {
                note(&client::answered(&answer.from));
            }
            if terminal::is_shown() {
                for line in text::visible_lines(answer.body.as_str()) {
                    writeln!(out, "{line}")?;
                }
            } else {
                writeln!(out, "{}", answer.body.as_str())?;
            }
        }
        out.flush()?;
        count_as_read(self.link, self.token, &answer)?;
        Ok(number.map_or(Exit::Done.into(), Ending::Choice))
    }

    fn wait(&mut self) -> Result<Option<Answer>, Failure> {
        let room = self.question.to.room().cloned();
        let from = WatchFrom::After(self.question.posted.id);
        let filter = Box::new(Filter { room: room.clone(), ..Filter::default() });
        // An answer counts in a muted room, too.
        let begin = Watch { from, filter, muted: room.is_some(), ..Watch::default() };
        let timeouts = Timeouts { answer: TIMEOUT_DEFAULT, silence: SILENCE_MAX };
        let mut stream = Stream::new(self.link.dialer().clone(), self.token, begin, timeouts);
        let mut question = None;
        let mut look_at = Instant::now() + LOOK_INTERVAL;
        loop {
            let until = if room.is_some() { self.deadline.min(look_at) } else { self.deadline };
            match (stream.next(Some(until))?, &question) {
                (Some(StreamEvent::Ready { user, .. }), _) => {
                    question = Some(self.question.message(user));
                }
                (Some(StreamEvent::Message(message)), Some(question)) => {
                    if let Some(answer) = self.judge(question, message)? {
                        return Ok(Some(answer));
                    }
                }
                (None, _) if Instant::now() >= self.deadline => return Ok(None),
                _ => {}
            }
            if let Some(question) = &question
                && Instant::now() >= look_at
            {
                match open_questions::last_answer(self.link, self.token, question) {
                    Ok(Some(message)) => return Ok(Some(answer_to(question, message))),
                    Ok(None) => {}
                    // The stream reports it, or connects again.
                    Err(failure) if is_temporary(&failure) => {}
                    Err(failure) => return Err(failure),
                }
                look_at = Instant::now() + LOOK_INTERVAL;
            }
        }
    }

    /// The message, if it is the answer. Notes what is nearly one.
    fn judge(&mut self, question: &Message, message: Message) -> Result<Option<Answer>, Failure> {
        let (from, id) = (&message.from, message.id.0);
        match self.relation(question, &message)? {
            Relation::Answer => return Ok(Some(answer_to(question, message))),
            Relation::NotOffered => {
                let offered = question::choices(question).join(", ");
                note(&client::answer_not_offered(from, id, offered));
            }
            Relation::NotAsked => note(&client::answer_of_another(from, id)),
            Relation::Unclear(open) => {
                note(&client::several_questions_open(from, open, id, question.id.0));
            }
            Relation::None => {}
        }
        Ok(None)
    }

    fn relation(&mut self, question: &Message, message: &Message) -> Result<Relation, Failure> {
        let MailboxName::User(asked) = &question.to else {
            // The stream has had each earlier reply, and none was the answer.
            return Ok(question::relation(&[], question, message));
        };
        if message.from != *asked || message.to != question.from {
            return Ok(Relation::None);
        }
        if self.question.is_plain {
            return Ok(Relation::Answer);
        }
        let reply_to = message.details.as_ref().and_then(|details| details.reply_to);
        if reply_to.is_some_and(|id| id != question.id) {
            return Ok(Relation::None);
        }
        let mut conversation = self.conversation(asked, message)?;
        if !conversation.iter().any(|earlier| earlier.id == question.id) {
            conversation.insert(0, question.clone());
        }
        Ok(question::relation(&conversation, question, message))
    }

    /// Reads it again until the deadline if the server is away.
    fn conversation(
        &mut self,
        asked: &UserName,
        message: &Message,
    ) -> Result<Vec<Message>, Failure> {
        loop {
            match open_questions::conversation(self.link, self.token, asked, message) {
                Err(Failure::NoAnswer(_)) if Instant::now() + PAUSE < self.deadline => {
                    thread::sleep(PAUSE);
                }
                done => return done,
            }
        }
    }
}

fn answer_to(question: &Message, message: Message) -> Answer {
    let number = question::chosen(question, message.body.as_str());
    (message, number)
}

fn is_temporary(failure: &Failure) -> bool {
    matches!(failure.exit(), Exit::Unreachable | Exit::TryAgain)
}

fn note(words: &str) {
    // A closed standard error is no reason to end.
    let _ = writeln!(io::stderr(), "{}", shared::note(words));
}

/// The failure after the question was stored. It contains the key, which leads to the same answer.
fn asked_already(failure: Failure, to: &MailboxName, key: &Key) -> Failure {
    let (exit, message) = match &failure {
        Failure::Output(error) if is_closed(error) => return failure,
        Failure::Output(error) => (Exit::TryAgain, client::answer_not_printed(error)),
        Failure::NoAnswer(_) => (Exit::TryAgain, client::question_sent(&failure)),
        _ => (failure.exit(), client::question_sent(&failure)),
    };
    let to = match to {
        MailboxName::User(user) => user.to_string(),
        MailboxName::Room(room) => format!("'{room}'"),
    };
    Failure::new(exit, message)
        .with_key(key.clone())
        .with_hint(client::ask_under_id(key.as_str(), to))
}

/// Acknowledges the answer, unless an older message of its sender, or in its room, is unread, which
/// nobody has seen.
fn count_as_read(link: &mut Link, token: Token, answer: &Message) -> Result<(), Failure> {
    let (cursor, upto) = (CursorName::inbox(), answer.id);
    if verbs::first_unread(link, token)?.is_some_and(|first| first.id == upto) {
        verbs::ack(link, token, Ack { cursor, upto, rewind: false, dead: None })?;
        return Ok(());
    }
    let (from, with) = (FetchFrom::Cursor(cursor), answer.conversation());
    let sender = with.user().cloned();
    let filter = Box::new(Filter { sender, ..Filter::default() });
    let (thread, since, limit) = (None, None, 1);
    let fetch = Fetch { from, with: Some(with.clone()), thread, since, filter, limit };
    let unread = match verbs::fetch(link, token, fetch) {
        // An older server knows no filters.
        Err(Failure::Refused(Refused { code: Some(Code::BadArgument), .. })) => return Ok(()),
        unread => unread?,
    };
    if unread.messages.first().is_some_and(|first| first.id == upto) {
        verbs::mark_shown(link, token, Mark { with, upto })?;
    }
    Ok(())
}
