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

use rusqlite::{Connection, OptionalExtension};

use crate::model::{Message, MessageId, UserId};
use crate::store::cache::live_messages::LiveMessages;
use crate::store::sqlite::message_log;
use crate::store::sqlite::projection::compaction::Compaction;
use crate::store::sqlite::projection::delivery_cursor;
use crate::store::sqlite::projection::memtable::{Delivery, Memtable, Sorted};
use crate::store::sqlite::projection::run_writer::{Run, RunWriter, Step};
use crate::store::sqlite::projection::runs::{self, RUN_MESSAGES};

/// How many rows are owed before any is written: a commit of a few messages mostly touches no page of a run.
const OWED_ROWS_MIN: usize = if cfg!(test) { 4 } else { 32 };
/// From how many messages on the tail becomes a run when the file is closed: what has to be read
/// at the next start otherwise.
const CLOSING_MESSAGES: usize = if cfg!(test) { 32 } else { 16_384 };

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
        delivery_cursor::count(connection, &live, user, (after, upto), max)
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
mod tests;
