//! What the service counts of itself.

use super::Service;
use crate::metrics::{Counter, Histogram};
use crate::store::{CountTotals, Store, StoreError, Totals};

/// Counted from the start of the service on.
#[derive(Debug)]
pub struct Metrics {
    /// How many messages were stored: one for each recipient.
    pub messages: Counter,
    /// How many sessions were ended to make room for others.
    pub sessions_displaced: Counter,
    /// How long each password waited for a hasher.
    pub hash_queue: Histogram,
    /// How long hashing each password took, or each two of a change.
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
    /// What is counted since the service was started.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The store beneath, to measure it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How many streams there are.
    pub fn watchers(&self) -> usize {
        self.hub.watchers()
    }

    /// How many passwords wait for a hasher, and how many may.
    pub fn hash_queue(&self) -> (usize, usize) {
        self.hashers.queue()
    }

    /// Counts users and live sessions, as [`CountTotals`].
    pub fn count_totals(&self, done: impl FnOnce(Result<Totals, StoreError>) + Send + 'static) {
        self.store.read(CountTotals(self.live()), done);
    }
}
