//! The command line of `chat-cli`, and its `--help`.

// A `///` comment above the arguments of a command would become its help.
#![allow(missing_docs)]

mod changes;
mod commands;
mod moment;
mod people;
mod rooms;
mod values;

use std::env;
use std::ffi::OsString;
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};

pub use changes::{DeleteArguments, EditArguments};
pub use commands::{
    AckArguments, AskArguments, AuthArguments, ConfigArguments, ConfigCommand, ConfigInitArguments,
    ConversationsArguments, ExpectArguments, ExpectCommand, FilterArguments, HistoryArguments,
    InboxArguments, JoinArguments, ReceiptsArguments, ReplyArguments, ReportArguments,
    RevokeArguments, ScheduledArguments, ScheduledCommand, SearchArguments, SendArguments,
    StatusArguments, TokenArguments, TokenCommand, TokenCreateArguments, TokenRevokeArguments,
    TrustArguments, WatchArguments,
};
pub use moment::parse_when;
pub use people::{BlockArguments, UnblockArguments};
pub use rooms::{RoomArguments, RoomCommand, RoomCreateArguments, RoomSetArguments};
pub use values::{ReceiptsOf, Since, parse_choice, parse_timeout, parse_user};

use super::exit::Exit;
use super::render::inbox::Clock;
use super::servers::Servers;
use crate::catalogue::{Language, client, client_help, room};
use crate::completion::CompletionsArguments;
use crate::model::UserName;

/// The default server.
pub const SERVER_DEFAULT: &str = "127.0.0.1:8889";

/// How long to wait for the server by default.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// The option of `send` that takes the place of its first argument.
const SEND_ROOM: &str = "--room";

/// How long `ask` waits for the other user's answer by default.
pub const ASK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// Talk to other users of a chat server, from the shell or at a prompt.
#[derive(Debug, Parser)]
#[command(name = "chat-cli", version, max_term_width = 100, after_long_help = examples())]
#[command(infer_subcommands = false)]
pub struct Arguments {
    /// Without a command: the prompt, or the seed's session if standard input is no terminal.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The server's address: HOST:PORT, chats://HOST or unix:/PATH [default:
    /// unix:/run/chat/chat.sock if there is one, else 127.0.0.1:8889]. Commas separate the servers
    /// of one service.
    #[arg(long, global = true, value_name = "ADDRESS", env = "CHAT_SERVER")]
    pub server: Option<Servers>,
    /// For chats://: trust the authorities in this PEM file instead of the system's.
    #[arg(long, global = true, value_name = "FILE", env = "CHAT_TLS_CA")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub tls_ca: Option<PathBuf>,
    /// The user to act as: uses this user's session, which is kept apart from others.
    // A unique id, because some commands have a USER with another meaning.
    #[arg(id = "acting_user", long = "user", global = true, value_name = "USER")]
    #[arg(env = "CHAT_USER", value_parser = parse_user, value_hint = ValueHint::Username)]
    pub user: Option<UserName>,
    /// The profile of the configuration file to use.
    #[arg(long, global = true, value_name = "NAME", env = "CHAT_PROFILE")]
    pub profile: Option<String>,
    /// How long to wait for the server, and to keep trying to send: 10s, 500ms, 2m [default: 10s].
    /// For `ask`: how long to wait for the answer [default: 60s]. For `watch`: when to end.
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_timeout)]
    pub timeout: Option<Duration>,
    /// Print one JSON object per line, for programs; errors too, on standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// How times are shown.
    #[arg(long, global = true, value_enum, value_name = "CLOCK")]
    pub time: Option<Clock>,
    /// The language of messages for people; also CHAT_LANG, else the locale.
    #[arg(long, global = true, value_enum, value_name = "LANGUAGE")]
    pub lang: Option<Language>,
    /// How the prompt behaves.
    #[command(flatten)]
    pub prompt: PromptArguments,
}

