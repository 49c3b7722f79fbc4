//! Sessions: who has shown a password, and holds a token for it. Only the hash of a token is here.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{SessionId, Timestamp, TokenHash, UserId, UserName};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::sqlite::operations::users;
use crate::store::sqlite::writer::{Context, Statements};

/// A session to be opened.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Whose.
    pub user: UserId,
    /// The hash that the password was found to fit; it has to be the user's still.
    pub password_hash: String,
    /// Of the token that was made for it.
    pub token: TokenHash,
    /// When.
    pub at: Timestamp,
    /// When it ends whatever its holder does.
    pub expires_at: Timestamp,
    /// How many sessions the user may have, this one included: at least 1.
    pub sessions_max: usize,
}

/// What came of opening a session.
#[derive(Debug, Clone)]
pub enum Opened {
    /// It is open.
    Yes {
        /// The sessions of the user that were ended to make room, the oldest, by their tokens.
        ended: Vec<TokenHash>,
    },
    /// The password was changed, or the user disabled, since it was looked at. There is none.
    PasswordChanged,
}

/// Which sessions of a user to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// This one.
    Only(SessionId),
    /// All but this one.
    AllBut(SessionId),
    /// All.
    All,
}

/// Which sessions an operator means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// This one, whosever it is.
    Only(SessionId),
    /// All of this user.
    By(UserId),
    /// All.
    All,
}

/// A session that was ended, by its holder and its token.
pub type Revoked = (UserId, TokenHash);

/// A session as an operator sees it.
#[derive(Debug, Clone)]
pub struct HeldSession {
    /// Whose.
    pub user: UserName,
    /// What its user sees of it.
    pub session: ListedSession,
}

/// A session as its user sees it.
#[derive(Debug, Clone)]
pub struct ListedSession {
    /// Its number.
    pub id: SessionId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, give or take a minute.
    pub last_seen_at: Timestamp,
    /// When it ends whatever its holder does.
    pub expires_at: Timestamp,
}

/// A session as it stands in the file.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// Its number.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// When it was last used, give or take a minute.
    pub last_seen_at: Timestamp,
    /// When it ends whatever its holder does.
    pub expires_at: Timestamp,
    /// The user may not act.
    pub disabled: bool,
}

impl Store {
    /// Opens a session. Durable when `done` is called.
    pub fn open_session(
        &self,
        session: NewSession,
        done: impl FnOnce(Result<Opened, StoreError>) + Send + 'static,
    ) {
        self.writer.submit(Statements::Several, move |context| open(context, &session), done);
    }

