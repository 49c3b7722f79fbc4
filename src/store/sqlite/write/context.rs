//! What the writer remembers from one transaction to the next.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::Connection;

use crate::model::{MessageId, UserId, UserName};
use crate::store::sqlite::message_log;
use crate::store::sqlite::projection::deliveries::Deliveries;
use crate::store::sqlite::projection::keys::Keys;
use crate::store::sqlite::write::pending_inserts::PendingInserts;

/// The most user names whose numbers are remembered.
const NAMES_MAX: usize = 100_000;

/// Nobody outside chooses what is in it: names and numbers of users that there are.
type Map<K, V> = HashMap<K, V, RandomState>;

/// See [`WriterCache::uncounted`].
const RECOUNT: usize = usize::MAX;

/// What operations work with: the transaction they are in, and what is remembered between them.
pub struct WriteContext<'a> {
    pub(in crate::store) connection: &'a Connection,
    pub(in crate::store) cache: &'a mut WriterCache,
    pub(in crate::store) deliveries: &'a mut Deliveries,
    pub(in crate::store) keys: &'a mut Keys,
    pub(in crate::store) pending_inserts: &'a mut PendingInserts,
    pub(in crate::store) inbox_unread_max: usize,
}

/// What the writer would otherwise have to look up for every message. It is forgotten whenever
/// something is taken back ([`WriterCache::forget`]), so it never tells of what did not happen.
#[derive(Debug, Default)]
pub(in crate::store) struct WriterCache {
    /// The id of the newest message.
    pub(in crate::store) newest: Option<MessageId>,
    pub(in crate::store) user_ids: Map<UserName, UserId>,
    /// The names of those who write to somebody who is watched.
    pub(in crate::store) user_names: Map<UserId, UserName>,
    /// How many unread messages each inbox has, where they were counted.
    pub(in crate::store) unread: Map<UserId, usize>,
    /// How many messages have come since the start for each inbox whose messages were not counted:
    /// [`RECOUNT`] where they are to be, before another one is taken in.
    pub(in crate::store) uncounted: Map<UserId, usize>,
}

impl WriterCache {
    /// Something was taken back: nothing that may tell of it is remembered.
    pub(in crate::store) fn forget(&mut self) {
        self.recount_all();
        *self = Self { uncounted: std::mem::take(&mut self.uncounted), ..Self::default() };
    }

    /// What is remembered of an inbox is no longer so.
    pub(in crate::store) fn recount(&mut self, user: UserId) {
        self.unread.remove(&user);
        self.uncounted.insert(user, RECOUNT);
    }

    /// [`Self::recount`], of every inbox that was counted.
    pub(in crate::store) fn recount_all(&mut self) {
        self.uncounted.extend(self.unread.drain().map(|(user, _)| (user, RECOUNT)));
    }

    /// Remembers a name's number; forgets all where there are too many.
    pub(in crate::store) fn remember_user(&mut self, name: UserName, id: UserId) {
        if self.user_ids.len() >= NAMES_MAX {
            self.user_ids.clear();
            self.recount_all();
        }
        self.user_ids.insert(name, id);
    }

    /// Remembers a number's name; forgets all where there are too many.
    pub(in crate::store) fn remember_name(&mut self, id: UserId, name: UserName) {
        if self.user_names.len() >= NAMES_MAX {
            self.user_names.clear();
        }
        self.user_names.insert(id, name);
    }
}

impl WriteContext<'_> {
    /// The id of the newest message, from memory where it is there.
    pub(in crate::store) fn newest(&mut self) -> rusqlite::Result<MessageId> {
        if let Some(newest) = self.cache.newest {
            return Ok(newest);
        }
        let newest = message_log::newest_given(self.connection)?;
        self.cache.newest = Some(newest);
        Ok(newest)
    }

    /// Takes note that the inbox cursor of `user` moves from `seen` to `upto`.
    pub(in crate::store) fn forget_unread(
        &mut self,
        user: UserId,
        seen: MessageId,
        upto: MessageId,
    ) -> rusqlite::Result<()> {
        let Some(&unread) = self.cache.unread.get(&user) else { return Ok(()) };
        // At the limit the count may have stopped short of the truth, and backwards there is more
        // than was counted: look again when it is needed.
        if upto < seen || unread >= self.inbox_unread_max {
            self.cache.recount(user);
            return Ok(());
        }
        let read = self.deliveries.count(self.connection, user, (seen, upto), unread)?;
        self.cache.unread.insert(user, unread - read);
        Ok(())
    }
}
