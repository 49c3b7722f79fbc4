//! The basic types of the whole crate. A value of such a type is always valid: code that has a
//! [`UserName`] need not check it again.
//!
//! This module does not depend on the protocol, on sockets or on storage.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use arrayvec::ArrayString;
use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::{self, DateTimePrinter};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// The longest user name, in bytes. A name is ASCII, so bytes are characters.
pub const USER_NAME_BYTES_MAX: usize = 32;
/// The longest display name, in bytes of UTF-8.
pub const DISPLAY_NAME_BYTES_MAX: usize = 128;
/// The longest password, in bytes of UTF-8.
pub const PASSWORD_BYTES_MAX: usize = 128;
/// The longest message body, in bytes of UTF-8.
pub const BODY_BYTES_MAX: usize = 32 * 1024;
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

/// A password: 1 to 128 bytes of UTF-8. Its `Debug` output hides it.
///
/// Any password that can be set can also be used: parsing accepts exactly what the line
/// `auth USER PASSWORD` can carry. That excludes ASCII white space at the ends, NUL, CR and LF.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

impl Password {
    /// A password to compare with the stored one. It only checks the length, because an earlier
    /// version may have stored a password that no line can carry.
    ///
    /// # Errors
    /// [`Invalid::Empty`] and [`Invalid::TooLong`].
    pub fn shown(text: &str) -> Result<Self, Invalid> {
        check_length(text, PASSWORD_BYTES_MAX)?;
        Ok(Self(text.into()))
    }

    /// The secret itself. Never log or store it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Password {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let password = Self::shown(text)?;
        if text.trim_ascii().len() < text.len() {
            return Err(Invalid::WhiteSpace);
        }
        if text.contains(['\0', '\r', '\n']) {
            return Err(Invalid::Character);
        }
        Ok(password)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
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

/// A session token: a version 4 UUID from the system's random source. Its only valid form is lower
/// case with hyphens. Its `Debug` output hides it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token(Uuid);

impl Token {
    /// A new token with 122 random bits.
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }

    /// The hash of the token, which is all that may be stored: see [`TokenHash`].
    pub fn hash(&self) -> TokenHash {
        let mut text = Uuid::encode_buffer();
        let text = self.0.as_hyphenated().encode_lower(&mut text);
        TokenHash(Sha256::digest(text.as_bytes()).into())
    }

    /// The secret itself, for the reply that issues it and for the requests that carry it.
    pub fn reveal(&self) -> String {
        self.0.as_hyphenated().to_string()
    }
}

impl FromStr for Token {
    type Err = Invalid;

    /// Accepts only the form that the server issues. Upper case, braces and a form without hyphens
    /// are [`Invalid::Character`].
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() != Hyphenated::LENGTH || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(Invalid::Character);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| Invalid::Character)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// The SHA-256 of a token's text. A fast hash suffices, because a token has 122 random bits: a
/// thief of the hash cannot find the token. The time of a lookup by hash reveals nothing about a
/// token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash(…)")
    }
}

/// The name of a cursor: a position in the message log up to which its owner has read. The `inbox`
/// command moves the cursor `inbox`; any other is the owner's own. A name is 1 to 64 of `a-z`,
/// `0-9`, `_`, `-` and `.`.
#[derive(Clone, PartialEq, Eq, Hash)]
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
    DisplayName => |name| &name.0;
    CursorName => |name| &name.0;
    Body => |body| &body.0;
    Key => |key| &key.0;
    Timestamp => |moment| &moment.text();
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

/// A wall-clock time: milliseconds since 1970-01-01T00:00:00Z. It is shown to people and used for
/// periods of days. Never use it to order messages or for timeouts: the clock may be set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The current wall-clock time.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// This time plus `duration`, or the latest time that can be represented.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This time minus `duration`, or the earliest time that can be represented.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-23T10:54:00.123Z`. A number outside the calendar
    /// becomes the nearest time inside it.
    pub fn to_rfc3339(self) -> String {
        self.text().as_str().to_owned()
    }

    /// Like [`Self::to_rfc3339`], but without an allocation.
    pub(crate) fn text(self) -> TimestampText {
        let milliseconds = self.to_calendar().as_millisecond();
        let (second, rest) = (milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
        let mut text = match LAST_SECOND.get() {
            Some((shown, text)) if shown == second => text,
            _ => {
                let text = second_text(second);
                LAST_SECOND.set(Some((second, text)));
                text
            }
        };
        text.push('.');
        for place in [100, 10, 1] {
            text.push(char::from(b'0' + (rest / place % 10) as u8));
        }
        text.push('Z');
        text
    }

    /// This time in the calendar, or the nearest time inside it.
    pub fn to_calendar(self) -> jiff::Timestamp {
        let (first, last) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 { first } else { last })
    }
}

/// The longest text of a time, in bytes: a year before the year 0.
const TIMESTAMP_BYTES_MAX: usize = "-009999-01-02T01:59:59.999Z".len();

/// A time as text.
pub(crate) type TimestampText = ArrayString<TIMESTAMP_BYTES_MAX>;

thread_local! {
    /// The second that this thread formatted last, up to its seconds digit. Consecutive messages
    /// mostly fall into the same second, so formatting reuses it.
    static LAST_SECOND: Cell<Option<(i64, TimestampText)>> = const { Cell::new(None) };
}

fn second_text(second: i64) -> TimestampText {
    const SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
    let mut text = TimestampText::new();
    let moment = jiff::Timestamp::from_second(second).unwrap_or_default();
    // It cannot fail: the buffer is large enough, and the second is in the calendar.
    let _ = SECONDS.print_timestamp(&moment, StdFmtWrite(&mut text));
    text.pop();
    text
}

