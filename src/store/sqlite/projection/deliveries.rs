//! Which messages are for whom: derived from the log, and written behind it.
//!
//! What the tables have is in runs, sorted by user, each of which covers what came after the one
//! before it; what the newest run does not cover is in the [`Memtable`]. So a message costs no index
//! page when it is taken in, however many users there are, and a run is written at the end of its
//! table, a few rows with each batch of messages. `migrations/sqlite/03-deliveries` has the tables.
//!
//! Reading looks at the tail first and into the file then: what becomes part of a run in between is
//! found there. What the two have between them is everything up to the newer of what the tail had
//! and what the runs have, so nothing is skipped that is read later.

use std::sync::Arc;
use std::vec;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Rows, params};

use crate::model::{Message, MessageId, UserId};
use crate::store::cache::live_messages::LiveMessages;
use crate::store::sqlite::message_log;
use crate::store::sqlite::projection::compaction::Compaction;
use crate::store::sqlite::projection::memtable::{Delivery, Memtable, Sorted};
use crate::store::sqlite::projection::run_writer::{Run, RunWriter, Step};
use crate::store::sqlite::projection::runs::{self, RUN_MESSAGES};

/// How many rows are owed before any is written: a commit of a few messages mostly touches no page of a run.
const OWED_ROWS_MIN: usize = if cfg!(test) { 4 } else { 32 };
/// From how many messages on the tail becomes a run when the file is closed: what has to be read
/// at the next start otherwise.
const CLOSING_MESSAGES: usize = if cfg!(test) { 32 } else { 16_384 };

/// Which way the log is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Direction {
    /// From the oldest after this id on.
    After(MessageId),
    /// From the newest before this id back.
    Before(MessageId),
}

/// The messages for one user after an id, out of the tail as it is now. Whoever reads asks for
/// this first and begins to read the file then.
pub(in crate::store) fn in_memtable(
    memtable: &Memtable,
    user: UserId,
    after: MessageId,
) -> Vec<MessageId> {
    memtable.messages_for(user, after, MessageId(i64::MAX))
}

/// For who had to read something before it was clear whose part of the tail is wanted: what is read
/// from here on is newer than what [`in_memtable`] tells from here on.
pub(in crate::store) fn renew_snapshot(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("COMMIT; BEGIN")
}

/// The statement of a [`DeliveryCursor`].
pub(in crate::store) fn prepare_cursor(
    connection: &Connection,
    direction: Direction,
) -> rusqlite::Result<CachedStatement<'_>> {
    // The order is that of the two keys: nothing is sorted, and nothing read that is not asked for.
    connection.prepare_cached(match direction {
        Direction::After(_) => {
            "SELECT d.message_id
               FROM delivery_runs t CROSS JOIN deliveries d
              WHERE t.upto_id > ?2 AND d.run = t.run AND d.user_id = ?1 AND d.message_id > ?2
              ORDER BY t.upto_id, d.message_id"
        }
        Direction::Before(_) => {
            "SELECT d.message_id
               FROM delivery_runs t CROSS JOIN deliveries d
              WHERE d.run = t.run AND d.user_id = ?1 AND d.message_id < ?2
              ORDER BY t.upto_id DESC, d.message_id DESC"
        }
    })
}

/// Goes through the messages for one user, by id.
pub(in crate::store) struct DeliveryCursor<'a> {
    in_runs: Rows<'a>,
    in_memtable: vec::IntoIter<MessageId>,
    direction: Direction,
}

impl<'a> DeliveryCursor<'a> {
    /// `in_memtable` is what [`in_memtable`] had, before anything was read through this connection's
    /// transaction.
    pub(in crate::store) fn begin(
        connection: &Connection,
        statement: &'a mut CachedStatement<'_>,
        user: UserId,
        direction: Direction,
        mut in_memtable: Vec<MessageId>,
    ) -> rusqlite::Result<Self> {
        let flushed_upto = runs::flushed_upto(connection)?;
        let edge = match direction {
            Direction::After(id) => {
                in_memtable.retain(|&message| message > flushed_upto && message > id);
                id
            }
            Direction::Before(id) => {
                in_memtable.retain(|&message| message > flushed_upto && message < id);
                in_memtable.reverse();
                id
            }
        };
        let in_runs = statement.query([user.0, edge.0])?;
        Ok(Self { in_runs, in_memtable: in_memtable.into_iter(), direction })
    }

