//! The arguments of each command.

// A `///` comment above the arguments of a command would become its help.
#![allow(missing_docs)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum, ValueHint};

use super::moment::{parse_at, parse_in, parse_when};
use super::values::{
    ReceiptsOf, Since, parse_choice, parse_click, parse_count, parse_cursor, parse_display_name,
    parse_every, parse_expectation, parse_grace, parse_key, parse_message_id, parse_pid,
    parse_scheduled, parse_tag, parse_tail, parse_timeout, parse_title, parse_tls_host, parse_user,
};
use crate::catalogue::{client, client_help};
use crate::client::address::Host;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::model::{
    AccessTokenName, Click, CursorName, Details, DisplayName, ExpectationName, MessageId, Priority,
    Rights, RoomName, ScheduledId, SessionId, TAGS_MAX, Tag, Tags, Timestamp, Title, UserName,
};
use crate::protocol::arguments::{Key, When};
use crate::terminal::reason::{
    parse_room, parse_session, parse_token_life, parse_token_name, words,
};
use crate::tls::certificate::Fingerprint;

// `auth`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::auth_examples())]
pub struct AuthArguments {
    /// The user to log in as; without it, the user that is set.
    #[arg(value_hint = ValueHint::Username)]
    pub user: Option<String>,
    /// Not recommended: other users of this machine can see it. Without it, a terminal asks for it;
    /// otherwise it is the first line of standard input.
    pub password: Option<String>,
}

// `join`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::join_examples())]
pub struct JoinArguments {
    /// The link of the invitation, or its secret alone.
    // `clap` does not parse it: its errors repeat what was given, which may have the secret.
    pub link: String,
    /// The name to log in with; without it, that of the invitation, else a terminal asks for it.
    pub name: Option<String>,
    /// The name for people; by default the user's name.
    #[arg(long, value_name = "TEXT", value_parser = parse_display_name)]
    pub display_name: Option<DisplayName>,
    /// The server was found by the link.
    #[arg(skip)]
    pub is_elsewhere: bool,
}

/// A priority, by its name or its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PriorityName {
    #[value(alias = "1")]
    Min,
    #[value(alias = "2")]
    Low,
    #[value(alias = "3")]
    Default,
    #[value(alias = "4")]
    High,
    #[value(alias = "5")]
    Urgent,
}

impl From<PriorityName> for Priority {
    fn from(name: PriorityName) -> Self {
        match name {
            PriorityName::Min => Self::Min,
            PriorityName::Low => Self::Low,
            PriorityName::Default => Self::Default,
            PriorityName::High => Self::High,
            PriorityName::Urgent => Self::Urgent,
        }
    }
}

// What a message carries beside its text.
#[derive(Debug, Clone, Default, Args)]
pub struct DetailArguments {
    /// One line above the text: at most 256 bytes.
    #[arg(long, value_name = "TITLE", value_parser = parse_title)]
    pub title: Option<Title>,
    /// How urgent it is: 1 to 5, or min, low, default, high, urgent.
    #[arg(long, value_name = "PRIORITY", value_enum)]
    pub priority: Option<PriorityName>,
    /// A word to select messages by; several are separated by commas, or given one by one.
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',', value_parser = parse_tag)]
    pub tags: Vec<Tag>,
    /// What to open: an http or https URL.
    #[arg(long, value_name = "URL", value_parser = parse_click, value_hint = ValueHint::Url)]
    pub click: Option<Click>,
    /// The message that this one answers.
    #[arg(long, value_name = "ID", value_parser = parse_message_id)]
    pub reply_to: Option<MessageId>,
    /// Let it expire after 30m, 2h, 1d, or at a time as --at has it: then nobody has it unread, and
    /// `history` marks it. With --at or --in, the duration begins when it is sent.
    #[arg(long, value_name = "WHEN", value_parser = parse_when)]
    pub expires: Option<When>,
}

