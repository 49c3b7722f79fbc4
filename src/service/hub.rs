//! The list of watchers. A hint tells a watcher that there may be new messages. The watcher then
//! reads the store after its last message. So the message log is the queue: hints may merge, come
//! late, or come without need.

use std::collections::HashMap;

use crate::model::{MailboxId, UserId};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The address of a watcher.
pub trait Hint {
    /// Tells the watcher to read again, as there may be new messages. Must not block.
    fn hint(&self);
}

/// The watchers, with an address of type `A` each.
pub(super) struct Hub<A> {
    watchers: Mutex<Watchers<A>>,
    /// The number of watchers. Without watchers, publishing costs one read of this.
    count: AtomicUsize,
    /// The number of streams that want each kind of [`News`]. Without any, an event costs one read of
    /// this.
    wanting: [AtomicUsize; News::COUNT],
}

/// What a stream can want beside the messages that its user receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// What its user sends.
    Sent,
    /// What its user has read.
    Read,
    /// Edits and deletions of what its user has sent.
    Changed,
}

impl News {
    const COUNT: usize = 3;
}

type Watchers<A> = HashMap<MailboxId, Vec<Arc<Registration<A>>>>;

struct Registration<A> {
    address: A,
    /// A hint was sent and the watcher has not read since.
    hinted: AtomicBool,
    /// Which [`News`] it wants.
    wants: [AtomicBool; News::COUNT],
}

/// A watcher's registration. Dropping it ends the registration.
pub(super) struct Subscription<A> {
    hub: Arc<Hub<A>>,
    user: MailboxId,
    /// The rooms under which it is registered, too.
    rooms: Mutex<Vec<MailboxId>>,
    registration: Arc<Registration<A>>,
}

impl<A> Default for Hub<A> {
    fn default() -> Self {
        let (count, wanting) = (AtomicUsize::new(0), std::array::from_fn(|_| AtomicUsize::new(0)));
        Self { watchers: Mutex::new(HashMap::new()), count, wanting }
    }
}

impl<A: Hint> Hub<A> {
    /// Registers a watcher. After this returns, every commit for `user` leads to a hint.
    pub(super) fn subscribe(self: &Arc<Self>, user: UserId, address: A) -> Subscription<A> {
        let registration = Arc::new(Registration {
            address,
            hinted: AtomicBool::new(false),
            wants: std::array::from_fn(|_| AtomicBool::new(false)),
        });
        let user = MailboxId::from(user);
        self.lock().entry(user).or_default().push(Arc::clone(&registration));
        self.count.fetch_add(1, Ordering::SeqCst);
        Subscription { hub: Arc::clone(self), user, rooms: Mutex::default(), registration }
    }

    /// The number of watchers.
    pub(super) fn watchers(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Sends a hint to all watchers of a mailbox. Call it after the commit.
    pub(super) fn publish(&self, mailbox: impl Into<MailboxId>) {
        // This fence pairs with the one in `rearm`: the watcher's read sees the commit, or this
        // sees the watcher. The atomics here alone do not order the reads of the store.
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        for registration in self.lock().get(&mailbox.into()).into_iter().flatten() {
            if !registration.hinted.swap(true, Ordering::SeqCst) {
                registration.address.hint();
            }
        }
    }

    /// Sends a hint to all watchers.
    pub(super) fn publish_all(&self) {
        fence(Ordering::SeqCst);
        for registration in self.lock().values().flatten() {
            if !registration.hinted.swap(true, Ordering::SeqCst) {
                registration.address.hint();
            }
        }
    }

    /// Whether any stream wants this.
    pub(super) fn is_wanted(&self, news: News) -> bool {
        self.wanting[news as usize].load(Ordering::SeqCst) > 0
    }

    /// Calls `tell` for each stream of `user` that wants this. It must not block.
    pub(super) fn push(&self, user: UserId, news: News, mut tell: impl FnMut(&A)) {
        for registration in self.lock().get(&user.into()).into_iter().flatten() {
            if registration.wants[news as usize].load(Ordering::SeqCst) {
                tell(&registration.address);
            }
        }
    }
}

/// Ends a registration under a mailbox.
fn end<A>(watchers: &mut Watchers<A>, mailbox: MailboxId, registration: &Arc<Registration<A>>) {
    if let Some(registrations) = watchers.get_mut(&mailbox) {
        registrations.retain(|other| !Arc::ptr_eq(other, registration));
        if registrations.is_empty() {
            watchers.remove(&mailbox);
        }
    }
}

impl<A> Hub<A> {
    fn lock(&self) -> MutexGuard<'_, Watchers<A>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Subscription<A> {
    /// Registers the watcher under these rooms, and no longer under others. After this returns, every
    /// commit for one of them leads to a hint.
    pub(super) fn follow(&self, rooms: impl Iterator<Item = MailboxId>) {
        let mut following = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let mut watchers = self.hub.lock();
        for room in following.drain(..) {
            end(&mut watchers, room, &self.registration);
        }
        following.extend(rooms);
        for &room in &*following {
            watchers.entry(room).or_default().push(Arc::clone(&self.registration));
        }
    }

    /// The address for hints and for the pages read after them.
    pub(super) fn address(&self) -> &A {
        &self.registration.address
    }

    /// Requests this, too.
    pub(super) fn want(&self, news: News) {
        if !self.registration.wants[news as usize].swap(true, Ordering::SeqCst) {
            self.hub.wanting[news as usize].fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Enables the next hint. Call it before a read, so that a commit after the read leads to a new
    /// hint.
    pub(super) fn rearm(&self) {
        self.registration.hinted.swap(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }
}

impl<A> Drop for Subscription<A> {
    fn drop(&mut self) {
        let rooms = self.rooms.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut watchers = self.hub.lock();
        for mailbox in std::iter::once(self.user).chain(rooms.drain(..)) {
            end(&mut watchers, mailbox, &self.registration);
        }
        drop(watchers);
        self.hub.count.fetch_sub(1, Ordering::SeqCst);
        for (wants, wanting) in self.registration.wants.iter().zip(&self.hub.wanting) {
            if wants.load(Ordering::SeqCst) {
                wanting.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Hint for Arc<AtomicUsize> {
        fn hint(&self) {
            self.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn watchers_of_the_user_are_hinted_once_until_they_read() {
        let (hub, hints) = (Arc::new(Hub::default()), Arc::new(AtomicUsize::default()));
        let watch = |user| hub.subscribe(UserId(user), hints.clone());
        let (first, second, _other) = (watch(1), watch(1), watch(2));
        hub.publish(UserId(1));
        hub.publish(UserId(1));
        assert_eq!(hints.load(Ordering::SeqCst), 2);
        first.rearm();
        hub.publish(UserId(1));
        assert_eq!(hints.load(Ordering::SeqCst), 3);
        let told = |user, news| {
            let mut told = 0;
            hub.push(UserId(user), news, |_| told += 1);
            (hub.is_wanted(news), told)
        };
        assert_eq!(told(1, News::Sent), (false, 0));
        second.want(News::Sent);
        second.want(News::Sent);
        assert_eq!((told(1, News::Sent), told(2, News::Sent)), ((true, 1), (true, 0)));
        assert_eq!(told(1, News::Read), (false, 0));
        first.want(News::Read);
        drop(second);
        assert_eq!((told(1, News::Sent), told(1, News::Read)), ((false, 0), (true, 1)));
        drop(first);
        assert_eq!(told(1, News::Read), (false, 0));
        hub.publish(UserId(1));
        assert_eq!(hints.load(Ordering::SeqCst), 3);
        assert_eq!(hub.lock().len(), 1);
    }
}
