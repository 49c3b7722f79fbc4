//! The JSON arguments of the newer verbs. A value of one of these types is always valid. An error
//! names the JSON field that it is about.

use std::convert::Infallible;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use smallvec::SmallVec;

use super::framing::LINE_BYTES_MAX;
use super::refusal::{Code, Refusal};
use crate::model::{
    BODY_BYTES_MAX, Body, CLICK_BYTES_MAX, Click, CursorName, Details, Filter, Invalid,
    LIFETIME_SECONDS_MAX, MailboxName, MessageId, Password, Priority, ROOM_NAME_BYTES_MAX,
    SessionId, TAG_BYTES_MAX, TAGS_MAX, TITLE_BYTES_MAX, TOKEN_BYTES_MAX, Tags, Timestamp, Title,
    UserName, deserialize_text,
};
pub use crate::model::{KEY_BYTES_MAX, Key};

/// The most recipients of one `post`.
pub const RECIPIENTS_MAX: usize = 100;
/// The digits of the highest id.
const ID_DIGITS_MAX: usize = 19;
/// How many bytes of JSON one byte of a text can take: `\u0041` is an A.
const ESCAPED_BYTES_MAX: usize = 6;
/// The longest time: nanoseconds and an offset.
const TIME_BYTES_MAX: usize = "2026-11-23T10:54:00.123456789+00:00".len();
/// The longest `post`, where all that can be escaped is: a text, as many recipients and tags, names,
/// a key and details as long as they may be. No other verb needs as much.
pub const POST_LINE_BYTES_MAX: usize = {
    let verb_and_token = "post ".len() + TOKEN_BYTES_MAX + " ".len();
    let recipient = ESCAPED_BYTES_MAX * ROOM_NAME_BYTES_MAX + r#""", "#.len();
    let fields = r#"{"to": [], "body": "", "key": ""}"#.len()
        + ESCAPED_BYTES_MAX * ("to".len() + "body".len() + "key".len());
    let tag = ESCAPED_BYTES_MAX * TAG_BYTES_MAX + r#""", "#.len();
    let detail_fields =
        r#", "title": "", "priority": 5, "tags": [], "click": "", "reply_to": , "expires": "", "at": """#
            .len()
            + ESCAPED_BYTES_MAX
                * ("titleprioritytagsclickreply_toexpiresat".len() + 2 * TIME_BYTES_MAX);
    let details = detail_fields
        + ID_DIGITS_MAX
        + TAGS_MAX * tag
        + ESCAPED_BYTES_MAX * (TITLE_BYTES_MAX + CLICK_BYTES_MAX);
    verb_and_token
        + fields
        + RECIPIENTS_MAX * recipient
        + ESCAPED_BYTES_MAX * (BODY_BYTES_MAX + KEY_BYTES_MAX)
        + details
};

const _: () = assert!(POST_LINE_BYTES_MAX <= LINE_BYTES_MAX);
/// The most messages of one `fetch`.
pub const FETCH_MESSAGES_MAX: usize = 1000;
/// How many messages a `fetch` without `limit` returns.
pub const FETCH_MESSAGES_DEFAULT: usize = 100;
/// The most messages of one `search`.
pub const SEARCH_MESSAGES_MAX: usize = 1000;
/// The most conversations of one page.
pub const CONVERSATIONS_MAX: usize = 100;
/// How many conversations a page has, unless the request says so.
pub const CONVERSATIONS_DEFAULT: usize = 50;
/// How many messages a `search` without `limit` returns.
pub const SEARCH_MESSAGES_DEFAULT: usize = 100;
/// How far ahead a message can be scheduled, in seconds.
pub const SCHEDULE_SECONDS_MAX: u64 = LIFETIME_SECONDS_MAX;
/// The most users of one `users`, and how many there are without `limit`.
pub const USERS_MAX: usize = 1000;

