//! How far the tailer is behind the message log.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::model::MessageId;

/// What the tailer knows of the log.
pub(in crate::store) struct Lag {
    /// The newest message of the log, as far as is known.
    head: AtomicI64,
    /// When the tailer had passed everything on, in milliseconds since `began`.
    caught_up: AtomicU64,
    began: Instant,
}

impl Lag {
    /// There was nothing to pass on at `began`.
    pub(in crate::store) fn new(began: Instant) -> Self {
        Self { head: AtomicI64::new(0), caught_up: AtomicU64::new(0), began }
    }

    /// The log ends with this message now.
    pub(in crate::store) fn note_head(&self, head: i64) {
        self.head.store(head, Ordering::Relaxed);
    }

    /// Everything that there was at `asked` has been passed on.
    pub(in crate::store) fn note_caught_up(&self, asked: Instant) {
        let after = asked.saturating_duration_since(self.began).as_millis();
        self.caught_up.store(u64::try_from(after).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many messages are known and not passed on, where `tail` was.
    pub(in crate::store) fn messages(&self, tail: MessageId) -> u64 {
        let behind = self.head.load(Ordering::Relaxed).saturating_sub(tail.0);
        // A node passes its own messages on before the tailer sees them.
        u64::try_from(behind).unwrap_or(0)
    }

    /// How long ago everything had been passed on.
    pub(in crate::store) fn since_caught_up(&self) -> Duration {
        let after = Duration::from_millis(self.caught_up.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_what_is_known_and_not_passed_on() {
        let lag = Lag::new(Instant::now());
        assert_eq!(lag.messages(MessageId(0)), 0);
        lag.note_head(10);
        assert_eq!(lag.messages(MessageId(4)), 6);
        assert_eq!(lag.messages(MessageId(12)), 0, "its own messages are ahead");
    }

    #[test]
    fn lag_is_as_old_as_the_last_look_that_found_nothing_more() {
        let now = Instant::now();
        let lag = Lag::new(now.checked_sub(Duration::from_secs(60)).unwrap());
        assert!(lag.since_caught_up() >= Duration::from_secs(60));
        lag.note_caught_up(now.checked_sub(Duration::from_secs(10)).unwrap());
        let since = lag.since_caught_up();
        assert!(since >= Duration::from_secs(10) && since < Duration::from_secs(60), "{since:?}");
    }
}
