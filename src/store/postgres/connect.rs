//! Connects to the primary among the hosts of a [`Target`].

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use postgres::config::{ChannelBinding, SslMode};
use postgres::error::{DbError, SqlState};
use postgres::{Client, Config};

use super::encryption::{Encrypt, EncryptionError};
use super::password::{PasswordError, PasswordSource};
use super::target::{Encryption, Host, HostAddress, Target};

/// Called with every notice of the server, on the thread that uses the connection.
pub type OnNotice = Arc<dyn Fn(DbError) + Send + Sync>;

/// How long the server may leave data unacknowledged, and how long it may be silent, before the
/// connection is closed. Without this a machine that lost its power is waited for for minutes.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How often a silent peer is asked whether it is still there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVES_MAX: u32 = 3;

/// How long to wait before the hosts are tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens connections to one database.
#[derive(Debug, Clone)]
pub struct Connector {
    /// The database.
    pub target: Target,
    /// Where its password is.
    pub password: PasswordSource,
}

/// Why no host gave a connection that can write.
#[derive(Debug)]
pub struct ConnectError {
    /// Every host, in the order of the URL, and what was wrong there. There is at least one.
    pub attempts: Vec<(Host, Attempt)>,
}

/// What was wrong with one host. `Display` is for the server log.
#[derive(Debug, thiserror::Error)]
pub enum Attempt {
    /// The password cannot be read.
    #[error("the password cannot be read: {0:?}")]
    Password(PasswordError),
    /// TLS cannot be spoken with these settings.
    #[error("TLS cannot be set up: {0:?}")]
    Encryption(EncryptionError),
    /// The name leads nowhere, nothing listens there, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// It does not speak TLS.
    #[error("it does not speak TLS")]
    NoTls,
    /// Its certificate was refused, or the handshake failed.
    #[error("its certificate is not accepted: {0}")]
    Certificate(String),
    /// It wants a password, and there is none for it.
    #[error("it wants a password, and there is none")]
    NoPassword,
    /// It refused the user or the password: its message.
    #[error("it refuses the login: {0}")]
    Login(String),
    /// It has no such database.
    #[error("it has no such database")]
    NoDatabase,
    /// It is starting, stopping or recovering.
    #[error("it is starting, stopping or recovering")]
    Starting,
    /// It has no connection left.
    #[error("it has no connection left")]
    TooMany,
    /// It is a standby, or has been set to read only.
    #[error("it is a standby, or read only")]
    ReadOnly,
    /// It refused for another reason: its message.
    #[error("it refuses: {0}")]
    Refused(String),
}

impl Attempt {
    /// Whether this can be over by itself.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::TimedOut(_)
                | Self::Starting
                | Self::TooMany
                | Self::ReadOnly
        )
    }
}

impl ConnectError {
    /// Whether a later try can succeed without a change of the settings. A failover looks so.
    pub fn is_temporary(&self) -> bool {
        self.attempts.iter().any(|(_, attempt)| attempt.is_temporary())
    }
}

impl Connector {
    /// Connects to the first host, in order, that is a primary and lets this user write. Blocks for
    /// at most the `connect_timeout` a host.
    ///
    /// # Errors
    /// No host is one. The error says why, for each.
    pub fn connect(&self) -> Result<Client, ConnectError> {
        self.connect_with(&nobody_listens())
    }

    /// Like [`Self::connect`], with a listener for the notices of the connection. A cancelled wait
    /// for a standby is told only by a notice (SQLSTATE 01000).
    ///
    /// # Errors
    /// See [`Self::connect`].
    pub fn connect_with(&self, on_notice: &OnNotice) -> Result<Client, ConnectError> {
        let mut attempts = Vec::new();
        for host in &self.target.hosts {
            match self.attempt(host, on_notice) {
                Ok(client) => return Ok(client),
                Err(attempt) => attempts.push((host.clone(), attempt)),
            }
        }
        Err(ConnectError { attempts })
    }

    /// Like [`Self::connect_with`], but waits for a primary where there can be one later: until then
    /// the hosts are tried again. Blocks for at most `wait` and one more attempt.
    ///
    /// # Errors
    /// That of the last attempt. It is not waited for what only a change of the settings repairs.
    pub fn connect_within(
        &self,
        wait: Duration,
        on_notice: &OnNotice,
    ) -> Result<Client, ConnectError> {
        let deadline = Instant::now() + wait;
        loop {
            match self.connect_with(on_notice) {
                Err(error) if error.is_temporary() && Instant::now() + PAUSE < deadline => {
                    thread::sleep(PAUSE);
                }
                connected => return connected,
            }
        }
    }

