//! Rooms: their settings, their members, and the rules that every engine applies.
//!
//! A membership is an interval of the message log. It begins after the newest message at joining,
//! and ends with the newest message at leaving. Neither changes afterwards. So the ids of messages
//! decide for ever what a member may read, and [`may_read`] is the one place that decides it. Of
//! that, a reader does not see the messages of users whom they block: see [`Blocks::hide`].

use crate::model::{
    History, MailboxId, MessageId, Notify, Posting, Role, RoomId, RoomName, Timestamp, Topic,
    UserId, UserName,
};
use crate::store::operation::{Party, Read, Write};
use crate::store::types::blocks::Blocks;

/// The most rooms of which a user is a member at a time.
pub const ROOMS_OF_USER_MAX: usize = if cfg!(test) { 8 } else { 1_024 };
/// The most memberships that a user may have had, those that are over included.
pub const MEMBERSHIPS_OF_USER_MAX: usize = if cfg!(test) { 64 } else { 8_192 };
/// The most rooms.
pub const ROOMS_MAX: usize = if cfg!(test) { 12 } else { 100_000 };

/// Who requests something of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A user.
    User(UserId),
    /// An operator, who may do everything.
    Operator,
}

impl Actor {
    /// The user; `None` for an operator.
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Operator => None,
        }
    }
}

/// Creates a room. A user who creates one is its owner and first member. Durable when the answer
/// comes.
#[derive(Debug, Clone)]
pub struct CreateRoom {
    /// Who creates it.
    pub actor: Actor,
    /// The name. A taken one is refused, and so is that of a room the user cannot see.
    pub name: RoomName,
    /// The settings.
    pub settings: RoomSettings,
}

impl Write for CreateRoom {
    type Answer = RoomAnswer<RoomChanged>;
}

/// Makes the room [`RoomName::of_everybody`], of which every user is a member who is not deleted, and
/// every new one from then on. Only moderators post there, and a new member reads what comes after
/// joining. A room of an older database that has the name becomes it, public and with no roles; its
/// messages stay with those who could read them. Done again, it makes those members who should be.
/// Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct CreateRoomOfEverybody;

impl Write for CreateRoomOfEverybody {
    type Answer = RoomAnswer<RoomChanged>;
}

/// The settings of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomSettings {
    /// What it is about.
    pub topic: Topic,
    /// Only invited users can join and see it.
    pub is_private: bool,
    /// Which members may post.
    pub posting: Posting,
    /// What a new member may read.
    pub history: History,
}

/// Makes a user a member. A member stays what they are. Uses up the invitation. Durable when the
/// answer comes.
#[derive(Debug, Clone)]
pub struct JoinRoom {
    /// The room.
    pub room: RoomName,
    /// Who joins.
    pub joining: Joining,
}

/// Who joins a room.
#[derive(Debug, Clone)]
pub enum Joining {
    /// The user themselves.
    Oneself(UserId),
    /// A user whom an operator adds, or whose role an operator changes.
    Added(UserName, Role),
}

impl Write for JoinRoom {
    type Answer = RoomAnswer<RoomChanged>;
}

/// Ends the user's membership. The last member archives the room by leaving. Durable when the
/// answer comes.
#[derive(Debug, Clone)]
pub struct LeaveRoom {
    /// The member.
    pub user: UserId,
    /// The room.
    pub room: RoomName,
    /// A member who becomes an owner first.
    pub owner: Option<UserName>,
}

impl Write for LeaveRoom {
    type Answer = RoomAnswer<RoomChanged>;
}

/// Invites users. The answer's `users` are those who are invited now; members are left out.
/// Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct InviteToRoom {
    /// Who invites.
    pub actor: Actor,
    /// The room.
    pub room: RoomName,
    /// The users.
    pub users: Vec<UserName>,
}

impl Write for InviteToRoom {
    type Answer = RoomAnswer<Vec<UserName>>;
}

