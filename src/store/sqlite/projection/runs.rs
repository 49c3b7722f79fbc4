//! The tables of deliveries: rows in runs, each sorted by user, each covering the messages after the
//! run before it. `migrations/sqlite/03-deliveries` has the tables.

use rusqlite::Connection;

use crate::model::MessageId;
use crate::store::sqlite::bulk_insert::BulkInsert;
use crate::store::sqlite::projection::memtable::Delivery;

/// How many messages a run has: what has to be read from the log when the server starts after a
/// crash, twice at most. Few runs are quick to look through; ten million messages make 76.
pub(super) const RUN_MESSAGES: usize = if cfg!(test) { 64 } else { 131_072 };

/// Should one of its rows be there, it says the same.
const DELIVERIES: BulkInsert =
    BulkInsert { into: "INSERT OR IGNORE INTO deliveries (run, user_id, message_id)", columns: 3 };

/// Up to which message the runs have all deliveries.
pub(super) fn flushed_upto(connection: &Connection) -> rusqlite::Result<MessageId> {
    connection
        .prepare_cached("SELECT coalesce(max(upto_id), 0) FROM delivery_runs")?
        .query_row([], |row| row.get(0).map(MessageId))
}

/// Writes rows of a run.
pub(super) fn insert<'a>(
    connection: &Connection,
    run: i64,
    deliveries: impl IntoIterator<Item = &'a Delivery>,
) -> rusqlite::Result<()> {
    DELIVERIES.insert(connection, deliveries, |values, (user, message)| {
        values.bind(run)?;
        values.bind(user.0)?;
        values.bind(message.0)
    })
}

/// The number of the run that is written next. None of which there are rows: those of a run that a server was
/// killed over do not count, also where this one goes less far.
pub(super) fn next_run(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT max(coalesce((SELECT max(run) FROM delivery_runs), 0),
                        coalesce((SELECT max(run) FROM deliveries), 0)) + 1",
        )?
        .query_row([], |row| row.get(0))
}
