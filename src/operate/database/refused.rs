//! What a command does on PostgreSQL that works with files only: it names what does the same there.

use crate::catalogue::postgres as texts;
use crate::operate::arguments::Command;
use crate::operate::failure::{Exit, Failure};

/// Why a command does nothing on PostgreSQL, and what does the same there.
pub(in crate::operate) fn refused(command: Option<&Command>) -> Failure {
    match command {
        Some(Command::Backup(_)) => only_for_files(&["backup"], texts::backup_by_pg_dump()),
        Some(Command::Restore(_)) => only_for_files(&["restore"], texts::restore_by_pg_restore()),
        Some(Command::Check(check)) if check.rebuild => {
            only_for_files(&["check", "--rebuild"], texts::rebuild_by_reindex())
        }
        Some(Command::Check(_)) => only_for_files(&["check"], texts::check_by_amcheck()),
        Some(Command::Message(message)) if message.command.compacts() => {
            only_for_files(&["message", "purge", "--compact"], texts::compact_by_vacuum())
        }
        Some(Command::Healthcheck(_)) => {
            let problem = texts::no_admin_socket();
            Failure::new(Exit::Configuration, problem).hint(texts::give_admin_socket())
        }
        Some(Command::Init(_)) => only_for_files(&["init"], texts::init_by_hand()),
        // The others work there. A new command needs a line here or above.
        None
        | Some(
            Command::Serve(_)
            | Command::User(_)
            | Command::Room(_)
            | Command::Message(_)
            | Command::Session(_)
            | Command::Token(_)
            | Command::Invite(_)
            | Command::Seed(_)
            | Command::Stats
            | Command::Config(_)
            | Command::Export(_)
            | Command::Import(_)
            | Command::Db(_)
            | Command::Completions(_),
        ) => only_for_files(&[command.map_or("serve", Command::name)], texts::give_database_file()),
    }
}

fn only_for_files(words: &[&str], instead: &str) -> Failure {
    Failure::new(Exit::Usage, texts::only_for_files(words.join(" "))).hint(instead)
}
