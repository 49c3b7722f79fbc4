//! Accounts, as an operator sees and changes them.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{CursorName, MessageId, Timestamp, TokenHash, UserId, UserName};
use crate::store::sqlite::expiry;
use crate::store::sqlite::message_log;
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::operations::{
    blocks, cursors, rooms, scheduled, sessions, tokens, users,
};
use crate::store::sqlite::projection::delivery_cursor;
use crate::store::sqlite::projection::memtable::Memtable;
use crate::store::sqlite::row::{cursor_name, user_name};
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::sessions::SessionFilter;
use crate::store::types::users::{
    Account, Activity, AddUsers, Change, ChangeUser, Changed, FindAccount, FindMessageOf,
    ListAccounts, MessageSearch,
};

impl Apply for AddUsers {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Vec<UserName>> {
        let mut taken = Vec::new();
        for user in &self.0 {
            if users::id_of(context.connection, &user.name)?.is_some() {
                taken.push(user.name.clone());
            }
        }
        if taken.is_empty() {
            let now = Timestamp::now();
            for user in &self.0 {
                users::insert(context, user, now)?;
            }
            users::mark_as_seeded(context.connection, now)?;
        }
        Ok(taken)
    }
}

impl Apply for ChangeUser {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Changed> {
        change(context, &self.name, &self.change)
    }
}

/// The maximum number of messages that one step of [`FindMessageOf`] looks at.
const SEARCH_MESSAGES_MAX: u32 = if cfg!(test) { 4 } else { 10_000 };

impl Query for FindMessageOf {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<MessageSearch>> {
        let Some(user) = users::id_of(context.connection, &self.name)? else { return Ok(None) };
        let (upto, looked, found): (Option<i64>, u32, Option<bool>) = context
            .connection
            .prepare_cached(
                "SELECT max(id), count(*), max(?1 IN (sender_id, recipient_id)) FROM (
                     SELECT id, sender_id, recipient_id FROM messages
                      WHERE id > ?2 ORDER BY id LIMIT ?3)",
            )?
            .query_row(params![user.0, self.after.0, SEARCH_MESSAGES_MAX], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let upto = upto.map_or(self.after, MessageId);
        Ok(Some(match found {
            Some(true) => MessageSearch::Found,
            _ if looked == SEARCH_MESSAGES_MAX => MessageSearch::NoneUpTo(upto),
            _ => MessageSearch::None(upto),
        }))
    }
}

impl Query for FindAccount {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<(Account, Activity)>> {
        let ReadContext { connection, memtable, now, .. } = *context;
        let found = connection
            .prepare_cached(&format!("{SELECT_ACCOUNTS} WHERE u.name = ?1"))?
            .query_row([self.0.as_str()], account)
            .optional()?;
        let Some(mut account) = found else { return Ok(None) };
        count_unread(connection, (memtable, now), std::slice::from_mut(&mut account))?;
        delivery_cursor::renew_snapshot(connection)?;
        let in_memtable = delivery_cursor::in_memtable(memtable, account.id, MessageId::ZERO);
        let activity = activity(connection, account.id, &in_memtable)?;
        Ok(Some((account, activity)))
    }
}

impl Query for ListAccounts {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<(Vec<Account>, bool)> {
        let ReadContext { connection, memtable, now, .. } = *context;
        let after = self.after.as_ref().map_or("", UserName::as_str);
        let mut accounts: Vec<Account> = connection
            .prepare_cached(&format!(
                "{SELECT_ACCOUNTS} WHERE u.name > ?1 ORDER BY u.name LIMIT ?2"
            ))?
            .query_map(params![after, self.max as i64 + 1], account)?
            .collect::<Result<_, _>>()?;
        let more = accounts.len() > self.max;
        accounts.truncate(self.max);
        count_unread(connection, (memtable, now), &mut accounts)?;
        Ok((accounts, more))
    }
}

fn change(
    context: &mut WriteContext<'_>,
    name: &UserName,
    change: &Change,
) -> rusqlite::Result<Changed> {
    let connection = context.connection;
    let found = connection
        .prepare_cached("SELECT id, deleted_at IS NOT NULL FROM users WHERE name = ?1")?
        .query_row([name.as_str()], |row| Ok((UserId(row.get(0)?), row.get(1)?)))
        .optional()?;
    let user = match (found, change) {
        (None, _) => return Ok(Changed::Unknown),
        (Some((user, true)), Change::Remove { looked_upto }) => {
            return remove(context, user, *looked_upto);
        }
        (Some((_, true)), _) => return Ok(Changed::Deleted),
        (Some((user, false)), _) => user,
    };
    let now = Timestamp::now().0;
    let ended = match change {
        Change::Password(new) => {
            let update = "UPDATE users SET password_hash = ?2, password_is_published = ?3
                           WHERE id = ?1";
            connection.prepare_cached(update)?.execute(params![
                user.0,
                new.hash,
                new.is_published
            ])?;
            end_all(connection, user)?
        }
        Change::Disable => {
            let update = "UPDATE users SET disabled_at = ?2 WHERE id = ?1 AND disabled_at IS NULL";
            connection.prepare_cached(update)?.execute([user.0, now])?;
            end_all(connection, user)?
        }
        Change::Enable => {
            let update = "UPDATE users SET disabled_at = NULL WHERE id = ?1";
            connection.prepare_cached(update)?.execute([user.0])?;
            Vec::new()
        }
        Change::Rename(to) => return rename(context, user, (name, to)),
        Change::Delete => {
            delete(context, user, name, now)?;
            end_all(connection, user)?
        }
        Change::Remove { .. } => return Ok(Changed::InUse),
    };
    Ok(Changed::Yes { user, ended })
}

