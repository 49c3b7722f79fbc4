//! The open connections of a site, and the room for another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::activity::Activity;
use super::connection::{self, Arrived};
use super::site::{Crowd, Site};
use crate::server::Permit;

/// The open connections, in the order of their arrival.
#[derive(Default)]
pub(super) struct Connections {
    open: Mutex<Open>,
    /// The number of open connections.
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct Open {
    next: u64,
    by_arrival: BTreeMap<u64, Entry>,
}

struct Entry {
    activity: Arc<Activity>,
    task: AbortHandle,
    /// It counts the connection, until the entry is removed.
    _permit: Permit,
}

/// The place of a connection among the others. Dropping it frees the place.
struct Place {
    connections: Arc<Connections>,
    number: u64,
}

impl Connections {
    /// Serves a connection in a task of its own, if there is room.
    pub(super) fn take_in(
        self: &Arc<Self>,
        arrived: Arrived,
        site: &Arc<Site>,
        stop: &watch::Receiver<bool>,
    ) {
        let address = arrived.address.ip();
        let limited = (!address.to_canonical().is_loopback()).then_some(address);
        let admit = || site.admission.admit(limited);
        let Some(permit) = admit().or_else(|| self.make_room(site.crowd).then(admit).flatten())
        else {
            return;
        };
        let mut open = self.lock();
        let number = open.next;
        open.next += 1;
        let activity = Arc::<Activity>::default();
        let place = Place { connections: Arc::clone(self), number };
        let (site, stop, busy) = (Arc::clone(site), stop.clone(), Arc::clone(&activity));
        // The lock is held: the task's end waits for the entry.
        let task = tokio::spawn(async move {
            let _place = place;
            connection::serve(arrived, site, busy, stop).await;
        });
        let entry = Entry { activity, task: task.abort_handle(), _permit: permit };
        open.by_arrival.insert(number, entry);
        self.count.send_replace(open.by_arrival.len());
    }

    /// Ends one connection: the oldest without a request in progress, or else the oldest of all
    /// where that is allowed. Returns whether it did. Its place is free at once.
    fn make_room(&self, crowd: Crowd) -> bool {
        let mut open = self.lock();
        let idle = open.by_arrival.iter().find(|(_, entry)| !entry.activity.is_busy());
        let oldest = || open.by_arrival.keys().next().filter(|_| crowd == Crowd::ReplaceOldest);
        let Some(number) = idle.map(|(number, _)| number).or_else(oldest).copied() else {
            return false;
        };
        if let Some(entry) = open.by_arrival.remove(&number) {
            entry.task.abort();
        }
        true
    }

    /// Waits until there is no connection.
    pub(super) async fn wait_until_empty(&self) {
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.by_arrival.remove(&self.number);
        self.connections.count.send_replace(open.by_arrival.len());
    }
}
