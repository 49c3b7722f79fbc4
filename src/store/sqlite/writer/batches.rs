//! Batches: the queued operations are done in one transaction, and answered when it is durable.
//!
//! An operation that fails fails alone. A commit that fails fails the whole batch. Where the
//! outcome of a commit is unknown, nothing more is answered: the process ends.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::adjustable::Adjustable;
use crate::metrics::Stages;
use crate::queue::Queue;
use crate::store::metrics::{CheckpointMode, Metrics, Rollback};
use crate::store::scheduler::group_commit::{Commit, IDLE_DELAY, Remaining, Turn};
use crate::store::sqlite::connection::LOCK_WAIT;
use crate::store::sqlite::file_guard::Identity;
use crate::store::sqlite::file_room::FileRoom;
use crate::store::sqlite::operation::Statements;
use crate::store::sqlite::projection::deliveries::Deliveries;
use crate::store::sqlite::projection::keys::Keys;
use crate::store::sqlite::stamp;
use crate::store::sqlite::write::context::{WriteContext, WriterCache};
use crate::store::sqlite::write::pending_inserts::PendingInserts;
use crate::store::sqlite::writer::checkpoint;
use crate::store::sqlite::writer::operation::{BoxedOperation, Maintenance, Operation};
use crate::store::{OnFatal, StoreError};
use crate::wake;

/// The most operations of one transaction. Bounds how long an answer waits for its neighbours.
const BATCH_OPERATIONS_MAX: usize = 4_096;
/// The most text of one transaction, in bytes; one operation is always done.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Above this many WAL pages the WAL is checkpointed while other threads commit: 16 MiB, which
/// leaves room for a batch below the size limit of the WAL. The disk is busy for some ten
/// milliseconds meanwhile, and commits wait longer. More pages make that longer; fewer make it more
/// frequent.
const CHECKPOINT_PAGES: i32 = 4_096;
/// The same where batches are small: as many pages as the WAL has room for from the start. A lone
/// commit waits for little but its fsync, which takes much less where the file does not become
/// longer. A checkpoint of so few pages takes less than a millisecond.
const SMALL_CHECKPOINT_PAGES: i32 = checkpoint::RESERVED_PAGES;
/// The same where the disk is nearly full. The rest of the room that the WAL has from the start is
/// left for one more transaction.
const SCARCE_CHECKPOINT_PAGES: i32 = checkpoint::RESERVED_PAGES / 4;
/// Above this many WAL pages the checkpointer thread takes over; checkpointing inline would delay
/// senders. Small batches reach it where a reader of the file blocks checkpoints for a while.
const LONG_PAGES: i32 = 2 * SMALL_CHECKPOINT_PAGES;
/// How long the writer is idle before it compacts runs of deliveries.
const COMPACTION_DELAY: Duration = Duration::from_millis(50);
/// A batch of at most this many operations is small.
const SMALL_BATCH_OPERATIONS: usize = 16;
/// How many more pages the WAL must have before the next try, where a reader blocked a checkpoint.
/// A try costs more the longer the WAL is.
const RETRY_PAGES: i32 = CHECKPOINT_PAGES / 4 * 3;
/// Above this many WAL pages a reader that blocks checkpoints is logged. Short reads are not worth
/// a line.
const WARNING_PAGES: i32 = 4 * CHECKPOINT_PAGES;
/// How often such a line may be logged.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// After a commit that took longer than this, a worker leaves the next one to the writer thread.
const SHORT_COMMIT: Duration = Duration::from_millis(5);

