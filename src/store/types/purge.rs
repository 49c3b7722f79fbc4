//! Deleting messages for good, in small steps. A reader thread finds the messages, and the writer
//! deletes them between other operations, so no sender waits for long.

use crate::model::{MessageId, Timestamp, UserName};
use crate::store::operation::{Read, Write};

/// Selects the messages to delete. A message must match every field.
#[derive(Debug, Clone, Default)]
pub struct PurgeFilter {
    /// Stored before this time.
    pub before: Option<Timestamp>,
    /// With a lower id than this.
    pub before_id: Option<MessageId>,
    /// Sent or received by this user.
    pub user: Option<(UserName, PurgeSide)>,
    /// Whether unread messages match, too.
    pub unread_too: bool,
    /// Only messages that their users have deleted.
    pub deleted_only: bool,
}

/// The direction of a user's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeSide {
    /// Messages from the user.
    Sent,
    /// Messages to the user.
    Received,
    /// Both.
    Both,
}

/// Looks for matching messages after an id, in one bounded step. The answer is `None` if the
/// filter's user does not exist.
///
/// A message is unread while a cursor of its recipient is before it, or while it is a dead letter.
/// The cursor `inbox` is at 0 until it is moved. A message that its users have deleted is not unread.
pub struct FindToPurge {
    /// What to look for.
    pub filter: PurgeFilter,
    /// The end of the previous step.
    pub after: MessageId,
}

impl Read for FindToPurge {
    type Answer = Option<PurgeCandidates>;
}

/// The answer of [`FindToPurge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeCandidates {
    /// The matching messages.
    pub ids: Vec<MessageId>,
    /// How many more messages would match if they were read.
    pub unread: usize,
    /// The end of this step, for [`FindToPurge::after`].
    pub upto: MessageId,
    /// Whether there are messages after `upto`.
    pub more: bool,
}

/// Deletes these messages; the answer is how many it deleted. Without `unread_too`, it skips
/// messages that have become unread since. When the answer comes, no request finds the messages any
/// more. Their bytes may remain in the WAL and in unused parts of the file.
#[derive(Debug, Clone)]
pub struct Purge {
    /// The messages.
    pub ids: Vec<MessageId>,
    /// Whether to delete unread messages, too.
    pub unread_too: bool,
}

impl Write for Purge {
    type Answer = usize;
}
