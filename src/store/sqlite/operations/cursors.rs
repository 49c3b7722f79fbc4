//! Cursors: how far each reader has read. Reading moves one; it takes nothing out of the log.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{CursorName, MessageId, Timestamp, UserId};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::sqlite::operations::messages;
use crate::store::sqlite::writer::{Context, Statements};

/// The most cursors of one user beside `inbox`, for which there is always room.
pub const CURSORS_MAX: usize = 1_000;

/// What came of acknowledging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acked {
    /// The cursor stands here now.
    At(MessageId),
    /// There is no message with that id yet; the cursor was not moved.
    BeyondTheLog,
    /// The user has [`CURSORS_MAX`] cursors beside `inbox` already; none was made.
    TooMany,
}

/// What came of moving a cursor from where it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It has been moved.
    Yes,
    /// Somebody else had moved it in between; it was left alone.
    No,
}

impl Store {
    /// Moves a cursor up to `upto`; backwards only with `rewind`. Durable when `done` is called.
    pub fn ack(
        &self,
        user: UserId,
        cursor: CursorName,
        upto: MessageId,
        rewind: bool,
        done: impl FnOnce(Result<Acked, StoreError>) + Send + 'static,
    ) {
        let ack = move |context: &mut Context<'_>| ack(context, user, &cursor, upto, rewind);
        self.writer.submit(Statements::One, ack, done);
    }

    /// Notes that the message of this id could not be dealt with at this cursor, and moves the
    /// cursor up to it. It has to be one of the user's; else it is as if it were not there yet.
    /// Durable when `done` is called.
    pub fn add_dead_letter(
        &self,
        user: UserId,
        cursor: CursorName,
        id: MessageId,
        done: impl FnOnce(Result<Acked, StoreError>) + Send + 'static,
    ) {
        let add = move |context: &mut Context<'_>| {
            if !messages::is_for(context.connection, user, id)? {
                return Ok(Acked::BeyondTheLog);
            }
            let acked = ack(context, user, &cursor, id, false)?;
            if matches!(acked, Acked::At(_)) {
                insert_dead_letter(context.connection, user, &cursor, id)?;
            }
            Ok(acked)
        };
        self.writer.submit(Statements::Several, add, done);
    }

    /// Forgets the dead letters at this cursor up to and with this id; the cursor stays. Durable
    /// when `done` is called.
    pub fn clear_dead_letters(
        &self,
        user: UserId,
        cursor: CursorName,
        upto: MessageId,
        done: impl FnOnce(Result<Acked, StoreError>) + Send + 'static,
    ) {
        let clear = move |context: &mut Context<'_>| {
            context
                .connection
                .prepare_cached(
                    "DELETE FROM dead_letters
                      WHERE user_id = ?1 AND cursor = ?2 AND message_id <= ?3",
                )?
                .execute(params![user.0, cursor.as_str(), upto.0])?;
            let seen = position(context.connection, user, &cursor)?;
            Ok(Acked::At(seen.unwrap_or(MessageId::ZERO)))
        };
        self.writer.submit(Statements::One, clear, done);
    }

    /// Moves a cursor from `seen` to `upto` if that is where it still stands: what was read from
    /// `seen` on is then the caller's alone. Durable when `done` is called.
    pub fn move_cursor(
        &self,
        user: UserId,
        cursor: CursorName,
        seen: MessageId,
        upto: MessageId,
        done: impl FnOnce(Result<Moved, StoreError>) + Send + 'static,
    ) {
        let advance = move |context: &mut Context<'_>| {
            if position(context.connection, user, &cursor)?.unwrap_or(MessageId::ZERO) != seen {
                return Ok(Moved::No);
            }
            set(context, user, &cursor, seen, upto)?;
            Ok(Moved::Yes)
        };
        self.writer.submit(Statements::One, advance, done);
    }
}

fn ack(
    context: &mut Context<'_>,
    user: UserId,
    cursor: &CursorName,
    upto: MessageId,
    rewind: bool,
) -> rusqlite::Result<Acked> {
    if upto > messages::newest(context)? {
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
    set(context, user, cursor, seen, upto)?;
    Ok(Acked::At(upto))
}

/// Where a cursor stands, if there is one.
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

fn set(
    context: &mut Context<'_>,
    user: UserId,
    cursor: &CursorName,
    seen: MessageId,
    upto: MessageId,
) -> rusqlite::Result<()> {
    if *cursor == CursorName::inbox() {
        messages::forget_unread(context, user, seen, upto)?;
        if upto < seen {
            context.deliveries.rewind(user);
        }
    }
    place(context.connection, user, cursor, upto, Timestamp::now())
}

/// Has a cursor stand somewhere since a moment, whether there is one already or not.
pub(in crate::store) fn place(
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

/// Notes a dead letter at a cursor that is there; tells whether it was not noted already.
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

/// A cursor's name out of a row.
pub(in crate::store) fn name(row: &Row<'_>, index: usize) -> rusqlite::Result<CursorName> {
    let text: Box<str> = row.get(index)?;
    text.parse().map_err(|error| crate::store::not_a_value(index, error))
}

/// How many cursors a user has beside `inbox`.
fn count(connection: &Connection, user: UserId) -> rusqlite::Result<usize> {
    connection
        .prepare_cached("SELECT count(*) FROM cursors WHERE user_id = ?1 AND name <> 'inbox'")?
        .query_row([user.0], |row| row.get(0))
        .map(|count: u32| count as usize)
}
