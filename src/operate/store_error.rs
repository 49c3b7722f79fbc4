//! The words for the errors of the store, which returns codes.

use std::fmt::{self, Display, Formatter};

use crate::catalogue::{server, storage};
use crate::store::{Fatal, NoInput, NotOurs, OpenError};

impl Display for OpenError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&sentence(self))
    }
}

/// Why the server stops: the store can no longer guarantee its answers.
pub(super) fn fatal(fatal: &Fatal) -> String {
    match fatal {
        Fatal::FileGone => storage::file_gone().to_owned(),
        Fatal::WalCut => storage::wal_cut().to_owned(),
        Fatal::NotSynced(problem) => storage::not_synced(problem),
        Fatal::Panicked => storage::writer_panicked().to_owned(),
        Fatal::Engine(problem) => problem.clone(),
    }
}

fn sentence(error: &OpenError) -> String {
    match error {
        OpenError::NotAFileName(given) => storage::not_a_file_name(format_args!("{given:?}")),
        OpenError::NoInput { path, problem } => {
            format!("{} {}", path.display(), no_input(*problem))
        }
        OpenError::NotOurs { path, problem } => format!("{} {}", path.display(), not_ours(problem)),
        OpenError::ForeignWal { path, wal } => storage::foreign_wal(wal.display(), path.display()),
        OpenError::OrphanWal { path, wal } => storage::orphan_wal(wal.display(), path.display()),
        OpenError::Changed { path } => storage::changed(path.display()),
        OpenError::Newer { path, version, .. } => storage::is_newer(path.display(), version),
        OpenError::Older { path, version } => storage::is_older(path.display(), version),
        OpenError::Exists { path } => storage::exists(path.display()),
        OpenError::Stopped { path } => storage::broken_off(path.display()),
        OpenError::NoCopy { path, problem } => storage::not_upgraded(path.display(), problem),
        OpenError::InUse { path, process: Some(process) } => {
            storage::in_use(path.display(), server::process(process))
        }
        OpenError::InUse { path, process: None } => {
            storage::in_use(path.display(), storage::another_process())
        }
        OpenError::Io { path, source } => storage::cannot_be_opened(path.display(), source),
        OpenError::Server { path, problem } | OpenError::Sqlite { path, problem } => {
            storage::cannot_be_opened(path.display(), problem)
        }
    }
}

fn no_input(problem: NoInput) -> &'static str {
    match problem {
        NoInput::Folder => storage::is_a_folder(),
        NoInput::Device => storage::is_a_device(),
        NoInput::BelowFile => storage::is_below_a_file(),
        NoInput::DeadLink => storage::is_a_dead_link(),
        NoInput::NoFolder => storage::is_in_no_folder(),
        NoInput::Missing => storage::does_not_exist(),
        NoInput::Empty => storage::is_empty(),
        NoInput::Reserved => storage::is_reserved(),
    }
}

fn not_ours(problem: &NotOurs) -> String {
    match problem {
        NotOurs::NotSqlite => storage::is_not_sqlite().to_owned(),
        NotOurs::OtherProgram => storage::is_of_another_program().to_owned(),
        NotOurs::Damaged(problem) => storage::is_damaged(problem),
        NotOurs::DanglingRows => storage::is_damaged(storage::refers_to_nothing()),
    }
}
