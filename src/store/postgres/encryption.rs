//! TLS to a database server: connects rustls with the runtime of the PostgreSQL client. The
//! certificate must be signed by an authority, for the host of the URL (`verify-full`).

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use crate::tls::certificate::{self, ReadError};
use crate::tls::provider;

/// Why no TLS can be spoken.
#[derive(Debug)]
pub enum EncryptionError {
    /// The file with the authorities cannot be read.
    Authorities(ReadError),
    /// A certificate of this file cannot be an authority.
    NotAnAuthority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: rustls::Error,
    },
    /// The system trusts no authorities.
    NoAuthorities,
    /// rustls refuses its own settings: a bug.
    Unusable(rustls::Error),
}

/// Opens TLS connections that trust certain authorities.
#[derive(Clone)]
pub(super) struct Encrypt {
    config: Arc<ClientConfig>,
}

impl Encrypt {
    /// Trusts the authorities of the file; without one, those of the system.
    pub(super) fn new(authorities: Option<&Path>) -> Result<Self, EncryptionError> {
        let roots = match authorities {
            Some(path) => roots_of_file(path)?,
            None => roots_of_system()?,
        };
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(EncryptionError::Unusable)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config) })
    }
}

fn roots_of_file(path: &Path) -> Result<RootCertStore, EncryptionError> {
    let mut roots = RootCertStore::empty();
    let found = certificate::read_certificates(path).map_err(EncryptionError::Authorities)?;
    for found in found {
        roots.add(found).map_err(|problem| EncryptionError::NotAnAuthority {
            path: path.to_owned(),
            problem,
        })?;
    }
    Ok(roots)
}

fn roots_of_system() -> Result<RootCertStore, EncryptionError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    match roots.add_parsable_certificates(found.certs) {
        (0, _) => Err(EncryptionError::NoAuthorities),
        _ => Ok(roots),
    }
}

/// A connection to this host that is about to be encrypted.
pub(super) struct Handshake {
    connector: TlsConnector,
    host: String,
}

impl<S> MakeTlsConnect<S> for Encrypt
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Handshake> {
        // The name is parsed later: it is asked for, and not used, for sockets too.
        Ok(Handshake { connector: Arc::clone(&self.config).into(), host: host.to_owned() })
    }
}

impl<S> TlsConnect<S> for Handshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let name = ServerName::try_from(self.host)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            Ok(Encrypted(self.connector.connect(name, stream).await?))
        })
    }
}

/// An encrypted connection.
pub(super) struct Encrypted<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    /// Binding a login to the certificate adds nothing here: the certificate is verified.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
