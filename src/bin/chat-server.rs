//! `chat-server`: arguments, wiring and exit codes.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{fs, thread};

use chat::log::{Format, Log};
use chat::model::{UserName, parse_duration};
use chat::server::{self, Server};
use chat::service::{self, SESSIONS_PER_USER_MAX, Service};
use chat::store::{self, OpenError, Store, StoreError};
use clap::builder::BoolishValueParser;
use clap::{Parser, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tracing_subscriber::EnvFilter;

/// Descriptors for everything that is not a connection.
const OTHER_DESCRIPTORS: u64 = 128;
/// How often sessions are swept: at least so often, and several times in the time after which an
/// unused one ends, because what is stored of their use lags by that much.
const SWEEP_INTERVAL_MAX: Duration = Duration::from_secs(60);
const SWEEP_INTERVAL_MIN: Duration = Duration::from_millis(100);

const EXIT_USAGE: u8 = 2;
const EXIT_DATA: u8 = 65;
const EXIT_NO_INPUT: u8 = 66;
const EXIT_UNAVAILABLE: u8 = 69;
const EXIT_INTERNAL: u8 = 70;
const EXIT_IO: u8 = 74;
const EXIT_TEMPORARY: u8 = 75;
const EXIT_CONFIGURATION: u8 = 78;

/// A persistent multi-user messaging server: what it has acknowledged is on the disk.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP, args_override_self = true)]
struct Arguments {
    /// The database file; created where there is none.
    #[arg(long, value_name = "PATH", env = "CHAT_SERVER_DB", default_value = "chat.sqlite")]
    db: PathBuf,
    /// Where to listen; can be given several times. Port 0 lets the system choose.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "CHAT_SERVER_LISTEN",
        default_value = "127.0.0.1:8889",
        value_delimiter = ',',
        value_parser = parse_listen
    )]
    listen: Vec<Listen>,
    /// Write the bound addresses to this file, a line each, once connections are accepted.
    #[arg(long, value_name = "PATH", env = "CHAT_SERVER_READY_FILE")]
    ready_file: Option<PathBuf>,
    /// How the log on standard error is written.
    #[arg(long, value_name = "FORMAT", env = "CHAT_SERVER_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", env = "CHAT_SERVER_LOG", default_value = "info")]
    log: EnvFilter,
    /// Do not put the five users of the seed into a new database.
    #[arg(long, env = "CHAT_SERVER_NO_SEED", value_parser = BoolishValueParser::new())]
    no_seed: bool,
    /// Listen beyond this machine though users still have the published password.
    #[arg(long, env = "CHAT_SERVER_ALLOW_DEFAULT_PASSWORDS", value_parser = BoolishValueParser::new())]
    allow_default_passwords: bool,
    /// Listen beyond this machine though passwords and messages then travel unencrypted.
    #[arg(long, env = "CHAT_SERVER_ALLOW_PLAINTEXT", value_parser = BoolishValueParser::new())]
    allow_plaintext: bool,
    /// A session that is not used for so long ends.
    #[arg(long, value_name = "TIME", env = "CHAT_SERVER_SESSION_IDLE", default_value = "30d", value_parser = parse_time)]
    session_idle: Duration,
    /// A session ends so long after its login.
    #[arg(long, value_name = "TIME", env = "CHAT_SERVER_SESSION_LIFETIME", default_value = "90d", value_parser = parse_time)]
    session_lifetime: Duration,
    /// The most connections at a time.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_CONNECTIONS_MAX", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    connections_max: u32,
    /// The most connections at a time from one address; this machine's own are not limited.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_CONNECTIONS_PER_ADDRESS_MAX", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    connections_per_address_max: u32,
    /// The most unread messages of one inbox; senders are refused beyond.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_INBOX_UNREAD_MAX", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    inbox_unread_max: u32,
    /// After how long without anything else a watching connection is sent a sign of life.
    #[arg(long, value_name = "TIME", env = "CHAT_SERVER_HEARTBEAT", default_value = "30s", value_parser = parse_time)]
    heartbeat: Duration,
    /// Threads that share the connections; as many as processors, at least 2, when not given.
    #[arg(long, value_name = "N", env = "CHAT_SERVER_WORKERS", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
}

const AFTER_HELP: &str = "\
Examples:
  chat-server --db chat.sqlite                    serve this machine on port 8889
  chat-server --db chat.sqlite --listen 127.0.0.1:0 --ready-file /run/chat.addr
  sqlite3 chat.sqlite 'select * from v1_messages' look into it while it runs

Exit codes:
   0  stopped by SIGTERM or SIGINT; all that was executed is stored and answered
   2  the arguments are not understood
  65  the file is not a database of this program, is damaged, or is newer than this program
  66  the database is not a file, or in a folder that does not exist
  69  an address cannot be listened on
  70  a fault of this program
  74  the database or a file beside it cannot be read or written; or its outcome is not known
  75  another process serves the database
  78  the configuration would be unsafe, or the system does not allow what it asks for";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What was given to `--listen`, and the addresses it stands for.