impl DetailArguments {
    /// The details; `None` if no option was given.
    pub fn details(&self) -> Result<Option<Box<Details>>, Failure> {
        let tags = Tags::try_from(self.tags.clone())
            .map_err(|_| Failure::new(Exit::Usage, client::too_many_tags(TAGS_MAX)))?;
        let details = Details {
            title: self.title.clone(),
            priority: self.priority.map(Priority::from).unwrap_or_default(),
            tags,
            click: self.click.clone(),
            reply_to: self.reply_to,
            ..self.expires.map(When::as_expiry).unwrap_or_default()
        };
        Ok(details.if_any())
    }
}

// Which messages to show.
#[derive(Debug, Clone, Default, Args)]
pub struct FilterArguments {
    /// Only messages of this priority and higher ones.
    #[arg(long, value_name = "PRIORITY", value_enum)]
    pub min_priority: Option<PriorityName>,
    /// Only messages with this tag; with several, only messages that have all of them.
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',', value_parser = parse_tag)]
    pub tags: Vec<Tag>,
    /// Only messages from this user.
    #[arg(long, value_name = "USER", value_hint = ValueHint::Username)]
    pub from: Option<String>,
    /// Only messages to this room; its # may be left out.
    #[arg(long, value_name = "ROOM", value_parser = parse_room)]
    pub room: Option<RoomName>,
}

// `send`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::send_examples())]
pub struct SendArguments {
    /// Send under this id instead of a new one. An id is stored once, however often it is sent.
    #[arg(long, alias = "key", value_name = "ID", value_parser = parse_key)]
    pub id: Option<Key>,
    /// Send the content of this file; `-` is standard input.
    #[arg(short = 'F', long, value_name = "FILE", conflicts_with = "text")]
    pub file: Option<PathBuf>,
    /// Send each line of the input as its own message, as it arrives. Empty lines are skipped.
    #[arg(long, conflicts_with = "text")]
    pub lines: bool,
    /// Run a command, and tell TO how it ended: COMMAND ARGS... instead of a text. Its output is
    /// passed through, and its exit code is the one of this command.
    #[arg(long, requires = "text", conflicts_with_all = ["file", "lines", "done_pid"])]
    pub done: bool,
    /// Wait for the end of this process, and tell TO.
    #[arg(long, value_name = "PID", value_parser = parse_pid)]
    #[arg(conflicts_with_all = ["file", "lines", "text"])]
    pub done_pid: Option<u32>,
    /// With --done: how many of the last lines of the output are sent. With 0 the command has your
    /// terminal to itself.
    #[arg(long, value_name = "COUNT", default_value = "20", value_parser = parse_tail)]
    #[arg(requires = "done")]
    pub tail: usize,
    /// Wait until all recipients have read it; in a room, until one member has. If that takes longer
    /// than this, or the message expires, the exit code is 1.
    #[arg(long, value_name = "DURATION", value_parser = parse_timeout)]
    #[arg(conflicts_with_all = ["lines", "done", "done_pid"])]
    pub wait_read: Option<Duration>,
    /// Send it later, at the next 17:00 or at '2026-12-01 09:00' by the clock of this machine, or at
    /// a time with an offset, as RFC 3339 has it. The server sends it.
    #[arg(long, value_name = "TIME", value_parser = parse_at)]
    #[arg(conflicts_with_all = ["within", "lines", "done", "done_pid", "wait_read"])]
    pub at: Option<Timestamp>,
    /// Send it later: in 30m, 2h, 1d.
    #[arg(long = "in", value_name = "DURATION", value_parser = parse_in)]
    #[arg(conflicts_with_all = ["lines", "done", "done_pid", "wait_read"])]
    pub within: Option<Duration>,
    #[command(flatten)]
    pub details: DetailArguments,
    /// Send to this room instead of TO, or to several, separated by commas. The # of a room may be
    /// left out.
    #[arg(long = "room", value_name = "ROOM", value_delimiter = ',', value_parser = parse_room)]
    pub rooms: Vec<RoomName>,
    /// The recipient, or several separated by commas: all of them get it, or none. A room is
    /// '#build', with quotes in a shell, and everybody is @all.
    // With `--room` it is no argument at all: see `Arguments::read`.
    #[arg(value_name = "TO[,TO...]", value_hint = ValueHint::Username)]
    #[arg(required_unless_present = "rooms", conflicts_with = "rooms")]
    pub to: Option<String>,
    /// The text; words are joined with one space. Without it, or as `-`, standard input is sent
    /// unchanged, except for one line feed at its end. With --done: the command and its arguments.
    #[arg(trailing_var_arg = true)]
    pub text: Vec<OsString>,
}

