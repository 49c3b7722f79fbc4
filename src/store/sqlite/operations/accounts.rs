//! Users as an operator sees and changes them.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{CursorName, MessageId, Timestamp, TokenHash, UserId, UserName};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::sqlite::operations::cursors;
use crate::store::sqlite::operations::sessions::{self, Which};
use crate::store::sqlite::operations::users::{self, NewUser};
use crate::store::sqlite::projection::deliveries;
use crate::store::sqlite::projection::memtable::Tail;
use crate::store::sqlite::writer::{Context, Statements};
use crate::transfer::PasswordHash;

/// A user with all that is known of the account.
#[derive(Debug, Clone)]
pub struct Account {
    /// The number.
    pub id: UserId,
    /// What the user logs in with.
    pub name: UserName,
    /// What people call the user.
    pub display_name: String,
    /// Everybody can know the password.
    pub password_is_published: bool,
    /// When the user was made.
    pub created_at: Timestamp,
    /// Since when the user may not log in.
    pub disabled_at: Option<Timestamp>,
    /// Since when only the name and the messages are left.
    pub deleted_at: Option<Timestamp>,
    /// When a session was last used, give or take a minute.
    pub last_seen_at: Option<Timestamp>,
    /// How many messages are after the cursor `inbox`.
    pub unread: u64,
}

/// What else is known of a user.
#[derive(Debug, Clone)]
pub struct Activity {
    /// How many messages the user has sent; one for each recipient.
    pub sent: u64,
    /// How many messages were sent to the user.
    pub received: u64,
    /// Each cursor, up to where it has read, and when it was moved last.
    pub cursors: Vec<(CursorName, MessageId, Timestamp)>,
}

/// How a user is to be changed.
#[derive(Debug, Clone)]
pub enum Change {
    /// Another password. Ends all sessions.
    Password(PasswordHash),
    /// May not log in until enabled. Ends all sessions.
    Disable,
    /// May log in again.
    Enable,
    /// Has another name from now on.
    Rename(UserName),
    /// Is gone, but for the name and the messages. Ends all sessions and removes all cursors.
    Delete,
    /// Is gone, and the name is free; only a deleted user, of whom no message is left.
    Remove,
}

/// What came of changing a user.
#[derive(Debug, Clone)]
pub enum Changed {
    /// It has been done, or was so already.
    Yes {
        /// Who.
        user: UserId,
        /// The sessions that were ended with it.
        ended: Vec<TokenHash>,
    },
    /// There is no user of this name.
    Unknown,
    /// The user is deleted, and is not changed any more.
    Deleted,
    /// The new name belongs to somebody.
    NameTaken,
    /// There are messages of the user, or the user is not deleted: not removed.
    InUse,
}

