//! The writer: executes the operations that change the database, many in one commit.

mod batches;
mod group;
mod operation;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::adjustable::Adjustable;
use crate::metrics::Stages;
use crate::store::OnFatal;
use crate::store::error::StoreError;
use crate::store::postgres::link::Link;
use crate::store::postgres::operation::Apply;
use crate::store::postgres::shared::Shared;
use crate::store::scheduler::group_commit::{self, Expect, Flush, GroupCommit};
use batches::Batches;
use operation::Pending;

/// The most operations that may wait for the writer; one more is refused as busy.
pub(in crate::store) const WRITE_QUEUE_OPERATIONS_MAX: usize = 16_384;

/// The way to the writer.
pub(in crate::store) struct Writer {
    group: Arc<GroupCommit<Batches>>,
    /// Woken with `unpark`, which costs nothing where it is awake.
    thread: Thread,
    join: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the writer thread on an open connection.
    pub(in crate::store) fn start(
        link: Link,
        shared: Arc<Shared>,
        inbox_unread_max: Adjustable<usize>,
        failover_wait: Duration,
        on_fatal: OnFatal,
    ) -> std::io::Result<Self> {
        let batches = Batches::new(link, shared, inbox_unread_max, failover_wait);
        let group = Arc::new(GroupCommit::new(WRITE_QUEUE_OPERATIONS_MAX, batches, on_fatal));
        let committing = Arc::clone(&group);
        let join = thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || committing.guard(|| committing.run(thread::park_timeout)))?;
        let thread = join.thread().clone();
        Ok(Self { group, thread, join: Mutex::new(Some(join)) })
    }

    /// Executes `write`, and calls `done` once when its outcome is durable. Never blocks: where too
    /// much is waiting, it calls `done` at once, on this thread.
    pub(in crate::store) fn submit<W: Apply>(
        &self,
        write: W,
        done: impl FnOnce(Result<W::Answer, StoreError>) + Send + 'static,
    ) {
        let operation = Box::new(Pending {
            submitted: Instant::now(),
            collected: group_commit::is_collecting(),
            before: Stages::current(),
            write,
            outcome: None,
            done,
        });
        if self.group.submit(operation) {
            self.thread.unpark();
        }
    }

    /// See [`GroupCommit::collect_batch`].
    pub(in crate::store) fn collect_batch(&self, collect: impl FnOnce() -> Expect) -> Flush {
        self.group.collect_batch(collect, || self.thread.unpark())
    }

    /// How many operations wait.
    pub(in crate::store) fn waiting(&self) -> usize {
        self.group.waiting()
    }

    /// Finishes the waiting operations and accepts no more. Blocks until then.
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
