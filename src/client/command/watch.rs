//! `chat-cli watch`
//!
//! The cursor of `--as` moves behind what was done, never before it: messages are written and
//! flushed, and then acknowledged; or the command has ended, and then its message is.

mod child;
mod dead;
mod exec;
mod lock;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use super::ack::newest;
use crate::catalogue::client;
use crate::client::arguments::{Since, TIMEOUT_DEFAULT, WatchArguments};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::messages::Messages;
use crate::client::render::{View, object};
use crate::client::stream::{SILENCE_MAX, Stream, StreamEvent, Timeouts};
use crate::client::{session, verbs};
use crate::model::{CursorName, Message, MessageId, Timestamp, Token};
use crate::protocol::arguments::{Ack, DeadLetter, Fetch, FetchFrom, Watch, WatchFrom};
use crate::terminal::{self, text};
use exec::{Exec, ExecOutcome};
use lock::Lock;

/// How often is looked whether anybody still reads the output.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a `watch` that failed waits for the last acknowledgements.
const LAST_SETTLE_MAX: Duration = Duration::from_secs(2);

/// Shows messages as they come in, or has a command deal with each; or shows the dead letters.
pub fn run(
    arguments: &WatchArguments,
    timeout: Option<Duration>,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let (token, _) = session::current(link.account())?;
    if arguments.dead
        && let Some(cursor) = &arguments.cursor
    {
        let messages = Messages::of(view, arguments.raw);
        return dead::run(cursor, arguments.clear, messages, token, link, out);
    }
    let lock = match &arguments.cursor {
        Some(cursor) if !arguments.exec.is_empty() => {
            // Before the cursor is looked at: its holder may be moving it.
            let user = verbs::whoami(link, token)?.user;
            Some(Lock::take(link.address(), &user, cursor)?)
        }
        _ => None,
    };
    let from = begin(arguments.since, token, link)?;
    let begin = Watch { cursor: arguments.cursor.clone(), from, sent: false };
    let timeouts = Timeouts { answer: TIMEOUT_DEFAULT, silence: SILENCE_MAX };
    let stream = Stream::new(link.dialer().clone(), token, begin, timeouts);
    let mut watcher = Watcher {
        stream,
        cursor: arguments.cursor.as_ref(),
        exec: Exec::new(&arguments.exec, arguments.max_tries, lock)?,
        messages: Messages::of(view, arguments.raw),
        tells_events: arguments.events,
        view,
        deadline,
        missing: arguments.count,
        has_given_up: false,
        has_been_ready: false,
        unflushed: None,
        out,
    };
    match watcher.run(arguments.exit_at_end) {
        Ok(exit) => watcher.wait_for_acks().map(|()| exit),
        Err(failure) => {
            // What was shown before is to stay read; that it may come again is no news after this.
            let _ = watcher.stream.wait_for_acks(Instant::now() + LAST_SETTLE_MAX);
            Err(failure)
        }
    }
}

/// Where to begin. What is stored while this is found out is behind it.
fn begin(since: Since, token: Token, link: &mut Link) -> Result<WatchFrom, Failure> {
    let ago = match since {
        Since::Place(place) => return Ok(place),
        Since::Ago(ago) => ago,
    };
    let newest = newest(link, token)?;
    let fetch = Fetch {
        from: FetchFrom::After(MessageId::ZERO),
        with: None,
        since: Some(Timestamp::now().minus(ago)),
        limit: 1,
    };
    let page = verbs::fetch(link, token, fetch)?;
    let first = page.messages.first();
    Ok(WatchFrom::After(first.map_or(newest, |message| MessageId(message.id.0 - 1))))
}

struct Watcher<'a> {
    stream: Stream,
    cursor: Option<&'a CursorName>,
    exec: Option<Exec>,
    messages: Messages,
    tells_events: bool,
    view: View,
    /// When to end, where that was said.
    deadline: Option<Instant>,
    /// How many messages are still to come, where that was said.
    missing: Option<usize>,
    /// A message was given up.
    has_given_up: bool,
    has_been_ready: bool,
    /// The last message that was written and may not have arrived.
    unflushed: Option<MessageId>,
    out: &'a mut dyn Write,
}

