//! The writer: changes the database, one batch at a time.
//!
//! [`GroupCommit`] decides which thread commits the waiting operations. [`batches`] commits a batch
//! of them in a [`transaction`]. [`checkpoint`] copies the WAL into the file when
//! [`checkpoint_policy`] says so. This module opens them and starts their threads.

mod batches;
mod checkpoint;
mod checkpoint_policy;
mod operation;
mod transaction;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::adjustable::Adjustable;
use crate::metrics::Stages;
use crate::store::OnFatal;
use crate::store::cache::live_messages::LiveMessages;
use crate::store::clock::SessionClock;
use crate::store::error::{OpenError, StoreError};
use crate::store::metrics::{CheckpointMode, Metrics};
use crate::store::scheduler::group_commit::{self, GroupCommit};
use crate::store::scheduler::writer_thread::{WRITE_QUEUE_OPERATIONS_MAX, WriterThread};
use crate::store::sqlite::connection::{LOCK_WAIT, configure};
use crate::store::sqlite::file::DatabaseFile;
use crate::store::sqlite::migrations;
use crate::store::sqlite::operation::Apply;
use crate::store::sqlite::path;
use crate::store::sqlite::projection::deliveries::Deliveries;
use crate::store::sqlite::projection::keys::Keys;
use crate::store::sqlite::projection::memtable::Memtable;
use crate::store::sqlite::projection::words::Words;
use crate::store::sqlite::reserved_space::ReservedSpace;
use crate::store::sqlite::stamp;
pub(in crate::store) use batches::Batches;
use checkpoint::Checkpointer;
use operation::{Pending, PendingMaintenance};
use transaction::WriteConnection;

pub(in crate::store) use checkpoint::is_out_of_space;
pub(in crate::store) use operation::Maintenance;

/// The writer's own settings. The WAL is cut to this size after a checkpoint. Deleted bytes are
/// overwritten with zeros. A page whose cells do not fit is refused at the first look, so that
/// damage does not spread. Readers spread nothing, and the check would take a quarter of their
/// time. The page cache is small: most written pages are not used again, and new pages replace them
/// in the processor's cache.
const WRITER_PRAGMAS: &str = "
    PRAGMA cell_size_check = ON;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -4096;
    PRAGMA secure_delete = ON;
";

/// The writer, for the rest of the store.
pub(in crate::store) type Writer = WriterThread<Batches>;

impl Writer {
    /// Opens the writer's connection, brings the schema up to date, and starts the threads.
    pub(in crate::store) fn open(
        file: &DatabaseFile,
        committed_to: (Arc<Memtable>, Arc<LiveMessages>),
        inbox_unread_max: Adjustable<usize>,
        clock: SessionClock,
        metrics: Arc<Metrics>,
        on_fatal: OnFatal,
    ) -> Result<Self, OpenError> {
        let connection = open_connection(file)?;
        let io_error = |source| OpenError::Io { path: file.path().to_owned(), source };
        let sqlite_error = |error| OpenError::from_sqlite(file.path(), &error);
        let page_bytes = connection
            .pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0))
            .map_err(sqlite_error)?;
        let guard = file.guard(page_bytes.into()).map_err(io_error)?;
        let deliveries = Deliveries::open(&connection, committed_to).map_err(sqlite_error)?;
        let keys = Keys::open(&connection).map_err(sqlite_error)?;
        let words = Words::open(&connection).map_err(sqlite_error)?;
        let checkpointer = Checkpointer::open(file, Arc::clone(&metrics)).map_err(sqlite_error)?;
        let (ask, asked) = mpsc::channel();
        let connection = WriteConnection::new(
            connection,
            (guard, ReservedSpace::new(file.database())),
            (deliveries, keys, words),
            inbox_unread_max.get(),
            clock,
        );
        let fatal = Arc::clone(&on_fatal);
        let batches = Batches::new(connection, inbox_unread_max, metrics, ask, fatal);
        let group = Arc::new(GroupCommit::new(WRITE_QUEUE_OPERATIONS_MAX, batches, on_fatal));
        let checkpointing = Arc::clone(&group);
        let checkpointer_thread = thread::Builder::new()
            .name("checkpointer".to_owned())
            .spawn(move || {
                checkpointing.guard(|| run_checkpointer(&checkpointing, &checkpointer, &asked));
            })
            .map_err(io_error)?;
        group.with_committer(|batches| batches.own_checkpointer(checkpointer_thread));
        Self::start(group).map_err(io_error)
    }

    /// Queues `write`. Writes are executed in the order of the calls. `done` is called once, when
    /// the outcome is durable. Never blocks: if the queue is full, it calls `done` at once on this
    /// thread.
    pub(in crate::store) fn submit<W: Apply>(
        &self,
        write: W,
        done: impl FnOnce(Result<W::Answer, StoreError>) + Send + 'static,
    ) {
        let (submitted, before) = (Instant::now(), Stages::current());
        let (bytes, collected) = (write.text_bytes(), group_commit::is_collecting());
        // The one allocation of a write: operations of different kinds wait in one queue.
        self.push(Box::new(Pending {
            bytes,
            submitted,
            collected,
            before,
            write: Some(write),
            outcome: None,
            done,
        }));
    }

    /// Queues the maintenance of the file. `done` gets whether it was complete.
    pub(in crate::store) fn maintain(
        &self,
        maintenance: Maintenance,
        done: impl FnOnce(Result<bool, StoreError>) + Send + 'static,
    ) {
        let submitted = Instant::now();
        self.push(Box::new(PendingMaintenance {
            maintenance,
            submitted,
            outcome: Ok(false),
            done,
        }));
    }
}