// `reply`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::reply_examples())]
pub struct ReplyArguments {
    /// Send under this id instead of a new one. An id is stored once, however often it is sent.
    #[arg(long, alias = "key", value_name = "ID", value_parser = parse_key)]
    pub id: Option<Key>,
    /// The message to answer: one that you received or sent. The other side gets the answer.
    #[arg(value_name = "MESSAGE", value_parser = parse_message_id)]
    pub message: MessageId,
    /// The text; words are joined with one space. `-` is standard input.
    #[arg(required = true, trailing_var_arg = true)]
    pub text: Vec<OsString>,
}

// `inbox`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::inbox_examples())]
pub struct InboxArguments {
    /// Only the texts, exactly as they were sent, each followed by a line feed. Nothing is escaped:
    /// not for a terminal.
    #[arg(long)]
    pub raw: bool,
    /// Leave the messages unread.
    #[arg(long)]
    pub peek: bool,
    /// Include messages that were read before.
    #[arg(long)]
    pub all: bool,
    /// At most this many messages, the oldest first.
    #[arg(short = 'n', value_name = "COUNT", value_parser = parse_count)]
    pub count: Option<usize>,
    // They count as read only up to the first unread message that is left out.
    #[command(flatten)]
    pub filter: FilterArguments,
}

// `history`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::history_examples())]
pub struct HistoryArguments {
    /// The conversation with this user, in both directions, or in this room: '#build'. Without it,
    /// all received messages.
    #[arg(value_name = "USER|ROOM", value_hint = ValueHint::Username, conflicts_with = "room")]
    pub user: Option<String>,
    /// The thread of this message: what it answers, and what answers it, back to the oldest one.
    #[arg(long, value_name = "ID", value_parser = parse_message_id)]
    #[arg(conflicts_with_all = ["user", "min_priority", "tags", "from", "room"])]
    pub thread: Option<MessageId>,
    /// The messages before and after this one, instead of the newest ones.
    #[arg(long, value_name = "ID", value_parser = parse_message_id)]
    #[arg(conflicts_with_all = ["thread", "min_priority", "tags", "from"])]
    pub around: Option<MessageId>,
    #[command(flatten)]
    pub filter: FilterArguments,
    /// How many of the newest messages.
    #[arg(short = 'n', value_name = "COUNT", default_value = "20", value_parser = parse_count)]
    pub count: usize,
    /// Only the texts, exactly as they were sent, each followed by a line feed.
    #[arg(long)]
    pub raw: bool,
    /// Messages as they were sent, and each edit and deletion. A deleted message has no text here
    /// either.
    #[arg(long, conflicts_with_all = ["raw", "thread", "around"])]
    pub raw_log: bool,
}

// `search`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::search_examples())]
pub struct SearchArguments {
    /// At most this many messages.
    #[arg(short = 'n', long, value_name = "COUNT", default_value = "20", value_parser = parse_count)]
    pub limit: usize,
    /// Words that a message must have. Also: "phrases" in quotation marks, beginnings*, from:USER,
    /// with:USER, in:#ROOM, tag:TAG, before: and after: with a date or an id. A `-` before a term
    /// excludes it. Words are joined with one space.
    #[arg(required = true, trailing_var_arg = true, value_name = "WORDS")]
    pub query: Vec<String>,
}

// `conversations`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::conversations_examples())]
pub struct ConversationsArguments {
    /// At most this many conversations.
    #[arg(short = 'n', long, value_name = "COUNT", default_value = "20", value_parser = parse_count)]
    pub limit: usize,
}

