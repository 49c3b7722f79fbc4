//! The room of everybody: whoever is a user is in it, however and whenever they came.

use super::*;
use crate::model::{Timestamp, UserName};
use crate::store::contract::invitations::{acceptance, invitation};
use crate::store::types::rooms::ROOMS_OF_USER_MAX;
use crate::store::{AcceptedInvitation, CreateInvitation, CreatedInvitation, Import, SeedUsers};
use crate::transfer;

fn room() -> RoomName {
    RoomName::of_everybody()
}

fn new_user(name: &str) -> NewUser {
    NewUser {
        name: name.parse().unwrap(),
        display_name: name.to_owned(),
        password_hash: String::new(),
        password_is_published: false,
    }
}

fn imported_user(name: &str, deleted_at: Option<Timestamp>) -> transfer::User {
    transfer::User {
        name: name.parse().unwrap(),
        display_name: name.to_owned(),
        created_at: Timestamp(1),
        disabled_at: None,
        deleted_at,
        receipts_off: false,
        status: Default::default(),
        invisible: false,
        password: None,
    }
}

impl Engine {
    fn import_steps(&self, steps: Vec<transfer::Step>) -> Option<String> {
        self.write(Import { steps, locked: "$locked" }).unwrap().refused
    }

    fn gather_everybody(&self) -> Vec<UserId> {
        self.write(CreateRoomOfEverybody).unwrap().unwrap().touched
    }

    /// The members of the room, by name.
    fn everybody(&self) -> Vec<(String, Role)> {
        let list = ListMembers { actor: Actor::Operator, room: room(), after: None, max: 100 };
        let (members, more) = self.read(list).unwrap();
        assert!(!more);
        members.into_iter().map(|of| (of.name.to_string(), of.role)).collect()
    }

    fn names_of_everybody(&self) -> Vec<String> {
        self.everybody().into_iter().map(|(name, _)| name).collect()
    }

    fn delete_user(&self, name: &str) {
        let change = ChangeUser { name: name.parse().unwrap(), change: Change::Delete };
        assert!(matches!(self.write(change), Ok(Changed::Yes { .. })));
    }

    /// The texts that a user has in the room.
    fn texts_of_everybody(&self, user: UserId) -> Vec<String> {
        let with = Some(room().into());
        let read = ReadPage { with, ..page(user, PageStart::After(MessageId::ZERO)) };
        let read = ReadPage { wanted: Wanted::All, ..read };
        let messages = self.read(read).unwrap().messages;
        messages.into_iter().map(|message| message.body.as_str().to_owned()).collect()
    }

    fn user_id_of(&self, name: &str) -> UserId {
        self.read(FindUser::Named(name.parse().unwrap())).unwrap().id
    }
}

pub(in super::super) fn every_way_to_become_a_user_leads_into_the_room_of_everybody(open: Open) {
    let Some(mut engine) = Engine::without_users(open) else { return };
    assert!(engine.gather_everybody().is_empty(), "there is nobody yet");
    assert_eq!(engine.write(SeedUsers(vec![new_user("neko"), new_user("paff")])), Ok(true));
    assert_eq!(engine.write(AddUsers(vec![new_user("robo")])), Ok(Vec::new()));
    engine.reopen();
    // An invitation into this room, too, makes one membership.
    let create = CreateInvitation { rooms: vec![room()], ..invitation(1) };
    assert!(matches!(engine.write(create), Ok(CreatedInvitation::Yes { .. })));
    let accepted = engine.write(acceptance(1, "mia")).unwrap();
    let AcceptedInvitation::Yes { user: mia, rooms } = accepted else { panic!("{accepted:?}") };
    assert_eq!(rooms, []);
    let gone = imported_user("gone", Some(Timestamp(2)));
    let steps = vec![
        transfer::Step::User(imported_user("ann", None)),
        transfer::Step::User(gone),
        transfer::Step::Everybody,
    ];
    assert_eq!(engine.import_steps(steps), None);
    assert_eq!(engine.names_of_everybody(), ["ann", "mia", "neko", "paff", "robo"]);
    assert!(engine.everybody().iter().all(|(_, role)| *role == Role::Member));
    // One message is one row, and everybody reads it.
    let allow = JoinRoom {
        room: room(),
        joining: Joining::Added("neko".parse().unwrap(), Role::Moderator),
    };
    done(engine.write(allow)).unwrap();
    assert_eq!(ids(&engine.append(message(NEKO, &["@all"], "hai", None)))[..], [1]);
    for user in [PAFF, UserId(3), mia, engine.user_id_of("ann")] {
        assert_eq!(engine.inbox(user).len(), 1, "{user:?}");
    }
    engine.delete_user("mia");
    assert_eq!(engine.write(AddUsers(vec![new_user("zoe")])), Ok(Vec::new()));
    assert_eq!(engine.names_of_everybody(), ["ann", "neko", "paff", "robo", "zoe"]);
    // A new member reads what comes after joining, and all of it where the room shows it.
    assert_eq!(engine.texts_of_everybody(engine.user_id_of("zoe")), [""; 0]);
    let show = SetRoom {
        actor: Actor::Operator,
        room: room(),
        topic: None,
        is_private: None,
        posting: None,
        history: Some(History::All),
        role: None,
        notify: None,
    };
    done(engine.write(show)).unwrap();
    assert_eq!(engine.write(AddUsers(vec![new_user("eve")])), Ok(Vec::new()));
    assert_eq!(engine.texts_of_everybody(engine.user_id_of("eve")), ["hai"]);
    assert!(engine.inbox(engine.user_id_of("eve")).is_empty(), "what is old is not unread");
}

