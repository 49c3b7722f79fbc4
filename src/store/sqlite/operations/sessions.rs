//! Opening, finding and ending sessions.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{SessionId, Timestamp, TokenHash, UserId, UserName};
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::operations::access;
use crate::store::sqlite::row::user_name;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::sessions::{
    EndSessions, Endable, EndedSession, FindSession, HeldSession, ListActiveUsers, ListAllSessions,
    ListSessions, ListedSession, Live, OpenSession, Opened, SessionFilter, SettleSessions,
    StoredSession, SweepSessions,
};

impl Apply for OpenSession {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Opened> {
        open(context, &self)
    }
}

impl Apply for EndSessions {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Vec<EndedSession>> {
        end(context.connection, self.0)
    }
}

impl Apply for SettleSessions {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<()> {
        context
            .connection
            .prepare_cached(
                "UPDATE sessions SET last_seen_at = ?1,
                        created_at = created_at - iif(created_at > ?1, last_seen_at - ?1, 0),
                        expires_at = expires_at - iif(created_at > ?1, last_seen_at - ?1, 0)
                  WHERE last_seen_at > ?1",
            )?
            .execute([self.0.now.0])?;
        access::sweep(context.connection, &[], self.0.now)?;
        sweep(context.connection, &[], self.0).map(drop)
    }
}

impl Apply for SweepSessions {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Vec<TokenHash>> {
        access::sweep(context.connection, &self.used, self.live.now)?;
        sweep(context.connection, &self.seen, self.live)
    }
}

impl Query for FindSession {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<StoredSession>> {
        match find(context.connection, &self.0)? {
            None => access::find(context.connection, &self.0),
            session => Ok(session),
        }
    }
}

impl Query for ListSessions {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Vec<ListedSession>> {
        context
            .connection
            .prepare_cached(
                "SELECT id, created_at, last_seen_at, expires_at
                   FROM sessions WHERE user_id = ?1 ORDER BY id",
            )?
            .query_map([self.user.0], listed)?
            .collect()
    }
}

impl Query for ListAllSessions {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<(Vec<HeldSession>, bool)> {
        let Self { user, after, live, max } = self;
        let user = user.map(|user| user.0);
        let mut sessions: Vec<HeldSession> = context
            .connection
            .prepare_cached(
                "SELECT s.id, s.created_at, s.last_seen_at, s.expires_at, u.name
                   FROM sessions s JOIN users u ON u.id = s.user_id
                  WHERE s.id > ?1 AND s.expires_at > ?2 AND s.last_seen_at > ?3
                    AND (?4 IS NULL OR s.user_id = ?4)
                  ORDER BY s.id LIMIT ?5",
            )?
            .query_map(
                params![after.0, live.now.0, live.seen_after.0, user, max as i64 + 1],
                |row| Ok(HeldSession { user: user_name(row, 4)?, session: listed(row)? }),
            )?
            .collect::<Result<_, _>>()?;
        let more = sessions.len() > max;
        sessions.truncate(max);
        Ok((sessions, more))
    }
}

impl Query for ListActiveUsers {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<(Vec<UserName>, bool)> {
        let Self { live, max, .. } = self;
        let mut names: Vec<UserName> = context
            .connection
            .prepare_cached(
                "SELECT u.name
                   FROM sessions s JOIN users u ON u.id = s.user_id
                  WHERE s.expires_at > ?1 AND s.last_seen_at > ?2 AND u.disabled_at IS NULL
                  GROUP BY u.id ORDER BY min(s.id) LIMIT ?3",
            )?
            .query_map(params![live.now.0, live.seen_after.0, max as i64 + 1], |row| {
                user_name(row, 0)
            })?
            .collect::<Result<_, _>>()?;
        let more = names.len() > max;
        names.truncate(max);
        Ok((names, more))
    }
}

fn listed(row: &Row<'_>) -> rusqlite::Result<ListedSession> {
    Ok(ListedSession {
        id: SessionId(row.get(0)?),
        created_at: Timestamp(row.get(1)?),
        last_seen_at: Timestamp(row.get(2)?),
        expires_at: Timestamp(row.get(3)?),
    })
}