/// One message to one or more recipients. Its text is stored exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Post {
    /// The recipients: 1 to [`RECIPIENTS_MAX`], without duplicates. None in the message of an
    /// incoming hook, which goes to the target of its token; no line can have that.
    pub to: SmallVec<[MailboxName; 1]>,
    /// The name of the one recipient, a user, may also mean the room of that name with a `#`, as
    /// over HTTP; no line can have that. The reply has the one that was meant.
    #[serde(skip)]
    pub or_room: bool,
    /// The text.
    pub body: Body,
    /// Makes the request idempotent: see [`Key`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// What it carries beside the text.
    #[serde(flatten)]
    pub details: Option<Box<Details>>,
    /// When it is sent, if not now.
    #[serde(flatten)]
    pub when: Option<When>,
}

impl Post {
    /// Whether it answers a message.
    pub fn answers(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.reply_to.is_some())
    }
}

/// When a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Then. A time that has passed is now.
    At(Timestamp),
    /// So many seconds from now.
    In(u64),
}

impl When {
    /// Details that say that a message expires then, or so many seconds after it is sent.
    pub fn as_expiry(self) -> Details {
        let (expires, expires_in) = match self {
            Self::At(at) => (Some(at), None),
            Self::In(seconds) => (None, Some(seconds)),
        };
        Details { expires, expires_in, ..Details::default() }
    }

    /// From the fields of `post`.
    pub(super) fn of(at: Option<Timestamp>, within: Option<u64>) -> Result<Option<Self>, Refusal> {
        match (at, within) {
            (None, None) => Ok(None),
            (Some(at), None) => Ok(Some(Self::At(at))),
            (None, Some(seconds)) if (1..=SCHEDULE_SECONDS_MAX).contains(&seconds) => {
                Ok(Some(Self::In(seconds)))
            }
            (None, Some(_)) => {
                Err(bad_argument(format!("in: give 1 to {SCHEDULE_SECONDS_MAX} seconds")))
            }
            (Some(_), Some(_)) => Err(bad_argument("give one of at and in")),
        }
    }
}

/// Selects the messages to read. Reading changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Where to begin.
    pub from: FetchFrom,
    /// Only the conversation with this user, in both directions. Without it, all incoming messages.
    pub with: Option<MailboxName>,
    /// Only the thread of this message, between any users, as far as the reader can read it.
    pub thread: Option<MessageId>,
    /// Only messages that the server accepted at or after this time.
    pub since: Option<Timestamp>,
    /// Only messages that pass it. In a box, so that no other request is larger for it.
    pub filter: Box<Filter>,
    /// The most messages to return: 1 to [`FETCH_MESSAGES_MAX`].
    pub limit: usize,
}

/// Gives a message of the user another text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// The message.
    pub id: MessageId,
    /// The new text.
    pub body: Body,
    /// Makes the request idempotent: see [`Key`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
}

/// The JSON fields of [`Edit`], not yet validated.
#[derive(Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct EditFields {
    id: MessageId,
    body: Parsed<Body>,
    #[serde(default)]
    key: Option<Parsed<Key>>,
}

impl EditFields {
    pub(super) fn check(self) -> Result<Edit, Refusal> {
        let body = self.body.0.map_err(bad_body)?;
        let key = self.key.map(|key| key.named("key")).transpose()?;
        Ok(Edit { id: self.id, body, key })
    }
}

/// Deletes a message. To delete it again changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The message.
    pub id: MessageId,
}

/// Where a `fetch` begins, and in which direction it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchFrom {
    /// The oldest messages after this id.
    After(MessageId),
    /// The oldest incoming messages after this id: as after a cursor, without one.
    Incoming(MessageId),
    /// The newest messages before this id.
    Before(MessageId),
    /// The oldest messages after this cursor of the reader.
    Cursor(CursorName),
    /// The oldest unread messages, after this id.
    Unread(MessageId),
    /// The oldest dead letters of this cursor, after this id.
    Dead(CursorName, MessageId),
    /// The messages before and after this id, and the one that has it.
    Around(MessageId),
    /// As [`Self::After`], but messages as they were sent, and all edits and deletions beside them.
    RawAfter(MessageId),
    /// As [`Self::Before`], in the same way.
    RawBefore(MessageId),
}

/// Finds messages, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// What to find. The server parses it.
    pub query: String,
    /// Only messages before this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<MessageId>,
    /// The most messages to return: 1 to [`SEARCH_MESSAGES_MAX`].
    #[serde(default = "search_messages_default")]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = SEARCH_MESSAGES_MAX)))]
    pub limit: usize,
}

