//! `seed`: adds several users at once, from the seed or from a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::json;

use super::admin_client::{AdminClient, Missing, unexpected};
use super::arguments::SeedArguments;
use super::failure::{Exit, Failure};
use super::output::Output;
use crate::admin::LINE_BYTES_MAX;
use crate::admin::answer::AdminReply;
use crate::admin::request::{NewUser, Request, SEED_USERS_MAX};
use crate::catalogue::{client, server};
use crate::model::UserName;
use crate::operate::database::Database;

/// The maximum size of the file: its users have to fit into one request.
const FILE_BYTES_MAX: usize = LINE_BYTES_MAX / 2;

/// Adds all users or none. Creates the database if it does not exist.
pub(super) fn run(
    db: &Database<'_>,
    arguments: &SeedArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let users = arguments.file.as_deref().map(read).transpose()?;
    let mut admin = AdminClient::open(db, Missing::Create)?;
    let users = match admin.ask(&Request::Seed { users })? {
        AdminReply::Created { users } => users,
        answer => return Err(unexpected(&answer)),
    };
    if output.is_json {
        output.object(&json!({"users": users, "new_database": admin.created()}))?;
    } else {
        let names: Vec<&str> = users.iter().map(UserName::as_str).collect();
        output.new_database(admin.created())?;
        output.did(&server::users_added(names.join(", ")))?;
    }
    output.finish()
}

fn read(path: &Path) -> Result<Vec<NewUser>, Failure> {
    let shown = path.display();
    let unreadable = |error: io::Error| {
        let exit = match error.kind() {
            io::ErrorKind::NotFound => Exit::NoInput,
            _ => Exit::Io,
        };
        Failure::new(exit, client::file_not_read(&shown, error))
    };
    let source: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(File::open(path).map_err(unreadable)?),
    };
    let mut text = Vec::new();
    source.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(unreadable)?;
    let refused = |problem: String| Failure::new(Exit::Data, problem).hint(server::give_users());
    if text.len() > FILE_BYTES_MAX {
        return Err(refused(server::file_too_long(&shown, FILE_BYTES_MAX)));
    }
    // Only the place: the text there could be a password.
    let users: Vec<NewUser> = serde_json::from_slice(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        refused(server::no_list_of_users(&shown, line, column))
    })?;
    if users.len() > SEED_USERS_MAX {
        return Err(refused(server::too_many_users(&shown, SEED_USERS_MAX)));
    }
    Ok(users)
}
