//! A stream of what comes in for a user, which lives through broken connections, restarts of the
//! server and connections that are dead without knowing it.
//!
//! A thread calls [`Stream::next`] again and again. Each message is told once, in the order of the
//! log, however often the connection broke in between: the stream remembers the last one that
//! arrived and has the server begin after it.

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
use super::failure::{Failure, NoAnswer, Refused};
use crate::catalogue::client;
use crate::model::{Message, MessageId, Token, UserName};
use crate::protocol::arguments::{Ack, Watch, WatchFrom};
use crate::protocol::command::{Action, Request};
use crate::protocol::event::Event;
use crate::protocol::refusal::Code;
use crate::protocol::reply::{DecodedReply, Watching, decode_fields};

/// A connection on which nothing arrives for so long is dead: the server says something every
/// 30 s.
pub const SILENCE_MAX: Duration = Duration::from_secs(90);

/// How long to wait before the connection is made anew; each further time twice as long, up to the
/// limit. From half of it to all of it, so that a thousand watchers do not come back as one.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How much text may wait for its turn while acknowledgements are waited for.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a connection, and for the answer to a request.
    pub answer: Duration,
    /// For anything at all on a connection that watches: [`SILENCE_MAX`], or less in a test.
    pub silence: Duration,
}

/// What a stream tells.
#[derive(Debug)]
pub enum StreamEvent {
    /// The server is there and the stream has begun, or gone on.
    Ready {
        /// Whose messages.
        user: UserName,
        /// What follows comes after this id.
        after: MessageId,
    },
    /// The server is gone, or was not there to begin with. The stream goes on trying, unless its
    /// user stops calling.
    Disconnected {
        /// What happened.
        failure: Failure,
        /// The next try begins after this time.
        pause: Duration,
    },
    /// The next message.
    Message(Message),
    /// The user has sent a message, on whatever connection.
    Sent {
        /// The message.
        id: MessageId,
        /// Its recipient.
        to: UserName,
    },
    /// Everything that was there when the stream began, or went on, has been told.
    CaughtUp {
        /// Everything up to and with this id.
        upto: MessageId,
    },
}

/// A stream. Nothing is connected before the first call of [`next`](Self::next).
#[derive(Debug)]
pub struct Stream {
    dialer: Dialer,
    token: Token,
    timeouts: Timeouts,
    /// Where to begin, or to go on.
    begin: Watch,
    /// The last message that arrived.
    last: Option<MessageId>,
    connection: Option<WatchConnection>,
    /// When the next connection may be made, and how long to wait after that.
    retry_at: Option<Instant>,
    pause: Duration,
    /// The user of the stream knows that the server is there.
    has_reported_ready: bool,
    /// What arrived while acknowledgements were waited for.
    waiting: VecDeque<StreamEvent>,
    waiting_bytes: usize,
    /// Acknowledgements without an answer, the oldest first. All of them have been sent on
    /// `connection`, if there is one.
    acks: VecDeque<Ack>,
}

/// What a turn is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// Something to tell: has the server watch.
    Event,
    /// The answer to an acknowledgement. What else comes is told too.
    Answer,
}

enum Received {
    Event(StreamEvent),
    /// Something that is not told.
    Answer,
    /// The deadline.
    Nothing,
}

impl Stream {
    /// Will watch for the holder of `token`, beginning where `begin` says.
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

    /// What happens next. Blocks until `deadline` at the longest, and gives `None` then; without
    /// one, until something happens. A deadline that has passed asks for what is there already.
    ///
    /// # Errors
    /// What will not pass: the session has ended, or what is at the other end is no such server.
    /// The stream is over then. A server that is away is no error, but [`StreamEvent::Disconnected`].
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Option<StreamEvent>, Failure> {
        if let Some(told) = self.waiting.pop_front() {
            self.waiting_bytes -= text_bytes(&told);
            return Ok(Some(told));
        }
        self.turn(deadline, Goal::Event)
    }

    /// Whether something has arrived that [`next`](Self::next) will look at without waiting. It may
    /// turn out to be nothing to tell.
    pub fn has_more(&mut self) -> bool {
        let has_frame = |live: &mut WatchConnection| live.frames.has_frame();
        !self.waiting.is_empty() || self.connection.as_mut().is_some_and(has_frame)
    }

    /// Has the server move a cursor, without waiting for its answer. Lost with a connection, it is
    /// asked for again on the next.
    pub fn ack(&mut self, ack: Ack) {
        if let Some(live) = &mut self.connection {
            let line = in_session(self.token, Action::Ack(ack.clone()));
            // A connection that takes nothing is found out by reading from it.
            let _ = live.ask(&line, &self.timeouts);
        }
        self.acks.push_back(ack);
    }