    fn attempt(&self, host: &Host, on_notice: &OnNotice) -> Result<Client, Attempt> {
        let password = self.password.password(&self.target, host).map_err(Attempt::Password)?;
        let encryption = self.target.encryption_of(host);
        let mut config = self.config(host, on_notice);
        if let Some(password) = &password {
            config.password(&password.0);
        }
        let authorities = self.target.authorities.as_deref();
        let encrypt = match encryption {
            Encryption::Disable => None,
            Encryption::VerifyFull => Some(Encrypt::new(authorities).map_err(Attempt::Encryption)?),
        };
        let open = move || {
            let mut client = match encrypt {
                Some(encrypt) => config.ssl_mode(SslMode::Require).connect(encrypt),
                None => config.ssl_mode(SslMode::Disable).connect(postgres::NoTls),
            }
            .map_err(|error| classify(&error))?;
            match can_write(&mut client).map_err(|error| classify(&error))? {
                true => Ok(client),
                false => Err(Attempt::ReadOnly),
            }
        };
        within(self.target.connect_timeout, open)
    }

    fn config(&self, host: &Host, on_notice: &OnNotice) -> Config {
        let target = &self.target;
        let mut config = Config::new();
        config
            .user(&target.user)
            .dbname(&target.database)
            .application_name(&target.application_name)
            .port(host.port)
            .connect_timeout(target.connect_timeout)
            // See `encryption`: the certificate is verified instead.
            .channel_binding(ChannelBinding::Disable)
            .tcp_user_timeout(SILENCE_MAX)
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_INTERVAL)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVES_MAX);
        match &host.address {
            HostAddress::Network(name) => config.host(name),
            HostAddress::Socket(folder) => config.host_path(folder),
        };
        let on_notice = Arc::clone(on_notice);
        config.notice_callback(move |notice| on_notice(notice));
        config
    }
}

/// Ignores every notice.
pub fn nobody_listens() -> OnNotice {
    Arc::new(|_| ())
}

/// Runs `open` on a thread of its own, because the client limits only the time of the connection
/// itself, and not that of the name, the handshake and the login. If it takes too long, the thread
/// ends when the system gives the connection up.
fn within(
    limit: Duration,
    open: impl FnOnce() -> Result<Client, Attempt> + Send + 'static,
) -> Result<Client, Attempt> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let run = move || {
        let _ = sender.send(open());
    };
    thread::Builder::new()
        .name("connect".to_owned())
        .spawn(run)
        .map_err(|error| Attempt::Unreachable(error.to_string()))?;
    match receiver.recv_timeout(limit) {
        Ok(opened) => opened,
        Err(RecvTimeoutError::Timeout) => Err(Attempt::TimedOut(limit)),
        Err(RecvTimeoutError::Disconnected) => Err(Attempt::Refused("a panic".to_owned())),
    }
}

/// A standby says so; a primary can be set to read only, for example by a manager that fences it.
fn can_write(client: &mut Client) -> Result<bool, postgres::Error> {
    let row = client.query_one(
        "SELECT pg_catalog.pg_is_in_recovery()
             OR pg_catalog.current_setting('transaction_read_only') = 'on'",
        &[],
    )?;
    row.try_get(0).map(|is_read_only: bool| !is_read_only)
}

fn classify(error: &postgres::Error) -> Attempt {
    if let Some(refused) = error.as_db_error() {
        return of_server(refused);
    }
    if let Some(problem) = certificate_problem(error) {
        return Attempt::Certificate(problem);
    }
    match cause(error) {
        // The client has no codes for these two.
        cause if cause == "password missing" => Attempt::NoPassword,
        cause if cause == "server does not support TLS" => Attempt::NoTls,
        cause => Attempt::Unreachable(cause),
    }
}

/// What rustls says, if it is the reason.
fn certificate_problem(error: &postgres::Error) -> Option<String> {
    let mut next = error.source();
    while let Some(source) = next {
        let inner = source.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(inner) = inner.filter(|inner| inner.is::<rustls::Error>()) {
            return Some(inner.to_string());
        }
        next = source.source();
    }
    None
}

fn of_server(refused: &DbError) -> Attempt {
    let code = refused.code();
    let message = || refused.message().to_owned();
    match code {
        _ if *code == SqlState::INVALID_PASSWORD
            || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
        {
            Attempt::Login(message())
        }
        _ if *code == SqlState::INVALID_CATALOG_NAME => Attempt::NoDatabase,
        _ if *code == SqlState::CANNOT_CONNECT_NOW
            || *code == SqlState::ADMIN_SHUTDOWN
            || *code == SqlState::CRASH_SHUTDOWN =>
        {
            Attempt::Starting
        }
        _ if *code == SqlState::TOO_MANY_CONNECTIONS => Attempt::TooMany,
        _ => Attempt::Refused(message()),
    }
}

/// The innermost reason: the outer ones say only that there is one.
fn cause(error: &postgres::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
