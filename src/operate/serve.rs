//! `serve`: starts the store, the service and the server, and waits for the stop.

use std::io::{self, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::arguments::{LogFormat, ServeArguments};
use super::database::Database;
use super::failure::{Exit, Failure};
use super::manager::{self, Manager};
use super::reload::{Limits, Running};
use super::settings::Resolved;
use super::web::{self, Web};
use super::{listen, open, preconditions};
use crate::adjustable::Adjustable;
use crate::admin::socket;
use crate::catalogue::serve as texts;
use crate::log::{Format, Log};
use crate::model::UserName;
use crate::server::{self, Administration, Identity, Listener, Place, Proxies, Server, Stopping};
use crate::service::{self, SESSIONS_PER_USER_MAX, SeedError, Service, UnixUsers};
use crate::store::{FileTools, Medium, Ping, Store};
use crate::system;
use crate::terminal;

/// The limits of the interval between two sweeps of sessions. It is a fraction of the idle time,
/// because the stored time of the last use lags by one interval.
const SWEEP_INTERVAL_MAX: Duration = Duration::from_secs(60);
const SWEEP_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Serves a database until SIGTERM or SIGINT.
///
/// # Errors
/// Why it did not start. A failure while it runs ends the process.
pub(super) fn run(
    resolved: &Resolved,
    arguments: &ServeArguments,
    database: &Database<'_>,
) -> Result<(), Failure> {
    let format = match arguments.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    let log = Log::start(format, arguments.log.clone()).map_err(no_threads)?;
    let served = manager::inherited().and_then(|inherited| {
        let mut arguments = arguments.clone();
        if !inherited.is_empty() {
            if resolved.is_set("listen") {
                tracing::warn!("listen is not used: the service manager has passed sockets on");
            }
            arguments.listen = inherited;
        }
        serve(resolved, &arguments, database, &log)
    });
    log.close();
    served
}

fn serve(
    resolved: &Resolved,
    arguments: &ServeArguments,
    database: &Database<'_>,
    log: &Log,
) -> Result<(), Failure> {
    // First, so that no signal ends the process between two steps.
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP])
        .map_err(|error| Failure::new(Exit::Internal, texts::no_signals(error)))?;
    let identity = preconditions::check(arguments)?;
    let mut running = Running::new(resolved, arguments, identity.clone(), log);
    let limits = running.limits.clone();
    let early = bind_early(database, arguments, identity.as_ref())?;
    let store = match database {
        Database::File(db) => open::store(db, &limits.inbox_unread_max, log)?,
        #[cfg(feature = "postgres")]
        Database::Postgres(postgres) => open::node(postgres, &limits.inbox_unread_max, Some(log))?,
    };
    warn_of_medium(&store);
    let bound =
        prepare(arguments, identity.as_ref(), &store, early).inspect_err(|_| store.close())?;
    let admin = listen::bind_admin(database.admin_socket()).inspect_err(|_| store.close())?;
    let Bound { listeners, web } = bound;
    let path = store.location().to_owned();
    let service = Service::new(store, service_options(arguments, &limits)).map_err(no_threads)?;
    let settled = service.settle().inspect_err(|_| service.close());
    settled.map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", path.display())))?;
    let options = server_options(arguments, &limits);
    let server = Server::start(listeners, &service, &options).map_err(no_threads)?;
    let administration = administer(admin, &path, &service, &server);
    let metrics = server.metrics();
    let parts = web::Parts {
        arguments,
        limits: &limits,
        service: &service,
        server: metrics,
        identity,
        log,
    };
    let web = Web::start(web, &parts).map_err(no_threads)?;
    announce(server.places(), &web, arguments.ready_file.as_deref(), log)?;
    let manager = Manager::of_environment();
    let status = texts::listening_on(list(server.places(), " "));
    manager.ready(&status);
    let reload = || {
        manager.reloading();
        running.reload(resolved);
        manager.ready(&status);
    };
    wait_for_stop(signals, &service, &manager, reload, &limits.session_idle)?;
    manager.stopping();
    web.stop();
    let deadline = Instant::now() + server::STOP_WAIT;
    let administration = administration.map(|admin| admin.stop(deadline));
    server.stop();
    web.wait(deadline);
    administration.into_iter().for_each(Stopping::wait);
    service.close();
    web.close();
    if let Some(path) = &arguments.ready_file {
        let _ = fs::remove_file(path);
    }
    tracing::info!("stopped");
    Ok(())
}

