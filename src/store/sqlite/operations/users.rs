//! Users: who may log in and be written to.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{SessionId, Timestamp, TokenHash, UserId, UserName};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::sqlite::operations::sessions::{self, Which};
use crate::store::sqlite::writer::{Context, Statements};
use crate::transfer::PasswordHash;

/// A user to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// What the user logs in with.
    pub name: UserName,
    /// What people call the user.
    pub display_name: String,
    /// argon2id in the PHC string format.
    pub password_hash: String,
    /// The password is one that everybody can know.
    pub password_is_published: bool,
}

/// What logging in needs to know of a user.
#[derive(Debug, Clone)]
pub struct StoredUser {
    /// The number.
    pub id: UserId,
    /// argon2id in the PHC string format.
    pub password_hash: String,
    /// May not log in.
    pub disabled: bool,
}

/// What a user may be told about the account.
#[derive(Debug, Clone)]
pub struct DescribedUser {
    /// What the user logs in with.
    pub name: UserName,
    /// What people call the user.
    pub display_name: String,
    /// argon2id in the PHC string format. Not to be told.
    pub password_hash: String,
}

impl Store {
    /// Looks up a user by name; a deleted one is none.
    pub fn find_user(
        &self,
        name: UserName,
        done: impl FnOnce(Result<Option<StoredUser>, StoreError>) + Send + 'static,
    ) {
        self.readers.submit(None, move |connection| find(connection, &name), done);
    }

    /// Looks up a user by number.
    pub fn describe_user(
        &self,
        id: UserId,
        done: impl FnOnce(Result<Option<DescribedUser>, StoreError>) + Send + 'static,
    ) {
        let read = move |connection: &Connection| {
            connection
                .prepare_cached(
                    "SELECT name, display_name, password_hash FROM users WHERE id = ?1",
                )?
                .query_row([id.0], |row| {
                    Ok(DescribedUser {
                        name: name(row, 0)?,
                        display_name: row.get(1)?,
                        password_hash: row.get(2)?,
                    })
                })
                .optional()
        };
        self.readers.submit(Some(id), read, done);
    }

    /// Gives a user another password, if the hash of the one until now is still `old_hash`, and
    /// ends the user's sessions but `session`; tells their tokens, or `None` where the password
    /// was changed by somebody else in between. Durable when `done` is called.
    pub fn change_password(
        &self,
        user: UserId,
        old_hash: String,
        new: PasswordHash,
        session: SessionId,
        done: impl FnOnce(Result<Option<Vec<TokenHash>>, StoreError>) + Send + 'static,
    ) {
        let change = move |context: &mut Context<'_>| {
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
            sessions::end(context.connection, user, Which::AllBut(session)).map(Some)
        };
        self.writer.submit(Statements::Several, change, done);
    }

    /// Creates these users in a file that has never been seeded, and marks it as seeded; in one
    /// transaction. Tells whether it did.
    pub fn seed_users(
        &self,
        users: Vec<NewUser>,
        done: impl FnOnce(Result<bool, StoreError>) + Send + 'static,
    ) {
        self.writer.submit(Statements::Several, move |context| seed(context, &users), done);
    }

    /// Whether users have been seeded, or it was decided that there should be none.
    pub fn is_seeded(&self, done: impl FnOnce(Result<bool, StoreError>) + Send + 'static) {
        self.readers.submit(None, is_seeded, done);
    }

    /// The users who can be logged in as by everybody who has read the source.
    pub fn users_with_published_password(
        &self,
        done: impl FnOnce(Result<Vec<UserName>, StoreError>) + Send + 'static,
    ) {
        let read = |connection: &Connection| {
            connection
                .prepare_cached(
                    "SELECT name FROM users
                      WHERE password_is_published = 1 AND disabled_at IS NULL ORDER BY id",
                )?
                .query_map([], |row| name(row, 0))?
                .collect()
        };
        self.readers.submit(None, read, done);
    }
}

fn find(connection: &Connection, name: &UserName) -> rusqlite::Result<Option<StoredUser>> {
    connection
        .prepare_cached(
            "SELECT id, password_hash, disabled_at IS NOT NULL
               FROM users WHERE name = ?1 AND deleted_at IS NULL",
        )?
        .query_row([name.as_str()], |row| {
            Ok(StoredUser {
                id: UserId(row.get(0)?),
                password_hash: row.get(1)?,
                disabled: row.get(2)?,
            })
        })
        .optional()
}

fn seed(context: &mut Context<'_>, users: &[NewUser]) -> rusqlite::Result<bool> {
    if is_seeded(context.connection)? {
        return Ok(false);
    }
    let now = Timestamp::now();
    for user in users {
        insert(context.connection, user, now)?;
    }
    mark_as_seeded(context.connection, now)?;
    Ok(true)
}

pub(in crate::store) fn insert(
    connection: &Connection,
    user: &NewUser,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
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
    Ok(())
}

/// From now on the file is no new one, that is given users by itself.
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

/// The number of whom messages may be sent to by this name, from memory where it is there.
pub(in crate::store) fn resolve(
    context: &mut Context<'_>,
    name: &UserName,
) -> rusqlite::Result<Option<UserId>> {
    if let Some(&id) = context.memory.user_ids.get(name) {
        return Ok(Some(id));
    }
    let found = context
        .connection
        .prepare_cached("SELECT id FROM users WHERE name = ?1 AND deleted_at IS NULL")?
        .query_row([name.as_str()], |row| Ok(UserId(row.get(0)?)))
        .optional()?;
    if let Some(id) = found {
        context.memory.remember_user(name.clone(), id);
    }
    Ok(found)
}

/// The number of a name, also of a deleted user's.
pub(in crate::store) fn id_of(
    connection: &Connection,
    name: &UserName,
) -> rusqlite::Result<Option<UserId>> {
    connection
        .prepare_cached("SELECT id FROM users WHERE name = ?1")?
        .query_row([name.as_str()], |row| Ok(UserId(row.get(0)?)))
        .optional()
}

/// The name of a number.
pub(in crate::store) fn name_of(
    connection: &Connection,
    id: UserId,
) -> rusqlite::Result<Option<UserName>> {
    connection
        .prepare_cached("SELECT name FROM users WHERE id = ?1")?
        .query_row([id.0], |row| name(row, 0))
        .optional()
}

/// [`name_of`], from memory where it is there.
pub(in crate::store) fn recall_name(
    context: &mut Context<'_>,
    id: UserId,
) -> rusqlite::Result<Option<UserName>> {
    if let Some(name) = context.memory.user_names.get(&id) {
        return Ok(Some(name.clone()));
    }
    let found = name_of(context.connection, id)?;
    if let Some(name) = &found {
        context.memory.remember_name(id, name.clone());
    }
    Ok(found)
}

/// A name out of a row.
pub(in crate::store) fn name(row: &Row<'_>, index: usize) -> rusqlite::Result<UserName> {
    let text: Box<str> = row.get(index)?;
    text.parse().map_err(|error| crate::store::not_a_value(index, error))
}
