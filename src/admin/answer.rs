//! What an operator's command is told.

use serde::{Deserialize, Serialize};

use crate::model::{Timestamp, UserName};

/// What came of a request.
pub type Outcome = Result<Answer, Refusal>;

/// A request was done; what it found.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// There is nothing to say.
    Done,
    /// Some of the users.
    Users {
        /// In the order of their names.
        users: Vec<User>,
        /// There are more after these.
        more: bool,
    },
}

/// A user, as an operator sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// What the user logs in with.
    pub name: UserName,
    /// What people call the user.
    pub display_name: String,
    /// Whether the user may log in.
    pub state: State,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When a session of the user was last used, give or take a minute.
    pub last_seen_at: Option<Timestamp>,
    /// How many messages are unread in the inbox.
    pub unread: u64,
    /// The password is one that everybody can know.
    pub password_is_published: bool,
}

/// Whether a user may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The user may.
    Active,
    /// The user may not, until enabled again. Messages can be sent to the user, and wait.
    Disabled,
    /// The user is gone, but for the name and the messages.
    Deleted,
}

/// A request was not done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people: what failed.
    pub message: String,
}

impl Refusal {
    /// A refusal that is told to people as `message`.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Why a request was not done, as a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// There is no user of this name.
    UnknownUser,
    /// There is a user of this name, or was one whose messages are still there.
    NameTaken,
    /// The other side is of another version.
    Version,
    /// The line is not a request.
    BadRequest,
    /// The line is longer than a line may be.
    LineTooLong,
    /// Too much is waiting: later it will go.
    Busy,
    /// There is no room on the disk.
    StorageFull,
    /// The server is stopping; nothing was done.
    ShuttingDown,
    /// A fault of the program.
    Internal,
}

impl Code {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown_user",
            Self::NameTaken => "name_taken",
            Self::Version => "version",
            Self::BadRequest => "bad_request",
            Self::LineTooLong => "line_too_long",
            Self::Busy => "busy",
            Self::StorageFull => "storage_full",
            Self::ShuttingDown => "shutting_down",
            Self::Internal => "internal",
        }
    }
}
