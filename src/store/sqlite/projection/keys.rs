//! Idempotency keys: which message has a sender's key. They are derived from the message log and
//! written behind it.
//!
//! The keys of the newest messages are in memory; the table has the keys of all others. Memory
//! holds two runs: one collects new keys, and one before it is sorted and written to the table,
//! some rows with each batch. So a key costs no page of its own when its message is stored. Keys
//! that rise with time, like UUID version 7, arrive almost in order. So most of their runs are
//! written at the end of the table. `migrations/sqlite/05-keys` has it.
//!
//! Time-ordered keys usually sort above every stored key, so a key above `floor` is new without a
//! lookup.

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
use key_run::{Entry, KeyRun, Order, RunEnd};

/// A run is written once it has this many keys. Few of the keys that arrive together are older than
/// that, and a larger run would fit less well into the processor's cache.
const RUN_KEYS_MIN: usize = if cfg!(test) { 16 } else { 1_024 };
/// A run is written after this many messages, however few keys it has. After a crash, the next
/// start reads at most twice as many messages from the message log.
const RUN_MESSAGES_MAX: i64 = if cfg!(test) { 24 } else { 131_072 };
/// Rows are written only once this many are due. So most commits of a few messages touch no page of
/// the table.
const OWED_ROWS_MIN: usize = if cfg!(test) { 4 } else { 128 };
/// On closing, keys are written if this many messages are not covered by the table. Fewer messages
/// are read from the message log at the next start.
const CLOSING_RUN_MESSAGES_MIN: i64 = if cfg!(test) { 12 } else { 16_384 };

/// An existing row is the same row: a server was killed after it had written it.
const KEYS: BulkInsert =
    BulkInsert { into: "INSERT OR IGNORE INTO keys (key, sender_id, message_id)", columns: 3 };

/// The ids of the messages with one key: one for each recipient.
pub(in crate::store) type Messages = SmallVec<[MessageId; 1]>;

/// What memory knows about a sender's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum KeyLookup {
    /// The sender has not used it.
    New,
    /// It is not in memory, but the table may have it.
    NotInMemory,
    /// A message in memory has it.
    InMemory,
}

/// The keys as the writer sees them: the runs in memory, including the effects of the open
/// transaction.
#[derive(Debug)]
pub(in crate::store) struct Keys {
    /// The run that collects new keys.
    collecting: KeyRun,
    /// The run before it. It is being written to the table, or is written already.
    flushing: RunWriter<SortedKeys>,
    /// An upper bound of the keys in the table that are not in `flushing`. `None` if the table
    /// could not be read.
    floor: Option<String>,
    /// The table has the keys of all messages up to this one.
    flushed_upto: MessageId,
    /// The newest id in the message log.
    newest: MessageId,
    hasher: RandomState,
    /// The effects of the open transaction.
    transaction: Transaction,
}

/// The effects of a transaction, for its commit or its rollback.
#[derive(Debug, Default)]
struct Transaction {
    /// The end of `collecting` before the transaction.
    begun: RunEnd,
    /// The messages in memory that the transaction has deleted.
    deleted: Vec<MessageId>,
    newest: Option<MessageId>,
}

/// A point in the open transaction to which it can be rolled back.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Savepoint {
    collecting: RunEnd,
    deleted: usize,
}

