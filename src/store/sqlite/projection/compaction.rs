//! Compaction: merging many runs of deliveries into one while the writer is idle.
//!
//! A reader looks into each run that is newer than its cursor, so there must not be too many runs.
//! [`MERGED_RUNS`] adjacent runs of about the same size are merged into one, and the merged runs
//! are merged again. First, the rows of the new run are written, a step at a time. Then one
//! transaction replaces the old runs in `delivery_runs`. Finally, the rows of the old runs are
//! deleted, a step at a time.
//!
//! The number of a run is not used again while rows of it exist. The numbers of new runs rise, and
//! the newest run is never merged. The numbers of merged runs fall. The runs that are being merged
//! are known in memory only. After a crash, rows of an unfinished run are deleted like all rows of
//! runs that are not in `delivery_runs`, and the merge begins anew.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{MailboxId, MessageId};
use crate::store::sqlite::projection::memtable::Delivery;
use crate::store::sqlite::projection::runs::{self, RUN_MESSAGES};

/// The number of runs that are merged into one.
const MERGED_RUNS: usize = if cfg!(test) { 3 } else { 8 };
/// The rows that a step reads of each run, and the rows that a step deletes. A step takes a few
/// milliseconds, and a sender who arrives during a step waits for its end.
const STEP_ROWS_PER_RUN: usize = if cfg!(test) { 8 } else { 256 };
const STEP_ROWS_DELETED_MAX: usize = STEP_ROWS_PER_RUN * MERGED_RUNS;

/// The state of the current merge.
#[derive(Debug, Default)]
pub(in crate::store) struct Compaction {
    /// The runs that are being merged, oldest first. `None` if there is no merge.
    group: Option<Vec<Run>>,
}

impl Compaction {
    /// Executes one step in the open transaction. `being_written` is the run that is being written
    /// behind the message log. Returns `false` if there was nothing to do.
    pub(in crate::store) fn step(
        &mut self,
        connection: &Connection,
        being_written: Option<i64>,
    ) -> rusqlite::Result<bool> {
        if let Some(group) = &self.group {
            let merged = merged_run(connection)?;
            let rows = next_rows(connection, group, merged)?;
            if rows.is_empty() {
                replace_runs(connection, group, merged)?;
                self.group = None;
            } else {
                runs::insert(connection, merged, &rows)?;
            }
        } else if let Some(run) = find_stale_run(connection, being_written)? {
            delete_some(connection, run)?;
        } else {
            self.group = next_group(connection)?;
            return Ok(self.group.is_some());
        }
        Ok(true)
    }

    /// The run that is being written by a merge, if there is one. A row that is deleted from an old
    /// run must be deleted from it, too.
    pub(in crate::store) fn run(&self, connection: &Connection) -> rusqlite::Result<Option<i64>> {
        self.group.is_some().then(|| merged_run(connection)).transpose()
    }
}

/// The number of the merged run: the current one, or the next one.
fn merged_run(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT coalesce(min(run), 1) - 1 FROM delivery_runs")?
        .query_row([], |row| row.get(0))
}

/// A run, and the newest message that it covers.
#[derive(Debug)]
struct Run {
    number: i64,
    upto: MessageId,
    level: u32,
}

/// The oldest adjacent runs that should be merged.
fn next_group(connection: &Connection) -> rusqlite::Result<Option<Vec<Run>>> {
    let mut statement =
        connection.prepare_cached("SELECT run, upto_id FROM delivery_runs ORDER BY upto_id")?;
    let mut before = MessageId::ZERO;
    let runs = statement.query_map([], |row| {
        let (number, upto) = (row.get(0)?, MessageId(row.get(1)?));
        let level = level(upto.0.abs_diff(before.0));
        before = upto;
        Ok(Run { number, upto, level })
    })?;
    let mut group: Vec<Run> = Vec::new();
    for run in runs {
        let run = run?;
        // The newest run is never merged, so there must be a run after the group.
        if group.len() == MERGED_RUNS {
            return Ok(Some(group));
        }
        if group.first().is_some_and(|first| first.level != run.level) {
            group.clear();
        }
        group.push(run);
    }
    Ok(None)
}

/// How often a run of this size has been merged: each merge makes it [`MERGED_RUNS`] times larger.
fn level(messages: u64) -> u32 {
    (messages / RUN_MESSAGES as u64).checked_ilog(MERGED_RUNS as u64).unwrap_or(0)
}

