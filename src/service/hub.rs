//! Who is watching. A wake-up is only a hint that there may be something new: the watcher reads
//! from the store after what it has seen, so the log is the queue, and a hint can be dropped into
//! another, come late, or come for nothing without harm.

use std::collections::HashMap;

use super::{Deliver, Ticket};
use crate::model::UserId;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub(super) struct Hub {
    watchers: Mutex<HashMap<UserId, Vec<Arc<Registration>>>>,
    /// How many there are: where nobody watches, publishing costs a look at this.
    count: AtomicUsize,
}

struct Registration {
    deliver: Arc<dyn Deliver>,
    ticket: Ticket,
    /// A hint is on its way already.
    hinted: AtomicBool,
}

/// A registration among the watchers of a user, given back when it is dropped.
pub(super) struct Subscription {
    hub: Arc<Hub>,
    user: UserId,
    registration: Arc<Registration>,
}

impl Hub {
    /// From when this returns on, whatever is committed for `user` leads to a hint.
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

    /// How many watch.
    pub(super) fn watchers(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Hints to all who watch `user`. To be called after the commit.
    pub(super) fn publish(&self, user: UserId) {
        // With the one in `rearm`: either the watcher's read sees the commit, or this sees the
        // watcher. The order of what is done here says nothing of what is read from the store.
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
    /// Where hints, and what is read upon them, go.
    pub(super) fn reply_address(&self) -> (Arc<dyn Deliver>, Ticket) {
        (Arc::clone(&self.registration.deliver), self.registration.ticket)
    }

    /// From here on a new hint is given. To be called before reading: what is committed after the
    /// reading began is hinted at again.
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