// `ack`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::ack_examples())]
#[command(group = ArgGroup::new("upto").args(["id", "all"]).required(true))]
pub struct AckArguments {
    /// Everything up to and including this message counts as read.
    pub id: Option<i64>,
    /// Everything received so far counts as read.
    #[arg(long)]
    pub all: bool,
    /// Move the cursor with this name, instead of the one of `inbox`.
    #[arg(long = "as", value_name = "NAME", value_parser = parse_cursor)]
    pub cursor: Option<CursorName>,
    /// Allow moving backwards, so that messages are unread again.
    #[arg(long)]
    pub rewind: bool,
    /// Only the messages from this user count as read.
    #[arg(long, value_name = "USER", value_hint = ValueHint::Username)]
    #[arg(conflicts_with_all = ["room", "cursor", "rewind"])]
    pub with: Option<String>,
    /// Only the messages to this room count as read; its # may be left out.
    #[arg(long, value_name = "ROOM", value_parser = parse_room)]
    #[arg(conflicts_with_all = ["cursor", "rewind"])]
    pub room: Option<RoomName>,
}

// `receipts`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::receipts_examples())]
pub struct ReceiptsArguments {
    /// A message that you have sent: who has read it. `off`: nobody sees what you have read, and you
    /// see it of nobody; `on` ends that. Without it, the setting is shown.
    #[arg(value_name = "ID|on|off", value_parser = ReceiptsOf::parse)]
    pub of: Option<ReceiptsOf>,
}

// `status`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::status_examples())]
pub struct StatusArguments {
    /// Take the text away.
    #[arg(long, conflicts_with = "text")]
    pub clear: bool,
    /// Nobody sees that you are connected.
    #[arg(long, conflicts_with = "visible")]
    pub invisible: bool,
    /// End --invisible.
    #[arg(long)]
    pub visible: bool,
    /// What you do now: at most 256 bytes. Words are joined with one space. Without anything, the
    /// status is shown.
    pub text: Vec<String>,
}

// `watch`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::watch_examples())]
pub struct WatchArguments {
    /// Begin where the last `watch` with this name stopped, and remember the position of this one.
    #[arg(long = "as", value_name = "NAME", value_parser = parse_cursor)]
    pub cursor: Option<CursorName>,
    /// Where to begin, if there is no cursor with that name yet: `unread`, `new`, `all`, the id of
    /// a message (begins after it), or how long ago, such as 2h.
    #[arg(long, default_value = "unread", value_parser = Since::parse)]
    pub since: Since,
    /// End after this many messages; exit code 1 if it ends before, or if one of them is a dead
    /// letter.
    #[arg(short = 'n', value_name = "COUNT", value_parser = parse_count)]
    pub count: Option<usize>,
    /// End when all existing messages were shown, instead of waiting for more.
    #[arg(long)]
    pub exit_at_end: bool,
    /// Only the texts, exactly as they were sent, each followed by a line feed.
    #[arg(long, conflicts_with = "exec")]
    pub raw: bool,
    #[command(flatten)]
    pub filter: FilterArguments,
    /// Also messages of rooms that you are not told of: `room set --notify`.
    #[arg(long)]
    pub muted: bool,
    /// Also show when a message that was shown is edited or deleted: with --json as objects between
    /// the messages.
    #[arg(long, conflicts_with_all = ["exec", "raw", "dead"])]
    pub changes: bool,
    /// Also report `ready`, `disconnected` and `caught_up`: on standard error, or with --json as
    /// objects between the messages.
    #[arg(long)]
    pub events: bool,
    /// Also notify of each message: on the desktop with notify-send, else through the terminal. On
    /// the desktop, a question that offers answers has a button for each.
    #[arg(long, conflicts_with = "exec")]
    pub notify: bool,
    /// How often to try --exec for a message before it becomes a dead letter.
    #[arg(long, value_name = "COUNT", default_value = "3", value_parser = parse_count)]
    pub max_tries: usize,
    /// Show the dead letters of --as NAME, and end; exit code 1 if there are none.
    #[arg(long, requires = "cursor")]
    #[arg(conflicts_with_all = ["exec", "notify", "count", "exit_at_end", "min_priority", "tags", "from"])]
    #[arg(conflicts_with = "room")]
    pub dead: bool,
    /// Remove the dead letters that --dead has shown.
    #[arg(long, requires = "dead")]
    pub clear: bool,
    /// Run this command for each message, with the message as JSON on its standard input, and
    /// CHAT_ID and CHAT_FROM in its environment, and CHAT_ROOM if it is to a room. Takes the rest of
    /// the command line. No shell is involved.
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true)]
    #[arg(value_hint = ValueHint::CommandName)]
    pub exec: Vec<OsString>,
}

