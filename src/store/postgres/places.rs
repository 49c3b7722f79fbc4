//! The places of users in rooms, from which the rules decide what they may do.

use postgres::Row;

use crate::model::{RoomId, RoomName, UserId};
use crate::store::postgres::error::Result;
use crate::store::postgres::session::Session;
use crate::store::types::rooms::{Actor, Place};

/// The number of a room, and the place of a user in it.
pub(in crate::store) type Placed = (RoomId, Place);

/// The place of each user in the room of this name. Rooms that do not exist are left out.
pub(in crate::store) fn find_places(
    session: &mut Session,
    wanted: &[(UserId, RoomName)],
) -> Result<Vec<((UserId, RoomName), Placed)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let users: Vec<i64> = wanted.iter().map(|(user, _)| user.0).collect();
    let names: Vec<&str> = wanted.iter().map(|(_, room)| room.as_str()).collect();
    let rows = session.query(
        "SELECT a.user_id, x.name, x.id, b.role, i.user_id IS NOT NULL, x.is_private, x.posting,
                x.archived_at IS NOT NULL, x.is_of_everybody
           FROM unnest($1::bigint[], $2::text[]) AS a (user_id, name)
           JOIN chat.rooms x ON x.name = a.name
           LEFT JOIN chat.memberships b ON b.user_id = a.user_id AND b.room_id = x.id
            AND b.left_upto IS NULL
           LEFT JOIN chat.invitations i ON i.user_id = a.user_id AND i.room_id = x.id",
        &[&users, &names],
    )?;
    rows.iter().map(placed).collect()
}

fn placed(row: &Row) -> Result<((UserId, RoomName), Placed)> {
    let place = Place {
        is_operator: false,
        role: row.get::<_, Option<&str>>(3).map(str::parse).transpose()?,
        is_invited: row.get(4),
        is_private: row.get(5),
        posting: row.get::<_, &str>(6).parse()?,
        is_archived: row.get(7),
        is_of_everybody: row.get(8),
    };
    let of = (UserId(row.get(0)), row.get::<_, &str>(1).parse()?);
    Ok((of, (RoomId(row.get(2)), place)))
}

/// The number of a room, and the actor's place in it. `None` if there is no room of this name.
pub(in crate::store) fn find_place(
    session: &mut Session,
    actor: Actor,
    name: &RoomName,
) -> Result<Option<Placed>> {
    // There is no user 0.
    let user = actor.user().unwrap_or(UserId(0));
    let found = find_places(session, &[(user, name.clone())])?;
    Ok(found
        .into_iter()
        .next()
        .map(|(_, (room, place))| (room, Place { is_operator: actor == Actor::Operator, ..place })))
}
