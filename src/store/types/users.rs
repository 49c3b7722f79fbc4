//! Users: who may log in and be written to, and how an operator sees and changes them.

use crate::model::{CursorName, MessageId, SessionId, Timestamp, TokenHash, UserId, UserName};
use crate::store::operation::{Party, Read, Write};
use crate::transfer::PasswordHash;

/// A user to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The login name.
    pub name: UserName,
    /// The name for people.
    pub display_name: String,
    /// argon2id in the PHC string format.
    pub password_hash: String,
    /// The password is one that everybody can know.
    pub password_is_published: bool,
}

/// Creates all of these users, unless one of the names is taken; the answer has the taken names.
/// A database that was never seeded will not be seeded from then on. Durable when the answer
/// comes.
#[derive(Debug, Clone)]
pub struct AddUsers(pub Vec<NewUser>);

impl Write for AddUsers {
    type Answer = Vec<UserName>;
}

/// Creates these users in a database that was never seeded, and marks it as seeded, in one
/// transaction. The answer says whether it did. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct SeedUsers(pub Vec<NewUser>);

impl Write for SeedUsers {
    type Answer = bool;
}

/// Whether users were seeded, or an operator decided that there should be none.
pub struct IsSeeded;

impl Read for IsSeeded {
    type Answer = bool;
}

/// The users with a password that everybody who has read the source knows, in the order of their
/// numbers. Disabled users are left out.
pub struct ListPublishedPasswords;

impl Read for ListPublishedPasswords {
    type Answer = Vec<UserName>;
}

/// Looks up a user. A name of a deleted user finds nobody; a number finds a deleted user, too.
pub enum FindUser {
    /// By name, for a login.
    Named(UserName),
    /// By number, for a user who is logged in.
    Numbered(UserId),
}

impl Read for FindUser {
    type Answer = Option<StoredUser>;

    fn party(&self) -> Party {
        match self {
            Self::Named(_) => None,
            Self::Numbered(id) => Some(*id),
        }
    }
}

/// The users who can be written to, in the order of their names: at most `max`, and whether there
/// are more.
pub struct ListUsers {
    /// The user who asks.
    pub reader: UserId,
    /// Only names after this one.
    pub after: Option<UserName>,
    /// The most users.
    pub max: usize,
}

impl Read for ListUsers {
    /// The name and the name for people of each.
    type Answer = (Vec<(UserName, String)>, bool);

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// A user as the database has it.
#[derive(Debug, Clone)]
pub struct StoredUser {
    /// The number.
    pub id: UserId,
    /// The login name.
    pub name: UserName,
    /// The name for people.
    pub display_name: String,
    /// argon2id in the PHC string format. Not to be shown.
    pub password_hash: String,
    /// May not log in.
    pub disabled: bool,
}

/// Gives a user another password, if the hash of the old one is still `old_hash`, and ends the
/// user's sessions but `session`. The answer has the tokens of the ended sessions, or `None` where
/// the password was changed by another request. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct ChangePassword {
    /// The user.
    pub user: UserId,
    /// The hash that the old password was compared with.
    pub old_hash: String,
    /// The new password.
    pub new: PasswordHash,
    /// The session that goes on.
    pub session: SessionId,
}

impl Write for ChangePassword {
    type Answer = Option<Vec<TokenHash>>;
}

/// Changes a user for an operator. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct ChangeUser {
    /// The user.
    pub name: UserName,
    /// The change.
    pub change: Change,
}

impl Write for ChangeUser {
    type Answer = Changed;
}

/// How an operator changes a user.
#[derive(Debug, Clone)]
pub enum Change {
    /// Sets another password. Ends all sessions.
    Password(PasswordHash),
    /// Forbids to log in until enabled. Ends all sessions.
    Disable,
    /// Allows to log in again.
    Enable,
    /// Gives another name.
    Rename(UserName),
    /// Deletes all but the name and the messages. Ends all sessions and removes all cursors.
    Delete,
    /// Frees the name of a deleted user of whom no message is left. A reader has looked through
    /// the message log up to `looked_upto` before ([`FindMessageOf`]), so the writer looks at the
    /// few messages after that only.
    Remove {
        /// How far the reader has looked without finding a message of the user.
        looked_upto: MessageId,
    },
}

/// What came of [`ChangeUser`].
#[derive(Debug, Clone)]
pub enum Changed {
    /// The change was made, or was so already.
    Yes {
        /// The user.
        user: UserId,
        /// The tokens of the sessions that ended with it.
        ended: Vec<TokenHash>,
    },
    /// There is no user of this name.
    Unknown,
    /// The user is deleted, and is not changed any more.
    Deleted,
    /// The new name belongs to another user.
    NameTaken,
    /// There are messages of the user, or the user is not deleted: not removed.
    InUse,
}

/// Looks for a message from or to a user after an id, one bounded step far. `None` where there is
/// no user of this name.
pub struct FindMessageOf {
    /// The user, deleted or not.
    pub name: UserName,
    /// Where the last step ended.
    pub after: MessageId,
}

impl Read for FindMessageOf {
    type Answer = Option<MessageSearch>;
}

/// What a step of [`FindMessageOf`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageSearch {
    /// There is a message of the user.
    Found,
    /// There is none up to this id, and there are messages after it.
    NoneUpTo(MessageId),
    /// There is none; this is the newest message.
    None(MessageId),
}

/// An account and what the user did with it; `None` where there is no user of this name.
pub struct FindAccount(pub UserName);

impl Read for FindAccount {
    type Answer = Option<(Account, Activity)>;
}

/// The accounts after a name, in the order of names: at most `max`, and whether there are more.
pub struct ListAccounts {
    /// Where the list goes on.
    pub after: Option<UserName>,
    /// The most accounts.
    pub max: usize,
}

impl Read for ListAccounts {
    type Answer = (Vec<Account>, bool);
}

/// A user as an operator sees it.
#[derive(Debug, Clone)]
pub struct Account {
    /// The number.
    pub id: UserId,
    /// The login name.
    pub name: UserName,
    /// The name for people.
    pub display_name: String,
    /// Everybody can know the password.
    pub password_is_published: bool,
    /// When the user was made.
    pub created_at: Timestamp,
    /// Since when the user may not log in.
    pub disabled_at: Option<Timestamp>,
    /// Since when only the name and the messages are left.
    pub deleted_at: Option<Timestamp>,
    /// When a session was last used, give or take a minute.
    pub last_seen_at: Option<Timestamp>,
    /// How many messages are after the cursor `inbox`.
    pub unread: u64,
}

/// What a user did with an account.
#[derive(Debug, Clone)]
pub struct Activity {
    /// How many messages the user has sent; one for each recipient.
    pub sent: u64,
    /// How many messages were sent to the user.
    pub received: u64,
    /// Each cursor, its place, and when it was last moved.
    pub cursors: Vec<(CursorName, MessageId, Timestamp)>,
}
