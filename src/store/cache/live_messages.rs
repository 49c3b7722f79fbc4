//! The newest messages of watched inboxes, in memory, so that a watch reads them without the file.
//!
//! A mailbox that nobody watches is not cached. For each watched mailbox, the cache knows an id after
//! which it has every message. It answers only from that id on; the database has the rest. So the
//! cache may evict any message at any time.
//!
//! A stream watches the reader's own mailbox, and follows those of rooms. When the reader's
//! memberships change, what it follows is out of date: then the cache answers nothing, until the
//! stream has read the new memberships from the database.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use crate::model::{MailboxId, Message, MessageId, UserId, mentions};
use crate::store::types::rooms::{LiveRoom, LiveRooms};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The maximum number of messages in memory. It is small in tests, so that tests reach it.
const LIVE_MESSAGES_MAX: usize = if cfg!(test) { 24 } else { 8_192 };
/// The maximum text of these messages, in bytes.
const LIVE_BYTES_MAX: usize = if cfg!(test) { 200 } else { 4 * 1024 * 1024 };

/// The cache. See the module.
#[derive(Default)]
pub(crate) struct LiveMessages {
    /// How many mailboxes are watched. If there is none, a message costs one load of this counter.
    watched_inboxes: AtomicUsize,
    state: Mutex<State>,
}

struct State {
    /// The newest committed message.
    newest: MessageId,
    inboxes: HashMap<MailboxId, Inbox>,
    messages: BTreeMap<(MailboxId, MessageId), LiveMessage>,
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
    /// The cache has every message of this mailbox after this id.
    complete_after: MessageId,
    /// How often the memberships of its user have changed.
    changes: u64,
}

/// A message and its sender.
#[derive(Debug, Clone)]
pub(crate) struct LiveMessage {
    pub(crate) sender: UserId,
    pub(crate) message: Arc<Message>,
    /// When it expires, as the time since the machine was started.
    pub(crate) until: Option<Duration>,
}

/// A watched inbox, and the rooms that its stream follows. Dropping it ends the watch.
pub struct LiveInbox {
    live: Arc<LiveMessages>,
    user: UserId,
    following: Mutex<Following>,
}

#[derive(Default)]
struct Following {
    rooms: LiveRooms,
    /// The state of the memberships at which `rooms` was read.
    as_of: MembershipState,
}

/// A state of a user's memberships. It differs after each change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MembershipState(u64);

impl LiveMessages {
    /// Sets the newest message in the message log. Call this once, before the first commit.
    pub(crate) fn set_newest(&self, newest: MessageId) {
        self.lock().newest = newest;
    }

    /// Caches the messages that are committed for `user` from now on.
    pub(crate) fn watch(self: Arc<Self>, user: UserId) -> LiveInbox {
        let mut state = self.lock();
        state.begin_watch(user.into());
        let as_of = state.memberships_of(user);
        self.watched_inboxes.store(state.inboxes.len(), Ordering::Relaxed);
        drop(state);
        let following = Mutex::new(Following { rooms: LiveRooms::default(), as_of });
        LiveInbox { live: self, user, following }
    }

    /// Notes that memberships of these users have changed, which is committed; `None` if they may be
    /// anybody's. Call this before [`Self::extend`] gets a later message, and before anybody is
    /// notified.
    pub(crate) fn change_memberships(&self, of: Option<&[UserId]>) {
        let Some(users) = of else {
            return self.lock().inboxes.values_mut().for_each(|inbox| inbox.changes += 1);
        };
        if users.is_empty() {
            return;
        }
        let mut state = self.lock();
        for &user in users {
            if let Some(inbox) = state.inboxes.get_mut(&user.into()) {
                inbox.changes += 1;
            }
        }
    }

    /// Whether [`Self::extend`] should get the text of a new message for `user`. A watch that
    /// starts during this batch reads it from the database.
    pub(crate) fn is_watched(&self, user: MailboxId) -> bool {
        self.watched_inboxes.load(Ordering::Relaxed) > 0 && self.lock().inboxes.contains_key(&user)
    }

