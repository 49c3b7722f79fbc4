//! Sending that survives the network: the same message under the same key, until the server has
//! said that it is stored.

use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::exit::Exit;
use super::failure::{Failure, NoAnswer, Refused, seconds};
use super::link::Link;
use super::verbs;
use crate::catalogue::client;
use crate::model::{Body, Token, UserName};
use crate::protocol::arguments::{Key, Post};
use crate::protocol::refusal::Code;
use crate::protocol::reply::Posted;
use crate::terminal::reason::of_invalid;

/// One try gets at least this long, however little time is left of the whole.
const TRY_MIN: Duration = Duration::from_secs(1);

/// With less time left than this, another try would only blur what the last one said.
const TRY_WORTH: Duration = Duration::from_millis(50);

/// How long to wait before the second try; each further one waits twice as long, up to the limit.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A key that nobody has used. It begins with the time, so the server finds those of the same
/// hour beside one another.
pub fn new_key() -> Result<Key, Failure> {
    let text = Uuid::now_v7().hyphenated().to_string();
    text.parse()
        .map_err(|invalid| Failure::trouble(Exit::Internal, client::no_key(of_invalid(invalid))))
}

/// Sends one message, once; to several users all or none. Tries again, with the same key, when the connection
/// breaks, the answer does not come, or the server has no time; blocks for the link's timeout at
/// the longest. A server that was never reached is a failure at once. When the outcome is not
/// known at the end, the failure names the key to try again with.
pub fn deliver(
    link: &mut Link,
    token: Token,
    to: &[UserName],
    body: &Body,
    key: &Key,
) -> Result<Posted, Failure> {
    let deadline = Instant::now() + link.timeout();
    let mut pause = PAUSE_FIRST;
    let mut tries = Tries::default();
    loop {
        let post = Post { to: to.into(), body: body.clone(), key: Some(key.clone()) };
        let failure = match verbs::post(link, token, post, end_of_try(deadline)) {
            Ok(posted) => return Ok(posted),
            Err(failure) => tries.judge(failure)?,
        };
        if Instant::now() + pause + TRY_WORTH >= deadline {
            return Err(tries.give_up(failure, link, to, key));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// What the tries so far have come to.
#[derive(Default)]
struct Tries {
    /// A server was there.
    reached: bool,
    /// One of them may have been done.
    may_be_done: bool,
}

impl Tries {
    /// Gives back a failure after which the same may be tried again; any other is the end of it.
    fn judge(&mut self, failure: Failure) -> Result<Failure, Failure> {
        match &failure {
            Failure::NoAnswer(NoAnswer::Broken { .. } | NoAnswer::TimedOut { .. }) => {
                self.reached = true;
                self.may_be_done = true;
                Ok(failure)
            }
            // A server that was there is being started again; one that keeps silent may be slow.
            Failure::NoAnswer(NoAnswer::Unreachable { source, .. })
                if self.reached || source.kind() == std::io::ErrorKind::TimedOut =>
            {
                Ok(failure)
            }
            Failure::Refused(refused) if refused.is_passing() => {
                self.reached = true;
                Ok(failure)
            }
            // A server whose disk failed stops, and may be back in time.
            Failure::Refused(Refused { code: Some(Code::Internal), .. }) => {
                self.reached = true;
                self.may_be_done = true;
                Ok(failure)
            }
            _ => Err(failure),
        }
    }

    fn give_up(&self, last: Failure, link: &Link, to: &[UserName], key: &Key) -> Failure {
        if !self.may_be_done {
            return last;
        }
        let exit = match last.exit() {
            Exit::Internal => Exit::Internal,
            _ => Exit::TryAgain,
        };
        let message = client::outcome_unknown(link.address(), seconds(link.timeout()));
        let (id, to) = (key.as_str(), names(to, ","));
        Failure::trouble(exit, message)
            .with_key(key.clone())
            .with_hint(client::send_under_id(id, to))
    }
}

/// Names with `between` between them.
pub fn names(users: &[UserName], between: &str) -> String {
    users.iter().map(UserName::as_str).collect::<Vec<_>>().join(between)
}

/// Half of what is left: a connection that has gone dead leaves time for another.
fn end_of_try(deadline: Instant) -> Instant {
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    (now + (left / 2).max(TRY_MIN)).min(deadline)
}