    /// The next message's id.
    pub(in crate::store) fn next(&mut self) -> rusqlite::Result<Option<MessageId>> {
        if let Direction::Before(_) = self.direction
            && let Some(id) = self.in_memtable.next()
        {
            return Ok(Some(id));
        }
        match self.in_runs.next()? {
            Some(row) => row.get(0).map(|id| Some(MessageId(id))),
            None => Ok(self.in_memtable.next()),
        }
    }
}

/// How many messages there are for `user` after one id and up to and with another, no more than
/// `max`. `in_memtable` as with [`DeliveryCursor::begin`].
pub(in crate::store) fn count(
    connection: &Connection,
    in_memtable: &[MessageId],
    user: UserId,
    (after, upto): (MessageId, MessageId),
    max: usize,
) -> rusqlite::Result<usize> {
    let flushed_upto = runs::flushed_upto(connection)?;
    let in_runs: u32 = connection
        .prepare_cached(
            "SELECT count(*) FROM (
                 SELECT 1
                   FROM delivery_runs t CROSS JOIN deliveries d
                  WHERE t.upto_id > ?2 AND d.run = t.run
                    AND d.user_id = ?1 AND d.message_id > ?2 AND d.message_id <= ?3
                  LIMIT ?4)",
        )?
        .query_row(
            params![user.0, after.0, upto.0, i64::try_from(max).unwrap_or(i64::MAX)],
            |row| row.get(0),
        )?;
    let is_counted = |&&id: &&MessageId| id > flushed_upto && id > after && id <= upto;
    Ok((in_runs as usize + in_memtable.iter().filter(is_counted).count()).min(max))
}

/// The writer's side: what the transaction that is open will have done to the deliveries, and the
/// run that is being written.
pub(in crate::store) struct Deliveries {
    memtable: Arc<Memtable>,
    live: Arc<LiveMessages>,
    /// Of this transaction.
    placed: Vec<Delivery>,
    /// The texts of those who are watched.
    texts: Vec<Arc<Message>>,
    /// What it takes out of the log; and, of that, what no run covers.
    gone: Vec<Delivery>,
    removed: Vec<MessageId>,
    /// It changes names.
    renamed: bool,
    /// Whose inbox cursors it moves back.
    rewound: Vec<UserId>,
    runs: RunWriter<DeliveryRun>,
    compaction: Compaction,
    /// There may be something to merge.
    needs_compaction: bool,
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct Savepoint {
    placed: usize,
    texts: usize,
    gone: usize,
    removed: usize,
}

/// A run that is being written.
struct DeliveryRun {
    number: i64,
    upto: MessageId,
    sorted: Sorted,
    memtable: Arc<Memtable>,
    /// The next rows; rows that a transaction has written stay until it is committed.
    next: Vec<Delivery>,
    /// There are no more after those.
    exhausted: bool,
}

impl Run for DeliveryRun {
    fn upto(&self) -> MessageId {
        self.upto
    }

    fn write(
        &mut self,
        connection: &Connection,
        rows: usize,
        removed: &[MessageId],
    ) -> rusqlite::Result<Step> {
        while self.next.len() < rows && !self.exhausted {
            match self.sorted.next() {
                Some(delivery) => self.next.push(delivery),
                None => self.exhausted = true,
            }
        }
        self.memtable.drop_deleted(&mut self.next);
        let writing = &self.next[..rows.min(self.next.len())];
        let is_there = |(_, id): &&Delivery| !removed.contains(id);
        runs::insert(connection, self.number, writing.iter().filter(is_there))?;
        let is_last = self.exhausted && self.next.len() == writing.len();
        Ok(Step { rows: writing.len(), is_last })
    }