/// Ends a user's membership and invitation. A user who has neither is no error. Whoever removes the
/// last member archives the room. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct KickFromRoom {
    /// Who removes the member.
    pub actor: Actor,
    /// The room.
    pub room: RoomName,
    /// The member.
    pub user: UserName,
}

impl Write for KickFromRoom {
    type Answer = RoomAnswer<RoomChanged>;
}

/// Changes what is `Some`, all or nothing. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct SetRoom {
    /// Who changes it.
    pub actor: Actor,
    /// The room.
    pub room: RoomName,
    /// What it is about.
    pub topic: Option<Topic>,
    /// Whether only invited users can join and see it.
    pub is_private: Option<bool>,
    /// Which members may post.
    pub posting: Option<Posting>,
    /// What a new member may read. Members keep what they may read.
    pub history: Option<History>,
    /// The new role of a member.
    pub role: Option<(UserName, Role)>,
    /// Which messages count as unread for the actor, who must be a member.
    pub notify: Option<Notify>,
}

impl Write for SetRoom {
    type Answer = RoomAnswer<RoomChanged>;
}

/// Archives a room, or opens it again. An archived room takes no posts, members or invitations; its
/// members can read it. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct ArchiveRoom {
    /// Who archives it.
    pub actor: Actor,
    /// The room.
    pub room: RoomName,
    /// Whether it is archived from now on.
    pub archived: bool,
}

impl Write for ArchiveRoom {
    type Answer = RoomAnswer<RoomChanged>;
}

/// The answer to an operation on a room.
pub type RoomAnswer<T> = Result<T, RoomRefused>;

/// Returns from an operation with a refusal, which is no error of the database.
macro_rules! allowed {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(refused) => return Ok(Err(refused)),
        }
    };
}
pub(in crate::store) use allowed;

/// Why an operation on a room was refused. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomRefused {
    /// There is no such room, or the actor cannot see it.
    Unknown,
    /// The name is taken.
    Exists,
    /// The actor sees the room, but may not do this.
    NotAllowed,
    /// Other members are left, and none of them is an owner.
    LastOwner,
    /// The room is archived.
    Archived,
    /// The room is that of everybody: it is never left, private or archived.
    OfEverybody,
    /// A user has the name that is reserved beside the room of everybody.
    ReservedName(UserName),
    /// The user would be in more than [`ROOMS_OF_USER_MAX`] rooms.
    TooManyOfUser,
    /// The user would have had more than [`MEMBERSHIPS_OF_USER_MAX`] memberships.
    TooManyMemberships,
    /// There are as many rooms as there may be.
    TooManyInAll,
    /// No users have these names, or the user who should get a role is not a member.
    UnknownUsers(Vec<UserName>),
}

/// Whether a user who is in `now` rooms, and has had `ever` memberships, may begin another.
pub fn may_begin_another(now: usize, ever: usize) -> RoomAnswer<()> {
    match () {
        () if now >= ROOMS_OF_USER_MAX => Err(RoomRefused::TooManyOfUser),
        () if ever >= MEMBERSHIPS_OF_USER_MAX => Err(RoomRefused::TooManyMemberships),
        () => Ok(()),
    }
}

/// A room after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomChanged {
    /// The room, as the actor sees it.
    pub room: Room,
    /// The users whose streams must look again: what they get has changed.
    pub touched: Vec<UserId>,
}

/// A room as a user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The number.
    pub id: RoomId,
    /// The name.
    pub name: RoomName,
    /// The settings.
    pub settings: RoomSettings,
    /// Every user is a member, for ever.
    pub is_of_everybody: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
    /// How many members it has.
    pub members: u64,
    /// The user's role and setting, for a member.
    pub own: Option<(Role, Notify)>,
    /// The user is invited.
    pub is_invited: bool,
}

