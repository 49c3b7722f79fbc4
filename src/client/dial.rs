//! Makes connections to a service, with everything that they need: the addresses of its servers, and
//! whom to trust.

use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustls::ClientConfig;

use super::address::{Host, ServerAddress};
use super::connection::{Connection, HandshakeError};
use super::failure::{Failure, NoAnswer, TlsProblem};
use super::servers::Servers;
use super::trust::TrustPolicy;

/// Makes connections to a service. Clones share the TLS configuration. Each clone remembers for
/// itself which server it uses.
#[derive(Debug, Clone)]
pub struct Dialer {
    inner: Arc<Inner>,
    /// The index of the server that is used, or tried first.
    current: Cell<usize>,
}

#[derive(Debug)]
struct Inner {
    servers: Servers,
    /// The file of trusted authorities, instead of the system's.
    authorities: Option<PathBuf>,
    /// One for each server, loaded for its first connection with TLS.
    configs: Vec<OnceLock<Arc<ClientConfig>>>,
}

impl Dialer {
    /// A dialer for `servers`. The file `authorities` is read only for TLS.
    pub fn new(servers: Servers, authorities: Option<PathBuf>) -> Self {
        let configs = servers.addresses().iter().map(|_| OnceLock::new()).collect();
        let inner = Inner { servers, authorities, configs };
        Self { inner: Arc::new(inner), current: Cell::new(0) }
    }

    /// The service's servers.
    pub fn servers(&self) -> &Servers {
        &self.inner.servers
    }

    /// The address of the server that was reached last; before the first connection, that of the
    /// first one.
    pub fn address(&self) -> &ServerAddress {
        &self.servers().addresses()[self.current.get()]
    }

    /// Tries another server first from now on, if there is one: the current one does not do.
    pub fn leave(&self) {
        self.current.set((self.current.get() + 1) % self.servers().addresses().len());
    }

    /// A new connection, ready for requests, to the first server that can be reached: the current
    /// one, or those after it. Each gets an equal part of the time. Blocks until `deadline` at the
    /// longest, plus the time that the resolver takes.
    ///
    /// # Errors
    /// No server can be reached, or one of them is not to be trusted.
    pub fn dial(&self, deadline: Instant) -> Result<Connection, Failure> {
        let mut problems = Vec::new();
        let count = self.servers().addresses().len();
        for left in (1..=count).rev() {
            match self.dial_current(part(deadline, left)) {
                Err(Failure::NoAnswer(NoAnswer::Unreachable { source, .. })) => {
                    problems.push((self.address().clone(), source));
                    self.leave();
                }
                answer => return answer,
            }
        }
        Err(unreachable(self.servers(), problems).into())
    }

    fn dial_current(&self, deadline: Instant) -> Result<Connection, Failure> {
        let address = self.address();
        let unreachable =
            |source| NoAnswer::Unreachable { servers: address.clone().into(), source };
        match address {
            ServerAddress::Plain(host) => {
                Ok(Connection::open(host, deadline).map_err(unreachable)?)
            }
            ServerAddress::Unix(path) => {
                Ok(Connection::open_unix(path, deadline).map_err(unreachable)?)
            }
            ServerAddress::Tls(host) => {
                // Load the trust policy first: without one, nothing is to be sent.
                let config = self.config(host)?;
                let connection = Connection::open(host, deadline).map_err(unreachable)?;
                let secured = connection.secure(config, host, deadline);
                secured.map_err(|error| tls_failure(address, error))
            }
        }
    }

    fn config(&self, host: &Host) -> Result<Arc<ClientConfig>, Failure> {
        let loaded = &self.inner.configs[self.current.get()];
        if let Some(config) = loaded.get() {
            return Ok(Arc::clone(config));
        }
        let policy = TrustPolicy::for_host(host, self.inner.authorities.as_deref())?;
        let config = policy.into_config(host)?;
        Ok(Arc::clone(loaded.get_or_init(|| config)))
    }
}

/// The end of the first of `parts` equal parts of the time until `deadline`.
pub fn part(deadline: Instant, parts: usize) -> Instant {
    let now = Instant::now();
    match u32::try_from(parts) {
        Ok(parts @ 2..) => now + deadline.saturating_duration_since(now) / parts,
        _ => deadline,
    }
}

/// The failure of all servers. If one of them did not answer in time, that is its kind: a later
/// attempt may succeed.
fn unreachable(servers: &Servers, mut problems: Vec<(ServerAddress, io::Error)>) -> NoAnswer {
    let servers = servers.clone();
    if problems.len() == 1
        && let Some((_, source)) = problems.pop()
    {
        return NoAnswer::Unreachable { servers, source };
    }
    let has_timed_out =
        problems.iter().any(|(_, problem)| problem.kind() == io::ErrorKind::TimedOut);
    let kind = if has_timed_out { io::ErrorKind::TimedOut } else { io::ErrorKind::Other };
    let texts: Vec<String> =
        problems.iter().map(|(address, problem)| format!("{address}: {problem}")).collect();
    NoAnswer::Unreachable { servers, source: io::Error::new(kind, texts.join("; ")) }
}

/// The failure for a handshake with `address`.
pub fn tls_failure(address: &ServerAddress, error: HandshakeError) -> Failure {
    let address = address.clone();
    let problem = match error {
        HandshakeError::Unanswered(source) => {
            return NoAnswer::Unreachable { servers: address.into(), source }.into();
        }
        HandshakeError::NoTls(Some(refused)) => return refused.into(),
        HandshakeError::NoTls(None) => TlsProblem::NoTls,
        HandshakeError::Untrusted(untrusted) => TlsProblem::Untrusted(untrusted),
        HandshakeError::Failed(error) => TlsProblem::Failed(error.to_string()),
    };
    NoAnswer::Tls { address, problem }.into()
}
