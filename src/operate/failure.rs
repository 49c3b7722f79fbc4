//! The exit codes of `chat-server`, and its error messages. The numbers from 64 to 78 have their
//! meaning from `sysexits.h`, which service managers know.

use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;

use crate::catalogue::{server, shared};
use crate::configuration::Problem;
use crate::protocol::json;
use crate::terminal::text;

/// How a command ended. The numbers never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success; or SIGTERM or SIGINT stopped the server.
    Done = 0,
    /// There was nothing to do.
    Nothing = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The file is not a database of this program, damaged, or newer; or the input is refused.
    Data = 65,
    /// The path is not a file, or its folder does not exist.
    NoInput = 66,
    /// The user does not exist.
    NoUser = 67,
    /// The server cannot listen on an address; or no server runs.
    Unavailable = 69,
    /// A fault of this program.
    Internal = 70,
    /// A file to be created exists already.
    Exists = 73,
    /// The database or a file beside it cannot be read or written, or the outcome is unknown.
    Io = 74,
    /// A later attempt may succeed.
    TryAgain = 75,
    /// The server belongs to another user of this machine.
    NoPermission = 77,
    /// The configuration is unsafe, or the system does not allow it.
    Configuration = 78,
    /// Ctrl-C at a question.
    Interrupted = 130,
    /// The reader closed the output.
    OutputClosed = 141,
}

impl Exit {
    /// Every exit code, lowest number first.
    pub const ALL: &[Self] = &[
        Self::Done,
        Self::Nothing,
        Self::Usage,
        Self::Data,
        Self::NoInput,
        Self::NoUser,
        Self::Unavailable,
        Self::Internal,
        Self::Exists,
        Self::Io,
        Self::TryAgain,
        Self::NoPermission,
        Self::Configuration,
        Self::Interrupted,
        Self::OutputClosed,
    ];

    /// Its meaning, as in `--help`.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => server::exit_done(),
            Self::Nothing => server::exit_nothing(),
            Self::Usage => server::exit_usage(),
            Self::Data => server::exit_data(),
            Self::NoInput => server::exit_no_input(),
            Self::NoUser => server::exit_no_user(),
            Self::Unavailable => server::exit_unavailable(),
            Self::Internal => server::exit_internal(),
            Self::Exists => server::exit_exists(),
            Self::Io => server::exit_io(),
            Self::TryAgain => server::exit_try_again(),
            Self::NoPermission => server::exit_no_permission(),
            Self::Configuration => server::exit_configuration(),
            Self::Interrupted => shared::exit_interrupted(),
            Self::OutputClosed => shared::exit_output_closed(),
        }
    }

    /// Its word in the errors of `--json`, unless the failure has a more specific one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Nothing => "nothing",
            Self::Usage => "usage",
            Self::Data => "data",
            Self::NoInput => "no_input",
            Self::NoUser => "unknown_user",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::Exists => "exists",
            Self::Io => "io",
            Self::TryAgain => "try_again",
            Self::NoPermission => "no_permission",
            Self::Configuration => "configuration",
            Self::Interrupted => "interrupted",
            Self::OutputClosed => "output_closed",
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The table at the end of `--help`.
    pub fn table() -> String {
        let mut table = format!("{}\n", shared::exit_codes_heading());
        for exit in Self::ALL {
            let _ = writeln!(table, "  {:>3}  {}", exit.code(), exit.meaning());
        }
        table
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command failed, for people.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    problem: String,
    hint: Option<String>,
    word: Option<&'static str>,
}

impl Failure {
    /// A failure with this problem: what failed, with the path, address or user.
    pub fn new(exit: Exit, problem: impl Display) -> Self {
        Self { exit, problem: problem.to_string(), hint: None, word: None }
    }

    /// Sets a more specific word for programs than that of the exit code.
    pub fn word(mut self, word: &'static str) -> Self {
        self.word = Some(word);
        self
    }

    /// Adds a hint: what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Removes the hint.
    pub fn without_hint(self) -> Self {
        Self { hint: None, ..self }
    }

    /// What failed.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Prints it on standard error.
    pub fn report(&self) {
        if self.is_reported() {
            // A closed standard error is no further failure.
            let _ = io::stderr().write_all(self.to_string().as_bytes());
        }
    }

    /// Prints it on standard error as one JSON object.
    pub fn report_json(&self) {
        #[derive(Serialize)]
        struct Fields<'a> {
            error: &'a str,
            code: &'a str,
            exit: u8,
            #[serde(skip_serializing_if = "Option::is_none")]
            hint: Option<&'a str>,
        }
        let fields = Fields {
            error: &self.problem,
            code: self.word.unwrap_or(self.exit.word()),
            exit: self.exit.code(),
            hint: self.hint.as_deref(),
        };
        if self.is_reported() {
            let _ = writeln!(io::stderr(), "{}", json::versioned(&fields));
        }
    }

    /// Ctrl-C and a closed output need no message.
    fn is_reported(&self) -> bool {
        !matches!(self.exit, Exit::Interrupted | Exit::OutputClosed)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let failure = Self::new(Exit::Configuration, &problem);
        match problem.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// One line for the problem and one for the hint.
impl Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "{}", shared::failed(text::visible(&self.problem)))?;
        match &self.hint {
            Some(hint) => writeln!(formatter, "{}", shared::hint(text::visible(hint))),
            None => Ok(()),
        }
    }
}

/// Standard output could not be written.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::OutputClosed, error),
            _ => Self::new(Exit::Io, server::output_failed(error)),
        }
    }
}