/// How the prompt behaves.
#[derive(Debug, Default, Args)]
pub struct PromptArguments {
    /// Behave like the seed's client, also on a terminal: the prompt shows the token.
    #[arg(long)]
    pub classic: bool,
    /// Show the request of each `send`, as the seed's client does (in the classic session).
    #[arg(long)]
    pub trace: bool,
}

/// What can be done without a prompt.
// The arguments of a command are built when they are needed: see `Arguments::read`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Log in, and store the session for later commands
    Auth(AuthArguments),
    /// Accept an invitation: make the account, and log in
    Join(JoinArguments),
    /// Send a message, exactly once
    Send(SendArguments),
    /// Answer a message
    Reply(ReplyArguments),
    /// Give a message of yours another text
    Edit(EditArguments),
    /// Delete a message: nobody finds it any more
    Delete(DeleteArguments),
    /// Show unread messages, and mark them as read once they are written
    Inbox(InboxArguments),
    /// Show past messages, newest last; changes nothing
    History(HistoryArguments),
    /// Find messages by their words, newest first; changes nothing
    Search(SearchArguments),
    /// List conversations with what is unread, newest first; exit code 1 if there are none
    Conversations(ConversationsArguments),
    /// Count unread messages; exit code 1 if there are none
    Unread,
    /// Mark messages as read
    Ack(AckArguments),
    /// Show who has read a message of yours, or turn receipts on or off
    Receipts(ReceiptsArguments),
    /// Show messages as they arrive, or run a command for each
    Watch(WatchArguments),
    /// Send a message, wait for the answer and print it
    Ask(AskArguments),
    /// Show what is sent later, the next first; exit code 1 if there is nothing
    Scheduled(ScheduledArguments),
    /// Have the server tell a user if you do not report
    Expect(ExpectArguments),
    /// Report what is expected
    Report(ReportArguments),
    /// Serve agents by the Model Context Protocol, on standard input and output
    #[command(after_long_help = client_help::mcp_examples())]
    Mcp,
    /// Show who is logged in
    List,
    /// Show all users you can write to
    Users,
    /// Show who is connected now, and since when
    #[command(after_long_help = client_help::who_examples())]
    Who,
    /// Set your status: what you do now, for `who`
    Status(StatusArguments),
    /// Take no messages from a user, or show whom you block
    Block(BlockArguments),
    /// Take messages from a user again
    Unblock(UnblockArguments),
    /// Talk in rooms: create, list, show, join, leave, invite, kick, members, set, archive
    Room(RoomArguments),
    /// Show who you are
    Whoami,
    /// Change your password, and end your other sessions
    Passwd,
    /// Show your sessions
    Sessions,
    /// End one of your sessions, or all others
    Revoke(RevokeArguments),
    /// Make, show and revoke access tokens, for programs
    Token(TokenArguments),
    /// End the session, on the server and here
    Logout,
    /// Show the certificate of a server that speaks TLS, and pin it
    Trust(TrustArguments),
    /// Show and write the settings of this client
    Config(ConfigArguments),
    /// Print what a shell needs to complete this program's arguments
    Completions(CompletionsArguments),
}

impl Arguments {
    /// Parses the command line. Building all commands and dropping them would take a third of the
    /// time of a one-shot `send`. So the words are first parsed with only those commands that a
    /// word names, and the definitions are not dropped. If that fails, the complete definition
    /// decides, and reports the mistake.
    pub fn read(words: &[OsString]) -> Result<Self, clap::Error> {
        let said = Self::read_as_defined(words);
        let is_room = |word: &OsString| word.to_string_lossy().starts_with(SEND_ROOM);
        match said {
            Err(error) if words.iter().any(is_room) => Self::read_without_recipient(words, error),
            said => said,
        }
    }

