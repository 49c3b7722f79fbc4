//! `--db postgres://…` and its settings: what is refused before any connection, what does not apply
//! to PostgreSQL, and `chat-server db check` against real clusters.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cli::{Outcome, outcome, outcome_with_input};
use crate::support::postgres::{Cluster, OWNER};
use crate::support::{Server, new_on_postgres, operator};

const PASSWORD: &str = "postgres://chat:s3cret@db.invalid/chat";
const URL: &str = "postgres://chat@db.invalid/chat";

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.env_clear().env("CHAT_SERVER_CONFIG", "/dev/null").args(words).stdin(Stdio::null());
    command
}

fn run(words: &[&str]) -> Outcome {
    outcome(command(words))
}

fn refused(words: &[&str], code: i32, told: &[&str]) {
    let outcome = run(words);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{words:?}: {outcome:?}");
    for told in told {
        assert!(outcome.stderr.contains(told), "{words:?}: {told:?} is not in {}", outcome.stderr);
    }
}

#[test]
fn password_in_the_url_is_refused_and_never_repeated() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("server.toml");
    fs::write(&file, format!("db = \"{PASSWORD}\"\n")).unwrap();
    let with_file = |words: &[&str]| {
        let mut command = command(words);
        command.env("CHAT_SERVER_CONFIG", &file);
        command
    };
    let with_variable = |words: &[&str]| {
        let mut command = command(words);
        command.env("CHAT_SERVER_DB", PASSWORD);
        command
    };
    for command in [
        command(&["--db", PASSWORD]),
        command(&["--db", PASSWORD, "stats"]),
        command(&["--db", PASSWORD, "--json", "stats"]),
        command(&["db", "check", PASSWORD]),
        command(&["--db", PASSWORD, "config", "show"]),
        command(&["--db", PASSWORD, "config", "check"]),
        with_variable(&["serve"]),
        with_file(&["config", "show", "--json"]),
        with_file(&["config", "check"]),
        with_file(&["stats"]),
    ] {
        let shown = format!("{command:?}");
        let outcome = outcome(command);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (78, ""), "{shown}: {outcome:?}");
        assert!(outcome.stderr.contains("--db-password-file"), "{shown}: {outcome:?}");
        assert!(!outcome.stderr.contains("s3cret"), "{shown}: {outcome:?}");
    }
}

#[test]
fn url_that_cannot_be_kept_is_refused_with_what_to_do() {
    let with = |parameter: &str| format!("{URL}?{parameter}");
    for (url, told) in [
        (with("sslmode=require"), &["sslmode=require encrypts", "verify-full"][..]),
        (with("sslmode=disable"), &["to db.invalid:5432 unencrypted", "--db-allow-plaintext"]),
        (with("sslmod=disable"), &["unknown parameter sslmod", "sslmode"]),
        (with("target_session_attrs=any"), &["read-write, primary"]),
        ("postgres://db.invalid/chat".to_owned(), &["no user", "postgres://USER@HOST"]),
        ("postgresql:///chat?user=chat".to_owned(), &["no host", "postgres://USER@HOST"]),
    ] {
        refused(&["--db", &url, "stats"], 78, told);
        refused(&["db", "check", &url], 78, told);
    }
    let url = with("sslmode=disable&connect_timeout=1");
    let words = ["--db-allow-plaintext", "--db-failover-wait", "1ms", "db", "check", &url];
    refused(&words, 69, &["cannot connect to postgres://chat@db.invalid:5432/chat: "]);
}

#[test]
fn command_for_files_names_what_does_the_same() {
    for (words, told) in [
        (&["backup", "/backup"][..], "pg_dump"),
        (&["restore", "/backup"], "pg_restore"),
        (&["check"], "pg_amcheck"),
        (&["check", "--rebuild"], "reindexdb"),
        (&["message", "purge", "--older-than", "1d", "--compact"], "VACUUM"),
        (&["init"], "config example"),
    ] {
        refused(&[&["--db", URL][..], words].concat(), 2, &["--db is on PostgreSQL", told]);
    }
    refused(&["--db", "chat.sqlite", "db", "check"], 2, &["--db is a file"]);
    refused(&["db", "check", "chat.sqlite"], 2, &["is not a database URL"]);
    // In the person's language too.
    refused(&["--lang", "id", "--db", URL, "check"], 2, &["hanya untuk file database"]);
}

