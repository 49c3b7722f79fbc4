//! What an error of SQLite means for a caller of the store.

use std::path::Path;

use rusqlite::ErrorCode;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::store::error::{Fatal, NotOurs, OpenError, StoreError};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::SystemIoFailure) if is_beyond_limit(&error) => Self::Full,
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly,
            ) => Self::Fatal(Fatal::Engine(error.to_string())),
            _ => Self::Statement(error.to_string()),
        }
    }
}

/// Whether a write may have failed because of the process's limit on file sizes (`ulimit -f`).
/// SQLite does not report the cause. Mistaking another failed write for this one loses nothing: a
/// write is rolled back, unlike a sync.
fn is_beyond_limit(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    extended == Some(rusqlite::ffi::SQLITE_IOERR_WRITE)
        && getrlimit(Resource::Fsize).current.is_some()
}

impl OpenError {
    pub(in crate::store) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::NotOurs { path, problem: NotOurs::Damaged(error.to_string()) }
            }
            Some(ErrorCode::DiskFull) => Self::Io { path, source: Errno::NOSPC.into() },
            _ => Self::Sqlite { path, problem: error.to_string() },
        }
    }
}
