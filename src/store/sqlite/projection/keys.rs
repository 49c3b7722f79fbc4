//! Which message a sender's key belongs to: derived from the log, and written behind it.
//!
//! The keys of the newest messages are in memory, and the table has those of the others. What is in memory is a
//! portion that is being collected, and one before it that is sorted and put into the table beside the messages that
//! are taken in meanwhile, some rows with each batch. So a key costs no page of its own when its message is taken in;
//! and as keys that rise with time, as UUID version 7 does, come only somewhat out of order, most of a portion is put
//! at the end of the table. `migrations/sqlite/05-keys` has it.
//!
//! Most keys of that kind are beyond all that the table has. So of a key that is not in memory it mostly is known
//! without a look into the file that it is new.

mod key_run;

use std::hash::BuildHasher;
use std::mem;

use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, params};
use smallvec::SmallVec;

use crate::model::{Key, MessageId, UserId};
use crate::store::sqlite::bulk_insert::BulkInsert;
use crate::store::sqlite::message_log;
use crate::store::sqlite::projection::memtable::Delivery;
use crate::store::sqlite::projection::run_writer::{Run, RunWriter, Step};
use key_run::{End, Entry, KeyRun, Order};

/// From how many keys on a portion is put into the table. Of the keys under way at one moment few are older than the
/// newest so many; and of larger portions a processor has less at hand.
const RUN_KEYS_MIN: usize = if cfg!(test) { 16 } else { 1_024 };
/// After how many messages one is, with however few keys: what has to be read from the log when the server starts
/// after a crash, twice at most.
const RUN_MESSAGES_MAX: i64 = if cfg!(test) { 24 } else { 131_072 };
/// How many rows are owed before any is written: a commit of a few messages mostly touches no page of the table.
const OWED_ROWS_MIN: usize = if cfg!(test) { 4 } else { 128 };
/// After how many messages what is in memory is written when the file is closed: what has to be read at the next
/// start otherwise.
const CLOSING_MESSAGES: i64 = if cfg!(test) { 12 } else { 16_384 };

/// Should one of them be there, it says the same: a server was killed when it had written it.
const KEYS: BulkInsert =
    BulkInsert { into: "INSERT OR IGNORE INTO keys (key, sender_id, message_id)", columns: 3 };

/// The ids of the messages of one key: one for each recipient.
pub(in crate::store) type Messages = SmallVec<[MessageId; 1]>;

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum KeyLookup {
    /// The sender has not used it.
    New,
    /// The table tells. It is not in memory.
    NotInMemory,
    /// A message in memory has it.
    InMemory,
}

/// The writer's side: what is in memory, with what the transaction that is open does to it.
#[derive(Debug)]
pub(in crate::store) struct Keys {
    /// What is collected.
    newer: KeyRun,
    /// The run before it: it is being written to the table, or is in it.
    older: RunWriter<SortedKeys>,
    /// No key in the table that is not in `older` is beyond this one. `None` where the table could not tell.
    floor: Option<String>,
    /// Up to which message the table has all keys.
    flushed_upto: MessageId,
    /// The newest id that was given to a message.
    newest: MessageId,
    hasher: RandomState,
    /// What the transaction that is open has done.
    transaction: Transaction,
}

/// What a transaction has done: what counts once it is committed, and what it takes to take it back.
#[derive(Debug, Default)]
struct Transaction {
    /// Where `newer` ended before it.
    begun: End,
    /// What it has taken out of the log, of what is in memory.
    gone: Vec<MessageId>,
    newest: Option<MessageId>,
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Savepoint {
    newer: End,
    gone: usize,
}

/// A run of keys in the order of the table.
#[derive(Debug)]
struct SortedKeys {
    keys: KeyRun,
    order: Order,
    /// How many of its rows are durable.
    written: usize,
    upto: MessageId,
}

impl Run for SortedKeys {
    fn upto(&self) -> MessageId {
        self.upto
    }

    fn write(
        &mut self,
        connection: &Connection,
        rows: usize,
        _removed: &[MessageId],
    ) -> rusqlite::Result<Step> {
        let rest = self.keys.in_order(&self.order, self.written);
        let (left, rows) = (rest.len(), rows.min(rest.len()));
        let entries = rest.take(rows).filter(|entry| !entry.is_deleted);
        KEYS.insert(connection, entries, |values, entry| {
            values.bind(self.keys.key(entry))?;
            values.bind(entry.sender.0)?;
            values.bind(entry.message.0)
        })?;
        Ok(Step { rows, is_last: rows == left })
    }

    fn advance(&mut self, rows: usize) {
        self.written += rows;
    }

