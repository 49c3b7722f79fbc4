//! `export`: the database as lines of JSON.

use std::io::{self, BufWriter, IsTerminal, Write};

use super::arguments::ExportArguments;
use super::count;
use super::database::Database;
use super::failure::{Exit, Failure};
use super::open;
use super::output::Output;
use super::user_name;
#[cfg(feature = "postgres")]
use crate::catalogue::postgres;
use crate::catalogue::server;
use crate::model::MessageId;
use crate::store::{Export, ExportError};
use crate::terminal::progress::{Measure, Progress};
use crate::transfer::Record;

/// The number of messages between two estimates of the total.
const ESTIMATE_MESSAGES: u64 = 1_024;

/// Writes the lines to standard output.
pub(super) fn run(
    db: &Database<'_>,
    arguments: &ExportArguments,
    is_json: bool,
) -> Result<(), Failure> {
    let export = Export {
        user: arguments.user.as_deref().map(user_name::parse).transpose()?,
        from_id: MessageId(arguments.from_id),
        with_secrets: arguments.with_secrets,
    };
    let mut reading = open::exporter(db)?;
    let mut output = BufWriter::new(io::stdout().lock());
    let is_alone = !io::stdout().is_terminal();
    let progress = Progress::start_if(is_alone, server::exporting(), Measure::Bytes);
    let (mut messages, mut users, mut bytes) = (0_u64, 0_u64, 0_u64);
    let (mut newest, mut line) = (export.from_id, Vec::new());
    let written = reading.export(&export, |record| {
        line.clear();
        serde_json::to_writer(&mut line, &record).map_err(io::Error::from)?;
        line.push(b'\n');
        bytes += line.len() as u64;
        progress.at(bytes);
        match record {
            Record::Message(message) => {
                messages += 1;
                if messages.is_multiple_of(ESTIMATE_MESSAGES) {
                    let part = part(export.from_id, message.id, newest);
                    progress.of((bytes as f64 / part) as u64);
                }
            }
            Record::User(_) => users += 1,
            Record::Header(header) => newest = header.newest,
            Record::Room(_)
            | Record::Membership(_)
            | Record::Invitation(_)
            | Record::Cursor(_)
            | Record::Block(_)
            | Record::Mark(_) => {}
        }
        output.write_all(&line)
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
            let problem = server::database_unreadable(reading.location().display(), problem);
            Err(match db {
                Database::File(_) => {
                    Failure::new(Exit::Data, problem).hint(server::export_not_whole())
                }
                #[cfg(feature = "postgres")]
                Database::Postgres(_) => {
                    Failure::new(Exit::Io, problem).hint(postgres::export_not_whole())
                }
            })
        }
    }
}

/// The exported part of the ids, after the message `id`. Ids rise by one, except for gaps.
fn part(from: MessageId, id: MessageId, newest: MessageId) -> f64 {
    let upto = |id: MessageId| id.0.saturating_sub(from.0).max(0) as f64 + 1.0;
    (upto(id) / upto(newest)).min(1.0)
}
