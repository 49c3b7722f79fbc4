//! What a room is set to, and what its members are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// The longest topic of a room, in bytes of UTF-8.
pub const TOPIC_BYTES_MAX: usize = 256;

/// What a room is about: up to 256 bytes of UTF-8 without control characters. It may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topic(Box<str>);

impl Topic {
    /// The topic as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Topic {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() > TOPIC_BYTES_MAX {
            return Err(Invalid::TooLong { max: TOPIC_BYTES_MAX });
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::Character);
        }
        Ok(Self(text.into()))
    }
}

/// Defines an enum whose values have a word each, on the wire, in exports and in databases.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        #[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
        #[serde(rename_all = "lowercase")]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$value),*];

            /// The word of the value.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $word,)* }
            }
        }

        impl FromStr for $name {
            type Err = NoSuchWord;

            fn from_str(text: &str) -> Result<Self, NoSuchWord> {
                match text { $($word => Ok(Self::$value),)* _ => Err(NoSuchWord) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    )*};
}

/// The text is none of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is none of the words")]
pub struct NoSuchWord;

words! {
    /// What a member may do in a room. A higher role may do what a lower one may.
    Role {
        /// Reads and writes.
        #[default]
        Member = "member",
        /// Invites, removes members, sets the topic; writes where only moderators may.
        Moderator = "moderator",
        /// May do everything.
        Owner = "owner",
    }
    /// Which members may post.
    Posting {
        /// All of them.
        #[default]
        Members = "members",
        /// Moderators and owners.
        Moderators = "moderators",
    }
    /// What a new member may read.
    History {
        /// All messages of the room.
        #[default]
        All = "all",
        /// The messages from joining on.
        Joined = "joined",
    }
    /// Which messages of a room count as unread and are pushed.
    Notify {
        /// All of them.
        #[default]
        All = "all",
        /// Those that mention the member.
        Mentions = "mentions",
        /// None.
        None = "none",
    }
}

/// Whether a text mentions a user: `@neko`, with no character of a name before or after it.
pub fn mentions(text: &str, user: &super::UserName) -> bool {
    let is_of_name =
        |byte: u8| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-');
    let (bytes, name) = (text.as_bytes(), user.as_str().as_bytes());
    memchr::memchr_iter(b'@', bytes).any(|at| {
        let rest = &bytes[at + 1..];
        let is_alone = at == 0 || !is_of_name(bytes[at - 1]);
        is_alone && rest.starts_with(name) && rest.get(name.len()).is_none_or(|&b| !is_of_name(b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_is_short_and_has_no_control_characters() {
        for good in ["", "builds 🐱", &"x".repeat(TOPIC_BYTES_MAX)] {
            assert_eq!(good.parse::<Topic>().unwrap().as_str(), good);
        }
        for bad in ["a\nb", "\u{1b}[31m", &"x".repeat(TOPIC_BYTES_MAX + 1)] {
            assert!(bad.parse::<Topic>().is_err(), "{bad:?} is accepted");
        }
    }

    #[test]
    fn word_of_a_value_is_the_word_on_the_wire() {
        for &role in Role::ALL {
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("{:?}", role.as_str()));
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!(Role::Owner > Role::Moderator && Role::Moderator > Role::Member);
        assert_eq!("boss".parse::<Role>(), Err(NoSuchWord));
    }

    #[test]
    fn mention_is_a_whole_name_after_an_at_sign() {
        let neko = "neko".parse().unwrap();
        for text in
            ["@neko", "hai @neko!", "(@neko)", "🐱@neko🐱", "a@b @neko: go", "@nekomata @neko"]
        {
            assert!(mentions(text, &neko), "{text:?}");
        }
        for text in ["neko", "@nekomata", "x@neko", "@neko-2", "@ neko", "@Neko", "@@", "@"] {
            assert!(!mentions(text, &neko), "{text:?}");
        }
    }
}
