//! `session`: lists and ends sessions.

use serde_json::json;

use super::admin_client::{self, AdminClient, Missing, unexpected};
use super::arguments::{SessionCommand, SessionListArguments, SessionRevokeArguments};
use super::failure::Failure;
use super::output::Output;
use super::user::ended;
use super::user_name;
use crate::admin::answer::{AdminReply, Session};
use crate::admin::request::{Request, Sessions};
use crate::catalogue::{client, server};
use crate::operate::database::Database;

/// Executes a `session` command.
pub(super) fn run(
    db: &Database<'_>,
    command: &SessionCommand,
    output: Output,
) -> Result<(), Failure> {
    match command {
        SessionCommand::List(arguments) => list(db, arguments, output),
        SessionCommand::Revoke(arguments) => revoke(db, arguments, output),
    }
}

/// Prints the sessions that have not ended, the oldest first.
fn list(
    db: &Database<'_>,
    arguments: &SessionListArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let user = arguments.user.as_deref().map(user_name::parse).transpose()?;
    let mut admin = AdminClient::open(db, Missing::Refuse)?;
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let (sessions, more) =
            match admin.ask(&Request::SessionList { user: user.clone(), after })? {
                AdminReply::Sessions { sessions, more } => (sessions, more),
                answer => return Err(unexpected(&answer)),
            };
        after = sessions.last().map(|session| session.id);
        for session in &sessions {
            if output.is_json {
                output.object(session)?;
            } else {
                rows.push(row(session, &output));
            }
        }
        if !more || after.is_none() {
            break;
        }
    }
    if !output.is_json {
        output.table(
            [
                "id",
                server::title_user(),
                client::opened(),
                client::last_used(),
                server::title_expires(),
            ],
            &rows,
        )?;
    }
    output.finish()
}

fn row(session: &Session, output: &Output) -> [String; 5] {
    let moment = |at| output.moment(Some(at));
    [
        session.id.0.to_string(),
        session.user.to_string(),
        moment(session.created_at),
        moment(session.last_seen_at),
        // It is in the future, so it has no age.
        session.expires_at.to_rfc3339(),
    ]
}

/// Ends sessions.
fn revoke(
    db: &Database<'_>,
    arguments: &SessionRevokeArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let sessions = match (arguments.id, &arguments.user) {
        (Some(id), _) => Sessions::Only(id),
        (None, Some(user)) => Sessions::Of(user_name::parse(user)?),
        (None, None) => Sessions::All,
    };
    let count = match admin_client::ask(db, &Request::SessionRevoke { sessions })? {
        AdminReply::Ended { sessions } => sessions,
        answer => return Err(unexpected(&answer)),
    };
    if output.is_json {
        output.object(&json!({"ended": count}))?;
    }
    output.did(&ended(count))?;
    output.finish()
}
