//! The writer: the one thread that changes the database.
//!
//! It takes everything that queued up during the last fsync as one batch: one transaction, one
//! fsync; then it answers. An operation that fails fails alone, a commit that fails fails the
//! whole batch, and where the outcome of a commit cannot be known nothing is answered any more:
//! the process ends. The writer also folds the write-ahead log back into the file, between
//! batches when it has grown, and wholly when there is nothing else to do.

use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::OnFatal;
use super::error::{OpenError, StoreError};
use super::file::{DatabaseFile, Identity};
use super::measures::{CheckpointMode, Measures, Rollback};
use super::migrations::{self, Upgrade};
use crate::adjustable::Adjustable;
use crate::metrics::Stages;
use crate::model::{MessageId, UserId, UserName};
use crate::queue::{PushError, Queue, Taken};

/// The most operations that may wait for the writer; one more is refused as busy.
pub(super) const WRITE_QUEUE_OPERATIONS_MAX: usize = 16_384;
/// The most operations of one transaction: bounds how long an answer waits for its neighbours.
const BATCH_OPERATIONS_MAX: usize = 4_096;
/// The most text of one transaction, in bytes; one operation is always done.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// From how many pages of log on the writer folds it in between two batches: 48 MiB, which leaves
/// room for a batch under the log's size limit. Fewer pages mean a wait of some milliseconds more
/// often, more pages a longer one: with these, fewer than one send in a hundred meets it.
const CHECKPOINT_PAGES: i32 = 12_288;
/// How long the writer waits for work before it folds in the whole log. The first commit after
/// that begins the log anew, which costs it a second fsync.
const IDLE: Duration = Duration::from_secs(10);
/// How long the writer waits for somebody else's lock on the file (a person at the `sqlite3`
/// shell) before the batch is refused as busy.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// The most user names whose numbers are remembered.
const NAMES_MAX: usize = 100_000;

/// Set on the writer's and the readers' connections alike, before anything else is done.
pub(super) const PRAGMAS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA mmap_size = 0;
    PRAGMA cell_size_check = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = 0;
";

/// The writer's own settings. The log file is cut to this size once it has been folded in; what is
/// deleted is overwritten with zeros.
const WRITER_PRAGMAS: &str = "
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -65536;
    PRAGMA secure_delete = ON;
";

thread_local! {
    /// How many pages the log of this thread's connection had after its last commit. SQLite
    /// tells it to a plain function only, and the writer has the one connection of its thread.
    static LOG_PAGES: Cell<i32> = const { Cell::new(0) };
}

/// How many statements an operation may have to take back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statements {
    /// At most one that changes anything: it takes itself back when it fails.
    One,
    /// Several.
    Several,
}

/// What operations work with: the transaction they are in, and what is remembered between them.
pub(super) struct Context<'a> {
    pub(super) connection: &'a Connection,
    pub(super) memory: &'a mut Memory,
    pub(super) inbox_unread_max: usize,
}

/// What the writer would otherwise have to look up for every message. It is forgotten whenever
/// something is taken back, so it never tells of what did not happen.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The id of the newest message.
    pub(super) newest: Option<MessageId>,
    pub(super) user_ids: HashMap<UserName, UserId>,
    /// How many unread messages each inbox has.
    pub(super) unread: HashMap<UserId, usize>,
}

impl Memory {
    /// Remembers a name's number; forgets all where there are too many.
    pub(super) fn remember_user(&mut self, name: UserName, id: UserId) {
        if self.user_ids.len() >= NAMES_MAX {
            self.user_ids.clear();
            self.unread.clear();
        }
        self.user_ids.insert(name, id);
    }
}

