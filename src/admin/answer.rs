//! The results of administration requests.

use serde::{Deserialize, Serialize};

use crate::model::{
    AccessTokenId, CursorName, InvitationId, InvitationSecret, MessageId, RoomName, SessionId,
    Timestamp, UserName,
};
use crate::protocol::rooms::{MemberInfo, RoomInfo};
use crate::protocol::standing::Database;
use crate::protocol::tokens::{TokenCreated, TokenInfo};
use crate::transfer::Taken;

/// The result of one request.
pub type AdminResult = Result<AdminReply, Refusal>;

/// The reply to a request that was carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum AdminReply {
    /// There are no details.
    Done,
    /// The request was carried out, and it ended sessions.
    Ended {
        /// The number of sessions.
        sessions: usize,
    },
    /// Users were created.
    Created {
        /// Their names, in the order of the request.
        users: Vec<UserName>,
    },
    /// One page of users.
    Users {
        /// The users, sorted by name.
        users: Vec<User>,
        /// There are more users after these.
        more: bool,
    },
    /// One page of rooms.
    Rooms {
        /// The rooms, sorted by name.
        rooms: Vec<RoomInfo>,
        /// There are more rooms after these.
        more: bool,
    },
    /// A room, after the change if there was one.
    Room(Box<RoomInfo>),
    /// One page of the members of a room.
    RoomMembers {
        /// The members, sorted by name.
        members: Vec<MemberInfo>,
        /// There are more members after these.
        more: bool,
    },
    /// One step of a purge was carried out.
    Purged {
        /// The number of messages that it deleted, or would delete in a dry run.
        messages: usize,
        /// The number of matching messages that it kept because their recipients have not read
        /// them.
        unread: usize,
        /// The step examined all messages up to and including this id.
        upto: MessageId,
        /// There are further messages to examine.
        more: bool,
    },
    /// Steps of an import were carried out.
    Imported {
        /// The result of each step, up to the first that was refused.
        taken: Vec<Taken>,
        /// Why that step was refused. The steps after it were not carried out.
        refused: Option<String>,
    },
    /// A part of the database was rebuilt.
    Rebuilt {
        /// The name of the part. `None` if there is no part with that number.
        what: Option<String>,
    },
    /// The remains of a purge were removed.
    RemainsPurged {
        /// Whether the WAL was truncated. A reader prevents that.
        log_emptied: bool,
        /// Whether the database file was compacted.
        compacted: bool,
        /// The size of the database file in bytes, before it was compacted.
        bytes: u64,
    },
    /// Everything known about a user.
    UserDetails(Box<UserDetails>),
    /// One page of sessions.
    Sessions {
        /// The sessions, oldest first.
        sessions: Vec<Session>,
        /// There are more sessions after these.
        more: bool,
    },
    /// An access token was made.
    TokenCreated {
        /// The only copy of the secret.
        token: Box<TokenCreated>,
    },
    /// One page of access tokens.
    Tokens {
        /// The tokens, oldest first.
        tokens: Vec<HeldToken>,
        /// There are more tokens after these.
        more: bool,
    },
    /// Access tokens were revoked.
    TokensRevoked {
        /// How many.
        tokens: usize,
    },
    /// An invitation was made.
    Invited(Invited),
    /// One page of invitations.
    Invitations {
        /// The invitations, oldest first.
        invitations: Vec<HeldInvitation>,
        /// There are more after these.
        more: bool,
    },
    /// Invitations were revoked.
    InvitationsRevoked {
        /// How many.
        invitations: usize,
    },
    /// The database that the server serves.
    Serves {
        /// Its URL without a password, or the path of its file.
        database: String,
    },
    /// The figures of the database.
    Stats(Box<Stats>),
}

/// A user in the operator's list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name that the user logs in with.
    pub name: UserName,
    /// The name that people use for the user.
    pub display_name: String,
    /// Whether the user can log in.
    pub state: State,
    /// When the user was created.
    pub created_at: Timestamp,
    /// When one of the user's sessions was last used, to within a minute.
    pub last_seen_at: Option<Timestamp>,
    /// The number of unread messages in the inbox.
    pub unread: u64,
    /// The password is public knowledge, such as one from the seed.
    pub password_is_published: bool,
}

/// Everything known about a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserDetails {
    /// The fields of the list.
    #[serde(flatten)]
    pub user: User,
    /// Since when the user is disabled and cannot log in.
    pub disabled_at: Option<Timestamp>,
    /// Since when the user is deleted. Only the name and the messages remain.
    pub deleted_at: Option<Timestamp>,
    /// The number of messages that the user has sent, counting each recipient.
    pub sent: u64,
    /// The number of messages that the user has received.
    pub received: u64,
    /// The sessions, oldest first.
    pub sessions: Vec<Session>,
    /// The user's cursors.
    pub cursors: Vec<Cursor>,
}

/// A session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// The user of the session.
    pub user: UserName,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, to within a minute.
    pub last_seen_at: Timestamp,
    /// When it expires at the latest.
    pub expires_at: Timestamp,
}

