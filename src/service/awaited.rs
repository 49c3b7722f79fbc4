//! The streams that wait for others to read messages. Whenever somebody reads, each stream that
//! waits for that user looks into the store once more: what it is told comes from there.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{MessageId, UserId};
use crate::store::FollowedReading;

/// All streams that wait, with an address of type `A` each.
pub(super) struct Awaited<A> {
    waiting: Mutex<Vec<Arc<Waiting<A>>>>,
    /// Their number. Without any, reading costs one look at this.
    count: AtomicUsize,
}

/// What one stream waits for.
pub(super) struct Waiting<A> {
    pub(super) address: A,
    /// The sender of the messages.
    pub(super) asker: UserId,
    state: Mutex<State>,
}

struct State {
    /// The messages that nobody has read.
    messages: Vec<MessageId>,
    /// Those who got them. `None` means anybody, until the store has told.
    readers: Option<HashSet<UserId>>,
    /// A look into the store is in progress, or the stream has not begun.
    is_looking: bool,
    /// Somebody has read since.
    looks_again: bool,
    /// What they read at other servers is told, too.
    followed: Vec<FollowedReading>,
}

/// A stream's place among those that wait. Dropping it ends that.
pub(super) struct Registered<A> {
    all: Arc<Awaited<A>>,
    waiting: Arc<Waiting<A>>,
}

impl<A> Default for Awaited<A> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), count: AtomicUsize::new(0) }
    }
}

impl<A> Awaited<A> {
    /// Registers a stream, which begins with [`Waiting::begin`].
    pub(super) fn register(
        self: &Arc<Self>,
        asker: UserId,
        messages: Vec<MessageId>,
        address: A,
    ) -> Registered<A> {
        let state = State {
            messages,
            readers: None,
            is_looking: true,
            looks_again: false,
            followed: Vec::new(),
        };
        let waiting = Arc::new(Waiting { address, asker, state: Mutex::new(state) });
        self.lock().push(Arc::clone(&waiting));
        self.count.fetch_add(1, Ordering::SeqCst);
        Registered { all: Arc::clone(self), waiting }
    }

    /// Whether any stream waits.
    pub(super) fn has_any(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    /// The streams that wait for this user; all, if it may be anybody.
    pub(super) fn of(&self, reader: Option<UserId>) -> Vec<Arc<Waiting<A>>> {
        if !self.has_any() {
            return Vec::new();
        }
        let is_awaited = |waiting: &&Arc<Waiting<A>>| match (reader, &waiting.lock().readers) {
            (Some(reader), Some(readers)) => readers.contains(&reader),
            _ => true,
        };
        self.lock().iter().filter(is_awaited).cloned().collect()
    }

    /// No statement leaves these values half changed when it panics.
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Waiting<A>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Registered<A> {
    pub(super) fn waiting(&self) -> &Arc<Waiting<A>> {
        &self.waiting
    }
}

impl<A> Drop for Registered<A> {
    fn drop(&mut self) {
        self.all.lock().retain(|other| !Arc::ptr_eq(other, &self.waiting));
        self.all.count.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<A> Waiting<A> {
    /// Learns whose reading matters. `followed` tells of what they read at other servers.
    pub(super) fn await_only(&self, readers: &[UserId], followed: Vec<FollowedReading>) {
        let mut state = self.lock();
        state.readers = Some(readers.iter().copied().collect());
        state.followed = followed;
    }

    /// The stream has begun. The first look comes after this.
    pub(super) fn begin(&self) {
        self.lock().is_looking = false;
    }

    /// The messages to look for; `None` if there are none, or a look is in progress. That one is
    /// repeated then.
    pub(super) fn begin_look(&self) -> Option<Vec<MessageId>> {
        let mut state = self.lock();
        if state.is_looking || state.messages.is_empty() {
            state.looks_again = true;
            return None;
        }
        (state.is_looking, state.looks_again) = (true, false);
        Some(state.messages.clone())
    }

    /// Ends a look, which has found that these were read. Returns whether to look again.
    pub(super) fn end_look(&self, read: &[MessageId]) -> bool {
        let mut state = self.lock();
        state.messages.retain(|message| !read.contains(message));
        state.is_looking = false;
        state.looks_again
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_looks_once_for_all_that_was_read_meanwhile() {
        let all = Arc::<Awaited<&str>>::default();
        let (neko, paff) = (UserId(1), UserId(2));
        let registered = all.register(paff, vec![MessageId(1), MessageId(2)], "stream");
        let waiting = registered.waiting();
        assert_eq!(all.of(Some(neko)).len(), 1, "it may be anybody");
        assert_eq!(waiting.begin_look(), None, "the stream has not begun");
        waiting.await_only(&[neko], Vec::new());
        assert_eq!((all.of(Some(neko)).len(), all.of(Some(paff)).len()), (1, 0));
        assert_eq!(all.of(None).len(), 1);
        waiting.begin();
        assert_eq!(waiting.begin_look(), Some(vec![MessageId(1), MessageId(2)]));
        assert_eq!(waiting.begin_look(), None);
        assert!(waiting.end_look(&[MessageId(1)]), "somebody has read meanwhile");
        assert_eq!(waiting.begin_look(), Some(vec![MessageId(2)]));
        assert!(!waiting.end_look(&[MessageId(2)]));
        assert_eq!(waiting.begin_look(), None, "nothing is left");
        drop(registered);
        assert!(!all.has_any() && all.of(None).is_empty());
    }
}