/// Lists rooms in the order of their names: the public ones, and the private ones that the user is
/// in or invited to. An operator sees all. The answer has at most `max` rooms, and whether there
/// are more.
pub struct ListRooms {
    /// Who asks.
    pub actor: Actor,
    /// Only names after this one.
    pub after: Option<RoomName>,
    /// The maximum number of rooms.
    pub max: usize,
    /// Only rooms that the user is in or invited to.
    pub mine: bool,
}

impl Read for ListRooms {
    type Answer = (Vec<Room>, bool);

    fn party(&self) -> Party {
        self.actor.user()
    }
}

/// Looks up a room. `None` if there is none or the actor cannot see it.
pub struct FindRoom {
    /// Who asks.
    pub actor: Actor,
    /// The room.
    pub name: RoomName,
}

impl Read for FindRoom {
    type Answer = Option<Room>;

    fn party(&self) -> Party {
        self.actor.user()
    }
}

/// Lists the members of a room in the order of their names, for whoever sees it. Only members are
/// told when others joined.
pub struct ListMembers {
    /// Who asks.
    pub actor: Actor,
    /// The room.
    pub room: RoomName,
    /// Only names after this one.
    pub after: Option<UserName>,
    /// The maximum number of members.
    pub max: usize,
}

impl Read for ListMembers {
    type Answer = RoomAnswer<(Vec<Member>, bool)>;

    fn party(&self) -> Party {
        self.actor.user()
    }
}

/// One member of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name.
    pub name: UserName,
    /// The name for people.
    pub display_name: String,
    /// The role.
    pub role: Role,
    /// The newest message at joining, if the asker may know it.
    pub joined_after: Option<MessageId>,
}

/// What is known of a room and of the actor's place in it. From this, every engine decides in the
/// same way what the actor may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Place {
    pub(in crate::store) is_operator: bool,
    /// The actor's role now; `None` if they are not a member.
    pub(in crate::store) role: Option<Role>,
    pub(in crate::store) is_invited: bool,
    pub(in crate::store) is_private: bool,
    pub(in crate::store) posting: Posting,
    pub(in crate::store) is_archived: bool,
    pub(in crate::store) is_of_everybody: bool,
}

/// What an actor requests, as far as the rules need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Act {
    /// To list the members.
    ListMembers,
    /// To post.
    Post,
    /// To become a member.
    Join,
    /// To invite users.
    Invite,
    /// To remove somebody who has this role, or is no member.
    Kick(Option<Role>),
    /// To change the topic.
    SetTopic,
    /// To change other settings or roles.
    Administer,
    /// To make the room private, to archive it.
    Close,
    /// To change the actor's own setting.
    OwnMembership,
    /// To leave.
    Leave,
}

impl Place {
    /// Whether the actor may do this.
    pub(in crate::store) fn may(&self, act: Act) -> Result<(), RoomRefused> {
        if !self.sees() {
            return Err(RoomRefused::Unknown);
        }
        let is_allowed = match act {
            // An invited user sees the room, not its members.
            Act::ListMembers => !self.is_private || self.is_at_least(Role::Member),
            Act::Post => match self.posting {
                Posting::Members => self.role.is_some(),
                Posting::Moderators => self.role >= Some(Role::Moderator),
            },
            Act::Join => self.is_operator || !self.is_private || self.is_invited,
            Act::Invite if self.is_private => self.is_at_least(Role::Moderator),
            Act::Invite => self.is_at_least(Role::Member),
            Act::Kick(of) => {
                self.is_operator || self.role >= Some(Role::Moderator) && of < self.role
            }
            Act::SetTopic => self.is_at_least(Role::Moderator),
            Act::Administer | Act::Close => self.is_at_least(Role::Owner),
            Act::OwnMembership | Act::Leave => self.role.is_some(),
        };
        if !is_allowed {
            return Err(RoomRefused::NotAllowed);
        }
        match act {
            Act::Kick(_) | Act::Close | Act::Leave if self.is_of_everybody => {
                Err(RoomRefused::OfEverybody)
            }
            Act::Post | Act::Join | Act::Invite if self.is_archived => Err(RoomRefused::Archived),
            _ => Ok(()),
        }
    }

