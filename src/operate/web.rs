//! HTTP beside the line protocol: `--http` and `--metrics`. It is a feature of the build; without
//! it the options are refused, and this does nothing.

#[cfg(feature = "http")]
mod running;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Instant;

use super::address::ListenOn;
use super::arguments::ServeArguments;
use super::failure::{Exit, Failure};
use super::listen;
use super::reload::Limits;
use crate::catalogue::serve as texts;
use crate::log::Log;
use crate::server::{Identity, Metrics};
use crate::service::Service;

/// The sockets for HTTP.
pub(super) struct Bound {
    /// Each with the certificate of its connections, if they use TLS.
    http: Vec<(TcpListener, Option<Arc<Identity>>)>,
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
    pub(super) limits: &'a Limits,
    pub(super) service: &'a Arc<Service>,
    pub(super) server: Arc<Metrics>,
    /// The certificate, if there is one.
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) log: &'a Log,
}

/// Where HTTP is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) address: SocketAddr,
    pub(super) is_encrypted: bool,
}

impl Url {
    /// The protocol, as the server log names it.
    pub(super) fn protocol(&self) -> &'static str {
        if self.is_encrypted { "https" } else { "http" }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}/", self.protocol(), self.address)
    }
}

impl Bound {
    /// Binds the addresses.
    pub(super) fn new(
        arguments: &ServeArguments,
        identity: Option<&Arc<Identity>>,
    ) -> Result<Self, Failure> {
        let metrics = arguments.metrics.as_ref();
        let metrics = metrics.map(|listen| listen::bind(listen, "--metrics")).transpose()?;
        let bind = |listen: &ListenOn| match (listen, identity) {
            (ListenOn::Plain(listen), _) => Ok((listen::bind(listen, "--http")?, None)),
            (ListenOn::Tls(listen), Some(identity)) => {
                Ok((listen::bind(listen, "--http")?, Some(Arc::clone(identity))))
            }
            // The parser and `listen::check` refuse these.
            (ListenOn::Tls(_) | ListenOn::Unix(_), _) => {
                Err(Failure::new(Exit::Internal, texts::no_http_there()))
            }
        };
        let http = arguments.http.iter().map(bind).collect::<Result<_, _>>()?;
        Ok(Self { http, metrics })
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
    pub(super) fn metrics(&self) -> Option<Url> {
        self.running.as_ref().and_then(running::Running::metrics)
    }

    /// The addresses for users.
    pub(super) fn http(&self) -> Vec<Url> {
        self.running.as_ref().map(running::Running::http).unwrap_or_default()
    }

    /// The server is stopping: streams end, and connections after their request in progress.
    pub(super) fn stop(&self) {
        self.running.iter().for_each(running::Running::stop);
    }

    /// Waits until the connections for users have ended, but no longer than until `deadline`.
    pub(super) fn wait(&self, deadline: Instant) {
        self.running.iter().for_each(|running| running.wait(deadline));
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
        let _ = (bound.http, bound.metrics, parts.arguments, parts.limits);
        let _ = (parts.service, &parts.server, &parts.identity, parts.log);
        Ok(Self {})
    }

    pub(super) fn metrics(&self) -> Option<Url> {
        None
    }

    pub(super) fn http(&self) -> Vec<Url> {
        Vec::new()
    }

    pub(super) fn stop(&self) {}

    pub(super) fn wait(&self, _: Instant) {}

    pub(super) fn close(self) {}
}
