//! The monitor: metrics, health and a status page over HTTP, on a listener of its own. Its thread
//! reads the counters of the other layers on request; those layers do not depend on it.
//!
//! It serves the server's own machine or a trusted network: there is no authentication. Its output
//! contains no user names and no messages.

mod event_loop;
mod exposition;
mod history;
pub mod http;
mod readiness;
mod status;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

pub use http::Hosts;

use crate::log::Log;
use crate::server;
use crate::service::Service;
use crate::system::Waker;
use event_loop::EventLoop;

/// What the monitor reports on.
pub struct Sources {
    /// The service, which also gives access to the store.
    pub service: Arc<Service>,
    /// The server's metrics.
    pub server: Arc<server::Metrics>,
    /// The server log, whose queue is reported.
    pub log: Log,
}

/// A running monitor. Dropping it does not stop it; call [`Monitor::stop`].
pub struct Monitor {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<()>,
}

impl Monitor {
    /// Starts the monitor on `listener`. Blocks until the users and sessions were counted once.
    ///
    /// # Errors
    /// The listener has no address, the first count failed or took too long, or the system could
    /// not create the thread or an eventfd.
    pub fn start(listener: TcpListener, hosts: Hosts, sources: Sources) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stopping, ended) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let waker = Waker::new()?;
        let event_loop = EventLoop::new(
            listener,
            hosts,
            sources,
            Arc::clone(&stopping),
            Arc::clone(&ended),
            waker.clone(),
        )?;
        let thread =
            thread::Builder::new().name("monitor".to_owned()).spawn(move || event_loop.run())?;
        Ok(Self { address, stopping, ended, waker, thread })
    }

    /// The address of the listener, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reports the server as not ready from now on, because it is stopping.
    pub fn note_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Closes the listener and all connections, without waiting for any client.
    pub fn stop(self) {
        self.ended.store(true, Ordering::SeqCst);
        self.waker.wake();
        // A panic of the thread was already logged, and nothing is left to stop.
        let _ = self.thread.join();
    }
}
