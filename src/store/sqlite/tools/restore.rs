//! Putting a backup where a server will look for its database.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::model::MessageId;
use crate::store::error::OpenError;
use crate::store::sqlite::file::{self, DatabaseFile};
use crate::store::sqlite::operations::messages;
use crate::store::sqlite::tools::copy::{Copy, Draft, OnProgress};
use crate::store::sqlite::tools::offline::Reading;

/// So many ids are left out after a backup's newest: more than can have been given since it was
/// made. Whoever noted one of those never takes another message for it, or misses one below it.
pub const RESTORE_IDS_SKIPPED: i64 = 1_000_000_000;

/// Whether those who were logged in when a backup was made are so again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldSessions {
    /// They have to log in: a session that was ended since must not come back.
    End,
    /// They are, with the tokens they had.
    Keep,
}

/// Makes `db` of a backup, or of any database that no one need be serving. There may be nothing at
/// `db`, and no server that is about to make it. The ids of new messages go on after a gap of
/// [`RESTORE_IDS_SKIPPED`]. Nothing is under the name of `db` before it is whole and on the disk.
///
/// # Errors
/// See [`OpenError`]; it names the backup or `db`.
pub fn restore(
    backup: &Path,
    db: &Path,
    sessions: OldSessions,
    on_progress: OnProgress<'_>,
) -> Result<Copy, OpenError> {
    // Before a lock file is put beside it, for nothing.
    file::check_free(db)?;
    let source = Reading::open(backup)?;
    let place = DatabaseFile::reserve(db)?;
    let draft = Draft::begin(place.path())?;
    draft.fill(&source.connection, on_progress)?;
    amend(draft.path(), sessions).map_err(|error| OpenError::from_sqlite(draft.path(), &error))?;
    draft.publish()
}

fn amend(path: &Path, sessions: OldSessions) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch("PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;")?;
    let transaction = connection.transaction()?;
    let newest = messages::newest_given(&transaction)?;
    if newest > MessageId::ZERO {
        messages::raise_floor(&transaction, MessageId(newest.0 + RESTORE_IDS_SKIPPED))?;
    }
    if sessions == OldSessions::End {
        transaction.execute("DELETE FROM sessions", [])?;
    }
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}
