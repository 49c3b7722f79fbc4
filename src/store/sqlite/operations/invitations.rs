//! Invitations by link: operators' side, and that of the person who accepts one.

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{InvitationId, Role, RoomId, RoomName, Timestamp, UserId, UserName};
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::operations::{rooms as changes, users};
use crate::store::sqlite::rooms::{self, word};
use crate::store::sqlite::row::user_name;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::invitations::{
    AcceptInvitation, AcceptedInvitation, CreateInvitation, CreatedInvitation, FindInvitation,
    INVITATIONS_MAX, Invitation, ListInvitations, ListedInvitation, RevokeInvitations,
};
use crate::store::types::rooms::Actor;

impl Apply for CreateInvitation {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<CreatedInvitation> {
        let Self { hash, name, rooms, now, lifetime } = self;
        let connection = context.connection;
        if is_taken(connection, name.as_ref())? {
            return Ok(CreatedInvitation::NameTaken);
        }
        let rooms = match find_rooms(connection, rooms)? {
            Ok(rooms) => rooms,
            Err(unknown) => return Ok(CreatedInvitation::UnknownRooms(unknown)),
        };
        let open: u32 = connection
            .prepare_cached(
                "SELECT count(*) FROM account_invitations
                  WHERE used_at IS NULL AND expires_at > ?1",
            )?
            .query_row([now.0], |row| row.get(0))?;
        if open as usize >= INVITATIONS_MAX {
            return Ok(CreatedInvitation::TooMany);
        }
        let expires_at = now.plus(lifetime);
        connection
            .prepare_cached(
                "INSERT INTO account_invitations (secret_hash, name, rooms, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                hash.0,
                name.as_ref().map(UserName::as_str),
                to_json(&rooms),
                now.0,
                expires_at.0
            ])?;
        let id = InvitationId(connection.last_insert_rowid());
        Ok(CreatedInvitation::Yes { id, expires_at })
    }
}

impl Query for FindInvitation {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<Invitation>> {
        let Self { hash, name, now } = self;
        let connection = context.connection;
        let found = connection
            .prepare_cached(
                "SELECT name, rooms, expires_at, user_id FROM account_invitations
                  WHERE secret_hash = ?1 AND (used_at IS NOT NULL OR expires_at > ?2)",
            )?
            .query_row(params![hash.0, now.0], |row| {
                Ok(Invitation {
                    name: optional_name(row, 0)?,
                    rooms: names(open_rooms(connection, &room_ids(row, 1)?)?),
                    expires_at: Timestamp(row.get(2)?),
                    used_by: row.get::<_, Option<i64>>(3)?.map(UserId),
                    name_is_taken: false,
                })
            })
            .optional()?;
        let Some(mut found) = found else { return Ok(None) };
        found.name_is_taken = is_taken(connection, found.name.as_ref().or(name.as_ref()))?;
        Ok(Some(found))
    }
}

impl Apply for AcceptInvitation {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<AcceptedInvitation> {
        let Self { hash, user, now } = self;
        let connection = context.connection;
        let found = connection
            .prepare_cached(
                "SELECT id, name, rooms, expires_at, used_at IS NOT NULL
                   FROM account_invitations WHERE secret_hash = ?1",
            )?
            .query_row([hash.0], |row| {
                let (name, rooms) = (optional_name(row, 1)?, room_ids(row, 2)?);
                let expires_at = Timestamp(row.get(3)?);
                Ok((row.get::<_, i64>(0)?, name, rooms, expires_at, row.get::<_, bool>(4)?))
            })
            .optional()?;
        let Some((id, name, rooms, expires_at, is_used)) = found else {
            return Ok(AcceptedInvitation::Unknown);
        };
        if is_used {
            return Ok(AcceptedInvitation::Used);
        }
        if expires_at <= now || name.is_some_and(|name| name != user.name) {
            return Ok(AcceptedInvitation::Unknown);
        }
        if is_taken(connection, Some(&user.name))? {
            return Ok(AcceptedInvitation::NameTaken);
        }
        let at = Timestamp::now();
        let user = users::insert(context, &user, at)?;
        users::mark_as_seeded(connection, at)?;
        connection
            .prepare_cached(
                "UPDATE account_invitations SET used_at = ?2, user_id = ?3 WHERE id = ?1",
            )?
            .execute([id, now.0, user.0])?;
        let rooms = open_rooms(connection, &rooms)?;
        for (room, _) in &rooms {
            changes::add(context, user, *room, Role::Member)?;
        }
        context.cache.posters.clear();
        Ok(AcceptedInvitation::Yes { user, rooms: names(rooms) })
    }
}

