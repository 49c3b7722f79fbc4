//! Which database is meant: `postgres://user@host1:5432,host2/db?sslmode=…`. This module parses; it
//! reads no file and opens no connection.

use core::net::IpAddr;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

mod url;

use url::Url;

/// The most hosts of one database.
pub const HOSTS_MAX: usize = 16;
/// The port where the URL names none.
const PORT_DEFAULT: u16 = 5432;
/// How long one host may take to accept a connection, where the URL does not say it.
const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// The longest `connect_timeout`, in seconds.
const CONNECT_TIMEOUT_SECONDS_MAX: u64 = 600;
/// The name under which connections appear in `pg_stat_activity`.
const APPLICATION_NAME_DEFAULT: &str = "chat-server";
/// PostgreSQL cuts longer ones.
const NAME_BYTES_MAX: usize = 63;

/// A PostgreSQL database, and how to connect to it. It has no password: see
/// [`password`](super::password).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it may be, in the order in which to try. There is at least one.
    pub hosts: Vec<Host>,
    /// The database user.
    pub user: String,
    /// The name of the database.
    pub database: String,
    /// How to encrypt, if the URL says it.
    pub encryption: Option<Encryption>,
    /// The authorities that may have signed the certificate; `None` for those of the system.
    pub authorities: Option<PathBuf>,
    /// How long one host may take to accept a connection.
    pub connect_timeout: Duration,
    /// The name in `pg_stat_activity`.
    pub application_name: String,
}

/// A place where a database server may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The machine, or the socket.
    pub address: HostAddress,
    /// The port; also a part of the socket's name.
    pub port: u16,
}

/// The machine, or the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostAddress {
    /// A host name or an IP address.
    Network(String),
    /// The folder of a Unix socket.
    Socket(PathBuf),
}

/// How a connection is encrypted: `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    Disable,
    /// TLS. An authority has signed the certificate, for this host.
    VerifyFull,
}

/// Why a text is not a [`Target`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidTarget {
    /// It does not begin with `postgres://` or `postgresql://`.
    Scheme,
    /// A `%` is not followed by two hexadecimal digits, or the decoded text is not UTF-8 or has a
    /// NUL byte.
    Escape(String),
    /// It contains a password. Arguments are visible to every user of the machine.
    Password,
    /// It names no user.
    NoUser,
    /// It names no host.
    NoHost,
    /// It has more than [`HOSTS_MAX`] hosts.
    TooManyHosts,
    /// This is not a host: an unclosed bracket, or a character that no host name has.
    Host(String),
    /// This is not a port.
    Port(String),
    /// There are several hosts, and another number of ports.
    PortCount {
        /// How many hosts.
        hosts: usize,
        /// How many ports.
        ports: usize,
    },
    /// There is no such parameter, or this program does not support it.
    UnknownParameter(String),
    /// The parameter has no `=` and value, or is there twice.
    Parameter(String),
    /// The parameter cannot have this value.
    Value {
        /// The parameter.
        parameter: &'static str,
        /// Its value.
        value: String,
        /// What it can be.
        expected: &'static str,
    },
    /// `sslmode` encrypts, and does not make sure who is at the other end.
    Unverified(String),
}

impl Target {
    /// Whether this text is meant as a database URL, and not as a file name.
    pub fn is_meant(text: &str) -> bool {
        url::without_scheme(text).is_some()
    }

    /// How the connection to `host` is encrypted: as the URL says. Otherwise with TLS, except over
    /// a socket or to this machine itself.
    pub fn encryption_of(&self, host: &Host) -> Encryption {
        match self.encryption {
            // PostgreSQL has no TLS over Unix sockets.
            _ if matches!(host.address, HostAddress::Socket(_)) => Encryption::Disable,
            Some(encryption) => encryption,
            None if host.is_local() => Encryption::Disable,
            None => Encryption::VerifyFull,
        }
    }

    /// The first host to which passwords and messages would travel over a network unencrypted.
    pub fn exposed(&self) -> Option<&Host> {
        self.hosts
            .iter()
            .find(|host| !host.is_local() && self.encryption_of(host) == Encryption::Disable)
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let mut url = Url::parse(text)?;
        if url.has_password || url.take("password").is_some() {
            return Err(InvalidTarget::Password);
        }
        let hosts = hosts(&mut url)?;
        let user = url.take("user").or(url.user.take());
        let user = user.filter(|user| !user.is_empty()).ok_or(InvalidTarget::NoUser)?;
        let database = url.take("dbname").or(url.database.take());
        let database = database.filter(|name| !name.is_empty()).unwrap_or_else(|| user.clone());
        let target = Self {
            hosts,
            user,
            database,
            encryption: url.take("sslmode").map(|mode| encryption(&mode)).transpose()?,
            authorities: authorities(url.take("sslrootcert"))?,
            connect_timeout: connect_timeout(url.take("connect_timeout"))?,
            application_name: application_name(url.take("application_name"))?,
        };
        check_session(url.take("target_session_attrs"))?;
        match url.parameters.into_iter().next() {
            Some((name, _)) => Err(InvalidTarget::UnknownParameter(name)),
            None => Ok(target),
        }
    }
}

/// The hosts of the parameters `host` and `port`, else those in front of the path.
fn hosts(url: &mut Url) -> Result<Vec<Host>, InvalidTarget> {
    let ports = url.take("port");
    let Some(hosts) = url.take("host") else {
        let hosts = std::mem::take(&mut url.hosts);
        return assemble(hosts, ports.as_deref());
    };
    let named = hosts.split(',').map(|host| (host.to_owned(), None)).collect();
    assemble(named, ports.as_deref())
}