impl Store {
    /// Creates all of these users, unless one of the names is taken; tells which are. A file that
    /// was never seeded will not be from then on. Durable when `done` is called.
    pub fn add_users(
        &self,
        new: Vec<NewUser>,
        done: impl FnOnce(Result<Vec<UserName>, StoreError>) + Send + 'static,
    ) {
        let add = move |context: &mut Context<'_>| {
            let mut taken = Vec::new();
            for user in &new {
                if users::id_of(context.connection, &user.name)?.is_some() {
                    taken.push(user.name.clone());
                }
            }
            if taken.is_empty() {
                let now = Timestamp::now();
                for user in &new {
                    users::insert(context.connection, user, now)?;
                }
                users::mark_as_seeded(context.connection, now)?;
            }
            Ok(taken)
        };
        self.writer.submit(Statements::Several, add, done);
    }

    /// Changes a user. Durable when `done` is called.
    pub fn change_user(
        &self,
        name: UserName,
        change: Change,
        done: impl FnOnce(Result<Changed, StoreError>) + Send + 'static,
    ) {
        let apply = move |context: &mut Context<'_>| apply(context, &name, &change);
        self.writer.submit(Statements::Several, apply, done);
    }

    /// The user of a name; `None` where there is none.
    pub fn find_account(
        &self,
        name: UserName,
        done: impl FnOnce(Result<Option<(Account, Activity)>, StoreError>) + Send + 'static,
    ) {
        let tail = Arc::clone(&self.tail);
        let read = move |connection: &Connection| {
            let found = connection
                .prepare_cached(&format!("{SELECT_ACCOUNTS} WHERE u.name = ?1"))?
                .query_row([name.as_str()], account)
                .optional()?;
            let Some(mut account) = found else { return Ok(None) };
            count_unread(connection, &tail, std::slice::from_mut(&mut account))?;
            deliveries::renew_snapshot(connection)?;
            let in_tail = deliveries::in_tail(&tail, account.id, MessageId::ZERO);
            let activity = activity(connection, account.id, &in_tail)?;
            Ok(Some((account, activity)))
        };
        self.readers.submit(None, read, done);
    }

    /// The users after a name, in the order of their names: at most `max`, and whether there are
    /// more.
    pub fn list_accounts(
        &self,
        after: Option<UserName>,
        max: usize,
        done: impl FnOnce(Result<(Vec<Account>, bool), StoreError>) + Send + 'static,
    ) {
        let tail = Arc::clone(&self.tail);
        let read = move |connection: &Connection| {
            let after = after.as_ref().map_or("", UserName::as_str);
            let mut accounts: Vec<Account> = connection
                .prepare_cached(&format!(
                    "{SELECT_ACCOUNTS} WHERE u.name > ?1 ORDER BY u.name LIMIT ?2"
                ))?
                .query_map(params![after, max as i64 + 1], account)?
                .collect::<Result<_, _>>()?;
            let more = accounts.len() > max;
            accounts.truncate(max);
            count_unread(connection, &tail, &mut accounts)?;
            Ok((accounts, more))
        };
        self.readers.submit(None, read, done);
    }
}

fn apply(context: &mut Context<'_>, name: &UserName, change: &Change) -> rusqlite::Result<Changed> {
    let connection = context.connection;
    let found = connection
        .prepare_cached("SELECT id, deleted_at IS NOT NULL FROM users WHERE name = ?1")?
        .query_row([name.as_str()], |row| Ok((UserId(row.get(0)?), row.get(1)?)))
        .optional()?;
    let user = match (found, change) {
        (None, _) => return Ok(Changed::Unknown),
        (Some((user, true)), Change::Remove) => return remove(context, user),
        (Some((_, true)), _) => return Ok(Changed::Deleted),
        (Some((user, false)), _) => user,
    };
    let now = Timestamp::now().0;
    let update = |sql, value: &dyn rusqlite::ToSql| {
        connection.prepare_cached(sql)?.execute(params![user.0, value]).map(drop)
    };
    let ended = match change {
        Change::Password(new) => {
            update("UPDATE users SET password_hash = ?2 WHERE id = ?1", &new.hash)?;
            update("UPDATE users SET password_is_published = ?2 WHERE id = ?1", &new.is_published)?;
            sessions::end(connection, user, Which::All)?
        }
        Change::Disable => {
            update(
                "UPDATE users SET disabled_at = ?2 WHERE id = ?1 AND disabled_at IS NULL",
                &now,
            )?;
            sessions::end(connection, user, Which::All)?
        }
        Change::Enable => {
            update("UPDATE users SET disabled_at = ?2 WHERE id = ?1", &None::<i64>)?;
            Vec::new()
        }
        Change::Rename(to) => {
            if users::id_of(connection, to)?.is_some_and(|holder| holder != user) {
                return Ok(Changed::NameTaken);
            }
            update("UPDATE users SET name = ?2 WHERE id = ?1", &to.as_str())?;
            context.memory.user_ids.remove(name);
            context.memory.user_names.remove(&user);
            context.deliveries.rename();
            Vec::new()
        }
        Change::Delete => {
            // No password fits what is no hash. It is not kept for who will never need it.
            update(
                "UPDATE users SET deleted_at = ?2, disabled_at = coalesce(disabled_at, ?2),
                        password_hash = '', password_is_published = 0
                  WHERE id = ?1",
                &now,
            )?;
            connection
                .prepare_cached("DELETE FROM cursors WHERE user_id = ?1")?
                .execute([user.0])?;
            context.memory.user_ids.remove(name);
            context.memory.recount(user);
            context.deliveries.rewind(user);
            sessions::end(connection, user, Which::All)?
        }
        Change::Remove => return Ok(Changed::InUse),
    };
    Ok(Changed::Yes { user, ended })
}

