//! Opening, finding and ending sessions.

use postgres::Row;

use crate::model::{SessionId, Timestamp, TokenHash, UserId, UserName};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operation::{Apply, Called, Change, Query, WriteContext, only_called};
use crate::store::postgres::operations::tokens::{self, token_hash};
use crate::store::postgres::session::Session;
use crate::store::types::sessions::{
    EndSessions, Endable, EndedSession, FindSession, HeldSession, ListActiveUsers, ListAllSessions,
    ListSessions, ListedSession, Live, OpenSession, Opened, SessionFilter, SettleSessions,
    StoredSession, SweepSessions,
};

/// The longest lifetime of a session, in milliseconds. The sum with a time does not overflow.
const LIFETIME_MAX: i64 = i64::MAX / 2;

impl Apply for OpenSession {
    fn call(&self, context: &mut WriteContext<'_>) -> Option<Result<Called<Opened>>> {
        Some(open(context, self))
    }

    fn apply(&self, _: &mut WriteContext<'_>) -> Result<Opened> {
        only_called()
    }
}

fn open(context: &mut WriteContext<'_>, login: &OpenSession) -> Result<Called<Opened>> {
    let end: Vec<i64> = login.end.iter().map(|session| session.0).collect();
    let rows = context.session.query(
        "SELECT outcome, change, others, id, token_hash, last_seen_at
           FROM chat.open_session($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &LANE,
            &context.node,
            &login.user.0,
            &login.password_hash,
            &&login.token.0[..],
            &login.expires_at.0.saturating_sub(login.at.0).min(LIFETIME_MAX),
            &i64::try_from(login.sessions_max).unwrap_or(i64::MAX),
            &end,
        ],
    )?;
    let Some(first) = rows.first() else { return Err(Error::Unexpected("a login has no outcome")) };
    let change = first.get::<_, Option<i64>>(1).map(|number| Change {
        number,
        is_of_users: false,
        has_others: first.get::<_, i64>(2) > 0,
    });
    let opened = match first.get(0) {
        0_i32 => Opened::Yes,
        1 => Opened::PasswordChanged,
        2 => Opened::Full(rows.iter().map(endable).collect::<Result<_>>()?),
        _ => return Err(Error::Unexpected("a login has an unknown outcome")),
    };
    Ok((opened, change))
}

fn endable(row: &Row) -> Result<Endable> {
    Ok(Endable {
        id: SessionId(row.get(3)),
        token: token_hash(row, 4)?,
        last_seen_at: Timestamp(row.get(5)),
    })
}

impl Apply for EndSessions {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Vec<EndedSession>> {
        end(context.session, self.0)
    }
}

/// Ends the matching sessions, and returns them.
pub(in crate::store) fn end(
    session: &mut Session,
    filter: SessionFilter,
) -> Result<Vec<EndedSession>> {
    let (user, only, but) = match filter {
        SessionFilter::Session(id) => (None, Some(id.0), None),
        SessionFilter::OfUser(user, id) => (Some(user.0), Some(id.0), None),
        SessionFilter::Others(user, id) => (Some(user.0), None, Some(id.0)),
        SessionFilter::User(user) => (Some(user.0), None, None),
        SessionFilter::All => (None, None, None),
    };
    let rows = session.query(
        "SELECT user_id, token_hash FROM chat.end_sessions($1, $2, $3, $4)",
        &[&LANE, &user, &only, &but],
    )?;
    rows.iter().map(|row| Ok((UserId(row.get(0)), token_hash(row, 1)?))).collect()
}

impl Apply for SettleSessions {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<()> {
        let now = time(context.session)?;
        context.session.execute(
            "UPDATE chat.sessions SET last_seen_at = $1,
                    created_at = created_at
                        - CASE WHEN created_at > $1 THEN last_seen_at - $1 ELSE 0 END,
                    expires_at = expires_at
                        - CASE WHEN created_at > $1 THEN last_seen_at - $1 ELSE 0 END
              WHERE last_seen_at > $1",
            &[&now],
        )?;
        tokens::sweep(context.session, &[], 0, now)?;
        sweep(context.session, now, &[], self.0).map(drop)
    }
}

impl Apply for SweepSessions {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Vec<TokenHash>> {
        let now = time(context.session)?;
        tokens::sweep(context.session, &self.used, now.saturating_sub(self.live.now.0), now)?;
        sweep(context.session, now, &self.seen, self.live)
    }
}

/// The time by the clock of the database.
fn time(session: &mut Session) -> Result<i64> {
    session.time().map(|(time, ..)| time.0)
}

