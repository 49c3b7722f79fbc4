//! The metrics of the service.

use std::sync::atomic::{AtomicI64, Ordering};

use super::Service;
use crate::metrics::{Counter, Histogram};
use crate::model::Timestamp;
use crate::store::{CountTotals, Store, StoreError, Totals};

/// Metrics since the start of the service.
#[derive(Debug)]
pub struct Metrics {
    /// The number of stored messages, counted per recipient.
    pub messages: Counter,
    /// The number of messages that this server has removed because they were too old.
    pub removed: Counter,
    /// The time of the last look at the whole message log by this server, in milliseconds since 1970;
    /// 0 if there was none.
    retention_at: AtomicI64,
    /// The number of sessions that were ended to make room for others.
    pub sessions_displaced: Counter,
    /// The times that jobs waited for a hasher.
    pub hash_queue: Histogram,
    /// The times that hashing jobs took. A password change hashes twice in one job.
    pub hash: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            messages: Counter::default(),
            removed: Counter::default(),
            retention_at: AtomicI64::new(0),
            sessions_displaced: Counter::default(),
            hash_queue: Histogram::of_times(),
            hash: Histogram::of_times(),
        }
    }
}

impl Metrics {
    /// Every message that was too old at this time is removed.
    pub(super) fn note_retention(&self, at: Timestamp) {
        self.retention_at.store(at.0, Ordering::Relaxed);
    }

    /// When that was last, if it was.
    pub fn retention_at(&self) -> Option<Timestamp> {
        let at = self.retention_at.load(Ordering::Relaxed);
        (at != 0).then_some(Timestamp(at))
    }
}

impl Service {
    /// The metrics since the start of the service.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The store, for its metrics.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The number of open streams.
    pub fn watchers(&self) -> usize {
        self.hub.watchers()
    }

    /// The number of queued passwords, and its maximum.
    pub fn hash_queue(&self) -> (usize, usize) {
        self.hashers.queue_length()
    }

    /// Counts users and live sessions: see [`CountTotals`].
    pub fn count_totals(&self, done: impl FnOnce(Result<Totals, StoreError>) + Send + 'static) {
        self.store.read(CountTotals(self.live()), done);
    }
}
