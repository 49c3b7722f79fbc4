//! Passwords and tokens go through every verb that takes one, successful and refused. None of their
//! bytes is in any file of the server or the client, nor in what their processes show to others.
//! The files are searched while the server runs, after a kill, and after a stop. Only the session
//! file of `chat-cli` has its token.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::support::cli::{Home, told};
use crate::support::http::send;
use crate::support::pty::{CTRL_C, CTRL_D, PASTE_BEGIN, PASTE_END, Terminal};
use crate::support::skip::is_here;
use crate::support::websocket::WebSocket;
use crate::support::{Random, Server, Wire, scaled, server_command};
use crate::support::{cli, operator};

/// How many first bytes of a secret are searched for, so that a remaining part of it is found.
const LOOKED_FOR: usize = 16;

/// Searches for all secrets at once: those that are in `bytes`.
fn found<'a>(secrets: &'a [String], bytes: &[u8]) -> Vec<&'a str> {
    let begins: std::collections::HashMap<&[u8], &str> =
        secrets.iter().map(|secret| (&secret.as_bytes()[..LOOKED_FOR], secret.as_str())).collect();
    bytes.windows(LOOKED_FOR).filter_map(|window| begins.get(window).copied()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is_file = path.symlink_metadata().expect("metadata").is_file();
            if is_file {
                found.push(path)
            } else if path.is_dir() {
                folders.push(path)
            }
        }
    }
    found
}

/// No file except `allowed` has any of them, nor does the system show one for the process.
fn assert_nowhere(secrets: &[String], folder: &Path, allowed: &[PathBuf]) {
    let files = files(folder);
    assert!(!files.is_empty(), "there is something to look at in {}", folder.display());
    for path in files.iter().filter(|path| !allowed.contains(path)) {
        let found = found(secrets, &fs::read(path).expect("a file"));
        assert!(found.is_empty(), "{} has {found:?}", path.display());
    }
}

fn assert_not_shown(secrets: &[String], pid: i32) {
    for name in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{pid}/{name}")).expect("a process");
        assert!(found(secrets, &bytes).is_empty(), "{name} of the process");
    }
}

/// Runs a command that reads a password, and inspects its command line and environment meanwhile.
fn enter_password(mut command: Command, password: &str) {
    let mut child = cli::start(command.stdin(Stdio::piped()));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(password.as_bytes()).unwrap();
    // It waits for the end of the line.
    assert_not_shown(&[password.to_owned()], child.id().try_into().unwrap());
    stdin.write_all(b"\n").unwrap();
    drop(stdin);
    let outcome = told(child.wait_with_output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome:?}");
}

/// A secret of 24 random characters.
fn secret(random: &mut Random) -> String {
    format!("{:012x}{:012x}", random.next() >> 16, random.next() >> 16)
}