    fn finish(&self, connection: &Connection) -> rusqlite::Result<()> {
        set_flushed_upto(connection, self.upto)
    }
}

impl Keys {
    /// Reads what the table does not have from the log.
    pub(in crate::store) fn open(connection: &Connection) -> rusqlite::Result<Self> {
        let (flushed_upto, newest) =
            (flushed_upto(connection)?, message_log::newest_given(connection)?);
        let mut keys = Self {
            newer: KeyRun::default(),
            older: RunWriter::new(OWED_ROWS_MIN),
            // A table that is damaged can be made anew, by who has opened the file.
            floor: highest(connection).ok(),
            flushed_upto,
            newest,
            hasher: RandomState::default(),
            transaction: Transaction::default(),
        };
        let mut statement = connection.prepare(
            "SELECT sender_id, key, id FROM messages WHERE id > ?1 AND key IS NOT NULL ORDER BY id",
        )?;
        let mut rows = statement.query([flushed_upto.0])?;
        while let Some(row) = rows.next()? {
            // What is none nobody can ask for again.
            if let Ok(key) = row.get::<_, String>(1)?.parse::<Key>() {
                keys.insert(UserId(row.get(0)?), key.as_str(), [MessageId(row.get(2)?)]);
            }
        }
        keys.committed();
        Ok(keys)
    }

    /// What is known of a sender's key.
    pub(in crate::store) fn look_up(&self, sender: UserId, key: &str) -> KeyLookup {
        if self.in_memory(sender, key).next().is_some() {
            KeyLookup::InMemory
        } else if self.floor.as_deref().is_some_and(|floor| key > floor) {
            KeyLookup::New
        } else {
            KeyLookup::NotInMemory
        }
    }

    /// The messages with a sender's key, in the order of the log.
    pub(in crate::store) fn messages(
        &self,
        connection: &Connection,
        sender: UserId,
        key: &str,
    ) -> rusqlite::Result<Messages> {
        let mut found: Messages = self.in_memory(sender, key).collect();
        let mut select = connection
            .prepare_cached("SELECT message_id FROM keys WHERE key = ?1 AND sender_id = ?2")?;
        let mut rows = select.query(params![key, sender.0])?;
        while let Some(row) = rows.next()? {
            found.push(MessageId(row.get(0)?));
        }
        // The table may have some of those in memory, too.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Messages with this key are taken in, newer than all others.
    pub(in crate::store) fn insert(
        &mut self,
        sender: UserId,
        key: &str,
        messages: impl IntoIterator<Item = MessageId>,
    ) {
        let hash = self.hash(sender, key);
        self.newer.push(hash, sender, key, messages);
    }

    /// A message with this key has been taken out of the log.
    pub(in crate::store) fn remove(
        &mut self,
        connection: &Connection,
        sender: UserId,
        key: &str,
        message: MessageId,
    ) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "DELETE FROM keys WHERE key = ?1 AND sender_id = ?2 AND message_id = ?3",
            )?
            .execute(params![key, sender.0, message.0])?;
        if let Some(entry) = self.entry_mut(message) {
            entry.is_deleted = true;
            self.transaction.gone.push(message);
        }
        Ok(())
    }

    /// Where the transaction stands, for [`Self::roll_back_to`].
    pub(in crate::store) fn savepoint(&self) -> Savepoint {
        Savepoint { newer: self.newer.end(), gone: self.transaction.gone.len() }
    }

    /// What was done after the mark is taken back.
    pub(in crate::store) fn roll_back_to(&mut self, savepoint: Savepoint) {
        for message in self.transaction.gone.split_off(savepoint.gone) {
            if let Some(entry) = self.entry_mut(message) {
                entry.is_deleted = false;
            }
        }
        self.newer.truncate(savepoint.newer);
    }

    /// Writes some rows in the transaction that is open, where there are any to be written: as many as what it
    /// has taken in, these messages, asks for.
    pub(in crate::store) fn keep_pace(
        &mut self,
        connection: &Connection,
        placed: &[Delivery],
    ) -> rusqlite::Result<()> {
        self.transaction.newest = placed.last().map(|&(_, newest)| newest);
        if self.older.has_flushed() {
            return Ok(());
        }
        self.older.keep_pace(connection, placed.len(), &[])
    }

    /// Has all there is written by [`Self::go_on`], where that is worth it. Tells whether there is anything to be
    /// written.
    pub(in crate::store) fn begin_last_run(&mut self) -> bool {
        if !self.older.is_writing() && self.unflushed_messages() >= CLOSING_MESSAGES {
            self.begin_run();
        }
        self.older.is_writing()
    }

    /// [`Self::keep_pace`], where there is time.
    pub(in crate::store) fn go_on(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.older.go_on(connection)
    }

