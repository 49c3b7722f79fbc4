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
}

struct Registration {
    deliver: Arc<dyn Deliver>,
    ticket: Ticket,
    /// A hint was sent and the watcher has not read since.
    hinted: AtomicBool,
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
        let registration =
            Arc::new(Registration { deliver, ticket, hinted: AtomicBool::new(false) });
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

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Vec<Arc<Registration>>>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// The address for hints and for the pages read after them.
    pub(super) fn reply_address(&self) -> (Arc<dyn Deliver>, Ticket) {
        (Arc::clone(&self.registration.deliver), self.registration.ticket)
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
        drop((first, second));
        hub.publish(UserId(1));
        assert_eq!(hints.0.load(Ordering::SeqCst), 3);
        assert_eq!(hub.lock().len(), 1);
    }
}
