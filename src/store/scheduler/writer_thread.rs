//! The thread that commits what no worker commits.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};

use crate::store::scheduler::group_commit::{Commit, Expect, Flush, GroupCommit};

/// The maximum number of queued operations. One more is refused as busy.
pub(in crate::store) const WRITE_QUEUE_OPERATIONS_MAX: usize = 16_384;

/// A [`GroupCommit`] and its writer thread.
pub(in crate::store) struct WriterThread<C: Commit> {
    pub(in crate::store) group: Arc<GroupCommit<C>>,
    /// `unpark` wakes it, and costs nothing if it is awake.
    thread: Thread,
    join: Mutex<Option<JoinHandle<()>>>,
}

impl<C: Commit + 'static> WriterThread<C> {
    /// Starts the thread.
    pub(in crate::store) fn start(group: Arc<GroupCommit<C>>) -> io::Result<Self> {
        let committing = Arc::clone(&group);
        let join = thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || committing.guard(|| committing.run(thread::park_timeout)))?;
        let thread = join.thread().clone();
        Ok(Self { group, thread, join: Mutex::new(Some(join)) })
    }

    /// Queues an operation. Operations are executed in the order of the calls. Never blocks: if the
    /// queue is full, the operation is refused at once, on this thread.
    pub(in crate::store) fn push(&self, operation: C::Operation) {
        if self.group.submit(operation) {
            self.thread.unpark();
        }
    }

    /// See [`GroupCommit::collect_batch`].
    pub(in crate::store) fn collect_batch(&self, collect: impl FnOnce() -> Expect) -> Flush {
        self.group.collect_batch(collect, || self.thread.unpark())
    }

    /// How many operations wait, and how many may wait.
    pub(in crate::store) fn queue(&self) -> (usize, usize) {
        (self.group.waiting(), WRITE_QUEUE_OPERATIONS_MAX)
    }

    /// Refuses further operations, commits the queued ones, and closes the database. Blocks until
    /// that is done.
    pub(in crate::store) fn close(&self) {
        self.group.close();
        self.thread.unpark();
        let join = self.join.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(join) = join {
            // A panic of it has ended the process.
            let _ = join.join();
        }
    }
}
