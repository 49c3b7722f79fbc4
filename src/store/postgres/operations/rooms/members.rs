//! The members of rooms.

use crate::model::{History, Notify, Role, RoomId, UserId};
use crate::store::postgres::error::Result;
use crate::store::postgres::operations::cursors;
use crate::store::postgres::session::Session;
use crate::store::types::rooms::{Membership, Others, RoomAnswer, may_begin_another};

/// The role of a member.
pub(super) fn role_of(session: &mut Session, room: RoomId, user: UserId) -> Result<Option<Role>> {
    let row = session.query_opt(
        "SELECT role FROM chat.memberships
          WHERE user_id = $1 AND room_id = $2 AND left_upto IS NULL",
        &[&user.0, &room.0],
    )?;
    Ok(row.map(|row| row.get::<_, &str>(0).parse()).transpose()?)
}

/// Who is in the room beside this user.
pub(super) fn others(session: &mut Session, room: RoomId, user: UserId) -> Result<Others> {
    let row = session.query_one(
        "SELECT EXISTS (SELECT FROM chat.memberships
                         WHERE room_id = $1 AND left_upto IS NULL AND user_id <> $2),
                EXISTS (SELECT FROM chat.memberships
                         WHERE room_id = $1 AND left_upto IS NULL AND user_id <> $2
                           AND role = 'owner')",
        &[&room.0, &user.0],
    )?;
    Ok(Others { has_member: row.get(0), has_owner: row.get(1) })
}

/// Whether the user may be a member of one more room. That of everybody does not count.
pub(super) fn may_be_in_another(session: &mut Session, user: UserId) -> Result<RoomAnswer<()>> {
    let row = session.query_one(
        "SELECT count(*), count(*) FILTER (WHERE left_upto IS NULL)
           FROM chat.memberships
          WHERE user_id = $1
            AND room_id NOT IN (SELECT r.id FROM chat.rooms r
                                  WHERE r.name = '#all' AND r.is_of_everybody)",
        &[&user.0],
    )?;
    let [ever, now] = [0, 1].map(|column| usize::try_from(row.get::<_, i64>(column)).unwrap_or(0));
    Ok(may_begin_another(now, ever))
}

/// Begins a membership. If nothing was sent since the user left, the last one goes on instead: it
/// lets the user read the same messages.
pub(in crate::store) fn add(
    session: &mut Session,
    user: UserId,
    room: RoomId,
    role: Role,
) -> Result<()> {
    let newest = cursors::head(session)?;
    let row = session.query_one("SELECT history FROM chat.rooms WHERE id = $1", &[&room.0])?;
    let history: History = row.get::<_, &str>(0).parse()?;
    let sees_after = Membership::sees_after(newest, history);
    let (role, notify) = (role.as_str(), Notify::default().as_str());
    let gone_on = session.execute(
        "UPDATE chat.memberships
            SET left_upto = NULL, sees_after = least(sees_after, $4), role = $5, notify = $6
          WHERE user_id = $1 AND room_id = $2 AND left_upto = $3",
        &[&user.0, &room.0, &newest.0, &sees_after.0, &role, &notify],
    )?;
    if gone_on == 0 {
        session.execute(
            "INSERT INTO chat.memberships
                 (user_id, room_id, joined_after, sees_after, role, notify)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[&user.0, &room.0, &newest.0, &sees_after.0, &role, &notify],
        )?;
    }
    Ok(())
}

/// Ends a user's membership of a room, or all of them. The last member archives a room by that, but
/// not the room of everybody. Returns how many have ended.
pub(super) fn end(session: &mut Session, user: UserId, room: Option<RoomId>) -> Result<u64> {
    let newest = cursors::head(session)?;
    let room = room.map(|room| room.0);
    session.execute(
        "UPDATE chat.rooms r SET archived_at = coalesce(r.archived_at, chat.now_ms())
          WHERE NOT r.is_of_everybody
            AND r.id IN (SELECT p.room_id FROM chat.memberships p
                          WHERE p.user_id = $1 AND p.left_upto IS NULL
                            AND ($2::bigint IS NULL OR p.room_id = $2))
            AND NOT EXISTS (SELECT FROM chat.memberships o
                             WHERE o.room_id = r.id AND o.left_upto IS NULL AND o.user_id <> $1)",
        &[&user.0, &room],
    )?;
    session.execute(
        "UPDATE chat.memberships SET left_upto = $3
          WHERE user_id = $1 AND left_upto IS NULL AND ($2::bigint IS NULL OR room_id = $2)",
        &[&user.0, &room, &newest.0],
    )
}

/// Ends all memberships and invitations of a user who is deleted.
pub(in crate::store) fn remove_from_all(session: &mut Session, user: UserId) -> Result<()> {
    let ended = end(session, user, None)?;
    let uninvited =
        session.execute("DELETE FROM chat.invitations WHERE user_id = $1", &[&user.0])?;
    if ended + uninvited > 0 {
        super::note(session, Some(user))?;
    }
    Ok(())
}

pub(super) fn uninvite(session: &mut Session, room: RoomId, user: UserId) -> Result<()> {
    session.execute(
        "DELETE FROM chat.invitations WHERE user_id = $1 AND room_id = $2",
        &[&user.0, &room.0],
    )?;
    Ok(())
}

pub(super) fn set_role(
    session: &mut Session,
    room: RoomId,
    user: UserId,
    role: Role,
) -> Result<()> {
    session.execute(
        "UPDATE chat.memberships SET role = $3
          WHERE user_id = $1 AND room_id = $2 AND left_upto IS NULL",
        &[&user.0, &room.0, &role.as_str()],
    )?;
    Ok(())
}

pub(super) fn set_notify(
    session: &mut Session,
    room: RoomId,
    user: UserId,
    notify: Notify,
) -> Result<()> {
    session.execute(
        "UPDATE chat.memberships SET notify = $3
          WHERE user_id = $1 AND room_id = $2 AND left_upto IS NULL",
        &[&user.0, &room.0, &notify.as_str()],
    )?;
    Ok(())
}
