//! Import and export: every engine decides alike about each step, and exports what it imported.

mod content;

pub(super) use content::records;

use super::*;
use crate::model::{RoomName, StatusText, Timestamp};
use crate::store::types::transfer::KEPT_ID_MAX;
use crate::store::{
    Actor, BlockSet, ClearDeadLetters, CreateRoom, Export, Exporter, Import, Imported, JoinRoom,
    Joining, RoomSettings, SetBlock,
};
use crate::transfer::{Cursor, Mark, Message as Copy, PasswordHash, Record, Step, Taken, User};

/// Up to this id, an import keeps every id.
const KEPT: i64 = KEPT_ID_MAX.0;
/// No import takes an id beyond this one.
const LAST: i64 = (1 << 53) - 1;

fn import(engine: &Engine, steps: Vec<Step>) -> Imported {
    engine.write(Import { steps, locked: "$locked" }).unwrap()
}

/// What an engine exports.
pub(super) fn export(engine: &Engine, with_secrets: bool) -> Vec<Record> {
    let export = Export { user: None, from_id: MessageId::ZERO, with_secrets };
    export_during(engine, &export, || {})
}

/// What an engine exports, and then what happens after the first record was taken.
fn export_during(engine: &Engine, export: &Export, happens: impl FnOnce()) -> Vec<Record> {
    let (mut records, mut happens) = (Vec::new(), Some(happens));
    let take = |record| {
        records.push(record);
        if let Some(happens) = happens.take() {
            happens();
        }
        Ok::<_, ()>(())
    };
    exporter(engine.store()).export(export, take).unwrap();
    records
}

fn exporter(store: &Store) -> Exporter {
    #[cfg(feature = "postgres")]
    if store.files().is_none() {
        use crate::store::postgres::connect::Connector;
        use crate::store::postgres::password::PasswordSource;

        let target = store.location().to_str().unwrap().parse().unwrap();
        let connector = Connector { target, password: PasswordSource::None };
        return Exporter::over(connector.connect().unwrap(), &connector.target).unwrap();
    }
    Exporter::open(store.location()).unwrap()
}

fn user(name: &str) -> User {
    User {
        name: name.parse().unwrap(),
        display_name: name.to_owned(),
        created_at: Timestamp(1),
        disabled_at: None,
        deleted_at: None,
        receipts_off: false,
        status: StatusText::default(),
        invisible: false,
        password: None,
    }
}

fn copy(id: i64, from: &str, to: &str, body: &str, key: Option<&str>) -> Copy {
    Copy {
        id: MessageId(id),
        at: Timestamp(7),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        body: body.parse().unwrap(),
        key: key.map(|key| key.parse().unwrap()),
        details: None,
        dead: Vec::new(),
        dead_for: Vec::new(),
    }
}

fn place(user: &str, cursor: &str, upto: i64, messages: u64) -> Step {
    let (user, cursor) = (user.parse().unwrap(), cursor.parse().unwrap());
    let cursor = Cursor { user, cursor, upto: MessageId(upto), moved_at: Timestamp(8) };
    Step::Cursor { cursor, messages }
}

fn mark(user: &str, with: &str, upto: i64, messages: u64) -> Step {
    let (user, with) = (user.parse().unwrap(), with.parse().unwrap());
    let mark = Mark { user, with, upto: MessageId(upto), moved_at: Timestamp(8) };
    Step::Mark { mark, messages }
}

fn dead(user: &str, cursor: &str, id: i64) -> Step {
    let (user, cursor) = (user.parse().unwrap(), cursor.parse().unwrap());
    Step::Dead { user, cursor, id: MessageId(id) }
}

/// What becomes of a step: it is taken, or refused with these words.
type Decision = Result<Taken, &'static str>;

fn stored(id: i64) -> Decision {
    Ok(Taken::Stored(MessageId(id)))
}

fn there(id: i64) -> Decision {
    Ok(Taken::There(MessageId(id)))
}

