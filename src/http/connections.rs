//! The open connections of a site, and the room for another.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::activity::Activity;
use super::connection::{self, Arrived};
use super::site::{Crowd, Site};
use crate::server::{Full, Permit};

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
    /// The address whose connections are limited.
    limited: Option<IpAddr>,
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
        let admit = || site.admission.try_admit(limited);
        let permit = admit().or_else(|full| {
            let of = limited.filter(|_| full == Full::OfAddress);
            if self.make_room(site.crowd, of) { admit() } else { Err(full) }
        });
        let Ok(permit) = permit else { return };
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
        let entry = Entry { limited, activity, task: task.abort_handle(), _permit: permit };
        open.by_arrival.insert(number, entry);
        self.count.send_replace(open.by_arrival.len());
    }

    /// Ends one connection: the oldest without a request in progress, or else the oldest of all
    /// where that is allowed; of this address, if one is given. Returns whether it did. Its place is
    /// free at once.
    fn make_room(&self, crowd: Crowd, of: Option<IpAddr>) -> bool {
        let mut open = self.lock();
        let may_end = |entry: &Entry| of.is_none() || entry.limited == of;
        let mut oldest = open.by_arrival.iter().filter(|(_, entry)| may_end(entry));
        let first = oldest.clone().next().filter(|_| crowd == Crowd::ReplaceOldest);
        let idle = oldest.find(|(_, entry)| !entry.activity.is_busy());
        let Some(number) = idle.or(first).map(|(number, _)| *number) else { return false };
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

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use axum::Router;

    use super::*;
    use crate::http::Hosts;
    use crate::server::Admission;

    const NEAR: [u8; 4] = [192, 0, 2, 1];
    const FAR: [u8; 4] = [192, 0, 2, 2];

    /// Connections from these addresses come, one after the other. Returns the addresses of those
    /// that are left.
    fn left(max: usize, per_address_max: usize, from: &[[u8; 4]]) -> Vec<IpAddr> {
        let site = Arc::new(Site {
            router: Router::new(),
            hosts: Hosts::default(),
            refusal: |_, _| unreachable!("nothing is requested"),
            traffic: None,
            identity: None,
            admission: Admission::new(max.into(), per_address_max.into()),
            crowd: Crowd::Refuse,
        });
        let connections = Arc::<Connections>::default();
        let (_stopping, stop) = watch::channel(false);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Nothing waits in here, so no connection's task runs, and none ends by itself.
        runtime.block_on(async {
            for &address in from {
                let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                let (stream, _) = listener.accept().unwrap();
                stream.set_nonblocking(true).unwrap();
                let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                let address = SocketAddr::from((address, 5000));
                connections.take_in(Arrived { stream, address }, &site, &stop);
            }
            let open = connections.lock();
            open.by_arrival.values().map(|entry| entry.limited.unwrap()).collect()
        })
    }

    #[test]
    fn address_at_its_limit_ends_its_own_idle_connections_and_no_others() {
        let (near, far) = (IpAddr::from(NEAR), IpAddr::from(FAR));
        assert_eq!(left(9, 2, &[NEAR, FAR, FAR, FAR, FAR, FAR]), [near, far, far]);
    }

    #[test]
    fn oldest_idle_connection_makes_room_when_all_places_are_taken() {
        assert_eq!(left(2, 2, &[NEAR, FAR, FAR]), [IpAddr::from(FAR); 2]);
    }
}
