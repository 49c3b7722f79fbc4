//! The numbers of users and sessions.

use rusqlite::{Connection, params};

use crate::model::MessageId;
use crate::store::sqlite::operation::{Query, ReadContext};
use crate::store::types::figures::{CountTotals, Totals};
use crate::store::types::sessions::Live;

impl Query for CountTotals {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Totals> {
        count(context.connection, self.0)
    }
}

fn count(connection: &Connection, live: Live) -> rusqlite::Result<Totals> {
    let sql = "
        SELECT (SELECT count(*) FROM users WHERE disabled_at IS NULL),
               (SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id
                 WHERE s.expires_at > ?1 AND s.last_seen_at > ?2 AND u.disabled_at IS NULL),
               (SELECT ifnull(max(id), 0) FROM messages)";
    connection.prepare_cached(sql)?.query_row(params![live.now.0, live.seen_after.0], |row| {
        Ok(Totals { users: row.get(0)?, sessions: row.get(1)?, newest: MessageId(row.get(2)?) })
    })
}
