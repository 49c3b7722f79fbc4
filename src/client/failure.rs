//! Why a command was not done: what the caller is told, and with which exit code.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::address::ServerAddress;
use super::exit::Exit;
use super::render::object;
use super::trust::Untrusted;
use crate::catalogue::{Language, client, language, refusal, shared, trust};
use crate::protocol::arguments::Key;
use crate::protocol::refusal::Code;
use crate::terminal::text;

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server said no, or would have: what never reached it because it cannot be said in the
    /// protocol is refused in its words.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// There is no session to show to the server.
    #[error("{}", client::not_logged_in())]
    NotLoggedIn,
    /// The result could not be written where it belongs.
    #[error("{}", client::output_failed(.0))]
    Output(#[from] io::Error),
    /// Anything else, with what the person can do about it.
    #[error("{message}")]
    Trouble {
        /// How the command ends.
        exit: Exit,
        /// What failed.
        message: String,
        /// What to do.
        hint: Option<String>,
        /// The key under which the same may be sent again.
        key: Option<Key>,
    },
    /// It was done, and the reader of the output has gone: nobody is left to be told.
    #[error("{}", shared::exit_output_closed())]
    Unheard,
    /// The person thought better of it (Ctrl-C).
    #[error("{}", shared::interrupted())]
    Interrupted,
}

/// A reply that says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub struct Refused {
    /// The stable word; `None` for one that this client does not know.
    pub code: Option<Code>,
    /// The word that this client does not know.
    pub unknown_code: Option<String>,
    /// The server's text for people. It is shown through [`text::visible`] only.
    pub message: String,
    /// The names that it is about; empty where it is about none.
    pub users: Vec<String>,
    /// In how many seconds the same may be tried again, where the server says so.
    pub retry_after: Option<u32>,
    /// This client refuses it, with a text of its own in the language that is spoken.
    pub is_ours: bool,
}

/// Why an exchange with the server brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There was no connection, so nothing was sent.
    #[error("{}", client::unreachable(.address, .source))]
    Unreachable {
        /// Who was called.
        address: ServerAddress,
        /// Why not.
        source: io::Error,
    },
    /// The connection broke. The request may have been done.
    #[error("{}", client::connection_broke(.address))]
    Broken {
        /// Who was asked.
        address: ServerAddress,
        /// How it broke.
        source: io::Error,
    },
    /// The time is over. The request may have been done.
    #[error("{}", client::no_answer(.address, seconds(*.within)))]
    TimedOut {
        /// Who was asked.
        address: ServerAddress,
        /// How long the answer was waited for.
        within: Duration,
    },
    /// The connection could not be encrypted, or not with whom it was meant for. Nothing was sent.
    #[error("{}", problem.tell(address))]
    Unsecured {
        /// Who was called.
        address: ServerAddress,
        /// What is wrong.
        problem: Unsecured,
    },
    /// What came is no reply of this protocol.
    #[error("{}", client::not_understood(.address, .reason))]
    NotUnderstood {
        /// Who was asked.
        address: ServerAddress,
        /// What is wrong with the reply.
        reason: String,
    },
}

/// Why a connection could not be encrypted.
#[derive(Debug)]
pub enum Unsecured {
    /// What answers speaks no TLS.
    NoTls,
    /// It is not known to be the server that was meant.
    Untrusted(Untrusted),
    /// The two have no version or cipher in common, or one of them made a mistake.
    Failed(String),
}

impl Unsecured {
    fn tell(&self, address: &ServerAddress) -> String {
        match self {
            Self::NoTls => trust::no_tls(address),
            Self::Untrusted(untrusted) => trust::not_trusted(address, untrusted),
            Self::Failed(reason) => trust::tls_failed(address, reason),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Untrusted(_) => Exit::Configuration,
            Self::NoTls | Self::Failed(_) => Exit::Protocol,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Untrusted(_) => "untrusted",
            Self::NoTls => "no_tls",
            Self::Failed(_) => "tls_failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoTls => Some(trust::give_tls_port().to_owned()),
            Self::Untrusted(untrusted) => Some(untrusted.hint.clone()),
            Self::Failed(_) => None,
        }
    }
}

impl Failure {
    /// Trouble on this side of the connection.
    pub fn trouble(exit: Exit, message: impl Into<String>) -> Self {
        Self::Trouble { exit, message: message.into(), hint: None, key: None }
    }

    /// Adds what to do about it. Only [`Trouble`](Self::Trouble) has room for that.
    pub fn with_hint(mut self, advice: impl Into<String>) -> Self {
        if let Self::Trouble { hint, .. } = &mut self {
            *hint = Some(advice.into());
        }
        self
    }