    /// The transaction is durable.
    pub(in crate::store) fn committed(&mut self) {
        let newest = mem::take(&mut self.transaction).newest;
        self.newest = newest.unwrap_or(self.newest);
        self.flushed_upto = self.older.committed().unwrap_or(self.flushed_upto);
        let is_due =
            self.newer.len() >= RUN_KEYS_MIN || self.unflushed_messages() >= RUN_MESSAGES_MAX;
        if is_due && !self.older.is_writing() {
            self.begin_run();
        }
        self.transaction.begun = self.newer.end();
    }

    /// The transaction has been taken back.
    pub(in crate::store) fn rolled_back(&mut self) {
        self.roll_back_to(Savepoint { newer: self.transaction.begun, gone: 0 });
        self.transaction = Transaction { begun: self.transaction.begun, ..Transaction::default() };
        self.older.rolled_back();
    }

    /// Makes all of the table anew, out of the log. Takes some seconds for a million messages.
    pub(in crate::store) fn rebuild(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "DELETE FROM keys;
             INSERT INTO keys (key, sender_id, message_id)
             SELECT key, sender_id, id FROM messages WHERE key IS NOT NULL ORDER BY key, sender_id, id;",
        )?;
        let newest = message_log::newest_given(connection)?;
        set_flushed_upto(connection, newest)?;
        let highest = highest(connection)?;
        // Also where this is taken back: it is not too low for what there was.
        self.floor = Some(self.floor.take().map_or(highest.clone(), |floor| floor.max(highest)));
        // Last, where nothing fails any more: who fails takes back what is in the file.
        self.older.rebuilt(newest);
        Ok(())
    }

    /// How many messages there may be whose keys the table has not got.
    fn unflushed_messages(&self) -> i64 {
        self.newest.0 - self.flushed_upto.0
    }

    /// What has been collected is put into the table from now on. Not in a transaction that has done anything.
    fn begin_run(&mut self) {
        // The room of the run before is used again.
        let (mut keys, mut order) = match self.older.take() {
            Some(SortedKeys { keys, order, .. }) => (keys, order),
            None => Default::default(),
        };
        mem::swap(&mut keys, &mut self.newer);
        if let Some(floor) = &mut self.floor {
            key_run::raise(floor, self.newer.highest());
        }
        self.newer.clear();
        keys.put_in_order(&mut order);
        self.older.begin(SortedKeys { keys, order, written: 0, upto: self.newest });
        self.transaction.begun = self.newer.end();
    }

    /// The messages in memory with a sender's key.
    fn in_memory<'a>(
        &'a self,
        sender: UserId,
        key: &'a str,
    ) -> impl Iterator<Item = MessageId> + 'a {
        let hash = self.hash(sender, key);
        let older = self.older.run().map(|run| &run.keys);
        [Some(&self.newer), older]
            .into_iter()
            .flatten()
            .flat_map(move |run| run.messages(hash, sender, key))
    }

    /// What is in memory of a message.
    fn entry_mut(&mut self, message: MessageId) -> Option<&mut Entry> {
        let older = self.older.run_mut().map(|run| &mut run.keys);
        self.newer.entry_mut(message).or_else(|| older.and_then(|keys| keys.entry_mut(message)))
    }

    fn hash(&self, sender: UserId, key: &str) -> u64 {
        self.hasher.hash_one((sender, key))
    }
}

/// Up to which message the table has all keys.
pub(in crate::store) fn flushed_upto(connection: &Connection) -> rusqlite::Result<MessageId> {
    let upto = connection
        .prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'keys_upto'")?
        .query_row([], |row| row.get(0).map(MessageId))
        .optional()?;
    Ok(upto.unwrap_or(MessageId::ZERO))
}

fn set_flushed_upto(connection: &Connection, upto: MessageId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES ('keys_upto', CAST(?1 AS TEXT))
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute([upto.0])
        .map(drop)
}