/// A run of keys, sorted like the table.
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
        _deleted: &[MessageId],
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
    /// Reads the keys that the table lacks from the message log.
    pub(in crate::store) fn open(connection: &Connection) -> rusqlite::Result<Self> {
        let (flushed_upto, newest) =
            (flushed_upto(connection)?, message_log::newest_given(connection)?);
        let mut keys = Self {
            collecting: KeyRun::default(),
            flushing: RunWriter::new(OWED_ROWS_MIN),
            // A damaged table does not stop the start: an operator can rebuild it afterwards.
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
            // An invalid key is skipped: no request can have it, so no lookup needs it.
            if let Ok(key) = row.get::<_, String>(1)?.parse::<Key>() {
                keys.insert(UserId(row.get(0)?), key.as_str(), [MessageId(row.get(2)?)]);
            }
        }
        keys.committed();
        Ok(keys)
    }

    /// The newest id in the message log after the last commit.
    pub(in crate::store) fn newest(&self) -> MessageId {
        self.newest
    }

    /// What memory knows about a sender's key.
    pub(in crate::store) fn look_up(&self, sender: UserId, key: &str) -> KeyLookup {
        if self.in_memory(sender, key).next().is_some() {
            KeyLookup::InMemory
        } else if self.floor.as_deref().is_some_and(|floor| key > floor) {
            KeyLookup::New
        } else {
            KeyLookup::NotInMemory
        }
    }

    /// The messages with a sender's key, in the order of the message log.
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
        // The table may already have some of the keys in memory.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Adds new messages with this key. Ids must rise.
    pub(in crate::store) fn insert(
        &mut self,
        sender: UserId,
        key: &str,
        messages: impl IntoIterator<Item = MessageId>,
    ) {
        let hash = self.hash(sender, key);
        self.collecting.push(hash, sender, key, messages);
    }

    /// Deletes the key of a message that was deleted from the message log.
    pub(in crate::store) fn delete(
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
            self.transaction.deleted.push(message);
        }
        Ok(())
    }

    /// The current point in the open transaction, for [`Self::roll_back_to`].
    pub(in crate::store) fn savepoint(&self) -> Savepoint {
        Savepoint { collecting: self.collecting.end(), deleted: self.transaction.deleted.len() }
    }

    /// Undoes what happened after the savepoint.
    pub(in crate::store) fn roll_back_to(&mut self, savepoint: Savepoint) {
        for message in self.transaction.deleted.split_off(savepoint.deleted) {
            if let Some(entry) = self.entry_mut(message) {
                entry.is_deleted = false;
            }
        }
        self.collecting.truncate(savepoint.collecting);
    }

    /// Writes some rows in the open transaction, in proportion to the messages that it has
    /// appended. `appended` has these messages.
    pub(in crate::store) fn keep_pace(
        &mut self,
        connection: &Connection,
        appended: &[Delivery],
    ) -> rusqlite::Result<()> {
        self.transaction.newest = appended.last().map(|&(_, newest)| newest);
        if self.flushing.has_flushed() {
            return Ok(());
        }
        self.flushing.keep_pace(connection, appended.len(), &[])
    }

    /// Begins to write the collected keys, if enough messages depend on it. Returns whether a run
    /// is being written; [`Self::write_while_idle`] writes it.
    pub(in crate::store) fn begin_last_run(&mut self) -> bool {
        if !self.flushing.is_writing() && self.unflushed_messages() >= CLOSING_RUN_MESSAGES_MIN {
            self.begin_run();
        }
        self.flushing.is_writing()
    }

    /// Writes some rows of the run while the writer is idle.
    pub(in crate::store) fn write_while_idle(
        &mut self,
        connection: &Connection,
    ) -> rusqlite::Result<()> {
        self.flushing.write_while_idle(connection)
    }

    /// Applies the effects of the open transaction, because it is durable now.
    pub(in crate::store) fn committed(&mut self) {
        let newest = mem::take(&mut self.transaction).newest;
        self.newest = newest.unwrap_or(self.newest);
        self.flushed_upto = self.flushing.committed().unwrap_or(self.flushed_upto);
        let is_due =
            self.collecting.len() >= RUN_KEYS_MIN || self.unflushed_messages() >= RUN_MESSAGES_MAX;
        if is_due && !self.flushing.is_writing() {
            self.begin_run();
        }
        self.transaction.begun = self.collecting.end();
    }

    /// Discards the effects of the open transaction, because it was rolled back.
    pub(in crate::store) fn rolled_back(&mut self) {
        self.roll_back_to(Savepoint { collecting: self.transaction.begun, deleted: 0 });
        self.transaction = Transaction { begun: self.transaction.begun, ..Transaction::default() };
        self.flushing.rolled_back();
    }

    /// Rebuilds the whole table from the message log. Takes some seconds for a million messages.
    pub(in crate::store) fn rebuild(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "DELETE FROM keys;
             INSERT INTO keys (key, sender_id, message_id)
             SELECT key, sender_id, id FROM messages WHERE key IS NOT NULL ORDER BY key, sender_id, id;",
        )?;
        let newest = message_log::newest_given(connection)?;
        set_flushed_upto(connection, newest)?;
        let highest = highest(connection)?;
        // This also holds after a rollback, because the bound is never too low for the old table.
        self.floor = Some(self.floor.take().map_or(highest.clone(), |floor| floor.max(highest)));
        // Last, because nothing may fail after it: a rollback of the operation does not undo it.
        self.flushing.rebuilt(newest);
        Ok(())
    }

    /// How many messages the table may lack keys of.
    fn unflushed_messages(&self) -> i64 {
        self.newest.0 - self.flushed_upto.0
    }

    /// Begins to write the collected keys to the table. Call this outside any transaction that has
    /// changed something.
    fn begin_run(&mut self) {
        // The memory of the previous run is used again.
        let (mut keys, mut order) = match self.flushing.take() {
            Some(SortedKeys { keys, order, .. }) => (keys, order),
            None => Default::default(),
        };
        mem::swap(&mut keys, &mut self.collecting);
        if let Some(floor) = &mut self.floor {
            key_run::raise_to(floor, self.collecting.highest());
        }
        self.collecting.clear();
        keys.sort_into(&mut order);
        self.flushing.begin(SortedKeys { keys, order, written: 0, upto: self.newest });
        self.transaction.begun = self.collecting.end();
    }

    /// The messages in memory that have a sender's key.
    fn in_memory<'a>(
        &'a self,
        sender: UserId,
        key: &'a str,
    ) -> impl Iterator<Item = MessageId> + 'a {
        let hash = self.hash(sender, key);
        let flushing = self.flushing.run().map(|run| &run.keys);
        [Some(&self.collecting), flushing]
            .into_iter()
            .flatten()
            .flat_map(move |run| run.messages(hash, sender, key))
    }

    /// The entry of a message, if it is in memory.
    fn entry_mut(&mut self, message: MessageId) -> Option<&mut Entry> {
        let flushing = self.flushing.run_mut().map(|run| &mut run.keys);
        self.collecting
            .entry_mut(message)
            .or_else(|| flushing.and_then(|keys| keys.entry_mut(message)))
    }

    fn hash(&self, sender: UserId, key: &str) -> u64 {
        self.hasher.hash_one((sender, key))
    }
}

/// The table has the keys of all messages up to this one.
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

/// The highest key in the table; empty if it has none.
fn highest(connection: &Connection) -> rusqlite::Result<String> {
    let highest: Option<String> =
        connection.query_row("SELECT max(key) FROM keys", [], |row| row.get(0))?;
    Ok(highest.unwrap_or_default())
}

#[cfg(test)]
mod tests;
