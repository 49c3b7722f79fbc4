//! Certificates: their fields and fingerprints, and how they and private keys are read from files.
//! This module does not decide which certificates to trust.

use core::net::IpAddr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::model::Timestamp;

/// The largest file that is read, in bytes. The system's list of certificates has about 200 KiB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The SHA-256 of a whole certificate. It is shown as `SHA256:` and colon-separated pairs of
/// hexadecimal digits, the format of `openssl x509 -fingerprint -sha256` and of browsers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of this certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SHA256")?;
        self.0.iter().try_for_each(|byte| write!(formatter, ":{byte:02X}"))
    }
}

/// The text is not a [`Fingerprint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give SHA256: and 64 hexadecimal digits, with or without colons")]
pub struct InvalidFingerprint;

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    /// Accepts the displayed format. The colons are optional, and case does not matter.
    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let begin = text.get(..7).ok_or(InvalidFingerprint)?;
        if !begin.eq_ignore_ascii_case("SHA256:") {
            return Err(InvalidFingerprint);
        }
        let digits: Vec<u8> = text[7..].bytes().filter(|&byte| byte != b':').collect();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return Err(InvalidFingerprint);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(InvalidFingerprint);
            *byte = (digit(0)? * 16 + digit(1)?) as u8;
        }
        Ok(Self(bytes))
    }
}

/// The fields of a certificate. Its creator may have written anything into them, so print them only
/// through `terminal::text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The host names and IP addresses that it is valid for.
    pub names: Vec<String>,
    /// The start of its validity.
    pub not_before: Timestamp,
    /// The end of its validity.
    pub not_after: Timestamp,
}

impl Facts {
    /// Parses a certificate. `None` if it is not one.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let certificate = certificate.tbs_certificate();
        let moment = |time: x509_cert::time::Time| {
            Timestamp(i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX))
        };
        let names = certificate.get_extension::<SubjectAltName>().ok()?;
        let names = names.map_or_else(Vec::new, |(_, names)| names.0);
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names: names.iter().filter_map(host).collect(),
            not_before: moment(certificate.validity().not_before),
            not_after: moment(certificate.validity().not_after),
        })
    }
}

/// The host that a subject alternative name stands for, if it is one that a client can connect to.
fn host(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
                .ok()
                .map(|address| address.to_string())
        }
        _ => None,
    }
}

/// Why a certificate or key could not be read from a file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file does not contain what it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with the content.
        reason: &'static str,
    },
}

/// Reads the certificates of a PEM file, in order. There is at least one.
///
/// # Errors
/// The file cannot be read, is not valid PEM, or contains no certificate.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ReadError> {
    let bytes = read(open(path)?, path)?;
    let content = |reason| ReadError::Content { path: path.to_owned(), reason };
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|_| content("the PEM in it is damaged"))?;
    if found.is_empty() {
        return Err(content("there is no certificate in it (-----BEGIN CERTIFICATE-----)"));
    }
    if found.iter().any(|certificate| Facts::of(certificate).is_none()) {
        return Err(content("what it calls a certificate is none"));
    }
    Ok(found)
}

/// Reads the first private key of a PEM file. `path` only appears in errors.
///
/// # Errors
/// The file cannot be read, is not valid PEM, or contains no usable private key.
pub fn read_key(file: File, path: &Path) -> Result<PrivateKeyDer<'static>, ReadError> {
    let bytes = read(file, path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let encrypted = bytes.windows(20).any(|text| text == b"-BEGIN ENCRYPTED PRI");
        let reason = match error {
            _ if encrypted => "the key is encrypted; the server cannot ask for its password",
            pem::Error::NoItemsFound => {
                "there is no private key in it (-----BEGIN PRIVATE KEY-----)"
            }
            _ => "the PEM in it is damaged",
        };
        ReadError::Content { path: path.to_owned(), reason }
    })
}

/// Opens a file for [`read_key`].
///
/// # Errors
/// The file cannot be opened.
pub fn open(path: &Path) -> Result<File, ReadError> {
    File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })
}

fn read(file: File, path: &Path) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let reason = "it is too large for a certificate or key";
        return Err(ReadError::Content { path: path.to_owned(), reason });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn made(names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        rcgen::generate_simple_self_signed(names).unwrap().cert.into()
    }

    #[test]
    fn fingerprint_parses_with_and_without_colons() {
        let fingerprint = Fingerprint::of(&made(&["chat.example.org"]));
        let shown = fingerprint.to_string();
        assert_eq!(shown.len(), "SHA256".len() + 32 * 3);
        let bare = format!("sha256:{}", shown["SHA256:".len()..].replace(':', "").to_lowercase());
        for text in [&shown, &bare] {
            assert_eq!(text.parse(), Ok(fingerprint), "{text}");
        }
        for text in ["", "SHA256:", &shown[..100], &shown[7..], &format!("{shown}:00"), "SHA1:00"] {
            assert_eq!(text.parse::<Fingerprint>(), Err(InvalidFingerprint), "{text}");
        }
    }

    #[test]
    fn facts_match_the_certificate() {
        let facts = Facts::of(&made(&["chat.example.org", "192.0.2.1", "::1"])).unwrap();
        assert_eq!(facts.names, ["chat.example.org", "192.0.2.1", "::1"]);
        assert!(facts.not_before < Timestamp::now() && Timestamp::now() < facts.not_after);
        assert!(facts.subject.starts_with("CN=") && facts.subject == facts.issuer, "{facts:?}");
    }

    #[test]
    fn errors_distinguish_kinds_of_unusable_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.crt");
        let refused = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_certificates(&path).unwrap_err().to_string()
        };
        let begin = "-----BEGIN CERTIFICATE-----\n";
        let end = "-----END CERTIFICATE-----\n";
        assert!(refused("").contains("there is no certificate in it"));
        assert!(refused(&format!("{begin}%%%\n{end}")).contains("damaged"));
        assert!(refused(&format!("{begin}AAAA\n{end}")).contains("is none"));
        let key = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_key(open(&path).unwrap(), &path).unwrap_err().to_string()
        };
        assert!(key("").contains("there is no private key in it"));
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(key(encrypted).contains("the key is encrypted"));
        assert!(matches!(open(&folder.path().join("none")), Err(ReadError::Io { .. })));
    }

    proptest! {
        #[test]
        fn parsing_any_certificate_never_panics(bytes: Vec<u8>) {
            let _ = Facts::of(&CertificateDer::from(bytes));
        }

        #[test]
        fn parsing_any_fingerprint_never_panics(text: String) {
            let _ = text.parse::<Fingerprint>();
        }
    }
}
