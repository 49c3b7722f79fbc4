//! The readers: connections that cannot write. A read copies its result and ends its transaction
//! before it answers, so no snapshot lasts longer than its query.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use r2d2::Pool;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::OpenFlags;
use scheduled_thread_pool::ScheduledThreadPool;

use crate::store::clock::SessionClock;
use crate::store::error::{OpenError, StoreError};
use crate::store::metrics::Metrics;
use crate::store::scheduler::reader_pool::ReaderPool;
use crate::store::sqlite::connection::{LOCK_WAIT, configure};
use crate::store::sqlite::file::DatabaseFile;
use crate::store::sqlite::operation::{Query, ReadContext};
use crate::store::sqlite::projection::memtable::Memtable;

/// What a reader thread reads with.
#[derive(Clone)]
pub(in crate::store) struct Reader {
    pool: Pool<SqliteConnectionManager>,
    memtable: Arc<Memtable>,
    clock: SessionClock,
    path: PathBuf,
}

/// Opens `count` connections, one after another, and starts a thread for each.
pub(in crate::store) fn start(
    file: &DatabaseFile,
    count: usize,
    (memtable, clock): (Arc<Memtable>, SessionClock),
    metrics: Arc<Metrics>,
) -> Result<ReaderPool<Reader>, OpenError> {
    let path = file.path().to_owned();
    let pool = open_pool(file, count)
        .map_err(|error| OpenError::Sqlite { path: path.clone(), problem: error.to_string() })?;
    let reader = Reader { pool, memtable, clock, path: path.clone() };
    ReaderPool::start(vec![reader; count], metrics).map_err(|source| OpenError::Io { path, source })
}

impl Reader {
    /// Executes `read` in one read transaction.
    pub(in crate::store) fn execute<R: Query>(&self, read: R) -> Result<R::Answer, StoreError> {
        // There are as many connections as threads, so this waits only while a connection is
        // opened.
        let connection =
            self.pool.get().map_err(|error| StoreError::Statement(error.to_string()))?;
        let snapshot = connection.unchecked_transaction()?;
        let (memtable, path): (_, &Path) = (&self.memtable, &self.path);
        let now = self.clock.now();
        let found = read.query(&ReadContext { connection: &snapshot, memtable, now, path })?;
        drop(snapshot);
        Ok(found)
    }
}

fn open_pool(
    file: &DatabaseFile,
    count: usize,
) -> Result<Pool<SqliteConnectionManager>, r2d2::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let manager =
        SqliteConnectionManager::file(file.path()).with_flags(flags).with_init(|connection| {
            connection.busy_timeout(LOCK_WAIT)?;
            configure(connection)?;
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
