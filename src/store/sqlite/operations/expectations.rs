//! Expectations.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use crate::model::{Body, Timestamp, UserId};
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::operations::{blocks, users};
use crate::store::sqlite::row::{expectation_name, not_a_value, user_name};
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::expectations::{
    EXPECTATIONS_MAX, Expectation, FindUntold, FoundUntold, ListExpectations, MarkLate, Put,
    PutExpectation, RemoveExpectation, Report, ReportExpectation, SettleTold, Told, Untold,
};

impl Apply for PutExpectation {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Put> {
        let Self { owner, name, every, grace, tell, now } = self;
        let Some(tell) = users::id_of(context.connection, &tell)? else {
            return Ok(Put::UnknownUser);
        };
        if blocks::is_blocked(context, owner, tell)? {
            return Ok(Put::NotAllowed);
        }
        let others: usize = context
            .connection
            .prepare_cached("SELECT count(*) FROM expectations WHERE owner_id = ?1 AND name <> ?2")?
            .query_row(params![owner.0, name.as_str()], |row| row.get::<_, u32>(0))?
            as usize;
        if others >= EXPECTATIONS_MAX {
            return Ok(Put::TooMany);
        }
        let due_at = now.plus(every).plus(grace);
        context
            .connection
            .prepare_cached(
                "INSERT INTO expectations (owner_id, name, tell_id, every_ms, grace_ms, due_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (owner_id, name) DO UPDATE
                 SET tell_id = excluded.tell_id, every_ms = excluded.every_ms,
                     grace_ms = excluded.grace_ms, due_at = excluded.due_at,
                     late_since = NULL, late_code = NULL, late_text = NULL, is_told = 0,
                     back_at = NULL",
            )?
            .execute(params![
                owner.0,
                name.as_str(),
                tell.0,
                milliseconds(every),
                milliseconds(grace),
                due_at.0
            ])?;
        Ok(Put::DueAt(due_at))
    }
}

impl Apply for RemoveExpectation {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<bool> {
        context
            .connection
            .prepare_cached("DELETE FROM expectations WHERE owner_id = ?1 AND name = ?2")?
            .execute(params![self.owner.0, self.name.as_str()])
            .map(|removed| removed > 0)
    }
}

impl Apply for ReportExpectation {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Option<Timestamp>> {
        let sql = match self.report {
            Report::Started => {
                "UPDATE expectations SET started_at = ?3
                  WHERE owner_id = ?1 AND name = ?2 AND ?4 IS NULL AND ?5 IS NULL
              RETURNING due_at"
            }
            Report::Ended(0) => {
                "UPDATE expectations
                    SET started_at = NULL, last_at = ?3, last_code = ?4,
                        due_at = ?3 + every_ms + grace_ms,
                        back_at = iif(late_since IS NULL, NULL, coalesce(back_at, ?3))
                  WHERE owner_id = ?1 AND name = ?2 AND ?5 IS NULL RETURNING due_at"
            }
            Report::Ended(_) => {
                "UPDATE expectations
                    SET started_at = NULL, last_at = ?3, last_code = ?4,
                        due_at = ?3 + every_ms + grace_ms,
                        late_code = iif(late_since IS NULL OR is_told AND back_at IS NOT NULL, ?4,
                                        late_code),
                        late_text = iif(late_since IS NULL OR is_told AND back_at IS NOT NULL, ?5,
                                        late_text),
                        late_since = iif(is_told AND back_at IS NOT NULL, max(?3, late_since + 1),
                                         coalesce(late_since, ?3)),
                        is_told = is_told AND back_at IS NULL,
                        back_at = NULL
                  WHERE owner_id = ?1 AND name = ?2 RETURNING due_at"
            }
        };
        let code = match self.report {
            Report::Started => None,
            Report::Ended(code) => Some(i64::from(code)),
        };
        // Only a failure has one.
        let text = self.text.filter(|_| !matches!(self.report, Report::Started | Report::Ended(0)));
        let text = text.as_ref().map(Body::as_str);
        let (owner, name) = (self.owner.0, self.name.as_str());
        context
            .connection
            .prepare_cached(sql)?
            .query_row(params![owner, name, self.now.0, code, text], |row| {
                Ok(Timestamp(row.get(0)?))
            })
            .optional()
    }
}

