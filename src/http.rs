//! Serving HTTP: a small runtime of its own, listeners, connections and their limits. HTTP/1.1 and
//! HTTP/2 are hyper's, TLS is rustls'. It knows no path and no rule of the service: a [`Site`] has
//! the routes. Nothing that may block runs on the runtime's threads.

mod activity;
mod answer;
mod connection;
mod connections;
mod hosts;
mod pace;
mod site;
mod traffic;
mod upgrade;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use connections::Connections;

pub use answer::text;
pub use hosts::Hosts;
pub use site::{Crowd, Peer, Site};
pub use traffic::Traffic;
pub use upgrade::{Upgrade, Wire};

/// How long accepting pauses when the system cannot accept another connection.
const BACK_OFF: Duration = Duration::from_millis(200);
/// The most threads for work that may block, such as counting open files.
const BLOCKING_THREADS_MAX: usize = 2;
/// How long the end waits for that work.
const END_WAIT: Duration = Duration::from_secs(1);

/// The runtime of all HTTP listeners. Without a listener there is none, and none of its threads.
pub struct HttpServer {
    runtime: Runtime,
}

/// A listener that is served.
pub struct Serving {
    address: SocketAddr,
    stopping: watch::Sender<bool>,
    connections: Arc<Connections>,
}

impl HttpServer {
    /// Starts a runtime with this number of threads.
    ///
    /// # Errors
    /// The system gives no thread or no poll.
    pub fn start(threads: usize) -> io::Result<Self> {
        let started = AtomicUsize::new(0);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name_fn(move || format!("http-{}", started.fetch_add(1, Ordering::Relaxed)))
            .enable_io()
            .enable_time()
            .build()?;
        Ok(Self { runtime })
    }

    /// Serves a site on a listener.
    ///
    /// # Errors
    /// The listener has no address, or cannot be polled.
    pub fn serve(&self, listener: TcpListener, site: Site) -> io::Result<Serving> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let _context = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (stopping, stop) = watch::channel(false);
        let connections = Arc::<Connections>::default();
        let accept = accept_all(listener, Arc::new(site), stop, Arc::clone(&connections));
        self.runtime.spawn(accept);
        Ok(Serving { address, stopping, connections })
    }

    /// Runs a task beside the connections, until the end.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// Waits until the connections of these listeners have ended, but no longer than `wait`. They
    /// end by themselves after [`Serving::stop`].
    pub fn wait<'a>(&self, served: impl Iterator<Item = &'a Serving>, wait: Duration) {
        let all = async {
            for serving in served {
                serving.connections.wait_until_empty().await;
            }
        };
        let _ = self.runtime.block_on(async { tokio::time::timeout(wait, all).await });
    }

    /// Closes all listeners and connections, without waiting for any client.
    pub fn close(self) {
        self.runtime.shutdown_timeout(END_WAIT);
    }
}

impl Serving {
    /// The address of the listener, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no further connection, and ends each one after its request in progress.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

async fn accept_all(
    listener: tokio::net::TcpListener,
    site: Arc<Site>,
    mut stop: watch::Receiver<bool>,
    connections: Arc<Connections>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = async { drop(stop.wait_for(|stopping| *stopping).await) } => return,
        };
        match accepted {
            Ok((stream, address)) => {
                let _ = stream.set_nodelay(true);
                let served = connection::Arrived { stream, address };
                connections.take_in(served, &site, &stop);
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                _ => {
                    tracing::debug!(%error, "an HTTP connection could not be accepted");
                    tokio::time::sleep(BACK_OFF).await;
                }
            },
        }
    }
}
