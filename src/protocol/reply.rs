//! Replies: the server answers each request with one JSON object, `status` first, ASCII only. After
//! it comes `\r\n\r\n`, which occurs nowhere else. The server writes and the client reads the same
//! structs, so the two cannot drift apart.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use smallvec::SmallVec;

use super::expectation::{Expectations, Expected};
pub use super::framing::REPLY_END;
use super::invitations::{Accepted, InvitationInfo};
use super::json;
use super::people::{BlockList, BlockState, Connected, ReceiptList, SettingsInfo};
use super::refusal::{Code, Refusal};
use super::rooms::RoomReply;
use super::scheduled::{CancelReply, Later, ScheduledList};
use super::standing::Database;
use super::tokens::{TokenCreated, Tokens};
use crate::model::{
    AccessTokenName, Body, Change, CursorName, MailboxName, Message, MessageId, Rights, RoomName,
    SessionId, Timestamp, Token, UserName,
};

/// The largest page of messages or names in one reply, in encoded bytes. `more` reports that there
/// were more.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// The largest reply that a client has to expect, in bytes: a page and the fields around it.
pub const REPLY_BYTES_MAX: usize = PAGE_BYTES_MAX + 64 * 1024;

/// The reply to `send`.
const SENT: &[u8] = br#"{"status": "OK", "message": "Message Sent"}"#;
/// The largest reply to `post` without its copies, in bytes, with the room that [`json::encode`]
/// reserves.
const POSTED_BYTES: usize = 128 + json::SHORT_BYTES;
/// The largest copy in a reply to `post`, in bytes.
const SENT_TO_BYTES: usize = 73;

/// The reply to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To `auth`. No later reply contains the token.
    Authenticated(Token),
    /// To `auth` without a password: the token, and whose it is.
    AuthenticatedAs(Token, UserName),
    /// To `send`.
    Sent,
    /// To `inbox`.
    Inbox(Inbox),
    /// To `list`.
    Active(Active),
    /// To `users`.
    Users(UserList),
    /// To `logout`.
    LoggedOut,
    /// To `hello`.
    Hello(Box<Hello>),
    /// To `help`.
    Help(Help),
    /// To `post`.
    Posted(Posted),
    /// To `edit` and `delete`.
    Changed(Changed),
    /// To `fetch`.
    Page(Page),
    /// To `search`.
    Found(Found),
    /// To `conversations`.
    Conversations(Conversations),
    /// To `ack`.
    Acked(Acked),
    /// To `ack` for a conversation.
    Marked(Marked),
    /// To `unread`.
    Unread(Unread),
    /// To `receipts`.
    Receipts(ReceiptList),
    /// To `settings`.
    Settings(SettingsInfo),
    /// To `who`.
    Connected(Connected),
    /// To `block` and `unblock`.
    Block(BlockState),
    /// To `blocks`.
    Blocks(BlockList),
    /// To `watch`. Events follow it.
    Watching(Watching),
    /// To `whoami`.
    Identity(Identity),
    /// To `sessions`.
    Sessions(Sessions),
    /// To `revoke`, `passwd` and `token_revoke`.
    Ended(Ended),
    /// To a verb of rooms.
    Room(Box<RoomReply>),
    /// To `expect` and `report`.
    Expected(Expected),
    /// To `expectations`.
    Expectations(Expectations),
    /// To a `post` that is sent later, with its recipients.
    Later(Later, SmallVec<[MailboxName; 1]>),
    /// To `scheduled`.
    Scheduled(ScheduledList),
    /// To `cancel`.
    Cancelled(CancelReply),
    /// To `token_create`. No later reply contains the token.
    TokenCreated(Box<TokenCreated>),
    /// To `tokens`.
    Tokens(Tokens),
    /// To `invitation`.
    Invitation(InvitationInfo),
    /// To `accept`.
    Accepted(Accepted),
    /// To any request that the server refused.
    Refused(Refusal),
}

