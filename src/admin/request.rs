//! The requests of an operator's commands.

use serde::{Deserialize, Serialize};

use super::purge::{Compact, Purge};
use crate::model::{
    AccessTokenId, AccessTokenName, DisplayName, InvitationId, MessageId, Password, Role, RoomName,
    SessionId, UserName,
};
use crate::protocol::rooms::{RoomArchive, RoomCreate, RoomSet};
use crate::protocol::tokens::TokenCreate;
use crate::transfer::Step;

/// The most users in one [`Request::Seed`], because hashing their passwords takes time.
pub const SEED_USERS_MAX: usize = 1_000;

/// The most rooms of an invitation.
pub const INVITATION_ROOMS_MAX: usize = 64;

/// One request. It is carried out or refused as a whole, except [`Request::Import`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Create a user.
    UserAdd {
        /// The user.
        user: NewUser,
    },
    /// Create all of these users, or none.
    Seed {
        /// At most [`SEED_USERS_MAX`] users. `None` means the seed's users, whose passwords are
        /// public.
        users: Option<Vec<NewUser>>,
    },
    /// List the users, sorted by name, as many as fit into a reply.
    UserList {
        /// Continue after this name.
        after: Option<UserName>,
    },
    /// Show everything known about a user.
    UserShow {
        /// The user.
        name: UserName,
    },
    /// Set a user's password and end all of the user's sessions.
    UserPasswd {
        /// The user.
        name: UserName,
        /// The new password.
        password: Secret,
    },
    /// Disable a user: end all sessions and refuse new ones.
    UserDisable {
        /// The user.
        name: UserName,
    },
    /// Allow a disabled user to log in again.
    UserEnable {
        /// The user.
        name: UserName,
    },
    /// Rename a user.
    UserRename {
        /// The current name.
        name: UserName,
        /// The new name.
        to: UserName,
    },
    /// Delete a user, except for the name and the messages.
    UserDelete {
        /// The user.
        name: UserName,
    },
    /// Remove a deleted user without messages, so that the name is free again.
    UserRemove {
        /// The user.
        name: UserName,
    },
    /// List the sessions, oldest first, as many as fit into a reply.
    SessionList {
        /// The user. `None` means all users.
        user: Option<UserName>,
        /// Continue after this session.
        after: Option<SessionId>,
    },
    /// List the rooms, sorted by name, as many as fit into a reply.
    RoomList {
        /// Continue after this name.
        after: Option<RoomName>,
    },
    /// Show a room.
    RoomShow {
        /// The room.
        room: RoomName,
    },
    /// List the members of a room, sorted by name, as many as fit into a reply.
    RoomMembers {
        /// The room.
        room: RoomName,
        /// Continue after this name.
        after: Option<UserName>,
    },
    /// Create a room without members.
    RoomCreate {
        /// The room.
        create: RoomCreate,
    },
    /// Make the room of everybody, and every user a member of it.
    RoomEverybody,
    /// Make a user a member of a room, or give a member another role.
    RoomAdd {
        /// The room.
        room: RoomName,
        /// The user.
        user: UserName,
        /// The role.
        role: Role,
    },
    /// Remove a member from a room, or an invitation.
    RoomRemove {
        /// The room.
        room: RoomName,
        /// The user.
        user: UserName,
    },
    /// Change a room's settings.
    RoomSet {
        /// The room, and what to change.
        set: RoomSet,
    },
    /// Archive a room, or open it again.
    RoomArchive {
        /// The room, and whether to archive it.
        archive: RoomArchive,
    },
    /// Create a user without a password, for a program.
    BotAdd {
        /// The name that the program has.
        name: UserName,
        /// The name that people use for it.
        display_name: DisplayName,
    },
    /// Make an access token.
    TokenCreate {
        /// Its user.
        user: UserName,
        /// The token.
        create: TokenCreate,
    },
    /// List the access tokens, oldest first, as many as fit into a reply.
    TokenList {
        /// The user. `None` means all users.
        user: Option<UserName>,
        /// Continue after this token.
        after: Option<AccessTokenId>,
    },
    /// Revoke access tokens.
    TokenRevoke {
        /// Their user.
        user: UserName,
        /// The token of this name. `None` means all.
        name: Option<AccessTokenName>,
    },
    /// Make an invitation by link.
    Invite {
        /// The invitation.
        invite: Invite,
    },
    /// List the invitations that are open, and those that were used of late, oldest first, as many
    /// as fit into a reply.
    InvitationList {
        /// Continue after this one.
        after: Option<InvitationId>,
    },
    /// Revoke open invitations.
    InvitationRevoke {
        /// Which.
        which: RevokedInvitations,
    },
    /// End sessions.
    SessionRevoke {
        /// The sessions to end.
        sessions: Sessions,
    },
    /// Name the database that the server serves.
    Database,
    /// Report the figures of the database.
    Stats,
    /// Write a value durably, and read it back.
    Probe,
    /// Delete a message as its author can. Its text stays in the database until a purge.
    MessageDelete {
        /// The message.
        id: MessageId,
    },
    /// Carry out one step of a purge: examine the next messages and delete the matching ones.
    MessagePurge {
        /// The messages to delete.
        purge: Purge,
        /// Continue after this id.
        after: MessageId,
        /// Only count the messages.
        dry_run: bool,
    },
    /// Carry out steps of an import in order, up to the first that fails.
    Import {
        /// At most 256 steps.
        steps: Vec<Step>,
    },
    /// Rebuild one part of the derived data: the lowest unused id, deliveries, keys, an index or a
    /// view.
    Rebuild {
        /// The number of the part, from 0 on.
        part: usize,
    },
    /// After a purge, remove its remains from the WAL and from unused pages of the file.
    PurgeRemains {
        /// Whether to compact the file.
        compact: Compact,
    },
}

/// An invitation by link to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The name of the account. `None`: the person chooses one.
    pub user: Option<UserName>,
    /// The rooms that the account joins, at most [`INVITATION_ROOMS_MAX`].
    pub rooms: Vec<RoomName>,
    /// How long it is open, in seconds.
    pub expires_in: u64,
}

/// A selection of open invitations.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedInvitations {
    /// The one with this number.
    Only(InvitationId),
    /// All.
    All,
}

/// A selection of sessions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sessions {
    /// The session with this number.
    Only(SessionId),
    /// All sessions of this user.
    Of(UserName),
    /// All sessions of all users.
    All,
}

/// A user to create, in the format of `seed/users.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The name that the user logs in with.
    pub name: UserName,
    /// The name that people use for the user.
    pub display_name: DisplayName,
    /// The password that the user logs in with.
    pub password: Secret,
}

/// A password in a request. Its `Debug` output hides it.
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