fn remove(context: &mut Context<'_>, user: UserId) -> rusqlite::Result<Changed> {
    let removed = context
        .connection
        .prepare_cached(
            "DELETE FROM users WHERE id = ?1 AND NOT EXISTS (
                 SELECT 1 FROM messages WHERE recipient_id = ?1 OR sender_id = ?1)",
        )?
        .execute([user.0])?;
    if removed == 0 {
        return Ok(Changed::InUse);
    }
    // Who is not there any more sends nothing: the file does not look.
    context.memory.user_names.remove(&user);
    Ok(Changed::Yes { user, ended: Vec::new() })
}

/// Counts what each of these users has not read; nobody reads what is there for a deleted one.
fn count_unread(
    connection: &Connection,
    tail: &Tail,
    accounts: &mut [Account],
) -> rusqlite::Result<()> {
    deliveries::renew_snapshot(connection)?;
    let in_tail: Vec<_> = accounts
        .iter()
        .map(|account| deliveries::in_tail(tail, account.id, MessageId::ZERO))
        .collect();
    for (account, in_tail) in accounts.iter_mut().zip(in_tail) {
        if account.deleted_at.is_some() {
            continue;
        }
        let seen = cursors::position(connection, account.id, &CursorName::inbox())?;
        let bounds = (seen.unwrap_or(MessageId::ZERO), MessageId(i64::MAX));
        account.unread =
            deliveries::count(connection, &in_tail, account.id, bounds, usize::MAX)? as u64;
    }
    Ok(())
}

fn activity(
    connection: &Connection,
    user: UserId,
    in_tail: &[MessageId],
) -> rusqlite::Result<Activity> {
    let sent: u32 = connection
        .prepare_cached("SELECT count(*) FROM messages WHERE sender_id = ?1")?
        .query_row([user.0], |row| row.get(0))?;
    let all = (MessageId::ZERO, MessageId(i64::MAX));
    let cursors = connection
        .prepare_cached(
            "SELECT name, upto_id, moved_at FROM cursors WHERE user_id = ?1 ORDER BY name",
        )?
        .query_map([user.0], |row| {
            let name: Box<str> = row.get(0)?;
            let name = name.parse().map_err(|error| crate::store::not_a_value(0, error))?;
            Ok((name, MessageId(row.get(1)?), Timestamp(row.get(2)?)))
        })?
        .collect::<Result<_, _>>()?;
    Ok(Activity {
        sent: sent.into(),
        received: deliveries::count(connection, in_tail, user, all, usize::MAX)? as u64,
        cursors,
    })
}

const SELECT_ACCOUNTS: &str =
    "SELECT u.id, u.name, u.display_name, u.password_is_published, u.created_at,
                u.disabled_at, u.deleted_at,
                (SELECT max(at) FROM (
                     SELECT u.last_seen_at AS at UNION ALL
                     SELECT s.last_seen_at FROM sessions s WHERE s.user_id = u.id))
           FROM users u";

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let moment = |index| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp));
    Ok(Account {
        id: UserId(row.get(0)?),
        name: users::name(row, 1)?,
        display_name: row.get(2)?,
        password_is_published: row.get(3)?,
        created_at: Timestamp(row.get(4)?),
        disabled_at: moment(5)?,
        deleted_at: moment(6)?,
        last_seen_at: moment(7)?,
        unread: 0,
    })
}
