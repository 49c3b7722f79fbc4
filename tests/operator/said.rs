//! An operator's command that changes something reports it: one line for people, an object with
//! `--json`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cli::Outcome;
use crate::support::pty::Terminal;
use crate::support::{Server, operator};

fn database() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    // As the program prints it: with symbolic links resolved.
    let path = fs::canonicalize(folder.path()).expect("a folder").join("chat.sqlite");
    (folder, path)
}

fn run(database: &Path, arguments: &[&str]) -> Outcome {
    operator::run_with_input(database, arguments, "secret\n")
}

/// The output of a successful command in both languages; `prepare` makes a database for each.
fn assert_said(prepare: impl Fn() -> Server, arguments: &[&str], english: &str, indonesian: &str) {
    for (language, said) in [("en", english), ("id", indonesian)] {
        let server = prepare();
        let outcome = run(&server.database(), &[&["--lang", language], arguments].concat());
        let path = fs::canonicalize(server.database()).expect("the database");
        let stdout = outcome.stdout.replace(path.to_str().expect("text"), "PATH");
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{arguments:?}: {outcome:?}");
        assert_eq!(stdout.trim_end(), said, "{arguments:?}");
    }
}

#[test]
fn commands_that_change_something_report_it_without_a_terminal_too() {
    let logged_in = || {
        let server = Server::start();
        server.log_in("neko");
        server
    };
    for (arguments, english, indonesian) in [
        (&["user", "add", "ada"][..], "ada is added", "ada ditambahkan"),
        (
            &["user", "passwd", "neko"],
            "neko has a new password, 1 session ended",
            "password neko sudah diganti, 1 sesi diakhiri",
        ),
        (
            &["user", "disable", "neko"],
            "neko is disabled, 1 session ended",
            "neko dinonaktifkan, 1 sesi diakhiri",
        ),
        (&["user", "enable", "neko"], "neko is enabled", "neko diaktifkan"),
        (&["user", "rename", "neko", "cat"], "neko is cat now", "neko sekarang cat"),
        (
            &["user", "delete", "neko", "--yes"],
            "neko is deleted, 1 session ended",
            "neko dihapus, 1 sesi diakhiri",
        ),
        (&["session", "revoke", "--all"], "1 session ended", "1 sesi diakhiri"),
        (&["session", "revoke", "1"], "1 session ended", "1 sesi diakhiri"),
    ] {
        assert_said(logged_in, arguments, english, indonesian);
    }
    let empty = || Server::start_with(&["--no-seed"]);
    let names = "paff, neko, robo, ivy, vanessa";
    let (english, indonesian) = (format!("added {names}"), format!("ditambahkan: {names}"));
    assert_said(empty, &["seed"], &english, &indonesian);
}

#[test]
fn command_that_creates_a_database_names_it() {
    let team = r#"[{"name": "ada", "display_name": "Ada", "password": "secret"}]"#;
    let header = r#"{"type":"header","format":"chat-export","version":1,"newest":0}"#;
    for (arguments, input) in [
        (&["user", "add", "ada"][..], "secret"),
        (&["seed", "-"], team),
        (&["import", "-"], header),
    ] {
        for (language, said) in [("en", "new database"), ("id", "database baru")] {
            let (_folder, path) = database();
            let arguments = [&["--lang", language], arguments].concat();
            let outcome = operator::run_with_input(&path, &arguments, input);
            let line = format!("{said} {}\n", path.display());
            assert_eq!((outcome.code, &outcome.stderr), (0, &line), "{outcome:?}");
        }
        let (_folder, path) = database();
        let object = |input: &str| -> Value {
            let arguments = [arguments, &["--json"]].concat();
            let outcome = operator::run_with_input(&path, &arguments, input);
            assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
            serde_json::from_str(&outcome.stdout).expect("an object")
        };
        assert_eq!(object(input)["new_database"], json!(path), "{arguments:?}");
        operator::run(&path, &["user", "delete", "ada", "--purge", "--yes"]);
        assert_eq!(object(input)["new_database"], Value::Null, "{arguments:?}: it is there now");
    }
    let (_folder, path) = database();
    fs::write(&path, "").expect("an empty file");
    assert!(run(&path, &["user", "add", "ada"]).stderr.starts_with("new database "));
    let server = Server::start_with(&["--no-seed"]);
    assert_eq!(run(&server.database(), &["user", "add", "ada"]).stderr, "");
}

