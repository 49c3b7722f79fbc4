//! What waits for the writer: something to be done in a transaction, and who is told of it.

use std::time::Instant;

use crate::metrics::Stages;
use crate::store::error::StoreError;
use crate::store::scheduler::group_commit::Collected;
use crate::store::sqlite::operation::{Apply, Statements};
use crate::store::sqlite::write::context::WriteContext;

/// See the module.
pub(in crate::store) trait Operation: Send {
    fn statements(&self) -> Statements;
    /// How much text it stores.
    fn bytes(&self) -> usize;
    /// When it was asked for.
    fn submitted(&self) -> Instant;
    /// A worker has collected it, and sees to its commit.
    fn is_collected(&self) -> bool;
    /// Does it, inside the open transaction. `false` where it failed.
    fn apply(&mut self, context: &mut WriteContext<'_>) -> bool;
    /// Tells the outcome: of the operation where the commit went well, else of the commit. `spent`
    /// is where the time of this operation went in here.
    fn finish(self: Box<Self>, commit: Result<(), StoreError>, spent: Stages);
    /// What to say of an operation whose transaction cannot go on.
    fn error(&self) -> Option<&StoreError>;
    /// What is to be done with the file after the commit, before the operation is finished.
    fn maintenance(&self) -> Option<Maintenance> {
        None
    }
    /// That was done, wholly or not, or failed.
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

/// What is done with the whole file, outside of any transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Maintenance {
    /// Fold in the log and cut it to nothing; not whole where somebody reads it.
    EmptyWal,
    /// Write the file anew, without what is unused, and then empty the log. Takes as long as the
    /// file is large, and holds up everybody who writes.
    Vacuum,
}

/// Changes nothing but the file's form.
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

/// An operation that waits, and the callback for its outcome.
pub(in crate::store) struct Pending<W: Apply, D> {
    pub(in crate::store) bytes: usize,
    pub(in crate::store) submitted: Instant,
    pub(in crate::store) collected: bool,
    /// Where the time of its request went before.
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
        W::STATEMENTS
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
        stages.tell(|| done(outcome));
    }

    fn error(&self) -> Option<&StoreError> {
        self.outcome.as_ref().and_then(|outcome| outcome.as_ref().err())
    }
}