    /// Ends a session; it is fine if it has ended already. Durable when `done` is called.
    pub fn end_session(
        &self,
        id: SessionId,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        let end = move |context: &mut Context<'_>| {
            context
                .connection
                .prepare_cached("DELETE FROM sessions WHERE id = ?1")?
                .execute([id.0])
                .map(drop)
        };
        self.writer.submit(Statements::One, end, done);
    }

    /// Ends sessions of a user, and tells their tokens. Durable when `done` is called.
    pub fn end_sessions(
        &self,
        user: UserId,
        which: Which,
        done: impl FnOnce(Result<Vec<TokenHash>, StoreError>) + Send + 'static,
    ) {
        let end = move |context: &mut Context<'_>| end(context.connection, user, which);
        self.writer.submit(Statements::One, end, done);
    }

    /// The sessions of a user, the oldest first.
    pub fn list_sessions(
        &self,
        user: UserId,
        done: impl FnOnce(Result<Vec<ListedSession>, StoreError>) + Send + 'static,
    ) {
        let read = move |connection: &Connection| {
            connection
                .prepare_cached(
                    "SELECT id, created_at, last_seen_at, expires_at
                       FROM sessions WHERE user_id = ?1 ORDER BY id",
                )?
                .query_map([user.0], listed)?
                .collect()
        };
        self.readers.submit(Some(user), read, done);
    }

    /// The sessions of a user or of everybody that have not expired, after a number, the oldest
    /// first: at most `max`, and whether there are more.
    pub fn list_held_sessions(
        &self,
        user: Option<UserId>,
        after: SessionId,
        now: Timestamp,
        seen_after: Timestamp,
        max: usize,
        done: impl FnOnce(Result<(Vec<HeldSession>, bool), StoreError>) + Send + 'static,
    ) {
        let read = move |connection: &Connection| {
            let user = user.map(|user| user.0);
            let mut sessions: Vec<HeldSession> = connection
                .prepare_cached(
                    "SELECT s.id, s.created_at, s.last_seen_at, s.expires_at, u.name
                       FROM sessions s JOIN users u ON u.id = s.user_id
                      WHERE s.id > ?1 AND s.expires_at > ?2 AND s.last_seen_at > ?3
                        AND (?4 IS NULL OR s.user_id = ?4)
                      ORDER BY s.id LIMIT ?5",
                )?
                .query_map(params![after.0, now.0, seen_after.0, user, max as i64 + 1], |row| {
                    Ok(HeldSession { user: users::name(row, 4)?, session: listed(row)? })
                })?
                .collect::<Result<_, _>>()?;
            let more = sessions.len() > max;
            sessions.truncate(max);
            Ok((sessions, more))
        };
        self.readers.submit(None, read, done);
    }

    /// Ends sessions, and tells which. Durable when `done` is called.
    pub fn revoke_sessions(
        &self,
        which: Held,
        done: impl FnOnce(Result<Vec<Revoked>, StoreError>) + Send + 'static,
    ) {
        let revoke = move |context: &mut Context<'_>| {
            let (condition, number) = match which {
                Held::Only(id) => ("id = ?1", id.0),
                Held::By(user) => ("user_id = ?1", user.0),
                Held::All => ("?1 = 0", 0),
            };
            context
                .connection
                .prepare(&format!(
                    "DELETE FROM sessions WHERE {condition} RETURNING user_id, token_hash"
                ))?
                .query_map([number], |row| Ok((UserId(row.get(0)?), TokenHash(row.get(1)?))))?
                .collect()
        };
        self.writer.submit(Statements::One, revoke, done);
    }

    /// Looks up a session by its token.
    pub fn find_session(
        &self,
        token: TokenHash,
        done: impl FnOnce(Result<Option<StoredSession>, StoreError>) + Send + 'static,
    ) {
        self.readers.submit(None, move |connection| find(connection, &token), done);
    }

    /// Who has a session that has not expired, each once, in the order in which they logged in:
    /// at most `max`, and whether there are more. It is `reader` who asks.
    pub fn active_users(
        &self,
        reader: UserId,
        now: Timestamp,
        seen_after: Timestamp,
        max: usize,
        done: impl FnOnce(Result<(Vec<UserName>, bool), StoreError>) + Send + 'static,
    ) {
        let read = move |connection: &Connection| {
            let mut names: Vec<UserName> = connection
                .prepare_cached(
                    "SELECT u.name
                       FROM sessions s JOIN users u ON u.id = s.user_id
                      WHERE s.expires_at > ?1 AND s.last_seen_at > ?2 AND u.disabled_at IS NULL
                      GROUP BY u.id ORDER BY min(s.id) LIMIT ?3",
                )?
                .query_map(params![now.0, seen_after.0, max as i64 + 1], |row| users::name(row, 0))?
                .collect::<Result<_, _>>()?;
            let more = names.len() > max;
            names.truncate(max);
            Ok((names, more))
        };
        self.readers.submit(Some(reader), read, done);
    }

    /// For the start of a server, by what the clock says then: ends the sessions that have expired
    /// or were not seen since `seen_after`. One that was used at a moment that is yet to come counts
    /// as used now; one that was opened in the future also keeps what was left of its lifetime when
    /// it was last used, and no more. Durable when `done` is called.
    pub fn settle_sessions(
        &self,
        now: Timestamp,
        seen_after: Timestamp,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        let settle = move |context: &mut Context<'_>| {
            context
                .connection
                .prepare_cached(
                    "UPDATE sessions SET last_seen_at = ?1,
                            created_at = created_at - iif(created_at > ?1, last_seen_at - ?1, 0),
                            expires_at = expires_at - iif(created_at > ?1, last_seen_at - ?1, 0)
                      WHERE last_seen_at > ?1",
                )?
                .execute([now.0])?;
            sweep(context, &[], now, seen_after).map(drop)
        };
        self.writer.submit(Statements::Several, settle, done);
    }

    /// Notes when sessions were last used, and ends those that have expired or were not seen since
    /// `seen_after`. Tells the tokens of the ended ones.
    pub fn sweep_sessions(
        &self,
        seen: Vec<(SessionId, Timestamp)>,
        now: Timestamp,
        seen_after: Timestamp,
        done: impl FnOnce(Result<Vec<TokenHash>, StoreError>) + Send + 'static,
    ) {
        let sweep = move |context: &mut Context<'_>| sweep(context, &seen, now, seen_after);
        self.writer.submit(Statements::Several, sweep, done);
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

fn open(context: &mut Context<'_>, session: &NewSession) -> rusqlite::Result<Opened> {
    let connection = context.connection;
    let unchanged = connection
        .prepare_cached(
            "SELECT 1 FROM users WHERE id = ?1 AND password_hash = ?2 AND disabled_at IS NULL",
        )?
        .exists(params![session.user.0, session.password_hash])?;
    if !unchanged {
        return Ok(Opened::PasswordChanged);
    }
    let ended = connection
        .prepare_cached(
            "DELETE FROM sessions WHERE id IN (
                 SELECT id FROM sessions WHERE user_id = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)
             RETURNING token_hash",
        )?
        .query_map(params![session.user.0, session.sessions_max as i64 - 1], |row| {
            Ok(TokenHash(row.get(0)?))
        })?
        .collect::<Result<_, _>>()?;
    connection
        .prepare_cached(
            "INSERT INTO sessions (user_id, token_hash, created_at, last_seen_at, expires_at)
             VALUES (?1, ?2, ?3, ?3, ?4)",
        )?
        .execute(params![session.user.0, session.token.0, session.at.0, session.expires_at.0])?;
    Ok(Opened::Yes { ended })
}

