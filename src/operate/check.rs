//! `check`: whether the database is sound.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::arguments::CheckArguments;
use super::door::{Door, Missing};
use super::failure::{Exit, Failure};
use super::output::Output;
use super::{open, user};
use crate::admin::answer::Answer;
use crate::admin::request::Request;
use crate::catalogue::server;
use crate::store::{Checked, Depth, FINDINGS_MAX, Reading};

/// How long making an index may take.
const REBUILD_WAIT: Duration = Duration::from_secs(3600);

/// Tells what is wrong with the database, a line each.
pub(super) fn run(
    db: &Path,
    arguments: &CheckArguments,
    mut output: Output,
) -> Result<(), Failure> {
    if arguments.rebuild {
        rebuild(db)?;
    }
    let reading = Reading::open(db).map_err(|error| open::refused(&error))?;
    let depth = if arguments.quick { Depth::Quick } else { Depth::Full };
    let Checked { content, findings } = reading.check(depth);
    let path = reading.path().to_owned();
    if output.is_json {
        let mut fields = json!({"path": path, "sound": findings.is_empty(), "findings": findings});
        if let Some(content) = content {
            fields["schema"] = content.schema.into();
            fields["users"] = content.users.into();
            fields["messages"] = content.messages.into();
            fields["newest"] = content.newest.0.into();
        }
        output.object(&fields)?;
    } else {
        for finding in &findings {
            output.line(finding)?;
        }
        if let (true, Some(content)) = (findings.is_empty(), content) {
            output.line(&server::sound(
                path.display(),
                content.messages,
                content.users,
                content.newest.0,
                content.schema,
            ))?;
        }
    }
    output.finish()?;
    match findings.len() {
        0 => Ok(()),
        count => {
            let count = match count {
                FINDINGS_MAX => server::or_more(count),
                count => count.to_string(),
            };
            let problem = server::damaged(path.display(), count);
            Err(Failure::new(Exit::Data, problem).hint(server::rebuild_or_restore()))
        }
    }
}

/// Makes anew what can be told from the tables, a part at a time.
fn rebuild(db: &Path) -> Result<(), Failure> {
    let mut door = Door::open(db, Missing::Refuse)?;
    for part in 0.. {
        match door.ask_within(&Request::Rebuild { part }, REBUILD_WAIT)? {
            Answer::Rebuilt { what: Some(_) } => {}
            Answer::Rebuilt { what: None } => break,
            answer => return Err(user::unexpected(&answer)),
        }
    }
    Ok(())
}
