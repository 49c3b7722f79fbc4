//! What a message can carry beside its text: a title, a priority, tags, a link, and the message
//! that it answers.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use arrayvec::ArrayString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Invalid, MessageId, Timestamp, check_length, deserialize_text};

/// The longest title, in bytes of UTF-8.
pub const TITLE_BYTES_MAX: usize = 256;
/// The most tags of a message.
pub const TAGS_MAX: usize = 16;
/// The longest tag, in bytes of printable ASCII.
pub const TAG_BYTES_MAX: usize = 32;
/// The longest link of a message, in bytes of printable ASCII.
pub const CLICK_BYTES_MAX: usize = 2048;
/// The longest time until a message expires, in seconds: ten years.
pub const LIFETIME_SECONDS_MAX: u64 = 3_660 * 24 * 60 * 60;
const LIFETIME_SECONDS_AFTER: u64 = LIFETIME_SECONDS_MAX + 1;

/// What a message carries beside its text. A message with nothing of it has no details at all: see
/// [`Details::if_any`]. The order of the fields is their order in JSON, on the wire and in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Details {
    /// One line above the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Priority::is_default")]
    pub priority: Priority,
    /// Words to select messages by.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// What to open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub click: Option<Click>,
    /// The message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// After this time it counts as unread for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The same, as so many seconds after the message is sent. A sender gives one of the two, and the
    /// store keeps the one that was given. Readers get the time: see [`Self::of_sent`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// When it was due, if it was to be sent later and came late. The server says so: no client can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When its text was changed last. Nobody can send it: the server adds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Timestamp>,
}

impl Details {
    /// The details without the mark of a message that came late.
    pub fn on_time(self) -> Self {
        Self { due_at: None, ..self }
    }

    /// The details as readers of a message of this time get them.
    pub fn of_sent(mut self: Box<Self>, at: Timestamp) -> Box<Self> {
        (self.expires, self.expires_in) = (self.expires_of(at), None);
        self
    }

    /// When a message of this time expires.
    pub fn expires_of(&self, at: Timestamp) -> Option<Timestamp> {
        let after = |seconds| at.plus(Duration::from_secs(seconds));
        self.expires.or_else(|| self.expires_in.map(after))
    }

    /// Whether the time after which the message expires can be stored. It may have passed: a message
    /// is sent again as it was sent first.
    ///
    /// # Errors
    /// Names the field, and says what it may be.
    pub fn check_expiry(&self) -> Result<(), String> {
        match (self.expires, self.expires_in) {
            (Some(_), Some(_)) => Err("give one of expires and expires_in".to_owned()),
            (Some(Timestamp(..0)), None) => Err("expires: give a time after 1970".to_owned()),
            (None, Some(0 | LIFETIME_SECONDS_AFTER..)) => {
                Err(format!("expires_in: give 1 to {LIFETIME_SECONDS_MAX} seconds"))
            }
            _ => Ok(()),
        }
    }

    /// The details, or `None` if there are none.
    pub fn if_any(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    /// The form in which they are stored. The same details always have the same form.
    pub fn to_json(&self) -> String {
        // They have a form in JSON whatever their values are.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the form of [`Self::to_json`].
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The bytes of their texts.
    pub fn text_bytes(&self) -> usize {
        let title = self.title.as_ref().map_or(0, |title| title.as_str().len());
        let click = self.click.as_ref().map_or(0, |click| click.as_str().len());
        let tags: usize = self.tags.iter().map(|tag| tag.as_str().len()).sum();
        title + click + tags
    }
}

/// One line above the text of a message: 1 to 256 bytes of UTF-8 without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Title(Box<str>);

impl Title {
    /// The title as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Title {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_length(text, TITLE_BYTES_MAX)?;
        if text.chars().any(char::is_control) {
            return Err(Invalid::Character);
        }
        Ok(Self(text.into()))
    }
}

/// Titles must not appear in the server log, so `Debug` shows only the length.
impl fmt::Debug for Title {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Title({} bytes)", self.0.len())
    }
}

/// How urgent a message is: 1 to 5.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[repr(u8)]
pub enum Priority {
    /// 1
    Min = 1,
    /// 2
    Low = 2,
    /// 3: the priority of a message that names none.
    #[default]
    Default = 3,
    /// 4
    High = 4,
    /// 5
    Urgent = 5,
}

