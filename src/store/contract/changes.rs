//! Edits and deletions: readers find the newest text and no deleted one, whatever they read.

use proptest::prelude::*;

use super::transfer::export;
use super::{Engine, INBOX_UNREAD_MAX, NEKO, Open, PAFF, USERS, ids, message, page};
use crate::model::{
    Change, CursorName, Details, Filter, MailboxName, Message, MessageId, RoomName, Timestamp,
    UserId,
};
use crate::search::Query;
use crate::store::{
    Acknowledge, Actor, AddDeadLetter, Alteration, Append, Appended, ArchiveRoom, ChangeMessage,
    Changes, CountAll, CountUnread, CreateRoom, EDITS_MAX, FindAccount, FindToPurge, JoinRoom,
    Joining, KickFromRoom, LeaveRoom, ListConversations, Live, MessageChanged, Page, PageBounds,
    PageStart, Purge, PurgeFilter, ReadPage, ReadThread, RoomSettings, Search, SearchPage,
    Searched, ThreadStart, Wanted,
};
use crate::transfer::Record;

const ROBO: UserId = UserId(3);

fn bounds() -> PageBounds {
    PageBounds { messages: 1_000, size: usize::MAX, measure: |_| 1 }
}

fn room() -> RoomName {
    "#build".parse().unwrap()
}

fn edit_with(actor: UserId, id: i64, body: &str, key: Option<&str>) -> ChangeMessage {
    let (body, key) = (body.parse().unwrap(), key.map(|key| key.parse().unwrap()));
    let (actor, alteration) = (Actor::User(actor), Alteration::Edit { body, key });
    ChangeMessage { actor, id: MessageId(id), alteration, only: None }
}

fn delete_as(actor: Actor, id: i64) -> ChangeMessage {
    ChangeMessage { actor, id: MessageId(id), alteration: Alteration::Delete, only: None }
}

impl Engine {
    fn send(&self, sender: UserId, to: &str, body: &str) -> i64 {
        ids(&self.append(message(sender, &[to], body, None)))[0]
    }

    fn change(&self, change: ChangeMessage) -> MessageChanged {
        self.write(change).unwrap()
    }

    fn edit(&self, actor: UserId, id: i64, body: &str) -> i64 {
        stored(&self.change(edit_with(actor, id, body, None)))
    }

    fn delete(&self, actor: UserId, id: i64) -> i64 {
        stored(&self.change(delete_as(Actor::User(actor), id)))
    }

    fn page(&self, reader: UserId, start: PageStart, with: Option<&str>, changes: Changes) -> Page {
        let with = with.map(|name| name.parse::<MailboxName>().unwrap());
        let wanted = match changes {
            Changes::Told => Wanted::Incoming { muted: false },
            _ => Wanted::All,
        };
        let read = ReadPage { with, wanted, changes, bounds: bounds(), ..page(reader, start) };
        self.read(read).unwrap()
    }

    /// What a stream gets after an id.
    fn told(&self, reader: UserId, after: i64) -> Page {
        self.page(reader, PageStart::After(MessageId(after)), None, Changes::Told)
    }

