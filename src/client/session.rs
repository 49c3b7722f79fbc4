//! The session that one-shot commands share: one file per [`Account`] in the [`StateFolder`], or
//! the token in `CHAT_TOKEN`, which takes precedence.

use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::failure::Failure;
use super::servers::Servers;
use super::state_folder::{SharedFile, StateFolder};
use crate::catalogue::client;
use crate::model::{Token, UserName};
use crate::protocol::refusal::Code;

/// The environment variable that holds a token.
pub const TOKEN_VARIABLE: &str = "CHAT_TOKEN";

/// A service and optionally a user of it. Each such user, and each list of servers, has its own
/// session file: a token is shown to no server that was not in the list at the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The servers, all of which know the session.
    pub servers: Servers,
    /// The user; `None` for the session of the last `auth` without `--user`.
    pub user: Option<UserName>,
}

/// A session on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its user.
    pub user: UserName,
    /// Its token.
    pub token: Token,
}

/// Where a token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `CHAT_TOKEN`.
    Environment,
    /// The session file.
    File,
    /// A new session, of the user whom the kernel names to the server.
    Kernel,
}

/// The token for the server: from `CHAT_TOKEN`, else the stored one. If `CHAT_TOKEN` is set, no
/// file is opened. Without a token, the failure is [`Failure::NotLoggedIn`].
pub fn current(account: &Account) -> Result<(Token, Source), Failure> {
    if let Some(text) = std::env::var_os(TOKEN_VARIABLE).filter(|text| !text.is_empty()) {
        // A text that is not a token cannot belong to a session.
        let token = text.to_str().and_then(|text| text.parse().ok()).ok_or(Code::NoSession)?;
        return Ok((token, Source::Environment));
    }
    match load(account)? {
        Some(session) => Ok((session.token, Source::File)),
        None => Err(Failure::NotLoggedIn),
    }
}

/// Whether there is a session for this account, in `CHAT_TOKEN` or stored. A file that cannot be
/// used counts, so that it is reported.
pub fn exists(account: &Account) -> bool {
    let is_set = std::env::var_os(TOKEN_VARIABLE).is_some_and(|text| !text.is_empty());
    is_set || StateFolder::locate().is_ok() && !matches!(load(account), Ok(None))
}

/// The stored session of this account.
pub fn load(account: &Account) -> Result<Option<Session>, Failure> {
    match StateFolder::open(&StateFolder::locate()?)? {
        Some(folder) => load_from(&folder, account),
        None => Ok(None),
    }
}

/// [`load`], from an open folder.
pub fn load_from(folder: &StateFolder, account: &Account) -> Result<Option<Session>, Failure> {
    let name = file_name(account);
    let Some(bytes) = folder.read(&name)? else { return Ok(None) };
    match parse(&bytes, account) {
        Some(session) => Ok(Some(session)),
        None => Err(damaged(folder, &name)),
    }
}

fn damaged(folder: &StateFolder, name: &str) -> Failure {
    let message = client::session_file_damaged(folder.path_of(name).display());
    Failure::new(Exit::LocalFile, message).with_hint(client::log_in_again())
}

/// Stores a session of this account, replacing the previous one.
pub fn store(folder: &StateFolder, account: &Account, session: &Session) -> Result<(), Failure> {
    folder.write(&file_name(account), &encode(account, session))
}

/// A stored session in use. While this value lives, other prompts can see that the session is in
/// use.
#[derive(Debug)]
pub struct SessionInUse {
    /// The session.
    pub session: Session,
    /// Whether the prompt opened the session, so that its token was never shown.
    pub is_private: bool,
    file: SharedFile,
}

impl SessionInUse {
    /// Whether no other process uses this session. If so, none can begin to use it afterwards.
    pub fn take_over(&self) -> bool {
        self.file.take_over()
    }
}

/// [`store`] for a session whose token was never shown.
pub fn store_private(
    folder: &StateFolder,
    account: &Account,
    session: &Session,
) -> Result<(), Failure> {
    folder.write(&file_name(account), &encode_as(account, session, true))
}

/// The stored session of this account, marked as in use. `None` if there is none. Fails as
/// [`load_from`] does.
pub fn begin_use(folder: &StateFolder, account: &Account) -> Result<Option<SessionInUse>, Failure> {
    let name = file_name(account);
    let Some(file) = folder.share(&name)? else { return Ok(None) };
    let path = folder.path_of(&name);
    let bytes = file.read().map_err(|error| {
        Failure::new(Exit::LocalFile, client::file_not_read(path.display(), error))
    })?;
    match parse_as(&bytes, account) {
        Some((session, is_private)) => Ok(Some(SessionInUse { session, is_private, file })),
        None => Err(damaged(folder, &name)),
    }
}

/// Removes the stored session, unless its token is another one: another process may have logged in
/// meanwhile.
pub fn forget(account: &Account, token: Token) -> Result<(), Failure> {
    let Some(folder) = StateFolder::open(&StateFolder::locate()?)? else { return Ok(()) };
    match load_from(&folder, account)? {
        Some(session) if session.token == token => folder.remove(&file_name(account)),
        _ => Ok(()),
    }
}