impl Apply for MarkLate {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<usize> {
        if self.is_start {
            context
                .connection
                .prepare_cached(
                    "UPDATE expectations SET due_at = ?1 + every_ms + grace_ms
                      WHERE late_since IS NULL AND due_at > ?1 + every_ms + grace_ms",
                )?
                .execute([self.now.0])?;
        }
        context
            .connection
            .prepare_cached(
                "UPDATE expectations SET late_since = due_at
                  WHERE late_since IS NULL AND due_at <= ?1
                    AND owner_id IN (SELECT id FROM users
                                      WHERE disabled_at IS NULL AND deleted_at IS NULL)",
            )?
            .execute([self.now.0])
    }
}

impl Apply for SettleTold {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<bool> {
        let Untold { owner, name, late_since, what, .. } = self.0;
        let sql = match what {
            Told::Missing { .. } | Told::Failed(_) => {
                "UPDATE expectations SET is_told = 1
                  WHERE owner_id = ?1 AND name = ?2 AND late_since = ?3 AND is_told = 0"
            }
            Told::Back(_) => {
                "UPDATE expectations
                    SET late_since = NULL, late_code = NULL, late_text = NULL, is_told = 0,
                        back_at = NULL
                  WHERE owner_id = ?1 AND name = ?2 AND late_since = ?3 AND is_told = 1
                    AND back_at IS NOT NULL"
            }
        };
        context
            .connection
            .prepare_cached(sql)?
            .execute(params![owner.0, name.as_str(), late_since.0])
            .map(|changed| changed > 0)
    }
}

impl Query for ListExpectations {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Vec<Expectation>> {
        context
            .connection
            .prepare_cached(
                "SELECT e.name, u.name, e.every_ms, e.grace_ms, e.due_at, e.started_at, e.last_at,
                        e.last_code, e.late_since
                   FROM expectations e JOIN users u ON u.id = e.tell_id
                  WHERE e.owner_id = ?1 ORDER BY e.name",
            )?
            .query_map([self.owner.0], |row| {
                let last = (time(row, 6)?, row.get::<_, Option<u8>>(7)?);
                Ok(Expectation {
                    name: expectation_name(row, 0)?,
                    tell: user_name(row, 1)?,
                    every: duration(row.get(2)?),
                    grace: duration(row.get(3)?),
                    due_at: Timestamp(row.get(4)?),
                    started_at: time(row, 5)?,
                    last: last.0.zip(last.1),
                    late_since: time(row, 8)?,
                })
            })?
            .collect()
    }
}

impl Query for FindUntold {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<FoundUntold> {
        let (since, owner, name) = self.place();
        let untold = context
            .connection
            .prepare_cached(
                "SELECT e.owner_id, e.name, u.name, e.late_since, e.is_told, e.late_code, e.last_at,
                        e.back_at, e.late_text
                   FROM expectations e JOIN users u ON u.id = e.tell_id
                   JOIN users o ON o.id = e.owner_id
                  WHERE o.disabled_at IS NULL AND o.deleted_at IS NULL
                    AND e.late_since IS NOT NULL AND (e.is_told = 0 OR e.back_at IS NOT NULL)
                    AND (e.late_since, e.owner_id, e.name) > (?1, ?2, ?3)
                  ORDER BY e.late_since, e.owner_id, e.name LIMIT ?4",
            )?
            .query_map(params![since, owner, name, self.max as i64], |row| {
                let code: Option<u8> = row.get(5)?;
                let back_at = time(row, 7)?;
                let what = match (row.get(4)?, back_at, code) {
                    (true, Some(back_at), _) => Told::Back(back_at),
                    (_, _, Some(code)) => Told::Failed(code),
                    (_, _, None) => Told::Missing { last_at: time(row, 6)? },
                };
                Ok(Untold {
                    owner: UserId(row.get(0)?),
                    name: expectation_name(row, 1)?,
                    tell: user_name(row, 2)?,
                    late_since: Timestamp(row.get(3)?),
                    what,
                    text: text(row, 8)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        let (is_due, next) = context
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM expectations e JOIN users o ON o.id = e.owner_id
                                 WHERE e.late_since IS NULL AND e.due_at <= ?1
                                   AND o.disabled_at IS NULL AND o.deleted_at IS NULL),
                        (SELECT min(due_at) FROM expectations
                          WHERE late_since IS NULL AND due_at > ?1)",
            )?
            .query_row([self.now.0], |row| Ok((row.get(0)?, time(row, 1)?)))?;
        Ok(FoundUntold { untold, is_due, next })
    }
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Body>> {
    let text: Option<Box<str>> = row.get(column)?;
    text.map(Body::try_from).transpose().map_err(|error| not_a_value(column, error))
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn duration(milliseconds: i64) -> Duration {
    Duration::from_millis(milliseconds.try_into().unwrap_or(0))
}
