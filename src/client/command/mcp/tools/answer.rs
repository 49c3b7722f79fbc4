//! The answer to a question. The messages alone decide which one it is, as for `chat-cli ask`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::timeout;
use super::waiting::Waiter;
use crate::catalogue::mcp as texts;
use crate::client::command::mcp::calls::Call;
use crate::client::command::mcp::page::Page;
use crate::client::command::mcp::session::Session;
use crate::client::command::reply;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::question::{self, Relation};
use crate::client::{open_questions, verbs};
use crate::model::{Filter, Message, MessageId};
use crate::protocol::arguments::{Watch, WatchFrom};

/// How long `answer` waits, unless the call says so.
const WAIT_SECONDS_DEFAULT: f64 = 0.0;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    ticket: MessageId,
    timeout_seconds: Option<f64>,
}

pub fn answer(given: Answer, session: &Session, call: &Call) -> Result<Value, Failure> {
    let timeout = timeout(given.timeout_seconds, WAIT_SECONDS_DEFAULT)?;
    let question = find_question(given.ticket, session)?;
    let filter = Filter {
        sender: question.to.user().cloned(),
        room: question.to.room().cloned(),
        ..Filter::default()
    };
    if let Some(answer) = last_answer(&question, session)? {
        return Ok(answered(&question, &answer));
    }
    let begin = Watch {
        from: WatchFrom::After(question.id),
        filter: Box::new(filter),
        // An answer counts in a muted room, too.
        muted: question.to.room().is_some(),
        ..Watch::default()
    };
    let mut waiter = Waiter::new(session, begin, timeout)?;
    let mut not_offered = Page::default();
    let mut result = json!({"answered": false});
    while let Some(message) = waiter.next(call)? {
        match relation(&question, &message, session)? {
            Relation::Answer => {
                result = answered(&question, &message);
                break;
            }
            Relation::NotOffered => drop(not_offered.push(&message)),
            Relation::Unclear(_) | Relation::NotAsked | Relation::None => {}
        }
    }
    if result["answered"] == false
        && let Some(answer) = last_answer(&question, session)?
    {
        result = answered(&question, &answer);
    }
    if not_offered.len() > 0 {
        result["not_offered"] = json!(not_offered.into_messages());
    }
    Ok(result)
}

/// The question of this user.
fn find_question(ticket: MessageId, session: &Session) -> Result<Message, Failure> {
    let none = || {
        Failure::new(Exit::Usage, texts::not_your_question(ticket.0))
            .with_hint(texts::give_a_ticket())
    };
    if ticket == MessageId::ZERO {
        return Err(none());
    }
    session.run(|link, token| {
        let user = verbs::whoami(link, token)?.user;
        let message = reply::find(link, token, ticket)?;
        match message.from == user && question::is_question(&message) {
            true => Ok(message),
            false => Err(none()),
        }
    })
}

fn last_answer(question: &Message, session: &Session) -> Result<Option<Message>, Failure> {
    session.run(|link, token| open_questions::last_answer(link, token, question))
}

fn answered(question: &Message, answer: &Message) -> Value {
    let mut page = Page::default();
    page.push(answer);
    let mut result = json!({"answered": true, "answer": page.into_messages().remove(0)});
    if let Some(number) = question::chosen(question, answer.body.as_str()) {
        result["choice"] = json!(question::choices(question)[number]);
    }
    result
}

fn relation(question: &Message, message: &Message, session: &Session) -> Result<Relation, Failure> {
    let Some(asked) = question.to.user() else {
        // The stream has had each earlier reply, and none was the answer.
        return Ok(question::relation(&[], question, message));
    };
    let reply_to = message.details.as_ref().and_then(|details| details.reply_to);
    if reply_to.is_some_and(|id| id != question.id) {
        return Ok(Relation::None);
    }
    let mut conversation =
        session.run(|link, token| open_questions::conversation(link, token, asked, message))?;
    if !conversation.iter().any(|earlier| earlier.id == question.id) {
        conversation.insert(0, question.clone());
    }
    Ok(question::relation(&conversation, question, message))
}
