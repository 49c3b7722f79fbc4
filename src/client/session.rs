//! The session that one-shot commands share: a file an [`Account`] in the [`StateFolder`], or the
//! token in `CHAT_TOKEN`, which goes before it.

use serde::{Deserialize, Serialize};

use super::address::ServerAddress;
use super::exit::Exit;
use super::failure::Failure;
use super::state_folder::{SharedFile, StateFolder};
use crate::catalogue::client;
use crate::model::{Token, UserName};
use crate::protocol::refusal::Code;

/// The environment variable that holds a token.
pub const TOKEN_VARIABLE: &str = "CHAT_TOKEN";

/// Whose session on which server: that of one user, where one is meant, has a file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Where.
    pub server: ServerAddress,
    /// Who; whoever logged in last without saying so for what follows, where nobody is meant.
    pub user: Option<UserName>,
}

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
pub fn current(account: &Account) -> Result<(Token, Source), Failure> {
    if let Some(text) = std::env::var_os(TOKEN_VARIABLE).filter(|text| !text.is_empty()) {
        // Of what is no token there can be no session.
        let token = text.to_str().and_then(|text| text.parse().ok()).ok_or(Code::NoSession)?;
        return Ok((token, Source::Environment));
    }
    match load(account)? {
        Some(session) => Ok((session.token, Source::File)),
        None => Err(Failure::NotLoggedIn),
    }
}

/// The stored session of this account.
pub fn load(account: &Account) -> Result<Option<Session>, Failure> {
    match StateFolder::open(&StateFolder::locate()?)? {
        Some(folder) => load_from(&folder, account),
        None => Ok(None),
    }
}

/// [`load`], from a folder that is open.
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

/// Stores a session of this account, in place of the one that was there.
pub fn store(folder: &StateFolder, account: &Account, session: &Session) -> Result<(), Failure> {
    folder.write(&file_name(account), &encode(account, session))
}

/// A stored session in use. As long as this lives, another user of it can tell.
#[derive(Debug)]
pub struct SessionInUse {
    /// The session.
    pub session: Session,
    /// The prompt opened it, and nobody was shown its token.
    pub is_private: bool,
    file: SharedFile,
}

impl SessionInUse {
    /// Whether nobody else holds this session. From then on nobody can.
    pub fn take_over(&self) -> bool {
        self.file.take_over()
    }
}

/// [`store`] of a session whose token is shown to nobody.
pub fn store_private(
    folder: &StateFolder,
    account: &Account,
    session: &Session,
) -> Result<(), Failure> {
    folder.write(&file_name(account), &encode_as(account, session, true))
}

/// The stored session of this account, for a program that uses it for a while. `None` where there
/// is none. Refused as by [`load_from`].
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

/// Forgets the stored session, if it is still the one with this token: another process may have
/// logged in since.
pub fn forget(account: &Account, token: Token) -> Result<(), Failure> {
    let Some(folder) = StateFolder::open(&StateFolder::locate()?)? else { return Ok(()) };
    match load_from(&folder, account)? {
        Some(session) if session.token == token => folder.remove(&file_name(account)),
        _ => Ok(()),
    }
}

/// What is in the file, as JSON.
#[derive(Serialize, Deserialize)]
struct Fields {
    server: String,
    user: UserName,
    token: String,
    /// See [`SessionInUse::is_private`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    private: bool,
}

/// What the file of this session has in it.
pub fn encode(account: &Account, session: &Session) -> Vec<u8> {
    encode_as(account, session, false)
}

fn encode_as(account: &Account, session: &Session, private: bool) -> Vec<u8> {
    let fields = Fields {
        server: account.server.to_string(),
        user: session.user.clone(),
        token: session.token.reveal(),
        private,
    };
    let mut bytes = Vec::new();
    crate::protocol::json::encode(&fields, &mut bytes);
    bytes.push(b'\n');
    bytes
}

/// The other way round. A token is for one server alone: one that was stored for another is never
/// shown to this.
pub fn parse(bytes: &[u8], account: &Account) -> Option<Session> {
    parse_as(bytes, account).map(|(session, _)| session)
}

fn parse_as(bytes: &[u8], account: &Account) -> Option<(Session, bool)> {
    let fields: Fields = serde_json::from_slice(bytes).ok()?;
    let token = fields.token.parse().ok()?;
    let is_meant = fields.server == account.server.to_string()
        && account.user.as_ref().is_none_or(|user| *user == fields.user);
    is_meant.then_some((Session { user: fields.user, token }, fields.private))
}

/// No host name and no user name has an `@`, so no two accounts share a file.
fn file_name(account: &Account) -> String {
    let server = account.server.file_stem();
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
        Account { server: server.parse().unwrap(), user }
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
    fn damaged_file_is_told_and_logging_in_mends_it() {
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
