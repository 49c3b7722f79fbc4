//! Compares random histories of rooms with a model that knows no intervals: each message has the set
//! of the users who may read it, and a user who joins is added to those sets.

pub(super) mod blocks;
mod changes;
pub(super) mod conversations;
pub(super) mod everybody;
pub(super) mod marks;
pub(super) mod receipts;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use changes::{
    room_beyond_a_limit_is_refused_and_not_created, room_is_archived_when_its_last_member_is_gone,
};
use proptest::prelude::*;

use super::*;
use crate::model::{
    Details, History, MailboxId, Notify, Posting, Role, RoomId, RoomName, Timestamp, Topic,
    mentions,
};
use crate::store::types::rooms::{Membership, may_read};
use crate::store::{
    Actor, ArchiveRoom, CountUnread, CreateRoom, CreateRoomOfEverybody, FILTERED_MESSAGES_MAX,
    FindRoom, FindStart, InviteToRoom, JoinRoom, Joining, KickFromRoom, LeaveRoom, ListMembers,
    ListRooms, LiveInbox, ROOM_UNREAD_MAX, ROOMS_UNREAD_MAX, ReadThread, RoomRefused, RoomSettings,
    Searched, SetRoom, StreamStart, ThreadStart, UnreadFrom, Unreadable,
};

/// The first one can become the room of everybody.
const ROOMS: [&str; 2] = ["#all", "#build"];

/// One step of a history. Users are 0, 1 and 2; rooms are 0 and 1. A place is a percentage of the
/// newest id.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Create {
        user: usize,
        room: usize,
        is_private: bool,
        is_joined_only: bool,
    },
    Join {
        user: usize,
        room: usize,
    },
    Leave {
        user: usize,
        room: usize,
        owner: Option<usize>,
    },
    Invite {
        user: usize,
        room: usize,
        other: usize,
    },
    Kick {
        user: usize,
        room: usize,
        other: usize,
    },
    Set {
        user: usize,
        room: usize,
        other: usize,
        what: Setting,
    },
    Archive {
        user: usize,
        room: usize,
        archived: bool,
    },
    /// An operator makes the room of everybody, and gives a user a role there.
    Everybody {
        user: usize,
        role: Role,
    },
    /// Mailboxes below 3 are users, others rooms.
    Post {
        user: usize,
        to: Vec<usize>,
        text: usize,
        answers: Option<u8>,
        /// Whether the time has passed at which it expires, if it does.
        has_expired: Option<bool>,
    },
    Acknowledge {
        user: usize,
        place: u8,
    },
    /// Mailboxes below 3 are users, others rooms.
    Mark {
        user: usize,
        with: usize,
        place: u8,
    },
    Dead {
        user: usize,
        place: u8,
    },
    Purge {
        place: u8,
    },
    Rename {
        user: usize,
    },
    Receipts {
        user: usize,
        is_on: bool,
    },
    Block {
        user: usize,
        other: usize,
        is_blocked: bool,
    },
    /// Searches, before and after all messages are indexed.
    Search,
    Reopen,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Setting {
    Topic,
    Private(bool),
    Posting(Posting),
    History(History),
    Role(Role),
    Notify(Notify),
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (user, room) = (|| 0..USERS.len(), || 0..ROOMS.len());
    let setting = prop_oneof![
        Just(Setting::Topic),
        any::<bool>().prop_map(Setting::Private),
        prop::sample::select(Posting::ALL.to_vec()).prop_map(Setting::Posting),
        prop::sample::select(History::ALL.to_vec()).prop_map(Setting::History),
        prop::sample::select(Role::ALL.to_vec()).prop_map(Setting::Role),
        prop::sample::select(Notify::ALL.to_vec()).prop_map(Setting::Notify),
    ];
    let to = prop::collection::btree_set(
        prop_oneof![1 => 0..USERS.len(), 3 => USERS.len()..USERS.len() + ROOMS.len()],
        1..3,
    );
    let step = prop_oneof![
        2 => (user(), room(), any::<bool>(), any::<bool>()).prop_map(
            |(user, room, is_private, is_joined_only)| {
                Step::Create { user, room, is_private, is_joined_only }
            }
        ),
        5 => (user(), room()).prop_map(|(user, room)| Step::Join { user, room }),
        3 => (user(), room(), prop::option::of(user()))
            .prop_map(|(user, room, owner)| Step::Leave { user, room, owner }),
        3 => (user(), room(), user())
            .prop_map(|(user, room, other)| Step::Invite { user, room, other }),
        2 => (user(), room(), user())
            .prop_map(|(user, room, other)| Step::Kick { user, room, other }),
        4 => (user(), room(), user(), setting)
            .prop_map(|(user, room, other, what)| Step::Set { user, room, other, what }),
        1 => (user(), room(), prop::bool::weighted(0.3))
            .prop_map(|(user, room, archived)| Step::Archive { user, room, archived }),
        1 => (user(), prop::sample::select(Role::ALL.to_vec()))
            .prop_map(|(user, role)| Step::Everybody { user, role }),
        14 => (
            user(),
            to,
            0..4_usize,
            prop::option::weighted(0.2, 0..110_u8),
            prop::option::weighted(0.4, any::<bool>()),
        )
            .prop_map(|(user, to, text, answers, has_expired)| {
                Step::Post { user, to: to.into_iter().collect(), text, answers, has_expired }
            }),
        3 => (user(), 0..101_u8).prop_map(|(user, place)| Step::Acknowledge { user, place }),
        5 => (user(), 0..USERS.len() + ROOMS.len(), 0..120_u8)
            .prop_map(|(user, with, place)| Step::Mark { user, with, place }),
        2 => (user(), 0..101_u8).prop_map(|(user, place)| Step::Dead { user, place }),
        1 => (0..101_u8).prop_map(|place| Step::Purge { place }),
        1 => user().prop_map(|user| Step::Rename { user }),
        1 => (user(), prop::bool::weighted(0.6))
            .prop_map(|(user, is_on)| Step::Receipts { user, is_on }),
        3 => (user(), user(), prop::bool::weighted(0.7))
            .prop_map(|(user, other, is_blocked)| Step::Block { user, other, is_blocked }),
        1 => Just(Step::Search),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Debug, Clone)]
