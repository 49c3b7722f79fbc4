//! Removing messages that are older than they are kept: the thread `retention`.
//!
//! It looks once a minute, and at once when a time was set. It remembers of each stretch of the
//! message log when the next message there will be too old, so it reads that stretch again only
//! then. After a start, or when a time has changed, it reads the message log once. It rests after
//! each step: senders are first.
//!
//! What it judges by is never ahead of the clock since the start nor of the system's, and it
//! follows a clock that has jumped ahead slowly ([`crate::store::BeginRemoval`]).

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::Service;
use super::expectations::Wake;
use crate::model::{MessageId, Timestamp};
use crate::store::{BeginRemoval, FindExpired, FindRules, RemoveExpired, Rules, StoreError};
use crate::system::since_boot;

/// How often the thread looks, and how often it renews its turn.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// How often it looks whether the server that removes has ended.
const TURN_INTERVAL: Duration = Duration::from_secs(5);
/// The rest after a step, in times of the step.
const REST: u32 = 3;
/// The longest rest. A step may have waited long for the disk.
const REST_MAX: Duration = Duration::from_secs(1);

impl Service {
    /// Starts to remove messages that are older than they are kept. It ends with the service.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn keep_to_retention(self: &Arc<Self>) -> std::io::Result<()> {
        let (wake, woken) = mpsc::sync_channel(1);
        // A second call would have two threads remove the same messages.
        if self.wake_retention.set(wake).is_err() {
            return Ok(());
        }
        let service = Arc::downgrade(self);
        let run = move || run(&service, &woken);
        thread::Builder::new().name("retention".to_owned()).spawn(run).map(drop)
    }

    /// A time was set: looks at once, if this is a server.
    pub(super) fn wake_retention(&self) {
        if let Some(wake) = self.wake_retention.get() {
            // If it is full, the thread is about to look.
            let _ = wake.try_send(());
        }
    }

    /// Removes what is too old, unless another server does. Returns when to look again.
    fn remove_expired(&self, agenda: &mut Agenda) -> Result<Duration, StoreError> {
        if !self.read_now(FindRules)?.remove_any() {
            return Ok(LOOK_INTERVAL);
        }
        while let Some(turn) = self.begin_removal(agenda)? {
            if self.remove_in_turn(&turn, agenda)? {
                self.metrics.note_retention(turn.now);
                return Ok(LOOK_INTERVAL);
            }
        }
        Ok(TURN_INTERVAL)
    }

    /// Begins a turn, or renews it. `None` while another server removes.
    fn begin_removal(&self, agenda: &mut Agenda) -> Result<Option<Turn>, StoreError> {
        let begun = since_boot();
        let passed = agenda.begun.map_or(Duration::ZERO, |at| begun.saturating_sub(at));
        // One of the clocks may have been set since the start.
        let now = match self.store.shared_time() {
            Some(now) => now,
            None => self.now().min(Timestamp::now()),
        };
        let turn = self.write_now(BeginRemoval { now, passed })?;
        agenda.begun = turn.is_some().then_some(begun);
        let Some((rules, now)) = turn else { return Ok(None) };
        if agenda.version != Some(rules.version) {
            (agenda.version, agenda.stretches) = (Some(rules.version), Vec::new());
        }
        Ok(Some(Turn { rules, now, until: Instant::now() + LOOK_INTERVAL }))
    }

    /// Goes through the message log. Returns whether it came to the end: otherwise the turn is over,
    /// or a rule has changed.
    fn remove_in_turn(&self, turn: &Turn, agenda: &mut Agenda) -> Result<bool, StoreError> {
        let (mut after, mut since) = (MessageId::ZERO, Timestamp(i64::MIN));
        let mut place = 0;
        loop {
            let there = agenda.stretches.get(place).copied();
            if let Some(stretch) = there.filter(|it| it.next.is_none_or(|next| next > turn.now)) {
                (after, since, place) = (stretch.upto, stretch.since, place + 1);
                continue;
            }
            if Instant::now() >= turn.until {
                return Ok(false);
            }
            let begun = Instant::now();
            let upto = there.map_or(MessageId(i64::MAX), |stretch| stretch.upto);
            let rules = Arc::clone(&turn.rules);
            let found = self.read_now(FindExpired { rules, now: turn.now, after, upto, since })?;
            rest(begun);
            for part in found.parts {
                if !self.remove(turn, part)? {
                    return Ok(false);
                }
            }
            let (upto, since_then) = (found.upto, found.since);
            match there {
                Some(_) => {
                    agenda.stretches[place].next = found.next;
                    since = agenda.stretches[place].since;
                    (after, place) = (agenda.stretches[place].upto, place + 1);
                }
                None if found.more => {
                    let stretch = Stretch { upto, since: since_then, next: found.next };
                    place = agenda.add(stretch);
                    (after, since) = (upto, since_then);
                }
                // The end of the message log grows, and is looked at again.
                None => return Ok(true),
            }
        }
    }

    /// Removes these messages. On a full disk a transaction has only the room that the WAL has: a
    /// part for which that is too little is halved. Returns whether the turn goes on.
    fn remove(&self, turn: &Turn, ids: Vec<MessageId>) -> Result<bool, StoreError> {
        let mut parts = vec![ids];
        while let Some(ids) = parts.pop() {
            let begun = Instant::now();
            let version = turn.rules.version;
            match self.write_now(RemoveExpired { version, ids: ids.clone() }) {
                Ok(Some(removed)) => self.metrics.removed.add(removed as u64),
                Ok(None) => return Ok(false),
                Err(StoreError::Full) if ids.len() > 1 => {
                    parts.extend(ids.chunks(ids.len().div_ceil(2)).map(<[_]>::to_vec));
                }
                Err(error) => return Err(error),
            }
            rest(begun);
        }
        Ok(true)
    }
}

