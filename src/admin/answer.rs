//! What an operator's command is told.

use serde::{Deserialize, Serialize};

use crate::model::{CursorName, MessageId, SessionId, Timestamp, UserName};
use crate::transfer::Taken;

/// What came of a request.
pub type Outcome = Result<Answer, Refusal>;

/// A request was done; what it found.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// There is nothing to say.
    Done,
    /// It is done; so many sessions were ended with it.
    Ended {
        /// How many.
        sessions: usize,
    },
    /// These users were created.
    Created {
        /// In the order in which they were given.
        users: Vec<UserName>,
    },
    /// Some of the users.
    Users {
        /// In the order of their names.
        users: Vec<User>,
        /// There are more after these.
        more: bool,
    },
    /// A step of purging was done.
    Purged {
        /// How many messages are gone.
        messages: usize,
        /// How many would have fitted, and are still to be read by somebody.
        unread: usize,
        /// Up to where it has looked.
        upto: MessageId,
        /// There is more after that.
        more: bool,
    },
    /// Steps of an import were done.
    Imported {
        /// What came of each, up to the first that was refused.
        taken: Vec<Taken>,
        /// Why the next one was refused; those after it were not looked at.
        refused: Option<String>,
    },
    /// A part was made anew.
    Rebuilt {
        /// What it was; nothing where there is no such part.
        what: Option<String>,
    },
    /// What became of the remains of a purge.
    RemainsPurged {
        /// The log is empty: nobody was reading it.
        log_emptied: bool,
        /// The file was written anew.
        compacted: bool,
        /// How long the file is.
        bytes: u64,
    },
    /// All that is known of a user.
    UserDetails(Box<UserDetails>),
    /// Some of the sessions.
    Sessions {
        /// The oldest first.
        sessions: Vec<Session>,
        /// There are more after these.
        more: bool,
    },
    /// How much there is of everything.
    Stats(Box<Stats>),
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

/// All that is known of a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserDetails {
    /// What the list shows.
    #[serde(flatten)]
    pub user: User,
    /// Since when the user may not log in.
    pub disabled_at: Option<Timestamp>,
    /// Since when only the name and the messages are left.
    pub deleted_at: Option<Timestamp>,
    /// How many messages the user has sent; one for each recipient.
    pub sent: u64,
    /// How many messages were sent to the user.
    pub received: u64,
    /// The sessions, the oldest first.
    pub sessions: Vec<Session>,
    /// How far the user has read.
    pub cursors: Vec<Cursor>,
}

/// A session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Whose.
    pub user: UserName,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, give or take a minute.
    pub last_seen_at: Timestamp,
    /// When it ends whatever its holder does.
    pub expires_at: Timestamp,
}

/// How far a reader has read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// What its owner calls it.
    pub name: CursorName,
    /// Up to and with this message.
    pub upto: MessageId,
    /// When it was moved last.
    pub moved_at: Timestamp,
}

/// How much there is of everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// Users who may log in.
    pub users_active: u64,
    /// Users who may not, for now.
    pub users_disabled: u64,
    /// Users of whom the name and the messages are left.
    pub users_deleted: u64,
    /// Sessions that have not expired.
    pub sessions: u64,
    /// Messages, one for each recipient.
    pub messages: u64,
    /// The id of the newest message; 0 where there is none.
    pub last_id: MessageId,
    /// Messages of the last hour.
    pub messages_last_hour: u64,
    /// Messages of the last 24 hours.
    pub messages_last_day: u64,
    /// Messages that their recipients have not read.
    pub unread: u64,
    /// The size of the database file.
    pub file_bytes: u64,
    /// The size of its write-ahead log.
    pub log_bytes: u64,
    /// How much of the file is free for what is to come.
    pub free_bytes: u64,
    /// The version of the schema.
    pub schema: u32,
    /// The program that has the file open.
    pub version: String,
    /// What the running server knows; nothing where none runs.
    pub server: Option<Server>,
}

/// What a running server knows of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its process.
    pub pid: u32,
    /// When it was started.
    pub started_at: Timestamp,
    /// For how many seconds it has been running, by a clock that nobody sets.
    pub uptime_seconds: u64,
    /// Connections that are open.
    pub connections: u64,
    /// Those of them that are streams.
    pub watchers: u64,
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
    /// The user is deleted.
    UserDeleted,
    /// There is no session of this number.
    UnknownSession,
    /// It would let people in whom the configuration keeps out.
    Unsafe,
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
            Self::UserDeleted => "user_deleted",
            Self::UnknownSession => "unknown_session",
            Self::Unsafe => "unsafe",
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
