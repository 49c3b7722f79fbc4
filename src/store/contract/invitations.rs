//! Invitations by link: each makes one account, exactly.

use std::time::Duration;

use super::{Engine, NEKO, Open};
use crate::model::{InvitationId, RoomName, Timestamp, TokenHash, UserId};
use crate::store::{
    AcceptInvitation, AcceptedInvitation, Actor, ArchiveRoom, Change, ChangeUser, Changed,
    CreateInvitation, CreateRoom, CreatedInvitation, FindAccount, FindInvitation, FindRoom,
    FindUser, Invitation, IsSeeded, ListInvitations, ListedInvitation, Live, NewUser,
    RevokeInvitations, RoomSettings, SweepSessions, USED_INVITATION_KEPT,
};

const LIFE: Duration = Duration::from_secs(3_600);

fn hash(number: u8) -> TokenHash {
    TokenHash([number; 32])
}

pub(super) fn invitation(number: u8) -> CreateInvitation {
    let (name, rooms) = (None, Vec::new());
    CreateInvitation { hash: hash(number), name, rooms, now: Timestamp::now(), lifetime: LIFE }
}

fn rooms(names: &[&str]) -> Vec<RoomName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

pub(super) fn acceptance(number: u8, name: &str) -> AcceptInvitation {
    let user = NewUser {
        name: name.parse().unwrap(),
        display_name: name.to_owned(),
        password_hash: format!("hash of {name}"),
        password_is_published: false,
    };
    AcceptInvitation { hash: hash(number), user, now: Timestamp::now() }
}

