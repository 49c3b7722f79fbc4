//! Deliveries: which messages are for which user. They are derived from the message log and written
//! behind it.
//!
//! The tables hold runs. A run is sorted by user, and covers the messages after the run before it.
//! The [`Memtable`] holds the messages that no run covers yet. So storing a message touches no
//! index page, however many users there are. A run is written at the end of its table, a few rows
//! with each batch of messages. `migrations/sqlite/03-deliveries` has the tables.
//!
//! A reader must look at the memtable first, and begin its snapshot of the file afterwards.
//! Messages that become part of a run in between are then found in the file. Together, the two have
//! every message up to the newer end of both, so a reader skips nothing.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use crate::model::{MailboxId, Message, MessageId, UserId};
use crate::store::cache::live_messages::{LiveMessage, LiveMessages};
use crate::store::sqlite::message_log;
use crate::store::sqlite::projection::compaction::Compaction;
use crate::store::sqlite::projection::delivery_cursor;
use crate::store::sqlite::projection::memtable::{Delivery, Memtable, MergedChunks};
use crate::store::sqlite::projection::run_writer::{Run, RunWriter, Step};
use crate::store::sqlite::projection::runs::{self, RUN_MESSAGES};
use crate::system::since_boot;

/// Rows are written only once this many are due. So most commits of a few messages touch no page of
/// a run.
const OWED_ROWS_MIN: usize = if cfg!(test) { 4 } else { 32 };
/// On closing, the memtable becomes a run if it has at least this many messages. Fewer messages are
/// read from the message log at the next start.
const CLOSING_RUN_MESSAGES_MIN: usize = if cfg!(test) { 32 } else { 16_384 };

/// The deliveries as the writer sees them: the effects of the open transaction, the memtable and
/// the run that is being written.
pub(in crate::store) struct Deliveries {
    memtable: Arc<Memtable>,
    live: Arc<LiveMessages>,
    /// The messages that the open transaction has appended.
    appended: Vec<Delivery>,
    /// The texts of those messages whose inboxes are watched.
    watched_texts: Vec<LiveMessage>,
    /// The messages that the open transaction has deleted. `deleted_unflushed` has those of them
    /// that no run covers.
    deleted: Vec<Delivery>,
    deleted_unflushed: Vec<MessageId>,
    /// The edits and deletions of the open transaction, and the mailboxes of their messages.
    changes: Vec<Delivery>,
    /// Whether the open transaction changes a user's name.
    renamed: bool,
    /// The users whose inbox cursors the open transaction moves backwards.
    rewound_users: Vec<UserId>,
    /// The users whose memberships the open transaction changes.
    changed_members: Vec<UserId>,
    runs: RunWriter<DeliveryRun>,
    compaction: Compaction,
    /// Whether there may be runs to merge.
    needs_compaction: bool,
}

/// A point in the open transaction to which it can be rolled back.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct Savepoint {
    appended: usize,
    watched_texts: usize,
    deleted: usize,
    deleted_unflushed: usize,
    changes: usize,
}

