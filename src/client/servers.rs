//! The servers of one service: any of them will do, because they share their database.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::address::{InvalidAddress, ServerAddress};
use crate::catalogue::client;

/// The most servers of one service.
pub const SERVERS_MAX: usize = 16;

/// One server, or several that serve the same users and messages, in the order in which to try
/// them. None is there twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers(Vec<ServerAddress>);

/// Why a text does not name the servers of a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServers {
    /// The only address is invalid.
    #[error("{0}")]
    Address(InvalidAddress),
    /// One of several addresses is invalid.
    #[error("{given:?}: {problem}")]
    OneOf {
        /// The address.
        given: String,
        /// What is wrong with it.
        problem: InvalidAddress,
    },
    /// An address is there twice.
    #[error("{}", client::server_twice(.0))]
    Twice(ServerAddress),
    /// There are more than [`SERVERS_MAX`].
    #[error("{}", client::too_many_servers(SERVERS_MAX))]
    TooMany,
}

impl Servers {
    /// This machine and the default port.
    pub fn local() -> Self {
        ServerAddress::local().into()
    }

    /// The addresses, at least one.
    pub fn addresses(&self) -> &[ServerAddress] {
        &self.0
    }

    /// Whether a second server can be tried.
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// The name of the service in the client's own files. The order of the servers does not matter.
    /// The name of a single server is its address.
    pub fn service(&self) -> String {
        let mut texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        texts.sort();
        texts.join(",")
    }

    /// A file name for this service. It is different for every service, and contains no character
    /// with a meaning to a file system or a shell.
    pub fn file_stem(&self) -> String {
        match self.0.as_slice() {
            [only] => only.file_stem(),
            _ => {
                let digest = Sha256::digest(self.service());
                let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("servers%3a{hex}")
            }
        }
    }
}

impl From<ServerAddress> for Servers {
    fn from(server: ServerAddress) -> Self {
        Self(vec![server])
    }
}

impl FromStr for Servers {
    type Err = InvalidServers;

    /// Accepts one address, or several with commas between them.
    fn from_str(text: &str) -> Result<Self, InvalidServers> {
        let parts = split(text);
        if parts.len() > SERVERS_MAX {
            return Err(InvalidServers::TooMany);
        }
        let is_one = parts.len() == 1;
        let mut servers = Vec::with_capacity(parts.len());
        for given in parts {
            let server: ServerAddress = given.parse().map_err(|problem| match is_one {
                true => InvalidServers::Address(problem),
                false => InvalidServers::OneOf { given, problem },
            })?;
            if servers.contains(&server) {
                return Err(InvalidServers::Twice(server));
            }
            servers.push(server);
        }
        Ok(Self(servers))
    }
}

/// Splits at the commas, except at those in the path of a socket: what follows such a comma is no
/// address.
fn split(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(',') {
        match parts.last_mut() {
            Some(path) if path.starts_with("unix:") && part.parse::<ServerAddress>().is_err() => {
                path.push(',');
                path.push_str(part);
            }
            _ => parts.push(part.trim().to_owned()),
        }
    }
    parts
}

/// The form that can be parsed again.
impl fmt::Display for Servers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, server) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(formatter, "{comma}{server}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Servers {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn addresses(text: &str) -> Vec<String> {
        parse(text).addresses().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn list_keeps_its_order() {
        assert_eq!(addresses("a:1"), ["a:1"]);
        assert_eq!(addresses("b:1,chats://a,unix:/s"), ["b:1", "chats://a:8890", "unix:/s"]);
        assert_eq!(addresses("b:1, a:1"), ["b:1", "a:1"]);
        assert_eq!(parse("b:1, a:1").to_string(), "b:1,a:1");
    }

    #[test]
    fn comma_in_the_path_of_a_socket_is_a_part_of_it() {
        assert_eq!(addresses("unix:/a,b"), ["unix:/a,b"]);
        assert_eq!(addresses("unix:/a,b,c:1,unix:/d,"), ["unix:/a,b", "c:1", "unix:/d,"]);
    }

    #[test]
    fn mistake_names_the_address() {
        let said = |text: &str| text.parse::<Servers>().unwrap_err().to_string();
        let alone = "a".parse::<ServerAddress>().unwrap_err().to_string();
        assert_eq!(said("a"), alone);
        assert_eq!(said("b:1,a"), format!("\"a\": {alone}"));
        assert_eq!(said("b:1,"), format!("\"\": {alone}"));
        assert!(said("a:1,b:1,A:1").starts_with("a:1 "));
        let many: Vec<String> = (1..=SERVERS_MAX + 1).map(|port| format!("a:{port}")).collect();
        assert_eq!(many.join(",").parse::<Servers>(), Err(InvalidServers::TooMany));
    }

    #[test]
    fn service_is_the_same_in_any_order_and_another_with_other_servers() {
        let stem = |text: &str| parse(text).file_stem();
        assert_eq!(stem("a:1,b:1"), stem("b:1,a:1"));
        assert_eq!(parse("a:1,b:1").service(), parse("b:1,a:1").service());
        assert_ne!(stem("a:1,b:1"), stem("a:1,b:1,c:1"));
        assert_ne!(stem("a:1,b:1"), stem("a:1"));
        let one: ServerAddress = "a:1".parse().unwrap();
        assert_eq!(stem("a:1"), one.file_stem());
    }

    proptest! {
        #[test]
        fn any_text_is_a_service_or_refused(text: String) {
            let _ = text.parse::<Servers>();
        }

        #[test]
        fn any_list_reads_back(ports in proptest::collection::hash_set(1..=u16::MAX, 1..6)) {
            let list: Vec<String> = ports.iter().map(|port| format!("chats://h:{port}")).collect();
            let servers = parse(&list.join(","));
            prop_assert_eq!(servers.addresses().len(), ports.len());
            prop_assert_eq!(parse(&servers.to_string()), servers);
        }
    }
}
