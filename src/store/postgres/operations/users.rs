//! Users: finding, seeding and naming them.

use postgres::Row;

use crate::model::{MessageId, TokenHash, UserId, UserName};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::operations::{cursors, everybody, sessions};
use crate::store::postgres::session::Session;
use crate::store::types::sessions::SessionFilter;
use crate::store::types::users::{
    ChangePassword, FindUser, IsSeeded, ListPublishedPasswords, ListUsers, NewUser, SeedUsers,
    StoredUser,
};

impl Query for FindUser {
    fn query(&self, session: &mut Session) -> Result<Option<StoredUser>> {
        let row = match self {
            Self::Named(name) => session.query_opt(
                "SELECT id, name, display_name, password_hash, disabled_at IS NOT NULL
                   FROM chat.users WHERE name = $1 AND deleted_at IS NULL",
                &[&name.as_str()],
            )?,
            Self::Numbered(id) => session.query_opt(
                "SELECT id, name, display_name, password_hash, disabled_at IS NOT NULL
                   FROM chat.users WHERE id = $1",
                &[&id.0],
            )?,
        };
        row.as_ref().map(stored_user).transpose()
    }
}

fn stored_user(row: &Row) -> Result<StoredUser> {
    Ok(StoredUser {
        id: UserId(row.get(0)),
        name: row.get::<_, &str>(1).parse()?,
        display_name: row.get(2),
        password_hash: row.get(3),
        disabled: row.get(4),
    })
}

impl Apply for ChangePassword {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Option<Vec<TokenHash>>> {
        let Self { user, old_hash, new, session } = self;
        let changed = context.session.execute(
            "UPDATE chat.users SET password_hash = $3, password_is_published = $4
              WHERE id = $1 AND password_hash = $2",
            &[&user.0, old_hash, &new.hash, &new.is_published],
        )?;
        if changed == 0 {
            return Ok(None);
        }
        let ended = sessions::end(context.session, SessionFilter::Others(*user, *session))?;
        Ok(Some(ended.into_iter().map(|(_, token)| token).collect()))
    }
}

impl Apply for SeedUsers {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<bool> {
        if is_seeded(context.session)? {
            return Ok(false);
        }
        for user in &self.0 {
            insert(context.session, user)?;
        }
        mark_as_seeded(context.session)?;
        Ok(true)
    }
}

impl Query for IsSeeded {
    fn query(&self, session: &mut Session) -> Result<bool> {
        is_seeded(session)
    }
}

impl Query for ListPublishedPasswords {
    fn query(&self, session: &mut Session) -> Result<Vec<UserName>> {
        let rows = session.query(
            "SELECT name FROM chat.users
              WHERE password_is_published AND disabled_at IS NULL ORDER BY id",
            &[],
        )?;
        rows.iter().map(|row| Ok(row.get::<_, &str>(0).parse()?)).collect()
    }
}

impl Query for ListUsers {
    fn query(&self, session: &mut Session) -> Result<(Vec<(UserName, String)>, bool)> {
        // No name is before the empty one.
        let after = self.after.as_ref().map_or("", UserName::as_str);
        let rows = session.query(
            "SELECT name, display_name FROM chat.users
              WHERE name > $1 AND deleted_at IS NULL ORDER BY name LIMIT $2",
            &[&after, &(self.max as i64 + 1)],
        )?;
        let more = rows.len() > self.max;
        let user = |row: &Row| Ok((row.get::<_, &str>(0).parse()?, row.get(1)));
        let users = rows.iter().take(self.max).map(user).collect::<Result<_>>()?;
        Ok((users, more))
    }
}

/// Creates a user, whose name must be free. The user is in the room of everybody, if there is one. No
/// node remembers anything of a new user.
pub(in crate::store) fn insert(session: &mut Session, user: &NewUser) -> Result<UserId> {
    let row = session.query_one(
        "INSERT INTO chat.users
             (id, name, display_name, password_hash, password_is_published, created_at)
         VALUES (chat.next_number($5, 'users'), $1, $2, $3, $4, chat.now_ms())
         RETURNING id",
        &[
            &user.name.as_str(),
            &user.display_name,
            &user.password_hash,
            &user.password_is_published,
            &LANE,
        ],
    )?;
    let user = UserId(row.get(0));
    everybody::complete(session, Some(user))?;
    Ok(user)
}

/// Marks the database as seeded. No server creates the first users in it any more.
pub(in crate::store) fn mark_as_seeded(session: &mut Session) -> Result<()> {
    session.execute(
        "INSERT INTO chat.marks (name, value) VALUES ('seeded_at', chat.iso(chat.now_ms()))
         ON CONFLICT DO NOTHING",
        &[],
    )?;
    Ok(())
}

fn is_seeded(session: &mut Session) -> Result<bool> {
    let row = session.query_opt("SELECT 1 FROM chat.marks WHERE name = 'seeded_at'", &[])?;
    Ok(row.is_some())
}

/// The id of a name, even of a deleted user.
pub(in crate::store) fn id_of(session: &mut Session, name: &UserName) -> Result<Option<UserId>> {
    let row = session.query_opt("SELECT id FROM chat.users WHERE name = $1", &[&name.as_str()])?;
    Ok(row.map(|row| UserId(row.get(0))))
}

/// The id of the user who can be in rooms under this name.
pub(in crate::store) fn resolve(session: &mut Session, name: &UserName) -> Result<Option<UserId>> {
    let row = session.query_opt(
        "SELECT id FROM chat.users WHERE name = $1 AND deleted_at IS NULL",
        &[&name.as_str()],
    )?;
    Ok(row.map(|row| UserId(row.get(0))))
}

/// Records that `user` gives this name up. Keys that were used with the name until now keep their
/// recipient.
pub(in crate::store) fn give_name_up(
    session: &mut Session,
    name: &UserName,
    user: UserId,
) -> Result<()> {
    let MessageId(upto) = cursors::head(session)?;
    session.execute(
        "INSERT INTO chat.former_names (name, upto_id, user_id) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
        &[&name.as_str(), &upto, &user.0],
    )?;
    Ok(())
}

/// Notes for every node that what it remembers of this user is no longer true.
pub(in crate::store) fn note_change(session: &mut Session, user: UserId) -> Result<()> {
    session.query_one("SELECT chat.note_change($2, 'user', $1, NULL)", &[&user.0, &LANE])?;
    Ok(())
}
