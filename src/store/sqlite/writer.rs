//! The writer: whoever changes the database, one at a time.
//!
//! What is asked for waits in a queue. Whoever has the lock on [`Batches`] takes everything that
//! is there as one batch: one transaction, one fsync; then it answers. That is the thread `writer`,
//! or a thread that has asked for one thing or a good many at once ([`Writer::gather`]) and finds that
//! nobody else is at it: it saves waking another thread, and being woken by it. Such a thread never
//! waits for anything but the disk: where it would, it leaves what there is to the writer's thread.

mod batches;
mod checkpoint;
mod operation;

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::adjustable::Adjustable;
use crate::metrics::Stages;
use crate::queue::{PushError, Queue};
use crate::store::OnFatal;
use crate::store::cache::live_messages::Recent;
use crate::store::error::{OpenError, StoreError};
use crate::store::metrics::{CheckpointMode, Measures};
use crate::store::sqlite::file::{self, DatabaseFile};
use crate::store::sqlite::migrations;
use crate::store::sqlite::operation::Apply;
use crate::store::sqlite::projection::deliveries::Deliveries;
use crate::store::sqlite::projection::keys::Keys;
use crate::store::sqlite::projection::memtable::Tail;
use crate::store::sqlite::stamp;
use batches::{Batches, Left, Role};
use checkpoint::Checkpointer;
use operation::{Operation, Pending, PendingUpkeep};

pub(in crate::store) use operation::Upkeep;

/// The most operations that may wait for the writer; one more is refused as busy.
pub(in crate::store) const WRITE_QUEUE_OPERATIONS_MAX: usize = 16_384;
/// How long the writer waits for work before it folds in the whole log, so that the file alone has
/// everything. The first commit after that begins the log anew, which costs it a second fsync.
const IDLE: Duration = Duration::from_secs(10);
/// How long the writer's thread waits for somebody else's lock on the file (a person at the
/// `sqlite3` shell) before the batch is refused as busy.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// How many operations a thread that has gathered them leaves to the writer's: it can gather more while
/// that waits for the disk. One has nothing to go with it; many cost less than handing them over saves.
const FEW: RangeInclusive<usize> = 2..=31;

/// Set on the writer's and the readers' connections alike, before anything else is done.
pub(in crate::store) const PRAGMAS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA mmap_size = 0;
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = 0;
";

/// The writer's own settings. The log file is cut to this size once it has been folded in; what is
/// deleted is overwritten with zeros; and a page whose cells do not fit into it is refused when it is first
/// looked at, so that damage does not spread. Readers spread nothing, and would spend a quarter of their time
/// on that: they find it when they come upon the cell. Few pages are kept in memory: most that are written are not
/// looked at again, and new ones in the place of those are in the processor's cache.
const WRITER_PRAGMAS: &str = "
    PRAGMA cell_size_check = ON;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -4096;
    PRAGMA secure_delete = ON;
";

/// Whether anybody is likely to ask for something while what was gathered is being committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meanwhile {
    /// Others go on asking.
    Requests,
    /// All who have asked lately wait for their answers.
    Silence,
}

/// Whether something that was gathered is left to who has gathered it, who has to gather again soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Everything is done, or left to others.
    Nothing,
    /// Somebody else is writing just now.
    Some,
}

/// What has become of a batch that a thread wanted to commit that gathered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Led {
    /// There is nothing more to do.
    All,
    /// There is something for the writer's thread to do.
    Part,
    /// Somebody else is writing.
    Busy,
}

thread_local! {
    /// This thread gathers: it will look after what it asks for.
    static GATHERS: Cell<bool> = const { Cell::new(false) };
}

/// The queue of the operations.
type Operations = Queue<Box<dyn Operation>>;

/// The way to the writer.
pub(in crate::store) struct Writer {
    shared: Arc<Shared>,
    /// Woken with `unpark`, which costs nothing where it is awake.
    thread: Thread,
    join: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    queue: Operations,
    /// `None` once it is closed. What is taken out of the queue is taken by whoever has this, so
    /// operations are done in the order in which they were asked for.
    batches: Mutex<Option<Batches>>,
    /// What was gathered is left to the writer's thread where fewer than so many were put into the queue before it.
    left_upto: AtomicU64,
    on_fatal: OnFatal,
}

