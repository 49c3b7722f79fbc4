//! Rebuilding derived data: deliveries, keys, threads, words, what expires, indexes, views, and the
//! lowest free id.

use rusqlite::Connection;

use crate::model::MessageId;
use crate::store::sqlite::expiry;
use crate::store::sqlite::message_log;
use crate::store::sqlite::operation::{Apply, Statements};
use crate::store::sqlite::schema;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::transfer::Rebuild;

impl Apply for Rebuild {
    const STATEMENTS: Statements = Statements::Whole;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Option<String>> {
        // Cached counts may come from a damaged index.
        context.cache.clear();
        rebuild(context, self.part)
    }
}

/// Part 0 is the floor of the ids, part 1 the deliveries, part 2 the keys, part 3 the threads,
/// part 4 the words, part 5 what expires. Each later part is one index or one view.
fn rebuild(context: &mut WriteContext<'_>, part: usize) -> rusqlite::Result<Option<String>> {
    let connection = context.connection;
    let part = match part {
        0 => return raise_floor_to_cursors(connection).map(Some),
        1 => {
            context.deliveries.rebuild(connection)?;
            return Ok(Some("deliveries".to_owned()));
        }
        2 => {
            context.keys.rebuild(connection)?;
            return Ok(Some("keys".to_owned()));
        }
        3 => {
            rebuild_threads(connection)?;
            return Ok(Some("threads".to_owned()));
        }
        4 => {
            context.words.rebuild(connection)?;
            return Ok(Some("words".to_owned()));
        }
        5 => {
            expiry::rebuild(connection)?;
            return Ok(Some("what expires".to_owned()));
        }
        part => part - 6,
    };
    let version = schema::version(connection)?;
    let Some(model) = schema::empty(version)? else { return Ok(None) };
    let found = model.query_row(
        "SELECT type, name, sql FROM sqlite_schema
          WHERE type IN ('index', 'view') AND sql IS NOT NULL
          ORDER BY type, name LIMIT 1 OFFSET ?1",
        [part as i64],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    );
    let (kind, name, sql): (String, String, String) = match found {
        Ok(object) => object,
        Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(None),
        Err(error) => return Err(error),
    };
    connection.execute_batch(&format!("DROP {kind} IF EXISTS {name}; {sql}"))?;
    Ok(Some(format!("{kind} {name}")))
}

/// Finds the thread of each message that answers another one. That one has a lower id, so its thread
/// is known before.
fn rebuild_threads(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM threads", [])?;
    let mut answers = connection.prepare(
        "SELECT id, json_extract(details, '$.reply_to') AS reply_to FROM messages
          WHERE details IS NOT NULL AND reply_to IS NOT NULL ORDER BY id",
    )?;
    let mut rows = answers.query([])?;
    while let Some(row) = rows.next()? {
        let (id, reply_to) = (MessageId(row.get(0)?), MessageId(row.get(1)?));
        message_log::join_thread(connection, id, reply_to)?;
    }
    Ok(())
}

/// Raises the floor of the ids to the highest cursor. Otherwise new messages below that cursor
/// would count as read.
fn raise_floor_to_cursors(connection: &Connection) -> rusqlite::Result<String> {
    let newest = message_log::newest_given(connection)?;
    let cursors: i64 =
        connection
            .query_row("SELECT coalesce(max(upto_id), 0) FROM cursors", [], |row| row.get(0))?;
    if cursors > newest.0 {
        message_log::raise_floor(connection, MessageId(cursors))?;
    }
    Ok("floor of the ids".to_owned())
}
