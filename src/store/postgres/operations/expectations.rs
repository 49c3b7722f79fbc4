//! Expectations.

use std::time::Duration;

use postgres::Row;

use crate::model::{Body, ExpectationName, Timestamp, UserId, UserName};
use crate::store::postgres::blocks;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::session::Session;
use crate::store::types::expectations::{
    EXPECTATIONS_MAX, Expectation, FindUntold, FoundUntold, ListExpectations, MarkLate, Put,
    PutExpectation, RemoveExpectation, Report, ReportExpectation, SettleTold, Told, Untold,
};

impl Apply for PutExpectation {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Put> {
        let Self { owner, name, every, grace, tell, now } = self;
        let tell = context.session.query_opt(
            "SELECT id FROM chat.users WHERE name = $1 AND deleted_at IS NULL",
            &[&tell.as_str()],
        )?;
        let Some(tell) = tell.map(|row| row.get::<_, i64>(0)) else {
            return Ok(Put::UnknownUser);
        };
        if blocks::of(context.session, UserId(tell))?.have(*owner) {
            return Ok(Put::NotAllowed);
        }
        let others: i64 = context
            .session
            .query_one(
                "SELECT count(*) FROM chat.expectations WHERE owner_id = $1 AND name <> $2",
                &[&owner.0, &name.as_str()],
            )?
            .get(0);
        if usize::try_from(others).is_ok_and(|others| others >= EXPECTATIONS_MAX) {
            return Ok(Put::TooMany);
        }
        let due_at = now.plus(*every).plus(*grace);
        context.session.execute(
            "INSERT INTO chat.expectations (owner_id, name, tell_id, every_ms, grace_ms, due_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (owner_id, name) DO UPDATE
             SET tell_id = excluded.tell_id, every_ms = excluded.every_ms,
                 grace_ms = excluded.grace_ms, due_at = excluded.due_at,
                 late_since = NULL, late_code = NULL, late_text = NULL, is_told = false,
                 back_at = NULL",
            &[
                &owner.0,
                &name.as_str(),
                &tell,
                &milliseconds(*every),
                &milliseconds(*grace),
                &due_at.0,
            ],
        )?;
        Ok(Put::DueAt(due_at))
    }
}

impl Apply for RemoveExpectation {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<bool> {
        let removed = context.session.execute(
            "DELETE FROM chat.expectations WHERE owner_id = $1 AND name = $2",
            &[&self.owner.0, &self.name.as_str()],
        )?;
        Ok(removed > 0)
    }
}

impl Apply for ReportExpectation {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Option<Timestamp>> {
        let (owner, name, now) = (self.owner.0, self.name.as_str(), self.now.0);
        let text = self.text.as_ref().map(|text| text.as_str().as_bytes());
        let row = match self.report {
            Report::Started => context.session.query_opt(
                "UPDATE chat.expectations SET started_at = $3
                  WHERE owner_id = $1 AND name = $2 RETURNING due_at",
                &[&owner, &name, &now],
            ),
            Report::Ended(0) => context.session.query_opt(
                "UPDATE chat.expectations
                    SET started_at = NULL, last_at = $3, last_code = 0,
                        due_at = $3 + every_ms + grace_ms,
                        back_at = CASE WHEN late_since IS NULL THEN NULL
                                       ELSE coalesce(back_at, $3) END
                  WHERE owner_id = $1 AND name = $2 RETURNING due_at",
                &[&owner, &name, &now],
            ),
            Report::Ended(code) => context.session.query_opt(
                "UPDATE chat.expectations
                    SET started_at = NULL, last_at = $3, last_code = $4,
                        due_at = $3 + every_ms + grace_ms,
                        late_code = CASE WHEN late_since IS NULL
                                           OR is_told AND back_at IS NOT NULL THEN $4
                                         ELSE late_code END,
                        late_text = CASE WHEN late_since IS NULL
                                           OR is_told AND back_at IS NOT NULL THEN $5
                                         ELSE late_text END,
                        late_since = CASE WHEN is_told AND back_at IS NOT NULL
                                          THEN greatest($3, late_since + 1)
                                          ELSE coalesce(late_since, $3) END,
                        is_told = is_told AND back_at IS NULL,
                        back_at = NULL
                  WHERE owner_id = $1 AND name = $2 RETURNING due_at",
                &[&owner, &name, &now, &i64::from(code), &text],
            ),
        };
        Ok(row?.map(|row| Timestamp(row.get(0))))
    }
}

impl Apply for MarkLate {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<usize> {
        if self.is_start {
            context.session.execute(
                "UPDATE chat.expectations SET due_at = $1 + every_ms + grace_ms
                  WHERE late_since IS NULL AND due_at > $1 + every_ms + grace_ms",
                &[&self.now.0],
            )?;
        }
        let marked = context.session.execute(
            "UPDATE chat.expectations SET late_since = due_at
              WHERE late_since IS NULL AND due_at <= $1
                AND owner_id IN (SELECT id FROM chat.users
                                  WHERE disabled_at IS NULL AND deleted_at IS NULL)",
            &[&self.now.0],
        )?;
        Ok(usize::try_from(marked).unwrap_or(usize::MAX))
    }
}

