//! The contract suite: the promises of every engine, checked by the same tests.
//!
//! The tests know [`Store`] and its operations only. An engine is a function that opens a store in
//! a folder. [`suite`] creates the tests of one engine; a second engine adds one line at the end.

mod changes;
mod expectations;
mod expiry;
mod invitations;
mod model;
mod names;
#[cfg(feature = "postgres")]
mod nodes;
#[cfg(feature = "postgres")]
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../tests/support"]
mod support {
    pub mod databases;
    pub mod postgres;
    pub mod skip;
}
mod rooms;
mod scheduled;
mod search;
mod tokens;
mod transfer;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use changes::{
    changes_are_told_in_their_order_and_once, changes_are_told_to_those_who_read_the_message,
    deleted_messages_leave_room_in_an_inbox, deleted_text_is_found_by_nobody,
    edit_with_a_key_is_made_once, edited_text_is_found_and_the_old_one_is_not,
    memory_of_streams_knows_no_old_text, only_those_who_may_change_a_message_can,
    purge_takes_deleted_messages_with_their_changes,
};
use expectations::{
    disabled_user_tells_nothing_and_a_clock_set_back_moves_no_deadline_away,
    expectation_is_told_of_once_when_late_and_once_when_back,
    expectations_are_limited_listed_changed_and_removed,
    failure_after_a_return_begins_a_new_period,
    failure_is_told_of_at_once_and_a_start_is_no_report,
    pages_of_what_is_to_be_told_go_past_what_cannot_be_told, text_of_the_first_failure_is_told,
};
use expiry::{
    cursor_passes_over_what_has_expired, edits_and_deletions_keep_what_expires,
    expiry_belongs_to_what_a_key_means,
    message_is_unread_until_it_expires_and_stays_in_the_history, purge_takes_what_has_expired,
    scheduled_message_expires_after_it_is_sent,
};
use invitations::{
    invitation_ends_by_its_time_or_when_it_is_revoked,
    invitation_is_refused_for_a_name_or_room_that_cannot_be,
    invitation_makes_one_account_in_its_rooms, invitation_of_a_removed_user_does_not_open_again,
};
use names::{
    key_of_a_name_means_what_it_meant_then,
    name_of_a_message_for_later_is_decided_when_it_is_scheduled,
    name_of_a_user_or_a_room_is_what_there_is_for_the_sender,
    token_sends_to_the_one_of_two_names_that_is_its_target,
};
use rooms::blocks::{
    block_refuses_what_is_sent_later, blocked_author_changes_no_text_that_the_reader_has,
    blocked_user_sends_nothing_to_the_user_alone, blocks_are_limited,
    blocks_follow_renamed_users_and_end_with_deleted_ones,
};
use rooms::conversations::list_goes_on_after_large_messages;
use rooms::everybody::{
    every_way_to_become_a_user_leads_into_the_room_of_everybody,
    import_brings_the_room_of_everybody, nobody_is_left_out_who_comes_while_the_room_is_made,
    older_room_of_the_name_becomes_the_room_of_everybody,
    room_of_everybody_is_not_left_closed_or_counted,
    user_whose_name_is_that_of_everybody_comes_first,
};
use rooms::marks::{
    floor_rises_step_by_step_and_a_rewound_cursor_wins, marks_are_limited_and_end_with_the_cursor,
};
use rooms::receipts::receipts_come_in_pages_and_a_stream_waits_for_few;
use rooms::{
    deleted_user_is_in_no_room, key_of_a_post_to_a_room_is_the_same_message,
    page_ends_after_many_own_messages_and_goes_on, room_beyond_a_limit_is_refused_and_not_created,
    room_is_archived_when_its_last_member_is_gone,
};
use scheduled::{
    key_of_a_scheduled_message_is_the_same_message_before_and_after,
    pages_of_what_is_due_go_on_after_the_last_one,
    scheduled_message_is_cancelled_until_it_is_being_sent,
    scheduled_message_is_found_when_it_is_due_and_sent_once,
    scheduled_messages_are_limited_and_listed,
    scheduled_messages_follow_renamed_users_and_end_with_deleted_ones,
    start_takes_the_time_of_the_systems_clock,
};
use search::{
    messages_around_an_id_are_one_page, search_finds_what_is_not_indexed_yet,
    search_has_bounded_pages, search_refuses_unknown_names, search_says_where_the_words_are,
    words_of_deleted_messages_are_gone,
};
use smallvec::SmallVec;
#[cfg(feature = "postgres")]
use support::databases;
use tempfile::TempDir;
use tokens::{
    token_is_found_until_it_is_revoked_or_its_user_is_gone,
    token_sends_to_its_targets_alone_whatever_they_are_called, tokens_are_limited_and_expire,
    use_of_a_token_is_recorded_with_its_place,
};
use transfer::{
    export_has_nothing_that_happens_during_it, import_decides_about_each_step,
    import_decides_about_steps_together, refused_step_ends_an_import,
};

