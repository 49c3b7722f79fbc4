//! The command line: what can be said, and the `--help` that teaches it.

use std::ffi::OsString;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use super::address::ServerAddress;
use super::exit::Exit;
use super::render::inbox::Clock;
use crate::model::{Invalid, parse_duration};
use crate::protocol::arguments::Key;

/// The longest time that a command can be told to go on trying.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Talk to other users of a chat server, from the shell or at a prompt.
#[derive(Debug, Parser)]
#[command(name = "chat-cli", version, max_term_width = 100, after_long_help = examples())]
#[command(infer_subcommands = false, disable_help_subcommand = true)]
pub struct Arguments {
    /// Without a command: the prompt, or the seed's session if standard input is no terminal.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where the server listens.
    #[arg(long, global = true, value_name = "HOST:PORT", env = "CHAT_SERVER")]
    #[arg(default_value = "127.0.0.1:8889")]
    pub server: ServerAddress,
    /// How long to wait for an answer, and to go on trying to send: 10s, 500ms, 2m.
    #[arg(long, global = true, value_name = "DURATION", default_value = "10s")]
    #[arg(value_parser = parse_timeout)]
    pub timeout: Duration,
    /// How the prompt behaves.
    #[command(flatten)]
    pub prompt: PromptArguments,
}

/// How the prompt behaves.
#[derive(Debug, Default, Args)]
pub struct PromptArguments {
    /// Behave as the seed's client does, also on a terminal: the prompt shows the token.
    #[arg(long)]
    pub classic: bool,
    /// Show the request of each `send`, as the seed's client does (in the classic session).
    #[arg(long)]
    pub trace: bool,
}

/// What can be done without a prompt.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Log in, and keep the session for the commands that follow
    Auth(AuthArguments),
    /// Send a message, exactly once
    Send(SendArguments),
    /// Show unread messages, and mark them as read once they are written out
    Inbox(InboxArguments),
    /// Show who is logged in
    List,
    /// End the session, on the server and here
    Logout,
}

/// `auth`
#[derive(Debug, Args)]
#[command(after_long_help = AUTH_EXAMPLES)]
pub struct AuthArguments {
    /// Who you are.
    pub user: String,
    /// Better left out: other users of this machine can see it. Asked for on a terminal, else
    /// read from the first line of standard input.
    pub password: Option<String>,
}

/// `send`
#[derive(Debug, Args)]
#[command(after_long_help = SEND_EXAMPLES)]
pub struct SendArguments {
    /// Send under this key instead of a new one. A message is stored once a key, however often it
    /// is sent.
    #[arg(long, value_parser = parse_key)]
    pub key: Option<Key>,
    /// Whom to send it to.
    pub to: String,
    /// The text; words are joined with one space. Without it, standard input is sent as it is,
    /// less one line feed at its end.
    #[arg(trailing_var_arg = true)]
    pub text: Vec<OsString>,
}

/// `inbox`
#[derive(Debug, Args)]
#[command(after_long_help = INBOX_EXAMPLES)]
pub struct InboxArguments {
    /// Only the texts, exactly as they were sent, each with a line feed after it. Nothing is made
    /// harmless: not for a terminal.
    #[arg(long)]
    pub raw: bool,
    /// Whose clock the times are shown by, on a terminal.
    #[arg(long, value_enum, default_value_t)]
    pub time: Clock,
}

impl Arguments {
    /// Refuses what goes together in words but not in meaning.
    pub fn checked(self) -> Result<Self, clap::Error> {
        let PromptArguments { classic, trace } = self.prompt;
        if self.command.is_some() && (classic || trace) {
            let message = "--classic and --trace are for the prompt, not for a command";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, message));
        }
        Ok(self)
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("give at least 1ms".to_owned()),
        duration if duration > TIMEOUT_MAX => Err("give at most 24h".to_owned()),
        duration => Ok(duration),
    }
}

fn parse_key(text: &str) -> Result<Key, String> {
    text.parse().map_err(|error: Invalid| {
        format!("{error}; give 1 to 64 characters of printable ASCII, no spaces")
    })
}

fn examples() -> String {
    format!("{EXAMPLES}\n{}", Exit::table())
}

