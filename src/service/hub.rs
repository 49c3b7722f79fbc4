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
    /// The number of streams that want what their user sends. Without any, a send costs one read of
    /// this.
    wanting_sent: AtomicUsize,
}

type Watchers<A> = HashMap<MailboxId, Vec<Arc<Registration<A>>>>;

struct Registration<A> {
    address: A,
    /// A hint was sent and the watcher has not read since.
    hinted: AtomicBool,
    /// It wants what its user sends.
    wants_sent: AtomicBool,
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
        let (count, wanting_sent) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { watchers: Mutex::new(HashMap::new()), count, wanting_sent }
    }
}

impl<A: Hint> Hub<A> {
    /// Registers a watcher. After this returns, every commit for `user` leads to a hint.
    pub(super) fn subscribe(self: &Arc<Self>, user: UserId, address: A) -> Subscription<A> {
        let registration = Arc::new(Registration {
            address,
            hinted: AtomicBool::new(false),
            wants_sent: AtomicBool::new(false),
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

    /// Whether any stream asks for what its user sends.
    pub(super) fn is_sent_wanted(&self) -> bool {
        self.wanting_sent.load(Ordering::SeqCst) > 0
    }

    /// Calls `tell` for each stream that asks for what `sender` sends. It must not block.
    pub(super) fn push_sent(&self, sender: UserId, mut tell: impl FnMut(&A)) {
        for registration in self.lock().get(&sender.into()).into_iter().flatten() {
            if registration.wants_sent.load(Ordering::SeqCst) {
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

    /// Requests what the stream's user sends.
    pub(super) fn want_sent(&self) {
        if !self.registration.wants_sent.swap(true, Ordering::SeqCst) {
            self.hub.wanting_sent.fetch_add(1, Ordering::SeqCst);
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
        if self.registration.wants_sent.load(Ordering::SeqCst) {
            self.hub.wanting_sent.fetch_sub(1, Ordering::SeqCst);
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
        let told = |user| {
            let mut told = 0;
            hub.push_sent(UserId(user), |_| told += 1);
            (hub.is_sent_wanted(), told)
        };
        assert_eq!(told(1), (false, 0));
        second.want_sent();
        second.want_sent();
        assert_eq!((told(1), told(2)), ((true, 1), (true, 0)));
        drop((first, second));
        assert_eq!(told(1), (false, 0));
        hub.publish(UserId(1));
        assert_eq!(hints.load(Ordering::SeqCst), 3);
        assert_eq!(hub.lock().len(), 1);
    }
}