use crate::adjustable::Adjustable;
use crate::model::{CursorName, Filter, MailboxName, Message, MessageId, UserId};
#[cfg(feature = "postgres")]
use crate::store::NodeOptions;
use crate::store::{
    Acked, Acknowledge, AddDeadLetter, AddUsers, Append, Appended, Change, ChangeUser, Changed,
    Changes, EngineRead, EngineWrite, Expect, FindAccount, FindMessageOf, FindUser, MessageSearch,
    NewUser, OpenError, Options, PageBounds, PageStart, Ping, Purge, ReadPage, Store, StoreError,
    Wanted,
};

/// The users of each store, with the ids 1, 2 and 3.
const USERS: [&str; 3] = ["neko", "paff", "robo"];
const NEKO: UserId = UserId(1);
const PAFF: UserId = UserId(2);
/// The maximum number of unread messages of one inbox in these tests.
const INBOX_UNREAD_MAX: usize = 10_000;

/// How long a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens the store of a folder, or creates one. `None` if the engine is not installed: then the
/// test is skipped.
type Open = fn(&Path) -> Option<Store>;

/// A store in a folder of its own.
struct Engine {
    open: Open,
    folder: TempDir,
    /// `None` only while it is opened again.
    store: Option<Store>,
}

impl Engine {
    /// A new store; `None` if the test is skipped.
    fn new(open: Open) -> Option<Self> {
        let engine = Self::without_users(open)?;
        let user = |name: &str| NewUser {
            name: name.parse().unwrap(),
            display_name: name.to_owned(),
            password_hash: String::new(),
            password_is_published: false,
        };
        assert_eq!(engine.write(AddUsers(USERS.map(user).into())).unwrap(), []);
        Some(engine)
    }

    /// A new store that has no users yet; `None` if the test is skipped.
    fn without_users(open: Open) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let store = Some(open(folder.path())?);
        Some(Self { open, folder, store })
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Writes and waits for the answer.
    fn write<W: EngineWrite>(&self, write: W) -> Result<W::Answer, StoreError> {
        let (done, answer) = channel();
        self.store().write(write, move |answer| done.send(answer).unwrap());
        answer.recv().unwrap()
    }

    /// Reads and waits for the answer.
    fn read<R: EngineRead>(&self, read: R) -> R::Answer {
        let (done, answer) = channel();
        self.store().read(read, move |answer| done.send(answer).unwrap());
        answer.recv().unwrap().unwrap()
    }

    fn append(&self, message: Append) -> Appended {
        self.write(message).unwrap()
    }

    /// All messages for a user, from one snapshot.
    fn inbox(&self, user: UserId) -> Vec<Message> {
        self.read(page(user, PageStart::After(MessageId::ZERO))).unwrap().messages
    }

    /// Closes the store and opens it again.
    fn reopen(&mut self) {
        self.store().close();
        // The old store must be dropped first, because it locks the folder.
        self.store = None;
        self.store = (self.open)(self.folder.path());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // There is none if it could not be opened again.
        if let Some(store) = &self.store {
            store.close();
        }
    }
}

fn message(sender: UserId, to: &[&str], body: &str, key: Option<&str>) -> Append {
    let to = to.iter().map(|name| name.parse().unwrap()).collect();
    Append {
        key: key.map(|key| key.parse().unwrap()),
        ..Append::new(sender, to, body.parse().unwrap())
    }
}

fn page(reader: UserId, start: PageStart) -> ReadPage {
    let bounds = PageBounds { messages: usize::MAX, size: usize::MAX, measure: |_| 1 };
    let (wanted, filter) = (Wanted::Incoming { muted: false }, Filter::default());
    let (with, since, changes) = (None, None, Changes::Folded);
    ReadPage { reader, start, with, wanted, since, filter, changes, bounds }
}

fn ids(appended: &Appended) -> SmallVec<[i64; 2]> {
    match appended {
        Appended::Stored { copies, .. } => copies.iter().map(|&(_, id)| id.0).collect(),
        other => panic!("{other:?}"),
    }
}

