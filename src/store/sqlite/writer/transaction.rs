//! The connection that writes, and the guarantees of each of its transactions.
//!
//! The steps of a transaction are begin, apply, commit and finish. Before the commit, space is
//! reserved on the disk (`store::sqlite::reserved_space`) and in the WAL index. The first
//! transaction of each WAL generation renews the stamp (`store::sqlite::opening`). After the
//! commit, the open files must still be those at their paths (`store::sqlite::file_guard`).

use std::time::Duration;

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::clock::SessionClock;
use crate::store::metrics::CheckpointMode;
use crate::store::sqlite::connection::LOCK_WAIT;
use crate::store::sqlite::file_guard::FileGuard;
use crate::store::sqlite::operation::Statements;
use crate::store::sqlite::projection::deliveries::Deliveries;
use crate::store::sqlite::projection::keys::Keys;
use crate::store::sqlite::projection::words::Words;
use crate::store::sqlite::reserved_space::ReservedSpace;
use crate::store::sqlite::stamp;
use crate::store::sqlite::write::context::{WriteContext, WriterCache};
use crate::store::sqlite::write::pending_inserts::PendingInserts;
use crate::store::sqlite::writer::checkpoint;
use crate::store::sqlite::writer::checkpoint_policy::CheckpointPolicy;
use crate::store::sqlite::writer::operation::Operation;

/// The only connection that writes messages, with the state that lasts between its transactions.
pub(in crate::store) struct WriteConnection {
    connection: Connection,
    guard: FileGuard,
    space: ReservedSpace,
    cache: WriterCache,
    pub(in crate::store) deliveries: Deliveries,
    keys: Keys,
    words: Words,
    pending_inserts: PendingInserts,
    /// The limit up to which the cached unread messages were counted.
    inbox_unread_max: usize,
    clock: SessionClock,
    /// How long a transaction waits for a foreign lock now.
    lock_wait: Duration,
    pub(in crate::store) policy: CheckpointPolicy,
    /// Whether this transaction has renewed the stamp, and whether the next one that writes must:
    /// another process has checkpointed the WAL, so a generation began without a stamp.
    is_stamped: bool,
    must_stamp: bool,
    /// The WAL was truncated, and has no reserved space.
    must_reserve_wal: bool,
    /// This transaction did more than append messages: it may have made the database longer by any
    /// number of pages.
    may_grow_much: bool,
    /// How many rows the connection had changed before this transaction.
    changes_before: u64,
}

impl WriteConnection {
    pub(in crate::store) fn new(
        connection: Connection,
        (guard, space): (FileGuard, ReservedSpace),
        (deliveries, keys, words): (Deliveries, Keys, Words),
        inbox_unread_max: usize,
        clock: SessionClock,
    ) -> Self {
        connection.set_prepared_statement_cache_capacity(64);
        checkpoint::count_pages(&connection);
        let policy = CheckpointPolicy::new(space.is_scarce());
        Self {
            connection,
            guard,
            space,
            cache: WriterCache::default(),
            deliveries,
            keys,
            words,
            pending_inserts: PendingInserts::default(),
            inbox_unread_max,
            clock,
            lock_wait: LOCK_WAIT,
            policy,
            is_stamped: false,
            must_stamp: false,
            must_reserve_wal: false,
            may_grow_much: false,
            changes_before: 0,
        }
    }

    /// Begins a transaction. Waits at most `lock_wait` for the lock of another process.
    pub(in crate::store) fn begin(&mut self, lock_wait: Duration) -> Result<(), StoreError> {
        if lock_wait != self.lock_wait {
            self.connection.busy_timeout(lock_wait)?;
            self.lock_wait = lock_wait;
        }
        self.run_statement("BEGIN IMMEDIATE")?;
        if self.guard.reserve_index(self.wal_pages(), 0).is_err() {
            let _ = self.run_statement("ROLLBACK");
            return Err(StoreError::Full);
        }
        self.guard.note_length();
        if std::mem::take(&mut self.must_reserve_wal) {
            // If the disk is full, the WAL grows with later commits.
            let _ = checkpoint::reserve_wal(self.guard.wal_path());
        }
        (self.is_stamped, self.may_grow_much) = (false, false);
        self.changes_before = self.connection.total_changes();
        Ok(())
    }

