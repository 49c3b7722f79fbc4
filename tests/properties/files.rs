//! The files of the client: the stored session, and the pinned certificates.

use chat::client::address::ServerAddress;
use chat::client::known_servers::{self, KnownServer};
use chat::client::servers::Servers;
use chat::client::session::{self, Account, Session};

use super::choices::Choices;

/// A session file gives a session only to its server and user, and reads back. Every address can be
/// given again, and has file names of its own.
pub fn session_is_for_its_server_and_user_alone(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let address = choices.text();
    let server: ServerAddress = address.parse().unwrap_or_else(|_| ServerAddress::local());
    let shown = server.to_string();
    assert_eq!(shown.parse().as_ref(), Ok(&server), "{shown} is no address");
    let stem = server.file_stem();
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._-%".contains(&byte);
    assert!(stem.bytes().all(harmless), "{stem}");

    let session = Session { user: choices.name(), token: choices.token() };
    let account = |user| Account { servers: server.clone().into(), user };
    let (anybody, somebody) = (account(None), account(Some(session.user.clone())));
    let other = account(Some("somebody-else".parse().expect("a name")));
    let elsewhere: [ServerAddress; 2] =
        ["elsewhere:1", "elsewhere:2"].map(|text| text.parse().expect("an address"));
    let elsewhere = elsewhere.into_iter().find(|other| *other != server).expect("one is another");
    let elsewhere = Account { servers: elsewhere.into(), user: None };
    let stored = session::encode(&anybody, &session);
    for account in [&anybody, &somebody] {
        assert_eq!(session::parse(&stored, account).as_ref(), Some(&session));
    }
    for account in [&other, &elsewhere] {
        assert_eq!(session::parse(&stored, account), None, "{account:?}");
    }

    // Other contents of the file.
    let junk = choices.0;
    let local = Account { servers: Servers::local(), user: None };
    if let Some(session) = session::parse(junk, &local) {
        let stored = session::encode(&local, &session);
        assert_eq!(session::parse(&stored, &local), Some(session));
        assert_eq!(session::parse(junk, &elsewhere), None);
    }
}

/// A file is accepted as a whole, or the error names one of its lines. Accepted contents read back
/// after they are written again.
pub fn known_servers_read_back_as_they_were_written(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match known_servers::parse(&text) {
        Err(number) => {
            let line = text.lines().nth(number - 1).expect("the line is one of the file");
            assert!(known_servers::parse(line).is_err(), "{line:?} alone is fine");
        }
        Ok(servers) => {
            let written = known_servers::encode(&servers);
            let again = known_servers::parse(&written);
            assert_eq!(again.as_ref(), Ok(&servers), "{written}");
            for KnownServer { host, fingerprint, .. } in &servers {
                assert_eq!(fingerprint.to_string().parse(), Ok(*fingerprint));
                let address = ServerAddress::Tls(host.clone());
                assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
