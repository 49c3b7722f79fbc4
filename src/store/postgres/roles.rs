//! Prepares a database for servers: the schema, which belongs to the user of the connection, and two
//! roles with the least rights that will do. A server may not change the schema or a stored message;
//! a reader sees the views for people only.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use postgres::error::SqlState;

use super::connect::{ConnectError, Connector};
use super::durability::Durability;
use super::error::Error;
use super::promise::Promised;
use super::schema::{self, Found};
use super::session::{Opener, Session};

/// The longest name that PostgreSQL does not cut.
const ROLE_NAME_BYTES_MAX: usize = 63;

/// The name of a role: `[a-z_][a-z0-9_]*`, so it means the same with and without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleName(String);

/// A text is not a [`RoleName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role has lower-case letters, digits and underscores, at most 63")]
pub struct InvalidRoleName;

/// Who may use the database.
#[derive(Debug, Clone)]
pub struct Roles {
    /// The role of the servers, and of operators' commands.
    pub server: RoleName,
    /// The role of people and programs that read the views.
    pub reader: RoleName,
}

/// What [`prepare`] did.
#[derive(Debug)]
pub struct Prepared {
    /// The version of the schema.
    pub schema: usize,
    /// The roles that did not exist before. They have no password yet.
    pub created: Vec<RoleName>,
    /// Whether the servers may see which standbys are connected.
    pub sees_standbys: bool,
}

/// Why a database is not prepared. What was done before stays; it can be repeated.
#[derive(Debug)]
pub enum PrepareError {
    /// There is no connection.
    Connect(ConnectError),
    /// The schema is of a newer program.
    Newer(usize),
    /// The database does not store text as UTF-8, but as this.
    Encoding(String),
    /// This role may do everything, so it cannot be that of the servers or readers.
    Superuser(RoleName),
    /// The user of the connection may not do it: the database's message.
    NotAllowed(String),
    /// The database failed: its message.
    Failed(String),
}

/// Creates the schema or brings it up to date, creates the roles that are missing, and gives them
/// their rights. It can be repeated, and must be after an upgrade of the program.
///
/// # Errors
/// See [`PrepareError`].
pub fn prepare(connector: &Connector, roles: &Roles) -> Result<Prepared, PrepareError> {
    // The schema reaches the standbys anyway, and the first one may not exist yet.
    let opener = Opener::new(connector.clone(), Arc::new(Promised::new(Durability::Local)));
    let mut session = opener.open()?;
    check_encoding(&mut session)?;
    let mut created = Vec::new();
    for role in [&roles.server, &roles.reader] {
        if create(&mut session, role)? {
            created.push(role.clone());
        }
    }
    if let Found::Newer(version) = schema::apply(&mut session)? {
        return Err(PrepareError::Newer(version));
    }
    session.transaction(|session| Ok(session.client.batch_execute(&rights(roles))?))?;
    let sees_standbys = show_standbys(&mut session, &roles.server)?;
    Ok(Prepared { schema: schema::newest(), created, sees_standbys })
}

fn check_encoding(session: &mut Session) -> Result<(), PrepareError> {
    let row = session.query_one("SELECT current_setting('server_encoding')", &[])?;
    match row.get::<_, String>(0) {
        encoding if encoding == "UTF8" => Ok(()),
        encoding => Err(PrepareError::Encoding(encoding)),
    }
}

/// Creates the role if it does not exist. Returns whether it did.
fn create(session: &mut Session, role: &RoleName) -> Result<bool, PrepareError> {
    let sql = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = $1";
    match session.query_opt(sql, &[&role.0])? {
        Some(row) if row.get::<_, bool>(0) => Err(PrepareError::Superuser(role.clone())),
        Some(_) => Ok(false),
        None => {
            let create = format!(
                "CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
            );
            match session.client.batch_execute(&create) {
                Ok(()) => Ok(true),
                // Another `db init` created it meanwhile: roles belong to all databases.
                Err(error) if is_there(&error) => Ok(false),
                Err(error) => Err(Error::from(error).into()),
            }
        }
    }
}

