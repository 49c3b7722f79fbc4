//! Invitations by link. Each operation that writes holds the log's lock, so two servers accept one
//! invitation one after the other.

use postgres::Row;

use crate::model::{InvitationId, Role, RoomId, RoomName, Timestamp, UserId, UserName};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::operations::{rooms, users};
use crate::store::postgres::places::find_place;
use crate::store::postgres::session::Session;
use crate::store::types::invitations::{
    AcceptInvitation, AcceptedInvitation, CreateInvitation, CreatedInvitation, FindInvitation,
    INVITATIONS_MAX, Invitation, ListInvitations, ListedInvitation, RevokeInvitations,
};
use crate::store::types::rooms::Actor;

impl Apply for CreateInvitation {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<CreatedInvitation> {
        let Self { hash, name, rooms, now: _, lifetime } = self;
        let session = &mut *context.session;
        if is_taken(session, name.as_ref())? {
            return Ok(CreatedInvitation::NameTaken);
        }
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for name in rooms {
            match find_place(session, Actor::Operator, name)? {
                Some((room, place)) if !place.is_archived => found.push(room.0),
                _ => unknown.push(name.clone()),
            }
        }
        if !unknown.is_empty() {
            return Ok(CreatedInvitation::UnknownRooms(unknown));
        }
        let row = session.query_one(
            "SELECT count(*) FROM chat.account_invitations
              WHERE used_at IS NULL AND expires_at > (SELECT chat.now_ms())",
            &[],
        )?;
        if usize::try_from(row.get::<_, i64>(0)).is_ok_and(|count| count >= INVITATIONS_MAX) {
            return Ok(CreatedInvitation::TooMany);
        }
        let lifetime = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 2);
        let row = session.query_one(
            "INSERT INTO chat.account_invitations
                    (id, secret_hash, name, rooms, created_at, expires_at)
             SELECT chat.next_number($1, 'account_invitations'), $2, $3, $4, t.now, t.now + $5
               FROM (SELECT chat.now_ms() AS now) AS t
             RETURNING id, expires_at",
            &[&LANE, &&hash.0[..], &name.as_ref().map(UserName::as_str), &found, &lifetime],
        )?;
        let (id, expires_at) = (InvitationId(row.get(0)), Timestamp(row.get(1)));
        Ok(CreatedInvitation::Yes { id, expires_at })
    }
}

impl Query for FindInvitation {
    fn query(&self, session: &mut Session) -> Result<Option<Invitation>> {
        let Self { hash, name, now: _ } = self;
        let found = session.query_opt(
            "SELECT i.name,
                    ARRAY(SELECT o.name FROM unnest(i.rooms) WITH ORDINALITY AS a (room, place)
                            JOIN chat.rooms o ON o.id = a.room AND o.archived_at IS NULL
                             AND NOT o.is_of_everybody
                           ORDER BY a.place),
                    i.expires_at, i.user_id
               FROM chat.account_invitations i
              WHERE i.secret_hash = $1
                AND (i.used_at IS NOT NULL OR i.expires_at > (SELECT chat.now_ms()))",
            &[&&hash.0[..]],
        )?;
        let Some(row) = found else { return Ok(None) };
        let mut found = Invitation {
            name: optional_name(&row, 0)?,
            rooms: names(&row, 1)?,
            expires_at: Timestamp(row.get(2)),
            used_by: row.get::<_, Option<i64>>(3).map(UserId),
            name_is_taken: false,
        };
        found.name_is_taken = is_taken(session, found.name.as_ref().or(name.as_ref()))?;
        Ok(Some(found))
    }
}