fn users_and_messages() -> Vec<(Step, Decision)> {
    let message = |id, from: &str, to: &str, body: &str, key: Option<&str>| {
        Step::Message(copy(id, from, to, body, key))
    };
    let later = |id, body: &str| {
        Step::Message(Copy { at: Timestamp(9), ..copy(id, "paff", "neko", body, Some("k")) })
    };
    let gone = User { deleted_at: Some(Timestamp(5)), ..user("gone") };
    let hash = |hash: &str| Some(PasswordHash { hash: hash.to_owned(), is_published: false });
    vec![
        (Step::User(user("ann")), Ok(Taken::Done)),
        (Step::User(User { display_name: "Other".to_owned(), ..user("ann") }), Ok(Taken::Already)),
        (Step::User(gone), Ok(Taken::Done)),
        (
            Step::User(User { display_name: "a\u{1b}b".to_owned(), ..user("bad") }),
            Err("the display name of bad is none"),
        ),
        (
            Step::User(User { password: hash("$argon2id\0"), ..user("bad") }),
            Err("the password hash of bad is none"),
        ),
        (message(1, "paff", "neko", "o\0ne", Some("k")), stored(1)),
        (message(1, "paff", "neko", "o\0ne", Some("k")), there(1)),
        // The same message at another time, as a second import with other ids has it.
        (later(11, "o\0ne"), there(1)),
        (message(5, "paff", "neko", "five", None), stored(5)),
        // Its id is taken, so it gets the next one, and is known by its content from then on.
        (message(3, "paff", "neko", "three", None), stored(6)),
        (message(3, "paff", "neko", "three", None), there(6)),
        // A copy of the message that has the key, and what is none.
        (message(9, "paff", "robo", "o\0ne", Some("k")), stored(9)),
        (message(9, "paff", "robo", "o\0ne", Some("k")), there(9)),
        (later(10, "other"), Err("the key \"k\" of paff belongs to message 9")),
        (
            message(10, "paff", "ann", "other", Some("k")),
            Err("the key \"k\" of paff belongs to message 9"),
        ),
        (message(10, "neko", "ann", "mine", Some("k")), stored(10)),
        (message(11, "nobody", "neko", "hai", None), Err("there is no user nobody")),
        (message(11, "neko", "nobody", "hai", None), Err("there is no user nobody")),
        // A deleted user keeps messages, and gets no new one.
        (message(11, "gone", "neko", "hai", None), stored(11)),
        (message(0, "gone", "neko", "hai", Some("t")), Err("there is no user gone")),
        (message(0, "neko", "gone", "hai", Some("t")), Err("there is no user gone")),
        (message(0, "neko", "robo", "hai", Some("t")), stored(12)),
        (message(0, "neko", "robo", "hai", Some("t")), there(12)),
    ]
}

fn cursors_and_dead_letters() -> Vec<(Step, Decision)> {
    vec![
        (place("neko", "inbox", 13, 3), Err("there is no message 13 yet")),
        (place("nobody", "inbox", 1, 0), Err("there is no user nobody")),
        // Others came before, which would count as read.
        (place("neko", "inbox", 6, 2), Ok(Taken::Left)),
        (dead("neko", "inbox", 5), Ok(Taken::Already)),
        (place("neko", "inbox", 6, 3), Ok(Taken::Done)),
        (place("neko", "inbox", 6, 3), Ok(Taken::Already)),
        (place("neko", "inbox", 5, 2), Ok(Taken::Already)),
        (place("robo", "worker", 0, 0), Ok(Taken::Done)),
        (dead("neko", "inbox", 5), Ok(Taken::Done)),
        (dead("neko", "inbox", 5), Ok(Taken::Already)),
        (dead("neko", "inbox", 9), Ok(Taken::Already)),
        // Message 11 to neko is from gone, and the cursor is at 6.
        (mark("nobody", "gone", 11, 1), Err("there is no user nobody")),
        (mark("neko", "nobody", 11, 1), Err("there is no user nobody")),
        (mark("neko", "#nowhere", 11, 1), Err("there is no room #nowhere")),
        (mark("neko", "gone", 13, 1), Err("there is no message 13 yet")),
        (mark("neko", "paff", 6, 3), Ok(Taken::Already)),
        (mark("neko", "paff", 12, 2), Ok(Taken::Left)),
        (mark("neko", "paff", 12, 3), Ok(Taken::Done)),
        (mark("neko", "paff", 12, 3), Ok(Taken::Already)),
        (mark("neko", "gone", 11, 0), Ok(Taken::Left)),
        (dead("nobody", "inbox", 5), Err("there is no user nobody")),
    ]
}