/// The only connection that writes, with its state.
pub(in crate::store) struct Batches {
    connection: Connection,
    identity: Identity,
    room: FileRoom,
    cache: WriterCache,
    deliveries: Deliveries,
    keys: Keys,
    pending_inserts: PendingInserts,
    inbox_unread_max: Adjustable<usize>,
    /// The value of `inbox_unread_max` when the cached unread messages were counted.
    counted_to: usize,
    metrics: Arc<Metrics>,
    on_fatal: OnFatal,
    /// How long a transaction waits for a foreign lock now.
    lock_wait: Duration,
    /// The current batch. It is empty between batches and keeps its allocation.
    batch: Vec<Box<dyn Operation>>,
    /// How many pages the WAL had after the last commit, and how many of them are checkpointed.
    wal_pages: i32,
    checkpointed_pages: i32,
    /// How many pages the WAL must have before the next try, where a reader blocked a checkpoint.
    retry_at: i32,
    /// When a reader that blocks checkpoints was last logged.
    warned: Option<Instant>,
    /// How many operations the last batch had, and how long its commit took.
    last_operations: usize,
    last_commit: Duration,
    /// When the last batch ended.
    worked: Instant,
    /// Asks the checkpointer thread to checkpoint a long WAL.
    checkpointer: Option<Sender<()>>,
    /// The checkpointer thread, to be joined at the end.
    checkpointer_thread: Option<JoinHandle<()>>,
    /// The checkpointer thread was asked and is not done.
    is_checkpointing: bool,
    /// The WAL has to be emptied; a reader blocked that.
    must_empty_wal: bool,
    /// Whether this transaction has renewed the stamp, and whether the next one that writes must:
    /// another process has checkpointed the WAL, so a generation began without a stamp.
    is_stamped: bool,
    must_stamp: bool,
    /// The WAL was truncated to nothing, and has no reserved room.
    must_reserve_wal: bool,
    /// The disk is full: the WAL is checkpointed at once, so that its room can be used again.
    must_checkpoint: bool,
    /// The disk is nearly full: the WAL may not grow, and is checkpointed early.
    is_scarce: bool,
    /// This transaction did more than append messages: it may have made the database longer by any
    /// number of pages.
    may_grow_much: bool,
    /// How many rows the connection had changed before this transaction.
    changes_before: u64,
}

/// What a batch has cost so far.
struct Spent {
    taken: Instant,
    executed: Duration,
    committed: Duration,
}

impl Commit for Batches {
    type Operation = BoxedOperation;

    /// Commits one batch of the operations that this turn may take, and answers each in order. The
    /// writer thread also does a checkpoint that is due.
    fn commit(&mut self, queue: &Queue<BoxedOperation>, turn: Turn) -> Remaining {
        let may_do =
            |place: u64, operation: &dyn Operation| turn.takes(place, operation.is_collected());
        let lock_wait = if turn == Turn::Worker { Duration::ZERO } else { LOCK_WAIT };
        if queue.next_is(|place, operation| may_do(place, operation.as_ref())) {
            let mut spent = Spent {
                taken: Instant::now(),
                executed: Duration::ZERO,
                committed: Duration::ZERO,
            };
            let begun = self.begin(lock_wait);
            if begun == Err(StoreError::Busy) && turn == Turn::Worker {
                return Remaining::Work;
            }
            let (mut operations, mut bytes) = (0, 0);
            let mut batch = std::mem::take(&mut self.batch);
            queue.take_while(&mut batch, |before, operation| {
                bytes += operation.bytes();
                operations += 1;
                let fits = operations <= BATCH_OPERATIONS_MAX && bytes <= BATCH_BYTES_MAX;
                may_do(before, operation.as_ref()) && (fits || operations == 1)
            });
            self.last_operations = batch.len();
            let committed = begun.and_then(|()| self.execute(&mut batch, &mut spent));
            self.conclude(&mut batch, committed, &spent);
            self.batch = batch;
        }
        let mut is_due = self.checkpoint_is_due();
        if is_due && self.pages_to_checkpoint() >= LONG_PAGES {
            self.is_checkpointing = self
                .checkpointer
                .as_ref()
                .is_some_and(|checkpointer| checkpointer.send(()).is_ok());
            is_due = !self.is_checkpointing;
        }
        let has_more = match turn {
            Turn::WriterThread { .. } => {
                if is_due {
                    self.checkpoint_passively();
                }
                queue.next_is(|before, operation| may_do(before, operation.as_ref()))
            }
            Turn::Worker => is_due || !queue.is_empty(),
        };
        if has_more { Remaining::Work } else { Remaining::Nothing }
    }

    /// A worker does not wait for a disk that is slow.
    fn is_quick(&self) -> bool {
        self.last_commit <= SHORT_COMMIT
    }

