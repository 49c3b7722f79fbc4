//! Waits for messages: until one is there, the time is over, or the call is cancelled.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::reading::of_page;
use super::{Selection, filter, limit, timeout};
use crate::client::arguments::TIMEOUT_DEFAULT;
use crate::client::command::mcp::calls::Call;
use crate::client::command::mcp::page::Page;
use crate::client::command::mcp::session::Session;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::stream::{SILENCE_MAX, Stream, StreamEvent, Timeouts};
use crate::client::verbs;
use crate::model::Message;
use crate::protocol::arguments::{Watch, WatchFrom};

/// How long `wait` waits, unless the call says so.
const WAIT_SECONDS_DEFAULT: f64 = 30.0;

/// How often to look whether the call was cancelled.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

pub fn wait(given: Selection, session: &Session, call: &Call) -> Result<Value, Failure> {
    let from = given.after.map_or(WatchFrom::Unread, WatchFrom::After);
    let timeout = timeout(given.timeout_seconds, WAIT_SECONDS_DEFAULT)?;
    let begin = Watch { from, filter: filter(&given)?, ..Watch::default() };
    let limit = limit(given.limit)?;
    let mut page = Page::default();
    let mut after = given.after;
    let mut more = false;
    let mut waiter = Waiter::new(session, begin, timeout)?;
    let mut next = waiter.next(call)?;
    while let Some(message) = next {
        if page.len() == limit || !page.push(&message) {
            more = true;
            break;
        }
        after = Some(message.id);
        next = waiter.next_at_once(call)?;
    }
    Ok(of_page(page, more, "after", after))
}

/// Messages as they come.
pub struct Waiter {
    stream: Stream,
    deadline: Instant,
    is_caught_up: bool,
    /// Why the server is away, if it is.
    away: Option<Failure>,
    has_been_ready: bool,
}

impl Waiter {
    /// Waits for `timeout`, and at least until all existing messages have been looked at.
    pub fn new(session: &Session, begin: Watch, timeout: Duration) -> Result<Self, Failure> {
        // A session that has ended is replaced here, before the stream begins.
        session.run(verbs::whoami)?;
        let (dialer, token) = session.for_stream()?;
        let timeouts = Timeouts { answer: TIMEOUT_DEFAULT, silence: SILENCE_MAX };
        Ok(Self {
            stream: Stream::new(dialer, token, begin, timeouts),
            deadline: Instant::now() + timeout,
            is_caught_up: false,
            away: None,
            has_been_ready: false,
        })
    }

    /// The next message; `None` if none came in time.
    ///
    /// # Errors
    /// The server cannot be reached at the beginning, or is away at the end.
    pub fn next(&mut self, call: &Call) -> Result<Option<Message>, Failure> {
        while !call.is_cancelled() {
            let now = Instant::now();
            let is_late = now >= self.deadline || call.is_last();
            if is_late && let Some(failure) = self.away.take() {
                return Err(failure);
            }
            if is_late && self.is_caught_up {
                break;
            }
            let look = now + LOOK_INTERVAL;
            let until = if self.is_caught_up { self.deadline.min(look) } else { look };
            if let Some(message) = self.turn(until)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The next message that is stored already.
    pub fn next_at_once(&mut self, call: &Call) -> Result<Option<Message>, Failure> {
        while self.stream.has_more()
            || !self.is_caught_up && self.away.is_none() && !call.is_cancelled()
        {
            let is_there = self.stream.has_more();
            let until = Instant::now() + if is_there { Duration::ZERO } else { LOOK_INTERVAL };
            if let Some(message) = self.turn(until)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn turn(&mut self, until: Instant) -> Result<Option<Message>, Failure> {
        match self.stream.next(Some(until))? {
            Some(StreamEvent::Message(message)) => return Ok(Some(message)),
            Some(StreamEvent::CaughtUp { .. }) => self.is_caught_up = true,
            Some(StreamEvent::Ready { .. }) => {
                self.has_been_ready = true;
                self.away = None;
            }
            Some(StreamEvent::Disconnected { failure, .. }) => {
                if !self.has_been_ready && failure.exit() == Exit::Unreachable {
                    return Err(failure);
                }
                self.away = Some(failure);
            }
            Some(
                StreamEvent::Sent { .. }
                | StreamEvent::Read(_)
                | StreamEvent::Receipt(_)
                | StreamEvent::Changed(_),
            )
            | None => {}
        }
        Ok(None)
    }
}
