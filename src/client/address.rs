//! The server's address, which also says how to connect: `HOST:PORT`, `chats://HOST`, `unix:/PATH`.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::catalogue::client;

/// The longest host name there is (RFC 1035).
const HOST_BYTES_MAX: usize = 253;
/// The longest name of a network interface.
const ZONE_BYTES_MAX: usize = 15;
/// The longest accepted path of a socket.
const PATH_BYTES_MAX: usize = 1024;

/// The default port of a server.
pub const PLAIN_PORT: u16 = 8889;
/// The default port of a server that speaks TLS.
pub const TLS_PORT: u16 = 8890;

/// The address of a server, which may or may not be running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAddress {
    /// Over the network without encryption: `HOST:PORT`, `chat://HOST`.
    Plain(Host),
    /// Over the network with TLS, which also checks the server's identity: `chats://HOST`.
    Tls(Host),
    /// On this machine, over a Unix-domain socket: `unix:/PATH`. The path is absolute.
    Unix(PathBuf),
}

/// A host name or address, and a port other than 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// In lower case. An IPv6 address has no brackets, is in its canonical short form, and includes
    /// its zone (`fe80::1%eth0`), if any.
    name: String,
    port: u16,
}

/// Why a text is not a [`ServerAddress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// There is no `:PORT`.
    #[error("{}", client::address_without_port())]
    NoPort,
    /// The port is not a number from 1 to 65535.
    #[error("{}", client::port_out_of_range())]
    Port,
    /// The text before the port is neither a host name nor an address.
    #[error("{}", client::host_invalid())]
    Host,
    /// An IPv6 address without brackets: the port cannot be separated from the address.
    #[error("{}", client::address_without_brackets())]
    Brackets,
    /// The path of the socket is not absolute, or is too long.
    #[error("{}", client::socket_path_not_whole())]
    Path,
    /// The scheme before `://` is unknown.
    #[error("{}", client::address_of_unknown_kind())]
    Scheme,
}

impl ServerAddress {
    /// This machine and the default port, where a server listens by default.
    pub fn local() -> Self {
        Self::Plain(Host { name: "127.0.0.1".to_owned(), port: PLAIN_PORT })
    }

    /// A file name for this server. It is different for every address, and contains no character
    /// with a meaning to a file system or a shell.
    pub fn file_stem(&self) -> String {
        match self {
            Self::Plain(host) => host.file_stem(),
            Self::Tls(host) => format!("chats%3a{}", host.file_stem()),
            Self::Unix(path) => {
                let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
                let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("unix%3a{hex}")
            }
        }
    }
}

impl Host {
    /// The name or address.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same host at another port. `None` for port 0.
    pub fn at(self, port: u16) -> Option<Self> {
        (port != 0).then_some(Self { port, ..self })
    }

    /// The name or address without its zone, which has a meaning on this machine only.
    pub fn name_without_zone(&self) -> &str {
        self.name.split('%').next().unwrap_or_default()
    }

    /// The addresses of the host, at least one. For a name it asks the system's resolver, and
    /// blocks until that answers.
    pub fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = (self.name.as_str(), self.port).to_socket_addrs()?.collect();
        if found.is_empty() {
            return Err(std::io::Error::other(client::host_without_address()));
        }
        Ok(found)
    }

    /// Parses `HOST:PORT`, or `HOST` if there is a default port.
    pub fn parse(text: &str, port_default: Option<u16>) -> Result<Self, InvalidAddress> {
        let (name, port) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (name, rest) = bracketed.split_once(']').ok_or(InvalidAddress::Host)?;
                let name = checked_ipv6(name)?;
                let port = match rest.strip_prefix(':') {
                    None if !rest.is_empty() => return Err(InvalidAddress::NoPort),
                    port => port,
                };
                (name, port)
            }
            None if text.parse::<Ipv6Addr>().is_ok() => return Err(InvalidAddress::Brackets),
            None => match text.rsplit_once(':') {
                Some((name, port)) => (checked_name(name)?, Some(port)),
                None if port_default.is_none() => return Err(InvalidAddress::NoPort),
                None => (checked_name(text)?, None),
            },
        };
        let port = match (port, port_default) {
            // `u16::from_str` accepts a sign.
            (Some(port), _) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().unwrap_or(0)
            }
            (Some(_), _) => 0,
            (None, Some(port)) => port,
            (None, None) => return Err(InvalidAddress::NoPort),
        };
        if port == 0 { Err(InvalidAddress::Port) } else { Ok(Self { name, port }) }
    }

    fn file_stem(&self) -> String {
        let name = self.name.replace('%', "%25").replace(':', "%3a");
        format!("{name}_{}", self.port)
    }
}

