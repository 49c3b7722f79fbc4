//! Operations in the queue of the writer, with their callbacks.

use std::time::Instant;

use crate::metrics::Stages;
use crate::store::error::StoreError;
use crate::store::scheduler::group_commit::Collected;
use crate::store::sqlite::operation::{Apply, Statements};
use crate::store::sqlite::write::context::WriteContext;

/// An operation of any kind.
pub(in crate::store) trait Operation: Send {
    fn statements(&self) -> Statements;
    /// The bytes of text that it stores.
    fn bytes(&self) -> usize;
    /// When it was submitted.
    fn submitted(&self) -> Instant;
    /// Whether a worker has collected it and will flush it.
    fn is_collected(&self) -> bool;
    /// Applies it in the open transaction. Returns whether it succeeded.
    fn apply(&mut self, context: &mut WriteContext<'_>) -> bool;
    /// Calls the callback: with the outcome of the operation if the commit succeeded, else with
    /// that of the commit. `spent` is the time in the store.
    fn finish(self: Box<Self>, commit: Result<(), StoreError>, spent: Stages);
    /// The error of an operation that failed.
    fn error(&self) -> Option<&StoreError>;
    /// Maintenance of the file after the commit, before the callback.
    fn maintenance(&self) -> Option<Maintenance> {
        None
    }
    /// Notes the outcome of the maintenance: complete, incomplete or failed.
    fn set_outcome(&mut self, _outcome: Result<bool, StoreError>) {}
}

/// An operation in the queue.
pub(in crate::store) type BoxedOperation = Box<dyn Operation>;

impl Collected for BoxedOperation {
    fn is_collected(&self) -> bool {
        Operation::is_collected(self.as_ref())
    }

    fn refuse(self, error: StoreError) {
        self.finish(Err(error), Stages::default());
    }
}

/// Maintenance of the whole file, outside of any transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Maintenance {
    /// Checkpoint the WAL and truncate it. Incomplete if a reader blocks that.
    EmptyWal,
    /// Rewrite the file without unused pages, then empty the WAL. Takes longer the larger the file
    /// is, and every writer waits.
    Vacuum,
}

/// Maintenance that waits in the queue.
pub(in crate::store) struct PendingMaintenance<D> {
    pub(in crate::store) maintenance: Maintenance,
    pub(in crate::store) submitted: Instant,
    pub(in crate::store) outcome: Result<bool, StoreError>,
    pub(in crate::store) done: D,
}

impl<D: FnOnce(Result<bool, StoreError>) + Send> Operation for PendingMaintenance<D> {
    fn statements(&self) -> Statements {
        Statements::One
    }

    fn bytes(&self) -> usize {
        0
    }

    fn submitted(&self) -> Instant {
        self.submitted
    }

    fn is_collected(&self) -> bool {
        false
    }

    fn apply(&mut self, _: &mut WriteContext<'_>) -> bool {
        true
    }

    fn finish(self: Box<Self>, commit: Result<(), StoreError>, _: Stages) {
        (self.done)(commit.and(self.outcome));
    }

    fn error(&self) -> Option<&StoreError> {
        None
    }

    fn maintenance(&self) -> Option<Maintenance> {
        Some(self.maintenance)
    }

    fn set_outcome(&mut self, outcome: Result<bool, StoreError>) {
        self.outcome = outcome;
    }
}

/// An operation that waits, with its callback.
pub(in crate::store) struct Pending<W: Apply, D> {
    pub(in crate::store) bytes: usize,
    pub(in crate::store) submitted: Instant,
    pub(in crate::store) collected: bool,
    /// The stages of its request before the store.
    pub(in crate::store) before: Stages,
    pub(in crate::store) write: Option<W>,
    pub(in crate::store) outcome: Option<Result<W::Answer, StoreError>>,
    pub(in crate::store) done: D,
}

impl<W, D> Operation for Pending<W, D>
where
    W: Apply,
    D: FnOnce(Result<W::Answer, StoreError>) + Send,
{
    fn statements(&self) -> Statements {
        self.write.as_ref().map_or(W::STATEMENTS, W::statements)
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn submitted(&self) -> Instant {
        self.submitted
    }

    fn is_collected(&self) -> bool {
        self.collected
    }

    fn apply(&mut self, context: &mut WriteContext<'_>) -> bool {
        let Some(write) = self.write.take() else { return false };
        let outcome = write.apply(context).map_err(StoreError::from);
        let applied = outcome.is_ok();
        self.outcome = Some(outcome);
        applied
    }

    fn finish(self: Box<Self>, commit: Result<(), StoreError>, spent: Stages) {
        let stages = self.before.and(spent);
        let outcome = match (commit, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(StoreError::Statement("the operation was not begun".to_owned())),
            (Err(error), _) => Err(error),
        };
        let done = self.done;
        stages.scope(|| done(outcome));
    }

    fn error(&self) -> Option<&StoreError> {
        self.outcome.as_ref().and_then(|outcome| outcome.as_ref().err())
    }
}
