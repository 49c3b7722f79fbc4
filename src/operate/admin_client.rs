//! A command's access to a database. To a file: through the admin socket of the server that serves
//! it, or else by opening the file under its lock. To PostgreSQL: through the admin socket of the node
//! of this machine, if that has a place, or else as one more node. The same code executes the
//! requests in all cases.
//!
//! The lock decides who writes. A command tries the socket first only so that it does not hold the
//! lock in the moment when a server starts.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::database::Database;
#[cfg(feature = "postgres")]
use super::database::Postgres;
use super::failure::{Exit, Failure};
use super::open::{self, HolderWait};
use crate::admin::answer::{AdminReply, AdminResult, Code, Refusal};
use crate::admin::request::Request;
use crate::admin::socket::Place;
use crate::admin::{LINE_BYTES_MAX, decode_result, encode_request};
use crate::catalogue::{self, Language, invitation, refusal, server, storage, token};
use crate::service::{
    self, AdminResponder, LoginLimits, SESSIONS_PER_USER_MAX, Service, UnixUsers,
};
use crate::store::{self, OpenError};

/// How long an answer may take, unless the command has a limit of its own.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// How long connecting to a server may take.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// What to do if there is no database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Create one, without users.
    Create,
    /// Refuse.
    Refuse,
}

/// A client of one database. Dropping it closes the file, if this process opened it.
pub(super) struct AdminClient {
    transport: Transport,
    /// The database, if this process created it.
    created: Option<PathBuf>,
}

enum Transport {
    Server(BufReader<UnixStream>),
    /// This process has opened the database.
    Opened(Arc<Service>),
}

/// Sends one request to a database, which must exist.
pub(super) fn ask(db: &Database<'_>, request: &Request) -> Result<AdminReply, Failure> {
    AdminClient::open(db, Missing::Refuse)?.ask(request)
}

/// Sends one request to the server of this machine that serves `db`, and never opens the database.
/// `None` if no server does.
pub(super) fn ask_server(
    db: &Database<'_>,
    request: &Request,
    timeout: Duration,
) -> Result<Option<AdminReply>, Failure> {
    let deadline = Instant::now() + timeout;
    let client = match db {
        Database::File(db) => {
            let path = store::resolve(db).map_err(|error| open::refused(&error))?;
            let transport = connect(&Place::beside(&path), timeout)?;
            transport.map(|transport| AdminClient { transport, created: None })
        }
        #[cfg(feature = "postgres")]
        Database::Postgres(postgres) => AdminClient::of_node(postgres, timeout)?,
    };
    let left = deadline.saturating_duration_since(Instant::now());
    client.map(|mut client| client.ask_within(request, left)).transpose()
}

impl AdminClient {
    /// Connects to the server, or opens the database.
    pub(super) fn open(db: &Database<'_>, missing: Missing) -> Result<Self, Failure> {
        match db {
            Database::File(db) => Self::open_file(db, missing),
            #[cfg(feature = "postgres")]
            Database::Postgres(postgres) => match Self::of_node(postgres, CONNECT_WAIT)? {
                Some(client) => Ok(client),
                None => Self::of_store(open::node(postgres, &usize::MAX.into(), None)?, None),
            },
        }
    }

    /// Connects to the node of this machine. `None` if its admin socket has no place, if nobody
    /// listens there, or if it serves another database.
    #[cfg(feature = "postgres")]
    fn of_node(postgres: &Postgres, wait: Duration) -> Result<Option<Self>, Failure> {
        let Some(path) = &postgres.admin_socket else { return Ok(None) };
        let Some(transport) = connect(&Place::at(path), wait)? else { return Ok(None) };
        let mut client = Self { transport, created: None };
        let ours = postgres.connector.target.to_string();
        match client.ask_within(&Request::Database, wait)? {
            AdminReply::Serves { database } => Ok((database == ours).then_some(client)),
            answer => Err(unexpected(&answer)),
        }
    }

    fn open_file(db: &Path, missing: Missing) -> Result<Self, Failure> {
        let path = store::resolve(db).map_err(|error| open::refused(&error))?;
        let mut wait = HolderWait::begin();
        loop {
            if let Some(transport) = connect(&Place::beside(&path), CONNECT_WAIT)? {
                return Ok(Self { transport, created: None });
            }
            let is_new = open::is_new(&path);
            if missing == Missing::Refuse && !path.exists() {
                let problem = server::no_database(path.display());
                return Err(Failure::new(Exit::NoInput, problem).hint(server::give_database()));
            }
            match open::try_store(&path, usize::MAX.into(), None) {
                Ok(store) => return Self::of_store(store, is_new.then_some(path)),
                Err(OpenError::InUse { process, .. }) if wait.pause(process) => {}
                Err(error @ OpenError::InUse { .. }) => {
                    return Err(Failure::new(Exit::TryAgain, error).hint(server::does_not_answer()));
                }
                Err(error) => return Err(open::refused(&error)),
            }
        }
    }

    fn of_store(store: store::Store, created: Option<PathBuf>) -> Result<Self, Failure> {
        let options = service::Options {
            // Only a server ends sessions for their age.
            session_idle: Duration::MAX.into(),
            session_lifetime: Duration::MAX.into(),
            sessions_per_user: SESSIONS_PER_USER_MAX,
            hashers: 1,
            // A command never logs in.
            users_hidden: false.into(),
            unix_users: UnixUsers::default(),
            login_limits: LoginLimits { per_address: 0.into(), per_account: 0.into() },
            published_passwords_allowed: true,
        };
        let service = Service::new(store, options)
            .map_err(|error| Failure::new(Exit::Internal, server::no_thread(error)))?;
        Ok(Self { transport: Transport::Opened(service), created })
    }

