//! Folding the write-ahead log back into the file.

use std::cell::Cell;

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::measures::CheckpointMode;

thread_local! {
    /// How many pages the log had after the last commit on this thread. SQLite tells it to a
    /// plain function only, while the commit lasts.
    static PAGES: Cell<Option<i32>> = const { Cell::new(None) };
}

/// Has [`pages`] know of this connection's commits.
pub(super) fn count_pages(connection: &Connection) {
    connection.wal_hook(Some(|_, pages| {
        PAGES.set(Some(pages));
        Ok(())
    }));
}

/// How many pages the log had after the commit that this thread has just done; `None` where it
/// wrote nothing.
pub(super) fn pages() -> Option<i32> {
    PAGES.take()
}

/// `PASSIVE` does what it can without waiting for readers; `TRUNCATE` is for when nobody is
/// waiting, and leaves an empty log. Tells whether all of the log is folded in.
pub(super) fn fold(connection: &Connection, mode: CheckpointMode) -> Result<bool, StoreError> {
    let pragma = match mode {
        CheckpointMode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        CheckpointMode::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let complete = connection.query_row(pragma, [], |row| {
        let (busy, pages, folded): (i32, i32, i32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(busy == 0 && pages == folded)
    })?;
    Ok(complete)
}