impl Writer {
    /// Opens the writer's connection, brings the schema up to date, and starts the thread.
    pub(in crate::store) fn open(
        file: &DatabaseFile,
        committed_to: (Arc<Tail>, Arc<Recent>),
        inbox_unread_max: Adjustable<usize>,
        measures: Arc<Measures>,
        on_fatal: OnFatal,
    ) -> Result<Self, OpenError> {
        let connection = open_connection(file)?;
        let io_error = |source| OpenError::Io { path: file.path().to_owned(), source };
        let sqlite_error = |error| OpenError::from_sqlite(file.path(), &error);
        let page_bytes = connection
            .pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0))
            .map_err(sqlite_error)?;
        let identity = file.identity(page_bytes.into()).map_err(io_error)?;
        let deliveries = Deliveries::open(&connection, committed_to).map_err(sqlite_error)?;
        let keys = Keys::open(&connection).map_err(sqlite_error)?;
        let checkpointer = Checkpointer::open(file, Arc::clone(&measures)).map_err(sqlite_error)?;
        let (ask, asked) = mpsc::channel();
        let fatal = Arc::clone(&on_fatal);
        let batches = Batches::new(
            connection,
            identity,
            (deliveries, keys),
            inbox_unread_max,
            measures,
            ask,
            fatal,
        );
        let shared = Arc::new(Shared {
            queue: Queue::new(WRITE_QUEUE_OPERATIONS_MAX),
            batches: Mutex::new(Some(batches)),
            left_upto: AtomicU64::new(0),
            on_fatal,
        });
        let spawn = |name: &str, work: Box<dyn FnOnce(&Shared) + Send>| {
            let shared = Arc::clone(&shared);
            let run = move || shared.guard(|| work(&shared));
            thread::Builder::new().name(name.to_owned()).spawn(run).map_err(io_error)
        };
        let folding =
            spawn("checkpointer", Box::new(move |shared| shared.fold(&checkpointer, &asked)))?;
        let join = spawn("writer", Box::new(move |shared| shared.run(folding)))?;
        let thread = join.thread().clone();
        Ok(Self { shared, thread, join: Mutex::new(Some(join)) })
    }

    /// Does `write`, in the order of the calls, and calls `done` once when its outcome is durable.
    /// Never blocks: where too much is waiting, it calls `done` at once, on this thread.
    pub(in crate::store) fn submit<W: Apply>(
        &self,
        write: W,
        done: impl FnOnce(Result<W::Answer, StoreError>) + Send + 'static,
    ) {
        let (submitted, before) = (Instant::now(), Stages::current());
        let (bytes, gathered) = (write.text_bytes(), GATHERS.get());
        // The one allocation of a write: operations of different kinds wait in one queue.
        self.push(Box::new(Pending {
            bytes,
            submitted,
            gathered,
            before,
            write: Some(write),
            outcome: None,
            done,
        }));
    }

    /// Has the file looked after, and `done` told whether wholly.
    pub(in crate::store) fn keep_up(
        &self,
        upkeep: Upkeep,
        done: impl FnOnce(Result<bool, StoreError>) + Send + 'static,
    ) {
        let submitted = Instant::now();
        self.push(Box::new(PendingUpkeep { upkeep, submitted, outcome: Ok(false), done }));
    }

    fn push(&self, operation: Box<dyn Operation>) {
        let gathered = operation.is_gathered();
        match self.shared.queue.push(operation) {
            Ok(()) if gathered => {}
            Ok(()) => self.thread.unpark(),
            Err((operation, error)) => {
                let refused = Err(match error {
                    PushError::Full => StoreError::Busy,
                    PushError::Closed => StoreError::Closed,
                });
                operation.finish(refused, Stages::default());
            }
        }
    }

    /// What `ask` asks for on this thread waits until it has returned; then this thread commits it
    /// and tells the outcomes, all of that in one batch, unless others go on asking and it is [`FEW`], or somebody
    /// else is writing. Then the writer's thread does it, or who is writing; but where nobody asks meanwhile, what
    /// somebody else's writing is in the way of is kept, for who has gathered to come back to. Waits for the
    /// disk, and for nobody else.
    pub(in crate::store) fn gather(&self, ask: impl FnOnce() -> Meanwhile) -> Kept {
        let gathering = Gathering(GATHERS.replace(true));
        let meanwhile = ask();
        drop(gathering);
        let waiting = self.shared.queue.len();
        if waiting == 0 {
            return Kept::Nothing;
        }
        if meanwhile == Meanwhile::Silence || !FEW.contains(&waiting) {
            match self.shared.guard(|| self.shared.lead()) {
                Led::All => return Kept::Nothing,
                Led::Busy if meanwhile == Meanwhile::Silence => return Kept::Some,
                Led::Busy | Led::Part => {}
            }
        }
        self.shared.left_upto.fetch_max(self.shared.queue.put_in(), Ordering::SeqCst);
        self.thread.unpark();
        Kept::Nothing
    }

    /// How many operations wait.
    pub(in crate::store) fn waiting(&self) -> usize {
        self.shared.queue.len()
    }

    /// Does what is waiting, takes nothing more, folds in the log and closes the connection.
    pub(in crate::store) fn close(&self) {
        self.shared.queue.close();
        self.thread.unpark();
        let join = self.join.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(join) = join {
            // A panic of it has ended the process.
            let _ = join.join();
        }
    }
}

