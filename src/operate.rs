//! `chat-server`: the operator's command line. Each command is one function of a module here that
//! bears its name; [`serve`] is the one without a word.
//!
//! Results go to standard output, everything else to standard error, and how it ended is told by
//! the exit code ([`failure::Exit`]).

pub mod arguments;
mod completions;
pub mod failure;
mod open;
mod serve;

use std::ffi::OsString;

use arguments::{Arguments, Command};
use failure::{Exit, Failure};

/// Does what the command line says, and tells how it ended.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::parse_from_words(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are results; whoever closed their output does not want to know.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    match dispatch(&arguments) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            failure.report();
            failure.exit
        }
    }
}

fn dispatch(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        None => serve::run(&arguments.db, &arguments.serve),
        Some(Command::Serve(serve)) => serve::run(&arguments.db, serve),
        Some(Command::Completions(completions)) => completions::run(completions),
    }
}