trait Operation: Send {
    fn statements(&self) -> Statements;
    /// How much text it stores.
    fn bytes(&self) -> usize;
    /// When it was asked for.
    fn submitted(&self) -> Instant;
    /// Does it, inside the open transaction. `false` where it failed.
    fn apply(&mut self, context: &mut Context<'_>) -> bool;
    /// Tells the outcome: of the operation where the commit went well, else of the commit. `spent`
    /// is where the time of this operation went in here.
    fn finish(self: Box<Self>, commit: Result<(), StoreError>, spent: Stages);
    /// What to say of an operation whose transaction cannot go on.
    fn error(&self) -> Option<&StoreError>;
    /// What is to be done with the file after the commit, before the operation is finished.
    fn upkeep(&self) -> Option<Upkeep> {
        None
    }
    /// That was done, wholly or not, or failed.
    fn upkept(&mut self, _outcome: Result<bool, StoreError>) {}
}

/// What is done with the whole file, outside of any transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upkeep {
    /// Fold in the log and cut it to nothing; not whole where somebody reads it.
    EmptyLog,
    /// Write the file anew, without what is unused, and then empty the log. Takes as long as the
    /// file is large, and holds up everybody who writes.
    Compact,
}

/// Changes nothing but the file's form.
struct PendingUpkeep<D> {
    upkeep: Upkeep,
    submitted: Instant,
    outcome: Result<bool, StoreError>,
    done: D,
}

impl<D: FnOnce(Result<bool, StoreError>) + Send> Operation for PendingUpkeep<D> {
    fn statements(&self) -> Statements {
        Statements::One
    }

    fn bytes(&self) -> usize {
        0
    }

    fn submitted(&self) -> Instant {
        self.submitted
    }

    fn apply(&mut self, _: &mut Context<'_>) -> bool {
        true
    }

    fn finish(self: Box<Self>, commit: Result<(), StoreError>, _: Stages) {
        (self.done)(commit.and(self.outcome));
    }

    fn error(&self) -> Option<&StoreError> {
        None
    }

    fn upkeep(&self) -> Option<Upkeep> {
        Some(self.upkeep)
    }

    fn upkept(&mut self, outcome: Result<bool, StoreError>) {
        self.outcome = outcome;
    }
}

struct Pending<A, D, T> {
    statements: Statements,
    bytes: usize,
    submitted: Instant,
    /// Where the time of its request went before.
    before: Stages,
    apply: Option<A>,
    outcome: Option<Result<T, StoreError>>,
    done: D,
}

