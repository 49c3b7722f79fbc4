//! What an operator's command can ask for.

use serde::{Deserialize, Serialize};

use crate::model::{DisplayName, MessageId, Password, Timestamp, UserName};

/// One request. Each is done or refused as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Create a user.
    UserAdd {
        /// What the user logs in with.
        name: UserName,
        /// What people call the user.
        display_name: DisplayName,
        /// What the user logs in with.
        password: Secret,
    },
    /// The users in the order of their names, as many as an answer holds.
    UserList {
        /// Go on after this one.
        after: Option<UserName>,
    },
    /// A step of purging messages: those that fit among the next so many.
    MessagePurge {
        /// Which.
        purge: Purge,
        /// Go on after this one.
        after: MessageId,
        /// Only count them.
        dry_run: bool,
    },
    /// After purging: leave nothing of it in the log and in the unused parts of the file.
    PurgeRemains {
        /// How thoroughly.
        compact: Compact,
    },
}

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

/// A password on its way. Its `Debug` shows nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Box<str>", into = "Box<str>")]
pub struct Secret(pub Password);

impl TryFrom<Box<str>> for Secret {
    type Error = crate::model::Invalid;

    fn try_from(text: Box<str>) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Secret> for Box<str> {
    fn from(secret: Secret) -> Self {
        secret.0.reveal().into()
    }
}