fn callback_comes_once_after_the_message_can_be_read(open: Open) {
    let Some(engine) = Engine::new(open).map(Arc::new) else { return };
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (done, answers) = channel();
    for number in 0..100 {
        let (calls, done, engine) = (Arc::clone(&calls), done.clone(), Arc::clone(&engine));
        let append = message(PAFF, &["neko"], &format!("text {number}"), None);
        engine.clone().store().write(append, move |appended| {
            calls.lock().unwrap().push(number);
            let id = ids(&appended.unwrap())[0];
            let from = page(NEKO, PageStart::After(MessageId(id - 1)));
            engine.store().read(from, move |found| {
                let found = found.unwrap().unwrap();
                done.send(found.messages.first().map(|message| message.id.0) == Some(id)).unwrap();
            });
        });
    }
    drop(done);
    assert!(answers.iter().take(100).all(|is_there| is_there));
    assert!(
        calls.lock().unwrap().iter().copied().eq(0..100),
        "not each once, in the order of the calls"
    );
}

fn ids_rise_in_the_order_of_commits_and_never_come_back(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let mut given = BTreeSet::new();
    let mut newest = 0;
    for round in 0..4 {
        for number in 0..5 {
            let text = format!("{round} {number}");
            for id in ids(&engine.append(message(PAFF, &["neko", "robo"], &text, None))) {
                assert!(id > newest && given.insert(id), "{id} after {newest}");
                newest = id;
            }
        }
        // The newest messages are purged, and the store is reopened.
        let newest = (newest - 3..=newest).map(MessageId).collect();
        assert_eq!(engine.write(Purge { ids: newest, unread_too: true }), Ok(4));
        if round % 2 == 1 {
            engine.reopen();
        }
    }
}

fn refused_operation_fails_alone_in_its_batch(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let (done, answers) = channel();
    let told = |place: usize| {
        let done = done.clone();
        move |appended| done.send((place, appended)).unwrap()
    };
    let (dead, dead_answer) = channel();
    engine.store().collect_batch(|| {
        let store = engine.store();
        store.write(message(PAFF, &["neko"], "first", Some("key")), told(0));
        store.write(message(PAFF, &["nobody", "neko"], "lost", None), told(1));
        store.write(message(PAFF, &["neko"], "other", Some("key")), told(2));
        store.write(message(UserId(77), &["neko"], "from nobody", None), told(3));
        let (user, cursor) = (NEKO, CursorName::inbox());
        let letter = AddDeadLetter { user, cursor, id: MessageId(999) };
        store.write(letter, move |acked| dead.send(acked).unwrap());
        store.write(message(PAFF, &["neko"], "last", None), told(4));
        Expect::MoreRequests
    });
    let mut answers: Vec<_> = answers.iter().take(5).collect();
    answers.sort_by_key(|&(place, _)| place);
    let [first, unknown, conflict, nobody, last] =
        <[_; 5]>::try_from(answers).unwrap().map(|(_, answer)| answer);
    assert_eq!((ids(&first.unwrap())[0], ids(&last.unwrap())[0]), (1, 2));
    let names: Vec<MailboxName> = vec!["nobody".parse().unwrap()];
    assert_eq!(unknown.unwrap(), Appended::UnknownRecipients(names));
    assert_eq!(conflict.unwrap(), Appended::KeyConflict);
    assert!(matches!(nobody, Err(StoreError::Statement(_))));
    assert_eq!(dead_answer.recv().unwrap(), Ok(Acked::BeyondTheLog));
    let texts: Vec<_> = engine.inbox(NEKO).into_iter().map(|message| message.body).collect();
    assert!(texts.iter().map(|body| body.as_str()).eq(["first", "last"]));
}

fn page_is_one_snapshot(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for number in 0..200 {
                engine.append(message(PAFF, &["neko", "robo"], &format!("{number}"), None));
            }
        });
        while !writing.is_finished() {
            // Both inboxes grow by one message in each commit, and no page has a gap.
            let (neko, robo) = (engine.inbox(NEKO), engine.inbox(UserId(3)));
            for inbox in [&neko, &robo] {
                let texts = inbox.iter().map(|message| message.body.as_str().to_owned());
                assert!(texts.eq((0..inbox.len()).map(|number| number.to_string())));
            }
            assert!(robo.len() >= neko.len(), "the later read has fewer messages");
        }
    });
    assert_eq!(engine.inbox(NEKO).len(), 200);
}