    /// Whether the room exists for the actor. A private room exists only for its members and for
    /// invited users. A former member still reads what they were sent.
    pub(in crate::store) fn sees(&self) -> bool {
        !self.is_private || self.is_operator || self.role.is_some() || self.is_invited
    }

    fn is_at_least(&self, role: Role) -> bool {
        self.is_operator || self.role >= Some(role)
    }
}

/// Who is in a room beside a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Others {
    pub(in crate::store) has_member: bool,
    pub(in crate::store) has_owner: bool,
}

/// Whether a member of this role may leave: an owner only if the others have one or there are none,
/// or after naming one. `others` is asked only if it matters, because it may read all members.
pub(in crate::store) fn may_leave<E>(
    role: Option<Role>,
    names_owner: bool,
    others: impl FnOnce() -> Result<Others, E>,
) -> Result<RoomAnswer<()>, E> {
    if role != Some(Role::Owner) || names_owner {
        return Ok(Ok(()));
    }
    let others = others()?;
    let is_allowed = others.has_owner || !others.has_member;
    Ok(if is_allowed { Ok(()) } else { Err(RoomRefused::LastOwner) })
}

/// Whether a member may get this role. Only an operator may leave a room without an owner. For
/// `others`, see [`may_leave`].
pub(in crate::store) fn may_get_role<E>(
    actor: Actor,
    role: Role,
    others: impl FnOnce() -> Result<Others, E>,
) -> Result<RoomAnswer<()>, E> {
    let is_allowed = actor == Actor::Operator || role == Role::Owner || others()?.has_owner;
    Ok(if is_allowed { Ok(()) } else { Err(RoomRefused::LastOwner) })
}

/// What a membership lets its user read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Membership {
    pub(in crate::store) room: RoomId,
    /// The newest message when the user joined.
    pub(in crate::store) joined_after: MessageId,
    /// The user reads what comes after this one.
    pub(in crate::store) sees_after: MessageId,
    /// The newest message when the user left.
    pub(in crate::store) left_upto: Option<MessageId>,
    pub(in crate::store) notify: Notify,
}

impl Membership {
    /// The interval of the message log that a new membership lets its user read.
    pub(in crate::store) fn sees_after(newest: MessageId, history: History) -> MessageId {
        match history {
            History::All => MessageId::ZERO,
            History::Joined => newest,
        }
    }
}

/// Which messages of a room are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All that the reader may read: what a history shows.
    All,
    /// Those of others that arrived while the reader was a member: what counts as unread and is
    /// pushed.
    Incoming {
        /// Those of muted rooms, too.
        muted: bool,
    },
}

/// A part of a room's messages that a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct RoomPart {
    pub(in crate::store) room: RoomId,
    /// Intervals of the message log, in order and apart: after the first id, up to and including
    /// the second.
    pub(in crate::store) ranges: Vec<(MessageId, MessageId)>,
    /// Only messages that mention the reader.
    pub(in crate::store) only_mentions: bool,
}

impl RoomPart {
    /// Whether a message with this id is in one of the intervals.
    pub(in crate::store) fn has(&self, id: MessageId) -> bool {
        let place = self.ranges.partition_point(|&(_, upto)| upto < id);
        self.ranges.get(place).is_some_and(|&(after, _)| after < id)
    }
}