pub(in super::super) fn room_of_everybody_is_not_left_closed_or_counted(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    assert_eq!(engine.gather_everybody().len(), USERS.len());
    assert!(engine.gather_everybody().is_empty(), "again changes nothing");
    let refused = Err(RoomRefused::OfEverybody);
    for role in Role::ALL {
        let joining = Joining::Added("neko".parse().unwrap(), *role);
        done(engine.write(JoinRoom { room: room(), joining })).unwrap();
        let leave = LeaveRoom { user: NEKO, room: room(), owner: None };
        assert_eq!(done(engine.write(leave)), refused, "{role}");
    }
    for actor in [Actor::Operator, Actor::User(NEKO)] {
        let kick = KickFromRoom { actor, room: room(), user: "paff".parse().unwrap() };
        assert_eq!(done(engine.write(kick)), refused);
        let archive = ArchiveRoom { actor, room: room(), archived: true };
        assert_eq!(done(engine.write(archive)), refused);
        let hide = SetRoom {
            actor,
            room: room(),
            topic: Some("hidden".parse().unwrap()),
            is_private: Some(true),
            posting: None,
            history: None,
            role: None,
            notify: None,
        };
        assert_eq!(done(engine.write(hide)), refused);
    }
    let found = engine.read(FindRoom { actor: Actor::User(PAFF), name: room() }).unwrap();
    assert_eq!((found.members, found.archived_at), (USERS.len() as u64, None));
    assert_eq!(found.settings.topic.as_str(), "", "a refused change changes nothing");
    assert!(found.is_of_everybody && !found.settings.is_private);
    assert_eq!(found.settings.posting, Posting::Moderators);
    let forbidden = vec!["@all".parse().unwrap()];
    assert_eq!(
        engine.append(message(PAFF, &["@all"], "me too", None)),
        Appended::NotAllowed(forbidden)
    );
    // It is no room of the user's limit.
    for number in 0..=ROOMS_OF_USER_MAX {
        let name = format!("#r{number:02}").parse().unwrap();
        let (actor, settings) = (Actor::User(PAFF), RoomSettings::default());
        let created = done(engine.write(CreateRoom { actor, name, settings }));
        let is_full = number == ROOMS_OF_USER_MAX;
        assert_eq!(created, if is_full { Err(RoomRefused::TooManyOfUser) } else { Ok(()) });
    }
    // It stays when nobody is left.
    USERS.iter().for_each(|name| engine.delete_user(name));
    let found = engine.read(FindRoom { actor: Actor::Operator, name: room() }).unwrap();
    assert_eq!((found.members, found.archived_at), (0, None));
    assert_eq!(engine.write(AddUsers(vec![new_user("mia")])), Ok(Vec::new()));
    assert_eq!(engine.names_of_everybody(), ["mia"]);
}

