//! Why a request got no answer: no connection, a broken one, no TLS, no trust.

use std::io;
use std::time::Duration;

use crate::catalogue::{client, trust};
use crate::client::address::ServerAddress;
use crate::client::exit::Exit;
use crate::client::servers::Servers;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There was no connection, so nothing was sent.
    #[error("{}", client::unreachable(.servers, .source))]
    Unreachable {
        /// The servers, none of which can be reached.
        servers: Servers,
        /// What failed.
        source: io::Error,
    },
    /// The connection broke. The server may have processed the request.
    #[error("{}", client::connection_broke(.address))]
    Broken {
        /// The server's address.
        address: ServerAddress,
        /// What failed.
        source: io::Error,
    },
    /// The deadline passed. The server may have processed the request.
    #[error("{}", client::no_answer(.address, seconds(*.within)))]
    TimedOut {
        /// The server's address.
        address: ServerAddress,
        /// How long the client waited.
        within: Duration,
    },
    /// The TLS handshake failed. No request was sent.
    #[error("{}", problem.describe(address))]
    Tls {
        /// The server's address.
        address: ServerAddress,
        /// What failed.
        problem: TlsProblem,
    },
    /// The bytes that arrived are not a reply of this protocol.
    #[error("{}", client::not_understood(.address, .reason))]
    NotUnderstood {
        /// The server's address.
        address: ServerAddress,
        /// What is wrong with the reply.
        reason: String,
    },
}

/// Why a TLS handshake failed.
#[derive(Debug)]
pub enum TlsProblem {
    /// The server does not speak TLS.
    NoTls,
    /// The server's identity could not be verified.
    Untrusted(Untrusted),
    /// No common version or cipher, or a violation of TLS.
    Failed(String),
}

/// Why a certificate is not trusted, for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Untrusted {
    /// What is wrong with it.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

impl NoAnswer {
    /// Whether the server may have processed the request.
    pub fn may_be_done(&self) -> bool {
        !matches!(self, Self::Unreachable { .. } | Self::Tls { .. })
    }
}

impl TlsProblem {
    fn describe(&self, address: &ServerAddress) -> String {
        match self {
            Self::NoTls => trust::no_tls(address),
            Self::Untrusted(untrusted) => trust::not_trusted(address, untrusted),
            Self::Failed(reason) => trust::tls_failed(address, reason),
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Untrusted(_) => Exit::Configuration,
            Self::NoTls | Self::Failed(_) => Exit::Protocol,
        }
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Untrusted(_) => "untrusted",
            Self::NoTls => "no_tls",
            Self::Failed(_) => "tls_failed",
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::NoTls => Some(trust::give_tls_port().to_owned()),
            Self::Untrusted(untrusted) => Some(untrusted.hint.clone()),
            Self::Failed(_) => None,
        }
    }
}

/// A duration for a person, to the hundredth: `10s`, `0.25s`.
pub fn seconds(duration: Duration) -> String {
    let hundredths = (duration.as_secs_f64() * 100.0).round();
    format!("{}s", hundredths / 100.0)
}
