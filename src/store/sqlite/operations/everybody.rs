//! The memberships of the room of everybody.

use rusqlite::params;

use crate::model::UserId;
use crate::store::sqlite::write::context::WriteContext;

/// A membership that ended with the newest message goes on, as in
/// [`add`](crate::store::sqlite::operations::rooms::add).
const GO_ON: &str = "
    UPDATE memberships
       SET left_upto = NULL, role = 'member', notify = 'all',
           sees_after = min(sees_after, (SELECT CASE o.history WHEN 'all' THEN 0 ELSE ?1 END
                                           FROM rooms o WHERE o.id = memberships.room_id))
     WHERE left_upto = ?1 AND user_id BETWEEN ?2 AND ?3
       AND room_id = (SELECT o.id FROM rooms o WHERE o.name = '#all' AND o.is_of_everybody = 1)
       AND user_id IN (SELECT u.id FROM users u WHERE u.deleted_at IS NULL)
       AND NOT EXISTS (SELECT 1 FROM memberships p
                        WHERE p.user_id = memberships.user_id AND p.room_id = memberships.room_id
                          AND p.left_upto IS NULL)
    RETURNING user_id";
const BEGIN: &str = "
    INSERT INTO memberships (user_id, room_id, joined_after, sees_after, role, notify)
    SELECT u.id, o.id, ?1, CASE o.history WHEN 'all' THEN 0 ELSE ?1 END, 'member', 'all'
      FROM rooms o CROSS JOIN users u
     WHERE o.name = '#all' AND o.is_of_everybody = 1
       AND u.id BETWEEN ?2 AND ?3 AND u.deleted_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM memberships p
                        WHERE p.user_id = u.id AND p.room_id = o.id AND p.left_upto IS NULL)
    RETURNING user_id";

/// Makes the users members of the room of everybody who are not, or this one; deleted users are
/// left out. Returns those who became members. Without such a room, nobody does.
pub(in crate::store) fn complete(
    context: &mut WriteContext<'_>,
    only: Option<UserId>,
) -> rusqlite::Result<Vec<UserId>> {
    let newest = context.newest()?;
    let (first, last) = only.map_or((0, i64::MAX), |user| (user.0, user.0));
    let mut users = Vec::new();
    for sql in [GO_ON, BEGIN] {
        let mut statement = context.connection.prepare_cached(sql)?;
        let found = statement.query_map(params![newest.0, first, last], |row| row.get(0))?;
        for user in found {
            users.push(UserId(user?));
        }
    }
    for &user in &users {
        context.change_memberships(user);
    }
    Ok(users)
}
