//! The server: sockets and the threads that wait for them. The `protocol` module decodes the bytes,
//! and the `service` module executes the requests.

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
mod peer;
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
use mailbox::Mailbox;
use worker::Worker;

pub use administration::{Administration, Stopping};
pub use admission::{Admission, Full, Permit};
pub use close::CloseReason;
pub use connection::{CONNECTION_BYTES_MAX, STRANGER_BYTES_MAX};
pub use identity::{Identity, IdentityError, Shown};
pub use listener::{Listener, Place, UnixSocket};
pub use metrics::{ConnectionState, Metrics, RequestResult};
pub use proxies::{Proxies, Subnet};

/// How long a stop waits for replies in progress and for their readers.
pub const STOP_WAIT: Duration = Duration::from_secs(10);

/// Settings of the server. A change applies from the next connection, request or stream.
#[derive(Debug, Clone)]
pub struct Options {
    /// The number of worker threads: at least 1.
    pub workers: usize,
    /// The maximum number of connections.
    pub connections_max: Adjustable<usize>,
    /// The maximum number of connections from one address that is not loopback.
    pub connections_per_address_max: Adjustable<usize>,
    /// The proxies whose connections begin with a header that names the client's address.
    pub proxies: Proxies,
    /// How long a stream may be silent before the server sends a heartbeat.
    pub heartbeat: Adjustable<Duration>,
    /// Requests that take this long or longer are counted as slow and logged.
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

    /// The addresses it listens on, with the ports that the system chose.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The metrics since the start. They can be read after the stop too.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Stops accepting connections and executing requests, completes requests in progress for up to
    /// [`STOP_WAIT`], and closes all connections. Blocks until then.
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