    /// After a while without operations, one step a call: writes derived rows, then compacts runs,
    /// then checkpoints the WAL.
    fn idle_step(&mut self) -> Remaining {
        let rested = self.worked.elapsed();
        if rested >= IDLE_DELAY
            && self.deliveries.is_writing_run()
            && self.write_while_idle().is_ok()
        {
            return Remaining::Work;
        }
        if rested >= COMPACTION_DELAY && self.may_compact() {
            if self.pages_to_checkpoint() >= SMALL_CHECKPOINT_PAGES {
                self.checkpoint_passively();
            } else if let Err(error) =
                self.derive(|batches| batches.deliveries.compact(&batches.connection))
            {
                if error != StoreError::Busy {
                    tracing::warn!(%error, "the runs of deliveries are not compacted for now");
                }
                self.deliveries.postpone_compaction();
            }
            return Remaining::Work;
        }
        if rested < IDLE_DELAY {
            return Remaining::Nothing;
        }
        if self.must_empty_wal {
            self.empty_wal();
        } else if self.wal_pages > self.checkpointed_pages {
            self.checkpoint(CheckpointMode::Passive);
        }
        Remaining::Nothing
    }

    /// How long [`Self::idle_step`] has nothing to do.
    fn idle_delay(&self) -> Duration {
        if self.may_compact() { COMPACTION_DELAY } else { IDLE_DELAY }
    }

    /// Writes the derived rows, checkpoints the WAL and closes the file.
    fn close(mut self) {
        // The thread may be waiting for the lock, which this thread has released.
        self.checkpointer = None;
        if let Some(checkpointer_thread) = self.checkpointer_thread.take() {
            // A panic of it has ended the process.
            let _ = checkpointer_thread.join();
        }
        let begun = self.deliveries.begin_last_run(&self.connection);
        let mut filled = begun.map_err(StoreError::from);
        while filled.is_ok() && self.deliveries.is_writing_run() {
            filled = self.write_while_idle();
        }
        while filled.is_ok() && self.keys.begin_last_run() {
            filled = self.derive(|batches| batches.keys.write_while_idle(&batches.connection));
        }
        if let Err(error) = filled {
            tracing::warn!(%error, "deliveries or keys were not written; the next start reads the message log");
        }
        let is_complete = self.checkpoint(CheckpointMode::Truncate);
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the database was not closed cleanly; nothing is lost");
        }
        if is_complete {
            self.room.give_back();
        }
    }
}

impl Batches {
    pub(in crate::store) fn new(
        connection: Connection,
        (identity, room): (Identity, FileRoom),
        (deliveries, keys): (Deliveries, Keys),
        inbox_unread_max: Adjustable<usize>,
        metrics: Arc<Metrics>,
        checkpointer: Sender<()>,
        on_fatal: OnFatal,
    ) -> Self {
        connection.set_prepared_statement_cache_capacity(64);
        checkpoint::count_pages(&connection);
        let is_scarce = room.is_scarce();
        Self {
            connection,
            identity,
            room,
            cache: WriterCache::default(),
            deliveries,
            keys,
            pending_inserts: PendingInserts::default(),
            counted_to: inbox_unread_max.get(),
            inbox_unread_max,
            metrics,
            on_fatal,
            lock_wait: LOCK_WAIT,
            batch: Vec::new(),
            wal_pages: 0,
            checkpointed_pages: 0,
            retry_at: 0,
            warned: None,
            last_operations: 0,
            last_commit: Duration::ZERO,
            worked: Instant::now(),
            checkpointer: Some(checkpointer),
            checkpointer_thread: None,
            is_checkpointing: false,
            must_empty_wal: false,
            is_stamped: false,
            must_stamp: false,
            must_reserve_wal: false,
            must_checkpoint: false,
            is_scarce,
            may_grow_much: false,
            changes_before: 0,
        }
    }

    /// Has [`Commit::close`] join this thread.
    pub(in crate::store) fn own_checkpointer(&mut self, thread: JoinHandle<()>) {
        self.checkpointer_thread = Some(thread);
    }

    /// Checkpoints the pages that were written while the checkpointer thread worked.
    pub(in crate::store) fn checkpoint_rest(&mut self, ahead: Result<(), StoreError>) {
        self.is_checkpointing = false;
        self.is_complete(ahead.map(|()| true));
        self.checkpoint_passively();
        if self.must_empty_wal {
            self.empty_wal();
        }
    }

    /// Checkpoints the WAL, and logs a reader that blocks it.
    fn checkpoint_passively(&mut self) {
        if !self.checkpoint(CheckpointMode::Passive) {
            self.warn_of_reader();
        }
    }

