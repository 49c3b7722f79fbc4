//! The monitor: what the server tells of itself over HTTP, on a listener of its own. A thread reads
//! what the other layers have counted, whenever somebody asks; none of them knows of it.
//!
//! It is for the machine that the server runs on, or for a network that is trusted: whoever reaches
//! it may read it. There are no names of users and no messages in it.

mod exposition;
mod history;
pub mod http;
mod listening;
mod process;
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
use listening::{Listening, Waker};

/// What is told of.
pub struct Sources {
    /// With the store beneath it.
    pub service: Arc<Service>,
    /// The server's counts.
    pub server: Arc<server::Measures>,
    /// Whose queue is told of.
    pub log: Log,
}

/// A running monitor. Dropping it does not stop it: see [`Monitor::stop`].
pub struct Monitor {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<()>,
}

impl Monitor {
    /// Starts to answer on `listener`.
    ///
    /// # Errors
    /// What the system says when it gives no thread, no address or no way to wake it.
    pub fn start(listener: TcpListener, hosts: Hosts, sources: Sources) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stopping, ended) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let waker = Waker::new()?;
        let listening = Listening::new(
            listener,
            hosts,
            sources,
            Arc::clone(&stopping),
            Arc::clone(&ended),
            waker.clone(),
        )?;
        let thread =
            thread::Builder::new().name("monitor".to_owned()).spawn(move || listening.run())?;
        Ok(Self { address, stopping, ended, waker, thread })
    }

    /// Where it answers, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it says that the server is not ready, because it stops.
    pub fn note_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Closes the listener and every connection, without waiting for any peer.
    pub fn stop(self) {
        self.ended.store(true, Ordering::SeqCst);
        self.waker.wake();
        // A panic of it has been logged, and there is nothing left to stop.
        let _ = self.thread.join();
    }
}