/// The unread messages, grouped by sender; those of a room, by the room. The first message of a group
/// determines its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inbox {
    /// The groups, and each one's texts in the order of the message log.
    pub groups: Vec<(MailboxName, Vec<InboxEntry>)>,
    /// Some unread messages did not fit into this reply.
    pub more: bool,
}

/// One text of an [`Inbox`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct InboxEntry {
    /// The text.
    pub msg: Body,
    /// Who sent it, in a room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<UserName>,
}

/// The logged-in users, in the order of their logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    /// Each user once.
    pub users: Vec<UserName>,
    /// Some users did not fit into this reply.
    pub more: bool,
}

/// All possible recipients, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct UserList {
    /// Some users.
    pub users: Vec<UserInfo>,
    /// There are more users, after the last of these.
    pub more: bool,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct UserInfo {
    /// The name.
    pub user: UserName,
    /// The name that people use for the user.
    pub display_name: String,
}

/// The server's identity and limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Hello {
    /// The server's name.
    pub server: Cow<'static, str>,
    /// The server's version.
    pub version: Cow<'static, str>,
    /// See [`PROTOCOL_VERSION`](super::PROTOCOL_VERSION).
    pub protocol: u32,
    /// The verbs that the server knows.
    pub features: Vec<Cow<'static, str>>,
    /// The limits. Each name ends in its unit.
    pub limits: Limits,
    /// The database. An older server does not send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
}

/// The limits that a client must respect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Limits {
    /// The longest request line, without its ending.
    pub line_bytes: usize,
    /// The longest text of a message.
    pub body_bytes: usize,
    /// The longest key of a `post`.
    pub key_bytes: usize,
    /// The longest title of a message; 0 from a server whose messages have none.
    #[serde(default)]
    pub title_bytes: usize,
    /// The most tags of a message.
    #[serde(default)]
    pub tags: usize,
    /// The longest tag.
    #[serde(default)]
    pub tag_bytes: usize,
    /// The longest link of a message.
    #[serde(default)]
    pub click_bytes: usize,
    /// The most recipients of a `post`.
    pub recipients: usize,
    /// The most messages of a `fetch`.
    pub fetch_messages: usize,
}

/// The help for people who use the server with `nc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Help {
    /// One line for each verb.
    pub help: Vec<Cow<'static, str>>,
}

/// A message was stored, by this request or by an earlier one with the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Posted {
    /// The id of the first recipient's copy.
    pub id: MessageId,
    /// When the server accepted it.
    pub at: Timestamp,
    /// An earlier request with the same key had stored the message.
    pub duplicate: bool,
    /// Each recipient's copy, in the order of the request.
    pub sent: SmallVec<[SentTo; 1]>,
}

/// The reply to a `post` with a time. A message that was scheduled with its key before may be sent
/// already.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PostReply {
    /// It is stored.
    Posted(Posted),
    /// It is sent later.
    Later(Later),
}

/// One recipient's copy of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct SentTo {
    /// The recipient.
    pub to: MailboxName,
    /// The id of the copy in the message log.
    pub id: MessageId,
}