struct Sent {
    id: i64,
    from: usize,
    /// A user, or a room plus the number of users.
    to: usize,
    text: String,
    thread: i64,
    /// Who may read it.
    readers: BTreeSet<usize>,
    /// Who got it as a member, and has not muted it for good by leaving.
    receivers: BTreeSet<usize>,
    has_expired: bool,
}

#[derive(Debug, Clone, Default)]
struct Room {
    is_private: bool,
    posting: Posting,
    history: History,
    is_archived: bool,
    is_of_everybody: bool,
    members: BTreeMap<usize, Role>,
    invited: BTreeSet<usize>,
    /// The setting of each user's newest membership.
    notify: BTreeMap<usize, Notify>,
}

#[derive(Default)]
struct Model {
    sent: Vec<Sent>,
    newest: i64,
    names: Vec<String>,
    cursors: BTreeMap<usize, i64>,
    /// By the user and the conversation.
    marks: BTreeMap<(usize, usize), i64>,
    dead: BTreeSet<(usize, i64)>,
    /// Who has receipts off.
    without_receipts: BTreeSet<usize>,
    /// By the user who blocks and the other one, with the newest message then.
    blocks: BTreeMap<(usize, usize), i64>,
    rooms: BTreeMap<usize, Room>,
    renames: usize,
}

pub(super) fn check(open: Open, steps: &[Step]) {
    let Some(mut engine) = Engine::new(open) else { return };
    let mut model = Model { names: USERS.map(str::to_owned).into(), ..Model::default() };
    let mut streams = streams(&engine);
    for step in steps {
        if let Step::Reopen = step {
            streams.clear();
            engine.reopen();
            streams = self::streams(&engine);
        } else {
            model.take(&engine, step);
        }
        model.compare(&engine);
        for (user, stream) in streams.iter_mut().enumerate() {
            model.compare_stream(&engine, user, stream);
        }
    }
    streams.clear();
    engine.reopen();
    model.compare(&engine);
    for user in 0..USERS.len() {
        model.compare_receipts(&engine, user, model.sent.len());
    }
    model.compare_search(&engine);
}

/// What a connection that watches has: its place, and what is in memory for it.
struct Stream {
    after: i64,
    watched: LiveInbox,
}

fn streams(engine: &Engine) -> Vec<Stream> {
    let stream = |user| {
        let reader = number(user);
        let watched = engine.store().watch(reader);
        let (start, wanted) = (StreamStart::Newest, INCOMING);
        let as_of = watched.memberships();
        let found = engine.read(FindStart { reader, cursor: None, start, wanted }).unwrap();
        watched.follow(&found.rooms, as_of);
        Stream { after: found.after.0, watched }
    };
    (0..USERS.len()).map(stream).collect()
}

const INCOMING: Wanted = Wanted::Incoming { muted: false };

fn number(user: usize) -> UserId {
    UserId(user as i64 + 1)
}

fn room_name(room: usize) -> RoomName {
    ROOMS[room].parse().unwrap()
}

/// The result of an operation, without what the model does not know.
fn done<T>(answer: Result<Result<T, RoomRefused>, StoreError>) -> Result<(), RoomRefused> {
    answer.unwrap().map(drop)
}

impl Room {
    fn sees(&self, user: usize) -> bool {
        !self.is_private || self.members.contains_key(&user) || self.invited.contains(&user)
    }

    fn has_other_owner(&self, user: usize) -> bool {
        self.members.iter().any(|(&other, &role)| other != user && role == Role::Owner)
    }
}

impl Model {
    fn place(&self, part: u8) -> i64 {
        self.newest * i64::from(part) / 100
    }

    fn user_name(&self, user: usize) -> crate::model::UserName {
        self.names[user].parse().unwrap()
    }

