//! Writing derived rows behind the message log, in sorted runs.
//!
//! Deliveries and keys are both derived from the message log. New rows wait in memory; when enough
//! of them wait, they become a run. The run is written a few rows with each batch of messages, in
//! the batch's transaction, so no sender waits for a whole run. A run counts once its last row is
//! committed; a server that is killed before begins the run anew from the message log.

use rusqlite::Connection;

use crate::model::MessageId;

/// How many rows are written for each message of a batch: a run is done well before the next one
/// is due.
const ROWS_PER_MESSAGE: usize = 2;
/// How many rows are written at a time where the writer is idle.
const IDLE_ROWS: usize = 2_048;

/// Rows in the order of their table.
pub(super) trait Run {
    /// The newest message in it.
    fn upto(&self) -> MessageId;

    /// Writes at most `rows` rows after those that are durable. Rows of `removed` messages are
    /// left out.
    fn write(
        &mut self,
        connection: &Connection,
        rows: usize,
        removed: &[MessageId],
    ) -> rusqlite::Result<Step>;

    /// So many more rows are durable.
    fn advance(&mut self, rows: usize);

    /// Makes the run count: all its rows are written.
    fn finish(&self, connection: &Connection) -> rusqlite::Result<()>;
}

/// What a call of [`Run::write`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// How many rows it went on by.
    pub(super) rows: usize,
    /// There are no more rows.
    pub(super) is_last: bool,
}

/// Writes one run after another.
#[derive(Debug)]
pub(super) struct RunWriter<R> {
    /// The run that is being written, or the last one.
    run: Option<R>,
    is_written: bool,
    /// How many rows the messages so far ask for.
    owed_rows: usize,
    /// How many rows are owed before any is written: a commit of a few messages mostly touches no
    /// page of the run.
    owed_rows_min: usize,
    /// What the open transaction has done: how many rows it wrote, and up to which message the
    /// table is whole with it.
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

    /// [`Self::run`], to change it.
    pub(super) fn run_mut(&mut self) -> Option<&mut R> {
        self.run.as_mut()
    }

    /// Lets go of the run, written or not.
    pub(super) fn take(&mut self) -> Option<R> {
        self.is_written = true;
        self.run.take()
    }

    /// Whether a run is being written.
    pub(super) fn is_writing(&self) -> bool {
        !self.is_written
    }

    /// Whether the open transaction has flushed all there was: the rows of its own messages may be
    /// in the table already.
    pub(super) fn has_flushed(&self) -> bool {
        self.flushed_upto.is_some()
    }

    /// Writes as many rows in the open transaction as its messages ask for.
    pub(super) fn keep_pace(
        &mut self,
        connection: &Connection,
        messages: usize,
        removed: &[MessageId],
    ) -> rusqlite::Result<()> {
        self.owed_rows += messages * ROWS_PER_MESSAGE;
        let rows = self.owed_rows - self.owed_rows % self.owed_rows_min;
        self.owed_rows -= rows;
        if rows == 0 { Ok(()) } else { self.write(connection, rows, removed) }
    }

    /// Writes rows in a transaction of its own, where the writer is idle.
    pub(super) fn go_on(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.write(connection, IDLE_ROWS, &[])
    }

    /// Writes at most so many rows in the open transaction.
    pub(super) fn write(
        &mut self,
        connection: &Connection,
        rows: usize,
        removed: &[MessageId],
    ) -> rusqlite::Result<()> {
        let Some(run) = self.run.as_mut().filter(|_| !self.is_written) else { return Ok(()) };
        let step = run.write(connection, rows, removed)?;
        self.rows = step.rows;
        if step.is_last {
            run.finish(connection)?;
            self.flushed_upto = Some(run.upto());
        }
        Ok(())
    }

    /// The open transaction has made the whole table anew, up to this message.
    pub(super) fn rebuilt(&mut self, upto: MessageId) {
        self.flushed_upto = Some(upto);
    }

    /// The transaction is durable. Tells up to which message the table is whole, if that changed.
    pub(super) fn committed(&mut self) -> Option<MessageId> {
        let rows = std::mem::take(&mut self.rows);
        let flushed_upto = self.flushed_upto.take();
        if let Some(run) = &mut self.run {
            run.advance(rows);
        }
        self.is_written |= flushed_upto.is_some();
        flushed_upto
    }

    /// The transaction was undone.
    pub(super) fn rolled_back(&mut self) {
        self.rows = 0;
        self.flushed_upto = None;
    }
}
