//! The clock by which sessions live.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::model::Timestamp;

/// Says what the clock on the wall said when the service was started, and what has gone by since
/// then as the machine counts it, sleep included. So setting the clock on the wall neither ends a
/// session too early nor makes one last longer.
#[derive(Debug)]
pub(super) struct SessionClock {
    started_at: Timestamp,
    since: Duration,
}

impl SessionClock {
    pub(super) fn start() -> Self {
        Self { started_at: Timestamp::now(), since: since_boot() }
    }

    /// Never less than what it has said before.
    pub(super) fn now(&self) -> Timestamp {
        self.started_at.plus(since_boot().saturating_sub(self.since))
    }
}

fn since_boot() -> Duration {
    // It is neither negative nor as long as a duration may be.
    clock_gettime(ClockId::Boottime).try_into().unwrap_or_default()
}
