//! Random histories of a message log: a lookup of a key finds what the message log has.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::store::sqlite::schema;

const SENDERS: i64 = 2;

/// A request: the sender, the key, and the number of recipients.
type Post = (i64, String, i64);

/// A step of a history, in one transaction or between transactions.
#[derive(Debug, Clone)]
enum Step {
    /// Requests with keys. A request whose key exists stores nothing.
    Post(Vec<Post>),
    /// Appends this many messages without a key.
    Send(i64),
    /// Deletes the oldest message after this percentage of the message log.
    Delete(i64),
    /// Deletes a message and executes requests, in a transaction that is rolled back.
    Abort(i64, Vec<Post>),
    /// Does the same in an operation that fails alone. Then the same transaction executes other
    /// requests.
    Fail(i64, Vec<Post>, Vec<Post>),
    /// Kills the server and starts it again.
    Kill,
    /// Closes the file and opens it again.
    Close,
    /// The table loses rows while no server runs. Then it is rebuilt, and the same transaction
    /// executes requests.
    Rebuild(Vec<Post>),
}

fn step() -> impl Strategy<Value = Step> {
    let key = prop_oneof![2 => "[ab]{1,2}", 1 => "time-ordered-[0-9]{3}"];
    let posts = || prop::collection::vec((1..=SENDERS, key.clone(), 1..4_i64), 1..12);
    prop_oneof![
        12 => posts().prop_map(Step::Post),
        4 => (1..20_i64).prop_map(Step::Send),
        3 => (0..100_i64).prop_map(Step::Delete),
        2 => (0..100_i64, posts()).prop_map(|(part, posts)| Step::Abort(part, posts)),
        2 => (0..100_i64, posts(), posts()).prop_map(|(part, posts, others)| Step::Fail(part, posts, others)),
        2 => Just(Step::Kill),
        1 => Just(Step::Close),
        1 => posts().prop_map(Step::Rebuild),
    ]
}

struct Log {
    connection: Connection,
    keys: Keys,
    newest: i64,
    appended: Vec<Delivery>,
    asked: BTreeSet<(i64, String)>,
}

impl Log {
    fn new() -> Self {
        let connection = schema::empty(schema::newest()).unwrap().unwrap();
        let keys = Keys::open(&connection).unwrap();
        Self { connection, keys, newest: 0, appended: Vec::new(), asked: BTreeSet::new() }
    }

    fn insert(&mut self, sender: i64, key: Option<&str>) -> MessageId {
        self.newest += 1;
        self.connection
            .execute(
                "INSERT INTO messages (id, sent_at, sender_id, recipient_id, key, body)
                 VALUES (?1, 0, ?2, ?1, ?3, 'x')",
                params![self.newest, sender, key],
            )
            .unwrap();
        let id = MessageId(self.newest);
        self.appended.push((UserId(self.newest).into(), id));
        id
    }

    fn post(&mut self, posts: &[Post]) {
        for (sender, key, copies) in posts {
            self.check_key(*sender, key);
            if self.keys.messages(&self.connection, UserId(*sender), key).unwrap().is_empty() {
                let ids: Vec<_> = (0..*copies).map(|_| self.insert(*sender, Some(key))).collect();
                self.keys.insert(UserId(*sender), key, ids);
            }
            self.asked.insert((*sender, key.clone()));
        }
    }

    fn delete(&mut self, part: i64) {
        let found = self
            .connection
            .query_row(
                "DELETE FROM messages WHERE id = (SELECT id FROM messages WHERE id >= ?1 LIMIT 1)
                 RETURNING id, sender_id, key",
                [self.newest * part / 100],
                |row| Ok((MessageId(row.get(0)?), UserId(row.get(1)?), row.get(2)?)),
            )
            .optional()
            .unwrap();
        if let Some((id, sender, Some(key))) = found {
            let key: String = key;
            self.keys.delete(&self.connection, sender, &key, id).unwrap();
        }
    }

