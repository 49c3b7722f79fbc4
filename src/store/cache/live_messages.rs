//! The newest messages for those who watch, in memory: what has just been committed is told to them
//! without a look into the file.
//!
//! Nothing is kept for who is not watched. Of each watched inbox it is known from which message on all
//! that came is here; where an earlier one is asked for nothing is said, and the file tells. So whatever is
//! in doubt is forgotten, and everything may be.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;

use crate::model::{Message, MessageId, UserId};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most messages that are kept; few in tests, which then see what happens beyond.
const LIVE_MESSAGES_MAX: usize = if cfg!(test) { 24 } else { 8_192 };
/// The most text of them, in bytes.
const LIVE_BYTES_MAX: usize = if cfg!(test) { 200 } else { 4 * 1024 * 1024 };

/// See the module.
#[derive(Default)]
pub(crate) struct LiveMessages {
    /// How many inboxes are watched: where none is, a message costs a look at this.
    watched: AtomicUsize,
    state: Mutex<State>,
}

struct State {
    /// The newest message that has been committed.
    newest: MessageId,
    inboxes: HashMap<UserId, Inbox>,
    messages: BTreeMap<(UserId, MessageId), Arc<Message>>,
    /// Their keys, the oldest first; of some that are no more, too.
    order: VecDeque<(UserId, MessageId)>,
    /// How much text they have.
    bytes: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            newest: MessageId::ZERO,
            inboxes: HashMap::new(),
            messages: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
        }
    }
}

struct Inbox {
    watchers: usize,
    /// All that came for it after this message is here.
    since: MessageId,
}

/// An inbox that is watched, until this is dropped.
pub struct LiveInbox {
    live: Arc<LiveMessages>,
    user: UserId,
}

impl LiveMessages {
    /// The log goes up to `newest`; to be said before anything is committed.
    pub(crate) fn begin(&self, newest: MessageId) {
        self.lock().newest = newest;
    }

    /// From now on what is committed for `user` is kept.
    pub(crate) fn watch(self: Arc<Self>, user: UserId) -> LiveInbox {
        let mut state = self.lock();
        let since = state.newest;
        state.inboxes.entry(user).or_insert(Inbox { watchers: 0, since }).watchers += 1;
        self.watched.store(state.inboxes.len(), Ordering::Relaxed);
        drop(state);
        LiveInbox { live: self, user }
    }

    /// Whether the text of what is being written for `user` is to be told to [`Self::extend`]. Who begins to be
    /// watched just then does without.
    pub(crate) fn is_watched(&self, user: UserId) -> bool {
        self.watched.load(Ordering::Relaxed) > 0 && self.lock().inboxes.contains_key(&user)
    }

    /// Takes in what has been committed, in the order of the log: all of it, and the texts that are
    /// known. Before anybody is told of it.
    pub(crate) fn extend(&self, committed: &[(UserId, MessageId)], texts: Vec<Arc<Message>>) {
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
                Some(message) => state.keep(user, message),
                None => inbox.since = id,
            }
        }
        state.stay_within_bounds();
    }

    /// These messages have been deleted.
    pub(crate) fn remove(&self, deleted: &[(UserId, MessageId)]) {
        if !deleted.is_empty() {
            let mut state = self.lock();
            deleted.iter().for_each(|key| drop(state.take(*key)));
        }
    }

    /// What the messages say is no longer so.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        let since = state.newest;
        state.inboxes.values_mut().for_each(|inbox| inbox.since = since);
        (state.messages, state.order, state.bytes) = Default::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, user: UserId, message: Arc<Message>) {
        let key = (user, message.id);
        self.bytes += message.body.as_str().len();
        self.order.push_back(key);
        self.messages.insert(key, message);
    }

    fn take(&mut self, key: (UserId, MessageId)) -> Option<Arc<Message>> {
        let message = self.messages.remove(&key)?;
        self.bytes -= message.body.as_str().len();
        Some(message)
    }

    fn stay_within_bounds(&mut self) {
        while self.order.len() > LIVE_MESSAGES_MAX || self.bytes > LIVE_BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else { return };
            if self.take(oldest).is_some()
                && let Some(inbox) = self.inboxes.get_mut(&oldest.0)
            {
                inbox.since = inbox.since.max(oldest.1);
            }
        }
    }
}

impl LiveInbox {
    /// What came for the inbox after `after`, from the oldest on: at most so many messages, and none
    /// more where they have more than so much text, but at least two. `None` where some of it may not
    /// be in memory.
    pub(crate) fn after(
        &self,
        after: MessageId,
        messages: usize,
        bytes: usize,
    ) -> Option<Vec<Arc<Message>>> {
        let state = self.live.lock();
        let is_whole = state.inboxes.get(&self.user).is_some_and(|inbox| after >= inbox.since);
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
            size += message.body.as_str().len();
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
        let mut order = std::mem::take(&mut state.order);
        order.retain(|&key| {
            let is_theirs = key.0 == self.user;
            if is_theirs {
                state.take(key);
            }
            !is_theirs
        });
        state.order = order;
        self.live.watched.store(state.inboxes.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
