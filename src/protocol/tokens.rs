//! The arguments and replies of `token_create`, `tokens` and `token_revoke`.

use serde::{Deserialize, Serialize, Serializer};

use super::arguments::{True, bad_argument};
use super::refusal::Refusal;
use crate::model::{
    AccessTokenName, MailboxName, Rights, TOKEN_SECONDS_MAX, Timestamp, Token, deserialize_text,
};

/// The most targets of an access token.
pub const TARGETS_MAX: usize = 64;

/// Makes an access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenCreate {
    /// Its name.
    pub name: AccessTokenName,
    /// What its holder may do.
    #[serde(default = "send")]
    pub can: Rights,
    /// The users and rooms to which its holder may send. `None` means all that its user may send
    /// to. Only with [`Rights::Send`], and one with [`Rights::Hook`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<MailboxName>>,
    /// Its life in seconds. `None` means that it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

fn send() -> Rights {
    Rights::Send
}

impl TokenCreate {
    /// Checks the fields together.
    ///
    /// # Errors
    /// The refusal names the field.
    pub fn check(mut self) -> Result<Self, Refusal> {
        if let Some(to) = &mut self.to {
            if !matches!(self.can, Rights::Send | Rights::Hook) {
                return Err(bad_argument("to: only a token that can send has targets"));
            }
            to.sort_unstable();
            to.dedup();
            if !(1..=TARGETS_MAX).contains(&to.len()) {
                return Err(bad_argument(format!("to: give 1 to {TARGETS_MAX} users and rooms")));
            }
        }
        if self.can == Rights::Hook && self.to.as_ref().map(Vec::len) != Some(1) {
            return Err(bad_argument("to: a hook has one user or room"));
        }
        if self.expires_in.is_some_and(|seconds| !(1..=TOKEN_SECONDS_MAX).contains(&seconds)) {
            let max = TOKEN_SECONDS_MAX;
            return Err(bad_argument(format!("expires_in: give 1 to {max} seconds")));
        }
        Ok(self)
    }
}

/// Revokes access tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRevoke {
    /// The token of this name.
    Named(AccessTokenName),
    /// All tokens of the user.
    All,
}

/// The JSON fields of [`TokenRevoke`].
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct TokenRevokeFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<AccessTokenName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    all: Option<True>,
}

impl TokenRevokeFields {
    pub(super) fn check(self) -> Result<TokenRevoke, Refusal> {
        match (self.name, self.all) {
            (Some(name), None) => Ok(TokenRevoke::Named(name)),
            (None, Some(True)) => Ok(TokenRevoke::All),
            _ => Err(bad_argument("give one of name and all")),
        }
    }

    pub(super) fn of(revoke: &TokenRevoke) -> Self {
        match revoke {
            TokenRevoke::Named(name) => Self { name: Some(name.clone()), all: None },
            TokenRevoke::All => Self { name: None, all: Some(True) },
        }
    }
}

/// The reply to `token_create`. No later reply contains the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct TokenCreated {
    /// The secret.
    #[serde(serialize_with = "as_text", deserialize_with = "deserialize_text")]
    #[cfg_attr(feature = "http", schemars(with = "String"))]
    pub token: Token,
    /// Its name.
    pub name: AccessTokenName,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

fn as_text<S: Serializer>(token: &Token, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&token.reveal())
}

/// The user's access tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Tokens {
    /// Them, oldest first.
    pub tokens: Vec<TokenInfo>,
}

/// An access token as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct TokenInfo {
    /// Its name.
    pub name: AccessTokenName,
    /// What its holder may do.
    pub can: Rights,
    /// The users and rooms to which its holder may send, by their names of today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<MailboxName>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// From where it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_from: Option<String>,
}
