//! The command line of `chat-server`: its definition, and the English text of `--help`.

mod administration;
mod database;
mod rooms;
mod storage;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

pub use administration::{
    HealthcheckArguments, InviteArguments, InviteCommand, InviteLinkArguments,
    InviteRevokeArguments, SeedArguments, SessionArguments, SessionCommand, SessionListArguments,
    SessionRevokeArguments, TokenArguments, TokenCommand, TokenCreateArguments, TokenListArguments,
    TokenRevokeArguments, UserAddArguments, UserArguments, UserCommand, UserDeleteArguments,
    UserName, UserPasswdArguments, UserRenameArguments,
};
pub use database::{
    DatabaseArguments, DbArguments, DbCheckArguments, DbCommand, DbDurability, DbInitArguments,
};
pub use rooms::{
    RoomAddArguments, RoomArguments, RoomCommand, RoomCreateArguments, RoomRemoveArguments,
    RoomSetArguments,
};
pub use storage::{
    BackupArguments, CheckArguments, ExportArguments, ImportArguments, MessageArguments,
    MessageCommand, MessageDeleteArguments, MessagePurgeArguments, RestoreArguments,
};

use super::address::{
    Listen, ListenOn, UnixMode, parse_http, parse_listen, parse_listen_on, parse_origin,
    parse_unix_mode, parse_unix_user,
};
use super::failure::Exit;
use crate::catalogue::{Language, server, server_help};
use crate::completion::CompletionsArguments;
use crate::model;
use crate::server::Subnet;
use crate::service::UnixUser;
use crate::terminal::reason;

/// A persistent multi-user messaging server: what it has acknowledged is on the disk.
#[derive(Debug, Parser)]
#[command(
    name = "chat-server",
    version,
    max_term_width = 100,
    after_help = after_help(),
    args_override_self = true,
    subcommand_precedence_over_arg = true
)]
pub struct Arguments {
    /// The database: a file, or postgres://USER@HOST/DATABASE; `init`, `serve`, `user add`, `seed` and
    /// `import` create a file that does not exist.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "CHAT_SERVER_DB",
        default_value = "chat.sqlite"
    )]
    pub db: PathBuf,
    /// How a database on PostgreSQL is used.
    #[command(flatten)]
    pub database: DatabaseArguments,
    /// The configuration file [default: /etc/chat/server.toml, if there is one].
    #[arg(long, global = true, value_name = "PATH", env = "CHAT_SERVER_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print one JSON object a line; errors too, on standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// The language of messages for people; also CHAT_LANG, else the locale.
    #[arg(long, global = true, value_enum, value_name = "LANGUAGE")]
    pub lang: Option<Language>,
    /// The command; `serve` by default.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `serve`.
    #[command(flatten)]
    pub serve: ServeArguments,
}

/// What `chat-server` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the database until SIGTERM or SIGINT; the default without a command.
    Serve(Box<ServeArguments>),
    /// Begin: write a configuration and create a database with a first user; asks for missing
    /// values.
    #[command(after_help = server_help::init_examples())]
    Init(Box<InitArguments>),
    /// Add, list and change users, also while the server runs.
    User(UserArguments),
    /// Add, list and change rooms and their members, also while the server runs.
    Room(RoomArguments),
    /// Delete and purge messages, also while the server runs.
    Message(MessageArguments),
    /// List and end sessions, also while the server runs.
    Session(SessionArguments),
    /// Make, list and revoke access tokens, also while the server runs.
    Token(TokenArguments),
    /// Invite a person: print a link that makes an account, once, also while the server runs.
    #[command(after_help = server_help::invite_examples())]
    Invite(InviteArguments),
    /// Add several users at once: from a file, or the five users of the seed.
    #[command(after_help = server_help::seed_examples())]
    Seed(SeedArguments),
    /// Show the figures of the database and of the server.
    #[command(after_help = server_help::stats_examples())]
    Stats,
    /// Report by the exit code whether a server serves the database, and can write and read it.
    #[command(after_help = server_help::healthcheck_examples())]
    Healthcheck(HealthcheckArguments),
    /// Show and check the server's settings.
    Config(ConfigArguments),
    /// Make a complete, verified copy of the database, also while the server runs.
    #[command(after_help = server_help::backup_examples())]
    Backup(BackupArguments),
    /// Create the database from a backup, if there is none.
    #[command(after_help = server_help::restore_examples())]
    Restore(RestoreArguments),
    /// Export the database, or one user's data, as lines of JSON to standard output.
    #[command(after_help = server_help::export_examples())]
    Export(ExportArguments),
    /// Import the output of `export`, or plain text with one message a line; also while the server
    /// runs.
    #[command(after_help = server_help::import_examples())]
    Import(ImportArguments),
    /// Prepare and check a database on PostgreSQL.
    Db(DbArguments),
    /// Check whether the database is sound, also while the server runs.
    #[command(after_help = server_help::check_examples())]
    Check(CheckArguments),
    /// Print what a shell needs to complete this program's arguments.
    Completions(CompletionsArguments),
}