impl<A, D, T> Operation for Pending<A, D, T>
where
    A: FnOnce(&mut Context<'_>) -> rusqlite::Result<T> + Send,
    D: FnOnce(Result<T, StoreError>) + Send,
    T: Send,
{
    fn statements(&self) -> Statements {
        self.statements
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn submitted(&self) -> Instant {
        self.submitted
    }

    fn apply(&mut self, context: &mut Context<'_>) -> bool {
        let Some(apply) = self.apply.take() else { return false };
        let outcome = apply(context).map_err(StoreError::from);
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

/// The way to the writer.
pub(super) struct Writer {
    queue: Arc<Queue<Box<dyn Operation>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What a batch has cost so far.
struct Spent {
    taken: Instant,
    executed: Duration,
    committed: Duration,
}

impl Writer {
    /// Opens the writer's connection, brings the schema up to date, and starts the thread.
    pub(super) fn open(
        file: &DatabaseFile,
        inbox_unread_max: Adjustable<usize>,
        measures: Arc<Measures>,
        on_fatal: OnFatal,
    ) -> Result<(Self, Option<Upgrade>), OpenError> {
        let (connection, upgrade) = open_connection(file.path())?;
        let identity = file
            .identity()
            .map_err(|source| OpenError::Io { path: file.path().to_owned(), source })?;
        let queue = Arc::new(Queue::new(WRITE_QUEUE_OPERATIONS_MAX));
        let batches = Batches {
            queue: Arc::clone(&queue),
            connection,
            identity,
            memory: Memory::default(),
            counted_to: inbox_unread_max.get(),
            inbox_unread_max,
            measures,
            on_fatal: Arc::clone(&on_fatal),
            owes_empty_log: false,
        };
        let run = move || {
            // Whatever a panic has left behind, it is not for acknowledging.
            if catch_unwind(AssertUnwindSafe(|| batches.run())).is_err() {
                on_fatal(StoreError::Fatal("the writer panicked".to_owned()));
            }
        };
        let thread = thread::Builder::new()
            .name("writer".to_owned())
            .spawn(run)
            .map_err(|source| OpenError::Io { path: file.path().to_owned(), source })?;
        Ok((Self { queue, thread: Mutex::new(Some(thread)) }, upgrade))
    }

    /// Has `apply` done in the order of the calls, and `done` told the outcome once it is durable.
    /// Never blocks: when too much is waiting, `done` is told so at once, on this thread.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        statements: Statements,
        apply: impl FnOnce(&mut Context<'_>) -> rusqlite::Result<T> + Send + 'static,
        done: impl FnOnce(Result<T, StoreError>) + Send + 'static,
    ) {
        self.submit_sized(statements, 0, apply, done);
    }

    /// [`Self::submit`], for what stores so many bytes of text.
    pub(super) fn submit_sized<T: Send + 'static>(
        &self,
        statements: Statements,
        bytes: usize,
        apply: impl FnOnce(&mut Context<'_>) -> rusqlite::Result<T> + Send + 'static,
        done: impl FnOnce(Result<T, StoreError>) + Send + 'static,
    ) {
        // The one allocation of a write: operations of different kinds wait in one queue.
        let (submitted, before) = (Instant::now(), Stages::current());
        let apply = Some(apply);
        let pending = Pending { statements, bytes, submitted, before, apply, outcome: None, done };
        self.push(Box::new(pending));
    }

    /// Has the file looked after, and `done` told whether wholly.
    pub(super) fn keep_up(
        &self,
        upkeep: Upkeep,
        done: impl FnOnce(Result<bool, StoreError>) + Send + 'static,
    ) {
        let submitted = Instant::now();
        self.push(Box::new(PendingUpkeep { upkeep, submitted, outcome: Ok(false), done }));
    }

    fn push(&self, operation: Box<dyn Operation>) {
        if let Err((operation, error)) = self.queue.push(operation) {
            let refused = Err(match error {
                PushError::Full => StoreError::Busy,
                PushError::Closed => StoreError::Closed,
            });
            operation.finish(refused, Stages::default());
        }
    }

    /// How many operations wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Does what is waiting, takes nothing more, folds in the log and closes the connection.
    pub(super) fn close(&self) {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of it has ended the process.
            let _ = thread.join();
        }
    }
}

fn open_connection(path: &Path) -> Result<(Connection, Option<Upgrade>), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(LOCK_WAIT).map_err(failed)?;
    let upgrade = migrations::apply(&mut connection, path)?;
    connection.execute_batch(PRAGMAS).map_err(failed)?;
    connection.execute_batch(WRITER_PRAGMAS).map_err(failed)?;
    // A first write: it shows that writing works, and brings the log's file into being.
    connection
        .execute(
            "INSERT INTO meta (name, value) VALUES ('opened_by', ?1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [concat!("chat-server ", env!("CARGO_PKG_VERSION"))],
        )
        .map_err(failed)?;
    Ok((connection, upgrade))
}

/// The thread's side.
struct Batches {
    queue: Arc<Queue<Box<dyn Operation>>>,
    connection: Connection,
    identity: Identity,
    memory: Memory,
    inbox_unread_max: Adjustable<usize>,
    /// What it was when the unread messages in memory were counted.
    counted_to: usize,
    measures: Arc<Measures>,
    on_fatal: OnFatal,
    /// What stands in the log has to go, and somebody was reading it.
    owes_empty_log: bool,
}

impl Batches {
    fn run(mut self) {
        self.connection.set_prepared_statement_cache_capacity(64);
        self.connection.wal_hook(Some(|_, pages| {
            LOG_PAGES.set(pages);
            Ok(())
        }));
        let mut batch = Vec::new();
        loop {
            match self.queue.take(&mut batch, BATCH_OPERATIONS_MAX, IDLE) {
                Taken::Items => self.execute_all(&mut batch),
                Taken::Nothing if LOG_PAGES.get() > 0 || self.owes_empty_log => self.empty_log(),
                Taken::Nothing => {}
                Taken::Closed => break,
            }
        }
        self.checkpoint(CheckpointMode::Truncate);
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the database was not closed cleanly; nothing is lost");
        }
    }

    /// As many transactions as the size of what is stored asks for. Leaves `batch` empty.
    fn execute_all(&mut self, batch: &mut Vec<Box<dyn Operation>>) {
        while !batch.is_empty() {
            let mut bytes = 0;
            let fits = batch.iter().take_while(|operation| {
                bytes += operation.bytes();
                bytes <= BATCH_BYTES_MAX
            });
            let rest = batch.split_off(fits.count().max(1));
            self.execute(batch);
            *batch = rest;
            if LOG_PAGES.get() >= CHECKPOINT_PAGES {
                self.checkpoint(CheckpointMode::Passive);
            }
        }
    }

    /// One transaction for all of `batch`, then an answer to each, in order. Leaves it empty.
    fn execute(&mut self, batch: &mut Vec<Box<dyn Operation>>) {
        let mut spent =
            Spent { taken: Instant::now(), executed: Duration::ZERO, committed: Duration::ZERO };
        let committed = self.commit(batch, &mut spent);
        self.count(batch.len(), &committed, &spent);
        if committed.is_err() {
            self.memory = Memory::default();
        }
        if let Err(StoreError::Fatal(problem)) = &committed {
            self.fail(problem);
        }
        if committed.is_ok() && !self.identity.is_intact() {
            self.fail("the database file was renamed or removed while the server was running");
        }
        for operation in batch.iter_mut().filter(|_| committed.is_ok()) {
            if let Some(upkeep) = operation.upkeep() {
                operation.upkept(self.keep_up(upkeep));
            }
        }
        for operation in batch.drain(..) {
            let queued = spent.taken.saturating_duration_since(operation.submitted());
            self.measures.write_queue.observe_time(queued);
            let Spent { executed, committed: in_commit, .. } = spent;
            let stages = Stages { queued, executed, committed: in_commit, ..Stages::default() };
            operation.finish(committed.clone(), stages);
        }
    }

    fn count(&self, operations: usize, committed: &Result<(), StoreError>, spent: &Spent) {
        let measures = &self.measures;
        measures.batch.observe(operations as u64);
        measures.execute.observe_time(spent.executed);
        measures.log_pages.set(i64::from(LOG_PAGES.get()));
        let reason = match committed {
            Ok(()) => return measures.commit.observe_time(spent.committed),
            Err(StoreError::Busy) => Rollback::Busy,
            Err(StoreError::Full) => Rollback::Full,
            Err(_) => Rollback::Failed,
        };
        measures.rollbacks[reason as usize].increment();
    }

    fn commit(
        &mut self,
        batch: &mut [Box<dyn Operation>],
        spent: &mut Spent,
    ) -> Result<(), StoreError> {
        let inbox_unread_max = self.inbox_unread_max.get();
        if inbox_unread_max != self.counted_to {
            // Who counts stops at the limit: what was counted to another one may be too little.
            self.memory.unread.clear();
            self.counted_to = inbox_unread_max;
        }
        let executed = self.run_statement("BEGIN IMMEDIATE").and_then(|()| {
            batch.iter_mut().try_for_each(|operation| self.apply(operation.as_mut()))
        });
        let committing = Instant::now();
        spent.executed = committing - spent.taken;
        let committed = executed.and_then(|()| self.run_statement("COMMIT"));
        let ended = Instant::now();
        spent.committed = ended - committing;
        if committed.is_ok() {
            self.measures.note_commit(ended);
        }
        committed.inspect_err(|_| {
            if !self.connection.is_autocommit() {
                let _ = self.run_statement("ROLLBACK");
            }
        })
    }

    /// An operation that fails is taken back alone; an error says that the whole transaction
    /// cannot go on.
    fn apply(&mut self, operation: &mut dyn Operation) -> Result<(), StoreError> {
        let several = operation.statements() == Statements::Several;
        if several {
            self.run_statement("SAVEPOINT operation")?;
        }
        let mut context = Context {
            connection: &self.connection,
            memory: &mut self.memory,
            inbox_unread_max: self.counted_to,
        };
        let applied = operation.apply(&mut context);
        if !applied {
            self.memory = Memory::default();
            match operation.error() {
                Some(StoreError::Statement(error)) => tracing::error!(error, "a write failed"),
                Some(error) => return Err(error.clone()),
                None => {}
            }
            if self.connection.is_autocommit() {
                return Err(StoreError::Statement("the transaction was taken back".to_owned()));
            }
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

    fn keep_up(&mut self, upkeep: Upkeep) -> Result<bool, StoreError> {
        if upkeep == Upkeep::Compact {
            // In a file, not in memory: it is as large as the database.
            let compacted = self.connection.execute_batch("PRAGMA temp_store = FILE; VACUUM");
            let _ = self.connection.execute_batch("PRAGMA temp_store = MEMORY");
            if let Err(error) = compacted.map_err(StoreError::from) {
                if let StoreError::Fatal(problem) = &error {
                    self.fail(problem);
                }
                return Err(error);
            }
        }
        self.empty_log();
        Ok(!self.owes_empty_log)
    }

    /// Folds in the whole log and cuts it to nothing, now or as soon as nobody reads it.
    fn empty_log(&mut self) {
        self.owes_empty_log = !self.checkpoint(CheckpointMode::Truncate);
    }

    /// Folds the log into the file, and counts that. Tells whether all of it is folded in.
    fn checkpoint(&self, mode: CheckpointMode) -> bool {
        let begun = Instant::now();
        let complete = self.fold_log(mode);
        self.measures.checkpoint[mode as usize].observe_time(begun.elapsed());
        self.measures.log_pages.set(i64::from(LOG_PAGES.get()));
        if !complete {
            self.measures.checkpoints_incomplete.increment();
        }
        complete
    }

    /// `PASSIVE` does what it can without waiting for readers; `TRUNCATE` is for when nobody is
    /// waiting, and leaves an empty log. Tells whether all of the log is folded in.
    fn fold_log(&self, mode: CheckpointMode) -> bool {
        let pragma = match mode {
            CheckpointMode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
            CheckpointMode::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        // A reader of the file (a person at the `sqlite3` shell) may keep pages of the log for as
        // long as it likes: they are folded in later, and nobody waits for that.
        let _ = self.connection.busy_timeout(Duration::ZERO);
        let folded = self.connection.query_row(pragma, [], |row| {
            let (busy, pages, folded): (i32, i32, i32) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(busy == 0 && pages == folded)
        });
        let _ = self.connection.busy_timeout(LOCK_WAIT);
        match folded {
            Ok(complete) => {
                if complete {
                    // The next commit begins the log anew (PASSIVE), or there is none (TRUNCATE).
                    LOG_PAGES.set(0);
                }
                complete
            }
            Err(error) => {
                match StoreError::from(error) {
                    StoreError::Fatal(problem) => self.fail(&problem),
                    error => {
                        tracing::warn!(%error, "the log was not folded in; it will be tried again");
                    }
                }
                false
            }
        }
    }

    fn fail(&self, problem: &str) {
        (self.on_fatal)(StoreError::Fatal(problem.to_owned()));
        // Should the callback return against its word: this thread must not go on.
        std::process::abort();
    }
}
