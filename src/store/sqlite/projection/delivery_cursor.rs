//! Reading deliveries: the runs in the file and the memtable as one sequence.

use std::vec;

use rusqlite::{CachedStatement, Connection, Rows, params};

use crate::model::{MailboxId, MessageId};
use crate::store::sqlite::projection::memtable::Memtable;
use crate::store::sqlite::projection::runs;

/// The direction in which a cursor reads the message log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Direction {
    /// From the oldest message after this id.
    After(MessageId),
    /// Backwards, from the newest message before this id.
    Before(MessageId),
}

impl Direction {
    /// Whether a message is the next one of the message log after another, in this direction.
    pub(in crate::store) fn follows(self, id: MessageId, other: MessageId) -> bool {
        match self {
            Self::After(_) => id.0 == other.0 + 1,
            Self::Before(_) => id.0 == other.0 - 1,
        }
    }
}

/// The messages in one mailbox after an id, as the memtable has them now. A reader must call this
/// before its snapshot of the file begins: see `projection::deliveries`.
pub(in crate::store) fn in_memtable(
    memtable: &Memtable,
    mailbox: impl Into<MailboxId>,
    after: MessageId,
) -> Vec<MessageId> {
    memtable.messages_for(mailbox.into(), after, MessageId(i64::MAX))
}

/// Begins a new snapshot. A reader needs this if it had to read the file before it knew whose part
/// of the memtable to ask for. Call it first, and [`in_memtable`] before the next statement.
pub(in crate::store) fn renew_snapshot(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("COMMIT; BEGIN")
}

/// The newest message that the runs have.
pub(in crate::store) fn flushed_upto(connection: &Connection) -> rusqlite::Result<MessageId> {
    runs::flushed_upto(connection)
}

/// Prepares the statement of a [`DeliveryCursor`].
pub(in crate::store) fn prepare(
    connection: &Connection,
    direction: Direction,
) -> rusqlite::Result<CachedStatement<'_>> {
    // The order is that of both primary keys. So SQLite sorts nothing, and reads no row in advance.
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

/// Iterates over the messages in one mailbox, by id.
pub(in crate::store) struct DeliveryCursor<'a> {
    in_runs: Rows<'a>,
    in_memtable: vec::IntoIter<MessageId>,
    direction: Direction,
}

impl<'a> DeliveryCursor<'a> {
    /// `in_memtable` is the result of [`in_memtable`]. It must be older than the snapshot of this
    /// connection's transaction.
    pub(in crate::store) fn begin(
        connection: &Connection,
        statement: &'a mut CachedStatement<'_>,
        mailbox: impl Into<MailboxId>,
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
        let in_runs = statement.query([mailbox.into().0, edge.0])?;
        Ok(Self { in_runs, in_memtable: in_memtable.into_iter(), direction })
    }

    /// The id of the next message.
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

/// Counts the messages in `mailbox` after one id and up to another one, but stops at `max`.
/// `in_memtable` is as for [`DeliveryCursor::begin`].
pub(in crate::store) fn count(
    connection: &Connection,
    in_memtable: &[MessageId],
    mailbox: impl Into<MailboxId>,
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
            params![mailbox.into().0, after.0, upto.0, i64::try_from(max).unwrap_or(i64::MAX)],
            |row| row.get(0),
        )?;
    let is_counted = |&&id: &&MessageId| id > flushed_upto && id > after && id <= upto;
    Ok((in_runs as usize + in_memtable.iter().filter(is_counted).count()).min(max))
}