/// The text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give a time as RFC 3339 has it, such as 2026-11-23T10:54:00Z, up to the year 9999")]
pub struct NoTime;

impl FromStr for Timestamp {
    type Err = NoTime;

    /// Parses RFC 3339. The calendar ends some hours before the year 9999 does; a later time becomes
    /// its last millisecond.
    fn from_str(text: &str) -> Result<Self, NoTime> {
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(moment.as_millisecond()));
        }
        let pieces = temporal::Pieces::parse(text).map_err(|_| NoTime)?;
        let is_whole = pieces.time().is_some() && pieces.to_numeric_offset().is_some();
        if is_whole && pieces.date().year() == LAST_YEAR {
            return Ok(Self(jiff::Timestamp::MAX.as_millisecond()));
        }
        Err(NoTime)
    }
}

/// The last year that RFC 3339 can write.
const LAST_YEAR: i16 = 9999;

/// Parses a duration from a command line: a whole number with the unit `ms`, `s`, `m`, `h` or `d`,
/// such as `90s`. Without a unit it is in seconds.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("{text:?} is no time: give a number and ms, s, m, h or d")),
    };
    let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds));
    match number {
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        None => Err(format!("{text:?} is no time: give a number and ms, s, m, h or d")),
    }
}

/// One message in the message log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// When the server accepted it.
    pub at: Timestamp,
    /// The sender.
    pub from: UserName,
    /// The recipient.
    pub to: UserName,
    /// Its text.
    pub body: Body,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn token_accepts_only_its_canonical_form() {
        let text = Token::generate().reveal();
        assert_eq!(text.parse::<Token>().unwrap().reveal(), text);
        let without_hyphens = text.replace('-', "");
        let upper = text.to_uppercase();
        for bad in [&text[1..], &format!("{text}0"), &without_hyphens, &format!("{{{text}}}"), ""] {
            assert!(bad.parse::<Token>().is_err(), "{bad:?} is accepted");
        }
        assert!(upper == text || upper.parse::<Token>().is_err());
    }

    #[test]
    fn token_hash_is_the_sha256_of_its_text() {
        let token: Token = "7a592c0e-2cb5-4de6-866b-4e216b0caf15".parse().unwrap();
        let expected = Sha256::digest("7a592c0e-2cb5-4de6-866b-4e216b0caf15");
        assert_eq!(token.hash().0.as_slice(), expected.as_slice());
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
    fn password_accepts_exactly_what_a_line_can_carry() {
        for good in ["x", "two words", "a\tb", "\u{a0}\u{a0}", &"x".repeat(PASSWORD_BYTES_MAX)] {
            assert_eq!(good.parse::<Password>().unwrap().reveal(), good);
        }
        for ends in [" x", "x ", "\tx", "x\n", "x\r", " ", "\u{c}"] {
            assert_eq!(ends.parse::<Password>(), Err(Invalid::WhiteSpace), "{ends:?}");
            assert!(Password::shown(ends).is_ok(), "{ends:?} may be stored already");
        }
        for inside in ["a\0b", "a\rb", "a\nb", "\0"] {
            assert_eq!(inside.parse::<Password>(), Err(Invalid::Character), "{inside:?}");
        }
        assert_eq!("".parse::<Password>(), Err(Invalid::Empty));
        let max = PASSWORD_BYTES_MAX;
        assert_eq!("x".repeat(max + 1).parse::<Password>(), Err(Invalid::TooLong { max }));
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

    #[test]
    fn duration_accepts_a_number_and_a_unit() {
        for (text, milliseconds) in
            [("10", 10_000), ("5ms", 5), ("2m", 120_000), ("1d", 86_400_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)));
        }
        for bad in ["", "s", "-1s", "1.5s", "1y", "1 s", "99999999999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad:?} is accepted");
        }
    }

    #[test]
    fn timestamp_formats_as_rfc3339_utc_without_failing() {
        assert_eq!(Timestamp(0).to_rfc3339(), "1970-01-01T00:00:00.000Z");
        let now = Timestamp::now();
        assert_eq!(now.to_rfc3339().parse::<Timestamp>().unwrap(), now);
        let end = "9999-12-31T23:59:59Z".parse::<Timestamp>().unwrap();
        assert_eq!("9999-12-31T23:59:60-23:59".parse::<Timestamp>().unwrap(), end);
        assert_eq!(end.to_rfc3339().parse::<Timestamp>().unwrap(), end);
        for wrong in ["", "soon", "2026-01-01", "9999-12-31", "9999-12-31T23:59:59", "99999"] {
            assert_eq!(wrong.parse::<Timestamp>(), Err(NoTime), "{wrong:?}");
        }
        assert_eq!("10000-01-01T00:00:00Z".parse::<Timestamp>(), Err(NoTime));
        for odd in [i64::MIN, i64::MAX] {
            assert!(!Timestamp(odd).to_rfc3339().is_empty());
        }
    }

    proptest! {
        #[test]
        fn timestamp_text_equals_the_calendar_librarys(
            moments in prop::collection::vec(
                prop_oneof![any::<i64>(), -400_000_000_000_000..300_000_000_000_000_i64, 0..5_000_i64],
                1..20,
            )
        ) {
            const MILLISECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
            for moment in moments.into_iter().map(Timestamp) {
                let expected = MILLISECONDS.timestamp_to_string(&moment.to_calendar());
                prop_assert_eq!(moment.to_rfc3339(), expected);
            }
        }
    }
}