impl Search {
    /// Refuses values that are out of bounds.
    pub(super) fn check(self) -> Result<Self, Refusal> {
        if !(1..=SEARCH_MESSAGES_MAX).contains(&self.limit) {
            return Err(bad_argument(format!("limit: give 1 to {SEARCH_MESSAGES_MAX}")));
        }
        Ok(self)
    }
}

fn search_messages_default() -> usize {
    SEARCH_MESSAGES_DEFAULT
}

/// Selects the conversations to list, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListConversations {
    /// Only conversations by messages before this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<MessageId>,
    /// The most conversations to return: 1 to [`CONVERSATIONS_MAX`].
    #[serde(default = "conversations_default")]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = CONVERSATIONS_MAX)))]
    pub limit: usize,
}

impl ListConversations {
    /// Refuses values that are out of bounds.
    pub(super) fn check(self) -> Result<Self, Refusal> {
        if !(1..=CONVERSATIONS_MAX).contains(&self.limit) {
            return Err(bad_argument(format!("limit: give 1 to {CONVERSATIONS_MAX}")));
        }
        Ok(self)
    }
}

fn conversations_default() -> usize {
    CONVERSATIONS_DEFAULT
}

/// Selects the users to list, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// Only names after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<UserName>,
    /// The most users to return: 1 to [`USERS_MAX`].
    #[serde(default = "users_max")]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = USERS_MAX)))]
    pub limit: usize,
}

impl Users {
    /// Refuses values that are out of bounds.
    pub(super) fn check(self) -> Result<Self, Refusal> {
        if !(1..=USERS_MAX).contains(&self.limit) {
            return Err(bad_argument(format!("limit: give 1 to {USERS_MAX}")));
        }
        Ok(self)
    }
}

fn users_max() -> usize {
    USERS_MAX
}

/// Moves a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// Which of the reader's cursors to move.
    #[serde(default = "CursorName::inbox")]
    pub cursor: CursorName,
    /// Every message up to and including this id counts as read.
    pub upto: MessageId,
    /// Move the cursor even if that is backwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rewind: bool,
    /// Whether to change the cursor's dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<DeadLetter>,
}

/// Moves the mark of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The other user, or the room.
    pub with: MailboxName,
    /// Every message of the conversation up to and including this id counts as read.
    pub upto: MessageId,
}

/// A change to a cursor's dead letters: the messages that its reader could not process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DeadLetter {
    /// Make the message with this id a dead letter. The cursor moves on all the same.
    Add,
    /// Remove the dead letters up to and including this id. The cursor stays.
    Clear,
}

/// Turns the connection into a stream of the reader's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Begin after this cursor of the reader, if it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<CursorName>,
    /// Begin here if no cursor was named or the named one does not exist.
    #[serde(default)]
    pub from: WatchFrom,
    /// Tell of the messages that the reader sends, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sent: bool,
    /// Tell of what the reader has read, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read: bool,
    /// Tell of the first time that each of these messages is read by somebody: at most
    /// [`RECIPIENTS_MAX`], all sent by the reader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "http", schemars(length(max = RECIPIENTS_MAX)))]
    pub receipts: Vec<MessageId>,
    /// Send the messages of muted rooms, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// Tell of edits and deletions of messages, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changes: bool,
    /// Only messages that pass it.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Box<Filter>,
}

impl Watch {
    /// Refuses values that are out of bounds.
    pub(super) fn check(self) -> Result<Self, Refusal> {
        if self.receipts.len() > RECIPIENTS_MAX {
            return Err(bad_argument(format!("receipts: give at most {RECIPIENTS_MAX}")));
        }
        Ok(self)
    }
}

/// Where a stream begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WatchFrom {
    /// At the first unread message: after the cursor `inbox`.
    #[default]
    Unread,
    /// At the next new message.
    New,
    /// At the oldest message.
    All,
    /// After this id.
    #[serde(untagged)]
    After(MessageId),
}

