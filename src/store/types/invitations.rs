//! Invitations by link: a person who has the secret of one makes an account. The store has the
//! hashes of the secrets only.

use std::time::Duration;

use crate::model::{InvitationId, RoomName, Timestamp, TokenHash, UserId, UserName};
use crate::store::operation::{Read, Write};
use crate::store::types::users::NewUser;

/// The most invitations that are open at a time.
pub const INVITATIONS_MAX: usize = 10_000;

/// A used invitation stays for this long at least, so that a repeated request finds out that it was
/// carried out.
pub const USED_INVITATION_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes an invitation. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct CreateInvitation {
    /// The hash of the secret.
    pub hash: TokenHash,
    /// The name of the account. `None`: the person chooses one.
    pub name: Option<UserName>,
    /// The rooms that the account joins.
    pub rooms: Vec<RoomName>,
    /// The time. An engine that several servers share takes its own clock.
    pub now: Timestamp,
    /// How long it is open.
    pub lifetime: Duration,
}

impl Write for CreateInvitation {
    type Answer = CreatedInvitation;
}

/// The result of [`CreateInvitation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreatedInvitation {
    /// It is there.
    Yes {
        /// Its number.
        id: InvitationId,
        /// When it expires.
        expires_at: Timestamp,
    },
    /// Nothing was done: there is, or was, a user of this name.
    NameTaken,
    /// Nothing was done: there are [`INVITATIONS_MAX`] open ones.
    TooMany,
    /// Nothing was done: there are no such rooms, or they are archived.
    UnknownRooms(Vec<RoomName>),
}

/// Looks up an invitation by the hash of its secret. One that was revoked, or has expired without
/// being used, is not found.
pub struct FindInvitation {
    /// The hash of the secret.
    pub hash: TokenHash,
    /// The name that the account would get, to learn whether it is free.
    pub name: Option<UserName>,
    /// The time, as for [`CreateInvitation::now`].
    pub now: Timestamp,
}

impl Read for FindInvitation {
    type Answer = Option<Invitation>;
}

/// An invitation that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The name of the account, if the person does not choose it.
    pub name: Option<UserName>,
    /// The rooms that the account joins. One that is archived now is left out.
    pub rooms: Vec<RoomName>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The user who has accepted it.
    pub used_by: Option<UserId>,
    /// Whether there is, or was, a user of the name: the invitation's, else the one asked for.
    pub name_is_taken: bool,
}

/// Makes the account of an open invitation, and its user a member of the rooms, in one transaction.
/// A database that was never seeded will not be seeded afterwards. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct AcceptInvitation {
    /// The hash of the secret.
    pub hash: TokenHash,
    /// The user to create.
    pub user: NewUser,
    /// The time, as for [`CreateInvitation::now`].
    pub now: Timestamp,
}

impl Write for AcceptInvitation {
    type Answer = AcceptedInvitation;
}

/// The result of [`AcceptInvitation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptedInvitation {
    /// The user is there.
    Yes {
        /// The user.
        user: UserId,
        /// The rooms that the user has joined. One that is archived was left out.
        rooms: Vec<RoomName>,
    },
    /// Nothing was done: there is no such invitation, or it has expired, or is for another name.
    Unknown,
    /// Nothing was done: it was accepted before.
    Used,
    /// Nothing was done: there is, or was, a user of this name.
    NameTaken,
}

/// Lists the invitations that are open, and those that were used of late, oldest first. The answer
/// has at most `max`, and whether there are more.
pub struct ListInvitations {
    /// The list continues after this one.
    pub after: InvitationId,
    /// The maximum number.
    pub max: usize,
    /// The time, as for [`CreateInvitation::now`].
    pub now: Timestamp,
}

impl Read for ListInvitations {
    type Answer = (Vec<ListedInvitation>, bool);
}

/// An invitation in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedInvitation {
    /// Its number.
    pub id: InvitationId,
    /// The name of the account, if the person does not choose it.
    pub name: Option<UserName>,
    /// The rooms that the account joins.
    pub rooms: Vec<RoomName>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Who has accepted it, by the name of today, and when.
    pub used: Option<(UserName, Timestamp)>,
}

/// Revokes open invitations. The answer says how many there were. Durable when the answer comes.
#[derive(Debug, Clone, Copy)]
pub struct RevokeInvitations {
    /// The one with this number. `None` means all.
    pub id: Option<InvitationId>,
    /// The time, as for [`CreateInvitation::now`].
    pub now: Timestamp,
}

impl Write for RevokeInvitations {
    type Answer = usize;
}