impl Shared {
    /// The writer's thread.
    fn run(&self, checkpointer: JoinHandle<()>) {
        loop {
            // Asked first: whatever was put in before is done below.
            let closed = self.queue.is_closed();
            let mut batches = self.lock();
            let Some(writing) = batches.as_mut() else { return };
            loop {
                let upto = if closed { u64::MAX } else { self.left_upto.load(Ordering::SeqCst) };
                if writing.commit(&self.queue, Role::Thread { upto }) == Left::Nothing {
                    break;
                }
            }
            if closed {
                let closing = batches.take();
                drop(batches);
                let Some(mut closing) = closing else { return };
                closing.dismiss_checkpointer();
                // A panic of it has ended the process.
                let _ = checkpointer.join();
                return closing.close();
            }
            let left = writing.rest(IDLE);
            let rest = writing.may_rest_for(IDLE);
            drop(batches);
            if left == Left::Nothing {
                thread::park_timeout(rest);
            }
        }
    }

    /// The thread `checkpointer`: folds a long log in, most of it while others write, and then what they have
    /// written meanwhile.
    fn fold(&self, checkpointer: &Checkpointer, asked: &Receiver<()>) {
        while asked.recv().is_ok() {
            let ahead = checkpointer.fold();
            if let Some(writing) = self.lock().as_mut() {
                writing.fold_rest(ahead);
            }
        }
    }

