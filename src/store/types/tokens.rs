//! Access tokens. The store has their hashes only.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    AccessTokenId, AccessTokenName, MailboxId, MailboxName, Rights, Timestamp, TokenHash, UserId,
    UserName,
};
use crate::store::operation::{Party, Read, Write};

/// The most access tokens of one user.
pub const TOKENS_MAX: usize = 100;

/// The mailboxes to which an access token may send. A renamed user keeps the mailbox.
pub type Targets = Arc<[MailboxId]>;

/// What an access token grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The token's number.
    pub id: AccessTokenId,
    /// The token's name.
    pub name: AccessTokenName,
    /// What its holder may do.
    pub rights: Rights,
    /// To which mailboxes it may send. `None` means to all to which its user may send.
    pub targets: Option<Targets>,
}

/// Makes an access token. Removes those of its user that have expired. Durable when the answer
/// comes.
#[derive(Debug, Clone)]
pub struct CreateToken {
    /// The user.
    pub user: UserId,
    /// The name. No other token of the user has it.
    pub name: AccessTokenName,
    /// The hash of the token.
    pub hash: TokenHash,
    /// What its holder may do.
    pub rights: Rights,
    /// To which users and rooms it may send. The user must be able to see them.
    pub to: Option<Vec<MailboxName>>,
    /// The time. An engine that several servers share takes its own clock.
    pub now: Timestamp,
    /// How long it lives.
    pub lifetime: Option<Duration>,
}

impl Write for CreateToken {
    type Answer = CreatedToken;
}

/// The result of [`CreateToken`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreatedToken {
    /// It is there, and expires then.
    Yes {
        /// When it expires.
        expires_at: Option<Timestamp>,
    },
    /// Nothing was done: the user has a token of this name.
    NameTaken,
    /// Nothing was done: the user has [`TOKENS_MAX`] tokens.
    TooMany,
    /// Nothing was done: there are no such users, and the user sees no such rooms.
    UnknownTargets(Vec<MailboxName>),
}

/// Lists access tokens, oldest first. The answer has at most `max`, and whether there are more.
pub struct ListTokens {
    /// Only those of this user.
    pub user: Option<UserId>,
    /// The list continues after this token.
    pub after: AccessTokenId,
    /// The maximum number of tokens.
    pub max: usize,
}

impl Read for ListTokens {
    type Answer = (Vec<ListedToken>, bool);

    fn party(&self) -> Party {
        self.user
    }
}

/// An access token in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedToken {
    /// Its number.
    pub id: AccessTokenId,
    /// Its user.
    pub user: UserName,
    /// Its name.
    pub name: AccessTokenName,
    /// What its holder may do.
    pub rights: Rights,
    /// To whom it may send, by their names of today. A deleted user is left out.
    pub to: Option<Vec<MailboxName>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute, and from where.
    pub last_use: Option<(Timestamp, String)>,
}

/// Removes the token of this name, or all tokens of the user. The answer has the hashes of those
/// that it removed. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct RevokeTokens {
    /// The user.
    pub user: UserId,
    /// The name. `None` means all.
    pub name: Option<AccessTokenName>,
}

impl Write for RevokeTokens {
    type Answer = Vec<TokenHash>;
}

/// When an access token was last used, and from where.
#[derive(Debug, Clone)]
pub struct TokenUse {
    /// The token.
    pub id: AccessTokenId,
    /// When.
    pub at: Timestamp,
    /// From where: an address, or a word for this machine.
    pub from: String,
}
