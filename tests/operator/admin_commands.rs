//! Further commands for operators: sessions, many users at once, statistics.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::Server;
use crate::support::{cli, operator};

fn database() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("chat.sqlite");
    (folder, path)
}

#[test]
fn sessions_are_listed_and_ended_one_by_one_by_user_or_all() {
    let server = Server::start();
    let database = server.database();
    let mut wire = server.connect();
    let [first, second, third, other] =
        ["neko", "neko", "neko", "paff"].map(|user| wire.log_in(user));
    let listed = operator::objects(&database, &["session", "list"]);
    let users: Vec<_> = listed.iter().map(|session| session["user"].as_str().unwrap()).collect();
    assert_eq!(users, ["neko", "neko", "neko", "paff"]);
    assert!(listed[0]["expires_at"].as_str().unwrap() > listed[0]["created_at"].as_str().unwrap());
    let id = listed[0]["id"].to_string();
    let ended = &operator::objects(&database, &["session", "revoke", &id])[0];
    assert_eq!(ended["ended"], 1);
    assert_eq!(wire.refused(format!("unread {first}")), "no_session");
    wire.done(format!("unread {second}"));
    let again = operator::run(&database, &["session", "revoke", &id]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stderr.starts_with(&format!("error: there is no session {id}\n")), "{again:?}");
    let theirs = operator::objects(&database, &["session", "list", "--user", "neko"]);
    assert_eq!(theirs.len(), 2);
    let ended = &operator::objects(&database, &["session", "revoke", "--user", "neko"])[0];
    assert_eq!(ended["ended"], 2);
    assert_eq!(wire.refused(format!("unread {third}")), "no_session");
    wire.done(format!("unread {other}"));
    let mut stream = server.connect();
    stream.done(format!(r#"watch {other} {{"from": "new"}}"#));
    assert_eq!(stream.reply()["event"], "caught_up");
    operator::done(&database, &["session", "revoke", "--all"]);
    assert_eq!(stream.reply()["code"], "no_session");
    assert_eq!(wire.refused(format!("unread {other}")), "no_session");
    assert!(operator::objects(&database, &["session", "list"]).is_empty());
    assert_eq!(operator::objects(&database, &["session", "revoke", "--all"])[0]["ended"], 0);
    wire.log_in("neko");
}

#[test]
fn revoke_requires_exactly_one_selection() {
    let server = Server::start();
    for arguments in [
        &["session", "revoke"][..],
        &["session", "revoke", "1", "--all"],
        &["session", "revoke", "--user", "neko", "--all"],
        &["session", "revoke", "neko"],
    ] {
        let outcome = operator::run(&server.database(), arguments);
        assert_eq!(outcome.code, 2, "{arguments:?}: {outcome:?}");
    }
}

#[test]
fn only_named_sessions_end_without_a_server_too() {
    let mut server = Server::start_with(&["--session-idle", "3650d"]);
    let (neko, paff) = (server.log_in("neko"), server.log_in("paff"));
    server.stop();
    // Longer ago than the default lifetime of sessions: commands do not decide about expiry.
    let store = rusqlite::Connection::open(server.database()).expect("opens");
    let year_ago = "UPDATE sessions SET last_seen_at = last_seen_at - 31536000000,
                                        expires_at = expires_at + 31536000000";
    store.execute(year_ago, []).expect("set back");
    drop(store);
    operator::done(&server.database(), &["session", "revoke", "--user", "neko"]);
    server.start_again();
    let mut wire = server.connect();
    assert_eq!(wire.refused(format!("unread {neko}")), "no_session");
    wire.done(format!("unread {paff}"));
}

#[test]
fn seed_command_adds_the_users_of_a_new_database() {
    let (_folder, database) = database();
    let users = &operator::objects(&database, &["seed"])[0]["users"];
    assert_eq!(users, &serde_json::json!(["paff", "neko", "robo", "ivy", "vanessa"]));
    let again = operator::run(&database, &["seed"]);
    assert_eq!(again.code, 65, "{again:?}");
    assert!(again.stderr.contains("there is a user paff, neko, robo, ivy, vanessa already"));
    let server = Server::start_with(&["--no-seed"]);
    assert_eq!(server.connect().refused("auth paff cytus"), "unknown_user");
    operator::done(&server.database(), &["seed"]);
    server.connect().done("auth paff cytus");
    let listed = operator::objects(&server.database(), &["user", "list"]);
    assert!(listed.iter().all(|user| user["password_is_published"] == true));
}

#[test]
fn users_of_a_file_are_added_all_or_none() {
    let server = Server::start();
    let file = server.folder().join("team.json");
    let seed = |text: &str| {
        fs::write(&file, text).expect("a file");
        operator::run(&server.database(), &["seed", file.to_str().expect("text")])
    };
    let user = |name: &str| {
        format!(r#"{{"name": "{name}", "display_name": "X", "password": "secret-{name}"}}"#)
    };
    let outcome = seed(&format!("[{}, {}]", user("alice"), user("paff")));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (65, ""), "{outcome:?}");
    assert_eq!(server.connect().refused("auth alice secret-alice"), "unknown_user");
    let outcome = seed(&format!("[{}, {}]", user("alice"), user("alice")));
    assert_eq!(outcome.code, 65, "{outcome:?}");
    for broken in [
        "",
        "{}",
        "[1]",
        r#"[{"name": "alice"}]"#,
        r#"[{"name": "Alice", "display_name": "A", "password": "secret"}]"#,
        r#"[{"name": "alice", "display_name": "A", "password": ["secret"]}]"#,
        r#"[{"name": "alice", "display_name": "A", "password": "secret", "admin": true}]"#,
    ] {
        let outcome = seed(broken);
        assert_eq!(outcome.code, 65, "{broken}: {outcome:?}");
        assert!(outcome.stderr.contains("at line 1, column "), "{outcome:?}");
        assert!(!outcome.stderr.contains("secret"), "{outcome:?}");
    }
    let outcome = seed(&format!("[{}, {}]", user("alice"), user("bob")));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    server.connect().done("auth alice secret-alice");
    server.connect().done("auth bob secret-bob");
    let shown = &operator::objects(&server.database(), &["user", "show", "bob"])[0];
    assert_eq!(shown["password_is_published"], false);
    let piped = format!("[{}]", user("carol"));
    let outcome = operator::run_with_input(&server.database(), &["seed", "-"], &piped);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let outcome = operator::run(&server.database(), &["seed", "/nowhere/team.json"]);
    assert_eq!(outcome.code, 66, "{outcome:?}");
}

#[test]
fn reachable_server_accepts_no_user_with_a_published_password() {
    let reachable = ["--listen", "0.0.0.0:0", "--allow-plaintext", "--no-seed"];
    let server = Server::start_with(&reachable);
    let outcome = operator::run(&server.database(), &["seed"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (78, ""), "{outcome:?}");
    assert!(operator::objects(&server.database(), &["user", "list"]).is_empty());
    let allowed = [&reachable[..], &["--allow-default-passwords"]].concat();
    let server = Server::start_with(&allowed);
    operator::done(&server.database(), &["seed"]);
}

#[test]
fn figures_are_those_of_the_file_and_of_the_running_server() {
    let mut server = Server::start();
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    for _ in 0..3 {
        wire.done(format!("send {token} neko hai"));
    }
    wire.done(format!("send {token} paff note"));
    wire.done(format!("inbox {token}"));
    operator::done(&server.database(), &["user", "disable", "ivy"]);
    operator::done(&server.database(), &["user", "delete", "robo", "--yes"]);
    let store = rusqlite::Connection::open(server.database()).expect("opens");
    // One from yesterday, and one from two hours ago.
    for (id, hours) in [(1, 25), (2, 2)] {
        let earlier = "UPDATE messages SET sent_at = sent_at - 3600000 * ?2 WHERE id = ?1";
        store.execute(earlier, [id, hours]).expect("set back");
    }
    drop(store);
    let mut stream = server.connect();
    stream.done(format!(r#"watch {token} {{"from": "new"}}"#));
    let stats = |database: &PathBuf| operator::objects(database, &["stats"]).remove(0);
    let found = stats(&server.database());
    for (field, value) in [
        ("users_active", 3),
        ("users_disabled", 1),
        ("users_deleted", 1),
        ("sessions", 1),
        ("messages", 4),
        ("last_id", 4),
        ("messages_last_hour", 2),
        ("messages_last_day", 3),
        ("unread", 3),
    ] {
        assert_eq!(found[field], value, "{field}: {found}");
    }
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    let schema = server.query("select user_version from pragma_user_version");
    assert_eq!(found["schema"].to_string(), schema[0]);
    let size = fs::metadata(server.database()).expect("the file").len();
    assert!(found["file_bytes"].as_u64().is_some_and(|bytes| bytes > 0 && bytes <= size));
    assert!(found["log_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{found}");
    assert_eq!(found["server"]["pid"], server.pid());
    assert_eq!(found["server"]["watchers"], 1);
    assert_eq!(found["server"]["connections"], 2);
    server.stop();
    let found = stats(&server.database());
    assert_eq!((&found["messages"], &found["server"]), (&4.into(), &Value::Null));
    let text = operator::done(&server.database(), &["stats"]);
    assert!(text.lines().any(|line| line == "messages\t4"), "{text}");
}

#[test]
fn figures_of_an_empty_database_are_zero() {
    let (_folder, database) = database();
    operator::add_user(&database, "alice", "secret");
    let found = &operator::objects(&database, &["stats"])[0];
    assert_eq!((&found["messages"], &found["last_id"]), (&0.into(), &0.into()));
    assert_eq!((&found["users_active"], &found["unread"]), (&1.into(), &0.into()));
}

#[test]
fn closed_output_ends_quietly() {
    let server = Server::start_with_users(300);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", r#""$0" --db "$1" user list | head -1; exec 2>&1"#]);
    command.arg(env!("CARGO_BIN_EXE_chat-server")).arg(server.database());
    let outcome = cli::outcome(command);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    assert!(outcome.stdout.starts_with("ivy\t"), "{outcome:?}");
}

#[test]
fn bot_has_no_password_and_an_operator_gives_it_tokens() {
    let server = Server::start();
    let database = server.database();
    assert_eq!(operator::done(&database, &["user", "add", "ci", "--bot"]), "ci is added\n");
    let mut wire = server.connect();
    for guess in ["x", "ci"] {
        assert_eq!(wire.refused(format!("auth ci {guess}")), "wrong_password");
    }
    let create = ["token", "create", "--user", "ci", "--to", "neko", "github"];
    let token = operator::done(&database, &create).trim_end().to_owned();
    assert!(token.starts_with("ct_"), "{token}");
    wire.done(format!("send {token} neko  hai "));
    assert_eq!(wire.refused(format!("send {token} paff  hai ")), "unknown_recipient");
    let again = operator::run(&database, &create);
    assert_eq!(again.code, 65, "{again:?}");
    let listed = operator::objects(&database, &["token", "list"]);
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["user"], &listed[0]["name"]), (&"ci".into(), &"github".into()));
    assert_eq!(listed[0]["to"], serde_json::json!(["neko"]));
    assert!(listed[0].get("token").is_none(), "the secret is printed once: {listed:?}");
    let revoke = ["token", "revoke", "--user", "ci", "github"];
    assert_eq!(operator::done(&database, &revoke), "1 token revoked\n");
    assert_eq!(wire.refused(format!("send {token} neko  hai ")), "no_session");
    let again = operator::run(&database, &revoke);
    assert_eq!(again.code, 1, "{again:?}");
    let nobody = operator::run(&database, &["token", "create", "--user", "nobody", "x"]);
    assert_eq!(nobody.code, 67, "{nobody:?}");
    let list = operator::run(&database, &["token", "list"]);
    assert_eq!((list.code, list.stdout.as_str()), (0, ""), "{list:?}");
}
