//! Messages that expire: after their time they count as unread for nobody, and stay in the history.
//! `rooms` compares random histories with such messages with a model.

use super::{Engine, NEKO, Open, PAFF, PATIENCE, ids, message, page};
use crate::model::{CursorName, Details, MailboxName, MessageId, Timestamp, UserId};
use crate::store::{
    Acknowledge, Actor, Alteration, Append, Appended, ChangeMessage, CountUnread, CreateRoom,
    FindAccount, FindToPurge, JoinRoom, Joining, ListConversations, MessageChanged, PageBounds,
    PageStart, Purge, PurgeFilter, ReadPage, RoomSettings, Schedule, TakeSystemTime, Wanted,
};
use std::time::Instant;

/// A message of paff's that expires as these details say.
fn expiring(to: &[&str], body: &str, key: Option<&str>, expires: Details) -> Append {
    Append { details: expires.if_any(), ..message(PAFF, to, body, key) }
}

fn at(time: i64) -> Details {
    Details { expires: Some(Timestamp(time)), ..Details::default() }
}

fn after(seconds: u64) -> Details {
    Details { expires_in: Some(seconds), ..Details::default() }
}

impl Engine {
    fn unread(&self, user: UserId) -> Vec<(String, usize)> {
        let counted = self.read(CountUnread { reader: user });
        counted.into_iter().map(|of| (of.from.to_string(), of.count)).collect()
    }

    fn texts(&self, read: ReadPage) -> Vec<String> {
        let page = self.read(read).unwrap();
        page.messages.iter().map(|message| message.body.as_str().to_owned()).collect()
    }

    fn new_texts(&self, user: UserId) -> Vec<String> {
        self.texts(page(user, PageStart::Cursor(CursorName::inbox())))
    }

    fn history(&self, user: UserId) -> ReadPage {
        ReadPage { wanted: Wanted::All, ..page(user, PageStart::After(MessageId::ZERO)) }
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            std::thread::yield_now();
        }
    }
}

pub(super) fn message_is_unread_until_it_expires_and_stays_in_the_history(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let (actor, name) = (Actor::User(PAFF), "#build".parse().unwrap());
    let settings = RoomSettings::default();
    engine.write(CreateRoom { actor, name, settings }).unwrap().unwrap();
    let (room, joining) = ("#build".parse().unwrap(), Joining::Oneself(NEKO));
    engine.write(JoinRoom { room, joining }).unwrap().unwrap();
    let to = ["neko", "#build"];
    engine.append(expiring(&to, "later", None, after(100_000)));
    let begun = Instant::now();
    let soon = ids(&engine.append(expiring(&to, "soon", None, after(1))));
    let own = ["later", "later", "soon", "soon"];
    let before = (engine.new_texts(NEKO), engine.unread(NEKO));
    if begun.elapsed().as_millis() < 900 {
        assert_eq!(before.0, own);
        assert_eq!(before.1, [("paff".to_owned(), 2), ("#build".to_owned(), 2)]);
    }
    engine.wait_until("it expires", |engine| engine.new_texts(NEKO) == ["later", "later"]);
    assert!(begun.elapsed().as_millis() >= 900, "it did not expire too early");
    for reopened in [false, true] {
        if reopened {
            engine.reopen();
        }
        let left = [("paff".to_owned(), 1), ("#build".to_owned(), 1)];
        assert_eq!(engine.unread(NEKO), left);
        assert_eq!(engine.new_texts(NEKO), own[..2]);
        assert_eq!(engine.texts(engine.history(NEKO)), own);
        let account = engine.read(FindAccount("neko".parse().unwrap())).unwrap().0;
        assert_eq!(account.unread, 1, "the operator's figure");
    }
    // A reader finds when it expires, and the list says when its counts change.
    let history = engine.read(engine.history(NEKO)).unwrap().messages;
    for message in &history {
        let details = message.details.as_ref().unwrap();
        let left = details.expires.unwrap().0 - message.at.0;
        let seconds = if message.body.as_str() == "soon" { 1 } else { 100_000 };
        assert_eq!((left, details.expires_in), (seconds * 1_000, None));
    }
    let bounds = PageBounds { messages: 10, size: usize::MAX, measure: |_| 1 };
    let list = ListConversations { reader: NEKO, before: MessageId(i64::MAX), bounds };
    let listed = engine.read(list);
    assert_eq!(listed.expires, history[0].details.as_ref().unwrap().expires);
    let figures: Vec<_> = listed.conversations.iter().map(|of| (of.unread, of.last.id.0)).collect();
    assert_eq!(figures, [(1, soon[1]), (1, soon[0])]);
}