#[test]
fn generated_password_is_all_of_standard_output() {
    let (_folder, path) = database();
    let line = format!("new database {}\n", path.display());
    let outcome = operator::run(&path, &["user", "add", "ada", "--generate"]);
    assert_eq!((outcome.stdout.lines().count(), &outcome.stderr), (1, &line), "{outcome:?}");
    let outcome = operator::run(&path, &["user", "passwd", "ada", "--generate"]);
    assert_eq!((outcome.stdout.lines().count(), outcome.stderr.as_str()), (1, ""), "{outcome:?}");
    let mut terminal =
        Terminal::start(operator::command(&path, &["user", "passwd", "ada", "--generate"]));
    assert_eq!(terminal.wait().code(), Some(0));
    let screen = terminal.screen();
    let rows: Vec<&str> = screen.lines().collect();
    assert_eq!(rows[1..], ["ada has a new password, 0 sessions ended"], "{screen}");
    assert_eq!(rows[0].len(), 27, "{screen}");
}

#[test]
fn count_of_one_is_singular() {
    let server = Server::start();
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    wire.done(format!("send {token} paff hai"));
    let (path, folder) = (server.database(), server.folder().to_owned());
    let file = |name: &str| folder.join(name).to_str().expect("text").to_owned();
    let backup = operator::done(&path, &["backup", &file("backup.sqlite")]);
    assert!(backup.contains(": 1 message, 5 users, newest id 1, "), "{backup}");
    let restored =
        operator::done(&folder.join("copy.sqlite"), &["restore", &file("backup.sqlite")]);
    assert!(restored.contains(": 1 message, 5 users; "), "{restored}");
    let checked = operator::done(&path, &["check"]);
    assert!(checked.contains(" is sound: 1 message, 5 users, "), "{checked}");
    let dry = operator::done(&path, &["message", "purge", "--before-id", "9", "--dry-run"]);
    assert_eq!(dry, "0 messages would be purged\n1 message unread, and kept (--unread-too)\n");
    let export = operator::done(&path, &["export", "--user", "paff"]);
    let other = folder.join("other.sqlite");
    let outcome = operator::run_with_input(&other, &["import", "-"], &export);
    let said = "1 message and 1 user imported; 0 messages already there\n\
                1 user still without a password: `chat-server user passwd`\n";
    assert_eq!(outcome.stdout, said, "{outcome:?}");
    let outcome = operator::run_with_input(&other, &["import", "-"], &export);
    assert!(
        outcome.stdout.starts_with("0 messages and 0 users imported; 1 message already there\n")
    );
    let purged = operator::done(&path, &["message", "purge", "--before-id", "9", "--unread-too"]);
    assert_eq!(purged, "1 message purged\n");
}

#[test]
fn check_that_rebuilds_parts_names_them() {
    let server = Server::start();
    let said = operator::done(&server.database(), &["check", "--rebuild"]);
    let first = said.lines().next().expect("a line");
    assert!(
        first.starts_with(
            "made anew: floor of the ids, deliveries, keys, threads, words, what expires, index "
        ),
        "{said}"
    );
    let reported = &operator::objects(&server.database(), &["check", "--rebuild"])[0];
    assert_eq!(reported["rebuilt"][0], "floor of the ids", "{reported}");
    let reported = &operator::objects(&server.database(), &["check"])[0];
    assert_eq!(reported["rebuilt"], Value::Null, "{reported}");
}

#[test]
fn export_reports_its_size_on_a_terminal_and_leaves_standard_output_alone() {
    let server = Server::start();
    let file = server.folder().join("export");
    let mut command = std::process::Command::new("sh");
    command.env_clear().env("CHAT_SERVER_CONFIG", "/dev/null");
    command.args(["-c", r#"exec "$0" --db "$1" export >"$2""#]);
    command.arg(env!("CARGO_BIN_EXE_chat-server")).arg(server.database()).arg(&file);
    let mut terminal = Terminal::start(command);
    assert_eq!(terminal.wait().code(), Some(0));
    assert_eq!(terminal.screen(), "0 messages and 5 users exported");
    let lines = fs::read_to_string(&file).expect("the export");
    assert_eq!(lines.lines().count(), 6, "{lines}");
    let piped = operator::run(&server.database(), &["export"]);
    assert_eq!((piped.stdout, piped.stderr.as_str()), (lines, ""));
}