/// Warns if stored messages are less safe than on a disk of a Linux machine.
fn warn_of_medium(store: &Store) {
    for limit in system::LIMITS {
        tracing::warn!(limit, "this system promises less than Linux");
    }
    let Some(medium) = store.files().and_then(FileTools::medium) else { return };
    let (file_system, path) = (medium.name(), store.location().display());
    match medium {
        Medium::Memory(_) => tracing::warn!(
            file_system, %path,
            "the database lies in memory: every message is gone when the machine stops"
        ),
        Medium::Remote(_) => tracing::warn!(
            file_system, %path,
            "the database lies on a network file system: an OK is worth what its syncs and locks are"
        ),
    }
}

/// The sockets of a server.
struct Bound {
    listeners: Vec<Listener>,
    web: web::Bound,
}

impl Bound {
    fn new(arguments: &ServeArguments, identity: Option<&Arc<Identity>>) -> Result<Self, Failure> {
        let web = web::Bound::new(arguments, identity)?;
        Ok(Self { listeners: listen::bind_all(arguments, identity)?, web })
    }
}

/// Binds before the database is opened, so that a refusal neither creates nor changes it. The
/// sockets of an existing database are released again: clients must not wait while it is recovered
/// or upgraded. Leaves it to [`prepare`] if the database has the better reason to refuse: a server
/// serves it, or its users would be exposed.
fn bind_early(
    database: &Database<'_>,
    arguments: &ServeArguments,
    identity: Option<&Arc<Identity>>,
) -> Result<Option<Bound>, Failure> {
    let db = match database {
        Database::File(db) if open::is_served(db) => return Ok(None),
        Database::File(db) => Some(db),
        #[cfg(feature = "postgres")]
        Database::Postgres(_) => None,
    };
    if let Some(path) = &arguments.ready_file {
        // A killed server left it. A script that waits for this server must not find it.
        let _ = fs::remove_file(path);
    }
    if let Some(db) = db.filter(|db| open::is_new(db)) {
        check_exposure(arguments, || service::users_of_the_seed(!arguments.no_seed), db)?;
        return Bound::new(arguments, identity).map(Some);
    }
    if !checks_exposure(arguments) {
        Bound::new(arguments, identity)?;
    }
    Ok(None)
}

/// Refuses to expose users with a published password; then binds, and creates the seed's users.
fn prepare(
    arguments: &ServeArguments,
    identity: Option<&Arc<Identity>>,
    store: &Store,
    early: Option<Bound>,
) -> Result<Bound, Failure> {
    let (seed, path) = (!arguments.no_seed, store.location());
    check_exposure(arguments, || service::users_with_published_password(store, seed), path)?;
    let bound = early.map_or_else(|| Bound::new(arguments, identity), Ok)?;
    if service::seed(store, seed).map_err(|error| seed_failed(path, &error))? {
        tracing::info!(path = %path.display(), users = seed, "new database");
    }
    Ok(bound)
}

/// Whether the server may start only if no user has a published password.
fn checks_exposure(arguments: &ServeArguments) -> bool {
    listen::exposed(arguments).is_some() && !arguments.allow_default_passwords
}

/// Refuses to listen for other machines while `users` have a published password.
fn check_exposure(
    arguments: &ServeArguments,
    users: impl FnOnce() -> Result<Vec<UserName>, SeedError>,
    db: &Path,
) -> Result<(), Failure> {
    match listen::exposed(arguments) {
        Some(address) if checks_exposure(arguments) => {
            let users = users().map_err(|error| seed_failed(db, &error))?;
            preconditions::check_passwords(address, &users)
        }
        _ => Ok(()),
    }
}

fn seed_failed(db: &Path, error: &SeedError) -> Failure {
    Failure::new(Exit::Io, format!("{}: {error}", db.display()))
}

fn service_options(arguments: &ServeArguments, limits: &Limits) -> service::Options {
    service::Options {
        session_idle: limits.session_idle.clone(),
        session_lifetime: limits.session_lifetime.clone(),
        sessions_per_user: SESSIONS_PER_USER_MAX,
        hashers: 2,
        login_limits: limits.login_failures.clone(),
        users_hidden: limits.users_hidden.clone(),
        unix_users: UnixUsers::new(arguments.unix_users, arguments.unix_user_map.iter().cloned()),
        published_passwords_allowed: listen::exposed(arguments).is_none()
            || arguments.allow_default_passwords,
    }
}

fn server_options(arguments: &ServeArguments, limits: &Limits) -> server::Options {
    // The other half is for the system's network stack, the writer, and local clients.
    let half = thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2));
    server::Options {
        workers: arguments.workers.map_or(half, usize::from),
        connections_max: limits.connections_max.clone(),
        connections_per_address_max: limits.connections_per_address_max.clone(),
        proxies: Proxies::new(&arguments.proxy_protocol),
        heartbeat: limits.heartbeat.clone(),
        slow_request: limits.slow_request.clone(),
    }
}

