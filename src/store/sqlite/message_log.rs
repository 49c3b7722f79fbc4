//! The message log: which ids it has, and which come next.

use rusqlite::Connection;

use crate::model::{MessageId, UserId};

/// The newest id that was given to a message: the log's newest, or the floor where messages after
/// it are gone.
pub(in crate::store) fn newest_given(connection: &Connection) -> rusqlite::Result<MessageId> {
    connection
        .prepare_cached(
            "SELECT max((SELECT coalesce(max(id), 0) FROM messages),
                        (SELECT coalesce(max(CAST(value AS INTEGER)), 0)
                           FROM meta WHERE name = 'message_id_floor'))",
        )?
        .query_row([], |row| Ok(MessageId(row.get(0)?)))
}

/// From here on no message is given an id up to and with `floor`, whatever is in the log.
pub(in crate::store) fn raise_floor(
    connection: &Connection,
    floor: MessageId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES ('message_id_floor', CAST(?1 AS TEXT))
             ON CONFLICT (name) DO UPDATE SET value = excluded.value
              WHERE CAST(excluded.value AS INTEGER) > CAST(value AS INTEGER)",
        )?
        .execute([floor.0])
        .map(drop)
}

/// Whether there is a message of this id for `user`.
pub(in crate::store) fn is_for(
    connection: &Connection,
    user: UserId,
    id: MessageId,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM messages WHERE id = ?1 AND recipient_id = ?2")?
        .exists([id.0, user.0])
}

/// The messages whose sender or recipient there is not. No message is to be there without them, and the
/// file's schema does not see to it: who writes one has found both.
pub(in crate::store) const WITHOUT_USERS: &str = "SELECT id FROM messages
      WHERE sender_id NOT IN (SELECT id FROM users) OR recipient_id NOT IN (SELECT id FROM users)";
