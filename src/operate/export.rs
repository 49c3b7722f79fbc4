//! `export`: everything in the database as lines of JSON.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::arguments::ExportArguments;
use super::count;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::progress::Progress;
use super::{open, user};
use crate::catalogue::server;
use crate::model::MessageId;
use crate::store::{Export, ExportError, Reading};
use crate::transfer::Record;

/// Writes the lines to standard output.
pub(super) fn run(db: &Path, arguments: &ExportArguments, is_json: bool) -> Result<(), Failure> {
    let export = Export {
        user: arguments.user.as_deref().map(user::name).transpose()?,
        from_id: MessageId(arguments.from_id),
        with_secrets: arguments.with_secrets,
    };
    let reading = Reading::open_current(db).map_err(|error| open::refused(&error))?;
    let mut output = BufWriter::new(io::stdout().lock());
    let mut progress = Progress::new(server::exporting());
    let (mut messages, mut users) = (0_u64, 0_u64);
    let written = reading.export(&export, |record| {
        match record {
            Record::Message(_) => {
                messages += 1;
                progress.at(messages, None);
            }
            Record::User(_) => users += 1,
            Record::Header(_) | Record::Cursor(_) => {}
        }
        serde_json::to_writer(&mut output, &record).map_err(io::Error::from)?;
        output.write_all(b"\n")
    });
    drop(progress);
    match written {
        Ok(()) => {
            output.flush()?;
            drop(output);
            reading.verify_unchanged().map_err(|error| open::refused(&error))?;
            let done = server::exported(count::messages(messages), count::users(users));
            Output::new(is_json).did_beside(&done)
        }
        Err(ExportError::Output(error)) => Err(error.into()),
        Err(ExportError::UnknownUser) => {
            let name = arguments.user.as_deref().unwrap_or_default();
            Err(Failure::new(Exit::NoUser, server::no_user(name)).hint(server::user_list_shows()))
        }
        Err(ExportError::Database(problem)) => {
            let problem = server::database_unreadable(reading.path().display(), problem);
            Err(Failure::new(Exit::Data, problem).hint(server::export_not_whole()))
        }
    }
}
