//! How long messages are kept, and removing those that are older.

use std::sync::Arc;
use std::time::Duration;

use postgres::Row;

use crate::model::{MailboxId, MessageId, Retention, RoomId, RoomName, Timestamp};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::session::Session;
use crate::store::types::retention::{
    Aged, BeginRemoval, Expired, FindExpired, FindRules, ListRetention, RemoveExpired,
    RetentionDone, RetentionPage, RoomRetention, Rules, SCAN_MESSAGES_MAX, SetRetention, Times,
};
use crate::store::types::rooms::{RoomAnswer, RoomRefused};
use crate::transfer::Taken;

impl Query for FindRules {
    fn query(&self, session: &mut Session) -> Result<Rules> {
        rules(session)
    }
}

fn rules(session: &mut Session) -> Result<Rules> {
    // One statement, so that the rules are of one version.
    let rows = session.query(
        "SELECT t.version, t.default_s, o.id, o.kept_s, o.owner_kept_s
           FROM chat.retention t
           LEFT JOIN chat.rooms o ON o.kept_s IS NOT NULL OR o.owner_kept_s IS NOT NULL",
        &[],
    )?;
    let mut rules = Rules::default();
    for row in &rows {
        let default = kept_by(row, 1)?;
        (rules.version, rules.default) = (row.get(0), default.time());
        if let Some(room) = row.get::<_, Option<i64>>(2) {
            rules.rooms.insert(RoomId(room), set_for(row, 3)?.kept(default).time());
        }
    }
    Ok(rules)
}

/// Where nothing is said of a room.
pub(in crate::store) fn default(session: &mut Session) -> Result<Retention> {
    let row = session.query_one("SELECT default_s FROM chat.retention", &[])?;
    kept_by(&row, 0)
}

/// The default of a row.
pub(in crate::store) fn kept_by(row: &Row, index: usize) -> Result<Retention> {
    Ok(retention(row, index)?.unwrap_or(Retention::FOREVER))
}

/// What is set for the room of a row, from this column on.
pub(in crate::store) fn set_for(row: &Row, index: usize) -> Result<RoomRetention> {
    Ok(RoomRetention { operator: retention(row, index)?, owner: retention(row, index + 1)? })
}

/// How long the messages of the room of a row are kept: what is set for it, and then the default.
pub(super) fn kept(row: &Row, index: usize) -> Result<Retention> {
    Ok(set_for(row, index)?.kept(kept_by(row, index + 2)?))
}

fn retention(row: &Row, index: usize) -> Result<Option<Retention>> {
    let seconds: Option<i64> = row.get(index);
    let parse = |seconds: i64| u64::try_from(seconds).ok()?.try_into().ok();
    let invalid = Error::Unexpected("a time for which messages are kept is none");
    seconds.map(|seconds| parse(seconds).ok_or(invalid)).transpose()
}

/// A rule has changed: removals that are under way stop.
pub(in crate::store) fn note_change(session: &mut Session) -> Result<()> {
    session.execute("UPDATE chat.retention SET version = version + 1", &[]).map(drop)
}

impl Query for ListRetention {
    fn query(&self, session: &mut Session) -> Result<RetentionPage> {
        let after = self.after.as_ref().map_or("", RoomName::as_str);
        let rows = session.query(
            "SELECT name, kept_s, owner_kept_s FROM chat.rooms
              WHERE name > $1 AND (kept_s IS NOT NULL OR owner_kept_s IS NOT NULL)
              ORDER BY name LIMIT $2",
            &[&after, &(self.max as i64 + 1)],
        )?;
        let rooms = rows.iter().take(self.max);
        let rooms = rooms.map(|row| Ok((row.get::<_, &str>(0).parse()?, set_for(row, 1)?)));
        Ok(RetentionPage {
            rooms: rooms.collect::<Result<_>>()?,
            more: rows.len() > self.max,
            default: default(session)?,
            done: done(session)?,
        })
    }
}

/// What was done so far.
pub(in crate::store) fn done(session: &mut Session) -> Result<RetentionDone> {
    let row =
        session.query_one("SELECT removed, looked_at, trusted_at FROM chat.retention", &[])?;
    let time = |index| row.get::<_, Option<i64>>(index).map(Timestamp);
    let removed = row.get::<_, i64>(0).unsigned_abs();
    Ok(RetentionDone { removed, looked_at: time(1), trusted_at: time(2) })
}