fn ids_near_the_end() -> Vec<(Step, Decision)> {
    let message = |id: i64, body: &str| Step::Message(copy(id, "paff", "neko", body, None));
    vec![
        (Step::Floor(MessageId(20)), Ok(Taken::Done)),
        (Step::Floor(MessageId(15)), Ok(Taken::Done)),
        (message(20, "late"), stored(21)),
        (Step::Floor(MessageId(LAST + 1)), Err("the id 9007199254740992 is higher than")),
        (message(LAST + 1, "beyond"), Err("the id 9007199254740992 is higher than")),
        (message(KEPT - 1, "high"), stored(KEPT - 1)),
        (Step::Floor(MessageId(LAST)), Ok(Taken::Done)),
        (message(KEPT + 1, "consecutive"), stored(KEPT + 1)),
        (message(KEPT + 9, "with a gap"), stored(KEPT + 2)),
        (message(KEPT + 9, "with a gap"), there(KEPT + 2)),
        (message(LAST, "last"), stored(KEPT + 3)),
    ]
}

pub(super) fn import_decides_about_each_step(open: Open) {
    import_decides(open, 1);
}

/// Steps that come together are taken and refused as if each came alone.
pub(super) fn import_decides_about_steps_together(open: Open) {
    import_decides(open, usize::MAX);
}

fn import_decides(open: Open, together_max: usize) {
    let Some(mut engine) = Engine::new(open) else { return };
    let steps = [users_and_messages(), cursors_and_dead_letters(), ids_near_the_end()].concat();
    let mut rest = &steps[..];
    while !rest.is_empty() {
        let together = &rest[..together_max.min(rest.len())];
        let asked = together.iter().map(|(step, _)| step.clone()).collect();
        let Imported { taken, refused, .. } = import(&engine, asked);
        let mut taken = taken.into_iter();
        for (step, expected) in together {
            rest = &rest[1..];
            match expected {
                Ok(decision) => assert_eq!(taken.next().as_ref(), Some(decision), "{step:?}"),
                // It ends this import.
                Err(words) => {
                    let refused = refused.as_deref().unwrap_or_default();
                    assert!(refused.starts_with(words), "{step:?}: {refused}");
                    break;
                }
            }
        }
        let is_refused = together.iter().any(|(_, expected)| expected.is_err());
        assert_eq!((taken.next(), refused.is_some()), (None, is_refused));
    }
    // What was imported is what a sender and a reader find.
    let sent = |body| engine.append(message(PAFF, &["neko", "robo"], body, Some("k")));
    assert!(matches!(sent("o\0ne"), Appended::Stored { duplicate: true, .. }));
    assert_eq!(sent("other"), Appended::KeyConflict);
    let next = engine.append(message(PAFF, &["neko"], "next", None));
    assert_eq!(ids(&next)[0], KEPT + 4);
    let unread = |engine: &Engine| {
        let unread = engine.read(page(NEKO, PageStart::Cursor(CursorName::inbox()))).unwrap();
        unread.messages.iter().map(|message| message.id.0).collect::<Vec<_>>()
    };
    let found = unread(&engine);
    assert_eq!(found[..2], [11, 21]);
    engine.reopen();
    assert_eq!(unread(&engine), found);
}

pub(super) fn refused_step_ends_an_import(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let message = |id, to: &str| Step::Message(copy(id, "paff", to, "hai", None));
    let steps = vec![message(1, "neko"), message(2, "nobody"), message(3, "neko")];
    let Imported { taken, refused, recipients } = import(&engine, steps);
    assert_eq!(taken, [Taken::Stored(MessageId(1))]);
    assert_eq!(refused.as_deref(), Some("there is no user nobody"));
    assert_eq!(recipients, [NEKO.into()]);
    assert_eq!(engine.inbox(NEKO).len(), 1, "the steps before it are done, and none after it");
}

