//! Where the server is: `HOST:PORT`.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use crate::catalogue::client;

/// The longest host name there is (RFC 1035).
const HOST_BYTES_MAX: usize = 253;

/// A host name or address, and a port that is not 0. Whether there is such a host is not known
/// before [`resolve`](Self::resolve).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// In lower case; an IPv6 address without its brackets, in its one short form.
    host: String,
    port: u16,
}

/// Why a text is no [`ServerAddress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// There is no `:PORT`.
    #[error("{}", client::address_without_port())]
    NoPort,
    /// The port is no number from 1 to 65535.
    #[error("{}", client::port_out_of_range())]
    Port,
    /// What stands before the port is no host name and no address.
    #[error("{}", client::host_invalid())]
    Host,
    /// An IPv6 address without brackets: which colon is the port's cannot be told.
    #[error("{}", client::address_without_brackets())]
    Brackets,
}

impl ServerAddress {
    /// The addresses of the host, at least one. Asks the system's resolver, which may block for as
    /// long as that takes; an address in figures is not asked for.
    pub fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        if found.is_empty() {
            return Err(std::io::Error::other(client::host_without_address()));
        }
        Ok(found)
    }

    /// This machine, at the server's own port: where it listens unless it is told otherwise.
    pub fn local() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 8889 }
    }

    /// A name for files that belong to this server: different for every address, without any
    /// character that means something to a file system or a shell.
    pub fn file_stem(&self) -> String {
        let host = self.host.replace(':', "%3a");
        format!("{host}_{}", self.port)
    }
}

impl FromStr for ServerAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (host, port) = bracketed.split_once(']').ok_or(InvalidAddress::Host)?;
                let host: Ipv6Addr = host.parse().map_err(|_| InvalidAddress::Host)?;
                (host.to_string(), port.strip_prefix(':').ok_or(InvalidAddress::NoPort)?)
            }
            None => {
                if text.parse::<Ipv6Addr>().is_ok() {
                    return Err(InvalidAddress::Brackets);
                }
                let (host, port) = text.rsplit_once(':').ok_or(InvalidAddress::NoPort)?;
                (checked_name(host)?, port)
            }
        };
        // `u16::from_str` takes a sign.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        match port.parse() {
            Ok(port) if digits && port != 0 => Ok(Self { host, port }),
            _ => Err(InvalidAddress::Port),
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
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
        ] {
            assert_eq!(parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_told_why() {
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
            ("::1", InvalidAddress::Brackets),
            ("fe80::1:8889", InvalidAddress::Brackets),
            ("a:b:8889", InvalidAddress::Brackets),
        ] {
            assert_eq!(parse(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn figures_are_resolved_without_asking() {
        for text in ["127.0.0.1:8889", "[::1]:8889"] {
            let found = parse(text).unwrap().resolve().unwrap();
            assert_eq!(found, [text.parse().unwrap()]);
        }
    }

    proptest! {
        #[test]
        fn any_address_reads_back_and_names_a_plain_file(
            host in "[A-Za-z0-9._-]{1,40}|\\[[0-9a-f]{1,4}::[0-9a-f]{1,4}\\]",
            port in 1..=u16::MAX,
        ) {
            let address = parse(&format!("{host}:{port}")).unwrap();
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
