//! Folding the write-ahead log back into the file.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::identity::{LOG_FRAME_HEADER_BYTES, LOG_HEADER_BYTES};
use crate::store::measures::CheckpointMode;

thread_local! {
    /// How many pages the log had after the last commit on this thread. SQLite tells it to a
    /// plain function only, while the commit lasts.
    static PAGES: Cell<Option<i32>> = const { Cell::new(None) };
}

/// How many pages [`make_room`] makes room for.
pub(super) const ROOM_PAGES: i32 = 254;
/// All of our pages have 4 KiB.
const ROOM_BYTES: u64 =
    LOG_HEADER_BYTES as u64 + ROOM_PAGES as u64 * (LOG_FRAME_HEADER_BYTES + 4_096);

/// Makes the log's file as long as [`ROOM_PAGES`] pages, with zeros behind its end: a commit that makes
/// it longer waits for the file system to write down the new length and where the new blocks are.
/// `SQLite` reads a log up to the first frame that lacks the salt of its header (the file format, section
/// 4.4), so zeros end it, as what is left of older logs does.
///
/// Only inside of a transaction that may write: nobody else makes the file longer then. Where there
/// is no room it stays as it is; it still grows by what is written to it, as long as it can.
pub(super) fn make_room(log: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(log)?;
    let end = file.metadata()?.len();
    let zeros = vec![0; usize::try_from(ROOM_BYTES.saturating_sub(end)).unwrap_or(0)];
    match file.write_all_at(&zeros, end) {
        Err(error) if is_no_room(&error) => file.set_len(end),
        written => written,
    }
}

fn is_no_room(error: &io::Error) -> bool {
    let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge];
    kinds.contains(&error.kind())
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
