//! The calls that run, and whether they shall end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rpc::Id;

/// How many calls can run at once.
pub const CALLS_MAX: usize = 16;

/// The calls that run.
#[derive(Debug, Default)]
pub struct Calls {
    running: Mutex<Vec<Call>>,
    threads: AtomicUsize,
    is_closing: Arc<AtomicBool>,
}

/// A call that runs.
#[derive(Debug, Clone)]
pub struct Call {
    id: Id,
    is_cancelled: Arc<AtomicBool>,
    is_closing: Arc<AtomicBool>,
}

impl Calls {
    /// Counts a thread. Returns `false` if there are too many.
    pub fn begin_thread(&self) -> bool {
        let more = |count| (count < CALLS_MAX).then_some(count + 1);
        self.threads.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// A thread has ended.
    pub fn end_thread(&self) {
        self.threads.fetch_sub(1, Ordering::Relaxed);
    }

    /// Begins a call, which can be cancelled from now on.
    pub fn begin(&self, id: &Id) -> Call {
        let is_closing = Arc::clone(&self.is_closing);
        let call = Call { id: id.clone(), is_cancelled: Arc::default(), is_closing };
        self.lock().push(call.clone());
        call
    }

    /// The call has ended.
    pub fn end(&self, call: &Call) {
        self.lock().retain(|other| !Arc::ptr_eq(&other.is_cancelled, &call.is_cancelled));
    }

    /// Cancels the calls with this id. One that has ended is none.
    pub fn cancel(&self, id: &Id) {
        for call in self.lock().iter().filter(|call| call.id == *id) {
            call.is_cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// No call waits any longer.
    pub fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// Whether the client wants no answer any more.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// Whether it shall wait no longer, and return what is there.
    pub fn is_last(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }
}
