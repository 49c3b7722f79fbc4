//! Sends the answer that the user has chosen on the desktop.

use std::time::{Duration, Instant};

use crate::client::command::reply;
use crate::client::exit::Exit;
use crate::client::failure::{Failure, Refused};
use crate::client::link::Link;
use crate::client::{delivery, open_questions, question, verbs};
use crate::model::{Body, Invalid, Message, Token};
use crate::protocol::arguments::Key;
use crate::protocol::refusal::Code;
use crate::terminal::reason::of_invalid;

/// How long to try if the server is away.
const TRY_MAX: Duration = Duration::from_secs(600);

/// The pause before the second attempt. Each further pause is twice as long, up to the limit.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// It was sent.
    Sent,
    /// The question is not open any more.
    Closed,
    /// It names users, and this one is not among them.
    NotAsked,
}

/// Sends the answer once, whatever happens to the connection. Its key is derived from the question:
/// if two watchers of one user show the question, it still gets one answer. Blocks for
/// [`TRY_MAX`] at the longest; `pause` waits, and returns whether to go on.
///
/// # Errors
/// It was not sent, or the outcome is unknown.
pub fn send(
    link: &mut Link,
    token: Token,
    question: &Message,
    answer: &str,
    pause: impl Fn(Duration) -> bool,
) -> Result<Answered, Failure> {
    let deadline = Instant::now() + TRY_MAX;
    let mut next = PAUSE_FIRST;
    // Whether the question was found open. An attempt may have answered it since.
    let mut was_open = false;
    loop {
        let failure = match try_once(link, token, question, answer, &mut was_open) {
            Ok(answered) => return Ok(answered),
            Err(failure) => failure,
        };
        let is_temporary = matches!(failure.exit(), Exit::Unreachable | Exit::TryAgain);
        if !is_temporary || Instant::now() + next >= deadline || !pause(next) {
            return Err(failure);
        }
        next = (next * 2).min(PAUSE_MAX);
    }
}

fn try_once(
    link: &mut Link,
    token: Token,
    question: &Message,
    answer: &str,
    was_open: &mut bool,
) -> Result<Answered, Failure> {
    let invalid = |invalid: Invalid| Failure::new(Exit::Internal, of_invalid(invalid));
    let key: Key = format!("notify-answer-{}", question.id.0).parse().map_err(invalid)?;
    let body: Body = answer.parse().map_err(invalid)?;
    let user = match question.to.user() {
        Some(user) => user.clone(),
        None => verbs::whoami(link, token)?.user,
    };
    if question.to.room().is_some() && !question::may_answer(question, &user) {
        return Ok(Answered::NotAsked);
    }
    if !*was_open {
        *was_open = open_questions::is_open(link, token, &user, question)?;
        if !*was_open {
            return Ok(Answered::Closed);
        }
    }
    let to = [reply::other_side(question, &user)];
    match delivery::deliver(link, token, &to, &reply::answer(body, question.id), &key) {
        // Another watcher of this user has sent another answer.
        Err(Failure::Refused(Refused { code: Some(Code::KeyConflict), .. })) => {
            Ok(Answered::Closed)
        }
        sent => sent.map(|_| Answered::Sent),
    }
}
