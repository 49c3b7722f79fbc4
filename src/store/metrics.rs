//! What the store counts of itself.

use std::time::{Duration, Instant};

use crate::metrics::{Counter, Gauge, Histogram};

/// How the log is folded into the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointMode {
    /// As much as goes without waiting, between two batches and when there is nothing to do.
    Passive,
    /// All of it, and the log is cut to nothing: what was deleted for good must not stay there.
    Truncate,
}

impl CheckpointMode {
    /// Both.
    pub const ALL: &[Self] = &[Self::Passive, Self::Truncate];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passive => "passive",
            Self::Truncate => "truncate",
        }
    }
}

/// Why a transaction was taken back as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollback {
    /// Somebody else held the file for too long.
    Busy,
    /// The disk is full.
    Full,
    /// A statement failed.
    Failed,
}

impl Rollback {
    /// Every reason.
    pub const ALL: &[Self] = &[Self::Busy, Self::Full, Self::Failed];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Full => "full",
            Self::Failed => "failed",
        }
    }
}

/// Counted by the writer and the readers, from the opening of the store on.
#[derive(Debug)]
pub struct Metrics {
    /// How many operations each transaction had.
    pub batch: Histogram,
    /// How long each operation waited for the writer.
    pub write_queue: Histogram,
    /// How long the statements of each transaction took, without its commit.
    pub execute: Histogram,
    /// How long each commit took that went well: the pages are written to the log, and the disk
    /// has said that it has them.
    pub commit: Histogram,
    /// How often a transaction was taken back as a whole, by [`Rollback`].
    pub rollbacks: Box<[Counter]>,
    /// How long folding the log in took, by [`CheckpointMode`].
    pub checkpoint: [Histogram; CheckpointMode::ALL.len()],
    /// How often it was left incomplete, because somebody read from the log or held the file.
    pub checkpoints_incomplete: Counter,
    /// How many pages of the log are not folded in yet.
    pub wal_pages: Gauge,
    /// How long each read waited for a reader.
    pub read_queue: Histogram,
    /// How long each read took.
    pub read: Histogram,
    opened: Instant,
    /// When the last commit ended that went well, in nanoseconds after the opening; 0 where there
    /// was none.
    last_commit: Gauge,
}

impl Metrics {
    /// How long ago the last commit ended that went well.
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
