//! Whom users block, as far as reads and writes look it up alike.

use postgres::Row;

use crate::model::UserId;
use crate::store::postgres::error::Result;
use crate::store::postgres::session::Session;
use crate::store::types::blocks::Blocks;

/// Whom a user blocks.
pub(in crate::store) fn of(session: &mut Session, user: UserId) -> Result<Blocks> {
    let rows =
        session.query("SELECT blocked_id FROM chat.blocks WHERE user_id = $1", &[&user.0])?;
    Ok(Blocks::of(rows.iter().map(|row| UserId(row.get(0))).collect()))
}

/// Whom these users block, those included who block nobody.
pub(in crate::store) fn of_each(
    session: &mut Session,
    users: &[UserId],
) -> Result<Vec<(UserId, Blocks)>> {
    let numbers: Vec<i64> = users.iter().map(|user| user.0).collect();
    let rows = session.query(
        "SELECT a.user_id,
                ARRAY(SELECT w.blocked_id FROM chat.blocks w WHERE w.user_id = a.user_id)
           FROM unnest($1::bigint[]) AS a (user_id)",
        &[&numbers],
    )?;
    let blocks = |row: &Row| {
        let blocked: Vec<i64> = row.get(1);
        (UserId(row.get(0)), Blocks::of(blocked.into_iter().map(UserId).collect()))
    };
    Ok(rows.iter().map(blocks).collect())
}
