//! `check`: whether the database is sound.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::admin_client::{AdminClient, Missing, unexpected};
use super::arguments::CheckArguments;
use super::database::Database;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::{count, open};
use crate::admin::answer::AdminReply;
use crate::admin::request::Request;
use crate::catalogue::server;
use crate::store::{CheckDepth, Checked, FINDINGS_MAX, OfflineDatabase};
use crate::terminal::progress::{Measure, Progress};

/// The time limit for one part, such as an index.
const REBUILD_WAIT: Duration = Duration::from_secs(3600);

/// Prints the faults of the database, one a line.
pub(super) fn run(
    db: &Path,
    arguments: &CheckArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let rebuilt = arguments.rebuild.then(|| rebuild(db)).transpose()?;
    let reading = OfflineDatabase::open(db).map_err(|error| open::refused(&error))?;
    let depth = if arguments.quick { CheckDepth::Quick } else { CheckDepth::Full };
    let progress = Progress::start(server::checking(), Measure::Time);
    let Checked { content, findings } = reading.check(depth);
    drop(progress);
    reading.verify_unchanged().map_err(|error| open::refused(&error))?;
    let path = reading.path().to_owned();
    if output.is_json {
        let mut fields = json!({"path": path, "sound": findings.is_empty(), "findings": findings, "rebuilt": rebuilt});
        if let Some(content) = content {
            fields["schema"] = content.schema.into();
            fields["users"] = content.users.into();
            fields["messages"] = content.messages.into();
            fields["newest"] = content.newest.0.into();
        }
        output.object(&fields)?;
    } else {
        if let Some(parts) = rebuilt {
            output.line(&server::made_anew(parts.join(", ")))?;
        }
        for finding in &findings {
            output.line(finding)?;
        }
        if let (true, Some(content)) = (findings.is_empty(), content) {
            output.line(&server::sound(
                path.display(),
                count::messages(content.messages),
                count::users(content.users),
                content.newest.0,
                content.schema,
            ))?;
        }
    }
    output.finish()?;
    match findings.len() {
        0 => Ok(()),
        count => {
            let findings = match count {
                FINDINGS_MAX => server::or_more(count),
                count => count::findings(count),
            };
            let problem = server::damaged(path.display(), findings);
            Err(Failure::new(Exit::Data, problem).hint(server::rebuild_or_restore()))
        }
    }
}

/// Rebuilds the parts that follow from the tables, one at a time. Returns their names.
fn rebuild(db: &Path) -> Result<Vec<String>, Failure> {
    let mut parts = Vec::new();
    let mut admin = AdminClient::open(&Database::File(db), Missing::Refuse)?;
    let _progress = Progress::start(server::rebuilding(), Measure::Time);
    for part in 0.. {
        match admin.ask_within(&Request::Rebuild { part }, REBUILD_WAIT)? {
            AdminReply::Rebuilt { what: Some(part) } => parts.push(part),
            AdminReply::Rebuilt { what: None } => break,
            answer => return Err(unexpected(&answer)),
        }
    }
    Ok(parts)
}
