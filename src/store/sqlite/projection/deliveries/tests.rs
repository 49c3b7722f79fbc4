//! Random histories of a message log: reading by deliveries finds what the message log has.

use std::collections::HashMap;

use proptest::prelude::*;
use rusqlite::params;

use super::*;
use crate::model::{Body, Timestamp, UserName};
use crate::store::PageBounds;
use crate::store::cache::live_messages::LiveInbox;
use crate::store::sqlite::projection::delivery_cursor::{DeliveryCursor, Direction, in_memtable};
use crate::store::sqlite::row::user_name;
use crate::store::sqlite::schema;

const USERS: i64 = 5;

/// A step of a history, in one transaction or between transactions.
#[derive(Debug, Clone)]
enum Step {
    /// Appends messages for these users.
    Append(Vec<i64>),
    /// Deletes the oldest message after this percentage of the message log.
    Delete(i64),
    /// Appends messages in a transaction that is rolled back.
    Abort(Vec<i64>),
    /// Appends messages in an operation that fails alone. Then the same transaction appends
    /// messages for the same users in the opposite order.
    Fail(Vec<i64>),
    /// Writes while the writer is idle.
    Idle,
    /// Kills the server and starts it again.
    Kill,
    /// Closes the file and opens it again.
    Close,
    /// Rebuilds all runs, and appends messages in the same transaction.
    Rebuild(Vec<i64>),
    /// A user reads the unread messages, while another step happens.
    Read(i64, Box<Step>),
    /// Moves a user's cursor back to this percentage of its place.
    Rewind(i64, i64),
    /// Appends messages for these users without their texts.
    Import(Vec<i64>),
    /// Changes a user's name between two messages for these users.
    Rename(i64, Vec<i64>),
    /// Starts a watch of this user's inbox, or ends all of them.
    Watch(i64),
    Unwatch(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let users = || prop::collection::vec(1..=USERS, 1..40);
    let lone = prop_oneof![
        12 => users().prop_map(Step::Append),
        2 => (0..100_i64).prop_map(Step::Delete),
        2 => users().prop_map(Step::Abort),
        2 => users().prop_map(Step::Fail),
        2 => Just(Step::Idle),
        2 => Just(Step::Kill),
        1 => Just(Step::Close),
        1 => users().prop_map(Step::Rebuild),
        2 => (1..=USERS, 0..100_i64).prop_map(|(user, part)| Step::Rewind(user, part)),
        1 => users().prop_map(Step::Import),
        1 => (1..=USERS, users()).prop_map(|(user, users)| Step::Rename(user, users)),
        6 => (1..=USERS).prop_map(Step::Watch),
        1 => (1..=USERS).prop_map(Step::Unwatch),
    ];
    let beside = prop_oneof![
        2 => Just(Step::Idle),
        1 => prop::collection::vec(1..=USERS, 1..3).prop_map(Step::Append),
        1 => (1..=USERS, 0..100_i64).prop_map(|(user, part)| Step::Rewind(user, part)),
    ];
    let read = (1..=USERS, beside);
    prop_oneof![2 => lone, 1 => read.prop_map(|(user, step)| Step::Read(user, step.into()))]
}

struct Log {
    connection: Connection,
    memtable: Arc<Memtable>,
    live: Arc<LiveMessages>,
    deliveries: Deliveries,
    newest: i64,
    watched: Vec<(i64, LiveInbox)>,
    /// The place of each user's inbox cursor.
    seen: HashMap<i64, i64>,
}

impl Log {
    fn new() -> Self {
        let connection = schema::empty(schema::newest()).unwrap().unwrap();
        for user in 1..=USERS {
            let insert = "INSERT INTO users (id, name, display_name, password_hash, created_at)
                          VALUES (?1, ?1, '', '', 0)";
            connection.execute(insert, [user]).unwrap();
        }
        let (memtable, live) = (Arc::<Memtable>::default(), Arc::<LiveMessages>::default());
        let committed_to = (Arc::clone(&memtable), Arc::clone(&live));
        let deliveries = Deliveries::open(&connection, committed_to).unwrap();
        let (watched, seen) = (Vec::new(), HashMap::new());
        Self { connection, memtable, live, deliveries, newest: 0, watched, seen }
    }

    fn append(&mut self, users: &[i64]) {
        self.append_all(users);
        self.deliveries.keep_pace(&self.connection).unwrap();
    }

    fn append_all(&mut self, users: &[i64]) {
        for &user in users {
            self.insert(user);
            if self.deliveries.is_watched(MailboxId(user)) {
                self.deliveries.keep_text(UserId(1), self.message(self.newest));
            }
        }
    }