/// The JSON object in the file.
#[derive(Serialize, Deserialize)]
struct Fields {
    server: String,
    user: UserName,
    token: String,
    /// See [`SessionInUse::is_private`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    private: bool,
}

/// The content of the session's file.
pub fn encode(account: &Account, session: &Session) -> Vec<u8> {
    encode_as(account, session, false)
}

fn encode_as(account: &Account, session: &Session, private: bool) -> Vec<u8> {
    let fields = Fields {
        server: account.servers.service(),
        user: session.user.clone(),
        token: session.token.reveal(),
        private,
    };
    let mut bytes = Vec::new();
    crate::protocol::json::encode(&fields, &mut bytes);
    bytes.push(b'\n');
    bytes
}

/// Parses a session's file. A token is for one service only, so a token that was stored for another
/// one is refused.
pub fn parse(bytes: &[u8], account: &Account) -> Option<Session> {
    parse_as(bytes, account).map(|(session, _)| session)
}

fn parse_as(bytes: &[u8], account: &Account) -> Option<(Session, bool)> {
    let fields: Fields = serde_json::from_slice(bytes).ok()?;
    let token = fields.token.parse().ok()?;
    let is_meant = fields.server == account.servers.service()
        && account.user.as_ref().is_none_or(|user| *user == fields.user);
    is_meant.then_some((Session { user: fields.user, token }, fields.private))
}

/// Neither host names nor user names contain `@`, so no two accounts share a file.
fn file_name(account: &Account) -> String {
    let server = account.servers.file_stem();
    match &account.user {
        Some(user) => format!("session-{user}@{server}.json"),
        None => format!("session-{server}.json"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account(server: &str, user: Option<&str>) -> Account {
        let user = user.map(|user| user.parse().unwrap());
        Account { servers: server.parse().unwrap(), user }
    }

    fn here() -> Account {
        account("127.0.0.1:8889", None)
    }

    fn session() -> Session {
        Session { user: "paff".parse().unwrap(), token: Token::generate() }
    }

    #[test]
    fn stored_session_reads_back_for_its_server_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        let session = session();
        store(&folder, &here(), &session).unwrap();
        assert_eq!(load_from(&folder, &here()).unwrap(), Some(session.clone()));
        let other = account("127.0.0.1:8890", None);
        assert_eq!(load_from(&folder, &other).unwrap(), None);

        let bytes = folder.read(&file_name(&here())).unwrap().unwrap();
        folder.write(&file_name(&other), &bytes).unwrap();
        assert!(load_from(&folder, &other).is_err(), "a token is shown to another server");
    }

    #[test]
    fn session_is_taken_over_by_its_last_holder() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        assert!(begin_use(&folder, &here()).unwrap().is_none());
        let (shown, private) = (session(), session());
        store(&folder, &here(), &shown).unwrap();
        let held = begin_use(&folder, &here()).unwrap().unwrap();
        assert_eq!((&held.session, held.is_private), (&shown, false));
        store_private(&folder, &here(), &private).unwrap();
        let held = begin_use(&folder, &here()).unwrap().unwrap();
        assert_eq!((&held.session, held.is_private), (&private, true));
        assert_eq!(load_from(&folder, &here()).unwrap(), Some(private));
        let other = begin_use(&folder, &here()).unwrap();
        assert!(!held.take_over());
        drop(other);
        assert!(held.take_over());
    }

    #[test]
    fn users_of_one_server_have_sessions_of_their_own() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        let (paff, neko) = (account("h:1", Some("paff")), account("h:1", Some("neko")));
        let session = session();
        store(&folder, &paff, &session).unwrap();
        assert_eq!(load_from(&folder, &neko).unwrap(), None);
        assert_eq!(load_from(&folder, &account("h:1", None)).unwrap(), None);
        assert_eq!(load_from(&folder, &paff).unwrap(), Some(session));
        let bytes = folder.read(&file_name(&paff)).unwrap().unwrap();
        folder.write(&file_name(&neko), &bytes).unwrap();
        assert!(load_from(&folder, &neko).is_err(), "neko acts as paff");
    }

    #[test]
    fn list_of_servers_has_one_session_in_any_order() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        let session = session();
        store(&folder, &account("a:1,b:1", None), &session).unwrap();
        assert_eq!(load_from(&folder, &account("b:1,a:1", None)).unwrap(), Some(session));
        for other in ["a:1", "b:1", "a:1,b:1,c:1"] {
            assert_eq!(load_from(&folder, &account(other, None)).unwrap(), None, "{other}");
        }
    }

    #[test]
    fn damaged_file_is_reported_and_logging_in_repairs_it() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        for junk in ["", "{", "[]", r#"{"server": "127.0.0.1:8889", "user": "paff"}"#] {
            folder.write(&file_name(&here()), junk.as_bytes()).unwrap();
            assert_eq!(load_from(&folder, &here()).unwrap_err().exit(), Exit::LocalFile);
        }
        store(&folder, &here(), &session()).unwrap();
        assert!(load_from(&folder, &here()).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_session_or_refused(bytes: Vec<u8>) {
            let _ = parse(&bytes, &here());
        }
    }
}
