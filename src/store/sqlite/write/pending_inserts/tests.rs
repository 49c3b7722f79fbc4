//! Batches of messages with and without keys: each answer is right, whatever the batch contains.

use std::sync::mpsc::{Receiver, channel};

use smallvec::smallvec;

use super::*;
use crate::model::CursorName;
use crate::store::Acked;
use crate::store::AddDeadLetter;
use crate::store::Append;
use crate::store::Appended;
use crate::store::StoreError;
use crate::store::sqlite::Sqlite;
use crate::store::sqlite::bulk_insert::ROWS_MAX;
use crate::store::sqlite::testing::Do;
use crate::store::sqlite::testing::store;
use crate::store::sqlite::write::context::WriteContext;

/// Submits the operations of `ask` as one batch, after a batch that executes only `before`.
fn in_one_batch(
    store: &Sqlite,
    before: impl FnOnce(&mut WriteContext<'_>) -> rusqlite::Result<()> + Send + 'static,
    ask: impl FnOnce(),
) {
    let ((begin, begun), (asked, wait)) = (channel(), channel());
    let hold = move |context: &mut WriteContext<'_>| {
        begin.send(()).unwrap();
        let _: Result<(), _> = wait.recv();
        before(context)
    };
    store.write(Do(hold), |done| done.unwrap());
    begun.recv().unwrap();
    ask();
    asked.send(()).unwrap();
}

fn append(
    store: &Sqlite,
    sender: i64,
    key: Option<&str>,
    text: &str,
) -> Receiver<Result<Appended, StoreError>> {
    let (done, outcome) = channel();
    let to = smallvec!["neko".parse().unwrap()];
    let append = Append {
        key: key.map(|key| key.parse().unwrap()),
        ..Append::new(UserId(sender), to, text.parse().unwrap())
    };
    store.write(append, move |appended| done.send(appended).unwrap());
    outcome
}

/// The id, and whether the message existed already.
fn stored(outcome: &Receiver<Result<Appended, StoreError>>) -> (i64, bool) {
    match outcome.recv().unwrap() {
        Ok(Appended::Stored { copies, duplicate, .. }) => (copies[0].1.0, duplicate),
        other => panic!("{other:?}"),
    }
}

fn texts(store: &Sqlite) -> Vec<(i64, String)> {
    let connection = Connection::open(store.path()).unwrap();
    let mut select = connection.prepare("SELECT id, body FROM messages ORDER BY id").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn operation_finds_messages_appended_earlier_in_its_batch() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let (acks, acked) = channel();
    let mut asked = Vec::new();
    in_one_batch(
        &store,
        |_| Ok(()),
        || {
            for (key, text) in [
                (Some("one"), "first"),
                (Some("one"), "first"),
                (Some("one"), "other"),
                (None, "second"),
            ] {
                asked.push(append(&store, 2, key, text));
            }
            // Only a message for the user can be a dead letter, so this operation reads the table.
            let done = move |acked| acks.send(acked).unwrap();
            store.write(
                AddDeadLetter { user: UserId(1), cursor: CursorName::inbox(), id: MessageId(2) },
                done,
            );
            asked.extend((0..40).map(|number| append(&store, 2, None, &format!("text {number}"))));
        },
    );
    assert_eq!([&asked[0], &asked[1], &asked[3]].map(stored), [(1, false), (1, true), (2, false)]);
    assert_eq!(asked[2].recv().unwrap().unwrap(), Appended::KeyConflict);
    assert_eq!(acked.recv().unwrap().unwrap(), Acked::At(MessageId(2)));
    assert!(asked[4..].iter().map(stored).eq((3..43).map(|id| (id, false))));
    let expected = ["first", "second"].map(str::to_owned).into_iter();
    let expected = expected.chain((0..40).map(|number| format!("text {number}")));
    assert!(texts(&store).into_iter().eq((1..).zip(expected)));
    store.close();
}