/// A room of an older database has the name: private, archived, with an owner and a former member.
pub(in super::super) fn older_room_of_the_name_becomes_the_room_of_everybody(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let topic: Topic = "secret".parse().unwrap();
    let settings = RoomSettings { topic, is_private: true, ..RoomSettings::default() };
    let actor = Actor::User(NEKO);
    done(engine.write(CreateRoom { actor, name: room(), settings })).unwrap();
    let joining = Joining::Added("paff".parse().unwrap(), Role::Moderator);
    done(engine.write(JoinRoom { room: room(), joining })).unwrap();
    engine.append(message(NEKO, &["#all"], "among us", None));
    // It ends with the newest message, so it goes on.
    done(engine.write(LeaveRoom { user: PAFF, room: room(), owner: None })).unwrap();
    let users = vec!["robo".parse().unwrap()];
    assert!(engine.write(InviteToRoom { actor, room: room(), users }).unwrap().is_ok());
    done(engine.write(ArchiveRoom { actor, room: room(), archived: true })).unwrap();
    let mut touched = engine.gather_everybody();
    touched.sort();
    assert_eq!(touched, [PAFF, UserId(3)], "those who were in it are not touched");
    let members = USERS.map(|name| (name.to_owned(), Role::Member));
    assert_eq!(engine.everybody(), members, "nobody may post who could before");
    let found = engine.read(FindRoom { actor: Actor::User(UserId(3)), name: room() }).unwrap();
    assert!(!found.settings.is_private && found.archived_at.is_none() && !found.is_invited);
    assert_eq!(found.settings.topic.as_str(), "");
    for (user, texts) in [(NEKO, &["among us"][..]), (PAFF, &["among us"]), (UserId(3), &[])] {
        assert_eq!(engine.texts_of_everybody(user), texts, "{user:?}");
    }
}

pub(in super::super) fn user_whose_name_is_that_of_everybody_comes_first(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let all: UserName = "all".parse().unwrap();
    assert_eq!(engine.write(AddUsers(vec![new_user("all")])), Ok(Vec::new()));
    let gather = || done(engine.write(CreateRoomOfEverybody));
    assert_eq!(gather(), Err(RoomRefused::ReservedName(all.clone())));
    assert_eq!(engine.read(FindRoom { actor: Actor::Operator, name: room() }), None);
    let change = Change::Rename("ann".parse().unwrap());
    assert!(matches!(engine.write(ChangeUser { name: all, change }), Ok(Changed::Yes { .. })));
    assert_eq!(gather(), Ok(()));
}

/// Users are created and deleted while the room is made.
pub(in super::super) fn nobody_is_left_out_who_comes_while_the_room_is_made(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    for number in 0..20 {
        assert_eq!(engine.write(AddUsers(vec![new_user(&format!("old{number}"))])), Ok(vec![]));
    }
    thread::scope(|scope| {
        let engine = &engine;
        for part in 0..3 {
            scope.spawn(move || {
                for number in 0..20 {
                    let user = new_user(&format!("new{part}-{number}"));
                    assert_eq!(engine.write(AddUsers(vec![user])), Ok(vec![]));
                }
            });
        }
        scope.spawn(move || (0..20).for_each(|number| engine.delete_user(&format!("old{number}"))));
        scope.spawn(move || engine.gather_everybody());
    });
    let mut names: Vec<String> = USERS.map(str::to_owned).into();
    names.extend((0..3).flat_map(|part| (0..20).map(move |n| format!("new{part}-{n}"))));
    names.sort();
    assert_eq!(engine.names_of_everybody(), names);
    // Each membership is one row that is not over.
    assert!(engine.gather_everybody().is_empty());
}

/// An import has the room, and memberships of some users; the others come at its end.
pub(in super::super) fn import_brings_the_room_of_everybody(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let everybody = transfer::Room {
        room: room(),
        topic: Topic::default(),
        private: false,
        posting: Posting::Moderators,
        history: History::Joined,
        created_at: Timestamp(7),
        archived_at: None,
        everybody: true,
    };
    for other in [
        transfer::Room { room: "#build".parse().unwrap(), ..everybody.clone() },
        transfer::Room { private: true, ..everybody.clone() },
        transfer::Room { archived_at: Some(Timestamp(8)), ..everybody.clone() },
    ] {
        let refused = engine.import_steps(vec![transfer::Step::Room(other)]).unwrap();
        assert!(refused.ends_with("cannot be the room of everybody"), "{refused}");
    }
    engine.append(message(NEKO, &["paff"], "before", None));
    let membership = transfer::Membership {
        room: room(),
        user: "ann".parse().unwrap(),
        role: Role::Moderator,
        notify: Notify::None,
        joined_after: MessageId::ZERO,
        sees_after: MessageId::ZERO,
        left_upto: None,
    };
    let steps = vec![
        transfer::Step::User(imported_user("ann", None)),
        transfer::Step::Room(everybody),
        transfer::Step::Membership(membership),
        transfer::Step::Everybody,
    ];
    for _ in 0..2 {
        assert_eq!(engine.import_steps(steps.clone()), None);
        let roles: Vec<(String, Role)> = engine.everybody();
        let names: Vec<&str> = roles.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ann", "neko", "paff", "robo"]);
        assert_eq!(roles[0].1, Role::Moderator);
    }
    let ann = engine.user_id_of("ann");
    engine.append(message(ann, &["#all"], "hai", None));
    assert_eq!(engine.texts_of_everybody(NEKO), ["hai"]);
}
