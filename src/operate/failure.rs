//! How `chat-server` ends: every exit code, in one place, and what is said of a failure. The numbers
//! from 64 to 78 mean what `sysexits.h` says, so that service managers read them rightly.

use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;

use crate::catalogue::{server, shared};
use crate::configuration::Problem;
use crate::protocol::json;
use crate::terminal::text;

/// How a command ended, as its caller sees it. The numbers never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It was done; the server was stopped by SIGTERM or SIGINT.
    Done = 0,
    /// There was nothing to do it to.
    Nothing = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The file is not ours, damaged, or of a newer program; or what was given is refused.
    Data = 65,
    /// The file is no file, or its folder is not there.
    NoInput = 66,
    /// There is no such user.
    NoUser = 67,
    /// An address cannot be listened on; no server runs.
    Unavailable = 69,
    /// A fault of this program.
    Internal = 70,
    /// There is something already where a file was to be made.
    Exists = 73,
    /// The database or a file beside it cannot be read or written, or its outcome is not known.
    Io = 74,
    /// Later it may be done.
    TryAgain = 75,
    /// The server belongs to another user of this machine.
    NoPermission = 77,
    /// The configuration would be unsafe, or the system does not allow what it asks for.
    Configuration = 78,
    /// Ctrl-C at a question.
    Interrupted = 130,
    /// Whoever read the output went away.
    OutputClosed = 141,
}

impl Exit {
    /// Every way to end, lowest number first.
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

    /// What it means, in the words of `--help`.
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

    /// The word for it in the errors of `--json`, where there is no better one.
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

    /// All of them, as the end of `--help` has them.
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

/// Why it was not done, for the person who asked for it.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    problem: String,
    hint: Option<String>,
    word: Option<&'static str>,
}

impl Failure {
    /// A failure that is told as `problem`: what failed, with the path, address or user.
    pub fn new(exit: Exit, problem: impl Display) -> Self {
        Self { exit, problem: problem.to_string(), hint: None, word: None }
    }

    /// Gives programs a better word for it than that of the exit code.
    pub fn word(mut self, word: &'static str) -> Self {
        self.word = Some(word);
        self
    }

    /// Says what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says nothing about what to do.
    pub fn without_hint(self) -> Self {
        Self { hint: None, ..self }
    }

    /// What failed.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Says it on standard error.
    pub fn report(&self) {
        if self.is_told() {
            // Whoever closed standard error does not want to know.
            let _ = io::stderr().write_all(self.to_string().as_bytes());
        }
    }

    /// Says it on standard error as one JSON object.
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
        if self.is_told() {
            let _ = writeln!(io::stderr(), "{}", json::versioned(&fields));
        }
    }

    /// Whoever pressed Ctrl-C or closed the output knows.
    fn is_told(&self) -> bool {
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

/// As it is printed: one line for the problem, one for the hint.
impl Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "{}", shared::failed(text::visible(&self.problem)))?;
        match &self.hint {
            Some(hint) => writeln!(formatter, "{}", shared::hint(text::visible(hint))),
            None => Ok(()),
        }
    }
}

/// Standard output could not be written to.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::OutputClosed, error),
            _ => Self::new(Exit::Io, server::output_failed(error)),
        }
    }
}