pub(in crate::store) fn end(
    connection: &Connection,
    user: UserId,
    which: Which,
) -> rusqlite::Result<Vec<TokenHash>> {
    let (sql, id) = match which {
        Which::Only(id) => {
            ("DELETE FROM sessions WHERE user_id = ?1 AND id = ?2 RETURNING token_hash", id)
        }
        Which::AllBut(id) => {
            ("DELETE FROM sessions WHERE user_id = ?1 AND id <> ?2 RETURNING token_hash", id)
        }
        // The numbers begin with 1.
        Which::All => return end(connection, user, Which::AllBut(SessionId(0))),
    };
    connection
        .prepare_cached(sql)?
        .query_map([user.0, id.0], |row| Ok(TokenHash(row.get(0)?)))?
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
            })
        })
        .optional()
}

fn sweep(
    context: &mut Context<'_>,
    seen: &[(SessionId, Timestamp)],
    now: Timestamp,
    seen_after: Timestamp,
) -> rusqlite::Result<Vec<TokenHash>> {
    let connection = context.connection;
    let mut update =
        connection.prepare_cached("UPDATE sessions SET last_seen_at = ?2 WHERE id = ?1")?;
    for (id, at) in seen {
        update.execute([id.0, at.0])?;
    }
    connection
        .prepare_cached(
            "DELETE FROM sessions WHERE expires_at <= ?1 OR last_seen_at <= ?2 RETURNING token_hash",
        )?
        .query_map([now.0, seen_after.0], |row| Ok(TokenHash(row.get(0)?)))?
        .collect()
}
