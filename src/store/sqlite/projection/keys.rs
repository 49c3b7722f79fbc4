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
mod tests;
