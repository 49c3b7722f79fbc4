//! The basic types of the whole crate. A value of such a type is always valid: code that has a
//! [`UserName`] need not check it again.
//!
//! This module does not depend on the protocol, on sockets or on storage.

mod access;
mod change;
mod details;
mod filter;
mod invitation;
mod mailbox;
mod room;
#[cfg(feature = "http")]
mod schema;
mod secrets;
mod status;
mod time;

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use arrayvec::ArrayString;
use serde::de::Visitor;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

pub use access::{
    ACCESS_TOKEN_NAME_BYTES_MAX, AccessTokenId, AccessTokenName, Right, Rights, TOKEN_SECONDS_MAX,
};
pub use change::Change;
pub use details::{
    CLICK_BYTES_MAX, Click, Details, InvalidClick, LIFETIME_SECONDS_MAX, NoPriority, Priority,
    TAG_BYTES_MAX, TAGS_MAX, TITLE_BYTES_MAX, Tag, Tags, Title, TooManyTags,
};
pub use filter::Filter;
pub use invitation::{INVITATION_SECONDS_MAX, InvitationId, InvitationSecret};
pub use mailbox::{AT_ALL, MailboxId, MailboxName, ROOM_NAME_BYTES_MAX, RoomId, RoomName};
pub use room::{History, NoSuchWord, Notify, Posting, Role, TOPIC_BYTES_MAX, Topic, mentions};
pub use secrets::{Password, TOKEN_BYTES_MAX, Token, TokenHash};
pub use status::{STATUS_BYTES_MAX, StatusText};
pub use time::{NoTime, Timestamp, parse_duration};

/// The longest user name, in bytes. A name is ASCII, so bytes are characters.
pub const USER_NAME_BYTES_MAX: usize = 32;
/// See [`UserName::reserved`].
const RESERVED: &str = "all";
/// The longest display name, in bytes of UTF-8.
pub const DISPLAY_NAME_BYTES_MAX: usize = 128;
/// The longest password, in bytes of UTF-8.
pub const PASSWORD_BYTES_MAX: usize = 128;
/// The longest message body, in bytes of UTF-8.
pub const BODY_BYTES_MAX: usize = 32 * 1024;
/// The longest name of an expectation, in bytes.
pub const EXPECTATION_NAME_BYTES_MAX: usize = 32;
/// The longest cursor name, in bytes.
pub const CURSOR_NAME_BYTES_MAX: usize = 64;

/// The longest idempotency key, in bytes of printable ASCII.
pub const KEY_BYTES_MAX: usize = 64;

/// Why a text is not a valid value of a type in this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The text is empty.
    #[error("it is empty")]
    Empty,
    /// The text has more bytes than its type allows.
    #[error("it is longer than {max} bytes")]
    TooLong {
        /// The limit, in bytes.
        max: usize,
    },
    /// The text contains a character that its type does not allow.
    #[error("it has a character that is not allowed")]
    Character,
    /// The text begins or ends with white space, or has nothing else.
    #[error("it begins or ends with white space")]
    WhiteSpace,
}

/// The name that a user logs in with and receives messages under: 1 to 32 of `a-z`, `0-9`, `_` and
/// `-`. It is stored inline, so a copy needs no allocation; every message carries two names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(ArrayString<USER_NAME_BYTES_MAX>);

impl UserName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that no new user gets: `@all` is everybody. A user of an older database may have it.
    pub fn reserved() -> Self {
        let mut name = ArrayString::new();
        name.push_str(RESERVED);
        Self(name)
    }

    /// Whether it is [`Self::reserved`].
    pub fn is_reserved(&self) -> bool {
        self.as_str() == RESERVED
    }

    /// The SHA-256 of the name, where it must not be readable.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl FromStr for UserName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_length(text, USER_NAME_BYTES_MAX)?;
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if !text.bytes().all(allowed) {
            return Err(Invalid::Character);
        }
        ArrayString::from(text).map(Self).map_err(|_| Invalid::TooLong { max: USER_NAME_BYTES_MAX })
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name that people use for a user: 1 to 128 bytes of UTF-8 without control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct DisplayName(Box<str>);

