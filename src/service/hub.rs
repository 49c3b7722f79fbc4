//! The list of watchers. A hint tells a watcher that there may be new messages. The watcher then
//! reads the store after its last message. So the message log is the queue: hints may merge, come
//! late, or come without need.

use std::collections::HashMap;

use super::{Deliver, Ticket};
use crate::model::UserId;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub(super) struct Hub {
    watchers: Mutex<HashMap<UserId, Vec<Arc<Registration>>>>,
    /// The number of watchers. Without watchers, publishing costs one read of this.
    count: AtomicUsize,
    /// How many of them are told what their user sends: where none is, a send costs a look at this.
    told_of_sent: AtomicUsize,
}

struct Registration {
    deliver: Arc<dyn Deliver>,
    ticket: Ticket,
    /// A hint was sent and the watcher has not read since.
    hinted: AtomicBool,
    /// It is told what its user sends.
    is_told_of_sent: AtomicBool,
}

/// A watcher's registration. Dropping it ends the registration.
pub(super) struct Subscription {
    hub: Arc<Hub>,
    user: UserId,
    registration: Arc<Registration>,
}

impl Hub {
    /// Registers a watcher. After this returns, every commit for `user` leads to a hint.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        user: UserId,
        deliver: Arc<dyn Deliver>,
        ticket: Ticket,
    ) -> Subscription {
        let registration = Arc::new(Registration {
            deliver,
            ticket,
            hinted: AtomicBool::new(false),
            is_told_of_sent: AtomicBool::new(false),
        });
        self.lock().entry(user).or_default().push(Arc::clone(&registration));
        self.count.fetch_add(1, Ordering::SeqCst);
        Subscription { hub: Arc::clone(self), user, registration }
    }

    /// The number of watchers.
    pub(super) fn watchers(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Sends a hint to all watchers of `user`. Call it after the commit.
    pub(super) fn publish(&self, user: UserId) {
        // This fence pairs with the one in `rearm`: the watcher's read sees the commit, or this
        // sees the watcher. The atomics here alone do not order the reads of the store.
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        for registration in self.lock().get(&user).into_iter().flatten() {
            if !registration.hinted.swap(true, Ordering::SeqCst) {
                registration.deliver.hint(registration.ticket);
            }
        }
    }

    /// Whether any stream asks for what its user sends.
    pub(super) fn tells_of_sent(&self) -> bool {
        self.told_of_sent.load(Ordering::SeqCst) > 0
    }

    /// Calls `tell` for each stream that asks for what `sender` sends. It must not block.
    pub(super) fn tell_of_sent(&self, sender: UserId, mut tell: impl FnMut(&dyn Deliver, Ticket)) {
        for registration in self.lock().get(&sender).into_iter().flatten() {
            if registration.is_told_of_sent.load(Ordering::SeqCst) {
                tell(registration.deliver.as_ref(), registration.ticket);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Vec<Arc<Registration>>>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// The address for hints and for the pages read after them.
    pub(super) fn reply_address(&self) -> (Arc<dyn Deliver>, Ticket) {
        (Arc::clone(&self.registration.deliver), self.registration.ticket)
    }

    /// From now on the stream gets what its user sends.
    pub(super) fn be_told_of_sent(&self) {
        if !self.registration.is_told_of_sent.swap(true, Ordering::SeqCst) {
            self.hub.told_of_sent.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Enables the next hint. Call it before a read, so that a commit after the read leads to a new
    /// hint.
    pub(super) fn rearm(&self) {
        self.registration.hinted.swap(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut watchers = self.hub.lock();
        if let Some(registrations) = watchers.get_mut(&self.user) {
            registrations.retain(|registration| !Arc::ptr_eq(registration, &self.registration));
            if registrations.is_empty() {
                watchers.remove(&self.user);
            }
        }
        self.hub.count.fetch_sub(1, Ordering::SeqCst);
        if self.registration.is_told_of_sent.load(Ordering::SeqCst) {
            self.hub.told_of_sent.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Outcome;

    #[derive(Default)]
    struct Hints(AtomicUsize);

    impl Deliver for Hints {
        fn deliver(&self, _: Ticket, _: Outcome) {}

        fn attach_session(&self, _: Ticket, _: Arc<crate::service::LiveSession>) {}

        fn hint(&self, _: Ticket) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn watchers_of_the_user_are_hinted_once_until_they_read() {
        let (hub, hints) = (Arc::new(Hub::default()), Arc::new(Hints::default()));
        let ticket = Ticket { connection: 0, generation: 0, sequence: 0 };
        let watch = |user| hub.subscribe(UserId(user), hints.clone(), ticket);
        let (first, second, _other) = (watch(1), watch(1), watch(2));
        hub.publish(UserId(1));
        hub.publish(UserId(1));
        assert_eq!(hints.0.load(Ordering::SeqCst), 2);
        first.rearm();
        hub.publish(UserId(1));
        assert_eq!(hints.0.load(Ordering::SeqCst), 3);
        let told = |user| {
            let mut told = 0;
            hub.tell_of_sent(UserId(user), |_, _| told += 1);
            (hub.tells_of_sent(), told)
        };
        assert_eq!(told(1), (false, 0));
        second.be_told_of_sent();
        second.be_told_of_sent();
        assert_eq!((told(1), told(2)), ((true, 1), (true, 0)));
        drop((first, second));
        assert_eq!(told(1), (false, 0));
        hub.publish(UserId(1));
        assert_eq!(hints.0.load(Ordering::SeqCst), 3);
        assert_eq!(hub.lock().len(), 1);
    }
}
