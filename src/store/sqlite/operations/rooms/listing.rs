//! Listing rooms and their members.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{MessageId, RoomId, RoomName, Timestamp, UserName};
use crate::store::sqlite::operation::{Query, ReadContext};
use crate::store::sqlite::operations::rooms::look;
use crate::store::sqlite::rooms::{self, room_name, word};
use crate::store::sqlite::row::{not_a_value, user_name};
use crate::store::types::rooms::{
    Act, Actor, FindRoom, ListMembers, ListRooms, Member, Room, RoomAnswer, RoomSettings, allowed,
};

/// The query of [`room`]'s columns for the user `?1`, and the rest of it.
macro_rules! select_rooms {
    ($rest:literal) => {
        concat!(
            "SELECT o.id, o.name, o.topic, o.is_private, o.posting, o.history, o.created_at,
                    o.archived_at,
                    (SELECT count(*) FROM memberships c
                      WHERE c.room_id = o.id AND c.left_upto IS NULL),
                    p.role, p.notify, i.user_id IS NOT NULL, o.is_of_everybody
               FROM rooms o
               LEFT JOIN memberships p
                 ON p.user_id = ?1 AND p.room_id = o.id AND p.left_upto IS NULL
               LEFT JOIN invitations i ON i.user_id = ?1 AND i.room_id = o.id",
            $rest
        )
    };
}

/// The rooms that a user sees, all for an operator: in the order of the index of the names.
const ROOMS: &str = select_rooms!(
    " WHERE o.name > ?2
        AND (?1 IS NULL OR o.is_private = 0 OR p.user_id IS NOT NULL OR i.user_id IS NOT NULL)
      ORDER BY o.name LIMIT ?3"
);

/// Those that the user is in or invited to. The `+` keeps SQLite from walking through the names of
/// all rooms.
const ROOMS_OF_USER: &str = select_rooms!(
    " WHERE o.id IN (SELECT room_id FROM memberships WHERE user_id = ?1 AND left_upto IS NULL
                      UNION SELECT room_id FROM invitations WHERE user_id = ?1)
        AND +o.name > ?2
      ORDER BY +o.name LIMIT ?3"
);

impl Query for ListRooms {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<(Vec<Room>, bool)> {
        let Self { actor, after, max, mine } = self;
        // No name is before the empty one.
        let after = after.as_ref().map_or("", RoomName::as_str);
        let user = actor.user().map(|user| user.0);
        let select = if mine { ROOMS_OF_USER } else { ROOMS };
        let mut statement = context.connection.prepare_cached(select)?;
        let found = statement.query_map(params![user, after, max as i64 + 1], room)?;
        let mut found: Vec<Room> = found.collect::<Result<_, _>>()?;
        let more = found.len() > max;
        found.truncate(max);
        Ok((found, more))
    }
}

impl Query for FindRoom {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<Room>> {
        match rooms::place(context.connection, self.actor, &self.name)? {
            Some((room, place)) if place.sees() => show(context.connection, self.actor, room),
            _ => Ok(None),
        }
    }
}

impl Query for ListMembers {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<RoomAnswer<(Vec<Member>, bool)>> {
        let Self { actor, room: name, after, max } = self;
        let (room, place) = allowed!(look(context.connection, actor, &name)?);
        allowed!(place.may(Act::ListMembers));
        let knows = place.is_operator || place.role.is_some();
        let after = after.as_ref().map_or("", UserName::as_str);
        let mut statement = context.connection.prepare_cached(
            "SELECT u.name, u.display_name, p.role, p.joined_after
               FROM memberships p JOIN users u ON u.id = p.user_id
              WHERE p.room_id = ?1 AND p.left_upto IS NULL AND u.name > ?2
              ORDER BY u.name LIMIT ?3",
        )?;
        let found = statement.query_map(params![room.0, after, max as i64 + 1], |row| {
            Ok(Member {
                name: user_name(row, 0)?,
                display_name: row.get(1)?,
                role: word(row, 2)?,
                joined_after: knows.then_some(MessageId(row.get(3)?)),
            })
        })?;
        let mut found: Vec<Member> = found.collect::<Result<_, _>>()?;
        let more = found.len() > max;
        found.truncate(max);
        Ok(Ok((found, more)))
    }
}

/// A room as the actor sees it.
pub(super) fn show(
    connection: &Connection,
    actor: Actor,
    id: RoomId,
) -> rusqlite::Result<Option<Room>> {
    connection
        .prepare_cached(select_rooms!(" WHERE o.id = ?2"))?
        .query_row(params![actor.user().map(|user| user.0), id.0], room)
        .optional()
}

/// The room of a row.
fn room(row: &Row<'_>) -> rusqlite::Result<Room> {
    let topic: Box<str> = row.get(2)?;
    let topic = topic.parse().map_err(|error| not_a_value(2, error))?;
    Ok(Room {
        id: RoomId(row.get(0)?),
        name: room_name(row, 1)?,
        settings: RoomSettings {
            topic,
            is_private: row.get(3)?,
            posting: word(row, 4)?,
            history: word(row, 5)?,
        },
        created_at: Timestamp(row.get(6)?),
        archived_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        members: row.get::<_, i64>(8)?.unsigned_abs(),
        own: match row.get_ref(9)? {
            ValueRef::Null => None,
            _ => Some((word(row, 9)?, word(row, 10)?)),
        },
        is_invited: row.get(11)?,
        is_of_everybody: row.get(12)?,
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::store::sqlite::testing;

    /// Walking through all rooms would take the longer the more rooms others have.
    #[test]
    fn own_rooms_are_found_by_memberships_and_invitations() {
        let folder = TempDir::new().unwrap();
        testing::store(&folder).close();
        let connection = Connection::open(folder.path().join("chat.sqlite")).unwrap();
        let plan = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = statement.query_map(params![1, "", 10], |row| row.get(3)).unwrap();
            steps.collect::<Result<_, _>>().unwrap()
        };
        let by_number = "SEARCH o USING INTEGER PRIMARY KEY (rowid=?)".to_owned();
        assert_eq!(plan(ROOMS_OF_USER).first(), Some(&by_number), "{:?}", plan(ROOMS_OF_USER));
        assert!(plan(ROOMS)[0].contains("(name>?)"), "{:?}", plan(ROOMS));
    }
}