impl DisplayName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DisplayName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_length(text, DISPLAY_NAME_BYTES_MAX)?;
        if text.chars().any(char::is_control) {
            return Err(Invalid::Character);
        }
        Ok(Self(text.into()))
    }
}

impl From<&UserName> for DisplayName {
    fn from(name: &UserName) -> Self {
        Self(name.as_str().into())
    }
}

impl fmt::Debug for DisplayName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", &*self.0)
    }
}

/// The text of a message: 1 byte to 32 KiB of any UTF-8, kept exactly.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Body(Box<str>);

impl Body {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Body {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::try_from(Box::<str>::from(text))
    }
}

impl TryFrom<Box<str>> for Body {
    type Error = Invalid;

    fn try_from(text: Box<str>) -> Result<Self, Invalid> {
        check_length(&text, BODY_BYTES_MAX)?;
        Ok(Self(text))
    }
}

/// Message texts must not appear in the server log, so `Debug` shows only the length.
impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Body({} bytes)", self.0.len())
    }
}

/// The name of a cursor: a position in the message log up to which its owner has read. The `inbox`
/// command moves the cursor `inbox`; any other is the owner's own. A name is 1 to 64 of `a-z`,
/// `0-9`, `_`, `-` and `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CursorName(Box<str>);

impl CursorName {
    /// The cursor of the `inbox` command.
    pub fn inbox() -> Self {
        Self("inbox".into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CursorName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_length(text, CURSOR_NAME_BYTES_MAX)?;
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
        if !text.bytes().all(allowed) {
            return Err(Invalid::Character);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for CursorName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name of an expectation: 1 to 32 of `a-z`, `0-9`, `_`, `-` and `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExpectationName(ArrayString<EXPECTATION_NAME_BYTES_MAX>);

impl ExpectationName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ExpectationName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let max = EXPECTATION_NAME_BYTES_MAX;
        check_length(text, max)?;
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
        if !text.bytes().all(allowed) {
            return Err(Invalid::Character);
        }
        ArrayString::from(text).map(Self).map_err(|_| Invalid::TooLong { max })
    }
}

impl fmt::Debug for ExpectationName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An idempotency key: 1 to 64 bytes of printable ASCII without spaces. Two requests of one sender
/// with the same key are the same message. It is stored inline, so a copy needs no allocation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(ArrayString<KEY_BYTES_MAX>);

impl Key {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of a content: `kind`, of at most 31 bytes, and a hash. The same content always has
    /// the same key, in later versions too.
    pub fn of_content(kind: &'static str, content: &[u8]) -> Self {
        let mut key = ArrayString::new();
        key.push_str(kind);
        key.push('-');
        for byte in Sha256::digest(content).iter().take(16) {
            key.push_str(&format!("{byte:02x}"));
        }
        Self(key)
    }
}

impl FromStr for Key {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_length(text, KEY_BYTES_MAX)?;
        // Checks every byte without an early exit, which the compiler vectorizes; most keys are
        // valid.
        if !text.bytes().fold(true, |allowed, byte| allowed & byte.is_ascii_graphic()) {
            return Err(Invalid::Character);
        }
        ArrayString::from(text).map(Self).map_err(|_| Invalid::TooLong { max: KEY_BYTES_MAX })
    }
}

/// Serializes a type as its text, and deserializes it with its `FromStr`.
macro_rules! serde_as_text {
    ($($type:ty => |$value:ident| $text:expr;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $value = self;
                serializer.serialize_str($text)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_text(deserializer)
            }
        }
    )*};
}

serde_as_text! {
    UserName => |name| &name.0;
    RoomName => |name| name.as_str();
    MailboxName => |name| name.as_str();
    DisplayName => |name| &name.0;
    CursorName => |name| &name.0;
    ExpectationName => |name| &name.0;
    AccessTokenName => |name| name.as_str();
    Body => |body| &body.0;
    Key => |key| &key.0;
    Timestamp => |moment| &moment.text();
    Topic => |topic| topic.as_str();
    StatusText => |status| status.as_str();
}

/// Deserializes a value from its text with `FromStr`, without copying the text first.
pub(crate) fn deserialize_text<'de, T: FromStr<Err: fmt::Display>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(AsText(PhantomData))
}

/// The visitor of [`deserialize_text`].
struct AsText<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for AsText<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

fn check_length(text: &str, max: usize) -> Result<(), Invalid> {
    match text.len() {
        0 => Err(Invalid::Empty),
        length if length > max => Err(Invalid::TooLong { max }),
        _ => Ok(()),
    }
}

/// The number of a scheduled message. It is no message yet: that gets its own id when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct ScheduledId(pub i64);

/// The id of a message, which is its position in the message log. Ids rise in commit order and are
/// never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct MessageId(pub i64);

impl TryFrom<i64> for MessageId {
    type Error = &'static str;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        if number < 0 { Err("an id is 0 or more") } else { Ok(Self(number)) }
    }
}

impl From<MessageId> for i64 {
    fn from(id: MessageId) -> Self {
        id.0
    }
}

impl MessageId {
    /// Before every message: the reader of a cursor at this id has read nothing.
    pub const ZERO: Self = Self(0);
}

/// A user's number in the store. A rename does not change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

/// A session's number in the store. An older session has a lower number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub i64);

/// One message in the message log. In JSON, its details are fields beside the others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "MessageFields")]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// When the server accepted it.
    pub at: Timestamp,
    /// The sender.
    pub from: UserName,
    /// The mailbox that it was sent to. In JSON a user is in the field `to`, a room in `room`.
    pub to: MailboxName,
    /// Its text.
    pub body: Body,
    /// What it carries beside its text; `None` for most messages.
    pub details: Option<Box<Details>>,
}

impl Message {
    /// The bytes of its text, and of the texts of its details.
    pub fn text_bytes(&self) -> usize {
        self.body.as_str().len() + self.details.as_ref().map_or(0, |details| details.text_bytes())
    }

    /// The conversation to which it belongs for its recipient: that with its sender, or the room.
    pub fn conversation(&self) -> MailboxName {
        match &self.to {
            MailboxName::User(_) => self.from.clone().into(),
            room @ MailboxName::Room(_) => room.clone(),
        }
    }
}

/// Written by hand, because `flatten` would serialize every message as a map.
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { id, at, from, to, body, details } = self;
        let mut fields = serializer.serialize_struct("Message", 5)?;
        fields.serialize_field("id", id)?;
        fields.serialize_field("at", at)?;
        fields.serialize_field("from", from)?;
        match to {
            MailboxName::User(name) => fields.serialize_field("to", name)?,
            MailboxName::Room(name) => fields.serialize_field("room", name)?,
        }
        fields.serialize_field("body", body)?;
        if let Some(details) = details {
            let Details { title, priority, tags, click, reply_to, .. } = &**details;
            let Details { expires, expires_in, due_at, edited, .. } = &**details;
            if let Some(title) = title {
                fields.serialize_field("title", title)?;
            }
            if *priority != Priority::Default {
                fields.serialize_field("priority", priority)?;
            }
            if !tags.is_empty() {
                fields.serialize_field("tags", tags)?;
            }
            if let Some(click) = click {
                fields.serialize_field("click", click)?;
            }
            if let Some(reply_to) = reply_to {
                fields.serialize_field("reply_to", reply_to)?;
            }
            if let Some(expires) = expires {
                fields.serialize_field("expires", expires)?;
            }
            if let Some(expires_in) = expires_in {
                fields.serialize_field("expires_in", expires_in)?;
            }
            if let Some(due_at) = due_at {
                fields.serialize_field("due_at", due_at)?;
            }
            if let Some(edited) = edited {
                fields.serialize_field("edited", edited)?;
            }
        }
        fields.end()
    }
}

/// The fields of a message in JSON. Unknown ones are ignored: a newer server may send more.
#[derive(Deserialize)]
struct MessageFields {
    id: MessageId,
    at: Timestamp,
    from: UserName,
    #[serde(default)]
    to: Option<UserName>,
    #[serde(default)]
    room: Option<RoomName>,
    body: Body,
    #[serde(default)]
    title: Option<Title>,
    #[serde(default)]
    priority: Priority,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    click: Option<Click>,
    #[serde(default)]
    reply_to: Option<MessageId>,
    #[serde(default)]
    expires: Option<Timestamp>,
    #[serde(default)]
    expires_in: Option<u64>,
    #[serde(default)]
    due_at: Option<Timestamp>,
    edited: Option<Timestamp>,
}

impl TryFrom<MessageFields> for Message {
    type Error = String;

    fn try_from(fields: MessageFields) -> Result<Self, Self::Error> {
        let MessageFields { id, at, from, to, room, body, .. } = fields;
        let to = to.map(MailboxName::User).or(room.map(MailboxName::Room));
        let to = to.ok_or_else(|| "a message has a field to or room".to_owned())?;
        let MessageFields { title, priority, tags, click, reply_to, .. } = fields;
        let MessageFields { expires, expires_in, due_at, edited, .. } = fields;
        let details =
            Details { title, priority, tags, click, reply_to, expires, expires_in, due_at, edited };
        details.check_expiry()?;
        Ok(Self { id, at, from, to, body, details: details.if_any() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_name_accepts_only_short_lower_case_ascii() {
        for good in ["paff", "a", "build-bot_7", &"x".repeat(USER_NAME_BYTES_MAX)] {
            assert_eq!(good.parse::<UserName>().unwrap().as_str(), good);
        }
        for bad in ["", "Paff", "pa ff", "päff", "' OR 1=1--", &"x".repeat(USER_NAME_BYTES_MAX + 1)]
        {
            assert!(bad.parse::<UserName>().is_err(), "{bad:?} is accepted");
        }
    }

    #[test]
    fn debug_output_hides_secrets_and_bodies() {
        let token = Token::generate();
        let password: Password = "cytus".parse().unwrap();
        let body: Body = "hai neko".parse().unwrap();
        let shown = format!("{token:?} {:?} {password:?} {body:?}", token.hash());
        for secret in [token.reveal().as_str(), "cytus", "hai"] {
            assert!(!shown.contains(secret), "{shown} shows {secret}");
        }
    }

    #[test]
    fn body_accepts_any_utf8_up_to_its_limit() {
        assert!("x".repeat(BODY_BYTES_MAX).parse::<Body>().is_ok());
        let max = BODY_BYTES_MAX;
        assert_eq!("x".repeat(max + 1).parse::<Body>(), Err(Invalid::TooLong { max }));
        assert_eq!("".parse::<Body>(), Err(Invalid::Empty));
    }

    #[test]
    fn key_accepts_printable_ascii_up_to_its_limit() {
        for good in ["k", "!~", &"k".repeat(KEY_BYTES_MAX)] {
            assert_eq!(good.parse::<Key>().unwrap().as_str(), good);
        }
        let max = KEY_BYTES_MAX;
        assert_eq!("k".repeat(max + 1).parse::<Key>(), Err(Invalid::TooLong { max }));
        assert_eq!("".parse::<Key>(), Err(Invalid::Empty));
        for bad in ["a b", "é", "a\n", "\u{7f}"] {
            assert_eq!(bad.parse::<Key>(), Err(Invalid::Character), "{bad:?}");
        }
    }

    #[test]
    fn key_of_content_is_stable_across_versions() {
        // FIPS 180-2 gives this SHA-256 for `abc`. A repeated import recognizes its messages by
        // such keys.
        let key = Key::of_content("import", b"abc");
        assert_eq!(key.as_str(), "import-ba7816bf8f01cfea414140de5dae2223");
    }
}
