//! `chat-server`: the operator's command line. Each command is one function of a module here that
//! bears its name; `serve` is the one without a word.
//!
//! Results go to standard output, everything else to standard error, and how it ended is told by
//! the exit code ([`failure::Exit`]).

pub mod arguments;
mod completions;
mod door;
pub mod failure;
mod open;
mod output;
mod serve;
mod user;

use std::ffi::OsString;

use arguments::{Arguments, Command};
use failure::{Exit, Failure};
use output::Output;

/// Does what the command line says, and tells how it ended.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Exit {
    let words: Vec<OsString> = words.into_iter().collect();
    let arguments = match Arguments::parse_from_words(&words) {
        Ok(arguments) => arguments,
        Err(error) => return tell(&error, words.iter().any(|word| word == "--json")),
    };
    match dispatch(&arguments) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            if arguments.json {
                failure.report_json();
            } else {
                failure.report();
            }
            failure.exit
        }
    }
}

fn dispatch(arguments: &Arguments) -> Result<(), Failure> {
    let db = &arguments.db;
    match &arguments.command {
        None => serve::run(db, &arguments.serve),
        Some(Command::Serve(serve)) => serve::run(db, serve),
        Some(Command::User(user)) => user::run(db, &user.command, Output::new(arguments.json)),
        Some(Command::Completions(completions)) => completions::run(completions),
    }
}

/// Prints what is wrong with the command line; or the help or version, which are results.
fn tell(error: &clap::Error, is_json: bool) -> Exit {
    if error.use_stderr() && is_json {
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        Failure::new(Exit::Usage, message).report_json();
        return Exit::Usage;
    }
    // Whoever closed the output of help does not want to know.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}