impl Posted {
    /// Encodes the reply like `serde`, in a quarter of the time: only the reply to `send` is more
    /// frequent. None of the fields needs escaping.
    fn encode(&self, out: &mut Vec<u8>) -> bool {
        let Self { id, at, duplicate, sent } = self;
        out.reserve(POSTED_BYTES + sent.len() * SENT_TO_BYTES);
        out.extend_from_slice(br#"{"status": "OK", "id": "#);
        let mut encoded = json::encode(id, out);
        out.extend_from_slice(br#", "at": ""#);
        out.extend_from_slice(at.text().as_bytes());
        out.extend_from_slice(br#"", "duplicate": "#);
        out.extend_from_slice(if *duplicate { b"true" } else { b"false" });
        out.extend_from_slice(br#", "sent": ["#);
        for (index, SentTo { to, id }) in sent.iter().enumerate() {
            out.extend_from_slice(if index == 0 { br#"{"to": ""# } else { br#", {"to": ""# });
            out.extend_from_slice(to.as_str().as_bytes());
            out.extend_from_slice(br#"", "id": "#);
            encoded &= json::encode(id, out);
            out.extend_from_slice(b"}");
        }
        out.extend_from_slice(b"]}");
        encoded
    }
}

/// A message was edited or deleted, by this request or by an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Changed {
    /// The message.
    pub id: MessageId,
    /// The id of the change in the message log.
    pub change: MessageId,
    /// When the server accepted it.
    pub at: Timestamp,
    /// An earlier request with the same key had edited the message, or it was deleted already.
    pub duplicate: bool,
}

/// Messages in the order of the message log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Page {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// To `raw`: the edits and deletions, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// There are more messages in the requested direction: newer ones for `after`, `unread`,
    /// `cursor` and `around`, older ones for `before`.
    pub more: bool,
    /// To `around`: there are more messages before these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_before: bool,
    /// With a filter and `more`: the last message that was looked at, in the direction of reading.
    /// The next page begins after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upto: Option<MessageId>,
}

/// The messages that a search has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Found {
    /// The messages, newest first.
    pub messages: Vec<Hit>,
    /// There are more messages before these, or there may be.
    pub more: bool,
    /// With `more`: the oldest message that was looked at. The next page begins before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upto: Option<MessageId>,
}

/// A message that a search has found. Places are in characters (Unicode code points): the first
/// character of a place, and the first after it. They are in order, and do not overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Hit {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// Where the query's words are in its text.
    pub matches: Vec<(usize, usize)>,
    /// Where they are in its title.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub title_matches: Vec<(usize, usize)>,
}

/// Conversations, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Conversations {
    /// The conversations.
    pub conversations: Vec<Conversation>,
    /// There are more, or there may be.
    pub more: bool,
    /// With `more`: the next page begins before this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<MessageId>,
    /// When the first of the unread messages expires, if one does: then there are fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Conversation {
    /// The other user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<UserName>,
    /// The room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// The newest message from the user, or in the room.
    pub last: Message,
    /// How many messages are unread.
    pub unread: usize,
    /// Counting stopped here, so there may be more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// How many of them mention you. A message to you alone is no mention.
    pub mentions: usize,
    /// Every message of the conversation up to and including this id is read.
    pub upto: MessageId,
}

impl Conversation {
    /// The other user or the room; `None` if the server names neither.
    pub fn name(&self) -> Option<MailboxName> {
        let user = self.with.clone().map(MailboxName::User);
        user.or_else(|| self.room.clone().map(MailboxName::Room))
    }
}

/// The position of a cursor after `ack`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acked {
    /// The cursor.
    pub cursor: CursorName,
    /// Every message up to and including this id counts as read.
    pub upto: MessageId,
}

/// How far a conversation is read, after `ack`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// The other user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<UserName>,
    /// The room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// Every message of the conversation up to and including this id counts as read.
    pub upto: MessageId,
}

impl Marked {
    /// The conversation with this user or in this room is read up to here.
    pub fn new(conversation: MailboxName, upto: MessageId) -> Self {
        match conversation {
            MailboxName::User(with) => Self { with: Some(with), room: None, upto },
            MailboxName::Room(room) => Self { with: None, room: Some(room), upto },
        }
    }
}

/// The number of unread messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Unread {
    /// The total.
    pub unread: usize,
    /// The number for each sender of direct messages. A sender's first unread message determines its
    /// place.
    pub senders: Vec<UnreadFrom>,
    /// The number for each room, in the same order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rooms: Vec<UnreadIn>,
}

/// The number of unread messages in one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct UnreadIn {
    /// The room.
    pub room: RoomName,
    /// The number of messages.
    pub count: usize,
    /// The id of the newest of those that were counted.
    pub newest: MessageId,
    /// Counting stopped here, so there may be more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// The number of unread messages from one sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct UnreadFrom {
    /// The sender.
    pub from: UserName,
    /// The number of messages.
    pub count: usize,
    /// The id of the newest of them.
    pub newest: MessageId,
}

