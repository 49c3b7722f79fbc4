//! What can be said of users and sessions, and of how a server does.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::parse_time;

/// `user`
#[derive(Debug, Args)]
pub struct UserArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: UserCommand,
}

/// What `chat-server user` does.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user; the password is asked for, or is the first line of standard input.
    #[command(after_help = USER_ADD_EXAMPLES)]
    Add(UserAddArguments),
    /// Show every user.
    #[command(after_help = USER_LIST_EXAMPLES)]
    List,
    /// Show all that is known of a user: sessions, messages, cursors.
    #[command(after_help = USER_SHOW_EXAMPLES)]
    Show(UserName),
    /// Give a user another password and end all sessions; asked for as with `add`.
    #[command(after_help = USER_PASSWD_EXAMPLES)]
    Passwd(UserPasswdArguments),
    /// End the sessions of a user and let there be no new ones; messages to the user wait.
    #[command(after_help = USER_DISABLE_EXAMPLES)]
    Disable(UserName),
    /// Let a user log in again.
    #[command(after_help = USER_DISABLE_EXAMPLES)]
    Enable(UserName),
    /// Give a user another name; messages, cursors and sessions stay.
    #[command(after_help = USER_RENAME_EXAMPLES)]
    Rename(UserRenameArguments),
    /// Delete a user; the messages stay, and nobody can take the name, but with --purge.
    #[command(after_help = USER_DELETE_EXAMPLES)]
    Delete(UserDeleteArguments),
}

/// A user that there is.
#[derive(Debug, Args)]
pub struct UserName {
    /// The name of the user.
    #[arg(value_hint = ValueHint::Username)]
    pub name: String,
}

/// `user add`
#[derive(Debug, Args)]
pub struct UserAddArguments {
    /// What the user logs in with: 1 to 32 of a-z, 0-9, _ and -.
    pub name: String,
    /// What people call the user; the name where nothing is said.
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
    /// Make up a strong password, and print it, this once.
    #[arg(long)]
    pub generate: bool,
}

/// `user passwd`
#[derive(Debug, Args)]
pub struct UserPasswdArguments {
    /// The name of the user.
    #[arg(value_hint = ValueHint::Username)]
    pub name: String,
    /// Make up a strong password, and print it, this once.
    #[arg(long)]
    pub generate: bool,
}

/// `user rename`
#[derive(Debug, Args)]
pub struct UserRenameArguments {
    /// The name until now; it is free from then on.
    #[arg(value_hint = ValueHint::Username)]
    pub old: String,
    /// The name from now on.
    pub new: String,
}

/// `user delete`
#[derive(Debug, Args)]
pub struct UserDeleteArguments {
    /// The name of the user.
    #[arg(value_hint = ValueHint::Username)]
    pub name: String,
    /// Remove all messages from and to the user as well, and free the name.
    #[arg(long)]
    pub purge: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
}

/// `session`
#[derive(Debug, Args)]
pub struct SessionArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: SessionCommand,
}

/// What `chat-server session` does.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Show the sessions that have not ended.
    #[command(after_help = SESSION_LIST_EXAMPLES)]
    List(SessionListArguments),
    /// End sessions: whoever holds one is told so with the next request.
    #[command(after_help = SESSION_REVOKE_EXAMPLES)]
    Revoke(SessionRevokeArguments),
}

/// `session list`
#[derive(Debug, Args)]
pub struct SessionListArguments {
    /// Those of this user only.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username)]
    pub user: Option<String>,
}

/// `session revoke`
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SessionRevokeArguments {
    /// The one of this number.
    pub id: Option<i64>,
    /// All of this user.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username)]
    pub user: Option<String>,
    /// All of everybody.
    #[arg(long)]
    pub all: bool,
}

/// `seed`
#[derive(Debug, Args)]
pub struct SeedArguments {
    /// A JSON file with the users, of the shape of seed/users.json; `-` for standard input.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `healthcheck`
#[derive(Debug, Args)]
pub struct HealthcheckArguments {
    /// How long it may take.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    pub timeout: Duration,
}

const USER_ADD_EXAMPLES: &str = "\
Examples:
  chat-server user add alice --display-name 'Alice A.'    asks for the password, twice
  chat-server user add build --generate                   prints a password that it makes up
  pass show chat/alice | chat-server user add alice       from a password store
";

const USER_LIST_EXAMPLES: &str = "\
Examples:
  chat-server --db chat.sqlite user list
  chat-server user list --json | jq -r 'select(.password_is_published).name'
";

const USER_SHOW_EXAMPLES: &str = "\
Examples:
  chat-server user show alice
  chat-server user show alice --json | jq '.cursors[] | {name, upto}'
";

const USER_PASSWD_EXAMPLES: &str = "\
Examples:
  chat-server user passwd alice                  asks for the password, twice
  chat-server user passwd alice --generate       prints a password that it makes up
";

const USER_DISABLE_EXAMPLES: &str = "\
Examples:
  chat-server user disable alice     ends her sessions; messages to her wait
  chat-server user enable alice      she can log in again, with the password she had
";

const USER_RENAME_EXAMPLES: &str = "\
Examples:
  chat-server user rename alice alice-b
";

const USER_DELETE_EXAMPLES: &str = "\
Examples:
  chat-server user delete alice            asks first
  chat-server user delete alice --yes      for scripts
  chat-server user delete alice --purge    removes all messages from and to her, and frees the name
";

const SESSION_LIST_EXAMPLES: &str = "\
Examples:
  chat-server session list
  chat-server session list --user alice --json | jq .id
";

const SESSION_REVOKE_EXAMPLES: &str = "\
Examples:
  chat-server session revoke 17
  chat-server session revoke --user alice
  chat-server session revoke --all
";

pub(super) const SEED_EXAMPLES: &str = "\
Nothing is added where one of the names is taken.

Examples:
  chat-server seed                  paff, neko, robo, ivy, vanessa; everybody knows their password
  chat-server seed team.json        [{\"name\": \"alice\", \"display_name\": \"Alice\", \"password\": \"...\"}]
";

pub(super) const STATS_EXAMPLES: &str = "\
Examples:
  chat-server stats
  chat-server stats --json | jq .unread
";

pub(super) const HEALTHCHECK_EXAMPLES: &str = "\
Exit code: 0 it does, 69 no server serves the database, 75 not in time or busy, 74 the disk is full.

Examples:
  chat-server --db /data/chat.sqlite healthcheck --timeout 2s
  HEALTHCHECK CMD chat-server healthcheck                   in a container file
";
