//! Where the data is: `--db` names a file, or a database on PostgreSQL.

use std::fmt;
use std::path::Path;

use super::arguments::Command;
#[cfg(not(feature = "postgres"))]
use super::failure::Exit;
use super::failure::Failure;
use super::settings::Resolved;
#[cfg(not(feature = "postgres"))]
use crate::catalogue::postgres as texts;

#[cfg(feature = "postgres")]
mod error;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod refused;
#[cfg(feature = "postgres")]
pub(super) use error::{not_connected, version_shown};
#[cfg(feature = "postgres")]
pub(super) use postgres::Postgres;
#[cfg(feature = "postgres")]
pub(super) use refused::refused;

/// The prefixes of a URL.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// Where the data is.
pub(super) enum Database<'a> {
    /// In this file.
    File(&'a Path),
    /// On PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres(Box<Postgres>),
}

impl<'a> Database<'a> {
    /// What the settings name.
    ///
    /// # Errors
    /// It is a URL that cannot be used, or would expose what it protects.
    pub(super) fn of(resolved: &'a Resolved) -> Result<Self, Failure> {
        let arguments = &resolved.arguments;
        match arguments.db.to_str().filter(|text| is_url(text)) {
            None => Ok(Self::File(&arguments.db)),
            Some(url) => Self::of_url(url, resolved),
        }
    }

    /// The file.
    ///
    /// # Errors
    /// It is on PostgreSQL, where another program does what `command` does.
    pub(super) fn file(&self, command: Option<&Command>) -> Result<&'a Path, Failure> {
        match self {
            Self::File(path) => {
                let _ = command;
                Ok(path)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Err(refused(command)),
        }
    }

    /// Refuses to purge as a file only can.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub(super) fn check_purge(&self, command: Option<&Command>) -> Result<(), Failure> {
        match command {
            Some(Command::Message(message)) if message.command.compacts() => {
                self.file(command).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Refuses to ask a server of this machine that has no admin socket.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub(super) fn check_reachable(&self, command: Option<&Command>) -> Result<(), Failure> {
        match self.admin_socket() {
            Some(_) => Ok(()),
            None => self.file(command).map(drop),
        }
    }

    /// Where the settings say that the admin socket is. The socket of a file is beside it.
    pub(super) fn admin_socket(&self) -> Option<&Path> {
        match self {
            Self::File(_) => None,
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => postgres.admin_socket.as_deref(),
        }
    }

    /// The database of a URL.
    ///
    /// # Errors
    /// As [`Self::of`].
    #[cfg(feature = "postgres")]
    pub(super) fn of_url(url: &str, resolved: &Resolved) -> Result<Self, Failure> {
        let postgres = Postgres::new(url, &resolved.arguments.database)?;
        Ok(Self::Postgres(Box::new(postgres)))
    }

    /// This program was built without PostgreSQL.
    #[cfg(not(feature = "postgres"))]
    pub(super) fn of_url(_url: &str, _resolved: &Resolved) -> Result<Self, Failure> {
        Err(not_built_in())
    }
}

/// The path of the file, or the URL.
impl fmt::Display for Database<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => postgres.connector.target.fmt(formatter),
        }
    }
}

/// The failure of a program without PostgreSQL.
#[cfg(not(feature = "postgres"))]
pub(super) fn not_built_in() -> Failure {
    Failure::new(Exit::Configuration, texts::not_built_in()).hint(texts::build_it_in())
}

/// Whether this is meant as a database on PostgreSQL, and not as a file name.
pub(super) fn is_url(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.starts_with(scheme))
}
