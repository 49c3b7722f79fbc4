//! Commits batches: the queued operations are applied in one transaction, and answered once it is
//! durable.
//!
//! A failed operation fails alone. A failed commit fails the whole batch. If the outcome of a
//! commit is unknown, the process ends and answers nothing more.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::adjustable::Adjustable;
use crate::metrics::Stages;
use crate::queue::Queue;
use crate::store::metrics::{CheckpointMode, Metrics, Rollback};
use crate::store::scheduler::group_commit::{Commit, IDLE_DELAY, Remaining, Turn};
use crate::store::sqlite::connection::LOCK_WAIT;
use crate::store::sqlite::writer::checkpoint_policy::Due;
use crate::store::sqlite::writer::operation::{BoxedOperation, Maintenance};
use crate::store::sqlite::writer::transaction::WriteConnection;
use crate::store::{OnFatal, StoreError};
use crate::wake;

/// The maximum number of operations in one transaction. It limits the wait for the rest of a batch.
const BATCH_OPERATIONS_MAX: usize = 4_096;
/// The maximum text of one transaction, in bytes. A single operation may exceed it.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long the writer is idle before it compacts runs of deliveries.
const COMPACTION_DELAY: Duration = Duration::from_millis(50);
/// How long the writer is idle before it indexes words, and how long if the index is far behind.
const INDEXING_DELAY: Duration = Duration::from_millis(50);
const SHORT_INDEXING_DELAY: Duration = Duration::from_millis(2);
/// How often the writer thread looks whether it may index, if the index is far behind.
const INDEXING_INTERVAL: Duration = Duration::from_millis(10);
/// How often a reader that blocks checkpoints may be logged.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// After a commit that took longer than this, a worker leaves the next one to the writer thread.
const SHORT_COMMIT: Duration = Duration::from_millis(5);

/// The connection that writes, and the state between its batches.
pub(in crate::store) struct Batches {
    connection: WriteConnection,
    inbox_unread_max: Adjustable<usize>,
    metrics: Arc<Metrics>,
    on_fatal: OnFatal,
    /// The current batch. It is empty between batches and keeps its allocation.
    batch: Vec<BoxedOperation>,
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
}

/// The time that a batch has taken so far.
struct Spent {
    taken: Instant,
    executed: Duration,
    committed: Duration,
}

impl Commit for Batches {
    type Operation = BoxedOperation;

    /// Commits one batch of the operations that `turn` allows, and answers each in order. The
    /// writer thread also does a checkpoint that is due.
    fn commit(&mut self, queue: &Queue<BoxedOperation>, turn: Turn) -> Remaining {
        let is_ours =
            |place: u64, operation: &BoxedOperation| turn.takes(place, operation.is_collected());
        if queue.front_is_some_and(is_ours) && self.run_batch(queue, turn).is_err() {
            return Remaining::Work;
        }
        let is_due = self.checkpoint_is_due_here();
        let has_more = match turn {
            Turn::WriterThread { .. } => {
                if is_due {
                    self.checkpoint_passively();
                }
                queue.front_is_some_and(is_ours)
            }
            Turn::Worker => is_due || !queue.is_empty(),
        };
        if has_more { Remaining::Work } else { Remaining::Nothing }
    }

    /// A worker does not wait for a disk that is slow.
    fn is_quick(&self) -> bool {
        self.last_commit <= SHORT_COMMIT
    }

    /// After a while without operations, one step a call: writes derived rows, then indexes words,
    /// then compacts runs, then checkpoints the WAL.
    fn idle_step(&mut self) -> Remaining {
        let rested = self.worked.elapsed();
        if rested >= IDLE_DELAY
            && self.connection.deliveries.is_writing_run()
            && self.derive(WriteConnection::write_deliveries).is_ok()
        {
            return Remaining::Work;
        }
        if self.connection.policy.allows_compaction()
            && self.indexing_delay().is_some_and(|delay| rested >= delay)
        {
            return self.index_words();
        }
        if rested >= COMPACTION_DELAY && self.may_compact() {
            return self.compact();
        }
        if rested < IDLE_DELAY {
            return Remaining::Nothing;
        }
        if self.connection.policy.must_empty_wal {
            self.checkpoint(CheckpointMode::Truncate);
        } else if self.connection.policy.pages_to_checkpoint() > 0 {
            self.checkpoint(CheckpointMode::Passive);
        }
        Remaining::Nothing
    }