/// A run that is being written.
struct DeliveryRun {
    number: i64,
    upto: MessageId,
    sorted: MergedChunks,
    memtable: Arc<Memtable>,
    /// The next rows. Rows that the open transaction has written stay until its commit.
    next: Vec<Delivery>,
    /// There are no rows after `next`.
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
        deleted_unflushed: &[MessageId],
    ) -> rusqlite::Result<Step> {
        while self.next.len() < rows && !self.exhausted {
            match self.sorted.next() {
                Some(delivery) => self.next.push(delivery),
                None => self.exhausted = true,
            }
        }
        self.memtable.drop_deleted(&mut self.next);
        let writing = &self.next[..rows.min(self.next.len())];
        let is_there = |(_, id): &&Delivery| !deleted_unflushed.contains(id);
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
    /// Fills the memtable with the messages of the message log that no run covers.
    pub(in crate::store) fn open(
        connection: &Connection,
        (memtable, live): (Arc<Memtable>, Arc<LiveMessages>),
    ) -> rusqlite::Result<Self> {
        live.set_newest(message_log::newest_given(connection)?);
        let mut statement = connection
            .prepare("SELECT recipient_id, id FROM folded_messages WHERE id > ?1 ORDER BY id")?;
        let found = statement.query_map([runs::flushed_upto(connection)?.0], |row| {
            Ok((MailboxId(row.get(0)?), MessageId(row.get(1)?)))
        })?;
        memtable.extend(&found.collect::<Result<Vec<_>, _>>()?);
        Ok(Self {
            memtable,
            live,
            appended: Vec::new(),
            watched_texts: Vec::new(),
            deleted: Vec::new(),
            deleted_unflushed: Vec::new(),
            changes: Vec::new(),
            renamed: false,
            rewound_users: Vec::new(),
            changed_members: Vec::new(),
            runs: RunWriter::new(OWED_ROWS_MIN),
            compaction: Compaction::default(),
            needs_compaction: true,
        })
    }

    /// Adds a message that was appended to the message log. Ids must rise.
    pub(in crate::store) fn append_delivery(&mut self, user: MailboxId, message: MessageId) {
        self.appended.push((user, message));
    }

    /// The messages that the open transaction has appended so far.
    pub(in crate::store) fn appended(&self) -> &[Delivery] {
        &self.appended
    }

    /// Whether [`Self::keep_text`] should get the text of a message for this user.
    pub(in crate::store) fn is_watched(&self, user: MailboxId) -> bool {
        self.live.is_watched(user)
    }

    /// Keeps the text of a message that is appended now for the watchers of its mailbox.
    pub(in crate::store) fn keep_text(&mut self, sender: UserId, message: Message) {
        let now = message.at;
        self.watched_texts.push(LiveMessage::new(sender, message, now, since_boot()));
    }

    /// Notes that a user's memberships change.
    pub(in crate::store) fn change_memberships(&mut self, user: UserId) {
        self.changed_members.push(user);
    }

    /// Notes that a user's name has changed, so that cached texts with the old name are dropped.
    pub(in crate::store) fn rename(&mut self) {
        self.renamed = true;
    }

    /// Notes an edit or a deletion of a message in this mailbox. Streams that have not passed it read
    /// the database.
    pub(in crate::store) fn note_change(&mut self, mailbox: MailboxId, change: MessageId) {
        self.changes.push((mailbox, change));
    }

    /// Deletes a message that was deleted from the message log, or by its users.
    pub(in crate::store) fn delete(
        &mut self,
        connection: &Connection,
        user: MailboxId,
        message: MessageId,
    ) -> rusqlite::Result<()> {
        self.deleted.push((user, message));
        let run: Option<i64> = connection
            .prepare_cached(
                "SELECT run FROM delivery_runs WHERE upto_id >= ?1 ORDER BY upto_id LIMIT 1",
            )?
            .query_row([message.0], |row| row.get(0))
            .optional()?;
        if run.is_none() {
            self.deleted_unflushed.push(message);
        }
        let mut delete = connection.prepare_cached(
            "DELETE FROM deliveries WHERE run = ?1 AND user_id = ?2 AND message_id = ?3",
        )?;
        // A run that is being written may have the row, too.
        let being_written = [self.run_being_written(), self.compaction.run(connection)?];
        for run in [run].into_iter().chain(being_written).flatten() {
            delete.execute([run, user.0, message.0])?;
        }
        Ok(())
    }

    /// Notes that a user's inbox cursor moves backwards.
    pub(in crate::store) fn rewind(&mut self, user: UserId) {
        self.rewound_users.push(user);
    }

    /// Counts like [`delivery_cursor::count`], including the effects of the open transaction.
    pub(in crate::store) fn count(
        &self,
        connection: &Connection,
        mailbox: impl Into<MailboxId>,
        (after, upto): (MessageId, MessageId),
        max: usize,
    ) -> rusqlite::Result<usize> {
        let mailbox = mailbox.into();
        let live = self.in_memory(mailbox, (after, upto));
        delivery_cursor::count(connection, &live, mailbox, (after, upto), max)
    }

    /// The messages of a mailbox that no run has yet, in the order of the message log, including the
    /// effects of the open transaction. Those that it has appended may be after `upto`.
    pub(in crate::store) fn in_memory(
        &self,
        mailbox: MailboxId,
        (after, upto): (MessageId, MessageId),
    ) -> Vec<MessageId> {
        let mut live = self.memtable.messages_for(mailbox, after, upto);
        live.extend(self.appended.iter().filter(|&&(to, _)| to == mailbox).map(|&(_, id)| id));
        live.retain(|id| !self.deleted_unflushed.contains(id));
        live
    }

    /// The current point in the open transaction, for [`Self::roll_back_to`].
    pub(in crate::store) fn savepoint(&self) -> Savepoint {
        Savepoint {
            appended: self.appended.len(),
            watched_texts: self.watched_texts.len(),
            deleted: self.deleted.len(),
            deleted_unflushed: self.deleted_unflushed.len(),
            changes: self.changes.len(),
        }
    }

    /// Undoes what happened after the savepoint.
    pub(in crate::store) fn roll_back_to(&mut self, savepoint: Savepoint) {
        self.appended.truncate(savepoint.appended);
        self.watched_texts.truncate(savepoint.watched_texts);
        self.deleted.truncate(savepoint.deleted);
        self.deleted_unflushed.truncate(savepoint.deleted_unflushed);
        self.changes.truncate(savepoint.changes);
    }

    /// Writes some rows of a run in the open transaction, in proportion to the messages that it has
    /// appended. Begins a run if one is due.
    pub(in crate::store) fn keep_pace(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.runs.has_flushed() {
            // This transaction has rebuilt all runs, and they cover the memtable.
            return Ok(());
        }
        if !self.runs.is_writing() {
            let Some(sorted) = self.memtable.merge_oldest(RUN_MESSAGES) else { return Ok(()) };
            self.begin_run(connection, sorted)?;
        }
        self.runs.keep_pace(connection, self.appended.len(), &self.deleted_unflushed)?;
        self.needs_compaction |= self.runs.has_flushed();
        Ok(())
    }

    /// Whether a run is being written.
    pub(in crate::store) fn is_writing_run(&self) -> bool {
        self.runs.is_writing()
    }

    /// Writes some rows of the run while the writer is idle.
    pub(in crate::store) fn write_while_idle(
        &mut self,
        connection: &Connection,
    ) -> rusqlite::Result<()> {
        self.runs.write_while_idle(connection)?;
        self.needs_compaction |= self.runs.has_flushed();
        Ok(())
    }

    /// Whether there may be runs for [`Self::compact`] to merge.
    pub(in crate::store) fn needs_compaction(&self) -> bool {
        self.needs_compaction
    }

    /// Executes one step of compaction.
    pub(in crate::store) fn compact(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.needs_compaction = self.compaction.step(connection, self.run_being_written())?;
        Ok(())
    }

    /// The number of the run that is being written behind the message log.
    fn run_being_written(&self) -> Option<i64> {
        self.runs.run().filter(|_| self.runs.is_writing()).map(|run| run.number)
    }

    /// Stops compaction after an error, until there is another run.
    pub(in crate::store) fn postpone_compaction(&mut self) {
        self.needs_compaction = false;
    }

    /// Makes the whole memtable a run, if it is large enough. [`Self::write_while_idle`] then
    /// writes it.
    pub(in crate::store) fn begin_last_run(
        &mut self,
        connection: &Connection,
    ) -> rusqlite::Result<()> {
        if !self.runs.is_writing()
            && self.memtable.len() >= CLOSING_RUN_MESSAGES_MIN
            && let Some(sorted) = self.memtable.merge_all()
        {
            self.begin_run(connection, sorted)?;
        }
        Ok(())
    }

    /// Applies the effects of the open transaction, because it is durable now.
    pub(in crate::store) fn committed(&mut self) {
        let flushed_upto = self.runs.committed();
        // Before later messages: a stream must not get what was sent after its reader had left.
        self.live.change_memberships(Some(&self.changed_members));
        self.extend_live();
        self.live.remove(&self.deleted);
        self.deleted.clear();
        if std::mem::take(&mut self.renamed) {
            self.live.clear();
        }
        if let Some(upto) = flushed_upto {
            drop(self.runs.take());
            // This must precede the extension of the memtable, because it discards whole chunks.
            self.memtable.discard(upto);
            self.appended.retain(|&(_, id)| id > upto);
        }
        if !self.appended.is_empty() {
            self.memtable.extend(&self.appended);
            self.appended.clear();
        }
        self.memtable.delete(&self.deleted_unflushed);
        self.deleted_unflushed.clear();
        // An inbox that was found empty may not be so with another room.
        self.rewound_users.append(&mut self.changed_members);
        self.memtable.rewind(&self.rewound_users);
        self.rewound_users.clear();
    }

    /// Adds what was committed to the live messages. A change has no text there, so its mailbox is
    /// complete from the change on.
    fn extend_live(&mut self) {
        let texts = std::mem::take(&mut self.watched_texts);
        if self.changes.is_empty() {
            return self.live.extend(&self.appended, texts);
        }
        let mut committed = std::mem::take(&mut self.changes);
        committed.extend_from_slice(&self.appended);
        committed.sort_unstable_by_key(|&(_, id)| id);
        self.live.extend(&committed, texts);
    }

    /// Discards the effects of the open transaction, because it was rolled back.
    pub(in crate::store) fn rolled_back(&mut self) {
        self.roll_back_to(Savepoint::default());
        self.renamed = false;
        self.rewound_users.clear();
        self.changed_members.clear();
        self.runs.rolled_back();
    }

    /// Rebuilds all deliveries from the message log, as one run. Takes some seconds for a million
    /// messages.
    pub(in crate::store) fn rebuild(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "DELETE FROM delivery_runs;
             DELETE FROM deliveries;
             INSERT INTO deliveries (run, user_id, message_id)
             SELECT 1, recipient_id, id FROM folded_messages ORDER BY recipient_id, id;
             INSERT INTO delivery_runs (upto_id, run)
             SELECT id, 1 FROM messages ORDER BY id DESC LIMIT 1;",
        )?;
        self.compaction = Compaction::default();
        self.runs.rebuilt(runs::flushed_upto(connection)?);
        Ok(())
    }

    fn begin_run(&mut self, connection: &Connection, sorted: MergedChunks) -> rusqlite::Result<()> {
        let (number, upto) = (runs::next_run(connection)?, sorted.newest());
        let memtable = Arc::clone(&self.memtable);
        let (next, exhausted) = (Vec::new(), false);
        self.runs.begin(DeliveryRun { number, upto, sorted, memtable, next, exhausted });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
