//! Blocks: a blocked user cannot send messages to the user alone, and the user does not see their
//! messages in rooms.
//!
//! A block changes no message. Reads leave out what [`Blocks::hide`] says, as long as the block is
//! there.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::model::{MailboxId, Timestamp, UserId, UserName};
use crate::store::operation::{Party, Read, Write};

/// The maximum number of users whom one user blocks.
pub const BLOCKS_MAX: usize = if cfg!(test) { 5 } else { 1_000 };

/// How many users and blocks a writer has in memory.
const REMEMBERED_MAX: usize = 200_000;

/// Blocks a user, or no longer. Durable when the answer comes, and no later message or read misses
/// it.
#[derive(Debug, Clone)]
pub struct SetBlock {
    /// The user who blocks.
    pub user: UserId,
    /// The other one.
    pub other: UserName,
    /// Whether the other one is blocked from now on.
    pub is_blocked: bool,
}

impl Write for SetBlock {
    type Answer = BlockSet;
}

/// The result of [`SetBlock`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockSet {
    /// It is so now. `false` if it was so before, and nothing has changed.
    Done(bool),
    /// There is no user of this name.
    UnknownUser,
    /// A user cannot block themselves.
    Oneself,
    /// The user blocks [`BLOCKS_MAX`] users already.
    TooMany,
}

/// Lists the users whom a user blocks, in the order of their names.
pub struct ListBlocks {
    /// The user.
    pub user: UserId,
}

impl Read for ListBlocks {
    type Answer = Vec<Blocked>;

    fn party(&self) -> Party {
        Some(self.user)
    }
}

/// A user who is blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The name.
    pub user: UserName,
    /// Since when.
    pub at: Timestamp,
}

/// Whom a reader blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct Blocks(Vec<UserId>);

impl Blocks {
    /// These users.
    pub(in crate::store) fn of(mut users: Vec<UserId>) -> Self {
        users.sort_unstable();
        Self(users)
    }

    /// Whether the reader does not see a message of this sender in this mailbox. Messages to the
    /// reader alone are refused when they are sent, so those that are there came before the block.
    pub(in crate::store) fn hide(&self, sender: UserId, mailbox: MailboxId) -> bool {
        !self.0.is_empty() && mailbox.room().is_some() && self.have(sender)
    }

    /// Whether the user is blocked.
    pub(in crate::store) fn have(&self, user: UserId) -> bool {
        self.0.binary_search(&user).is_ok()
    }

    /// How many users these are.
    pub(in crate::store) fn len(&self) -> usize {
        self.0.len()
    }

    /// The numbers of the users.
    #[cfg(feature = "postgres")]
    pub(in crate::store) fn numbers(&self) -> Vec<i64> {
        self.0.iter().map(|user| user.0).collect()
    }
}

/// What a writer remembers of the blocks of recipients.
#[derive(Debug, Default)]
pub(in crate::store) struct KnownBlocks {
    /// Only numbers of existing users are keys, so a fast hash is safe.
    by_user: HashMap<UserId, Blocks, RandomState>,
    /// How many users and blocks these are.
    size: usize,
}

impl KnownBlocks {
    /// Whom the user blocks, if that is remembered.
    pub(in crate::store) fn get(&self, user: UserId) -> Option<&Blocks> {
        self.by_user.get(&user)
    }

    /// Remembers whom the user blocks.
    pub(in crate::store) fn insert(&mut self, user: UserId, blocks: Blocks) {
        self.size += 1 + blocks.0.len();
        self.by_user.insert(user, blocks);
    }

    /// Forgets all if that is too much. Call it where nobody needs what was inserted before.
    pub(in crate::store) fn bound(&mut self) {
        if self.size > REMEMBERED_MAX {
            self.clear();
        }
    }

    /// Forgets all.
    pub(in crate::store) fn clear(&mut self) {
        self.by_user.clear();
        self.size = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RoomId;

    #[test]
    fn messages_of_blocked_users_are_hidden_in_rooms_only() {
        let blocks = Blocks::of(vec![UserId(3), UserId(2)]);
        let room = MailboxId::from(RoomId(7));
        assert!(blocks.hide(UserId(2), room) && blocks.hide(UserId(3), room));
        assert!(!blocks.hide(UserId(4), room));
        assert!(!blocks.hide(UserId(2), UserId(1).into()));
        assert!(!Blocks::default().hide(UserId(2), room));
    }

    #[test]
    fn memory_of_blocks_is_bounded() {
        let mut known = KnownBlocks::default();
        let many: Vec<UserId> = (2..2 + REMEMBERED_MAX as i64).map(UserId).collect();
        known.insert(UserId(1), Blocks::default());
        known.bound();
        assert!(known.get(UserId(1)).is_some());
        known.insert(UserId(2), Blocks::of(many));
        known.bound();
        assert!(known.get(UserId(1)).is_none() && known.get(UserId(2)).is_none());
    }
}