/// The connection is a stream from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Watching {
    /// The user whose messages the stream sends.
    pub watching: UserName,
    /// The stream begins after this id.
    pub after: MessageId,
}

/// The user, and the session or the access token of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Identity {
    /// The name.
    pub user: UserName,
    /// The name that people use for the user.
    pub display_name: String,
    /// The session of this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The access token of this request, where it has one in the place of a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<AccessTokenName>,
    /// What that access token may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub can: Option<Rights>,
}

/// The user's sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Sessions {
    /// The sessions, oldest first.
    pub sessions: Vec<SessionInfo>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct SessionInfo {
    /// Its number, for `revoke`.
    pub id: SessionId,
    /// It is the session of this request.
    pub current: bool,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, to within a minute.
    pub last_seen_at: Timestamp,
    /// When it expires at the latest.
    pub expires_at: Timestamp,
}

/// The number of sessions that were ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Ended {
    /// The number of sessions.
    pub ended: usize,
}

impl Reply {
    /// Appends the reply in wire format.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        let encoded = match self {
            // By far the most frequent reply, so it is encoded in advance.
            Self::Sent => {
                out.reserve(SENT.len() + REPLY_END.len());
                out.extend_from_slice(SENT);
                true
            }
            Self::Authenticated(token) => Authenticated::encode(*token, None, out),
            Self::AuthenticatedAs(token, user) => Authenticated::encode(*token, Some(user), out),
            Self::Inbox(inbox) => json::encode(
                &Done::new(InboxFields { messages: Groups(&inbox.groups), more: inbox.more }),
                out,
            ),
            Self::Active(active) => {
                let names: Vec<&str> = active.users.iter().map(UserName::as_str).collect();
                let messages = format!("List user: {}", names.join(",")).into();
                json::encode(&Done::new(TextFields { messages, more: active.more }), out)
            }
            Self::LoggedOut => json::encode(
                &Done::new(TextFields { messages: "Logout berhasil".into(), more: false }),
                out,
            ),
            Self::Users(fields) => json::encode(&Done::new(fields), out),
            Self::Hello(fields) => json::encode(&Done::new(fields), out),
            Self::Help(fields) => json::encode(&Done::new(fields), out),
            Self::Posted(posted) => posted.encode(out),
            Self::Changed(fields) => json::encode(&Done::new(fields), out),
            Self::Page(fields) => json::encode(&Done::new(fields), out),
            Self::Found(fields) => json::encode(&Done::new(fields), out),
            Self::Conversations(fields) => json::encode(&Done::new(fields), out),
            Self::Acked(fields) => json::encode(&Done::new(fields), out),
            Self::Marked(fields) => json::encode(&Done::new(fields), out),
            Self::Unread(fields) => json::encode(&Done::new(fields), out),
            Self::Receipts(fields) => json::encode(&Done::new(fields), out),
            Self::Settings(fields) => json::encode(&Done::new(fields), out),
            Self::Connected(fields) => json::encode(&Done::new(fields), out),
            Self::Block(fields) => json::encode(&Done::new(fields), out),
            Self::Blocks(fields) => json::encode(&Done::new(fields), out),
            Self::Watching(fields) => json::encode(&Done::new(fields), out),
            Self::Identity(fields) => json::encode(&Done::new(fields), out),
            Self::Sessions(fields) => json::encode(&Done::new(fields), out),
            Self::Expected(fields) => json::encode(&Done::new(fields), out),
            Self::Expectations(fields) => json::encode(&Done::new(fields), out),
            Self::Later(fields, _) => json::encode(&Done::new(fields), out),
            Self::Scheduled(fields) => json::encode(&Done::new(fields), out),
            Self::Cancelled(fields) => json::encode(&Done::new(fields), out),
            Self::TokenCreated(fields) => json::encode(&Done::new(fields), out),
            Self::Tokens(fields) => json::encode(&Done::new(fields), out),
            Self::Invitation(fields) => json::encode(&Done::new(fields), out),
            Self::Accepted(fields) => json::encode(&Done::new(fields), out),
            Self::Ended(fields) => json::encode(&Done::new(fields), out),
            Self::Room(fields) => json::encode(&Done::new(fields), out),
            Self::Refused(refusal) => json::encode(&refusal.fields(), out),
        };
        if !encoded {
            out.truncate(begin);
            let code = Code::Internal;
            json::encode(&Refusal::from(code).fields(), out);
        }
        out.extend_from_slice(REPLY_END);
    }

    /// Whether the server closes the connection after this reply.
    pub fn closes(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code.closes())
    }

    /// Whether the server carried out the request.
    pub fn is_ok(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Code> for Reply {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

/// Puts `status` before the fields of a reply.
#[derive(Serialize)]
struct Done<T> {
    status: &'static str,
    #[serde(flatten)]
    fields: T,
}

impl<T> Done<T> {
    fn new(fields: T) -> Self {
        Self { status: "OK", fields }
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub(super) struct Authenticated<'a> {
    tokenid: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schemars(with = "Option<UserName>"))]
    user: Option<&'a UserName>,
}

impl Authenticated<'_> {
    fn encode(token: Token, user: Option<&UserName>, out: &mut Vec<u8>) -> bool {
        json::encode(&Done::new(Authenticated { tokenid: token.reveal().into(), user }), out)
    }
}

