//! Accounts, as an operator sees and changes them.

use postgres::Row;

use crate::model::{MessageId, Timestamp, TokenHash, UserId, UserName};
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::operations::{invitations, rooms, scheduled, sessions, tokens, users};
use crate::store::postgres::session::Session;
use crate::store::types::sessions::SessionFilter;
use crate::store::types::users::{
    Account, Activity, AddUsers, Change, ChangeUser, Changed, FindAccount, FindMessageOf,
    ListAccounts, MessageSearch,
};

impl Apply for AddUsers {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Vec<UserName>> {
        let names: Vec<&str> = self.0.iter().map(|user| user.name.as_str()).collect();
        let rows = context
            .session
            .query("SELECT name FROM chat.users WHERE name = ANY ($1)", &[&names])?;
        let is_taken =
            |name: &UserName| rows.iter().any(|row| row.get::<_, &str>(0) == name.as_str());
        let taken: Vec<UserName> =
            self.0.iter().map(|user| user.name.clone()).filter(is_taken).collect();
        if taken.is_empty() {
            for user in &self.0 {
                users::insert(context.session, user)?;
            }
            users::mark_as_seeded(context.session)?;
        }
        Ok(taken)
    }
}

impl Apply for ChangeUser {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Changed> {
        change(context.session, &self.name, &self.change)
    }
}

fn change(session: &mut Session, name: &UserName, change: &Change) -> Result<Changed> {
    let found = session.query_opt(
        "SELECT id, deleted_at IS NOT NULL FROM chat.users WHERE name = $1",
        &[&name.as_str()],
    )?;
    let user = match (found, change) {
        (None, _) => return Ok(Changed::Unknown),
        (Some(row), Change::Remove { looked_upto }) if row.get(1) => {
            return remove(session, UserId(row.get(0)), *looked_upto);
        }
        (Some(row), _) if row.get(1) => return Ok(Changed::Deleted),
        (Some(row), _) => UserId(row.get(0)),
    };
    let ended = match change {
        Change::Password(new) => {
            session.execute(
                "UPDATE chat.users SET password_hash = $2, password_is_published = $3
                  WHERE id = $1",
                &[&user.0, &new.hash, &new.is_published],
            )?;
            end_all(session, user)?
        }
        Change::Disable => {
            session.execute(
                "UPDATE chat.users SET disabled_at = chat.now_ms()
                  WHERE id = $1 AND disabled_at IS NULL",
                &[&user.0],
            )?;
            users::note_change(session, user)?;
            end_all(session, user)?
        }
        Change::Enable => {
            session
                .execute("UPDATE chat.users SET disabled_at = NULL WHERE id = $1", &[&user.0])?;
            Vec::new()
        }
        Change::Rename(to) => return rename(session, user, (name, to)),
        Change::Delete => {
            delete(session, user)?;
            end_all(session, user)?
        }
        Change::Remove { .. } => return Ok(Changed::InUse),
    };
    Ok(Changed::Yes { user, ended })
}

fn rename(
    session: &mut Session,
    user: UserId,
    (name, to): (&UserName, &UserName),
) -> Result<Changed> {
    if users::id_of(session, to)?.is_some_and(|holder| holder != user) {
        return Ok(Changed::NameTaken);
    }
    if name != to {
        users::give_name_up(session, name, user)?;
    }
    session.execute("UPDATE chat.users SET name = $2 WHERE id = $1", &[&user.0, &to.as_str()])?;
    users::note_change(session, user)?;
    Ok(Changed::Yes { user, ended: Vec::new() })
}

/// Disables the account for ever and empties its inbox. Its messages keep its name.
fn delete(session: &mut Session, user: UserId) -> Result<()> {
    // No password matches an empty hash, and a deleted user needs none.
    session.execute(
        "UPDATE chat.users
            SET deleted_at = chat.now_ms(), disabled_at = coalesce(disabled_at, chat.now_ms()),
                password_hash = '', password_is_published = false
          WHERE id = $1",
        &[&user.0],
    )?;
    session.execute("DELETE FROM chat.dead_letters WHERE user_id = $1", &[&user.0])?;
    session.execute("DELETE FROM chat.cursors WHERE user_id = $1", &[&user.0])?;
    session.execute("DELETE FROM chat.read_marks WHERE user_id = $1", &[&user.0])?;
    rooms::members::remove_from_all(session, user)?;
    session.execute("DELETE FROM chat.blocks WHERE user_id = $1", &[&user.0])?;
    session
        .execute("DELETE FROM chat.expectations WHERE owner_id = $1 OR tell_id = $1", &[&user.0])?;
    scheduled::remove_all(session, user)?;
    tokens::remove_all(session, user)?;
    users::note_change(session, user)
}

fn end_all(session: &mut Session, user: UserId) -> Result<Vec<TokenHash>> {
    let ended = sessions::end(session, SessionFilter::User(user))?;
    Ok(ended.into_iter().map(|(_, token)| token).collect())
}

