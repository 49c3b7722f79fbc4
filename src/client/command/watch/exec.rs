//! Runs a command for a message: as its own process, without a shell, with the message as JSON on
//! its standard input.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::child::Guard;
use super::lock::Lock;
use crate::catalogue::{client, shared};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::render::object;
use crate::model::{Details, Message, Tag, Timestamp};
use crate::terminal::text;

/// The pause before a message's second attempt. Each further pause is twice as long, up to the
/// limit.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A command, and how often to try it.
#[derive(Debug)]
pub struct Exec {
    program: OsString,
    arguments: Vec<OsString>,
    tries_max: usize,
    guard: Guard,
    /// The lock of the cursor, if there is a cursor.
    lock: Option<Lock>,
}

/// The result for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecOutcome {
    /// The command ended with 0.
    Succeeded,
    /// It failed every time.
    GivenUp,
}

impl Exec {
    /// The command `words`; `None` if there are none. From now on, a signal that ends this process
    /// waits for the command, which inherits `lock`.
    ///
    /// # Errors
    /// The system lacks a descriptor or a thread.
    pub fn new(
        words: &[OsString],
        tries_max: usize,
        lock: Option<Lock>,
    ) -> Result<Option<Self>, Failure> {
        let Some((program, arguments)) = words.split_first() else { return Ok(None) };
        let guard = Guard::start().map_err(|error| not_run(program, error))?;
        let (program, arguments) = (program.clone(), arguments.to_vec());
        Ok(Some(Self { program, arguments, tries_max, guard, lock }))
    }

    /// Runs the command until it ends with 0 or has failed `tries_max` times, and reports each
    /// failure on standard error. Blocks meanwhile. The caller must record the result and then call
    /// [`recorded`](Self::recorded). If a signal ends this process, the command has ended before,
    /// and not with 0.
    ///
    /// # Errors
    /// The command cannot be run at all, which is not the message's fault.
    pub fn run(&self, message: &Message) -> Result<ExecOutcome, Failure> {
        self.guard.begin();
        let mut pause = PAUSE_FIRST;
        for number in 1..=self.tries_max {
            let status = self.try_once(message).map_err(|error| not_run(&self.program, error))?;
            let Some(status) = status else { self.guard.leave() };
            if status.success() {
                return Ok(ExecOutcome::Succeeded);
            }
            if self.guard.is_ending() {
                self.guard.leave();
            }
            let program = text::visible(&self.program.to_string_lossy());
            let (id, max) = (message.id.0, self.tries_max);
            let failed = client::command_failed(program, id, status, number, max);
            let _ = writeln!(io::stderr(), "{}", shared::note(failed));
            if number < self.tries_max {
                if self.guard.pause(pause) {
                    self.guard.leave();
                }
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
        Ok(ExecOutcome::GivenUp)
    }

    /// The result has been recorded. Ends this process if a signal has arrived meanwhile.
    pub fn recorded(&self) {
        self.guard.rest();
    }

    fn try_once(&self, message: &Message) -> io::Result<Option<ExitStatus>> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env("CHAT_ID", message.id.0.to_string())
            .env("CHAT_FROM", message.from.as_str());
        match message.to.room() {
            Some(room) => command.env("CHAT_ROOM", room.as_str()),
            None => command.env_remove("CHAT_ROOM"),
        };
        set_details(&mut command, message.details.as_deref());
        let input = format!("{}\n", object::message(message));
        self.guard.run(&mut command, &input, |process| {
            if let Some(lock) = &self.lock {
                lock.note_command(process, message.id);
            }
        })
    }
}

/// A variable for each detail. One that the message lacks is not set, whatever this process has.
fn set_details(command: &mut Command, details: Option<&Details>) {
    let none = Details::default();
    let Details { title, priority, tags, click, reply_to, expires, edited, .. } =
        details.unwrap_or(&none);
    let tags = tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(",");
    for (name, value) in [
        ("CHAT_TITLE", title.as_ref().map(|title| title.as_str().to_owned())),
        ("CHAT_PRIORITY", Some((*priority as u8).to_string())),
        ("CHAT_TAGS", Some(tags).filter(|tags| !tags.is_empty())),
        ("CHAT_CLICK", click.as_ref().map(|click| click.as_str().to_owned())),
        ("CHAT_REPLY_TO", reply_to.map(|id| id.0.to_string())),
        ("CHAT_EXPIRES_AT", expires.map(Timestamp::to_rfc3339)),
        ("CHAT_EDITED_AT", edited.map(Timestamp::to_rfc3339)),
    ] {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

fn not_run(program: &OsString, error: io::Error) -> Failure {
    Failure::new(Exit::Configuration, client::command_not_run(program.display(), error))
}
