//! Names that may be a user's or, without its `#`, that of a room: see [`Append::or_room`].

use super::{Engine, NEKO, Open, PAFF, ids, message};
use crate::model::{MailboxId, MailboxName, RoomId, RoomName, UserId};
use crate::store::{
    Actor, Append, Appended, ArchiveRoom, Change, ChangeUser, CreateRoom, RoomSettings, Scheduled,
    Targets,
};

const ROBO: UserId = UserId(3);

/// A message to the user of this name, or to the room.
fn either(sender: UserId, name: &str, key: Option<&str>) -> Append {
    Append { or_room: true, ..message(sender, &[name], "hai", key) }
}

fn room(name: &str) -> RoomName {
    format!("#{name}").parse().unwrap()
}

fn named(name: &str) -> Vec<MailboxName> {
    vec![name.parse().unwrap()]
}

impl Engine {
    fn new_room(&self, name: &str, is_private: bool) -> RoomId {
        let settings = RoomSettings { is_private, ..RoomSettings::default() };
        let create = CreateRoom { actor: Actor::User(PAFF), name: room(name), settings };
        self.write(create).unwrap().unwrap().room.id
    }

    fn archive(&self, name: &str, archived: bool) {
        let archive = ArchiveRoom { actor: Actor::User(PAFF), room: room(name), archived };
        assert!(self.write(archive).unwrap().is_ok());
    }

    /// Where a message to the user or the room is stored.
    fn mailbox(&self, sender: UserId, name: &str) -> i64 {
        match self.append(either(sender, name, None)) {
            Appended::Stored { copies, .. } => copies[0].0.0,
            other => panic!("{other:?}"),
        }
    }
}

pub fn name_of_a_user_or_a_room_is_what_there_is_for_the_sender(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let ambiguous = || Appended::Ambiguous(named("#neko"));
    let nobody = || Appended::UnknownRecipients(named("build"));
    for sender in [PAFF, ROBO] {
        assert_eq!(engine.mailbox(sender, "neko"), NEKO.0);
        assert_eq!(engine.append(either(sender, "build", None)), nobody());
    }
    // The engine may remember that there were no rooms.
    engine.new_room("neko", true);
    let build = engine.new_room("build", true);
    for _ in 0..2 {
        assert_eq!(engine.append(either(PAFF, "neko", None)), ambiguous());
        assert_eq!(engine.mailbox(PAFF, "build"), -build.0);
        assert_eq!(engine.mailbox(ROBO, "neko"), NEKO.0, "of a private room nobody learns");
        assert_eq!(engine.append(either(ROBO, "build", None)), nobody());
        engine.reopen();
    }
    // The names with their signs say which.
    assert_eq!(ids(&engine.append(message(PAFF, &["#neko", "neko"], "hai", None))).len(), 2);
    // A room that the sender sees, but may not post to, is refused where there is no user.
    let news = engine.new_room("news", false);
    assert_eq!(engine.mailbox(PAFF, "news"), -news.0);
    let refused = engine.append(either(ROBO, "news", None));
    assert_eq!(refused, Appended::NotAllowed(named("#news")));
    for name in ["neko", "news"] {
        engine.archive(name, true);
    }
    assert_eq!(engine.mailbox(PAFF, "neko"), NEKO.0);
    let refused = engine.append(either(PAFF, "news", None));
    assert_eq!(refused, Appended::RoomArchived(named("#news")));
    engine.archive("neko", false);
    assert_eq!(engine.append(either(PAFF, "neko", None)), ambiguous());
}

pub fn key_of_a_name_means_what_it_meant_then(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let send = |name: &str, key| engine.append(either(PAFF, name, Some(key)));
    let build = engine.new_room("build", true);
    let (user, of_room) = (send("neko", "user"), send("build", "room"));
    assert!(matches!(&of_room, Appended::Stored { copies, .. } if copies[0].0 == build.into()));
    // Now either name is a user's and a room's.
    engine.new_room("neko", true);
    let rename = Change::Rename("build".parse().unwrap());
    engine.write(ChangeUser { name: "robo".parse().unwrap(), change: rename }).unwrap();
    for (name, key, first) in [("neko", "user", user), ("build", "room", of_room)] {
        let again = send(name, key);
        assert!(matches!(again, Appended::Stored { duplicate: true, .. }), "{again:?}");
        assert_eq!(ids(&again), ids(&first));
        let other = Append { body: "other".parse().unwrap(), ..either(PAFF, name, Some(key)) };
        assert_eq!(engine.append(other), Appended::KeyConflict);
        assert_eq!(send(name, "new"), Appended::Ambiguous(named(&format!("#{name}"))));
    }
}

pub fn token_sends_to_the_one_of_two_names_that_is_its_target(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let room_neko = engine.new_room("neko", true);
    engine.append(either(ROBO, "neko", Some("k")));
    let send = |sender, targets: &[i64], key| {
        let only: Targets = targets.iter().map(|&id| MailboxId(id)).collect();
        match engine.append(Append { only: Some(only), ..either(sender, "neko", key) }) {
            Appended::Stored { copies, .. } => Ok(copies[0].0.0),
            refused => Err(refused),
        }
    };
    let nobody = || Err(Appended::UnknownRecipients(named("neko")));
    assert_eq!(send(PAFF, &[NEKO.0], None), Ok(NEKO.0));
    assert_eq!(send(PAFF, &[-room_neko.0], None), Ok(-room_neko.0));
    assert_eq!(send(PAFF, &[NEKO.0, -room_neko.0], None), Err(Appended::Ambiguous(named("#neko"))));
    assert_eq!(send(PAFF, &[ROBO.0], None), nobody());
    let to_user = message(PAFF, &["neko"], "hai", Some("k"));
    engine.append(to_user);
    assert_eq!(send(PAFF, &[-room_neko.0], Some("k")), Err(Appended::KeyConflict));
    // The room is a target, but its sender has no part in it.
    assert_eq!(send(ROBO, &[-room_neko.0], None), nobody());
    assert_eq!(send(ROBO, &[PAFF.0], Some("k")), nobody(), "a key does not tell who exists");
}

pub fn name_of_a_message_for_later_is_decided_when_it_is_scheduled(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let schedule = |name: &str, key| engine.schedule(either(PAFF, name, key), 100);
    let is_room = |scheduled: &Scheduled| match scheduled {
        Scheduled::At { is_room, .. } => *is_room,
        other => panic!("{other:?}"),
    };
    engine.new_room("build", true);
    assert!(!is_room(&schedule("neko", Some("user"))));
    assert!(is_room(&schedule("build", None)));
    let nobody = Appended::UnknownRecipients(named("none"));
    assert_eq!(schedule("none", None), Scheduled::Not(nobody));
    engine.new_room("neko", true);
    assert_eq!(schedule("neko", None), Scheduled::Not(Appended::Ambiguous(named("#neko"))));
    let again = schedule("neko", Some("user"));
    assert!(matches!(again, Scheduled::At { duplicate: true, is_room: false, .. }), "{again:?}");
    let to: Vec<_> = engine.due(100).due.into_iter().map(|due| due.to).collect();
    let expected = ["neko", "#build"].map(|name| vec![Some(name.parse().unwrap())]);
    assert_eq!(to, expected);
}
