//! `check`: whether the database is sound.

use std::path::Path;

use serde_json::json;

use super::arguments::CheckArguments;
use super::failure::{Exit, Failure};
use super::open;
use super::output::Output;
use crate::catalogue::server;
use crate::store::{Checked, Depth, FINDINGS_MAX, Reading};

/// Tells what is wrong with the database, a line each.
pub(super) fn run(
    db: &Path,
    arguments: &CheckArguments,
    mut output: Output,
) -> Result<(), Failure> {
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