    fn take(&mut self, engine: &Engine, step: &Step) {
        match *step {
            Step::Create { user, room, is_private, is_joined_only } => {
                let history = if is_joined_only { History::Joined } else { History::All };
                let settings = RoomSettings { is_private, history, ..RoomSettings::default() };
                let (actor, name) = (Actor::User(number(user)), room_name(room));
                let created = done(engine.write(CreateRoom { actor, name, settings }));
                if self.rooms.contains_key(&room) {
                    return assert_eq!(created, Err(RoomRefused::Exists));
                }
                assert_eq!(created, Ok(()));
                let mut new = Room { is_private, history, ..Room::default() };
                new.members.insert(user, Role::Owner);
                new.notify.insert(user, Notify::All);
                self.rooms.insert(room, new);
            }
            Step::Join { user, room } => {
                let joining = Joining::Oneself(number(user));
                let joined = done(engine.write(JoinRoom { room: room_name(room), joining }));
                assert_eq!(joined, self.join(user, room));
            }
            Step::Leave { user, room, owner } => {
                let name = owner.map(|owner| self.user_name(owner));
                let leave = LeaveRoom { user: number(user), room: room_name(room), owner: name };
                assert_eq!(done(engine.write(leave)), self.leave(user, room, owner));
            }
            Step::Invite { user, room, other } => {
                let users = vec![self.user_name(other)];
                let (actor, name) = (Actor::User(number(user)), room_name(room));
                let invited = done(engine.write(InviteToRoom { actor, room: name, users }));
                assert_eq!(invited, self.invite(user, room, other));
            }
            Step::Kick { user, room, other } => {
                let (actor, name) = (Actor::User(number(user)), room_name(room));
                let kick = KickFromRoom { actor, room: name, user: self.user_name(other) };
                assert_eq!(done(engine.write(kick)), self.kick(user, room, other));
            }
            Step::Set { user, room, other, what } => {
                let set = self.setting(user, room, other, what);
                assert_eq!(done(engine.write(set)), self.set(user, room, other, what));
            }
            Step::Archive { user, room, archived } => {
                let actor = Actor::User(number(user));
                let archive = ArchiveRoom { actor, room: room_name(room), archived };
                assert_eq!(done(engine.write(archive)), self.archive(user, room, archived));
            }
            Step::Everybody { user, role } => {
                assert_eq!(done(engine.write(CreateRoomOfEverybody)), Ok(()));
                let joining = Joining::Added(self.user_name(user), role);
                assert_eq!(done(engine.write(JoinRoom { room: room_name(0), joining })), Ok(()));
                self.everybody();
                self.rooms.get_mut(&0).unwrap().members.insert(user, role);
            }
            Step::Post { user, ref to, text, answers, has_expired } => {
                self.post(engine, user, to, (text, answers, has_expired));
            }
            Step::Acknowledge { user, place } => {
                let (reader, cursor) = (number(user), CursorName::inbox());
                let upto = MessageId(self.place(place));
                let ack = Acknowledge { user: reader, cursor, upto, rewind: true };
                assert_eq!(engine.write(ack), Ok(Acked::At(upto)));
                if upto.0 < self.cursors.get(&user).copied().unwrap_or(0) {
                    self.marks.retain(|&(of, _), mark| of != user || *mark <= upto.0);
                }
                self.cursors.insert(user, upto.0);
            }
            Step::Mark { user, with, place } => {
                self.mark(engine, (user, with), self.place(place));
            }
            Step::Dead { user, place } => self.give_up(engine, user, place),
            Step::Purge { place } => self.purge(engine, place),
            Step::Rename { user } => {
                self.renames += 1;
                let to = format!("{}-{}", USERS[user], self.renames);
                let change = Change::Rename(to.parse().unwrap());
                let name = self.user_name(user);
                let changed = engine.write(ChangeUser { name, change }).unwrap();
                assert!(matches!(changed, Changed::Yes { .. }));
                self.names[user] = to;
            }
            Step::Receipts { user, is_on } => self.turn_receipts(engine, user, is_on),
            Step::Block { user, other, is_blocked } => {
                self.block(engine, (user, other), is_blocked);
            }
            Step::Search => {
                self.compare_search(engine);
                engine.store().index_words();
                self.compare_search(engine);
            }
            Step::Reopen => {}
        }
    }

    /// A room that the user sees, and the user's role.
    fn look(&mut self, user: usize, room: usize) -> Result<(&mut Room, Option<Role>), RoomRefused> {
        let found = self.rooms.get_mut(&room).filter(|room| room.sees(user));
        let found = found.ok_or(RoomRefused::Unknown)?;
        let role = found.members.get(&user).copied();
        Ok((found, role))
    }

    fn join(&mut self, user: usize, room: usize) -> Result<(), RoomRefused> {
        let (of, role) = self.look(user, room)?;
        if role.is_some() {
            return Ok(());
        }
        if of.is_archived {
            return Err(RoomRefused::Archived);
        }
        of.invited.remove(&user);
        of.members.insert(user, Role::Member);
        of.notify.insert(user, Notify::All);
        if of.history == History::All {
            let in_room = |sent: &&mut Sent| sent.to == USERS.len() + room;
            for sent in self.sent.iter_mut().filter(in_room) {
                sent.readers.insert(user);
            }
        }
        Ok(())
    }

    fn everybody(&mut self) {
        let of = self.rooms.entry(0).or_default();
        if !of.is_of_everybody {
            (of.is_private, of.is_archived, of.is_of_everybody) = (false, false, true);
            (of.posting, of.history) = (Posting::Moderators, History::Joined);
            of.members.values_mut().for_each(|role| *role = Role::Member);
            of.invited.clear();
        }
        for user in 0..USERS.len() {
            assert_eq!(self.join(user, 0), Ok(()));
        }
    }

    fn leave(&mut self, user: usize, room: usize, owner: Option<usize>) -> Result<(), RoomRefused> {
        let new_name = owner.map(|owner| self.user_name(owner));
        let (of, role) = self.look(user, room)?;
        let role = role.ok_or(RoomRefused::NotAllowed)?;
        if of.is_of_everybody {
            return Err(RoomRefused::OfEverybody);
        }
        if let (Some(owner), Some(name)) = (owner, new_name) {
            if role != Role::Owner {
                return Err(RoomRefused::NotAllowed);
            }
            if owner == user || !of.members.contains_key(&owner) {
                return Err(RoomRefused::UnknownUsers(vec![name]));
            }
            of.members.insert(owner, Role::Owner);
        }
        let is_last = of.members.len() == 1;
        if role == Role::Owner && !is_last && !of.has_other_owner(user) {
            return Err(RoomRefused::LastOwner);
        }
        of.members.remove(&user);
        of.is_archived |= is_last;
        Ok(())
    }

    fn invite(&mut self, user: usize, room: usize, other: usize) -> Result<(), RoomRefused> {
        let (of, role) = self.look(user, room)?;
        let least = if of.is_private { Role::Moderator } else { Role::Member };
        if role < Some(least) {
            return Err(RoomRefused::NotAllowed);
        }
        if of.is_archived {
            return Err(RoomRefused::Archived);
        }
        if !of.members.contains_key(&other) {
            of.invited.insert(other);
        }
        Ok(())
    }

