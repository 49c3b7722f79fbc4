//! Backups: made while the server writes, restored, checked.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::clock::{Clock, DECADE};
use crate::support::{Ending, Server};
use crate::support::{cli, operator};

/// A database without a server, with three messages from paff; neko has read the first, and is
/// logged in with the token.
fn database() -> (TempDir, PathBuf, String) {
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    for text in ["one", "two", "three"] {
        server.connect().done(format!("send {paff} neko {text}"));
    }
    server.connect().done(format!(r#"ack {neko} {{"upto": 1}}"#));
    server.stop();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sqlite");
    fs::copy(server.database(), &path).unwrap();
    (folder, path, neko)
}

/// Adds so many messages of a KiB each to a database without a server.
fn fill(database: &Path, count: usize) {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection
        .execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
             INSERT INTO messages (id, sent_at, sender_id, recipient_id, body)
             SELECT (SELECT max(id) FROM messages) + n, 0, 1, 2, hex(randomblob(512)) FROM n",
            [count as i64],
        )
        .unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

fn rows<T: rusqlite::types::FromSql>(database: &Path, sql: &str) -> Vec<T> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn backup_while_senders_send_has_every_message_up_to_its_newest() {
    let server = Server::start();
    let sending = AtomicBool::new(true);
    let sent = thread::scope(|scope| {
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let (mut wire, sending) = (server.connect(), &sending);
                scope.spawn(move || {
                    let token = wire.log_in("paff");
                    let mut sent = 0;
                    while sending.load(Ordering::Relaxed) {
                        wire.done(format!("send {token} neko {sent}"));
                        sent += 1;
                    }
                    sent
                })
            })
            .collect();
        let ending = Ending(&sending);
        let mut newest = 0;
        for number in 0..5 {
            let backup = server.folder().join(format!("backup-{number}"));
            let reported = &operator::objects(&server.database(), &["backup", text(&backup)])[0];
            let ids: Vec<i64> = rows(&backup, "SELECT id FROM messages ORDER BY id");
            assert!(ids.iter().copied().eq(1..=ids.len() as i64), "no id is missing");
            assert!(ids.len() >= newest, "later backups have more");
            newest = ids.len();
            let len = fs::metadata(&backup).unwrap().len();
            assert_eq!(
                (
                    &reported["messages"],
                    &reported["newest"],
                    &reported["users"],
                    &reported["bytes"]
                ),
                (&json!(newest), &json!(newest), &json!(5), &json!(len))
            );
            assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
        }
        drop(ending);
        senders.into_iter().map(|sender| sender.join().unwrap()).sum::<usize>()
    });
    assert_eq!(server.query("SELECT count(*) FROM messages"), [sent.to_string()]);
    operator::done(&server.database(), &["check"]);
}

#[test]
fn backup_and_check_of_an_unserved_database_leave_no_files_beside_it() {
    let (folder, database, _) = database();
    let before = fs::read(&database).unwrap();
    let elsewhere = TempDir::new().unwrap();
    operator::done(&database, &["backup", text(&elsewhere.path().join("b"))]);
    operator::done(&database, &["check"]);
    assert_eq!(names(folder.path()), ["chat.sqlite"]);
    assert_eq!(names(elsewhere.path()), ["b"]);
    assert!(fs::read(&database).unwrap() == before, "the database is left as it was");
}

#[test]
fn backup_after_a_kill_includes_the_wal_and_leaves_it_there() {
    let mut server = Server::start();
    let paff = server.log_in("paff");
    server.connect().done(format!("send {paff} neko acknowledged"));
    server.kill();
    let log = server.folder().join("chat.sqlite-wal");
    let before = [fs::read(server.database()).unwrap(), fs::read(&log).unwrap()];
    assert!(!before[1].is_empty());
    let backup = server.folder().join("backup");
    operator::done(&server.database(), &["backup", text(&backup)]);
    operator::done(&server.database(), &["check"]);
    assert_eq!(rows::<String>(&backup, "SELECT body FROM messages"), ["acknowledged"]);
    let after = [fs::read(server.database()).unwrap(), fs::read(&log).unwrap()];
    assert!(before == after, "the file and its WAL are unchanged");
    server.start_again();
    assert_eq!(server.query("SELECT body FROM messages"), ["acknowledged"]);
}

