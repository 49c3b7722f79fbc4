//! The arguments of the commands about the database: its messages, copies, exports and checks.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueHint};

use super::parse_time;
use crate::catalogue::server_help;

/// `message`
#[derive(Debug, Args)]
pub struct MessageArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: MessageCommand,
}

/// What `chat-server message` does.
#[derive(Debug, Subcommand)]
pub enum MessageCommand {
    /// Delete a message as its author can: nobody finds it any more.
    Delete(MessageDeleteArguments),
    /// Delete messages for good: those that match every given condition.
    #[command(after_help = server_help::message_purge_examples())]
    Purge(MessagePurgeArguments),
}

impl MessageCommand {
    /// Whether it rewrites the file.
    pub fn compacts(&self) -> bool {
        match self {
            Self::Delete(_) => false,
            Self::Purge(purge) => purge.compact,
        }
    }
}

/// `message delete`
#[derive(Debug, Args)]
pub struct MessageDeleteArguments {
    /// The message. Its text is in the file until `message purge --deleted`.
    #[arg(value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    pub id: i64,
}

/// `message purge`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub struct MessagePurgeArguments {
    /// Messages older than this.
    #[arg(long, value_name = "TIME", value_parser = parse_time, group = "which")]
    pub older_than: Option<Duration>,
    /// Messages with an id below this one.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..), group = "which")]
    pub before_id: Option<i64>,
    /// Messages from or to this user.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username, group = "which")]
    pub user: Option<String>,
    /// Messages that were deleted with `delete`: their texts are in the file until then.
    #[arg(long, group = "which")]
    pub deleted: bool,
    /// Only messages from the user.
    #[arg(long, requires = "user", conflicts_with = "received")]
    pub sent: bool,
    /// Only messages to the user.
    #[arg(long, requires = "user")]
    pub received: bool,
    /// Also messages that a reader has not read, or that wait at a cursor.
    #[arg(long)]
    pub unread_too: bool,
    /// Rewrite the file afterwards: this removes all traces and frees the space; no client can send
    /// meanwhile. A file of up to 16 MiB is always compacted.
    #[arg(long, conflicts_with = "dry_run")]
    pub compact: bool,
    /// Only count the messages.
    #[arg(long)]
    pub dry_run: bool,
}

/// `backup`
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// The file to create; or a folder, where the database and the time give its name.
    #[arg(value_name = "FILE|FOLDER", value_hint = ValueHint::AnyPath)]
    pub to: PathBuf,
    /// Repeat the backup at this interval, until SIGTERM or SIGINT.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub every: Option<Duration>,
    /// After each backup keep only this many in the folder, and remove the oldest; other files
    /// stay.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
}

/// `restore`
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// The file from `backup`.
    #[arg(value_name = "BACKUP", value_hint = ValueHint::FilePath)]
    pub backup: PathBuf,
    /// Keep the sessions of the backup, with their tokens.
    #[arg(long)]
    pub keep_sessions: bool,
}

/// `export`
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Only messages from and to this user, and the users in them.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username)]
    pub user: Option<String>,
    /// Only messages from this id on.
    #[arg(long, value_name = "ID", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    pub from_id: i64,
    /// Include the password hashes; a reader of the file can then try to guess the passwords.
    #[arg(long)]
    pub with_secrets: bool,
}

/// `import`
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// The output of `export`, or plain text; `-` is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// The file is plain text; each non-empty line is a message.
    #[arg(long, requires = "from", requires = "to")]
    pub text: bool,
    /// The sender of the messages.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username, requires = "text")]
    pub from: Option<String>,
    /// The recipient of the messages.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username, requires = "text")]
    pub to: Option<String>,
}

/// `check`
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Do not compare the indexes with the tables, and do not check each message.
    #[arg(long, conflicts_with = "rebuild")]
    pub quick: bool,
    /// First rebuild what follows from the tables: indexes, views, and the lowest unused id. No
    /// client can send while an index is rebuilt.
    #[arg(long)]
    pub rebuild: bool,
}
