//! The command line of `chat-server`: what can be said, and what is said of it by `--help`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use super::failure::Exit;
use crate::completion::CompletionsArguments;
use crate::model::parse_duration;

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
    /// The database file; `serve`, `user add` and `seed` create it where there is none.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "CHAT_SERVER_DB",
        default_value = "chat.sqlite"
    )]
    pub db: PathBuf,
    /// Print one JSON object a line; errors too, on standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do; `serve` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `serve`.
    #[command(flatten)]
    pub serve: ServeArguments,
}

/// What `chat-server` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the database until SIGTERM or SIGINT; this is what happens without a command.
    Serve(Box<ServeArguments>),
    /// Add, list and change users, also while the server runs.
    User(UserArguments),
    /// List and end sessions, also while the server runs.
    Session(SessionArguments),
    /// Add several users at once: those of a file, or the five of the seed.
    #[command(after_help = SEED_EXAMPLES)]
    Seed(SeedArguments),
    /// Show how much there is of everything.
    #[command(after_help = STATS_EXAMPLES)]
    Stats,
    /// Tell by the exit code whether a server serves the database, and can write and read it.
    #[command(after_help = HEALTHCHECK_EXAMPLES)]
    Healthcheck(HealthcheckArguments),
    /// Print what a shell needs to complete this program's arguments.
    Completions(CompletionsArguments),
}

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
    /// Delete a user; the messages stay, and nobody can take the name.
    #[command(after_help = USER_DELETE_EXAMPLES)]
    Delete(UserDeleteArguments),
}

/// A user that there is.
#[derive(Debug, Args)]
pub struct UserName {
    /// The name of the user.
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

/// `serve`
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Where to listen; can be given several times. Port 0 lets the system choose.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "CHAT_SERVER_LISTEN",
        default_value = "127.0.0.1:8889",
        value_delimiter = ',',
        value_parser = parse_listen
    )]
    pub listen: Vec<Listen>,
    /// Write the bound addresses to this file, a line each, once connections are accepted.
    #[arg(long, value_name = "PATH", env = "CHAT_SERVER_READY_FILE")]
    pub ready_file: Option<PathBuf>,
    /// How the log on standard error is written.
    #[arg(long, value_name = "FORMAT", env = "CHAT_SERVER_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// What is logged: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", env = "CHAT_SERVER_LOG", default_value = "info")]
    pub log: EnvFilter,
    /// Do not put the five users of the seed into a new database.
    #[arg(long, env = "CHAT_SERVER_NO_SEED", value_parser = BoolishValueParser::new())]
    pub no_seed: bool,
    /// Listen beyond this machine though users still have the published password.
    #[arg(long, env = "CHAT_SERVER_ALLOW_DEFAULT_PASSWORDS", value_parser = BoolishValueParser::new())]
    pub allow_default_passwords: bool,
    /// Listen beyond this machine though passwords and messages then travel unencrypted.
    #[arg(long, env = "CHAT_SERVER_ALLOW_PLAINTEXT", value_parser = BoolishValueParser::new())]
    pub allow_plaintext: bool,
    /// A session that is not used for so long ends.
    #[arg(long, value_name = "TIME", env = "CHAT_SERVER_SESSION_IDLE", default_value = "30d", value_parser = parse_time)]
    pub session_idle: Duration,
    /// A session ends so long after its login.
    #[arg(long, value_name = "TIME", env = "CHAT_SERVER_SESSION_LIFETIME", default_value = "90d", value_parser = parse_time)]
    pub session_lifetime: Duration,
    /// The most connections at a time.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_CONNECTIONS_MAX", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_max: u32,
    /// The most connections at a time from one address; this machine's own are not limited.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_CONNECTIONS_PER_ADDRESS_MAX", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_per_address_max: u32,
    /// The most unread messages of one inbox; senders are refused beyond.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_INBOX_UNREAD_MAX", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub inbox_unread_max: u32,
    /// After how long without anything else a watching connection is sent a sign of life.
    #[arg(long, value_name = "TIME", env = "CHAT_SERVER_HEARTBEAT", default_value = "30s", value_parser = parse_time)]
    pub heartbeat: Duration,
    /// Threads that share the connections; as many as processors, at least 2, when not given.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_WORKERS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
}