/// An access token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HeldToken {
    /// Its number.
    pub id: AccessTokenId,
    /// Its user.
    pub user: UserName,
    /// What its user sees of it.
    #[serde(flatten)]
    pub token: TokenInfo,
}

/// An invitation by link that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invited {
    /// Its number.
    pub id: InvitationId,
    /// The secret. No later answer has it.
    pub secret: InvitationSecret,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// An invitation by link in the operator's list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldInvitation {
    /// Its number.
    pub id: InvitationId,
    /// The name of the account, if the person does not choose it.
    pub user: Option<UserName>,
    /// The rooms that the account joins.
    pub rooms: Vec<RoomName>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Who has accepted it, by the name of today.
    pub used_by: Option<UserName>,
    /// When it was accepted.
    pub used_at: Option<Timestamp>,
}

/// A user's position in the message log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The name of the cursor.
    pub name: CursorName,
    /// Every message up to and including this id counts as read.
    pub upto: MessageId,
    /// When it was last moved.
    pub moved_at: Timestamp,
}

/// The figures of the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// Users who can log in.
    pub users_active: u64,
    /// Disabled users.
    pub users_disabled: u64,
    /// Deleted users whose names and messages remain.
    pub users_deleted: u64,
    /// Sessions that have not expired.
    pub sessions: u64,
    /// Messages, counting each recipient.
    pub messages: u64,
    /// The id of the newest message; 0 if there is none.
    pub last_id: MessageId,
    /// Messages of the last hour.
    pub messages_last_hour: u64,
    /// Messages of the last 24 hours.
    pub messages_last_day: u64,
    /// Messages that their recipients have not read.
    pub unread: u64,
    /// The size of the database file in bytes.
    pub file_bytes: u64,
    /// The size of the WAL in bytes.
    pub log_bytes: u64,
    /// Unused space inside the database file, in bytes. New messages fill it first.
    pub free_bytes: u64,
    /// The version of the schema.
    pub schema: u32,
    /// The version of the program that has the file open.
    pub version: String,
    /// The database, as the program that has it open knows it.
    pub database: Database,
    /// What the running server reports of itself. `None` if no server runs.
    pub server: Option<Server>,
}

/// What a running server reports of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its process id.
    pub pid: u32,
    /// When it was started.
    pub started_at: Timestamp,
    /// How long it has been running, in seconds, by the monotonic clock.
    pub uptime_seconds: u64,
    /// Open connections.
    pub connections: u64,
    /// Open connections that are streams.
    pub watchers: u64,
}

/// Whether a user can log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The user can log in.
    Active,
    /// The user cannot log in until enabled again. Messages to the user are stored.
    Disabled,
    /// The user is deleted. Only the name and the messages remain.
    Deleted,
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The stable word, for programs.
    pub code: Code,
    /// What failed, for people.
    pub message: String,
}

impl Refusal {
    /// A refusal with this text for people.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The stable words for the reasons of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No user has this name.
    UnknownUser,
    /// The user is deleted.
    UserDeleted,
    /// No session has this number.
    UnknownSession,
    /// There is no message with this id.
    UnknownMessage,
    /// The user has no access token of this name.
    UnknownToken,
    /// The user has as many access tokens as there may be.
    TooManyTokens,
    /// No open invitation has this number.
    UnknownInvitation,
    /// There are as many open invitations as there may be.
    TooManyInvitations,
    /// No room has this name.
    UnknownRoom,
    /// The room is archived.
    RoomArchived,
    /// Everybody is in the room, for ever.
    RoomOfEverybody,
    /// Other members of the room would have no owner.
    LastOwner,
    /// The user is in as many rooms as a user may be, or there are as many as there may be.
    TooManyRooms,
    /// The change would let in users with published passwords, which the configuration forbids.
    Unsafe,
    /// A user or a room has this name, or a deleted user with remaining messages had it.
    NameTaken,
    /// The other side has another version.
    Version,
    /// The line is not a request.
    BadRequest,
    /// The line is longer than the limit.
    LineTooLong,
    /// A queue is full. A later attempt can succeed.
    Busy,
    /// The disk is full.
    StorageFull,
    /// The server is stopping, and did nothing.
    ShuttingDown,
    /// The program failed.
    Internal,
}

impl Code {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown_user",
            Self::UserDeleted => "user_deleted",
            Self::UnknownSession => "unknown_session",
            Self::UnknownMessage => "unknown_message",
            Self::UnknownToken => "unknown_token",
            Self::TooManyTokens => "too_many_tokens",
            Self::UnknownInvitation => "unknown_invitation",
            Self::TooManyInvitations => "too_many_invitations",
            Self::UnknownRoom => "unknown_room",
            Self::RoomArchived => "room_archived",
            Self::RoomOfEverybody => "room_of_everybody",
            Self::LastOwner => "last_owner",
            Self::TooManyRooms => "too_many_rooms",
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