    fn kick(&mut self, user: usize, room: usize, other: usize) -> Result<(), RoomRefused> {
        let (of, role) = self.look(user, room)?;
        let may = match (role, of.members.get(&other)) {
            (Some(Role::Owner), of) => of != Some(&Role::Owner),
            (Some(Role::Moderator), of) => of.is_none_or(|role| *role == Role::Member),
            _ => false,
        };
        if !may {
            return Err(RoomRefused::NotAllowed);
        }
        if of.is_of_everybody {
            return Err(RoomRefused::OfEverybody);
        }
        of.members.remove(&other);
        of.invited.remove(&other);
        Ok(())
    }

    fn setting(&self, user: usize, room: usize, other: usize, what: Setting) -> SetRoom {
        let mut set = SetRoom {
            actor: Actor::User(number(user)),
            room: room_name(room),
            topic: None,
            is_private: None,
            posting: None,
            history: None,
            role: None,
            notify: None,
        };
        match what {
            Setting::Topic => set.topic = Some(Topic::default()),
            Setting::Private(it) => set.is_private = Some(it),
            Setting::Posting(it) => set.posting = Some(it),
            Setting::History(it) => set.history = Some(it),
            Setting::Role(role) => set.role = Some((self.user_name(other), role)),
            Setting::Notify(it) => set.notify = Some(it),
        }
        set
    }

    fn set(
        &mut self,
        user: usize,
        room: usize,
        other: usize,
        what: Setting,
    ) -> Result<(), RoomRefused> {
        let name = self.user_name(other);
        let (of, role) = self.look(user, room)?;
        let least = match what {
            Setting::Notify(_) => Role::Member,
            Setting::Topic => Role::Moderator,
            _ => Role::Owner,
        };
        if role < Some(least) {
            return Err(RoomRefused::NotAllowed);
        }
        match what {
            Setting::Topic => {}
            Setting::Private(true) if of.is_of_everybody => {
                return Err(RoomRefused::OfEverybody);
            }
            Setting::Private(it) => of.is_private = it,
            Setting::Posting(it) => of.posting = it,
            Setting::History(it) => of.history = it,
            Setting::Notify(it) => drop(of.notify.insert(user, it)),
            Setting::Role(role) => {
                if !of.members.contains_key(&other) {
                    return Err(RoomRefused::UnknownUsers(vec![name]));
                }
                if role != Role::Owner && !of.has_other_owner(other) {
                    return Err(RoomRefused::LastOwner);
                }
                of.members.insert(other, role);
            }
        }
        Ok(())
    }

    fn archive(&mut self, user: usize, room: usize, archived: bool) -> Result<(), RoomRefused> {
        let (of, role) = self.look(user, room)?;
        if role < Some(Role::Owner) {
            return Err(RoomRefused::NotAllowed);
        }
        if archived && of.is_of_everybody {
            return Err(RoomRefused::OfEverybody);
        }
        of.is_archived = archived;
        Ok(())
    }

    fn post(
        &mut self,
        engine: &Engine,
        from: usize,
        to: &[usize],
        (text, answers, has_expired): (usize, Option<u8>, Option<bool>),
    ) {
        let text = match text {
            0 => "hai".to_owned(),
            user => format!("hai @{}", self.names[user - 1]),
        };
        let name = |&to: &usize| match to.checked_sub(USERS.len()) {
            None => self.names[to].as_str(),
            Some(room) => ROOMS[room],
        };
        let names: Vec<&str> = to.iter().map(name).collect();
        let mut append = message(number(from), &names, &text, None);
        let reply_to = answers.map(|place| MessageId(self.newest * i64::from(place) / 100));
        let details = match has_expired {
            None => Details::default(),
            Some(true) => Details { expires: Some(Timestamp(1)), ..Details::default() },
            Some(false) => Details { expires_in: Some(1_000_000), ..Details::default() },
        };
        append.details = Details { reply_to, ..details }.if_any();
        let has_expired = has_expired == Some(true);
        let appended = engine.append(append);
        let refused = |is_it: &dyn Fn(&Room) -> bool, is_missing: bool| -> Vec<MailboxName> {
            let is_it = |to: &&usize| match to.checked_sub(USERS.len()) {
                None => false,
                Some(room) => self.rooms.get(&room).map_or(is_missing, is_it),
            };
            to.iter().filter(is_it).map(|to| name(to).parse().unwrap()).collect()
        };
        let unknown = refused(&|room| !room.sees(from), true);
        let is_forbidden = |to: usize| match to.checked_sub(USERS.len()) {
            None => self.blocks.contains_key(&(to, from)),
            Some(room) => self.rooms.get(&room).is_some_and(|room| {
                let least = match room.posting {
                    Posting::Members => Role::Member,
                    Posting::Moderators => Role::Moderator,
                };
                room.members.get(&from) < Some(&least)
            }),
        };
        let forbidden: Vec<MailboxName> =
            to.iter().filter(|&&to| is_forbidden(to)).map(|to| name(to).parse().unwrap()).collect();
        let archived = refused(&|room| room.is_archived, false);
        if !unknown.is_empty() {
            return assert_eq!(appended, Appended::UnknownRecipients(unknown));
        }
        if !forbidden.is_empty() {
            return assert_eq!(appended, Appended::NotAllowed(forbidden));
        }
        if !archived.is_empty() {
            return assert_eq!(appended, Appended::RoomArchived(archived));
        }
        let thread = reply_to.map(|id| {
            let is_it = |sent: &&Sent| sent.id == id.0 && self.reads(sent, from);
            self.sent.iter().find(is_it).map(|sent| sent.thread)
        });
        if thread == Some(None) {
            return assert_eq!(appended, Appended::UnknownMessage);
        }
        let Appended::Stored { copies, duplicate: false, .. } = appended else {
            panic!("{appended:?}")
        };
        assert_eq!(copies.len(), to.len());
        for (&to, (mailbox, MessageId(id))) in to.iter().zip(copies) {
            assert!(id > self.newest);
            self.newest = id;
            let (readers, receivers): (BTreeSet<usize>, BTreeSet<usize>) = match to
                .checked_sub(USERS.len())
            {
                None => {
                    assert_eq!(mailbox, number(to).into());
                    ([from, to].into(), [to].into())
                }
                Some(room) => {
                    assert!(mailbox.room().is_some());
                    let members: BTreeSet<_> = self.rooms[&room].members.keys().copied().collect();
                    (members.clone(), members)
                }
            };
            let thread = thread.flatten().unwrap_or(id);
            let text = text.clone();
            self.sent.push(Sent { id, from, to, text, thread, readers, receivers, has_expired });
        }
    }