impl Watcher<'_> {
    /// Until the deadline, the end, or the last message that was asked for.
    fn run(&mut self, exit_at_end: bool) -> Result<Exit, Failure> {
        loop {
            // Flushed when there is nothing more to write at once.
            if self.unflushed.is_some() && !self.stream.has_more() {
                self.flush()?;
            }
            match self.stream.next(Some(self.next_look()))? {
                None if self.is_over() => break,
                None if self.exec.is_none() && terminal::is_output_closed() => {
                    return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
                }
                None | Some(StreamEvent::Sent { .. }) => {}
                Some(StreamEvent::Message(message)) => {
                    self.deal_with(&message)?;
                    self.missing = self.missing.map(|missing| missing - 1);
                    if self.missing == Some(0) {
                        break;
                    }
                }
                Some(StreamEvent::CaughtUp { upto }) => {
                    let words = client::caught_up(upto.0);
                    self.tell("caught_up", json!({"upto": upto}), &words)?;
                    if exit_at_end {
                        break;
                    }
                }
                Some(StreamEvent::Ready { user, after }) => {
                    self.ready(after);
                    let words = client::watching(&user, after.0);
                    self.tell("ready", json!({"user": user, "after": after}), &words)?;
                }
                Some(StreamEvent::Disconnected { failure, pause }) => {
                    self.disconnected(failure, pause)?;
                }
            }
        }
        self.flush()?;
        Ok(match self.missing {
            // So many were asked for, and fewer were dealt with.
            Some(missing) if missing > 0 || self.has_given_up => Exit::Nothing,
            _ => Exit::Done,
        })
    }

    /// A new cursor is put where the stream begins: who stops before the first message comes is to
    /// find it when they come back.
    fn ready(&mut self, after: MessageId) {
        if !std::mem::replace(&mut self.has_been_ready, true) {
            self.acknowledge(after, None);
        }
    }

    fn disconnected(&mut self, failure: Failure, pause: Duration) -> Result<(), Failure> {
        if !self.has_been_ready && failure.exit() == Exit::Unreachable {
            // There is no such server, rather than one that is being started again.
            return Err(failure);
        }
        let words = client::trying_again(&failure, pause.as_millis());
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let fields = json!({"error": failure.to_string(), "retry_in_ms": pause});
        self.tell("disconnected", fields, &words)
    }

    fn deal_with(&mut self, message: &Message) -> Result<(), Failure> {
        let Some(exec) = &self.exec else {
            self.messages.write(std::slice::from_ref(message), self.out)?;
            self.unflushed = Some(message.id);
            return Ok(());
        };
        match exec.run(message)? {
            ExecOutcome::Succeeded => self.acknowledge(message.id, None),
            ExecOutcome::GivenUp => {
                self.has_given_up = true;
                self.acknowledge(message.id, Some(DeadLetter::Add));
            }
        }
        // At most one message is dealt with again, if this ends here. A server that is away comes
        // back, and until then there is nothing else to do.
        while !self.stream.wait_for_acks(Instant::now() + TIMEOUT_DEFAULT)? && !self.is_over() {}
        if let Some(exec) = &self.exec {
            exec.recorded();
        }
        Ok(())
    }

    /// When to look up from waiting for the next thing to be told.
    fn next_look(&self) -> Instant {
        let now = Instant::now();
        if self.unflushed.is_some() {
            return now;
        }
        let look = now + LOOK_INTERVAL;
        self.deadline.map_or(look, |deadline| deadline.min(look))
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush()?;
        if let Some(upto) = self.unflushed.take() {
            self.acknowledge(upto, None);
        }
        Ok(())
    }

    fn acknowledge(&mut self, upto: MessageId, dead: Option<DeadLetter>) {
        if let Some(cursor) = self.cursor {
            self.stream.ack(Ack { cursor: cursor.clone(), upto, rewind: false, dead });
        }
    }

    /// Waits until the cursor stands where it should.
    fn wait_for_acks(&mut self) -> Result<(), Failure> {
        if self.stream.wait_for_acks(Instant::now() + TIMEOUT_DEFAULT)? {
            return Ok(());
        }
        Err(Failure::new(Exit::TryAgain, client::cursor_not_confirmed())
            .with_hint(client::last_may_come_again()))
    }

    /// Tells of something that is no message, if that was asked for.
    fn tell(
        &mut self,
        event: &'static str,
        fields: serde_json::Value,
        words: &str,
    ) -> Result<(), Failure> {
        if !self.tells_events {
            return Ok(());
        }
        if self.view.is_json {
            let mut object = json!({"event": event});
            if let (Some(object), serde_json::Value::Object(fields)) =
                (object.as_object_mut(), fields)
            {
                object.extend(fields);
            }
            writeln!(self.out, "{}", object::line(&object))?;
        } else {
            // Nobody there to be told is no reason to end.
            let _ = writeln!(io::stderr(), "{event}: {}", text::visible(words));
        }
        self.flush()
    }
}
