//! A stream of the messages for a user. It survives broken connections, restarts of the server, and
//! connections that are silently dead.
//!
//! A thread calls [`Stream::next`] repeatedly. It returns each message once, in the order of the
//! message log, however often the connection broke. For this, the stream resumes after the last
//! message or change that arrived.

mod watch_connection;

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

use watch_connection::{WatchConnection, WatchState};

use super::address::ServerAddress;
use super::connection::{ExchangeError, reason};
use super::dial::Dialer;
use super::failure::{Failure, NoAnswer, fields_of};
use crate::catalogue::client;
use crate::model::{Change, MailboxName, Message, MessageId, Token, UserName};
use crate::protocol::arguments::{Ack, Watch, WatchFrom};
use crate::protocol::command::{Action, Request};
use crate::protocol::event::{Event, ReadUpto};
use crate::protocol::refusal::Code;
use crate::protocol::reply::{Watching, decode_fields};

/// A watching connection that is silent for this long counts as dead. The server sends something
/// every 30 s.
pub const SILENCE_MAX: Duration = Duration::from_secs(90);

/// The pause before the next connection. Each further pause is twice as long, up to the limit. The
/// actual pause is a random part of it, at least half, so that a thousand watchers do not reconnect
/// at once.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The most text that may be buffered while the stream waits for acknowledgements.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a connection, and for the answer to a request.
    pub answer: Duration,
    /// For anything on a watching connection: [`SILENCE_MAX`], or less in a test.
    pub silence: Duration,
}

/// An event of a stream.
#[derive(Debug)]
pub enum StreamEvent {
    /// The stream has begun or resumed.
    Ready {
        /// The user whose messages follow.
        user: UserName,
        /// The messages after this id follow.
        after: MessageId,
    },
    /// The server is away, or was never there. The stream reconnects as long as the caller
    /// continues to call.
    Disconnected {
        /// What failed.
        failure: Failure,
        /// The pause before the next attempt.
        pause: Duration,
    },
    /// The next message.
    Message(Message),
    /// The user has sent a message, over any connection.
    Sent {
        /// The message.
        id: MessageId,
        /// Its recipient.
        to: MailboxName,
    },
    /// The user has read messages, over any connection.
    Read(ReadUpto),
    /// Somebody has read this message, which the user has sent.
    Receipt(MessageId),
    /// A message was edited, or deleted if the change has no text.
    Changed(Change),
    /// All messages that existed when the stream began or resumed have been returned.
    CaughtUp {
        /// Everything up to and including this id.
        upto: MessageId,
    },
}

/// A stream. It connects at the first call of [`next`](Self::next).
#[derive(Debug)]
pub struct Stream {
    dialer: Dialer,
    token: Token,
    timeouts: Timeouts,
    /// Where to begin or resume.
    begin: Watch,
    /// The last message or change that arrived.
    last: Option<MessageId>,
    connection: Option<WatchConnection>,
    /// When to connect again.
    retry_at: Option<Instant>,
    pause: Duration,
    /// Whether the caller has got [`StreamEvent::Ready`] since the last disconnection.
    has_reported_ready: bool,
    /// Events that arrived while the stream waited for acknowledgements.
    waiting: VecDeque<StreamEvent>,
    waiting_bytes: usize,
    /// The acknowledgements without an answer, oldest first. If there is a connection, they were
    /// sent on it.
    acks: VecDeque<Ack>,
}

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// The next event. The connection must watch.
    Event,
    /// The answer to an acknowledgement. Other events are returned too.
    Answer,
}

enum Received {
    Event(StreamEvent),
    /// A reply or event that the caller need not see.
    Answer,
    /// Nothing arrived before the deadline.
    Nothing,
}

impl Stream {
    /// A stream for the user of `token` that begins at `begin`.
    pub fn new(dialer: Dialer, token: Token, begin: Watch, timeouts: Timeouts) -> Self {
        Self {
            dialer,
            token,
            timeouts,
            begin,
            last: None,
            connection: None,
            retry_at: None,
            pause: PAUSE_FIRST,
            has_reported_ready: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            acks: VecDeque::new(),
        }
    }

    /// The next event. Blocks until `deadline` at the longest and returns `None` then; without a
    /// deadline, it blocks until an event. With a deadline in the past, it returns what has already
    /// arrived.
    ///
    /// # Errors
    /// A permanent failure: the session has ended, or the other end is not a chat server. The
    /// stream is over then. A server that is away is not an error but
    /// [`StreamEvent::Disconnected`].
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Option<StreamEvent>, Failure> {
        if let Some(event) = self.waiting.pop_front() {
            self.waiting_bytes -= text_bytes(&event);
            return Ok(Some(event));
        }
        self.turn(deadline, Goal::Event)
    }

