//! Listing rooms and their members.

use postgres::Row;

use crate::model::{MessageId, RoomId, RoomName, Timestamp, UserName};
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::Query;
use crate::store::postgres::operations::rooms::look;
use crate::store::postgres::places::find_place;
use crate::store::postgres::session::Session;
use crate::store::types::rooms::{
    Act, Actor, FindRoom, ListMembers, ListRooms, Member, Room, RoomAnswer, RoomSettings, allowed,
};

/// The query of [`room`]'s columns for the user `$1`, and the rest of it.
macro_rules! select_rooms {
    ($rest:literal) => {
        concat!(
            "SELECT o.id, o.name, o.topic, o.is_private, o.posting, o.history, o.created_at,
                    o.archived_at,
                    (SELECT count(*) FROM chat.memberships c
                      WHERE c.room_id = o.id AND c.left_upto IS NULL),
                    p.role, p.notify, i.user_id IS NOT NULL, o.is_of_everybody
               FROM chat.rooms o
               LEFT JOIN chat.memberships p ON p.user_id = $1 AND p.room_id = o.id
                AND p.left_upto IS NULL
               LEFT JOIN chat.invitations i ON i.user_id = $1 AND i.room_id = o.id",
            $rest
        )
    };
}

/// The rooms that a user sees, all for an operator.
const ROOMS: &str = select_rooms!(
    " WHERE o.name > $2
        AND ($1 IS NULL OR NOT o.is_private OR p.user_id IS NOT NULL OR i.user_id IS NOT NULL)
      ORDER BY o.name LIMIT $3"
);

/// Those that the user is in or invited to, found by their numbers.
const ROOMS_OF_USER: &str = select_rooms!(
    " WHERE o.id = ANY (ARRAY(
                SELECT b.room_id FROM chat.memberships b
                 WHERE b.user_id = $1 AND b.left_upto IS NULL
                 UNION
                SELECT n.room_id FROM chat.invitations n WHERE n.user_id = $1))
        AND o.name > $2
      ORDER BY o.name LIMIT $3"
);

impl Query for ListRooms {
    fn query(&self, session: &mut Session) -> Result<(Vec<Room>, bool)> {
        let Self { actor, after, max, mine } = self;
        // No name is before the empty one.
        let after = after.as_ref().map_or("", RoomName::as_str);
        let user = actor.user().map(|user| user.0);
        let select = if *mine { ROOMS_OF_USER } else { ROOMS };
        let rows = session.query(select, &[&user, &after, &(*max as i64 + 1)])?;
        let more = rows.len() > *max;
        let rooms = rows.iter().take(*max).map(room).collect::<Result<_>>()?;
        Ok((rooms, more))
    }
}

impl Query for FindRoom {
    fn query(&self, session: &mut Session) -> Result<Option<Room>> {
        match find_place(session, self.actor, &self.name)? {
            Some((room, place)) if place.sees() => show(session, self.actor, room),
            _ => Ok(None),
        }
    }
}

impl Query for ListMembers {
    fn query(&self, session: &mut Session) -> Result<RoomAnswer<(Vec<Member>, bool)>> {
        let Self { actor, room, after, max } = self;
        let (room, place) = allowed!(look(session, *actor, room)?);
        allowed!(place.may(Act::ListMembers));
        let knows = place.is_operator || place.role.is_some();
        let after = after.as_ref().map_or("", UserName::as_str);
        let rows = session.query(
            "SELECT u.name, u.display_name, p.role, p.joined_after
               FROM chat.memberships p JOIN chat.users u ON u.id = p.user_id
              WHERE p.room_id = $1 AND p.left_upto IS NULL AND u.name > $2
              ORDER BY u.name LIMIT $3",
            &[&room.0, &after, &(*max as i64 + 1)],
        )?;
        let more = rows.len() > *max;
        let member = |row: &Row| {
            Ok(Member {
                name: row.get::<_, &str>(0).parse()?,
                display_name: row.get(1),
                role: row.get::<_, &str>(2).parse()?,
                joined_after: knows.then(|| MessageId(row.get(3))),
            })
        };
        let members = rows.iter().take(*max).map(member).collect::<Result<_>>()?;
        Ok(Ok((members, more)))
    }
}

/// A room as the actor sees it.
pub(super) fn show(session: &mut Session, actor: Actor, id: RoomId) -> Result<Option<Room>> {
    let user = actor.user().map(|user| user.0);
    let row = session.query_opt(select_rooms!(" WHERE o.id = $2"), &[&user, &id.0])?;
    row.as_ref().map(room).transpose()
}

fn room(row: &Row) -> Result<Room> {
    let own = match row.get::<_, Option<&str>>(9) {
        None => None,
        Some(role) => Some((role.parse()?, row.get::<_, &str>(10).parse()?)),
    };
    Ok(Room {
        id: RoomId(row.get(0)),
        name: row.get::<_, &str>(1).parse()?,
        settings: RoomSettings {
            topic: row.get::<_, &str>(2).parse()?,
            is_private: row.get(3),
            posting: row.get::<_, &str>(4).parse()?,
            history: row.get::<_, &str>(5).parse()?,
        },
        created_at: Timestamp(row.get(6)),
        archived_at: row.get::<_, Option<i64>>(7).map(Timestamp),
        members: row.get::<_, i64>(8).unsigned_abs(),
        own,
        is_invited: row.get(11),
        is_of_everybody: row.get(12),
    })
}