fn assemble(
    hosts: Vec<(String, Option<String>)>,
    ports: Option<&str>,
) -> Result<Vec<Host>, InvalidTarget> {
    if hosts.is_empty() || hosts.iter().any(|(host, _)| host.is_empty()) {
        return Err(InvalidTarget::NoHost);
    }
    if hosts.len() > HOSTS_MAX {
        return Err(InvalidTarget::TooManyHosts);
    }
    let ports: Vec<&str> = ports.map(|ports| ports.split(',').collect()).unwrap_or_default();
    if ports.len() > 1 && ports.len() != hosts.len() {
        return Err(InvalidTarget::PortCount { hosts: hosts.len(), ports: ports.len() });
    }
    let of_parameter = |index: usize| ports.get(index).or(ports.first()).copied();
    let host = |(index, (host, port)): (usize, (String, Option<String>))| {
        let port = port.as_deref().or(of_parameter(index)).filter(|port| !port.is_empty());
        let port = port.map(parse_port).transpose()?.unwrap_or(PORT_DEFAULT);
        Ok(Host { address: parse_host(host)?, port })
    };
    hosts.into_iter().enumerate().map(host).collect()
}

fn parse_port(text: &str) -> Result<u16, InvalidTarget> {
    let port = text.parse().ok().filter(|&port| port > 0);
    port.ok_or_else(|| InvalidTarget::Port(text.to_owned()))
}

fn parse_host(host: String) -> Result<HostAddress, InvalidTarget> {
    if host.starts_with('/') {
        return Ok(HostAddress::Socket(PathBuf::from(host)));
    }
    let is_name =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    match host.parse::<IpAddr>().is_ok() || host.chars().all(is_name) {
        true => Ok(HostAddress::Network(host)),
        false => Err(InvalidTarget::Host(host)),
    }
}

fn encryption(mode: &str) -> Result<Encryption, InvalidTarget> {
    match mode {
        "disable" => Ok(Encryption::Disable),
        "verify-full" => Ok(Encryption::VerifyFull),
        "allow" | "prefer" | "require" | "verify-ca" => {
            Err(InvalidTarget::Unverified(mode.to_owned()))
        }
        _ => Err(InvalidTarget::Value {
            parameter: "sslmode",
            value: mode.to_owned(),
            expected: "disable, verify-full",
        }),
    }
}

fn authorities(path: Option<String>) -> Result<Option<PathBuf>, InvalidTarget> {
    match path.as_deref() {
        None | Some("system") => Ok(None),
        Some("") => Err(InvalidTarget::Value {
            parameter: "sslrootcert",
            value: String::new(),
            expected: "PATH, system",
        }),
        Some(path) => Ok(Some(PathBuf::from(path))),
    }
}

fn connect_timeout(given: Option<String>) -> Result<Duration, InvalidTarget> {
    let Some(value) = given else { return Ok(CONNECT_TIMEOUT_DEFAULT) };
    match value.parse() {
        Ok(seconds @ 1..=CONNECT_TIMEOUT_SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
        _ => {
            Err(InvalidTarget::Value { parameter: "connect_timeout", value, expected: "1 … 600" })
        }
    }
}

fn application_name(given: Option<String>) -> Result<String, InvalidTarget> {
    let name = given.unwrap_or_else(|| APPLICATION_NAME_DEFAULT.to_owned());
    let is_printable = name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_printable && (1..=NAME_BYTES_MAX).contains(&name.len()) {
        return Ok(name);
    }
    let (parameter, expected) = ("application_name", "1 … 63 ASCII");
    Err(InvalidTarget::Value { parameter, value: name, expected })
}

/// The server writes, so it can use only a primary.
fn check_session(attributes: Option<String>) -> Result<(), InvalidTarget> {
    match attributes {
        Some(value) if !matches!(value.as_str(), "read-write" | "primary") => {
            let parameter = "target_session_attrs";
            Err(InvalidTarget::Value { parameter, value, expected: "read-write, primary" })
        }
        _ => Ok(()),
    }
}

impl Host {
    /// Whether it is this machine: a socket, `localhost`, or a loopback address. A name that leads
    /// here by DNS does not count.
    pub fn is_local(&self) -> bool {
        match &self.address {
            HostAddress::Socket(_) => true,
            HostAddress::Network(host) => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

/// `host:port`, `[::1]:port`, or the path of the socket.
impl Display for Host {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.address {
            HostAddress::Network(host) if host.contains(':') => {
                write!(formatter, "[{host}]:{}", self.port)
            }
            HostAddress::Network(host) => write!(formatter, "{host}:{}", self.port),
            HostAddress::Socket(folder) => {
                let name = format!(".s.PGSQL.{}", self.port);
                write!(formatter, "{}", Path::new(folder).join(name).display())
            }
        }
    }
}

/// The database for people and logs: `postgres://user@host1:5432,host2:5432/db`, without parameters.
impl Display for Target {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "postgres://{}@", url::escape(&self.user))?;
        for (index, host) in self.hosts.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match &host.address {
                HostAddress::Socket(folder) => {
                    let folder = url::escape(&folder.to_string_lossy());
                    write!(formatter, "{comma}{folder}:{}", host.port)?;
                }
                HostAddress::Network(_) => write!(formatter, "{comma}{host}")?,
            }
        }
        write!(formatter, "/{}", url::escape(&self.database))
    }
}

#[cfg(test)]
mod tests;