/// The highest key in the table; nothing where it has none.
fn highest(connection: &Connection) -> rusqlite::Result<String> {
    let highest: Option<String> =
        connection.query_row("SELECT max(key) FROM keys", [], |row| row.get(0))?;
    Ok(highest.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::store::sqlite::migrations;

    const SENDERS: i64 = 2;

    /// A message that is asked for: its sender, key and how many recipients it has.
    type Post = (i64, String, i64);

    /// What happens to the log, in one transaction or beside them.
    #[derive(Debug, Clone)]
    enum Step {
        /// Messages with keys are asked for; what is there already is not taken in again.
        Post(Vec<Post>),
        /// So many messages without a key are taken in.
        Send(i64),
        /// A message is deleted: the oldest after so many parts of a hundred of the log.
        Delete(i64),
        /// What the transaction did is taken back: a message deleted as above, and others taken in.
        Abort(i64, Vec<Post>),
        /// An operation does that in a transaction that goes on, and fails; then others are taken in.
        Fail(i64, Vec<Post>, Vec<Post>),
        /// The server is killed, and started again.
        Kill,
        /// The file is closed and opened again.
        Close,
        /// The table has lost some of its rows when the server starts, and is made anew; messages are taken in with that.
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
        placed: Vec<Delivery>,
        asked: BTreeSet<(i64, String)>,
    }

    impl Log {
        fn new() -> Self {
            let connection = migrations::empty(migrations::newest()).unwrap().unwrap();
            let keys = Keys::open(&connection).unwrap();
            Self { connection, keys, newest: 0, placed: Vec::new(), asked: BTreeSet::new() }
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
            self.placed.push((UserId(self.newest), id));
            id
        }

        fn post(&mut self, posts: &[Post]) {
            for (sender, key, copies) in posts {
                self.check_key(*sender, key);
                if self.keys.messages(&self.connection, UserId(*sender), key).unwrap().is_empty() {
                    let ids: Vec<_> =
                        (0..*copies).map(|_| self.insert(*sender, Some(key))).collect();
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
                self.keys.remove(&self.connection, sender, &key, id).unwrap();
            }
        }

        fn keep_pace(&mut self) {
            self.keys.keep_pace(&self.connection, &self.placed).unwrap();
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
                    self.placed.clear();
                }
                Step::Fail(part, posts, others) => {
                    let (newest, placed, savepoint) =
                        (self.newest, self.placed.len(), self.keys.savepoint());
                    self.connection.execute_batch("SAVEPOINT operation").unwrap();
                    self.delete(part);
                    self.post(&posts);
                    let roll_back_to = "ROLLBACK TO operation; RELEASE operation";
                    self.connection.execute_batch(roll_back_to).unwrap();
                    self.keys.roll_back_to(savepoint);
                    self.newest = newest;
                    self.placed.truncate(placed);
                    self.post(&others);
                }
                Step::Kill => self.keys = Keys::open(&self.connection).unwrap(),
                Step::Close => {
                    while self.keys.begin_last_run() {
                        self.keys.go_on(&self.connection).unwrap();
                        self.keys.committed();
                    }
                    let unread: i64 = self.newest - flushed_upto(&self.connection).unwrap().0;
                    assert!(unread < CLOSING_MESSAGES, "{unread} messages are to be read");
                    self.keys = Keys::open(&self.connection).unwrap();
                }
                Step::Rebuild(posts) => {
                    self.connection
                        .execute("DELETE FROM keys WHERE message_id % 3 < 2", [])
                        .unwrap();
                    self.keys = Keys::open(&self.connection).unwrap();
                    self.keys.rebuild(&self.connection).unwrap();
                    self.post(&posts);
                }
            }
            self.keep_pace();
            self.connection.execute_batch("COMMIT").unwrap();
            self.keys.committed();
            self.placed.clear();
        }

        /// What is known of a key is what the log says.
        fn check_key(&self, sender: i64, key: &str) {
            let mut select = self
                .connection
                .prepare_cached(
                    "SELECT id FROM messages WHERE key = ?1 AND sender_id = ?2 ORDER BY id",
                )
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

        /// Every key is known as if there were nothing but the log, and the table has as much of it as it says.
        fn check(&self) {
            for (sender, key) in &self.asked {
                self.check_key(*sender, key);
            }
            let count = |sql: &str| -> i64 {
                self.connection.query_row(sql, [], |row| row.get(0)).unwrap()
            };
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
    fn keys_come_to_be_in_the_table_and_are_not_kept_in_memory() {
        let mut log = Log::new();
        for number in 0..100 {
            log.take(Step::Post(vec![(1, format!("key-{number:03}"), 1)]));
            let kept = log.keys.newer.len() + log.keys.older.run().map_or(0, |run| run.keys.len());
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
    fn key_of_a_message_is_known_where_what_took_its_place_is_taken_back() {
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
    fn messages_without_keys_are_not_read_again_and_again() {
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
    fn table_that_cannot_be_read_says_of_no_key_that_it_is_new() {
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
        fn keys_are_known_as_if_there_were_nothing_but_the_log(
            steps in prop::collection::vec(step(), 1..60)
        ) {
            let mut log = Log::new();
            for step in steps {
                log.take(step);
                log.check();
            }
        }

        #[test]
        fn keys_that_rise_are_new_though_they_come_out_of_order(
            rising in prop::collection::btree_set("[a-z]{4}", 1..60),
            swaps in prop::collection::vec(0..60_usize, 60),
        ) {
            let mut log = Log::new();
            let mut coming: Vec<String> = rising.into_iter().collect();
            for at in swaps {
                // Neighbours change places, and no others.
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
}