impl FromStr for ServerAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = Path::new(path);
            let fits = path.as_os_str().len() <= PATH_BYTES_MAX;
            return match path.file_name() {
                Some(_) if path.is_absolute() && fits => Ok(Self::Unix(path.to_owned())),
                _ => Err(InvalidAddress::Path),
            };
        }
        let Some((scheme, host)) = text.split_once("://") else {
            return Host::parse(text, None).map(Self::Plain);
        };
        let host = host.strip_suffix('/').unwrap_or(host);
        match scheme {
            "chat" => Host::parse(host, Some(PLAIN_PORT)).map(Self::Plain),
            "chats" => Host::parse(host, Some(TLS_PORT)).map(Self::Tls),
            _ => Err(InvalidAddress::Scheme),
        }
    }
}

/// The form that can be parsed again.
impl fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(host) => host.fmt(formatter),
            Self::Tls(host) => write!(formatter, "chats://{host}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        if name.contains(':') {
            write!(formatter, "[{name}]:{port}")
        } else {
            write!(formatter, "{name}:{port}")
        }
    }
}

/// Checks an IPv6 address, with the zone (`%eth0`, `%2`) if there is one. The system's resolver
/// maps the zone to an interface, without asking a name server.
fn checked_ipv6(text: &str) -> Result<String, InvalidAddress> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let address: Ipv6Addr = address.parse().map_err(|_| InvalidAddress::Host)?;
    let Some(zone) = zone else { return Ok(address.to_string()) };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_zone = (1..=ZONE_BYTES_MAX).contains(&zone.len()) && zone.bytes().all(allowed);
    if is_zone { Ok(format!("{address}%{zone}")) } else { Err(InvalidAddress::Host) }
}