impl Command {
    /// The word of the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Serve(_) => "serve",
            Self::Init(_) => "init",
            Self::User(_) => "user",
            Self::Room(_) => "room",
            Self::Message(_) => "message",
            Self::Session(_) => "session",
            Self::Token(_) => "token",
            Self::Invite(_) => "invite",
            Self::Seed(_) => "seed",
            Self::Stats => "stats",
            Self::Healthcheck(_) => "healthcheck",
            Self::Config(_) => "config",
            Self::Backup(_) => "backup",
            Self::Restore(_) => "restore",
            Self::Export(_) => "export",
            Self::Import(_) => "import",
            Self::Db(_) => "db",
            Self::Check(_) => "check",
            Self::Completions(_) => "completions",
        }
    }
}

/// `init`
#[derive(Debug, Args)]
pub struct InitArguments {
    /// The name of the first user.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Read the first user's password from the first line of this file; without it, ask for it, or
    /// read the first line of standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "generate")]
    pub password_file: Option<PathBuf>,
    /// Generate a strong password, and print it once.
    #[arg(long)]
    pub generate: bool,
    /// Replace an existing configuration file.
    #[arg(long)]
    pub force: bool,
    /// What the configuration will set: the options of `serve`.
    #[command(flatten)]
    pub serve: ServeArguments,
}

/// `config`
#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What `chat-server config` does.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every setting, its value and its source.
    #[command(after_help = server_help::config_show_examples())]
    Show(Box<ServeArguments>),
    /// Find errors in the configuration, without touching the database.
    #[command(after_help = server_help::config_check_examples())]
    Check(Box<ConfigCheckArguments>),
    /// Print a configuration file that explains every setting.
    Example,
}

/// `config check`
#[derive(Debug, Args)]
pub struct ConfigCheckArguments {
    /// The file to check, instead of the default one.
    pub file: Option<PathBuf>,
    /// What would be given to `serve`.
    #[command(flatten)]
    pub serve: ServeArguments,
}