fn rename(
    context: &mut WriteContext<'_>,
    user: UserId,
    (name, to): (&UserName, &UserName),
) -> rusqlite::Result<Changed> {
    let connection = context.connection;
    if users::id_of(connection, to)?.is_some_and(|holder| holder != user) {
        return Ok(Changed::NameTaken);
    }
    if name != to {
        let newest = message_log::newest_given(connection)?;
        users::give_name_up(connection, name, user, newest)?;
    }
    connection
        .prepare_cached("UPDATE users SET name = ?2 WHERE id = ?1")?
        .execute(params![user.0, to.as_str()])?;
    context.cache.user_ids.remove(name);
    context.cache.user_names.remove(&user);
    context.deliveries.rename();
    // Their streams look for mentions of the name.
    context.deliveries.change_memberships(user);
    Ok(Changed::Yes { user, ended: Vec::new() })
}

/// Disables the account for ever and empties its inbox. Its messages keep its name.
fn delete(
    context: &mut WriteContext<'_>,
    user: UserId,
    name: &UserName,
    now: i64,
) -> rusqlite::Result<()> {
    // No password matches an empty hash, and a deleted user needs none.
    context
        .connection
        .prepare_cached(
            "UPDATE users SET deleted_at = ?2, disabled_at = coalesce(disabled_at, ?2),
                    password_hash = '', password_is_published = 0
              WHERE id = ?1",
        )?
        .execute([user.0, now])?;
    context
        .connection
        .prepare_cached("DELETE FROM cursors WHERE user_id = ?1")?
        .execute([user.0])?;
    context
        .connection
        .prepare_cached("DELETE FROM read_marks WHERE user_id = ?1")?
        .execute([user.0])?;
    rooms::remove_from_all(context, user)?;
    blocks::remove_all(context, user)?;
    context
        .connection
        .prepare_cached("DELETE FROM expectations WHERE owner_id = ?1 OR tell_id = ?1")?
        .execute([user.0])?;
    scheduled::remove_all(context.connection, user)?;
    tokens::remove_all(context.connection, user)?;
    context.cache.user_ids.remove(name);
    context.cache.must_count(user);
    context.deliveries.rewind(user);
    Ok(())
}

fn end_all(connection: &Connection, user: UserId) -> rusqlite::Result<Vec<TokenHash>> {
    let ended = sessions::end(connection, SessionFilter::User(user))?;
    Ok(ended.into_iter().map(|(_, token)| token).collect())
}

fn remove(
    context: &mut WriteContext<'_>,
    user: UserId,
    looked_upto: MessageId,
) -> rusqlite::Result<Changed> {
    let removed = context
        .connection
        .prepare_cached(
            "DELETE FROM users WHERE id = ?1 AND NOT EXISTS (
                 SELECT 1 FROM messages
                  WHERE id > ?2 AND (recipient_id = ?1 OR sender_id = ?1))",
        )?
        .execute([user.0, looked_upto.0])?;
    if removed == 0 {
        return Ok(Changed::InUse);
    }
    users::forget_former_names(context.connection, user)?;
    // A removed user can send nothing. The schema does not check that, so the cache must not have
    // the name.
    context.cache.user_names.remove(&user);
    Ok(Changed::Yes { user, ended: Vec::new() })
}

/// Counts the unread messages of each account. A deleted user's inbox counts as empty, because
/// nobody reads it.
fn count_unread(
    connection: &Connection,
    (memtable, now): (&Memtable, Timestamp),
    accounts: &mut [Account],
) -> rusqlite::Result<()> {
    delivery_cursor::renew_snapshot(connection)?;
    let in_memtable: Vec<_> = accounts
        .iter()
        .map(|account| delivery_cursor::in_memtable(memtable, account.id, MessageId::ZERO))
        .collect();
    for (account, in_memtable) in accounts.iter_mut().zip(in_memtable) {
        if account.deleted_at.is_some() {
            continue;
        }
        let seen = cursors::position(connection, account.id, &CursorName::inbox())?;
        let bounds = (seen.unwrap_or(MessageId::ZERO), MessageId(i64::MAX));
        let there =
            delivery_cursor::count(connection, &in_memtable, account.id, bounds, usize::MAX)?;
        let expired = expiry::count_expired(connection, account.id, bounds.0, now)?;
        account.unread = (there as u64).saturating_sub(expired);
    }
    Ok(())
}

fn activity(
    connection: &Connection,
    user: UserId,
    in_memtable: &[MessageId],
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
            Ok((cursor_name(row, 0)?, MessageId(row.get(1)?), Timestamp(row.get(2)?)))
        })?
        .collect::<Result<_, _>>()?;
    Ok(Activity {
        sent: sent.into(),
        received: delivery_cursor::count(connection, in_memtable, user, all, usize::MAX)? as u64,
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
        name: user_name(row, 1)?,
        display_name: row.get(2)?,
        password_is_published: row.get(3)?,
        created_at: Timestamp(row.get(4)?),
        disabled_at: moment(5)?,
        deleted_at: moment(6)?,
        last_seen_at: moment(7)?,
        unread: 0,
    })
}