impl Priority {
    /// All priorities, the lowest first.
    pub const ALL: [Self; 5] = [Self::Min, Self::Low, Self::Default, Self::High, Self::Urgent];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Low => "low",
            Self::Default => "default",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    // `serde` passes a reference.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::Default
    }
}

/// The number is not a priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a priority is 1 to 5")]
pub struct NoPriority;

impl TryFrom<u8> for Priority {
    type Error = NoPriority;

    fn try_from(number: u8) -> Result<Self, NoPriority> {
        Self::ALL.into_iter().find(|priority| *priority as u8 == number).ok_or(NoPriority)
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority as Self
    }
}

/// The name or the number.
impl FromStr for Priority {
    type Err = NoPriority;

    fn from_str(text: &str) -> Result<Self, NoPriority> {
        let is_meant =
            |priority: &Self| priority.as_str() == text || (*priority as u8).to_string() == text;
        Self::ALL.into_iter().find(is_meant).ok_or(NoPriority)
    }
}

/// A word to select messages by: 1 to 32 bytes of printable ASCII without spaces and commas.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(ArrayString<TAG_BYTES_MAX>);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_length(text, TAG_BYTES_MAX)?;
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
            return Err(Invalid::Character);
        }
        ArrayString::from(text).map(Self).map_err(|_| Invalid::TooLong { max: TAG_BYTES_MAX })
    }
}

/// The tags of a message: at most [`TAGS_MAX`], each once, in the order in which they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Vec<Tag>", into = "Vec<Tag>")]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this tag is one of them.
    pub fn has(&self, tag: &Tag) -> bool {
        self.0.contains(tag)
    }

    /// The tags.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.0.iter()
    }
}

/// There are more tags than a message can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give at most {TAGS_MAX} tags")]
pub struct TooManyTags;

impl TryFrom<Vec<Tag>> for Tags {
    type Error = TooManyTags;

    /// A tag that is given twice counts once.
    fn try_from(given: Vec<Tag>) -> Result<Self, TooManyTags> {
        let mut tags = Vec::with_capacity(given.len().min(TAGS_MAX));
        for tag in given {
            if !tags.contains(&tag) {
                if tags.len() == TAGS_MAX {
                    return Err(TooManyTags);
                }
                tags.push(tag);
            }
        }
        Ok(Self(tags))
    }
}

impl From<Tags> for Vec<Tag> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

/// What to open: a URL that begins with `http://` or `https://`, of at most 2048 bytes of printable
/// ASCII. Other characters are percent-encoded in a URL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Click(Box<str>);

impl Click {
    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not a URL that a message can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClick {
    /// Its length or its characters are not allowed.
    #[error("{0}")]
    Text(#[from] Invalid),
    /// It does not begin with `http://` or `https://` and a host.
    #[error("it is not an http or https URL")]
    NotHttp,
}

impl FromStr for Click {
    type Err = InvalidClick;

    fn from_str(text: &str) -> Result<Self, InvalidClick> {
        check_length(text, CLICK_BYTES_MAX)?;
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Invalid::Character.into());
        }
        let (scheme, rest) = text.split_once("://").ok_or(InvalidClick::NotHttp)?;
        let is_http = ["http", "https"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if !is_http || host.is_empty() {
            return Err(InvalidClick::NotHttp);
        }
        Ok(Self(text.into()))
    }
}

/// A link may contain a secret, so `Debug` shows only the length.
impl fmt::Debug for Click {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Click({} bytes)", self.0.len())
    }
}

/// Serializes a type as its text, and deserializes it with its `FromStr`.
macro_rules! serde_as_text {
    ($($type:ty)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_text(deserializer)
            }
        }
    )*};
}