    fn keep_pace(&mut self) {
        self.keys.keep_pace(&self.connection, &self.appended).unwrap();
    }

    fn take(&mut self, step: Step) {
        self.connection.execute_batch("BEGIN").unwrap();
        match step {
            Step::Post(posts) => self.post(&posts),
            Step::Send(messages) => (0..messages).for_each(|_| {
                self.insert(1, None);
            }),
            Step::Delete(part) => self.delete(part),
            Step::Abort(part, posts) => {
                let newest = self.newest;
                self.delete(part);
                self.post(&posts);
                self.keep_pace();
                self.connection.execute_batch("ROLLBACK; BEGIN").unwrap();
                self.keys.rolled_back();
                self.newest = newest;
                self.appended.clear();
            }
            Step::Fail(part, posts, others) => {
                let (newest, appended, savepoint) =
                    (self.newest, self.appended.len(), self.keys.savepoint());
                self.connection.execute_batch("SAVEPOINT operation").unwrap();
                self.delete(part);
                self.post(&posts);
                let roll_back_to = "ROLLBACK TO operation; RELEASE operation";
                self.connection.execute_batch(roll_back_to).unwrap();
                self.keys.roll_back_to(savepoint);
                self.newest = newest;
                self.appended.truncate(appended);
                self.post(&others);
            }
            Step::Kill => self.keys = Keys::open(&self.connection).unwrap(),
            Step::Close => {
                while self.keys.begin_last_run() {
                    self.keys.write_while_idle(&self.connection).unwrap();
                    self.keys.committed();
                }
                let unread: i64 = self.newest - flushed_upto(&self.connection).unwrap().0;
                assert!(unread < CLOSING_RUN_MESSAGES_MIN, "{unread} messages are to be read");
                self.keys = Keys::open(&self.connection).unwrap();
            }
            Step::Rebuild(posts) => {
                self.connection.execute("DELETE FROM keys WHERE message_id % 3 < 2", []).unwrap();
                self.keys = Keys::open(&self.connection).unwrap();
                self.keys.rebuild(&self.connection).unwrap();
                self.post(&posts);
            }
        }
        self.keep_pace();
        self.connection.execute_batch("COMMIT").unwrap();
        self.keys.committed();
        self.appended.clear();
    }

    /// A lookup of a key finds what the message log has.
    fn check_key(&self, sender: i64, key: &str) {
        let mut select = self
            .connection
            .prepare_cached("SELECT id FROM messages WHERE key = ?1 AND sender_id = ?2 ORDER BY id")
            .unwrap();
        let rows = select.query_map(params![key, sender], |row| row.get(0).map(MessageId));
        let log: Vec<MessageId> = rows.unwrap().map(Result::unwrap).collect();
        let sender = UserId(sender);
        let found = self.keys.messages(&self.connection, sender, key).unwrap();
        assert_eq!(found.as_slice(), log, "{key} of {sender:?}");
        match self.keys.look_up(sender, key) {
            KeyLookup::New => assert!(log.is_empty(), "{key} of {sender:?} is not new"),
            KeyLookup::InMemory => assert!(!log.is_empty(), "{key} of {sender:?} is new"),
            KeyLookup::NotInMemory => {}
        }
    }

    /// Lookups of all keys find what the message log has, and the table is complete up to the
    /// message that it names.
    fn check(&self) {
        for (sender, key) in &self.asked {
            self.check_key(*sender, key);
        }
        let count =
            |sql: &str| -> i64 { self.connection.query_row(sql, [], |row| row.get(0)).unwrap() };
        let astray = "SELECT count(*) FROM keys k LEFT JOIN messages m ON m.id = k.message_id
                       WHERE m.key IS NOT k.key OR m.sender_id IS NOT k.sender_id";
        assert_eq!(count(astray), 0);
        let lacking = "SELECT count(*) FROM messages m LEFT JOIN keys k
                           ON k.key = m.key AND k.sender_id = m.sender_id AND k.message_id = m.id
                        WHERE m.key IS NOT NULL AND k.key IS NULL
                          AND m.id <= (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'keys_upto')";
        assert_eq!(count(lacking), 0);
    }
}