    /// Whether [`next`](Self::next) can look at something without waiting. That may turn out not to
    /// be an event.
    pub fn has_more(&mut self) -> bool {
        let has_frame = |live: &mut WatchConnection| live.frames.has_frame();
        !self.waiting.is_empty() || self.connection.as_mut().is_some_and(has_frame)
    }

    /// Moves a cursor on the server, without waiting for the answer. If the connection breaks
    /// first, the next one repeats the request.
    pub fn ack(&mut self, ack: Ack) {
        if let Some(live) = &mut self.connection {
            let line = in_session(self.token, Action::Ack(ack.clone()));
            // If the connection is broken, the next read reports it.
            let _ = live.ask(&line, &self.timeouts);
        }
        self.acks.push_back(ack);
    }

    /// Waits until every [`ack`](Self::ack) has been answered and is durable. Blocks until
    /// `deadline` at the longest, and returns whether all were answered. Events that arrive
    /// meanwhile are for [`next`](Self::next).
    ///
    /// # Errors
    /// As [`next`](Self::next), or an acknowledgement was refused.
    pub fn wait_for_acks(&mut self, deadline: Instant) -> Result<bool, Failure> {
        while !self.acks.is_empty() {
            if self.waiting_bytes > WAITING_BYTES_MAX {
                // A slow caller leaves further messages in the message log: the next connection
                // watches only after the buffered events have been returned.
                self.connection.take_if(|live| live.watch != WatchState::Off);
            }
            match self.turn(Some(deadline), Goal::Answer)? {
                Some(event) => {
                    self.waiting_bytes += text_bytes(&event);
                    self.waiting.push_back(event);
                }
                None if Instant::now() >= deadline => return Ok(self.acks.is_empty()),
                None => {}
            }
        }
        Ok(true)
    }

    /// Connects if necessary, and reads frames until there is an event. Returns `None` at the
    /// deadline.
    fn turn(
        &mut self,
        deadline: Option<Instant>,
        goal: Goal,
    ) -> Result<Option<StreamEvent>, Failure> {
        loop {
            if self.connection.is_none() && !self.wait_to_connect(deadline) {
                return Ok(None);
            }
            let outcome = self.connect(goal).and_then(|()| self.receive(deadline));
            match outcome {
                Ok(Received::Event(event)) => return Ok(Some(event)),
                Ok(Received::Nothing) => return Ok(None),
                Ok(Received::Answer) if goal == Goal::Answer => return Ok(None),
                Ok(Received::Answer) => {}
                Err(failure) => return self.disconnected(failure).map(Some),
            }
        }
    }

    /// Waits for the end of the pause or the deadline. Returns whether the pause is over.
    fn wait_to_connect(&mut self, deadline: Option<Instant>) -> bool {
        let Some(retry_at) = self.retry_at else { return true };
        let until = deadline.map_or(retry_at, |deadline| deadline.min(retry_at));
        thread::sleep(until.saturating_duration_since(Instant::now()));
        retry_at <= Instant::now()
    }

    /// Makes sure that there is a connection and that all requests for `goal` were sent on it.
    fn connect(&mut self, goal: Goal) -> Result<(), Failure> {
        let mut live = match self.connection.take() {
            Some(live) => live,
            None => {
                let mut live = WatchConnection::open(&self.dialer, &self.timeouts)?;
                for ack in &self.acks {
                    let line = in_session(self.token, Action::Ack(ack.clone()));
                    live.ask(&line, &self.timeouts).map_err(|error| {
                        no_answer(self.dialer.address(), self.timeouts.answer, error)
                    })?;
                }
                live
            }
        };
        if goal == Goal::Event && live.watch == WatchState::Off {
            let line = in_session(self.token, Action::Watch(self.begin.clone()));
            live.ask(&line, &self.timeouts)
                .map_err(|error| no_answer(self.dialer.address(), self.timeouts.answer, error))?;
            live.watch = WatchState::Asked { behind: self.acks.len() };
        }
        self.connection = Some(live);
        Ok(())
    }

    fn receive(&mut self, deadline: Option<Instant>) -> Result<Received, Failure> {
        let Some(live) = &mut self.connection else { return Ok(Received::Nothing) };
        let answer = live.receive(&self.timeouts, deadline);
        let within = live.limit(&self.timeouts);
        match answer.map_err(|error| no_answer(self.dialer.address(), within, error))? {
            None => Ok(Received::Nothing),
            Some(reply) => match fields_of(reply)? {
                event if event.get("event").is_some() => self.take_event(event),
                fields => self.take_reply(fields),
            },
        }
    }

