//! Which messages were edited or deleted. Most were not: those are read without the view that folds,
//! which costs a search of its own for each message.

use rusqlite::{CachedStatement, Connection};

use crate::model::MessageId;

/// How many changes are looked up at a time, on each side of a message.
const PART: usize = 32;

/// A statement that reads one message by its id, which is its first parameter.
pub(in crate::store) struct FindMessage<'c> {
    connection: &'c Connection,
    plain: CachedStatement<'c>,
    folding: Folding<'c>,
    changed: Changed,
}

enum Folding<'c> {
    Sql(&'static str),
    Prepared(CachedStatement<'c>),
}

impl<'c> FindMessage<'c> {
    /// Takes two forms of the statement: of `messages`, and of `folded_messages`.
    pub(in crate::store) fn prepare(
        connection: &'c Connection,
        [plain, folding]: [&'static str; 2],
    ) -> rusqlite::Result<Self> {
        let plain = connection.prepare_cached(plain)?;
        let changed = Changed::new(connection)?;
        Ok(Self { connection, plain, folding: Folding::Sql(folding), changed })
    }

    /// Whether one of these messages was changed.
    pub(in crate::store) fn is_any_changed(
        &mut self,
        ids: impl Iterator<Item = MessageId>,
    ) -> rusqlite::Result<bool> {
        for id in ids {
            if self.changed.has(self.connection, id.0)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The form for this message.
    pub(in crate::store) fn of(
        &mut self,
        id: MessageId,
    ) -> rusqlite::Result<&mut CachedStatement<'c>> {
        if !self.changed.has(self.connection, id.0)? {
            return Ok(&mut self.plain);
        }
        if let Folding::Sql(sql) = self.folding {
            self.folding = Folding::Prepared(self.connection.prepare_cached(sql)?);
        }
        match &mut self.folding {
            Folding::Prepared(statement) => Ok(statement),
            Folding::Sql(_) => Ok(&mut self.plain),
        }
    }
}

/// The messages that were changed, as far as they were asked for. It is part of one snapshot.
struct Changed {
    /// The lowest and the highest id of all. `None` if no message was changed.
    ends: Option<(i64, i64)>,
    /// Of the ids from the first of these to the second, `ids` has those that were changed, in order.
    known: (i64, i64),
    ids: Vec<i64>,
}

impl Changed {
    fn new(connection: &Connection) -> rusqlite::Result<Self> {
        let ends = connection
            .prepare_cached(
                "SELECT (SELECT min(message_id) FROM message_changes),
                        (SELECT max(message_id) FROM message_changes)",
            )?
            .query_row([], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get(1)?)))?;
        let ends = ends.0.zip(ends.1);
        Ok(Self { ends, known: (0, -1), ids: Vec::new() })
    }

    fn has(&mut self, connection: &Connection, id: i64) -> rusqlite::Result<bool> {
        let Some((lowest, highest)) = self.ends else { return Ok(false) };
        if id < lowest || id > highest {
            return Ok(false);
        }
        if id < self.known.0 || id > self.known.1 {
            self.look(connection, id)?;
        }
        Ok(self.ids.binary_search(&id).is_ok())
    }

    /// Looks up the changes around a message: reads go on from there, in either direction.
    fn look(&mut self, connection: &Connection, id: i64) -> rusqlite::Result<()> {
        let part = |sql| -> rusqlite::Result<Vec<i64>> {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map([id, PART as i64], |row| row.get(0))?.collect()
        };
        let mut ids = part(BEFORE)?;
        let begin = ids.last().filter(|_| ids.len() == PART).copied();
        ids.reverse();
        let after = part(AFTER)?;
        let end = after.last().filter(|_| after.len() == PART).copied();
        ids.extend(after);
        self.known = (begin.unwrap_or(i64::MIN), end.unwrap_or(i64::MAX));
        self.ids = ids;
        Ok(())
    }
}

const BEFORE: &str = "SELECT message_id FROM message_changes
      WHERE message_id < ?1 ORDER BY message_id DESC LIMIT ?2";
const AFTER: &str = "SELECT message_id FROM message_changes
      WHERE message_id >= ?1 ORDER BY message_id LIMIT ?2";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever was changed, and in whatever order one asks.
        #[test]
        fn changed_messages_are_known(
            changed in prop::collection::btree_set(0..200_000_i64, 0..300),
            dense in 0..2_000_i64,
            asked in prop::collection::vec(0..200_000_i64, 1..200),
        ) {
            let connection = Connection::open_in_memory().unwrap();
            connection
                .execute_batch("CREATE TABLE message_changes (message_id INTEGER)")
                .unwrap();
            let all: std::collections::BTreeSet<i64> =
                changed.into_iter().chain(70_000..70_000 + dense).collect();
            let mut insert = connection.prepare("INSERT INTO message_changes VALUES (?1)").unwrap();
            for id in all.iter().chain(all.iter().take(9)) {
                insert.execute([id]).unwrap();
            }
            let mut known = Changed::new(&connection).unwrap();
            for id in asked.into_iter().chain((69_000..71_000).rev()) {
                prop_assert_eq!(known.has(&connection, id).unwrap(), all.contains(&id), "{}", id);
            }
        }
    }
}