    fn insert(&mut self, user: i64) {
        self.newest += 1;
        let insert = "INSERT INTO messages (id, sent_at, sender_id, recipient_id, body)
                      VALUES (?1, 0, 1, ?2, ?3)";
        let body = "hai".repeat(1 + self.newest as usize % 7);
        self.connection.execute(insert, params![self.newest, user, body]).unwrap();
        self.deliveries.append_delivery(MailboxId(user), MessageId(self.newest));
    }

    /// The message as the message log has it.
    fn message(&self, id: i64) -> Message {
        let select = "SELECT s.name, r.name, body FROM messages m JOIN users s ON s.id = sender_id
                        JOIN users r ON r.id = recipient_id WHERE m.id = ?1";
        let read = |row: &rusqlite::Row<'_>| {
            let body: Body = row.get::<_, String>(2)?.parse().unwrap();
            Ok((user_name(row, 0)?, user_name(row, 1)?, body))
        };
        let (from, to, body): (UserName, UserName, Body) =
            self.connection.query_row(select, [id], read).unwrap();
        Message { id: MessageId(id), at: Timestamp(0), from, to: to.into(), body, details: None }
    }

    fn reopen(&mut self) {
        self.watched.clear();
        (self.memtable, self.live) = Default::default();
        let committed_to = (Arc::clone(&self.memtable), Arc::clone(&self.live));
        self.deliveries = Deliveries::open(&self.connection, committed_to).unwrap();
    }

    fn take(&mut self, step: Step) {
        if let Step::Read(user, beside) = step {
            return self.read(user, *beside);
        }
        self.connection.execute_batch("BEGIN").unwrap();
        match step {
            Step::Append(users) => self.append(&users),
            Step::Delete(part) => {
                let find = "SELECT recipient_id, id FROM messages WHERE id >= ?1 LIMIT 1";
                let found = self
                    .connection
                    .query_row(find, [self.newest * part / 100], |row| {
                        Ok((MailboxId(row.get(0)?), MessageId(row.get(1)?)))
                    })
                    .optional()
                    .unwrap();
                if let Some((user, id)) = found {
                    self.connection.execute("DELETE FROM messages WHERE id = ?1", [id.0]).unwrap();
                    self.deliveries.delete(&self.connection, user, id).unwrap();
                }
            }
            Step::Abort(users) => {
                let newest = self.newest;
                self.append(&users);
                self.connection.execute_batch("ROLLBACK; BEGIN").unwrap();
                self.deliveries.rolled_back();
                self.newest = newest;
            }
            Step::Fail(users) => {
                let (newest, savepoint) = (self.newest, self.deliveries.savepoint());
                self.connection.execute_batch("SAVEPOINT operation").unwrap();
                self.append_all(&users);
                let roll_back_to = "ROLLBACK TO operation; RELEASE operation";
                self.connection.execute_batch(roll_back_to).unwrap();
                self.deliveries.roll_back_to(savepoint);
                self.newest = newest;
                self.append(&users.iter().rev().copied().collect::<Vec<_>>());
            }
            Step::Idle => {
                self.deliveries.write_while_idle(&self.connection).unwrap();
                self.deliveries.compact(&self.connection).unwrap();
            }
            Step::Kill => self.reopen(),
            Step::Close => {
                self.deliveries.begin_last_run(&self.connection).unwrap();
                while self.deliveries.is_writing_run() {
                    self.deliveries.write_while_idle(&self.connection).unwrap();
                    self.deliveries.committed();
                }
                self.reopen();
            }
            Step::Rewind(user, part) => {
                *self.seen.entry(user).or_default() *= part;
                *self.seen.entry(user).or_default() /= 100;
                self.deliveries.rewind(UserId(user));
            }
            Step::Import(users) => {
                users.iter().for_each(|&user| self.insert(user));
                self.deliveries.keep_pace(&self.connection).unwrap();
            }
            Step::Rename(user, users) => {
                self.append(&users);
                let rename = "UPDATE users SET name = name || 'x' WHERE id = ?1";
                self.connection.execute(rename, [user]).unwrap();
                self.deliveries.rename();
                self.append(&users);
            }
            Step::Watch(user) => {
                self.watched.push((user, Arc::clone(&self.live).watch(UserId(user))));
            }
            Step::Unwatch(user) => self.watched.retain(|&(other, _)| other != user),
            Step::Read(..) => unreachable!("taken above"),
            Step::Rebuild(users) => {
                self.deliveries.rebuild(&self.connection).unwrap();
                self.append(&users);
            }
        }
        self.connection.execute_batch("COMMIT").unwrap();
        self.deliveries.committed();
    }

