//! How long messages are kept, and removing those that are older.

use std::sync::Arc;

use rusqlite::{Connection, Row, params};

use crate::model::{
    InvalidRetention, MailboxId, MessageId, Retention, RoomId, RoomName, Timestamp,
};
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::operations::purge;
use crate::store::sqlite::rooms::room_name;
use crate::store::sqlite::row::not_a_value;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::retention::{
    Aged, BeginRemoval, Expired, FindExpired, FindRules, ListRetention, RemoveExpired,
    RetentionDone, RetentionPage, RoomRetention, Rules, SCAN_MESSAGES_MAX, SetRetention, Times,
};
use crate::store::types::rooms::{RoomAnswer, RoomRefused};
use crate::transfer::Taken;

impl Query for FindRules {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Rules> {
        rules(context.connection)
    }
}

fn rules(connection: &Connection) -> rusqlite::Result<Rules> {
    let default = default(connection)?;
    let mut statement = connection.prepare_cached(
        "SELECT id, kept_s, owner_kept_s FROM rooms
          WHERE kept_s IS NOT NULL OR owner_kept_s IS NOT NULL",
    )?;
    let rooms = statement
        .query_map([], |row| Ok((RoomId(row.get(0)?), set_for(row, 1)?.kept(default).time())))?;
    Ok(Rules {
        version: version(connection)?,
        default: default.time(),
        rooms: rooms.collect::<Result<_, _>>()?,
    })
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT version FROM retention")?.query_row([], |row| row.get(0))
}

/// Where nothing is said of a room.
pub(in crate::store) fn default(connection: &Connection) -> rusqlite::Result<Retention> {
    connection
        .prepare_cached("SELECT default_s FROM retention")?
        .query_row([], |row| Ok(retention(row, 0)?.unwrap_or(Retention::FOREVER)))
}

/// What is set for the room of a row, from this column on.
pub(in crate::store) fn set_for(row: &Row<'_>, index: usize) -> rusqlite::Result<RoomRetention> {
    Ok(RoomRetention { operator: retention(row, index)?, owner: retention(row, index + 1)? })
}

/// How long the messages of the room of a row are kept: what is set for it, and then the default.
pub(super) fn kept(row: &Row<'_>, index: usize) -> rusqlite::Result<Retention> {
    let default = retention(row, index + 2)?.unwrap_or(Retention::FOREVER);
    Ok(set_for(row, index)?.kept(default))
}

fn retention(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Retention>> {
    let seconds: Option<i64> = row.get(index)?;
    let value = seconds.map(|seconds| {
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        seconds.try_into().map_err(|error: InvalidRetention| not_a_value(index, error))
    });
    value.transpose()
}

/// A rule has changed: removals that are under way stop.
pub(in crate::store) fn note_change(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE retention SET version = version + 1")?.execute([]).map(drop)
}

impl Query for ListRetention {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<RetentionPage> {
        let connection = context.connection;
        let after = self.after.as_ref().map_or("", RoomName::as_str);
        let mut statement = connection.prepare_cached(
            "SELECT name, kept_s, owner_kept_s FROM rooms
              WHERE name > ?1 AND (kept_s IS NOT NULL OR owner_kept_s IS NOT NULL)
              ORDER BY name LIMIT ?2",
        )?;
        let found = statement.query_map(params![after, self.max as i64 + 1], |row| {
            Ok((room_name(row, 0)?, set_for(row, 1)?))
        })?;
        let mut rooms: Vec<_> = found.collect::<Result<_, _>>()?;
        let more = rooms.len() > self.max;
        rooms.truncate(self.max);
        Ok(RetentionPage { default: default(connection)?, rooms, more, done: done(connection)? })
    }
}

/// What was done so far.
pub(in crate::store) fn done(connection: &Connection) -> rusqlite::Result<RetentionDone> {
    connection.prepare_cached("SELECT removed, looked_at, trusted_at FROM retention")?.query_row(
        [],
        |row| {
            let time = |index| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp));
            let removed = row.get::<_, i64>(0)?.unsigned_abs();
            Ok(RetentionDone { removed, looked_at: time(1)?, trusted_at: time(2)? })
        },
    )
}