impl Arguments {
    /// Reads the command line; the options of `serve` may stand before or without the command, but
    /// not before another one.
    ///
    /// # Errors
    /// What is wrong with it; `--help` and `--version` are errors to `clap` too.
    pub fn parse_from_words(words: &[std::ffi::OsString]) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(words)?;
        if let Some((name, _)) = matches.subcommand()
            && let Some(option) = given_before(&matches)
        {
            return Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                format!("--{option} is an option of `serve`; it cannot stand before `{name}`"),
            ));
        }
        Self::from_arg_matches(&matches)
    }
}

/// An option of `serve` that was given in front of a command.
fn given_before(matches: &ArgMatches) -> Option<String> {
    let command = ServeArguments::augment_args(clap::Command::new("serve"));
    let given = command.get_arguments().find(|argument| {
        matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
    })?;
    given.get_long().map(str::to_owned)
}

/// How the log is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What was given to `--listen`, and the addresses it stands for.
#[derive(Debug, Clone)]
pub struct Listen {
    /// As it was given.
    pub given: String,
    /// What it stands for: at least one.
    pub addresses: Vec<SocketAddr>,
}

const EXAMPLES: &str = "\
Examples:
  chat-server --db chat.sqlite                    serve this machine on port 8889
  chat-server --db chat.sqlite --listen 127.0.0.1:0 --ready-file /run/chat.addr
  chat-server --db chat.sqlite user add alice     add a user, also while it runs
  sqlite3 chat.sqlite 'select * from v1_messages' look into it while it runs
";

/// `user passwd`
#[derive(Debug, Args)]
pub struct UserPasswdArguments {
    /// The name of the user.
    pub name: String,
    /// Make up a strong password, and print it, this once.
    #[arg(long)]
    pub generate: bool,
}

/// `user rename`
#[derive(Debug, Args)]
pub struct UserRenameArguments {
    /// The name until now; it is free from then on.
    pub old: String,
    /// The name from now on.
    pub new: String,
}

/// `user delete`
#[derive(Debug, Args)]
pub struct UserDeleteArguments {
    /// The name of the user.
    pub name: String,
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
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

/// `session revoke`
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SessionRevokeArguments {
    /// The one of this number.
    pub id: Option<i64>,
    /// All of this user.
    #[arg(long, value_name = "NAME")]
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

const SEED_EXAMPLES: &str = "\
Nothing is added where one of the names is taken.

Examples:
  chat-server seed                  paff, neko, robo, ivy, vanessa; everybody knows their password
  chat-server seed team.json        [{\"name\": \"alice\", \"display_name\": \"Alice\", \"password\": \"...\"}]
";

const STATS_EXAMPLES: &str = "\
Examples:
  chat-server stats
  chat-server stats --json | jq .unread
";

const HEALTHCHECK_EXAMPLES: &str = "\
Exit code: 0 it does, 69 no server serves the database, 75 not in time or busy, 74 the disk is full.

Examples:
  chat-server --db /data/chat.sqlite healthcheck --timeout 2s
  HEALTHCHECK CMD chat-server healthcheck                   in a container file
";

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", Exit::table())
}

/// Nothing here can go on after no time at all.
fn parse_time(given: &str) -> Result<Duration, String> {
    match parse_duration(given)? {
        Duration::ZERO => Err("give a time that is longer than nothing".to_owned()),
        time => Ok(time),
    }
}

fn parse_listen(given: &str) -> Result<Listen, String> {
    let (_, port) = given.rsplit_once(':').ok_or("give ADDR:PORT, as in 127.0.0.1:8889")?;
    port.parse::<u16>().map_err(|_| format!("{port:?} is not a port: give 0 to 65535"))?;
    let addresses: Vec<SocketAddr> =
        given.to_socket_addrs().map_err(|error| error.to_string())?.collect();
    Ok(Listen { given: given.to_owned(), addresses })
}
