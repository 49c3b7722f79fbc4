//! The verbs of rooms: their JSON arguments, and the fields of their replies.

use serde::{Deserialize, Serialize};

use super::arguments::bad_argument;
use super::json;
use super::refusal::Refusal;
use super::verb::Verb;
use crate::model::{
    History, MessageId, Notify, Posting, Role, RoomName, Timestamp, Topic, UserName,
};

/// The most rooms of one `rooms`, and how many there are without `limit`.
pub const ROOMS_MAX: usize = 1000;
/// The most members of one `room_members`, and how many there are without `limit`.
pub const MEMBERS_MAX: usize = 1000;
/// The most users of one `room_invite`.
pub const INVITED_MAX: usize = 100;

/// A request about rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomAction {
    /// `rooms TOKEN {json}`
    List(RoomsAfter),
    /// `room TOKEN {json}`
    Show(OfRoom),
    /// `room_create TOKEN {json}`
    Create(RoomCreate),
    /// `room_join TOKEN {json}`
    Join(OfRoom),
    /// `room_leave TOKEN {json}`
    Leave(RoomLeave),
    /// `room_invite TOKEN {json}`
    Invite(RoomInvite),
    /// `room_kick TOKEN {json}`
    Kick(RoomKick),
    /// `room_members TOKEN {json}`
    Members(MembersAfter),
    /// `room_set TOKEN {json}`
    Set(RoomSet),
    /// `room_archive TOKEN {json}`
    Archive(RoomArchive),
}

impl RoomAction {
    /// The verb.
    pub fn verb(&self) -> Verb {
        match self {
            Self::List(_) => Verb::Rooms,
            Self::Show(_) => Verb::Room,
            Self::Create(_) => Verb::RoomCreate,
            Self::Join(_) => Verb::RoomJoin,
            Self::Leave(_) => Verb::RoomLeave,
            Self::Invite(_) => Verb::RoomInvite,
            Self::Kick(_) => Verb::RoomKick,
            Self::Members(_) => Verb::RoomMembers,
            Self::Set(_) => Verb::RoomSet,
            Self::Archive(_) => Verb::RoomArchive,
        }
    }

    /// Refuses values that are out of bounds.
    pub(super) fn check(self) -> Result<Self, Refusal> {
        let too_many = |field: &str, max: usize| bad_argument(format!("{field}: give 1 to {max}"));
        match &self {
            Self::List(list) if !(1..=ROOMS_MAX).contains(&list.limit) => {
                Err(too_many("limit", ROOMS_MAX))
            }
            Self::Members(list) if !(1..=MEMBERS_MAX).contains(&list.limit) => {
                Err(too_many("limit", MEMBERS_MAX))
            }
            Self::Invite(invite) if !(1..=INVITED_MAX).contains(&invite.users.len()) => {
                Err(bad_argument(format!("users: give 1 to {INVITED_MAX} user names")))
            }
            Self::Set(set) if set.is_empty() => Err(bad_argument(
                "give at least one of topic, private, posting, history, role and notify",
            )),
            _ => Ok(self),
        }
    }

    /// The arguments as JSON.
    pub(super) fn encode(&self) -> String {
        match self {
            Self::List(fields) => json::to_string(fields),
            Self::Show(fields) | Self::Join(fields) => json::to_string(fields),
            Self::Create(fields) => json::to_string(fields),
            Self::Leave(fields) => json::to_string(fields),
            Self::Invite(fields) => json::to_string(fields),
            Self::Kick(fields) => json::to_string(fields),
            Self::Members(fields) => json::to_string(fields),
            Self::Set(fields) => json::to_string(fields),
            Self::Archive(fields) => json::to_string(fields),
        }
    }
}

/// Selects the rooms to list, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoomsAfter {
    /// Only names after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RoomName>,
    /// The most rooms to return: 1 to [`ROOMS_MAX`].
    #[serde(default = "rooms_max")]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = ROOMS_MAX)))]
    pub limit: usize,
    /// Only rooms that the user is a member of, or invited to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mine: bool,
}

fn rooms_max() -> usize {
    ROOMS_MAX
}

/// Names a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OfRoom {
    /// The room.
    pub room: RoomName,
}

/// Creates a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoomCreate {
    /// The name.
    pub room: RoomName,
    /// What it is about.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub topic: Topic,
    /// Only invited users can join it, and nobody else sees it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// Which members may post.
    #[serde(default)]
    pub posting: Posting,
    /// What a new member may read.
    #[serde(default)]
    pub history: History,
}

