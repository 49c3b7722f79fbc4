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
mod tests {
    use super::*;
    use crate::model::Timestamp;

    const NEKO: UserId = UserId(1);
    const IVY: UserId = UserId(2);

    fn live() -> Arc<LiveMessages> {
        let live = Arc::<LiveMessages>::default();
        live.begin(MessageId(100));
        live
    }

    fn message(id: i64, body: &str) -> Arc<Message> {
        let (from, to) = ("paff".parse().unwrap(), "neko".parse().unwrap());
        let (id, at, body) = (MessageId(id), Timestamp(0), body.parse().unwrap());
        Arc::new(Message { id, at, from, to, body })
    }

    /// Commits a message for each of these ids.
    fn commit(live: &LiveMessages, user: UserId, ids: impl IntoIterator<Item = i64>, body: &str) {
        for id in ids {
            let text = live.is_watched(user).then(|| message(id, body));
            live.extend(&[(user, MessageId(id))], text.into_iter().collect());
        }
    }

    fn after(watched: &LiveInbox, after: i64) -> Option<Vec<i64>> {
        let found = watched.after(MessageId(after), usize::MAX, usize::MAX)?;
        Some(found.iter().map(|message| message.id.0).collect())
    }

    #[test]
    fn what_came_since_the_watching_began_is_known_and_nothing_before() {
        let live = live();
        commit(&live, NEKO, [101], "hai");
        let watched = Arc::clone(&live).watch(NEKO);
        assert_eq!((after(&watched, 100), after(&watched, 101)), (None, Some(vec![])));
        commit(&live, IVY, [102], "hai");
        commit(&live, NEKO, [103, 104], "hai");
        assert_eq!(after(&watched, 101), Some(vec![103, 104]));
        // However long ago the last one was.
        assert_eq!(after(&watched, 103), Some(vec![104]));
        assert_eq!(after(&watched, i64::MAX), Some(vec![]));
    }

    #[test]
    fn text_that_was_not_told_makes_everything_before_it_unknown() {
        let live = live();
        let watched = Arc::clone(&live).watch(NEKO);
        commit(&live, NEKO, [101], "hai");
        let committed = [102, 103, 104].map(|id| (NEKO, MessageId(id)));
        live.extend(&committed, vec![message(102, "hai"), message(104, "hai")]);
        let known = [100, 101, 102, 103].map(|id| after(&watched, id));
        assert_eq!(known, [None, None, None, Some(vec![104])]);
    }

    #[test]
    fn oldest_are_dropped_where_there_are_too_many_or_too_long_ones() {
        let long = "x".repeat(LIVE_BYTES_MAX / 4);
        for (kept, body) in [(LIVE_MESSAGES_MAX as i64, "hai"), (4, &long)] {
            let live = live();
            let (neko, ivy) = (Arc::clone(&live).watch(NEKO), Arc::clone(&live).watch(IVY));
            commit(&live, IVY, [101], body);
            commit(&live, NEKO, 102..=101 + kept, body);
            assert_eq!(after(&ivy, 101), Some(vec![]));
            assert_eq!(
                (after(&ivy, 100), after(&neko, 102)),
                (None, Some((103..102 + kept).collect()))
            );
            commit(&live, NEKO, [102 + kept], body);
            assert_eq!((after(&neko, 101), after(&ivy, 101)), (None, Some(vec![])));
            assert_eq!(after(&neko, 102), Some((103..103 + kept).collect()));
            let state = live.lock();
            assert!(state.order.len() <= LIVE_MESSAGES_MAX && state.bytes <= LIVE_BYTES_MAX);
            assert_eq!(state.messages.len(), kept as usize);
        }
    }

    #[test]
    fn deleted_message_is_not_there_and_the_others_still_are() {
        let live = live();
        let watched = Arc::clone(&live).watch(NEKO);
        commit(&live, NEKO, 101..=103, "hai");
        live.remove(&[(NEKO, MessageId(102)), (IVY, MessageId(101))]);
        assert_eq!(after(&watched, 100), Some(vec![101, 103]));
        assert_eq!(live.lock().bytes, 6);
    }

    #[test]
    fn nothing_is_kept_for_who_is_not_watched_any_more() {
        let live = live();
        let (first, second) = (Arc::clone(&live).watch(NEKO), Arc::clone(&live).watch(NEKO));
        let other = Arc::clone(&live).watch(IVY);
        commit(&live, NEKO, [101, 102], "hai");
        commit(&live, IVY, [103], "hai");
        drop(first);
        assert_eq!(after(&second, 100), Some(vec![101, 102]));
        drop(second);
        assert!(!live.is_watched(NEKO) && live.is_watched(IVY));
        let state = live.lock();
        assert_eq!((state.messages.len(), state.order.len(), state.bytes), (1, 1, 3));
        drop(state);
        drop(other);
        assert_eq!(live.watched.load(Ordering::Relaxed), 0);
        commit(&live, NEKO, [104], "hai");
        assert_eq!(after(&Arc::clone(&live).watch(NEKO), 103), None);
    }

    #[test]
    fn forgotten_messages_are_unknown_and_what_comes_then_is_known() {
        let live = live();
        let watched = Arc::clone(&live).watch(NEKO);
        commit(&live, NEKO, [101], "hai");
        commit(&live, IVY, [102], "hai");
        live.forget();
        assert_eq!((after(&watched, 101), after(&watched, 102)), (None, Some(vec![])));
        commit(&live, NEKO, [103], "hai");
        assert_eq!(after(&watched, 102), Some(vec![103]));
        assert_eq!(live.lock().bytes, 3);
    }
}
