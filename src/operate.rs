//! `chat-server`: the operator's command line. Each command is a function of the module with its
//! name. Without a command, it is `serve`.
//!
//! Results go to standard output and everything else to standard error. The exit code
//! ([`failure::Exit`]) is the outcome.

mod address;
mod admin_client;
pub mod arguments;
mod backup;
mod check;
mod completions;
mod config;
mod confirm;
mod count;
mod database;
#[cfg(feature = "postgres")]
mod db;
mod export;
pub mod failure;
mod healthcheck;
mod import;
mod init;
mod invite;
mod listen;
mod manager;
mod message;
mod open;
mod output;
mod preconditions;
mod reload;
mod restore;
mod room;
mod seed;
mod serve;
mod session;
pub mod settings;
mod stats;
mod stop;
mod store_error;
mod token;
mod user;
mod user_name;
mod web;

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::CommandFactory;
use signal_hook::consts::SIGXFSZ;

use crate::catalogue::{self, Language, command_line, serve as serve_texts};
use arguments::{Arguments, Command};
use database::Database;
use failure::{Exit, Failure};
use output::Output;
use settings::{Resolved, Unresolved};

/// Executes the command line. Returns the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Exit {
    // At a limit of the file size (`ulimit -f`) a write must fail, as on a full disk, and not end
    // the process. Any handler of the signal achieves that. The flag is not used.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    let words: Vec<OsString> = words.into_iter().collect();
    let asks_for_json = words.iter().any(|word| word == "--json");
    let of_environment = Language::of_environment();
    catalogue::set_language(Language::named_in(&words).unwrap_or(of_environment));
    let resolved = match Resolved::of(&words) {
        Ok(resolved) => resolved,
        Err(Unresolved::Words(error)) => {
            if let Some(name) = settings::empty_variable(&error) {
                let failure = Failure::new(Exit::Usage, serve_texts::empty_variable(name));
                report(&failure.hint(serve_texts::unset_variable()), asks_for_json);
                return Exit::Usage;
            }
            let help = catalogue::server_help::HELP;
            let error = command_line::in_language(error, Arguments::command(), help, &words);
            return tell(&error, asks_for_json);
        }
        Err(Unresolved::File(problems)) => {
            for problem in problems {
                report(&problem.into(), asks_for_json);
            }
            return Exit::Configuration;
        }
    };
    catalogue::set_language(resolved.arguments.lang.unwrap_or(of_environment));
    match dispatch(&resolved) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            report(&failure, resolved.arguments.json);
            failure.exit
        }
    }
}

fn dispatch(resolved: &Resolved) -> Result<(), Failure> {
    let arguments = &resolved.arguments;
    let output = || Output::new(arguments.json);
    match &arguments.command {
        // These use no database.
        Some(Command::Config(config)) => return config::run(resolved, &config.command, output()),
        Some(Command::Completions(completions)) => return completions::run(completions),
        #[cfg(feature = "postgres")]
        Some(Command::Db(db)) => return db::run(resolved, &db.command, output()),
        #[cfg(not(feature = "postgres"))]
        Some(Command::Db(_)) => return Err(database::not_built_in()),
        _ => {}
    }
    let database = Database::of(resolved)?;
    let command = arguments.command.as_ref();
    match command {
        None => serve::run(resolved, &arguments.serve, &database),
        Some(Command::Serve(serve)) => serve::run(resolved, serve, &database),
        Some(Command::Message(message)) => {
            database.check_purge(command)?;
            message::run(&database, &message.command, output())
        }
        Some(Command::Backup(backup)) => backup::run(database.file(command)?, backup, output()),
        Some(Command::Restore(restore)) => restore::run(database.file(command)?, restore, output()),
        Some(Command::Export(export)) => export::run(&database, export, arguments.json),
        Some(Command::Import(import)) => import::run(&database, import, output()),
        Some(Command::Check(check)) => check::run(database.file(command)?, check, output()),
        Some(Command::Init(init)) => {
            database.file(command)?;
            init::run(resolved, init, output())
        }
        Some(Command::User(user)) => user::run(&database, &user.command, output()),
        Some(Command::Room(room)) => room::run(&database, &room.command, output()),
        Some(Command::Session(session)) => session::run(&database, &session.command, output()),
        Some(Command::Token(token)) => token::run(&database, &token.command, output()),
        Some(Command::Invite(invite)) => invite::run(&database, invite, &arguments.serve, output()),
        Some(Command::Seed(seed)) => seed::run(&database, seed, output()),
        Some(Command::Stats) => stats::run(&database, output()),
        Some(Command::Healthcheck(healthcheck)) => {
            database.check_reachable(command)?;
            healthcheck::run(&database, healthcheck, output())
        }
        Some(Command::Config(_) | Command::Completions(_) | Command::Db(_)) => Ok(()),
    }
}

fn report(failure: &Failure, is_json: bool) {
    if is_json {
        failure.report_json();
    } else {
        failure.report();
    }
}

/// Prints the error of the command line; or the help or the version, which are results.
fn tell(error: &clap::Error, is_json: bool) -> Exit {
    if error.use_stderr() && is_json {
        let message = command_line::one_line(error);
        Failure::new(Exit::Usage, message).report_json();
        return Exit::Usage;
    }
    // A closed output is no error here.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}