/// Three messages of rooms and users, with dead letters. Paff is in no room.
fn fill(engine: &Engine) {
    let (actor, settings) = (Actor::User(NEKO), RoomSettings::default());
    let name: RoomName = "#build".parse().unwrap();
    engine.write(CreateRoom { actor, name: name.clone(), settings }).unwrap().unwrap();
    let join = JoinRoom { room: name, joining: Joining::Oneself(UserId(3)) };
    engine.write(join).unwrap().unwrap();
    engine.append(message(NEKO, &["#build"], "done", None));
    engine.append(message(NEKO, &["paff"], "hai", None));
    engine.append(message(PAFF, &["neko"], "hai hai", None));
    let block = SetBlock { user: PAFF, other: "robo".parse().unwrap(), is_blocked: true };
    assert_eq!(engine.write(block), Ok(BlockSet::Done(true)));
    for (user, id) in [(UserId(3), 1), (PAFF, 2), (NEKO, 3)] {
        let cursor = "worker".parse().unwrap();
        let acked = engine.write(AddDeadLetter { user, cursor, id: MessageId(id) });
        assert_eq!(acked, Ok(Acked::At(MessageId(id))));
    }
}

/// Everything that decides what an export has: who is in a room, what is a dead letter, names.
fn change_everything(engine: &Engine) {
    let late = NewUser {
        name: "late".parse().unwrap(),
        display_name: "late".to_owned(),
        password_hash: String::new(),
        password_is_published: false,
    };
    assert_eq!(engine.write(AddUsers(vec![late])), Ok(vec![]));
    for user in [PAFF, UserId(4)] {
        let room: RoomName = "#build".parse().unwrap();
        let join = JoinRoom { room, joining: Joining::Oneself(user) };
        engine.write(join).unwrap().unwrap();
        let (cursor, id) = ("worker".parse().unwrap(), MessageId(1));
        engine.write(AddDeadLetter { user, cursor, id }).unwrap();
    }
    for user in [NEKO, UserId(3)] {
        let block = SetBlock { user, other: "paff".parse().unwrap(), is_blocked: true };
        assert_eq!(engine.write(block), Ok(BlockSet::Done(true)));
    }
    let block = SetBlock { user: UserId(3), other: "neko".parse().unwrap(), is_blocked: true };
    assert_eq!(engine.write(block), Ok(BlockSet::Done(true)));
    let (cursor, upto) = ("worker".parse().unwrap(), MessageId(3));
    engine.write(ClearDeadLetters { user: NEKO, cursor, upto }).unwrap();
    let change = Change::Rename("robot".parse().unwrap());
    let renamed = engine.write(ChangeUser { name: "robo".parse().unwrap(), change });
    assert!(matches!(renamed, Ok(Changed::Yes { .. })));
    engine.append(message(NEKO, &["#build"], "later", None));
}

/// An export that takes a while is one state, and can be imported.
pub(super) fn export_has_nothing_that_happens_during_it(open: Open) {
    for user in [None, Some("paff"), Some("robo")] {
        let Some(engine) = Engine::new(open) else { return };
        fill(&engine);
        let user = user.map(|user| user.parse().unwrap());
        let wanted = Export { user, from_id: MessageId::ZERO, with_secrets: false };
        let before = export_during(&engine, &wanted, || {});
        let during = export_during(&engine, &wanted, || change_everything(&engine));
        assert_eq!(during, before);
        let Some(empty) = Engine::without_users(open) else { return };
        assert_eq!(import(&empty, steps(&during)).refused, None);
        let all = Export { user: None, ..wanted };
        let again = export_during(&empty, &all, || {});
        let of_messages = |records: &[Record]| -> Vec<Record> {
            let is_one = |record: &&Record| matches!(record, Record::Message(_));
            records.iter().filter(is_one).cloned().collect()
        };
        assert_eq!(of_messages(&again), of_messages(&before));
    }
}

