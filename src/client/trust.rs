//! Decides whether a certificate belongs to the intended server. If one was pinned with `chat-cli
//! trust`, the certificate must be exactly that one. Otherwise an authority must have signed it,
//! for this name and this day: one of the system's, or one of the given file.
//!
//! No policy trusts every certificate. [`TrustPolicy::InspectOnly`] completes a handshake so that a
//! person can see the certificate; no request is sent over such a connection.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};

use super::address::Host;
use super::exit::Exit;
use super::failure::{Failure, Untrusted};
use super::known_servers;
use super::state_folder::StateFolder;
use crate::catalogue::trust as texts;
use crate::model::Timestamp;
use crate::tls::certificate::{self, Facts, Fingerprint};
use crate::tls::provider;

/// Which certificates are accepted.
#[derive(Debug)]
pub enum TrustPolicy {
    /// Exactly this one.
    Pin(Fingerprint),
    /// Those signed by one of these authorities.
    Authorities(Arc<WebPkiServerVerifier>),
    /// Any, because the caller only inspects it.
    InspectOnly,
}

impl TrustPolicy {
    /// The policy for `host`: its pin, if there is one; else the authorities of the file
    /// `authorities`; else those of the system.
    pub fn for_host(host: &Host, authorities: Option<&Path>) -> Result<Self, Failure> {
        if let Some(pin) = pin_of(host)? {
            return Ok(Self::Pin(pin));
        }
        match authorities {
            Some(path) => Self::from_file(path),
            None => Self::from_system(host),
        }
    }

    /// The authorities of the system.
    pub fn from_system(host: &Host) -> Result<Self, Failure> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let message = texts::no_authorities();
            return Err(Failure::new(Exit::Configuration, message)
                .with_hint(texts::install_authorities(host)));
        }
        Self::from_roots(roots)
    }

    /// The authorities of a file.
    pub fn from_file(path: &Path) -> Result<Self, Failure> {
        let problem = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Configuration, error.to_string()).with_hint(texts::give_authority())
        };
        let mut roots = RootCertStore::empty();
        for found in certificate::read_certificates(path).map_err(|error| problem(&error))? {
            roots.add(found).map_err(|error| problem(&format!("{}: {error}", path.display())))?;
        }
        Self::from_roots(roots)
    }

    fn from_roots(roots: RootCertStore) -> Result<Self, Failure> {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map(Self::Authorities)
            .map_err(|error| Failure::new(Exit::Internal, error.to_string()))
    }

    /// Checks the certificate of `host` and its intermediate certificates.
    pub fn check(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &Host,
        now: UnixTime,
    ) -> Result<(), Untrusted> {
        match self {
            Self::InspectOnly => Ok(()),
            Self::Pin(pin) if *pin == Fingerprint::of(shown) => Ok(()),
            Self::Pin(pin) => Err(changed(*pin, Fingerprint::of(shown), host)),
            Self::Authorities(authorities) => {
                let name = server_name(host)?;
                authorities
                    .verify_server_cert(shown, between, &name, &[], now)
                    .map(|_| ())
                    .map_err(|error| refused(&error, shown, host))
            }
        }
    }

    /// The TLS configuration for connections to `host` under this policy.
    pub fn into_config(self, host: &Host) -> Result<Arc<ClientConfig>, Failure> {
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms;
        let verifier = Verifier { policy: self, host: host.clone(), algorithms };
        let versions = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
        let mut config = versions
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        // The server issues no tickets.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// The name that the certificate must contain.
pub fn server_name(host: &Host) -> Result<ServerName<'static>, Untrusted> {
    ServerName::try_from(host.name_without_zone().to_owned()).map_err(|_| Untrusted {
        reason: texts::no_certificate_for(host.name()),
        hint: texts::give_host_name().to_owned(),
    })
}

/// The pin for `host`, if any. A user without a home directory has no pins.
fn pin_of(host: &Host) -> Result<Option<Fingerprint>, Failure> {
    let Ok(path) = StateFolder::locate() else { return Ok(None) };
    match StateFolder::open(&path)? {
        Some(folder) => known_servers::find(&folder, host),
        None => Ok(None),
    }
}

fn changed(pin: Fingerprint, shown: Fingerprint, host: &Host) -> Untrusted {
    Untrusted { reason: texts::changed(pin, shown), hint: texts::ask_operator(host) }
}

/// The verdict on a certificate, in words for a person.
fn refused(error: &rustls::Error, shown: &CertificateDer<'_>, host: &Host) -> Untrusted {
    let facts = Facts::of(shown);
    let day = |time: Timestamp| time.to_calendar().strftime("%Y-%m-%d").to_string();
    let pin = texts::show_and_pin(host);
    let (reason, hint) = match (error, &facts) {
        (rustls::Error::InvalidCertificate(error), Some(facts)) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                (texts::expired(day(facts.not_after)), texts::renew().to_owned())
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                (texts::not_yet(day(facts.not_before)), texts::set_clock().to_owned())
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                let names = match facts.names.as_slice() {
                    [] => texts::no_name().to_owned(),
                    names => names.join(", "),
                };
                (texts::for_other_name(names, host.name()), texts::give_name_or(pin))
            }
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
            | CertificateError::Other(_) => {
                (texts::unknown_authority(&facts.issuer), texts::pin_or_give_authority(pin))
            }
            error => (texts::certificate_refused(error), pin),
        },
        _ => (texts::certificate_refused(error), pin),
    };
    Untrusted { reason, hint }
}

/// Connects a [`TrustPolicy`] to `rustls`. The proof that the server has the certificate's key is
/// always checked.
#[derive(Debug)]
struct Verifier {
    policy: TrustPolicy,
    host: Host,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.policy.check(shown, between, &self.host, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(untrusted) => Err(CertificateError::Other(OtherError(Arc::new(untrusted))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