    /// Sets the limit for the counts of unread messages.
    pub(in crate::store) fn set_inbox_unread_max(&mut self, inbox_unread_max: usize) {
        if inbox_unread_max != self.inbox_unread_max {
            // A count stops at the limit, so a count up to a lower limit may be too low.
            self.cache.must_count_all();
            self.inbox_unread_max = inbox_unread_max;
        }
    }

    /// Applies an operation. An operation that fails is rolled back alone. An error means that the
    /// whole transaction cannot continue.
    pub(in crate::store) fn apply(
        &mut self,
        operation: &mut dyn Operation,
    ) -> Result<(), StoreError> {
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
            words: &mut self.words,
            pending_inserts: &mut self.pending_inserts,
            inbox_unread_max: self.inbox_unread_max,
            clock: self.clock,
        };
        let applied = operation.apply(&mut context);
        if !applied {
            self.deliveries.roll_back_to(savepoints.0);
            self.keys.roll_back_to(savepoints.1);
            self.words.rolled_back();
            match operation.error() {
                Some(StoreError::Statement(error)) => tracing::error!(error, "a write failed"),
                Some(error) => return Err(error.clone()),
                None => {}
            }
            if self.connection.is_autocommit() {
                return Err(StoreError::Statement("the transaction was rolled back".to_owned()));
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

    /// Writes the pending rows of all operations, and as many derived rows as the messages of this
    /// transaction require.
    pub(in crate::store) fn write_pending(&mut self) -> Result<(), StoreError> {
        self.pending_inserts.write(&self.connection)?;
        self.deliveries.keep_pace(&self.connection)?;
        Ok(self.keys.keep_pace(&self.connection, self.deliveries.appended())?)
    }

    /// Writes more rows of the current run of deliveries.
    pub(in crate::store) fn write_deliveries(&mut self) -> rusqlite::Result<()> {
        self.may_grow_much = true;
        self.deliveries.write_while_idle(&self.connection)
    }

    /// Writes more rows of the current run of keys.
    pub(in crate::store) fn write_keys(&mut self) -> rusqlite::Result<()> {
        self.may_grow_much = true;
        self.keys.write_while_idle(&self.connection)
    }

    /// How many messages the index of words lacks, and whether that is many.
    pub(in crate::store) fn words_lag(&self) -> (i64, bool) {
        let newest = self.keys.newest();
        (self.words.lag(newest), self.words.is_far_behind(newest))
    }

    /// Indexes the words of some messages.
    pub(in crate::store) fn index_words(&mut self) -> rusqlite::Result<()> {
        self.may_grow_much = true;
        self.words.index_some(&self.connection)
    }

    /// Indexes no words until the next start.
    pub(in crate::store) fn postpone_words(&mut self) {
        self.words.postpone();
    }

    /// Does a step of the compaction of deliveries.
    pub(in crate::store) fn compact_deliveries(&mut self) -> rusqlite::Result<()> {
        self.may_grow_much = true;
        self.deliveries.compact(&self.connection)
    }

    /// Begins the last run of deliveries, before the end.
    pub(in crate::store) fn begin_last_run(&mut self) -> rusqlite::Result<()> {
        self.deliveries.begin_last_run(&self.connection)
    }

    /// Begins the last run of keys, before the end. Returns whether there is one.
    pub(in crate::store) fn begin_last_run_of_keys(&mut self) -> bool {
        self.keys.begin_last_run()
    }

    /// Commits. The first transaction of each WAL generation renews the stamp
    /// (`store::sqlite::opening`). A transaction that wrote nothing begins no generation.
    pub(in crate::store) fn commit(&mut self) -> Result<(), StoreError> {
        let begins_generation = self.policy.pages_to_checkpoint() == 0 || self.must_stamp;
        if begins_generation && self.connection.total_changes() != self.changes_before {
            stamp::renew(&self.connection)?;
            self.is_stamped = true;
        }
        if self.may_grow_much || self.space.is_short() {
            self.space.reserve(self.page_count()?).map_err(|_| StoreError::Full)?;
        }
        self.run_statement("COMMIT")
    }

    /// Updates the state after a transaction that was committed or must be rolled back.
    pub(in crate::store) fn finish(
        &mut self,
        committed: Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match &committed {
            Ok(()) => {
                self.deliveries.committed();
                self.keys.committed();
                self.words.committed();
                let pages = checkpoint::pages();
                self.note_wal_pages(pages);
                let is_intact = self.guard.check(pages.map(|pages| pages.unsigned_abs().into()));
                let is_new = is_intact.map_err(StoreError::Fatal)?;
                self.must_stamp = !self.is_stamped && (is_new || self.must_stamp);
                if self.must_stamp {
                    // Another process has checkpointed the WAL and may have shortened the file.
                    self.space.forget();
                }
            }
            Err(error) => {
                if *error == StoreError::Full {
                    self.policy.note_full();
                }
                self.deliveries.rolled_back();
                self.keys.rolled_back();
                self.words.rolled_back();
                self.pending_inserts.clear();
                if !self.connection.is_autocommit() {
                    let _ = self.run_statement("ROLLBACK");
                }
            }
        }
        committed
    }

    /// How many rows the connection has changed.
    #[cfg(test)]
    pub(super) fn total_changes(&self) -> u64 {
        self.connection.total_changes()
    }

    /// Forgets what was cached of a batch that failed.
    pub(in crate::store) fn clear_cache(&mut self) {
        self.cache.clear();
    }

    /// Rewrites the file without unused pages, outside of any transaction.
    pub(in crate::store) fn vacuum(&mut self) -> Result<(), StoreError> {
        self.reserve_index_for_file()?;
        // The temporary copy is a file: it is as large as the database.
        let compacted = self.connection.execute_batch("PRAGMA temp_store = FILE; VACUUM");
        let _ = self.connection.execute_batch("PRAGMA temp_store = MEMORY");
        // `VACUUM` commits. Its page count is taken here, or the next batch would take it for its
        // own.
        self.note_wal_pages(checkpoint::pages());
        self.space.forget();
        Ok(compacted?)
    }

    /// Checkpoints the WAL. Returns whether all pages are checkpointed. `Truncate` has to be tried
    /// again if they are not.
    pub(in crate::store) fn checkpoint(
        &mut self,
        mode: CheckpointMode,
    ) -> Result<bool, StoreError> {
        self.policy.note_checkpoint_begun(self.space.is_scarce());
        // A reader of the file (a person at the `sqlite3` shell) may block pages of the WAL for any
        // time. They are checkpointed later; no thread waits for that.
        let _ = self.connection.busy_timeout(Duration::ZERO);
        self.lock_wait = Duration::ZERO;
        let outcome = checkpoint::run(&self.connection, mode);
        let is_complete = matches!(outcome, Ok(true));
        if mode == CheckpointMode::Truncate {
            self.guard.forget_length();
            self.must_reserve_wal = true;
            self.policy.must_empty_wal = !is_complete;
        }
        self.policy.note_checkpoint_ended(is_complete);
        outcome
    }

    /// Closes the file after the last checkpoint. If that was complete, the file's reserved space
    /// is released.
    pub(in crate::store) fn close(self, is_complete: bool) -> Result<(), StoreError> {
        let closed = self.connection.close();
        if is_complete {
            self.space.release();
        }
        closed.map_err(|(_, error)| error.into())
    }

    fn wal_pages(&self) -> u64 {
        self.policy.wal_pages().unsigned_abs().into()
    }

    /// Notes how many pages the WAL has after a commit that wrote to it.
    fn note_wal_pages(&mut self, pages: Option<i32>) {
        let Some(pages) = pages else { return };
        let new = self.policy.note_commit(pages);
        self.space.note_written(new.unsigned_abs().into());
    }

    /// Reserves space in the WAL index for a transaction that writes each page of the file.
    fn reserve_index_for_file(&mut self) -> Result<(), StoreError> {
        let pages = self.page_count()?;
        let wal_pages = self.wal_pages();
        self.guard.reserve_index(wal_pages, 2 * pages).map_err(|_| StoreError::Full)
    }

    fn page_count(&self) -> Result<u64, StoreError> {
        let pages: u32 =
            self.connection.prepare_cached("PRAGMA page_count")?.query_row([], |row| row.get(0))?;
        Ok(pages.into())
    }

    fn run_statement(&self, sql: &'static str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}
