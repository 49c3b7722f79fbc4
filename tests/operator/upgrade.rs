//! Databases of earlier versions are upgraded with all their contents, and a copy from before is
//! kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::support::Server;
use crate::support::{cli, operator};

/// Facts about `schema-1.sqlite` that are not in the file: see the page beside it.
const PAFF: &str = "550bbffc-1777-481a-ad2b-18a67bcbf724";
const NEKO: &str = "5d46232c-8ea2-4d74-ba08-e09d1c5890c6";
const ROBO: &str = "9678d9ed-44c7-4cec-b670-0f7116f69964";

/// The text of its messages 7 to 15.
fn odd_texts() -> [String; 9] {
    [
        "\0nul",
        "line\r\nbreaks\nand\ttabs",
        "\u{2028} and \u{2029}",
        "\u{1b}[31mred\u{1b}[0m \u{202e}gnp",
        "\u{1f980} \u{6f22}\u{5b57} e\u{301}",
        " spaces ",
        "\u{7f}\u{1}\u{1f}",
        "'; DROP TABLE messages;--",
        &"x".repeat(9_000),
    ]
    .map(str::to_owned)
}

fn frozen(schema: usize) -> PathBuf {
    let name = format!("tests/frozen/schema-{schema}.sqlite");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A copy of a frozen database in a folder of its own.
fn thawed(schema: usize) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sqlite");
    fs::copy(frozen(schema), &path).unwrap();
    (folder, path)
}

/// The copies that upgrades have made in a folder.
fn copies(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "backup")).collect()
}

/// The contents of a database that are the same in every schema.
fn rows(database: &Path) -> Vec<String> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = rusqlite::Connection::open_with_flags(database, flags).unwrap();
    let mut rows = Vec::new();
    for sql in [
        "SELECT hex(id || sent_at || sender_id || recipient_id || ifnull(key, '-') || hex(body)) FROM messages",
        "SELECT user_id || name || upto_id || moved_at FROM cursors",
        "SELECT user_id || cursor || message_id FROM dead_letters",
        "SELECT id || name || display_name || password_hash || password_is_published || created_at || ifnull(disabled_at, '-') FROM users",
        "SELECT id || user_id || hex(token_hash) || created_at || expires_at FROM sessions",
    ] {
        let mut statement = connection.prepare(sql).unwrap();
        let found = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.extend(found.map(Result::unwrap));
    }
    rows
}

/// [`rows`] of a frozen database. It is copied first: even a reader changes files beside a database with
/// a WAL, and so it would disturb other tests that read the same one.
fn frozen_rows(schema: usize) -> Vec<String> {
    let (_folder, database) = thawed(schema);
    rows(&database)
}

#[test]
fn every_released_schema_is_frozen_but_the_newest() {
    let steps =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite")).unwrap();
    for schema in 1..steps.count() {
        let header = fs::read(frozen(schema)).unwrap();
        assert_eq!(header[60..64], u32::try_from(schema).unwrap().to_be_bytes());
    }
}

#[test]
fn database_of_schema_1_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(1);
}

#[test]
fn database_of_schema_2_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(2);
}

#[test]
fn database_of_schema_3_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(3);
}

#[test]
fn database_of_schema_4_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(4);
}

#[test]
fn database_of_schema_5_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(5);
}

#[test]
fn database_of_schema_6_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(6);
}

#[test]
fn database_of_schema_7_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(7);
}

#[test]
fn database_of_schema_8_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(8);
}

#[test]
fn database_of_schema_9_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(9);
}

#[test]
fn database_of_schema_10_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(10);
}

#[test]
fn database_of_schema_11_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(11);
}

#[test]
fn database_of_schema_12_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(12);
}

#[test]
fn database_of_schema_13_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(13);
}

#[test]
fn database_of_schema_14_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(14);
}

#[test]
fn database_of_schema_15_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(15);
}

#[test]
fn database_of_schema_16_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(16);
}

#[test]
fn database_of_schema_17_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(17);
}

#[test]
fn database_of_schema_18_is_upgraded_with_everything_in_it() {
    is_upgraded_with_everything_in_it(18);
}

