//! HTTP beside the line protocol: `--metrics`. It is a feature of the build; without it the options
//! are refused, and this does nothing.

#[cfg(feature = "http")]
mod running;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::arguments::ServeArguments;
use super::failure::Failure;
use super::listen;
use crate::log::Log;
use crate::server::Metrics;
use crate::service::Service;

/// The sockets for HTTP.
pub(super) struct Bound {
    metrics: Option<TcpListener>,
}

/// What serves HTTP, if anything does.
pub(super) struct Web {
    #[cfg(feature = "http")]
    running: Option<running::Running>,
}

/// What HTTP is about.
pub(super) struct Parts<'a> {
    pub(super) arguments: &'a ServeArguments,
    pub(super) service: &'a Arc<Service>,
    pub(super) server: Arc<Metrics>,
    pub(super) log: &'a Log,
}

/// Refuses the options of HTTP where this program was built without it.
#[cfg(not(feature = "http"))]
pub(super) fn check(arguments: &ServeArguments) -> Result<(), Failure> {
    use super::failure::Exit;
    use crate::catalogue::serve as texts;

    match arguments.metrics {
        None => Ok(()),
        Some(_) => Err(Failure::new(Exit::Configuration, texts::no_http("--metrics"))
            .hint(texts::build_http_in())),
    }
}

impl Bound {
    /// Binds the addresses.
    pub(super) fn new(arguments: &ServeArguments) -> Result<Self, Failure> {
        let metrics = arguments.metrics.as_ref();
        let metrics = metrics.map(|listen| listen::bind(listen, "--metrics")).transpose()?;
        Ok(Self { metrics })
    }
}

#[cfg(feature = "http")]
impl Web {
    /// Serves HTTP on the bound sockets. Without any, no thread is started.
    ///
    /// # Errors
    /// A thread cannot be started, or the users and sessions cannot be counted.
    pub(super) fn start(bound: Bound, parts: &Parts<'_>) -> io::Result<Self> {
        Ok(Self { running: running::Running::start(bound, parts)? })
    }

    /// The address of the monitor.
    pub(super) fn metrics(&self) -> Option<SocketAddr> {
        self.running.as_ref().and_then(running::Running::metrics)
    }

    /// The server is stopping.
    pub(super) fn note_stop(&self) {
        self.running.iter().for_each(running::Running::note_stop);
    }

    /// Ends it, without waiting for any client.
    pub(super) fn close(self) {
        self.running.into_iter().for_each(running::Running::close);
    }
}

#[cfg(not(feature = "http"))]
impl Web {
    /// `check` lets no socket come here.
    pub(super) fn start(bound: Bound, parts: &Parts<'_>) -> io::Result<Self> {
        let _ = (bound.metrics, parts.arguments, parts.service, &parts.server, parts.log);
        Ok(Self {})
    }

    pub(super) fn metrics(&self) -> Option<SocketAddr> {
        None
    }

    pub(super) fn note_stop(&self) {}

    pub(super) fn close(self) {}
}