    fn checkpoint_is_due(&self) -> bool {
        let is_small = self.last_operations <= SMALL_BATCH_OPERATIONS;
        let enough = match (self.is_scarce, is_small) {
            (true, _) => SCARCE_CHECKPOINT_PAGES,
            (false, true) => SMALL_CHECKPOINT_PAGES,
            (false, false) => CHECKPOINT_PAGES,
        };
        let is_long = self.pages_to_checkpoint() >= enough && self.wal_pages >= self.retry_at;
        let is_owed = self.must_checkpoint && self.pages_to_checkpoint() > 0;
        !self.is_checkpointing && (is_long || is_owed)
    }

    /// Whether runs may be compacted. A compaction writes to the WAL, so it waits while the WAL is
    /// long or a reader blocks checkpoints. It also waits for the checkpointer thread, which could
    /// not get the lock.
    fn may_compact(&self) -> bool {
        let is_short = match self.pages_to_checkpoint() {
            ..SMALL_CHECKPOINT_PAGES => true,
            pages_to_checkpoint => {
                pages_to_checkpoint < LONG_PAGES && self.wal_pages >= self.retry_at
            }
        };
        self.deliveries.needs_compaction() && !self.is_checkpointing && is_short
    }

    /// How many pages of the WAL are not checkpointed.
    fn pages_to_checkpoint(&self) -> i32 {
        self.wal_pages - self.checkpointed_pages
    }

    /// Writes more rows of the current run of deliveries.
    fn write_while_idle(&mut self) -> Result<(), StoreError> {
        self.derive(|batches| batches.deliveries.write_while_idle(&batches.connection))
    }

    /// A transaction that writes derived rows only.
    fn derive(&mut self, write: fn(&mut Self) -> rusqlite::Result<()>) -> Result<(), StoreError> {
        let begun = self.begin(Duration::ZERO);
        let written = begun.and_then(|()| Ok(write(self)?));
        self.may_grow_much = true;
        let is_committing = written.is_ok();
        let committed = written.and_then(|()| self.commit_transaction());
        let derived = self.after(committed);
        // An error before the commit is rolled back; the rows can be derived again.
        if let Err(StoreError::Fatal(problem)) = &derived
            && is_committing
        {
            self.fail(problem);
        }
        derived
    }

    fn begin(&mut self, lock_wait: Duration) -> Result<(), StoreError> {
        if lock_wait != self.lock_wait {
            self.connection.busy_timeout(lock_wait)?;
            self.lock_wait = lock_wait;
        }
        self.run_statement("BEGIN IMMEDIATE")?;
        let wal_pages = self.wal_pages.unsigned_abs().into();
        if self.identity.reserve_index(wal_pages, 0).is_err() {
            let _ = self.run_statement("ROLLBACK");
            return Err(StoreError::Full);
        }
        self.identity.look();
        if std::mem::take(&mut self.must_reserve_wal) {
            // Without room now, the WAL grows by what is written to it.
            let _ = checkpoint::reserve_wal(self.identity.log_path());
        }
        (self.is_stamped, self.may_grow_much) = (false, false);
        self.changes_before = self.connection.total_changes();
        Ok(())
    }

    /// Reserves room in the WAL index for a transaction that writes each page of the file.
    fn reserve_index_for_file(&mut self) -> Result<(), StoreError> {
        let pages = self.page_count()?;
        let wal_pages = self.wal_pages.unsigned_abs().into();
        self.identity.reserve_index(wal_pages, 2 * pages).map_err(|_| StoreError::Full)
    }

    /// Commits. The first transaction of each WAL generation renews the stamp
    /// (`store::sqlite::opening`). A transaction that wrote nothing begins no generation.
    fn commit_transaction(&mut self) -> Result<(), StoreError> {
        let begins_log = self.pages_to_checkpoint() == 0 || self.must_stamp;
        if begins_log && self.connection.total_changes() != self.changes_before {
            stamp::renew(&self.connection)?;
            self.is_stamped = true;
        }
        if self.may_grow_much || self.room.is_short() {
            self.reserve_room()?;
        }
        self.run_statement("COMMIT")
    }

    /// Reserves the room on the disk that the file needs after this transaction.
    fn reserve_room(&mut self) -> Result<(), StoreError> {
        let pages = self.page_count()?;
        self.room.reserve(pages).map_err(|_| StoreError::Full)
    }

    fn page_count(&self) -> Result<u64, StoreError> {
        let pages: u32 =
            self.connection.prepare_cached("PRAGMA page_count")?.query_row([], |row| row.get(0))?;
        Ok(pages.into())
    }

