//! What the threads of a node share.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::model::{MailboxId, MessageId, Timestamp};
use crate::store::cache::live_messages::{LiveMessage, LiveMessages};
use crate::store::events::{Event, OnEvent};
use crate::store::metrics::Metrics;
use crate::store::postgres::followed::Followed;
use crate::store::postgres::lag::Lag;
use crate::system::since_boot;

/// How long a node may work from memory after it was last heard. `changed_since` and
/// `seen_everywhere` have the same time.
pub(in crate::store) const LEASE: Duration = Duration::from_secs(3);

/// Called once, when a change has been seen by every node.
type Answer = Box<dyn FnOnce() + Send>;

/// What the threads of a node share.
pub(in crate::store) struct Shared {
    /// The number of the node.
    pub(in crate::store) node: i64,
    pub(in crate::store) live: Arc<LiveMessages>,
    pub(in crate::store) metrics: Arc<Metrics>,
    /// How far the tailer is behind.
    pub(in crate::store) lag: Lag,
    /// The newest id that `live` knows of.
    tail: Mutex<MessageId>,
    /// Until when the lease lasts, in milliseconds since the machine was booted. That time counts
    /// a machine that sleeps.
    lease_until: AtomicU64,
    /// How many milliseconds the clock of the database is ahead of the time since boot.
    clock_ahead: AtomicI64,
    /// The answers that wait until every node has seen a change.
    waiting: Mutex<Vec<(i64, Answer)>>,
    on_event: OnceLock<OnEvent>,
    /// Whose reading the service follows.
    pub(in crate::store) followed: Arc<Followed>,
    is_closing: AtomicBool,
}

impl Shared {
    /// The node has just been heard, at `heard`. `newest` is the newest message.
    pub(in crate::store) fn new(
        node: i64,
        newest: MessageId,
        heard: Duration,
        (time, read): (Timestamp, Duration),
        live: Arc<LiveMessages>,
        metrics: Arc<Metrics>,
    ) -> Self {
        live.set_newest(newest);
        let shared = Self {
            node,
            live,
            metrics,
            lag: Lag::new(Instant::now()),
            tail: Mutex::new(newest),
            lease_until: AtomicU64::new(0),
            clock_ahead: AtomicI64::new(0),
            waiting: Mutex::default(),
            on_event: OnceLock::new(),
            followed: Arc::default(),
            is_closing: AtomicBool::new(false),
        };
        shared.renew_lease(heard);
        shared.set_time(read, time);
        shared
    }

    /// The node was heard. `asked` is the time since boot when the request was sent, so the lease
    /// does not last longer here than in the database.
    pub(in crate::store) fn renew_lease(&self, asked: Duration) {
        let until = u64::try_from((asked + LEASE).as_millis()).unwrap_or(u64::MAX);
        self.lease_until.fetch_max(until, Ordering::SeqCst);
    }

    /// It was this time by the clock of the database, this long after the boot of the machine.
    pub(in crate::store) fn set_time(&self, since_boot: Duration, time: Timestamp) {
        self.clock_ahead.store(time.0 - milliseconds(since_boot), Ordering::SeqCst);
    }

    /// The time by the clock of the database.
    pub(in crate::store) fn time(&self) -> Timestamp {
        Timestamp(milliseconds(since_boot()) + self.clock_ahead.load(Ordering::SeqCst))
    }

    /// Whether the node may answer from memory.
    pub(in crate::store) fn has_lease(&self) -> bool {
        let now = u64::try_from(since_boot().as_millis()).unwrap_or(u64::MAX);
        now < self.lease_until.load(Ordering::SeqCst)
    }

    /// How long ago the node was heard.
    pub(in crate::store) fn lease_age(&self) -> Duration {
        let until = Duration::from_millis(self.lease_until.load(Ordering::SeqCst));
        (since_boot() + LEASE).saturating_sub(until)
    }

    /// Sets who is told of events. Only the first call counts.
    pub(in crate::store) fn set_on_event(&self, on_event: OnEvent) {
        let _ = self.on_event.set(on_event);
    }

    /// Tells the service of an event.
    pub(in crate::store) fn tell(&self, event: Event) {
        if let Some(on_event) = self.on_event.get() {
            on_event(event);
        }
    }

    /// The newest id that the live messages know of.
    pub(in crate::store) fn tail(&self) -> MessageId {
        *lock(&self.tail)
    }

    /// Adds the messages of a commit of this node to the live messages, if no commit of another
    /// node is missing in between. Otherwise the tailer adds them.
    pub(in crate::store) fn extend_if_next(
        &self,
        first: MessageId,
        committed: &[(MailboxId, MessageId)],
        texts: Vec<LiveMessage>,
    ) {
        let Some(&(_, last)) = committed.last() else { return };
        let mut tail = lock(&self.tail);
        if tail.0 + 1 == first.0 {
            self.live.extend(committed, texts);
            *tail = last;
        }
    }

    /// Adds messages that the tailer has read: all after an earlier [`Self::tail`], up to `head`.
    pub(in crate::store) fn extend_from_log(
        &self,
        head: MessageId,
        committed: &[(MailboxId, MessageId)],
        texts: Vec<LiveMessage>,
    ) {
        let mut tail = lock(&self.tail);
        if head <= *tail {
            return;
        }
        let is_new = |id: MessageId| id > *tail;
        let new = committed.iter().copied().filter(|&(_, id)| is_new(id));
        let mut new: Vec<_> = new.collect();
        let texts = texts.into_iter().filter(|text| is_new(text.message.id)).collect();
        if new.last().is_none_or(|&(_, id)| id < head) {
            // The newest messages were purged. There is no mailbox 0.
            new.push((MailboxId(0), head));
        }
        self.live.extend(&new, texts);
        *tail = head;
    }

    /// Calls `answer` once every node has seen this change.
    pub(in crate::store) fn answer_later(&self, change: i64, answer: Answer) {
        lock(&self.waiting).push((change, answer));
    }

    /// Whether answers wait for other nodes.
    pub(in crate::store) fn has_waiting(&self) -> bool {
        !lock(&self.waiting).is_empty()
    }

    /// Gives the answers that wait for changes up to this one.
    pub(in crate::store) fn answer_upto(&self, seen: i64) {
        let ready: Vec<(i64, Answer)> =
            lock(&self.waiting).extract_if(.., |(change, _)| *change <= seen).collect();
        ready.into_iter().for_each(|(_, answer)| answer());
    }

    pub(in crate::store) fn close(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
    }

    pub(in crate::store) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::SeqCst)
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// No statement leaves these values half changed when it panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