    /// Waits until every [`ack`](Self::ack) has been answered, so that it is durable. Blocks until
    /// `deadline` at the longest; gives whether it was done by then. What arrives meanwhile is for
    /// [`next`](Self::next).
    ///
    /// # Errors
    /// As [`next`](Self::next); also that an acknowledgement was refused.
    pub fn wait_for_acks(&mut self, deadline: Instant) -> Result<bool, Failure> {
        while !self.acks.is_empty() {
            if self.waiting_bytes > WAITING_BYTES_MAX {
                // Whoever deals with messages more slowly than they come lets them wait in the
                // log: the next connection watches only when these have been told.
                self.connection.take_if(|live| live.watch != WatchState::Off);
            }
            match self.turn(Some(deadline), Goal::Answer)? {
                Some(told) => {
                    self.waiting_bytes += text_bytes(&told);
                    self.waiting.push_back(told);
                }
                None if Instant::now() >= deadline => return Ok(self.acks.is_empty()),
                None => {}
            }
        }
        Ok(true)
    }

    /// One step on: connects, or takes the next frame, until there is something to tell. Gives
    /// `None` at the deadline.
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
                Ok(Received::Event(told)) => return Ok(Some(told)),
                Ok(Received::Nothing) => return Ok(None),
                Ok(Received::Answer) if goal == Goal::Answer => return Ok(None),
                Ok(Received::Answer) => {}
                Err(failure) => return self.disconnected(failure).map(Some),
            }
        }
    }

    /// Waits out the pause; gives whether it is over.
    fn wait_to_connect(&mut self, deadline: Option<Instant>) -> bool {
        let Some(retry_at) = self.retry_at else { return true };
        let until = deadline.map_or(retry_at, |deadline| deadline.min(retry_at));
        thread::sleep(until.saturating_duration_since(Instant::now()));
        retry_at <= Instant::now()
    }

    /// Sees that there is a connection, on which everything has been asked that is wanted.
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
            Some(DecodedReply::Done(fields)) if fields.get("event").is_some() => {
                self.take_event(fields)
            }
            Some(DecodedReply::Done(fields)) => self.take_reply(fields),
            Some(DecodedReply::Refused { code, unknown_code, message, users, retry_after }) => {
                Err(Refused { code, unknown_code, message, users, retry_after, is_ours: false }
                    .into())
            }
        }
    }

    fn take_event(&mut self, fields: Value) -> Result<Received, Failure> {
        self.pause = PAUSE_FIRST;
        match decode_fields::<Event>(fields) {
            // Never twice, whatever the server thinks.
            Ok(Event::Message(message)) if self.last.is_none_or(|last| message.id > last) => {
                self.resume_after(message.id);
                Ok(Received::Event(StreamEvent::Message(message)))
            }
            Ok(Event::Sent { id, to }) => Ok(Received::Event(StreamEvent::Sent { id, to })),
            Ok(Event::CaughtUp { upto }) => Ok(Received::Event(StreamEvent::CaughtUp { upto })),
            // An event that this client does not know is one that it need not know.
            Ok(Event::Message(_) | Event::Heartbeat) | Err(_) => Ok(Received::Answer),
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
        let sent = self.begin.sent;
        self.begin = Watch { cursor: None, from: WatchFrom::After(id), sent };
    }

    /// The connection is of no use any more; gives what its user is told, or the failure itself
    /// where another connection would end the same way.
    fn disconnected(&mut self, failure: Failure) -> Result<StreamEvent, Failure> {
        self.connection = None;
        self.has_reported_ready = false;
        if !is_passing(&failure) {
            return Err(failure);
        }
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

/// Whether a later try may end otherwise.
fn is_passing(failure: &Failure) -> bool {
    match failure {
        Failure::NoAnswer(NoAnswer::NotUnderstood { .. } | NoAnswer::Unsecured { .. }) => false,
        Failure::NoAnswer(_) => true,
        // A server whose disk failed stops, and may be back.
        Failure::Refused(refused) => {
            refused.is_passing() || matches!(refused.code, Some(Code::Internal | Code::StorageFull))
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

/// From half of `pause` to all of it.
fn jittered(pause: Duration) -> Duration {
    let random = (Uuid::new_v4().as_u128() & 0xffff) as u32;
    pause / 2 + (pause / 2) * random / 0xffff
}

fn text_bytes(told: &StreamEvent) -> usize {
    match told {
        StreamEvent::Message(message) => message.body.as_str().len(),
        StreamEvent::Ready { .. }
        | StreamEvent::Disconnected { .. }
        | StreamEvent::Sent { .. }
        | StreamEvent::CaughtUp { .. } => 0,
    }
}
