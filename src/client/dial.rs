//! How connections to one server are made: with all that has to be known for it, found out once.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustls::ClientConfig;

use super::address::{Host, ServerAddress};
use super::connection::{Connection, HandshakeError};
use super::failure::{Failure, NoAnswer, Unsecured};
use super::trust::TrustPolicy;

/// Makes connections to a server. Copies of it share what has been found out.
#[derive(Debug, Clone)]
pub struct Dialer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: ServerAddress,
    /// Whose certificates are trusted instead of the system's.
    authorities: Option<PathBuf>,
    /// Whom to trust; read when the first encrypted connection is made.
    config: OnceLock<Arc<ClientConfig>>,
}

impl Dialer {
    /// Will connect to `address`. The file `authorities` is read only where TLS is spoken.
    pub fn new(address: ServerAddress, authorities: Option<PathBuf>) -> Self {
        Self { inner: Arc::new(Inner { address, authorities, config: OnceLock::new() }) }
    }

    /// Where the server is.
    pub fn address(&self) -> &ServerAddress {
        &self.inner.address
    }

    /// A new connection, over which requests may be sent. Blocks until `deadline` at the longest,
    /// and for as long as the resolver takes.
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
                // Before anything is sent: it may be that nobody is to be trusted.
                let config = self.config(host)?;
                let connection = Connection::open(host, deadline).map_err(unreachable)?;
                let secured = connection.secure(config, host, deadline);
                secured.map_err(|error| unsecured(self.address(), error))
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

/// Why there is no encrypted connection to `address`.
pub fn unsecured(address: &ServerAddress, error: HandshakeError) -> Failure {
    let address = address.clone();
    let problem = match error {
        HandshakeError::Unanswered(source) => {
            return NoAnswer::Unreachable { address, source }.into();
        }
        HandshakeError::NoTls(Some(refused)) => return refused.into(),
        HandshakeError::NoTls(None) => Unsecured::NoTls,
        HandshakeError::Untrusted(untrusted) => Unsecured::Untrusted(untrusted),
        HandshakeError::Failed(error) => Unsecured::Failed(error.to_string()),
    };
    NoAnswer::Unsecured { address, problem }.into()
}
