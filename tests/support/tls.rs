//! Certificates of every kind, and encrypted connections.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use tempfile::TempDir;

use super::{PATIENCE, Server, Wire};

/// An authority, and a folder for its certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    folder: TempDir,
}

/// How a certificate differs from a valid one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Good,
    Expired,
    NotYet,
}

/// A certificate and its key, in files.
#[derive(Debug, Clone)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "the authority of a test");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = TempDir::new().expect("a temporary folder");
        let pem = certificate.pem();
        fs::write(folder.path().join("ca.crt"), &pem).expect("a file");
        Self { issuer: Issuer::new(params, key), pem, folder }
    }

    /// The authority's own certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// Makes a certificate for these names, in files of this name.
    pub fn issue(&self, file: &str, names: &[&str], kind: Kind) -> Files {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        match kind {
            Kind::Good => {}
            Kind::Expired => params.not_after = date_time_ymd(2020, 2, 29),
            Kind::NotYet => params.not_before = date_time_ymd(2096, 2, 29),
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let files = Files {
            certificate: self.folder.path().join(format!("{file}.crt")),
            key: self.folder.path().join(format!("{file}.key")),
        };
        fs::write(&files.certificate, certificate.pem()).expect("a file");
        write_key(&files.key, &key.serialize_pem());
        files
    }

    /// The files of a server at 127.0.0.1.
    pub fn server(&self) -> Files {
        self.issue("server", &["localhost", "127.0.0.1"], Kind::Good)
    }

    /// A client that trusts this authority and speaks these versions.
    pub fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let own = CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("a certificate");
        roots.add(own).expect("an authority");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions");
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    }

    /// An encrypted connection in the newest version.
    pub fn connect(&self, address: SocketAddr) -> Wire<Secured> {
        connect(self.client(rustls::ALL_VERSIONS), address)
    }
}

impl Files {
    /// Replaces the contents of these files by those of others.
    pub fn become_as(&self, other: &Self) {
        fs::copy(&other.key, &self.key).expect("a copy");
        fs::copy(&other.certificate, &self.certificate).expect("a copy");
    }

    /// The certificate as the server sends it.
    pub fn shown(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.certificate).expect("a certificate")
    }

    /// Starts a server with a plain and a TLS address.
    pub fn start(&self, more: &[&str]) -> TlsServer {
        let ready = TempDir::new().expect("a temporary folder");
        let path = ready.path().join("ready");
        let mut options = vec!["--listen", "tls:127.0.0.1:0", "--ready-file", as_str(&path)];
        options.extend(["--tls-cert", as_str(&self.certificate), "--tls-key", as_str(&self.key)]);
        options.extend(more);
        let server = Server::start_with(&options);
        TlsServer { tls: server.address(), plain: first(&path), server, ready }
    }
}

/// A server with both addresses.
pub struct TlsServer {
    pub server: Server,
    pub plain: SocketAddr,
    pub tls: SocketAddr,
    ready: TempDir,
}

impl TlsServer {
    /// Starts it again on the same database, at the same TLS port, after it has ended.
    pub fn start_again(&mut self) {
        self.server.start_again_listening(&format!("tls:{}", self.tls));
        self.plain = first(&self.ready.path().join("ready"));
    }
}

/// The first address of a ready file.
fn first(ready: &Path) -> SocketAddr {
    let places = fs::read_to_string(ready).expect("a ready file");
    places.lines().next().and_then(|line| line.parse().ok()).expect("an address")
}

/// An encrypted stream over a socket.
pub type Secured<T = TcpStream> = StreamOwned<ClientConnection, T>;

/// A socket with a long timeout.
pub fn socket(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// An encrypted connection.
pub fn connect(config: Arc<ClientConfig>, address: SocketAddr) -> Wire<Secured> {
    secure(config, socket(address))
}

/// Encrypts `stream`.
pub fn secure<T: Read + Write>(config: Arc<ClientConfig>, stream: T) -> Wire<Secured<T>> {
    let name = ServerName::try_from("localhost").expect("a name");
    let tls = ClientConnection::new(config, name).expect("a connection");
    Wire::over(StreamOwned::new(tls, stream))
}

/// Writes a key that only its owner may read.
pub fn write_key(path: &Path, pem: &str) {
    fs::write(path, pem).expect("a file");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("permissions");
}

pub fn as_str(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