    fn advance(&mut self, rows: usize) {
        self.next.drain(..rows);
    }

    fn finish(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("INSERT INTO delivery_runs (upto_id, run) VALUES (?1, ?2)")?
            .execute([self.upto.0, self.number])
            .map(drop)
    }
}

impl Deliveries {
    /// Reads what the runs do not cover from the log.
    pub(in crate::store) fn open(
        connection: &Connection,
        (memtable, live): (Arc<Memtable>, Arc<LiveMessages>),
    ) -> rusqlite::Result<Self> {
        live.begin(message_log::newest_given(connection)?);
        let mut statement = connection
            .prepare("SELECT recipient_id, id FROM messages WHERE id > ?1 ORDER BY id")?;
        let found = statement.query_map([runs::flushed_upto(connection)?.0], |row| {
            Ok((UserId(row.get(0)?), MessageId(row.get(1)?)))
        })?;
        memtable.extend(&found.collect::<Result<Vec<_>, _>>()?);
        Ok(Self {
            memtable,
            live,
            placed: Vec::new(),
            texts: Vec::new(),
            gone: Vec::new(),
            removed: Vec::new(),
            renamed: false,
            rewound: Vec::new(),
            runs: RunWriter::new(OWED_ROWS_MIN),
            compaction: Compaction::default(),
            needs_compaction: true,
        })
    }

    /// A message has been put into the log, newer than all others.
    pub(in crate::store) fn place(&mut self, user: UserId, message: MessageId) {
        self.placed.push((user, message));
    }

    /// What the transaction that is open has put into the log so far.
    pub(in crate::store) fn placed(&self) -> &[Delivery] {
        &self.placed
    }

    /// Whether the text of what has been placed for `user` is to be told to [`Self::keep`].
    pub(in crate::store) fn is_watched(&self, user: UserId) -> bool {
        self.live.is_watched(user)
    }

    /// The text of what has been placed.
    pub(in crate::store) fn keep(&mut self, message: Message) {
        self.texts.push(Arc::new(message));
    }

    /// A user has been given another name.
    pub(in crate::store) fn rename(&mut self) {
        self.renamed = true;
    }

    /// A message has been taken out of the log.
    pub(in crate::store) fn remove(
        &mut self,
        connection: &Connection,
        user: UserId,
        message: MessageId,
    ) -> rusqlite::Result<()> {
        self.gone.push((user, message));
        let run: Option<i64> = connection
            .prepare_cached(
                "SELECT run FROM delivery_runs WHERE upto_id >= ?1 ORDER BY upto_id LIMIT 1",
            )?
            .query_row([message.0], |row| row.get(0))
            .optional()?;
        if run.is_none() {
            self.removed.push(message);
        }
        let mut delete = connection.prepare_cached(
            "DELETE FROM deliveries WHERE run = ?1 AND user_id = ?2 AND message_id = ?3",
        )?;
        // A run that is being written may have it as well.
        let being_written = [self.run_being_written(), self.compaction.run(connection)?];
        for run in [run].into_iter().chain(being_written).flatten() {
            delete.execute([run, user.0, message.0])?;
        }
        Ok(())
    }

    /// A user's inbox cursor is moved back.
    pub(in crate::store) fn rewind(&mut self, user: UserId) {
        self.rewound.push(user);
    }

    /// [`count`], of all that is in the file and in the transaction that is open.
    pub(in crate::store) fn count(
        &self,
        connection: &Connection,
        user: UserId,
        (after, upto): (MessageId, MessageId),
        max: usize,
    ) -> rusqlite::Result<usize> {
        let mut live = self.memtable.messages_for(user, after, upto);
        live.extend(self.placed.iter().filter(|&&(to, _)| to == user).map(|&(_, id)| id));
        live.retain(|id| !self.removed.contains(id));
        count(connection, &live, user, (after, upto), max)
    }

