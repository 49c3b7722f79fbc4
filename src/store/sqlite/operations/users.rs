//! Users: finding, seeding and naming them.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{MessageId, Timestamp, TokenHash, UserId, UserName};
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::operations::{everybody, sessions};
use crate::store::sqlite::row::user_name;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::sessions::SessionFilter;
use crate::store::types::users::{
    ChangePassword, FindUser, IsSeeded, ListPublishedPasswords, ListUsers, NewUser, SeedUsers,
    StoredUser,
};

impl Query for FindUser {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<StoredUser>> {
        match self {
            Self::Named(name) => {
                find(context.connection, "name = ?1 AND deleted_at IS NULL", name.as_str())
            }
            Self::Numbered(id) => find(context.connection, "id = ?1", id.0),
        }
    }
}

impl Apply for ChangePassword {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Option<Vec<TokenHash>>> {
        let Self { user, old_hash, new, session } = self;
        let changed = context
            .connection
            .prepare_cached(
                "UPDATE users SET password_hash = ?3, password_is_published = ?4
                  WHERE id = ?1 AND password_hash = ?2",
            )?
            .execute(params![user.0, old_hash, new.hash, new.is_published])?;
        if changed == 0 {
            return Ok(None);
        }
        let ended = sessions::end(context.connection, SessionFilter::Others(user, session))?;
        Ok(Some(ended.into_iter().map(|(_, token)| token).collect()))
    }
}

impl Apply for SeedUsers {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<bool> {
        seed(context, &self.0)
    }
}

impl Query for IsSeeded {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<bool> {
        is_seeded(context.connection)
    }
}

impl Query for ListPublishedPasswords {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Vec<UserName>> {
        context
            .connection
            .prepare_cached(
                "SELECT name FROM users
                  WHERE password_is_published = 1 AND disabled_at IS NULL ORDER BY id",
            )?
            .query_map([], |row| user_name(row, 0))?
            .collect()
    }
}

impl Query for ListUsers {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<(Vec<(UserName, String)>, bool)> {
        let Self { after, max, .. } = self;
        // No name is before the empty one.
        let after = after.as_ref().map_or("", UserName::as_str);
        let mut users: Vec<_> = context
            .connection
            .prepare_cached(
                "SELECT name, display_name FROM users
                  WHERE name > ?1 AND deleted_at IS NULL ORDER BY name LIMIT ?2",
            )?
            .query_map(params![after, max as i64 + 1], |row| Ok((user_name(row, 0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let more = users.len() > max;
        users.truncate(max);
        Ok((users, more))
    }
}

fn find(
    connection: &Connection,
    condition: &str,
    value: impl rusqlite::ToSql,
) -> rusqlite::Result<Option<StoredUser>> {
    connection
        .prepare_cached(&format!(
            "SELECT id, name, display_name, password_hash, disabled_at IS NOT NULL
               FROM users WHERE {condition}"
        ))?
        .query_row([value], |row| {
            Ok(StoredUser {
                id: UserId(row.get(0)?),
                name: user_name(row, 1)?,
                display_name: row.get(2)?,
                password_hash: row.get(3)?,
                disabled: row.get(4)?,
            })
        })
        .optional()
}

fn seed(context: &mut WriteContext<'_>, users: &[NewUser]) -> rusqlite::Result<bool> {
    if is_seeded(context.connection)? {
        return Ok(false);
    }
    let now = Timestamp::now();
    for user in users {
        insert(context, user, now)?;
    }
    mark_as_seeded(context.connection, now)?;
    Ok(true)
}

/// Creates a user, whose name must be free. The user is in the room of everybody, if there is one.
pub(in crate::store) fn insert(
    context: &mut WriteContext<'_>,
    user: &NewUser,
    now: Timestamp,
) -> rusqlite::Result<UserId> {
    context
        .connection
        .prepare_cached(
            "INSERT INTO users
                 (name, display_name, password_hash, password_is_published, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            user.name.as_str(),
            user.display_name,
            user.password_hash,
            user.password_is_published,
            now.0
        ])?;
    let user = UserId(context.connection.last_insert_rowid());
    everybody::complete(context, Some(user))?;
    Ok(user)
}

/// Marks the database as seeded. No server creates the first users in it any more.
pub(in crate::store) fn mark_as_seeded(
    connection: &Connection,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES ('seeded_at', ?1) ON CONFLICT DO NOTHING",
        )?
        .execute([now.to_rfc3339()])?;
    Ok(())
}

fn is_seeded(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'seeded_at')", [], |row| {
        row.get(0)
    })
}

