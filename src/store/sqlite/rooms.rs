//! Rooms and memberships in the file: what reads and writes look up alike.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{MessageId, RoomId, RoomName, UserId};
use crate::store::sqlite::row::not_a_value;
use crate::store::types::rooms::{Actor, Membership, Place};

/// The condition that the message `m` is of a room where it lies in an interval of a membership of
/// this reader. It says for one message what [`crate::store::types::rooms::may_read`] says for
/// intervals.
macro_rules! is_of_membership {
    ($reader:literal) => {
        concat!(
            "(m.recipient_id < 0 AND EXISTS (
                 SELECT 1 FROM memberships p
                  WHERE p.user_id = ",
            $reader,
            " AND p.room_id = -m.recipient_id AND m.id > p.sees_after
                    AND (p.left_upto IS NULL OR m.id <= p.left_upto)))"
        )
    };
}
pub(in crate::store) use is_of_membership;

/// The condition that this reader may read the message `m` of a room: as [`is_of_membership`], and
/// what [`crate::store::types::blocks::Blocks::hide`] says.
macro_rules! is_read_in_room {
    ($reader:literal) => {
        concat!(
            "(",
            crate::store::sqlite::rooms::is_of_membership!($reader),
            " AND NOT EXISTS (SELECT 1 FROM blocks b
                               WHERE b.user_id = ",
            $reader,
            " AND b.blocked_id = m.sender_id))"
        )
    };
}
pub(in crate::store) use is_read_in_room;

/// All memberships of a user, those that are over included.
pub(in crate::store) fn memberships_of(
    connection: &Connection,
    user: UserId,
) -> rusqlite::Result<Vec<Membership>> {
    let mut statement = connection.prepare_cached(
        "SELECT room_id, joined_after, sees_after, left_upto, notify
           FROM memberships WHERE user_id = ?1",
    )?;
    let mut rows = statement.query([user.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Membership {
            room: RoomId(row.get(0)?),
            joined_after: MessageId(row.get(1)?),
            sees_after: MessageId(row.get(2)?),
            left_upto: row.get::<_, Option<i64>>(3)?.map(MessageId),
            notify: word(row, 4)?,
        });
    }
    Ok(found)
}

/// The number of a room, whoever asks.
pub(in crate::store) fn id_of(
    connection: &Connection,
    name: &RoomName,
) -> rusqlite::Result<Option<RoomId>> {
    connection
        .prepare_cached("SELECT id FROM rooms WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0).map(RoomId))
        .optional()
}

/// The name of a room.
pub(in crate::store) fn name_of(
    connection: &Connection,
    room: RoomId,
) -> rusqlite::Result<Option<RoomName>> {
    connection
        .prepare_cached("SELECT name FROM rooms WHERE id = ?1")?
        .query_row([room.0], |row| room_name(row, 0))
        .optional()
}

/// A room, and the actor's place in it. `None` if there is no room of this name.
pub(in crate::store) fn place(
    connection: &Connection,
    actor: Actor,
    name: &RoomName,
) -> rusqlite::Result<Option<(RoomId, Place)>> {
    let user = actor.user().map(|user| user.0);
    connection
        .prepare_cached(
            "SELECT o.id, o.is_private, o.posting, o.archived_at IS NOT NULL, o.is_of_everybody,
                    (SELECT p.role FROM memberships p
                      WHERE p.user_id = ?2 AND p.room_id = o.id AND p.left_upto IS NULL),
                    EXISTS (SELECT 1 FROM invitations i WHERE i.user_id = ?2 AND i.room_id = o.id)
               FROM rooms o WHERE o.name = ?1",
        )?
        .query_row(params![name.as_str(), user], |row| {
            let role: Option<Box<str>> = row.get(5)?;
            let place = Place {
                is_operator: actor == Actor::Operator,
                role: role.is_some().then(|| word(row, 5)).transpose()?,
                is_invited: row.get(6)?,
                is_private: row.get(1)?,
                posting: word(row, 2)?,
                is_archived: row.get(3)?,
                is_of_everybody: row.get(4)?,
            };
            Ok((RoomId(row.get(0)?), place))
        })
        .optional()
}

/// The name of a room.
pub(in crate::store) fn room_name(row: &Row<'_>, index: usize) -> rusqlite::Result<RoomName> {
    let text: Box<str> = row.get(index)?;
    text.parse().map_err(|error| not_a_value(index, error))
}

/// A value that is stored as a text.
pub(in crate::store) fn word<T>(row: &Row<'_>, index: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text = row.get_ref(index)?.as_str().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
    })?;
    text.parse().map_err(|error| not_a_value(index, error))
}
