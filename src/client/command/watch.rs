//! `chat-cli watch`
//!
//! The cursor of `--as` never moves before the work is done: messages are written, flushed and then
//! acknowledged. With `--exec`, the command ends first, and then its message is acknowledged.

mod child;
mod dead;
mod exec;
mod lock;
mod notify;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use super::ack::newest;
use super::filter;
use crate::catalogue::client;
use crate::client::arguments::{Since, TIMEOUT_DEFAULT, WatchArguments};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::messages::Messages;
use crate::client::render::{View, object};
use crate::client::stream::{SILENCE_MAX, Stream, StreamEvent, Timeouts};
use crate::client::{local_login, verbs};
use crate::model::{CursorName, Message, MessageId, Timestamp, Token};
use crate::protocol::arguments::{Ack, DeadLetter, Fetch, FetchFrom, Watch, WatchFrom};
use crate::terminal::{self, text};
use exec::{Exec, ExecOutcome};
use lock::Lock;
use notify::Notifier;

/// How often to check whether the reader of the output has gone.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a `watch` that failed waits for the last acknowledgements.
const LAST_SETTLE_MAX: Duration = Duration::from_secs(2);

/// Shows messages as they arrive, or runs a command for each; or shows the dead letters.
pub fn run(
    arguments: &WatchArguments,
    timeout: Option<Duration>,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let (token, _) = local_login::current(link)?;
    if arguments.dead
        && let Some(cursor) = &arguments.cursor
    {
        let messages = Messages::of(view, arguments.raw);
        return dead::run(cursor, arguments.clear, messages, token, link, out);
    }
    let lock = match &arguments.cursor {
        Some(cursor) if !arguments.exec.is_empty() => {
            // Take the lock before reading the cursor, which its holder may be moving.
            let user = verbs::whoami(link, token)?.user;
            Some(Lock::take(link.dialer().servers(), &user, cursor)?)
        }
        _ => None,
    };
    let filter = filter(&arguments.filter)?;
    let from = begin(arguments.since, token, link)?;
    let (muted, changes) = (arguments.muted, arguments.changes);
    let cursor = arguments.cursor.clone();
    let begin = Watch { cursor, from, muted, changes, filter, ..Watch::default() };
    let timeouts = Timeouts { answer: TIMEOUT_DEFAULT, silence: SILENCE_MAX };
    let stream = Stream::new(link.dialer().clone(), token, begin, timeouts);
    let mut watcher = Watcher {
        stream,
        cursor: arguments.cursor.as_ref(),
        exec: Exec::new(&arguments.exec, arguments.max_tries, lock)?,
        notifier: arguments.notify.then(|| Notifier::new(link, token)),
        messages: Messages::of(view, arguments.raw),
        reports_events: arguments.events,
        view,
        deadline,
        missing: arguments.count,
        has_given_up: false,
        has_been_ready: false,
        unflushed: None,
        out,
    };
    let ended = watcher.run(arguments.exit_at_end);
    let ended = watcher.finish_notifications().and(ended);
    match ended {
        Ok(exit) => watcher.wait_for_acks().map(|()| exit),
        Err(failure) => {
            // Messages that were shown should stay read. A failure of this is not reported beside
            // the first one.
            let _ = watcher.stream.wait_for_acks(Instant::now() + LAST_SETTLE_MAX);
            Err(failure)
        }
    }
}

