//! The message log: its ids, and the next id.

use rusqlite::Connection;

use crate::model::{MessageId, UserId};

/// The newest id that a message has ever had: the newest in the message log, or the floor if newer
/// messages were deleted.
pub(in crate::store) fn newest_given(connection: &Connection) -> rusqlite::Result<MessageId> {
    connection
        .prepare_cached(
            "SELECT max((SELECT coalesce(max(id), 0) FROM messages),
                        (SELECT coalesce(max(CAST(value AS INTEGER)), 0)
                           FROM meta WHERE name = 'message_id_floor'))",
        )?
        .query_row([], |row| Ok(MessageId(row.get(0)?)))
}

/// Reserves all ids up to and including `floor`: no new message gets one of them.
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

/// Whether a message with this id exists for `user`.
pub(in crate::store) fn is_for(
    connection: &Connection,
    user: UserId,
    id: MessageId,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM messages WHERE id = ?1 AND recipient_id = ?2")?
        .exists([id.0, user.0])
}

/// The messages whose sender or recipient does not exist. There must be none. The schema does not
/// check that, because each operation that inserts a message looks both users up.
pub(in crate::store) const WITHOUT_USERS: &str = "SELECT id FROM messages
      WHERE sender_id NOT IN (SELECT id FROM users) OR recipient_id NOT IN (SELECT id FROM users)";
