//! The arguments of each command.

// A `///` comment above the arguments of a command would become its help.
#![allow(missing_docs)]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueHint};

use super::values::{Since, parse_count, parse_cursor, parse_key, parse_tls_host};
use crate::catalogue::client_help;
use crate::client::address::Host;
use crate::model::{CursorName, SessionId};
use crate::protocol::arguments::Key;
use crate::terminal::reason::parse_session;
use crate::tls::certificate::Fingerprint;

// `auth`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::auth_examples())]
pub struct AuthArguments {
    /// Who you are; left out, the user that is set.
    #[arg(value_hint = ValueHint::Username)]
    pub user: Option<String>,
    /// Better left out: other users of this machine can see it. Asked for on a terminal, else
    /// read from the first line of standard input.
    pub password: Option<String>,
}

// `send`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::send_examples())]
pub struct SendArguments {
    /// Send under this id instead of a new one. A message is stored once an id, however often it
    /// is sent.
    #[arg(long, alias = "key", value_name = "ID", value_parser = parse_key)]
    pub id: Option<Key>,
    /// Send what is in this file; `-` is standard input.
    #[arg(short = 'F', long, value_name = "FILE", conflicts_with = "text")]
    pub file: Option<PathBuf>,
    /// Send each line of the input as a message of its own, as it comes. Empty lines are left out.
    #[arg(long, conflicts_with = "text")]
    pub lines: bool,
    /// Whom to send it to; several with commas between: all of them get it, or none.
    #[arg(value_name = "TO[,TO...]", value_hint = ValueHint::Username)]
    pub to: String,
    /// The text; words are joined with one space. Without it, or as `-`, standard input is sent as
    /// it is, less one line feed at its end.
    #[arg(trailing_var_arg = true)]
    pub text: Vec<OsString>,
}

// `inbox`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::inbox_examples())]
pub struct InboxArguments {
    /// Only the texts, exactly as they were sent, each with a line feed after it. Nothing is made
    /// harmless: not for a terminal.
    #[arg(long)]
    pub raw: bool,
    /// Leave the messages unread.
    #[arg(long)]
    pub peek: bool,
    /// Also what was read before.
    #[arg(long)]
    pub all: bool,
    /// At most so many messages, the oldest first.
    #[arg(short = 'n', value_name = "COUNT", value_parser = parse_count)]
    pub count: Option<usize>,
    /// Only messages of this user. They count as read only as far as no other unread message
    /// stands before them.
    #[arg(long, value_name = "USER", value_hint = ValueHint::Username)]
    pub from: Option<String>,
}

// `history`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::history_examples())]
pub struct HistoryArguments {
    /// The conversation with this user, both directions. Without it, all that came in.
    #[arg(value_hint = ValueHint::Username)]
    pub user: Option<String>,
    /// How many messages, the newest there are.
    #[arg(short = 'n', value_name = "COUNT", default_value = "20", value_parser = parse_count)]
    pub count: usize,
    /// Only the texts, exactly as they were sent, each with a line feed after it.
    #[arg(long)]
    pub raw: bool,
}

// `ack`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::ack_examples())]
#[command(group = ArgGroup::new("upto").args(["id", "all"]).required(true))]
pub struct AckArguments {
    /// Everything up to and with this message counts as read.
    pub id: Option<i64>,
    /// Everything there is now counts as read.
    #[arg(long)]
    pub all: bool,
    /// Move the cursor of this name, instead of that of `inbox`.
    #[arg(long = "as", value_name = "NAME", value_parser = parse_cursor)]
    pub cursor: Option<CursorName>,
    /// Also backwards, so that messages are unread again.
    #[arg(long)]
    pub rewind: bool,
}

