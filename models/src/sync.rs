//! `crate::sync` of the models: loom's primitives.

// Loom's `Arc` cannot hold a trait object. The models do not depend on when the last `Arc` is
// freed.
pub use std::sync::{Arc, LockResult, PoisonError, TryLockError};

pub use loom::sync::{Mutex, MutexGuard, atomic};

/// Loom's condition variable, with the `Debug` implementation that the queue needs.
#[derive(Debug)]
pub struct Condvar(loom::sync::Condvar);

impl Condvar {
    #[allow(clippy::new_without_default, reason = "as loom's")]
    pub fn new() -> Self {
        Self(loom::sync::Condvar::new())
    }

    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait(guard)
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
