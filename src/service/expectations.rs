//! Expectations: the verbs `expect`, `expectations` and `report`, and the thread that tells of
//! missing reports.
//!
//! The thread `expectations` sleeps until the next deadline, or until the next scheduled message is
//! due ([`super::scheduled`]). What it tells is a message of the
//! expectation's owner, under a key that is derived from the expectation and its deadline. So a
//! message that was stored before a crash, or by another server on the database, is not stored
//! again. The database remembers what is still to be told.

use std::collections::HashSet;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use smallvec::smallvec;

use super::sessions::LiveSession;
use super::{Responder, Service, failure};
use crate::model::{BODY_BYTES_MAX, Body, Details, Key, Priority, Tags, Timestamp, UserName};
use crate::protocol::expectation::{
    self, Expect, Expectations, Expected, Report as ReportArguments, Reported,
};
use crate::protocol::refusal::{Code, NOT_TO_THIS_USER, Refusal};
use crate::protocol::reply::Reply;
use crate::store::{
    Append, Appended, EXPECTATIONS_MAX, EngineRead, EngineWrite, FindUntold, ListExpectations,
    MarkLate, Put, PutExpectation, RemoveExpectation, Report, ReportExpectation, SettleTold,
    StoreError, Told, Untold,
};

/// How many messages are told at a time.
const TOLD_MAX: usize = 100;

/// The longest sleep: another server on the database may have got an expectation, and ended.
pub(super) const SLEEP_MAX: Duration = Duration::from_secs(60);

/// The pause after a failure of the store, or while an inbox is full.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Wakes the thread `expectations`.
pub(super) type Wake = SyncSender<()>;

/// What the thread waits for.
pub(super) fn wake() -> (Wake, Receiver<()>) {
    mpsc::sync_channel(1)
}

/// Starts the thread. It ends with the service.
pub(super) fn start(service: &Arc<Service>, woken: Receiver<()>) -> std::io::Result<()> {
    let service = Arc::downgrade(service);
    let run = move || run(&service, &woken);
    thread::Builder::new().name("expectations".to_owned()).spawn(run).map(drop)
}

