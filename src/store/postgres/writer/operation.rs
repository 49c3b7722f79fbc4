//! Operations in the queue of the writer, with their callbacks.

use std::time::Instant;

use crate::metrics::Stages;
use crate::store::error::StoreError;
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::{Apply, Change, Grouped, PartAnswer, WriteContext};
use crate::store::scheduler::group_commit::Collected;

/// An operation of any kind.
pub(in crate::store) trait Operation: Send {
    /// How much text it stores.
    fn bytes(&self) -> usize;
    /// When it was submitted.
    fn submitted(&self) -> Instant;
    /// A worker has collected it, and sees to its commit.
    fn is_collected(&self) -> bool;
    /// What it has in common with its neighbours.
    fn grouped(&self) -> Grouped<'_>;
    /// Notes the answer to the grouped part.
    fn set_answer(&mut self, part: PartAnswer);
    /// Notes why it was not executed.
    fn set_error(&mut self, error: StoreError);
    /// Executes an operation that is one call, and notes its answer. `None` for any other.
    fn call(&mut self, context: &mut WriteContext<'_>) -> Option<Result<Option<Change>>>;
    /// Executes an operation in an open transaction, and notes its answer.
    fn apply(&mut self, context: &mut WriteContext<'_>) -> Result<()>;
    /// Calls the callback. `spent` is the time in the store.
    fn finish(self: Box<Self>, spent: Stages);
}

/// An operation in the queue.
pub(in crate::store) type BoxedOperation = Box<dyn Operation>;

impl Collected for BoxedOperation {
    fn is_collected(&self) -> bool {
        Operation::is_collected(self.as_ref())
    }

    fn refuse(mut self, error: StoreError) {
        self.set_error(error);
        self.finish(Stages::default());
    }
}

/// An operation that waits, with its callback.
pub(in crate::store) struct Pending<W: Apply, D> {
    pub(in crate::store) submitted: Instant,
    pub(in crate::store) collected: bool,
    /// Where the time of its request went before the store.
    pub(in crate::store) before: Stages,
    pub(in crate::store) write: W,
    pub(in crate::store) outcome: Option<std::result::Result<W::Answer, StoreError>>,
    pub(in crate::store) done: D,
}

impl<W, D> Operation for Pending<W, D>
where
    W: Apply,
    D: FnOnce(std::result::Result<W::Answer, StoreError>) + Send,
{
    fn bytes(&self) -> usize {
        self.write.text_bytes()
    }

    fn submitted(&self) -> Instant {
        self.submitted
    }

    fn is_collected(&self) -> bool {
        self.collected
    }

    fn grouped(&self) -> Grouped<'_> {
        self.write.grouped()
    }

    fn set_answer(&mut self, part: PartAnswer) {
        self.outcome = self.write.answer(part).map(Ok);
    }

    fn set_error(&mut self, error: StoreError) {
        self.outcome = Some(Err(error));
    }

    fn call(&mut self, context: &mut WriteContext<'_>) -> Option<Result<Option<Change>>> {
        let called = self.write.call(context)?;
        Some(called.map(|(answer, change)| {
            self.outcome = Some(Ok(answer));
            change
        }))
    }

    fn apply(&mut self, context: &mut WriteContext<'_>) -> Result<()> {
        self.outcome = Some(Ok(self.write.apply(context)?));
        Ok(())
    }

    fn finish(self: Box<Self>, spent: Stages) {
        let stages = self.before.and(spent);
        let outcome = self.outcome.unwrap_or_else(|| {
            Err(StoreError::Statement("the operation was not executed".to_owned()))
        });
        let done = self.done;
        stages.scope(|| done(outcome));
    }
}