/// The place to begin. The newest id is read first, so messages that are stored meanwhile come
/// after it.
fn begin(since: Since, token: Token, link: &mut Link) -> Result<WatchFrom, Failure> {
    let ago = match since {
        Since::Place(place) => return Ok(place),
        Since::Ago(ago) => ago,
    };
    let newest = newest(link, token)?;
    let fetch = Fetch {
        from: FetchFrom::After(MessageId::ZERO),
        with: None,
        thread: None,
        since: Some(Timestamp::now().minus(ago)),
        filter: Box::default(),
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
    notifier: Option<Notifier>,
    messages: Messages,
    reports_events: bool,
    view: View,
    /// When to end, if a timeout was given.
    deadline: Option<Instant>,
    /// How many more messages to show, if a number was given.
    missing: Option<usize>,
    /// Whether a message has become a dead letter.
    has_given_up: bool,
    has_been_ready: bool,
    /// The last message that was written but not flushed.
    unflushed: Option<MessageId>,
    out: &'a mut dyn Write,
}

impl Watcher<'_> {
    /// Runs until the deadline, the end, or the last message.
    fn run(&mut self, exit_at_end: bool) -> Result<Exit, Failure> {
        loop {
            // Flush when no further message can be written at once.
            if self.unflushed.is_some() && !self.stream.has_more() {
                self.flush()?;
            }
            match self.stream.next(Some(self.next_look()))? {
                None if self.is_over() => break,
                None if self.exec.is_none() && terminal::is_output_closed() => {
                    return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
                }
                None
                | Some(StreamEvent::Sent { .. } | StreamEvent::Read(_) | StreamEvent::Receipt(_)) =>
                    {}
                Some(StreamEvent::Message(message)) => {
                    self.handle(&message)?;
                    self.missing = self.missing.map(|missing| missing - 1);
                    if self.missing == Some(0) {
                        break;
                    }
                }
                Some(StreamEvent::Changed(change)) => {
                    self.messages.write_change(&change, self.out)?;
                    self.unflushed = Some(change.change);
                }
                Some(StreamEvent::CaughtUp { upto }) => {
                    if let Some(notifier) = &mut self.notifier {
                        notifier.caught_up();
                    }
                    self.flush()?;
                    let words = client::caught_up(upto.0);
                    self.report_event("caught_up", json!({"upto": upto}), &words)?;
                    if exit_at_end {
                        break;
                    }
                }
                Some(StreamEvent::Ready { user, after }) => {
                    self.ready(after);
                    let words = client::watching(&user, after.0);
                    self.report_event("ready", json!({"user": user, "after": after}), &words)?;
                }
                Some(StreamEvent::Disconnected { failure, pause }) => {
                    self.disconnected(failure, pause)?;
                }
            }
        }
        self.flush()?;
        Ok(match self.missing {
            // Fewer messages were handled than the number asked for.
            Some(missing) if missing > 0 || self.has_given_up => Exit::Nothing,
            _ => Exit::Done,
        })
    }

    /// Puts a new cursor where the stream begins. If this process ends before the first message
    /// arrives, the next one finds that message.
    fn ready(&mut self, after: MessageId) {
        if !std::mem::replace(&mut self.has_been_ready, true) {
            self.acknowledge(after, None);
        }
    }

    fn disconnected(&mut self, failure: Failure, pause: Duration) -> Result<(), Failure> {
        if !self.has_been_ready && failure.exit() == Exit::Unreachable {
            // No such server exists; it is not just restarting.
            return Err(failure);
        }
        if let Some(notifier) = &mut self.notifier {
            notifier.disconnected();
        }
        let words = client::trying_again(&failure, pause.as_millis());
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let fields = json!({"error": failure.to_string(), "retry_in_ms": pause});
        self.report_event("disconnected", fields, &words)
    }

    fn handle(&mut self, message: &Message) -> Result<(), Failure> {
        let Some(exec) = &self.exec else {
            self.messages.write(std::slice::from_ref(message), self.out)?;
            self.unflushed = Some(message.id);
            if let Some(notifier) = &mut self.notifier {
                notifier.add(message);
            }
            return Ok(());
        };
        match exec.run(message)? {
            ExecOutcome::Succeeded => self.acknowledge(message.id, None),
            ExecOutcome::GivenUp => {
                self.has_given_up = true;
                self.acknowledge(message.id, Some(DeadLetter::Add));
            }
        }
        // So at most one message is handled twice if this process ends here. If the server is away,
        // it waits for it, because there is nothing else to do.
        while !self.stream.wait_for_acks(Instant::now() + TIMEOUT_DEFAULT)? && !self.is_over() {}
        if let Some(exec) = &self.exec {
            exec.recorded();
        }
        Ok(())
    }

    /// How long to wait for the next event.
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
        match &mut self.notifier {
            Some(notifier) => notifier.tell(self.out),
            None => Ok(()),
        }
    }

    fn finish_notifications(&mut self) -> Result<(), Failure> {
        match &mut self.notifier {
            Some(notifier) => notifier.finish(self.out),
            None => Ok(()),
        }
    }

    fn acknowledge(&mut self, upto: MessageId, dead: Option<DeadLetter>) {
        if let Some(cursor) = self.cursor {
            self.stream.ack(Ack { cursor: cursor.clone(), upto, rewind: false, dead });
        }
    }

    /// Waits until the cursor has its final position.
    fn wait_for_acks(&mut self) -> Result<(), Failure> {
        if self.stream.wait_for_acks(Instant::now() + TIMEOUT_DEFAULT)? {
            return Ok(());
        }
        Err(Failure::new(Exit::TryAgain, client::cursor_not_confirmed())
            .with_hint(client::last_may_come_again()))
    }

    /// Reports an event other than a message, if `--events` was given.
    fn report_event(
        &mut self,
        event: &'static str,
        fields: serde_json::Value,
        words: &str,
    ) -> Result<(), Failure> {
        if !self.reports_events {
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
            // A closed standard error is no reason to end.
            let _ = writeln!(io::stderr(), "{event}: {}", text::visible(words));
        }
        self.flush()
    }
}
