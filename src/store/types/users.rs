//! Users: logins, recipients, and how an operator sees and changes accounts.

use crate::model::{CursorName, MessageId, SessionId, Timestamp, TokenHash, UserId, UserName};
use crate::store::operation::{Party, Read, Write};
use crate::transfer::PasswordHash;

/// A user to create.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The login name.
    pub name: UserName,
    /// The name for people.
    pub display_name: String,
    /// The password's hash: argon2id in the PHC string format.
    pub password_hash: String,
    /// Whether the password is published in the source.
    pub password_is_published: bool,
}

/// Creates all of these users, unless one of the names is taken. The answer has the taken names. A
/// database that was never seeded will not be seeded afterwards. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct AddUsers(pub Vec<NewUser>);

impl Write for AddUsers {
    type Answer = Vec<UserName>;
}

/// Creates these users in a database that was never seeded, and marks it as seeded, in one
/// transaction. The answer says whether it did so. Durable when the answer comes.
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

/// Lists the users whose password is published in the source, in the order of their numbers.
/// Disabled users are left out.
pub struct ListPublishedPasswords;

impl Read for ListPublishedPasswords {
    type Answer = Vec<UserName>;
}

/// Looks up a user. The name of a deleted user finds nobody; the number of a deleted user finds
/// that user.
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

/// Lists the users who can receive messages, in the order of their names. The answer has at most
/// `max` users, and whether there are more.
pub struct ListUsers {
    /// The user who asks.
    pub reader: UserId,
    /// Only names after this one.
    pub after: Option<UserName>,
    /// The maximum number of users.
    pub max: usize,
}

impl Read for ListUsers {
    /// The name and the name for people of each.
    type Answer = (Vec<(UserName, String)>, bool);

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// A user with what authentication needs.
#[derive(Debug, Clone)]
pub struct StoredUser {
    /// The user's number.
    pub id: UserId,
    /// The login name.
    pub name: UserName,
    /// The name for people.
    pub display_name: String,
    /// The password's hash: argon2id in the PHC string format. Keep it secret.
    pub password_hash: String,
    /// Whether the user is disabled.
    pub disabled: bool,
}

/// Changes a user's password, if the hash is still `old_hash`, and ends the user's other sessions.
/// The answer has the tokens of the ended sessions, or `None` if another request changed the
/// password first. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct ChangePassword {
    /// The user.
    pub user: UserId,
    /// The hash that the old password was compared with.
    pub old_hash: String,
    /// The new password.
    pub new: PasswordHash,
    /// The session that continues.
    pub session: SessionId,
}

impl Write for ChangePassword {
    type Answer = Option<Vec<TokenHash>>;
}

/// Changes a user for an operator. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct ChangeUser {
    /// The user's name.
    pub name: UserName,
    /// The change.
    pub change: Change,
}

impl Write for ChangeUser {
    type Answer = Changed;
}

/// A change that an operator makes.
#[derive(Debug, Clone)]
pub enum Change {
    /// Changes the password. Ends all sessions.
    Password(PasswordHash),
    /// Disables the user: no login until [`Self::Enable`]. Ends all sessions.
    Disable,
    /// Enables the user again.
    Enable,
    /// Changes the name.
    Rename(UserName),
    /// Deletes everything but the name and the messages. Ends all sessions and removes all cursors.
    Delete,
    /// Frees the name of a deleted user without messages. A reader has already searched the message
    /// log up to `looked_upto` ([`FindMessageOf`]), so the writer searches only the few messages
    /// after it.
    Remove {
        /// The last id of that search, which found no message of the user.
        looked_upto: MessageId,
    },
}

/// The result of [`ChangeUser`].
#[derive(Debug, Clone)]
pub enum Changed {
    /// The change was made, now or earlier.
    Yes {
        /// The user.
        user: UserId,
        /// The tokens of the ended sessions.
        ended: Vec<TokenHash>,
    },
    /// No user has this name.
    Unknown,
    /// The user is deleted and can no longer be changed.
    Deleted,
    /// Another user has the new name.
    NameTaken,
    /// Not removed: messages of the user are left, or the user is not deleted.
    InUse,
}

/// Searches for a message from or to a user after an id, in one step of bounded length. `None` if
/// no user has this name.
pub struct FindMessageOf {
    /// The user, deleted or not.
    pub name: UserName,
    /// The last id of the previous step.
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
    /// The user has none up to this id. The next step continues after it.
    NoneUpTo(MessageId),
    /// The user has none up to this id, the newest.
    None(MessageId),
}

/// Looks up an account and its activity. `None` if no user has this name.
pub struct FindAccount(pub UserName);

impl Read for FindAccount {
    type Answer = Option<(Account, Activity)>;
}

/// Lists the accounts after a name, in the order of names. The answer has at most `max` accounts,
/// and whether there are more.
pub struct ListAccounts {
    /// The list continues after this name.
    pub after: Option<UserName>,
    /// The maximum number of accounts.
    pub max: usize,
}

impl Read for ListAccounts {
    type Answer = (Vec<Account>, bool);
}

/// A user as an operator sees it.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user's number.
    pub id: UserId,
    /// The login name.
    pub name: UserName,
    /// The name for people.
    pub display_name: String,
    /// Whether the password is published in the source.
    pub password_is_published: bool,
    /// When the user was created.
    pub created_at: Timestamp,
    /// When the user was disabled.
    pub disabled_at: Option<Timestamp>,
    /// When the user was deleted. Only the name and the messages remain.
    pub deleted_at: Option<Timestamp>,
    /// When a session was last used, to the minute.
    pub last_seen_at: Option<Timestamp>,
    /// How many messages are after the cursor `inbox`.
    pub unread: u64,
}

/// What a user did with an account.
#[derive(Debug, Clone)]
pub struct Activity {
    /// How many copies of messages the user has sent: one for each recipient.
    pub sent: u64,
    /// How many messages were sent to the user.
    pub received: u64,
    /// Each cursor, its place, and when it last moved.
    pub cursors: Vec<(CursorName, MessageId, Timestamp)>,
}