fn is_upgraded_with_everything_in_it(schema: usize) {
    let server = Server::start_from_with(&frozen(schema), &["--session-idle", "36500d"]);
    assert_eq!(rows(&server.database()), frozen_rows(schema), "every row is there");

    let mut wire = server.connect();
    assert_eq!(wire.done(format!("whoami {PAFF}"))["user"], "paff", "sessions go on");
    assert_eq!(wire.refused(format!("whoami {ROBO}")), "no_session", "robo is disabled");
    assert_eq!(wire.refused("auth paff cytus"), "wrong_password");
    wire.done("auth paff magíc 1");

    let unread = wire.done(format!("unread {PAFF}"));
    assert_eq!(unread["unread"], 1, "paff has read all but the last: {unread}");
    let page = wire.done(format!(r#"fetch {NEKO} {{"after": 0, "limit": 100}}"#));
    let bodies = page["messages"].as_array().unwrap().iter().map(|message| &message["body"]);
    let expected = ["hai neko", "once", "to three of you"].map(str::to_owned);
    assert!(bodies.eq(expected.iter().chain(&odd_texts()).collect::<Vec<_>>()), "{page}");
    let dead = wire.done(format!(r#"fetch {NEKO} {{"dead": "worker"}}"#));
    assert_eq!(dead["messages"][0]["id"], 9);

    let again = r#"{"to": ["neko", "ivy", "robo"], "body": "to three of you", "key": "three"}"#;
    let posted = wire.done(format!("post {PAFF} {again}"));
    assert_eq!((&posted["duplicate"], &posted["id"]), (&json!(true), &json!(4)));
    let posted = wire.done(format!(r#"post {PAFF} {{"to": ["neko"], "body": "new"}}"#));
    assert_eq!(posted["id"], 38, "ids go on");

    let answer = r#"{"to": ["paff"], "body": "seen", "title": "Re", "reply_to": 38}"#;
    assert_eq!(wire.done(format!("post {NEKO} {answer}"))["id"], 39, "and carry more");
    let details =
        "SELECT id, title, priority, reply_to, thread FROM v2_messages WHERE id IN (37, 39)";
    assert_eq!(server.query(details), ["37||3||37", "39|Re|3|38|38"]);

    let inbox = "SELECT count(*), min(id) FROM v1_inbox WHERE recipient = 'neko'";
    assert_eq!(server.query(inbox), ["10|7"]);
    let cursors = "SELECT user, cursor, upto_id FROM v1_cursors ORDER BY user, cursor";
    let expected = ["ivy|night.ly|0", "neko|inbox|4", "neko|worker|9", "paff|inbox|36"];
    assert_eq!(server.query(cursors), expected);
    let robo = "SELECT name, disabled_at FROM v1_users WHERE disabled_at < '2026'";
    assert_eq!(server.query(robo), ["robo|2025-11-24T16:00:00.000Z"]);

    // What is old can be edited and deleted.
    let edited = wire.done(format!(r#"edit {NEKO} {{"id": 37, "body": "edited"}}"#));
    assert_eq!((&edited["change"], &edited["duplicate"]), (&json!(40), &json!(false)));
    wire.done(format!(r#"delete {PAFF} {{"id": 38}}"#));
    let page = wire.done(format!(r#"fetch {NEKO} {{"after": 36, "with": "paff"}}"#));
    let texts = page["messages"].as_array().unwrap().iter().map(|message| &message["body"]);
    assert!(texts.eq(["edited", "seen"]), "{page}");
    let views = "SELECT group_concat(body) FROM v2_messages WHERE id > 36";
    assert_eq!(server.query(views), ["edited,seen"]);
    let room = &operator::objects(&server.database(), &["room", "everybody"])[0];
    let users = server.query("SELECT count(*) FROM v1_users WHERE deleted_at IS NULL");
    assert_eq!(room["members"].to_string(), users[0], "{room}");
    operator::done(&server.database(), &["check"]);
}

#[test]
fn copy_from_before_an_upgrade_is_kept_and_reported_and_the_older_program_can_use_it() {
    let (folder, database) = thawed(1);
    let listed = operator::run(&database, &["user", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let copies = copies(folder.path());
    let [copy] = copies.as_slice() else { panic!("{copies:?}") };
    assert!(listed.stderr.contains(copy.to_str().unwrap()), "{}", listed.stderr);
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(rows(copy), frozen_rows(1));

    // As seen by a program that knows one step less.
    let mut newer = fs::read(&database).unwrap();
    newer[60..64].copy_from_slice(&999_u32.to_be_bytes());
    fs::write(&database, newer).unwrap();
    let refused = operator::run(&database, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, 65);
    assert!(refused.stderr.contains("schema 999"), "{}", refused.stderr);
    let restore = format!("--db {} restore {}", database.display(), copy.display());
    assert!(refused.stderr.contains(&restore), "{}", refused.stderr);
    fs::remove_file(&database).unwrap();
    operator::done(&database, &["restore", copy.to_str().unwrap()]);
    assert_eq!(operator::objects(&database, &["check"])[0]["messages"], 37);
}

#[test]
fn without_room_for_the_copy_nothing_is_upgraded() {
    let (folder, database) = thawed(1);
    let before = fs::read(&database).unwrap();
    // No file may exceed 32 KiB, as if the disk were full.
    let mut command = Command::new("sh");
    let limited = r#"ulimit -f 64; exec "$0" "$@""#;
    command.args(["-c", limited, env!("CARGO_BIN_EXE_chat-server"), "--db"]).arg(&database);
    let outcome = cli::outcome({
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command
    });
    assert_eq!(outcome.code, 74, "{outcome:?}");
    assert!(outcome.stderr.contains("was not upgraded"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("hint: the database is as it was"), "{}", outcome.stderr);
    assert!(fs::read(&database).unwrap() == before, "the database is left as it was");
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.iter().all(|path| !path.to_string_lossy().contains(".schema-")), "{left:?}");
}