impl Query for ListInvitations {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<(Vec<ListedInvitation>, bool)> {
        let Self { after, max, now } = self;
        let connection = context.connection;
        let mut invitations: Vec<ListedInvitation> = connection
            .prepare_cached(
                "SELECT i.id, i.name, i.rooms, i.created_at, i.expires_at, i.used_at, u.name
                   FROM account_invitations i LEFT JOIN users u ON u.id = i.user_id
                  WHERE i.id > ?1 AND (i.used_at IS NOT NULL OR i.expires_at > ?2)
                  ORDER BY i.id LIMIT ?3",
            )?
            .query_map(params![after.0, now.0, max as i64 + 1], |row| listed(connection, row))?
            .collect::<Result<_, _>>()?;
        let more = invitations.len() > max;
        invitations.truncate(max);
        Ok((invitations, more))
    }
}

impl Apply for RevokeInvitations {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<usize> {
        let Self { id, now } = self;
        context
            .connection
            .prepare_cached(
                "DELETE FROM account_invitations
                  WHERE used_at IS NULL AND expires_at > ?2 AND (?1 IS NULL OR id = ?1)",
            )?
            .execute(params![id.map(|id| id.0), now.0])
    }
}

fn is_taken(connection: &Connection, name: Option<&UserName>) -> rusqlite::Result<bool> {
    let found = name.map(|name| users::id_of(connection, name)).transpose()?;
    Ok(found.flatten().is_some())
}

/// The rooms of these names; or those that are none, or archived.
fn find_rooms(
    connection: &Connection,
    names: Vec<RoomName>,
) -> rusqlite::Result<Result<Vec<RoomId>, Vec<RoomName>>> {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match rooms::place(connection, Actor::Operator, &name)? {
            Some((room, place)) if !place.is_archived => found.push(room),
            _ => unknown.push(name),
        }
    }
    Ok(if unknown.is_empty() { Ok(found) } else { Err(unknown) })
}

/// Those of the rooms that are there and not archived, with their names. Without the room of
/// everybody: each user is in it from the beginning.
fn open_rooms(
    connection: &Connection,
    rooms: &[RoomId],
) -> rusqlite::Result<Vec<(RoomId, RoomName)>> {
    let mut find = connection.prepare_cached(
        "SELECT name FROM rooms
                          WHERE id = ?1 AND archived_at IS NULL AND is_of_everybody = 0",
    )?;
    let mut found = Vec::with_capacity(rooms.len());
    for room in rooms {
        let name = find.query_row([room.0], |row| rooms::room_name(row, 0)).optional()?;
        found.extend(name.map(|name| (*room, name)));
    }
    Ok(found)
}

fn names(rooms: Vec<(RoomId, RoomName)>) -> Vec<RoomName> {
    rooms.into_iter().map(|(_, name)| name).collect()
}

fn listed(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<ListedInvitation> {
    let mut names = Vec::new();
    for room in room_ids(row, 2)? {
        names.extend(rooms::name_of(connection, room)?);
    }
    let used = match row.get::<_, Option<i64>>(5)? {
        Some(at) => Some((user_name(row, 6)?, Timestamp(at))),
        None => None,
    };
    Ok(ListedInvitation {
        id: InvitationId(row.get(0)?),
        name: optional_name(row, 1)?,
        rooms: names,
        created_at: Timestamp(row.get(3)?),
        expires_at: Timestamp(row.get(4)?),
        used,
    })
}

fn optional_name(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<UserName>> {
    let is_there = row.get_ref(index)? != ValueRef::Null;
    is_there.then(|| word(row, index)).transpose()
}

fn room_ids(row: &Row<'_>, index: usize) -> rusqlite::Result<Vec<RoomId>> {
    let text: Box<str> = row.get(index)?;
    let ids: Vec<i64> = serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(index, Type::Text, error.into())
    })?;
    Ok(ids.into_iter().map(RoomId).collect())
}

fn to_json(rooms: &[RoomId]) -> String {
    let numbers: Vec<String> = rooms.iter().map(|room| room.0.to_string()).collect();
    format!("[{}]", numbers.join(","))
}
