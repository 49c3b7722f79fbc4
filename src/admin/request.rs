//! What an operator's command can ask for.

use serde::{Deserialize, Serialize};

use super::purge::{Compact, Purge};
use crate::model::{DisplayName, MessageId, Password, SessionId, UserName};
use crate::transfer::Step;

/// The most users that are created at once: hashing their passwords takes a while.
pub const SEED_USERS_MAX: usize = 1_000;

/// One request. Each is done or refused as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Create a user.
    UserAdd {
        /// Who.
        user: NewUser,
    },
    /// Create users, all or none.
    Seed {
        /// Who; those of the seed, whose password everybody knows, where nothing is given. At most
        /// [`SEED_USERS_MAX`].
        users: Option<Vec<NewUser>>,
    },
    /// The users in the order of their names, as many as an answer holds.
    UserList {
        /// Go on after this one.
        after: Option<UserName>,
    },
    /// All that is known of a user.
    UserShow {
        /// Who.
        name: UserName,
    },
    /// Give a user another password and end all sessions.
    UserPasswd {
        /// Who.
        name: UserName,
        /// The new one.
        password: Secret,
    },
    /// End all sessions of a user, and let there be no new ones.
    UserDisable {
        /// Who.
        name: UserName,
    },
    /// Let a user log in again.
    UserEnable {
        /// Who.
        name: UserName,
    },
    /// Give a user another name.
    UserRename {
        /// Who.
        name: UserName,
        /// The name from now on.
        to: UserName,
    },
    /// Leave of a user the name and the messages only.
    UserDelete {
        /// Who.
        name: UserName,
    },
    /// Free the name of a deleted user of whom no message is left.
    UserRemove {
        /// Who.
        name: UserName,
    },
    /// The sessions, the oldest first, as many as an answer holds.
    SessionList {
        /// Whose; everybody's where nothing is given.
        user: Option<UserName>,
        /// Go on after this one.
        after: Option<SessionId>,
    },
    /// End sessions.
    SessionRevoke {
        /// Which.
        sessions: Sessions,
    },
    /// How much there is of everything.
    Stats,
    /// Write a little, durably, and read it back.
    Probe,
    /// A step of purging messages: those that fit among the next so many.
    MessagePurge {
        /// Which.
        purge: Purge,
        /// Go on after this one.
        after: MessageId,
        /// Only count them.
        dry_run: bool,
    },
    /// Some steps of an import, in their order.
    Import {
        /// At most 256.
        steps: Vec<Step>,
    },
    /// Make a part of what can be made anew: indexes and views, and what keeps ids apart.
    Rebuild {
        /// Which, from 0 on.
        part: usize,
    },
    /// After purging: leave nothing of it in the log and in the unused parts of the file.
    PurgeRemains {
        /// How thoroughly.
        compact: Compact,
    },
}

/// Which sessions are meant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sessions {
    /// This one.
    Only(SessionId),
    /// All of a user.
    Of(UserName),
    /// All.
    All,
}

/// A user to be created; the shape of `seed/users.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// What the user logs in with.
    pub name: UserName,
    /// What people call the user.
    pub display_name: DisplayName,
    /// What the user logs in with.
    pub password: Secret,
}

/// A password on its way. Its `Debug` shows nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Box<str>", into = "Box<str>")]
pub struct Secret(pub Password);

impl TryFrom<Box<str>> for Secret {
    type Error = crate::model::Invalid;

    fn try_from(text: Box<str>) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Secret> for Box<str> {
    fn from(secret: Secret) -> Self {
        secret.0.reveal().into()
    }
}