    /// Applies the whole batch in the open transaction and commits it.
    fn execute(
        &mut self,
        batch: &mut [Box<dyn Operation>],
        spent: &mut Spent,
    ) -> Result<(), StoreError> {
        let inbox_unread_max = self.inbox_unread_max.get();
        if inbox_unread_max != self.counted_to {
            // A count stops at the limit, so a count up to a lower limit may be too low.
            self.cache.must_count_all();
            self.counted_to = inbox_unread_max;
        }
        let applied = batch.iter_mut().try_for_each(|operation| self.apply(operation.as_mut()));
        let written = applied.and_then(|()| Ok(self.pending_inserts.write(&self.connection)?));
        let executed = written.and_then(|()| Ok(self.keep_pace()?));
        let committing = Instant::now();
        spent.executed = committing - spent.taken;
        let committed = executed.and_then(|()| self.commit_transaction());
        let ended = Instant::now();
        spent.committed = ended - committing;
        self.last_commit = spent.committed;
        if committed.is_ok() {
            self.metrics.note_commit(ended);
        }
        self.after(committed)
    }

    /// Writes as many derived rows as the messages of this transaction ask for.
    fn keep_pace(&mut self) -> rusqlite::Result<()> {
        self.deliveries.keep_pace(&self.connection)?;
        self.keys.keep_pace(&self.connection, self.deliveries.appended())
    }

    /// Updates the state after a transaction that was committed or rolled back.
    fn after(&mut self, committed: Result<(), StoreError>) -> Result<(), StoreError> {
        match &committed {
            Ok(()) => {
                self.deliveries.committed();
                self.keys.committed();
                let pages = checkpoint::pages();
                self.note_wal_pages(pages);
                let is_intact = self.identity.check(pages.map(|pages| pages.unsigned_abs().into()));
                let is_new = is_intact.map_err(|problem| StoreError::Fatal(problem.to_owned()))?;
                self.must_stamp = !self.is_stamped && (is_new || self.must_stamp);
                if self.must_stamp {
                    // Another process has checkpointed the WAL and may have shortened the file.
                    self.room.forget();
                }
            }
            Err(error) => {
                if *error == StoreError::Full {
                    (self.must_checkpoint, self.is_scarce) = (true, true);
                }
                self.deliveries.rolled_back();
                self.keys.rolled_back();
                self.pending_inserts.clear();
                if !self.connection.is_autocommit() {
                    let _ = self.run_statement("ROLLBACK");
                }
            }
        }
        committed
    }

    /// Notes how many pages the WAL has after a commit that wrote to it.
    fn note_wal_pages(&mut self, pages: Option<i32>) {
        let Some(pages) = pages else { return };
        if pages <= self.wal_pages {
            // A new generation began.
            (self.checkpointed_pages, self.retry_at) = (0, 0);
            self.room.note_written(pages.unsigned_abs().into());
        } else {
            self.room.note_written((pages - self.wal_pages).unsigned_abs().into());
        }
        self.wal_pages = pages;
    }

    /// Answers each operation of a batch, and empties it.
    fn conclude(
        &mut self,
        batch: &mut Vec<Box<dyn Operation>>,
        committed: Result<(), StoreError>,
        spent: &Spent,
    ) {
        self.count(batch.len(), &committed, spent);
        if committed.is_err() {
            self.cache.clear();
        }
        if let Err(StoreError::Fatal(problem)) = &committed {
            self.fail(problem);
        }
        for operation in batch.iter_mut().filter(|_| committed.is_ok()) {
            if let Some(maintenance) = operation.maintenance() {
                operation.set_outcome(self.maintain(maintenance));
            }
        }
        wake::together(|| {
            for operation in batch.drain(..) {
                let queued = spent.taken.saturating_duration_since(operation.submitted());
                self.metrics.write_queue.observe_time(queued);
                let &Spent { executed, committed: in_commit, .. } = spent;
                let stages = Stages { queued, executed, committed: in_commit, ..Stages::default() };
                operation.finish(committed.clone(), stages);
            }
        });
        self.worked = Instant::now();
    }

    fn count(&self, operations: usize, committed: &Result<(), StoreError>, spent: &Spent) {
        let metrics = &self.metrics;
        metrics.batch.observe(operations as u64);
        metrics.execute.observe_time(spent.executed);
        metrics.wal_pages.set(i64::from(self.wal_pages - self.checkpointed_pages));
        let reason = match committed {
            Ok(()) => return metrics.commit.observe_time(spent.committed),
            Err(StoreError::Busy) => Rollback::Busy,
            Err(StoreError::Full) => Rollback::Full,
            Err(_) => Rollback::Failed,
        };
        metrics.rollbacks[reason as usize].increment();
    }

