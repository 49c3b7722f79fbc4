//! Marks in the file: what reads and writes look up alike.

use rusqlite::{Connection, params};

use crate::model::{MailboxId, MessageId, Timestamp, UserId};
use crate::store::types::marks::Marks;

/// A reader's marks after the cursor `inbox`, which is at `floor`.
pub(in crate::store) fn of(
    connection: &Connection,
    reader: UserId,
    floor: MessageId,
) -> rusqlite::Result<Marks> {
    let mut statement = connection.prepare_cached(
        "SELECT mailbox_id, upto_id FROM read_marks WHERE user_id = ?1 AND upto_id > ?2",
    )?;
    let mut rows = statement.query([reader.0, floor.0])?;
    let mut marks = Marks::default();
    while let Some(row) = rows.next()? {
        marks.by_mailbox.insert(MailboxId(row.get(0)?), MessageId(row.get(1)?));
    }
    Ok(marks)
}

/// Creates a mark or moves it.
pub(in crate::store) fn put(
    connection: &Connection,
    reader: UserId,
    conversation: MailboxId,
    upto: MessageId,
    moved_at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO read_marks (user_id, mailbox_id, upto_id, moved_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (user_id, mailbox_id)
             DO UPDATE SET upto_id = excluded.upto_id, moved_at = excluded.moved_at",
        )?
        .execute(params![reader.0, conversation.0, upto.0, moved_at.0])
        .map(drop)
}

/// Forgets the marks that the cursor `inbox` has reached.
pub(in crate::store) fn forget_reached(
    connection: &Connection,
    reader: UserId,
    floor: MessageId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM read_marks WHERE user_id = ?1 AND upto_id <= ?2")?
        .execute([reader.0, floor.0])
        .map(drop)
}

/// What comes after `floor` is unread again: the cursor `inbox` goes back there.
pub(in crate::store) fn rewind(
    connection: &Connection,
    reader: UserId,
    floor: MessageId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM read_marks WHERE user_id = ?1 AND upto_id > ?2")?
        .execute([reader.0, floor.0])
        .map(drop)
}
