//! `db init`: prepares a database on PostgreSQL for servers.

use serde_json::json;

use crate::catalogue::{postgres as texts, server, storage};
use crate::operate::arguments::DbInitArguments;
use crate::operate::database::{Postgres, not_connected};
use crate::operate::failure::{Exit, Failure};
use crate::operate::output::Output;
use crate::store::postgres::roles::{PrepareError, Prepared, RoleName, Roles, prepare};
use crate::store::postgres::target::Target;

/// Creates what is missing, and tells what there is now and what is still to be done by hand.
pub(super) fn run(
    postgres: &Postgres,
    arguments: &DbInitArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let target = &postgres.connector.target;
    let roles = roles(arguments, target)?;
    let prepared = prepare(&postgres.connector, &roles).map_err(|error| failed(postgres, error))?;
    let of_server = Target { user: roles.server.as_str().to_owned(), ..target.clone() };
    if output.is_json {
        let created: Vec<&str> = prepared.created.iter().map(RoleName::as_str).collect();
        output.object(&json!({
            "database": target.to_string(),
            "schema": prepared.schema,
            "server_role": roles.server.as_str(),
            "reader_role": roles.reader.as_str(),
            "new_roles": created,
            "sees_standbys": prepared.sees_standbys,
        }))?;
        return output.finish();
    }
    tell(&prepared, &roles, &of_server, target, &mut output)?;
    output.finish()
}

fn tell(
    prepared: &Prepared,
    roles: &Roles,
    of_server: &Target,
    target: &Target,
    output: &mut Output,
) -> Result<(), Failure> {
    let Roles { server, reader } = roles;
    output.line(&texts::prepared(target, prepared.schema, server.as_str(), reader.as_str()))?;
    for role in &prepared.created {
        output.line(&texts::new_role(role.as_str(), target))?;
    }
    if !prepared.sees_standbys {
        output.line(&texts::grant_standbys(server.as_str()))?;
    }
    output.line(&texts::check_as_server(of_server))
}

/// Three different roles: the owner, and those that get rights.
fn roles(arguments: &DbInitArguments, target: &Target) -> Result<Roles, Failure> {
    let parse = |name: &str| {
        name.parse::<RoleName>().map_err(|_| {
            Failure::new(Exit::Usage, texts::no_role(format!("{name:?}"))).hint(texts::give_role())
        })
    };
    let (server, reader) = (parse(&arguments.server_role)?, parse(&arguments.reader_role)?);
    let names = [server.as_str(), reader.as_str(), target.user.as_str()];
    if names[0] == names[1] || names[..2].contains(&names[2]) {
        return Err(
            Failure::new(Exit::Usage, texts::same_roles()).hint(texts::give_different_roles())
        );
    }
    Ok(Roles { server, reader })
}

fn failed(postgres: &Postgres, error: PrepareError) -> Failure {
    let connector = &postgres.connector;
    let target = &connector.target;
    match error {
        PrepareError::Connect(error) => not_connected(connector, &error),
        PrepareError::Newer(version) => {
            Failure::new(Exit::Data, storage::is_newer(target, version))
                .hint(server::use_its_program())
        }
        PrepareError::Encoding(encoding) => {
            Failure::new(Exit::Data, texts::not_utf8(target, encoding))
                .hint(texts::create_as_utf8())
        }
        PrepareError::Superuser(role) => {
            Failure::new(Exit::Configuration, texts::superuser(role.as_str()))
                .hint(texts::give_another_role())
        }
        PrepareError::NotAllowed(problem) => {
            Failure::new(Exit::NoPermission, texts::not_allowed(&target.user, problem))
                .hint(texts::who_may_prepare())
        }
        PrepareError::Failed(problem) => {
            Failure::new(Exit::Io, texts::question_failed(target, problem))
        }
    }
}
