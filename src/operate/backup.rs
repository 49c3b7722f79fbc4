//! `backup`: complete copies of the database, once or at intervals.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::arguments::BackupArguments;
use super::count;
use super::failure::{Exit, Failure};
use super::open;
use super::output::Output;
use super::stop::Stop;
use crate::catalogue::{server, shared};
use crate::model::Timestamp;
use crate::store::{self, Copy, OfflineDatabase, OpenError};
use crate::system;
use crate::terminal::progress::{Measure, Progress};

/// The end of a backup's name in a folder, after the database's name and the time.
const SUFFIX: &str = ".sqlite";
/// The length of the time in that name: `20261124T171500Z`.
const TIME_BYTES: usize = 16;

/// Makes one backup, or one at each interval.
pub(super) fn run(db: &Path, arguments: &BackupArguments, output: Output) -> Result<(), Failure> {
    let stop = Stop::listen()?;
    let folder = arguments.to.is_dir().then(|| Folder::new(db, &arguments.to)).transpose()?;
    let schedule = Schedule { db, stop, folder, arguments };
    match (arguments.every, &schedule.folder) {
        (None, _) => match schedule.make()? {
            Some(copy) => report(&copy, output),
            None => Err(Failure::new(Exit::Interrupted, shared::interrupted())),
        },
        (Some(every), Some(_)) => schedule.run(every, output),
        (Some(_), None) => {
            Err(Failure::new(Exit::NoInput, server::no_folder(arguments.to.display()))
                .hint(server::give_folder()))
        }
    }
}

struct Schedule<'a> {
    db: &'a Path,
    stop: Stop,
    folder: Option<Folder>,
    arguments: &'a BackupArguments,
}

impl Schedule<'_> {
    /// Makes one now and one at each interval. A failure is reported, and the next interval tries
    /// again. Old backups are removed only after a new one was made.
    fn run(&self, every: Duration, output: Output) -> Result<(), Failure> {
        let is_json = output.is_json;
        drop(output);
        loop {
            let begun = Instant::now();
            match self.make() {
                Ok(Some(copy)) => report(&copy, Output::new(is_json))?,
                Ok(None) => return Ok(()),
                Err(failure) if is_json => failure.report_json(),
                Err(failure) => failure.report(),
            }
            if self.stop.wait(every.saturating_sub(begun.elapsed())) {
                return Ok(());
            }
        }
    }

    /// Makes a backup and removes old ones. `None` after a signal to stop.
    fn make(&self) -> Result<Option<Copy>, Failure> {
        let to = match &self.folder {
            Some(folder) => folder.next(),
            None => self.arguments.to.clone(),
        };
        let source = OfflineDatabase::open(self.db).map_err(|error| open::refused(&error))?;
        let progress = Progress::start(server::backing_up(), Measure::Bytes);
        let copied = source.copy(&to, &mut |done, of| {
            progress.of(of);
            progress.at(done);
            self.stop.flow()
        });
        let copy = match copied {
            Ok(copy) => copy,
            Err(OpenError::Stopped { .. }) => return Ok(None),
            Err(error) => return Err(refused(&error)),
        };
        if let (Some(folder), Some(keep)) = (&self.folder, self.arguments.keep) {
            folder.remove_all_but(keep as usize)?;
        }
        Ok(Some(copy))
    }
}

/// A folder with backups of a database: `chat-20261124T171500Z.sqlite` of `chat.sqlite`.
struct Folder {
    path: PathBuf,
    prefix: String,
}

impl Folder {
    fn new(db: &Path, path: &Path) -> Result<Self, Failure> {
        let db = store::resolve(db).map_err(|error| open::refused(&error))?;
        let name = db.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self { path: path.to_owned(), prefix: format!("{name}-") })
    }

    fn next(&self) -> PathBuf {
        let now = Timestamp::now().to_calendar().strftime("%Y%m%dT%H%M%SZ");
        self.path.join(format!("{}{now}{SUFFIX}", self.prefix))
    }

    /// Whether [`Self::next`] could have made this name.
    fn is_ours(&self, name: &str) -> bool {
        let Some(time) = name.strip_prefix(&self.prefix) else { return false };
        let Some(time) = time.strip_suffix(SUFFIX) else { return false };
        time.len() == TIME_BYTES
            && time.bytes().enumerate().all(|(at, byte)| match at {
                8 => byte == b'T',
                15 => byte == b'Z',
                _ => byte.is_ascii_digit(),
            })
    }

    /// The names contain the times, so the oldest come first. An entry with such a name that is no
    /// file stays.
    fn remove_all_but(&self, keep: usize) -> Result<(), Failure> {
        let failed = |path: &Path, error| {
            Failure::new(Exit::Io, server::old_backups_not_removed(path.display(), error))
        };
        let mut ours = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(|error| failed(&self.path, error))? {
            let entry = entry.map_err(|error| failed(&self.path, error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if self.is_ours(&name) && is_file {
                ours.push(entry.path());
            } else if system::FLOCK_IGNORES_FCNTL
                && name.strip_suffix(".partial").is_some_and(|name| self.is_ours(name))
                && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
            {
                // A killed backup left it. No process has it open.
                let _ = fs::remove_file(entry.path());
            }
        }
        ours.sort();
        let too_many = ours.len().saturating_sub(keep);
        for path in &ours[..too_many] {
            fs::remove_file(path).map_err(|error| failed(path, error))?;
        }
        Ok(())
    }
}

fn report(copy: &Copy, mut output: Output) -> Result<(), Failure> {
    let Copy { path, bytes, content } = copy;
    if output.is_json {
        output.object(&fields(copy))?;
    } else {
        output.line(&server::backup_made(
            path.display(),
            count::messages(content.messages),
            count::users(content.users),
            content.newest.0,
            bytes,
        ))?;
    }
    output.finish()
}

/// The object of `--json`.
pub(super) fn fields(copy: &Copy) -> Value {
    let Copy { path, bytes, content } = copy;
    json!({
        "path": path,
        "bytes": bytes,
        "schema": content.schema,
        "users": content.users,
        "messages": content.messages,
        "newest": content.newest,
    })
}

fn refused(error: &OpenError) -> Failure {
    match error {
        OpenError::Io { .. } => Failure::new(Exit::Io, error).hint(server::nothing_left_there()),
        OpenError::NotOurs { .. } => {
            Failure::new(Exit::Data, error).hint(server::copy_thrown_away())
        }
        error => open::refused(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_named_after_its_time_counts_as_a_backup() {
        let folder = Folder { path: PathBuf::new(), prefix: "chat-".to_owned() };
        let next = folder.next();
        assert!(folder.is_ours(next.to_str().unwrap()), "{next:?}");
        for other in [
            "chat-before-the-move.sqlite",
            "chat-20261124T171500Z.sqlite.partial",
            "chat2-20261124T171500Z.sqlite",
            "chat-2026-11-24T1715Z.sqlite",
            "20261124T171500Z.sqlite",
            "chat.sqlite",
        ] {
            assert!(!folder.is_ours(other), "{other}");
        }
    }
}
