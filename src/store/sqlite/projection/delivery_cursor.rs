//! Reading deliveries: the runs in the file and the memtable as one sequence.

use std::vec;

use rusqlite::{CachedStatement, Connection, Rows, params};

use crate::model::{MessageId, UserId};
use crate::store::sqlite::projection::memtable::Memtable;
use crate::store::sqlite::projection::runs;

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
pub(in crate::store) fn prepare(
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
