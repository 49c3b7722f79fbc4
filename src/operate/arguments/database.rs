//! The options for a database on PostgreSQL, and the commands that prepare and check one.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::parse_time;
use crate::catalogue::server_help;

/// How a database on PostgreSQL is used. Each option is a setting, like those of `serve`, and counts
/// for every command.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArguments {
    /// For postgres://: the first line of this file is the password. Other users must not be able to
    /// read it.
    #[arg(long, global = true, value_name = "FILE", env = "CHAT_SERVER_DB_PASSWORD_FILE")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub db_password_file: Option<PathBuf>,
    /// For postgres://: where a message must be before it is acknowledged: standby, local or storage.
    #[arg(long, global = true, value_name = "PLACE", env = "CHAT_SERVER_DB_DURABILITY")]
    #[arg(value_enum, default_value = "standby")]
    pub db_durability: DbDurability,
    /// For postgres://: how long a request may wait for a new primary.
    #[arg(long, global = true, value_name = "TIME", env = "CHAT_SERVER_DB_FAILOVER_WAIT")]
    #[arg(default_value = "30s", value_parser = parse_time)]
    pub db_failover_wait: Duration,
    /// For postgres://: how often a server looks whether the database still holds --db-durability.
    #[arg(long, global = true, value_name = "TIME", env = "CHAT_SERVER_DB_CHECK_INTERVAL")]
    #[arg(default_value = "10s", value_parser = parse_time)]
    pub db_check_interval: Duration,
    /// For postgres://: the socket at which a server answers operators' commands of this machine;
    /// without it they connect to the database.
    #[arg(long, global = true, value_name = "PATH", env = "CHAT_SERVER_ADMIN_SOCKET")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub admin_socket: Option<PathBuf>,
    /// For postgres://: connect to other machines without encryption, if the URL says
    /// sslmode=disable.
    #[arg(long, global = true, env = "CHAT_SERVER_DB_ALLOW_PLAINTEXT")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub db_allow_plaintext: bool,
}

/// Where a message must be before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DbDurability {
    /// On the primary's disk and on that of a synchronous standby.
    Standby,
    /// On the primary's disk.
    Local,
    /// Where the provider of the database replicates it; PostgreSQL's settings do not count.
    Storage,
}

/// `db`
#[derive(Debug, Args)]
pub struct DbArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: DbCommand,
}

/// What `chat-server db` does.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Create the schema and the roles in a database, or bring them up to date.
    #[command(after_help = server_help::db_init_examples())]
    Init(DbInitArguments),
    /// Find out whether a server could use the database, and what it would promise.
    #[command(after_help = server_help::db_check_examples())]
    Check(DbCheckArguments),
}

/// `db init`
#[derive(Debug, Args)]
pub struct DbInitArguments {
    /// postgres://OWNER@HOST/DATABASE, instead of --db; the schema will belong to this user.
    pub url: Option<String>,
    /// The role of the servers and of operators' commands; created if it does not exist.
    #[arg(long, value_name = "NAME", default_value = "chat_server")]
    pub server_role: String,
    /// The role of people and programs that read the views; created if it does not exist.
    #[arg(long, value_name = "NAME", default_value = "chat_reader")]
    pub reader_role: String,
}

/// `db check`
#[derive(Debug, Args)]
pub struct DbCheckArguments {
    /// postgres://USER@HOST/DATABASE, instead of --db.
    pub url: Option<String>,
}
