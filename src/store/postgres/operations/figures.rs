//! Figures about the database, and probes of writing and reading.

use crate::model::MessageId;
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::session::Session;
use crate::store::types::figures::{
    CountAll, CountTotals, DatabaseBytes, Ping, ReadProbe, Statistics, Totals, WriteProbe,
};

const HOUR_MILLISECONDS: i64 = 3_600_000;
const DAY_MILLISECONDS: i64 = 24 * HOUR_MILLISECONDS;

impl Query for CountTotals {
    fn query(&self, session: &mut Session) -> Result<Totals> {
        let row = session.query_one(
            "SELECT (SELECT count(*) FROM chat.users WHERE disabled_at IS NULL),
                    (SELECT count(*) FROM chat.sessions s JOIN chat.users u ON u.id = s.user_id
                      WHERE s.expires_at > n.now AND s.last_seen_at > n.now - $1
                        AND u.disabled_at IS NULL),
                    (SELECT coalesce(max(id), 0) FROM chat.messages)
               FROM (SELECT chat.now_ms() AS now) AS n",
            &[&self.0.idle()],
        )?;
        Ok(Totals { users: row.get(0), sessions: row.get(1), newest: MessageId(row.get(2)) })
    }
}

impl Query for CountAll {
    fn query(&self, session: &mut Session) -> Result<Statistics> {
        let row = session.query_one(
            "SELECT (SELECT count(*) FROM chat.users WHERE disabled_at IS NULL),
                    (SELECT count(*) FROM chat.users
                      WHERE disabled_at IS NOT NULL AND deleted_at IS NULL),
                    (SELECT count(*) FROM chat.users WHERE deleted_at IS NOT NULL),
                    (SELECT count(*) FROM chat.sessions
                      WHERE expires_at > n.now AND last_seen_at > n.now - $1),
                    m.messages, m.newest, m.last_hour, m.last_day,
                    (SELECT count(*) FROM chat.messages m
                       JOIN chat.users u ON u.id = m.mailbox_id
                       LEFT JOIN chat.cursors c ON c.user_id = u.id AND c.name = 'inbox'
                      WHERE m.id > coalesce(c.upto_id, 0) AND u.deleted_at IS NULL
                        AND NOT coalesce(chat.expires_at(m.details, m.sent_at) <= n.now, false)
                        AND NOT EXISTS (SELECT FROM chat.message_changes d
                                         WHERE d.message_id = m.id AND d.body IS NULL)),
                    pg_database_size(current_database()),
                    (SELECT value::bigint FROM chat.meta WHERE name = 'schema')
               FROM (SELECT chat.now_ms() AS now) AS n,
                    (SELECT count(*) AS messages, coalesce(max(id), 0) AS newest,
                            count(*) FILTER (WHERE sent_at >= t.now - $2) AS last_hour,
                            count(*) FILTER (WHERE sent_at >= t.now - $3) AS last_day
                       FROM (SELECT chat.now_ms() AS now) AS t
                       CROSS JOIN chat.messages) AS m",
            &[&self.live.idle(), &HOUR_MILLISECONDS, &DAY_MILLISECONDS],
        )?;
        let number = |column: usize| row.get::<_, i64>(column).unsigned_abs();
        Ok(Statistics {
            users_active: number(0),
            users_disabled: number(1),
            users_deleted: number(2),
            sessions: number(3),
            messages: number(4),
            newest: MessageId(row.get(5)),
            messages_last_hour: number(6),
            messages_last_day: number(7),
            unread: number(8),
            file_bytes: number(9),
            // PostgreSQL keeps its WAL and its free space for itself.
            wal_bytes: 0,
            free_bytes: 0,
            schema: u32::try_from(number(10)).unwrap_or(0),
        })
    }
}

impl Query for DatabaseBytes {
    fn query(&self, session: &mut Session) -> Result<u64> {
        let row = session.query_one("SELECT pg_database_size(current_database())", &[])?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }
}

impl Apply for Ping {
    fn apply(&self, _: &mut WriteContext<'_>) -> Result<()> {
        Ok(())
    }
}

impl Apply for WriteProbe {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<()> {
        context.session.execute(
            "INSERT INTO chat.marks AS m (name, value) VALUES ('probed_at', $1)
             ON CONFLICT (name) DO UPDATE SET value = greatest(m.value, excluded.value)",
            &[&self.0.to_rfc3339()],
        )?;
        Ok(())
    }
}

impl Query for ReadProbe {
    fn query(&self, session: &mut Session) -> Result<bool> {
        let row = session.query_opt(
            "SELECT 1 FROM chat.marks WHERE name = 'probed_at' AND value >= $1",
            &[&self.0.to_rfc3339()],
        )?;
        Ok(row.is_some())
    }
}
