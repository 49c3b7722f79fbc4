//! Has a command deal with a message: its own process, no shell, the message as JSON on its
//! standard input.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use crate::catalogue::{client, shared};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::render::object;
use crate::model::Message;
use crate::terminal::text;

/// How long to wait before a message's second try; each further time twice as long, up to the
/// limit.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A command, and how often it is tried.
#[derive(Debug)]
pub struct Exec {
    program: OsString,
    arguments: Vec<OsString>,
    tries_max: usize,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The command ended with 0.
    Succeeded,
    /// It failed every time.
    GivenUp,
}

impl Exec {
    /// A command line; `None` for one without a word.
    pub fn new(words: &[OsString], tries_max: usize) -> Option<Self> {
        let (program, arguments) = words.split_first()?;
        Some(Self { program: program.clone(), arguments: arguments.to_vec(), tries_max })
    }

    /// Runs the command until it ends with 0, or has failed too often; what failed is told on
    /// standard error. Blocks for as long as that takes.
    ///
    /// # Errors
    /// The command cannot be run at all, which is no message's fault.
    pub fn run(&self, message: &Message) -> Result<Done, Failure> {
        let mut pause = PAUSE_FIRST;
        for number in 1..=self.tries_max {
            let status = self.try_once(message).map_err(|error| {
                let message = client::command_not_run(self.program.display(), error);
                Failure::trouble(Exit::Configuration, message)
            })?;
            if status.success() {
                return Ok(Done::Succeeded);
            }
            let program = text::visible(&self.program.to_string_lossy());
            let (id, max) = (message.id.0, self.tries_max);
            let failed = client::command_failed(program, id, status, number, max);
            let _ = writeln!(io::stderr(), "{}", shared::note(failed));
            if number < self.tries_max {
                thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
        Ok(Done::GivenUp)
    }

    fn try_once(&self, message: &Message) -> io::Result<ExitStatus> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env("CHAT_ID", message.id.0.to_string())
            .env("CHAT_FROM", message.from.as_str())
            .stdin(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command need not read what it is given.
            let _ = writeln!(stdin, "{}", object::message(message));
        }
        child.wait()
    }
}