#[test]
fn key_is_found_in_a_batch_with_many_keys() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let mut asked = Vec::new();
    in_one_batch(
        &store,
        |_| Ok(()),
        || {
            for key in (0..20).chain([0, 12, 19]).map(|key| format!("key-{key:02}")) {
                asked.push(append(&store, 2, Some(&key), &key));
            }
        },
    );
    let outcomes: Vec<_> = asked.iter().map(stored).collect();
    assert!(outcomes[..20].iter().copied().eq((1..21).map(|id| (id, false))));
    assert_eq!(outcomes[20..], [(1, true), (13, true), (20, true)]);
    store.close();
}

#[test]
fn batch_without_room_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let limit = |context: &mut WriteContext<'_>| {
        let pages: i64 =
            context.connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        context.connection.pragma_update(None, "max_page_count", pages + 4)
    };
    let large = "x".repeat(30_000);
    let mut asked = Vec::new();
    in_one_batch(&store, limit, || {
        // There is room for the first statement's rows, but not for the second's.
        asked.push(append(&store, 2, Some("one"), "first"));
        asked.extend((1..ROWS_MAX).map(|_| append(&store, 2, None, "small")));
        asked.push(append(&store, 2, None, &large));
        // This request inserts the pending rows in the middle of the batch.
        asked.push(append(&store, 2, Some("one"), "first"));
    });
    for outcome in asked {
        assert_eq!(outcome.recv().unwrap(), Err(StoreError::Full));
    }
    assert_eq!(texts(&store), []);
    store.close();
}

#[test]
fn batch_larger_than_the_page_cache_is_stored_whole_or_not_at_all() {
    // SQLite caches four MiB, and each text takes three pages of its own.
    const TEXTS: usize = 400;
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let large = |number: usize| format!("{number} {}", "x".repeat(10_200));
    let ask = |first: usize| {
        (first..first + TEXTS)
            .map(|number| append(&store, 2, Some(&format!("key-{number:03}")), &large(number)))
            .collect::<Vec<_>>()
    };
    let mut asked = Vec::new();
    in_one_batch(&store, |_| Ok(()), || asked = ask(0));
    let outcomes: Vec<_> = asked.iter().map(stored).collect();
    assert!(outcomes.into_iter().eq((1..=TEXTS as i64).map(|id| (id, false))));
    let room = |pages: i64| {
        move |context: &mut WriteContext<'_>| {
            let count: i64 =
                context.connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            context.connection.pragma_update(None, "max_page_count", count + pages)
        }
    };
    // There is room for all but the last few.
    in_one_batch(&store, room(3 * TEXTS as i64 - 30), || asked = ask(TEXTS));
    for outcome in &asked {
        assert_eq!(outcome.recv().unwrap(), Err(StoreError::Full));
    }
    let expected = (0..TEXTS).map(|number| (number as i64 + 1, large(number)));
    assert!(texts(&store).into_iter().eq(expected));
    in_one_batch(&store, room(100_000), || asked = ask(TEXTS));
    let again: Vec<_> = asked.iter().map(stored).collect();
    assert!(again.into_iter().eq((TEXTS as i64 + 1..=2 * TEXTS as i64).map(|id| (id, false))));
    store.close();
}

#[test]
fn failed_operation_leaves_its_batch_intact() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let mut asked = Vec::new();
    // The second sender does not exist.
    in_one_batch(
        &store,
        |_| Ok(()),
        || asked.extend([2, 77, 2].map(|sender| append(&store, sender, Some("key"), "text"))),
    );
    assert_eq!([&asked[0], &asked[2]].map(stored), [(1, false), (1, true)]);
    assert!(matches!(asked[1].recv().unwrap(), Err(StoreError::Statement(_))));
    assert_eq!(texts(&store), [(1, "text".to_owned())]);
    asked.push(append(&store, 1, None, "later"));
    assert_eq!(stored(&asked[3]), (2, false));
    store.close();
}
