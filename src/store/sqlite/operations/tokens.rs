//! Access tokens: their owners' and operators' side.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{
    AccessTokenId, AccessTokenName, MailboxId, MailboxName, Timestamp, TokenHash, UserId,
};
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::operations::access::targets;
use crate::store::sqlite::operations::users;
use crate::store::sqlite::rooms::{self, word};
use crate::store::sqlite::row::user_name;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::rooms::Actor;
use crate::store::types::tokens::{
    CreateToken, CreatedToken, ListTokens, ListedToken, RevokeTokens, TOKENS_MAX,
};

impl Apply for CreateToken {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<CreatedToken> {
        let Self { user, name, hash, rights, to, now, lifetime } = self;
        let targets = match to.map(|to| find_targets(context, user, &to)).transpose()? {
            Some(Err(unknown)) => return Ok(CreatedToken::UnknownTargets(unknown)),
            Some(Ok(targets)) => Some(targets),
            None => None,
        };
        let connection = context.connection;
        connection
            .prepare_cached("DELETE FROM access_tokens WHERE user_id = ?1 AND expires_at <= ?2")?
            .execute([user.0, now.0])?;
        let (count, is_taken): (u32, bool) = connection
            .prepare_cached(
                "SELECT count(*), coalesce(max(name = ?2), 0)
                   FROM access_tokens WHERE user_id = ?1",
            )?
            .query_row(params![user.0, name.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if is_taken {
            return Ok(CreatedToken::NameTaken);
        }
        if count as usize >= TOKENS_MAX {
            return Ok(CreatedToken::TooMany);
        }
        let expires_at = lifetime.map(|lifetime: Duration| now.plus(lifetime));
        connection
            .prepare_cached(
                "INSERT INTO access_tokens
                        (user_id, name, token_hash, rights, targets, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                user.0,
                name.as_str(),
                hash.0,
                rights.as_str(),
                targets.as_deref().map(to_json),
                now.0,
                expires_at.map(|at| at.0),
            ])?;
        Ok(CreatedToken::Yes { expires_at })
    }
}

impl Apply for RevokeTokens {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Vec<TokenHash>> {
        context
            .connection
            .prepare_cached(
                "DELETE FROM access_tokens WHERE user_id = ?1 AND (?2 IS NULL OR name = ?2)
                 RETURNING token_hash",
            )?
            .query_map(
                params![self.user.0, self.name.as_ref().map(AccessTokenName::as_str)],
                |row| row.get(0).map(TokenHash),
            )?
            .collect()
    }
}

impl Query for ListTokens {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<(Vec<ListedToken>, bool)> {
        let Self { user, after, max } = self;
        let connection = context.connection;
        let mut tokens: Vec<ListedToken> = connection
            .prepare_cached(
                "SELECT t.id, u.name, t.name, t.rights, t.targets, t.created_at, t.expires_at,
                        t.last_used_at, t.last_used_from
                   FROM access_tokens t JOIN users u ON u.id = t.user_id
                  WHERE t.id > ?1 AND (?2 IS NULL OR t.user_id = ?2)
                  ORDER BY t.id LIMIT ?3",
            )?
            .query_map(params![after.0, user.map(|user| user.0), max as i64 + 1], |row| {
                listed(connection, row)
            })?
            .collect::<Result<_, _>>()?;
        let more = tokens.len() > max;
        tokens.truncate(max);
        Ok((tokens, more))
    }
}

/// Removes the tokens of a deleted user.
pub(in crate::store) fn remove_all(connection: &Connection, user: UserId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM access_tokens WHERE user_id = ?1")?
        .execute([user.0])
        .map(drop)
}

/// Whether these recipients are among the targets. Returns those that are not: a user who does not
/// exist is like one who is no target.
pub(in crate::store) fn not_among(
    context: &mut WriteContext<'_>,
    targets: &[MailboxId],
    to: &[MailboxName],
) -> rusqlite::Result<Vec<MailboxName>> {
    let mut others = Vec::new();
    for name in to {
        let found = match name {
            MailboxName::User(user) => users::resolve(context, user)?.map(MailboxId::from),
            MailboxName::Room(room) => rooms::id_of(context.connection, room)?.map(MailboxId::from),
        };
        if !found.is_some_and(|found| targets.contains(&found)) {
            others.push(name.clone());
        }
    }
    Ok(others)
}

/// The mailboxes of these users and rooms; or those that its user cannot see.
fn find_targets(
    context: &mut WriteContext<'_>,
    user: UserId,
    to: &[MailboxName],
) -> rusqlite::Result<Result<Vec<MailboxId>, Vec<MailboxName>>> {
    let (mut targets, mut unknown) = (Vec::new(), Vec::new());
    for name in to {
        let found = match name {
            MailboxName::User(user) => users::resolve(context, user)?.map(MailboxId::from),
            MailboxName::Room(room) => rooms::place(context.connection, Actor::User(user), room)?
                .filter(|(_, place)| place.sees())
                .map(|(room, _)| room.into()),
        };
        match found {
            Some(found) => targets.push(found),
            None => unknown.push(name.clone()),
        }
    }
    Ok(if unknown.is_empty() { Ok(targets) } else { Err(unknown) })
}

fn listed(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<ListedToken> {
    let to = match targets(row, 4)? {
        Some(targets) => Some(names(connection, &targets)?),
        None => None,
    };
    let last_used_at: Option<i64> = row.get(7)?;
    let last_used_from: Option<String> = row.get(8)?;
    Ok(ListedToken {
        id: AccessTokenId(row.get(0)?),
        user: user_name(row, 1)?,
        name: word(row, 2)?,
        rights: word(row, 3)?,
        to,
        created_at: Timestamp(row.get(5)?),
        expires_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
        last_use: last_used_at.map(Timestamp).zip(last_used_from),
    })
}

/// The names of mailboxes today. A deleted user has none.
fn names(connection: &Connection, targets: &[MailboxId]) -> rusqlite::Result<Vec<MailboxName>> {
    let mut find =
        connection.prepare_cached("SELECT name FROM users WHERE id = ?1 AND deleted_at IS NULL")?;
    let mut names = Vec::with_capacity(targets.len());
    for target in targets {
        let name = match target.room() {
            Some(room) => rooms::name_of(connection, room)?.map(MailboxName::from),
            None => find
                .query_row([target.0], |row| user_name(row, 0))
                .optional()?
                .map(MailboxName::from),
        };
        names.extend(name);
    }
    names.sort_unstable();
    Ok(names)
}

pub(in crate::store) fn to_json(targets: &[MailboxId]) -> String {
    let numbers: Vec<String> = targets.iter().map(|target| target.0.to_string()).collect();
    format!("[{}]", numbers.join(","))
}