fn key_is_the_same_message_for_ever(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let send = |engine: &Engine, to: &str, body: &str| {
        engine.append(message(PAFF, &[to], body, Some("build-417")))
    };
    let first = ids(&send(&engine, "neko", "done"))[0];
    // Many keys follow, because an engine may keep the newest keys in memory only.
    for number in 0..500 {
        let key = format!("key-{number:04}");
        engine.append(message(PAFF, &["robo"], "other", Some(&key)));
    }
    for reopened in [false, true] {
        if reopened {
            engine.reopen();
        }
        match send(&engine, "neko", "done") {
            Appended::Stored { copies, duplicate: true, .. } => {
                assert_eq!(copies[..], [(NEKO.into(), MessageId(first))]);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(send(&engine, "neko", "other text"), Appended::KeyConflict);
        assert_eq!(send(&engine, "robo", "done"), Appended::KeyConflict);
    }
    // The key of another sender is another key.
    let append = message(NEKO, &["neko"], "mine", Some("build-417"));
    assert!(matches!(engine.append(append), Appended::Stored { duplicate: false, .. }));
}

fn surplus_operations_are_refused_as_busy_at_once(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let (_, capacity) = engine.store().write_queue();
    let (done, answers) = channel();
    let caller = thread::current().id();
    engine.store().collect_batch(|| {
        for number in 0..capacity + 10 {
            let done = done.clone();
            let told = move |answer: Result<(), StoreError>| {
                done.send((number, answer, thread::current().id())).unwrap();
            };
            engine.store().write(Ping, told);
        }
        Expect::MoreRequests
    });
    let refused = |answers: &Receiver<(usize, Result<(), StoreError>, thread::ThreadId)>| {
        let mut refused = 0;
        for (number, answer, thread) in answers.iter().take(capacity + 10) {
            match answer {
                Ok(()) => assert!(number < capacity),
                Err(StoreError::Busy) => {
                    assert_eq!(thread, caller);
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        refused
    };
    assert_eq!(refused(&answers), 10);
}

fn closed_store_answers_accepted_operations_and_refuses_others(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let (done, answers) = channel();
    for number in 0..50 {
        let done = done.clone();
        let append = message(PAFF, &["neko"], &format!("{number}"), None);
        engine.store().write(append, move |appended| done.send(appended.is_ok()).unwrap());
    }
    engine.store().close();
    assert_eq!(answers.try_iter().filter(|&stored| stored).count(), 50);
    assert_eq!(engine.write(Ping), Err(StoreError::Closed));
    let (done, answer) = channel();
    let find = FindUser::Numbered(NEKO);
    engine.store().read(find, move |found| done.send(found.map(drop)).unwrap());
    assert_eq!(answer.recv().unwrap(), Err(StoreError::Closed));
    engine.reopen();
    assert_eq!(engine.inbox(NEKO).len(), 50);
}

fn full_inbox_refuses_until_it_is_read(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let (done, answers) = channel();
    for number in 0..INBOX_UNREAD_MAX {
        let done = done.clone();
        let append = message(PAFF, &["neko"], &format!("{number}"), None);
        engine.store().write(append, move |appended| done.send(appended.unwrap()).unwrap());
    }
    let newest = answers.iter().take(INBOX_UNREAD_MAX).map(|stored| ids(&stored)[0]).max().unwrap();
    let one_more = || engine.append(message(PAFF, &["neko"], "more", None));
    assert_eq!(one_more(), Appended::InboxFull(vec!["neko".parse().unwrap()]));
    let (cursor, upto) = (CursorName::inbox(), MessageId(newest));
    let read = Acknowledge { user: NEKO, cursor, upto, rewind: false };
    assert_eq!(engine.write(read), Ok(Acked::At(upto)));
    assert!(matches!(one_more(), Appended::Stored { .. }));
}

fn user_is_removed_once_no_message_is_left(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let change = |change: Change| {
        engine.write(ChangeUser { name: "robo".parse().unwrap(), change }).unwrap()
    };
    // More messages than one step searches. Only the last one is from robo.
    let mut sent: Vec<i64> = (0..20)
        .map(|number| ids(&engine.append(message(PAFF, &["neko"], &format!("{number}"), None)))[0])
        .collect();
    let of_robo = ids(&engine.append(message(UserId(3), &["neko"], "bye", None)))[0];
    sent.push(of_robo);
    assert!(matches!(change(Change::Delete), Changed::Yes { .. }));
    let look = || {
        let mut after = MessageId::ZERO;
        loop {
            let find = FindMessageOf { name: "robo".parse().unwrap(), after };
            match engine.read(find).unwrap() {
                MessageSearch::NoneUpTo(upto) => after = upto,
                end => return end,
            }
        }
    };
    assert_eq!(look(), MessageSearch::Found);
    let looked_upto = MessageId(of_robo - 1);
    assert!(matches!(change(Change::Remove { looked_upto }), Changed::InUse));
    engine.write(Purge { ids: vec![MessageId(of_robo)], unread_too: true }).unwrap();
    assert_eq!(look(), MessageSearch::None(MessageId(sent[19])));
    let looked_upto = MessageId(sent[19]);
    assert!(matches!(change(Change::Remove { looked_upto }), Changed::Yes { .. }));
    assert!(engine.read(FindAccount("robo".parse().unwrap())).is_none());
}

/// The tests of one engine.
macro_rules! suite {
    ($engine:ident, $open:expr, [$($test:ident)*]) => {
        mod $engine {
            use super::*;

            $(#[test]
            fn $test() {
                super::$test($open);
            })*

            proptest::proptest! {
                #![proptest_config(proptest::test_runner::Config::with_cases(24))]
                #[test]
                fn agrees_with_the_model(steps in model::steps()) {
                    model::check($open, &steps);
                }

                #[test]
                fn changes_agree_with_the_model(steps in changes::steps()) {
                    changes::check($open, &steps);
                }

                #[test]
                fn rooms_agree_with_the_model(steps in rooms::steps()) {
                    rooms::check($open, &steps);
                }

                #[test]
                fn search_agrees_with_a_naive_scan(steps in search::steps()) {
                    search::agrees_with_a_naive_scan($open, &steps);
                }

                #[test]
                fn exports_what_it_imported(records in transfer::records()) {
                    transfer::check($open, &records);
                }
            }
        }
    };
}

/// Creates the tests of an engine.
macro_rules! promises {
    ($engine:ident, $open:expr) => {
        suite!($engine, $open, [
            callback_comes_once_after_the_message_can_be_read
            ids_rise_in_the_order_of_commits_and_never_come_back
            refused_operation_fails_alone_in_its_batch
            page_is_one_snapshot
            key_is_the_same_message_for_ever
            surplus_operations_are_refused_as_busy_at_once
            closed_store_answers_accepted_operations_and_refuses_others
            full_inbox_refuses_until_it_is_read
            edited_text_is_found_and_the_old_one_is_not
            deleted_text_is_found_by_nobody
            purge_takes_deleted_messages_with_their_changes
            only_those_who_may_change_a_message_can
            edit_with_a_key_is_made_once
            changes_are_told_in_their_order_and_once
            changes_are_told_to_those_who_read_the_message
            memory_of_streams_knows_no_old_text
            deleted_messages_leave_room_in_an_inbox
            user_is_removed_once_no_message_is_left
            page_ends_after_many_own_messages_and_goes_on
            key_of_a_post_to_a_room_is_the_same_message
            deleted_user_is_in_no_room
            room_beyond_a_limit_is_refused_and_not_created
            room_is_archived_when_its_last_member_is_gone
            floor_rises_step_by_step_and_a_rewound_cursor_wins
            list_goes_on_after_large_messages
            marks_are_limited_and_end_with_the_cursor
            receipts_come_in_pages_and_a_stream_waits_for_few
            import_decides_about_each_step
            import_decides_about_steps_together
            refused_step_ends_an_import
            export_has_nothing_that_happens_during_it
            expectation_is_told_of_once_when_late_and_once_when_back
            failure_is_told_of_at_once_and_a_start_is_no_report
            failure_after_a_return_begins_a_new_period
            pages_of_what_is_to_be_told_go_past_what_cannot_be_told
            text_of_the_first_failure_is_told
            expectations_are_limited_listed_changed_and_removed
            message_is_unread_until_it_expires_and_stays_in_the_history
            expiry_belongs_to_what_a_key_means
            cursor_passes_over_what_has_expired
            purge_takes_what_has_expired
            edits_and_deletions_keep_what_expires
            scheduled_message_expires_after_it_is_sent
            key_of_a_scheduled_message_is_the_same_message_before_and_after
            pages_of_what_is_due_go_on_after_the_last_one
            scheduled_message_is_cancelled_until_it_is_being_sent
            scheduled_message_is_found_when_it_is_due_and_sent_once
            scheduled_messages_are_limited_and_listed
            scheduled_messages_follow_renamed_users_and_end_with_deleted_ones
            start_takes_the_time_of_the_systems_clock
            disabled_user_tells_nothing_and_a_clock_set_back_moves_no_deadline_away
            search_finds_what_is_not_indexed_yet
            search_says_where_the_words_are
            search_has_bounded_pages
            search_refuses_unknown_names
            words_of_deleted_messages_are_gone
            messages_around_an_id_are_one_page
            token_is_found_until_it_is_revoked_or_its_user_is_gone
            token_sends_to_its_targets_alone_whatever_they_are_called
            tokens_are_limited_and_expire
            use_of_a_token_is_recorded_with_its_place
            invitation_makes_one_account_in_its_rooms
            invitation_is_refused_for_a_name_or_room_that_cannot_be
            invitation_ends_by_its_time_or_when_it_is_revoked
            invitation_of_a_removed_user_does_not_open_again
            blocked_user_sends_nothing_to_the_user_alone
            blocks_follow_renamed_users_and_end_with_deleted_ones
            blocks_are_limited
            blocked_author_changes_no_text_that_the_reader_has
            block_refuses_what_is_sent_later
            name_of_a_user_or_a_room_is_what_there_is_for_the_sender
            key_of_a_name_means_what_it_meant_then
            token_sends_to_the_one_of_two_names_that_is_its_target
            name_of_a_message_for_later_is_decided_when_it_is_scheduled
            every_way_to_become_a_user_leads_into_the_room_of_everybody
            room_of_everybody_is_not_left_closed_or_counted
            older_room_of_the_name_becomes_the_room_of_everybody
            user_whose_name_is_that_of_everybody_comes_first
            nobody_is_left_out_who_comes_while_the_room_is_made
            import_brings_the_room_of_everybody
        ]);
    };
}

promises!(sqlite, open_sqlite);
#[cfg(feature = "postgres")]
promises!(postgres, open_postgres);

fn open_sqlite(folder: &Path) -> Option<Store> {
    let options = Options {
        path: folder.join("chat.sqlite"),
        readers: 2,
        inbox_unread_max: Adjustable::from(INBOX_UNREAD_MAX),
    };
    let begun = Instant::now();
    loop {
        match Store::open(&options, Arc::new(|error| panic!("{error}"))) {
            // A process that another test starts holds the lock until it executes its program.
            Err(OpenError::InUse { .. }) if begun.elapsed() < PATIENCE => thread::yield_now(),
            opened => return Some(opened.unwrap()),
        }
    }
}

/// The database of a folder is the one whose URL is in the folder's file.
#[cfg(feature = "postgres")]
fn open_postgres(folder: &Path) -> Option<Store> {
    let file = folder.join("url");
    let url = match std::fs::read_to_string(&file) {
        Ok(url) => url,
        Err(_) => {
            let url = databases::new_prepared(prepare)?;
            std::fs::write(&file, &url).unwrap();
            url
        }
    };
    Some(join_postgres(&url))
}

/// What `db init` does: every promise must hold with the rights that a server has.
#[cfg(feature = "postgres")]
fn prepare(url: &str) {
    use crate::store::postgres::connect::Connector;
    use crate::store::postgres::password::PasswordSource;
    use crate::store::postgres::roles;

    let connector = Connector { target: url.parse().unwrap(), password: PasswordSource::None };
    let [server, reader] = ["chat_server", "chat_reader"].map(|name| name.parse().unwrap());
    roles::prepare(&connector, &roles::Roles { server, reader }).unwrap();
}

/// A node of the database at this URL.
#[cfg(feature = "postgres")]
fn join_postgres(url: &str) -> Store {
    use crate::store::postgres::connect::Connector;
    use crate::store::postgres::durability::Durability;
    use crate::store::postgres::password::PasswordSource;

    let options = NodeOptions {
        connector: Connector { target: url.parse().unwrap(), password: PasswordSource::None },
        // The server of the tests does not sync.
        durability: Durability::Storage,
        failover_wait: Duration::from_secs(30),
        check_interval: None,
        readers: 2,
        inbox_unread_max: Adjustable::from(INBOX_UNREAD_MAX),
    };
    Store::join(&options, Arc::new(|error| panic!("{error}"))).unwrap()
}
