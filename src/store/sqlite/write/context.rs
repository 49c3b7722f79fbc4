//! The context of a write operation, and the cache that lasts from one transaction to the next.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::Connection;

use crate::model::{MailboxId, MessageId, RoomId, RoomName, UserId, UserName};
use crate::store::clock::SessionClock;
use crate::store::sqlite::message_log;
use crate::store::sqlite::projection::deliveries::Deliveries;
use crate::store::sqlite::projection::keys::Keys;
use crate::store::sqlite::projection::words::Words;
use crate::store::sqlite::write::pending_inserts::PendingInserts;
use crate::store::types::blocks::KnownBlocks;

/// The maximum number of cached users, by name and by id.
const NAMES_MAX: usize = 100_000;

/// A fast hash is safe here: only names and ids of existing users are keys, so no client chooses
/// them freely.
type Map<K, V> = HashMap<K, V, RandomState>;

/// See [`WriterCache::uncounted_messages`].
const MUST_COUNT: usize = usize::MAX;

/// What an operation works with: its transaction, and the writer's state.
pub struct WriteContext<'a> {
    pub(in crate::store) connection: &'a Connection,
    pub(in crate::store) cache: &'a mut WriterCache,
    pub(in crate::store) deliveries: &'a mut Deliveries,
    pub(in crate::store) keys: &'a mut Keys,
    pub(in crate::store) words: &'a mut Words,
    pub(in crate::store) pending_inserts: &'a mut PendingInserts,
    pub(in crate::store) inbox_unread_max: usize,
    pub(in crate::store) clock: SessionClock,
}

/// Facts that the writer would otherwise look up for every message. They include effects of the
/// open transaction, so [`WriterCache::clear`] must follow every rollback.
#[derive(Debug, Default)]
pub(in crate::store) struct WriterCache {
    /// The newest id in the message log.
    pub(in crate::store) newest: Option<MessageId>,
    pub(in crate::store) user_ids: Map<UserName, UserId>,
    /// The names of senders.
    pub(in crate::store) user_names: Map<UserId, UserName>,
    /// The rooms to which these users may post.
    pub(in crate::store) posters: Map<(UserId, RoomName), RoomId>,
    /// Whom recipients block.
    pub(in crate::store) blocks: KnownBlocks,
    /// The number of unread messages of each inbox that was counted.
    pub(in crate::store) unread_counts: Map<MailboxId, usize>,
    /// For each inbox that was not counted: the messages that have arrived since the start.
    /// [`MUST_COUNT`] means that the inbox must be counted before its next message.
    pub(in crate::store) uncounted_messages: Map<MailboxId, usize>,
}

impl WriterCache {
    /// Forgets everything, because something was rolled back.
    pub(in crate::store) fn clear(&mut self) {
        self.must_count_all();
        *self = Self {
            uncounted_messages: std::mem::take(&mut self.uncounted_messages),
            ..Self::default()
        };
    }

    /// Forgets the count of an inbox, because it is no longer right.
    pub(in crate::store) fn must_count(&mut self, mailbox: impl Into<MailboxId>) {
        let mailbox = mailbox.into();
        self.unread_counts.remove(&mailbox);
        self.uncounted_messages.insert(mailbox, MUST_COUNT);
    }

    /// Does [`Self::must_count`] for every inbox that was counted.
    pub(in crate::store) fn must_count_all(&mut self) {
        self.uncounted_messages
            .extend(self.unread_counts.drain().map(|(user, _)| (user, MUST_COUNT)));
    }

    /// Caches the id of a name. Forgets all names first if there are too many.
    pub(in crate::store) fn remember_user(&mut self, name: UserName, id: UserId) {
        if self.user_ids.len() >= NAMES_MAX {
            self.user_ids.clear();
            self.must_count_all();
        }
        self.user_ids.insert(name, id);
    }

    /// Caches that a user may post to a room. Forgets all of them first if there are too many.
    pub(in crate::store) fn remember_poster(&mut self, user: UserId, name: RoomName, room: RoomId) {
        if self.posters.len() >= NAMES_MAX {
            self.posters.clear();
        }
        self.posters.insert((user, name), room);
    }

    /// Caches the name of an id. Forgets all ids first if there are too many.
    pub(in crate::store) fn remember_name(&mut self, id: UserId, name: UserName) {
        if self.user_names.len() >= NAMES_MAX {
            self.user_names.clear();
        }
        self.user_names.insert(id, name);
    }
}

impl WriteContext<'_> {
    /// Notes that memberships of this user change.
    pub(in crate::store) fn change_memberships(&mut self, user: UserId) {
        self.cache.posters.clear();
        self.deliveries.change_memberships(user);
    }

    /// The newest id in the message log, cached if possible.
    pub(in crate::store) fn newest(&mut self) -> rusqlite::Result<MessageId> {
        if let Some(newest) = self.cache.newest {
            return Ok(newest);
        }
        let newest = message_log::newest_given(self.connection)?;
        self.cache.newest = Some(newest);
        Ok(newest)
    }

    /// Updates the unread count: the inbox cursor of `user` moves from `seen` to `upto`.
    pub(in crate::store) fn note_inbox_moved(
        &mut self,
        user: UserId,
        seen: MessageId,
        upto: MessageId,
    ) -> rusqlite::Result<()> {
        let inbox = MailboxId::from(user);
        let Some(&unread) = self.cache.unread_counts.get(&inbox) else { return Ok(()) };
        // At the limit, counting may have stopped early. Backwards, there are more messages than
        // were counted. In both cases, the inbox is counted again when the count is needed.
        if upto < seen || unread >= self.inbox_unread_max {
            self.cache.must_count(inbox);
            return Ok(());
        }
        let read = self.deliveries.count(self.connection, inbox, (seen, upto), unread)?;
        self.cache.unread_counts.insert(inbox, unread - read);
        Ok(())
    }
}