    /// Where the transaction stands, for [`Self::roll_back_to`].
    pub(in crate::store) fn savepoint(&self) -> Savepoint {
        Savepoint {
            placed: self.placed.len(),
            texts: self.texts.len(),
            gone: self.gone.len(),
            removed: self.removed.len(),
        }
    }

    /// What was done after the mark is taken back.
    pub(in crate::store) fn roll_back_to(&mut self, savepoint: Savepoint) {
        self.placed.truncate(savepoint.placed);
        self.texts.truncate(savepoint.texts);
        self.gone.truncate(savepoint.gone);
        self.removed.truncate(savepoint.removed);
    }

    /// Writes some rows of a run in the transaction that is open, where one is being written or is
    /// due: as many as what the transaction has taken in asks for.
    pub(in crate::store) fn keep_pace(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.runs.has_flushed() {
            // This transaction has made the runs anew: they have the memtable already.
            return Ok(());
        }
        if !self.runs.is_writing() {
            let Some(sorted) = self.memtable.sorted(RUN_MESSAGES) else { return Ok(()) };
            self.begin_run(connection, sorted)?;
        }
        self.runs.keep_pace(connection, self.placed.len(), &self.removed)?;
        self.needs_compaction |= self.runs.has_flushed();
        Ok(())
    }

    /// Whether a run is being written.
    pub(in crate::store) fn is_writing_run(&self) -> bool {
        self.runs.is_writing()
    }

    /// [`Self::keep_pace`], where there is time.
    pub(in crate::store) fn go_on(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.runs.go_on(connection)?;
        self.needs_compaction |= self.runs.has_flushed();
        Ok(())
    }

    /// Whether there may be something for [`Self::tidy`] to do.
    pub(in crate::store) fn needs_compaction(&self) -> bool {
        self.needs_compaction
    }

    /// Makes one run out of many, a step at a time, where there is time.
    pub(in crate::store) fn compact(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.needs_compaction = self.compaction.step(connection, self.run_being_written())?;
        Ok(())
    }

    /// The run that is being written behind the log.
    fn run_being_written(&self) -> Option<i64> {
        self.runs.run().filter(|_| self.runs.is_writing()).map(|run| run.number)
    }

    /// That failed: it is tried again when there is one run more.
    pub(in crate::store) fn postpone_compaction(&mut self) {
        self.needs_compaction = false;
    }

    /// Makes a run of all there is, where that is worth it; [`Self::go_on`] writes it.
    pub(in crate::store) fn begin_last_run(
        &mut self,
        connection: &Connection,
    ) -> rusqlite::Result<()> {
        if !self.runs.is_writing()
            && self.memtable.len() >= CLOSING_MESSAGES
            && let Some(sorted) = self.memtable.merge_all()
        {
            self.begin_run(connection, sorted)?;
        }
        Ok(())
    }

    /// The transaction is durable.
    pub(in crate::store) fn committed(&mut self) {
        let flushed_upto = self.runs.committed();
        self.live.extend(&self.placed, std::mem::take(&mut self.texts));
        self.live.remove(&self.gone);
        self.gone.clear();
        if std::mem::take(&mut self.renamed) {
            self.live.forget();
        }
        if let Some(upto) = flushed_upto {
            drop(self.runs.take());
            // Before the memtable is extended: it forgets whole chunks.
            self.memtable.forget(upto);
            self.placed.retain(|&(_, id)| id > upto);
        }
        if !self.placed.is_empty() {
            self.memtable.extend(&self.placed);
            self.placed.clear();
        }
        self.memtable.remove(&self.removed);
        self.removed.clear();
        self.memtable.rewind(&self.rewound);
        self.rewound.clear();
    }

    /// The transaction has been taken back.
    pub(in crate::store) fn rolled_back(&mut self) {
        self.roll_back_to(Savepoint::default());
        self.renamed = false;
        self.rewound.clear();
        self.runs.rolled_back();
    }

