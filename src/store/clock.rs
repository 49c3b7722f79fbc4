//! The clock that decides when sessions and messages expire.

use std::time::Duration;

use crate::model::Timestamp;
use crate::system::since_boot;

/// The system time at the start of the service plus the time since then. That time counts suspended
/// time too. So changing the system clock neither ends a session early nor extends it.
#[derive(Debug, Clone, Copy)]
pub struct SessionClock {
    started_at: Timestamp,
    since: Duration,
}

impl SessionClock {
    /// Starts it at the system's time.
    pub fn start() -> Self {
        Self { started_at: Timestamp::now(), since: since_boot() }
    }

    /// The time now. It never goes backwards.
    pub fn now(&self) -> Timestamp {
        self.started_at.plus(since_boot().saturating_sub(self.since))
    }
}
