//! Counts the requests of a site, by their kind and the class of their status.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

/// The classes of a status, from 100 on.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The counts of a site. They only rise.
pub struct Traffic {
    kinds: &'static [&'static str],
    kind_of: fn(&str) -> &'static str,
    counts: Box<[[AtomicU64; CLASSES.len()]]>,
}

impl Traffic {
    /// Counts from zero. `kind_of` has the kind of a path, which is one of `kinds`.
    pub fn new(kinds: &'static [&'static str], kind_of: fn(&str) -> &'static str) -> Self {
        Self { kinds, kind_of, counts: kinds.iter().map(|_| Default::default()).collect() }
    }

    /// The kind of a request for this path.
    pub(super) fn kind(&self, path: &str) -> &'static str {
        (self.kind_of)(path)
    }

    /// A request was answered. A stream counts when its response begins.
    pub(super) fn note(&self, kind: &'static str, status: StatusCode) {
        let kind = self.kinds.iter().position(|known| *known == kind);
        let counts = kind.and_then(|kind| self.counts.get(kind));
        let class = usize::from(status.as_u16() / 100).wrapping_sub(1);
        if let Some(count) = counts.and_then(|counts| counts.get(class)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The kind, the class and the number of requests.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        self.kinds.iter().zip(&self.counts).flat_map(|(kind, counts)| {
            let counts = CLASSES.iter().zip(counts);
            counts.map(|(class, count)| (*kind, *class, count.load(Ordering::Relaxed)))
        })
    }
}
