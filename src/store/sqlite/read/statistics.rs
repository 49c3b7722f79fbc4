//! Figures about the database, and probes of writing and reading.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::model::{MessageId, Timestamp};
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::path;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::figures::{
    CountAll, DatabaseBytes, Ping, ReadProbe, Statistics, WriteProbe,
};
use crate::store::types::sessions::Live;

const HOUR_MILLISECONDS: i64 = 3_600_000;
const DAY_MILLISECONDS: i64 = 24 * HOUR_MILLISECONDS;

impl Query for CountAll {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Statistics> {
        let mut found = count(context.connection, self.wall, self.live)?;
        // A missing file has no bytes. An error in a size must not fail the whole answer.
        let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        found.file_bytes = size(context.path);
        found.wal_bytes = size(&path::with_suffix(context.path, "-wal"));
        Ok(found)
    }
}

impl Query for DatabaseBytes {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<u64> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        context.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
    }
}

impl Apply for Ping {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, _: &mut WriteContext<'_>) -> rusqlite::Result<()> {
        Ok(())
    }
}

impl Apply for WriteProbe {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<()> {
        context
            .connection
            .prepare_cached(
                "INSERT INTO meta (name, value) VALUES ('probed_at', ?1)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute([self.0.to_rfc3339()])
            .map(drop)
    }
}

impl Query for ReadProbe {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<bool> {
        context
            .connection
            .prepare_cached("SELECT 1 FROM meta WHERE name = 'probed_at' AND value >= ?1")?
            .exists([self.0.to_rfc3339()])
    }
}

fn count(connection: &Connection, wall: Timestamp, live: Live) -> rusqlite::Result<Statistics> {
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
                [live.now.0, live.seen_after.0],
                |row| row.get::<_, u32>(0),
            )?
            .into(),
        messages: number("SELECT count(*) FROM messages")?,
        newest: connection
            .query_row("SELECT coalesce(max(id), 0) FROM messages", [], |row| row.get(0))
            .map(MessageId)?,
        messages_last_hour: last_hour,
        messages_last_day: last_day,
        unread: connection
            .query_row(
                "SELECT count(*)
                   FROM delivered d
                   LEFT JOIN cursors c ON c.user_id = d.user_id AND c.name = 'inbox'
                   JOIN users u ON u.id = d.user_id
                  WHERE d.message_id > coalesce(c.upto_id, 0) AND u.deleted_at IS NULL
                    AND NOT EXISTS (SELECT 1 FROM expiring e
                                     WHERE e.message_id = d.message_id AND e.expires_at <= ?1)",
                [live.now.0],
                |row| row.get::<_, i64>(0),
            )?
            .unsigned_abs(),
        file_bytes: 0,
        wal_bytes: 0,
        free_bytes: page_bytes * number("SELECT freelist_count FROM pragma_freelist_count")?,
        schema: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
    })
}

/// Counts the messages of the last hour and of the last day. It reads back from the newest message
/// to the first older one. Times follow the order of the message log, unless the clock was set.
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