    fn found(&self, reader: UserId, query: &str) -> Vec<i64> {
        let query = Query::parse(query).unwrap();
        let search = Search { reader, query, before: MessageId(i64::MAX), bounds: bounds() };
        match self.read(search) {
            Searched::Page(SearchPage { hits, .. }) => hits.iter().map(|(it, _)| it.id.0).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn room_of(&self, owner: UserId, members: &[UserId]) {
        let (actor, settings) = (Actor::User(owner), RoomSettings::default());
        assert!(self.write(CreateRoom { actor, name: room(), settings }).unwrap().is_ok());
        for member in members {
            let join = JoinRoom { room: room(), joining: Joining::Oneself(*member) };
            assert!(self.write(join).unwrap().is_ok());
        }
    }

    /// Every text that a reader can get at, by whatever they ask.
    fn all_texts(&self, reader: UserId) -> Vec<String> {
        let mut pages = Vec::new();
        let ends = [PageStart::After(MessageId::ZERO), PageStart::Before(MessageId(i64::MAX))];
        for changes in [Changes::Folded, Changes::Told, Changes::Raw] {
            for start in &ends {
                pages.push(self.page(reader, start.clone(), None, changes));
                for with in USERS.iter().chain(&["#build"]) {
                    let with = with.parse::<MailboxName>().unwrap();
                    let read = ReadPage {
                        with: Some(with),
                        wanted: Wanted::All,
                        changes,
                        bounds: bounds(),
                        ..page(reader, start.clone())
                    };
                    pages.extend(self.read(read));
                }
            }
        }
        let unread = PageStart::Cursor(CursorName::inbox());
        pages.push(self.page(reader, unread, None, Changes::Folded));
        let dead = PageStart::Dead("worker".parse().unwrap(), MessageId::ZERO);
        pages.push(self.page(reader, dead, None, Changes::Folded));
        for of in 1..20 {
            let (start, of) = (ThreadStart::After(MessageId::ZERO), MessageId(of));
            pages.extend(self.read(ReadThread {
                reader,
                of,
                start,
                since: None,
                bounds: bounds(),
            }));
        }
        let mut texts = Vec::new();
        for page in pages {
            texts.extend(page.messages.iter().map(|message| message.body.as_str().to_owned()));
            let changed = page.changes.iter().filter_map(|change| change.body.as_ref());
            texts.extend(changed.map(|body| body.as_str().to_owned()));
        }
        let list = ListConversations { reader, before: MessageId(i64::MAX), bounds: bounds() };
        let conversations = self.read(list).conversations;
        texts.extend(conversations.iter().map(|of| of.last.body.as_str().to_owned()));
        for record in export(self, false) {
            if let Record::Message(message) = record {
                texts.push(message.body.as_str().to_owned());
            }
        }
        texts
    }
}

fn stored(changed: &MessageChanged) -> i64 {
    match changed {
        MessageChanged::Stored { change, duplicate: false, .. } => change.0,
        other => panic!("{other:?}"),
    }
}

fn is_edited(message: &Message) -> bool {
    message.details.as_ref().is_some_and(|details| details.edited.is_some())
}

/// The id of each change, that of its message, and its text.
fn shown(changes: &[Change]) -> Vec<(i64, i64, Option<&str>)> {
    let text = |change: &Change| (change.change.0, change.id.0);
    let body = |change| text(change);
    changes
        .iter()
        .map(|change| {
            let (place, id) = body(change);
            (place, id, change.body.as_ref().map(|body| body.as_str()))
        })
        .collect()
}

fn texts(page: &Page) -> Vec<(i64, &str)> {
    page.messages.iter().map(|message| (message.id.0, message.body.as_str())).collect()
}

pub(super) fn edited_text_is_found_and_the_old_one_is_not(open: Open) {
    for is_indexed in [false, true] {
        let Some(mut engine) = Engine::new(open) else { return };
        let mut sent = message(PAFF, &["neko"], "alpha", None);
        let title = Some("Build 417".parse().unwrap());
        sent.details = Details { title, ..Details::default() }.if_any();
        let id = ids(&engine.append(sent))[0];
        let other = engine.send(PAFF, "neko", "plain");
        if is_indexed {
            engine.store().index_words();
        }
        engine.edit(PAFF, id, "bravo");
        engine.edit(PAFF, id, "charlie");
        for is_reopened in [false, true] {
            if is_reopened {
                engine.reopen();
            }
            for (reader, with) in [(NEKO, None), (NEKO, Some("paff")), (PAFF, Some("neko"))] {
                let start = PageStart::After(MessageId::ZERO);
                let page = engine.page(reader, start, with, Changes::Folded);
                assert_eq!(texts(&page), [(id, "charlie"), (other, "plain")]);
                assert_eq!(
                    [true, false].to_vec(),
                    page.messages.iter().map(is_edited).collect::<Vec<_>>()
                );
                let title = page.messages[0].details.as_ref().unwrap().title.as_ref().unwrap();
                assert_eq!(title.as_str(), "Build 417", "an edit changes the text alone");
            }
            for (query, expected) in [("charlie", &[id][..]), ("alpha", &[]), ("bravo", &[])] {
                assert_eq!(engine.found(NEKO, query), expected, "{query}");
            }
            assert_eq!(engine.found(NEKO, "417"), [id]);
            let exported = export(&engine, false);
            let lines = exported.iter().filter_map(|record| match record {
                Record::Message(message) => Some((message.id.0, message.body.as_str())),
                _ => None,
            });
            assert_eq!(lines.collect::<Vec<_>>(), [(id, "charlie"), (other, "plain")]);
            engine.store().index_words();
        }
    }
}

pub(super) fn deleted_text_is_found_by_nobody(open: Open) {
    for is_indexed in [false, true] {
        let Some(mut engine) = Engine::new(open) else { return };
        engine.room_of(PAFF, &[NEKO, ROBO]);
        let secret = ids(&engine.append(message(PAFF, &["neko"], "secret", Some("k1"))))[0];
        let in_room = engine.send(NEKO, "#build", "secret");
        let mut answer = message(NEKO, &["paff"], "answer", None);
        let reply_to = Some(MessageId(secret));
        answer.details = Details { reply_to, ..Details::default() }.if_any();
        let answer = ids(&engine.append(answer))[0];
        let cursor: CursorName = "worker".parse().unwrap();
        for id in [secret, in_room] {
            let (user, cursor, id) = (ROBO, cursor.clone(), MessageId(id));
            engine.write(AddDeadLetter { user, cursor, id }).unwrap();
        }
        engine.write(AddDeadLetter { user: NEKO, cursor, id: MessageId(secret) }).unwrap();
        engine.edit(PAFF, secret, "secret too");
        engine.edit(NEKO, in_room, "secret too");
        if is_indexed {
            engine.store().index_words();
        }
        for reader in [NEKO, PAFF] {
            assert!(engine.all_texts(reader).contains(&"secret too".to_owned()));
        }
        let watched = engine.store().watch(NEKO);
        let deletion = engine.delete(PAFF, secret);
        // The owner of the room, who did not write it.
        engine.delete(PAFF, in_room);
        let last = engine.send(PAFF, "neko", "last");
        for is_reopened in [false, true] {
            if is_reopened {
                engine.reopen();
                engine.store().index_words();
            }
            for reader in [NEKO, PAFF, ROBO] {
                let found = engine.all_texts(reader);
                assert!(!found.iter().any(|text| text.contains("secret")), "{found:?}");
                assert!(engine.found(reader, "secret").is_empty());
            }
            assert_eq!(texts(&engine.told(NEKO, 0)), [(last, "last")]);
        }
        drop(watched);
        let unread = engine.read(CountUnread { reader: NEKO });
        assert_eq!(unread.iter().map(|from| from.count).sum::<usize>(), 1);
        assert_eq!(engine.read(CountUnread { reader: ROBO }), []);
        // An operator counts the same: `last`, and the answer that paff has not read.
        let (account, activity) = engine.read(FindAccount("neko".parse().unwrap())).unwrap();
        assert_eq!((account.unread, activity.received), (1, 1));
        let now = Timestamp::now();
        let live = Live { now, seen_after: Timestamp(0) };
        assert_eq!(engine.read(CountAll { wall: now, live }).unread, 2);
        // It is as if it was not there, but whoever may delete it is told when it went.
        let again = engine.change(delete_as(Actor::User(PAFF), secret));
        assert!(
            matches!(again, MessageChanged::Stored { change: MessageId(id), duplicate: true, .. } if id == deletion)
        );
        for other in [NEKO, ROBO] {
            let refused = engine.change(delete_as(Actor::User(other), secret));
            assert_eq!(refused, MessageChanged::UnknownMessage);
        }
        let edited = engine.change(edit_with(PAFF, secret, "back", None));
        assert_eq!(edited, MessageChanged::UnknownMessage);
        let mut late = message(NEKO, &["paff"], "late", None);
        late.details = Details { reply_to, ..Details::default() }.if_any();
        assert_eq!(engine.append(late), Appended::UnknownMessage);
        // The thread goes on without it, and its key means the same message.
        let read = |of| {
            let (start, of) = (ThreadStart::After(MessageId::ZERO), MessageId(of));
            engine.read(ReadThread { reader: PAFF, of, start, since: None, bounds: bounds() })
        };
        assert!(read(secret).is_none());
        assert_eq!(texts(&read(answer).unwrap()), [(answer, "answer")]);
        let repeated = engine.append(message(PAFF, &["neko"], "secret", Some("k1")));
        assert!(matches!(repeated, Appended::Stored { duplicate: true, .. }));
    }
}

pub(super) fn purge_takes_deleted_messages_with_their_changes(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let (kept, gone) = (engine.send(PAFF, "neko", "kept"), engine.send(PAFF, "neko", "gone"));
    engine.store().index_words();
    engine.edit(PAFF, gone, "gone twice");
    engine.edit(PAFF, kept, "kept twice");
    engine.delete(PAFF, gone);
    let find = |deleted_only| {
        let filter = PurgeFilter { deleted_only, ..PurgeFilter::default() };
        engine.read(FindToPurge { filter, after: MessageId::ZERO }).unwrap()
    };
    // The message that is left is unread. A deleted one is not.
    let found = find(false);
    assert_eq!((found.ids, found.unread), (vec![MessageId(gone)], 1));
    let found = find(true);
    assert_eq!((found.ids.clone(), found.unread), (vec![MessageId(gone)], 0));
    assert_eq!(engine.write(Purge { ids: found.ids, unread_too: false }), Ok(1));
    assert_eq!(find(true).ids, []);
    let unknown = engine.change(delete_as(Actor::Operator, gone));
    assert_eq!(unknown, MessageChanged::UnknownMessage);
    let page = engine.page(NEKO, PageStart::After(MessageId::ZERO), None, Changes::Raw);
    assert_eq!(shown(&page.changes).len(), 1, "the changes of the purged message went with it");
    assert_eq!(engine.write(Purge { ids: vec![MessageId(kept)], unread_too: true }), Ok(1));
    let newest = engine.send(PAFF, "neko", "next");
    engine.reopen();
    assert_eq!(engine.send(PAFF, "neko", "after"), newest + 1);
    assert!(engine.found(NEKO, "twice").is_empty());
    let page = engine.page(NEKO, PageStart::After(MessageId::ZERO), None, Changes::Raw);
    assert_eq!(page.changes, []);
}

pub(super) fn only_those_who_may_change_a_message_can(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let id = engine.send(PAFF, "neko", "hai");
    // The recipient reads it, and nobody else does.
    for (actor, refused) in
        [(NEKO, MessageChanged::NotAllowed), (ROBO, MessageChanged::UnknownMessage)]
    {
        assert_eq!(engine.change(edit_with(actor, id, "x", None)), refused);
        assert_eq!(engine.change(delete_as(Actor::User(actor), id)), refused);
        let missing = engine.change(delete_as(Actor::User(actor), 4_000));
        assert_eq!(missing, MessageChanged::UnknownMessage);
    }
    let edit = ChangeMessage { actor: Actor::Operator, ..edit_with(PAFF, id, "x", None) };
    assert_eq!(engine.change(edit), MessageChanged::NotAllowed, "an operator writes nothing");
    let only = |user: UserId| Some([user.into()].as_slice().into());
    let edit = ChangeMessage { only: only(ROBO), ..edit_with(PAFF, id, "x", None) };
    assert_eq!(engine.change(edit), MessageChanged::UnknownMessage, "no target of the token");
    let edit = ChangeMessage { only: only(NEKO), ..edit_with(PAFF, id, "y", None) };
    stored(&engine.change(edit));

    engine.room_of(PAFF, &[NEKO, ROBO]);
    let (of_paff, of_neko) = (engine.send(PAFF, "#build", "a"), engine.send(NEKO, "#build", "b"));
    let of_robo = engine.send(ROBO, "#build", "c");
    let edited = engine.change(edit_with(PAFF, of_neko, "x", None));
    assert_eq!(edited, MessageChanged::NotAllowed, "a moderator deletes, and edits nothing");
    let deleted = engine.change(delete_as(Actor::User(NEKO), of_paff));
    assert_eq!(deleted, MessageChanged::NotAllowed);
    let kick =
        KickFromRoom { actor: Actor::User(PAFF), room: room(), user: "robo".parse().unwrap() };
    assert!(engine.write(kick).unwrap().is_ok());
    // Who is out still takes back what they have said, and says nothing new.
    let edited = engine.change(edit_with(ROBO, of_robo, "x", None));
    assert_eq!(edited, MessageChanged::NotAllowed);
    engine.delete(ROBO, of_robo);
    let archive = ArchiveRoom { actor: Actor::User(PAFF), room: room(), archived: true };
    assert!(engine.write(archive).unwrap().is_ok());
    let edited = engine.change(edit_with(NEKO, of_neko, "x", None));
    assert_eq!(edited, MessageChanged::RoomArchived);
    engine.delete(PAFF, of_neko);
    stored(&engine.change(delete_as(Actor::Operator, of_paff)));
    let page = engine.page(NEKO, PageStart::After(MessageId::ZERO), Some("#build"), Changes::Raw);
    assert_eq!(page.messages, []);
    let by: Vec<_> =
        page.changes.iter().map(|change| change.by.as_ref().map(|by| by.as_str())).collect();
    // What went after neko, who is a member, could read it.
    assert_eq!(by, [Some("robo"), Some("paff"), None]);
}

pub(super) fn edit_with_a_key_is_made_once(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let (first, second) = (engine.send(PAFF, "neko", "a"), engine.send(PAFF, "neko", "b"));
    engine.append(message(PAFF, &["neko"], "c", Some("key")));
    // Keys of messages and keys of edits do not meet.
    let change = stored(&engine.change(edit_with(PAFF, first, "d", Some("key"))));
    engine.edit(PAFF, first, "e");
    for is_reopened in [false, true] {
        if is_reopened {
            engine.reopen();
        }
        match engine.change(edit_with(PAFF, first, "d", Some("key"))) {
            MessageChanged::Stored { change: again, duplicate: true, mailbox, .. } => {
                assert_eq!((again.0, mailbox), (change, NEKO.into()));
            }
            other => panic!("{other:?}"),
        }
        for (id, body) in [(first, "other"), (second, "d")] {
            let edited = engine.change(edit_with(PAFF, id, body, Some("key")));
            assert_eq!(edited, MessageChanged::KeyConflict);
        }
        let page = engine.page(NEKO, PageStart::After(MessageId::ZERO), None, Changes::Folded);
        assert_eq!(texts(&page)[..2], [(first, "e"), (second, "b")]);
    }
    // The key of another user is another key.
    let own = engine.send(NEKO, "paff", "mine");
    stored(&engine.change(edit_with(NEKO, own, "d", Some("key"))));
    for number in 0..EDITS_MAX {
        let edited = engine.change(edit_with(PAFF, second, &format!("{number}"), None));
        assert!(matches!(edited, MessageChanged::Stored { duplicate: false, .. }));
    }
    let edited = engine.change(edit_with(PAFF, second, "more", None));
    assert_eq!(edited, MessageChanged::TooManyEdits);
    engine.delete(PAFF, second);
}

pub(super) fn changes_are_told_in_their_order_and_once(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let (a, b) = (engine.send(PAFF, "neko", "a"), engine.send(PAFF, "neko", "b"));
    let first = engine.edit(PAFF, a, "a1");
    let c = engine.send(PAFF, "neko", "c");
    let second = engine.edit(PAFF, a, "a2");
    let deletion = engine.delete(PAFF, b);
    // Who has seen nothing gets the messages as they are now.
    let page = engine.told(NEKO, 0);
    assert_eq!(texts(&page), [(a, "a2"), (c, "c")]);
    assert_eq!((page.changes.clone(), page.upto), (vec![], Some(MessageId(deletion))));
    let page = engine.told(NEKO, b);
    assert_eq!(texts(&page), [(c, "c")]);
    let changes = [(second, a, Some("a2")), (deletion, b, None)];
    assert_eq!(shown(&page.changes), changes, "{first} is no longer the newest change");
    assert_eq!(page.changes[0].by.as_ref().unwrap().as_str(), "paff");
    assert_eq!(page.changes[0].to.as_ref().unwrap().as_str(), "neko");
    assert_eq!(shown(&engine.told(NEKO, second).changes), changes[1..]);
    assert_eq!(engine.told(NEKO, deletion).changes, []);
    for reader in [PAFF, ROBO] {
        assert_eq!(engine.told(reader, 0).changes, [], "they are of others");
    }
    let ended = engine.told(NEKO, deletion);
    assert_eq!((ended.more, ended.messages.len()), (false, 0));

    // More changes than a page has, between messages.
    let mut expected = Vec::new();
    let targets: Vec<i64> = (0..12).map(|it| engine.send(PAFF, "neko", &format!("{it}"))).collect();
    let begin = *targets.last().unwrap();
    for (place, target) in targets.iter().enumerate() {
        expected.push((engine.edit(PAFF, *target, "new"), *target));
        if place % 3 == 0 {
            expected.push((engine.send(PAFF, "neko", "between"), 0));
        }
    }
    let (mut after, mut got) = (begin, Vec::new());
    loop {
        let page = engine.told(NEKO, after);
        let mut part: Vec<_> = page.messages.iter().map(|message| (message.id.0, 0)).collect();
        part.extend(page.changes.iter().map(|change| (change.change.0, change.id.0)));
        part.sort_unstable();
        got.extend(part);
        after = page.upto.unwrap().0;
        if !page.more {
            break;
        }
    }
    assert_eq!(got, expected);
    // Backwards, with every text.
    let (mut before, mut got) = (i64::MAX, Vec::new());
    loop {
        let start = PageStart::Before(MessageId(before));
        let page = engine.page(NEKO, start, Some("paff"), Changes::Raw);
        let mut part: Vec<_> = page.messages.iter().map(|message| (message.id.0, 0)).collect();
        part.extend(page.changes.iter().map(|change| (change.change.0, change.id.0)));
        part.sort_unstable_by(|one, other| other.cmp(one));
        got.extend(part);
        if !page.more {
            break;
        }
        before = page.upto.unwrap().0;
    }
    let mut all = vec![(a, 0), (first, a), (c, 0), (second, a), (deletion, b)];
    all.extend(targets.iter().map(|id| (*id, 0)));
    all.extend(expected);
    all.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(got, all);
    let page = engine.page(NEKO, PageStart::After(MessageId::ZERO), Some("paff"), Changes::Raw);
    assert_eq!(texts(&page)[0], (a, "a"), "as it was sent");
    // A filter keeps out edits of messages that it keeps out.
    let sender = |name: &str| Filter { sender: Some(name.parse().unwrap()), ..Filter::default() };
    for (filter, count) in [(sender("paff"), 2), (sender("robo"), 1)] {
        let wanted = Wanted::Incoming { muted: false };
        let start = PageStart::After(MessageId(b));
        let read = ReadPage { wanted, changes: Changes::Told, filter, ..page_of(start) };
        let found = engine.read(read).unwrap();
        let of_first = found.changes.iter().filter(|change| change.id.0 <= b).count();
        assert_eq!(of_first, count);
    }
}

fn page_of(start: PageStart) -> ReadPage {
    page(NEKO, start)
}

/// Who may not read a message learns nothing of its edits, and who has left nothing later.
pub(super) fn changes_are_told_to_those_who_read_the_message(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let settings =
        RoomSettings { history: crate::model::History::Joined, ..RoomSettings::default() };
    let (actor, name) = (Actor::User(PAFF), room());
    assert!(engine.write(CreateRoom { actor, name, settings }).unwrap().is_ok());
    let join = |user| {
        let join = JoinRoom { room: room(), joining: Joining::Oneself(user) };
        assert!(engine.write(join).unwrap().is_ok());
    };
    join(NEKO);
    let before = engine.send(PAFF, "#build", "before");
    join(ROBO);
    let after = engine.send(PAFF, "#build", "after");
    let edit = engine.edit(PAFF, before, "before, edited");
    let second = engine.edit(PAFF, after, "after, edited");
    let both = [(edit, before, Some("before, edited")), (second, after, Some("after, edited"))];
    assert_eq!(shown(&engine.told(NEKO, after).changes), both);
    assert_eq!(shown(&engine.told(ROBO, after).changes), both[1..]);
    assert_eq!(engine.told(PAFF, after).changes, [], "their own are no news");
    let raw = |reader| {
        engine.page(reader, PageStart::After(MessageId::ZERO), Some("#build"), Changes::Raw)
    };
    assert_eq!(shown(&raw(ROBO).changes), both[1..]);
    assert_eq!(shown(&raw(PAFF).changes), both);
    let leave = LeaveRoom { user: ROBO, room: room(), owner: None };
    assert!(engine.write(leave).unwrap().is_ok());
    engine.edit(PAFF, after, "unseen");
    let deletion = engine.delete(PAFF, after);
    assert_eq!(engine.told(ROBO, second).changes, []);
    assert_eq!(shown(&engine.told(NEKO, second).changes), [(deletion, after, None)]);
    // Deleted is deleted, also for a former member.
    assert_eq!((raw(ROBO).messages, raw(ROBO).changes), (vec![], vec![]));
    // Whoever is back is told what became of what they have seen.
    join(ROBO);
    assert_eq!(shown(&engine.told(ROBO, second).changes), [(deletion, after, None)]);
    assert_eq!(shown(&raw(ROBO).changes), [(deletion, after, None)]);
}

/// A stream reads messages from memory, and changes from the database.
pub(super) fn memory_of_streams_knows_no_old_text(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let watched = engine.store().watch(NEKO);
    let bounds = bounds();
    let first = engine.send(PAFF, "neko", "first");
    let second = engine.send(PAFF, "neko", "second");
    let before = MessageId(first - 1);
    engine.edit(PAFF, first, "edited");
    let deletion = engine.delete(PAFF, second);
    // Another node tells of a change a little later; a deletion is answered once all know of it.
    let newer = |after| {
        let found = watched.newer(after, &bounds);
        found.map(|(messages, _)| {
            messages.iter().map(|message| message.body.as_str().to_owned()).collect::<Vec<_>>()
        })
    };
    for after in [before, MessageId(first), MessageId(second)] {
        assert!(newer(after).is_none_or(|texts| texts.is_empty()), "{after:?}");
    }
    let third = engine.send(PAFF, "neko", "third");
    let texts = newer(MessageId(deletion));
    assert!(texts.is_none_or(|texts| texts.is_empty() || texts == ["third"]));
    assert!(newer(before).is_none());
    let page = engine.told(NEKO, before.0);
    assert_eq!(super::changes::texts(&page), [(first, "edited"), (third, "third")]);
}

/// Deleted messages do not fill an inbox.
pub(super) fn deleted_messages_leave_room_in_an_inbox(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let (done, answers) = std::sync::mpsc::channel();
    for number in 0..INBOX_UNREAD_MAX {
        let done = done.clone();
        let append: Append = message(PAFF, &["neko"], &format!("{number}"), None);
        engine.store().write(append, move |appended| done.send(appended.unwrap()).unwrap());
    }
    let newest = answers.iter().take(INBOX_UNREAD_MAX).map(|sent| ids(&sent)[0]).max().unwrap();
    let more = || engine.append(message(PAFF, &["neko"], "more", None));
    assert!(matches!(more(), Appended::InboxFull(_)));
    // A full inbox can be changed all the same.
    engine.edit(PAFF, newest, "edited");
    engine.delete(PAFF, newest);
    assert!(matches!(more(), Appended::Stored { .. }));
    assert!(matches!(more(), Appended::InboxFull(_)));
    let (cursor, upto) = (CursorName::inbox(), MessageId(newest));
    engine.write(Acknowledge { user: NEKO, cursor, upto, rewind: false }).unwrap();
    assert!(matches!(more(), Appended::Stored { .. }));
}

/// What is done, one step after another.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Send(usize, usize),
    /// Edits or deletes one of the messages.
    Edit(u8),
    Delete(u8),
    Purge(u8),
    Reopen,
    /// A user's stream goes on.
    Stream(usize),
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 0..USERS.len();
    let step = prop_oneof![
        6 => (user.clone(), user.clone()).prop_map(|(from, to)| Step::Send(from, to)),
        4 => any::<u8>().prop_map(Step::Edit),
        2 => any::<u8>().prop_map(Step::Delete),
        1 => any::<u8>().prop_map(Step::Purge),
        1 => Just(Step::Reopen),
        4 => user.prop_map(Step::Stream),
    ];
    prop::collection::vec(step, 1..40)
}

/// A message of the model. A purged one is not there.
struct Sent {
    id: i64,
    from: usize,
    to: usize,
    text: String,
    is_deleted: bool,
    /// Its newest change.
    change: Option<i64>,
    edits: usize,
}

/// Compares an engine with a list of messages that are changed in place.
pub(super) fn check(open: Open, steps: &[Step]) {
    let Some(mut engine) = Engine::new(open) else { return };
    let mut sent: Vec<Sent> = Vec::new();
    let mut streams = [0_i64; USERS.len()];
    for (number, step) in steps.iter().enumerate() {
        let count = sent.len().max(1);
        let chosen = |place: &u8| usize::from(*place) % count;
        match step {
            Step::Send(from, to) => {
                let (from, to, text) = (*from, *to, format!("text {number}"));
                let id = engine.send(UserId(from as i64 + 1), USERS[to], &text);
                let (change, edits) = (None, 0);
                sent.push(Sent { id, from, to, text, is_deleted: false, change, edits });
            }
            Step::Edit(place) => {
                let Some(message) = sent.get_mut(chosen(place)) else { continue };
                let text = format!("edit {number}");
                let author = UserId(message.from as i64 + 1);
                let edited = engine.change(edit_with(author, message.id, &text, None));
                match (message.is_deleted, message.edits >= EDITS_MAX) {
                    (true, _) => assert_eq!(edited, MessageChanged::UnknownMessage),
                    (_, true) => assert_eq!(edited, MessageChanged::TooManyEdits),
                    _ => {
                        message.change = Some(stored(&edited));
                        (message.text, message.edits) = (text, message.edits + 1);
                    }
                }
            }
            Step::Delete(place) => {
                let Some(message) = sent.get_mut(chosen(place)) else { continue };
                if !std::mem::replace(&mut message.is_deleted, true) {
                    message.change =
                        Some(engine.delete(UserId(message.from as i64 + 1), message.id));
                }
            }
            Step::Purge(place) => {
                if sent.is_empty() {
                    continue;
                }
                let ids = vec![MessageId(sent.remove(chosen(place)).id)];
                assert_eq!(engine.write(Purge { ids, unread_too: true }), Ok(1));
            }
            Step::Reopen => engine.reopen(),
            Step::Stream(user) => stream(&engine, *user, &sent, &mut streams[*user]),
        }
    }
    for (user, after) in streams.iter_mut().enumerate() {
        stream(&engine, user, &sent, after);
        let is_there = |message: &&Sent| message.to == user && !message.is_deleted;
        let expected = sent.iter().filter(is_there);
        let expected: Vec<_> =
            expected.map(|message| (message.id, message.text.as_str())).collect();
        let start = PageStart::After(MessageId::ZERO);
        let reader = UserId(user as i64 + 1);
        assert_eq!(texts(&engine.page(reader, start, None, Changes::Folded)), expected);
        let counted = engine.read(CountUnread { reader });
        assert_eq!(counted.iter().map(|from| from.count).sum::<usize>(), expected.len());
    }
    engine.store().close();
}

/// The stream of a user goes on to its end: no message and no change is missing or comes twice.
fn stream(engine: &Engine, user: usize, sent: &[Sent], after: &mut i64) {
    let mut got = Vec::new();
    let begin = *after;
    loop {
        let page = engine.told(UserId(user as i64 + 1), *after);
        got.extend(page.messages.iter().map(|message| (message.id.0, message.id.0)));
        got.extend(page.changes.iter().map(|change| (change.change.0, change.id.0)));
        *after = (*after).max(page.upto.map_or(0, |upto| upto.0));
        if !page.more {
            break;
        }
    }
    got.sort_unstable();
    let own = || sent.iter().filter(|message| message.to == user);
    let new = own().filter(|message| message.id > begin && !message.is_deleted);
    let mut expected: Vec<_> = new.map(|message| (message.id, message.id)).collect();
    let changed = own().filter_map(|message| Some((message.change?, message.id)));
    // A message that is new comes as it is. It may also be told that it was edited, if there was a
    // page between the two.
    let told = |(change, id): &(i64, i64)| *change > begin && *id <= begin;
    expected.extend(changed.clone().filter(told));
    expected.sort_unstable();
    let is_extra = |event: &(i64, i64)| event.0 != event.1 && event.1 > begin;
    assert!(
        got.iter()
            .filter(|event| is_extra(event))
            .all(|event| changed.clone().any(|it| it == *event))
    );
    got.retain(|event| !is_extra(event));
    assert_eq!(got, expected, "the stream of {user}");
}
