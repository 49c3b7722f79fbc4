//! The newest messages of watched inboxes, in memory, so that a watch reads them without the file.
//!
//! An inbox that nobody watches is not cached. For each watched inbox, the cache knows an id after
//! which it has every message. It answers only from that id on; the database has the rest. So the
//! cache may evict any message at any time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;

use crate::model::{MailboxId, Message, MessageId};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The maximum number of messages in memory. It is small in tests, so that tests reach it.
const LIVE_MESSAGES_MAX: usize = if cfg!(test) { 24 } else { 8_192 };
/// The maximum text of these messages, in bytes.
const LIVE_BYTES_MAX: usize = if cfg!(test) { 200 } else { 4 * 1024 * 1024 };

/// The cache. See the module.
#[derive(Default)]
pub(crate) struct LiveMessages {
    /// How many inboxes are watched. If there is none, a message costs one load of this counter.
    watched_inboxes: AtomicUsize,
    state: Mutex<State>,
}

struct State {
    /// The newest committed message.
    newest: MessageId,
    inboxes: HashMap<MailboxId, Inbox>,
    messages: BTreeMap<(MailboxId, MessageId), Arc<Message>>,
    /// The keys of `messages`, oldest first, and keys of messages that were removed.
    eviction_order: VecDeque<(MailboxId, MessageId)>,
    /// The text of `messages`, in bytes.
    bytes: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            newest: MessageId::ZERO,
            inboxes: HashMap::new(),
            messages: BTreeMap::new(),
            eviction_order: VecDeque::new(),
            bytes: 0,
        }
    }
}

struct Inbox {
    watchers: usize,
    /// The cache has every message of this inbox after this id.
    complete_after: MessageId,
}

/// A watched inbox. Dropping it ends the watch.
pub struct LiveInbox {
    live: Arc<LiveMessages>,
    user: MailboxId,
}

impl LiveMessages {
    /// Sets the newest message in the message log. Call this once, before the first commit.
    pub(crate) fn set_newest(&self, newest: MessageId) {
        self.lock().newest = newest;
    }

    /// Caches the messages that are committed for `user` from now on.
    pub(crate) fn watch(self: Arc<Self>, user: MailboxId) -> LiveInbox {
        let mut state = self.lock();
        let complete_after = state.newest;
        state.inboxes.entry(user).or_insert(Inbox { watchers: 0, complete_after }).watchers += 1;
        self.watched_inboxes.store(state.inboxes.len(), Ordering::Relaxed);
        drop(state);
        LiveInbox { live: self, user }
    }

    /// Whether [`Self::extend`] should get the text of a new message for `user`. A watch that
    /// starts during this batch reads it from the database.
    pub(crate) fn is_watched(&self, user: MailboxId) -> bool {
        self.watched_inboxes.load(Ordering::Relaxed) > 0 && self.lock().inboxes.contains_key(&user)
    }

    /// Adds the committed messages, in the order of the message log: the ids of all, and the texts
    /// of those that were watched. Call this before anybody is notified of the commit.
    pub(crate) fn extend(&self, committed: &[(MailboxId, MessageId)], texts: Vec<Arc<Message>>) {
        let Some(&(_, newest)) = committed.last() else { return };
        let mut state = self.lock();
        state.newest = newest;
        if state.inboxes.is_empty() {
            return;
        }
        let mut texts = texts.into_iter().peekable();
        for &(user, id) in committed {
            let text = texts.next_if(|message| message.id == id);
            let Some(inbox) = state.inboxes.get_mut(&user) else { continue };
            match text {
                Some(message) => state.insert(user, message),
                None => inbox.complete_after = id,
            }
        }
        state.evict();
    }

    /// Removes deleted messages.
    pub(crate) fn remove(&self, deleted: &[(MailboxId, MessageId)]) {
        if !deleted.is_empty() {
            let mut state = self.lock();
            deleted.iter().for_each(|key| drop(state.remove(*key)));
        }
    }

    /// Removes all messages, because something in them has changed.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        let complete_after = state.newest;
        state.inboxes.values_mut().for_each(|inbox| inbox.complete_after = complete_after);
        (state.messages, state.eviction_order, state.bytes) = Default::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn insert(&mut self, user: MailboxId, message: Arc<Message>) {
        let key = (user, message.id);
        self.bytes += message.text_bytes();
        self.eviction_order.push_back(key);
        self.messages.insert(key, message);
    }

    fn remove(&mut self, key: (MailboxId, MessageId)) -> Option<Arc<Message>> {
        let message = self.messages.remove(&key)?;
        self.bytes -= message.text_bytes();
        Some(message)
    }

    fn evict(&mut self) {
        while self.eviction_order.len() > LIVE_MESSAGES_MAX || self.bytes > LIVE_BYTES_MAX {
            let Some(oldest) = self.eviction_order.pop_front() else { return };
            if self.remove(oldest).is_some()
                && let Some(inbox) = self.inboxes.get_mut(&oldest.0)
            {
                inbox.complete_after = inbox.complete_after.max(oldest.1);
            }
        }
    }
}

impl LiveInbox {
    /// The messages of this inbox after `after`, oldest first. At most `messages` of them; fewer
    /// once their text exceeds `bytes`, but never fewer than two. `None` if the cache may lack some
    /// of them.
    pub(crate) fn after(
        &self,
        after: MessageId,
        messages: usize,
        bytes: usize,
    ) -> Option<Vec<Arc<Message>>> {
        let state = self.live.lock();
        let is_whole =
            state.inboxes.get(&self.user).is_some_and(|inbox| after >= inbox.complete_after);
        if !is_whole {
            return None;
        }
        let mut found = Vec::new();
        let mut size = 0;
        let end = (self.user, MessageId(i64::MAX));
        let keys = (Bound::Excluded((self.user, after)), Bound::Included(end));
        for (_, message) in state.messages.range(keys) {
            if found.len() >= messages || (size > bytes && found.len() > 1) {
                break;
            }
            size += message.text_bytes();
            found.push(Arc::clone(message));
        }
        Some(found)
    }
}

impl Drop for LiveInbox {
    fn drop(&mut self) {
        let mut state = self.live.lock();
        let Some(inbox) = state.inboxes.get_mut(&self.user) else { return };
        inbox.watchers -= 1;
        if inbox.watchers > 0 {
            return;
        }
        state.inboxes.remove(&self.user);
        let mut eviction_order = std::mem::take(&mut state.eviction_order);
        eviction_order.retain(|&key| {
            let is_theirs = key.0 == self.user;
            if is_theirs {
                state.remove(key);
            }
            !is_theirs
        });
        state.eviction_order = eviction_order;
        self.live.watched_inboxes.store(state.inboxes.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
// The models include this file by its path: so the path of the tests has to be said.
#[path = "live_messages/tests.rs"]
mod tests;