#[test]
fn healthcheck_without_an_admin_socket_names_the_setting_and_makes_no_file() {
    let folder = TempDir::new().unwrap();
    let mut command = command(&["--db", URL, "healthcheck"]);
    command.current_dir(folder.path());
    let outcome = outcome(command);
    assert_eq!(outcome.code, 78, "{outcome:?}");
    for told in ["error: `healthcheck` asks the server of", "\nhint: set --admin-socket PATH"] {
        assert!(outcome.stderr.contains(told), "{outcome:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A command, its words, and the code and the hint where it does nothing on PostgreSQL.
type OnPostgres = (&'static str, &'static [&'static str], Option<(i32, &'static str)>);

/// What each command of `--help` does on PostgreSQL: it works with these words, or names what does
/// the same. A new command needs a line.
const COMMANDS: &[OnPostgres] = &[
    ("serve", &[], None),
    ("init", &[], Some((2, "config example"))),
    ("user", &["list"], None),
    ("room", &["list"], None),
    ("message", &["purge", "--older-than", "1d", "--dry-run"], None),
    ("session", &["list"], None),
    ("token", &["list"], None),
    ("invite", &["list"], None),
    ("seed", &["-"], None),
    ("stats", &[], None),
    ("healthcheck", &[], Some((78, "--admin-socket"))),
    ("config", &["show"], None),
    ("backup", &["/backup"], Some((2, "pg_dump"))),
    ("restore", &["/backup"], Some((2, "pg_restore"))),
    ("export", &[], None),
    ("import", &["-"], None),
    ("db", &["check"], None),
    ("check", &[], Some((2, "pg_amcheck"))),
    ("completions", &["bash"], None),
];

#[test]
fn every_command_works_on_postgres_or_names_what_does_the_same() {
    let help = run(&["--help"]).stdout;
    let (_, rest) = help.split_once("Commands:\n").expect("a list");
    let (list, _) = rest.split_once("\n\n").expect("its end");
    let listed = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let listed: Vec<&str> =
        listed.filter_map(|line| line.split_whitespace().next()).filter(|n| *n != "help").collect();
    let named: Vec<&str> = COMMANDS.iter().map(|(name, _, _)| *name).collect();
    assert_eq!(listed, named, "left: --help; right: the table");

    let folder = TempDir::new().unwrap();
    let Some(url) = new_on_postgres() else { return };
    for (name, words, instead) in COMMANDS {
        if *name == "serve" {
            Server::start_on(Path::new(&url)).log_in("paff");
            continue;
        }
        let words = [&[*name], *words].concat();
        let mut command = operator::command(Path::new(&url), &words);
        command.current_dir(folder.path());
        let header = r#"{"type":"header","format":"chat-export","version":1,"newest":0}"#;
        let input = match *name {
            "import" => header,
            "seed" => r#"[{"name": "ann", "display_name": "Ann", "password": "a good one"}]"#,
            _ => "",
        };
        let outcome = outcome_with_input(command, input.as_bytes());
        match instead {
            // There may be nothing to do.
            None => assert!([0, 1].contains(&outcome.code), "{name}: {outcome:?}"),
            Some((code, instead)) => {
                let told = (outcome.code, outcome.stdout.as_str());
                assert_eq!(told, (*code, ""), "{name}: {outcome:?}");
                assert!(outcome.stderr.contains(instead), "{name}: {outcome:?}");
            }
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no file is made");
}

#[test]
fn settings_of_the_database_are_shown_and_checked() {
    let words = ["--db", URL, "--db-durability", "local", "config", "show", "--json"];
    let outcome = run(&words);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let value = |key: &str| {
        let lines = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.into_iter().find(|setting| setting["key"] == key).expect(key)["value"].clone()
    };
    assert_eq!(value("db"), URL);
    assert_eq!(value("db_durability"), "local");
    assert_eq!(value("db_failover_wait"), "30s");
    assert_eq!(value("db_password_file"), Value::Null);
    assert_eq!(run(&["--db", URL, "config", "check"]).code, 0);
    refused(&["--db-durability", "some", "config", "show"], 2, &["standby, local, storage"]);
    refused(&["--db-failover-wait", "0s", "config", "show"], 2, &["--db-failover-wait"]);
}

#[test]
fn check_tells_what_is_promised() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let url = cluster.url(OWNER, "postgres");
    let hint = "--db-durability=local";
    refused(&["db", "check", &url], 78, &["synchronous_standby_names is empty", hint]);
    let outcome = run(&["--db", &url, "db", "check", "--db-durability=local"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.contains("on the disk of the primary\n"), "{outcome:?}");

    cluster.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (standby1)'");
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    while run(&["db", "check", &url]).code != 0 {}
    let outcome = run(&["--json", "db", "check", &url]);
    let told: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let expected = json!({"durability": "standby", "standbys": [], "waiting": true});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&told[key], value, "{told}");
    }
    let text = run(&["db", "check", &url]).stdout;
    assert!(text.contains("every write waits for one"), "{text}");

    let _standby = cluster.standby("standby1");
    let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'";
    while cluster.sql("postgres", sql) != "1" {}
    let text = run(&["db", "check", &url]).stdout;
    assert!(text.contains("and of a standby: standby1\n"), "{text}");
}

#[test]
fn check_reads_the_password_and_says_what_is_wrong_with_it() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.sql("postgres", "CREATE ROLE chat LOGIN PASSWORD 'right'");
    cluster.write("pg_hba.conf", "local all owner trust\nlocal all all scram-sha-256\n");
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    let url = cluster.url("chat", "postgres");
    let check = ["db", "check", "--db-durability=local", &url];
    while run(&check).code == 0 {}
    refused(&check, 78, &["it wants a password", "PGPASSFILE"]);

    let home = TempDir::new().unwrap();
    let file = home.path().join(".pgpass");
    let write = |text: &str, mode| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    };
    let by_home = || {
        let mut command = command(&check);
        command.env("HOME", home.path());
        outcome(command)
    };
    write("*:*:*:chat:right\n", 0o644);
    let outcome = by_home();
    assert_eq!(outcome.code, 78, "{outcome:?}");
    assert!(outcome.stderr.contains("(mode 644)") && outcome.stderr.contains("hint: chmod 600"));
    write("*:*:*:chat:wrong\n", 0o600);
    assert_eq!(by_home().code, 77);
    write("*:*:*:chat:right\n", 0o600);
    assert_eq!(by_home().code, 0);

    write("right\n", 0o600);
    let file = file.to_str().unwrap();
    let named = run(&[&check[..], &["--db-password-file", file]].concat());
    assert_eq!(named.code, 0, "{named:?}");
    let none = [&check[..], &["--db-password-file", "/none"]].concat();
    refused(&none, 78, &["the password file /none cannot be read"]);
}

#[test]
fn check_waits_for_a_new_primary() {
    let Some(mut primary) = Cluster::start(&[]) else { return };
    let standby = primary.standby("standby1");
    let hosts = [&primary, &standby].map(|cluster| cluster.socket_folder().display().to_string());
    let url = format!("postgres://{OWNER}@/postgres?host={}", hosts.join(","));
    primary.kill();
    let words = ["--db-durability=local", "--db-failover-wait", "1ms", "db", "check", &url];
    refused(&words, 69, &["it is a standby"]);
    let words = ["--db-durability=local", "--db-failover-wait", "60s", "db", "check", &url];
    let mut waiting = command(&words);
    let waiting = waiting.stdout(Stdio::piped()).spawn().unwrap();
    standby.sql("postgres", "SELECT pg_promote()");
    assert!(waiting.wait_with_output().unwrap().status.success());
}
