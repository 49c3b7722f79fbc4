//! The server: sockets and the threads that wait on them. What the bytes mean is `protocol`'s
//! business, and what is done about it `service`'s.

mod acceptor;
mod administration;
mod admission;
mod close;
pub mod connection;
mod encryption;
mod identity;
mod listener;
mod mailbox;
mod metrics;
mod owner;
mod proxies;
mod return_predictor;
mod socket;
mod stream;
mod worker;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::adjustable::Adjustable;
use crate::service::Service;
use acceptor::Acceptor;
use admission::Admission;
use mailbox::Mailbox;
use worker::Worker;

pub use administration::{Administration, Stopping};
pub use close::CloseReason;
pub use connection::{CONNECTION_BYTES_MAX, STRANGER_BYTES_MAX};
pub use identity::{Identity, IdentityError, Shown};
pub use listener::{Listener, Place, UnixSocket};
pub use metrics::{ConnectionState, Metrics, RequestResult};
pub use owner::of_connection as owner_of_connection;
pub use proxies::{Proxies, Subnet};

/// How long a stop waits for answers that are under way and for their readers.
pub const STOP_WAIT: Duration = Duration::from_secs(10);

/// How the server treats connections. What is adjustable counts from the next connection, request or
/// stream on.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many threads share the connections: at least 1.
    pub workers: usize,
    /// The most connections at a time.
    pub connections_max: Adjustable<usize>,
    /// The most connections at a time from one address that is not this machine's own.
    pub connections_per_address_max: Adjustable<usize>,
    /// Whose connections begin with a header that says who has connected.
    pub proxies: Proxies,
    /// After how long without anything else a stream is sent a sign of life.
    pub heartbeat: Adjustable<Duration>,
    /// From how long on a request is slow: it is counted as such, and logged.
    pub slow_request: Adjustable<Duration>,
}

/// A running server. Dropping it does not stop it: see [`Server::stop`].
pub struct Server {
    places: Vec<Place>,
    metrics: Arc<Metrics>,
    acceptor: Acceptor,
    workers: Vec<(Arc<Mailbox>, JoinHandle<()>)>,
}

impl Server {
    /// Starts to serve `service` on the listeners.
    ///
    /// # Errors
    /// What the system says when it gives no thread, no poll or no address.
    pub fn start(
        listeners: Vec<Listener>,
        service: &Arc<Service>,
        options: &Options,
    ) -> io::Result<Self> {
        let places = listeners.iter().map(Listener::place).collect::<Result<_, _>>()?;
        let metrics = Arc::new(Metrics::new(options.workers));
        let mut workers = Vec::with_capacity(options.workers);
        for (index, counted) in metrics.workers.iter().enumerate() {
            workers.push(Worker::start(index, Arc::clone(service), options, Arc::clone(counted))?);
        }
        let admission = Admission::new(
            options.connections_max.clone(),
            options.connections_per_address_max.clone(),
        );
        let mailboxes = workers.iter().map(|(mailbox, _)| Arc::clone(mailbox)).collect();
        let acceptor = Acceptor::start(
            listeners,
            admission,
            options.proxies.clone(),
            mailboxes,
            Arc::clone(&metrics),
        )?;
        Ok(Self { places, metrics, acceptor, workers })
    }

    /// Where it listens, with the ports that the system chose.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// What is counted since the start; it can be read after the stop, too.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Accepts no connection and executes no request any more, lets what has been executed be
    /// answered (for up to [`STOP_WAIT`]), and closes every connection. Blocks until that is done.
    pub fn stop(self) {
        self.acceptor.stop();
        let deadline = Instant::now() + STOP_WAIT;
        for (mailbox, _) in &self.workers {
            mailbox.stop(deadline);
        }
        for (_, thread) in self.workers {
            // A worker that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}