#[derive(Debug, Clone)]
struct Listen {
    given: String,
    addresses: Vec<SocketAddr>,
}

/// Why the server did not start, for the person who started it.
struct Failure {
    code: u8,
    problem: String,
    hint: Option<String>,
}

impl Failure {
    fn new(code: u8, problem: impl Display) -> Self {
        Self { code, problem: problem.to_string(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let complaint = complaint(&failure.problem, failure.hint.as_deref());
            let _ = io::stderr().write_all(complaint.as_bytes());
            ExitCode::from(failure.code)
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let format = match arguments.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    let log = Log::start(format, arguments.log.clone()).map_err(no_threads)?;
    let served = serve(&arguments, &log);
    log.close();
    served
}

fn serve(arguments: &Arguments, log: &Log) -> Result<(), Failure> {
    // Before anything is opened, so that no signal ends the process half-way.
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP])
        .map_err(|error| Failure::new(EXIT_INTERNAL, format!("cannot handle signals: {error}")))?;
    raise_descriptor_limit(arguments.connections_max)?;
    check_plaintext(arguments)?;
    let store = open_store(arguments, log)?;
    if let Some(path) = &arguments.ready_file {
        // Of a server that was killed: it would be taken for this one's.
        let _ = fs::remove_file(path);
    }
    let listeners = prepare(arguments, &store).inspect_err(|_| store.close())?;
    let service = Service::new(store, service_options(arguments)).map_err(no_threads)?;
    let options = server_options(arguments);
    let server = Server::start(listeners, &service, &options).map_err(no_threads)?;
    announce(server.addresses(), arguments.ready_file.as_deref())?;
    wait_for_stop(signals, &service, arguments.session_idle)?;
    server.stop();
    service.close();
    if let Some(path) = &arguments.ready_file {
        let _ = fs::remove_file(path);
    }
    tracing::info!("stopped");
    Ok(())
}

/// A connection is a descriptor; the system's soft limit is meant for programs with few.
fn raise_descriptor_limit(connections_max: u32) -> Result<(), Failure> {
    let needed = u64::from(connections_max) + OTHER_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(needed));
    let raised = [limit.maximum, maximum].into_iter().any(|maximum| {
        let enough = maximum.is_none_or(|maximum| maximum >= needed);
        enough && setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).is_ok()
    });
    if raised {
        return Ok(());
    }
    let most = limit.maximum.unwrap_or(0).saturating_sub(OTHER_DESCRIPTORS);
    let raise = format!("raise the limit (ulimit -Hn {needed})");
    Err(Failure::new(
        EXIT_CONFIGURATION,
        format!("{connections_max} connections need {needed} file descriptors, and the system does not allow so many"),
    )
    .hint(if most > 0 { format!("give --connections-max {most}, or {raise}") } else { raise }))
}

