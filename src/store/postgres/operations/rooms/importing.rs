//! Rooms, memberships and invitations of an import.

use crate::model::CursorName;
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::Result;
use crate::store::postgres::operations::users;
use crate::store::postgres::places::find_place;
use crate::store::postgres::reading::Reading;
use crate::store::postgres::session::Session;
use crate::store::types::rooms::Actor;
use crate::store::types::transfer::{another_room, overlap, refused_room};
use crate::transfer::{Invitation, Membership, Room, Taken};

/// What was done, or why it was refused.
type Outcome = std::result::Result<Taken, String>;

/// Creates a room. A room of the same name that was created at another time is another one.
pub(in crate::store) fn add_room(session: &mut Session, room: &Room) -> Result<Outcome> {
    let there = session
        .query_opt("SELECT created_at FROM chat.rooms WHERE name = $1", &[&room.room.as_str()])?;
    if let Some(refused) = refused_room(room) {
        return Ok(Err(refused));
    }
    match there.map(|row| row.get::<_, i64>(0)) {
        Some(at) if at == room.created_at.0 => return Ok(Ok(Taken::Already)),
        Some(_) => return Ok(Err(another_room(&room.room))),
        None => {}
    }
    session.execute(
        "INSERT INTO chat.rooms
             (id, name, topic, is_private, posting, history, created_at, archived_at,
              is_of_everybody)
         VALUES (chat.next_number($8, 'rooms'), $1, $2, $3, $4, $5, $6, $7, $9)",
        &[
            &room.room.as_str(),
            &room.topic.as_str(),
            &room.private,
            &room.posting.as_str(),
            &room.history.as_str(),
            &room.created_at.0,
            &room.archived_at.map(|at| at.0),
            &LANE,
            &room.everybody,
        ],
    )?;
    super::note(session, None)?;
    Ok(Ok(Taken::Done))
}

/// Creates a membership, unless the user has one that overlaps it.
pub(in crate::store) fn add_membership(session: &mut Session, of: &Membership) -> Result<Outcome> {
    let Some(user) = users::id_of(session, &of.user)? else {
        return Ok(Err(format!("there is no user {}", of.user)));
    };
    let Some((room, _)) = find_place(session, Actor::Operator, &of.room)? else {
        return Ok(Err(format!("there is no room {}", of.room)));
    };
    let there = Reading::find(session, user, &CursorName::inbox())?.memberships;
    if let Some(taken) = overlap(there.into_iter().filter(|other| other.room == room), of) {
        return Ok(Ok(taken));
    }
    let added = session.execute(
        "INSERT INTO chat.memberships
             (user_id, room_id, joined_after, sees_after, left_upto, role, notify)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        &[
            &user.0,
            &room.0,
            &of.joined_after.0,
            &of.sees_after.0,
            &of.left_upto.map(|id| id.0),
            &of.role.as_str(),
            &of.notify.as_str(),
        ],
    )?;
    if added == 0 {
        return Ok(Ok(Taken::Left));
    }
    super::note(session, Some(user))?;
    Ok(Ok(Taken::Done))
}

/// Creates an invitation, unless the user has one, is a member or is deleted.
pub(in crate::store) fn add_invitation(session: &mut Session, of: &Invitation) -> Result<Outcome> {
    let Some((room, _)) = find_place(session, Actor::Operator, &of.room)? else {
        return Ok(Err(format!("there is no room {}", of.room)));
    };
    let (mut ids, names) = (Vec::new(), [Some(&of.user), of.by.as_ref()]);
    for name in names.into_iter().flatten() {
        match users::id_of(session, name)? {
            Some(id) => ids.push(id.0),
            None => return Ok(Err(format!("there is no user {name}"))),
        }
    }
    let added = session.execute(
        "INSERT INTO chat.invitations (user_id, room_id, invited_by, at)
         SELECT u.id, $2, $3, $4 FROM chat.users u
          WHERE u.id = $1 AND u.deleted_at IS NULL
            AND NOT EXISTS (SELECT FROM chat.memberships b
                             WHERE b.user_id = u.id AND b.room_id = $2 AND b.left_upto IS NULL)
             ON CONFLICT DO NOTHING",
        &[&ids[0], &room.0, &ids.get(1), &of.at.0],
    )?;
    if added == 0 {
        return Ok(Ok(Taken::Already));
    }
    super::note(session, None)?;
    Ok(Ok(Taken::Done))
}