    /// Reads like a reader: it finds the state before the step that happens meanwhile.
    fn read(&mut self, user: i64, beside: Step) {
        let read_point = self.memtable.read_point();
        let seen = self.seen.get(&user).copied().unwrap_or(0);
        let found = self.cursor(user, Direction::After(MessageId(seen)));
        self.take(beside);
        match found.last() {
            // The cursor has been moved meanwhile, or is moved now.
            Some(&last) if self.seen.get(&user).copied().unwrap_or(0) == seen => {
                self.seen.insert(user, last);
            }
            Some(_) => {}
            None => self.memtable.note_empty(UserId(user), read_point),
        }
    }

    fn cursor(&self, user: i64, direction: Direction) -> Vec<i64> {
        let in_memtable = in_memtable(&self.memtable, MailboxId(user), MessageId::ZERO);
        let mut statement = delivery_cursor::prepare(&self.connection, direction).unwrap();
        let mut cursor = DeliveryCursor::begin(
            &self.connection,
            &mut statement,
            MailboxId(user),
            direction,
            in_memtable,
        )
        .unwrap();
        std::iter::from_fn(|| cursor.next().unwrap()).map(|id| id.0).collect()
    }

    /// Watches find in memory what the message log has.
    fn check_watched(&self, user: i64, log: &[i64]) {
        let measure = |message: &Message| message.body.as_str().len() + 1;
        let bounds = PageBounds { messages: 5, size: 40, measure };
        for (_, watched) in self.watched.iter().filter(|&&(watched, _)| watched == user) {
            for after in [0, self.newest / 2, self.newest - 20, self.newest - 3, self.newest] {
                let Some((found, more)) = watched.newer(MessageId(after), &bounds) else {
                    continue;
                };
                let mut next = log.iter().filter(|&&id| id > after);
                let mut size = 0;
                let mut expected = Vec::new();
                let expects_more = next.any(|&id| {
                    let message = self.message(id);
                    size += measure(&message);
                    let over = !expected.is_empty() && (expected.len() == 5 || size > 40);
                    if !over {
                        expected.push(Arc::new(message));
                    }
                    over
                });
                assert_eq!((found, more), (expected, expects_more), "{user} after {after}");
            }
        }
    }

    /// Every kind of read finds what the message log has.
    fn check(&self) {
        for user in 1..=USERS {
            let select = "SELECT id FROM messages WHERE recipient_id = ?1 ORDER BY id";
            let mut statement = self.connection.prepare(select).unwrap();
            let rows = statement.query_map([user], |row| row.get(0)).unwrap();
            let log: Vec<i64> = rows.map(Result::unwrap).collect();
            self.check_watched(user, &log);
            let seen = self.seen.get(&user).copied().unwrap_or(0);
            let is_empty = log.last().is_none_or(|&newest| newest <= seen);
            let is_known = self.memtable.is_known_to_be_empty(UserId(user));
            assert!(is_empty || !is_known, "user {user} has unread messages");
            let edge = self.newest / 3;
            let after: Vec<i64> = log.iter().copied().filter(|&id| id > edge).collect();
            assert_eq!(self.cursor(user, Direction::After(MessageId(edge))), after);
            let before: Vec<i64> = log.iter().rev().copied().filter(|&id| id < edge).collect();
            assert_eq!(self.cursor(user, Direction::Before(MessageId(edge))), before);
            let bounds = (MessageId(edge), MessageId(i64::MAX));
            let counted =
                self.deliveries.count(&self.connection, MailboxId(user), bounds, usize::MAX);
            assert_eq!(counted.unwrap(), after.len());
            let view: i64 = self
                .connection
                .query_row("SELECT count(*) FROM delivered WHERE user_id = ?1", [user], |row| {
                    row.get(0)
                })
                .unwrap();
            assert_eq!(view as usize, log.len());
        }
    }
}

/// Compacts until nothing is left to do.
fn compact(log: &mut Log) {
    while log.deliveries.needs_compaction() {
        log.take(Step::Idle);
    }
}

fn number(log: &Log, select: &str) -> i64 {
    log.connection.query_row(select, [], |row| row.get(0)).unwrap()
}

const RUNS: &str = "SELECT count(*) FROM delivery_runs";

