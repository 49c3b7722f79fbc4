//! Blocks, in the model: a pair of users, and the newest message then.

use super::*;
use crate::model::{Body, ScheduledId, Timestamp};
use crate::store::{
    Alteration, BLOCKS_MAX, BlockSet, Blocked, ChangeMessage, Expectation, ListBlocks,
    ListExpectations, MessageChanged, Put, PutExpectation, Schedule, Scheduled, SetBlock,
};

impl Model {
    pub(super) fn block(
        &mut self,
        engine: &Engine,
        (user, other): (usize, usize),
        is_blocked: bool,
    ) {
        let set = SetBlock { user: number(user), other: self.user_name(other), is_blocked };
        let done = engine.write(set);
        if user == other {
            return assert_eq!(done, Ok(BlockSet::Oneself));
        }
        let was_blocked = self.blocks.contains_key(&(user, other));
        assert_eq!(done, Ok(BlockSet::Done(is_blocked != was_blocked)));
        match is_blocked {
            true => drop(self.blocks.entry((user, other)).or_insert(self.newest)),
            false => drop(self.blocks.remove(&(user, other))),
        }
        let of_user = self.blocks.keys().filter(|(of, _)| *of == user);
        let mut expected: Vec<_> = of_user.map(|&(_, other)| self.user_name(other)).collect();
        expected.sort();
        let found = engine.read(ListBlocks { user: number(user) });
        assert!(found.into_iter().map(|of| of.user).eq(expected));
    }

    /// Whether a block hides the message.
    pub(super) fn is_hidden(&self, sent: &Sent, user: usize) -> bool {
        sent.to >= USERS.len() && self.blocks.contains_key(&(user, sent.from))
    }

    /// Whether the message came after the block, so that it never counts as read.
    pub(super) fn is_blocked_for_good(&self, sent: &Sent, user: usize) -> bool {
        let after = self.blocks.get(&(user, sent.from));
        sent.to >= USERS.len() && after.is_some_and(|after| *after < sent.id)
    }

    /// Whether the user may read the message.
    pub(super) fn reads(&self, sent: &Sent, user: usize) -> bool {
        sent.readers.contains(&user) && !self.is_hidden(sent, user)
    }
}

const ROBO: UserId = UserId(3);

fn set(engine: &Engine, user: UserId, other: &str, is_blocked: bool) -> BlockSet {
    engine.write(SetBlock { user, other: other.parse().unwrap(), is_blocked }).unwrap()
}

fn blocked(engine: &Engine, user: UserId) -> Vec<String> {
    let found = engine.read(ListBlocks { user });
    found.into_iter().map(|Blocked { user, .. }| user.to_string()).collect()
}

fn names(names: &[&str]) -> Vec<MailboxName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn texts(engine: &Engine, reader: UserId) -> Vec<String> {
    engine.inbox(reader).into_iter().map(|message| message.body.as_str().to_owned()).collect()
}

/// Neko's room, with all users in it.
fn room(engine: &Engine) -> RoomName {
    let (actor, room) = (Actor::User(NEKO), room_name(1));
    let settings = RoomSettings::default();
    done(engine.write(CreateRoom { actor, name: room.clone(), settings })).unwrap();
    for user in [PAFF, ROBO] {
        let joining = Joining::Oneself(user);
        done(engine.write(JoinRoom { room: room.clone(), joining })).unwrap();
    }
    room
}