fn is_there(error: &postgres::Error) -> bool {
    let codes = [&SqlState::DUPLICATE_OBJECT, &SqlState::UNIQUE_VIOLATION];
    error.code().is_some_and(|code| codes.contains(&code))
}

/// The statements that give the roles their rights, and take all others away. The log is append
/// only: not even the servers may change a row of it. To purge is to delete.
fn rights(Roles { server, reader }: &Roles) -> String {
    format!(
        "REVOKE ALL ON SCHEMA chat FROM PUBLIC, {server}, {reader};
         REVOKE ALL ON ALL TABLES IN SCHEMA chat FROM PUBLIC, {server}, {reader};
         REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chat FROM PUBLIC, {server}, {reader};
         GRANT USAGE ON SCHEMA chat TO {server}, {reader};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA chat TO {server};
         REVOKE UPDATE ON chat.messages, chat.message_changes, chat.keys, chat.batches, chat.changes
           FROM {server};
         -- A further copy of an imported message extends its key.
         GRANT UPDATE (last_id) ON chat.keys TO {server};
         REVOKE INSERT, UPDATE, DELETE ON chat.meta FROM {server};
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA chat TO {server};
         DO $$
         DECLARE name text;
         BEGIN
             FOR name IN SELECT c.oid::regclass FROM pg_catalog.pg_class c
                          WHERE c.relnamespace = 'chat'::regnamespace
                            AND c.relkind = 'v' AND c.relname ~ '^v[0-9]+_' LOOP
                 EXECUTE 'GRANT SELECT ON ' || name || ' TO {reader}';
             END LOOP;
             -- What the views call runs with the rights of their reader.
             FOR name IN SELECT p.oid::regprocedure FROM pg_catalog.pg_proc p
                          WHERE p.pronamespace = 'chat'::regnamespace
                            AND p.provolatile = 'i' LOOP
                 EXECUTE 'GRANT EXECUTE ON FUNCTION ' || name || ' TO {reader}';
             END LOOP;
         END $$;"
    )
}

/// Lets the servers see which standbys are connected. Not every owner may give this right.
fn show_standbys(session: &mut Session, server: &RoleName) -> Result<bool, PrepareError> {
    let grant = format!("GRANT pg_read_all_stats TO {server}");
    match session.client.batch_execute(&grant) {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(false),
        Err(error) => Err(Error::from(error).into()),
    }
}

impl From<Error> for PrepareError {
    fn from(error: Error) -> Self {
        match error {
            Error::Connect(error) => Self::Connect(error),
            Error::Client(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                let message = error.as_db_error().map(|refused| refused.message().to_owned());
                Self::NotAllowed(message.unwrap_or_default())
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

impl FromStr for RoleName {
    type Err = InvalidRoleName;

    fn from_str(text: &str) -> Result<Self, InvalidRoleName> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let begins_well = text.bytes().next().is_some_and(is_letter);
        let is_plain = text.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit());
        // PostgreSQL reserves these, and `public` is everybody.
        let is_reserved = text.starts_with("pg_") || ["public", "none"].contains(&text);
        match begins_well && is_plain && !is_reserved && text.len() <= ROLE_NAME_BYTES_MAX {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidRoleName),
        }
    }
}

/// In quotes, as in SQL: the name can be a keyword.
impl fmt::Display for RoleName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.0)
    }
}

impl RoleName {
    /// The name without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_name_needs_no_escapes() {
        for name in ["chat_server", "_a1", "user", &"a".repeat(63)] {
            assert_eq!(name.parse::<RoleName>().map(|role| role.0).as_deref(), Ok(name));
        }
        for name in ["", "1a", "Chat", "a-b", "a\"b", "a b", "pg_monitor", "public", "none"] {
            assert_eq!(name.parse::<RoleName>(), Err(InvalidRoleName), "{name:?}");
        }
        assert_eq!("a".repeat(64).parse::<RoleName>(), Err(InvalidRoleName));
    }
}
