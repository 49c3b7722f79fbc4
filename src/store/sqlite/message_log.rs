//! The message log: its ids, and the next id.

use rusqlite::{Connection, OptionalExtension};

use crate::model::{MessageId, UserId};
use crate::store::sqlite::rooms::is_read_in_room;

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

/// Whether a message with this id exists for `user`, in their own mailbox or in a room.
pub(in crate::store) fn is_for(
    connection: &Connection,
    user: UserId,
    id: MessageId,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(concat!(
            "SELECT 1 FROM folded_messages m WHERE m.id = ?1 AND (m.recipient_id = ?2 OR ",
            is_read_in_room!("?2"),
            ")"
        ))?
        .exists([id.0, user.0])
}

/// The oldest message of the thread of a message: itself, if it answers none. `None` if `reader` can
/// read no such message.
pub(in crate::store) fn thread_of(
    connection: &Connection,
    id: MessageId,
    reader: UserId,
) -> rusqlite::Result<Option<MessageId>> {
    connection
        .prepare_cached(concat!(
            "SELECT coalesce(t.thread_id, m.id)
               FROM folded_messages m LEFT JOIN threads t ON t.message_id = m.id
              WHERE m.id = ?1 AND (?2 IN (m.sender_id, m.recipient_id) OR ",
            is_read_in_room!("?2"),
            ")"
        ))?
        .query_row([id.0, reader.0], |row| row.get(0).map(MessageId))
        .optional()
}

/// Notes that the message `id` answers `reply_to`. If that one was purged, it may still be where the
/// thread begins.
pub(in crate::store) fn join_thread(
    connection: &Connection,
    id: MessageId,
    reply_to: MessageId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO threads (message_id, thread_id)
             VALUES (?1, coalesce((SELECT thread_id FROM threads WHERE message_id = ?2), ?2))",
        )?
        .execute([id.0, reply_to.0])
        .map(drop)
}

/// The messages whose sender or mailbox does not exist. There must be none. The schema does not
/// check that, because each operation that inserts a message looks both up. `schema` is the file's.
pub(in crate::store) fn without_mailboxes(schema: usize) -> &'static str {
    match schema {
        ..7 => {
            "SELECT id FROM messages
              WHERE sender_id NOT IN (SELECT id FROM users)
                 OR recipient_id NOT IN (SELECT id FROM users)"
        }
        _ => {
            "SELECT id FROM messages
              WHERE sender_id NOT IN (SELECT id FROM users)
                 OR recipient_id NOT IN (SELECT id FROM users UNION ALL SELECT -id FROM rooms)"
        }
    }
}
