//! Cursors: how far each reader has read. Reading moves a cursor; it takes nothing out of the
//! message log.

use crate::model::{CursorName, MessageId, UserId};
use crate::store::operation::Write;

/// The most cursors of one user beside `inbox`, for which there is always room.
pub const CURSORS_MAX: usize = 1_000;

/// Moves a cursor up to `upto`; backwards only with `rewind`. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct Acknowledge {
    /// The reader.
    pub user: UserId,
    /// The reader's cursor.
    pub cursor: CursorName,
    /// The newest message that was read.
    pub upto: MessageId,
    /// May move the cursor backwards.
    pub rewind: bool,
}

impl Write for Acknowledge {
    type Answer = Acked;
}

/// Notes that the reader could not deal with a message at this cursor, and moves the cursor up to
/// it. A message that is not the reader's is refused like a message that does not exist. Durable
/// when the answer comes.
#[derive(Debug, Clone)]
pub struct AddDeadLetter {
    /// The reader.
    pub user: UserId,
    /// The reader's cursor.
    pub cursor: CursorName,
    /// The message.
    pub id: MessageId,
}

impl Write for AddDeadLetter {
    type Answer = Acked;
}

/// Forgets the dead letters at this cursor up to and with this id. The cursor stays where it is.
/// Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct ClearDeadLetters {
    /// The reader.
    pub user: UserId,
    /// The reader's cursor.
    pub cursor: CursorName,
    /// The newest dead letter to forget.
    pub upto: MessageId,
}

impl Write for ClearDeadLetters {
    type Answer = Acked;
}

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

/// Moves a cursor from `seen` to `upto` if it still stands at `seen`: the messages in between are
/// then the caller's alone. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct MoveCursor {
    /// The reader.
    pub user: UserId,
    /// The reader's cursor.
    pub cursor: CursorName,
    /// Where the reader found it.
    pub seen: MessageId,
    /// Where it goes.
    pub upto: MessageId,
}

impl Write for MoveCursor {
    type Answer = Moved;
}

/// What came of [`MoveCursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The cursor was moved.
    Yes,
    /// Another reader had moved it; it was left alone.
    No,
}