/// Answers on the admin socket, which is beside a database file. Without one, the server still
/// serves clients. Operators' commands connect to a database on PostgreSQL directly then.
fn administer(
    bound: Option<(socket::Place, UnixListener)>,
    database: &Path,
    service: &Arc<Service>,
    server: &Server,
) -> Option<Administration> {
    let beside = socket::Place::beside(database);
    let path = bound.as_ref().map_or(beside.path(), |(place, _)| place.path()).to_owned();
    let bound = match bound {
        Some(bound) => Ok(bound),
        None => {
            service.store().files()?;
            beside.bind().map(|listener| (beside, listener))
        }
    };
    let started = bound.and_then(|(place, listener)| {
        Administration::start(place, listener, service, server.metrics())
    });
    started
        .inspect_err(|error| {
            let path = path.display();
            tracing::warn!(%error, %path, "no admin socket: operators' commands cannot be answered");
        })
        .ok()
}

/// Reports the addresses once connections are accepted: in the ready file, on standard output and
/// in the server log. If one terminal shows both, it prints only the lines for standard output.
fn announce(
    places: &[Place],
    web: &Web,
    ready_file: Option<&Path>,
    log: &Log,
) -> Result<(), Failure> {
    let (http, metrics) = (web.http(), web.metrics());
    if let Some(path) = ready_file {
        let urls: String = http.iter().chain(&metrics).map(|url| format!("{url}\n")).collect();
        write_ready_file(path, &format!("{}\n{urls}", list(places, "\n")))?;
    }
    let mut lines = format!("chat-server listening on {}\n", list(places, " "));
    if let Some(url) = &metrics {
        lines.push_str(&format!("chat-server metrics on {url}\n"));
    }
    if !http.is_empty() {
        lines.push_str(&format!("chat-server http on {}\n", list(&http, " ")));
    }
    if terminal::is_one_terminal() {
        // The server log's queue keeps the order of the lines.
        log.say(lines);
        return Ok(());
    }
    // A closed standard output is no failure.
    let _ = io::stdout().write_all(lines.as_bytes());
    for place in places {
        tracing::info!(address = place.address(), protocol = place.protocol(), "listening");
    }
    for url in http.iter().chain(&metrics) {
        let (address, protocol) = (url.address.to_string(), url.protocol());
        tracing::info!(address, protocol, "listening");
    }
    Ok(())
}

fn list<T: ToString>(places: &[T], separator: &str) -> String {
    let places: Vec<String> = places.iter().map(ToString::to_string).collect();
    places.join(separator)
}

/// Writes the whole file, or nothing.
fn write_ready_file(path: &Path, content: &str) -> Result<(), Failure> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    fs::write(&partial, content).and_then(|()| fs::rename(&partial, path)).map_err(|error| {
        Failure::new(Exit::Io, texts::ready_file_not_written(path.display(), error))
    })
}

/// Waits for SIGTERM or SIGINT. Meanwhile it sweeps the sessions and reloads at SIGHUP. The writer
/// gives the manager its signs of life, so they stop if this thread or the writer hangs. A second
/// signal ends the process at once.
fn wait_for_stop(
    mut signals: Signals,
    service: &Arc<Service>,
    manager: &Manager,
    mut reload: impl FnMut(),
    session_idle: &Adjustable<Duration>,
) -> Result<(), Failure> {
    let (sender, receiver) = mpsc::channel();
    let listen = move || {
        let mut stops = 0;
        for signal in signals.forever() {
            stops += usize::from(signal != SIGHUP);
            if stops > 1 {
                std::process::exit(128 + signal);
            }
            let _ = sender.send(signal);
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(no_threads)?;
    let (mut swept_at, mut asked_at) = (Instant::now(), Instant::now());
    loop {
        let sweep = (session_idle.get() / 4).clamp(SWEEP_INTERVAL_MIN, SWEEP_INTERVAL_MAX);
        let sweep_at = swept_at + sweep;
        let next = manager.interval.map_or(sweep_at, |interval| sweep_at.min(asked_at + interval));
        match receiver.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(SIGHUP) => reload(),
            Ok(signal) => {
                tracing::info!(signal, "stopping");
                return Ok(());
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = Instant::now();
        if now >= sweep_at {
            swept_at = now;
            service.sweep();
        }
        if let Some(interval) = manager.interval
            && now >= asked_at + interval
        {
            asked_at = now;
            let manager = manager.clone();
            service.store().write(Ping, move |_| manager.alive());
        }
    }
}

fn no_threads(error: io::Error) -> Failure {
    Failure::new(Exit::Internal, texts::cannot_start(error))
}