    /// Makes all runs anew, as one, out of the log. Takes some seconds for a million messages.
    pub(in crate::store) fn rebuild(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "DELETE FROM delivery_runs;
             DELETE FROM deliveries;
             INSERT INTO deliveries (run, user_id, message_id)
             SELECT 1, recipient_id, id FROM messages ORDER BY recipient_id, id;
             INSERT INTO delivery_runs (upto_id, run)
             SELECT id, 1 FROM messages ORDER BY id DESC LIMIT 1;",
        )?;
        self.compaction = Compaction::default();
        self.runs.rebuilt(runs::flushed_upto(connection)?);
        Ok(())
    }

    fn begin_run(&mut self, connection: &Connection, sorted: Sorted) -> rusqlite::Result<()> {
        let (number, upto) = (runs::next_run(connection)?, sorted.newest());
        let memtable = Arc::clone(&self.memtable);
        let (next, exhausted) = (Vec::new(), false);
        self.runs.begin(DeliveryRun { number, upto, sorted, memtable, next, exhausted });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Body, Timestamp, UserName};
    use crate::store::PageBounds;
    use crate::store::cache::live_messages::LiveInbox;
    use crate::store::sqlite::migrations;
    use crate::store::sqlite::row::user_name;

    const USERS: i64 = 5;

    /// What happens to the log, in one transaction or beside them.
    #[derive(Debug, Clone)]
    enum Step {
        /// Messages for these users are taken in.
        Append(Vec<i64>),
        /// A message is deleted: the oldest after so many parts of a hundred of the log.
        Delete(i64),
        /// What the transaction did is taken back.
        Abort(Vec<i64>),
        /// An operation with messages for these users fails in a transaction that goes on, and takes in
        /// messages for them the other way round.
        Fail(Vec<i64>),
        /// There is time to write.
        Idle,
        /// The server is killed, and started again.
        Kill,
        /// The file is closed and opened again.
        Close,
        /// All runs are made anew, and messages for these users taken in with it.
        Rebuild(Vec<i64>),
        /// A user reads what is unread, and while that goes on, something else happens.
        Read(i64, Box<Step>),
        /// A user's cursor is moved back, to so many parts of a hundred of where it was.
        Rewind(i64, i64),
        /// Messages for these users are taken in whose texts nobody tells.
        Import(Vec<i64>),
        /// A user is given another name between two messages for these users.
        Rename(i64, Vec<i64>),
        /// A user is watched once more, or by nobody any more.
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
        /// Up to where each user has read: the inbox cursors.
        seen: HashMap<i64, i64>,
    }

    impl Log {
        fn new() -> Self {
            let connection = migrations::empty(migrations::newest()).unwrap().unwrap();
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
            self.place(users);
            self.deliveries.keep_pace(&self.connection).unwrap();
        }

        fn place(&mut self, users: &[i64]) {
            for &user in users {
                self.insert(user);
                if self.deliveries.is_watched(UserId(user)) {
                    self.deliveries.keep(self.message(self.newest));
                }
            }
        }

        fn insert(&mut self, user: i64) {
            self.newest += 1;
            let insert = "INSERT INTO messages (id, sent_at, sender_id, recipient_id, body)
                          VALUES (?1, 0, 1, ?2, ?3)";
            let body = "hai".repeat(1 + self.newest as usize % 7);
            self.connection.execute(insert, params![self.newest, user, body]).unwrap();
            self.deliveries.place(UserId(user), MessageId(self.newest));
        }

