//! The session that one-shot commands share: a file a server in the [`StateFolder`], or the token
//! in `CHAT_TOKEN`, which goes before it.

use serde::{Deserialize, Serialize};

use super::address::ServerAddress;
use super::exit::Exit;
use super::failure::Failure;
use super::state_folder::StateFolder;
use crate::catalogue::client;
use crate::model::{Token, UserName};
use crate::protocol::refusal::Code;

/// The environment variable that holds a token.
pub const TOKEN_VARIABLE: &str = "CHAT_TOKEN";

/// A session somebody logged in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub user: UserName,
    /// The proof.
    pub token: Token,
}

/// Where a token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `CHAT_TOKEN`.
    Environment,
    /// The session file.
    File,
}

/// The token to show to the server: that of `CHAT_TOKEN`, else the stored one. No file is touched
/// when `CHAT_TOKEN` is set. Without either the failure is the seed's `not authorized`.
pub fn current(address: &ServerAddress) -> Result<(Token, Source), Failure> {
    if let Some(text) = std::env::var_os(TOKEN_VARIABLE).filter(|text| !text.is_empty()) {
        // Of what is no token there can be no session.
        let token = text.to_str().and_then(|text| text.parse().ok()).ok_or(Code::NoSession)?;
        return Ok((token, Source::Environment));
    }
    match load(address)? {
        Some(session) => Ok((session.token, Source::File)),
        None => Err(Failure::NotLoggedIn),
    }
}

/// The stored session for this server.
pub fn load(address: &ServerAddress) -> Result<Option<Session>, Failure> {
    match StateFolder::open(&StateFolder::locate()?)? {
        Some(folder) => load_from(&folder, address),
        None => Ok(None),
    }
}

/// [`load`], from a folder that is open.
pub fn load_from(
    folder: &StateFolder,
    address: &ServerAddress,
) -> Result<Option<Session>, Failure> {
    let name = file_name(address);
    let Some(bytes) = folder.read(&name)? else { return Ok(None) };
    match parse(&bytes, address) {
        Some(session) => Ok(Some(session)),
        None => {
            let message = client::session_file_damaged(folder.path_of(&name).display());
            Err(Failure::trouble(Exit::LocalFile, message).with_hint(client::log_in_again()))
        }
    }
}

/// Stores a session for this server, in place of the one that was there.
pub fn store(
    folder: &StateFolder,
    address: &ServerAddress,
    session: &Session,
) -> Result<(), Failure> {
    let fields = Fields {
        server: address.to_string(),
        user: session.user.clone(),
        token: session.token.reveal(),
    };
    let mut bytes = Vec::new();
    crate::protocol::json::encode(&fields, &mut bytes);
    bytes.push(b'\n');
    folder.write(&file_name(address), &bytes)
}

/// Forgets the stored session, if it is still the one with this token: another process may have
/// logged in since.
pub fn forget(address: &ServerAddress, token: Token) -> Result<(), Failure> {
    let Some(folder) = StateFolder::open(&StateFolder::locate()?)? else { return Ok(()) };
    match load_from(&folder, address)? {
        Some(session) if session.token == token => folder.remove(&file_name(address)),
        _ => Ok(()),
    }
}

/// What is in the file, as JSON.
#[derive(Serialize, Deserialize)]
struct Fields {
    server: String,
    user: UserName,
    token: String,
}

/// A token is for one server alone: one that was stored for another is never shown to this.
fn parse(bytes: &[u8], address: &ServerAddress) -> Option<Session> {
    let fields: Fields = serde_json::from_slice(bytes).ok()?;
    let token = fields.token.parse().ok()?;
    (fields.server == address.to_string()).then_some(Session { user: fields.user, token })
}

fn file_name(address: &ServerAddress) -> String {
    format!("session-{}.json", address.file_stem())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address() -> ServerAddress {
        "127.0.0.1:8889".parse().unwrap()
    }

    fn session() -> Session {
        Session { user: "paff".parse().unwrap(), token: Token::generate() }
    }

    #[test]
    fn stored_session_reads_back_for_its_server_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        let session = session();
        store(&folder, &address(), &session).unwrap();
        assert_eq!(load_from(&folder, &address()).unwrap(), Some(session.clone()));
        let other = "127.0.0.1:8890".parse().unwrap();
        assert_eq!(load_from(&folder, &other).unwrap(), None);

        let bytes = folder.read(&file_name(&address())).unwrap().unwrap();
        folder.write(&file_name(&other), &bytes).unwrap();
        assert!(load_from(&folder, &other).is_err(), "a token is shown to another server");
    }

    #[test]
    fn damaged_file_is_told_and_logging_in_mends_it() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        for junk in ["", "{", "[]", r#"{"server": "127.0.0.1:8889", "user": "paff"}"#] {
            folder.write(&file_name(&address()), junk.as_bytes()).unwrap();
            assert_eq!(load_from(&folder, &address()).unwrap_err().exit(), Exit::LocalFile);
        }
        store(&folder, &address(), &session()).unwrap();
        assert!(load_from(&folder, &address()).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_session_or_refused(bytes: Vec<u8>) {
            let _ = parse(&bytes, &address());
        }
    }
}
