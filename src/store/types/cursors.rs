//! Cursors: how far each reader has read. Reading moves a cursor; it removes nothing from the
//! message log.

use crate::model::{CursorName, MessageId, UserId};
use crate::store::operation::Write;

/// The maximum number of cursors of one user. The cursor `inbox` does not count: there is always
/// room for it.
pub const CURSORS_MAX: usize = 1_000;

/// Moves a cursor to `upto`; backwards only with `rewind`. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct Acknowledge {
    /// The reader.
    pub user: UserId,
    /// The reader's cursor.
    pub cursor: CursorName,
    /// The newest message that the reader has read.
    pub upto: MessageId,
    /// Whether the cursor may move backwards.
    pub rewind: bool,
}

impl Write for Acknowledge {
    type Answer = Acked;
}

/// Records that the reader could not process a message at this cursor, and moves the cursor to the
/// message. A message for another user is refused like a message that does not exist. Durable when
/// the answer comes.
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

/// Removes the dead letters at this cursor up to and including this id. The cursor does not move.
/// Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct ClearDeadLetters {
    /// The reader.
    pub user: UserId,
    /// The reader's cursor.
    pub cursor: CursorName,
    /// The newest dead letter to remove.
    pub upto: MessageId,
}

impl Write for ClearDeadLetters {
    type Answer = Acked;
}

/// The result of moving a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acked {
    /// The cursor is at this message now.
    At(MessageId),
    /// No message has that id yet. The cursor did not move.
    BeyondTheLog,
    /// The user already has [`CURSORS_MAX`] cursors beside `inbox`. No cursor was created.
    TooMany,
}

/// Moves a cursor from `seen` to `upto`, if it is still at `seen`. On success, no other reader of
/// this cursor has taken the messages in between. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct MoveCursor {
    /// The reader.
    pub user: UserId,
    /// The reader's cursor.
    pub cursor: CursorName,
    /// Where the reader found the cursor.
    pub seen: MessageId,
    /// Where the cursor goes.
    pub upto: MessageId,
}

impl Write for MoveCursor {
    type Answer = Moved;
}

/// The result of [`MoveCursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The cursor moved.
    Yes,
    /// Another reader had moved the cursor. It stays there.
    No,
}