pub(super) fn expiry_belongs_to_what_a_key_means(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let send = |engine: &Engine, expires: &Details| {
        engine.append(expiring(&["neko"], "hai", Some("key"), expires.clone()))
    };
    let first = ids(&send(&engine, &after(3_600)));
    for reopened in [false, true] {
        if reopened {
            engine.reopen();
        }
        match send(&engine, &after(3_600)) {
            Appended::Stored { copies, duplicate: true, .. } => assert_eq!(copies[0].1.0, first[0]),
            other => panic!("{other:?}"),
        }
        for other in [after(3_601), at(1), Details::default()] {
            assert_eq!(send(&engine, &other), Appended::KeyConflict, "{other:?}");
        }
    }
    // What has expired is the same message, too.
    let passed = || expiring(&["neko"], "hai", Some("passed"), at(5));
    assert!(matches!(engine.append(passed()), Appended::Stored { duplicate: false, .. }));
    assert!(matches!(engine.append(passed()), Appended::Stored { duplicate: true, .. }));
    assert_eq!(engine.unread(NEKO), [("paff".to_owned(), 1)]);
}

/// Cursors go past it, whoever acknowledges.
pub(super) fn cursor_passes_over_what_has_expired(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let expired = ids(&engine.append(expiring(&["neko"], "old", None, at(1))))[0];
    let read = |name: &str| page(NEKO, PageStart::Cursor(name.parse().unwrap()));
    assert!(engine.texts(read("jobs")).is_empty());
    let next = ids(&engine.append(message(PAFF, &["neko"], "new", None)))[0];
    assert_eq!(engine.texts(read("jobs")), ["new"]);
    for (upto, left) in [(expired, 1), (next, 0)] {
        let (cursor, upto) = ("jobs".parse().unwrap(), MessageId(upto));
        engine.write(Acknowledge { user: NEKO, cursor, upto, rewind: false }).unwrap();
        assert_eq!(engine.texts(read("jobs")).len(), left);
    }
    let with = Some("paff".parse::<MailboxName>().unwrap());
    let both = ReadPage { with, ..engine.history(NEKO) };
    assert_eq!(engine.texts(both), ["old", "new"]);
}

pub(super) fn purge_takes_what_has_expired(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let expired = ids(&engine.append(expiring(&["neko"], "old", None, at(1))))[0];
    let unread = ids(&engine.append(expiring(&["neko"], "new", None, after(3_600))))[0];
    let find = FindToPurge { filter: PurgeFilter::default(), after: MessageId::ZERO };
    let found = engine.read(find).unwrap();
    assert_eq!((found.ids, found.unread), (vec![MessageId(expired)], 1));
    let both = [expired, unread].map(MessageId);
    assert_eq!(engine.write(Purge { ids: both.to_vec(), unread_too: false }), Ok(1));
    assert_eq!(engine.texts(engine.history(NEKO)), ["new"]);
    assert_eq!(engine.unread(NEKO), [("paff".to_owned(), 1)]);
}

/// An edited message expires as before, and a deleted one is counted nowhere.
pub(super) fn edits_and_deletions_keep_what_expires(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let send = |body, expires| ids(&engine.append(expiring(&["neko"], body, None, expires)))[0];
    let (old, gone, new) = (send("old", at(1)), send("gone", at(1)), send("new", after(3_600)));
    let change = |id, alteration| {
        let change =
            ChangeMessage { actor: Actor::User(PAFF), id: MessageId(id), alteration, only: None };
        assert!(matches!(engine.write(change), Ok(MessageChanged::Stored { .. })));
    };
    for id in [old, new] {
        change(id, Alteration::Edit { body: "edited".parse().unwrap(), key: None });
    }
    change(gone, Alteration::Delete);
    assert_eq!(engine.unread(NEKO), [("paff".to_owned(), 1)]);
    assert_eq!(engine.new_texts(NEKO), ["edited"]);
    assert_eq!(engine.texts(engine.history(NEKO)), ["edited", "edited"]);
    let history = engine.read(engine.history(NEKO)).unwrap().messages;
    let expires = |place: usize| history[place].details.as_ref().unwrap().expires.unwrap();
    assert_eq!((expires(0), expires(1)), (Timestamp(1), Timestamp(history[1].at.0 + 3_600_000)));
    let account = engine.read(FindAccount("neko".parse().unwrap())).unwrap().0;
    assert_eq!(account.unread, 1);
}

/// The time counts from when it is sent, not from when it was scheduled.
pub(super) fn scheduled_message_expires_after_it_is_sent(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let later = expiring(&["neko"], "later", Some("key"), after(50));
    let (due_at, now) = (Timestamp(90), Timestamp(7));
    let schedule = Schedule { message: later, due_at, said_at: due_at, now };
    engine.write(schedule).unwrap();
    let due = engine.due(100).due.remove(0);
    assert_eq!(due.details.as_ref().unwrap().expires_in, Some(50));
    let sent = Append { details: due.details, ..message(PAFF, &["neko"], "later", Some("key")) };
    assert!(matches!(engine.append(sent), Appended::Stored { duplicate: false, .. }));
    let sent = engine.read(engine.history(NEKO)).unwrap().messages.remove(0);
    assert_eq!(sent.details.unwrap().expires, Some(Timestamp(sent.at.0 + 50_000)));
    assert_eq!(engine.unread(NEKO), [("paff".to_owned(), 1)]);
    // A start takes the system's clock, which nobody has set.
    engine.write(TakeSystemTime).unwrap();
    assert_eq!(engine.unread(NEKO), [("paff".to_owned(), 1)]);
}