fn run(service: &Weak<Service>, woken: &Receiver<()>) {
    let mut is_start = true;
    let mut has_failed = false;
    loop {
        let Some(live) = service.upgrade() else { return };
        let next = match (live.tell_of_expectations(is_start), live.send_due(is_start)) {
            (Ok(told), Ok(sent)) => Ok(told.into_iter().chain(sent).min()),
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        let sleep = match next {
            Ok(next) => {
                (is_start, has_failed) = (false, false);
                let now = live.now();
                next.map_or(SLEEP_MAX, |next| {
                    let left = next.0.saturating_sub(now.0).max(0);
                    Duration::from_millis(left.unsigned_abs())
                })
            }
            Err(StoreError::Closed) => return,
            Err(error) => {
                // A database may be away for hours.
                if !std::mem::replace(&mut has_failed, true) {
                    tracing::warn!(%error, "expectations and scheduled messages wait for the store");
                }
                RETRY_PAUSE
            }
        };
        drop(live);
        if woken.recv_timeout(sleep.min(SLEEP_MAX)) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

impl Service {
    /// `expect`: answers when it is durable.
    pub(super) fn expect(
        self: &Arc<Self>,
        session: &LiveSession,
        expect: Expect,
        responder: Responder,
    ) {
        let owner = session.user;
        let service = Arc::clone(self);
        let (name, every, grace, tell) = match expect {
            Expect::Put { name, every, grace, tell } => (name, every, grace, tell),
            Expect::Remove { name } => {
                let remove = RemoveExpectation { owner, name: name.clone() };
                return self.store.write(remove, move |removed| match removed {
                    Ok(true) => {
                        let removed = Expected { name, due_at: None, removed: true };
                        responder.answer(Reply::Expected(removed));
                    }
                    Ok(false) => responder.answer(Code::UnknownExpectation),
                    Err(error) => responder.answer(failure(error)),
                });
            }
        };
        let put = PutExpectation {
            owner,
            name: name.clone(),
            every,
            grace,
            tell: tell.clone(),
            now: self.now(),
        };
        self.store.write(put, move |put| match put {
            Ok(Put::DueAt(due_at)) => {
                let expected = Expected { name, due_at: Some(due_at), removed: false };
                responder.answer(Reply::Expected(expected));
                service.wake_expectations();
            }
            Ok(Put::UnknownUser) => {
                let refusal = Refusal::from(Code::UnknownRecipient);
                responder.answer(refusal.about([tell.to_string()]));
            }
            Ok(Put::NotAllowed) => {
                let refusal = Refusal::new(Code::NotAllowed, NOT_TO_THIS_USER);
                responder.answer(refusal.about([tell.to_string()]));
            }
            Ok(Put::TooMany) => {
                let problem = format!("you have {EXPECTATIONS_MAX} expectations: remove one first");
                responder.answer(Refusal::new(Code::BadArgument, problem));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `expectations`: lists those of the user.
    pub(super) fn list_expectations(&self, session: &LiveSession, responder: Responder) {
        let now = self.now();
        self.store.read(ListExpectations { owner: session.user }, move |found| match found {
            Ok(found) => {
                let expectations = found.into_iter().map(|expectation| {
                    let is_late = expectation.late_since.is_some() || expectation.due_at <= now;
                    expectation::Expectation {
                        name: expectation.name,
                        tell: expectation.tell,
                        every: expectation.every.as_secs(),
                        grace: expectation.grace.as_secs(),
                        due_at: expectation.due_at,
                        last_at: expectation.last.map(|(at, _)| at),
                        last_code: expectation.last.map(|(_, code)| code),
                        started_at: expectation.started_at,
                        late: is_late,
                    }
                });
                let expectations = expectations.collect();
                responder.answer(Reply::Expectations(Expectations { expectations }));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `report`: answers when it is durable.
    pub(super) fn report(
        self: &Arc<Self>,
        session: &LiveSession,
        report: ReportArguments,
        responder: Responder,
    ) {
        let ReportArguments { name, report, text } = report;
        let service = Arc::clone(self);
        let write = ReportExpectation {
            owner: session.user,
            name: name.clone(),
            report: match report {
                Reported::Started => Report::Started,
                Reported::Ended(code) => Report::Ended(code),
            },
            text,
            now: self.now(),
        };
        self.store.write(write, move |due_at| match due_at {
            Ok(Some(due_at)) => {
                let expected = Expected { name, due_at: Some(due_at), removed: false };
                responder.answer(Reply::Expected(expected));
                // It may be a failure, or the end of being late.
                service.wake_expectations();
            }
            Ok(None) => responder.answer(Code::UnknownExpectation),
            Err(error) => responder.answer(failure(error)),
        });
    }

    pub(super) fn wake_expectations(&self) {
        // If it is full, the thread is about to look.
        let _ = self.wake_expectations.try_send(());
    }

    /// Tells of everything that is to be told of now. Returns when to look again: at the next
    /// deadline, or soon if something could not be told. Blocks.
    fn tell_of_expectations(&self, is_start: bool) -> Result<Option<Timestamp>, StoreError> {
        let mut is_start = is_start;
        let mut round = Round::default();
        loop {
            let now = self.now();
            let find = FindUntold { now, after: round.after.clone(), max: TOLD_MAX };
            let found = self.read_now(find)?;
            if found.is_due || is_start {
                let marked = self.write_now(MarkLate { now, is_start })?;
                is_start = false;
                if marked > 0 {
                    round.must_repeat = true;
                    continue;
                }
            }
            if !found.untold.is_empty() {
                self.tell(&found.untold, &mut round)?;
                round.after = found.untold.into_iter().next_back();
                continue;
            }
            if let Some(error) = round.error {
                return Err(error);
            }
            if !round.must_repeat {
                let retry = round.is_some_left.then(|| now.plus(RETRY_PAUSE));
                return Ok(found.next.into_iter().chain(retry).min());
            }
            round = Round { full: round.full, ..Round::default() };
        }
    }

    /// Stores the messages together, and then that they are stored. What cannot be told is left for
    /// a later round, and does not stop the others. It only fails if the store is closing.
    fn tell(&self, untold: &[Untold], round: &mut Round) -> Result<(), StoreError> {
        let (sender, stored) = mpsc::channel();
        for (number, told) in untold.iter().enumerate() {
            let is_full = round.full.contains(&told.tell);
            let Some(append) = message(told).filter(|_| !is_full) else { continue };
            let sender = sender.clone();
            self.store.write(append, move |appended| {
                let _ = sender.send((number, appended));
            });
        }
        drop(sender);
        let mut settled = Vec::new();
        for (number, appended) in stored {
            match appended {
                Ok(Appended::Stored { copies, duplicate, .. }) => {
                    if !duplicate {
                        self.metrics.messages.add(copies.len() as u64);
                    }
                    // The server that stored it before may have ended before it gave a hint.
                    copies.iter().for_each(|&(recipient, _)| self.hub.publish(recipient));
                    settled.push(number);
                }
                // It is stored, with what was known at the time.
                Ok(Appended::KeyConflict) => settled.push(number),
                Ok(Appended::InboxFull(_)) => drop(round.full.insert(untold[number].tell.clone())),
                // The others are refusals of rooms, and of answers.
                Ok(Appended::NotAllowed(_)) => {
                    let name = untold[number].name.as_str();
                    tracing::warn!(name, "the user whom an expectation tells blocks its owner");
                    settled.push(number);
                }
                Ok(
                    Appended::UnknownRecipients(_)
                    | Appended::UnknownMessage
                    | Appended::Ambiguous(_)
                    | Appended::RoomArchived(_),
                ) => {
                    let name = untold[number].name.as_str();
                    tracing::warn!(name, "the user whom an expectation tells is gone");
                    settled.push(number);
                }
                Err(StoreError::Statement(error)) => {
                    tracing::error!(%error, "an expectation was not told");
                }
                Err(error) => round.fail(error)?,
            }
        }
        round.is_some_left |= settled.len() < untold.len();
        let (sender, done) = mpsc::channel();
        for number in settled {
            let sender = sender.clone();
            self.store.write(SettleTold(untold[number].clone()), move |settled| {
                let _ = sender.send(settled);
            });
        }
        drop(sender);
        for settled in done {
            match settled {
                Ok(_) => round.must_repeat = true,
                Err(error) => round.fail(error)?,
            }
        }
        Ok(())
    }

    pub(super) fn read_now<R: EngineRead>(&self, read: R) -> Result<R::Answer, StoreError> {
        let (sender, receiver) = mpsc::channel();
        self.store.read(read, move |answer| drop(sender.send(answer)));
        receiver.recv().unwrap_or(Err(StoreError::Closed))
    }

    pub(super) fn write_now<W: EngineWrite>(&self, write: W) -> Result<W::Answer, StoreError> {
        let (sender, receiver) = mpsc::channel();
        self.store.write(write, move |answer| drop(sender.send(answer)));
        receiver.recv().unwrap_or(Err(StoreError::Closed))
    }
}

/// One look at everything that is to be told of, a page at a time.
#[derive(Default)]
struct Round {
    /// The last one of the page before.
    after: Option<Untold>,
    /// Something has changed: there may be more to tell before `after`.
    must_repeat: bool,
    /// Something could not be told.
    is_some_left: bool,
    /// Who cannot be told, because their inboxes are full. Each of them is tried once, or for one
    /// page.
    full: HashSet<UserName>,
    /// The first failure of the store.
    error: Option<StoreError>,
}

impl Round {
    /// Notes a failure. The round goes on, unless the store is closing.
    fn fail(&mut self, error: StoreError) -> Result<(), StoreError> {
        if error == StoreError::Closed {
            return Err(error);
        }
        self.error.get_or_insert(error);
        Ok(())
    }
}

/// The message about it, which is the same whoever makes it.
fn message(told: &Untold) -> Option<Append> {
    let (name, since) = (told.name.as_str(), told.late_since.to_rfc3339());
    let (state, text) = match told.what {
        Told::Missing { last_at: Some(at) } => {
            let at = at.to_rfc3339();
            ("late", format!("{name} is late: it was due at {since}, and last reported at {at}"))
        }
        Told::Missing { last_at: None } => {
            ("late", format!("{name} is late: it was due at {since}, and has never reported"))
        }
        Told::Failed(code) => {
            let failed = format!("{name} failed with {code} at {since}");
            ("late", with_text(failed, told.text.as_ref()))
        }
        Told::Back(at) => ("back", format!("{name} is back: it reported at {}", at.to_rfc3339())),
    };
    let is_back = matches!(told.what, Told::Back(_));
    let tags = ["expect", state].map(str::parse).into_iter().collect::<Result<Vec<_>, _>>().ok()?;
    let details = Details {
        priority: if is_back { Priority::Default } else { Priority::High },
        tags: Tags::try_from(tags).ok()?,
        ..Details::default()
    };
    let key: Key = format!("expect-{state}-{}-{name}", told.late_since.0).parse().ok()?;
    let body: Body = text.parse().ok()?;
    let append = Append::new(told.owner, smallvec![told.tell.clone().into()], body);
    Some(Append { key: Some(key), details: details.if_any(), ..append })
}

/// The message with what was reported below it, or with the end of that: it says why.
fn with_text(mut message: String, text: Option<&Body>) -> String {
    let Some(text) = text.map(Body::as_str) else { return message };
    message.push_str("\n\n");
    let room = BODY_BYTES_MAX - message.len();
    message.push_str(&text[text.ceil_char_boundary(text.len().saturating_sub(room))..]);
    message
}

#[cfg(test)]
pub(super) mod tests;