pub(in super::super) fn blocked_user_sends_nothing_to_the_user_alone(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let first = engine.append(message(PAFF, &["neko"], "before", Some("k")));
    assert_eq!(set(&engine, NEKO, "paff", true), BlockSet::Done(true));
    assert_eq!(set(&engine, NEKO, "paff", true), BlockSet::Done(false));
    for reopened in [false, true] {
        if reopened {
            engine.reopen();
        }
        let refused = Appended::NotAllowed(names(&["neko"]));
        assert_eq!(engine.append(message(PAFF, &["neko"], "hai", None)), refused);
        assert_eq!(engine.append(message(PAFF, &["neko"], "hai", Some("new"))), refused);
        // Nobody gets a message to several users of whom one blocks its sender.
        assert_eq!(engine.append(message(PAFF, &["robo", "neko"], "hai", None)), refused);
        let unknown = Appended::UnknownRecipients(names(&["nobody"]));
        assert_eq!(engine.append(message(PAFF, &["neko", "nobody"], "hai", None)), unknown);
        // A key is the same message as before.
        let again = engine.append(message(PAFF, &["neko"], "before", Some("k")));
        assert!(matches!(again, Appended::Stored { duplicate: true, .. }));
        assert_eq!(ids(&again), ids(&first));
        let other = engine.append(message(PAFF, &["neko"], "other", Some("k")));
        assert_eq!(other, Appended::KeyConflict);
    }
    // The block has one direction, and what came before stays.
    engine.append(message(NEKO, &["paff"], "still", None));
    engine.append(message(ROBO, &["neko"], "from robo", None));
    assert_eq!((texts(&engine, PAFF), texts(&engine, ROBO)), (vec!["still".to_owned()], vec![]));
    assert_eq!(texts(&engine, NEKO), ["before", "from robo"]);
    assert_eq!(set(&engine, NEKO, "paff", false), BlockSet::Done(true));
    engine.append(message(PAFF, &["neko"], "after", None));
    assert_eq!(texts(&engine, NEKO), ["before", "from robo", "after"]);
}

pub(in super::super) fn blocks_follow_renamed_users_and_end_with_deleted_ones(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let change = |name: &str, change| {
        let changed = engine.write(ChangeUser { name: name.parse().unwrap(), change });
        assert!(matches!(changed, Ok(Changed::Yes { .. })));
    };
    set(&engine, NEKO, "paff", true);
    set(&engine, PAFF, "robo", true);
    change("paff", Change::Rename("peff".parse().unwrap()));
    assert_eq!(blocked(&engine, NEKO), ["peff"]);
    assert_eq!(set(&engine, NEKO, "paff", true), BlockSet::UnknownUser);
    let refused = Appended::NotAllowed(names(&["neko"]));
    assert_eq!(engine.append(message(PAFF, &["neko"], "hai", None)), refused);
    let refused = Appended::NotAllowed(names(&["peff"]));
    assert_eq!(engine.append(message(ROBO, &["peff"], "hai", None)), refused);
    change("peff", Change::Delete);
    assert_eq!((blocked(&engine, NEKO), blocked(&engine, PAFF)), (vec!["peff".into()], vec![]));
    assert_eq!(set(&engine, ROBO, "peff", true), BlockSet::UnknownUser);
    assert_eq!(set(&engine, NEKO, "peff", false), BlockSet::Done(true));
    assert_eq!(set(&engine, NEKO, "peff", false), BlockSet::Done(false));
    assert_eq!(set(&engine, NEKO, "neko", true), BlockSet::Oneself);
}

pub(in super::super) fn blocks_are_limited(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let user = |number: usize| format!("user-{number}");
    let new = |number| NewUser {
        name: user(number).parse().unwrap(),
        display_name: String::new(),
        password_hash: String::new(),
        password_is_published: false,
    };
    assert_eq!(engine.write(AddUsers((0..=BLOCKS_MAX).map(new).collect())).unwrap(), []);
    for number in 0..BLOCKS_MAX {
        assert_eq!(set(&engine, NEKO, &user(number), true), BlockSet::Done(true));
    }
    assert_eq!(set(&engine, NEKO, &user(BLOCKS_MAX), true), BlockSet::TooMany);
    assert_eq!(set(&engine, NEKO, &user(0), true), BlockSet::Done(false));
    assert_eq!(set(&engine, NEKO, &user(0), false), BlockSet::Done(true));
    assert_eq!(set(&engine, NEKO, &user(BLOCKS_MAX), true), BlockSet::Done(true));
    assert_eq!(blocked(&engine, NEKO).len(), BLOCKS_MAX);
}

