//! What can be said of users and sessions, and of how a server does.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::parse_time;
use crate::catalogue::server_help;
use crate::model::SessionId;
use crate::terminal::reason::parse_session;

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
    #[command(after_help = server_help::user_add_examples())]
    Add(UserAddArguments),
    /// Show every user.
    #[command(after_help = server_help::user_list_examples())]
    List,
    /// Show all that is known of a user: sessions, messages, cursors.
    #[command(after_help = server_help::user_show_examples())]
    Show(UserName),
    /// Give a user another password and end all sessions; asked for as with `add`.
    #[command(after_help = server_help::user_passwd_examples())]
    Passwd(UserPasswdArguments),
    /// End the sessions of a user and let there be no new ones; messages to the user wait.
    #[command(after_help = server_help::user_disable_examples())]
    Disable(UserName),
    /// Let a user log in again.
    #[command(after_help = server_help::user_disable_examples())]
    Enable(UserName),
    /// Give a user another name; messages, cursors and sessions stay.
    #[command(after_help = server_help::user_rename_examples())]
    Rename(UserRenameArguments),
    /// Delete a user; the messages stay, and nobody can take the name, but with --purge.
    #[command(after_help = server_help::user_delete_examples())]
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
    #[command(after_help = server_help::session_list_examples())]
    List(SessionListArguments),
    /// End sessions: whoever holds one is told so with the next request.
    #[command(after_help = server_help::session_revoke_examples())]
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
    #[arg(value_parser = parse_session)]
    pub id: Option<SessionId>,
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
