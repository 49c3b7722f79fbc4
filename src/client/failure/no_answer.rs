//! Why an exchange with the server brought no answer: no connection, a broken one, no TLS, no trust.

use std::io;
use std::time::Duration;

use crate::catalogue::{client, trust};
use crate::client::address::ServerAddress;
use crate::client::exit::Exit;

/// Why an exchange with the server brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There was no connection, so nothing was sent.
    #[error("{}", client::unreachable(.address, .source))]
    Unreachable {
        /// Who was called.
        address: ServerAddress,
        /// Why not.
        source: io::Error,
    },
    /// The connection broke. The request may have been done.
    #[error("{}", client::connection_broke(.address))]
    Broken {
        /// Who was asked.
        address: ServerAddress,
        /// How it broke.
        source: io::Error,
    },
    /// The time is over. The request may have been done.
    #[error("{}", client::no_answer(.address, seconds(*.within)))]
    TimedOut {
        /// Who was asked.
        address: ServerAddress,
        /// How long the answer was waited for.
        within: Duration,
    },
    /// The connection could not be encrypted, or not with whom it was meant for. Nothing was sent.
    #[error("{}", problem.tell(address))]
    Unsecured {
        /// Who was called.
        address: ServerAddress,
        /// What is wrong.
        problem: Unsecured,
    },
    /// What came is no reply of this protocol.
    #[error("{}", client::not_understood(.address, .reason))]
    NotUnderstood {
        /// Who was asked.
        address: ServerAddress,
        /// What is wrong with the reply.
        reason: String,
    },
}

/// Why a connection could not be encrypted.
#[derive(Debug)]
pub enum Unsecured {
    /// What answers speaks no TLS.
    NoTls,
    /// It is not known to be the server that was meant.
    Untrusted(Untrusted),
    /// The two have no version or cipher in common, or one of them made a mistake.
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
    /// The request may have reached the server, so it may have been done.
    pub fn may_be_done(&self) -> bool {
        !matches!(self, Self::Unreachable { .. } | Self::Unsecured { .. })
    }
}

impl Unsecured {
    fn tell(&self, address: &ServerAddress) -> String {
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

/// A duration as a person says it, to the hundredth: `10s`, `0.25s`.
pub fn seconds(duration: Duration) -> String {
    let hundredths = (duration.as_secs_f64() * 100.0).round();
    format!("{}s", hundredths / 100.0)
}