    fn take_event(&mut self, fields: Value) -> Result<Received, Failure> {
        self.pause = PAUSE_FIRST;
        match decode_fields::<Event>(fields) {
            // The caller never sees a message twice, whatever the server sends.
            Ok(Event::Message(message)) if self.last.is_none_or(|last| message.id > last) => {
                self.resume_after(message.id);
                Ok(Received::Event(StreamEvent::Message(message)))
            }
            Ok(Event::Edited(change) | Event::Deleted(change))
                if self.last.is_none_or(|last| change.change > last) =>
            {
                self.resume_after(change.change);
                Ok(Received::Event(StreamEvent::Changed(change)))
            }
            Ok(Event::Sent { id, to }) => Ok(Received::Event(StreamEvent::Sent { id, to })),
            Ok(Event::Receipt { id }) => Ok(Received::Event(StreamEvent::Receipt(id))),
            Ok(Event::Read(read)) => Ok(Received::Event(StreamEvent::Read(read))),
            Ok(Event::CaughtUp { upto }) => Ok(Received::Event(StreamEvent::CaughtUp { upto })),
            // No command shows what became of the user's own messages. The client ignores events
            // that it does not know.
            Ok(
                Event::Message(_)
                | Event::Edited(_)
                | Event::Deleted(_)
                | Event::Changed { .. }
                | Event::Heartbeat,
            )
            | Err(_) => Ok(Received::Answer),
        }
    }

    fn take_reply(&mut self, fields: Value) -> Result<Received, Failure> {
        let Some(live) = &mut self.connection else { return Ok(Received::Nothing) };
        match &mut live.watch {
            WatchState::Asked { behind: 0 } => {
                live.watch = WatchState::On;
                let watching = decode_fields(fields);
                let Watching { watching: user, after } =
                    watching.map_err(|error| self.not_understood(reason(&error)))?;
                if self.last.is_none() {
                    self.resume_after(after);
                }
                if std::mem::replace(&mut self.has_reported_ready, true) {
                    return Ok(Received::Answer);
                }
                Ok(Received::Event(StreamEvent::Ready { user, after }))
            }
            watch => {
                if let WatchState::Asked { behind } = watch {
                    *behind -= 1;
                }
                match self.acks.pop_front() {
                    Some(_) => Ok(Received::Answer),
                    None => Err(self.not_understood(client::reply_not_asked_for())),
                }
            }
        }
    }

    fn resume_after(&mut self, id: MessageId) {
        self.last = Some(id);
        (self.begin.cursor, self.begin.from) = (None, WatchFrom::After(id));
    }

    /// Drops the connection. Returns the event for the caller, or the failure if another connection
    /// would fail in the same way.
    fn disconnected(&mut self, failure: Failure) -> Result<StreamEvent, Failure> {
        self.connection = None;
        self.has_reported_ready = false;
        if !is_temporary(&failure) {
            return Err(failure);
        }
        // Another server may have what this one lacks.
        self.dialer.leave();
        let pause = jittered(self.pause);
        self.retry_at = Some(Instant::now() + pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(StreamEvent::Disconnected { failure, pause })
    }

    fn not_understood(&self, error: impl std::fmt::Display) -> Failure {
        let reason = error.to_string();
        NoAnswer::NotUnderstood { address: self.dialer.address().clone(), reason }.into()
    }
}

/// Whether a later attempt may succeed.
fn is_temporary(failure: &Failure) -> bool {
    match failure {
        Failure::NoAnswer(NoAnswer::NotUnderstood { .. } | NoAnswer::Tls { .. }) => false,
        Failure::NoAnswer(_) => true,
        // A server whose disk failed stops, and may restart.
        Failure::Refused(refused) => {
            refused.is_temporary()
                || matches!(refused.code, Some(Code::Internal | Code::StorageFull))
        }
        _ => false,
    }
}

fn no_answer(address: &ServerAddress, within: Duration, error: ExchangeError) -> Failure {
    let address = address.clone();
    let no_answer = match error {
        ExchangeError::TimedOut => NoAnswer::TimedOut { address, within },
        ExchangeError::Broken(source) => NoAnswer::Broken { address, source },
        ExchangeError::NotUnderstood(reason) => NoAnswer::NotUnderstood { address, reason },
    };
    no_answer.into()
}

fn in_session(token: Token, action: Action) -> String {
    Request::InSession { token, action: Ok(action) }.encode()
}

/// A random part of `pause`, at least half.
fn jittered(pause: Duration) -> Duration {
    let random = (Uuid::new_v4().as_u128() & 0xffff) as u32;
    pause / 2 + (pause / 2) * random / 0xffff
}

fn text_bytes(event: &StreamEvent) -> usize {
    match event {
        StreamEvent::Message(message) => message.body.as_str().len(),
        StreamEvent::Changed(change) => change.text_bytes(),
        StreamEvent::Ready { .. }
        | StreamEvent::Disconnected { .. }
        | StreamEvent::Sent { .. }
        | StreamEvent::Read(_)
        | StreamEvent::Receipt(_)
        | StreamEvent::CaughtUp { .. } => 0,
    }
}
