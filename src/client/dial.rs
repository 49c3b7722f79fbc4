//! Makes connections to one server, with everything that they need: the address and whom to trust.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustls::ClientConfig;

use super::address::{Host, ServerAddress};
use super::connection::{Connection, HandshakeError};
use super::failure::{Failure, NoAnswer, TlsProblem};
use super::trust::TrustPolicy;

/// Makes connections to a server. Clones share the TLS configuration.
#[derive(Debug, Clone)]
pub struct Dialer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: ServerAddress,
    /// The file of trusted authorities, instead of the system's.
    authorities: Option<PathBuf>,
    /// Loaded for the first connection with TLS.
    config: OnceLock<Arc<ClientConfig>>,
}

impl Dialer {
    /// A dialer for `address`. The file `authorities` is read only for TLS.
    pub fn new(address: ServerAddress, authorities: Option<PathBuf>) -> Self {
        Self { inner: Arc::new(Inner { address, authorities, config: OnceLock::new() }) }
    }

    /// The server's address.
    pub fn address(&self) -> &ServerAddress {
        &self.inner.address
    }

    /// A new connection, ready for requests. Blocks until `deadline` at the longest, plus the time
    /// that the resolver takes.
    pub fn dial(&self, deadline: Instant) -> Result<Connection, Failure> {
        let unreachable =
            |source| NoAnswer::Unreachable { address: self.address().clone(), source };
        match self.address() {
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
                secured.map_err(|error| tls_failure(self.address(), error))
            }
        }
    }

    fn config(&self, host: &Host) -> Result<Arc<ClientConfig>, Failure> {
        if let Some(config) = self.inner.config.get() {
            return Ok(Arc::clone(config));
        }
        let policy = TrustPolicy::for_host(host, self.inner.authorities.as_deref())?;
        let config = policy.into_config(host)?;
        Ok(Arc::clone(self.inner.config.get_or_init(|| config)))
    }
}

/// The failure for a handshake with `address`.
pub fn tls_failure(address: &ServerAddress, error: HandshakeError) -> Failure {
    let address = address.clone();
    let problem = match error {
        HandshakeError::Unanswered(source) => {
            return NoAnswer::Unreachable { address, source }.into();
        }
        HandshakeError::NoTls(Some(refused)) => return refused.into(),
        HandshakeError::NoTls(None) => TlsProblem::NoTls,
        HandshakeError::Untrusted(untrusted) => TlsProblem::Untrusted(untrusted),
        HandshakeError::Failed(error) => TlsProblem::Failed(error.to_string()),
    };
    NoAnswer::Tls { address, problem }.into()
}
