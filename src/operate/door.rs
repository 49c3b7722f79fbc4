//! How a command gets at a database: through the server's admin socket while one runs, else by
//! opening the file under its lock. What is asked for is done by the same code either way.
//!
//! The lock decides who writes. A command asks the socket first only so that it does not hold the
//! lock for a moment in which a server wants to start.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::{Exit, Failure};
use super::open;
use crate::admin::answer::{AdminReply, AdminResult, Code, Refusal};
use crate::admin::request::Request;
use crate::admin::{LINE_BYTES_MAX, decode_result, encode_request, socket};
use crate::catalogue::{self, Language, server, storage};
use crate::service::{self, AdminResponder, LoginLimits, SESSIONS_PER_USER_MAX, Service};
use crate::store::{self, OpenError};

/// How long an answer may take, where the command does not say otherwise.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// How long connecting to a server may take.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// What to do where there is no database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Create one, without users.
    Create,
    /// Refuse.
    Refuse,
}

/// An open way to a database. Dropping it closes the file again, if this process has opened it.
pub(super) struct Door {
    way: Way,
    /// The database, if there was none before.
    made: Option<PathBuf>,
}

enum Way {
    Server(BufReader<UnixStream>),
    File(Arc<Service>),
}

/// Asks one thing of the database at `db`, which has to be there.
pub(super) fn ask(db: &Path, request: &Request) -> Result<AdminReply, Failure> {
    Door::open(db, Missing::Refuse)?.ask(request)
}

/// [`ask`], of the server that serves `db`; never opens the file. `None` where none does.
pub(super) fn ask_server(
    db: &Path,
    request: &Request,
    timeout: Duration,
) -> Result<Option<AdminReply>, Failure> {
    let deadline = Instant::now() + timeout;
    let path = store::resolve(db).map_err(|error| open::refused(&error))?;
    match connect(&path, timeout)? {
        Some(way) => {
            let left = deadline.saturating_duration_since(Instant::now());
            Door { way, made: None }.ask_within(request, left).map(Some)
        }
        None => Ok(None),
    }
}

impl Door {
    /// Finds the way to the database at `db`.
    pub(super) fn open(db: &Path, missing: Missing) -> Result<Self, Failure> {
        let path = store::resolve(db).map_err(|error| open::refused(&error))?;
        let deadline = Instant::now() + open::HOLDER_WAIT;
        loop {
            if let Some(way) = connect(&path, CONNECT_WAIT)? {
                return Ok(Self { way, made: None });
            }
            let is_new = !path.metadata().is_ok_and(|file| file.len() > 0);
            if missing == Missing::Refuse && !path.exists() {
                let problem = server::no_database(path.display());
                return Err(Failure::new(Exit::NoInput, problem).hint(server::give_database()));
            }
            match open::try_store(&path, usize::MAX.into(), None) {
                Ok(store) => return Self::of_file(store, is_new.then_some(path)),
                Err(OpenError::InUse { .. }) if Instant::now() < deadline => {
                    thread::sleep(open::HOLDER_POLL);
                }
                Err(error @ OpenError::InUse { .. }) => {
                    return Err(Failure::new(Exit::TryAgain, error).hint(server::does_not_answer()));
                }
                Err(error) => return Err(open::refused(&error)),
            }
        }
    }

    fn of_file(store: store::Store, made: Option<PathBuf>) -> Result<Self, Failure> {
        let options = service::Options {
            // How long sessions last is the server's to say: none ends here for its age.
            session_idle: Duration::MAX.into(),
            session_lifetime: Duration::MAX.into(),
            sessions_per_user: SESSIONS_PER_USER_MAX,
            hashers: 1,
            // Nobody logs in here.
            users_hidden: false.into(),
            login_limits: LoginLimits { per_address: 0.into(), per_account: 0.into() },
            published_passwords_allowed: true,
        };
        let service = Service::new(store, options)
            .map_err(|error| Failure::new(Exit::Internal, server::no_thread(error)))?;
        Ok(Self { way: Way::File(service), made })
    }

    /// The path of the database, if this has made it: there was none, or an empty file.
    pub(super) fn made(&self) -> Option<&Path> {
        self.made.as_deref()
    }

    /// Has a request done. What it tells is durable.
    pub(super) fn ask(&mut self, request: &Request) -> Result<AdminReply, Failure> {
        self.ask_within(request, ANSWER_WAIT)
    }

