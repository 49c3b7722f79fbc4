//! The commands about the file: copies of it, what is in it, and whether it is sound.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse_time;

/// `backup`
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// The file to make; or a folder, in which it is named after the database and the time.
    #[arg(value_name = "FILE|FOLDER")]
    pub to: PathBuf,
    /// Go on, and make one in the folder so often, until SIGTERM or SIGINT.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub every: Option<Duration>,
    /// After each, remove the oldest in the folder but so many; only those that were named by this.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
}

pub(super) const BACKUP_EXAMPLES: &str = "\
Examples:
  chat-server --db chat.sqlite backup /backup/chat.sqlite
  chat-server --db chat.sqlite backup /backup --keep 7          from cron, once a day
  chat-server --db chat.sqlite backup /backup --every 6h --keep 28
";

/// `restore`
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// What `backup` made.
    #[arg(value_name = "BACKUP")]
    pub backup: PathBuf,
    /// Whoever was logged in when the backup was made is so again, with the tokens of then.
    #[arg(long)]
    pub keep_sessions: bool,
}

pub(super) const RESTORE_EXAMPLES: &str = "\
Examples:
  chat-server --db chat.sqlite restore /backup/chat-20261124T060000Z.sqlite
  mv chat.sqlite chat.sqlite-wal aside/ && chat-server --db chat.sqlite restore backup.sqlite
";

/// `check`
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Do not compare the indexes with the tables, nor look at each message.
    #[arg(long)]
    pub quick: bool,
}

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  chat-server --db chat.sqlite check && echo sound
  chat-server --db chat.sqlite check --json | jq -r '.findings[]'
";
