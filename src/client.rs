//! `chat-cli`: one-shot commands for scripts, and a prompt for people.
//!
//! A one-shot command's way: [`arguments`] → one function of [`command`] → [`session`] (which
//! token) → [`verbs`] → [`link`] → [`connection`] → [`render`] → standard output. The prompt
//! ([`prompt`]) reads lines instead of arguments and goes the same way from [`verbs`] on.
//!
//! Results go to standard output, everything else to standard error, and how it ended is told by
//! the exit code ([`exit`]). Nothing here knows the server or its storage: only the protocol.

pub mod address;
pub mod arguments;
pub mod command;
pub mod connection;
pub mod delivery;
pub mod exit;
pub mod failure;
pub mod frames;
pub mod link;
pub mod password;
pub mod prompt;
pub mod render;
pub mod session;
pub mod state_folder;
pub mod stream;
pub mod terminal;
pub mod verbs;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};

use clap::Parser;

use arguments::{Arguments, Command};
use exit::Exit;
use failure::Failure;
use link::Link;

/// Does what the command line says, and tells how it ended. Never panics, whatever standard input
/// brings and whoever closes standard output or standard error.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(words).and_then(Arguments::checked) {
        Ok(arguments) => arguments,
        Err(error) => return tell(&error),
    };
    // Not line by line: an inbox has many.
    let mut out = BufWriter::new(io::stdout().lock());
    let done = dispatch(arguments, &mut out).and_then(|()| Ok(out.flush()?));
    match done {
        Ok(()) => Exit::Done,
        Err(failure) => {
            // What it has to say comes after what was done before it failed.
            let _ = out.flush();
            failure.report(&mut io::stderr());
            failure.exit()
        }
    }
}

fn dispatch(arguments: Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let mut link = Link::new(arguments.server, arguments.timeout);
    match arguments.command {
        None => prompt::run(&arguments.prompt, link, out),
        Some(Command::Auth(arguments)) => command::auth::run(&arguments, &mut link, out),
        Some(Command::Send(arguments)) => command::send::run(arguments, &mut link, out),
        Some(Command::Inbox(arguments)) => command::inbox::run(&arguments, &mut link, out),
        Some(Command::List) => command::list::run(&mut link, out),
        Some(Command::Logout) => command::logout::run(&mut link, out),
    }
}

/// Prints what is wrong with the command line; or the help or version, which are results.
fn tell(error: &clap::Error) -> Exit {
    match (error.use_stderr(), error.print()) {
        (true, _) => Exit::Usage,
        (false, Ok(())) => Exit::Done,
        (false, Err(error)) => Failure::from(error).exit(),
    }
}
