//! The commands about the file: copies of it, what is in it, and whether it is sound.

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
    /// Delete messages for good: those that fit every condition that is given.
    #[command(after_help = server_help::message_purge_examples())]
    Purge(MessagePurgeArguments),
}

/// `message purge`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub struct MessagePurgeArguments {
    /// Those that were sent longer ago than this.
    #[arg(long, value_name = "TIME", value_parser = parse_time, group = "which")]
    pub older_than: Option<Duration>,
    /// Those with a lower id than this.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..), group = "which")]
    pub before_id: Option<i64>,
    /// Those that this user has sent or was sent.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username, group = "which")]
    pub user: Option<String>,
    /// Of the user's, only those that the user has sent.
    #[arg(long, requires = "user", conflicts_with = "received")]
    pub sent: bool,
    /// Of the user's, only those that the user was sent.
    #[arg(long, requires = "user")]
    pub received: bool,
    /// Also those that somebody has still to read, or to deal with at a cursor.
    #[arg(long)]
    pub unread_too: bool,
    /// Write the file anew afterwards: nothing at all is left of them, and the space is given back;
    /// nobody can send meanwhile. A file of up to 16 MiB is compacted anyway.
    #[arg(long, conflicts_with = "dry_run")]
    pub compact: bool,
    /// Only say how many it would be.
    #[arg(long)]
    pub dry_run: bool,
}

/// `backup`
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// The file to make; or a folder, in which it is named after the database and the time.
    #[arg(value_name = "FILE|FOLDER", value_hint = ValueHint::AnyPath)]
    pub to: PathBuf,
    /// Go on, and make one in the folder so often, until SIGTERM or SIGINT.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub every: Option<Duration>,
    /// After each, remove the oldest in the folder but so many; only those that were named by this.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
}

/// `restore`
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// What `backup` made.
    #[arg(value_name = "BACKUP", value_hint = ValueHint::FilePath)]
    pub backup: PathBuf,
    /// Whoever was logged in when the backup was made is so again, with the tokens of then.
    #[arg(long)]
    pub keep_sessions: bool,
}

/// `export`
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Only what this user has sent or was sent, and who is named in it.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username)]
    pub user: Option<String>,
    /// Only messages from this id on.
    #[arg(long, value_name = "ID", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    pub from_id: i64,
    /// The hashes of passwords too; whoever has the file can then try to guess them.
    #[arg(long)]
    pub with_secrets: bool,
}

/// `import`
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// What `export` wrote, or plain text; `-` is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// The file is plain text: each line that is not empty is a message.
    #[arg(long, requires = "from", requires = "to")]
    pub text: bool,
    /// Who has sent the lines.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username, requires = "text")]
    pub from: Option<String>,
    /// Who the lines are for.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username, requires = "text")]
    pub to: Option<String>,
}

/// `check`
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Do not compare the indexes with the tables, nor look at each message.
    #[arg(long, conflicts_with = "rebuild")]
    pub quick: bool,
    /// First make anew what can be told from the tables: indexes, views, and the floor of the ids.
    /// Nobody can send while an index is made.
    #[arg(long)]
    pub rebuild: bool,
}