fn open(context: &mut WriteContext<'_>, session: &OpenSession) -> rusqlite::Result<Opened> {
    let connection = context.connection;
    let unchanged = connection
        .prepare_cached(
            "SELECT 1 FROM users WHERE id = ?1 AND password_hash = ?2 AND disabled_at IS NULL",
        )?
        .exists(params![session.user.0, session.password_hash])?;
    if !unchanged {
        return Ok(Opened::PasswordChanged);
    }
    let held = endable(connection, session.user)?;
    let stays = |held: &&Endable| !session.end.contains(&held.id);
    if held.iter().filter(stays).count() >= session.sessions_max {
        return Ok(Opened::Full(held));
    }
    for &ended in &session.end {
        end(connection, SessionFilter::OfUser(session.user, ended))?;
    }
    connection
        .prepare_cached(
            "INSERT INTO sessions (user_id, token_hash, created_at, last_seen_at, expires_at)
             VALUES (?1, ?2, ?3, ?3, ?4)",
        )?
        .execute(params![session.user.0, session.token.0, session.at.0, session.expires_at.0])?;
    Ok(Opened::Yes)
}

/// The sessions of a user, oldest first.
fn endable(connection: &Connection, user: UserId) -> rusqlite::Result<Vec<Endable>> {
    connection
        .prepare_cached(
            "SELECT id, token_hash, last_seen_at FROM sessions WHERE user_id = ?1 ORDER BY id",
        )?
        .query_map([user.0], |row| {
            Ok(Endable {
                id: SessionId(row.get(0)?),
                token: TokenHash(row.get(1)?),
                last_seen_at: Timestamp(row.get(2)?),
            })
        })?
        .collect()
}

/// Ends the matching sessions, and returns them.
pub(in crate::store) fn end(
    connection: &Connection,
    filter: SessionFilter,
) -> rusqlite::Result<Vec<EndedSession>> {
    let (condition, user, session) = match filter {
        SessionFilter::Session(id) => ("?1 = 0 AND id = ?2", UserId(0), id),
        SessionFilter::OfUser(user, id) => ("user_id = ?1 AND id = ?2", user, id),
        SessionFilter::Others(user, id) => ("user_id = ?1 AND id <> ?2", user, id),
        // The ids of users and sessions begin with 1.
        SessionFilter::User(user) => ("user_id = ?1 AND id <> ?2", user, SessionId(0)),
        SessionFilter::All => ("?1 = 0 AND id <> ?2", UserId(0), SessionId(0)),
    };
    connection
        .prepare_cached(&format!(
            "DELETE FROM sessions WHERE {condition} RETURNING user_id, token_hash"
        ))?
        .query_map([user.0, session.0], |row| Ok((UserId(row.get(0)?), TokenHash(row.get(1)?))))?
        .collect()
}

fn find(connection: &Connection, token: &TokenHash) -> rusqlite::Result<Option<StoredSession>> {
    connection
        .prepare_cached(
            "SELECT s.id, s.user_id, s.last_seen_at, s.expires_at,
                    u.disabled_at IS NOT NULL
               FROM sessions s JOIN users u ON u.id = s.user_id
              WHERE s.token_hash = ?1",
        )?
        .query_row([token.0], |row| {
            Ok(StoredSession {
                id: SessionId(row.get(0)?),
                user: UserId(row.get(1)?),
                last_seen_at: Timestamp(row.get(2)?),
                expires_at: Timestamp(row.get(3)?),
                disabled: row.get(4)?,
                access: None,
            })
        })
        .optional()
}

fn sweep(
    connection: &Connection,
    seen: &[(SessionId, Timestamp)],
    live: Live,
) -> rusqlite::Result<Vec<TokenHash>> {
    let mut update =
        connection.prepare_cached("UPDATE sessions SET last_seen_at = ?2 WHERE id = ?1")?;
    for (id, at) in seen {
        update.execute([id.0, at.0])?;
    }
    connection
        .prepare_cached(
            "DELETE FROM sessions WHERE expires_at <= ?1 OR last_seen_at <= ?2 RETURNING token_hash",
        )?
        .query_map([live.now.0, live.seen_after.0], |row| Ok(TokenHash(row.get(0)?)))?
        .collect()
}