/// Ends some of the user's sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoke {
    /// The session with this number: `{"session": 7}`.
    Session(SessionId),
    /// All sessions except the caller's: `{"others": true}`.
    Others(True),
}

/// The JSON value `true`; no other value is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "bool", into = "bool")]
pub struct True;

impl TryFrom<bool> for True {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        value.then_some(Self).ok_or("give true, or leave it out")
    }
}

impl From<True> for bool {
    fn from(_: True) -> Self {
        true
    }
}

/// Changes the user's password, and ends the user's other sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passwd {
    /// The current password.
    pub old: Password,
    /// The new password.
    pub new: Password,
}

/// The JSON fields of [`Post`], not yet validated.
#[derive(Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct PostFields {
    #[cfg_attr(feature = "http", schemars(length(min = 1, max = RECIPIENTS_MAX)))]
    to: SmallVec<[Recipient; 1]>,
    body: Parsed<Body>,
    #[serde(default)]
    key: Option<Parsed<Key>>,
    #[serde(default)]
    title: Option<Parsed<Title>>,
    #[serde(default)]
    priority: Priority,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    click: Option<Parsed<Click>>,
    #[serde(default)]
    reply_to: Option<MessageId>,
    #[serde(default)]
    expires: Option<Parsed<Timestamp>>,
    #[serde(default)]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = LIFETIME_SECONDS_MAX)))]
    expires_in: Option<u64>,
    #[serde(default)]
    at: Option<Parsed<Timestamp>>,
    #[serde(default, rename = "in")]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = SCHEDULE_SECONDS_MAX)))]
    within: Option<u64>,
}

/// A recipient as the client wrote it.
pub(super) enum Recipient {
    Named(MailboxName),
    /// The text is not a valid user name.
    Nobody(String),
}

impl FromStr for Recipient {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::Nobody(text.to_owned()), Self::Named))
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer)
    }
}

/// A field that was parsed but whose error is reported later, so that all fields are read first.
pub(super) struct Parsed<T: FromStr>(Result<T, T::Err>);

impl<T: FromStr> Parsed<T> {
    /// The value, or the refusal, which names the field.
    fn named(self, field: &str) -> Result<T, Refusal>
    where
        T::Err: std::fmt::Display,
    {
        self.0.map_err(|invalid| bad_argument(format!("{field}: {invalid}")))
    }
}

impl<T: FromStr> FromStr for Parsed<T> {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.parse()))
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer)
    }
}

impl PostFields {
    pub(super) fn check(self) -> Result<Post, Refusal> {
        let body = self.body.0.map_err(bad_body)?;
        let key = self.key.map(|key| key.named("key")).transpose()?;
        let title = self.title.map(|title| title.named("title")).transpose()?;
        let click = self.click.map(|click| click.named("click")).transpose()?;
        let (priority, tags, reply_to) = (self.priority, self.tags, self.reply_to);
        let expires = self.expires.map(|expires| expires.named("expires")).transpose()?;
        let details = Details {
            title,
            priority,
            tags,
            click,
            reply_to,
            expires,
            expires_in: self.expires_in,
            ..Details::default()
        };
        details.check_expiry().map_err(bad_argument)?;
        let details = details.if_any();
        let at = self.at.map(|at| at.named("at")).transpose()?;
        let when = When::of(at, self.within)?;
        if at.zip(expires).is_some_and(|(at, expires)| expires <= at) {
            return Err(bad_argument("expires: the message is sent after that"));
        }
        if self.to.is_empty() || self.to.len() > RECIPIENTS_MAX {
            return Err(bad_argument(format!("to: give 1 to {RECIPIENTS_MAX} user names")));
        }
        let mut to = SmallVec::with_capacity(self.to.len());
        let mut unknown = Vec::new();
        for recipient in self.to {
            match recipient {
                Recipient::Named(name) if to.contains(&name) => {}
                Recipient::Named(name) => to.push(name),
                Recipient::Nobody(text) => unknown.push(text),
            }
        }
        if !unknown.is_empty() {
            return Err(unknown_recipients(unknown));
        }
        Ok(Post { to, or_room: false, body, key, details, when })
    }
}

