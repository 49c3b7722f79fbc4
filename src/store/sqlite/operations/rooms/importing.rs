//! Rooms, memberships and invitations of an import.

use rusqlite::{OptionalExtension, params};

use crate::store::sqlite::operations::users;
use crate::store::sqlite::rooms;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::transfer::{another_room, overlap, refused_room};
use crate::transfer::{Invitation, Membership, Room, Taken};

/// What was done, or why it was refused.
type Outcome = Result<Taken, String>;

/// Creates a room. A room of the same name that was created at another time is another
/// one.
pub(in crate::store) fn add_room(
    context: &mut WriteContext<'_>,
    room: &Room,
) -> rusqlite::Result<Outcome> {
    let there: Option<i64> = context
        .connection
        .prepare_cached("SELECT created_at FROM rooms WHERE name = ?1")?
        .query_row([room.room.as_str()], |row| row.get(0))
        .optional()?;
    if let Some(refused) = refused_room(room) {
        return Ok(Err(refused));
    }
    match there {
        Some(at) if at == room.created_at.0 => return Ok(Ok(Taken::Already)),
        Some(_) => return Ok(Err(another_room(&room.room))),
        None => {}
    }
    context
        .connection
        .prepare_cached(
            "INSERT INTO rooms (name, topic, is_private, posting, history, created_at, archived_at,
                                is_of_everybody)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            room.room.as_str(),
            room.topic.as_str(),
            room.private,
            room.posting.as_str(),
            room.history.as_str(),
            room.created_at.0,
            room.archived_at.map(|at| at.0),
            room.everybody
        ])?;
    context.cache.posters.clear();
    Ok(Ok(Taken::Done))
}

/// Creates a membership, unless the user has one that overlaps it.
pub(in crate::store) fn add_membership(
    context: &mut WriteContext<'_>,
    of: &Membership,
) -> rusqlite::Result<Outcome> {
    let connection = context.connection;
    let Some(user) = users::id_of(connection, &of.user)? else {
        return Ok(Err(format!("there is no user {}", of.user)));
    };
    let Some(room) = rooms::id_of(connection, &of.room)? else {
        return Ok(Err(format!("there is no room {}", of.room)));
    };
    let there = rooms::memberships_of(connection, user)?;
    let there = there.into_iter().filter(|other| other.room == room);
    if let Some(taken) = overlap(there, of) {
        return Ok(Ok(taken));
    }
    connection
        .prepare_cached(
            "INSERT INTO memberships
                 (user_id, room_id, joined_after, sees_after, left_upto, role, notify)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            user.0,
            room.0,
            of.joined_after.0,
            of.sees_after.0,
            of.left_upto.map(|id| id.0),
            of.role.as_str(),
            of.notify.as_str()
        ])?;
    context.change_memberships(user);
    Ok(Ok(Taken::Done))
}

/// Creates an invitation, unless the user has one, is a member or is deleted.
pub(in crate::store) fn add_invitation(
    context: &mut WriteContext<'_>,
    of: &Invitation,
) -> rusqlite::Result<Outcome> {
    let connection = context.connection;
    let Some(room) = rooms::id_of(connection, &of.room)? else {
        return Ok(Err(format!("there is no room {}", of.room)));
    };
    let (mut ids, names) = (Vec::new(), [Some(&of.user), of.by.as_ref()]);
    for name in names.into_iter().flatten() {
        match users::id_of(connection, name)? {
            Some(id) => ids.push(id.0),
            None => return Ok(Err(format!("there is no user {name}"))),
        }
    }
    let added = connection
        .prepare_cached(
            "INSERT INTO invitations (user_id, room_id, invited_by, at)
             SELECT u.id, ?2, ?3, ?4 FROM users u
              WHERE u.id = ?1 AND u.deleted_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM memberships p
                                 WHERE p.user_id = u.id AND p.room_id = ?2
                                   AND p.left_upto IS NULL)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![ids[0], room.0, ids.get(1), of.at.0])?;
    context.cache.posters.clear();
    Ok(Ok(if added > 0 { Taken::Done } else { Taken::Already }))
}