    /// With `--room`, `send` has no TO: all of its words are the text. If this is not what the
    /// words mean either, the first error tells more if something was missing.
    fn read_without_recipient(words: &[OsString], first: clap::Error) -> Result<Self, clap::Error> {
        let whole = Self::definition();
        let Some(send) = whole.find_subcommand("send") else { return Err(first) };
        let about = send.get_about().cloned().unwrap_or_default();
        let send = SendArguments::augment_args(clap::Command::new("send").about(about));
        // An option that nobody knows takes the place of the argument.
        let send = send.mut_arg("to", |to| to.long("no-recipient").hide(true));
        let others = whole.get_subcommands().filter(|command| command.get_name() != "send");
        let mut command = clap::Command::new(whole.get_name().to_owned())
            .args(whole.get_arguments().cloned())
            .subcommands(others.cloned())
            .subcommand(send);
        let said = command
            .try_get_matches_from_mut(words)
            .and_then(|mut matches| Self::from_arg_matches_mut(&mut matches));
        said.map_err(|error| match error.kind() {
            ErrorKind::MissingRequiredArgument => first,
            _ => error,
        })
    }

    fn read_as_defined(words: &[OsString]) -> Result<Self, clap::Error> {
        let whole = Self::definition();
        let is_named = |command: &&clap::Command| words.iter().any(|it| it == command.get_name());
        let named: Vec<_> = whole.get_subcommands().filter(is_named).cloned().collect();
        if named.is_empty() {
            return Self::read_whole(words);
        }
        let options = whole.get_arguments().cloned();
        let mut narrow =
            clap::Command::new(whole.get_name().to_owned()).args(options).subcommands(named);
        let said = narrow
            .try_get_matches_from_mut(words)
            .and_then(|mut matches| Self::from_arg_matches_mut(&mut matches));
        // The process is short-lived, and its memory ends with it.
        mem::forget((whole, narrow));
        said.or_else(|_| Self::read_whole(words))
    }

    /// The definition, without environment variables that are empty: they count as not set.
    pub fn definition() -> clap::Command {
        Self::command().mut_args(|argument| {
            let value = argument.get_env().and_then(env::var_os);
            match value.is_some_and(|value| value.is_empty()) {
                true => argument.env(None::<&str>),
                false => argument,
            }
        })
    }

    fn read_whole(words: &[OsString]) -> Result<Self, clap::Error> {
        let mut matches = Self::definition().try_get_matches_from(words)?;
        Self::from_arg_matches_mut(&mut matches)
    }

    /// Refuses combinations that `clap` cannot express.
    pub fn checked(self) -> Result<Self, clap::Error> {
        let PromptArguments { classic, trace } = self.prompt;
        if self.command.is_some() && (classic || trace) {
            return Err(conflict(client::only_for_the_prompt()));
        }
        if self.command.is_none() && self.json {
            return Err(conflict(client::json_only_for_a_command()));
        }
        // A command's own conflicts do not cover a global option before the command.
        let is_raw = match &self.command {
            Some(Command::Inbox(arguments)) => arguments.raw,
            Some(Command::History(arguments)) => arguments.raw,
            Some(Command::Watch(arguments)) => arguments.raw,
            _ => false,
        };
        if self.json && is_raw {
            return Err(conflict(client::json_or_raw()));
        }
        Ok(self)
    }
}

impl Command {
    /// Whether the command shows messages, which count as read once they are written.
    pub fn shows_messages(&self) -> bool {
        match self {
            Self::Inbox(_) | Self::Ask(_) | Self::Mcp => true,
            Self::Watch(arguments) => arguments.exec.is_empty(),
            _ => false,
        }
    }
}

/// What to do about a mistake, if a shell has probably taken the name of a room, and all words
/// after it, for a comment.
pub fn hint(error: &clap::Error, words: &[OsString]) -> Option<&'static str> {
    let missing = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::MissingRequiredArgument, Some(ContextValue::Strings(missing))) => {
            missing.first().cloned()
        }
        // An option without its value.
        (ErrorKind::InvalidValue, Some(ContextValue::String(missing)))
            if error.get(ContextKind::InvalidValue).is_some_and(is_empty) =>
        {
            Some(missing.clone())
        }
        _ => None,
    }?;
    let is_of = |command: &str| words.iter().any(|word| word == command);
    match () {
        () if is_of("send") && missing.starts_with("<TO[") => Some(room::quote_room()),
        () if is_of("ask") && missing == "<TO>" => Some(room::quote_room()),
        () if missing.contains("<ROOM>") => Some(room::leave_out_hash()),
        () => None,
    }
}