fn open_store(arguments: &Arguments, log: &Log) -> Result<Store, Failure> {
    let options = store::Options {
        path: arguments.db.clone(),
        readers: 2,
        inbox_unread_max: arguments.inbox_unread_max as usize,
    };
    let path = Arc::new(OnceLock::<PathBuf>::new());
    let on_fatal = {
        let (path, log) = (Arc::clone(&path), log.clone());
        move |error: StoreError| {
            let path = path.get().map_or_else(String::new, |path| format!("{}: ", path.display()));
            let hint = "nothing was acknowledged since; look after the disk, then start again";
            log.say(complaint(&format!("{path}{error}"), Some(hint)));
            log.close();
            std::process::exit(i32::from(EXIT_IO));
        }
    };
    let store = Store::open(&options, Arc::new(on_fatal)).map_err(|error| {
        let failure = Failure::new(open_exit_code(&error), &error);
        match open_hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    let _ = path.set(store.path().to_owned());
    Ok(store)
}

fn open_exit_code(error: &OpenError) -> u8 {
    match error {
        OpenError::NotAFileName(_) => EXIT_USAGE,
        OpenError::NotOurs { .. } => EXIT_DATA,
        OpenError::NoInput { .. } => EXIT_NO_INPUT,
        OpenError::InUse { .. } => EXIT_TEMPORARY,
        OpenError::Io { .. } | OpenError::Sqlite { .. } => EXIT_IO,
    }
}

fn open_hint(error: &OpenError) -> Option<&'static str> {
    match error {
        OpenError::NotAFileName(_) => Some("give the path of a file: --db chat.sqlite"),
        OpenError::NotOurs { .. } => Some("the file was left as it was; give another --db"),
        OpenError::NoInput { .. } => Some("give the path of a file in a folder that exists"),
        OpenError::InUse { .. } => Some("one server serves a database; stop the other one first"),
        OpenError::Io { .. } | OpenError::Sqlite { .. } => {
            Some("the server has to be able to write the file and its folder")
        }
    }
}

/// The first address that other machines can reach.
fn exposed(arguments: &Arguments) -> Option<&SocketAddr> {
    let mut addresses = arguments.listen.iter().flat_map(|listen| &listen.addresses);
    addresses.find(|address| !address.ip().is_loopback())
}

fn check_plaintext(arguments: &Arguments) -> Result<(), Failure> {
    match exposed(arguments) {
        Some(address) if !arguments.allow_plaintext => Err(Failure::new(
            EXIT_CONFIGURATION,
            format!("{address} can be reached from other machines, and passwords and messages would travel unencrypted"),
        )
        .hint("listen on 127.0.0.1, or give --allow-plaintext where the network is trusted")),
        _ => Ok(()),
    }
}

/// Refuses what would expose the users, before anything is bound and before those of the seed are
/// put in; binds, and puts them in.
fn prepare(arguments: &Arguments, store: &Store) -> Result<Vec<TcpListener>, Failure> {
    let seed_failed = |error| Failure::new(EXIT_IO, format!("{}: {error}", store.path().display()));
    let seed = !arguments.no_seed;
    if let Some(address) = exposed(arguments)
        && !arguments.allow_default_passwords
    {
        let users = service::users_with_published_password(store, seed).map_err(seed_failed)?;
        check_passwords(address, &users)?;
    }
    let listeners = arguments.listen.iter().map(bind).collect::<Result<_, _>>()?;
    if service::seed(store, seed).map_err(seed_failed)? {
        tracing::info!(path = %store.path().display(), users = seed, "new database");
    }
    Ok(listeners)
}

fn check_passwords(address: &SocketAddr, users: &[UserName]) -> Result<(), Failure> {
    if users.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = users.iter().map(UserName::as_str).collect();
    Err(Failure::new(
        EXIT_CONFIGURATION,
        format!(
            "{address} can be reached from other machines, and everybody knows the password of {}",
            names.join(", ")
        ),
    )
    .hint("begin with --no-seed and users of your own, or give --allow-default-passwords"))
}

fn bind(listen: &Listen) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen.addresses.as_slice()).map_err(|error| {
        let failure =
            Failure::new(EXIT_UNAVAILABLE, format!("cannot listen on {}: {error}", listen.given));
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                failure.hint("another program listens there; give another --listen")
            }
            io::ErrorKind::PermissionDenied => {
                failure.hint("ports below 1024 are the system's; give another --listen")
            }
            _ => failure.hint("give an address of this machine with --listen"),
        }
    })
}

fn service_options(arguments: &Arguments) -> service::Options {
    service::Options {
        session_idle: arguments.session_idle,
        session_lifetime: arguments.session_lifetime,
        sessions_per_user: SESSIONS_PER_USER_MAX,
        hashers: 2,
    }
}

fn server_options(arguments: &Arguments) -> server::Options {
    let processors = thread::available_parallelism().map_or(2, usize::from).max(2);
    server::Options {
        workers: arguments.workers.map_or(processors, usize::from),
        connections_max: arguments.connections_max as usize,
        connections_per_address_max: arguments.connections_per_address_max as usize,
        heartbeat: arguments.heartbeat,
    }
}

/// Connections are accepted from here on: says so, where the server can be reached.
fn announce(addresses: &[SocketAddr], ready_file: Option<&Path>) -> Result<(), Failure> {
    let list =
        |separator| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator);
    // Whoever closed standard output does not want to know.
    let _ = writeln!(io::stdout(), "chat-server listening on {}", list(" "));
    let Some(path) = ready_file else { return Ok(()) };
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    fs::write(&partial, format!("{}\n", list("\n")))
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|error| {
            Failure::new(
                EXIT_IO,
                format!("cannot write the ready file {}: {error}", path.display()),
            )
        })
}

/// Waits for SIGTERM or SIGINT, sweeping the sessions meanwhile. From then on a second one ends
/// the process at once.
fn wait_for_stop(
    mut signals: Signals,
    service: &Arc<Service>,
    session_idle: Duration,
) -> Result<(), Failure> {
    let sweep_interval = (session_idle / 4).clamp(SWEEP_INTERVAL_MIN, SWEEP_INTERVAL_MAX);
    let (sender, receiver) = mpsc::channel();
    let listen = move || {
        let mut stops = 0;
        for signal in signals.forever() {
            if signal == SIGHUP {
                tracing::info!("SIGHUP: there is nothing to read again");
                continue;
            }
            stops += 1;
            if stops > 1 {
                std::process::exit(128 + signal);
            }
            let _ = sender.send(signal);
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(no_threads)?;
    loop {
        match receiver.recv_timeout(sweep_interval) {
            Ok(signal) => {
                tracing::info!(signal, "stopping");
                return Ok(());
            }
            Err(RecvTimeoutError::Timeout) => service.sweep(),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn no_threads(error: io::Error) -> Failure {
    Failure::new(EXIT_INTERNAL, format!("cannot start: {error}"))
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

fn complaint(problem: &str, hint: Option<&str>) -> String {
    let mut message = format!("error: {problem}\n");
    if let Some(hint) = hint {
        message.push_str(&format!("hint: {hint}\n"));
    }
    message
}