/// Each verb with a token, successful where possible, and refused.
fn use_token(wire: &mut Wire, token: &str) {
    for line in [
        format!("send {token} neko hai"),
        format!("send {token} nobody hai"),
        format!("send {token}"),
        format!(r#"post {token} {{"to": ["neko"], "body": "x"}}"#),
        format!(r#"post {token} {{"nonsense": 1}}"#),
        format!("inbox {token}"),
        format!("list {token}"),
        format!("fetch {token} {{}}"),
        format!("ack {token} {{\"upto\": 1000000}}"),
        format!("unread {token}"),
        format!("whoami {token}"),
        format!("sessions {token}"),
        format!("revoke {token} {{\"session\": 0}}"),
        format!("passwd {token} nonsense"),
        token.to_owned(),
        format!("nonsense {token}"),
        format!("auth {token} {token}"),
        format!("logout {token}x"),
        format!("logout {token}"),
        format!("whoami {token}"),
    ] {
        wire.ask(line);
    }
}

/// Requests over HTTP with a token, as it is and as a password.
fn use_over_http(server: &Server, token: &str) {
    let bearer = format!("Bearer {token}");
    for request in ["POST /neko", "POST /nobody", "GET /inbox/json?poll=1", "GET /nothing"] {
        send(server.http(), request, &[("Authorization", &bearer)], "hai");
    }
    send(server.http(), &format!("POST /neko?auth={token}"), &[], "hai");
    send(server.http(), &format!("POST /hooks/{token}"), &[], r#"{"text": "hai"}"#);
    send(server.http(), &format!("POST /hooks/{token}/more"), &[], "hai");
    send(server.http(), "POST /api/v1/whoami", &[("Authorization", &bearer)], "{}");
    let cookie = format!("chat={token}; __Host-chat={token}");
    for origin in ["null", "http://localhost"] {
        let fields = [("Cookie", cookie.as_str()), ("Origin", origin)];
        send(server.http(), "GET /inbox/json?poll=1", &fields, "");
    }
    // In the handshake of a WebSocket, in a line, and where it must not be.
    let path = "/api/v1/socket";
    for fields in
        [&[][..], &[("Authorization", bearer.as_str())], &[("Sec-WebSocket-Protocol", token)]]
    {
        let Ok(mut socket) = WebSocket::open(server.http(), path, fields) else { continue };
        for line in [format!("whoami {token}"), format!("nonsense {token}"), "whoami -".to_owned()]
        {
            socket.send(&line);
            socket.text().expect("a reply");
        }
    }
    let query = format!("{path}?token={token}");
    assert!(WebSocket::open(server.http(), &query, &[]).is_err(), "a URL has no token");
    if is_here("curl") {
        let url = format!("http://{}/neko", server.http());
        let config = format!("user = \":{token}\"\nurl = \"{url}\"\ndata = \"hai\"\n");
        let mut curl = Command::new("curl")
            .args(["-sS", "--http2-prior-knowledge", "-K", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        curl.stdin.take().unwrap().write_all(config.as_bytes()).unwrap();
        assert!(curl.wait().unwrap().success());
    }
}

#[test]
fn no_byte_of_a_password_or_token_is_where_it_does_not_belong() {
    let (passwords, tokens) = (scaled(10, 1_000), scaled(20, 1_000));
    let mut random = Random::new();
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    command.args(["--log", "trace", "--slow-request", "1ms", "--http", "127.0.0.1:0"]);
    command.args(["--login-failures-per-address-max", "1000000"]);
    command.stderr(Stdio::from(File::create(elsewhere.path().join("log")).unwrap()));
    let mut server = Server::start_command(command, folder);
    let mut wire = server.connect();
    let mut secrets = Vec::new();

    let holder = wire.log_in("ivy");
    let mut old = "cytus".to_owned();
    for _ in 0..passwords {
        let (wrong, new) = (secret(&mut random), secret(&mut random));
        wire.refused(format!("auth ivy {wrong}"));
        wire.refused(format!("auth nobody {wrong}"));
        wire.refused(format!("auth {wrong} {wrong}"));
        wire.refused(format!("passwd {holder} {}", json!({"old": wrong, "new": new})));
        wire.done(format!("passwd {holder} {}", json!({"old": old, "new": new})));
        secrets.extend([wrong, new.clone()]);
        old = new;
    }
    secrets.push(holder);
    for _ in 0..tokens {
        let token = wire.log_in("paff");
        use_token(&mut wire, &token);
        use_over_http(&server, &token);
        secrets.push(token);
    }

    let session = wire.log_in("paff");
    for number in 0..5 {
        let name = format!("t{number}");
        let create = match number % 2 {
            0 => json!({"name": name, "can": "all"}),
            _ => json!({"name": name, "can": "hook", "to": ["neko"]}),
        };
        let created = wire.done(format!("token_create {session} {create}"));
        let token = created["token"].as_str().unwrap().to_owned();
        use_token(&mut wire, &token);
        use_over_http(&server, &token);
        wire.done(format!("token_revoke {session} {}", json!({"name": name})));
        wire.refused(format!("whoami {token}"));
        secrets.push(token);
    }
    secrets.push(session);
    for number in 0..3 {
        let (name, chosen) = (format!("mia{number}"), secret(&mut random));
        let made = operator::objects(&server.database(), &["invite"]);
        let invitation = made[0]["link"].as_str().unwrap().to_owned();
        let fields = |password: &str| {
            json!({"invitation": invitation, "user": name, "password": password}).to_string()
        };
        wire.done(format!("invitation {}", json!({"invitation": invitation})));
        wire.refused(format!("whoami {invitation}"));
        send(server.http(), "POST /api/v1/invitation", &[], fields(&chosen));
        send(server.http(), "POST /api/v1/accept", &[], fields(&chosen));
        wire.done(format!("accept {}", fields(&chosen)));
        let wrong = secret(&mut random);
        wire.refused(format!("accept {}", fields(&wrong)));
        secrets.extend([invitation, chosen, wrong]);
    }
    // An operator's password, and an operator's inputs.
    let operators = secret(&mut random);
    enter_password(operator::command(&server.database(), &["user", "add", "ada"]), &operators);
    secrets.push(operators.clone());
    // A copy of a database that is being written.
    let backup = elsewhere.path().join("backup.sqlite");
    operator::done(&server.database(), &["backup", backup.to_str().unwrap()]);
    let export = operator::done(&server.database(), &["export"]);
    fs::write(elsewhere.path().join("export"), export).unwrap();

    // The client: only its session file has the token.
    let home = Home::new(server.address());
    enter_password(home.cli(["auth", "ada"]), &operators);
    let session = home.session_file();
    secrets.push(home.token());
    assert_eq!(fs::metadata(&session).unwrap().permissions().mode() & 0o777, 0o600);
    for arguments in [&["send", "neko", "hai"][..], &["inbox"], &["whoami"], &["sessions"]] {
        home.run(arguments);
    }
    // What the command of --exec gets, and what others can see of the client meanwhile.
    let neko = wire.log_in("neko");
    wire.done(format!("send {neko} ada hai"));
    secrets.push(neko);
    let seen = elsewhere.path().join("seen");
    let look = format!(
        "cat /proc/self/environ /proc/$PPID/cmdline /proc/$PPID/environ > {}",
        seen.display()
    );
    let watch =
        ["watch", "--since", "all", "-n", "1", "--timeout", "60s", "--exec", "sh", "-c", &look];
    let outcome = home.run(watch);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let shown = fs::read(&seen).unwrap();
    assert!(shown.windows(5).any(|bytes| bytes == b"watch"), "the client's process was inspected");

    assert_not_shown(&secrets, server.pid());
    assert_nowhere(&secrets, server.folder(), &[]);
    // A kill leaves the WAL as it was: with the newest hash, and no password.
    wire.done(format!("passwd {} {}", home.token(), json!({"old": operators, "new": old})));
    let hash = server.query("SELECT password_hash FROM users WHERE name = 'ada'").remove(0);
    server.kill();
    let log = fs::read(server.folder().join("chat.sqlite-wal")).unwrap();
    assert!(log.windows(hash.len()).any(|bytes| bytes == hash.as_bytes()), "the WAL has the hash");
    assert_nowhere(&secrets, server.folder(), &[]);
    server.start_again();
    server.stop();
    assert_nowhere(&secrets, server.folder(), &[]);
    assert_nowhere(&secrets, elsewhere.path(), &[]);
    assert_nowhere(&secrets, home.path(), std::slice::from_ref(&session));

    // The search works: it finds the token in the session file, and one put into a database.
    assert_eq!(found(&secrets, &fs::read(&session).unwrap()), [home.token().as_str()]);
    let database = rusqlite::Connection::open(&backup).unwrap();
    database
        .execute("UPDATE users SET display_name = ?1 WHERE name = 'ada'", [&operators])
        .unwrap();
    drop(database);
    assert!(found(&secrets, &fs::read(&backup).unwrap()).contains(&operators.as_str()));
}

/// Passwords are typed at the prompt, in right and wrong places. Neither the history nor any other
/// file has them.
#[test]
fn no_byte_of_a_password_that_is_typed_at_the_prompt_is_kept() {
    let mut random = Random::new();
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    command.args(["--log", "trace", "--log-format", "json"]);
    command.args(["--login-failures-per-address-max", "1000000"]);
    command.stderr(Stdio::from(File::create(elsewhere.path().join("log")).unwrap()));
    let mut server = Server::start_command(command, folder);
    let home = Home::new(server.address());
    let mut secrets = Vec::new();
    let mut secret = || {
        secrets.push(secret(&mut random));
        secrets[secrets.len() - 1].clone()
    };

    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end("Command :");
    terminal.line("auth paff");
    terminal.wait_for_end("Password:");
    terminal.line(&secret());
    terminal.wait_for_end("Error, the password is wrong\nCommand :");
    // As arguments, with other verbs and letters, and without a verb.
    for (before, after) in [
        ("auth paff ", ""),
        ("  auth  paff ", ""),
        ("auth ", ""),
        ("login paff ", ""),
        ("AUTH paff ", ""),
        ("auht paff ", ""),
        ("", ""),
        (&format!("{PASTE_BEGIN}list\nlogin paff "), PASTE_END),
    ] {
        let typed = secret();
        terminal.line(&format!("{before}{typed}{after}"));
        if before == "auth " {
            // The prompt reads it as the name.
            terminal.wait_for_end("Password:");
            terminal.line("wrong");
        }
        terminal.wait_until("the next prompt", |terminal| {
            let screen = terminal.screen();
            screen.contains(&typed) && screen.ends_with("\nCommand :")
        });
    }
    terminal.line("auth paff cytus");
    terminal.wait_for_end("username paff logged in\nCommand paff:");
    let new = secret();
    terminal.line("passwd");
    for (prompt, password) in
        [("Old password:", "cytus"), ("New password:", &new), ("again:", &new)]
    {
        terminal.wait_for_end(prompt);
        terminal.line(password);
    }
    terminal.wait_for_end("\nCommand paff:");
    terminal.line(&format!("passwd {} {}", secret(), secret()));
    terminal.wait_for_end("it asks for the passwords and does not show them\nCommand paff:");
    terminal.line("passwd");
    terminal.wait_for_end("Old password:");
    terminal.keys(format!("{}{CTRL_C}", secret()));
    terminal.wait_for_end("\nCommand paff:");
    terminal.line("send neko hai");
    terminal.wait_for_end("message sent to neko\nCommand paff:");
    assert_not_shown(&secrets, terminal.pid());
    assert_not_shown(&secrets, server.pid());
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());
    server.connect().done(format!("auth paff {new}"));

    server.kill();
    let history = fs::read_to_string(home.state().join("history")).unwrap();
    assert!(history.contains("send neko hai"), "the history is kept: {history}");
    assert_nowhere(&secrets, home.path(), &[]);
    assert_nowhere(&secrets, server.folder(), &[]);
    assert_nowhere(&secrets, elsewhere.path(), &[]);
}
