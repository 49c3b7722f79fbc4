//! How `chat-server` ends: every exit code, in one place, and what is said of a failure. The numbers
//! from 64 to 78 mean what `sysexits.h` says, so that service managers read them rightly.

use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;

/// How a command ended, as its caller sees it. The numbers never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It was done; the server was stopped by SIGTERM or SIGINT.
    Done = 0,
    /// The command line is wrong.
    Usage = 2,
    /// The file is not ours, damaged, or of a newer program.
    Data = 65,
    /// The file is no file, or its folder is not there.
    NoInput = 66,
    /// An address cannot be listened on.
    Unavailable = 69,
    /// A fault of this program.
    Internal = 70,
    /// The database or a file beside it cannot be read or written, or its outcome is not known.
    Io = 74,
    /// Later it may be done.
    TryAgain = 75,
    /// The configuration would be unsafe, or the system does not allow what it asks for.
    Configuration = 78,
}

impl Exit {
    /// Every way to end, lowest number first.
    pub const ALL: &[Self] = &[
        Self::Done,
        Self::Usage,
        Self::Data,
        Self::NoInput,
        Self::Unavailable,
        Self::Internal,
        Self::Io,
        Self::TryAgain,
        Self::Configuration,
    ];

    /// What it means, in the words of `--help`.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; or stopped by SIGTERM or SIGINT: all that was executed is stored",
            Self::Usage => "the arguments are not understood",
            Self::Data => "the file is not a database of this program, is damaged, or is newer",
            Self::NoInput => "the database is not a file, or in a folder that does not exist",
            Self::Unavailable => "an address cannot be listened on",
            Self::Internal => "a fault of this program",
            Self::Io => {
                "the database or a file beside it cannot be read or written; or its outcome is not known"
            }
            Self::TryAgain => "another process serves the database",
            Self::Configuration => {
                "the configuration would be unsafe, or the system does not allow what it asks for"
            }
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// All of them, as the end of `--help` has them.
    pub fn table() -> String {
        let mut table = String::from("Exit codes:\n");
        for exit in Self::ALL {
            let _ = writeln!(table, "  {:>2}  {}", exit.code(), exit.meaning());
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
}

impl Failure {
    /// A failure that is told as `problem`: what failed, with the path, address or user.
    pub fn new(exit: Exit, problem: impl Display) -> Self {
        Self { exit, problem: problem.to_string(), hint: None }
    }

    /// Says what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says it on standard error.
    pub fn report(&self) {
        // Whoever closed standard error does not want to know.
        let _ = io::stderr().write_all(self.to_string().as_bytes());
    }
}

/// As it is printed: one line for the problem, one for the hint.
impl Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "error: {}", self.problem)?;
        match &self.hint {
            Some(hint) => writeln!(formatter, "hint: {hint}"),
            None => Ok(()),
        }
    }
}
