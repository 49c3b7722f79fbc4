//! Operators' commands with and without a running server: users, and the admin socket that the
//! commands use.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tempfile::TempDir;

use crate::support;
use crate::support::operator;
use crate::support::pty::Terminal;
use crate::support::{Ending, Server, Wire};

/// A database without a server.
fn database() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("chat.sqlite");
    (folder, path)
}

fn socket(database: &Path) -> PathBuf {
    database.with_file_name("chat.sqlite.admin")
}

fn names(database: &Path) -> Vec<String> {
    let users = operator::objects(database, &["user", "list"]);
    users.iter().map(|user| user["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn user_that_is_added_while_the_server_runs_logs_in_and_is_written_to_at_once() {
    let server = Server::start();
    let mut paff = server.connect();
    let token = paff.log_in("paff");
    assert_eq!(paff.refused(format!("send {token} alice hai")), "unknown_recipient");
    operator::add_user(&server.database(), "alice", "open sesame");
    paff.done(format!("send {token} alice hai alice"));
    let mut alice = server.connect();
    let hers = alice.done("auth alice open sesame")["tokenid"].as_str().unwrap().to_owned();
    let inbox = alice.done(format!("inbox {hers}"));
    assert_eq!(inbox["messages"]["paff"][0]["msg"], "hai alice");
}

#[test]
fn database_created_by_adding_a_user_has_no_other_user() {
    let (_folder, database) = database();
    operator::add_user(&database, "alice", "open sesame");
    assert_eq!(names(&database), ["alice"]);
    let server = Server::start_from(&database);
    assert_eq!(names(&server.database()), ["alice"]);
    server.connect().done("auth alice open sesame");
}

#[test]
fn user_is_not_added_twice_and_keeps_the_password() {
    let server = Server::start();
    let outcome = operator::run_with_input(&server.database(), &["user", "add", "paff"], "mine\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (65, ""));
    let said = "error: there is a user paff already\nhint: choose another name\n";
    assert_eq!(outcome.stderr, said);
    server.connect().log_in("paff");
}

#[test]
fn names_and_passwords_that_break_the_rules_are_refused() {
    let (_folder, database) = database();
    for (arguments, input) in [
        (&["user", "add", "Alice"][..], "secret\n"),
        (&["user", "add", ""], "secret\n"),
        (&["user", "add", "alice", "--display-name", "a\x1b[2J"], "secret\n"),
        (&["user", "add", "alice", "--display-name", ""], "secret\n"),
        (&["user", "add", "alice"], "\n"),
        (&["user", "add", "alice"], ""),
        (&["user", "add", "alice"], " \t \n"),
        (&["user", "add", "alice"], "sec\rret\n"),
        (&["user", "add", "alice"], "sec\0ret\n"),
        (&["user", "add", "alice"], &"x".repeat(129)),
        (&["user", "add", "alice"], &"x".repeat(100_000)),
    ] {
        let outcome = operator::run_with_input(&database, arguments, input);
        assert_eq!(outcome.code, 65, "{arguments:?}: {outcome:?}");
        assert!(!outcome.stderr.contains("secret") && !outcome.stderr.contains('\x1b'));
    }
    assert!(!database.exists(), "nothing was created");
}

#[test]
fn password_is_generated_and_shown_once() {
    let server = Server::start();
    let password = operator::done(&server.database(), &["user", "add", "alice", "--generate"]);
    server.connect().done(format!("auth alice {}", password.trim_end()));
    let reported = operator::objects(&server.database(), &["user", "add", "bob", "--generate"]);
    server.connect().done(format!("auth bob {}", reported[0]["password"].as_str().unwrap()));
}

#[test]
fn reading_a_missing_database_does_not_create_it() {
    let (_folder, database) = database();
    let outcome = operator::run(&database, &["user", "list"]);
    assert_eq!(outcome.code, 66, "{outcome:?}");
    assert!(outcome.stderr.starts_with("error: there is no database "), "{outcome:?}");
    let outcome = operator::run(&database, &["user", "list", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&outcome.stderr).expect("an object");
    assert_eq!((&error["code"], &error["exit"]), (&"no_input".into(), &66.into()));
    assert!(!database.exists());
}

#[test]
fn user_list_has_what_an_operator_needs() {
    let server = Server::start();
    let mut paff = server.connect();
    let token = paff.log_in("paff");
    paff.done(format!("send {token} neko one"));
    paff.done(format!("send {token} neko two"));
    let users = operator::objects(&server.database(), &["user", "list"]);
    let neko = users.iter().find(|user| user["name"] == "neko").expect("neko");
    assert_eq!(neko["unread"], 2);
    assert_eq!(neko["display_name"], "Neko UwU");
    assert_eq!(neko["state"], "active");
    assert_eq!(neko["last_seen_at"], serde_json::Value::Null);
    assert_eq!(neko["password_is_published"], true);
    let paff = users.iter().find(|user| user["name"] == "paff").expect("paff");
    assert!(paff["last_seen_at"].is_string(), "{paff}");
    let text = operator::done(&server.database(), &["user", "list"]);
    let line = text.lines().find(|line| line.starts_with("neko\t")).expect("a line for neko");
    assert!(
        line.starts_with("neko\tNeko UwU\t20")
            && line.ends_with("\t-\t2\tactive, published password")
    );
}

#[test]
fn users_beyond_one_page_are_all_listed() {
    let server = Server::start_with_users(450);
    let names = names(&server.database());
    assert_eq!(names.len(), 455);
    assert!(names.is_sorted());
}

#[test]
fn socket_is_private_to_its_owner_and_removed_at_the_stop() {
    let mut server = Server::start();
    let socket = socket(&server.database());
    let found = fs::metadata(&socket).expect("a socket");
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o600);
    assert!(server.stop().success());
    assert!(!socket.exists());
}

#[test]
fn stale_socket_of_a_killed_server_disturbs_nobody() {
    let mut server = Server::start();
    server.kill();
    assert!(socket(&server.database()).exists());
    operator::add_user(&server.database(), "alice", "secret");
    server.start_again();
    operator::add_user(&server.database(), "bob", "secret");
    server.connect().done("auth alice secret");
    server.connect().done("auth bob secret");
}

/// A connection with a stream of a user, after its backlog.
fn watch(server: &Server, token: &str) -> Wire {
    let mut stream = server.connect();
    stream.done(format!(r#"watch {token} {{"from": "new"}}"#));
    assert_eq!(stream.reply()["event"], "caught_up");
    stream
}

/// The session has ended, for this connection and for the stream.
fn assert_ended(wire: &mut Wire, token: &str, stream: &mut Wire) {
    assert_eq!(wire.refused(format!("unread {token}")), "no_session");
    let end = stream.reply();
    assert_eq!((&end["event"], &end["code"]), (&"end".into(), &"no_session".into()));
    stream.done("hello");
}

#[test]
fn new_password_ends_sessions_and_streams_at_once() {
    let server = Server::start();
    let mut neko = server.connect();
    let token = neko.log_in("neko");
    let mut stream = watch(&server, &token);
    let outcome =
        operator::run_with_input(&server.database(), &["user", "passwd", "neko"], "better\n");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    assert_ended(&mut neko, &token, &mut stream);
    assert_eq!(neko.refused("auth neko cytus"), "wrong_password");
    neko.done("auth neko better");
    let made_up = operator::objects(&server.database(), &["user", "passwd", "neko", "--generate"]);
    assert_eq!((&made_up[0]["name"], &made_up[0]["ended"]), (&"neko".into(), &1.into()));
    neko.done(format!("auth neko {}", made_up[0]["password"].as_str().unwrap()));
    let shown = operator::objects(&server.database(), &["user", "show", "neko"]);
    assert_eq!(shown[0]["password_is_published"], false);
}

#[test]
fn disabled_user_is_logged_out_at_once_and_finds_messages_when_enabled_again() {
    let server = Server::start();
    let (mut neko, mut paff) = (server.connect(), server.connect());
    let (token, sender) = (neko.log_in("neko"), paff.log_in("paff"));
    let mut stream = watch(&server, &token);
    operator::done(&server.database(), &["user", "disable", "neko"]);
    assert_ended(&mut neko, &token, &mut stream);
    assert_eq!(neko.refused("auth neko cytus"), "wrong_password");
    paff.done(format!("send {sender} neko are you there"));
    operator::done(&server.database(), &["user", "disable", "neko"]);
    assert_eq!(
        operator::objects(&server.database(), &["user", "show", "neko"])[0]["state"],
        "disabled"
    );
    operator::done(&server.database(), &["user", "enable", "neko"]);
    // Ended sessions stay ended.
    assert_eq!(neko.refused(format!("unread {token}")), "no_session");
    let token = neko.log_in("neko");
    let inbox = neko.done(format!("inbox {token}"));
    assert_eq!(inbox["messages"]["paff"][0]["msg"], "are you there");
}

#[test]
fn renamed_user_stays_logged_in_and_is_written_to_by_the_new_name() {
    let server = Server::start();
    let (mut neko, mut paff) = (server.connect(), server.connect());
    let (token, sender) = (neko.log_in("neko"), paff.log_in("paff"));
    // The state in memory of both, in every cache.
    paff.done(format!("send {sender} neko before"));
    neko.done(format!("send {token} paff hai"));
    neko.done(format!(r#"ack {token} {{"cursor": "worker", "upto": 1}}"#));
    let mut stream = watch(&server, &token);
    let renamed = operator::objects(&server.database(), &["user", "rename", "neko", "tora"]);
    assert_eq!((&renamed[0]["name"], &renamed[0]["old_name"]), (&"tora".into(), &"neko".into()));
    assert_eq!(paff.refused(format!("send {sender} neko hai")), "unknown_recipient");
    paff.done(format!("send {sender} tora after"));
    assert_eq!((&stream.reply()["to"], stream.received()), (&"tora".into(), &b""[..]));
    assert_eq!(neko.done(format!("whoami {token}"))["user"], "tora");
    let watching = server.connect().done(format!("watch {token} {{}}"));
    assert_eq!(watching["watching"], "tora");
    let history = paff.done(format!(r#"fetch {sender} {{"with": "tora", "after": 0}}"#));
    let names = history["messages"].as_array().unwrap().iter().map(|message| {
        format!("{}-{}", message["from"].as_str().unwrap(), message["to"].as_str().unwrap())
    });
    assert_eq!(names.collect::<Vec<_>>(), ["paff-tora", "tora-paff", "paff-tora"]);
    let shown = &operator::objects(&server.database(), &["user", "show", "tora"])[0];
    assert_eq!(shown["cursors"][0]["name"], "worker");
    assert_eq!(neko.refused("auth neko cytus"), "unknown_user");
    neko.done("auth tora cytus");
    // The name is free for another user, with nothing of the old one.
    operator::add_user(&server.database(), "neko", "secret");
    paff.done(format!("send {sender} neko who are you"));
    let shown = &operator::objects(&server.database(), &["user", "show", "neko"])[0];
    assert_eq!((&shown["received"], &shown["unread"]), (&1.into(), &1.into()));
}

#[test]
fn deleted_user_is_logged_out_and_name_and_messages_stay() {
    let server = Server::start();
    let database = server.database();
    let (mut neko, mut paff) = (server.connect(), server.connect());
    let (token, sender) = (neko.log_in("neko"), paff.log_in("paff"));
    paff.done(format!("send {sender} neko before"));
    neko.done(format!("send {token} paff hai"));
    neko.done(format!(r#"ack {token} {{"cursor": "worker", "upto": 1}}"#));
    let mut stream = watch(&server, &token);
    let outcome = operator::run(&database, &["user", "delete", "neko"]);
    assert_eq!(outcome.code, 2, "nobody to ask: {outcome:?}");
    neko.done(format!("unread {token}"));
    operator::done(&database, &["user", "delete", "neko", "--yes"]);
    assert_ended(&mut neko, &token, &mut stream);
    assert_eq!(neko.refused("auth neko cytus"), "unknown_user");
    assert_eq!(paff.refused(format!("send {sender} neko hai")), "unknown_recipient");
    let history = paff.done(format!(r#"fetch {sender} {{"with": "neko", "after": 0}}"#));
    assert_eq!(history["messages"][0]["to"], "neko");
    let inbox = paff.done(format!("inbox {sender}"));
    assert_eq!(inbox["messages"]["neko"][0]["msg"], "hai");
    let taken = operator::run_with_input(&database, &["user", "add", "neko"], "mine\n");
    assert_eq!(taken.code, 65, "{taken:?}");
    let taken = operator::run(&database, &["user", "rename", "paff", "neko"]);
    assert_eq!(taken.code, 65, "{taken:?}");
    for arguments in [
        &["user", "enable", "neko"][..],
        &["user", "passwd", "neko", "--generate"],
        &["user", "rename", "neko", "tora"],
        &["user", "delete", "neko", "--yes"],
    ] {
        let outcome = operator::run(&database, arguments);
        assert_eq!(outcome.code, 67, "{arguments:?}: {outcome:?}");
        assert_eq!(outcome.stderr, "error: the user neko is deleted\n");
    }
    let shown = &operator::objects(&database, &["user", "show", "neko"])[0];
    assert_eq!((&shown["state"], &shown["sent"]), (&"deleted".into(), &1.into()));
    assert_eq!((&shown["received"], &shown["unread"]), (&1.into(), &0.into()));
    assert_eq!((&shown["sessions"], &shown["cursors"]), (&json!([]), &json!([])));
    assert_eq!(server.query("select password_hash from users where name = 'neko'"), [""]);
    assert!(server.query("select * from v1_inbox where recipient = 'neko'").is_empty());
}

#[test]
fn purged_user_leaves_nothing_with_or_without_a_server() {
    for is_served in [true, false] {
        let mut server = Server::start();
        let database = server.database();
        let add = ["user", "add", "mallory", "--display-name", "Mallory Q. Mark"];
        assert_eq!(operator::run_with_input(&database, &add, "secret\n").code, 0);
        let mut wire = server.connect();
        let (paff, robo) = (wire.log_in("paff"), wire.log_in("robo"));
        let reply = wire.done("auth mallory secret");
        let hers = reply["tokenid"].as_str().expect("a token").to_owned();
        wire.done(format!("send {hers} paff mark one"));
        wire.done(format!("send {paff} mallory mark two"));
        wire.done(format!("send {hers} mallory mark three"));
        wire.done(format!("send {robo} paff stays"));
        let hash = server.query("select password_hash from users where name = 'mallory'").remove(0);
        if is_served {
            // Started, and interrupted.
            operator::done(&database, &["user", "delete", "mallory", "--yes"]);
        } else {
            server.stop();
        }
        let arguments = ["user", "delete", "mallory", "--purge", "--yes"];
        let reported = &operator::objects(&database, &arguments)[0];
        assert_eq!(reported["purged"], 3, "{reported}");
        for entry in fs::read_dir(server.folder()).expect("the folder") {
            let path = entry.expect("an entry").path();
            if !path.is_file() {
                continue;
            }
            let bytes = fs::read(&path).expect("a file");
            let text = String::from_utf8_lossy(&bytes);
            for left in ["mark ", "Mallory Q", &hash] {
                assert!(!text.contains(left), "{left:?} is left in {}", path.display());
            }
        }
        if !is_served {
            server.start_again();
        }
        let mut wire = server.connect();
        let inbox = wire.done(format!("inbox {paff}"));
        assert_eq!(inbox["messages"], json!({"robo": [{"msg": "stays"}]}));
        assert_eq!(wire.refused(format!("send {paff} mallory hai")), "unknown_recipient");
        assert_eq!(operator::run(&database, &arguments).code, 67);
        operator::add_user(&database, "mallory", "other");
        wire.done(format!("send {paff} mallory welcome"));
        let shown = &operator::objects(&database, &["user", "show", "mallory"])[0];
        assert_eq!((&shown["sent"], &shown["received"]), (&0.into(), &1.into()));
    }
}

#[test]
fn changes_without_a_server_hold_for_the_next_one() {
    let mut server = Server::start();
    let database = server.database();
    let token = server.log_in("neko");
    server.stop();
    let said = operator::run_with_input(&database, &["user", "passwd", "robo"], "better\n");
    assert_eq!(said.code, 0, "{said:?}");
    operator::done(&database, &["user", "disable", "ivy"]);
    operator::done(&database, &["user", "rename", "neko", "tora"]);
    operator::done(&database, &["user", "delete", "vanessa", "--yes"]);
    server.start_again();
    let mut wire = server.connect();
    wire.done("auth robo better");
    assert_eq!(wire.refused("auth ivy cytus"), "wrong_password");
    assert_eq!(wire.done(format!("whoami {token}"))["user"], "tora");
    assert_eq!(wire.refused("auth vanessa cytus"), "unknown_user");
    assert_eq!(wire.refused(format!("send {token} vanessa hai")), "unknown_recipient");
    wire.done(format!("send {token} ivy hai"));
}

#[test]
fn unknown_user_cannot_be_changed() {
    let server = Server::start();
    for arguments in [
        &["user", "show", "nobody"][..],
        &["user", "passwd", "nobody", "--generate"],
        &["user", "disable", "nobody"],
        &["user", "enable", "nobody"],
        &["user", "rename", "nobody", "somebody"],
        &["user", "delete", "nobody", "--yes"],
        &["session", "list", "--user", "nobody"],
        &["session", "revoke", "--user", "nobody"],
    ] {
        let outcome = operator::run(&server.database(), arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (67, ""), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.starts_with("error: there is no user nobody\nhint: "));
    }
    let outcome = operator::run(&server.database(), &["user", "rename", "neko", "paff"]);
    assert_eq!(outcome.code, 65, "{outcome:?}");
    operator::done(&server.database(), &["user", "rename", "neko", "neko"]);
}

#[test]
fn simultaneous_commands_all_succeed_with_or_without_a_server() {
    let (_folder, database) = database();
    let add = |prefix: &str, count: usize| {
        std::thread::scope(|scope| {
            for index in 0..count {
                let (database, name) = (&database, format!("{prefix}-{index}"));
                scope.spawn(move || operator::add_user(database, &name, "secret"));
            }
        });
    };
    add("before", 8);
    assert_eq!(names(&database).len(), 8);
    let server = Server::start_from(&database);
    std::thread::scope(|scope| {
        for index in 0..8 {
            let (database, name) = (server.database(), format!("while-{index}"));
            scope.spawn(move || operator::add_user(&database, &name, "secret"));
        }
    });
    assert_eq!(names(&server.database()).len(), 16);
    server.connect().done("auth before-7 secret");
    server.connect().done("auth while-7 secret");
}

#[test]
fn commands_succeed_while_a_server_starts_and_stops() {
    let mut server = Server::start();
    let database = server.database();
    let is_going = AtomicBool::new(true);
    let mut added = Vec::new();
    std::thread::scope(|scope| {
        let ending = Ending(&is_going);
        let adding = scope.spawn(|| {
            let mut added = Vec::new();
            let mut index = 0;
            while is_going.load(Ordering::Relaxed) {
                let name = format!("user-{index}");
                let arguments = ["user", "add", &name];
                let outcome = operator::run_with_input(&database, &arguments, "secret\n");
                // A stopping server may close the connection: then the outcome is unknown.
                assert!([0, 75].contains(&outcome.code), "{outcome:?}");
                if outcome.code == 0 {
                    added.push(name);
                }
                index += 1;
            }
            added
        });
        for _ in 0..5 {
            assert!(server.stop().success());
            // The server starts, although commands open the file now and then.
            server.start_again();
            server.log_in("paff");
        }
        drop(ending);
        added = adding.join().expect("all went well");
    });
    assert!(!added.is_empty());
    let names = names(&database);
    assert!(added.iter().all(|name| names.contains(name)), "every change is there");
}

#[test]
fn display_name_cannot_control_the_terminal() {
    let mut server = Server::start();
    server.stop();
    let store = rusqlite::Connection::open(server.database()).expect("opens");
    let evil = "a\x1b[2J\x07\u{202e}b";
    store.execute("UPDATE users SET display_name = ?1 WHERE name = 'neko'", [evil]).expect("set");
    drop(store);
    server.start_again();
    for arguments in [&["user", "list"][..], &["user", "show", "neko"]] {
        let text = operator::done(&server.database(), arguments);
        assert!(text.contains(r"a\x1b[2J\x07\u{202e}b"), "{text}");
        let mut terminal = Terminal::start(operator::command(&server.database(), arguments));
        assert!(terminal.wait().success());
        assert!(terminal.screen().contains(r"a\x1b[2J\x07\u{202e}b"), "{}", terminal.screen());
    }
}

#[test]
fn password_is_typed_twice_and_never_shown() {
    let server = Server::start();
    let start =
        || Terminal::start(operator::command(&server.database(), &["user", "add", "alice"]));
    let mut terminal = start();
    terminal.wait_for_end("Password for alice:");
    assert!(!terminal.echoes());
    terminal.line("open sesame");
    terminal.wait_for_end("The same again:");
    terminal.line("open sesamo");
    assert_eq!(terminal.wait().code(), Some(2));
    assert!(terminal.screen().contains("error: the two passwords are not the same"));
    assert_eq!(server.connect().refused("auth alice open sesame"), "unknown_user");
    let mut terminal = start();
    for _ in 0..2 {
        terminal.wait_until("no echo", |terminal| !terminal.echoes());
        terminal.line("open sesame");
    }
    assert!(terminal.wait().success());
    assert!(terminal.screen().ends_with("alice is added"), "{}", terminal.screen());
    assert!(!terminal.transcript().contains("sesame"));
    assert!(terminal.is_as_before());
    server.connect().done("auth alice open sesame");
    let mut terminal = start();
    terminal.wait_for_end("Password for alice:");
    terminal.keys("open\x03");
    assert_eq!(terminal.wait().code(), Some(130));
    assert!(terminal.is_as_before());
}

#[test]
fn deleting_a_user_asks_for_confirmation() {
    let server = Server::start();
    let start =
        || Terminal::start(operator::command(&server.database(), &["user", "delete", "neko"]));
    for (answer, code) in [("n", 1), ("", 1), ("nearly", 1), ("y", 0)] {
        server.connect().done("auth neko cytus");
        let mut terminal = start();
        terminal.wait_for("[y/N]");
        terminal.line(answer);
        assert_eq!(terminal.wait().code(), Some(code), "{}", terminal.screen());
    }
    assert_eq!(server.connect().refused("auth neko cytus"), "unknown_user");
}

#[test]
fn passwords_are_in_no_log_no_file_and_no_error() {
    let (folder, database) = database();
    let log = folder.path().join("log");
    let mut command = support::server_command(&database);
    command.args(["--log", "trace"]).stderr(fs::File::create(&log).expect("a log"));
    let mut server = support::Server::start_command(command, folder);
    let (given, changed) = ("Zk4-given-secret", "Zk4-changed-secret");
    operator::add_user(&database, "alice", given);
    let outcomes = [
        operator::run_with_input(&database, &["user", "add", "alice"], given),
        operator::run_with_input(&database, &["user", "passwd", "alice"], changed),
        operator::run_with_input(&database, &["user", "passwd", "nobody"], changed),
    ];
    let codes: Vec<i32> = outcomes.iter().map(|outcome| outcome.code).collect();
    assert_eq!(codes, [65, 0, 67]);
    let mut socket = UnixStream::connect(socket(&database)).expect("connects");
    let half = r#"{"v": 1, "content": {"do": "user_passwd", "name": "alice", "password": "#;
    writeln!(socket, "{half}[\"{given}\"]}}}}").expect("is taken");
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).expect("an answer");
    assert!(line.contains("bad_request"), "{line}");
    assert!(server.stop().success());
    let mut searched = vec![("the answer".to_owned(), line.into_bytes())];
    searched.extend(outcomes.iter().flat_map(|outcome| {
        [&outcome.stdout, &outcome.stderr].map(|said| ("said".to_owned(), said.clone().into()))
    }));
    for entry in fs::read_dir(server.folder()).expect("the folder") {
        let path = entry.expect("an entry").path();
        searched.push((path.display().to_string(), fs::read(&path).expect("a file")));
    }
    assert!(searched.iter().any(|(_, bytes)| !bytes.is_empty()));
    assert!(!fs::read(&log).expect("the log").is_empty(), "something was logged");
    for (place, bytes) in searched {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("Zk4"), "{place} has a password");
    }
}