// `ask`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::ask_examples())]
pub struct AskArguments {
    /// Send under this id instead of a new one. With the same id again, the question is sent once,
    /// and the answer is the same.
    #[arg(long, value_name = "ID", value_parser = parse_key)]
    pub id: Option<Key>,
    /// Accept only one of these answers, separated by commas. The exit code is 0 for the first, 3
    /// for the second, 4 for the third, and so on.
    #[arg(long = "choice", value_name = "ANSWER", value_delimiter = ',', value_parser = parse_choice)]
    pub choices: Vec<Tag>,
    /// In a room: accept only the answer of one of these users, separated by commas.
    #[arg(long, value_name = "USER", value_delimiter = ',', value_parser = parse_user)]
    #[arg(value_hint = ValueHint::Username)]
    pub from: Vec<UserName>,
    /// Ask in this room instead of TO: all words are the question. The # of a room may be left out.
    #[arg(long, value_name = "ROOM", value_parser = parse_room)]
    pub room: Option<RoomName>,
    /// The user to ask, or a room: '#build', with quotes in a shell.
    // With `--room` it is the first word of the question.
    #[arg(value_name = "TO", value_hint = ValueHint::Username, required_unless_present = "room")]
    pub to: Option<OsString>,
    /// The question; words are joined with one space. `-` is standard input, and everything after
    /// `--` is text too.
    #[arg(required_unless_present = "room")]
    pub text: Vec<OsString>,
}

// `scheduled`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::scheduled_examples())]
pub struct ScheduledArguments {
    #[command(subcommand)]
    pub command: Option<ScheduledCommand>,
}

// What else `scheduled` does.
#[derive(Debug, Subcommand)]
pub enum ScheduledCommand {
    /// Cancel a message that is sent later
    Cancel(ScheduledCancelArguments),
}

// `scheduled cancel`
#[derive(Debug, Args)]
pub struct ScheduledCancelArguments {
    /// Which one; `scheduled` shows them.
    #[arg(value_parser = parse_scheduled)]
    pub id: ScheduledId,
}

// `expect`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::expect_examples())]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ExpectArguments {
    #[command(subcommand)]
    pub command: Option<ExpectCommand>,
    /// What will report: at most 32 of a-z, 0-9 and `._-`.
    #[arg(required = true, value_parser = parse_expectation)]
    pub name: Option<ExpectationName>,
    /// How often it reports: 10m, 1d.
    #[arg(long, required = true, value_name = "DURATION", value_parser = parse_every)]
    pub every: Option<Duration>,
    /// How much later a report may come.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_grace)]
    pub grace: Duration,
    /// Who is told, with a message from you.
    #[arg(long, required = true, value_name = "USER", value_hint = ValueHint::Username)]
    pub tell: Option<String>,
}

// What else `expect` does.
#[derive(Debug, Subcommand)]
pub enum ExpectCommand {
    /// Show what you expect; exit code 1 if there is nothing
    List,
    /// Expect something no longer
    Remove(ExpectRemoveArguments),
}

