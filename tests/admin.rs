//! The operator's commands, with the server running and without: who may log in, and the socket
//! that the commands come by.

#[path = "support/cli.rs"]
mod cli;
#[path = "support/operator.rs"]
mod operator;
mod support;

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use support::Server;
use tempfile::TempDir;

/// A database that nobody serves.
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
fn new_database_that_begins_with_a_user_has_no_other() {
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
fn password_is_made_up_and_told_once() {
    let server = Server::start();
    let password = operator::done(&server.database(), &["user", "add", "alice", "--generate"]);
    server.connect().done(format!("auth alice {}", password.trim_end()));
    let told = operator::objects(&server.database(), &["user", "add", "bob", "--generate"]);
    server.connect().done(format!("auth bob {}", told[0]["password"].as_str().unwrap()));
}

#[test]
fn what_is_not_there_is_not_created_by_a_look_at_it() {
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
fn users_are_listed_with_what_an_operator_wants_to_know() {
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
    assert!(line.starts_with("neko\tNeko UwU\t20") && line.ends_with("\t-\t2\tpublished password"));
}

#[test]
fn more_users_than_an_answer_holds_are_all_listed() {
    let server = Server::start_with_users(450);
    let names = names(&server.database());
    assert_eq!(names.len(), 455);
    assert!(names.is_sorted());
}

#[test]
fn socket_is_its_owners_alone_and_gone_after_a_stop() {
    let mut server = Server::start();
    let socket = socket(&server.database());
    let found = fs::metadata(&socket).expect("a socket");
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o600);
    assert!(server.stop().success());
    assert!(!socket.exists());
}

#[test]
fn socket_of_a_killed_server_is_in_nobodys_way() {
    let mut server = Server::start();
    server.kill();
    assert!(socket(&server.database()).exists());
    operator::add_user(&server.database(), "alice", "secret");
    server.start_again();
    operator::add_user(&server.database(), "bob", "secret");
    server.connect().done("auth alice secret");
    server.connect().done("auth bob secret");
}
