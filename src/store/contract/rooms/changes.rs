//! What changes of rooms leave behind.

use super::*;
use crate::store::types::rooms::{MEMBERSHIPS_OF_USER_MAX, ROOMS_MAX, ROOMS_OF_USER_MAX};

/// However the last member goes. A room without owners goes on.
pub(in super::super) fn room_is_archived_when_its_last_member_is_gone(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let operator = Actor::Operator;
    let [build, ops] = ["#build", "#ops"].map(|name| name.parse::<RoomName>().unwrap());
    let create = |actor, name: &RoomName| {
        let (name, settings) = (name.clone(), RoomSettings::default());
        done(engine.write(CreateRoom { actor, name, settings })).unwrap();
    };
    let delete = |name: &str| {
        let change = ChangeUser { name: name.parse().unwrap(), change: Change::Delete };
        assert!(matches!(engine.write(change), Ok(Changed::Yes { .. })));
    };
    let state = |name: &RoomName| {
        let found = engine.read(FindRoom { actor: operator, name: name.clone() }).unwrap();
        (found.members, found.archived_at.is_some())
    };
    let add = |name: &RoomName, user: &str, role| {
        let joining = Joining::Added(user.parse().unwrap(), role);
        done(engine.write(JoinRoom { room: name.clone(), joining }))
    };
    let kick = |name: &RoomName, user: &str| {
        let (room, user) = (name.clone(), user.parse().unwrap());
        done(engine.write(KickFromRoom { actor: operator, room, user })).unwrap();
    };
    // An operator removes them.
    create(Actor::User(PAFF), &build);
    assert_eq!(add(&build, "neko", Role::Member), Ok(()));
    kick(&build, "paff");
    assert_eq!(state(&build), (1, false), "without an owner");
    kick(&build, "robo");
    assert_eq!(state(&build), (1, false), "who is not in the room");
    kick(&build, "neko");
    assert_eq!(state(&build), (0, true));
    // An operator opens it again, and a former member is deleted.
    let open = ArchiveRoom { actor: operator, room: build.clone(), archived: false };
    done(engine.write(open)).unwrap();
    create(Actor::User(NEKO), &ops);
    assert_eq!(add(&ops, "paff", Role::Moderator), Ok(()));
    delete("neko");
    assert_eq!((state(&build), state(&ops)), ((0, false), (1, false)));
    // An operator gives the room an owner again, who is deleted.
    assert_eq!(add(&ops, "paff", Role::Owner), Ok(()));
    delete("paff");
    assert_eq!((state(&build), state(&ops)), ((0, false), (0, true)));
    assert_eq!(add(&ops, "robo", Role::Owner), Err(RoomRefused::Archived));
    let open = ArchiveRoom { actor: operator, room: ops.clone(), archived: false };
    done(engine.write(open)).unwrap();
    assert_eq!(add(&ops, "robo", Role::Owner), Ok(()));
    assert_eq!(state(&ops), (1, false));
}

/// At each limit, a refused request leaves nothing behind.
pub(in super::super) fn room_beyond_a_limit_is_refused_and_not_created(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let create = |actor, number: usize| {
        let (name, settings) = (format!("#r{number:02}").parse().unwrap(), RoomSettings::default());
        done(engine.write(CreateRoom { actor, name, settings }))
    };
    let join = |user, number: usize| {
        let room = format!("#r{number:02}").parse().unwrap();
        done(engine.write(JoinRoom { room, joining: Joining::Oneself(user) }))
    };
    let count = || {
        let list = ListRooms { actor: Actor::Operator, after: None, max: 100, mine: false };
        engine.read(list).0.len()
    };
    let (neko, paff) = (Actor::User(NEKO), Actor::User(PAFF));
    for number in 0..ROOMS_OF_USER_MAX {
        assert_eq!(create(neko, number), Ok(()));
    }
    let next = ROOMS_OF_USER_MAX;
    assert_eq!(create(neko, next), Err(RoomRefused::TooManyOfUser));
    let find = FindRoom { actor: Actor::Operator, name: format!("#r{next:02}").parse().unwrap() };
    assert_eq!((engine.read(find), count()), (None, ROOMS_OF_USER_MAX));
    // The name is free, and the user can join none either.
    assert_eq!(create(paff, next), Ok(()));
    assert_eq!(join(NEKO, next), Err(RoomRefused::TooManyOfUser));
    let members = ListMembers {
        actor: Actor::Operator,
        room: format!("#r{next:02}").parse().unwrap(),
        after: None,
        max: 10,
    };
    assert_eq!(engine.read(members).unwrap().0.len(), 1);
    // All memberships that a user ever had count, too.
    let leave = || {
        let room = format!("#r{next:02}");
        let leave = LeaveRoom { user: UserId(3), room: room.parse().unwrap(), owner: None };
        let left = done(engine.write(leave));
        // Otherwise the last membership would go on.
        engine.append(message(PAFF, &[&room], "hai", None));
        left
    };
    for _ in 0..MEMBERSHIPS_OF_USER_MAX {
        assert_eq!((join(UserId(3), next), leave()), (Ok(()), Ok(())));
    }
    assert_eq!(join(UserId(3), next), Err(RoomRefused::TooManyMemberships));
    for number in next + 1..ROOMS_MAX {
        assert_eq!(create(Actor::Operator, number), Ok(()));
    }
    assert_eq!(create(paff, ROOMS_MAX), Err(RoomRefused::TooManyInAll));
    assert_eq!(create(Actor::Operator, ROOMS_MAX), Err(RoomRefused::TooManyInAll));
    assert_eq!(count(), ROOMS_MAX);
}
