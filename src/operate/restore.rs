//! `restore`: creates a database from a backup.

use std::path::Path;

use super::arguments::RestoreArguments;
use super::backup;
use super::count;
use super::failure::Failure;
use super::open;
use super::output::Output;
use super::stop::Stop;
use crate::catalogue::server;
use crate::store::{self, Copy, OldSessions};
use crate::terminal::progress::{Measure, Progress};

/// Creates `db` from a backup. It must not exist.
pub(super) fn run(
    db: &Path,
    arguments: &RestoreArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let stop = Stop::listen()?;
    let sessions = if arguments.keep_sessions { OldSessions::Keep } else { OldSessions::End };
    let progress = Progress::start(server::restoring(), Measure::Bytes);
    let copy = store::restore(&arguments.backup, db, sessions, &mut |done, of| {
        progress.of(of);
        progress.at(done);
        stop.flow()
    })
    .map_err(|error| open::refused(&error))?;
    drop(progress);
    if output.is_json {
        let mut fields = backup::fields(&copy);
        fields["sessions_kept"] = arguments.keep_sessions.into();
        output.object(&fields)?;
    } else {
        let Copy { path, content, .. } = &copy;
        output.line(&server::restored(
            path.display(),
            count::messages(content.messages),
            count::users(content.users),
            content.newest.0 + 1,
            if arguments.keep_sessions {
                server::sessions_kept()
            } else {
                server::sessions_not_kept()
            },
        ))?;
    }
    output.finish()
}
