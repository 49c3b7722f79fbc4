//! Whether the addresses of `--listen` are safe, and how they are bound.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::address::{Listen, ListenOn, UnixMode};
use super::arguments::ServeArguments;
use super::failure::{Exit, Failure};
use crate::admin::socket::Place;
use crate::catalogue::serve as texts;
use crate::model::Timestamp;
use crate::server::{Identity, IdentityError, Listener, Shown, UnixSocket};
use crate::tls::certificate::ReadError;
use crate::unix;

/// The number of connections that the system queues until they are accepted.
const UNIX_BACKLOG: i32 = 1024;
/// How long a server that may still run has to accept a connection.
const PROBE_WAIT: Duration = Duration::from_secs(1);
/// How long before its end a certificate causes a warning.
const RENEWAL: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The first address that other machines can reach. Through a proxy they can reach any.
pub(super) fn exposed(arguments: &ServeArguments) -> Option<&SocketAddr> {
    let has_proxy = !arguments.proxy_protocol.is_empty();
    arguments.listen.iter().chain(&arguments.http).find_map(|listen| match listen {
        ListenOn::Plain(listen) | ListenOn::Tls(listen) if has_proxy => listen.addresses.first(),
        ListenOn::Plain(listen) | ListenOn::Tls(listen) => far(listen),
        ListenOn::Unix(_) => None,
    })
}

/// Refuses settings that contradict each other, or that expose passwords without encryption.
pub(super) fn check(arguments: &ServeArguments) -> Result<(), Failure> {
    if arguments.listen.is_empty() {
        return Err(
            Failure::new(Exit::Configuration, texts::listens_nowhere()).hint(texts::give_listen())
        );
    }
    let plain = arguments.listen.iter().chain(&arguments.http).find_map(|listen| match listen {
        ListenOn::Plain(listen) => far(listen),
        ListenOn::Tls(_) | ListenOn::Unix(_) => None,
    });
    if let Some(address) = plain
        && !arguments.allow_plaintext
    {
        return Err(Failure::new(Exit::Configuration, texts::unencrypted(address))
            .hint(texts::allow_plaintext(address)));
    }
    check_unix_users(arguments)?;
    let tls = arguments.listen.iter().chain(&arguments.http).find_map(|listen| match listen {
        ListenOn::Tls(listen) => Some(listen),
        ListenOn::Plain(_) | ListenOn::Unix(_) => None,
    });
    match (tls, &arguments.tls_cert) {
        (Some(listen), None) => {
            Err(Failure::new(Exit::Configuration, texts::no_certificate(&listen.given))
                .hint(texts::give_certificate()))
        }
        _ if arguments.tls_cert.is_some() != arguments.tls_key.is_some() => {
            Err(Failure::new(Exit::Configuration, texts::half_a_certificate())
                .hint(texts::give_certificate()))
        }
        (None, Some(path)) => {
            Err(Failure::new(Exit::Configuration, texts::unused_certificate(path.display()))
                .hint(texts::say_where_tls()))
        }
        _ => Ok(()),
    }
}

/// Refuses settings for system users without a socket: they would have no effect.
fn check_unix_users(arguments: &ServeArguments) -> Result<(), Failure> {
    let option = match (arguments.unix_users, arguments.unix_user_map.is_empty()) {
        (true, _) => "--unix-users",
        (false, false) => "--unix-user-map",
        (false, true) => return Ok(()),
    };
    if arguments.listen.iter().any(|listen| matches!(listen, ListenOn::Unix(_))) {
        return Ok(());
    }
    Err(Failure::new(Exit::Configuration, texts::no_socket_for_system_users(option))
        .hint(texts::listen_on_socket()))
}

/// Reads the certificate and its key, if they are set.
pub(super) fn identity(arguments: &ServeArguments) -> Result<Option<Arc<Identity>>, Failure> {
    let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else {
        return Ok(None);
    };
    let (identity, shown) = Identity::load(certificate, key).map_err(|error| unusable(&error))?;
    tell(&shown);
    Ok(Some(Arc::new(identity)))
}

/// A host name that the certificate is valid for, if there is one.
pub(super) fn name_shown(arguments: &ServeArguments) -> Option<String> {
    let is_host = |name: &String| !name.contains('*') && name.parse::<IpAddr>().is_err();
    let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else {
        return None;
    };
    let (_, shown) = Identity::load(certificate, key).ok()?;
    shown.facts.names.into_iter().find(is_host)
}

/// Logs the certificate that clients see, and whether its dates are valid.
fn tell(shown: &Shown) {
    let (fingerprint, names) = (shown.fingerprint, shown.facts.names.join(","));
    let not_after = shown.facts.not_after.to_rfc3339();
    tracing::info!(%fingerprint, names, not_after, "certificate");
    let now = Timestamp::now();
    if !shown.is_current(now) {
        let not_before = shown.facts.not_before.to_rfc3339();
        tracing::warn!(not_before, not_after, "the certificate is not good today");
    } else if !shown.is_current(now.plus(RENEWAL)) {
        tracing::warn!(not_after, "the certificate ends soon");
    }
}