fn checked_name(host: &str) -> Result<String, InvalidAddress> {
    if host.contains(':') {
        return Err(InvalidAddress::Brackets);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(allowed) {
        return Err(InvalidAddress::Host);
    }
    Ok(host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<ServerAddress, InvalidAddress> {
        text.parse()
    }

    #[test]
    fn names_and_addresses_are_taken_and_shown_in_one_form() {
        for (text, shown) in [
            ("127.0.0.1:8889", "127.0.0.1:8889"),
            ("localhost:1", "localhost:1"),
            ("Chat.Example.ORG:65535", "chat.example.org:65535"),
            ("[::1]:8889", "[::1]:8889"),
            ("[0:0:0:0:0:0:0:1]:8889", "[::1]:8889"),
            ("[FE80:0::1%eth0]:8889", "[fe80::1%eth0]:8889"),
            ("chats://[fe80::1%2]", "chats://[fe80::1%2]:8890"),
            ("chat://localhost", "localhost:8889"),
            ("chat://localhost:1/", "localhost:1"),
            ("chats://Chat.Example.org", "chats://chat.example.org:8890"),
            ("chats://[::1]", "chats://[::1]:8890"),
            ("chats://[::1]:443/", "chats://[::1]:443"),
            ("unix:/run/chat/chat.sock", "unix:/run/chat/chat.sock"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn invalid_address_is_refused_with_the_reason() {
        for (text, why) in [
            ("", InvalidAddress::NoPort),
            ("localhost", InvalidAddress::NoPort),
            ("[::1]", InvalidAddress::NoPort),
            ("localhost:", InvalidAddress::Port),
            ("localhost:0", InvalidAddress::Port),
            ("localhost:65536", InvalidAddress::Port),
            ("localhost:abc", InvalidAddress::Port),
            ("localhost:+80", InvalidAddress::Port),
            ("localhost:-1", InvalidAddress::Port),
            ("[::1]:0", InvalidAddress::Port),
            (":8889", InvalidAddress::Host),
            ("a b:8889", InvalidAddress::Host),
            ("../x:8889", InvalidAddress::Host),
            ("[fe80:8889", InvalidAddress::Host),
            ("[localhost]:8889", InvalidAddress::Host),
            ("[fe80::1%]:8889", InvalidAddress::Host),
            ("[fe80::1%a/b]:8889", InvalidAddress::Host),
            ("[fe80::1%0123456789abcdef]:8889", InvalidAddress::Host),
            ("[fe80%eth0]:8889", InvalidAddress::Host),
            ("::1", InvalidAddress::Brackets),
            ("fe80::1:8889", InvalidAddress::Brackets),
            ("a:b:8889", InvalidAddress::Brackets),
            ("chats://::1", InvalidAddress::Brackets),
            ("chats://", InvalidAddress::Host),
            ("chats://a:", InvalidAddress::Port),
            ("chats://[::1]8890", InvalidAddress::NoPort),
            ("https://a", InvalidAddress::Scheme),
            ("CHATS://a", InvalidAddress::Scheme),
            ("unix:chat.sock", InvalidAddress::Path),
            ("unix:/", InvalidAddress::Path),
            ("unix:", InvalidAddress::Path),
        ] {
            assert_eq!(parse(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn figures_are_resolved_without_asking() {
        for text in ["127.0.0.1:8889", "[::1]:8889"] {
            let host = Host::parse(text, None).unwrap();
            assert_eq!(host.resolve().unwrap(), [text.parse().unwrap()]);
        }
    }

    #[test]
    fn zone_of_an_address_is_the_interface_of_that_name_or_number() {
        let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
        let index: u32 = index.trim().parse().unwrap();
        for text in ["[fe80::1%lo]:8889".to_owned(), format!("[fe80::1%{index}]:8889")] {
            let host = Host::parse(&text, None).unwrap();
            let found = host.resolve().unwrap();
            assert!(found.iter().all(|address| match address {
                SocketAddr::V6(address) => address.scope_id() == index && address.port() == 8889,
                SocketAddr::V4(_) => false,
            }));
        }
        let nowhere = Host::parse("[fe80::1%nothere]:1", None).unwrap();
        assert!(nowhere.resolve().is_err());
    }

    #[test]
    fn servers_that_differ_have_different_files() {
        let texts = [
            "[fe80::1%a]:1",
            "[fe80::1]:1",
            "a:8890",
            "chats://a",
            "unix:/a_8890",
            "unix:/a",
            "chats://a:8889",
        ];
        let mut stems: Vec<String> =
            texts.iter().map(|text| parse(text).unwrap().file_stem()).collect();
        stems.sort();
        stems.dedup();
        assert_eq!(stems.len(), texts.len());
    }

    proptest! {
        #[test]
        fn any_address_reads_back_and_names_a_plain_file(
            scheme in "|chat://|chats://",
            host in "[A-Za-z0-9._-]{1,40}|\\[[0-9a-f]{1,4}::[0-9a-f]{1,4}(%[a-z0-9._-]{1,15})?\\]",
            port in 1..=u16::MAX,
        ) {
            let address = parse(&format!("{scheme}{host}:{port}")).unwrap();
            prop_assert_eq!(parse(&address.to_string()).unwrap(), address.clone());
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-%".contains(&byte);
            prop_assert!(address.file_stem().bytes().all(plain));
        }

        #[test]
        fn any_text_is_an_address_or_refused(text: String) {
            let _ = parse(&text);
        }
    }
}