    /// Adds the committed messages, in the order of the message log: the ids of all, and the texts
    /// of those that were watched. Call this before anybody is notified of the commit.
    pub(crate) fn extend(&self, committed: &[(MailboxId, MessageId)], texts: Vec<LiveMessage>) {
        let Some(&(_, newest)) = committed.last() else { return };
        let mut state = self.lock();
        state.newest = newest;
        if state.inboxes.is_empty() {
            return;
        }
        let mut texts = texts.into_iter().peekable();
        for &(user, id) in committed {
            let text = texts.next_if(|text| text.message.id == id);
            let Some(inbox) = state.inboxes.get_mut(&user) else { continue };
            match text {
                Some(text) => state.insert(user, text),
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
    fn begin_watch(&mut self, mailbox: MailboxId) {
        let complete_after = self.newest;
        let new = Inbox { watchers: 0, complete_after, changes: 0 };
        self.inboxes.entry(mailbox).or_insert(new).watchers += 1;
    }

    /// Ends a watch of each of these mailboxes, and drops the messages that nobody watches.
    fn end_watches(&mut self, mailboxes: impl Iterator<Item = MailboxId>) {
        let mut is_anyone_done = false;
        for mailbox in mailboxes {
            let Some(inbox) = self.inboxes.get_mut(&mailbox) else { continue };
            inbox.watchers -= 1;
            if inbox.watchers == 0 {
                self.inboxes.remove(&mailbox);
                is_anyone_done = true;
            }
        }
        if !is_anyone_done {
            return;
        }
        let mut eviction_order = std::mem::take(&mut self.eviction_order);
        eviction_order.retain(|key| {
            let is_watched = self.inboxes.contains_key(&key.0);
            if !is_watched {
                self.remove(*key);
            }
            is_watched
        });
        self.eviction_order = eviction_order;
    }

    fn memberships_of(&self, user: UserId) -> MembershipState {
        MembershipState(self.inboxes.get(&user.into()).map_or(0, |inbox| inbox.changes))
    }

    /// Whether the cache has every message of a mailbox after `after`.
    fn is_whole(&self, mailbox: MailboxId, after: MessageId) -> bool {
        self.inboxes.get(&mailbox).is_some_and(|inbox| after >= inbox.complete_after)
    }

    /// The messages of a mailbox after an id.
    fn messages_of(
        &self,
        mailbox: MailboxId,
        after: MessageId,
    ) -> impl Iterator<Item = &LiveMessage> {
        let end = (mailbox, MessageId(i64::MAX));
        let keys = (Bound::Excluded((mailbox, after)), Bound::Included(end));
        self.messages.range(keys).map(|(_, message)| message)
    }

    fn insert(&mut self, user: MailboxId, text: LiveMessage) {
        let key = (user, text.message.id);
        self.bytes += text.message.text_bytes();
        self.eviction_order.push_back(key);
        self.messages.insert(key, text);
    }

    fn remove(&mut self, key: (MailboxId, MessageId)) -> Option<LiveMessage> {
        let text = self.messages.remove(&key)?;
        self.bytes -= text.message.text_bytes();
        Some(text)
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
    /// The state of the reader's memberships now. Call it before the read of them, for
    /// [`Self::follow`].
    pub fn memberships(&self) -> MembershipState {
        self.live.lock().memberships_of(self.user)
    }

    /// Follows these rooms from now on, which were read from the database at the state `as_of` or
    /// after it. Returns whether they are others than before. Then the stream must read the database
    /// once more, because it may have missed a hint.
    pub fn follow(&self, rooms: &LiveRooms, as_of: MembershipState) -> bool {
        let mut following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        following.as_of = as_of;
        if following.rooms == *rooms {
            return false;
        }
        let mut state = self.live.lock();
        rooms.rooms.iter().for_each(|room| state.begin_watch(room.mailbox));
        let old = std::mem::replace(&mut following.rooms, rooms.clone());
        state.end_watches(old.rooms.iter().map(|room| room.mailbox));
        self.live.watched_inboxes.store(state.inboxes.len(), Ordering::Relaxed);
        true
    }

    /// The messages of this inbox and its rooms after `after`, oldest first, without those that have
    /// expired at `since_boot`, the time since the machine was started. At most `messages` of them;
    /// fewer once their text exceeds `bytes`, but never fewer than two. `None` if the cache may lack
    /// some of them.
    pub(crate) fn after(
        &self,
        after: MessageId,
        (messages, bytes): (usize, usize),
        since_boot: Duration,
    ) -> Option<Vec<Arc<Message>>> {
        let following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.live.lock();
        let own = MailboxId::from(self.user);
        let is_whole = state.memberships_of(self.user) == following.as_of
            && following.rooms.left_upto <= after
            && state.is_whole(own, after)
            && following.rooms.rooms.iter().all(|room| state.is_whole(room.mailbox, after));
        if !is_whole {
            return None;
        }
        let mut found = Vec::new();
        let mut size = 0;
        let take = |text: &LiveMessage| {
            if text.until.is_some_and(|until| until <= since_boot) {
                return true;
            }
            if found.len() >= messages || (size > bytes && found.len() > 1) {
                return false;
            }
            size += text.message.text_bytes();
            found.push(Arc::clone(&text.message));
            true
        };
        if following.rooms.rooms.is_empty() {
            state.messages_of(own, after).all(take);
        } else {
            self.merge(&state, &following.rooms, after).all(take);
        }
        Some(found)
    }

    /// The messages of the inbox and of rooms, in the order of the message log.
    fn merge<'a>(
        &self,
        state: &'a State,
        rooms: &'a LiveRooms,
        after: MessageId,
    ) -> impl Iterator<Item = &'a LiveMessage> + use<'a> {
        let user = self.user;
        let of_room = move |room: &LiveRoom| {
            let (room, reader) = (*room, rooms.reader.as_ref());
            let messages = state.messages_of(room.mailbox, after.max(room.after));
            messages.filter(move |text| {
                let is_mention = |reader| mentions(text.message.body.as_str(), reader);
                text.sender != user
                    && !rooms.blocks.hide(text.sender, room.mailbox)
                    && (!room.only_mentions || reader.is_some_and(is_mention))
            })
        };
        let mut runs: Vec<Box<dyn Iterator<Item = &'a LiveMessage> + 'a>> =
            vec![Box::new(state.messages_of(user.into(), after))];
        for room in &rooms.rooms {
            runs.push(Box::new(of_room(room)));
        }
        let mut next = BinaryHeap::with_capacity(runs.len());
        let mut heads: Vec<Option<&'a LiveMessage>> = runs.iter_mut().map(Iterator::next).collect();
        for (run, head) in heads.iter().enumerate() {
            next.extend(head.map(|text| Reverse((text.message.id, run))));
        }
        std::iter::from_fn(move || {
            let Reverse((_, run)) = next.pop()?;
            let text = std::mem::replace(&mut heads[run], runs[run].next())?;
            next.extend(heads[run].map(|text| Reverse((text.message.id, run))));
            Some(text)
        })
    }
}

impl Drop for LiveInbox {
    fn drop(&mut self) {
        let following = self.following.get_mut().unwrap_or_else(PoisonError::into_inner);
        let rooms = std::mem::take(&mut following.rooms);
        let mut state = self.live.lock();
        let own = MailboxId::from(self.user);
        state.end_watches(std::iter::once(own).chain(rooms.mailboxes()));
        self.live.watched_inboxes.store(state.inboxes.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
// The models include this file by its path: so the path of the tests has to be said.
#[path = "live_messages/tests.rs"]
mod tests;