/// The replies to `list` and `logout` contain a text for people.
#[derive(Serialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub(super) struct TextFields {
    messages: Cow<'static, str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

#[derive(Serialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub(super) struct InboxFields<'a> {
    #[cfg_attr(
        feature = "http",
        schemars(with = "std::collections::BTreeMap<String, Vec<InboxEntry>>")
    )]
    messages: Groups<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

struct Groups<'a>(&'a [(MailboxName, Vec<InboxEntry>)]);

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, entries) in self.0 {
            map.serialize_entry(name.as_str(), entries)?;
        }
        map.end()
    }
}

/// A reply as the client decoded it.
#[derive(Debug, Clone, PartialEq)]
pub enum DecodedReply {
    /// `status` is `OK`; the value holds all fields.
    Done(Value),
    /// `status` is `ERROR`.
    Refused {
        /// The stable word. `None` if this client does not know it, or the server sent none.
        code: Option<Code>,
        /// The word of the code, if this client does not know it.
        unknown_code: Option<String>,
        /// The text for people.
        message: String,
        /// The names that the refusal is about.
        users: Vec<String>,
        /// After how many seconds the client may try again, where the server says so.
        retry_after: Option<u32>,
    },
}

/// The received bytes are not a reply.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// They are not JSON, or not the JSON of a reply.
    #[error("the reply is not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// `status` is neither `OK` nor `ERROR`.
    #[error("the reply has no status")]
    Status,
    /// A required field is missing or invalid.
    #[error("the reply lacks {0}")]
    Field(&'static str),
}

impl DecodedReply {
    /// Decodes one reply, with or without its `\r\n\r\n`.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let value: Value = serde_json::from_slice(bytes)?;
        match value.get("status").and_then(Value::as_str) {
            Some("OK") => Ok(Self::Done(value)),
            Some("ERROR") => {
                // The seed's own server sends no code; its refusals are understood too.
                let message = value.get("message").and_then(Value::as_str);
                let message = message.ok_or(DecodeError::Field("message"))?.to_owned();
                let word = value.get("code").and_then(Value::as_str);
                let code = word.and_then(Code::from_word);
                let unknown_code = word.filter(|_| code.is_none()).map(str::to_owned);
                let users = value.get("users").cloned().map(serde_json::from_value);
                let users = users.transpose()?.unwrap_or_default();
                // An invalid number of seconds is treated as absent.
                let retry_after = value.get("retry_after").and_then(Value::as_u64);
                let retry_after = retry_after.and_then(|seconds| seconds.try_into().ok());
                Ok(Self::Refused { code, unknown_code, message, users, retry_after })
            }
            _ => Err(DecodeError::Status),
        }
    }
}