/// `serve`. Each option is a setting: one that is added here is known to the configuration file,
/// `config show` and the example file as well ([`settings`](super::settings)).
#[derive(Debug, Clone, Args)]
pub struct ServeArguments {
    /// Where to listen: ADDR:PORT, tls:ADDR:PORT or unix:PATH; can be given several times. Port 0
    /// lets the system choose.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "CHAT_SERVER_LISTEN",
        default_value = "127.0.0.1:8889",
        value_delimiter = ',',
        value_parser = parse_listen_on
    )]
    pub listen: Vec<ListenOn>,
    /// The certificate for TLS addresses (PEM: the server's own first, then those that lead to an
    /// authority). SIGHUP reads it again.
    #[arg(long, value_name = "FILE", env = "CHAT_SERVER_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM). Other users must not be able to read it.
    #[arg(long, value_name = "FILE", env = "CHAT_SERVER_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// The mode of the socket at unix:PATH, as for chmod: it decides who may connect.
    #[arg(long, value_name = "MODE", env = "CHAT_SERVER_UNIX_MODE", default_value = "660", value_parser = parse_unix_mode)]
    pub unix_mode: UnixMode,
    /// Over unix:PATH, log in system users as the users of the same name, without a password; root
    /// only by --unix-user-map.
    #[arg(long, env = "CHAT_SERVER_UNIX_USERS", value_parser = BoolishValueParser::new())]
    pub unix_users: bool,
    /// Over unix:PATH, log in this system user as this user, without a password: alice=ada, or
    /// "uid 1001=ci"; can be given several times.
    #[arg(long, value_name = "SYSTEM-USER=USER", env = "CHAT_SERVER_UNIX_USER_MAP", value_delimiter = ',', value_parser = parse_unix_user)]
    pub unix_user_map: Vec<(UnixUser, model::UserName)>,
    /// Write the bound addresses to this file, one a line, once connections are accepted.
    #[arg(long, value_name = "PATH", env = "CHAT_SERVER_READY_FILE")]
    pub ready_file: Option<PathBuf>,
    /// The format of the server log on standard error: text or json.
    #[arg(long, value_name = "FORMAT", env = "CHAT_SERVER_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// The level of the server log: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", env = "CHAT_SERVER_LOG", default_value = "info", value_parser = parse_log)]
    pub log: EnvFilter,
    /// Do not add the five users of the seed to a new database.
    #[arg(long, env = "CHAT_SERVER_NO_SEED", value_parser = BoolishValueParser::new())]
    pub no_seed: bool,
    /// Listen beyond this machine even if users still have the published password.
    #[arg(long, env = "CHAT_SERVER_ALLOW_DEFAULT_PASSWORDS", value_parser = BoolishValueParser::new())]
    pub allow_default_passwords: bool,
    /// Listen beyond this machine without encryption of passwords and messages.
    #[arg(long, env = "CHAT_SERVER_ALLOW_PLAINTEXT", value_parser = BoolishValueParser::new())]
    pub allow_plaintext: bool,
    /// A session ends after this time without use.
    #[arg(long, value_name = "TIME", env = "CHAT_SERVER_SESSION_IDLE", default_value = "30d", value_parser = parse_time)]
    pub session_idle: Duration,
    /// A session ends this long after its login.
    #[arg(long, value_name = "TIME", env = "CHAT_SERVER_SESSION_LIFETIME", default_value = "90d", value_parser = parse_time)]
    pub session_lifetime: Duration,
    /// The most connections at a time.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_CONNECTIONS_MAX", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_max: u32,
    /// The most connections at a time from one address; connections of this machine are not
    /// limited.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_CONNECTIONS_PER_ADDRESS_MAX", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_per_address_max: u32,
    /// A proxy whose connections begin with a PROXY header with the client's address; can be given
    /// several times.
    #[arg(long, value_name = "ADDRESS[/BITS]", env = "CHAT_SERVER_PROXY_PROTOCOL", value_delimiter = ',', value_parser = parse_subnet)]
    pub proxy_protocol: Vec<Subnet>,
    /// The most failed logins of one user from one address in a minute; further ones are refused.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_LOGIN_FAILURES_PER_ADDRESS_MAX", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub login_failures_per_address_max: u32,
    /// The most failed logins of one user from all addresses in a minute. At addresses where that
    /// user has logged in before, and on this machine, only failures from there count.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_LOGIN_FAILURES_PER_USER_MAX", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub login_failures_per_user_max: u32,
    /// The most unread messages of one inbox; beyond it senders are refused.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_INBOX_UNREAD_MAX", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub inbox_unread_max: u32,
    /// Refuse the verb `users`. Clients can still list the logged-in users.
    #[arg(long, env = "CHAT_SERVER_HIDE_USERS", value_parser = BoolishValueParser::new())]
    pub hide_users: bool,
    /// A stream without other events gets a heartbeat after this time.
    #[arg(long, value_name = "TIME", env = "CHAT_SERVER_HEARTBEAT", default_value = "30s", value_parser = parse_time)]
    pub heartbeat: Duration,
    /// Log requests that take at least this long.
    #[arg(long, value_name = "TIME", env = "CHAT_SERVER_SLOW_REQUEST", default_value = "250ms", value_parser = parse_time)]
    pub slow_request: Duration,
    /// Where to serve HTTP for users: ADDR:PORT or tls:ADDR:PORT; can be given several times.
    #[arg(long, value_name = "ADDRESS", env = "CHAT_SERVER_HTTP", value_delimiter = ',', value_parser = parse_http)]
    pub http: Vec<ListenOn>,
    /// A host name for requests to --http, beside localhost and those of the certificate; can be
    /// given several times.
    #[arg(long, value_name = "NAME", env = "CHAT_SERVER_HTTP_HOST", value_delimiter = ',')]
    pub http_host: Vec<String>,
    /// A site whose pages may use --http by tokens (CORS), as https://a.example; can be given
    /// several times.
    #[arg(long, value_name = "URL", env = "CHAT_SERVER_HTTP_ORIGINS", value_delimiter = ',', value_parser = parse_origin)]
    pub http_origins: Vec<String>,
    /// Serve metrics and the status page over HTTP at this address.
    #[arg(long, value_name = "ADDR:PORT", env = "CHAT_SERVER_METRICS", value_parser = parse_listen)]
    pub metrics: Option<Listen>,
    /// A host name for requests to --metrics, beside localhost; can be given several times.
    #[arg(long, value_name = "NAME", env = "CHAT_SERVER_METRICS_HOST", value_delimiter = ',')]
    pub metrics_host: Vec<String>,
    /// Let other machines read --metrics, without authentication.
    #[arg(long, env = "CHAT_SERVER_ALLOW_REMOTE_METRICS", value_parser = BoolishValueParser::new())]
    pub allow_remote_metrics: bool,
    /// Threads that serve the connections; by default half as many as processors.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_WORKERS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
}

