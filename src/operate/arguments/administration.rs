//! The arguments of the commands about users, sessions and the server's health.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueHint};

use super::parse_time;
use crate::catalogue::server_help;
use crate::model::{AccessTokenName, InvitationId, Rights, RoomName, SessionId};
use crate::terminal::reason::{
    parse_invitation, parse_invitation_life, parse_page_url, parse_room, parse_session,
    parse_token_life, parse_token_name, words,
};

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
    /// Add a user; asks for the password, or reads the first line of standard input.
    #[command(after_help = server_help::user_add_examples())]
    Add(UserAddArguments),
    /// Show every user.
    #[command(after_help = server_help::user_list_examples())]
    List,
    /// Show a user's details: sessions, messages, cursors.
    #[command(after_help = server_help::user_show_examples())]
    Show(UserName),
    /// Set a user's password and end all sessions; the password comes as for `add`.
    #[command(after_help = server_help::user_passwd_examples())]
    Passwd(UserPasswdArguments),
    /// End a user's sessions and refuse new ones; messages to the user wait.
    #[command(after_help = server_help::user_disable_examples())]
    Disable(UserName),
    /// Let a user log in again.
    #[command(after_help = server_help::user_disable_examples())]
    Enable(UserName),
    /// Rename a user; messages, cursors and sessions stay.
    #[command(after_help = server_help::user_rename_examples())]
    Rename(UserRenameArguments),
    /// Delete a user; without --purge the messages stay, and the name is not free.
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
    /// The name to log in with: 1 to 32 of a-z, 0-9, _ and -.
    pub name: String,
    /// The name for people; by default the user's name.
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
    /// Generate a strong password, and print it once.
    #[arg(long)]
    pub generate: bool,
    /// A program without a password: it uses access tokens, which `token create` makes.
    #[arg(long, conflicts_with = "generate")]
    pub bot: bool,
}

/// `user passwd`
#[derive(Debug, Args)]
pub struct UserPasswdArguments {
    /// The name of the user.
    #[arg(value_hint = ValueHint::Username)]
    pub name: String,
    /// Generate a strong password, and print it once.
    #[arg(long)]
    pub generate: bool,
}

/// `user rename`
#[derive(Debug, Args)]
pub struct UserRenameArguments {
    /// The current name; it becomes free.
    #[arg(value_hint = ValueHint::Username)]
    pub old: String,
    /// The new name.
    pub new: String,
}

/// `user delete`
#[derive(Debug, Args)]
pub struct UserDeleteArguments {
    /// The name of the user.
    #[arg(value_hint = ValueHint::Username)]
    pub name: String,
    /// Also remove all messages from and to the user, and free the name.
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
    /// End sessions; their clients get the reason with the next request.
    #[command(after_help = server_help::session_revoke_examples())]
    Revoke(SessionRevokeArguments),
}

/// `session list`
#[derive(Debug, Args)]
pub struct SessionListArguments {
    /// Only this user's sessions.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username)]
    pub user: Option<String>,
}

/// `session revoke`
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SessionRevokeArguments {
    /// The session with this number.
    #[arg(value_parser = parse_session)]
    pub id: Option<SessionId>,
    /// All sessions of this user.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username)]
    pub user: Option<String>,
    /// All sessions of all users.
    #[arg(long)]
    pub all: bool,
}

/// `token`
#[derive(Debug, Args)]
pub struct TokenArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What `chat-server token` does.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make an access token, and print it once.
    #[command(after_help = server_help::token_create_examples())]
    Create(TokenCreateArguments),
    /// Show the access tokens: rights, end and last use.
    List(TokenListArguments),
    /// Revoke access tokens: they are valid no longer.
    Revoke(TokenRevokeArguments),
}

/// `token create`
#[derive(Debug, Args)]
pub struct TokenCreateArguments {
    /// A name for the token: at most 32 of a-z, 0-9 and `._-`.
    #[arg(value_name = "NAME", value_parser = parse_token_name)]
    pub token: AccessTokenName,
    /// The user for whom a program with the token acts.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username)]
    pub user: String,
    /// What a program with the token may do. `all` does not include the password, sessions and
    /// tokens.
    #[arg(long, value_name = "RIGHTS", default_value = "send")]
    #[arg(value_parser = words(&Rights::ALL, Rights::as_str))]
    pub can: Rights,
    /// Send only to these users and rooms: neko,'#build'. A hook has one.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_hint = ValueHint::Username)]
    pub to: Vec<String>,
    /// When it expires: 90d, 12h. Without it, it does not.
    #[arg(long, value_name = "TIME", value_parser = parse_token_life)]
    pub expires: Option<Duration>,
}

/// `token list`
#[derive(Debug, Args)]
pub struct TokenListArguments {
    /// Only this user's tokens.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username)]
    pub user: Option<String>,
}

/// `token revoke`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which_token").args(["token", "all"]).required(true))]
pub struct TokenRevokeArguments {
    /// The token of this name.
    #[arg(value_name = "NAME", value_parser = parse_token_name)]
    pub token: Option<AccessTokenName>,
    /// The user of the token.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username)]
    pub user: String,
    /// All tokens of the user.
    #[arg(long)]
    pub all: bool,
}

/// `invite`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct InviteArguments {
    /// What else to do.
    #[command(subcommand)]
    pub command: Option<InviteCommand>,
    /// The invitation.
    #[command(flatten)]
    pub link: InviteLinkArguments,
}

/// What else `chat-server invite` does.
#[derive(Debug, Subcommand)]
pub enum InviteCommand {
    /// Show the open invitations, and those that were used of late.
    List,
    /// Revoke open invitations: their links work no longer.
    Revoke(InviteRevokeArguments),
}

/// `invite`
#[derive(Debug, Args)]
pub struct InviteLinkArguments {
    /// The name of the account; without it the person chooses one.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The rooms that the account joins: '#build,#ops'; a # may be left out.
    #[arg(long, value_name = "ROOM", value_delimiter = ',', value_parser = parse_room)]
    pub rooms: Vec<RoomName>,
    /// When the link expires: 3d, 12h.
    #[arg(long, value_name = "TIME", default_value = "3d", value_parser = parse_invitation_life)]
    pub expires: Duration,
    /// Where people open the page; without it the address of --http, with the name of --http-host.
    #[arg(long, value_name = "URL", env = "CHAT_SERVER_URL", value_parser = parse_page_url)]
    pub url: Option<String>,
}

/// `invite revoke`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which_invitation").args(["id", "all"]).required(true))]
pub struct InviteRevokeArguments {
    /// The invitation with this number.
    #[arg(value_parser = parse_invitation)]
    pub id: Option<InvitationId>,
    /// All open invitations.
    #[arg(long)]
    pub all: bool,
}

/// `seed`
#[derive(Debug, Args)]
pub struct SeedArguments {
    /// A JSON file with users, in the format of seed/users.json; `-` for standard input.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `healthcheck`
#[derive(Debug, Args)]
pub struct HealthcheckArguments {
    /// The time limit.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    pub timeout: Duration,
}