    /// [`Self::ask`], and gives up after `timeout`.
    pub(super) fn ask_within(
        &mut self,
        request: &Request,
        timeout: Duration,
    ) -> Result<AdminReply, Failure> {
        let outcome = match &mut self.way {
            Way::Server(connection) => ask_over(connection, request, timeout)?,
            Way::File(service) => {
                let (sender, receiver) = mpsc::channel();
                let responder = AdminResponder::new(move |result| drop(sender.send(result)));
                service.administer(request.clone(), responder);
                receiver.recv_timeout(timeout).map_err(|error| match error {
                    RecvTimeoutError::Timeout => not_in_time(),
                    RecvTimeoutError::Disconnected => {
                        Failure::new(Exit::Internal, server::request_lost())
                    }
                })?
            }
        };
        outcome.map_err(refused)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Way::File(service) = &self.way {
            service.close();
        }
    }
}

fn connect(path: &Path, wait: Duration) -> Result<Option<Way>, Failure> {
    match socket::connect(path, wait) {
        Ok(stream) => Ok(stream.map(|stream| Way::Server(BufReader::new(stream)))),
        Err(error) => {
            let (exit, hint) = match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    (Exit::NoPermission, server::be_the_servers_user())
                }
                std::io::ErrorKind::WouldBlock => (Exit::TryAgain, server::server_accepts_nobody()),
                _ => (Exit::TryAgain, server::look_at_server()),
            };
            let path = socket::path(path);
            let problem = server::not_connected(path.display(), &error);
            Err(Failure::new(exit, problem).hint(hint))
        }
    }
}

/// Sends the request and waits for the whole line of its outcome.
fn ask_over(
    connection: &mut BufReader<UnixStream>,
    request: &Request,
    timeout: Duration,
) -> Result<AdminResult, Failure> {
    let deadline = Instant::now() + timeout;
    let lost = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => not_in_time(),
        _ => hung_up(),
    };
    let stream = connection.get_ref();
    stream.set_write_timeout(Some(timeout)).map_err(lost)?;
    // Who refuses a line may have said so before it has taken all of it.
    let sent = connection.get_mut().write_all(&encode_request(request));
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(not_in_time());
        }
        connection.get_ref().set_read_timeout(Some(left)).map_err(lost)?;
        let room = (LINE_BYTES_MAX + 1).saturating_sub(line.len()) as u64;
        match connection.by_ref().take(room).read_until(b'\n', &mut line) {
            Ok(0) => return Err(sent.map_or_else(lost, |()| hung_up())),
            Ok(_) if line.len() > LINE_BYTES_MAX => {
                return Err(Failure::new(Exit::Internal, server::answer_endless()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(lost(error)),
        }
    }
    Ok(decode_result(&line))
}

fn not_in_time() -> Failure {
    unknown_outcome(server::not_in_time())
}

fn hung_up() -> Failure {
    unknown_outcome(server::hung_up())
}

fn unknown_outcome(problem: &str) -> Failure {
    Failure::new(Exit::TryAgain, problem).hint(server::outcome_unknown())
}

/// The failure for an answer that does not belong to the request.
pub(super) fn unexpected(answer: &AdminReply) -> Failure {
    Failure::new(Exit::Internal, server::unexpected_answer(format_args!("{answer:?}")))
}

/// What is said of a request that was refused.
fn refused(refusal: Refusal) -> Failure {
    let Refusal { code, message } = refusal;
    let (exit, hint) = match code {
        Code::UnknownUser => (Exit::NoUser, Some(server::user_list_shows())),
        Code::UserDeleted => (Exit::NoUser, None),
        Code::UnknownSession => (Exit::Nothing, Some(server::session_list_shows())),
        Code::Unsafe => (Exit::Configuration, Some(server::add_own_passwords())),
        Code::NameTaken => (Exit::Data, Some(server::choose_another_name())),
        Code::Version => (Exit::Configuration, Some(server::restart_server())),
        Code::Busy | Code::ShuttingDown => (Exit::TryAgain, Some(server::nothing_done_try_again())),
        Code::StorageFull => (Exit::Io, Some(server::nothing_done_make_room())),
        Code::BadRequest | Code::LineTooLong | Code::Internal => (Exit::Internal, None),
    };
    let failure = Failure::new(exit, told(code, message)).word(code.as_str());
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// What the server says it says in English; in another language its code is told first.
fn told(code: Code, message: String) -> String {
    if catalogue::language() != Language::Indonesian {
        return message;
    }
    let refusal = match code {
        Code::UnknownUser => storage::unknown_user(),
        Code::UserDeleted => storage::user_deleted(),
        Code::UnknownSession => storage::unknown_session(),
        Code::Unsafe => storage::unsafe_now(),
        Code::NameTaken => storage::name_taken(),
        Code::Version => storage::other_version(),
        Code::BadRequest => storage::not_understood(),
        Code::LineTooLong => storage::line_too_long(),
        Code::Busy => storage::busy(),
        Code::StorageFull => storage::storage_full(),
        Code::ShuttingDown => storage::shutting_down(),
        Code::Internal => storage::internal(),
    };
    storage::refused_because(refusal, message)
}