#[test]
fn keys_move_from_memory_to_the_table() {
    let mut log = Log::new();
    for number in 0..100 {
        log.take(Step::Post(vec![(1, format!("key-{number:03}"), 1)]));
        let kept =
            log.keys.collecting.len() + log.keys.flushing.run().map_or(0, |run| run.keys.len());
        assert!(kept <= 3 * RUN_KEYS_MIN, "{kept} keys");
    }
    let unflushed_messages = 100 - flushed_upto(&log.connection).unwrap().0;
    assert!(
        (0..=3 * RUN_KEYS_MIN as i64).contains(&unflushed_messages),
        "{unflushed_messages} messages"
    );
    log.check();
}

#[test]
fn key_is_found_after_a_rollback_of_its_deletion() {
    let key = || vec![(1, "key".to_owned(), 1)];
    for roll_back_to in
        [Step::Fail(100, key(), vec![(2, "other".to_owned(), 1)]), Step::Abort(100, key())]
    {
        let mut log = Log::new();
        log.take(Step::Post(key()));
        log.take(roll_back_to);
        log.check();
    }
}

#[test]
fn messages_without_keys_move_the_end_of_the_table() {
    let mut log = Log::new();
    log.take(Step::Post(vec![(1, "key".to_owned(), 1)]));
    for _ in 0..10 {
        log.take(Step::Send(RUN_MESSAGES_MAX / 2));
    }
    let unflushed_messages = log.newest - flushed_upto(&log.connection).unwrap().0;
    assert!(unflushed_messages <= 2 * RUN_MESSAGES_MAX, "{unflushed_messages} messages");
    log.check();
}

#[test]
fn key_is_never_new_while_the_table_cannot_be_read() {
    let mut log = Log::new();
    for number in 0..60 {
        log.take(Step::Post(vec![(1, format!("key-{number:03}"), 1)]));
    }
    log.connection.execute_batch("ALTER TABLE keys RENAME TO others").unwrap();
    log.keys = Keys::open(&log.connection).unwrap();
    assert_eq!(log.keys.look_up(UserId(1), "key-000"), KeyLookup::NotInMemory);
    assert_eq!(log.keys.look_up(UserId(1), "zzz"), KeyLookup::NotInMemory);
    assert!(log.keys.messages(&log.connection, UserId(1), "key-000").is_err());
    log.connection.execute_batch("ALTER TABLE others RENAME TO keys; BEGIN").unwrap();
    log.keys.rebuild(&log.connection).unwrap();
    log.connection.execute_batch("COMMIT").unwrap();
    log.keys.committed();
    assert_eq!(log.keys.look_up(UserId(1), "zzz"), KeyLookup::New);
    log.check();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn lookups_find_what_the_log_has(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut log = Log::new();
        for step in steps {
            log.take(step);
            log.check();
        }
    }

    #[test]
    fn rising_keys_are_new_even_slightly_out_of_order(
        rising in prop::collection::btree_set("[a-z]{4}", 1..60),
        swaps in prop::collection::vec(0..60_usize, 60),
    ) {
        let mut log = Log::new();
        let mut coming: Vec<String> = rising.into_iter().collect();
        for at in swaps {
            // Only neighbours change places.
            if at % 2 == 0 && at + 1 < coming.len() {
                coming.swap(at, at + 1);
            }
        }
        for key in coming {
            prop_assert_eq!(log.keys.look_up(UserId(1), &key), KeyLookup::New, "{}", key);
            log.take(Step::Post(vec![(1, key, 1)]));
        }
    }
}