/// The id of the user who receives messages under this name, cached if possible.
pub(in crate::store) fn resolve(
    context: &mut WriteContext<'_>,
    name: &UserName,
) -> rusqlite::Result<Option<UserId>> {
    if let Some(&id) = context.cache.user_ids.get(name) {
        return Ok(Some(id));
    }
    let found = context
        .connection
        .prepare_cached("SELECT id FROM users WHERE name = ?1 AND deleted_at IS NULL")?
        .query_row([name.as_str()], |row| Ok(UserId(row.get(0)?)))
        .optional()?;
    if let Some(id) = found {
        context.cache.remember_user(name.clone(), id);
    }
    Ok(found)
}

/// Records that `user` gives this name up, and that `upto` is the newest message now. Keys that
/// were used with the name up to then keep their recipient: see [`id_then`].
pub(in crate::store) fn give_name_up(
    connection: &Connection,
    name: &UserName,
    user: UserId,
    upto: MessageId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES (?1, CAST(?2 AS TEXT)) ON CONFLICT DO NOTHING",
        )?
        .execute(params![former_name(name, upto), user.0])
        .map(drop)
}

/// The id of the user who had this name when the message `then` was stored.
pub(in crate::store) fn id_then(
    connection: &Connection,
    name: &UserName,
    then: MessageId,
) -> rusqlite::Result<Option<UserId>> {
    let bounds = [former_name(name, then), former_name(name, MessageId(i64::MAX))];
    let found = connection
        .prepare_cached(
            "SELECT CAST(value AS INTEGER) FROM meta
              WHERE name BETWEEN ?1 AND ?2 ORDER BY name LIMIT 1",
        )?
        .query_row(bounds, |row| Ok(UserId(row.get(0)?)))
        .optional()?;
    found.map_or_else(|| id_of(connection, name), |user| Ok(Some(user)))
}

/// Forgets the former names of this user.
pub(in crate::store) fn forget_former_names(
    connection: &Connection,
    user: UserId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM meta WHERE name GLOB 'former_name/*' AND value = CAST(?1 AS TEXT)",
        )?
        .execute([user.0])
        .map(drop)
}

/// The name of the row of `meta` which records that a name was given up at `upto`. All numbers have
/// the same length, so the rows sort by number.
fn former_name(name: &UserName, upto: MessageId) -> String {
    format!("former_name/{name}/{:019}", upto.0)
}

/// The id of a name, even of a deleted user.
pub(in crate::store) fn id_of(
    connection: &Connection,
    name: &UserName,
) -> rusqlite::Result<Option<UserId>> {
    connection
        .prepare_cached("SELECT id FROM users WHERE name = ?1")?
        .query_row([name.as_str()], |row| Ok(UserId(row.get(0)?)))
        .optional()
}

/// The name of an id.
pub(in crate::store) fn name_of(
    connection: &Connection,
    id: UserId,
) -> rusqlite::Result<Option<UserName>> {
    connection
        .prepare_cached("SELECT name FROM users WHERE id = ?1")?
        .query_row([id.0], |row| user_name(row, 0))
        .optional()
}

/// [`name_of`], cached if possible.
pub(in crate::store) fn recall_name(
    context: &mut WriteContext<'_>,
    id: UserId,
) -> rusqlite::Result<Option<UserName>> {
    if let Some(name) = context.cache.user_names.get(&id) {
        return Ok(Some(name.clone()));
    }
    let found = name_of(context.connection, id)?;
    if let Some(name) = &found {
        context.cache.remember_name(id, name.clone());
    }
    Ok(found)
}
