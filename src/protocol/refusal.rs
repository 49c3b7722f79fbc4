//! Why the server refused a request: a stable word for programs ([`Code`]) and a text for people.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::framing::REPLY_END;
use super::json;

/// The text of [`Code::NotAllowed`] for a message to a user. It gives no reason.
pub const NOT_TO_THIS_USER: &str = "you may not send to this user";
/// The text of [`Code::NotAllowed`] for what only a member of the room may do.
pub const NOT_IN_THE_ROOM: &str = "you are not in the room: join it first";
/// The text of [`Code::NotAllowed`] for an edit.
pub const ONLY_ITS_AUTHOR_EDITS: &str =
    "only its author can edit a message, while they may post there";
/// The text of [`Code::NotAllowed`] for a deletion.
pub const ONLY_THOSE_DELETE: &str =
    "only its author and the moderators of its room can delete a message";
/// The end of the text of [`Code::UnknownMessage`] for an id in a field.
pub const NO_SUCH_MESSAGE: &str = "you have no message with that id";
/// How the message of `too_many_rooms` ends for a user who has had as many memberships as there may
/// be. The number is before it.
pub const MANY_MEMBERSHIPS: &str = "memberships of rooms, the most that a user may have";

/// The text of [`Code::BadArgument`] for a name that is a user's and, with `#`, a room's: see
/// [`Post::or_room`](super::arguments::Post::or_room).
pub const USER_AND_ROOM: &str = "the name is a user's and a room's";

/// Defines [`Code`] together with each code's word on the wire, in both directions.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// The stable words of the field `code`. They never change their meaning; new ones may be
        /// added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code, in the order of `docs/protocol.md`.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Finds the code by its word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// The line is empty.
    BadRequest = "bad_request",
    /// The first word is not a verb.
    UnknownCommand = "unknown_command",
    /// A field is missing, or there is one too many.
    Usage = "usage",
    /// The line is longer than the limit.
    LineTooLong = "line_too_long",
    /// The line contains a NUL, or a CR that is not part of the line ending.
    BadLine = "bad_line",
    /// The line is not UTF-8.
    BadEncoding = "bad_encoding",
    /// The input is TLS or HTTP. The connection is closed.
    WrongProtocol = "wrong_protocol",
    /// The argument is not JSON, or one of its fields is unknown or invalid.
    BadArgument = "bad_argument",
    /// `search`: the query is malformed. The text names the place, in characters from 1, and what is
    /// wrong there.
    BadQuery = "bad_query",
    /// The token is unknown, expired or logged out.
    NoSession = "no_session",
    /// `auth`: the user does not exist.
    UnknownUser = "unknown_user",
    /// `auth`: the password is wrong.
    WrongPassword = "wrong_password",
    /// `auth`, `passwd`, `accept`: too many attempts failed, so the server did not check this password.
    /// `retry_after` says after how many seconds the client may try again.
    RateLimited = "rate_limited",
    /// `auth`: the user has as many sessions as there may be, each with an open stream.
    TooManySessions = "too_many_sessions",
    /// A recipient does not exist; `users` names every such recipient.
    UnknownRecipient = "unknown_recipient",
    /// The operator of the server has it list no users.
    UsersHidden = "users_hidden",
    /// The text of the message is empty.
    EmptyMessage = "empty_message",
    /// A text is longer than its limit.
    TooLong = "too_long",
    /// The key was already used with another text, other details or other recipients.
    KeyConflict = "key_conflict",
    /// A recipient has too many unread messages; `users` names every such recipient.
    InboxFull = "inbox_full",
    /// The id is beyond the end of the message log, or the user can read no message with this id.
    UnknownMessage = "unknown_message",
    /// The user has receipts off, and so sees those of nobody.
    ReceiptsOff = "receipts_off",
    /// Only the sender of the message may do this.
    NotYours = "not_yours",
    /// The room does not exist, or it is private and the user has no part in it; `users` names it.
    UnknownRoom = "unknown_room",
    /// The name of the new room is taken.
    RoomExists = "room_exists",
    /// The user's role in the room does not allow this; `users` names the rooms.
    NotAllowed = "not_allowed",
    /// The room would have no owner.
    LastOwner = "last_owner",
    /// The room is archived; `users` names the rooms.
    RoomArchived = "room_archived",
    /// Everybody is in the room, for ever: it is not left, private or archived; `users` names it.
    RoomOfEverybody = "room_of_everybody",
    /// The user is a member of as many rooms as a user may be, or there are as many rooms as there
    /// may be.
    TooManyRooms = "too_many_rooms",
    /// The user has no expectation of this name.
    UnknownExpectation = "unknown_expectation",
    /// No such scheduled message, or it is being sent.
    UnknownScheduled = "unknown_scheduled",
    /// The access token does not include the right that this needs.
    TokenRights = "token_rights",
    /// The user has an access token of this name already.
    TokenExists = "token_exists",
    /// The user has as many access tokens as there may be.
    TooManyTokens = "too_many_tokens",
    /// `invitation`, `accept`: there is no such invitation: it was revoked, or has expired.
    UnknownInvitation = "unknown_invitation",
    /// `invitation`, `accept`: the invitation was accepted, with another name or password.
    InvitationUsed = "invitation_used",
    /// `accept`: there is, or was, a user of this name.
    NameTaken = "name_taken",
    /// The server did nothing because a queue is full. The client may try again.
    Busy = "busy",
    /// The server did nothing because the disk is full.
    StorageFull = "storage_full",
    /// There are too many connections. This one is closed.
    TooManyConnections = "too_many_connections",
    /// The server did nothing because it is stopping. The connection is closed.
    ShuttingDown = "shutting_down",
    /// The server failed. It may or may not have carried out the request.
    Internal = "internal",
}