impl Apply for SetRetention {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<RoomAnswer<()>> {
        let session = &mut *context.session;
        let kept = self.kept.map(|kept| kept.seconds() as i64);
        let changed = match &self.room {
            None => session
                .execute("UPDATE chat.retention SET default_s = $1", &[&kept.unwrap_or(0)])?,
            Some(room) => session.execute(
                "UPDATE chat.rooms SET kept_s = $2 WHERE name = $1",
                &[&room.as_str(), &kept],
            )?,
        };
        if changed == 0 {
            return Ok(Err(RoomRefused::Unknown));
        }
        session.execute(
            "UPDATE chat.retention SET version = version + 1, trusted_at = $1",
            &[&self.now.0],
        )?;
        Ok(Ok(()))
    }
}

impl Apply for BeginRemoval {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Option<(Arc<Rules>, Timestamp)>> {
        let (session, node) = (&mut *context.session, context.node);
        let row = session.query_one(
            "SELECT t.node, t.trusted_at,
                    EXISTS (SELECT FROM chat.nodes n
                             WHERE n.id = t.node AND n.heard_at > chat.now_ms() - 3000)
               FROM chat.retention t",
            &[],
        )?;
        let is_own = row.get::<_, Option<i64>>(0) == Some(node);
        if !is_own && row.get(2) {
            return Ok(None);
        }
        // What has passed for the server before counts only once.
        let passed = if is_own { self.passed } else { Duration::ZERO };
        let trusted = row.get::<_, Option<i64>>(1).map(Timestamp);
        let trusted = Times { trusted, now: self.now }.trust(passed);
        let rules = rules(session)?;
        session.execute(
            "UPDATE chat.retention SET node = $1, trusted_at = $2, looked_at = $3",
            &[&node, &trusted.0, &self.now.0],
        )?;
        Ok(Some((Arc::new(rules), trusted.min(self.now))))
    }
}

impl Query for FindExpired {
    fn query(&self, session: &mut Session) -> Result<Expired> {
        let rows = session.query(
            "SELECT id, sent_at, mailbox_id, octet_length(body)::bigint
               FROM chat.messages WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3",
            &[&self.after.0, &self.upto.0, &(SCAN_MESSAGES_MAX as i64)],
        )?;
        self.judge(rows.iter().map(|row| {
            Ok(Aged {
                id: MessageId(row.get(0)),
                sent_at: Timestamp(row.get(1)),
                mailbox: MailboxId(row.get(2)),
                bytes: row.get::<_, i64>(3).unsigned_abs(),
            })
        }))
    }
}

impl Apply for RemoveExpired {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Option<usize>> {
        let (session, node) = (&mut *context.session, context.node);
        let row = session.query_one("SELECT node, version FROM chat.retention", &[])?;
        if (row.get(0), row.get(1)) != (Some(node), self.version) {
            return Ok(None);
        }
        let ids: Vec<i64> = self.ids.iter().map(|id| id.0).collect();
        let row = session.query_one("SELECT chat.purge($1, $2, true)", &[&LANE, &ids])?;
        let removed: i64 = row.get(0);
        session.execute("UPDATE chat.retention SET removed = removed + $1", &[&removed])?;
        Ok(Some(usize::try_from(removed).unwrap_or(0)))
    }
}

/// Whether an owner of the room may say this.
pub(super) fn may_set(
    session: &mut Session,
    room: RoomId,
    kept: Retention,
) -> Result<RoomAnswer<()>> {
    let row = session
        .query_one("SELECT kept_s, owner_kept_s FROM chat.rooms WHERE id = $1", &[&room.0])?;
    Ok(set_for(&row, 0)?.allows(kept, default(session)?))
}

/// What an owner of the room says.
pub(super) fn set_by_owner(session: &mut Session, room: RoomId, kept: Retention) -> Result<()> {
    let seconds = kept.time().map(|_| kept.seconds() as i64);
    session
        .execute("UPDATE chat.rooms SET owner_kept_s = $2 WHERE id = $1", &[&room.0, &seconds])?;
    note_change(session)
}

/// Sets the default of an import, unless there is one.
pub(super) fn import(
    session: &mut Session,
    kept: Retention,
) -> Result<std::result::Result<Taken, String>> {
    let there = default(session)?;
    if !there.is_forever() {
        return Ok(Ok(if there == kept { Taken::Already } else { Taken::Left }));
    }
    session.execute(
        "UPDATE chat.retention SET default_s = $1, version = version + 1",
        &[&(kept.seconds() as i64)],
    )?;
    Ok(Ok(Taken::Done))
}