// `expect remove`
#[derive(Debug, Args)]
pub struct ExpectRemoveArguments {
    /// Which one; `expect list` shows them.
    #[arg(value_parser = parse_expectation)]
    pub name: ExpectationName,
}

// `report`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::report_examples())]
pub struct ReportArguments {
    /// What reports.
    #[arg(value_parser = parse_expectation)]
    pub name: ExpectationName,
    /// It has started. The deadline stays.
    #[arg(long, conflicts_with_all = ["fail", "exit_code"])]
    pub start: bool,
    /// It has failed, as --exit-code 1.
    #[arg(long, conflicts_with = "exit_code")]
    pub fail: bool,
    /// How it has ended: 0 is success.
    #[arg(long, value_name = "CODE")]
    pub exit_code: Option<u8>,
    /// Why: told with a failure. Words are joined with one space; `-` is standard input. Of a long
    /// text the end is told.
    #[arg(conflicts_with = "start")]
    pub text: Vec<OsString>,
}

// `revoke`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["id", "others"]).required(true))]
pub struct RevokeArguments {
    /// The session with this id; `sessions` lists them.
    #[arg(value_parser = parse_session)]
    pub id: Option<SessionId>,
    /// All sessions but the one in use.
    #[arg(long)]
    pub others: bool,
}

// `token`
#[derive(Debug, Args)]
pub struct TokenArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: TokenCommand,
}

// What `chat-cli token` does.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make an access token, and print it once
    #[command(after_long_help = client_help::token_create_examples())]
    Create(TokenCreateArguments),
    /// Show your access tokens; exit code 1 if there are none
    List,
    /// Revoke an access token: it is valid no longer
    Revoke(TokenRevokeArguments),
}

// `token create`
#[derive(Debug, Args)]
pub struct TokenCreateArguments {
    /// A name for the token: at most 32 of a-z, 0-9 and `._-`.
    #[arg(value_parser = parse_token_name)]
    pub name: AccessTokenName,
    /// What a program with the token may do. `all` does not include your password, sessions and
    /// tokens.
    #[arg(long, value_name = "RIGHTS", default_value = "send")]
    #[arg(value_parser = words(&Rights::ALL, Rights::as_str))]
    pub can: Rights,
    /// Send only to these users and rooms: neko,'#build'. A hook has one.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_hint = ValueHint::Username)]
    pub to: Vec<String>,
    /// When it expires: 90d, 12h. Without it, it does not.
    #[arg(long, value_name = "DURATION", value_parser = parse_token_life)]
    pub expires: Option<Duration>,
}

// `token revoke`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which_token").args(["name", "all"]).required(true))]
pub struct TokenRevokeArguments {
    /// Which one; `token list` shows them.
    #[arg(value_parser = parse_token_name)]
    pub name: Option<AccessTokenName>,
    /// All your tokens.
    #[arg(long)]
    pub all: bool,
}

// `trust`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::trust_examples())]
pub struct TrustArguments {
    /// The server; without it, the one of --server. The default port is 8890.
    #[arg(value_name = "HOST[:PORT]", value_parser = parse_tls_host, value_hint = ValueHint::Hostname)]
    pub host: Option<Host>,
    /// Pin the certificate without asking, if this is its fingerprint.
    #[arg(long, value_name = "SHA256:...", conflicts_with_all = ["list", "remove"])]
    pub fingerprint: Option<Fingerprint>,
    /// Show every pinned certificate; exit code 1 if there are none.
    #[arg(long, conflicts_with_all = ["host", "remove"])]
    pub list: bool,
    /// Remove the pin of the server.
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
    /// Write a configuration file, or add a profile to it: asks on a terminal, otherwise uses the
    /// options
    #[command(after_long_help = client_help::config_init_examples())]
    Init(ConfigInitArguments),
    /// Show every setting, its value and its source
    Show,
    /// Show the path of the configuration file, whether it exists or not
    Path,
}

/// `config init`
#[derive(Debug, Args)]
pub struct ConfigInitArguments {
    /// Replace an existing file.
    #[arg(long)]
    pub force: bool,
}