fn unusable(error: &IdentityError) -> Failure {
    let (exit, hint) = match error {
        IdentityError::Read(ReadError::Io { source, .. }) => match source.kind() {
            ErrorKind::NotFound => (Exit::NoInput, texts::give_pem_files().to_owned()),
            _ => (Exit::Io, texts::let_server_read().to_owned()),
        },
        IdentityError::KeyIsOpen { path, .. } => {
            (Exit::Configuration, format!("chmod 600 {}", path.display()))
        }
        IdentityError::Mismatch { .. } => (Exit::Data, texts::give_its_key().to_owned()),
        IdentityError::Read(ReadError::Content { .. }) | IdentityError::Unusable { .. } => {
            (Exit::Data, texts::how_to_make_certificate().to_owned())
        }
    };
    Failure::new(exit, error).hint(hint)
}

/// Binds all addresses.
pub(super) fn bind_all(
    arguments: &ServeArguments,
    identity: Option<&Arc<Identity>>,
) -> Result<Vec<Listener>, Failure> {
    let bind_one = |listen: &ListenOn| match (listen, identity) {
        (ListenOn::Tls(listen), Some(identity)) => {
            Ok(Listener::Tls(bind(listen, "--listen")?, Arc::clone(identity)))
        }
        (ListenOn::Plain(listen), _) => Ok(Listener::Plain(bind(listen, "--listen")?)),
        (ListenOn::Unix(path), _) => Ok(Listener::Unix(bind_unix(path, arguments.unix_mode)?)),
        // `check` refuses this.
        (ListenOn::Tls(listen), None) => {
            Err(Failure::new(Exit::Internal, texts::no_certificate(&listen.given)))
        }
    };
    arguments.listen.iter().map(bind_one).collect()
}

/// Binds and releases every network address, to find out whether a server could.
pub(super) fn try_all(arguments: &ServeArguments) -> Result<(), Failure> {
    let line = arguments.listen.iter().map(|listen| (listen, "--listen"));
    for (listen, option) in line.chain(arguments.http.iter().map(|listen| (listen, "--http"))) {
        if let ListenOn::Plain(listen) | ListenOn::Tls(listen) = listen {
            bind(listen, option)?;
        }
    }
    arguments.metrics.as_ref().map_or(Ok(()), |listen| bind(listen, "--metrics").map(drop))
}

/// Binds a network address that was given to `option`.
pub(super) fn bind(listen: &Listen, option: &str) -> Result<TcpListener, Failure> {
    let bound = match &listen.inherited {
        Some(listener) => listener.try_clone(),
        None => TcpListener::bind(listen.addresses.as_slice()),
    };
    bound.map_err(|error| {
        let failure = Failure::new(Exit::Unavailable, texts::cannot_listen(&listen.given, &error));
        match error.kind() {
            ErrorKind::AddrInUse => failure.hint(texts::listen_elsewhere(option)),
            ErrorKind::PermissionDenied => failure.hint(texts::low_port(option)),
            _ => failure.hint(texts::give_own_address(option)),
        }
    })
}

/// Creates a socket. It replaces one that a server left behind, and no other file.
fn bind_unix(path: &Path, mode: UnixMode) -> Result<UnixSocket, Failure> {
    let listen = || unix::listen(path, mode.bits(), UNIX_BACKLOG);
    let listened = match listen() {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            match unix::connect(path, PROBE_WAIT) {
                Err(gone) if gone.kind() == ErrorKind::ConnectionRefused => {
                    unix::remove(path).and_then(|()| listen())
                }
                _ => Err(error),
            }
        }
        listened => listened,
    };
    let listener = listened.map_err(|error| no_unix_socket(path, &error))?;
    Ok(UnixSocket { listener, path: path.to_owned() })
}

/// Binds the admin socket, if it has a configured place. A dead one is replaced.
///
/// # Errors
/// A server listens there, or it cannot be created.
pub(super) fn bind_admin(path: Option<&Path>) -> Result<Option<(Place, UnixListener)>, Failure> {
    let bind = |path: &Path| {
        let place = Place::at(path);
        let listener = place.bind().map_err(|error| no_unix_socket(path, &error))?;
        Ok((place, listener))
    };
    path.map(bind).transpose()
}

fn no_unix_socket(path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::AddrInUse => texts::live_socket(),
        ErrorKind::AlreadyExists => texts::no_socket_there(),
        ErrorKind::NotFound => texts::make_folder_first(),
        _ => texts::give_writable_folder(),
    };
    let problem = texts::cannot_listen(format_args!("unix:{}", path.display()), error);
    Failure::new(Exit::Unavailable, problem).hint(hint)
}

fn far(listen: &Listen) -> Option<&SocketAddr> {
    listen.addresses.iter().find(|address| !address.ip().is_loopback())
}