    /// Rolls back an operation that fails, alone. An error means that the whole transaction cannot
    /// go on.
    fn apply(&mut self, operation: &mut dyn Operation) -> Result<(), StoreError> {
        let several = matches!(operation.statements(), Statements::Several | Statements::Whole);
        self.may_grow_much |= several;
        if operation.statements() == Statements::Whole {
            self.reserve_index_for_file()?;
        }
        if operation.statements() != Statements::Later {
            self.pending_inserts.write(&self.connection)?;
        }
        if several {
            self.run_statement("SAVEPOINT operation")?;
        }
        let savepoints = (self.deliveries.savepoint(), self.keys.savepoint());
        let mut context = WriteContext {
            connection: &self.connection,
            cache: &mut self.cache,
            deliveries: &mut self.deliveries,
            keys: &mut self.keys,
            pending_inserts: &mut self.pending_inserts,
            inbox_unread_max: self.counted_to,
        };
        let applied = operation.apply(&mut context);
        if !applied {
            self.deliveries.roll_back_to(savepoints.0);
            self.keys.roll_back_to(savepoints.1);
            match operation.error() {
                Some(StoreError::Statement(error)) => tracing::error!(error, "a write failed"),
                Some(error) => return Err(error.clone()),
                None => {}
            }
            if self.connection.is_autocommit() {
                return Err(StoreError::Statement("the transaction was taken back".to_owned()));
            }
            // The forgotten values are read from the file, so pending rows must be in it. This must
            // come after the check above: without a transaction the rows would be committed at
            // once.
            self.pending_inserts.write(&self.connection)?;
            self.cache.clear();
        }
        match (several, applied) {
            (false, _) => Ok(()),
            (true, true) => self.run_statement("RELEASE operation"),
            (true, false) => {
                self.run_statement("ROLLBACK TO operation")?;
                self.run_statement("RELEASE operation")
            }
        }
    }

    fn run_statement(&self, sql: &'static str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn maintain(&mut self, maintenance: Maintenance) -> Result<bool, StoreError> {
        if maintenance == Maintenance::Vacuum {
            self.reserve_index_for_file()?;
            // The temporary copy is a file: it is as large as the database.
            let compacted = self.connection.execute_batch("PRAGMA temp_store = FILE; VACUUM");
            let _ = self.connection.execute_batch("PRAGMA temp_store = MEMORY");
            // `VACUUM` commits. Its page count is taken here, or the next batch would take it for
            // its own.
            self.note_wal_pages(checkpoint::pages());
            self.room.forget();
            if let Err(error) = compacted.map_err(StoreError::from) {
                if let StoreError::Fatal(problem) = &error {
                    self.fail(problem);
                }
                return Err(error);
            }
        }
        self.empty_wal();
        Ok(!self.must_empty_wal)
    }

    /// Checkpoints the whole WAL and truncates it, now or once no reader blocks that.
    fn empty_wal(&mut self) {
        self.must_empty_wal = !self.checkpoint(CheckpointMode::Truncate);
        self.must_reserve_wal = true;
    }

    /// Checkpoints the WAL and counts that. Returns whether all pages are checkpointed.
    fn checkpoint(&mut self, mode: CheckpointMode) -> bool {
        let begun = Instant::now();
        (self.must_checkpoint, self.is_scarce) = (false, self.room.is_scarce());
        // A reader of the file (a person at the `sqlite3` shell) may block pages of the WAL for any
        // time. They are checkpointed later; no thread waits for that.
        let _ = self.connection.busy_timeout(Duration::ZERO);
        self.lock_wait = Duration::ZERO;
        let complete = self.is_complete(checkpoint::run(&self.connection, mode));
        if mode == CheckpointMode::Truncate {
            self.identity.forget_length();
        }
        if complete {
            // The next commit begins a new generation, unless a reader uses the end of this one.
            self.checkpointed_pages = self.wal_pages;
            self.retry_at = 0;
        } else {
            self.retry_at = self.wal_pages + RETRY_PAGES;
            self.metrics.checkpoints_incomplete.increment();
        }
        self.metrics.checkpoint[mode as usize].observe_time(begun.elapsed());
        self.metrics.wal_pages.set(i64::from(self.wal_pages - self.checkpointed_pages));
        complete
    }