    /// One batch, on a thread that gathered it, if nobody else is writing.
    fn lead(&self) -> Led {
        // Whoever has the lock looks at the queue again when it has given the lock back: what is
        // left to others in it now does not stay.
        let mut batches = match self.batches.try_lock() {
            Ok(batches) => batches,
            Err(TryLockError::WouldBlock) => return Led::Busy,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        let quick = batches.as_mut().filter(|batches| !batches.disk_is_slow());
        let Some(writing) = quick else { return Led::Part };
        let left = writing.commit(&self.queue, Role::Gatherer);
        drop(batches);
        if left == Left::Nothing && self.queue.is_empty() { Led::All } else { Led::Part }
    }

    /// Whatever a panic of who writes has left behind, it is not for acknowledging.
    fn guard<T>(&self, write: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(write)).unwrap_or_else(|_| {
            (self.on_fatal)(StoreError::Fatal("the writer panicked".to_owned()));
            // Should the callback return against its word: nothing more may be written.
            std::process::abort()
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Batches>> {
        // A panic of who had it has ended the process.
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts back what was there, also when who asks panics.
struct Gathering(bool);

impl Drop for Gathering {
    fn drop(&mut self) {
        GATHERS.set(self.0);
    }
}

fn open_connection(file: &DatabaseFile) -> Result<Connection, OpenError> {
    let path = file.path();
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(LOCK_WAIT).map_err(failed)?;
    // Where the start fails, the log stays for the next one.
    let keep_log = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(keep_log, true).map_err(failed)?;
    migrations::apply(&mut connection, path)?;
    connection.execute_batch(PRAGMAS).map_err(failed)?;
    connection.execute_batch(WRITER_PRAGMAS).map_err(failed)?;
    begin_generation(&mut connection, file)?;
    connection.set_db_config(keep_log, false).map_err(failed)?;
    // SQLite does so too when it first syncs the log, and does not tell when that fails: without its
    // name the log is nothing after a power cut.
    file::sync_folder(path)?;
    Ok(connection)
}

/// Gives the file a stamp that no copy of it has, and begins the log anew: what the log will have from
/// here on fits this file alone. These are the first writes, too: they show that writing works, and
/// bring the log's file into being.
fn begin_generation(connection: &mut Connection, file: &DatabaseFile) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(file.path(), &error);
    let log_failed = |source| OpenError::Io { path: file.log_path(), source };
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
    match checkpoint::fold(connection, CheckpointMode::Truncate) {
        // Somebody reads the file, or it cannot grow: the log goes on.
        Ok(_) | Err(StoreError::Busy | StoreError::Full) => {}
        Err(error) => {
            let (path, problem) = (file.path().to_owned(), error.to_string());
            return Err(OpenError::Sqlite { path, problem });
        }
    }
    connection.busy_timeout(LOCK_WAIT).map_err(failed)?;
    let second = connection.transaction_with_behavior(behavior).map_err(failed)?;
    stamp::renew(&second).map_err(failed)?;
    checkpoint::make_room(&file.log_path()).map_err(log_failed)?;
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
    use crate::store::sqlite::Sqlite;
    use crate::store::sqlite::testing::{append_one_by_one, store, wait_until};

    /// The text of what was stored, and the thread that told so.
    type Told = (usize, ThreadId);

    fn append(store: &Sqlite, number: usize, told: &Sender<Told>) {
        let (to, body) = (smallvec!["neko".parse().unwrap()], format!("text {number}"));
        let body = body.parse().unwrap();
        let told = told.clone();
        store.write(Append { sender: UserId(2), to, body, key: None }, move |appended| {
            appended.unwrap();
            told.send((number, thread::current().id())).unwrap();
        });
    }

    /// After a commit that took long, the next is the thread's.
    fn wait_for_quick_commit(store: &Sqlite) {
        wait_until("a quick commit", || {
            append_one_by_one(store, 1);
            !store.writer.shared.lock().as_ref().unwrap().disk_is_slow()
        });
    }

    /// Three that are kept, because somebody else is writing.
    fn keep_three(store: &Sqlite) -> (Sender<Told>, Receiver<Told>) {
        wait_for_quick_commit(store);
        let (tell, told) = channel();
        let writing = store.writer.shared.lock();
        let kept = store.writer.gather(|| {
            (0..3).for_each(|number| append(store, number, &tell));
            Meanwhile::Silence
        });
        assert_eq!(kept, Kept::Some);
        drop(writing);
        (tell, told)
    }

    /// Until the writer's thread, which may be looking whether there is anything to do, is not in the way.
    fn lead(store: &Sqlite) {
        while store.writer.gather(|| Meanwhile::Silence) == Kept::Some {}
    }

    #[test]
    fn a_few_are_committed_by_who_gathered_them_where_nobody_asks_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (tell, told) = channel();
        for (meanwhile, is_own) in [(Meanwhile::Silence, true), (Meanwhile::Requests, false)] {
            wait_for_quick_commit(&store);
            let kept = store.writer.gather(|| {
                (0..3).for_each(|number| append(&store, number, &tell));
                meanwhile
            });
            if kept == Kept::Some {
                lead(&store);
            }
            for number in 0..3 {
                let (stored, thread) = told.recv().unwrap();
                assert_eq!((stored, thread == thread::current().id()), (number, is_own));
            }
        }
        store.close();
    }

    #[test]
    fn what_is_kept_waits_for_who_gathered_it_and_what_comes_after_it_does_too() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (tell, told) = keep_three(&store);
        append(&store, 3, &tell);
        let shared = &store.writer.shared;
        let upto = shared.left_upto.load(Ordering::SeqCst);
        let left = shared.lock().as_mut().unwrap().commit(&shared.queue, Role::Thread { upto });
        assert_eq!((left, shared.queue.len()), (Left::Nothing, 4));
        assert!(told.try_recv().is_err());
        lead(&store);
        let own = thread::current().id();
        let told: Vec<_> = (0..4).map(|_| told.recv().unwrap()).collect();
        assert!(told.iter().map(|told| told.0).eq(0..4));
        assert!(told[..3].iter().all(|told| told.1 == own) && told[3].1 != own);
        store.close();
    }

    #[test]
    fn what_is_kept_is_done_by_the_thread_once_it_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (_tell, told) = keep_three(&store);
        assert_eq!(store.writer.gather(|| Meanwhile::Requests), Kept::Nothing);
        for number in 0..3 {
            let (stored, thread) = told.recv().unwrap();
            assert!(stored == number && thread != thread::current().id(), "{number}");
        }
        store.close();
    }

    #[test]
    fn what_is_kept_is_done_before_the_file_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (_tell, told) = keep_three(&store);
        store.close();
        assert!(told.try_iter().map(|told| told.0).eq(0..3));
    }
}