/// The steps of these records where every message keeps its id, as `chat-server import` takes them.
fn steps(records: &[Record]) -> Vec<Step> {
    let messages = || {
        records.iter().filter_map(|record| match record {
            Record::Message(message) => Some(message),
            _ => None,
        })
    };
    let step = |record: &Record| match record {
        Record::User(user) => Some(Step::User(user.clone())),
        Record::Message(message) => Some(Step::Message(message.clone())),
        Record::Room(room) => Some(Step::Room(room.clone())),
        Record::Header(_)
        | Record::Cursor(_)
        | Record::Mark(_)
        | Record::Membership(_)
        | Record::Block(_)
        | Record::Invitation(_) => None,
    };
    let later = |record: &Record| match record {
        Record::Header(header) => Some(Step::Floor(header.newest)),
        Record::Cursor(cursor) => {
            let is_before = |copy: &&Copy| copy.to == cursor.user && copy.id <= cursor.upto;
            let messages = messages().filter(is_before).count() as u64;
            Some(Step::Cursor { cursor: cursor.clone(), messages })
        }
        Record::Mark(mark) => {
            let is_of = |copy: &&Copy| match &mark.with {
                MailboxName::User(from) => copy.from == *from && copy.to == mark.user,
                room @ MailboxName::Room(_) => copy.to == *room,
            };
            let messages = messages().filter(is_of).filter(|copy| copy.id <= mark.upto);
            let messages = messages.count() as u64;
            Some(Step::Mark { mark: mark.clone(), messages })
        }
        _ => None,
    };
    let dead = messages().flat_map(|message| {
        let own = message.to.user().map(|user| {
            let of = move |cursor: &CursorName| (user.clone(), cursor.clone());
            message.dead.iter().map(of)
        });
        let of_members = message.dead_for.iter().map(|of| (of.user.clone(), of.cursor.clone()));
        let all = own.into_iter().flatten().chain(of_members);
        all.map(|(user, cursor)| Step::Dead { user, cursor, id: message.id })
    });
    let memberships = records.iter().filter_map(|record| match record {
        Record::Membership(of) => Some(Step::Membership(of.clone())),
        Record::Invitation(of) => Some(Step::Invitation(of.clone())),
        _ => None,
    });
    let first = records.iter().filter_map(step).chain(memberships);
    let blocks = records.iter().filter_map(|record| match record {
        Record::Block(block) => Some(Step::Block(block.clone())),
        _ => None,
    });
    first.chain(records.iter().filter_map(later)).chain(dead).chain(blocks).collect()
}

/// A new database of this engine exports the records that it imports, to the byte, also when it
/// imports them again.
pub(super) fn check(open: Open, records: &[Record]) {
    let Some(mut engine) = Engine::without_users(open) else { return };
    for round in 0..2 {
        let imported = import(&engine, steps(records));
        assert_eq!(imported.refused, None);
        for (step, taken) in steps(records).iter().zip(&imported.taken) {
            match (step, taken) {
                (Step::Message(message), Taken::Stored(id)) if round == 0 => {
                    assert_eq!(*id, message.id);
                }
                (Step::Message(message), Taken::There(id)) if round == 1 => {
                    assert_eq!(*id, message.id);
                }
                (Step::Message(_), _) | (_, Taken::Left) => panic!("{step:?}: {taken:?}"),
                _ => {}
            }
        }
        let lines = |records: &[Record]| -> Vec<String> {
            records.iter().map(|record| serde_json::to_string(record).unwrap()).collect()
        };
        assert_eq!(lines(&export(&engine, true)), lines(records));
        engine.reopen();
    }
    let without: Vec<Record> = records.iter().cloned().map(without_secret).collect();
    assert_eq!(export(&engine, false), without);
}

fn without_secret(record: Record) -> Record {
    match record {
        Record::User(user) => Record::User(User { password: None, ..user }),
        other => other,
    }
}
