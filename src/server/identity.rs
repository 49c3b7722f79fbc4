//! The server's TLS certificate and key. They are read from files, and again when the operator has
//! renewed them.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{InconsistentKeys, ServerConfig};

use crate::model::Timestamp;
use crate::tls::certificate::{self, Facts, Fingerprint, ReadError};
use crate::tls::provider;

/// The mode bits of a key that let other users access it. If root owns the key, a group may read
/// it.
const OTHERS: u32 = 0o077;
const OTHERS_OF_ROOT: u32 = 0o037;
/// The versions of HTTP that a handshake offers, the preferred one first.
const HTTP_VERSIONS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A certificate and its key, which can be replaced while the server runs.
pub struct Identity {
    /// The configurations of new connections.
    configs: Mutex<Configs>,
}

/// The configurations of the two protocols. They present the same certificate.
#[derive(Clone)]
struct Configs {
    line: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
    /// The names that the certificate is valid for.
    names: Arc<[String]>,
}

/// A certificate that the server presents to clients.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The fingerprint that identifies it.
    pub fingerprint: Fingerprint,
    /// What the certificate contains.
    pub facts: Facts,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file lacks the expected content.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Other users could read or change the key.
    #[error("the key {} is open to other users (mode {mode:03o})", path.display())]
    KeyIsOpen {
        /// The file of the key.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key belongs to another certificate.
    #[error("the key {} does not belong to the certificate {}", key.display(), certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// They are unusable for another reason.
    #[error("{} and {} cannot be used: {reason}", certificate.display(), key.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// The reason.
        reason: rustls::Error,
    },
}

impl Identity {
    /// Reads the certificate with its chain, and the key. Both are PEM files.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn load(certificate: &Path, key: &Path) -> Result<(Self, Shown), IdentityError> {
        let (line, shown) = read(certificate, key)?;
        let mut http = ServerConfig::clone(&line);
        http.alpn_protocols = HTTP_VERSIONS.map(<[u8]>::to_vec).into();
        let names = shown.facts.names.clone().into();
        let configs = Configs { line, http: Arc::new(http), names };
        Ok((Self { configs: Mutex::new(configs) }, shown))
    }

    /// Presents the certificate of `other` to new connections. Existing ones keep theirs.
    pub fn become_as(&self, other: &Self) {
        *self.configs.lock().unwrap_or_else(PoisonError::into_inner) = other.configs();
    }

    /// The TLS configuration of new connections.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.configs().line
    }

    /// The TLS configuration of new connections that speak HTTP. It offers the client the versions.
    pub fn http_config(&self) -> Arc<ServerConfig> {
        self.configs().http
    }

    /// The names that the certificate is valid for now.
    pub fn names(&self) -> Arc<[String]> {
        self.configs().names
    }

    fn configs(&self) -> Configs {
        self.configs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shown {
    /// Whether `now` is within the certificate's dates.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.facts.not_before <= now && now <= self.facts.not_after
    }
}

fn read(certificate: &Path, key: &Path) -> Result<(Arc<ServerConfig>, Shown), IdentityError> {
    let chain = certificate::read_certificates(certificate)?;
    let shown = shown(&chain[0], certificate)?;
    let config = configure(chain, read_key(key)?).map_err(|reason| {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        match reason {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                IdentityError::Mismatch { certificate, key }
            }
            reason => IdentityError::Unusable { certificate, key, reason },
        }
    })?;
    Ok((Arc::new(config), shown))
}

fn shown(own: &CertificateDer<'_>, path: &Path) -> Result<Shown, ReadError> {
    let facts = Facts::of(own).ok_or_else(|| ReadError::Content {
        path: path.to_owned(),
        reason: "what it calls a certificate is none",
    })?;
    Ok(Shown { fingerprint: Fingerprint::of(own), facts })
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let file = certificate::open(path)?;
    let metadata =
        file.metadata().map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    let others = if metadata.uid() == 0 { OTHERS_OF_ROOT } else { OTHERS };
    if metadata.mode() & others != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(IdentityError::KeyIsOpen { path: path.to_owned(), mode });
    }
    Ok(certificate::read_key(file, path)?)
}

fn configure(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // No session resumption: a handshake costs less than a commit.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
