//! Users as an operator sees and changes them.

use rusqlite::{Connection, Row, params};

use super::Store;
use super::error::StoreError;
use super::users::{self, NewUser};
use super::writer::{Context, Statements};
use crate::model::{Timestamp, UserId, UserName};

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

impl Store {
    /// Creates a user, unless the name is taken; tells whether it did. A file that was never
    /// seeded will not be from then on. Durable when `done` is called.
    pub fn add_user(
        &self,
        user: NewUser,
        done: impl FnOnce(Result<bool, StoreError>) + Send + 'static,
    ) {
        let add = move |context: &mut Context<'_>| {
            if users::id_of(context.connection, &user.name)?.is_some() {
                return Ok(false);
            }
            let now = Timestamp::now();
            users::insert(context.connection, &user, now)?;
            users::mark_as_seeded(context.connection, now)?;
            Ok(true)
        };
        self.writer.submit(Statements::Several, add, done);
    }

    /// The users after a name, in the order of their names: at most `max`, and whether there are
    /// more.
    pub fn list_accounts(
        &self,
        after: Option<UserName>,
        max: usize,
        done: impl FnOnce(Result<(Vec<Account>, bool), StoreError>) + Send + 'static,
    ) {
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
            Ok((accounts, more))
        };
        self.readers.submit(read, done);
    }
}

const SELECT_ACCOUNTS: &str =
    "SELECT u.id, u.name, u.display_name, u.password_is_published, u.created_at,
                u.disabled_at, u.deleted_at,
                (SELECT max(at) FROM (
                     SELECT u.last_seen_at AS at UNION ALL
                     SELECT s.last_seen_at FROM sessions s WHERE s.user_id = u.id)),
                (SELECT count(*) FROM messages m
                  WHERE m.recipient_id = u.id
                    AND m.id > coalesce((SELECT c.upto_id FROM cursors c
                                          WHERE c.user_id = u.id AND c.name = 'inbox'), 0))
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
        unread: row.get::<_, u32>(8)?.into(),
    })
}
