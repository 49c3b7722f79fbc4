//! The addresses that `--listen`, `--http` and `--metrics` accept, and the mode of a Unix-domain socket.

use std::fmt::{self, Display};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{self, PathBuf};
use std::sync::Arc;

use crate::catalogue::{serve as texts, server};
use crate::model::UserName;
use crate::service::UnixUser;

/// An address to listen on.
#[derive(Debug, Clone)]
pub enum ListenOn {
    /// `ADDR:PORT`
    Plain(Listen),
    /// `tls:ADDR:PORT`
    Tls(Listen),
    /// `unix:PATH`
    Unix(PathBuf),
}

/// A network address as it was given, and the addresses that it stands for.
#[derive(Debug, Clone)]
pub struct Listen {
    /// As it was given.
    pub given: String,
    /// The resolved addresses: at least one.
    pub addresses: Vec<SocketAddr>,
    /// The socket itself, if the service manager has passed it on.
    pub inherited: Option<Arc<TcpListener>>,
}

/// The mode of a socket in the file system, as for `chmod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnixMode(u32);

impl ListenOn {
    /// Whether the service manager has passed the socket on.
    pub(super) fn is_inherited(&self) -> bool {
        match self {
            Self::Plain(listen) | Self::Tls(listen) => listen.inherited.is_some(),
            Self::Unix(_) => false,
        }
    }
}

/// In the form that `--listen` accepts.
impl Display for ListenOn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(listen) => formatter.write_str(&listen.given),
            Self::Tls(listen) => write!(formatter, "tls:{}", listen.given),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl UnixMode {
    /// The permission bits.
    pub(super) fn bits(self) -> u32 {
        self.0
    }
}

/// Parses a value of `--listen`.
pub(super) fn parse_listen_on(given: &str) -> Result<ListenOn, String> {
    if let Some(path) = given.strip_prefix("unix:") {
        let path = path::absolute(path).map_err(|_| texts::give_socket_path())?;
        return Ok(ListenOn::Unix(path));
    }
    match given.strip_prefix("tls:") {
        Some(address) => parse_listen(address).map(ListenOn::Tls),
        None => parse_listen(given).map(ListenOn::Plain),
    }
}

/// Parses a value of `--http`: an address of the network.
pub(super) fn parse_http(given: &str) -> Result<ListenOn, String> {
    match parse_listen_on(given)? {
        ListenOn::Unix(_) => Err(texts::no_http_there().to_owned()),
        network => Ok(network),
    }
}

/// Parses `ADDR:PORT`, and resolves a host name.
pub(super) fn parse_listen(given: &str) -> Result<Listen, String> {
    let (host, port) = given.rsplit_once(':').ok_or(server::give_address())?;
    let port = port.parse::<u16>().map_err(|_| server::no_port(format_args!("{port:?}")))?;
    // The standard library parses a zone only as a number. The resolver also knows its name.
    let zoned = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let found = match zoned.filter(|host| host.contains('%')) {
        Some(host) => (host, port).to_socket_addrs(),
        None => given.to_socket_addrs(),
    };
    let addresses: Vec<SocketAddr> = found.map_err(|error| error.to_string())?.collect();
    Ok(Listen { given: given.to_owned(), addresses, inherited: None })
}

/// Parses a value of `--http-origins`, into the form in which browsers write it: lower case, and no
/// port that is the scheme's own.
pub(super) fn parse_origin(given: &str) -> Result<String, String> {
    let wrong = || texts::no_origin(quoted(given));
    let lower = given.trim().to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://").ok_or_else(wrong)?;
    let own_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err(wrong()),
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => (host, Some(port.parse::<u16>().map_err(|_| wrong())?)),
        None => (authority, None),
    };
    let is_named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(is_named),
    };
    match port {
        _ if !is_host => Err(wrong()),
        Some(port) if port != own_port => Ok(format!("{scheme}://{host}:{port}")),
        _ => Ok(format!("{scheme}://{host}")),
    }
}

/// Parses the value of `--unix-mode`.
pub(super) fn parse_unix_mode(given: &str) -> Result<UnixMode, String> {
    match u32::from_str_radix(given, 8) {
        Ok(mode) if mode <= 0o777 => Ok(UnixMode(mode)),
        _ => Err(texts::no_mode(format_args!("{given:?}"))),
    }
}

/// Parses a value of `--unix-user-map`: `alice=ada`, `uid 1001=ci`. White space around each part
/// does not count.
pub(super) fn parse_unix_user(given: &str) -> Result<(UnixUser, UserName), String> {
    let (system, user) = given.split_once('=').ok_or_else(|| texts::no_unix_user(quoted(given)))?;
    let (system, user) = (system.trim(), user.trim());
    let from = match system.strip_prefix("uid ") {
        Some(number) => {
            let number = number.trim().parse();
            UnixUser::Uid(number.map_err(|_| texts::no_uid(quoted(system)))?)
        }
        None if system.is_empty() || system.contains([':', ' ']) => {
            return Err(texts::no_unix_user(quoted(given)));
        }
        None => UnixUser::Name(system.to_owned()),
    };
    let to = user.parse().map_err(|error| format!("{}: {error}", quoted(user)))?;
    Ok((from, to))
}

fn quoted(given: &str) -> String {
    format!("{given:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_has_the_form_of_browsers() {
        for (given, origin) in [
            ("https://a.example", "https://a.example"),
            (" HTTPS://A.example:443/ ", "https://a.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://a.example:443", "http://a.example:443"),
            ("https://[::1]:8443", "https://[::1]:8443"),
            ("https://[::1]", "https://[::1]"),
        ] {
            assert_eq!(parse_origin(given).as_deref(), Ok(origin), "{given:?}");
        }
        for wrong in [
            "*",
            "null",
            "a.example",
            "https://",
            "https://*.a.example",
            "https://a.example/path",
            "https://user@a.example",
            "https://a.example:x",
            "https://a.example:",
            "ftp://a.example",
            "https://[::1",
            "https://a b",
        ] {
            let told = parse_origin(wrong).unwrap_err();
            assert!(told.contains("https://a.example"), "{wrong:?}: {told}");
        }
    }

    #[test]
    fn system_users_are_mapped_by_name_or_by_number() {
        let told = |given: &str| {
            parse_unix_user(given).map(|(from, to)| (from, to.to_string())).map_err(drop)
        };
        let name = |name: &str| UnixUser::Name(name.to_owned());
        assert_eq!(told("alice=ada"), Ok((name("alice"), "ada".to_owned())));
        assert_eq!(told(" alice.l = ada "), Ok((name("alice.l"), "ada".to_owned())));
        assert_eq!(told("1001=ci"), Ok((name("1001"), "ci".to_owned())));
        assert_eq!(told("uid 1001 = ci"), Ok((UnixUser::Uid(1001), "ci".to_owned())));
        for wrong in [
            "",
            "alice",
            "=ada",
            "alice=",
            "alice=Ada",
            "uid=ci2 x",
            "uid -1=ci",
            "uid x=ci",
            "uid 4294967296=ci",
            "a b=ci",
            "alice=ada=x",
        ] {
            assert_eq!(told(wrong), Err(()), "{wrong:?}");
        }
    }
}
