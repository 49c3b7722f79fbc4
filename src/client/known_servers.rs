//! The certificates that were pinned with `chat-cli trust`: the file `known_servers` in the
//! [`StateFolder`], one server per line.

use super::address::Host;
use super::exit::Exit;
use super::failure::Failure;
use super::state_folder::{FILE_BYTES_MAX, StateFolder};
use crate::catalogue::trust;
use crate::model::Timestamp;
use crate::tls::certificate::Fingerprint;

const NAME: &str = "known_servers";

/// A server with a pinned certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownServer {
    /// Its host and port.
    pub host: Host,
    /// The fingerprint of its certificate.
    pub fingerprint: Fingerprint,
    /// When it was pinned.
    pub since: Timestamp,
}

/// All pinned servers, in the order of the file.
pub fn all(folder: &StateFolder) -> Result<Vec<KnownServer>, Failure> {
    let Some(bytes) = folder.read(NAME)? else { return Ok(Vec::new()) };
    parse(&String::from_utf8_lossy(&bytes)).map_err(|number| {
        let message = trust::line_not_understood(folder.path_of(NAME).display(), number);
        Failure::new(Exit::LocalFile, message).with_hint(trust::correct_line())
    })
}

/// Parses the text of the file.
///
/// # Errors
/// The number of the first invalid line, counted from 1.
pub fn parse(text: &str) -> Result<Vec<KnownServer>, usize> {
    let lines = text.lines().enumerate().filter(|(_, line)| !is_comment(line));
    lines.map(|(index, line)| parse_line(line).ok_or(index + 1)).collect()
}

/// The text of the file for these servers.
pub fn encode(servers: &[KnownServer]) -> String {
    let mut text = format!("{}\n", trust::known_servers_heading());
    for KnownServer { host, fingerprint, since } in servers {
        text.push_str(&format!("{host} {fingerprint} {}\n", since.to_rfc3339()));
    }
    text
}

/// The fingerprint pinned for `host`, if any. A damaged file is an error, never a missing pin.
pub fn find(folder: &StateFolder, host: &Host) -> Result<Option<Fingerprint>, Failure> {
    let known = all(folder)?.into_iter().find(|known| known.host == *host);
    Ok(known.map(|known| known.fingerprint))
}

/// Pins the certificate of a server, in place of an older one.
pub fn pin(folder: &StateFolder, new: KnownServer) -> Result<(), Failure> {
    let _lock = folder.lock()?;
    let mut servers = all(folder)?;
    servers.retain(|known| known.host != new.host);
    servers.push(new);
    store(folder, &servers)
}

/// Removes the pin of `host`. Returns whether there was one.
pub fn forget(folder: &StateFolder, host: &Host) -> Result<bool, Failure> {
    let _lock = folder.lock()?;
    let mut servers = all(folder)?;
    let count = servers.len();
    servers.retain(|known| known.host != *host);
    if servers.len() < count {
        store(folder, &servers)?;
    }
    Ok(servers.len() < count)
}

fn store(folder: &StateFolder, servers: &[KnownServer]) -> Result<(), Failure> {
    let text = encode(servers);
    if text.len() as u64 > FILE_BYTES_MAX {
        let message = trust::file_full(folder.path_of(NAME).display());
        return Err(Failure::new(Exit::LocalFile, message).with_hint(trust::forget_servers()));
    }
    folder.write(NAME, text.as_bytes())
}

fn is_comment(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

fn parse_line(line: &str) -> Option<KnownServer> {
    let mut words = line.split_ascii_whitespace();
    let known = KnownServer {
        host: Host::parse(words.next()?, None).ok()?,
        fingerprint: words.next()?.parse().ok()?,
        since: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(host: &str, byte: &str) -> KnownServer {
        KnownServer {
            host: Host::parse(host, None).unwrap(),
            fingerprint: format!("SHA256:{}", byte.repeat(32)).parse().unwrap(),
            since: Timestamp(1_000),
        }
    }

    #[test]
    fn server_is_found_with_its_last_pin_until_it_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        let (first, second, other) =
            (known("a:1", "01"), known("a:1", "02"), known("[::1]:1", "03"));
        assert_eq!(find(&folder, &first.host).unwrap(), None);
        assert!(!forget(&folder, &first.host).unwrap());
        for server in [&first, &other, &second] {
            pin(&folder, server.clone()).unwrap();
        }
        assert_eq!(all(&folder).unwrap(), [other.clone(), second.clone()]);
        assert_eq!(find(&folder, &first.host).unwrap(), Some(second.fingerprint));
        assert!(forget(&folder, &first.host).unwrap());
        assert_eq!(all(&folder).unwrap(), [other]);
    }

    #[test]
    fn damaged_line_is_a_failure_and_no_server_that_is_not_known() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        pin(&folder, known("a:1", "01")).unwrap();
        let text = String::from_utf8(folder.read(NAME).unwrap().unwrap()).unwrap();
        for damaged in [text.replace(":01", ""), text.replace("a:1", "a"), format!("{text}x\n")] {
            folder.write(NAME, damaged.as_bytes()).unwrap();
            let failure = find(&folder, &known("b:1", "01").host).unwrap_err();
            assert!(failure.to_string().contains("is invalid"), "{failure}");
        }
        let spaced = format!("\n# mine\n{text}\n");
        folder.write(NAME, spaced.as_bytes()).unwrap();
        assert_eq!(all(&folder).unwrap().len(), 1);
    }

    #[test]
    fn file_never_grows_to_what_cannot_be_read_again() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        let long = "x".repeat(200);
        let full =
            (1..100).find(|port| pin(&folder, known(&format!("{long}:{port}"), "01")).is_err());
        assert_eq!(all(&folder).unwrap().len(), full.unwrap() - 1);
    }
}