impl Engine {
    fn invite(&self, create: CreateInvitation) -> InvitationId {
        match self.write(create).unwrap() {
            CreatedInvitation::Yes { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    fn accept(&self, number: u8, name: &str) -> AcceptedInvitation {
        self.write(acceptance(number, name)).unwrap()
    }

    fn invitation(&self, number: u8, name: &str) -> Option<Invitation> {
        let name = Some(name.parse().unwrap());
        self.read(FindInvitation { hash: hash(number), name, now: Timestamp::now() })
    }

    fn invitations(&self) -> Vec<ListedInvitation> {
        let (after, now) = (InvitationId(0), Timestamp::now());
        let (all, more) = self.read(ListInvitations { after, max: 100, now });
        assert!(!more);
        all
    }

    fn revoke(&self, id: Option<InvitationId>) -> usize {
        self.write(RevokeInvitations { id, now: Timestamp::now() }).unwrap()
    }

    fn user_id(&self, name: &str) -> Option<UserId> {
        self.read(FindUser::Named(name.parse().unwrap())).map(|user| user.id)
    }
}

pub fn invitation_makes_one_account_in_its_rooms(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    for (name, is_private) in [("#build", false), ("#ops", true), ("#old", false)] {
        let settings = RoomSettings { is_private, ..RoomSettings::default() };
        let (actor, name) = (Actor::User(NEKO), name.parse().unwrap());
        assert!(engine.write(CreateRoom { actor, name, settings }).unwrap().is_ok());
    }
    let all = rooms(&["#build", "#old", "#ops"]);
    let id = engine.invite(CreateInvitation { rooms: all.clone(), ..invitation(1) });
    let listed = engine.invitations();
    assert_eq!((listed[0].id, &listed[0].rooms, &listed[0].used), (id, &all, &None));
    let archive =
        ArchiveRoom { actor: Actor::Operator, room: "#old".parse().unwrap(), archived: true };
    assert!(engine.write(archive).unwrap().is_ok());
    engine.reopen();
    let found = engine.invitation(1, "mia").unwrap();
    assert_eq!((found.used_by, found.name_is_taken), (None, false));
    assert_eq!(found.rooms, rooms(&["#build", "#ops"]), "nobody joins an archived room");
    assert!(engine.invitation(1, "neko").unwrap().name_is_taken);

    assert_eq!(engine.accept(1, "neko"), AcceptedInvitation::NameTaken);
    assert_eq!(engine.accept(2, "mia"), AcceptedInvitation::Unknown);
    let AcceptedInvitation::Yes { user, rooms: joined } = engine.accept(1, "mia") else {
        panic!("it is open");
    };
    assert_eq!(joined, rooms(&["#build", "#ops"]));
    assert_eq!(engine.user_id("mia"), Some(user));
    engine.reopen();
    for name in ["mia", "zoe"] {
        assert_eq!(engine.accept(1, name), AcceptedInvitation::Used, "{name}");
    }
    assert_eq!(engine.user_id("zoe"), None);
    let stored = engine.read(FindUser::Numbered(user)).unwrap();
    assert_eq!(stored.password_hash, "hash of mia", "the first one stays");
    assert_eq!(engine.invitation(1, "zoe").unwrap().used_by, Some(user));
    let used = engine.invitations().remove(0).used;
    assert_eq!(used.map(|(name, _)| name), Some("mia".parse().unwrap()));
    for (room, members) in [("#build", 2), ("#ops", 2), ("#old", 1)] {
        let find = FindRoom { actor: Actor::Operator, name: room.parse().unwrap() };
        assert_eq!(engine.read(find).unwrap().members, members, "{room}");
    }
}

pub fn invitation_is_refused_for_a_name_or_room_that_cannot_be(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let taken = CreateInvitation { name: Some("neko".parse().unwrap()), ..invitation(1) };
    assert_eq!(engine.write(taken).unwrap(), CreatedInvitation::NameTaken);
    let create = CreateInvitation { rooms: rooms(&["#none"]), ..invitation(1) };
    let unknown = CreatedInvitation::UnknownRooms(rooms(&["#none"]));
    assert_eq!(engine.write(create).unwrap(), unknown);
    assert_eq!(engine.invitations(), []);
    // A deleted user's name is not free either.
    let delete = ChangeUser { name: "robo".parse().unwrap(), change: Change::Delete };
    assert!(matches!(engine.write(delete).unwrap(), Changed::Yes { .. }));
    let mia = Some("mia".parse().unwrap());
    engine.invite(CreateInvitation { name: mia.clone(), ..invitation(1) });
    assert_eq!(engine.invitation(1, "robo").unwrap().name, mia);
    assert!(!engine.invitation(1, "robo").unwrap().name_is_taken, "mia is free");
    assert_eq!(engine.accept(1, "zoe"), AcceptedInvitation::Unknown, "it is for another");
    engine.invite(invitation(2));
    assert!(engine.invitation(2, "robo").unwrap().name_is_taken);
    assert_eq!(engine.accept(2, "robo"), AcceptedInvitation::NameTaken);
    assert!(matches!(engine.accept(1, "mia"), AcceptedInvitation::Yes { .. }));
}

pub fn invitation_ends_by_its_time_or_when_it_is_revoked(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let create = CreateInvitation { lifetime: Duration::from_millis(1), ..invitation(1) };
    let CreatedInvitation::Yes { expires_at, .. } = engine.write(create).unwrap() else {
        panic!("it is made");
    };
    let second = engine.invite(invitation(2));
    let third = engine.invite(invitation(3));
    // The clock of the database may be another: a later write has passed the end on both.
    let later = expires_at.max(Timestamp::now());
    let late = AcceptInvitation { now: later, ..acceptance(1, "mia") };
    assert_eq!(engine.write(late).unwrap(), AcceptedInvitation::Unknown);
    assert_eq!(engine.invitation(1, "mia"), None);
    let ids: Vec<InvitationId> = engine.invitations().iter().map(|listed| listed.id).collect();
    assert_eq!(ids, [second, third], "an expired one is not listed");
    assert_eq!(engine.revoke(Some(second)), 1);
    assert_eq!(engine.revoke(Some(second)), 0);
    assert_eq!(engine.accept(2, "mia"), AcceptedInvitation::Unknown);
    assert!(matches!(engine.accept(3, "mia"), AcceptedInvitation::Yes { .. }));
    engine.invite(invitation(4));
    // What was accepted cannot be taken back.
    assert_eq!(engine.revoke(None), 1);
    assert_eq!(engine.accept(3, "zoe"), AcceptedInvitation::Used);

    let sweep = |now: Timestamp| {
        let live = Live { now, seen_after: Timestamp(0) };
        engine.write(SweepSessions { seen: Vec::new(), used: Vec::new(), live }).unwrap();
    };
    sweep(later);
    assert_eq!(engine.accept(3, "zoe"), AcceptedInvitation::Used, "it is kept for a while");
    let after_all = later.plus(LIFE).plus(USED_INVITATION_KEPT).plus(LIFE);
    let is_by_its_own_clock = engine.store().shared_time().is_some();
    sweep(after_all);
    if !is_by_its_own_clock {
        assert_eq!(engine.accept(3, "zoe"), AcceptedInvitation::Unknown);
    }
}

pub fn invitation_of_a_removed_user_does_not_open_again(open: Open) {
    let Some(engine) = Engine::without_users(open) else { return };
    engine.invite(invitation(1));
    assert!(!engine.read(IsSeeded));
    assert!(matches!(engine.accept(1, "mia"), AcceptedInvitation::Yes { .. }));
    assert!(engine.read(IsSeeded), "nobody adds users with published passwords now");
    let name = || "mia".parse().unwrap();
    engine.write(ChangeUser { name: name(), change: Change::Delete }).unwrap();
    assert_eq!(engine.accept(1, "zoe"), AcceptedInvitation::Used);
    let change = Change::Remove { looked_upto: crate::model::MessageId::ZERO };
    let removed = engine.write(ChangeUser { name: name(), change }).unwrap();
    assert!(matches!(removed, Changed::Yes { .. }), "{removed:?}");
    assert!(engine.read(FindAccount(name())).is_none());
    assert_eq!(engine.accept(1, "zoe"), AcceptedInvitation::Unknown);
}
