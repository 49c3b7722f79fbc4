//! Which messages an operator's purge deletes.

use serde::{Deserialize, Serialize};

use crate::model::{MessageId, Timestamp, UserName};

/// Whether to compact the database file after a purge. No client can send meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compact {
    /// Compact, whatever the size. It is skipped if the disk is full or another program writes.
    Yes,
    /// Compact if the file is so small that it takes a moment.
    IfShort,
    /// Only truncate the WAL.
    No,
}

/// Selects messages. A message must match every criterion that is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// Accepted before this time.
    pub before: Option<Timestamp>,
    /// With an id below this one.
    pub before_id: Option<MessageId>,
    /// Sent or received by this user.
    pub user: Option<PurgeUser>,
    /// Also delete messages that their recipients have not read.
    pub unread_too: bool,
    /// Only messages that their users have deleted.
    #[serde(default)]
    pub deleted_only: bool,
}

/// A user, and which of the user's messages to purge.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeUser {
    /// The user.
    pub name: UserName,
    /// Which of the user's messages.
    pub part: PurgePart,
}

/// Which of a user's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurgePart {
    /// The messages that the user sent.
    Sent,
    /// The messages that the user received.
    Received,
    /// Both.
    Both,
}