    /// Adds the key under which the same may be sent again. Only [`Trouble`](Self::Trouble) has
    /// room for that.
    pub fn with_key(mut self, given: Key) -> Self {
        if let Self::Trouble { key, .. } = &mut self {
            *key = Some(given);
        }
        self
    }

    /// How a command ends that failed so.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused(refused) => refused.exit(),
            Self::NoAnswer(NoAnswer::Unreachable { .. }) => Exit::Unreachable,
            Self::NoAnswer(NoAnswer::Broken { .. } | NoAnswer::TimedOut { .. }) => Exit::TryAgain,
            Self::NoAnswer(NoAnswer::Unsecured { problem, .. }) => problem.exit(),
            Self::NoAnswer(NoAnswer::NotUnderstood { .. }) => Exit::Protocol,
            Self::Unheard => Exit::Done,
            Self::Output(error) if is_closed(error) => Exit::OutputClosed,
            Self::Output(_) => Exit::LocalFile,
            Self::Trouble { exit, .. } => *exit,
            Self::NotLoggedIn => Exit::NotLoggedIn,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// The session is no longer one, so showing its token again is of no use.
    pub fn ends_session(&self) -> bool {
        matches!(self, Self::Refused(Refused { code: Some(Code::NoSession), .. }))
    }

    /// Tells the person, on standard error unless `out` is something else: a refusal as
    /// `Error, …`, anything else as `error: …`, then what to do about it. A closed output is
    /// told by the exit code alone, as is Ctrl-C.
    pub fn report(&self, out: &mut dyn Write) {
        let told = match self {
            Self::Refused(refused) => {
                writeln!(out, "{}", refused.line_naming_users())
            }
            Self::Output(error) if is_closed(error) => return,
            Self::Interrupted | Self::Unheard => return,
            Self::NotLoggedIn => writeln!(out, "{}", shared::refused(self)),
            _ => writeln!(out, "{}", shared::failed(text::visible(&self.to_string()))),
        };
        if let (Ok(()), Some(hint)) = (told, self.hint()) {
            // There is nobody left to tell that there is nobody to tell it to.
            let _ = writeln!(out, "{}", shared::hint(text::visible(&hint)));
        }
    }

    /// [`report`](Self::report) for programs: one JSON object on a line.
    pub fn report_json(&self, out: &mut dyn Write) {
        if self.exit() == Exit::OutputClosed || matches!(self, Self::Interrupted | Self::Unheard) {
            return;
        }
        let (users, retry_after) = match self {
            Self::Refused(refused) => (refused.users.as_slice(), refused.retry_after),
            _ => (&[][..], None),
        };
        let key = match self {
            Self::Trouble { key: Some(key), .. } => Some(key.as_str()),
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

    /// A stable word for programs: that of the protocol where the server refused.
    fn word(&self) -> &str {
        match self {
            Self::Refused(Refused { code: Some(code), .. }) => code.as_str(),
            Self::Refused(Refused { unknown_code: Some(word), .. }) => word,
            Self::NoAnswer(NoAnswer::Unsecured { problem, .. }) => problem.word(),
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
            Self::NoAnswer(NoAnswer::Unsecured { problem, .. }) => problem.hint(),
            // A client of this server says what is no line of the protocol only where it is plain
            // and the port is not.
            Self::Refused(Refused { code: Some(Code::WrongProtocol), .. }) => {
                Some(trust::give_chats().to_owned())
            }
            Self::Trouble { hint, .. } => hint.clone(),
            _ => None,
        }
    }
}

/// A failure as an object.
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

impl Refused {
    /// A refusal with a text of its own, about nobody.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code: Some(code),
            unknown_code: None,
            message: message.into(),
            users: Vec::new(),
            retry_after: None,
            is_ours: false,
        }
    }

    /// A refusal of this client, which never reaches the server: `message` is in the language that is
    /// spoken.
    pub fn ours(code: Code, message: impl Into<String>) -> Self {
        Self { is_ours: true, ..Self::new(code, message) }
    }