    /// How long [`Self::idle_step`] has nothing to do.
    fn idle_delay(&self) -> Duration {
        // A compaction goes on soon after the checkpoint that it waits for.
        let is_compacting = self.may_compact()
            || self.connection.deliveries.needs_compaction()
                && self.connection.policy.is_checkpointing;
        let compaction = is_compacting.then_some(COMPACTION_DELAY);
        let indexing = self.indexing_delay().map(|delay| delay.max(INDEXING_INTERVAL));
        compaction.into_iter().chain(indexing).min().unwrap_or(IDLE_DELAY)
    }

    /// Writes the derived rows, checkpoints the WAL and closes the file.
    fn close(mut self) {
        // The thread may be waiting for the lock, which this thread has released.
        self.checkpointer = None;
        if let Some(checkpointer_thread) = self.checkpointer_thread.take() {
            // A panic of it has ended the process.
            let _ = checkpointer_thread.join();
        }
        if let Err(error) = self.write_last_runs() {
            tracing::warn!(%error, "deliveries or keys were not written; the next start reads the message log");
        }
        let is_complete = self.checkpoint(CheckpointMode::Truncate);
        if let Err(error) = self.connection.close(is_complete) {
            tracing::warn!(%error, "the database was not closed cleanly; nothing is lost");
        }
    }
}

impl Batches {
    pub(in crate::store) fn new(
        connection: WriteConnection,
        inbox_unread_max: Adjustable<usize>,
        metrics: Arc<Metrics>,
        checkpointer: Sender<()>,
        on_fatal: OnFatal,
    ) -> Self {
        Self {
            connection,
            inbox_unread_max,
            metrics,
            on_fatal,
            batch: Vec::new(),
            warned: None,
            last_operations: 0,
            last_commit: Duration::ZERO,
            worked: Instant::now(),
            checkpointer: Some(checkpointer),
            checkpointer_thread: None,
        }
    }

    /// Has [`Commit::close`] join this thread.
    pub(in crate::store) fn own_checkpointer(&mut self, thread: JoinHandle<()>) {
        self.checkpointer_thread = Some(thread);
    }

    /// Checkpoints the pages that were written while the checkpointer thread worked.
    pub(in crate::store) fn checkpoint_rest(&mut self, ahead: Result<(), StoreError>) {
        self.connection.policy.is_checkpointing = false;
        self.is_complete(ahead.map(|()| true));
        self.checkpoint_passively();
        if self.connection.policy.must_empty_wal {
            self.checkpoint(CheckpointMode::Truncate);
        }
    }

    /// Takes a batch out of the queue, commits it and answers it. An error means that a worker
    /// would have to wait for another process: the operations stay in the queue.
    fn run_batch(&mut self, queue: &Queue<BoxedOperation>, turn: Turn) -> Result<(), StoreError> {
        let mut spent =
            Spent { taken: Instant::now(), executed: Duration::ZERO, committed: Duration::ZERO };
        let lock_wait = if turn == Turn::Worker { Duration::ZERO } else { LOCK_WAIT };
        let begun = self.connection.begin(lock_wait);
        if begun == Err(StoreError::Busy) && turn == Turn::Worker {
            return begun;
        }
        let (mut operations, mut bytes) = (0, 0);
        let mut batch = std::mem::take(&mut self.batch);
        queue.take_while(&mut batch, |place, operation| {
            bytes += operation.bytes();
            operations += 1;
            let fits = operations <= BATCH_OPERATIONS_MAX && bytes <= BATCH_BYTES_MAX;
            turn.takes(place, operation.is_collected()) && (fits || operations == 1)
        });
        self.last_operations = batch.len();
        let committed = begun.and_then(|()| self.execute(&mut batch, &mut spent));
        self.conclude(&mut batch, committed, &spent);
        self.batch = batch;
        Ok(())
    }

