//! Access tokens: their names, and what their holders may do.

use std::fmt;
use std::str::FromStr;

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};

use super::{Invalid, NoSuchWord, check_length};

/// The longest name of an access token, in bytes.
pub const ACCESS_TOKEN_NAME_BYTES_MAX: usize = 32;

/// The longest life of an access token that expires, in seconds: ten years.
pub const TOKEN_SECONDS_MAX: u64 = 3_660 * 24 * 60 * 60;

/// The name of an access token: 1 to 32 of `a-z`, `0-9`, `_`, `-` and `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessTokenName(ArrayString<ACCESS_TOKEN_NAME_BYTES_MAX>);

impl AccessTokenName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessTokenName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let max = ACCESS_TOKEN_NAME_BYTES_MAX;
        check_length(text, max)?;
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
        if !text.bytes().all(allowed) {
            return Err(Invalid::Character);
        }
        ArrayString::from(text).map(Self).map_err(|_| Invalid::TooLong { max })
    }
}

impl fmt::Display for AccessTokenName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for AccessTokenName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The number of an access token in the store. An older token has a lower number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccessTokenId(pub i64);

/// What the holder of an access token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rights {
    /// Send messages.
    Send,
    /// Send messages by an incoming hook, to its one target.
    Hook,
    /// Read messages and lists, and move cursors.
    Read,
    /// Everything but to manage the account, its sessions and its tokens.
    All,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Nothing: it needs no session either.
    Open,
    /// It sends a message.
    Send,
    /// It reads, and changes nothing but the place of a cursor.
    Read,
    /// It changes something that is there: a room, an expectation, a message.
    Change,
    /// It manages the account. Only a session may do that.
    Account,
}

impl Rights {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Send, Self::Hook, Self::Read, Self::All];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Hook => "hook",
            Self::Read => "read",
            Self::All => "all",
        }
    }

    /// Whether they include this right.
    pub fn include(self, right: Right) -> bool {
        match right {
            Right::Open => true,
            Right::Send => matches!(self, Self::Send | Self::Hook | Self::All),
            Right::Read => matches!(self, Self::Read | Self::All),
            Right::Change => self == Self::All,
            Right::Account => false,
        }
    }
}

impl FromStr for Rights {
    type Err = NoSuchWord;

    fn from_str(text: &str) -> Result<Self, NoSuchWord> {
        Self::ALL.into_iter().find(|rights| rights.as_str() == text).ok_or(NoSuchWord)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_rights_are_read_back() {
        for rights in Rights::ALL {
            assert_eq!(rights.as_str().parse(), Ok(rights));
            let json = format!("\"{}\"", rights.as_str());
            assert_eq!(serde_json::to_string(&rights).unwrap(), json);
        }
        assert_eq!("write".parse::<Rights>(), Err(NoSuchWord));
    }

    #[test]
    fn no_token_manages_the_account() {
        for rights in Rights::ALL {
            assert!(!rights.include(Right::Account), "{rights:?}");
        }
        assert!(!Rights::Send.include(Right::Read) && !Rights::Read.include(Right::Send));
        assert!(!Rights::Hook.include(Right::Read) && !Rights::Hook.include(Right::Change));
    }
}
