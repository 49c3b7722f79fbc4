//! Why a command failed, how the person or the program learns of it, and the exit code.
//!
//! [`Untrusted`] is here, because `trust` uses failures and not the other way round.

mod no_answer;
mod refused;

use std::io::{self, Write};

use serde::Serialize;

pub use no_answer::{NoAnswer, TlsProblem, Untrusted, seconds};
pub use refused::{Refused, fields_of};

use super::exit::Exit;
use super::render::object;
use crate::catalogue::{client, shared, trust};
use crate::protocol::arguments::Key;
use crate::protocol::refusal::Code;
use crate::terminal::text;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server refused, or the client did in the server's words, because the protocol cannot
    /// carry the request.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No answer came.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// No session is stored.
    #[error("{}", client::not_logged_in())]
    NotLoggedIn,
    /// The result could not be written to standard output.
    #[error("{}", client::output_failed(.0))]
    Output(#[from] io::Error),
    /// Any other reason.
    #[error("{message}")]
    Other {
        /// How the command ends.
        exit: Exit,
        /// What failed.
        message: String,
        /// What to do.
        hint: Option<String>,
        /// The key under which the same message may be sent again.
        key: Option<Key>,
        /// The protocol's code, if the server refused.
        code: Option<Code>,
    },
    /// The command succeeded, but the reader of its output has gone.
    #[error("{}", shared::exit_output_closed())]
    ReaderGone,
    /// The user pressed Ctrl-C.
    #[error("{}", shared::interrupted())]
    Interrupted,
}

impl Failure {
    /// A failure on the client's side.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self::Other { exit, message: message.into(), hint: None, key: None, code: None }
    }

    /// A refusal with a hint of the command that got it.
    pub fn refused_with_hint(refused: &Refused, advice: impl Into<String>) -> Self {
        Self::Other {
            exit: refused.exit(),
            message: refused.to_string(),
            hint: Some(advice.into()),
            key: None,
            code: refused.known_code(),
        }
    }

    /// Adds a hint. Only [`Other`](Self::Other) can hold one.
    pub fn with_hint(mut self, advice: impl Into<String>) -> Self {
        if let Self::Other { hint, .. } = &mut self {
            *hint = Some(advice.into());
        }
        self
    }

    /// Adds the key under which the same message may be sent again. Only [`Other`](Self::Other) can
    /// hold one.
    pub fn with_key(mut self, given: Key) -> Self {
        if let Self::Other { key, .. } = &mut self {
            *key = Some(given);
        }
        self
    }

    /// The exit code of a command with this failure.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused(refused) => refused.exit(),
            Self::NoAnswer(NoAnswer::Unreachable { .. }) => Exit::Unreachable,
            Self::NoAnswer(NoAnswer::Broken { .. } | NoAnswer::TimedOut { .. }) => Exit::TryAgain,
            Self::NoAnswer(NoAnswer::Tls { problem, .. }) => problem.exit(),
            Self::NoAnswer(NoAnswer::NotUnderstood { .. }) => Exit::Protocol,
            Self::ReaderGone => Exit::Done,
            Self::Output(error) if is_closed(error) => Exit::OutputClosed,
            Self::Output(_) => Exit::LocalFile,
            Self::Other { exit, .. } => *exit,
            Self::NotLoggedIn => Exit::NotLoggedIn,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// Whether the session has ended, so that its token is of no more use.
    pub fn ends_session(&self) -> bool {
        matches!(self, Self::Refused(Refused { code: Some(Code::NoSession), .. }))
    }

    /// Reports the failure to a person: a refusal as `Error, …`, any other as `error: …`, then the
    /// hint. After Ctrl-C, and if the reader of the output has gone, it writes nothing.
    pub fn report(&self, out: &mut dyn Write) {
        let written = match self {
            Self::Refused(refused) => {
                writeln!(out, "{}", refused.line_naming_users())
            }
            Self::Output(error) if is_closed(error) => return,
            Self::Interrupted | Self::ReaderGone => return,
            Self::NotLoggedIn => writeln!(out, "{}", shared::refused(self)),
            _ => writeln!(out, "{}", shared::failed(text::visible(&self.to_string()))),
        };
        if let (Ok(()), Some(hint)) = (written, self.hint()) {
            // If `out` cannot be written, there is no other place to report it.
            let _ = writeln!(out, "{}", shared::hint(text::visible(&hint)));
        }
    }

    /// Like [`report`](Self::report), for programs: one JSON object on a line.
    pub fn report_json(&self, out: &mut dyn Write) {
        if self.exit() == Exit::OutputClosed || matches!(self, Self::Interrupted | Self::ReaderGone)
        {
            return;
        }
        let (users, retry_after) = match self {
            Self::Refused(refused) => (refused.users.as_slice(), refused.retry_after),
            _ => (&[][..], None),
        };
        let key = match self {
            Self::Other { key: Some(key), .. } => Some(key.as_str()),
            _ => None,
        };
        let error = match self {
            Self::Refused(refused) => refused.naming_users(),
            _ => self.to_string(),
        };
        let hint = self.hint();
        let fields = Fields {
            error: &error,
            code: self.word(),
            exit: self.exit() as u8,
            hint,
            users,
            key,
            retry_after,
        };
        let _ = writeln!(out, "{}", object::line(&fields));
    }

    /// A stable word for programs: the protocol's code if the server refused.
    fn word(&self) -> &str {
        match self {
            Self::Refused(Refused { code: Some(code), .. }) => code.as_str(),
            Self::Refused(Refused { unknown_code: Some(word), .. }) => word,
            Self::Other { code: Some(code), .. } => code.as_str(),
            Self::NoAnswer(NoAnswer::Tls { problem, .. }) => problem.word(),
            _ => self.exit().word(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoggedIn | Self::Refused(Refused { code: Some(Code::NoSession), .. }) => {
                Some(client::log_in().to_owned())
            }
            Self::Refused(Refused { code: Some(Code::TooManySessions), .. }) => {
                Some(client::end_a_session().to_owned())
            }
            Self::Refused(Refused { code: Some(Code::UnknownCommand), .. }) => {
                Some(client::server_is_older().to_owned())
            }
            Self::NoAnswer(NoAnswer::Unreachable { .. }) => {
                Some(client::start_a_server().to_owned())
            }
            Self::NoAnswer(NoAnswer::Tls { problem, .. }) => problem.hint(),
            // This client's requests are always valid, so this refusal means that a plain client
            // has connected to a TLS port.
            Self::Refused(Refused { code: Some(Code::WrongProtocol), .. }) => {
                Some(trust::give_chats().to_owned())
            }
            Self::Refused(refused) => refused.hint_about_a_room(),
            Self::Other { hint, .. } => hint.clone(),
            _ => None,
        }
    }
}

/// A failure as a JSON object.
#[derive(Serialize)]
struct Fields<'a> {
    error: &'a str,
    code: &'a str,
    exit: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    users: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

/// Whether the reader of the output has gone.
pub fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(failure: &Failure) -> String {
        let mut out = Vec::new();
        failure.report(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn failure_is_reported_with_its_hint() {
        let failure = Failure::new(Exit::LocalFile, "cannot read it").with_hint("chmod 600 it");
        assert_eq!(report(&failure), "error: cannot read it\nhint: chmod 600 it\n");
    }

    #[test]
    fn closed_output_is_quiet() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((report(&failure).as_str(), failure.exit()), ("", Exit::OutputClosed));
        let failure = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(failure.exit(), Exit::LocalFile);
    }
}
