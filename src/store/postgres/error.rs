//! What an error of PostgreSQL means.

use postgres::error::{DbError, SqlState};

use crate::model::{Invalid, NoSuchWord};
use crate::store::error::StoreError;
use crate::store::postgres::connect::ConnectError;
use crate::store::postgres::durability::Shortfall;

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's error. PostgreSQL refused the statement, or the connection broke.
    #[error("{}", said(.0))]
    Client(#[from] postgres::Error),
    /// No host gave a connection.
    #[error("{}", attempts(.0))]
    Connect(ConnectError),
    /// The settings of the database do not hold what was asked for.
    #[error("its settings do not hold the promise: {0:?}")]
    NotPromised(Vec<Shortfall>),
    /// A row has a value that a server would never have stored.
    #[error("a row has an invalid value: {0}")]
    Value(#[from] Invalid),
    /// A row has a word that a server would never have stored.
    #[error("a row has an invalid value: {0}")]
    Word(#[from] NoSuchWord),
    /// A text is not UTF-8.
    #[error("a body is not UTF-8")]
    NotUtf8,
    /// The rows contradict the operation.
    #[error("{0}")]
    Unexpected(&'static str),
    /// The schema needs a newer program than this one.
    #[error("the schema of the database now needs a newer program")]
    Outdated,
    /// The connection broke during a commit.
    #[error("the outcome of a commit is unknown: {}", said(.0))]
    InDoubt(postgres::Error),
    /// PostgreSQL warned that a commit may not have reached its standbys.
    #[error("a commit may not have reached the standbys")]
    Unreplicated,
}

/// The result of a statement.
pub(in crate::store) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether the connection must be replaced. The outcome of a commit in progress is unknown.
    pub(in crate::store) fn is_lost(&self) -> bool {
        match self {
            Self::Client(error) => Self::is_lost_client(error),
            // The settings may be wrong now and right at the next primary.
            Self::Connect(_) | Self::NotPromised(_) | Self::InDoubt(_) | Self::Unreplicated => true,
            _ => false,
        }
    }

    /// Whether the server log has it already.
    pub(in crate::store) fn is_logged(&self) -> bool {
        matches!(self, Self::NotPromised(_))
    }

    /// Whether a row is there already.
    pub(in crate::store) fn is_repeated(&self) -> bool {
        match self {
            Self::Client(error) => error.code() == Some(&SqlState::UNIQUE_VIOLATION),
            _ => false,
        }
    }

    /// [`Self::is_lost`], for an error of the client.
    pub(in crate::store) fn is_lost_client(error: &postgres::Error) -> bool {
        match error.as_db_error() {
            Some(refusal) => ends_session(refusal),
            None => error.is_closed() || is_of_connection(error),
        }
    }
}

impl From<&Error> for StoreError {
    fn from(error: &Error) -> Self {
        if let Error::InDoubt(_) | Error::Unreplicated = error {
            return Self::Statement(error.to_string());
        }
        if error.is_lost() {
            return Self::Busy;
        }
        let code = match error {
            Error::Client(error) => error.code(),
            _ => None,
        };
        match code {
            Some(code) if *code == SqlState::DISK_FULL => Self::Full,
            Some(code) if is_passing(code) => Self::Busy,
            _ => Self::Statement(error.to_string()),
        }
    }
}

/// Refusals after which the same statement may succeed.
fn is_passing(code: &SqlState) -> bool {
    let passing = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::OUT_OF_MEMORY,
    ];
    passing.contains(code)
}

/// Whether the session is over or useless: the server stops, or it is a standby.
fn ends_session(refusal: &DbError) -> bool {
    let code = refusal.code();
    let ending = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    ending.contains(code) || code.code().starts_with("08") || refusal.severity() == "FATAL"
}

fn is_of_connection(error: &postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}

/// The error with PostgreSQL's own message, which the client's `Display` leaves out.
fn said(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(refusal) => format!("{} ({})", refusal.message(), refusal.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}

/// What was wrong with each host.
fn attempts(error: &ConnectError) -> String {
    let attempts = error.attempts.iter();
    let attempts: Vec<String> =
        attempts.map(|(host, attempt)| format!("{host}: {attempt}")).collect();
    attempts.join(", ")
}