const EXAMPLES: &str = "\
Examples:
  chat-cli                            the prompt; `help` there lists its commands
  chat-cli auth paff                  log in (asks for the password), then:
  chat-cli send neko hai neko         send a message
  make 2>&1 | chat-cli send neko      send what a program says
  chat-cli inbox                      read what came in
  chat-cli logout
  printf 'auth paff cytus\\ninbox\\n' | chat-cli
                                      the seed's session, as a script

Environment:
  CHAT_SERVER   where the server listens, as --server
  CHAT_TOKEN    the session to use, instead of the one that `auth` stored
  The session is kept in $XDG_STATE_HOME/chat or ~/.local/state/chat, one a server.
";

const AUTH_EXAMPLES: &str = "\
Examples:
  chat-cli auth paff                        asks for the password, without echo
  chat-cli auth paff < password-file        for scripts
  CHAT_TOKEN=$(chat-cli auth paff < password-file | sed 's/.*token //')

Prints `username paff logged in`, and the token after it if standard output is no terminal. The
session is kept in $XDG_STATE_HOME/chat or ~/.local/state/chat, one a server, for you alone.";

const SEND_EXAMPLES: &str = "\
Examples:
  chat-cli send neko hai neko
  chat-cli send neko -- --not-an-option
  chat-cli send neko < letter.txt            several lines, kept exactly

A connection that breaks is tried again, with the same key, until --timeout is over, so the message
is stored once. If there is no answer by then, the exit code is 75 and the key is named: sending the
same text with --key KEY later finds out, and sends it if it was not.";

const INBOX_EXAMPLES: &str = "\
On a terminal: time, sender and text in columns; what could act on the terminal is shown as an
escape such as \\x1b. Anywhere else, one line of JSON as the seed's client prints it:
  {\"paff\": [{\"msg\": \"hai neko\"}]}
({} if there is nothing; more than one line only for more than 64 MiB). Messages count as read when
they have been written out, so nothing is lost if whoever reads the output goes away.

Examples:
  chat-cli inbox
  chat-cli inbox | jq -r '.paff[].msg'
  chat-cli inbox --raw >> messages.txt";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        let words = std::iter::once("chat-cli").chain(words.iter().copied());
        Arguments::try_parse_from(words).and_then(Arguments::checked)
    }

    fn text(words: &[&str]) -> Vec<OsString> {
        match parse(words).unwrap().command {
            Some(Command::Send(send)) => send.text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn definitions_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_names_every_exit_code() {
        let help = Arguments::command().render_long_help().to_string();
        for exit in Exit::ALL {
            assert!(help.contains(exit.meaning()), "{exit:?} is not in --help");
        }
    }

    #[test]
    fn timeouts_are_more_than_nothing_and_at_most_a_day() {
        assert_eq!(parse_timeout("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(parse_timeout("24h"), Ok(TIMEOUT_MAX));
        for text in ["0", "0ms", "25h", "2d", "soon"] {
            assert!(parse_timeout(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn options_before_the_text_are_options_and_after_it_text() {
        assert_eq!(text(&["send", "neko", "use", "--force", "-h"]), ["use", "--force", "-h"]);
        assert_eq!(text(&["send", "neko", "--", "--force"]), ["--force"]);
        assert_eq!(text(&["send", "--key", "k1", "neko", "hai"]), ["hai"]);
        assert_eq!(text(&["send", "neko", "--server", "h:1", "hai"]), ["hai"]);
        assert!(parse(&["send", "neko", "--kye", "k1", "hai"]).is_err());
        assert!(parse(&["send", "--key", "two words", "neko", "hai"]).is_err());
    }

    #[test]
    fn wrong_addresses_and_combinations_are_usage_errors() {
        for words in [
            &["--server", "127.0.0.1:0"][..],
            &["--server", "127.0.0.1:65536"],
            &["--server", "127.0.0.1:abc"],
            &["--server", "abc", "list"],
            &["--classic", "inbox"],
            &["--trace", "list"],
            &["--timeout", "0s"],
            &["nonsense"],
            &["auth"],
            &["send"],
            &["list", "more"],
        ] {
            let error = parse(words).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words:?}");
        }
    }
}
