//! Which messages an operator wants purged.

use serde::{Deserialize, Serialize};

use crate::model::{MessageId, Timestamp, UserName};

/// When to write the file anew; nobody can send meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compact {
    /// However long it is.
    Yes,
    /// Where that is a matter of a moment.
    IfShort,
    /// Only empty the log.
    No,
}

/// Which messages to purge: those that all of it fits.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// Taken before this moment.
    pub before: Option<Timestamp>,
    /// With a lower id than this.
    pub before_id: Option<MessageId>,
    /// Of this user.
    pub user: Option<PurgeUser>,
    /// Also what somebody has still to read.
    pub unread_too: bool,
}

/// Whose messages, and which of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeUser {
    /// Whose.
    pub name: UserName,
    /// Which of them.
    pub part: PurgePart,
}

/// Which of a user's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurgePart {
    /// Those that the user has sent.
    Sent,
    /// Those that the user was sent.
    Received,
    /// All of them.
    Both,
}
