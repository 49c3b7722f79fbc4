//! Compares random histories with a model: a list of messages and a map of cursors.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::{Details, Filter};
use crate::store::{
    CURSORS_MAX, ClearDeadLetters, CountUnread, FindStart, MoveCursor, Moved, ReadThread,
    StreamStart, ThreadStart,
};

/// One step of a history. Users are 0, 1 and 2. A place is a percentage of the newest id.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A user sends a message to these users, with or without a key.
    Append { from: usize, to: Vec<usize>, text: u8, key: Option<u8>, details: Carried },
    /// A user acknowledges up to a place with one of two cursors, perhaps backwards.
    Acknowledge { user: usize, cursor: bool, place: u8, rewind: bool },
    /// A user moves the cursor `inbox`, from the right position or from a wrong one.
    Move { user: usize, is_right: bool, place: u8 },
    /// A user adds a dead letter, or clears the dead letters up to a place.
    Dead { user: usize, place: u8, clear: bool },
    /// Read messages around a place are deleted.
    Purge { place: u8 },
    /// A user gets another name.
    Rename { user: usize },
    /// The store is closed and reopened.
    Reopen,
}

/// What a message carries: a priority, whether it has tags and a title, and the place of the message
/// that it answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Carried {
    priority: u8,
    has_words: bool,
    answers: Option<u8>,
}

