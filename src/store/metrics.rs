//! The metrics of the store.

use std::time::{Duration, Instant};

use crate::metrics::{Counter, Gauge, Histogram};

/// How a checkpoint copies the WAL into the database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointMode {
    /// Copies as many pages as it can without waiting for readers. Runs between batches and when
    /// the writer is idle.
    Passive,
    /// Copies all pages and cuts the WAL to zero bytes, because deleted text must not stay in it.
    Truncate,
}

impl CheckpointMode {
    /// Both modes.
    pub const ALL: &[Self] = &[Self::Passive, Self::Truncate];

    /// The word in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passive => "passive",
            Self::Truncate => "truncate",
        }
    }
}

/// Why a whole transaction was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollback {
    /// Another process held the file's lock for too long.
    Busy,
    /// The disk is full.
    Full,
    /// A statement failed.
    Failed,
}

impl Rollback {
    /// All reasons.
    pub const ALL: &[Self] = &[Self::Busy, Self::Full, Self::Failed];

    /// The word in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Full => "full",
            Self::Failed => "failed",
        }
    }
}

/// Metrics of the writer and the readers since the store was opened.
#[derive(Debug)]
pub struct Metrics {
    /// Operations of each transaction.
    pub batch: Histogram,
    /// How long each operation waited for the writer.
    pub write_queue: Histogram,
    /// How long the statements of each transaction took, without the commit.
    pub execute: Histogram,
    /// How long each successful commit took: writing the pages to the WAL and syncing it.
    pub commit: Histogram,
    /// Transactions that were rolled back as a whole, by [`Rollback`].
    pub rollbacks: Box<[Counter]>,
    /// How long each checkpoint took, by [`CheckpointMode`].
    pub checkpoint: [Histogram; CheckpointMode::ALL.len()],
    /// Checkpoints that left pages in the WAL, because a reader or another process needed them.
    pub checkpoints_incomplete: Counter,
    /// Pages of the WAL that are not checkpointed yet.
    pub wal_pages: Gauge,
    /// How long each read waited for a reader thread.
    pub read_queue: Histogram,
    /// How long each read took.
    pub read: Histogram,
    opened: Instant,
    /// When the last successful commit ended, in nanoseconds since the store was opened. 0 means
    /// that there was none.
    last_commit: Gauge,
}

impl Metrics {
    /// How long ago the last successful commit ended. `None` if there was none.
    pub fn since_last_commit(&self) -> Option<Duration> {
        let after = u64::try_from(self.last_commit.get()).ok().filter(|&after| after > 0)?;
        Some(self.opened.elapsed().saturating_sub(Duration::from_nanos(after)))
    }

    pub(in crate::store) fn note_commit(&self, ended: Instant) {
        self.last_commit.set((ended - self.opened).as_nanos() as i64);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            batch: Histogram::of_counts(),
            write_queue: Histogram::of_times(),
            execute: Histogram::of_times(),
            commit: Histogram::of_times(),
            rollbacks: Counter::family(Rollback::ALL.len()),
            checkpoint: [Histogram::of_times(), Histogram::of_times()],
            checkpoints_incomplete: Counter::default(),
            wal_pages: Gauge::default(),
            read_queue: Histogram::of_times(),
            read: Histogram::of_times(),
            opened: Instant::now(),
            last_commit: Gauge::default(),
        }
    }
}