/// What a reader gets of rooms, from all their memberships. This is the one place that decides what
/// a member may read.
pub(in crate::store) fn may_read(memberships: &[Membership], wanted: Wanted) -> Vec<RoomPart> {
    let mut sorted: Vec<&Membership> = memberships.iter().collect();
    sorted.sort_unstable_by_key(|membership| (membership.room, membership.joined_after));
    let mut parts = Vec::new();
    for of_room in sorted.chunk_by(|one, other| one.room == other.room) {
        // The setting of the newest membership counts.
        let (room, notify) = (of_room[0].room, of_room[of_room.len() - 1].notify);
        let only_mentions = match (wanted, notify) {
            (Wanted::Incoming { muted: false }, Notify::None) => continue,
            (Wanted::Incoming { muted: false }, Notify::Mentions) => true,
            _ => false,
        };
        let range = |membership: &&Membership| {
            let after = match wanted {
                Wanted::All => membership.sees_after,
                Wanted::Incoming { .. } => membership.joined_after,
            };
            (after, membership.left_upto.unwrap_or(MessageId(i64::MAX)))
        };
        let ranges = merge(of_room.iter().map(range).collect());
        if !ranges.is_empty() {
            parts.push(RoomPart { room, ranges, only_mentions });
        }
    }
    parts
}

/// Merges intervals that overlap or touch, and drops empty ones.
pub(in crate::store) fn merge(
    mut ranges: Vec<(MessageId, MessageId)>,
) -> Vec<(MessageId, MessageId)> {
    ranges.retain(|(after, upto)| after < upto);
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let touches = next.0 <= kept.1;
        if touches {
            kept.1 = kept.1.max(next.1);
        }
        touches
    });
    ranges
}

/// The number of a room for a reader of its messages. `found` is the reader's place in it, if there
/// is such a room. A user who has left still reads what came before.
pub(in crate::store) fn readable(
    found: Option<(RoomId, Place)>,
    memberships: &[Membership],
) -> Result<RoomId, Unreadable> {
    let Some((room, place)) = found else { return Err(Unreadable::Unknown) };
    match memberships.iter().any(|membership| membership.room == room) {
        true => Ok(room),
        false if place.sees() => Err(Unreadable::NotAMember),
        false => Err(Unreadable::Unknown),
    }
}

/// Why there is no page of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no user or room of this name, or the reader cannot see the room.
    Unknown,
    /// The reader sees the room, but was never a member.
    NotAMember,
}

/// The rooms whose new messages a stream gets, beside the reader's own mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRooms {
    /// The reader's name, for mentions. `None` if there are no rooms.
    pub(in crate::store) reader: Option<UserName>,
    /// The rooms.
    pub(in crate::store) rooms: Vec<LiveRoom>,
    /// What the reader gets of rooms that they left ends with this message.
    pub(in crate::store) left_upto: MessageId,
    /// Whose messages the reader does not see there.
    pub(in crate::store) blocks: Blocks,
}

/// A room of [`LiveRooms`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct LiveRoom {
    /// Its mailbox.
    pub(in crate::store) mailbox: MailboxId,
    /// The reader gets the messages after this one.
    pub(in crate::store) after: MessageId,
    /// Only messages that mention the reader.
    pub(in crate::store) only_mentions: bool,
}

impl Default for LiveRooms {
    fn default() -> Self {
        let (rooms, left_upto) = (Vec::new(), MessageId::ZERO);
        Self { reader: None, rooms, left_upto, blocks: Blocks::default() }
    }
}

impl LiveRooms {
    /// What a stream of `reader` follows. `parts` are those of [`Wanted::Incoming`].
    pub(in crate::store) fn of(reader: &UserName, parts: &[RoomPart], blocks: &Blocks) -> Self {
        let mut live = Self::default();
        for part in parts {
            for &(after, upto) in &part.ranges {
                if upto == MessageId(i64::MAX) {
                    let (mailbox, only_mentions) = (part.room.into(), part.only_mentions);
                    live.rooms.push(LiveRoom { mailbox, after, only_mentions });
                } else {
                    live.left_upto = live.left_upto.max(upto);
                }
            }
        }
        if !live.rooms.is_empty() {
            (live.reader, live.blocks) = (Some(reader.clone()), blocks.clone());
        }
        live
    }

    /// The mailboxes of the rooms.
    pub fn mailboxes(&self) -> impl Iterator<Item = MailboxId> {
        self.rooms.iter().map(|room| room.mailbox)
    }
}
