//! What decides what a reader gets: the cursor, the rooms, and the newest message, of one moment.
//!
//! The messages are read by a later statement, but only up to that newest one. Ids rise in the order
//! of the commits, so it finds what was there at that moment.

use postgres::Row;

use crate::model::{CursorName, MessageId, RoomId, Timestamp, UserId, UserName};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::Result;
use crate::store::postgres::session::Session;
use crate::store::types::blocks::Blocks;
use crate::store::types::rooms::{LiveRooms, Membership, RoomPart, Wanted, may_read};

/// A reader at one moment.
pub(in crate::store) struct Reading {
    /// The name; `None` if the user no longer exists.
    pub(in crate::store) name: Option<UserName>,
    /// The time by the clock of the database: what has expired now is not unread.
    pub(in crate::store) now: Timestamp,
    /// The newest message.
    pub(in crate::store) head: MessageId,
    /// The place of the cursor, if it exists.
    pub(in crate::store) position: Option<MessageId>,
    /// Every time that the user was in a room.
    pub(in crate::store) memberships: Vec<Membership>,
    /// Whom the user blocks.
    pub(in crate::store) blocks: Blocks,
}

impl Reading {
    /// Looks up a user and one of the cursors.
    pub(in crate::store) fn find(
        session: &mut Session,
        user: UserId,
        cursor: &CursorName,
    ) -> Result<Self> {
        let row = session.query_one(
            "SELECT (SELECT u.name FROM chat.users u WHERE u.id = $2), chat.head($1),
                    (SELECT c.upto_id FROM chat.cursors c WHERE c.user_id = $2 AND c.name = $3),
                    array_agg(b.room_id), array_agg(b.joined_after), array_agg(b.sees_after),
                    array_agg(b.left_upto), array_agg(b.notify),
                    ARRAY(SELECT w.blocked_id FROM chat.blocks w WHERE w.user_id = $2),
                    chat.now_ms()
               FROM chat.memberships b WHERE b.user_id = $2",
            &[&LANE, &user.0, &cursor.as_str()],
        )?;
        let name = row.get::<_, Option<&str>>(0).map(str::parse).transpose()?;
        let (head, position) = (MessageId(row.get(1)), row.get::<_, Option<i64>>(2).map(MessageId));
        let blocks = row.get::<_, Vec<i64>>(8).into_iter().map(UserId).collect();
        let (memberships, blocks) = (memberships(&row)?, Blocks::of(blocks));
        let now = Timestamp(row.get(9));
        Ok(Self { name, now, head, position, memberships, blocks })
    }

    /// What the reader gets of rooms.
    pub(in crate::store) fn parts(&self, wanted: Wanted) -> Vec<RoomPart> {
        may_read(&self.memberships, wanted)
    }

    /// What a stream follows that gets these parts.
    pub(in crate::store) fn live_rooms(&self, parts: &[RoomPart]) -> LiveRooms {
        let name = self.name.as_ref();
        name.map(|name| LiveRooms::of(name, parts, &self.blocks)).unwrap_or_default()
    }
}

fn memberships(row: &Row) -> Result<Vec<Membership>> {
    // Without rows there are no arrays.
    let Some(rooms) = row.get::<_, Option<Vec<i64>>>(3) else { return Ok(Vec::new()) };
    let (joined, sees): (Vec<i64>, Vec<i64>) = (row.get(4), row.get(5));
    let (left, notify): (Vec<Option<i64>>, Vec<&str>) = (row.get(6), row.get(7));
    let membership = |place: usize| {
        Ok(Membership {
            room: RoomId(rooms[place]),
            joined_after: MessageId(joined[place]),
            sees_after: MessageId(sees[place]),
            left_upto: left[place].map(MessageId),
            notify: notify[place].parse()?,
        })
    };
    (0..rooms.len()).map(membership).collect()
}