impl Apply for AcceptInvitation {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<AcceptedInvitation> {
        let Self { hash, user, now: _ } = self;
        let session = &mut *context.session;
        let found = session.query_opt(
            "SELECT id, name, rooms, used_at IS NOT NULL, expires_at > (SELECT chat.now_ms())
               FROM chat.account_invitations WHERE secret_hash = $1",
            &[&&hash.0[..]],
        )?;
        let Some(row) = found else { return Ok(AcceptedInvitation::Unknown) };
        if row.get(3) {
            return Ok(AcceptedInvitation::Used);
        }
        let is_for_another = optional_name(&row, 1)?.is_some_and(|name| name != user.name);
        if is_for_another || !row.get::<_, bool>(4) {
            return Ok(AcceptedInvitation::Unknown);
        }
        if is_taken(session, Some(&user.name))? {
            return Ok(AcceptedInvitation::NameTaken);
        }
        let user = users::insert(session, user)?;
        users::mark_as_seeded(session)?;
        session.execute(
            "UPDATE chat.account_invitations SET used_at = chat.now_ms(), user_id = $2
              WHERE id = $1",
            &[&row.get::<_, i64>(0), &user.0],
        )?;
        let mut joined = Vec::new();
        // The user is in the room of everybody from the beginning.
        for room in session.query(
            "SELECT o.id, o.name FROM unnest($1::bigint[]) WITH ORDINALITY AS a (room, place)
               JOIN chat.rooms o ON o.id = a.room AND o.archived_at IS NULL AND NOT o.is_of_everybody
              ORDER BY a.place",
            &[&row.get::<_, Vec<i64>>(2)],
        )? {
            rooms::members::add(session, user, RoomId(room.get(0)), Role::Member)?;
            joined.push(room.get::<_, &str>(1).parse()?);
        }
        if !joined.is_empty() {
            rooms::note(session, Some(user))?;
        }
        Ok(AcceptedInvitation::Yes { user, rooms: joined })
    }
}

impl Query for ListInvitations {
    fn query(&self, session: &mut Session) -> Result<(Vec<ListedInvitation>, bool)> {
        let rows = session.query(
            "SELECT i.id, i.name,
                    ARRAY(SELECT o.name FROM unnest(i.rooms) WITH ORDINALITY AS a (room, place)
                            JOIN chat.rooms o ON o.id = a.room ORDER BY a.place),
                    i.created_at, i.expires_at, i.used_at, u.name
               FROM chat.account_invitations i LEFT JOIN chat.users u ON u.id = i.user_id
              WHERE i.id > $1
                AND (i.used_at IS NOT NULL OR i.expires_at > (SELECT chat.now_ms()))
              ORDER BY i.id LIMIT $2",
            &[&self.after.0, &(self.max as i64 + 1)],
        )?;
        let more = rows.len() > self.max;
        let invitations = rows.iter().take(self.max).map(listed).collect::<Result<_>>()?;
        Ok((invitations, more))
    }
}

impl Apply for RevokeInvitations {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<usize> {
        let revoked = context.session.execute(
            "DELETE FROM chat.account_invitations
              WHERE used_at IS NULL AND expires_at > (SELECT chat.now_ms())
                AND ($1::bigint IS NULL OR id = $1)",
            &[&self.id.map(|id| id.0)],
        )?;
        Ok(usize::try_from(revoked).unwrap_or(usize::MAX))
    }
}

/// Removes the invitation of a user who is removed.
pub(in crate::store) fn remove_of(session: &mut Session, user: UserId) -> Result<()> {
    session.execute("DELETE FROM chat.account_invitations WHERE user_id = $1", &[&user.0]).map(drop)
}

fn is_taken(session: &mut Session, name: Option<&UserName>) -> Result<bool> {
    Ok(name.map(|name| users::id_of(session, name)).transpose()?.flatten().is_some())
}

fn listed(row: &Row) -> Result<ListedInvitation> {
    let used_at: Option<i64> = row.get(5);
    let used = match used_at.zip(row.get::<_, Option<&str>>(6)) {
        Some((at, name)) => Some((name.parse()?, Timestamp(at))),
        None => None,
    };
    Ok(ListedInvitation {
        id: InvitationId(row.get(0)),
        name: optional_name(row, 1)?,
        rooms: names(row, 2)?,
        created_at: Timestamp(row.get(3)),
        expires_at: Timestamp(row.get(4)),
        used,
    })
}

fn optional_name(row: &Row, index: usize) -> Result<Option<UserName>> {
    Ok(row.get::<_, Option<&str>>(index).map(str::parse).transpose()?)
}

fn names(row: &Row, index: usize) -> Result<Vec<RoomName>> {
    row.get::<_, Vec<&str>>(index).into_iter().map(|name| Ok(name.parse()?)).collect()
}