fn run(service: &Weak<Service>, woken: &Receiver<()>) {
    let mut agenda = Agenda::default();
    let mut has_failed = false;
    loop {
        let Some(live) = service.upgrade() else { return };
        let pause = match live.remove_expired(&mut agenda) {
            Ok(pause) => {
                has_failed = false;
                pause
            }
            Err(StoreError::Closed) => return,
            Err(error) => {
                // A database may be away for hours.
                if !std::mem::replace(&mut has_failed, true) {
                    tracing::warn!(%error, "messages that are too old wait for the store");
                }
                LOOK_INTERVAL
            }
        };
        drop(live);
        if woken.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

fn rest(begun: Instant) {
    thread::sleep(begun.elapsed().saturating_mul(REST).min(REST_MAX));
}

/// How a server wakes its thread.
pub(super) type WakeRetention = std::sync::OnceLock<Wake>;

/// The right to remove messages for a while.
struct Turn {
    rules: Arc<Rules>,
    /// The time by which ages are judged.
    now: Timestamp,
    /// When to renew it.
    until: Instant,
}

/// What the thread remembers.
#[derive(Default)]
struct Agenda {
    /// When the turn of this server began last, since the boot. `None` if it was another one's.
    begun: Option<Duration>,
    /// The version of the rules that the stretches are of.
    version: Option<i64>,
    /// The message log from its begin, one after the other, but for its end.
    stretches: Vec<Stretch>,
}

/// Some messages that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    /// The last one.
    upto: MessageId,
    /// See [`FindExpired::since`], for what comes after it.
    since: Timestamp,
    /// When the next one of these is too old. `None` if none ever is.
    next: Option<Timestamp>,
}

impl Agenda {
    /// Adds a stretch at the end. Returns how many there are. What is empty, or kept for ever,
    /// becomes one.
    fn add(&mut self, stretch: Stretch) -> usize {
        match self.stretches.last_mut() {
            Some(last) if last.next.is_none() && stretch.next.is_none() => *last = stretch,
            _ => self.stretches.push(stretch),
        }
        self.stretches.len()
    }
}