    /// Whether all pages were checkpointed. A failure is logged; an unknown outcome ends the
    /// process.
    fn is_complete(&self, outcome: Result<bool, StoreError>) -> bool {
        outcome.unwrap_or_else(|error| {
            if let StoreError::Fatal(problem) = &error {
                self.fail(problem);
            }
            tracing::warn!(%error, "the WAL was not checkpointed; it will be tried again");
            false
        })
    }

    fn warn_of_reader(&mut self) {
        let is_due = self.warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL);
        if is_due && self.wal_pages >= WARNING_PAGES {
            self.warned = Some(Instant::now());
            tracing::warn!(
                pages = self.wal_pages,
                "the WAL grows: another process has been reading the database file for a long time"
            );
        }
    }

    fn fail(&self, problem: &str) {
        (self.on_fatal)(StoreError::Fatal(problem.to_owned()));
        // The callback must not return. If it does, nothing more may be written.
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;
    use smallvec::smallvec;

    use super::{CHECKPOINT_PAGES, LONG_PAGES};
    use crate::model::UserId;
    use crate::store::Append;
    use crate::store::metrics::CheckpointMode;
    use crate::store::scheduler::group_commit::{Commit, Expect, IDLE_DELAY};
    use crate::store::sqlite::Sqlite;
    use crate::store::sqlite::testing::{append_one_by_one, open, store, wait_until};

    /// Whether runs need compaction, and whether it may happen now.
    fn compaction(store: &Sqlite) -> (bool, bool) {
        let batches = store.writer.group.hold();
        let batches = batches.as_ref().unwrap();
        (batches.deliveries.needs_compaction(), batches.idle_delay() < IDLE_DELAY)
    }

    #[test]
    fn long_wal_is_checkpointed_by_the_checkpointer_thread() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        store.writer.collect_batch(|| {
            for _ in 0..600 {
                let (to, body) = (smallvec!["neko".parse().unwrap()], "x".repeat(4_000));
                let body = body.parse().unwrap();
                store.write(Append { sender: UserId(2), to, body, key: None }, |appended| {
                    appended.unwrap();
                });
            }
            Expect::MoreRequests
        });
        // After a slow commit the batch is left to the writer thread.
        wait_until("the batch to be taken", || store.writer.waiting() == 0);
        let checkpointed =
            || store.metrics.checkpoint[CheckpointMode::Passive as usize].read().count();
        let pages_to_checkpoint = store.writer.group.hold().as_ref().unwrap().pages_to_checkpoint();
        assert!(
            (LONG_PAGES..CHECKPOINT_PAGES).contains(&pages_to_checkpoint),
            "{pages_to_checkpoint}"
        );
        assert_eq!(checkpointed(), 0);
        append_one_by_one(&store, 1);
        let batches = store.writer.group.hold();
        // The checkpointer thread works, or has finished most of it, and the rest with this lock.
        assert!(batches.as_ref().unwrap().is_checkpointing || checkpointed() >= 2);
        drop(batches);
        store.close();
    }

    #[test]
    fn reader_that_blocks_checkpoints_stops_compaction() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let mut reader = Connection::open(store.path()).unwrap();
        let reading = reader.transaction().unwrap();
        let _: i64 = reading.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
        append_one_by_one(&store, 512);
        assert_eq!(compaction(&store), (true, false));
        drop(reading);
        store.close();
    }

    #[test]
    fn damaged_derived_table_stops_compaction_and_not_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        append_one_by_one(&store, 512);
        let path = store.path().to_owned();
        store.close();
        drop(store);
        damage_root_page(&path, "deliveries");
        let store = open(&folder);
        wait_until("an end of compaction", || !compaction(&store).0);
        append_one_by_one(&store, 1);
        assert_eq!(compaction(&store), (false, false));
        store.close();
    }

    fn damage_root_page(path: &Path, table: &str) {
        let connection = Connection::open(path).unwrap();
        let page: u32 = connection
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| {
                row.get(0)
            })
            .unwrap();
        drop(connection);
        let mut bytes = std::fs::read(path).unwrap();
        // An invalid page type.
        bytes[(page as usize - 1) * 4_096] = 0xff;
        std::fs::write(path, bytes).unwrap();
    }
}
