//! Folding the write-ahead log back into the file.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::store::StoreError;
use crate::store::metrics::{CheckpointMode, Metrics};
use crate::store::sqlite::connection::PRAGMAS;
use crate::store::sqlite::file::DatabaseFile;
use crate::store::sqlite::file_guard::{LOG_FRAME_HEADER_BYTES, LOG_HEADER_BYTES};

thread_local! {
    /// How many pages the log had after the last commit on this thread. SQLite tells it to a
    /// plain function only, while the commit lasts.
    static PAGES: Cell<Option<i32>> = const { Cell::new(None) };
}

/// How many pages [`reserve_wal`] makes room for.
pub(in crate::store) const RESERVED_PAGES: i32 = 254;
/// All of our pages have 4 KiB.
const RESERVED_BYTES: u64 =
    LOG_HEADER_BYTES as u64 + RESERVED_PAGES as u64 * (LOG_FRAME_HEADER_BYTES + 4_096);

/// In pieces of this size.
const RESERVED_PIECE_BYTES: u64 = 128 * 1024;

/// Makes the log's file as long as [`RESERVED_PAGES`] pages, with zeros behind its end: a commit that makes
/// it longer waits for the file system to write down the new length and where the new blocks are.
/// `SQLite` reads a log up to the first frame that lacks the salt of its header (the file format, section
/// 4.4), so zeros end it, as what is left of older logs does.
///
/// Only inside of a transaction that may write: nobody else makes the file longer then. Where there
/// is too little room it gets as much as there is; it still grows by what is written to it, as long as
/// it can.
pub(in crate::store) fn reserve_wal(log: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(log)?;
    let mut end = file.metadata()?.len();
    while end < RESERVED_BYTES {
        let piece = RESERVED_PIECE_BYTES.min(RESERVED_BYTES - end);
        match file.write_all_at(&vec![0; piece as usize], end) {
            Err(error) if is_no_room(&error) => return file.set_len(end),
            written => written?,
        }
        end += piece;
    }
    Ok(())
}

/// Whether a write failed because there is no room for it.
pub(in crate::store) fn is_no_room(error: &io::Error) -> bool {
    let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge];
    kinds.contains(&error.kind())
}

/// Has [`pages`] know of this connection's commits.
pub(in crate::store) fn count_pages(connection: &Connection) {
    connection.wal_hook(Some(|_, pages| {
        PAGES.set(Some(pages));
        Ok(())
    }));
}

/// How many pages the log had after the commit that this thread has just done; `None` where it
/// wrote nothing.
pub(in crate::store) fn pages() -> Option<i32> {
    PAGES.take()
}

/// A connection that folds in what another writes, while that one writes.
pub(in crate::store) struct Checkpointer {
    connection: Connection,
    /// The same file.
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
        connection.execute_batch(PRAGMAS)?;
        // Before its first read it does not know that there is a log.
        connection.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
        Ok(Self { connection, database: file.database(), metrics })
    }

    /// Folds in what the log has now, as far as nobody reads it, and has the disk take that, which `SQLite`
    /// leaves to whoever folds in the rest. The log does not begin anew where more has come to it meanwhile.
    pub(in crate::store) fn run(&self) -> Result<(), StoreError> {
        let begun = Instant::now();
        run(&self.connection, CheckpointMode::Passive)?;
        if let Some(database) = &self.database {
            let failed =
                |error| StoreError::Fatal(format!("the file could not be synced: {error}"));
            database.sync_data().map_err(failed)?;
        }
        self.metrics.checkpoint[CheckpointMode::Passive as usize].observe_time(begun.elapsed());
        Ok(())
    }
}

/// `PASSIVE` does what it can without waiting for readers; `TRUNCATE` is for when nobody is
/// waiting, and leaves an empty log. Tells whether all of the log is folded in.
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