    fn give_up(&mut self, engine: &Engine, user: usize, place: u8) {
        let id = self.place(place);
        let is_for = |sent: &Sent| match sent.to.checked_sub(USERS.len()) {
            None => sent.to == user,
            Some(_) => self.reads(sent, user),
        };
        let letter =
            AddDeadLetter { user: number(user), cursor: CursorName::inbox(), id: MessageId(id) };
        let acked = engine.write(letter).unwrap();
        if self.sent.iter().any(|sent| sent.id == id && is_for(sent)) {
            let at = self.cursors.get(&user).copied().unwrap_or(0).max(id);
            assert_eq!(acked, Acked::At(MessageId(at)));
            self.cursors.insert(user, at);
            self.dead.insert((user, id));
        } else {
            assert_eq!(acked, Acked::BeyondTheLog);
        }
    }

    fn purge(&mut self, engine: &Engine, place: u8) {
        let around = self.place(place);
        let is_unread = |sent: &Sent| {
            let unread_for = |&user: &usize| {
                let is_muted = sent
                    .to
                    .checked_sub(USERS.len())
                    .is_some_and(|room| self.rooms[&room].notify.get(&user) == Some(&Notify::None));
                let is_after = sent.id > self.cursors.get(&user).copied().unwrap_or(0);
                is_after && !is_muted && !sent.has_expired
            };
            sent.receivers.iter().any(unread_for) || self.dead.iter().any(|&(_, id)| id == sent.id)
        };
        let is_gone = |sent: &Sent| (around..around + 5).contains(&sent.id) && !is_unread(sent);
        let gone: BTreeSet<i64> =
            self.sent.iter().filter(|sent| is_gone(sent)).map(|sent| sent.id).collect();
        let ids = (around..around + 5).map(MessageId).collect();
        assert_eq!(engine.write(Purge { ids, unread_too: false }), Ok(gone.len()));
        self.sent.retain(|sent| !gone.contains(&sent.id));
    }

    /// Whether a message counts as unread for a user, and is pushed.
    fn is_incoming(&self, sent: &Sent, user: usize) -> bool {
        self.has_arrived(sent, user) && !self.is_hidden(sent, user)
    }

    /// The same, whomever the user blocks.
    fn has_arrived(&self, sent: &Sent, user: usize) -> bool {
        if sent.has_expired {
            return false;
        }
        let Some(room) = sent.to.checked_sub(USERS.len()) else { return sent.to == user };
        let is_wanted = match self.rooms[&room].notify.get(&user) {
            Some(Notify::All) => true,
            Some(Notify::Mentions) => mentions(&sent.text, &self.user_name(user)),
            Some(Notify::None) | None => false,
        };
        sent.receivers.contains(&user) && sent.from != user && is_wanted
    }

    fn ids(&self, is_wanted: impl Fn(&Sent) -> bool) -> Vec<i64> {
        self.sent.iter().filter(|sent| is_wanted(sent)).map(|sent| sent.id).collect()
    }

    fn compare(&self, engine: &Engine) {
        for user in 0..USERS.len() {
            let incoming = self.ids(|sent| self.is_incoming(sent, user));
            let whole = |wanted, start| pages(engine, user, wanted, start, None).unwrap();
            let begin = || PageStart::After(MessageId::ZERO);
            assert_eq!(whole(INCOMING, begin()), incoming, "incoming of {user}");
            let in_mailboxes =
                |sent: &Sent| sent.to == user || sent.to >= USERS.len() && self.reads(sent, user);
            let mut all = self.ids(in_mailboxes);
            assert_eq!(whole(Wanted::All, begin()), all, "all of {user}");
            all.reverse();
            let end = PageStart::Before(MessageId(i64::MAX));
            assert_eq!(whole(Wanted::All, end), all, "all of {user}, backwards");
            self.compare_unread(engine, user);
            self.compare_conversations(engine, user);
            self.compare_rooms(engine, user);
            self.compare_threads(engine, user);
            self.compare_list(engine, user);
            self.compare_receipts(engine, user, 2);
        }
    }

