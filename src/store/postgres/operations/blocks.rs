//! Blocking users.

use postgres::Row;

use crate::model::{MessageId, Timestamp, UserId};
use crate::store::postgres::blocks::of;
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::operations::{cursors, rooms, users};
use crate::store::postgres::session::Session;
use crate::store::types::blocks::{BLOCKS_MAX, BlockSet, Blocked, ListBlocks, SetBlock};
use crate::transfer::{Block, Taken};

impl Apply for SetBlock {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<BlockSet> {
        let Self { user, other, is_blocked } = self;
        let session = &mut *context.session;
        // A deleted user cannot be blocked, but a block of one can end.
        let other = match is_blocked {
            true => users::resolve(session, other)?,
            false => users::id_of(session, other)?,
        };
        let Some(other) = other else { return Ok(BlockSet::UnknownUser) };
        if other == *user {
            return Ok(BlockSet::Oneself);
        }
        let has_changed = if *is_blocked {
            let blocks = of(session, *user)?;
            if !blocks.have(other) && blocks.len() >= BLOCKS_MAX {
                return Ok(BlockSet::TooMany);
            }
            let head = cursors::head(session)?;
            insert(session, (*user, other), head, None)?
        } else {
            let delete = "DELETE FROM chat.blocks WHERE user_id = $1 AND blocked_id = $2";
            session.execute(delete, &[&user.0, &other.0])? > 0
        };
        if has_changed {
            rooms::note(session, Some(*user))?;
        }
        Ok(BlockSet::Done(has_changed))
    }
}

impl Query for ListBlocks {
    fn query(&self, session: &mut Session) -> Result<Vec<Blocked>> {
        let rows = session.query(
            "SELECT u.name, w.at FROM chat.blocks w JOIN chat.users u ON u.id = w.blocked_id
              WHERE w.user_id = $1 ORDER BY u.name",
            &[&self.user.0],
        )?;
        let blocked = |row: &Row| {
            let user = row.get::<_, &str>(0).parse()?;
            Ok(Blocked { user, at: Timestamp(row.get(1)) })
        };
        rows.iter().map(blocked).collect()
    }
}

/// Imports a block. The user keeps what they have.
pub(in crate::store) fn import(
    session: &mut Session,
    block: &Block,
) -> Result<std::result::Result<Taken, String>> {
    let Block { user, blocked, after, at } = block;
    let mut ids = Vec::new();
    for name in [user, blocked] {
        match users::id_of(session, name)? {
            Some(id) => ids.push(id),
            None => return Ok(Err(format!("there is no user {name}"))),
        }
    }
    let (user, other) = (ids[0], ids[1]);
    if user == other {
        return Ok(Err(format!("{blocked} blocks themselves")));
    }
    let blocks = of(session, user)?;
    if blocks.have(other) || blocks.len() >= BLOCKS_MAX {
        return Ok(Ok(if blocks.have(other) { Taken::Already } else { Taken::Left }));
    }
    let head = cursors::head(session)?;
    insert(session, (user, other), (*after).min(head), Some(*at))?;
    rooms::note(session, Some(user))?;
    Ok(Ok(Taken::Done))
}

/// Returns whether the block is new. Without a time, it is of now.
fn insert(
    session: &mut Session,
    (user, other): (UserId, UserId),
    after: MessageId,
    at: Option<Timestamp>,
) -> Result<bool> {
    let added = session.execute(
        "INSERT INTO chat.blocks (user_id, blocked_id, after_id, at)
         VALUES ($1, $2, $3, coalesce($4, chat.now_ms())) ON CONFLICT DO NOTHING",
        &[&user.0, &other.0, &after.0, &at.map(|at| at.0)],
    )?;
    Ok(added > 0)
}
