//! `completions`: prints the script of a shell, and answers it. Touches no database.

use std::io;

use clap::CommandFactory;

use super::arguments::Arguments;
use super::failure::{Exit, Failure};
use crate::catalogue::{command_line, server_help};
use crate::completion::{self, CompletionsArguments};

/// Prints the script, or answers it.
///
/// # Errors
/// That standard output cannot be written.
pub(super) fn run(arguments: &CompletionsArguments) -> Result<(), Failure> {
    let definitions = command_line::spoken(Arguments::command(), server_help::HELP);
    completion::run(arguments, definitions, |_| Vec::new(), &mut io::stdout())
        .map_err(|error| Failure::new(Exit::Io, format!("cannot write the answer: {error}")))
}
