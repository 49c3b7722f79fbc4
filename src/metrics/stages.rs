//! Where the time of one request went, on its way through several threads.

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    /// Of the work whose outcome this thread is just telling; nothing on threads that only ask.
    static CURRENT: Cell<Stages> = const { Cell::new(Stages::NONE) };
}

/// How long a piece of work has been where. Whoever does queued work takes along [`Stages::current`]
/// when it is asked for, adds its own, and says so with [`Stages::tell`] around the callback; so
/// work that is handed on from a callback has all that came before in it, and nobody in between
/// need know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stages {
    /// Waiting for a writer, reader or hasher.
    pub queued: Duration,
    /// In statements of the database, those of the others of its batch included.
    pub executed: Duration,
    /// In a commit, which is when the disk is waited for.
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

    /// Both, one after the other.
    pub fn and(self, more: Self) -> Self {
        Self {
            queued: self.queued + more.queued,
            executed: self.executed + more.executed,
            committed: self.committed + more.committed,
            hashed: self.hashed + more.hashed,
        }
    }

    /// Of what this thread is telling the outcome of.
    pub fn current() -> Self {
        CURRENT.get()
    }

    /// Has `callback`, and what it hands on, know where the time went.
    pub fn tell<T>(self, callback: impl FnOnce() -> T) -> T {
        let _before = Restore(CURRENT.replace(self));
        callback()
    }
}

/// Puts back what was there, also when the callback panics.
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
    fn stages_are_known_inside_the_callback_only() {
        let stages = Stages { queued: Duration::from_secs(1), ..Stages::default() };
        let (inner, outer) =
            stages.tell(|| (Stages::default().tell(Stages::current), Stages::current()));
        assert_eq!((inner, outer), (Stages::default(), stages));
        assert_eq!(Stages::current(), Stages::default());
    }
}
