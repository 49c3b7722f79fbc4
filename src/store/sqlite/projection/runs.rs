//! The tables of deliveries. They hold runs: each is sorted by user, and covers the messages after
//! the run before it. `migrations/sqlite/03-deliveries` has the tables.

use rusqlite::Connection;

use crate::model::MessageId;
use crate::store::sqlite::bulk_insert::BulkInsert;
use crate::store::sqlite::projection::memtable::Delivery;

/// The number of messages in a new run. After a crash, the next start reads at most twice as many
/// from the message log. Ten million messages make 76 runs, which is few enough for a reader.
pub(super) const RUN_MESSAGES: usize = if cfg!(test) { 64 } else { 131_072 };

/// An existing row is the same row.
const DELIVERIES: BulkInsert =
    BulkInsert { into: "INSERT OR IGNORE INTO deliveries (run, user_id, message_id)", columns: 3 };

/// The runs have the deliveries of all messages up to this one.
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

/// The number of the next run. No rows with that number may exist: a killed server may have left
/// rows of a run that it did not finish, and this run may end earlier.
pub(super) fn next_run(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT max(coalesce((SELECT max(run) FROM delivery_runs), 0),
                        coalesce((SELECT max(run) FROM deliveries), 0)) + 1",
        )?
        .query_row([], |row| row.get(0))
}