/// An edit would bring a text to the reader. A deletion only takes one away.
pub(in super::super) fn blocked_author_changes_no_text_that_the_reader_has(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    room(&engine);
    let alone = ids(&engine.append(message(PAFF, &["neko"], "alone", None)))[0];
    let in_room = ids(&engine.append(message(PAFF, &["#build"], "in the room", None)))[0];
    set(&engine, NEKO, "paff", true);
    let change = |user, id, alteration| {
        let (actor, only) = (Actor::User(user), None);
        engine.write(ChangeMessage { actor, id: MessageId(id), alteration, only }).unwrap()
    };
    let edit = |user, id| {
        let body: Body = "edited".parse().unwrap();
        change(user, id, Alteration::Edit { body, key: None })
    };
    let delete = |user, id| change(user, id, Alteration::Delete);
    let is_stored = |changed| matches!(changed, MessageChanged::Stored { .. });
    assert_eq!(edit(PAFF, alone), MessageChanged::NotAllowed);
    assert!(is_stored(edit(PAFF, in_room)));
    // For neko, who owns the room, the message is not there.
    assert_eq!(delete(NEKO, in_room), MessageChanged::UnknownMessage);
    let told = |reader| {
        let read = ReadPage {
            changes: Changes::Told,
            ..page(reader, PageStart::After(MessageId(in_room)))
        };
        let found = engine.read(read).unwrap().changes;
        found.iter().map(|change| change.id.0).collect::<Vec<_>>()
    };
    assert_eq!((told(ROBO), told(NEKO)), (vec![in_room], vec![]));
    let raw = |reader| {
        let start = PageStart::After(MessageId::ZERO);
        let read = ReadPage { changes: Changes::Raw, wanted: Wanted::All, ..page(reader, start) };
        let found = engine.read(read).unwrap();
        (found.messages.len(), found.changes.len())
    };
    assert_eq!((raw(ROBO), raw(NEKO)), ((1, 1), (1, 0)));
    assert!(is_stored(delete(PAFF, alone)));
    assert_eq!(texts(&engine, NEKO), Vec::<String>::new());
    assert_eq!(told(NEKO), [alone]);
    set(&engine, NEKO, "paff", false);
    assert_eq!(texts(&engine, NEKO), ["edited"]);
    assert!(is_stored(delete(NEKO, in_room)));
}

/// What is sent later is refused now, and when it is due; an expectation tells nobody who blocks its
/// owner.
pub(in super::super) fn block_refuses_what_is_sent_later(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let schedule = |key: &str| {
        let message = message(PAFF, &["neko"], "later", Some(key));
        let (due_at, said_at, now) = (Timestamp(2), Timestamp(2), Timestamp(1));
        engine.write(Schedule { message, due_at, said_at, now }).unwrap()
    };
    let put = |tell: &str| {
        let second = Duration::from_secs(1);
        let (owner, name) = (PAFF, "backup".parse().unwrap());
        let (tell, now) = (tell.parse().unwrap(), Timestamp(1));
        engine
            .write(PutExpectation { owner, name, every: second, grace: second, tell, now })
            .unwrap()
    };
    let first = schedule("first");
    assert!(matches!(first, Scheduled::At { id: ScheduledId(1), duplicate: false, .. }));
    set(&engine, NEKO, "paff", true);
    let refused = Appended::NotAllowed(names(&["neko"]));
    assert_eq!(schedule("second"), Scheduled::Not(refused));
    let again = schedule("first");
    assert!(matches!(again, Scheduled::At { id: ScheduledId(1), duplicate: true, .. }));
    assert_eq!(put("neko"), Put::NotAllowed);
    assert!(matches!(put("robo"), Put::DueAt(_)));
    let found = engine.read(ListExpectations { owner: PAFF });
    assert!(matches!(&found[..], [Expectation { tell, .. }] if tell.as_str() == "robo"));
}