/// The loop of the thread `checkpointer`. It checkpoints a long WAL while other threads commit, and
/// then the pages of their commits.
fn run_checkpointer(
    group: &GroupCommit<Batches>,
    checkpointer: &Checkpointer,
    asked: &Receiver<()>,
) {
    while asked.recv().is_ok() {
        let ahead = checkpointer.run();
        group.with_committer(|batches| batches.checkpoint_rest(ahead));
    }
}

fn open_connection(file: &DatabaseFile) -> Result<Connection, OpenError> {
    let path = file.path();
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(LOCK_WAIT).map_err(failed)?;
    // If the start fails, the WAL stays for the next one.
    let keep_wal = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(keep_wal, true).map_err(failed)?;
    migrations::apply(&mut connection, path)?;
    configure(&connection).map_err(failed)?;
    connection.execute_batch(WRITER_PRAGMAS).map_err(failed)?;
    begin_generation(&mut connection, file)?;
    connection.set_db_config(keep_wal, false).map_err(failed)?;
    // SQLite syncs the folder too when it first syncs the WAL, but does not report a failure.
    // Without its name the WAL is lost in a power cut.
    path::sync_folder(path)?;
    Ok(connection)
}

/// Gives the file a stamp that no copy has, and begins a WAL generation: from here on the WAL fits
/// this file alone. These are also the first writes: they show that writing works, and create the
/// WAL.
fn begin_generation(connection: &mut Connection, file: &DatabaseFile) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(file.path(), &error);
    let wal_failed = |source| OpenError::Io { path: file.wal_path(), source };
    let behavior = TransactionBehavior::Immediate;
    let first = connection.transaction_with_behavior(behavior).map_err(failed)?;
    first
        .execute(
            "INSERT INTO meta (name, value) VALUES ('opened_by', ?1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [concat!("chat-server ", env!("CARGO_PKG_VERSION"))],
        )
        .map_err(failed)?;
    stamp::renew(&first).map_err(failed)?;
    first.commit().map_err(failed)?;
    connection.busy_timeout(Duration::ZERO).map_err(failed)?;
    // The WAL keeps its length, because a full disk may have no space for a new one.
    match checkpoint::run(connection, CheckpointMode::Passive) {
        // A reader blocks the checkpoint, or the file cannot grow: the WAL goes on.
        Ok(_) | Err(StoreError::Busy | StoreError::Full) => {}
        Err(error) => {
            let (path, problem) = (file.path().to_owned(), error.to_string());
            return Err(OpenError::Sqlite { path, problem });
        }
    }
    connection.busy_timeout(LOCK_WAIT).map_err(failed)?;
    let second = connection.transaction_with_behavior(behavior).map_err(failed)?;
    stamp::renew(&second).map_err(failed)?;
    checkpoint::reserve_wal(&file.wal_path()).map_err(wal_failed)?;
    second.commit().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread::ThreadId;

    use smallvec::smallvec;

    use super::*;
    use crate::model::UserId;
    use crate::store::Append;
    use crate::store::scheduler::group_commit::{Commit, Expect, Flush, Remaining};
    use crate::store::sqlite::Sqlite;
    use crate::store::sqlite::testing::{append_one_by_one, store, wait_until};

    /// The number of a message, and the thread that ran its callback.
    type Answered = (usize, ThreadId);

    fn append(store: &Sqlite, number: usize, told: &Sender<Answered>) {
        let (to, body) = (smallvec!["neko".parse().unwrap()], format!("text {number}"));
        let body = body.parse().unwrap();
        let told = told.clone();
        store.write(Append::new(UserId(2), to, body), move |appended| {
            appended.unwrap();
            told.send((number, thread::current().id())).unwrap();
        });
    }

    /// After a slow commit the writer thread does the next one.
    fn wait_for_quick_commit(store: &Sqlite) {
        wait_until("a quick commit", || {
            append_one_by_one(store, 1);
            store.writer.group.hold().as_ref().unwrap().is_quick()
        });
    }

    /// Submits three operations, which are deferred because another thread is committing.
    fn defer_three(store: &Sqlite) -> (Sender<Answered>, Receiver<Answered>) {
        wait_for_quick_commit(store);
        let (tell, told) = channel();
        let writing = store.writer.group.hold();
        let flush = store.writer.collect_batch(|| {
            (0..3).for_each(|number| append(store, number, &tell));
            Expect::Nothing
        });
        assert_eq!(flush, Flush::Deferred);
        drop(writing);
        (tell, told)
    }

    /// Tries again while the writer thread holds the lock to look for work.
    fn commit(store: &Sqlite) {
        while store.writer.collect_batch(|| Expect::Nothing) == Flush::Deferred {}
    }

    #[test]
    fn worker_commits_a_few_operations_if_it_expects_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (tell, told) = channel();
        for (expect, is_own) in [(Expect::Nothing, true), (Expect::MoreRequests, false)] {
            wait_for_quick_commit(&store);
            let flush = store.writer.collect_batch(|| {
                (0..3).for_each(|number| append(&store, number, &tell));
                expect
            });
            if flush == Flush::Deferred {
                commit(&store);
            }
            for number in 0..3 {
                let (stored, thread) = told.recv().unwrap();
                assert_eq!((stored, thread == thread::current().id()), (number, is_own));
            }
        }
        store.close();
    }

    #[test]
    fn deferred_batch_waits_for_its_worker() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (tell, told) = defer_three(&store);
        append(&store, 3, &tell);
        assert_eq!(store.writer.group.commit_as_writer_thread(), (Remaining::Nothing, 4));
        assert!(told.try_recv().is_err());
        commit(&store);
        let own = thread::current().id();
        let told: Vec<_> = (0..4).map(|_| told.recv().unwrap()).collect();
        assert!(told.iter().map(|told| told.0).eq(0..4));
        assert!(told[..3].iter().all(|told| told.1 == own) && told[3].1 != own);
        store.close();
    }

    #[test]
    fn writer_thread_commits_a_deferred_batch_that_was_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (_tell, told) = defer_three(&store);
        assert_eq!(store.writer.collect_batch(|| Expect::MoreRequests), Flush::Done);
        for number in 0..3 {
            let (stored, thread) = told.recv().unwrap();
            assert!(stored == number && thread != thread::current().id(), "{number}");
        }
        store.close();
    }

    #[test]
    fn closing_commits_a_deferred_batch() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (_tell, told) = defer_three(&store);
        store.close();
        assert!(told.try_iter().map(|told| told.0).eq(0..3));
    }
}