impl Apply for SetRetention {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<RoomAnswer<()>> {
        let connection = context.connection;
        let kept = self.kept.map(|kept| kept.seconds() as i64);
        let changed = match &self.room {
            None => connection
                .prepare_cached("UPDATE retention SET default_s = ?1")?
                .execute([kept.unwrap_or(0)])?,
            Some(room) => connection
                .prepare_cached("UPDATE rooms SET kept_s = ?2 WHERE name = ?1")?
                .execute(params![room.as_str(), kept])?,
        };
        if changed == 0 {
            return Ok(Err(RoomRefused::Unknown));
        }
        connection
            .prepare_cached("UPDATE retention SET version = version + 1, trusted_at = ?1")?
            .execute([self.now.0])?;
        Ok(Ok(()))
    }
}

impl Apply for BeginRemoval {
    const STATEMENTS: Statements = Statements::One;

    fn apply(
        self,
        context: &mut WriteContext<'_>,
    ) -> rusqlite::Result<Option<(Arc<Rules>, Timestamp)>> {
        let connection = context.connection;
        let trusted = done(connection)?.trusted_at;
        let trusted = Times { trusted, now: self.now }.trust(self.passed);
        let rules = rules(connection)?;
        connection
            .prepare_cached("UPDATE retention SET trusted_at = ?1, looked_at = ?2")?
            .execute([trusted.0, self.now.0])?;
        Ok(Some((Arc::new(rules), trusted.min(self.now))))
    }
}

impl Query for FindExpired {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Expired> {
        // SQLite knows the length of a text without reading the text.
        let mut statement = context.connection.prepare_cached(
            "SELECT id, sent_at, recipient_id, octet_length(body)
               FROM messages WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
        )?;
        let rows = statement.query_map(
            params![self.after.0, self.upto.0, SCAN_MESSAGES_MAX as i64],
            |row| {
                Ok(Aged {
                    id: MessageId(row.get(0)?),
                    sent_at: Timestamp(row.get(1)?),
                    mailbox: MailboxId(row.get(2)?),
                    bytes: row.get::<_, i64>(3)?.unsigned_abs(),
                })
            },
        )?;
        self.judge(rows)
    }
}

impl Apply for RemoveExpired {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Option<usize>> {
        if version(context.connection)? != self.version {
            return Ok(None);
        }
        let removed = purge::delete(context, &self.ids, true)?;
        context
            .connection
            .prepare_cached("UPDATE retention SET removed = removed + ?1")?
            .execute([removed as i64])?;
        Ok(Some(removed))
    }
}

/// Whether an owner of the room may say this.
pub(super) fn may_set(
    connection: &Connection,
    room: RoomId,
    kept: Retention,
) -> rusqlite::Result<RoomAnswer<()>> {
    let set = connection
        .prepare_cached("SELECT kept_s, owner_kept_s FROM rooms WHERE id = ?1")?
        .query_row([room.0], |row| set_for(row, 0))?;
    Ok(set.allows(kept, default(connection)?))
}

/// What an owner of the room says.
pub(super) fn set_by_owner(
    connection: &Connection,
    room: RoomId,
    kept: Retention,
) -> rusqlite::Result<()> {
    let seconds = kept.time().map(|_| kept.seconds() as i64);
    connection
        .prepare_cached("UPDATE rooms SET owner_kept_s = ?2 WHERE id = ?1")?
        .execute(params![room.0, seconds])?;
    note_change(connection)
}

/// Sets the default of an import, unless there is one.
pub(super) fn import(
    connection: &Connection,
    kept: Retention,
) -> rusqlite::Result<Result<Taken, String>> {
    let there = default(connection)?;
    if !there.is_forever() {
        return Ok(Ok(if there == kept { Taken::Already } else { Taken::Left }));
    }
    connection
        .prepare_cached("UPDATE retention SET default_s = ?1, version = version + 1")?
        .execute([kept.seconds() as i64])?;
    Ok(Ok(Taken::Done))
}
