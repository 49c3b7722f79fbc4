//! Writing derived rows behind the message log, in sorted runs.
//!
//! Deliveries and keys are both derived from the message log. New rows wait in memory. Once there
//! are enough, they become a run. Each batch of messages writes a few rows of the run in its own
//! transaction, so no sender waits for a whole run. A run counts once its last row is committed. If
//! the server is killed before, the run begins anew from the message log.

use rusqlite::Connection;

use crate::model::MessageId;

/// The rows that are written for each message of a batch. At this pace, a run is finished well
/// before the next one is due.
const ROWS_PER_MESSAGE: usize = 2;
/// The rows that are written at a time while the writer is idle.
const IDLE_ROWS: usize = 2_048;

/// A sorted run of rows that are being written to a table.
pub(super) trait Run {
    /// The newest message in it.
    fn upto(&self) -> MessageId;

    /// Writes at most `rows` rows after the durable ones. Leaves out the rows of `deleted`
    /// messages.
    fn write(
        &mut self,
        connection: &Connection,
        rows: usize,
        deleted: &[MessageId],
    ) -> rusqlite::Result<Step>;

    /// Notes that this many more rows are durable.
    fn advance(&mut self, rows: usize);

    /// Makes the run count, after its last row was written.
    fn finish(&self, connection: &Connection) -> rusqlite::Result<()>;
}

/// The progress of one call of [`Run::write`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// How many rows are done, including deleted ones.
    pub(super) rows: usize,
    /// Whether there are no more rows.
    pub(super) is_last: bool,
}

/// Writes one run after another.
#[derive(Debug)]
pub(super) struct RunWriter<R> {
    /// The run that is being written, or the last one.
    run: Option<R>,
    is_written: bool,
    /// How many rows are due for the messages so far.
    owed_rows: usize,
    /// Rows are written only once this many are due. So most commits of a few messages touch no
    /// page of the table.
    owed_rows_min: usize,
    /// The effects of the open transaction: the rows that it wrote, and the message up to which the
    /// table is then complete.
    rows: usize,
    flushed_upto: Option<MessageId>,
}

impl<R: Run> RunWriter<R> {
    pub(super) fn new(owed_rows_min: usize) -> Self {
        let (owed_rows, rows, flushed_upto) = (0, 0, None);
        Self { run: None, is_written: true, owed_rows, owed_rows_min, rows, flushed_upto }
    }

    /// Begins to write a run.
    pub(super) fn begin(&mut self, run: R) {
        self.is_written = false;
        self.run = Some(run);
    }

    /// The run that is being written, or the last one.
    pub(super) fn run(&self) -> Option<&R> {
        self.run.as_ref()
    }

    /// [`Self::run`], for changes.
    pub(super) fn run_mut(&mut self) -> Option<&mut R> {
        self.run.as_mut()
    }

    /// Removes the run, finished or not.
    pub(super) fn take(&mut self) -> Option<R> {
        self.is_written = true;
        self.run.take()
    }

    /// Whether a run is being written.
    pub(super) fn is_writing(&self) -> bool {
        !self.is_written
    }

    /// Whether the open transaction finishes a run. After a rebuild, the table may already have the
    /// rows of the transaction's own messages.
    pub(super) fn has_flushed(&self) -> bool {
        self.flushed_upto.is_some()
    }

    /// Writes rows in the open transaction, in proportion to its messages.
    pub(super) fn keep_pace(
        &mut self,
        connection: &Connection,
        messages: usize,
        deleted: &[MessageId],
    ) -> rusqlite::Result<()> {
        self.owed_rows += messages * ROWS_PER_MESSAGE;
        let rows = self.owed_rows - self.owed_rows % self.owed_rows_min;
        self.owed_rows -= rows;
        if rows == 0 { Ok(()) } else { self.write(connection, rows, deleted) }
    }

    /// Writes rows in a transaction of its own, while the writer is idle.
    pub(super) fn write_while_idle(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.write(connection, IDLE_ROWS, &[])
    }

    /// Writes at most `rows` rows in the open transaction.
    pub(super) fn write(
        &mut self,
        connection: &Connection,
        rows: usize,
        deleted: &[MessageId],
    ) -> rusqlite::Result<()> {
        let Some(run) = self.run.as_mut().filter(|_| !self.is_written) else { return Ok(()) };
        let step = run.write(connection, rows, deleted)?;
        self.rows = step.rows;
        if step.is_last {
            run.finish(connection)?;
            self.flushed_upto = Some(run.upto());
        }
        Ok(())
    }

    /// Notes that the open transaction has rebuilt the whole table, up to this message.
    pub(super) fn rebuilt(&mut self, upto: MessageId) {
        self.flushed_upto = Some(upto);
    }

    /// Applies the effects of the open transaction, because it is durable now. Returns the message
    /// up to which the table is complete, if that has changed.
    pub(super) fn committed(&mut self) -> Option<MessageId> {
        let rows = std::mem::take(&mut self.rows);
        let flushed_upto = self.flushed_upto.take();
        if let Some(run) = &mut self.run {
            run.advance(rows);
        }
        self.is_written |= flushed_upto.is_some();
        flushed_upto
    }

    /// Discards the effects of the open transaction, because it was rolled back.
    pub(super) fn rolled_back(&mut self) {
        self.rows = 0;
        self.flushed_upto = None;
    }
}
