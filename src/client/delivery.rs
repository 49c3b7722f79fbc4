//! Sends a message exactly once over an unreliable network: it repeats the message under the same
//! key until the server confirms that it is stored.

use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::exit::Exit;
use super::failure::{Failure, NoAnswer, Refused, seconds};
use super::link::Link;
use super::verbs;
use crate::catalogue::client;
use crate::model::{Body, Details, MailboxName, Token};
use crate::protocol::arguments::{Key, Post, When};
use crate::protocol::refusal::Code;
use crate::protocol::reply::{PostReply, Posted};
use crate::terminal::reason::of_invalid;

/// The least time for one attempt, however little of the total is left.
const ATTEMPT_MIN: Duration = Duration::from_secs(1);

/// With less time left than this, another attempt would only hide the result of the last one.
const ATTEMPT_WORTH: Duration = Duration::from_millis(50);

/// The pause before the second attempt. Each further pause is twice as long, up to the limit.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A new unique key. It begins with the time, so the server finds keys of the same hour close
/// together.
pub fn new_key() -> Result<Key, Failure> {
    let text = Uuid::now_v7().hyphenated().to_string();
    text.parse()
        .map_err(|invalid| Failure::new(Exit::Internal, client::no_key(of_invalid(invalid))))
}

/// What a message says.
#[derive(Debug, Clone)]
pub struct Text {
    /// Its text.
    pub body: Body,
    /// What it carries beside the text.
    pub details: Option<Box<Details>>,
}

impl Text {
    /// Whether it answers another message.
    fn is_answer(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.reply_to.is_some())
    }
}

impl From<Body> for Text {
    fn from(body: Body) -> Self {
        Self { body, details: None }
    }
}

/// After how many answers that do not fit a `post` it gives up. A new connection shows whether only
/// the old one was out of step; a third would end like the second.
const UNFITTING_MAX: usize = 2;

/// Sends one message exactly once; to several users, all of them get it or none. It tries again
/// with the same key if the connection breaks, no answer arrives, the answer fits another request,
/// or the server is busy. Blocks for the link's timeout at the longest. If no server was reached,
/// it fails at once.
///
/// # Errors
/// If the outcome is unknown at the end, the failure is [`Exit::TryAgain`] with the key, or
/// [`Exit::Internal`] if the server reported an internal error. Any other failure means that
/// nothing was stored.
pub fn deliver(
    link: &mut Link,
    token: Token,
    to: &[MailboxName],
    text: &Text,
    key: &Key,
) -> Result<Posted, Failure> {
    let sent = Sent { to, is_answer: text.is_answer() };
    repeat(link, sent, key, |link, deadline| {
        let posted = verbs::post(link, token, post(to, text, key, None), deadline)?;
        check(posted, link, sent)
    })
}

/// Schedules one message, as [`deliver`] sends it. A message that was scheduled under this key
/// before may be sent already.
///
/// # Errors
/// As [`deliver`].
pub fn schedule(
    link: &mut Link,
    token: Token,
    to: &[MailboxName],
    text: &Text,
    (when, key): (When, &Key),
) -> Result<PostReply, Failure> {
    let sent = Sent { to, is_answer: text.is_answer() };
    repeat(link, sent, key, |link, deadline| {
        let post = post(to, text, key, Some(when));
        match verbs::schedule(link, token, post, deadline)? {
            PostReply::Posted(posted) => check(posted, link, sent).map(PostReply::Posted),
            later @ PostReply::Later(_) => Ok(later),
        }
    })
}

fn post(to: &[MailboxName], text: &Text, key: &Key, when: Option<When>) -> Post {
    let Text { body, details } = text.clone();
    Post { to: to.into(), or_room: false, body, key: Some(key.clone()), details, when }
}