// `watch`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::watch_examples())]
pub struct WatchArguments {
    /// Begin where the last `watch` of this name stopped, and remember how far this one came.
    #[arg(long = "as", value_name = "NAME", value_parser = parse_cursor)]
    pub cursor: Option<CursorName>,
    /// Where to begin, if there is no cursor of that name yet: `unread`, `new`, `all`, the id of a
    /// message (begins after it), or how long ago, as 2h.
    #[arg(long, default_value = "unread", value_parser = Since::parse)]
    pub since: Since,
    /// End after so many messages; exit code 1 if it ends before, or if one of them is a dead
    /// letter.
    #[arg(short = 'n', value_name = "COUNT", value_parser = parse_count)]
    pub count: Option<usize>,
    /// End when everything that is there has been told, instead of waiting for more.
    #[arg(long)]
    pub exit_at_end: bool,
    /// Only the texts, exactly as they were sent, each with a line feed after it.
    #[arg(long, conflicts_with = "exec")]
    pub raw: bool,
    /// Also tell of `ready`, `disconnected` and `caught_up`: on standard error, or with --json as
    /// objects between the messages.
    #[arg(long)]
    pub events: bool,
    /// How often --exec is tried for a message before it is a dead letter.
    #[arg(long, value_name = "COUNT", default_value = "3", value_parser = parse_count)]
    pub max_tries: usize,
    /// Show the dead letters of --as NAME, and end; exit code 1 if there are none.
    #[arg(long, requires = "cursor", conflicts_with_all = ["exec", "count", "exit_at_end"])]
    pub dead: bool,
    /// Forget the dead letters that --dead has shown.
    #[arg(long, requires = "dead")]
    pub clear: bool,
    /// Run this for each message, with the message as JSON on its standard input, and CHAT_ID and
    /// CHAT_FROM in its environment. Takes the rest of the command line. No shell is involved.
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true)]
    #[arg(value_hint = ValueHint::CommandName)]
    pub exec: Vec<OsString>,
}

// `ask`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::ask_examples())]
pub struct AskArguments {
    /// Send under this id instead of a new one: asking again with the same id asks once, and waits
    /// for the same answer.
    #[arg(long, value_name = "ID", value_parser = parse_key)]
    pub id: Option<Key>,
    /// Whom to ask.
    #[arg(value_hint = ValueHint::Username)]
    pub user: String,
    /// The question; words are joined with one space. `-` is standard input, and what comes after
    /// `--` is text too.
    #[arg(required = true)]
    pub text: Vec<OsString>,
}

// `revoke`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["id", "others"]).required(true))]
pub struct RevokeArguments {
    /// The session with this id: `sessions` shows them.
    #[arg(value_parser = parse_session)]
    pub id: Option<SessionId>,
    /// All but the one in use.
    #[arg(long)]
    pub others: bool,
}

// `trust`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::trust_examples())]
pub struct TrustArguments {
    /// The server; that of --server where nothing is said. The port is 8890 where none is given.
    #[arg(value_name = "HOST[:PORT]", value_parser = parse_tls_host, value_hint = ValueHint::Hostname)]
    pub host: Option<Host>,
    /// Pin the certificate without a question, if this is its fingerprint.
    #[arg(long, value_name = "SHA256:...", conflicts_with_all = ["list", "remove"])]
    pub fingerprint: Option<Fingerprint>,
    /// Show every pinned certificate; exit code 1 if there are none.
    #[arg(long, conflicts_with_all = ["host", "remove"])]
    pub list: bool,
    /// Forget the certificate that is pinned for the server.
    #[arg(long)]
    pub remove: bool,
}

// `config`
#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

// What `chat-cli config` does.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Write a configuration file, or add a profile to it: asks on a terminal, else takes the options
    #[command(after_long_help = client_help::config_init_examples())]
    Init(ConfigInitArguments),
    /// Show every setting, its value, and where that comes from
    Show,
    /// Show where the configuration file is, whether there is one or not
    Path,
}

/// `config init`
#[derive(Debug, Args)]
pub struct ConfigInitArguments {
    /// Put the new file in place of the one that is there.
    #[arg(long)]
    pub force: bool,
}