fn is_empty(topic: &Topic) -> bool {
    topic.as_str().is_empty()
}

/// Leaves a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoomLeave {
    /// The room.
    pub room: RoomName,
    /// A member who becomes an owner first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserName>,
}

/// Invites users to a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoomInvite {
    /// The room.
    pub room: RoomName,
    /// The users: 1 to [`INVITED_MAX`].
    #[cfg_attr(feature = "http", schemars(length(min = 1, max = INVITED_MAX)))]
    pub users: Vec<UserName>,
}

/// Removes a member from a room, or an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoomKick {
    /// The room.
    pub room: RoomName,
    /// The member.
    pub user: UserName,
}

/// Selects the members to list, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MembersAfter {
    /// The room.
    pub room: RoomName,
    /// Only names after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<UserName>,
    /// The most members to return: 1 to [`MEMBERS_MAX`].
    #[serde(default = "members_max")]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = MEMBERS_MAX)))]
    pub limit: usize,
}

fn members_max() -> usize {
    MEMBERS_MAX
}

/// Changes the settings of a room, or the user's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoomSet {
    /// The room.
    pub room: RoomName,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// Whether only invited users can join and see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
    /// Which members may post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posting: Option<Posting>,
    /// What a new member may read. Members keep what they may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// The new role of a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleOf>,
    /// Which messages count as unread for the user of this session, and are pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
}

impl RoomSet {
    /// A request that changes nothing yet.
    pub fn of(room: RoomName) -> Self {
        let (topic, private, posting, history) = (None, None, None, None);
        Self { room, topic, private, posting, history, role: None, notify: None }
    }

    fn is_empty(&self) -> bool {
        *self == Self::of(self.room.clone())
    }
}

/// A member's role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleOf {
    /// The member.
    pub user: UserName,
    /// The role.
    pub role: Role,
}

/// Archives a room, or opens it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoomArchive {
    /// The room.
    pub room: RoomName,
    /// Whether it is archived from now on.
    #[serde(default = "yes")]
    pub archived: bool,
}

fn yes() -> bool {
    true
}

/// The reply to a request about rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RoomReply {
    /// To `rooms`.
    List(RoomList),
    /// To `room`, `room_create`, `room_join`, `room_set` and `room_archive`.
    Room(RoomInfo),
    /// To `room_leave`.
    Left(RoomLeft),
    /// To `room_invite`.
    Invited(RoomInvited),
    /// To `room_kick`.
    Kicked(RoomKicked),
    /// To `room_members`.
    Members(MemberList),
}

/// Rooms, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct RoomList {
    /// Some rooms.
    pub rooms: Vec<RoomInfo>,
    /// There are more rooms, after the last of these.
    pub more: bool,
}

/// One room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct RoomInfo {
    /// The name.
    pub room: RoomName,
    /// What it is about.
    pub topic: Topic,
    /// Only invited users can join and see it.
    pub private: bool,
    /// Which members may post.
    pub posting: Posting,
    /// What a new member may read.
    pub history: History,
    /// When it was created.
    pub created: Timestamp,
    /// How many members it has.
    pub members: u64,
    /// When it was archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<Timestamp>,
    /// The user's role, for a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Which messages count as unread for the user, for a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// The user is invited and has not joined yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invited: bool,
    /// Every user is a member, and nobody can leave.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everybody: bool,
}

/// The user is no longer a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct RoomLeft {
    /// The room.
    pub room: RoomName,
    /// Always `true`.
    pub left: bool,
}

/// The users are invited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct RoomInvited {
    /// The room.
    pub room: RoomName,
    /// The users who are invited now. Members are left out.
    pub invited: Vec<UserName>,
}

/// The user is neither a member nor invited any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct RoomKicked {
    /// The room.
    pub room: RoomName,
    /// The user.
    pub kicked: UserName,
}

/// Members of a room, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct MemberList {
    /// Some members.
    pub members: Vec<MemberInfo>,
    /// There are more members, after the last of these.
    pub more: bool,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct MemberInfo {
    /// The name.
    pub user: UserName,
    /// The name that people use for the user.
    pub display_name: String,
    /// The role.
    pub role: Role,
    /// The newest message in the message log when the user joined. Only members of the room see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<MessageId>,
}