fn remove(session: &mut Session, user: UserId, looked_upto: MessageId) -> Result<Changed> {
    let removed = session.execute(
        "DELETE FROM chat.users WHERE id = $1 AND NOT EXISTS (
             SELECT FROM chat.messages
              WHERE id > $2 AND (mailbox_id = $1 OR sender_id = $1))",
        &[&user.0, &looked_upto.0],
    )?;
    if removed == 0 {
        return Ok(Changed::InUse);
    }
    session.execute("DELETE FROM chat.former_names WHERE user_id = $1", &[&user.0])?;
    session.execute("DELETE FROM chat.memberships WHERE user_id = $1", &[&user.0])?;
    session.execute("DELETE FROM chat.invitations WHERE user_id = $1", &[&user.0])?;
    let delete = "DELETE FROM chat.blocks WHERE user_id = $1 OR blocked_id = $1";
    session.execute(delete, &[&user.0])?;
    invitations::remove_of(session, user)?;
    session.execute("DELETE FROM chat.last_seen WHERE user_id = $1", &[&user.0])?;
    scheduled::remove_all(session, user)?;
    users::note_change(session, user)?;
    Ok(Changed::Yes { user, ended: Vec::new() })
}

/// The most messages that one step of [`FindMessageOf`] looks at.
const SEARCH_MESSAGES_MAX: i64 = if cfg!(test) { 4 } else { 10_000 };

impl Query for FindMessageOf {
    fn query(&self, session: &mut Session) -> Result<Option<MessageSearch>> {
        let Some(user) = users::id_of(session, &self.name)? else { return Ok(None) };
        let row = session.query_one(
            "SELECT max(id), count(*), bool_or($1 IN (sender_id, mailbox_id)) FROM (
                 SELECT id, sender_id, mailbox_id FROM chat.messages
                  WHERE id > $2 ORDER BY id LIMIT $3) AS looked_at",
            &[&user.0, &self.after.0, &SEARCH_MESSAGES_MAX],
        )?;
        let upto = row.get::<_, Option<i64>>(0).map_or(self.after, MessageId);
        Ok(Some(match row.get::<_, Option<bool>>(2) {
            Some(true) => MessageSearch::Found,
            _ if row.get::<_, i64>(1) == SEARCH_MESSAGES_MAX => MessageSearch::NoneUpTo(upto),
            _ => MessageSearch::None(upto),
        }))
    }
}

/// The query of [`account`]'s columns, and the rest of it.
macro_rules! select_accounts {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.name, u.display_name, u.password_is_published, u.created_at,
                    u.disabled_at, u.deleted_at,
                    greatest((SELECT l.at FROM chat.last_seen l WHERE l.user_id = u.id),
                             (SELECT max(s.last_seen_at) FROM chat.sessions s
                               WHERE s.user_id = u.id)),
                    (SELECT count(*) FROM chat.messages m
                      WHERE m.mailbox_id = u.id AND u.deleted_at IS NULL
                        AND m.id > coalesce((SELECT c.upto_id FROM chat.cursors c
                                              WHERE c.user_id = u.id AND c.name = 'inbox'), 0)
                        AND NOT coalesce(chat.expires_at(m.details, m.sent_at)
                                         <= (SELECT chat.now_ms()), false)
                        AND NOT EXISTS (SELECT FROM chat.message_changes d
                                         WHERE d.message_id = m.id AND d.body IS NULL))",
            $rest
        )
    };
}

impl Query for FindAccount {
    fn query(&self, session: &mut Session) -> Result<Option<(Account, Activity)>> {
        let name = self.0.as_str();
        let row = session.query_opt(
            select_accounts!(
                ", (SELECT count(*) FROM chat.messages m WHERE m.sender_id = u.id),
                   (SELECT count(*) FROM chat.messages m
                     WHERE m.mailbox_id = u.id
                       AND NOT EXISTS (SELECT FROM chat.message_changes d
                                        WHERE d.message_id = m.id AND d.body IS NULL))
                   FROM chat.users u WHERE u.name = $1"
            ),
            &[&name],
        )?;
        let Some(row) = row else { return Ok(None) };
        let account = account(&row)?;
        let cursors = session.query(
            "SELECT name, upto_id, moved_at FROM chat.cursors WHERE user_id = $1 ORDER BY name",
            &[&account.id.0],
        )?;
        let cursor = |row: &Row| {
            Ok((row.get::<_, &str>(0).parse()?, MessageId(row.get(1)), Timestamp(row.get(2))))
        };
        let activity = Activity {
            sent: row.get::<_, i64>(9).unsigned_abs(),
            received: row.get::<_, i64>(10).unsigned_abs(),
            cursors: cursors.iter().map(cursor).collect::<Result<_>>()?,
        };
        Ok(Some((account, activity)))
    }
}

impl Query for ListAccounts {
    fn query(&self, session: &mut Session) -> Result<(Vec<Account>, bool)> {
        let after = self.after.as_ref().map_or("", UserName::as_str);
        let rows = session.query(
            select_accounts!(" FROM chat.users u WHERE u.name > $1 ORDER BY u.name LIMIT $2"),
            &[&after, &(self.max as i64 + 1)],
        )?;
        let more = rows.len() > self.max;
        let accounts = rows.iter().take(self.max).map(account).collect::<Result<_>>()?;
        Ok((accounts, more))
    }
}

fn account(row: &Row) -> Result<Account> {
    let moment = |column| row.get::<_, Option<i64>>(column).map(Timestamp);
    Ok(Account {
        id: UserId(row.get(0)),
        name: row.get::<_, &str>(1).parse()?,
        display_name: row.get(2),
        password_is_published: row.get(3),
        created_at: Timestamp(row.get(4)),
        disabled_at: moment(5),
        deleted_at: moment(6),
        last_seen_at: moment(7),
        unread: row.get::<_, i64>(8).unsigned_abs(),
    })
}