    /// The path of the database, if this client created it: there was no file, or an empty one.
    pub(super) fn created(&self) -> Option<&Path> {
        self.created.as_deref()
    }

    /// Executes a request. What it changes is durable when the answer comes.
    pub(super) fn ask(&mut self, request: &Request) -> Result<AdminReply, Failure> {
        self.ask_within(request, ANSWER_WAIT)
    }

    /// [`Self::ask`] with a time limit.
    pub(super) fn ask_within(
        &mut self,
        request: &Request,
        timeout: Duration,
    ) -> Result<AdminReply, Failure> {
        let outcome = match &mut self.transport {
            Transport::Server(connection) => ask_over(connection, request, timeout)?,
            Transport::Opened(service) => {
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

impl Drop for AdminClient {
    fn drop(&mut self) {
        if let Transport::Opened(service) = &self.transport {
            service.close();
        }
    }
}

fn connect(place: &Place, wait: Duration) -> Result<Option<Transport>, Failure> {
    match place.connect(wait) {
        Ok(stream) => Ok(stream.map(|stream| Transport::Server(BufReader::new(stream)))),
        Err(error) => {
            let (exit, hint) = match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    (Exit::NoPermission, server::be_the_servers_user())
                }
                std::io::ErrorKind::WouldBlock => (Exit::TryAgain, server::server_accepts_none()),
                _ => (Exit::TryAgain, server::look_at_server()),
            };
            let problem = server::not_connected(place.path().display(), &error);
            Err(Failure::new(exit, problem).hint(hint))
        }
    }
}

/// Sends the request and reads the line of its outcome.
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
    // A server that refuses a line may answer before it has read all of it.
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

/// The failure for a request that was refused.
fn refused(refusal: Refusal) -> Failure {
    let Refusal { code, message } = refusal;
    let (exit, hint) = match code {
        Code::UnknownUser => (Exit::NoUser, Some(server::user_list_shows())),
        Code::UserDeleted => (Exit::NoUser, None),
        Code::UnknownRoom => (Exit::NoUser, Some(server::room_list_shows())),
        Code::RoomArchived => (Exit::Data, Some(server::open_room_again())),
        Code::RoomOfEverybody => (Exit::Data, None),
        Code::LastOwner => (Exit::Data, Some(server::add_an_owner())),
        Code::TooManyRooms => (Exit::Data, None),
        Code::UnknownSession => (Exit::Nothing, Some(server::session_list_shows())),
        Code::UnknownMessage => (Exit::Nothing, None),
        Code::UnknownToken => (Exit::Nothing, Some(token::token_list_shows())),
        Code::TooManyTokens => (Exit::Nothing, None),
        Code::UnknownInvitation => (Exit::Nothing, Some(invitation::invite_list_shows())),
        Code::TooManyInvitations => (Exit::Nothing, Some(invitation::revoke_invitations_first())),
        Code::Unsafe => (Exit::Configuration, Some(server::add_own_passwords())),
        Code::NameTaken => (Exit::Data, Some(server::choose_another_name())),
        Code::Version => (Exit::Configuration, Some(server::restart_server())),
        Code::Busy | Code::ShuttingDown => (Exit::TryAgain, Some(server::nothing_done_try_again())),
        Code::StorageFull => (Exit::Io, Some(server::nothing_done_make_room())),
        Code::BadRequest | Code::LineTooLong | Code::Internal => (Exit::Internal, None),
    };
    let failure = Failure::new(exit, worded(code, message)).word(code.as_str());
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The server words a refusal in English. In another language, the text of its code comes first.
fn worded(code: Code, message: String) -> String {
    if catalogue::language() != Language::Indonesian {
        return message;
    }
    let text = match code {
        Code::UnknownUser => storage::unknown_user(),
        Code::UserDeleted => storage::user_deleted(),
        Code::UnknownRoom => refusal::unknown_room(),
        Code::RoomArchived => refusal::room_archived(),
        Code::RoomOfEverybody => refusal::room_of_everybody(),
        Code::LastOwner => refusal::last_owner(),
        Code::TooManyRooms => refusal::too_many_rooms(),
        Code::UnknownSession => storage::unknown_session(),
        Code::UnknownMessage => storage::unknown_message(),
        Code::UnknownToken => storage::unknown_token(),
        Code::TooManyTokens => storage::too_many_tokens_of_user(),
        Code::UnknownInvitation => storage::no_such_invitation(),
        Code::TooManyInvitations => storage::too_many_invitations(),
        Code::Unsafe => storage::unsafe_now(),
        Code::NameTaken => storage::name_is_taken(),
        Code::Version => storage::other_version(),
        Code::BadRequest => storage::not_understood(),
        Code::LineTooLong => storage::line_too_long(),
        Code::Busy => storage::busy(),
        Code::StorageFull => storage::storage_full(),
        Code::ShuttingDown => storage::shutting_down(),
        Code::Internal => storage::internal(),
    };
    storage::refused_because(text, message)
}