    fn compare_unread(&self, engine: &Engine, user: usize) {
        let at = self.cursors.get(&user).copied().unwrap_or(0);
        let is_unread =
            |sent: &Sent| self.is_after_marks(sent, user) && self.is_incoming(sent, user);
        let incoming = self.ids(is_unread);
        let whole = pages(engine, user, INCOMING, PageStart::Cursor(CursorName::inbox()), None);
        assert_eq!(whole.unwrap(), incoming, "unread of {user}");
        let start = PageStart::Cursor(CursorName::inbox());
        let unread = engine.read(page(number(user), start)).unwrap();
        assert_eq!(unread.start.0, at);
        let found: Vec<i64> = unread.messages.iter().map(|message| message.id.0).collect();
        assert!(incoming.starts_with(&found) && (unread.more || found == incoming));
        if engine.store().inbox_is_known_to_be_empty(number(user)) {
            assert!(incoming.is_empty());
        }
        let mut expected: Vec<(i64, String, usize, i64, bool)> = Vec::new();
        for other in 0..USERS.len() {
            let is_it = |sent: &Sent| is_unread(sent) && (sent.from, sent.to) == (other, user);
            let ids = self.ids(is_it);
            if let (Some(&first), Some(&last)) = (ids.first(), ids.last()) {
                expected.push((first, self.names[other].clone(), ids.len(), last, false));
            }
        }
        expected.sort();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(_, name, count, last, more)| (name, count, last, more))
            .collect();
        let counted = engine.read(CountUnread { reader: number(user) });
        let is_room = |of: &&UnreadFrom| of.from.room().is_some();
        let of_users: Vec<_> = counted
            .iter()
            .filter(|of| !is_room(of))
            .map(|of| (of.from.to_string(), of.count, of.newest.0, of.more))
            .collect();
        assert_eq!(of_users, expected, "unread of {user}");
        let of_rooms: Vec<&UnreadFrom> = counted.iter().filter(is_room).collect();
        let mut firsts = Vec::new();
        for &room in self.rooms.keys() {
            let found = of_rooms.iter().find(|of| of.from.to_string() == ROOMS[room]);
            let figures = found.map_or((0, false), |of| (of.count, of.more));
            let counted = self.check_count(user, room, figures);
            assert_eq!(found.map(|of| of.newest.0), counted.last().copied(), "{room} of {user}");
            firsts.extend(counted.first().map(|&first| (first, ROOMS[room].to_owned())));
        }
        firsts.sort();
        let expected: Vec<String> = firsts.into_iter().map(|(_, name)| name).collect();
        let names: Vec<String> = of_rooms.iter().map(|of| of.from.to_string()).collect();
        assert_eq!(names, expected, "the order of the rooms of {user}");
    }

    /// Checks how many messages of a room are said to be unread, and whether there may be more. Returns
    /// the ids of those that were counted.
    fn check_count(&self, user: usize, room: usize, (count, more): (usize, bool)) -> Vec<i64> {
        let notify = self.rooms[&room].notify.get(&user).copied().unwrap_or(Notify::None);
        let got = |sent: &&Sent| {
            self.is_after_marks(sent, user)
                && sent.to == USERS.len() + room
                && sent.receivers.contains(&user)
        };
        let got: Vec<&Sent> = self.sent.iter().filter(got).collect();
        let is_unread = |sent: &&&Sent| notify != Notify::None && self.is_incoming(sent, user);
        let ids = |sent: &[&Sent]| -> Vec<i64> {
            sent.iter().filter(is_unread).map(|it| it.id).collect()
        };
        if !more {
            // A count that has found nothing may have stopped.
            let end = if count == 0 { got.len().min(ROOM_UNREAD_MAX) } else { got.len() };
            let unread = ids(&got[..end]);
            assert_eq!(unread.len(), count, "room {room} of {user}");
            return unread;
        }
        let at_least = (ROOMS_UNREAD_MAX / ROOMS.len()).min(ROOM_UNREAD_MAX);
        let at_most = ROOM_UNREAD_MAX.min(got.len() - 1);
        let looked_at = (at_least..=at_most).find(|&end| ids(&got[..end]).len() == count);
        assert!(count > 0 && looked_at.is_some(), "{count} of room {room} of {user}, and more");
        ids(&got[..looked_at.unwrap_or(0)])
    }

    fn compare_rooms(&self, engine: &Engine, user: usize) {
        let actor = Actor::User(number(user));
        for room in 0..ROOMS.len() {
            let of = self.rooms.get(&room);
            let seen = of.filter(|of| of.sees(user));
            let name = room_name(room);
            let found = engine.read(FindRoom { actor, name: name.clone() });
            assert_eq!(found.is_some(), seen.is_some());
            if let (Some(found), Some(of)) = (found, seen) {
                assert_eq!(found.members, of.members.len() as u64);
                assert_eq!(found.own.map(|(role, _)| role), of.members.get(&user).copied());
                assert_eq!(found.is_invited, of.invited.contains(&user));
                assert_eq!(found.archived_at.is_some(), of.is_archived);
                assert_eq!(found.is_of_everybody, of.is_of_everybody);
            }
            let list = ListMembers { actor, room: name.clone(), after: None, max: 10 };
            let may_list = |of: &&Room| !of.is_private || of.members.contains_key(&user);
            match (engine.read(list), seen) {
                (Err(RoomRefused::Unknown), None) => {}
                (Err(RoomRefused::NotAllowed), Some(of)) => assert!(!may_list(&of)),
                (Ok((members, false)), Some(of)) if may_list(&of) => {
                    let found = members.iter().map(|of| (of.name.to_string(), of.role));
                    let expected = of.members.iter();
                    let expected = expected.map(|(&user, &role)| (self.names[user].clone(), role));
                    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected.collect());
                }
                other => panic!("{other:?}"),
            }
            let in_room = |sent: &Sent| sent.to == USERS.len() + room;
            let was_member = of.is_some_and(|of| of.notify.contains_key(&user));
            let begin = PageStart::After(MessageId::ZERO);
            match pages(engine, user, Wanted::All, begin, Some(name.into())) {
                Ok(found) => {
                    assert!(was_member);
                    let expected = |sent: &Sent| in_room(sent) && self.reads(sent, user);
                    assert_eq!(found, self.ids(expected), "room {room} of {user}");
                }
                Err(Unreadable::Unknown) => assert!(!was_member && seen.is_none()),
                Err(Unreadable::NotAMember) => assert!(!was_member && seen.is_some()),
            }
        }
        for mine in [false, true] {
            let list = ListRooms { actor, after: None, max: 10, mine };
            let (found, more) = engine.read(list);
            assert!(!more);
            let is_listed = |of: &Room| {
                let is_mine = of.members.contains_key(&user) || of.invited.contains(&user);
                if mine { is_mine } else { of.sees(user) }
            };
            let listed = self.rooms.iter().filter(|(_, of)| is_listed(of));
            let expected = listed.map(|(&room, _)| room_name(room));
            assert!(found.into_iter().map(|of| of.name).eq(expected));
        }
    }

    /// A search finds what its user may read, and nothing else.
    fn compare_search(&self, engine: &Engine) {
        let found = |user, query: &str| {
            let mut found = search::all(engine, number(user), query);
            found.reverse();
            found
        };
        for user in 0..USERS.len() {
            let readable = self.ids(|sent| self.reads(sent, user));
            for query in ["hai", "-missing"] {
                assert_eq!(found(user, query), readable, "{query} by {user}");
            }
            for (room, name) in ROOMS.iter().enumerate() {
                let of = self.rooms.get(&room);
                let was_member = of.is_some_and(|of| of.notify.contains_key(&user));
                let query = format!("hai in:{name}");
                let first = search::search(number(user), &query, MessageId(i64::MAX));
                match engine.read(first) {
                    Searched::Page(_) => {
                        assert!(was_member, "{query} by {user}");
                        let in_room = |sent: &Sent| sent.to == USERS.len() + room;
                        for (query, is_in) in [(query, true), (format!("-in:{name}"), false)] {
                            let expected =
                                |sent: &Sent| self.reads(sent, user) && in_room(sent) == is_in;
                            assert_eq!(
                                found(user, &query),
                                self.ids(expected),
                                "{query} by {user}"
                            );
                        }
                    }
                    Searched::UnreadableRoom(refused, why) => {
                        let sees = of.is_some_and(|of| of.sees(user));
                        let reason =
                            if sees { Unreadable::NotAMember } else { Unreadable::Unknown };
                        assert!(!was_member && refused == room_name(room) && why == reason);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn compare_threads(&self, engine: &Engine, user: usize) {
        for sent in self.sent.iter().rev().take(6) {
            let bounds = PageBounds { messages: 100, size: usize::MAX, measure: |_| 1 };
            let (of, start) = (MessageId(sent.id), ThreadStart::After(MessageId::ZERO));
            let read = ReadThread { reader: number(user), of, start, since: None, bounds };
            let found = engine.read(read);
            assert_eq!(found.is_some(), self.reads(sent, user), "{sent:?} by {user}");
            let Some(found) = found else { continue };
            let is_of = |other: &Sent| other.thread == sent.thread && self.reads(other, user);
            let found = found.messages.iter().map(|message| message.id.0);
            assert!(found.eq(self.ids(is_of)));
        }
    }

    /// What a stream gets is what is incoming, whether it comes from memory or from the database.
    fn compare_stream(&self, engine: &Engine, user: usize, stream: &mut Stream) {
        let mut got = Vec::new();
        let expected = self.ids(|sent| sent.id > stream.after && self.is_incoming(sent, user));
        for _ in 0..100 {
            let bounds = || PageBounds { messages: 4, size: usize::MAX, measure: |_| 1 };
            let after = MessageId(stream.after);
            let more = match stream.watched.newer(after, &bounds()) {
                Some((messages, more)) => {
                    let ids = messages.iter().map(|message| message.id.0);
                    got.extend(ids);
                    more
                }
                None => {
                    let as_of = stream.watched.memberships();
                    let read = ReadPage {
                        bounds: bounds(),
                        ..page(number(user), PageStart::After(after))
                    };
                    let page = engine.read(read).unwrap();
                    got.extend(page.messages.iter().map(|message| message.id.0));
                    stream.after = stream.after.max(page.upto.map_or(0, |upto| upto.0));
                    stream.watched.follow(&page.rooms, as_of) || page.more
                }
            };
            stream.after = stream.after.max(got.last().copied().unwrap_or(0));
            if !more {
                break;
            }
        }
        // A purged message may still be on its way.
        assert_eq!(got, expected, "the stream of {user}");
        stream.after = self.newest;
    }
}

/// The ids of all pages, in the direction of reading.
fn pages(
    engine: &Engine,
    user: usize,
    wanted: Wanted,
    mut start: PageStart,
    with: Option<MailboxName>,
) -> Result<Vec<i64>, Unreadable> {
    let mut found = Vec::new();
    for _ in 0..1_000 {
        let bounds = PageBounds { messages: 3, size: usize::MAX, measure: |_| 1 };
        let with = with.clone();
        let read = ReadPage { wanted, bounds, with, ..page(number(user), start.clone()) };
        let page = engine.read(read)?;
        let is_back = matches!(start, PageStart::Before(_));
        let mut ids: Vec<i64> = page.messages.iter().map(|message| message.id.0).collect();
        if is_back {
            ids.reverse();
        }
        found.extend(ids);
        if !page.more {
            return Ok(found);
        }
        let next = page.upto.unwrap();
        start = match start {
            PageStart::Before(_) => PageStart::Before(next),
            PageStart::Cursor(_) | PageStart::Unread(_) => PageStart::Unread(next),
            PageStart::After(_) | PageStart::Dead(..) => PageStart::After(next),
        };
    }
    panic!("the pages do not end");
}

/// A member of 100 rooms, with more of their own messages in a row than a page looks at.
pub(super) fn page_ends_after_many_own_messages_and_goes_on(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let (actor, name) = (Actor::User(NEKO), room_name(1));
    let settings = RoomSettings::default();
    done(engine.write(CreateRoom { actor, name: name.clone(), settings })).unwrap();
    done(engine.write(JoinRoom { room: name, joining: Joining::Oneself(PAFF) })).unwrap();
    for number in 0..2 * FILTERED_MESSAGES_MAX {
        engine.append(message(NEKO, &["#build"], &format!("{number}"), None));
    }
    let last = ids(&engine.append(message(PAFF, &["#build"], "last", None)))[0];
    let first = engine.read(page(NEKO, PageStart::After(MessageId::ZERO))).unwrap();
    assert!(first.messages.is_empty() && first.more);
    assert_eq!(first.upto, Some(MessageId(FILTERED_MESSAGES_MAX as i64)));
    let found = pages(&engine, 0, INCOMING, PageStart::After(MessageId::ZERO), None).unwrap();
    assert_eq!(found, [last]);
    let found = pages(&engine, 0, Wanted::All, PageStart::After(MessageId::ZERO), None).unwrap();
    assert_eq!(found.len(), 2 * FILTERED_MESSAGES_MAX + 1);
}

pub(super) fn key_of_a_post_to_a_room_is_the_same_message(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let (actor, name, settings) = (Actor::User(NEKO), room_name(1), RoomSettings::default());
    done(engine.write(CreateRoom { actor, name: name.clone(), settings })).unwrap();
    let send = |engine: &Engine, to: &[&str], body: &str| {
        engine.append(message(NEKO, to, body, Some("k")))
    };
    let first = ids(&send(&engine, &["#build", "paff"], "done"));
    assert_eq!(first[..], [1, 2]);
    for reopened in [false, true] {
        if reopened {
            engine.reopen();
        }
        match send(&engine, &["#build", "paff"], "done") {
            Appended::Stored { copies, duplicate: true, .. } => {
                let room = MailboxId::from(RoomId(1));
                let copies: Vec<_> = copies.iter().map(|&(mailbox, id)| (mailbox, id.0)).collect();
                assert_eq!(copies, [(room, 1), (PAFF.into(), 2)]);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(send(&engine, &["#build"], "done"), Appended::KeyConflict);
        assert_eq!(send(&engine, &["#build", "paff"], "other"), Appended::KeyConflict);
        assert_eq!(send(&engine, &["#ops", "paff"], "done"), Appended::KeyConflict);
    }
    // The key is the message's for ever, whoever is a member.
    done(engine.write(LeaveRoom { user: NEKO, room: name, owner: None })).unwrap();
    let again = send(&engine, &["#build", "paff"], "done");
    assert!(matches!(again, Appended::Stored { duplicate: true, .. }));
}

pub(super) fn deleted_user_is_in_no_room(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let (actor, room) = (Actor::User(NEKO), room_name(1));
    let settings = RoomSettings { is_private: true, ..RoomSettings::default() };
    done(engine.write(CreateRoom { actor, name: room.clone(), settings })).unwrap();
    let users = vec!["paff".parse().unwrap(), "robo".parse().unwrap()];
    let invite = InviteToRoom { actor, room: room.clone(), users };
    assert_eq!(engine.write(invite).unwrap().unwrap().len(), 2);
    let join = JoinRoom { room: room.clone(), joining: Joining::Oneself(PAFF) };
    done(engine.write(join)).unwrap();
    for name in ["paff", "robo"] {
        let change = ChangeUser { name: name.parse().unwrap(), change: Change::Delete };
        assert!(matches!(engine.write(change), Ok(Changed::Yes { .. })));
    }
    let found = engine.read(FindRoom { actor, name: room.clone() }).unwrap();
    assert_eq!(found.members, 1);
    let list = ListMembers { actor: Actor::Operator, room: room.clone(), after: None, max: 10 };
    assert_eq!(engine.read(list).unwrap().0.len(), 1);
    let find = FindRoom { actor: Actor::User(UserId(3)), name: room };
    assert_eq!(engine.read(find), None);
    // What was sent to the room is read by nobody else, so it can be purged once neko has read it.
    let sent = ids(&engine.append(message(NEKO, &["#build"], "bye", None)))[0];
    let (cursor, upto) = (CursorName::inbox(), MessageId(sent));
    engine.write(Acknowledge { user: NEKO, cursor, upto, rewind: false }).unwrap();
    assert_eq!(engine.write(Purge { ids: vec![MessageId(sent)], unread_too: false }), Ok(1));
}

proptest! {
    /// The intervals of a reader say the same as their memberships, one by one, and are apart.
    #[test]
    fn intervals_say_what_memberships_say(
        parts in prop::collection::vec((0..3_i64, 0..20_i64, 0..8_i64, any::<[bool; 2]>()), 0..8),
    ) {
        let mut memberships: Vec<Membership> = Vec::new();
        for (room, joined, length, [sees_all, has_left]) in parts {
            let is_of_room = |of: &&Membership| of.room == RoomId(room);
            // A user joins again after leaving.
            let last = memberships.iter().rfind(is_of_room).map(|of| of.left_upto);
            let joined = match last {
                Some(None) => continue,
                Some(Some(left)) => joined + left.0,
                None => joined,
            };
            memberships.push(Membership {
                room: RoomId(room),
                joined_after: MessageId(joined),
                sees_after: if sees_all { MessageId::ZERO } else { MessageId(joined) },
                left_upto: has_left.then_some(MessageId(joined + length)),
                notify: Notify::All,
            });
        }
        for wanted in [Wanted::All, INCOMING] {
            let found = may_read(&memberships, wanted);
            for part in &found {
                prop_assert!(part.ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
            }
            for room in 0..3 {
                for id in (1..200).map(MessageId) {
                    let lets = |of: &Membership| {
                        let after =
                            if wanted == Wanted::All { of.sees_after } else { of.joined_after };
                        of.room == RoomId(room)
                            && after < id
                            && of.left_upto.is_none_or(|upto| id <= upto)
                    };
                    let part = found.iter().find(|part| part.room == RoomId(room));
                    prop_assert_eq!(
                        part.is_some_and(|part| part.has(id)),
                        memberships.iter().any(lets)
                    );
                }
            }
        }
    }
}
