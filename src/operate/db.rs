//! `db`: prepares a database on PostgreSQL, and tells whether a server could use it and what it would
//! promise.

use super::arguments::DbCommand;
use super::database::{self, Database, Postgres};
use super::failure::{Exit, Failure};
use super::output::Output;
use super::settings::Resolved;
use crate::catalogue::postgres as texts;

mod check;
mod init;

/// Does what the words after `db` say.
pub(super) fn run(resolved: &Resolved, command: &DbCommand, output: Output) -> Result<(), Failure> {
    match command {
        DbCommand::Init(arguments) => {
            let url = arguments.url.as_deref();
            let postgres = on_postgres(resolved, url, &["db", "init"])?;
            init::run(&postgres, arguments, output)
        }
        DbCommand::Check(arguments) => {
            let url = arguments.url.as_deref();
            let postgres = on_postgres(resolved, url, &["db", "check"])?;
            check::run(&postgres, output)
        }
    }
}

/// The database of this URL, else that of the settings, must be on PostgreSQL.
fn on_postgres(
    resolved: &Resolved,
    url: Option<&str>,
    words: &[&str],
) -> Result<Box<Postgres>, Failure> {
    let database = match url {
        Some(url) if !database::is_url(url) => {
            return Err(Failure::new(Exit::Usage, texts::no_url()).hint(texts::give_url()));
        }
        Some(url) => Database::of_url(url, resolved)?,
        None => Database::of(resolved)?,
    };
    match database {
        Database::File(_) => {
            let problem = texts::only_for_postgres(words.join(" "));
            Err(Failure::new(Exit::Usage, problem).hint(texts::give_url()))
        }
        Database::Postgres(postgres) => Ok(postgres),
    }
}
