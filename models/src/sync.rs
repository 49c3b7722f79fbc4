//! What `crate::sync` is here: loom's.

use std::time::Duration;

// Loom's own cannot be an `Arc<dyn Trait>`. That the last one frees is not what is modelled.
pub use std::sync::{Arc, LockResult, PoisonError};

pub use loom::sync::{Mutex, MutexGuard, atomic};

/// Loom's, with the one more way to wait that the queue uses.
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

    /// Waits as long as it takes, or not at all where the time is zero.
    pub fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, ())> {
        while !timeout.is_zero() && condition(&mut guard) {
            guard = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        Ok((guard, ()))
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
