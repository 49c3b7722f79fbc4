//! Blocking users.

use rusqlite::{Connection, params};

use crate::model::{MessageId, Timestamp, UserId};
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::operations::users;
use crate::store::sqlite::row::user_name;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::blocks::{BLOCKS_MAX, BlockSet, Blocked, Blocks, ListBlocks, SetBlock};
use crate::transfer::{Block, Taken};

impl Apply for SetBlock {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<BlockSet> {
        let Self { user, other: name, is_blocked } = self;
        let connection = context.connection;
        // A deleted user cannot be blocked, but a block of one can end.
        let other = match is_blocked {
            true => users::resolve(context, &name)?,
            false => users::id_of(connection, &name)?,
        };
        let Some(other) = other else { return Ok(BlockSet::UnknownUser) };
        if other == user {
            return Ok(BlockSet::Oneself);
        }
        let has_changed = if is_blocked {
            let blocks = of(connection, user)?;
            if !blocks.have(other) && blocks.len() >= BLOCKS_MAX {
                return Ok(BlockSet::TooMany);
            }
            let newest = context.newest()?;
            insert(context, user, other, (newest, Timestamp::now()))?
        } else {
            let delete = "DELETE FROM blocks WHERE user_id = ?1 AND blocked_id = ?2";
            connection.prepare_cached(delete)?.execute([user.0, other.0])? > 0
        };
        if has_changed {
            changed(context, user);
        }
        Ok(BlockSet::Done(has_changed))
    }
}

impl Query for ListBlocks {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Vec<Blocked>> {
        context
            .connection
            .prepare_cached(
                "SELECT o.name, b.at FROM blocks b JOIN users o ON o.id = b.blocked_id
                  WHERE b.user_id = ?1 ORDER BY o.name",
            )?
            .query_map([self.user.0], |row| {
                Ok(Blocked { user: user_name(row, 0)?, at: Timestamp(row.get(1)?) })
            })?
            .collect()
    }
}

/// Whom a user blocks.
pub(in crate::store) fn of(connection: &Connection, user: UserId) -> rusqlite::Result<Blocks> {
    let mut statement =
        connection.prepare_cached("SELECT blocked_id FROM blocks WHERE user_id = ?1")?;
    let mut rows = statement.query([user.0])?;
    let mut users = Vec::new();
    while let Some(row) = rows.next()? {
        users.push(UserId(row.get(0)?));
    }
    Ok(Blocks::of(users))
}

/// Whether the recipient blocks the sender, from memory if possible.
pub(in crate::store) fn is_blocked(
    context: &mut WriteContext<'_>,
    sender: UserId,
    recipient: UserId,
) -> rusqlite::Result<bool> {
    if let Some(blocks) = context.cache.blocks.get(recipient) {
        return Ok(blocks.have(sender));
    }
    let blocks = of(context.connection, recipient)?;
    let is_blocked = blocks.have(sender);
    context.cache.blocks.bound();
    context.cache.blocks.insert(recipient, blocks);
    Ok(is_blocked)
}

/// Imports a block. The user keeps what they have.
pub(in crate::store) fn import(
    context: &mut WriteContext<'_>,
    block: &Block,
) -> rusqlite::Result<Result<Taken, String>> {
    let Block { user, blocked, after, at } = block;
    let connection = context.connection;
    let mut ids = Vec::new();
    for name in [user, blocked] {
        match users::id_of(connection, name)? {
            Some(id) => ids.push(id),
            None => return Ok(Err(format!("there is no user {name}"))),
        }
    }
    let (user, other) = (ids[0], ids[1]);
    if user == other {
        return Ok(Err(format!("{blocked} blocks themselves")));
    }
    let blocks = of(connection, user)?;
    if blocks.have(other) || blocks.len() >= BLOCKS_MAX {
        return Ok(Ok(if blocks.have(other) { Taken::Already } else { Taken::Left }));
    }
    let newest = context.newest()?;
    insert(context, user, other, ((*after).min(newest), *at))?;
    changed(context, user);
    Ok(Ok(Taken::Done))
}

/// Ends all blocks of a user who is deleted. Others go on blocking this one, whose messages remain.
pub(in crate::store) fn remove_all(
    context: &mut WriteContext<'_>,
    user: UserId,
) -> rusqlite::Result<()> {
    let delete = "DELETE FROM blocks WHERE user_id = ?1";
    context.connection.prepare_cached(delete)?.execute([user.0])?;
    changed(context, user);
    Ok(())
}

/// Returns whether the block is new.
fn insert(
    context: &WriteContext<'_>,
    user: UserId,
    other: UserId,
    (after, at): (MessageId, Timestamp),
) -> rusqlite::Result<bool> {
    let added = context
        .connection
        .prepare_cached(
            "INSERT INTO blocks (user_id, blocked_id, after_id, at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![user.0, other.0, after.0, at.0])?;
    Ok(added > 0)
}

/// What the writer remembers is old, and so is what the user's streams follow.
fn changed(context: &mut WriteContext<'_>, user: UserId) {
    context.cache.blocks.clear();
    context.deliveries.change_memberships(user);
}