/// Decodes the fields of a reply to one of the newer verbs.
pub fn decode_fields<T: DeserializeOwned>(fields: Value) -> Result<T, DecodeError> {
    Ok(serde_json::from_value(fields)?)
}

/// Extracts the token from the reply to `auth`.
pub fn decode_token(fields: &Value) -> Result<Token, DecodeError> {
    let token = fields.get("tokenid").and_then(Value::as_str).and_then(|text| text.parse().ok());
    token.ok_or(DecodeError::Field("tokenid"))
}

/// Extracts the token, and whose it is, from a reply to `auth` without a password.
pub fn decode_named_token(fields: &Value) -> Result<(Token, UserName), DecodeError> {
    let user = fields.get("user").and_then(Value::as_str).and_then(|text| text.parse().ok());
    Ok((decode_token(fields)?, user.ok_or(DecodeError::Field("user"))?))
}

/// Extracts `messages` from a reply to `inbox`, `list` or `logout`: a map of senders, or a text.
pub fn decode_messages(fields: &Value) -> Result<&Value, DecodeError> {
    fields.get("messages").ok_or(DecodeError::Field("messages"))
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use proptest::prelude::*;

    fn encode(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    fn body(text: &str) -> Body {
        text.parse().unwrap()
    }

    fn done(reply: &Reply) -> Value {
        match DecodedReply::decode(encode(reply).as_bytes()).unwrap() {
            DecodedReply::Done(fields) => fields,
            refused => panic!("{refused:?}"),
        }
    }

    #[test]
    fn replies_to_seed_verbs_equal_the_seeds_byte_for_byte() {
        let token: Token = "7a592c0e-2cb5-4de6-866b-4e216b0caf15".parse().unwrap();
        let entry = |text| InboxEntry { msg: body(text), from: None };
        let groups = vec![(name("paff").into(), vec![entry("hai neko"), entry("🐱")])];
        let users = vec![name("paff"), name("neko")];
        for (reply, expected) in [
            (
                Reply::Authenticated(token),
                r#"{"status": "OK", "tokenid": "7a592c0e-2cb5-4de6-866b-4e216b0caf15"}"#,
            ),
            (Reply::Sent, r#"{"status": "OK", "message": "Message Sent"}"#),
            (
                Reply::Inbox(Inbox { groups, more: false }),
                r#"{"status": "OK", "messages": {"paff": [{"msg": "hai neko"}, {"msg": "\ud83d\udc31"}]}}"#,
            ),
            (
                Reply::Active(Active { users, more: false }),
                r#"{"status": "OK", "messages": "List user: paff,neko"}"#,
            ),
            (Reply::LoggedOut, r#"{"status": "OK", "messages": "Logout berhasil"}"#),
            (
                Code::NoSession.into(),
                r#"{"status": "ERROR", "code": "no_session", "message": "Session Tidak Ditemukan"}"#,
            ),
        ] {
            assert_eq!(encode(&reply), format!("{expected}\r\n\r\n"));
        }
    }

    #[test]
    fn hand_written_posted_equals_serde_output() {
        let to = |name: &str, id| SentTo { to: name.parse().unwrap(), id: MessageId(id) };
        for sent in [smallvec![], smallvec![to("neko", 7)], smallvec![to("neko", 7), to("ivy", 8)]]
        {
            let posted =
                Posted { id: MessageId(7), at: Timestamp(1), duplicate: sent.len() > 1, sent };
            let expected = json::to_string(&Done::new(&posted));
            assert_eq!(encode(&Reply::Posted(posted)), format!("{expected}\r\n\r\n"));
        }
    }

    #[test]
    fn room_in_the_inbox_has_entries_with_senders() {
        let entry = InboxEntry { msg: body("done"), from: Some(name("paff")) };
        let groups = vec![("#build".parse().unwrap(), vec![entry])];
        assert_eq!(
            encode(&Reply::Inbox(Inbox { groups, more: false })),
            "{\"status\": \"OK\", \"messages\": {\"#build\": [{\"msg\": \"done\", \"from\": \"paff\"}]}}\r\n\r\n"
        );
    }

    #[test]
    fn truncated_inbox_reports_more() {
        let reply = Reply::Inbox(Inbox { groups: Vec::new(), more: true });
        assert_eq!(
            encode(&reply),
            "{\"status\": \"OK\", \"messages\": {}, \"more\": true}\r\n\r\n"
        );
    }

    #[test]
    fn refusal_decodes_to_its_code_text_and_names() {
        let refusal = Refusal::from(Code::UnknownRecipient).about(["conner".to_owned()]);
        let answer = DecodedReply::decode(encode(&refusal.into()).as_bytes()).unwrap();
        let code = Some(Code::UnknownRecipient);
        let message = "User Tidak Ditemukan".to_owned();
        assert_eq!(
            answer,
            DecodedReply::Refused {
                code,
                unknown_code: None,
                message,
                users: vec!["conner".to_owned()],
                retry_after: None
            }
        );
    }

    #[test]
    fn refusal_without_code_is_decoded() {
        let answer =
            DecodedReply::decode(br#"{"status": "ERROR", "message": "Password Salah"}"#).unwrap();
        let (message, users) = ("Password Salah".to_owned(), Vec::new());
        let (code, unknown_code, retry_after) = (None, None, None);
        assert_eq!(
            answer,
            DecodedReply::Refused { code, unknown_code, message, users, retry_after }
        );
        let newer = br#"{"status": "ERROR", "code": "of_a_later_version", "message": "no"}"#;
        let answer = DecodedReply::decode(newer).unwrap();
        let (message, users) = ("no".to_owned(), Vec::new());
        let unknown_code = Some("of_a_later_version".to_owned());
        assert_eq!(
            answer,
            DecodedReply::Refused { code, unknown_code, message, users, retry_after }
        );
    }

    #[test]
    fn invalid_reply_is_rejected() {
        for bytes in ["", "x", "[]", "{}", r#"{"status": "MAYBE"}"#, r#"{"status": "ERROR"}"#] {
            assert!(DecodedReply::decode(bytes.as_bytes()).is_err(), "{bytes:?} is a reply");
        }
    }

    proptest! {
        #[test]
        fn any_page_decodes_to_the_same_page(
            texts in prop::collection::vec(any::<String>(), 0..5),
            more: bool,
        ) {
            let bodies = texts.iter().filter_map(|text| text.parse::<Body>().ok());
            let messages = bodies.enumerate().map(|(index, body)| Message {
                id: MessageId(index as i64 + 1),
                at: Timestamp(1_000 * index as i64),
                from: name("paff"),
                to: name("neko").into(),
                body,
                details: None,
            });
            let page = Page {
                messages: messages.collect(),
                changes: Vec::new(),
                more,
                more_before: false,
                upto: None,
            };
            prop_assert_eq!(decode_fields::<Page>(done(&Reply::Page(page.clone()))).unwrap(), page);
        }

        #[test]
        fn any_body_stays_within_its_reply(text: String, end in "(\r\n\r\n\\{\"status\": \"OK\"\\})?") {
            let text = format!("x{text}{end}");
            let entry = InboxEntry { msg: body(&text), from: None };
            let groups = vec![(name("paff").into(), vec![entry])];
            let reply = Reply::Inbox(Inbox { groups, more: false });
            let encoded = encode(&reply);
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(encoded.find("\r\n"), Some(encoded.len() - REPLY_END.len()));
            let fields = done(&reply);
            prop_assert_eq!(&decode_messages(&fields).unwrap()["paff"][0]["msg"], &text);
        }

        #[test]
        fn decoding_any_bytes_never_panics(bytes: Vec<u8>) {
            let _ = DecodedReply::decode(&bytes);
        }
    }
}