impl Arguments {
    /// Parses the words, with the environment and the defaults of `command`. The options of `serve`
    /// may come before or without the command `serve`, but not before another command.
    ///
    /// # Errors
    /// `clap`'s error. `--help` and `--version` are errors to `clap` too.
    pub fn matches(command: clap::Command, words: &[OsString]) -> Result<ArgMatches, clap::Error> {
        let matches = command.try_get_matches_from(words)?;
        if let Some((name, _)) = matches.subcommand()
            && let Some(option) = given_before(&matches)
        {
            return Err(Self::command()
                .error(ErrorKind::ArgumentConflict, server::option_of_serve(option, name)));
        }
        Ok(matches)
    }
}

/// An option of `serve` that was given before another command.
fn given_before(matches: &ArgMatches) -> Option<String> {
    let command = ServeArguments::augment_args(clap::Command::new("serve"));
    let given = command.get_arguments().find(|argument| {
        matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
    })?;
    given.get_long().map(str::to_owned)
}

/// The format of the server log.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

fn after_help() -> String {
    format!("{}\n{}\n{}", server_help::layers(), server_help::examples(), Exit::table())
}

/// Parses a time above zero.
fn parse_time(given: &str) -> Result<Duration, String> {
    match reason::parse_duration(given)? {
        Duration::ZERO => Err(server::time_too_short().to_owned()),
        time => Ok(time),
    }
}

/// Parses a level, or several levels with their targets, as in `info,chat::store=debug`.
fn parse_log(given: &str) -> Result<EnvFilter, String> {
    let levels = server::give_level();
    for directive in given.split(',') {
        // Otherwise an unknown level would be a target, and all of its lines would be logged.
        let is_level = directive.parse::<LevelFilter>().is_ok();
        if !is_level && !directive.contains(['=', '[']) {
            return Err(server::no_level(format_args!("{directive:?}"), levels));
        }
    }
    EnvFilter::try_new(given).map_err(|error| format!("{error}: {levels}"))
}

fn parse_subnet(given: &str) -> Result<Subnet, String> {
    given.parse().map_err(|()| server::no_subnet(format_args!("{given:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::command_line::tests::assert_translated;

    #[test]
    fn help_is_there_in_indonesian() {
        assert_translated(Arguments::command, server_help::HELP);
    }
}
