//! `user`: who may log in, and be written to.

mod add;
mod list;
mod password;

use std::path::Path;

use super::arguments::UserCommand;
use super::failure::{Exit, Failure};
use super::output::Output;
use crate::admin::answer::Answer;
use crate::model::{DISPLAY_NAME_BYTES_MAX, DisplayName, USER_NAME_BYTES_MAX, UserName};

/// Does what the words after `user` say.
pub(super) fn run(db: &Path, command: &UserCommand, output: Output) -> Result<(), Failure> {
    match command {
        UserCommand::Add(arguments) => add::run(db, arguments, output),
        UserCommand::List => list::run(db, output),
    }
}

fn name(given: &str) -> Result<UserName, Failure> {
    given.parse().map_err(|error| {
        Failure::new(Exit::Data, format!("{given:?} is no user name: {error}"))
            .hint(format!("give 1 to {USER_NAME_BYTES_MAX} of a-z, 0-9, _ and -"))
    })
}

fn display_name(given: &str) -> Result<DisplayName, Failure> {
    given.parse().map_err(|error| {
        Failure::new(Exit::Data, format!("{given:?} is no display name: {error}"))
            .hint(format!("give 1 to {DISPLAY_NAME_BYTES_MAX} bytes without control characters"))
    })
}

/// The answer is none to this request.
fn unexpected(answer: &Answer) -> Failure {
    Failure::new(Exit::Internal, format!("the answer is for another request: {answer:?}"))
}