fn carried() -> impl Strategy<Value = Carried> {
    let some = (1..=5_u8, any::<bool>(), prop::option::of(0..110_u8))
        .prop_map(|(priority, has_words, answers)| Carried { priority, has_words, answers });
    prop_oneof![Just(Carried { priority: 3, ..Carried::default() }), some]
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 0..USERS.len();
    let to = prop::collection::btree_set(0..USERS.len(), 1..3)
        .prop_map(|to| to.into_iter().collect::<Vec<_>>());
    let step = prop_oneof![
        8 => (user.clone(), to, 0..4_u8, prop::option::of(0..3_u8), carried())
            .prop_map(|(from, to, text, key, details)| {
                Step::Append { from, to, text, key, details }
            }),
        3 => (user.clone(), any::<bool>(), 0..110_u8, any::<bool>())
            .prop_map(|(user, cursor, place, rewind)| {
                Step::Acknowledge { user, cursor, place, rewind }
            }),
        2 => (user.clone(), any::<bool>(), 0..100_u8)
            .prop_map(|(user, is_right, place)| Step::Move { user, is_right, place }),
        2 => (user.clone(), 0..100_u8, any::<bool>())
            .prop_map(|(user, place, clear)| Step::Dead { user, place, clear }),
        1 => (0..100_u8).prop_map(|place| Step::Purge { place }),
        1 => user.prop_map(|user| Step::Rename { user }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

/// A stored copy of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Copy {
    id: i64,
    from: usize,
    to: usize,
    text: String,
    key: Option<String>,
    details: Option<Box<Details>>,
    /// The oldest message of its thread.
    thread: i64,
}

#[derive(Default)]
struct Model {
    messages: Vec<Copy>,
    newest: i64,
    names: Vec<String>,
    cursors: BTreeMap<(usize, String), i64>,
    dead: BTreeSet<(usize, i64)>,
    renames: usize,
}

pub(super) fn check(open: Open, steps: &[Step]) {
    let Some(mut engine) = Engine::new(open) else { return };
    let names = USERS.map(str::to_owned).into();
    let mut model = Model { names, ..Model::default() };
    for step in steps {
        model.take(&mut engine, step);
        model.compare(&engine);
    }
    engine.reopen();
    model.compare(&engine);
}

fn number(user: usize) -> UserId {
    UserId(user as i64 + 1)
}

impl Model {
    fn place(&self, part: u8) -> MessageId {
        MessageId(self.newest * i64::from(part) / 100)
    }

    fn cursor(&self, user: usize, name: &str) -> Option<i64> {
        self.cursors.get(&(user, name.to_owned())).copied()
    }

    fn take(&mut self, engine: &mut Engine, step: &Step) {
        match step {
            Step::Append { from, to, text, key, details } => {
                let details = self.details(details);
                self.append(engine, *from, to, (*text, *key, details));
            }
            &Step::Acknowledge { user, cursor, place, rewind } => {
                let name = if cursor { "inbox" } else { "worker" };
                let upto = self.place(place);
                let ack =
                    Acknowledge { user: number(user), cursor: name.parse().unwrap(), upto, rewind };
                let found = self.cursor(user, name);
                let expected = match found {
                    _ if upto.0 > self.newest => Acked::BeyondTheLog,
                    Some(at) if upto.0 < at && !rewind => Acked::At(MessageId(at)),
                    _ => {
                        self.cursors.insert((user, name.to_owned()), upto.0);
                        Acked::At(upto)
                    }
                };
                assert_eq!(engine.write(ack), Ok(expected));
            }
            &Step::Move { user, is_right, place } => {
                let (at, upto) = (self.cursor(user, "inbox").unwrap_or(0), self.place(place));
                let seen = MessageId(if is_right { at } else { at + 1 });
                let cursor = CursorName::inbox();
                let moved = engine.write(MoveCursor { user: number(user), cursor, seen, upto });
                if is_right {
                    self.cursors.insert((user, "inbox".to_owned()), upto.0);
                }
                assert_eq!(moved, Ok(if is_right { Moved::Yes } else { Moved::No }));
            }
            &Step::Dead { user, place, clear } => self.give_up(engine, user, place, clear),
            &Step::Purge { place } => {
                let around = self.place(place).0;
                let ids: Vec<_> = (around..around + 5).map(MessageId).collect();
                let before = self.messages.len();
                let is_gone =
                    |copy: &Copy| (around..around + 5).contains(&copy.id) && !self.is_unread(copy);
                let gone: BTreeSet<i64> =
                    self.messages.iter().filter(|copy| is_gone(copy)).map(|copy| copy.id).collect();
                self.messages.retain(|copy| !gone.contains(&copy.id));
                let deleted = engine.write(Purge { ids, unread_too: false });
                assert_eq!(deleted, Ok(before - self.messages.len()));
            }
            &Step::Rename { user } => {
                self.renames += 1;
                let to = format!("{}-{}", USERS[user], self.renames);
                let change = Change::Rename(to.parse().unwrap());
                let name = self.names[user].parse().unwrap();
                let changed = engine.write(ChangeUser { name, change }).unwrap();
                assert!(matches!(changed, Changed::Yes { .. }));
                self.names[user] = to;
            }
            Step::Reopen => engine.reopen(),
        }
    }

    fn details(&self, carried: &Carried) -> Option<Box<Details>> {
        let tags = ["build", "main"].map(|tag| tag.parse().unwrap());
        let details = Details {
            title: carried.has_words.then(|| "a title".parse().unwrap()),
            priority: carried.priority.try_into().unwrap(),
            tags: tags[..2 * usize::from(carried.has_words)].to_vec().try_into().unwrap(),
            click: carried.has_words.then(|| "https://ci.example/1".parse().unwrap()),
            reply_to: carried.answers.map(|place| self.place(place)),
            ..Details::default()
        };
        details.if_any()
    }

    /// The oldest message of the thread of a message that this user can read.
    fn thread(&self, id: MessageId, reader: usize) -> Option<i64> {
        let is_it = |copy: &&Copy| copy.id == id.0 && (copy.from == reader || copy.to == reader);
        self.messages.iter().find(is_it).map(|copy| copy.thread)
    }

    fn append(
        &mut self,
        engine: &Engine,
        from: usize,
        to: &[usize],
        (text, key, details): (u8, Option<u8>, Option<Box<Details>>),
    ) {
        let (text, key) = (format!("text {text}"), key.map(|key| format!("key-{key}")));
        let names: Vec<&str> = to.iter().map(|&user| self.names[user].as_str()).collect();
        let append = message(number(from), &names, &text, key.as_deref());
        let reply_to = details.as_ref().and_then(|details| details.reply_to);
        let appended = engine.append(Append { details: details.clone(), ..append });
        let has_key = |copy: &&Copy| key.is_some() && copy.key == key && copy.from == from;
        let earlier: Vec<Copy> = self.messages.iter().filter(has_key).cloned().collect();
        if !earlier.is_empty() {
            let same = earlier.iter().all(|copy| copy.text == text && copy.details == details)
                && earlier.iter().map(|copy| copy.to).collect::<BTreeSet<_>>()
                    == to.iter().copied().collect();
            match appended {
                Appended::Stored { duplicate: true, copies, .. } if same => {
                    let ids: BTreeSet<i64> = copies.iter().map(|&(_, id)| id.0).collect();
                    assert_eq!(ids, earlier.iter().map(|copy| copy.id).collect());
                }
                Appended::KeyConflict if !same => {}
                other => panic!("{other:?}, earlier {earlier:?}"),
            }
            return;
        }
        let thread = reply_to.map(|id| self.thread(id, from));
        if thread == Some(None) {
            assert_eq!(appended, Appended::UnknownMessage);
            return;
        }
        let ids = ids(&appended);
        assert!(matches!(appended, Appended::Stored { duplicate: false, .. }));
        assert_eq!(ids.len(), to.len());
        for (&to, id) in to.iter().zip(ids) {
            assert!(id > self.newest);
            self.newest = id;
            let (text, key, details) = (text.clone(), key.clone(), details.clone());
            let thread = thread.flatten().unwrap_or(id);
            self.messages.push(Copy { id, from, to, text, key, details, thread });
        }
    }

    fn give_up(&mut self, engine: &Engine, user: usize, place: u8, clear: bool) {
        let (id, cursor) = (self.place(place), CursorName::inbox());
        let at = self.cursor(user, "inbox");
        if clear {
            let upto = id;
            let cleared = engine.write(ClearDeadLetters { user: number(user), cursor, upto });
            self.dead.retain(|&(of, dead)| of != user || dead > id.0);
            assert_eq!(cleared, Ok(Acked::At(MessageId(at.unwrap_or(0)))));
            return;
        }
        let is_for = self.messages.iter().any(|copy| copy.id == id.0 && copy.to == user);
        let expected = if is_for {
            let moved = at.unwrap_or(0).max(id.0);
            self.cursors.insert((user, "inbox".to_owned()), moved);
            self.dead.insert((user, id.0));
            Acked::At(MessageId(moved))
        } else {
            Acked::BeyondTheLog
        };
        assert_eq!(engine.write(AddDeadLetter { user: number(user), cursor, id }), Ok(expected));
    }

    /// Whether a cursor of the recipient is before the message, or it is a dead letter.
    fn is_unread(&self, copy: &Copy) -> bool {
        let inbox = self.cursor(copy.to, "inbox").unwrap_or(0);
        let worker = self.cursor(copy.to, "worker").unwrap_or(i64::MAX);
        copy.id > inbox.min(worker) || self.dead.contains(&(copy.to, copy.id))
    }

    /// What passes a filter, in pages that make progress although each looks at few messages.
    fn compare_filtered(&self, engine: &Engine, user: usize) {
        for (text, is_back) in [
            (r#"{"min_priority": 4}"#, false),
            (r#"{"min_priority": 5}"#, true),
            (r#"{"tags": ["main"]}"#, false),
        ] {
            let filter: Filter = serde_json::from_str(text).unwrap();
            let mut found = Vec::new();
            let mut start = match is_back {
                false => PageStart::After(MessageId::ZERO),
                true => PageStart::Before(MessageId(i64::MAX)),
            };
            for _ in 0..=self.messages.len() {
                let bounds = PageBounds { messages: 2, size: usize::MAX, measure: |_| 1 };
                let (reader, filter) = (number(user), filter.clone());
                let read = ReadPage { filter, bounds, ..page(reader, start.clone()) };
                let page = engine.read(read).unwrap();
                let mut messages = page.messages.clone();
                if is_back {
                    messages.reverse();
                }
                found.extend(messages.iter().map(|message| message.id.0));
                if !page.more {
                    break;
                }
                let next = page.upto.unwrap();
                start = if is_back { PageStart::Before(next) } else { PageStart::After(next) };
            }
            let passes = |copy: &&Copy| {
                let none = Details::default();
                let details = copy.details.as_deref().unwrap_or(&none);
                copy.to == user
                    && filter.min_priority.is_none_or(|least| details.priority >= least)
                    && filter.tags.iter().all(|tag| details.tags.has(tag))
            };
            let ids = self.messages.iter().filter(passes).map(|copy| copy.id);
            let mut expected: Vec<i64> = ids.collect();
            if is_back {
                expected.reverse();
            }
            assert_eq!(found, expected, "{text}");
        }
    }

    /// The thread of each message, as this user can read it.
    fn compare_threads(&self, engine: &Engine, user: usize) {
        let can_read = |copy: &&Copy| copy.from == user || copy.to == user;
        for copy in self.messages.iter().rev().take(8) {
            let bounds = PageBounds { messages: 3, size: usize::MAX, measure: |_| 1 };
            let (of, start) = (MessageId(copy.id), ThreadStart::After(MessageId::ZERO));
            let read = ReadThread { reader: number(user), of, start, since: None, bounds };
            let page = engine.read(read);
            assert_eq!(page.is_some(), can_read(&copy));
            let Some(page) = page else { continue };
            let thread = self.messages.iter().filter(|other| other.thread == copy.thread);
            let thread: Vec<i64> = thread.filter(can_read).map(|copy| copy.id).collect();
            assert_eq!(page.more, thread.len() > 3);
            let found = page.messages.iter().map(|message| message.id.0);
            assert!(found.eq(thread.iter().copied().take(3)));
            let bounds = PageBounds { messages: 3, size: usize::MAX, measure: |_| 1 };
            let start = ThreadStart::Before(MessageId(i64::MAX));
            let read = ReadThread { reader: number(user), of, start, since: None, bounds };
            let page = engine.read(read).unwrap();
            let found = page.messages.iter().map(|message| message.id.0);
            assert!(found.eq(thread[thread.len().saturating_sub(3)..].iter().copied()));
        }
    }

    fn compare(&self, engine: &Engine) {
        for user in 0..USERS.len() {
            let found = engine.inbox(number(user));
            let of_user = self.messages.iter().filter(|copy| copy.to == user);
            let expected: Vec<_> = of_user
                .clone()
                .map(|copy| (copy.id, copy.text.clone(), copy.from, copy.details.clone()))
                .collect();
            let name = |name: &str| self.names.iter().position(|other| other == name).unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|message| {
                    assert_eq!(name(message.to.as_str()), user);
                    let (text, from) =
                        (message.body.as_str().to_owned(), name(message.from.as_str()));
                    (message.id.0, text, from, message.details.clone())
                })
                .collect();
            assert_eq!(found, expected, "the inbox of user {user}");
            self.compare_threads(engine, user);
            self.compare_filtered(engine, user);
            let at = self.cursor(user, "inbox").unwrap_or(0);
            let start = PageStart::Cursor(CursorName::inbox());
            let unread = engine.read(page(number(user), start)).unwrap();
            let expected: Vec<i64> =
                of_user.filter(|copy| copy.id > at).map(|copy| copy.id).collect();
            assert_eq!(unread.start.0, at);
            assert!(unread.messages.iter().map(|message| message.id.0).eq(expected.clone()));
            if engine.store().inbox_is_known_to_be_empty(number(user)) {
                assert!(expected.is_empty());
            }
            let counted = engine.read(CountUnread { reader: number(user) });
            let counted: usize = counted.iter().map(|sender| sender.count).sum();
            assert_eq!(counted, expected.len());
            let (reader, start) = (number(user), StreamStart::Newest);
            let wanted = Wanted::Incoming { muted: false };
            let found = engine.read(FindStart { reader, cursor: None, start, wanted }).unwrap();
            assert_eq!(found.after.0, self.newest);
        }
        const { assert!(CURSORS_MAX > 2) };
    }
}
