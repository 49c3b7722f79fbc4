//! The readers: a few threads with connections that cannot write. A read copies its result and ends
//! its transaction before it answers, so no snapshot lasts longer than its query. Users take turns:
//! a user with many or slow reads delays only themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use r2d2::Pool;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OpenFlags};
use scheduled_thread_pool::ScheduledThreadPool;

use crate::metrics::Stages;
use crate::queue::PushError;
use crate::store::error::{OpenError, StoreError};
use crate::store::metrics::Metrics;
use crate::store::operation::Party;
use crate::store::scheduler::fair_queue::FairQueue;
use crate::store::sqlite::connection::{LOCK_WAIT, PRAGMAS};
use crate::store::sqlite::file::DatabaseFile;
use crate::store::sqlite::operation::{Query, ReadContext};
use crate::store::sqlite::projection::memtable::Memtable;

/// The maximum number of waiting reads. Further reads are refused as busy.
pub(in crate::store) const READ_QUEUE_JOBS_MAX: usize = 16_384;

type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

/// The reader threads and their queue.
pub(in crate::store) struct Readers {
    queue: Arc<FairQueue<Party, Job>>,
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What a read needs besides a connection.
struct Shared {
    memtable: Arc<Memtable>,
    path: PathBuf,
    metrics: Arc<Metrics>,
}

impl Readers {
    /// Opens `count` connections, one after another, and starts a thread for each.
    pub(in crate::store) fn open(
        file: &DatabaseFile,
        count: usize,
        memtable: Arc<Memtable>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let path = file.path().to_owned();
        let failed = |error: r2d2::Error| OpenError::Sqlite {
            path: path.clone(),
            problem: error.to_string(),
        };
        let pool = open_pool(file, count).map_err(failed)?;
        let queue = Arc::new(FairQueue::new(READ_QUEUE_JOBS_MAX));
        let mut threads = Vec::with_capacity(count);
        for index in 0..count {
            let (queue, pool) = (Arc::clone(&queue), pool.clone());
            let thread = thread::Builder::new()
                .name(format!("reader-{index}"))
                .spawn(move || run(&queue, &pool))
                .map_err(|source| OpenError::Io { path: path.clone(), source })?;
            threads.push(thread);
        }
        let shared = Arc::new(Shared { memtable, path, metrics });
        Ok(Self { queue, shared, threads: Mutex::new(threads) })
    }

    /// Executes `read` in one read transaction when its party has its turn, and calls `done` once
    /// with the result. Never blocks: if the queue is full, `done` is called at once, on this
    /// thread.
    pub(in crate::store) fn submit<R: Query>(
        &self,
        read: R,
        done: impl FnOnce(Result<R::Answer, StoreError>) + Send + 'static,
    ) {
        let (submitted, before, party) = (Instant::now(), Stages::current(), read.party());
        let shared = Arc::clone(&self.shared);
        let job: Job = Box::new(move |connection| {
            let connection = match connection {
                Ok(connection) => connection,
                Err(error) => return before.scope(|| done(Err(error))),
            };
            let taken = Instant::now();
            let found = read_once(connection, &shared, read);
            let (queued, executed) = (taken - submitted, taken.elapsed());
            shared.metrics.read_queue.observe_time(queued);
            shared.metrics.read.observe_time(executed);
            let stages = before.and(Stages { queued, executed, ..Stages::default() });
            stages.scope(|| done(found));
        });
        if let Err((job, error)) = self.queue.push(party, job) {
            job(Err(match error {
                PushError::Full => StoreError::Busy,
                PushError::Closed => StoreError::Closed,
            }));
        }
    }

    /// How many reads wait.
    pub(in crate::store) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Finishes the waiting reads and accepts no more. Blocks until then.
    pub(in crate::store) fn close(&self) {
        self.queue.close();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = thread.join();
        }
    }
}

fn read_once<R: Query>(
    connection: &Connection,
    Shared { memtable, path, .. }: &Shared,
    read: R,
) -> Result<R::Answer, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let found = read.query(&ReadContext { connection: &snapshot, memtable, path })?;
    drop(snapshot);
    Ok(found)
}

fn open_pool(
    file: &DatabaseFile,
    count: usize,
) -> Result<Pool<SqliteConnectionManager>, r2d2::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let manager =
        SqliteConnectionManager::file(file.path()).with_flags(flags).with_init(|connection| {
            connection.busy_timeout(LOCK_WAIT)?;
            connection.execute_batch(PRAGMAS)?;
            connection.pragma_update(None, "query_only", true)
        });
    Pool::builder()
        .max_size(u32::try_from(count).unwrap_or(u32::MAX))
        .min_idle(None)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_on_check_out(false)
        // One thread is enough, because connections are opened one after another.
        .thread_pool(Arc::new(
            ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("pool").build(),
        ))
        .build(manager)
}

fn run(queue: &FairQueue<Party, Job>, pool: &Pool<SqliteConnectionManager>) {
    while let Some(job) = queue.pop() {
        // There are as many connections as threads, so this waits only while a connection is
        // opened.
        let connection = pool.get();
        let connection = match &connection {
            Ok(connection) => Ok(&**connection),
            Err(error) => Err(StoreError::Statement(error.to_string())),
        };
        // A panic drops the job's callback, and dropping it answers the request.
        if catch_unwind(AssertUnwindSafe(|| job(connection))).is_err() {
            tracing::error!("a read panicked");
        }
    }
}