serde_as_text! { Title Tag Click }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_accepts_any_text_without_control_characters_up_to_its_limit() {
        let longest = "é".repeat(TITLE_BYTES_MAX / 2);
        for good in ["Build 417", "猫 \u{202e}", &longest] {
            assert_eq!(good.parse::<Title>().unwrap().as_str(), good);
        }
        let max = TITLE_BYTES_MAX;
        assert_eq!(format!("{longest}x").parse::<Title>(), Err(Invalid::TooLong { max }));
        assert_eq!("".parse::<Title>(), Err(Invalid::Empty));
        for bad in ["a\nb", "a\0b", "\u{1b}[31m", "\u{85}"] {
            assert_eq!(bad.parse::<Title>(), Err(Invalid::Character), "{bad:?}");
        }
    }

    #[test]
    fn priority_is_a_name_or_a_number_from_1_to_5() {
        for (number, priority) in (1_u8..).zip(Priority::ALL) {
            assert_eq!(Priority::try_from(number), Ok(priority));
            assert_eq!(number.to_string().parse(), Ok(priority));
            assert_eq!(priority.as_str().parse(), Ok(priority));
        }
        for bad in ["0", "6", "", "03", "High", "-1"] {
            assert_eq!(bad.parse::<Priority>(), Err(NoPriority), "{bad:?}");
        }
        assert!(Priority::Min < Priority::Default && Priority::High < Priority::Urgent);
    }

    #[test]
    fn tag_accepts_printable_ascii_up_to_its_limit() {
        for good in ["a", "+1", "build:main", &"t".repeat(TAG_BYTES_MAX)] {
            assert_eq!(good.parse::<Tag>().unwrap().as_str(), good);
        }
        let max = TAG_BYTES_MAX;
        assert_eq!("t".repeat(max + 1).parse::<Tag>(), Err(Invalid::TooLong { max }));
        assert_eq!("".parse::<Tag>(), Err(Invalid::Empty));
        for bad in ["a b", "a,b", "é", "\u{7f}"] {
            assert_eq!(bad.parse::<Tag>(), Err(Invalid::Character), "{bad:?}");
        }
    }

    #[test]
    fn tags_are_kept_once_in_their_order_up_to_their_limit() {
        let tags = |count: usize| (0..count).map(|tag| tag.to_string().parse().unwrap()).collect();
        let tags = |count| Tags::try_from(Vec::<Tag>::from_iter::<Vec<Tag>>(tags(count)));
        assert_eq!(tags(TAGS_MAX).unwrap().iter().count(), TAGS_MAX);
        assert_eq!(tags(TAGS_MAX + 1), Err(TooManyTags));
        let given = ["b", "a", "b"].map(|tag| tag.parse().unwrap()).to_vec();
        let kept = Tags::try_from(given).unwrap();
        assert!(kept.iter().map(Tag::as_str).eq(["b", "a"]));
    }

    #[test]
    fn click_accepts_http_urls_up_to_their_limit() {
        let longest = format!("https://x/{}", "p".repeat(CLICK_BYTES_MAX - 10));
        for good in ["http://x", "HTTPS://ci.example/417?a=b#c", &longest] {
            assert_eq!(good.parse::<Click>().unwrap().as_str(), good);
        }
        let max = CLICK_BYTES_MAX;
        let too_long = format!("{longest}p").parse::<Click>();
        assert_eq!(too_long, Err(InvalidClick::Text(Invalid::TooLong { max })));
        for bad in ["ftp://x", "javascript:alert(1)", "https://", "http:///x", "x", "https:x"] {
            assert_eq!(bad.parse::<Click>(), Err(InvalidClick::NotHttp), "{bad:?}");
        }
        for bad in ["http://x/ y", "http://é", "http://x/\u{1b}"] {
            let refused = Err(InvalidClick::Text(Invalid::Character));
            assert_eq!(bad.parse::<Click>(), refused, "{bad:?}");
        }
    }

    #[test]
    fn details_have_one_form_and_none_if_they_are_empty() {
        assert_eq!(Details::default().if_any(), None);
        let text = r#"{"title":"t","priority":4,"tags":["a"],"click":"http://x","reply_to":7,"edited":"2026-11-23T10:54:00.123Z"}"#;
        let details = Details::from_json(text).unwrap();
        assert_eq!(details.to_json(), text);
        assert_eq!(Details::from_json(r#"{"priority":3}"#).unwrap().if_any(), None);
        for bad in [r#"{"priority":6}"#, r#"{"click":"x"}"#, r#"{"reply_to":-1}"#] {
            assert!(Details::from_json(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_output_hides_titles_and_links() {
        let details = Details {
            title: Some("secret".parse().unwrap()),
            click: Some("http://x/secret".parse().unwrap()),
            ..Details::default()
        };
        assert!(!format!("{details:?}").contains("secret"));
    }
}
