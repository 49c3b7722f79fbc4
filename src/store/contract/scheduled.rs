//! Scheduled messages: each is appended once, however often the store is opened again in between.

use super::{Engine, NEKO, Open, PAFF, message};
use crate::model::{Details, Key, MailboxName, MessageId, ScheduledId, Timestamp, UserId};
use crate::store::{
    Append, Appended, BeginSending, CancelScheduled, Cancelled, Change, ChangeUser, Due, FindDue,
    FoundDue, ListScheduled, SCHEDULED_MAX, Schedule, Scheduled, SettleScheduled, TakeSystemTime,
};

impl Engine {
    pub(super) fn schedule(&self, message: Append, due_at: i64) -> Scheduled {
        let due_at = Timestamp(due_at);
        self.write(Schedule { message, due_at, said_at: due_at, now: Timestamp(7) }).unwrap()
    }

    /// Schedules a message of paff to neko. Returns its number.
    fn scheduled(&self, body: &str, key: Option<&str>, due_at: i64) -> ScheduledId {
        match self.schedule(message(PAFF, &["neko"], body, key), due_at) {
            Scheduled::At { id, said_at, is_room: false, duplicate: false } => {
                assert_eq!(said_at, Timestamp(due_at));
                id
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn due(&self, now: i64) -> FoundDue {
        self.read(FindDue { now: Timestamp(now), after: None, max: 100 })
    }

    fn due_texts(&self, now: i64) -> Vec<String> {
        self.due(now).due.iter().map(|due| due.body.as_str().to_owned()).collect()
    }

    fn list(&self, sender: UserId) -> Vec<Due> {
        self.read(ListScheduled { sender, after: ScheduledId(0), max: 100 })
    }

    fn cancel(&self, sender: UserId, id: ScheduledId) -> Cancelled {
        self.write(CancelScheduled { sender, id }).unwrap()
    }

    fn begin(&self, id: ScheduledId) -> bool {
        !self.write(BeginSending(vec![id])).unwrap().is_empty()
    }

    /// Appends what is due, as the service does. Returns whether it is new.
    pub(super) fn append_due(&self, due: &Due, late: bool) -> bool {
        let to: Vec<MailboxName> = due.to.iter().flatten().cloned().collect();
        let names: Vec<&str> = to.iter().map(MailboxName::as_str).collect();
        let key = due.key.as_ref().map_or_else(|| format!("own-{}", due.id.0), own);
        let details = late.then(|| Details { due_at: Some(due.said_at), ..Details::default() });
        let append = Append {
            details: details.and_then(Details::if_any),
            ..message(due.sender, &names, due.body.as_str(), Some(&key))
        };
        match self.append(append) {
            Appended::Stored { duplicate, .. } => !duplicate,
            other => panic!("{other:?}"),
        }
    }

    fn change_paff(&self, change: Change) {
        let name = "paff".parse().unwrap();
        self.write(ChangeUser { name, change }).unwrap();
    }
}

fn own(key: &Key) -> String {
    key.as_str().to_owned()
}

pub fn scheduled_message_is_found_when_it_is_due_and_sent_once(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    engine.scheduled("second", None, 200);
    engine.scheduled("first", None, 100);
    let found = engine.due(99);
    assert_eq!((found.due.len(), found.next), (0, Some(Timestamp(100))));
    assert_eq!(engine.inbox(NEKO), [], "it is no message yet");
    engine.reopen();
    assert_eq!(engine.due_texts(200), ["first", "second"], "in the order of their time");
    let found = engine.due(100);
    assert_eq!(found.next, Some(Timestamp(200)));
    let due = &found.due[0];
    assert_eq!((due.sender, due.from.as_str()), (PAFF, "paff"));
    assert_eq!((due.made_at, due.due_at), (Timestamp(7), Timestamp(100)));
    assert!(engine.begin(due.id));
    assert!(engine.append_due(due, false));
    // The server was killed before it removed the row.
    engine.reopen();
    let again = engine.due(100).due.remove(0);
    assert_eq!(again, *due);
    assert!(engine.begin(again.id));
    // By now it is late. It is the same message.
    assert!(!engine.append_due(&again, true), "it is sent twice");
    assert_eq!(engine.write(SettleScheduled(again.id)), Ok(true));
    assert_eq!(engine.write(SettleScheduled(again.id)), Ok(false));
    engine.reopen();
    assert_eq!(engine.due_texts(200), ["second"]);
    assert_eq!(engine.inbox(NEKO).len(), 1);
}

pub fn key_of_a_scheduled_message_is_the_same_message_before_and_after(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let id = engine.scheduled("later", Some("key"), 100);
    let other = |to: &[&str], body| engine_message(to, body, "key");
    let (said_at, is_room, duplicate) = (Timestamp(100), false, true);
    let same = Scheduled::At { id, said_at, is_room, duplicate };
    assert_eq!(engine.schedule(other(&["neko"], "later"), 500), same, "the first time counts");
    let conflict = Scheduled::Not(Appended::KeyConflict);
    assert_eq!(engine.schedule(other(&["neko"], "other"), 100), conflict);
    assert_eq!(engine.schedule(other(&["robo"], "later"), 100), conflict);
    // The order of the recipients means nothing, as in the message log.
    let pair = match engine.schedule(engine_message(&["neko", "robo"], "later", "pair"), 400) {
        Scheduled::At { id, duplicate: false, .. } => id,
        other => panic!("{other:?}"),
    };
    let same = Scheduled::At { id: pair, said_at: Timestamp(400), is_room, duplicate };
    assert_eq!(engine.schedule(engine_message(&["robo", "neko"], "later", "pair"), 400), same);
    for to in [&["neko"][..], &["neko", "paff"], &["neko", "robo", "paff"]] {
        assert_eq!(engine.schedule(engine_message(to, "later", "pair"), 400), conflict, "{to:?}");
    }
    // Keys belong to their sender.
    let of_neko = message(NEKO, &["robo"], "mine", Some("key"));
    assert!(matches!(engine.schedule(of_neko, 300), Scheduled::At { duplicate: false, .. }));
    let due = engine.due(100).due.remove(0);
    assert!(engine.append_due(&due, true));
    engine.write(SettleScheduled(due.id)).unwrap();
    engine.reopen();
    // It came late, and says so. That is no other message.
    for answer in [
        engine.schedule(engine_message(&["neko"], "later", "key"), 900),
        Scheduled::Not(engine.append(engine_message(&["neko"], "later", "key"))),
    ] {
        match answer {
            Scheduled::Not(Appended::Stored { duplicate: true, copies, .. }) => {
                assert_eq!(copies[0].1, MessageId(1));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(engine.schedule(engine_message(&["neko"], "other", "key"), 900), conflict);
    assert_eq!(engine.due(200).due, []);
}

fn engine_message(to: &[&str], body: &str, key: &str) -> Append {
    message(PAFF, to, body, Some(key))
}

pub fn scheduled_message_is_cancelled_until_it_is_being_sent(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let [first, second] = ["first", "second"].map(|text| engine.scheduled(text, None, 100));
    assert_eq!(engine.cancel(NEKO, first), Cancelled::Unknown, "it is paff's");
    assert_eq!(engine.cancel(PAFF, first), Cancelled::Yes);
    assert_eq!(engine.cancel(PAFF, first), Cancelled::Unknown);
    assert!(!engine.begin(first), "it is cancelled");
    assert!(engine.begin(second) && engine.begin(second), "another server may begin it too");
    assert_eq!(engine.cancel(PAFF, second), Cancelled::TooLate);
    assert_eq!(engine.due_texts(100), ["second"]);
}

pub fn scheduled_messages_are_limited_and_listed(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    for number in 0..SCHEDULED_MAX {
        engine.scheduled(&number.to_string(), None, 100);
    }
    assert_eq!(engine.schedule(message(PAFF, &["neko"], "surplus", None), 1), Scheduled::TooMany);
    let of_neko = message(NEKO, &["neko", "robo"], "mine", None);
    assert!(matches!(engine.schedule(of_neko, 1), Scheduled::At { .. }), "each has his own");
    let listed = engine.list(PAFF);
    assert_eq!(listed.len(), SCHEDULED_MAX);
    assert!(listed.is_sorted_by_key(|due| due.id));
    let (after, max) = (listed[3].id, 2);
    let page = engine.read(ListScheduled { sender: PAFF, after, max });
    assert_eq!(page, listed[4..6]);
    let names: Vec<MailboxName> = engine.list(NEKO)[0].to.iter().flatten().cloned().collect();
    assert!(names.iter().map(MailboxName::as_str).eq(["neko", "robo"]));
    let unknown = vec!["nobody".parse().unwrap()];
    let refused = engine.schedule(message(NEKO, &["nobody"], "x", None), 1);
    assert_eq!(refused, Scheduled::Not(Appended::UnknownRecipients(unknown)));
    let details = Details { reply_to: Some(MessageId(77)), ..Details::default() };
    let answer = Append { details: details.if_any(), ..message(NEKO, &["robo"], "x", None) };
    assert_eq!(engine.schedule(answer, 1), Scheduled::Not(Appended::UnknownMessage));
}

pub fn scheduled_messages_follow_renamed_users_and_end_with_deleted_ones(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    engine.scheduled("hai", None, 100);
    let change = |name: &str, change| {
        engine.write(ChangeUser { name: name.parse().unwrap(), change }).unwrap();
    };
    change("neko", Change::Rename("cat".parse().unwrap()));
    let to = |engine: &Engine| engine.due(100).due.remove(0).to.remove(0);
    assert_eq!(to(&engine), Some("cat".parse().unwrap()));
    engine.change_paff(Change::Disable);
    let found = engine.due(100);
    assert_eq!((found.due, found.next), (vec![], None), "a disabled user sends nothing");
    engine.change_paff(Change::Enable);
    change("cat", Change::Delete);
    assert_eq!(to(&engine), None);
    engine.change_paff(Change::Delete);
    assert_eq!((engine.due(100).due, engine.list(PAFF)), (vec![], vec![]));
}

pub fn pages_of_what_is_due_go_on_after_the_last_one(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    // Several are due at the same time.
    for number in 0..11 {
        engine.scheduled(&number.to_string(), None, 100 + number / 4);
    }
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = engine.read(FindDue { now: Timestamp(200), after, max: 3 }).due;
        after = page.last().map(|due| (due.due_at, due.id));
        found.extend(page.iter().map(|due| due.body.as_str().to_owned()));
        if after.is_none() {
            break;
        }
    }
    assert!(found.into_iter().eq((0..11).map(|number| number.to_string())));
}

/// The system's clock was set by a day while the server ran, and then the server starts again.
pub fn start_takes_the_time_of_the_systems_clock(open: Open) {
    const DAY: i64 = 24 * 3_600_000;
    let Some(engine) = Engine::new(open) else { return };
    for (body, due_at, said_at) in [("forward", 2 * DAY, 3 * DAY), ("back", 2 * DAY, DAY)] {
        let (due_at, said_at) = (Timestamp(due_at), Timestamp(said_at));
        let message = message(PAFF, &["neko"], body, None);
        let scheduled = engine.write(Schedule { message, due_at, said_at, now: Timestamp(0) });
        assert!(matches!(scheduled, Ok(Scheduled::At { .. })));
    }
    assert_eq!(engine.due_texts(2 * DAY - 1), [""; 0]);
    assert_eq!(engine.due_texts(2 * DAY), ["forward", "back"]);
    // Servers that share a database have its clock, which no start changes.
    if engine.write(TakeSystemTime) == Ok(2) {
        assert_eq!(engine.due_texts(DAY - 1), [""; 0]);
        assert_eq!(engine.due_texts(DAY), ["back"]);
        assert_eq!(engine.due_texts(3 * DAY), ["back", "forward"]);
    }
    assert_eq!(engine.write(TakeSystemTime), Ok(0));
}
