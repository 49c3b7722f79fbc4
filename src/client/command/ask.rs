//! `chat-cli ask USER TEXT…`
//!
//! Which message answers the question is decided by [`question::relation`], from the messages alone.
//! So two questions to the same person cannot get each other's answer.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::{parse_user, send};
use crate::catalogue::{client, shared};
use crate::client::arguments::{ASK_TIMEOUT_DEFAULT, AskArguments, TIMEOUT_DEFAULT};
use crate::client::delivery::Text;
use crate::client::exit::{Ending, Exit};
use crate::client::failure::{Failure, Refused, is_closed};
use crate::client::link::Link;
use crate::client::question::{self, CHOICES_MAX, Relation};
use crate::client::render::{View, object};
use crate::client::stream::{SILENCE_MAX, Stream, StreamEvent, Timeouts};
use crate::client::{delivery, local_login, open_questions, verbs};
use crate::model::{Body, CursorName, Filter, MailboxName, Message, Tag, Token, UserName};
use crate::protocol::arguments::{Ack, Fetch, FetchFrom, Key, Mark, Watch, WatchFrom};
use crate::protocol::refusal::Code;
use crate::protocol::reply::Posted;
use crate::terminal::{self, text};

/// The pause before the conversation is read again, after the server was not there.
const PAUSE: Duration = Duration::from_millis(200);

/// Sends the question once, and prints the answer. If none arrives in time, the result is
/// [`Exit::Nothing`]. An answer that arrived before this process waits for it is found too.
pub fn run(
    arguments: AskArguments,
    timeout: Option<Duration>,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    if arguments.choices.len() > CHOICES_MAX {
        return Err(Failure::new(Exit::Usage, client::too_many_choices(CHOICES_MAX)));
    }
    let (token, _) = local_login::current(link)?;
    let user = parse_user(&arguments.user)?;
    let text = match arguments.text.as_slice() {
        [word] if word == "-" => send::read_text(io::stdin().lock())?,
        words => words.join(OsStr::new(" ")),
    };
    let key = match arguments.id {
        Some(key) => key,
        None => delivery::new_key()?,
    };
    let deadline = Instant::now() + timeout.unwrap_or(ASK_TIMEOUT_DEFAULT);
    let body = send::body(text)?;
    let question = ask(link, token, &user, &body, (&arguments.choices, &key))?;
    let mut asker = Asker { question, user: &user, token, deadline, link };
    let answered = asker.print_answer(view, out);
    answered.map_err(|failure| asked_already(failure, &user, &key))
}

/// A question that was asked.
struct Question {
    posted: Posted,
    body: Body,
    /// Its text only: the server is older than questions, or an older client has asked it.
    is_plain: bool,
    choices: Vec<Tag>,
}

/// Stores the question.
fn ask(
    link: &mut Link,
    token: Token,
    user: &UserName,
    body: &Body,
    (choices, key): (&[Tag], &Key),
) -> Result<Question, Failure> {
    let to = &[user.clone().into()];
    let details = question::details(choices);
    let text = Text { body: body.clone(), details };
    let asked = delivery::deliver(link, token, to, &text, key);
    let (posted, is_plain) = match asked {
        Err(Failure::Refused(Refused {
            code: Some(Code::BadArgument | Code::KeyConflict),
            ..
        })) if choices.is_empty() => {
            (delivery::deliver(link, token, to, &body.clone().into(), key)?, true)
        }
        asked => (asked?, false),
    };
    Ok(Question { posted, body: body.clone(), is_plain, choices: choices.to_vec() })
}

/// Waits for the answer.
struct Asker<'a> {
    question: Question,
    user: &'a UserName,
    token: Token,
    deadline: Instant,
    link: &'a mut Link,
}

impl Asker<'_> {
    fn print_answer(&mut self, view: View, out: &mut dyn Write) -> Result<Ending, Failure> {
        let Some((answer, number)) = self.wait()? else { return Ok(Exit::Nothing.into()) };
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
        count_as_read(self.link, self.token, &answer)?;
        Ok(number.map_or(Exit::Done.into(), Ending::Choice))
    }

    /// The answer, and the number of the offered answer that it is.
    fn wait(&mut self) -> Result<Option<(Message, Option<usize>)>, Failure> {
        let from = WatchFrom::After(self.question.posted.id);
        let begin = Watch { from, ..Watch::default() };
        let timeouts = Timeouts { answer: TIMEOUT_DEFAULT, silence: SILENCE_MAX };
        let mut stream = Stream::new(self.link.dialer().clone(), self.token, begin, timeouts);
        while let Some(event) = stream.next(Some(self.deadline))? {
            let StreamEvent::Message(message) = event else { continue };
            if message.from != *self.user {
                continue;
            }
            let MailboxName::User(asker) = &message.to else { continue };
            let question = self.question_of(asker.clone());
            match self.relation(&question, &message)? {
                Relation::Answer => {
                    let number = question::chosen(&question, message.body.as_str());
                    return Ok(Some((message, number)));
                }
                Relation::NotOffered => {
                    let offered = question::choices(&question).join(", ");
                    note(&client::answer_not_offered(self.user, message.id.0, offered));
                }
                Relation::Unclear(open) => {
                    let (user, id) = (self.user, question.id.0);
                    note(&client::several_questions_open(user, open, message.id.0, id));
                }
                Relation::None => {}
            }
        }
        Ok(None)
    }

    /// The question of `from` as a message.
    fn question_of(&self, from: UserName) -> Message {
        let Question { posted, body, choices, .. } = &self.question;
        Message {
            id: posted.id,
            at: posted.at,
            from,
            to: self.user.clone().into(),
            body: body.clone(),
            details: question::details(choices),
        }
    }

    fn relation(&mut self, question: &Message, message: &Message) -> Result<Relation, Failure> {
        if self.question.is_plain {
            return Ok(Relation::Answer);
        }
        let reply_to = message.details.as_ref().and_then(|details| details.reply_to);
        if reply_to.is_some_and(|id| id != question.id) {
            return Ok(Relation::None);
        }
        let mut conversation = self.conversation(message)?;
        if !conversation.iter().any(|earlier| earlier.id == question.id) {
            conversation.insert(0, question.clone());
        }
        Ok(question::relation(&conversation, question, message))
    }

    /// Reads it again until the deadline if the server is away.
    fn conversation(&mut self, message: &Message) -> Result<Vec<Message>, Failure> {
        loop {
            match open_questions::conversation(self.link, self.token, self.user, message) {
                Err(Failure::NoAnswer(_)) if Instant::now() + PAUSE < self.deadline => {
                    thread::sleep(PAUSE);
                }
                done => return done,
            }
        }
    }
}

fn note(words: &str) {
    // A closed standard error is no reason to end.
    let _ = writeln!(io::stderr(), "{}", shared::note(words));
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

/// Acknowledges the answer, unless an older message of its sender is unread, which nobody has seen.
fn count_as_read(link: &mut Link, token: Token, answer: &Message) -> Result<(), Failure> {
    let (cursor, upto) = (CursorName::inbox(), answer.id);
    if verbs::first_unread(link, token)?.is_some_and(|first| first.id == upto) {
        verbs::ack(link, token, Ack { cursor, upto, rewind: false, dead: None })?;
        return Ok(());
    }
    let filter = Box::new(Filter { sender: Some(answer.from.clone()), ..Filter::default() });
    let (from, with) = (FetchFrom::Cursor(cursor), MailboxName::User(answer.from.clone()));
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