/// The next rows of the merged run: the lowest rows of the group that it lacks.
fn next_rows(
    connection: &Connection,
    group: &[Run],
    merged: i64,
) -> rusqlite::Result<Vec<Delivery>> {
    let (user, message) = connection
        .prepare_cached(
            "SELECT user_id, message_id FROM deliveries WHERE run = ?1
              ORDER BY user_id DESC, message_id DESC LIMIT 1",
        )?
        .query_row([merged], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or((i64::MIN, i64::MIN));
    let mut find = connection.prepare_cached(
        "SELECT user_id, message_id FROM deliveries
          WHERE run = ?1 AND (user_id, message_id) > (?2, ?3)
          ORDER BY user_id, message_id LIMIT ?4",
    )?;
    let mut rows: Vec<Delivery> = Vec::new();
    let mut complete_upto: Option<Delivery> = None;
    for run in group {
        let parameters = params![run.number, user, message, STEP_ROWS_PER_RUN as i64];
        let begin = rows.len();
        for row in find.query_map(parameters, delivery)? {
            rows.push(row?);
        }
        if rows.len() - begin == STEP_ROWS_PER_RUN {
            // This run may have more rows, which are unknown. So the step ends here.
            complete_upto = complete_upto.into_iter().chain(rows.last().copied()).min();
        }
    }
    rows.sort_unstable();
    rows.retain(|row| complete_upto.is_none_or(|upto| *row <= upto));
    Ok(rows)
}

/// Replaces the old runs by the merged one: from this commit on, readers use it.
fn replace_runs(connection: &Connection, group: &[Run], merged: i64) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM delivery_runs WHERE upto_id = ?1")?;
    for run in group {
        delete.execute([run.upto.0])?;
    }
    let upto = group.last().map_or(0, |newest| newest.upto.0);
    connection
        .prepare_cached("INSERT INTO delivery_runs (upto_id, run) VALUES (?1, ?2)")?
        .execute([upto, merged])
        .map(drop)
}

/// A run that has rows, but is neither in `delivery_runs` nor being written.
fn find_stale_run(
    connection: &Connection,
    being_written: Option<i64>,
) -> rusqlite::Result<Option<i64>> {
    let mut counts =
        connection.prepare_cached("SELECT 1 FROM delivery_runs WHERE run = ?1 LIMIT 1")?;
    let mut next = connection
        .prepare_cached("SELECT run FROM deliveries WHERE run > ?1 ORDER BY run LIMIT 1")?;
    let mut before = i64::MIN;
    while let Some(run) = next.query_row([before], |row| row.get(0)).optional()? {
        if Some(run) != being_written && !counts.exists([run])? {
            return Ok(Some(run));
        }
        before = run;
    }
    Ok(None)
}

fn delete_some(connection: &Connection, run: i64) -> rusqlite::Result<()> {
    let last = connection
        .prepare_cached(
            "SELECT user_id, message_id FROM deliveries WHERE run = ?1
              ORDER BY user_id, message_id LIMIT 1 OFFSET ?2",
        )?
        .query_row([run, STEP_ROWS_DELETED_MAX as i64 - 1], delivery)
        .optional()?;
    // Fewer rows than a step are left: delete all of them.
    let (user, message) = last.unwrap_or((MailboxId(i64::MAX), MessageId(i64::MAX)));
    connection
        .prepare_cached(
            "DELETE FROM deliveries WHERE run = ?1 AND (user_id, message_id) <= (?2, ?3)",
        )?
        .execute([run, user.0, message.0])
        .map(drop)
}

fn delivery(row: &rusqlite::Row<'_>) -> rusqlite::Result<Delivery> {
    Ok((MailboxId(row.get(0)?), MessageId(row.get(1)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{append_one_by_one, store, wait_until};

    #[test]
    fn idle_writer_merges_runs() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let messages = 8 * RUN_MESSAGES;
        append_one_by_one(&store, messages);
        let connection = Connection::open(store.path()).unwrap();
        let number = |select| connection.query_row(select, [], |row| row.get::<_, i64>(0)).unwrap();
        let merged = || number("SELECT count(*) FROM delivery_runs WHERE run < 1") > 0;
        wait_until("a run made of others", merged);
        store.close();
        assert_eq!(number("SELECT count(*) FROM delivered"), messages as i64);
    }
}