/// Makes attempts until one succeeds, or none can.
fn repeat<T>(
    link: &mut Link,
    sent: Sent<'_>,
    key: &Key,
    mut attempt: impl FnMut(&mut Link, Instant) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + link.timeout();
    let mut pause = PAUSE_FIRST;
    let mut attempts = Attempts::default();
    loop {
        let failure = match attempt(link, attempt_deadline(deadline)) {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        if matches!(&failure, Failure::Refused(refused) if !fits_post(refused, sent)) {
            // This connection is out of step: the next answer would not fit its request either.
            link.hang_up();
        }
        let retries = attempts.should_retry(&failure, sent);
        if !retries || Instant::now() + pause + ATTEMPT_WORTH >= deadline {
            return Err(attempts.give_up(failure, link, sent, key));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// What an answer must fit.
#[derive(Debug, Clone, Copy)]
struct Sent<'a> {
    to: &'a [MailboxName],
    /// Whether the message answers another one.
    is_answer: bool,
}

/// An answer about other recipients is a failure.
fn check(posted: Posted, link: &mut Link, sent: Sent<'_>) -> Result<Posted, Failure> {
    match is_about(&posted, sent.to) {
        true => Ok(posted),
        false => Err(link.not_understood(client::reply_about_others())),
    }
}

/// Whether the stored copies are for exactly these recipients.
fn is_about(posted: &Posted, to: &[MailboxName]) -> bool {
    let is_stored = |name: &MailboxName| posted.sent.iter().any(|copy| copy.to == *name);
    posted.sent.iter().all(|copy| to.contains(&copy.to)) && to.iter().all(is_stored)
}

/// Whether a server could refuse a `post` to these users so. Behind a proxy that speaks first, the
/// first answer is the proxy's, and the server may have stored the message after it.
fn fits_post(refused: &Refused, sent: Sent<'_>) -> bool {
    let is_of_post = refused.known_code().is_some_and(|code| {
        is_temporary_or_internal(code)
            || is_for_good(code)
            || depends_on_state(code)
            || sent.is_answer && code == Code::UnknownMessage
    });
    let is_recipient = |name: &String| sent.to.iter().any(|user| user.as_str() == name);
    is_of_post && refused.users.iter().all(is_recipient)
}

fn is_temporary_or_internal(code: Code) -> bool {
    matches!(code, Code::Busy | Code::ShuttingDown | Code::TooManyConnections | Code::Internal)
}

/// A refusal that depends on the request alone. Every earlier attempt was refused too, so none has
/// stored the message.
fn is_for_good(code: Code) -> bool {
    matches!(
        code,
        Code::BadArgument
            | Code::EmptyMessage
            | Code::TooLong
            | Code::LineTooLong
            | Code::KeyConflict
    )
}

/// A refusal that depends on the server's state, so an earlier attempt may have been accepted.
/// After `wrong_protocol` a server reads nothing more, so it has not read this request.
fn depends_on_state(code: Code) -> bool {
    matches!(
        code,
        Code::NoSession
            | Code::UnknownRecipient
            | Code::NotAllowed
            | Code::RoomArchived
            | Code::InboxFull
            | Code::StorageFull
            | Code::WrongProtocol
    )
}

/// What the attempts so far have shown.
#[derive(Default)]
struct Attempts {
    /// A server was reached.
    reached: bool,
    /// One of the attempts may have stored the message.
    may_be_done: bool,
    /// The number of answers that did not fit a `post`.
    unfitting: usize,
}

impl Attempts {
    /// Records a failed attempt. Returns whether another attempt may succeed.
    fn should_retry(&mut self, failure: &Failure, sent: Sent<'_>) -> bool {
        let was_reached = self.reached;
        match failure {
            // A server that was reached before is probably restarting. One that does not answer may
            // be slow.
            Failure::NoAnswer(NoAnswer::Unreachable { source, .. }) => {
                was_reached || source.kind() == std::io::ErrorKind::TimedOut
            }
            Failure::NoAnswer(no_answer) => {
                self.may_be_done |= no_answer.may_be_done();
                self.reached |= no_answer.may_be_done();
                match no_answer {
                    NoAnswer::Broken { .. } | NoAnswer::TimedOut { .. } => true,
                    NoAnswer::NotUnderstood { .. } => self.should_retry_unfitting(),
                    NoAnswer::Unreachable { .. } | NoAnswer::Tls { .. } => false,
                }
            }
            Failure::Refused(refused) if !fits_post(refused, sent) => {
                self.reached = true;
                self.may_be_done = true;
                self.should_retry_unfitting()
            }
            Failure::Refused(refused) => {
                self.reached = true;
                // A server whose disk failed stops, and may have restarted in time.
                let has_failed = refused.known_code() == Some(Code::Internal);
                self.may_be_done |= has_failed;
                has_failed || refused.is_temporary()
            }
            _ => false,
        }
    }

    fn should_retry_unfitting(&mut self) -> bool {
        self.unfitting += 1;
        self.unfitting < UNFITTING_MAX
    }

    /// The failure to report: the last one, unless an earlier attempt makes the outcome unknown.
    fn give_up(&self, last: Failure, link: &Link, sent: Sent<'_>, key: &Key) -> Failure {
        let is_for_good = match &last {
            Failure::Refused(refused) => {
                fits_post(refused, sent) && refused.known_code().is_some_and(is_for_good)
            }
            _ => false,
        };
        if !self.may_be_done || is_for_good {
            return last;
        }
        let exit = match last.exit() {
            Exit::Internal => Exit::Internal,
            _ => Exit::TryAgain,
        };
        let message = match &last {
            Failure::Refused(refused) if !refused.is_temporary() && exit != Exit::Internal => {
                client::outcome_unknown_after(link.address(), refused)
            }
            Failure::NoAnswer(NoAnswer::NotUnderstood { reason, .. }) => {
                client::outcome_unknown_after(link.address(), reason)
            }
            _ => client::outcome_unknown(link.address(), seconds(link.timeout())),
        };
        let (id, to) = (key.as_str(), names(sent.to, ","));
        Failure::new(exit, message).with_key(key.clone()).with_hint(client::send_under_id(id, to))
    }
}

/// The names, separated by `between`.
pub fn names(names: &[MailboxName], between: &str) -> String {
    names.iter().map(MailboxName::as_str).collect::<Vec<_>>().join(between)
}

/// The deadline of the next attempt: half of the time that is left, so that a dead connection
/// leaves time for another one.
fn attempt_deadline(deadline: Instant) -> Instant {
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    (now + (left / 2).max(ATTEMPT_MIN)).min(deadline)
}
