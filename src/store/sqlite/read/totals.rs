//! What a store can say of itself at any time, without holding anybody up: how full its queues are,
//! how large its files, and how many users and sessions it has.

use std::io;

use rusqlite::{Connection, params};

use crate::model::{MessageId, Timestamp};
use crate::store::Store;
use crate::store::StoreError;
use crate::store::metrics::Measures;
use crate::store::sqlite::file::Room;
use crate::store::sqlite::readers::READ_QUEUE_JOBS_MAX;
use crate::store::sqlite::writer::WRITE_QUEUE_OPERATIONS_MAX;

/// How much there is of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Users who may log in.
    pub users: i64,
    /// Sessions that have not ended.
    pub sessions: i64,
    /// The newest message; [`MessageId::ZERO`] where there is none.
    pub newest: MessageId,
}

impl Store {
    /// What is counted since the store was opened.
    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// How many operations wait for the writer, and how many may.
    pub fn write_queue(&self) -> (usize, usize) {
        (self.writer.waiting(), WRITE_QUEUE_OPERATIONS_MAX)
    }

    /// How many reads wait for a reader, and how many may.
    pub fn read_queue(&self) -> (usize, usize) {
        (self.readers.waiting(), READ_QUEUE_JOBS_MAX)
    }

    /// The version of SQLite.
    pub fn sqlite_version(&self) -> &'static str {
        rusqlite::version()
    }

    /// How much room the files take.
    ///
    /// # Errors
    /// What the system says when it does not tell.
    pub fn room(&self) -> io::Result<Room> {
        self.file.room()
    }

    /// Counts users and sessions. Reads all of both: not for every request.
    pub fn take_census(
        &self,
        now: Timestamp,
        seen_after: Timestamp,
        done: impl FnOnce(Result<Census, StoreError>) + Send + 'static,
    ) {
        self.readers.submit(None, move |connection| count(connection, now, seen_after), done);
    }
}

fn count(
    connection: &Connection,
    now: Timestamp,
    seen_after: Timestamp,
) -> rusqlite::Result<Census> {
    let sql = "
        SELECT (SELECT count(*) FROM users WHERE disabled_at IS NULL),
               (SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id
                 WHERE s.expires_at > ?1 AND s.last_seen_at > ?2 AND u.disabled_at IS NULL),
               (SELECT ifnull(max(id), 0) FROM messages)";
    connection.prepare_cached(sql)?.query_row(params![now.0, seen_after.0], |row| {
        Ok(Census { users: row.get(0)?, sessions: row.get(1)?, newest: MessageId(row.get(2)?) })
    })
}
