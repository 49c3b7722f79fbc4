//! The metrics of the service.

use super::Service;
use crate::metrics::{Counter, Histogram};
use crate::store::{CountTotals, Store, StoreError, Totals};

/// Metrics since the start of the service.
#[derive(Debug)]
pub struct Metrics {
    /// The number of stored messages, counted per recipient.
    pub messages: Counter,
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
            sessions_displaced: Counter::default(),
            hash_queue: Histogram::of_times(),
            hash: Histogram::of_times(),
        }
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
