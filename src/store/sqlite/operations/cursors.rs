//! Moving cursors.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{CursorName, MessageId, Timestamp, UserId};
use crate::store::sqlite::marks;
use crate::store::sqlite::message_log;
use crate::store::sqlite::operation::{Apply, Statements};
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::cursors::{
    Acked, Acknowledge, AddDeadLetter, CURSORS_MAX, ClearDeadLetters, MoveCursor, Moved,
};

impl Apply for Acknowledge {
    const STATEMENTS: Statements = Statements::One;

    fn statements(&self) -> Statements {
        if self.rewind { Statements::Several } else { Statements::One }
    }

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Acked> {
        acknowledge(context, self.user, &self.cursor, self.upto, self.rewind)
    }
}

impl Apply for AddDeadLetter {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Acked> {
        let Self { user, cursor, id } = self;
        if !message_log::is_for(context.connection, user, id)? {
            return Ok(Acked::BeyondTheLog);
        }
        let acked = acknowledge(context, user, &cursor, id, false)?;
        if matches!(acked, Acked::At(_)) {
            insert_dead_letter(context.connection, user, &cursor, id)?;
        }
        Ok(acked)
    }
}

impl Apply for ClearDeadLetters {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Acked> {
        let Self { user, cursor, upto } = self;
        context
            .connection
            .prepare_cached(
                "DELETE FROM dead_letters WHERE user_id = ?1 AND cursor = ?2 AND message_id <= ?3",
            )?
            .execute(params![user.0, cursor.as_str(), upto.0])?;
        let seen = position(context.connection, user, &cursor)?;
        Ok(Acked::At(seen.unwrap_or(MessageId::ZERO)))
    }
}

impl Apply for MoveCursor {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Moved> {
        let Self { user, cursor, seen, upto } = self;
        if position(context.connection, user, &cursor)?.unwrap_or(MessageId::ZERO) != seen {
            return Ok(Moved::No);
        }
        set(context, user, &cursor, seen, upto)?;
        Ok(Moved::Yes)
    }
}

fn acknowledge(
    context: &mut WriteContext<'_>,
    user: UserId,
    cursor: &CursorName,
    upto: MessageId,
    rewind: bool,
) -> rusqlite::Result<Acked> {
    if upto > context.newest()? {
        return Ok(Acked::BeyondTheLog);
    }
    let found = position(context.connection, user, cursor)?;
    let is_inbox = *cursor == CursorName::inbox();
    if found.is_none() && !is_inbox && count(context.connection, user)? >= CURSORS_MAX {
        return Ok(Acked::TooMany);
    }
    let seen = found.unwrap_or(MessageId::ZERO);
    if found.is_some() && (upto == seen || (upto < seen && !rewind)) {
        return Ok(Acked::At(seen));
    }
    if is_inbox && upto < seen {
        // What comes after it is unread again, whatever the marks say.
        marks::rewind(context.connection, user, upto)?;
    }
    set(context, user, cursor, seen, upto)?;
    Ok(Acked::At(upto))
}

/// The place of a cursor, if it exists.
pub(in crate::store) fn position(
    connection: &Connection,
    user: UserId,
    cursor: &CursorName,
) -> rusqlite::Result<Option<MessageId>> {
    connection
        .prepare_cached("SELECT upto_id FROM cursors WHERE user_id = ?1 AND name = ?2")?
        .query_row(params![user.0, cursor.as_str()], |row| Ok(MessageId(row.get(0)?)))
        .optional()
}

pub(in crate::store) fn set(
    context: &mut WriteContext<'_>,
    user: UserId,
    cursor: &CursorName,
    seen: MessageId,
    upto: MessageId,
) -> rusqlite::Result<()> {
    if *cursor == CursorName::inbox() {
        context.note_inbox_moved(user, seen, upto)?;
        if upto < seen {
            context.deliveries.rewind(user);
        }
    }
    upsert(context.connection, user, cursor, upto, Timestamp::now())
}

/// Creates a cursor or moves it, with the time of its last move.
pub(in crate::store) fn upsert(
    connection: &Connection,
    user: UserId,
    cursor: &CursorName,
    upto: MessageId,
    moved_at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO cursors (user_id, name, upto_id, moved_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (user_id, name)
             DO UPDATE SET upto_id = excluded.upto_id, moved_at = excluded.moved_at",
        )?
        .execute(params![user.0, cursor.as_str(), upto.0, moved_at.0])
        .map(drop)
}

/// Records a dead letter at an existing cursor. Returns whether it is new.
pub(in crate::store) fn insert_dead_letter(
    connection: &Connection,
    user: UserId,
    cursor: &CursorName,
    id: MessageId,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "INSERT INTO dead_letters (user_id, cursor, message_id)
             VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![user.0, cursor.as_str(), id.0])
        .map(|changed| changed > 0)
}

/// The number of a user's cursors beside `inbox`.
fn count(connection: &Connection, user: UserId) -> rusqlite::Result<usize> {
    connection
        .prepare_cached("SELECT count(*) FROM cursors WHERE user_id = ?1 AND name <> 'inbox'")?
        .query_row([user.0], |row| row.get(0))
        .map(|count: u32| count as usize)
}