#[test]
fn existing_file_is_never_overwritten_and_missing_one_is_no_input() {
    let (folder, database, _) = database();
    let taken = folder.path().join("taken");
    fs::write(&taken, "precious").unwrap();
    let missing = folder.path().join("missing");
    let below = taken.join("x");
    for (database, arguments, code) in [
        (&database, ["backup", text(&taken)], 73),
        (&database, ["backup", text(&missing.join("b"))], 66),
        (&database, ["backup", text(&below)], 66),
        (&database, ["backup", text(&folder.path().join("chat.sqlite.admin"))], 66),
        (&database, ["backup", text(&folder.path().join("chat.sqlite-journal"))], 66),
        (&missing, ["backup", text(&folder.path().join("b"))], 66),
        (&below, ["backup", text(&folder.path().join("b"))], 66),
        (&taken, ["backup", text(&folder.path().join("b"))], 65),
        (&database, ["restore", text(&taken)], 73),
        (&missing, ["restore", text(&taken)], 65),
        (&missing, ["restore", text(&folder.path().join("b"))], 66),
    ] {
        let outcome = operator::run(database, &arguments);
        assert_eq!(outcome.code, code, "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.starts_with("error: ") && outcome.stderr.contains("\nhint: "));
        assert!(outcome.stdout.is_empty());
    }
    let outcome = operator::run(&below, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(outcome.code, 66, "{outcome:?}");
    assert!(outcome.stderr.contains("is below a file"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(&taken).unwrap(), "precious");
    assert_eq!(names(folder.path()), ["chat.sqlite", "taken"]);
}

#[test]
fn damaged_database_is_not_backed_up() {
    let (folder, database, _) = database();
    fill(&database, 100);
    let mut bytes = fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4_096].fill(0x5a);
    fs::write(&database, bytes).unwrap();
    let backup = folder.path().join("backup");
    let outcome = operator::run(&database, &["backup", text(&backup)]);
    assert_eq!(outcome.code, 65, "{outcome:?}");
    assert_eq!(names(folder.path()), ["chat.sqlite"]);
}

#[test]
fn backup_that_finds_no_room_leaves_nothing_and_says_so() {
    let (folder, database, _) = database();
    fill(&database, 100);
    let mut command = Command::new("sh");
    // No file may exceed 32 KiB, as if the disk were full.
    let limited = r#"ulimit -f 64; exec "$0" "$@""#;
    command.args(["-c", limited, env!("CARGO_BIN_EXE_chat-server"), "--db"]).arg(&database);
    command.arg("backup").arg(folder.path().join("backup"));
    let outcome = cli::outcome(command);
    assert_eq!(outcome.code, 74, "{outcome:?}");
    assert_eq!(names(folder.path()), ["chat.sqlite"]);
}

/// Runs a command, kills it as soon as there is a file of this name, and waits for its end.
fn kill_at(mut command: Command, path: &Path) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !path.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn kill_during_backup_or_restore_leaves_no_part_and_the_next_attempt_works() {
    let (folder, database, _) = database();
    fill(&database, 20_000);
    let backup = folder.path().join("backup");
    let partial = folder.path().join("backup.partial");
    kill_at(operator::command(&database, &["backup", text(&backup)]), &partial);
    assert!(!backup.exists());
    operator::done(&database, &["backup", text(&backup)]);
    assert!(!partial.exists());

    let restored = folder.path().join("restored");
    let partial = folder.path().join("restored.partial");
    kill_at(operator::command(&restored, &["restore", text(&backup)]), &partial);
    assert!(!restored.exists());
    operator::done(&restored, &["restore", text(&backup)]);
    assert_eq!(operator::objects(&restored, &["check"])[0]["messages"], 20_003);
    let expected = ["backup", "chat.sqlite", "restored", "restored.lock"];
    assert_eq!(names(folder.path()), expected);
}

/// The next line of a schedule, output or error, as an object.
fn next(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Value {
    serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()
}

#[test]
fn schedule_keeps_the_newest_survives_a_failure_and_removes_nothing_else() {
    let (_folder, database, _) = database();
    let folder = TempDir::new().unwrap();
    let kept = ["chat-by-hand.sqlite", "other-20200101T000000Z.sqlite"];
    kept.iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
    // A foreign file with such a name.
    let not_a_file = "chat-20200101T000000Z.sqlite";
    fs::create_dir(folder.path().join(not_a_file)).unwrap();
    // Left by a killed schedule.
    fs::write(folder.path().join("chat-20200101T000000Z.sqlite.partial"), "").unwrap();
    let arguments = ["backup", text(folder.path()), "--every", "1100ms", "--keep", "2", "--json"];
    let mut command = operator::command(&database, &arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut made = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut failed = BufReader::new(child.stderr.take().unwrap()).lines();

    let mut backups: Vec<String> = Vec::new();
    for _ in 0..3 {
        backups.push(next(&mut made)["path"].as_str().unwrap().to_owned());
    }
    let away = database.with_extension("away");
    fs::rename(&database, &away).unwrap();
    assert_eq!(next(&mut failed)["exit"], 66);
    let there = |backup: &String| Path::new(backup).exists();
    assert_eq!(backups.iter().map(there).collect::<Vec<_>>(), [false, true, true]);
    fs::rename(&away, &database).unwrap();
    backups.push(next(&mut made)["path"].as_str().unwrap().to_owned());

    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut expected: Vec<&str> = kept.into();
    expected.push(not_a_file);
    let newest = backups[2..].iter().map(|path| path.rsplit('/').next().unwrap());
    expected.extend(newest);
    expected.sort_unstable();
    assert_eq!(names(folder.path()), expected);
}

#[test]
fn restored_database_is_as_of_then_without_sessions_and_ids_continue_far_higher() {
    let (folder, database, neko) = database();
    let backup = folder.path().join("backup");
    operator::done(&database, &["backup", text(&backup)]);
    let restored = folder.path().join("restored");
    let reported = &operator::objects(&restored, &["restore", text(&backup)])[0];
    let newest = reported["newest"].as_i64().unwrap();
    assert!((1_000_000_003..1 << 52).contains(&newest), "{newest}");
    assert_eq!(fs::metadata(&restored).unwrap().permissions().mode() & 0o777, 0o600);

    let server = Server::start_from(&restored);
    let mut wire = server.connect();
    assert_eq!(wire.refused(format!("whoami {neko}")), "no_session");
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 2);
    // A reader that recorded an id from after the backup misses no new message.
    let mut watch = server.connect();
    let watching = watch.done(format!(r#"watch {neko} {{"from": 417}}"#));
    assert_eq!(watching["after"], 417);
    let posted = wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "new"}}"#));
    assert_eq!(posted["id"], newest + 1);
    let message = loop {
        let event = watch.reply();
        if event["event"] == "message" {
            break event;
        }
    };
    assert_eq!(message["id"], newest + 1);
    wire.done(format!(r#"ack {neko} {{"upto": 417}}"#));
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 1);
}

/// The ids of three messages sent after a restore of the backup; then the database is lost.
fn ids_after_restore(backup: &Path, clock: Option<&Clock>) -> Vec<i64> {
    let folder = TempDir::new().unwrap();
    let restored = folder.path().join("restored");
    let mut restore = operator::command(&restored, &["restore", text(backup)]);
    if let Some(clock) = clock {
        clock.give(&mut restore);
    }
    assert!(restore.output().unwrap().status.success());
    let server = Server::start_from(&restored);
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    let post = format!(r#"post {paff} {{"to": ["neko"], "body": "new"}}"#);
    let ids: Vec<i64> = (0..3).map(|_| wire.done(&post)["id"].as_i64().unwrap()).collect();
    assert!(ids.is_sorted() && ids[2] < 1 << 53, "{ids:?}");
    ids
}

#[test]
fn ids_never_come_back_however_often_a_backup_is_restored_and_lost() {
    let (folder, database, _) = database();
    let backup = folder.path().join("backup");
    operator::done(&database, &["backup", text(&backup)]);
    let mut given: Vec<i64> = (0..3).flat_map(|_| ids_after_restore(&backup, None)).collect();
    // A decade back is before the epoch of the ids: only chance separates them.
    if let Some(clock) = Clock::new() {
        for seconds in [0, -DECADE, -DECADE, DECADE, 0] {
            clock.set(seconds);
            given.extend(ids_after_restore(&backup, Some(&clock)));
        }
    }
    let count = given.len();
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), count, "an id was given twice: {given:?}");
}

#[test]
fn sessions_can_be_kept_when_a_database_only_moves() {
    let (folder, database, neko) = database();
    let backup = folder.path().join("backup");
    operator::done(&database, &["backup", text(&backup)]);
    let moved = folder.path().join("moved");
    operator::done(&moved, &["restore", text(&backup), "--keep-sessions"]);
    Server::start_from(&moved).connect().done(format!("whoami {neko}"));
}

#[test]
fn restore_refuses_a_leftover_wal_and_a_running_server() {
    let (folder, database, _) = database();
    let backup = folder.path().join("backup");
    operator::done(&database, &["backup", text(&backup)]);
    let place = folder.path().join("place");
    fs::write(folder.path().join("place-wal"), "").unwrap();
    let outcome = operator::run(&place, &["restore", text(&backup)]);
    assert_eq!(outcome.code, 73, "{outcome:?}");
    assert!(outcome.stderr.contains("place-wal exists already"), "{}", outcome.stderr);

    // A server whose file was moved away still has the lock, and would continue to write. It is
    // frozen, because it ends once it notices.
    let server = Server::start();
    server.freeze();
    fs::rename(server.database(), server.folder().join("moved")).unwrap();
    fs::rename(server.folder().join("chat.sqlite-wal"), server.folder().join("moved-wal")).unwrap();
    let outcome = operator::run(&server.database(), &["restore", text(&backup)]);
    assert_eq!(outcome.code, 75, "{outcome:?}");
    assert!(!server.database().exists());
}

#[test]
fn check_reports_each_fault_on_a_line_and_changes_nothing() {
    let (_folder, database, _) = database();
    fill(&database, 10);
    let sound = operator::objects(&database, &["check"]);
    assert_eq!((&sound[0]["sound"], &sound[0]["findings"]), (&json!(true), &json!([])));
    let connection = rusqlite::Connection::open(&database).unwrap();
    let damage = "
        PRAGMA foreign_keys = OFF;
        DROP INDEX sessions_by_user;
        DROP VIEW v1_inbox;
        CREATE TABLE songs (title);
        UPDATE cursors SET upto_id = 500 WHERE name = 'inbox';
        INSERT INTO messages (id, sent_at, sender_id, recipient_id, body) VALUES (100, 0, 1, 77, 'x');
        INSERT INTO cursors (user_id, name, upto_id, moved_at) VALUES (1, 'worker', 1, 0);
        INSERT INTO dead_letters (user_id, cursor, message_id) VALUES (1, 'worker', 2);
        UPDATE users SET name = 'Ivy!' WHERE name = 'ivy';
        PRAGMA ignore_check_constraints = ON;
        UPDATE messages SET body = '' WHERE id = 3;
        INSERT INTO scheduled (sender_id, recipients, body, details, made_at, due_at, said_at)
        VALUES (1, '[2]', 'x', NULL, 0, 9, 9), (1, '[2]', '', NULL, 0, 9, 9),
               (1, 'all', 'x', NULL, 0, 9, 9), (1, '[2]', 'x', '{\"\": 0}', 0, 9, 9);
        INSERT INTO expectations (owner_id, name, tell_id, every_ms, grace_ms, due_at, late_text)
        VALUES (1, 'backup', 2, 1, 1, 9, CAST(x'ff' AS TEXT));
    ";
    connection.execute_batch(damage).unwrap();
    drop(connection);
    let before = fs::read(&database).unwrap();
    let outcome = operator::run(&database, &["check"]);
    assert_eq!(outcome.code, 65, "{outcome:?}");
    for finding in [
        "the index sessions_by_user is missing or was changed",
        "the view v1_inbox is missing or was changed",
        "the table songs does not belong to the schema",
        "the cursor inbox of neko is at 500, and the newest id is 100: the next messages would count as read",
        "row 100 of messages refers to a missing row of users or rooms",
        "message 2 is a dead letter of paff at worker, but another user received it",
        "user 4 has an invalid name",
        "message 3 has an invalid text",
        "scheduled message 2 has an invalid value",
        "scheduled message 3 has an invalid value",
        "scheduled message 4 has an invalid value",
        "the expectation backup of paff has an invalid text",
    ] {
        assert!(outcome.stdout.lines().any(|line| line == finding), "{finding}: {outcome:?}");
    }
    assert!(!outcome.stdout.contains("scheduled message 1 "), "it is sound: {outcome:?}");
    let quick = operator::run(&database, &["check", "--quick", "--json"]);
    assert_eq!(quick.code, 65);
    let reported: Value = serde_json::from_str(&quick.stdout).unwrap();
    assert_eq!(reported["sound"], false);
    assert!(fs::read(&database).unwrap() == before, "the database is left as it was");
}

#[test]
fn check_finds_a_duplicate_key_wherever_the_table_of_keys_ends() {
    let twice = "neko has 2 messages with the key \"k\" of paff, and only one is allowed";
    let too_far = "the table of keys ends at 1000, and the newest id is 13";
    for (upto, recipient, findings) in [
        (0, 2, &[twice][..]),
        (4, 2, &[twice]),
        (10, 2, &[twice]),
        (1000, 2, &[too_far, twice]),
        // A message to several users is one row for each.
        (0, 3, &[]),
        (4, 3, &[]),
        (10, 3, &[]),
    ] {
        let (_folder, database, _) = database();
        fill(&database, 10);
        let connection = rusqlite::Connection::open(&database).unwrap();
        let keys = format!(
            "UPDATE messages SET key = 'k', sender_id = 1, recipient_id = 2 WHERE id = 3;
             UPDATE messages SET key = 'k', sender_id = 1, recipient_id = {recipient} WHERE id = 5;
             INSERT INTO keys SELECT key, sender_id, id FROM messages WHERE key = 'k' AND id <= {upto};
             UPDATE meta SET value = '{upto}' WHERE name = 'keys_upto'"
        );
        connection.execute_batch(&keys).unwrap();
        drop(connection);
        let outcome = operator::run(&database, &["check", "--json"]);
        let reported: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(reported["findings"], json!(findings), "up to {upto}, for {recipient}");
    }
}

#[test]
fn check_finds_pages_and_indexes_that_are_damaged() {
    let (folder, database, _) = database();
    fill(&database, 200);
    let page = rows::<i64>(
        &database,
        "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_users_1'",
    )[0];
    let mut bytes = fs::read(&database).unwrap();
    // The cells of the first rows are at the end of the page.
    let end = usize::try_from(page).unwrap() * 4_096;
    bytes[end - 40..end].fill(0xff);
    fs::write(&database, &bytes).unwrap();
    let outcome = operator::run(&database, &["check"]);
    assert_eq!(outcome.code, 65, "{outcome:?}");
    assert!(outcome.stdout.contains(&format!("page {page} ")), "{outcome:?}");
    assert_eq!(names(folder.path()), ["chat.sqlite"]);
}

#[test]
fn check_of_a_server_under_load_finds_nothing() {
    let server = Server::start();
    let sending = AtomicBool::new(true);
    thread::scope(|scope| {
        let (mut wire, sending) = (server.connect(), &sending);
        scope.spawn(move || {
            let token = wire.log_in("paff");
            while sending.load(Ordering::Relaxed) {
                wire.done(format!("send {token} neko hai"));
            }
        });
        let _ending = Ending(sending);
        for _ in 0..5 {
            operator::done(&server.database(), &["check"]);
        }
    });
}

#[test]
fn no_password_and_no_token_is_in_a_backup_or_an_export() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!("passwd {paff} {}", json!({"old": "cytus", "new": "correct horse battery"})));
    wire.done(format!("send {neko} paff hai"));
    let folder = TempDir::new().unwrap();
    let backup = folder.path().join("backup");
    operator::done(&server.database(), &["backup", text(&backup)]);
    let export = operator::done(&server.database(), &["export", "--with-secrets"]);
    let held = [fs::read(&backup).unwrap(), export.into_bytes()];
    for secret in [paff.as_str(), &neko, "cytus", "correct horse battery"] {
        let stands =
            |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|at| at == secret.as_bytes());
        assert!(!held.iter().any(stands), "{secret} is there");
    }
    let hash = b"$argon2id$";
    assert!(held.iter().all(|bytes| bytes.windows(hash.len()).any(|at| at == hash)), "hashes are");
}
