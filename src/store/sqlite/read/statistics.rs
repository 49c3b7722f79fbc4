//! How much is in the file, and whether it can be written and read.

use std::fs;

use rusqlite::Connection;

use crate::model::{MessageId, Timestamp};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::sqlite::writer::{Context, Statements};

/// How much there is of everything.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// Users who may log in.
    pub users_active: u64,
    /// Users who may not, for now.
    pub users_disabled: u64,
    /// Users of whom the name and the messages are left.
    pub users_deleted: u64,
    /// Sessions that have not expired.
    pub sessions: u64,
    /// Messages, one for each recipient.
    pub messages: u64,
    /// The newest of them.
    pub newest: MessageId,
    /// Messages of the last hour.
    pub messages_last_hour: u64,
    /// Messages of the last 24 hours.
    pub messages_last_day: u64,
    /// Messages that their recipients have not read, of users who are not deleted.
    pub unread: u64,
    /// The size of the file.
    pub file_bytes: u64,
    /// The size of the write-ahead log.
    pub log_bytes: u64,
    /// How much of the file is free for what is to come.
    pub free_bytes: u64,
    /// The version of the schema.
    pub schema: u32,
}

const HOUR_MILLISECONDS: i64 = 3_600_000;
const DAY_MILLISECONDS: i64 = 24 * HOUR_MILLISECONDS;

impl Store {
    /// Counts everything, as it was at one moment: messages by what the clock on the wall says,
    /// sessions by what theirs says. Takes a while where there is much.
    pub fn count_all(
        &self,
        wall: Timestamp,
        now: Timestamp,
        seen_after: Timestamp,
        done: impl FnOnce(Result<Statistics, StoreError>) + Send + 'static,
    ) {
        let size = {
            let path = self.file.path().to_owned();
            let log = self.file.log_path();
            // Neither is there for no time at all; and a size is no reason to fail.
            move || [path, log].map(|path| fs::metadata(path).map_or(0, |file| file.len()))
        };
        let read = move |connection: &Connection| {
            let [file_bytes, log_bytes] = size();
            let mut found = count(connection, wall, now, seen_after)?;
            (found.file_bytes, found.log_bytes) = (file_bytes, log_bytes);
            Ok(found)
        };
        self.readers.submit(None, read, done);
    }

    /// Calls `done` when the writer gets to it, whatever comes of it there. Stores nothing.
    pub fn ping(&self, done: impl FnOnce() + Send + 'static) {
        self.writer.submit(Statements::One, |_| Ok(()), |_| done());
    }

    /// Writes a moment, for the sake of writing. Durable when `done` is called.
    pub fn write_probe(
        &self,
        moment: Timestamp,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        let write = move |context: &mut Context<'_>| {
            context
                .connection
                .prepare_cached(
                    "INSERT INTO meta (name, value) VALUES ('probed_at', ?1)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )?
                .execute([moment.to_rfc3339()])
                .map(drop)
        };
        self.writer.submit(Statements::One, write, done);
    }

    /// Whether the moment that was written, or a later one, is there.
    pub fn read_probe(
        &self,
        moment: Timestamp,
        done: impl FnOnce(Result<bool, StoreError>) + Send + 'static,
    ) {
        let read = move |connection: &Connection| {
            connection
                .prepare_cached("SELECT 1 FROM meta WHERE name = 'probed_at' AND value >= ?1")?
                .exists([moment.to_rfc3339()])
        };
        self.readers.submit(None, read, done);
    }
}

fn count(
    connection: &Connection,
    wall: Timestamp,
    now: Timestamp,
    seen_after: Timestamp,
) -> rusqlite::Result<Statistics> {
    let number = |sql: &str| {
        connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
    };
    let (last_hour, last_day) = count_recent(connection, wall)?;
    let page_bytes = number("SELECT page_size FROM pragma_page_size")?;
    Ok(Statistics {
        users_active: number("SELECT count(*) FROM users WHERE disabled_at IS NULL")?,
        users_disabled: number(
            "SELECT count(*) FROM users WHERE disabled_at IS NOT NULL AND deleted_at IS NULL",
        )?,
        users_deleted: number("SELECT count(*) FROM users WHERE deleted_at IS NOT NULL")?,
        sessions: connection
            .query_row(
                "SELECT count(*) FROM sessions WHERE expires_at > ?1 AND last_seen_at > ?2",
                [now.0, seen_after.0],
                |row| row.get::<_, u32>(0),
            )?
            .into(),
        messages: number("SELECT count(*) FROM messages")?,
        newest: connection
            .query_row("SELECT coalesce(max(id), 0) FROM messages", [], |row| row.get(0))
            .map(MessageId)?,
        messages_last_hour: last_hour,
        messages_last_day: last_day,
        unread: number(
            "SELECT count(*)
               FROM delivered d
               LEFT JOIN cursors c ON c.user_id = d.user_id AND c.name = 'inbox'
               JOIN users u ON u.id = d.user_id
              WHERE d.message_id > coalesce(c.upto_id, 0) AND u.deleted_at IS NULL",
        )?,
        file_bytes: 0,
        log_bytes: 0,
        free_bytes: page_bytes * number("SELECT freelist_count FROM pragma_freelist_count")?,
        schema: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
    })
}

/// The messages of the last hour and the last day: from the newest back to the first that is
/// older, since times follow the order of the log (but where the clock was set).
fn count_recent(connection: &Connection, now: Timestamp) -> rusqlite::Result<(u64, u64)> {
    let mut statement = connection.prepare("SELECT sent_at FROM messages ORDER BY id DESC")?;
    let mut rows = statement.query([])?;
    let (mut last_hour, mut last_day) = (0, 0);
    while let Some(row) = rows.next()? {
        let age = now.0.saturating_sub(row.get(0)?);
        if age > DAY_MILLISECONDS {
            break;
        }
        last_day += 1;
        if age <= HOUR_MILLISECONDS {
            last_hour += 1;
        }
    }
    Ok((last_hour, last_day))
}
