//! The writer: executes the operations that change the database, many in one commit.

mod batches;
mod group;
mod operation;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::adjustable::Adjustable;
use crate::metrics::Stages;
use crate::store::OnFatal;
use crate::store::error::StoreError;
use crate::store::postgres::link::Link;
use crate::store::postgres::operation::Apply;
use crate::store::postgres::shared::Shared;
use crate::store::scheduler::group_commit::{self, GroupCommit};
use crate::store::scheduler::writer_thread::{WRITE_QUEUE_OPERATIONS_MAX, WriterThread};
use batches::Batches;
use operation::Pending;

/// The way to the writer.
pub(in crate::store) type Writer = WriterThread<Batches>;

impl Writer {
    /// Starts the writer thread on an open connection.
    pub(in crate::store) fn open(
        link: Link,
        shared: Arc<Shared>,
        inbox_unread_max: Adjustable<usize>,
        failover_wait: Duration,
        on_fatal: OnFatal,
    ) -> std::io::Result<Self> {
        let batches = Batches::new(link, shared, inbox_unread_max, failover_wait);
        Self::start(Arc::new(GroupCommit::new(WRITE_QUEUE_OPERATIONS_MAX, batches, on_fatal)))
    }

    /// Executes `write`, and calls `done` once when its outcome is durable. Never blocks: where too
    /// much is waiting, it calls `done` at once, on this thread.
    pub(in crate::store) fn submit<W: Apply>(
        &self,
        write: W,
        done: impl FnOnce(Result<W::Answer, StoreError>) + Send + 'static,
    ) {
        self.push(Box::new(Pending {
            submitted: Instant::now(),
            collected: group_commit::is_collecting(),
            before: Stages::current(),
            write,
            outcome: None,
            done,
        }));
    }
}