    /// The refusal in the language that is spoken, by its code. A server has one language, so its own
    /// text stands in parentheses, where it says more. The seed's session has the server's text to
    /// the letter.
    fn words(&self) -> Cow<'_, str> {
        let message = self.message.as_str();
        let is_seed = language() == Language::Seed;
        let Some(code) = self.known_code() else {
            return match &self.unknown_code {
                Some(word) if !is_seed => refusal::unknown_code(word, message).into(),
                _ => message.into(),
            };
        };
        if let (Code::RateLimited, Some(seconds)) = (code, self.retry_after) {
            return refusal::rate_limited_for(seconds).into();
        }
        let said = words_of(code);
        match message.strip_prefix(code.message()) {
            Some("") => said.into(),
            Some(details) => format!("{said}{details}").into(),
            None if self.is_ours || is_seed => message.into(),
            None if message.is_empty() || is_text_of_a_code(message) => said.into(),
            None => format!("{said} ({message})").into(),
        }
    }

    /// What was refused, as a person is told, and harmless on a terminal.
    pub fn line(&self) -> String {
        shared::refused(text::visible(&self.to_string()))
    }

    /// [`Self::line`], with the users that it is about.
    pub fn line_naming_users(&self) -> String {
        shared::refused(text::visible(&self.naming_users()))
    }

    /// What was refused, with the users that it is about.
    fn naming_users(&self) -> String {
        let (told, users) = (self.to_string(), self.users.join(", "));
        let names = format!(": {users}");
        if users.is_empty() || told.ends_with(&names) { told } else { told + &names }
    }

    /// Nothing was done, and the same may be done a moment later.
    pub fn is_passing(&self) -> bool {
        let passing = [Code::Busy, Code::ShuttingDown, Code::TooManyConnections];
        self.code.is_some_and(|code| passing.contains(&code))
    }

    /// The stable word, also where the seed's own server says only a text.
    pub fn known_code(&self) -> Option<Code> {
        code_of(self.code, &self.message)
    }

    fn exit(&self) -> Exit {
        self.known_code().map_or(Exit::Protocol, Exit::of)
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Self::new(code, code.message())
    }
}

impl NoAnswer {
    /// The request may have reached the server, so it may have been done.
    pub fn may_be_done(&self) -> bool {
        !matches!(self, Self::Unreachable { .. } | Self::Unsecured { .. })
    }
}

/// The seed's own server has texts and no codes.
fn code_of(code: Option<Code>, message: &str) -> Option<Code> {
    code.or_else(|| Code::ALL.iter().copied().find(|code| code.message() == message))
}

/// Whether it is the text of some refusal, which says no more than the words for the code.
fn is_text_of_a_code(message: &str) -> bool {
    Code::ALL.iter().any(|code| code.message() == message || words_of(*code) == message)
}

fn words_of(code: Code) -> &'static str {
    match code {
        Code::BadRequest => refusal::bad_request(),
        Code::UnknownCommand => refusal::unknown_command(),
        Code::Usage => refusal::usage(),
        Code::LineTooLong => refusal::line_too_long(),
        Code::BadLine => refusal::bad_line(),
        Code::BadEncoding => refusal::bad_encoding(),
        Code::WrongProtocol => refusal::wrong_protocol(),
        Code::BadArgument => refusal::bad_argument(),
        Code::NoSession => refusal::no_session(),
        Code::UnknownUser => refusal::unknown_user(),
        Code::WrongPassword => refusal::wrong_password(),
        Code::RateLimited => refusal::rate_limited(),
        Code::TooManySessions => refusal::too_many_sessions(),
        Code::UnknownRecipient => refusal::unknown_recipient(),
        Code::UsersHidden => refusal::users_hidden(),
        Code::EmptyMessage => refusal::empty_message(),
        Code::TooLong => refusal::too_long(),
        Code::KeyConflict => refusal::key_conflict(),
        Code::InboxFull => refusal::inbox_full(),
        Code::UnknownMessage => refusal::unknown_message(),
        Code::Busy => refusal::busy(),
        Code::StorageFull => refusal::storage_full(),
        Code::TooManyConnections => refusal::too_many_connections(),
        Code::ShuttingDown => refusal::shutting_down(),
        Code::Internal => refusal::internal(),
    }
}

