//! The memberships of the room of everybody.

use std::collections::HashSet;

use crate::model::{History, MessageId, UserId};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::Result;
use crate::store::postgres::session::Session;
use crate::store::types::rooms::Membership;

/// The users without a membership. A set operation sorts or hashes: a join would be planned for a
/// table that has no rows yet, and look through it for each user.
const MISSING: &str = "
    SELECT u.id FROM chat.users u WHERE u.id BETWEEN $2 AND $3 AND u.deleted_at IS NULL
    EXCEPT
    SELECT b.user_id FROM chat.memberships b
     WHERE b.room_id = $1 AND b.user_id BETWEEN $2 AND $3 AND b.left_upto IS NULL";
/// A membership that ended with the newest message goes on, as in
/// [`add`](crate::store::postgres::operations::rooms::members::add).
const GO_ON: &str = "
    UPDATE chat.memberships b
       SET left_upto = NULL, sees_after = least(b.sees_after, $4), role = 'member', notify = 'all'
      FROM unnest($2::bigint[]) AS m (user_id)
     WHERE b.user_id = m.user_id AND b.room_id = $1 AND b.left_upto = $3
    RETURNING b.user_id";
const JOIN: &str = "
    INSERT INTO chat.memberships (user_id, room_id, joined_after, sees_after, role, notify)
    SELECT m.user_id, $1, $3, $4, 'member', 'all' FROM unnest($2::bigint[]) AS m (user_id)";

/// Makes the users members of the room of everybody who are not, or this one; deleted users are
/// left out. Returns those who became members. Without such a room, nobody does.
pub(in crate::store) fn complete(
    session: &mut Session,
    only: Option<UserId>,
) -> Result<Vec<UserId>> {
    let room = session.query_opt(
        "SELECT o.id, o.history, chat.head($1) FROM chat.rooms o
          WHERE o.name = '#all' AND o.is_of_everybody",
        &[&LANE],
    )?;
    let Some(row) = room else { return Ok(Vec::new()) };
    let (room, newest): (i64, i64) = (row.get(0), row.get(2));
    let history: History = row.get::<_, &str>(1).parse()?;
    let sees_after = Membership::sees_after(MessageId(newest), history).0;
    let (first, last) = only.map_or((0, i64::MAX), |user| (user.0, user.0));
    let missing = session.query(MISSING, &[&room, &first, &last])?;
    let missing: Vec<i64> = missing.iter().map(|row| row.get(0)).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let gone_on = session.query(GO_ON, &[&room, &missing, &newest, &sees_after])?;
    let gone_on: HashSet<i64> = gone_on.iter().map(|row| row.get(0)).collect();
    let others: Vec<i64> = missing.iter().copied().filter(|id| !gone_on.contains(id)).collect();
    session.execute(JOIN, &[&room, &others, &newest, &sees_after])?;
    Ok(missing.into_iter().map(UserId).collect())
}
