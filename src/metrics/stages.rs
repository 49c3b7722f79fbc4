//! How the time of one request divides among the threads that work on it.

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    /// The stages of the work whose callback this thread is running. Zero outside of
    /// [`Stages::scope`].
    static CURRENT: Cell<Stages> = const { Cell::new(Stages::NONE) };
}

/// The time that a piece of work has spent in each stage. A queue saves [`Stages::current`] with
/// each item, adds its own times, and runs the callback inside [`Stages::scope`]. A callback that
/// queues more work thereby passes on all earlier times, and the layers between need not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stages {
    /// Waiting in the queue of the writer, a reader or a hasher.
    pub queued: Duration,
    /// Executing database statements, including those of the other operations in its batch.
    pub executed: Duration,
    /// Committing, which includes the wait for the disk.
    pub committed: Duration,
    /// Hashing passwords.
    pub hashed: Duration,
}

impl Stages {
    const NONE: Self = Self {
        queued: Duration::ZERO,
        executed: Duration::ZERO,
        committed: Duration::ZERO,
        hashed: Duration::ZERO,
    };

    /// The sum of both, stage by stage.
    pub fn and(self, more: Self) -> Self {
        Self {
            queued: self.queued + more.queued,
            executed: self.executed + more.executed,
            committed: self.committed + more.committed,
            hashed: self.hashed + more.hashed,
        }
    }

    /// The stages of the work whose callback this thread is running.
    pub fn current() -> Self {
        CURRENT.get()
    }

    /// Runs `callback` with these stages as [`Stages::current`].
    pub fn scope<T>(self, callback: impl FnOnce() -> T) -> T {
        let _before = Restore(CURRENT.replace(self));
        callback()
    }
}

/// Restores the outer stages on drop, so also after a panic.
struct Restore(Stages);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_current_only_inside_the_callback() {
        let stages = Stages { queued: Duration::from_secs(1), ..Stages::default() };
        let (inner, outer) =
            stages.scope(|| (Stages::default().scope(Stages::current), Stages::current()));
        assert_eq!((inner, outer), (Stages::default(), stages));
        assert_eq!(Stages::current(), Stages::default());
    }
}