impl Code {
    /// The text for people. Where the seed's server has a text for the same case, it is used
    /// unchanged.
    pub fn message(self) -> &'static str {
        match self {
            Self::BadRequest | Self::UnknownCommand => "**Protocol Tidak Benar",
            Self::Usage => "--Protocol Tidak Benar",
            Self::LineTooLong => "the line is longer than 262144 bytes",
            Self::BadLine => "the line has a NUL or a CR inside",
            Self::BadEncoding => "the line is not UTF-8",
            Self::WrongProtocol => "this is a line protocol, neither TLS nor HTTP; type help",
            Self::BadArgument => "the JSON argument is not understood",
            Self::BadQuery => "the query is not understood",
            Self::NoSession => "Session Tidak Ditemukan",
            Self::UnknownUser => "User Tidak Ada",
            Self::WrongPassword => "Password Salah",
            Self::RateLimited => "too many failed logins",
            Self::TooManySessions => "the user has 64 sessions, each with an open stream",
            Self::UnknownRecipient => "User Tidak Ditemukan",
            Self::UsersHidden => "this server does not list its users",
            Self::EmptyMessage => "the message is empty",
            Self::TooLong => "the text is too long",
            Self::KeyConflict => "the key was used before for another message",
            Self::InboxFull => "the inbox of the recipient is full",
            Self::UnknownMessage => "there is no message with that id",
            Self::ReceiptsOff => "your receipts are off, so you see those of nobody",
            Self::NotYours => "only the sender of the message may do this",
            Self::UnknownRoom => "there is no such room",
            Self::RoomExists => "the name of the room is taken",
            Self::NotAllowed => "your role in the room does not allow this",
            Self::LastOwner => "you are the last owner of the room: name another one",
            Self::RoomArchived => "the room is archived",
            Self::RoomOfEverybody => "everybody is in this room: nobody leaves or closes it",
            Self::TooManyRooms => "there are too many rooms",
            Self::UnknownExpectation => "there is no such expectation",
            Self::UnknownScheduled => "there is no such scheduled message",
            Self::TokenRights => "the access token does not allow this",
            Self::TokenExists => "you have an access token of this name already",
            Self::TooManyTokens => "you have 100 access tokens: revoke one first",
            Self::UnknownInvitation => "there is no such invitation, or it has expired",
            Self::InvitationUsed => "the invitation was used",
            Self::NameTaken => "the name is taken",
            Self::Busy => "the server is busy, nothing was done, try again",
            Self::StorageFull => "the disk of the server is full, nothing was done",
            Self::TooManyConnections => "there are too many connections, try again later",
            Self::ShuttingDown => "the server is stopping, nothing was done",
            Self::Internal => "the server failed, the outcome is not known",
        }
    }

    /// Whether the server closes the connection after this refusal.
    pub fn closes(self) -> bool {
        matches!(self, Self::WrongProtocol | Self::TooManyConnections | Self::ShuttingDown)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The reply to a request that the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable word.
    pub code: Code,
    /// The text for people.
    pub message: Cow<'static, str>,
    /// The names the refusal is about, as the client wrote them; empty where it is about none.
    pub users: Vec<String>,
    /// After how many seconds the client may try again, where that is known.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// A refusal with its own text in place of the code's.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), users: Vec::new(), retry_after: None }
    }

    /// A refusal that ends after `after`. It is rounded up to whole seconds, so a client never
    /// retries too early.
    pub fn to_try_again(code: Code, after: Duration) -> Self {
        let seconds = after.as_millis().div_ceil(1000).clamp(1, u32::MAX.into()) as u32;
        let message = format!("{}: try again in {seconds} s", code.message());
        Self { retry_after: Some(seconds), ..Self::new(code, message) }
    }

    /// Adds the names that the refusal is about.
    pub fn about(mut self, users: impl IntoIterator<Item = String>) -> Self {
        self.users.extend(users);
        self
    }

    /// Appends the refusal as the event that ends a stream. The field `event` distinguishes it from
    /// a reply.
    pub fn encode_end(&self, out: &mut Vec<u8>) {
        json::encode(&RefusalFields { event: Some("end"), ..self.fields() }, out);
        out.extend_from_slice(REPLY_END);
    }

    pub(super) fn fields(&self) -> RefusalFields<'_> {
        RefusalFields {
            status: "ERROR",
            event: None,
            code: self.code.as_str(),
            message: &self.message,
            users: &self.users,
            retry_after: self.retry_after,
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code, code.message())
    }
}

/// The fields of a refusal on the wire.
#[derive(Serialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub(super) struct RefusalFields<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schemars(skip))]
    event: Option<&'static str>,
    code: &'static str,
    /// The text for people.
    message: &'a str,
    /// The names that the refusal is about.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    users: &'a [String],
    /// After how many seconds to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        let after = |milliseconds| {
            let refusal =
                Refusal::to_try_again(Code::RateLimited, Duration::from_millis(milliseconds));
            (refusal.retry_after.unwrap(), refusal.message.into_owned())
        };
        assert_eq!(after(0).0, 1);
        assert_eq!(after(12_000).0, 12);
        assert_eq!(after(12_001), (13, "too many failed logins: try again in 13 s".to_owned()));
    }

    #[test]
    fn line_that_is_too_long_is_told_the_limit() {
        let limit = crate::protocol::framing::LINE_BYTES_MAX.to_string();
        assert!(Code::LineTooLong.message().contains(&limit));
        assert!(crate::catalogue::refusal::line_too_long().contains(&limit));
    }

    #[test]
    fn every_code_is_found_by_its_own_word() {
        for &code in Code::ALL {
            assert_eq!(Code::from_word(code.as_str()), Some(code));
            assert!(!code.message().is_empty());
        }
    }
}
