//! Deleting messages for good, in small steps: a reader finds what fits, and the writer deletes it
//! between sends, so that no sender waits for long.

use crate::model::{MessageId, Timestamp, UserName};
use crate::store::operation::{Read, Write};

/// Selects the messages to delete: those that fit all of it.
#[derive(Debug, Clone, Default)]
pub struct PurgeFilter {
    /// Taken before this moment.
    pub before: Option<Timestamp>,
    /// With a lower id than this.
    pub before_id: Option<MessageId>,
    /// Of this user.
    pub user: Option<(UserName, PurgeSide)>,
    /// Unread messages as well.
    pub unread_too: bool,
}

/// Which of a user's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeSide {
    /// Messages from the user.
    Sent,
    /// Messages to the user.
    Received,
    /// Both.
    Both,
}

/// Looks for messages that fit after an id, one bounded step far. `None` where there is no such
/// user.
///
/// A message is unread while any cursor of its recipient stands before it (`inbox` does where it
/// was never moved), and while it is a dead letter.
pub struct FindToPurge {
    /// What to look for.
    pub filter: PurgeFilter,
    /// Where the last step ended.
    pub after: MessageId,
}

impl Read for FindToPurge {
    type Answer = Option<PurgeCandidates>;
}

/// What a step of [`FindToPurge`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeCandidates {
    /// The messages.
    pub ids: Vec<MessageId>,
    /// How many more would fit but are unread.
    pub unread: usize,
    /// Where the step ended.
    pub upto: MessageId,
    /// There are more messages after that.
    pub more: bool,
}

/// Deletes these messages and answers with how many; without `unread_too`, messages that have
/// become unread since stay. When the answer comes, no request finds them any more. Their bytes
/// may still stand in the WAL and in unused parts of the file.
#[derive(Debug, Clone)]
pub struct Purge {
    /// The messages.
    pub ids: Vec<MessageId>,
    /// Unread messages as well.
    pub unread_too: bool,
}

impl Write for Purge {
    type Answer = usize;
}