    /// Applies the whole batch in the open transaction and commits it.
    fn execute(
        &mut self,
        batch: &mut [BoxedOperation],
        spent: &mut Spent,
    ) -> Result<(), StoreError> {
        let connection = &mut self.connection;
        connection.set_inbox_unread_max(self.inbox_unread_max.get());
        let applied =
            batch.iter_mut().try_for_each(|operation| connection.apply(operation.as_mut()));
        let executed = applied.and_then(|()| connection.write_pending());
        let committing = Instant::now();
        spent.executed = committing - spent.taken;
        let committed = executed.and_then(|()| connection.commit());
        let ended = Instant::now();
        spent.committed = ended - committing;
        self.last_commit = spent.committed;
        if committed.is_ok() {
            self.metrics.note_commit(ended);
        }
        connection.finish(committed)
    }

    /// Answers each operation of a batch, and empties it.
    fn conclude(
        &mut self,
        batch: &mut Vec<BoxedOperation>,
        committed: Result<(), StoreError>,
        spent: &Spent,
    ) {
        self.count(batch.len(), &committed, spent);
        if committed.is_err() {
            self.connection.clear_cache();
        }
        if let Err(error) = &committed {
            self.end_if_fatal(error);
        }
        for operation in batch.iter_mut().filter(|_| committed.is_ok()) {
            if let Some(maintenance) = operation.maintenance() {
                operation.set_outcome(self.maintain(maintenance));
            }
        }
        wake::coalesce(|| {
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
        metrics.wal_pages.set(self.connection.policy.pages_to_checkpoint().into());
        let reason = match committed {
            Ok(()) => return metrics.commit.observe_time(spent.committed),
            Err(StoreError::Busy) => Rollback::Busy,
            Err(StoreError::Full) => Rollback::Full,
            Err(_) => Rollback::Failed,
        };
        metrics.rollbacks[reason as usize].increment();
    }

    /// Maintains the file between two transactions. Returns whether the WAL is empty.
    fn maintain(&mut self, maintenance: Maintenance) -> Result<bool, StoreError> {
        if maintenance == Maintenance::Vacuum {
            self.connection.vacuum().inspect_err(|error| self.end_if_fatal(error))?;
        }
        Ok(self.checkpoint(CheckpointMode::Truncate))
    }

    /// A transaction that writes derived rows only.
    fn derive(
        &mut self,
        write: fn(&mut WriteConnection) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let connection = &mut self.connection;
        let begun = connection.begin(Duration::ZERO);
        let written = begun.and_then(|()| Ok(write(connection)?));
        let is_committing = written.is_ok();
        let committed = written.and_then(|()| connection.commit());
        let derived = connection.finish(committed);
        // An error before the commit is rolled back; the rows can be derived again.
        if let Err(error) = &derived
            && is_committing
        {
            self.end_if_fatal(error);
        }
        derived
    }

    /// How long the writer must be idle before it indexes words. `None` if there are none to index,
    /// or the disk is nearly full.
    fn indexing_delay(&self) -> Option<Duration> {
        match self.connection.words_lag() {
            _ if self.connection.policy.is_scarce() => None,
            (..=0, _) => None,
            (_, true) => Some(SHORT_INDEXING_DELAY),
            (_, false) => Some(INDEXING_DELAY),
        }
    }

    /// Indexes the words of some messages, or has the checkpoint done that this needs first.
    fn index_words(&mut self) -> Remaining {
        if self.connection.policy.precedes_compaction() {
            return self.checkpoint_before_idle_work();
        }
        match self.derive(WriteConnection::index_words) {
            Ok(()) => return Remaining::Work,
            // Another process holds the file, or the disk is full: later.
            Err(StoreError::Busy | StoreError::Full) => {}
            Err(error) => {
                tracing::warn!(%error, "new words are not indexed until the next start");
                self.connection.postpone_words();
            }
        }
        Remaining::Nothing
    }

    /// Indexes the words of all messages.
    #[cfg(test)]
    pub(in crate::store) fn index_all_words(&mut self) {
        while self.connection.words_lag().0 > 0 {
            self.derive(WriteConnection::index_words).unwrap();
        }
    }

    /// Whether runs need compaction and may be compacted now.
    fn may_compact(&self) -> bool {
        let WriteConnection { deliveries, policy, .. } = &self.connection;
        deliveries.needs_compaction() && policy.allows_compaction()
    }

    /// Does one step of a compaction, or has the checkpoint done that it needs first.
    fn compact(&mut self) -> Remaining {
        if self.connection.policy.precedes_compaction() {
            return self.checkpoint_before_idle_work();
        }
        if let Err(error) = self.derive(WriteConnection::compact_deliveries) {
            if error != StoreError::Busy {
                tracing::warn!(%error, "the runs of deliveries are not compacted for now");
            }
            self.connection.deliveries.postpone_compaction();
        }
        Remaining::Work
    }

    /// Has the WAL checkpointed, because idle work adds to it. A short pause is not the time to do
    /// that here: on a slow disk a sender would wait for it. On a nearly full disk it is done here.
    fn checkpoint_before_idle_work(&mut self) -> Remaining {
        if self.connection.policy.is_scarce() || !self.ask_checkpointer() {
            self.checkpoint_passively();
        }
        Remaining::Nothing
    }

    /// Writes all derived rows, so that the next start need not read the message log.
    fn write_last_runs(&mut self) -> Result<(), StoreError> {
        self.connection.begin_last_run()?;
        while self.connection.deliveries.is_writing_run() {
            self.derive(WriteConnection::write_deliveries)?;
        }
        while self.connection.begin_last_run_of_keys() {
            self.derive(WriteConnection::write_keys)?;
        }
        Ok(())
    }

    /// Whether the WAL must be checkpointed on this thread. If the WAL is long, it asks the
    /// checkpointer thread instead.
    fn checkpoint_is_due_here(&mut self) -> bool {
        match self.connection.policy.due(self.last_operations) {
            Due::No => false,
            Due::Here => true,
            Due::OnCheckpointer => !self.ask_checkpointer(),
        }
    }

    /// Has the checkpointer thread checkpoint the WAL. Returns whether it will.
    fn ask_checkpointer(&mut self) -> bool {
        let asked = self.checkpointer.as_ref().is_some_and(|ask| ask.send(()).is_ok());
        self.connection.policy.is_checkpointing = asked;
        asked
    }

    /// Checkpoints the WAL, and logs a reader that blocks it.
    fn checkpoint_passively(&mut self) {
        if !self.checkpoint(CheckpointMode::Passive) {
            self.warn_of_reader();
        }
    }

    /// Checkpoints the WAL and counts that. Returns whether all pages are checkpointed.
    fn checkpoint(&mut self, mode: CheckpointMode) -> bool {
        let begun = Instant::now();
        let outcome = self.connection.checkpoint(mode);
        let is_complete = self.is_complete(outcome);
        if !is_complete {
            self.metrics.checkpoints_incomplete.increment();
        }
        self.metrics.checkpoint[mode as usize].observe_time(begun.elapsed());
        self.metrics.wal_pages.set(self.connection.policy.pages_to_checkpoint().into());
        is_complete
    }

    /// Whether all pages were checkpointed. A failure is logged; an unknown outcome ends the
    /// process.
    fn is_complete(&self, outcome: Result<bool, StoreError>) -> bool {
        outcome.unwrap_or_else(|error| {
            self.end_if_fatal(&error);
            tracing::warn!(%error, "the WAL was not checkpointed; it will be tried again");
            false
        })
    }

    fn warn_of_reader(&mut self) {
        let is_due = self.warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL);
        let policy = &self.connection.policy;
        if is_due && policy.is_worth_a_warning() {
            self.warned = Some(Instant::now());
            tracing::warn!(
                pages = policy.wal_pages(),
                "the WAL grows: another process has been reading the database file for a long time"
            );
        }
    }

    /// Ends the process if the outcome of a commit or a checkpoint is unknown.
    fn end_if_fatal(&self, error: &StoreError) {
        if let StoreError::Fatal(fatal) = error {
            (self.on_fatal)(fatal.clone());
            // The callback must not return. If it does, nothing more may be written.
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::channel;

    use rusqlite::Connection;
    use smallvec::smallvec;

    use crate::model::{ScheduledId, Timestamp, UserId};
    use crate::store::metrics::CheckpointMode;
    use crate::store::scheduler::group_commit::Expect;
    use crate::store::sqlite::Sqlite;
    use crate::store::sqlite::testing::{append_one_by_one, open, store, wait_until};
    use crate::store::sqlite::writer::checkpoint_policy::{CHECKPOINT_PAGES, LONG_PAGES};
    use crate::store::{Append, BeginSending, Schedule, Scheduled};

    /// Whether runs need compaction, and whether it may happen now.
    fn compaction(store: &Sqlite) -> (bool, bool) {
        let batches = store.writer.group.hold();
        let batches = batches.as_ref().unwrap();
        (batches.connection.deliveries.needs_compaction(), batches.may_compact())
    }

    #[test]
    fn long_wal_is_checkpointed_by_the_checkpointer_thread() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        store.writer.collect_batch(|| {
            for _ in 0..600 {
                let (to, body) = (smallvec!["neko".parse().unwrap()], "x".repeat(4_000));
                let body = body.parse().unwrap();
                store.write(Append::new(UserId(2), to, body), |appended| {
                    appended.unwrap();
                });
            }
            Expect::MoreRequests
        });
        // After a slow commit the batch is left to the writer thread.
        wait_until("the batch to be taken", || store.writer.queue().0 == 0);
        let checkpointed =
            || store.metrics.checkpoint[CheckpointMode::Passive as usize].read().count();
        let pages_to_checkpoint =
            store.writer.group.hold().as_ref().unwrap().connection.policy.pages_to_checkpoint();
        assert!(
            (LONG_PAGES..CHECKPOINT_PAGES).contains(&pages_to_checkpoint),
            "{pages_to_checkpoint}"
        );
        assert_eq!(checkpointed(), 0);
        append_one_by_one(&store, 1);
        let batches = store.writer.group.hold();
        // The checkpointer thread works, or has finished most of it, and the rest with this lock.
        let is_checkpointing = batches.as_ref().unwrap().connection.policy.is_checkpointing;
        assert!(is_checkpointing || checkpointed() >= 2);
        drop(batches);
        store.close();
    }

    #[test]
    fn idle_work_leaves_its_checkpoint_to_the_checkpointer_thread_unless_the_disk_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let mut held = store.writer.group.hold();
        let batches = held.as_mut().unwrap();
        batches.connection.policy.note_commit(LONG_PAGES - 1);
        batches.compact();
        assert!(batches.connection.policy.is_checkpointing);
        drop(held);
        wait_until("the end of the checkpoint", || {
            !store.writer.group.hold().as_ref().unwrap().connection.policy.is_checkpointing
        });
        let mut held = store.writer.group.hold();
        let batches = held.as_mut().unwrap();
        batches.connection.policy.note_commit(2 * LONG_PAGES);
        batches.connection.policy.note_full();
        batches.compact();
        let policy = &batches.connection.policy;
        assert_eq!((policy.is_checkpointing, policy.pages_to_checkpoint()), (false, 0));
        drop(held);
        store.close();
    }

    /// A message that cannot be sent is tried again and again, and its row may be long.
    #[test]
    fn scheduled_message_that_is_being_sent_already_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (to, body) = (smallvec!["neko".parse().unwrap()], "hai".parse().unwrap());
        let message = Append::new(UserId(2), to, body);
        let (due_at, said_at, now) = (Timestamp(9), Timestamp(9), Timestamp(1));
        let (done, scheduled) = channel();
        store.write(Schedule { message, due_at, said_at, now }, move |answer| {
            done.send(answer).unwrap();
        });
        assert!(matches!(scheduled.recv().unwrap(), Ok(Scheduled::At { .. })));
        let changed = || store.writer.group.hold().as_ref().unwrap().connection.total_changes();
        let [first, second] = [(); 2].map(|()| {
            let before = changed();
            let (done, begun) = channel();
            store.write(BeginSending(vec![ScheduledId(1), ScheduledId(2)]), move |answer| {
                done.send(answer).unwrap();
            });
            assert_eq!(begun.recv().unwrap(), Ok(vec![ScheduledId(1)]));
            changed() - before
        });
        assert!(first > 0 && second == 0, "{first}, {second}");
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