#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct FetchFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<MessageId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    incoming: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    around: Option<MessageId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unread: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<CursorName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead: Option<CursorName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    with: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thread: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    filter: Box<Filter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = FETCH_MESSAGES_MAX)))]
    limit: Option<usize>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    raw: bool,
}

impl FetchFields {
    pub(super) fn check(self) -> Result<Fetch, Refusal> {
        let is_alone = self.around.is_none()
            || (self.since.is_none() && self.filter.is_empty() && self.limit != Some(1));
        if !is_alone {
            return Err(bad_argument("around: give it with `with` and a limit of 2 or more only"));
        }
        let from = match (self.after, self.before, self.unread, self.cursor, self.dead) {
            (None, None, false, None, None) if self.around.is_some() => {
                FetchFrom::Around(self.around.unwrap_or(MessageId::ZERO))
            }
            _ if self.around.is_some() => {
                return Err(bad_argument(
                    "give one of after, before, around, unread, cursor and dead",
                ));
            }
            (None, None, false, None, None) => FetchFrom::Before(MessageId(i64::MAX)),
            (Some(id), None, false, None, None) => FetchFrom::After(id),
            (None, Some(id), false, None, None) => FetchFrom::Before(id),
            (None, None, true, None, None) => FetchFrom::Cursor(CursorName::inbox()),
            (Some(id), None, true, None, None) => FetchFrom::Unread(id),
            (None, None, false, Some(cursor), None) => FetchFrom::Cursor(cursor),
            (after, None, false, None, Some(cursor)) if self.with.is_none() => {
                FetchFrom::Dead(cursor, after.unwrap_or(MessageId::ZERO))
            }
            _ => return Err(bad_argument("give one of after, before, unread, cursor and dead")),
        };
        let from = match from {
            FetchFrom::After(id) if self.incoming => FetchFrom::Incoming(id),
            _ if self.incoming => return Err(bad_argument("incoming: give it with after")),
            from => from,
        };
        let limit = self.limit.unwrap_or(FETCH_MESSAGES_DEFAULT);
        if !(1..=FETCH_MESSAGES_MAX).contains(&limit) {
            return Err(bad_argument(format!("limit: give 1 to {FETCH_MESSAGES_MAX}")));
        }
        let is_by_id = matches!(from, FetchFrom::After(_) | FetchFrom::Before(_));
        if self.thread.is_some() && (self.with.is_some() || !is_by_id) {
            return Err(bad_argument("thread: give it alone, or with after or before"));
        }
        if self.thread.is_some() && !self.filter.is_empty() {
            return Err(bad_argument("filter: a thread is read as a whole"));
        }
        if self.raw && (self.thread.is_some() || self.since.is_some() || !is_by_id) {
            return Err(bad_argument(
                "raw: give it with after or before, without thread and since",
            ));
        }
        let with = self.with.map(|name| name.parse().map_err(|_| unknown_mailbox(name)));
        let (thread, since, filter) = (self.thread, self.since, self.filter);
        let from = match from {
            FetchFrom::After(id) if self.raw => FetchFrom::RawAfter(id),
            FetchFrom::Before(id) if self.raw => FetchFrom::RawBefore(id),
            from => from,
        };
        Ok(Fetch { from, with: with.transpose()?, thread, since, filter, limit })
    }

    pub(super) fn of(fetch: &Fetch) -> Self {
        let mut fields = Self {
            with: fetch.with.as_ref().map(MailboxName::to_string),
            thread: fetch.thread,
            since: fetch.since,
            filter: fetch.filter.clone(),
            limit: Some(fetch.limit),
            ..Self::default()
        };
        match &fetch.from {
            FetchFrom::After(id) => fields.after = Some(*id),
            FetchFrom::Incoming(id) => (fields.after, fields.incoming) = (Some(*id), true),
            FetchFrom::Before(id) => fields.before = Some(*id),
            FetchFrom::Around(id) => fields.around = Some(*id),
            FetchFrom::RawAfter(id) => (fields.after, fields.raw) = (Some(*id), true),
            FetchFrom::RawBefore(id) => (fields.before, fields.raw) = (Some(*id), true),
            FetchFrom::Cursor(name) => fields.cursor = Some(name.clone()),
            FetchFrom::Unread(id) => (fields.unread, fields.after) = (true, Some(*id)),
            FetchFrom::Dead(name, after) => {
                (fields.dead, fields.after) = (Some(name.clone()), Some(*after));
            }
        }
        fields
    }
}