#[test]
fn compacted_runs_are_few_and_have_the_same_deliveries() {
    const NEWEST: &str = "SELECT max(run) FROM delivery_runs";
    let mut log = Log::new();
    for append in 0..(36 * RUN_MESSAGES / 8 + 2) {
        log.take(Step::Append([1, 2, 3, 4, 5, 1, 3, 1 + append as i64 % USERS].to_vec()));
    }
    let (runs, newest) = (number(&log, RUNS), number(&log, NEWEST));
    assert!(runs > 30, "{runs} runs");
    while log.deliveries.needs_compaction() {
        log.connection.execute_batch("BEGIN").unwrap();
        log.deliveries.compact(&log.connection).unwrap();
        log.connection.execute_batch("COMMIT").unwrap();
        log.deliveries.committed();
    }
    // There is one level for each digit of the number of runs, and each level has less than three
    // runs. The newest run stays, so that its number is not used again.
    let few = number(&log, RUNS);
    assert!(few <= 2 * 4 + 1, "{few} runs");
    assert_eq!(number(&log, NEWEST), newest);
    log.check();
    // The rows of these runs are left, and those of the run that is being written behind the
    // message log.
    let flushed_upto = runs::flushed_upto(&log.connection).unwrap().0;
    let of_others =
        "SELECT count(*) FROM deliveries WHERE run NOT IN (SELECT run FROM delivery_runs)";
    let begun = number(&log, of_others);
    assert_eq!(number(&log, "SELECT count(*) FROM deliveries") - begun, flushed_upto);
    assert!(0 < begun && begun < RUN_MESSAGES as i64, "{begun} rows");
    for _ in 0..(10 * RUN_MESSAGES / 8) {
        log.take(Step::Append([5, 4, 3, 2].repeat(2)));
    }
    compact(&mut log);
    log.check();
}

#[test]
fn rebuild_during_a_merge_discards_the_merge() {
    let mut log = Log::new();
    for _ in 0..(5 * RUN_MESSAGES / 16) {
        log.take(Step::Append([1, 2, 3, 4].repeat(4)));
    }
    for _ in 0..4 {
        log.take(Step::Idle);
    }
    assert!(number(&log, "SELECT min(run) FROM deliveries") < 1, "a part of one is there");
    log.take(Step::Rebuild(vec![1, 2]));
    compact(&mut log);
    log.take(Step::Delete(10));
    log.check();
}

#[test]
fn rows_of_an_unfinished_longer_run_are_not_read_twice() {
    let mut log = Log::new();
    log.take(Step::Append([1, 2, 3, 4, 5].repeat(RUN_MESSAGES)));
    // As if the server were killed while it closes the file.
    log.connection.execute_batch("BEGIN").unwrap();
    log.deliveries.begin_last_run(&log.connection).unwrap();
    log.deliveries.runs.write(&log.connection, 4 * RUN_MESSAGES, &[]).unwrap();
    log.connection.execute_batch("COMMIT").unwrap();
    log.deliveries.committed();
    assert!(log.deliveries.is_writing_run(), "it is not whole");
    log.take(Step::Kill);
    for _ in 0..20 {
        log.take(Step::Append([5, 4, 3, 2].repeat(2)));
        log.check();
    }
}

#[test]
fn message_deleted_while_a_run_is_written_is_not_in_the_run() {
    let mut log = Log::new();
    for _ in 0..(RUN_MESSAGES / 8 + 2) {
        log.take(Step::Append([1, 2, 3, 4].repeat(2)));
    }
    let written = "SELECT count(*) FROM deliveries WHERE user_id = 1 AND message_id = 1";
    assert_eq!((number(&log, RUNS), number(&log, written)), (0, 1));
    log.take(Step::Delete(0));
    for _ in 0..4 {
        log.take(Step::Append([1, 2, 3, 4].repeat(2)));
    }
    assert_eq!((number(&log, RUNS), number(&log, written)), (1, 0));
    log.check();
}

#[test]
fn message_deleted_during_a_merge_is_in_no_run() {
    for killed in [false, true] {
        let mut log = Log::new();
        for _ in 0..(5 * RUN_MESSAGES / 16) {
            log.take(Step::Append([1, 2, 3, 4].repeat(4)));
        }
        let runs = number(&log, RUNS);
        // These deletions hit messages that the new run already has, and messages that it still
        // lacks.
        for part in (0..100).step_by(7) {
            log.take(Step::Idle);
            log.take(Step::Delete(part));
            log.check();
        }
        assert_eq!(number(&log, RUNS), runs, "it is still being written");
        assert!(number(&log, "SELECT min(run) FROM deliveries") < 1, "a part of it is there");
        if killed {
            log.take(Step::Kill);
        }
        compact(&mut log);
        assert!(number(&log, RUNS) < runs);
        log.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn reads_find_what_the_log_has(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut log = Log::new();
        for step in steps {
            log.take(step);
            log.check();
        }
    }
}