/// Whether the reader of the output has gone.
pub fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// A duration as a person says it, to the hundredth: `10s`, `0.25s`.
pub fn seconds(duration: Duration) -> String {
    let hundredths = (duration.as_secs_f64() * 100.0).round();
    format!("{}s", hundredths / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::speaking;

    fn report(failure: &Failure) -> String {
        let mut out = Vec::new();
        failure.report(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn refusal_is_told_in_the_seeds_words_in_the_seeds_session_alone() {
        let failure = Failure::from(Code::WrongPassword);
        let told = |language| speaking(language, || report(&failure));
        assert_eq!(told(Language::Seed), "Error, Password Salah\n");
        assert_eq!(told(Language::English), "Error, the password is wrong\n");
        assert_eq!((report(&failure), failure.exit() as u8), (told(Language::English), 77));
    }

    #[test]
    fn refusal_of_a_server_without_codes_ends_the_same_way() {
        for (message, exit) in [
            ("Password Salah", Exit::NotLoggedIn),
            ("User Tidak Ditemukan", Exit::NoUser),
            ("Informasi tidak ditemukan", Exit::Protocol),
        ] {
            let (message, users) = (message.to_owned(), Vec::new());
            let known = Refused::new(Code::Busy, message);
            let refused = Refused { code: None, users, ..known };
            assert_eq!(Failure::from(refused).exit(), exit, "{exit:?}");
        }
    }

    #[test]
    fn refusal_is_told_in_the_language_that_is_spoken() {
        let told = |language, refused: &Refused| speaking(language, || refused.line());
        let wrong = Refused::from(Code::WrongPassword);
        assert_eq!(told(Language::English, &wrong), "Error, the password is wrong");
        assert_eq!(told(Language::Indonesian, &wrong), "Error, Password Salah");
        assert_eq!(told(Language::Seed, &wrong), "Error, Password Salah");
        let named = Refused::new(Code::UnknownRecipient, "User Tidak Ditemukan: conner");
        assert_eq!(told(Language::English, &named), "Error, there is no such user: conner");
        let detailed = Refused::new(Code::BadArgument, "to: it is empty");
        let line = "Error, the JSON argument is not understood (to: it is empty)";
        assert_eq!(told(Language::English, &detailed), line);
        assert_eq!(told(Language::Seed, &detailed), "Error, to: it is empty");
        let line = "Error, argumen JSON-nya tidak dipahami (to: it is empty)";
        assert_eq!(told(Language::Indonesian, &detailed), line);
        // By its code, whatever the server's text is.
        let other = Refused::new(Code::NoSession, "User Tidak Ada");
        assert_eq!(told(Language::English, &other), "Error, there is no such session");
        let ours = Refused::ours(Code::TooLong, "the message is longer than 32768 bytes");
        assert_eq!(told(Language::English, &ours), "Error, the message is longer than 32768 bytes");
        let of_the_seed = Refused { code: None, ..Refused::new(Code::Busy, "no more today") };
        assert_eq!(told(Language::Indonesian, &of_the_seed), "Error, no more today");
        let newer = Refused { unknown_code: Some("tired".to_owned()), ..of_the_seed };
        assert_eq!(told(Language::English, &newer), "Error, refused as tired: no more today");
        assert_eq!(
            told(Language::Indonesian, &newer),
            "Error, ditolak sebagai tired: no more today"
        );
        assert_eq!(told(Language::Seed, &newer), "Error, no more today");
        let mut out = Vec::new();
        Failure::from(newer).report_json(&mut out);
        let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&object["code"], &object["exit"]), (&"tired".into(), &76.into()));
    }

    #[test]
    fn refusal_that_ends_by_itself_says_when() {
        let message = "too many failed logins: try again in 42 s";
        let held = Refused { retry_after: Some(42), ..Refused::new(Code::RateLimited, message) };
        let told = |language| speaking(language, || held.line());
        assert_eq!(told(Language::English), format!("Error, {message}"));
        assert_eq!(told(Language::Seed), format!("Error, {message}"));
        let line = "Error, terlalu banyak login yang gagal: coba lagi dalam 42 detik";
        assert_eq!(told(Language::Indonesian), line);
        let mut out = Vec::new();
        let failure = Failure::from(held);
        failure.report_json(&mut out);
        let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&object["code"], &object["exit"]), (&"rate_limited".into(), &75.into()));
        assert_eq!(object["retry_after"], 42);
        // It takes longer than a command goes on trying by itself.
        assert!(!matches!(&failure, Failure::Refused(held) if held.is_passing()));
    }

    #[test]
    fn every_code_has_words_and_in_the_seeds_session_those_of_the_wire() {
        for &code in Code::ALL {
            let seeds = speaking(Language::Seed, || Refused::from(code).to_string());
            assert_eq!(seeds, code.message());
            let english = speaking(Language::English, || words_of(code));
            assert!(english.is_ascii() && !english.contains("Tidak"), "{code}: {english}");
            let indonesian = speaking(Language::Indonesian, || words_of(code));
            assert_ne!(english, indonesian, "{code}");
        }
    }

    #[test]
    fn text_of_the_server_cannot_reach_the_terminal_raw() {
        let message = "\x1b]52;c;AAAA\x07\u{202e}no\nerror: x".to_owned();
        let told = report(&Refused { code: None, ..Refused::new(Code::Busy, message) }.into());
        assert_eq!(told, "Error, \\x1b]52;c;AAAA\\x07\\u{202e}no\\nerror: x\n");
    }

    #[test]
    fn trouble_comes_with_what_to_do() {
        let failure = Failure::trouble(Exit::LocalFile, "cannot read it").with_hint("chmod 600 it");
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
