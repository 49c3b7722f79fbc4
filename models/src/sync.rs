//! What `crate::sync` is here: loom's.

// Loom's own cannot be an `Arc<dyn Trait>`. That the last one frees is not what is modelled.
pub use std::sync::{Arc, LockResult, PoisonError};

pub use loom::sync::{Mutex, MutexGuard, atomic};

/// Loom's, as the queue makes and prints it.
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