fn sweep(
    session: &mut Session,
    now: i64,
    seen: &[(SessionId, Timestamp)],
    live: Live,
) -> Result<Vec<TokenHash>> {
    if !seen.is_empty() {
        let ids: Vec<i64> = seen.iter().map(|(id, _)| id.0).collect();
        // The clock of this node may be another by a little.
        let time = |at: Timestamp| at.0.saturating_sub(live.now.0).saturating_add(now).min(now);
        let times: Vec<i64> = seen.iter().map(|&(_, at)| time(at)).collect();
        // A session may be used on several nodes.
        session.execute(
            "UPDATE chat.sessions s SET last_seen_at = greatest(s.last_seen_at, seen.at)
               FROM unnest($1::bigint[], $2::bigint[]) AS seen (id, at) WHERE s.id = seen.id",
            &[&ids, &times],
        )?;
    }
    // Every node finds out by itself that a session has expired, so no change is noted.
    let rows = session.query(
        "WITH ended AS (DELETE FROM chat.sessions WHERE expires_at <= $1 OR last_seen_at <= $2
                        RETURNING user_id, token_hash, last_seen_at)
         SELECT token_hash, chat.note_seen($3, user_id, last_seen_at)::text FROM ended",
        &[&now, &now.saturating_sub(live.idle()), &LANE],
    )?;
    rows.iter().map(|row| token_hash(row, 0)).collect()
}

impl Query for FindSession {
    fn query(&self, session: &mut Session) -> Result<Option<StoredSession>> {
        let row = session.query_opt(
            "SELECT s.id, s.user_id, s.last_seen_at, s.expires_at, u.disabled_at IS NOT NULL
               FROM chat.sessions s JOIN chat.users u ON u.id = s.user_id
              WHERE s.token_hash = $1",
            &[&&self.0.0[..]],
        )?;
        let Some(row) = row else { return tokens::find(session, &self.0) };
        Ok(Some(StoredSession {
            id: SessionId(row.get(0)),
            user: UserId(row.get(1)),
            last_seen_at: Timestamp(row.get(2)),
            expires_at: Timestamp(row.get(3)),
            disabled: row.get(4),
            access: None,
        }))
    }
}

impl Query for ListSessions {
    fn query(&self, session: &mut Session) -> Result<Vec<ListedSession>> {
        let rows = session.query(
            "SELECT id, created_at, last_seen_at, expires_at
               FROM chat.sessions WHERE user_id = $1 ORDER BY id",
            &[&self.user.0],
        )?;
        Ok(rows.iter().map(listed).collect())
    }
}

fn listed(row: &Row) -> ListedSession {
    ListedSession {
        id: SessionId(row.get(0)),
        created_at: Timestamp(row.get(1)),
        last_seen_at: Timestamp(row.get(2)),
        expires_at: Timestamp(row.get(3)),
    }
}

impl Query for ListAllSessions {
    fn query(&self, session: &mut Session) -> Result<(Vec<HeldSession>, bool)> {
        let Self { user, after, live, max } = self;
        let rows = session.query(
            "SELECT s.id, s.created_at, s.last_seen_at, s.expires_at, u.name
               FROM chat.sessions s JOIN chat.users u ON u.id = s.user_id
              WHERE s.id > $1 AND s.expires_at > (SELECT chat.now_ms())
                AND s.last_seen_at > (SELECT chat.now_ms()) - $2
                AND ($3::bigint IS NULL OR s.user_id = $3)
              ORDER BY s.id LIMIT $4",
            &[&after.0, &live.idle(), &user.map(|user| user.0), &(*max as i64 + 1)],
        )?;
        let more = rows.len() > *max;
        let held = |row: &Row| {
            let user: UserName = row.get::<_, &str>(4).parse()?;
            Ok(HeldSession { user, session: listed(row) })
        };
        let sessions = rows.iter().take(*max).map(held).collect::<Result<_>>()?;
        Ok((sessions, more))
    }
}

impl Query for ListActiveUsers {
    fn query(&self, session: &mut Session) -> Result<(Vec<UserName>, bool)> {
        let rows = session.query(
            "SELECT u.name
               FROM chat.sessions s JOIN chat.users u ON u.id = s.user_id
              WHERE s.expires_at > (SELECT chat.now_ms())
                AND s.last_seen_at > (SELECT chat.now_ms()) - $1 AND u.disabled_at IS NULL
              GROUP BY u.id ORDER BY min(s.id) LIMIT $2",
            &[&self.live.idle(), &(self.max as i64 + 1)],
        )?;
        let more = rows.len() > self.max;
        let name = |row: &Row| Ok(row.get::<_, &str>(0).parse()?);
        let names = rows.iter().take(self.max).map(name).collect::<Result<_>>()?;
        Ok((names, more))
    }
}
