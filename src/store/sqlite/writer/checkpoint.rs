//! Checkpoints: copying the pages of the WAL into the database file.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::store::error::{Fatal, StoreError};
use crate::store::metrics::{CheckpointMode, Metrics};
use crate::store::sqlite::connection::configure;
use crate::store::sqlite::file::DatabaseFile;
use crate::store::sqlite::file_guard::{WAL_FRAME_HEADER_BYTES, WAL_HEADER_BYTES};

thread_local! {
    /// How many pages the WAL had after the last commit on this thread. SQLite passes the number to
    /// a plain function during the commit.
    static PAGES: Cell<Option<i32>> = const { Cell::new(None) };
}

/// The number of pages for which [`reserve_wal`] reserves space.
pub(in crate::store) const RESERVED_PAGES: i32 = 254;
/// All pages have 4 KiB.
const RESERVED_BYTES: u64 =
    WAL_HEADER_BYTES as u64 + RESERVED_PAGES as u64 * (WAL_FRAME_HEADER_BYTES + 4_096);

/// The space is written in pieces of this size.
const RESERVED_PIECE_BYTES: u64 = 128 * 1024;

/// Extends the WAL to [`RESERVED_PAGES`] pages with zeros. A commit that makes the file longer
/// waits until the file system has written the new length and the new blocks. SQLite reads a WAL up
/// to the first frame without the salt of its header (the file format, section 4.4). So it stops
/// at the zeros, as at frames of older generations.
///
/// Call it inside a transaction that may write: no other process extends the file then. On a full
/// disk the WAL gets the available space, and grows with later commits.
pub(in crate::store) fn reserve_wal(wal: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(wal)?;
    let mut end = file.metadata()?.len();
    while end < RESERVED_BYTES {
        let piece = RESERVED_PIECE_BYTES.min(RESERVED_BYTES - end);
        match file.write_all_at(&vec![0; piece as usize], end) {
            Err(error) if is_out_of_space(&error) => return file.set_len(end),
            written => written?,
        }
        end += piece;
    }
    Ok(())
}

/// Whether a write failed because the disk or the file is full.
pub(in crate::store) fn is_out_of_space(error: &io::Error) -> bool {
    let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge];
    kinds.contains(&error.kind())
}

/// Makes the commits of this connection set [`pages`].
pub(in crate::store) fn count_pages(connection: &Connection) {
    connection.wal_hook(Some(|_, pages| {
        PAGES.set(Some(pages));
        Ok(())
    }));
}

/// How many pages the WAL had after the last commit of this thread. `None` if it wrote nothing.
pub(in crate::store) fn pages() -> Option<i32> {
    PAGES.take()
}

/// A connection that checkpoints while another one writes.
pub(in crate::store) struct Checkpointer {
    connection: Connection,
    /// The same file, for syncs.
    database: Option<Arc<File>>,
    metrics: Arc<Metrics>,
}

impl Checkpointer {
    pub(in crate::store) fn open(
        file: &DatabaseFile,
        metrics: Arc<Metrics>,
    ) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file.path(), flags)?;
        connection.busy_timeout(Duration::ZERO)?;
        configure(&connection)?;
        // SQLite opens the WAL at the first read.
        connection.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
        Ok(Self { connection, database: file.database(), metrics })
    }

    /// Checkpoints the current pages of the WAL, unless a reader blocks them, and syncs the file.
    /// SQLite would sync only when it checkpoints the last page. No generation begins while pages
    /// are left.
    pub(in crate::store) fn run(&self) -> Result<(), StoreError> {
        let begun = Instant::now();
        run(&self.connection, CheckpointMode::Passive)?;
        if let Some(database) = &self.database {
            let failed = |error: io::Error| StoreError::Fatal(Fatal::NotSynced(error.to_string()));
            database.sync_data().map_err(failed)?;
        }
        self.metrics.checkpoint[CheckpointMode::Passive as usize].observe_time(begun.elapsed());
        Ok(())
    }
}

/// Checkpoints the WAL. `PASSIVE` stops at pages that a reader blocks; `TRUNCATE` also empties the
/// WAL. Returns whether all pages were checkpointed.
pub(in crate::store) fn run(
    connection: &Connection,
    mode: CheckpointMode,
) -> Result<bool, StoreError> {
    let pragma = match mode {
        CheckpointMode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        CheckpointMode::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let complete = connection.query_row(pragma, [], |row| {
        let (busy, pages, checkpointed): (i32, i32, i32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(busy == 0 && pages == checkpointed)
    })?;
    Ok(complete)
}