impl Apply for SettleTold {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<bool> {
        let Untold { owner, name, late_since, what, .. } = &self.0;
        let sql = match what {
            Told::Missing { .. } | Told::Failed(_) => {
                "UPDATE chat.expectations SET is_told = true
                  WHERE owner_id = $1 AND name = $2 AND late_since = $3 AND NOT is_told"
            }
            Told::Back(_) => {
                "UPDATE chat.expectations
                    SET late_since = NULL, late_code = NULL, late_text = NULL, is_told = false,
                        back_at = NULL
                  WHERE owner_id = $1 AND name = $2 AND late_since = $3 AND is_told
                    AND back_at IS NOT NULL"
            }
        };
        let changed = context.session.execute(sql, &[&owner.0, &name.as_str(), &late_since.0])?;
        Ok(changed > 0)
    }
}

impl Query for ListExpectations {
    fn query(&self, session: &mut Session) -> Result<Vec<Expectation>> {
        let rows = session.query(
            "SELECT e.name, u.name, e.every_ms, e.grace_ms, e.due_at, e.started_at, e.last_at,
                    e.last_code, e.late_since
               FROM chat.expectations e JOIN chat.users u ON u.id = e.tell_id
              WHERE e.owner_id = $1 ORDER BY e.name",
            &[&self.owner.0],
        )?;
        let listed = |row: &Row| {
            Ok(Expectation {
                name: expectation_name(row, 0)?,
                tell: user_name(row, 1)?,
                every: duration(row.get(2)),
                grace: duration(row.get(3)),
                due_at: Timestamp(row.get(4)),
                started_at: time(row, 5),
                last: time(row, 6).zip(code(row, 7)),
                late_since: time(row, 8),
            })
        };
        rows.iter().map(listed).collect()
    }
}

impl Query for FindUntold {
    fn query(&self, session: &mut Session) -> Result<FoundUntold> {
        let (since, owner, name) = self.place();
        let rows = session.query(
            "SELECT e.owner_id, e.name, u.name, e.late_since, e.is_told, e.late_code, e.last_at,
                    e.back_at, e.late_text
               FROM chat.expectations e JOIN chat.users u ON u.id = e.tell_id
               JOIN chat.users o ON o.id = e.owner_id
              WHERE o.disabled_at IS NULL AND o.deleted_at IS NULL
                AND e.late_since IS NOT NULL AND (NOT e.is_told OR e.back_at IS NOT NULL)
                AND (e.late_since, e.owner_id, e.name) > ($1, $2, $3)
              ORDER BY e.late_since, e.owner_id, e.name LIMIT $4",
            &[&since, &owner, &name, &i64::try_from(self.max).unwrap_or(i64::MAX)],
        )?;
        let untold = |row: &Row| {
            let what = match (row.get(4), time(row, 7), code(row, 5)) {
                (true, Some(back_at), _) => Told::Back(back_at),
                (_, _, Some(code)) => Told::Failed(code),
                (_, _, None) => Told::Missing { last_at: time(row, 6) },
            };
            Ok(Untold {
                owner: UserId(row.get(0)),
                name: expectation_name(row, 1)?,
                tell: user_name(row, 2)?,
                late_since: Timestamp(row.get(3)),
                what,
                text: text(row, 8)?,
            })
        };
        let untold = rows.iter().map(untold).collect::<Result<_>>()?;
        let row = session.query_one(
            "SELECT EXISTS (SELECT 1 FROM chat.expectations e JOIN chat.users o ON o.id = e.owner_id
                             WHERE e.late_since IS NULL AND e.due_at <= $1
                               AND o.disabled_at IS NULL AND o.deleted_at IS NULL),
                    (SELECT min(due_at) FROM chat.expectations
                      WHERE late_since IS NULL AND due_at > $1)",
            &[&self.now.0],
        )?;
        Ok(FoundUntold { untold, is_due: row.get(0), next: time(&row, 1) })
    }
}

fn time(row: &Row, column: usize) -> Option<Timestamp> {
    row.get::<_, Option<i64>>(column).map(Timestamp)
}

fn code(row: &Row, column: usize) -> Option<u8> {
    row.get::<_, Option<i64>>(column).and_then(|code| code.try_into().ok())
}

fn expectation_name(row: &Row, column: usize) -> Result<ExpectationName> {
    let text: &str = row.get(column);
    text.parse().map_err(|_| Error::Unexpected("an expectation has a name that is none"))
}

fn user_name(row: &Row, column: usize) -> Result<UserName> {
    let text: &str = row.get(column);
    text.parse().map_err(|_| Error::Unexpected("a user has a name that is none"))
}

fn text(row: &Row, column: usize) -> Result<Option<Body>> {
    let Some(bytes): Option<Vec<u8>> = row.get(column) else { return Ok(None) };
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::Unexpected("the text of a report is not UTF-8"))?;
    Ok(Some(Body::try_from(text.into_boxed_str())?))
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn duration(milliseconds: i64) -> Duration {
    Duration::from_millis(milliseconds.try_into().unwrap_or(0))
}
