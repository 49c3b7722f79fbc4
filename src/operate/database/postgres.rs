//! A database on PostgreSQL, as the settings describe it.

use std::path::PathBuf;
use std::time::Duration;

use super::error;
use crate::operate::arguments::{DatabaseArguments, DbDurability};
use crate::operate::failure::Failure;
use crate::store::postgres::connect::{Connector, nobody_listens};
use crate::store::postgres::durability::{self, Durability, Found, Promise};
use crate::store::postgres::password::PasswordSource;
use crate::store::postgres::target::Target;

/// A database on PostgreSQL, and how to use it.
#[derive(Debug, Clone)]
pub(in crate::operate) struct Postgres {
    /// Opens connections.
    pub(in crate::operate) connector: Connector,
    /// Where a message must be before it is acknowledged.
    pub(in crate::operate) durability: Durability,
    /// How long a request may wait for a new primary.
    pub(in crate::operate) failover_wait: Duration,
    /// Where a server of this machine answers operators' commands.
    pub(in crate::operate) admin_socket: Option<PathBuf>,
    /// How often a server looks at the promise.
    pub(in crate::operate) check_interval: Duration,
}

impl Postgres {
    /// Parses the URL, and checks it together with the other settings.
    ///
    /// # Errors
    /// It cannot be used, or passwords and messages would be exposed.
    pub(super) fn new(url: &str, arguments: &DatabaseArguments) -> Result<Self, Failure> {
        let target: Target = url.parse().map_err(|invalid| error::invalid(&invalid))?;
        if let Some(host) = target.exposed()
            && !arguments.db_allow_plaintext
        {
            return Err(error::exposed(host));
        }
        let password = PasswordSource::find(arguments.db_password_file.as_deref());
        Ok(Self {
            connector: Connector { target, password },
            durability: arguments.db_durability.into(),
            failover_wait: arguments.db_failover_wait,
            admin_socket: arguments.admin_socket.clone(),
            check_interval: arguments.db_check_interval,
        })
    }

    /// Connects, and asks the database what it can promise.
    ///
    /// # Errors
    /// No host gives a connection in time, or its settings do not hold the promise.
    pub(in crate::operate) fn check(&self) -> Result<(Found, Promise), Failure> {
        let target = &self.connector.target;
        let mut client = self
            .connector
            .connect_within(self.failover_wait, &nobody_listens())
            .map_err(|error| error::not_connected(&self.connector, &error))?;
        let found = durability::set_session(&mut client, self.durability)
            .and_then(|()| durability::look(&mut client))
            .map_err(|error| error::not_answered(target, error))?;
        let promise = durability::decide(&found, self.durability)
            .map_err(|missing| error::not_promised(target, self.durability, &missing))?;
        Ok((found, promise))
    }
}

impl From<DbDurability> for Durability {
    fn from(durability: DbDurability) -> Self {
        match durability {
            DbDurability::Standby => Self::Standby,
            DbDurability::Local => Self::Local,
            DbDurability::Storage => Self::Storage,
        }
    }
}