/// The JSON fields of `ack`, for a cursor or for a conversation.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AckFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<CursorName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    with: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    room: Option<String>,
    upto: MessageId,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    rewind: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead: Option<DeadLetter>,
}

impl AckFields {
    /// What is to be moved: a cursor, or the mark of a conversation.
    pub(super) fn check(self) -> Result<Result<Ack, Mark>, Refusal> {
        let Self { cursor, with, room, upto, rewind, dead } = self;
        let name = match (with, room) {
            (None, None) => {
                let cursor = cursor.unwrap_or_else(CursorName::inbox);
                return Ok(Ok(Ack { cursor, upto, rewind, dead }));
            }
            (Some(name), None) | (None, Some(name)) => name,
            (Some(_), Some(_)) => return Err(bad_argument("give one of with and room")),
        };
        if cursor.is_some() || dead.is_some() {
            return Err(bad_argument("cursor, dead: a conversation has neither"));
        }
        if rewind {
            return Err(bad_argument("rewind: the mark of a conversation never moves backwards"));
        }
        let with = name.parse().map_err(|_| unknown_mailbox(name))?;
        Ok(Err(Mark { with, upto }))
    }

    pub(super) fn of(mark: &Mark) -> Self {
        let (with, room) = match &mark.with {
            MailboxName::User(name) => (Some(name.to_string()), None),
            MailboxName::Room(name) => (None, Some(name.to_string())),
        };
        Self { cursor: None, with, room, upto: mark.upto, rewind: false, dead: None }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schemars(with = "Option<SessionId>"))]
    session: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    others: Option<True>,
}

impl RevokeFields {
    pub(super) fn check(self) -> Result<Revoke, Refusal> {
        match (self.session, self.others) {
            (Some(session), None) => match session.as_i64() {
                Some(number) => Ok(Revoke::Session(SessionId(number))),
                None => Err(bad_argument("session: give a whole number, as sessions shows it")),
            },
            (None, Some(others)) => Ok(Revoke::Others(others)),
            _ => Err(bad_argument("give one of session and others")),
        }
    }

    pub(super) fn of(revoke: Revoke) -> Self {
        match revoke {
            Revoke::Session(SessionId(number)) => {
                Self { session: Some(number.into()), others: None }
            }
            Revoke::Others(others) => Self { session: None, others: Some(others) },
        }
    }
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct PasswdFields {
    #[cfg_attr(feature = "http", schemars(with = "Password"))]
    old: String,
    #[cfg_attr(feature = "http", schemars(with = "Password"))]
    new: String,
}

impl PasswdFields {
    pub(super) fn check(self) -> Result<Passwd, Refusal> {
        let refused = |name| move |invalid: Invalid| bad_argument(format!("{name}: {invalid}"));
        Ok(Passwd {
            old: Password::shown(&self.old).map_err(refused("old"))?,
            new: self.new.parse().map_err(refused("new"))?,
        })
    }

    pub(super) fn of(passwd: &Passwd) -> Self {
        Self { old: passwd.old.reveal().to_owned(), new: passwd.new.reveal().to_owned() }
    }
}

pub(super) fn bad_body(invalid: Invalid) -> Refusal {
    match invalid {
        Invalid::Empty => Code::EmptyMessage.into(),
        _ => Refusal::new(
            Code::TooLong,
            format!("the message is longer than {BODY_BYTES_MAX} bytes"),
        ),
    }
}

pub(super) fn unknown_recipients(names: impl IntoIterator<Item = String>) -> Refusal {
    Refusal::from(Code::UnknownRecipient).about(names)
}

/// The refusal of a conversation's name that is none.
fn unknown_mailbox(name: String) -> Refusal {
    let is_room = name.starts_with('#');
    let code = if is_room { Code::UnknownRoom } else { Code::UnknownRecipient };
    Refusal::from(code).about([name])
}

pub(super) fn bad_argument(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::BadArgument, error.to_string())
}