fn is_empty(value: &ContextValue) -> bool {
    matches!(value, ContextValue::String(value) if value.is_empty())
}

fn conflict(message: &str) -> clap::Error {
    Arguments::command().error(ErrorKind::ArgumentConflict, message)
}

fn examples() -> String {
    format!("{}\n{}", client_help::examples(), Exit::table())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::command_line::tests::assert_translated;

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::read(&line(words)).and_then(Arguments::checked)
    }

    fn line(words: &[&str]) -> Vec<OsString> {
        ["chat-cli"].iter().chain(words).map(OsString::from).collect()
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
    fn command_line_is_parsed_the_same_with_only_the_named_commands() {
        for words in [
            &["send", "neko", "list", "--lines"][..],
            &["--json", "--server", "h:1", "send", "-F", "send", "neko"],
            &["inbox", "--user", "unread", "-n", "2"],
            &["--user", "send", "whoami", "--timeout", "2s"],
            &["config", "init", "--force"],
            &["watch", "--exec", "send", "--json"],
            // Invalid as they are:
            &["--user", "send"],
            &["neko", "send"],
            &["help", "send"],
            &["config", "send"],
            &["sen", "send"],
            &["send"],
            &["send", "neko", "--lines", "hai"],
            &["send", "--help"],
            &["--help"],
            &["--version", "send"],
        ] {
            let (read, whole) =
                (Arguments::read(&line(words)), Arguments::try_parse_from(line(words)));
            let shown = |said: Result<Arguments, clap::Error>| match said {
                Ok(arguments) => format!("{arguments:?}"),
                Err(error) => error.render().to_string(),
            };
            assert_eq!(shown(read), shown(whole), "{words:?}");
        }
    }

    #[test]
    fn help_of_a_command_begins_with_its_line_in_the_list() {
        let whole = Arguments::command();
        for command in whole.get_subcommands() {
            let about = command.get_about().unwrap().to_string();
            let help = Arguments::read(&line(&[command.get_name(), "--help"])).unwrap_err();
            let help = help.render().to_string();
            assert!(help.starts_with(&about), "{}: {help}", command.get_name());
        }
    }

    #[test]
    fn help_is_there_in_indonesian() {
        assert_translated(Arguments::command, client_help::HELP);
    }

    #[test]
    fn help_names_every_exit_code() {
        let help = Arguments::command().render_long_help().to_string();
        for exit in Exit::ALL {
            assert!(help.contains(exit.meaning()), "{exit:?} is not in --help");
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
    fn words_after_the_room_of_a_send_are_text() {
        let sent = |words: &[&str]| match parse(words).unwrap().command {
            Some(Command::Send(send)) => {
                let rooms: Vec<String> = send.rooms.iter().map(ToString::to_string).collect();
                let text: Vec<String> =
                    send.text.iter().map(|word| word.to_string_lossy().into_owned()).collect();
                (rooms.join(","), send.to, text.join(" "))
            }
            other => panic!("{other:?}"),
        };
        let to_room = |text: &str| ("#build".to_owned(), None, text.to_owned());
        for (words, text) in [
            (&["send", "--room", "build"][..], ""),
            (&["send", "--room", "#build", "done"], "done"),
            (&["send", "--room=build", "it", "is", "done"], "it is done"),
            (
                &["send", "--title", "x", "--room", "build", "--tag", "t", "use", "--force"],
                "use --force",
            ),
            (&["--json", "send", "--room", "build", "--", "-x"], "-x"),
            (&["send", "--room", "build", "-F", "file"], ""),
        ] {
            assert_eq!(sent(words), to_room(text), "{words:?}");
        }
        assert_eq!(sent(&["send", "--room", "build,ops", "x"]).0, "#build,#ops");
        let quoted = ("".to_owned(), Some("#build".to_owned()), "use --room ops".to_owned());
        assert_eq!(sent(&["send", "#build", "use", "--room", "ops"]), quoted);
        for words in [
            &["send", "neko", "--room", "build", "hai"][..],
            &["send", "--room", "build", "-F", "file", "hai"],
            &["send", "--room", "Build", "hai"],
            &["send", "--room", "", "hai"],
            &["send", "--room"],
            &["history", "neko", "--room", "build"],
            &["room", "set", "build"],
            &["room", "set", "build", "--owner", "neko", "--member", "ivy"],
            &["room", "invite", "build"],
        ] {
            assert_eq!(parse(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn room_that_a_shell_took_for_a_comment_is_explained() {
        let hint = |words: &[&str]| hint(&parse(words).unwrap_err(), &line(words));
        assert_eq!(hint(&["send"]), Some(room::quote_room()));
        assert_eq!(hint(&["send", "--title", "x"]), Some(room::quote_room()));
        assert_eq!(hint(&["send", "--room"]), Some(room::leave_out_hash()));
        assert_eq!(hint(&["watch", "--room"]), Some(room::leave_out_hash()));
        for words in [&["reply"][..], &["send", "--title"], &["send", "--kye", "x"], &["nonsense"]]
        {
            assert_eq!(hint(words), None, "{words:?}");
        }
    }

    #[test]
    fn options_may_follow_a_question() {
        match parse(&["ask", "neko", "shall", "I", "--timeout", "3s", "--", "--go"]).unwrap() {
            Arguments { command: Some(Command::Ask(ask)), timeout: Some(timeout), .. } => {
                assert_eq!(ask.text, ["shall", "I", "--go"]);
                assert_eq!(timeout, Duration::from_secs(3));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_words_of_an_ask_in_a_room_are_the_question() {
        let asked = |words: &[&str]| match parse(words).unwrap().command {
            Some(Command::Ask(ask)) => {
                let room = ask.room.map(|room| room.to_string()).unwrap_or_default();
                let words = ask.to.iter().chain(&ask.text).map(|word| word.to_string_lossy());
                (room, words.collect::<Vec<_>>().join(" "), ask.choices.len())
            }
            other => panic!("{other:?}"),
        };
        let expected =
            |room: &str, words: &str, choices| (room.to_owned(), words.to_owned(), choices);
        let words = ["ask", "--room", "build", "deploy", "now?", "--choice", "yes,no"];
        assert_eq!(asked(&words), expected("#build", "deploy now?", 2));
        assert_eq!(asked(&["ask", "go?", "--room=#build"]), expected("#build", "go?", 0));
        assert_eq!(asked(&["ask", "#build", "go?"]), expected("", "#build go?", 0));
        for words in [&["ask", "#build"][..], &["ask", "--room", "Build", "go?"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn exec_takes_the_rest_of_the_command_line() {
        let words = ["watch", "-n", "1", "--exec", "sh", "-c", "cat", "--json", "-n"];
        match parse(&words).unwrap() {
            Arguments { command: Some(Command::Watch(watch)), json: false, .. } => {
                assert_eq!(watch.exec, ["sh", "-c", "cat", "--json", "-n"]);
            }
            other => panic!("{other:?}"),
        }
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
            &["send"],
            &["list", "more"],
            &["--json"],
            &["send", "neko", "-F", "x", "hai"],
            &["inbox", "-n", "0"],
            &["ack"],
            &["ack", "1", "--all"],
            &["ack", "1", "--as", "No"],
            &["revoke"],
            &["ask", "neko"],
            &["watch", "--dead"],
            &["watch", "--as", "w", "--clear"],
            &["watch", "--since", "soon"],
            &["watch", "--raw", "--exec", "x"],
            &["--json", "inbox", "--raw"],
            &["history", "--raw", "--json"],
            &["watch", "--json", "--raw"],
        ] {
            let error = parse(words).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words:?}");
        }
    }
}