        /// As the log has it.
        fn message(&self, id: i64) -> Message {
            let select =
                "SELECT s.name, r.name, body FROM messages m JOIN users s ON s.id = sender_id
                            JOIN users r ON r.id = recipient_id WHERE m.id = ?1";
            let read = |row: &rusqlite::Row<'_>| {
                let body: Body = row.get::<_, String>(2)?.parse().unwrap();
                Ok((user_name(row, 0)?, user_name(row, 1)?, body))
            };
            let (from, to, body): (UserName, UserName, Body) =
                self.connection.query_row(select, [id], read).unwrap();
            Message { id: MessageId(id), at: Timestamp(0), from, to, body }
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
                            Ok((UserId(row.get(0)?), MessageId(row.get(1)?)))
                        })
                        .optional()
                        .unwrap();
                    if let Some((user, id)) = found {
                        self.connection
                            .execute("DELETE FROM messages WHERE id = ?1", [id.0])
                            .unwrap();
                        self.deliveries.remove(&self.connection, user, id).unwrap();
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
                    self.place(&users);
                    let roll_back_to = "ROLLBACK TO operation; RELEASE operation";
                    self.connection.execute_batch(roll_back_to).unwrap();
                    self.deliveries.roll_back_to(savepoint);
                    self.newest = newest;
                    self.append(&users.iter().rev().copied().collect::<Vec<_>>());
                }
                Step::Idle => {
                    self.deliveries.go_on(&self.connection).unwrap();
                    self.deliveries.compact(&self.connection).unwrap();
                }
                Step::Kill => self.reopen(),
                Step::Close => {
                    self.deliveries.begin_last_run(&self.connection).unwrap();
                    while self.deliveries.is_writing_run() {
                        self.deliveries.go_on(&self.connection).unwrap();
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

        /// Reads as a reader does: what it finds is what there was before the step beside it.
        fn read(&mut self, user: i64, beside: Step) {
            let moment = self.memtable.moment();
            let seen = self.seen.get(&user).copied().unwrap_or(0);
            let found = self.cursor(user, Direction::After(MessageId(seen)));
            self.take(beside);
            match found.last() {
                // The cursor has been moved meanwhile, or is moved now.
                Some(&last) if self.seen.get(&user).copied().unwrap_or(0) == seen => {
                    self.seen.insert(user, last);
                }
                Some(_) => {}
                None => self.memtable.note_empty(UserId(user), moment),
            }
        }

        fn cursor(&self, user: i64, direction: Direction) -> Vec<i64> {
            let in_memtable = in_memtable(&self.memtable, UserId(user), MessageId::ZERO);
            let mut statement = prepare_cursor(&self.connection, direction).unwrap();
            let mut cursor = DeliveryCursor::begin(
                &self.connection,
                &mut statement,
                UserId(user),
                direction,
                in_memtable,
            )
            .unwrap();
            std::iter::from_fn(|| cursor.next().unwrap()).map(|id| id.0).collect()
        }

        /// What watchers are told from memory is what the log says.
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

        /// Every way to read is as if there were nothing but the log.
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
                    self.deliveries.count(&self.connection, UserId(user), bounds, usize::MAX);
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

    /// Lets runs be made one until nothing is left to do.
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
    fn many_runs_become_few_and_say_what_they_said() {
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
        // As many as a number of that size has figures, each of them less than three; and the newest, so that
        // no number is used again.
        let few = number(&log, RUNS);
        assert!(few <= 2 * 4 + 1, "{few} runs");
        assert_eq!(number(&log, NEWEST), newest);
        log.check();
        // What is left are their rows, and those of the run that is being written behind the log.
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
    fn runs_that_are_made_anew_are_not_those_that_were_being_made_one() {
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
    fn what_was_written_of_a_run_that_went_further_is_told_once() {
        let mut log = Log::new();
        log.take(Step::Append([1, 2, 3, 4, 5].repeat(RUN_MESSAGES)));
        // As when it is closed, and killed over that.
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
    fn what_is_deleted_while_a_run_is_written_is_not_in_it() {
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
    fn what_is_deleted_while_runs_are_made_one_is_in_none_of_them() {
        for killed in [false, true] {
            let mut log = Log::new();
            for _ in 0..(5 * RUN_MESSAGES / 16) {
                log.take(Step::Append([1, 2, 3, 4].repeat(4)));
            }
            let runs = number(&log, RUNS);
            // Deletions in between, from before what has been written of the new run and from behind it.
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
        fn reading_is_as_if_there_were_nothing_but_the_log(
            steps in prop::collection::vec(step(), 1..80)
        ) {
            let mut log = Log::new();
            for step in steps {
                log.take(step);
                log.check();
            }
        }
    }
}
