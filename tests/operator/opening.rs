//! Opening a database changes nothing if it is refused, or on read-only media.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::support::cli::{Outcome, outcome};
use crate::support::disk::Disk;
use crate::support::skip::skip;
use crate::support::{Server, Wire, operator, server_command};

/// A user who owns nothing.
const NOBODY: u32 = 65_534;

/// Every file of a folder, with its mode and contents.
fn files(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
            (name, (mode, fs::read(&path).unwrap_or_default()))
        })
        .collect()
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let name = database.file_name().unwrap().to_str().unwrap();
    database.with_file_name(format!("{name}{suffix}"))
}

fn send(wire: &mut Wire, token: &str, texts: impl IntoIterator<Item = String>) {
    for text in texts {
        wire.done(format!("send {token} neko {text}"));
    }
}

/// A database with the message `first`.
fn server_with_a_message() -> (Server, String) {
    let server = Server::start();
    let paff = server.log_in("paff");
    server.connect().done(format!("send {paff} neko first"));
    (server, paff)
}

/// A number of messages that makes the WAL long or short.
fn later(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| format!("later-{number} {}", "x".repeat(count * 10)))
}

/// Whether a copy is made while the server runs, or after it has stopped.
#[derive(Debug, Clone, Copy)]
enum Way {
    Backup,
    Cp,
    Shell,
}

/// The files of a killed server that sent so many messages after a copy was made, and the copy.
fn killed_after_copy(way: Way, count: usize) -> (Server, Vec<u8>) {
    let (mut server, paff) = server_with_a_message();
    let elsewhere = TempDir::new().unwrap();
    let copy = elsewhere.path().join("copy");
    match way {
        Way::Backup => {
            operator::done(&server.database(), &["backup", copy.to_str().unwrap()]);
        }
        Way::Cp => {
            server.stop();
            fs::copy(server.database(), &copy).unwrap();
            server.start_again();
        }
        Way::Shell => {
            let source = rusqlite::Connection::open(server.database()).unwrap();
            let mut target = rusqlite::Connection::open(&copy).unwrap();
            let backup = rusqlite::backup::Backup::new(&source, &mut target).unwrap();
            backup.step(-1).unwrap();
        }
    }
    send(&mut server.connect(), &paff, later(count));
    server.kill();
    (server, fs::read(copy).unwrap())
}

#[test]
fn older_copy_beside_the_wal_of_a_killed_server_is_refused_and_both_are_kept() {
    for way in [Way::Backup, Way::Cp, Way::Shell] {
        for count in [1, 60] {
            let (mut server, copy) = killed_after_copy(way, count);
            let (database, log) = (server.database(), beside(&server.database(), "-wal"));
            let own = fs::read(&database).unwrap();
            fs::write(&database, &copy).unwrap();
            let before = files(server.folder());
            let elsewhere = TempDir::new().unwrap();
            let other = elsewhere.path().join("other");
            for arguments in [
                &["serve", "--listen", "127.0.0.1:0"][..],
                &["check"],
                &["check", "--rebuild"],
                &["export"],
                &["backup", other.to_str().unwrap()],
                &["message", "purge", "--before-id", "1"],
                &["user", "list"],
            ] {
                let reported = operator::run(&database, arguments);
                assert_eq!(reported.code, 65, "{way:?}, {count}, {arguments:?}: {reported:?}");
                let words = [log.to_str().unwrap(), "does not belong to", "\nhint: ", "move"];
                assert!(words.iter().all(|word| reported.stderr.contains(word)), "{reported:?}");
                assert!(files(server.folder()) == before, "{arguments:?}: each file is as it was");
            }
            let reported = operator::run(&other, &["restore", database.to_str().unwrap()]);
            assert_eq!(reported.code, 65, "{reported:?}");
            assert!(files(server.folder()) == before, "restore: each file is as it was");
            assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
            // The two ways that the hint names, one after the other.
            let aside = elsewhere.path().join("log");
            fs::rename(&log, &aside).unwrap();
            server.start_again();
            assert_eq!(server.query("SELECT body FROM messages"), ["first"]);
            server.stop();
            fs::write(&database, own).unwrap();
            fs::copy(&aside, &log).unwrap();
            server.start_again();
            let all = server.query("SELECT count(*) FROM messages");
            assert_eq!(all, [(count + 1).to_string()]);
        }
    }
}

#[test]
fn database_copied_with_its_wal_is_served() {
    let (mut server, paff) = server_with_a_message();
    send(&mut server.connect(), &paff, later(60));
    server.kill();
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("chat.sqlite");
    fs::copy(server.database(), &copy).unwrap();
    fs::copy(beside(&server.database(), "-wal"), beside(&copy, "-wal")).unwrap();
    operator::done(&copy, &["check"]);
    let moved = Server::start_command(server_command(&copy), folder);
    assert_eq!(moved.query("SELECT count(*) FROM messages"), ["61"]);
}

#[test]
fn wal_without_its_database_is_not_discarded() {
    let (mut server, _) = server_with_a_message();
    server.kill();
    let database = server.database();
    for is_empty in [false, true] {
        fs::remove_file(&database).unwrap();
        if is_empty {
            fs::write(&database, "").unwrap();
        }
        let before = files(server.folder());
        let reported = operator::run(&database, &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(reported.code, 65, "{reported:?}");
        assert!(reported.stderr.contains("is missing or empty, and"), "{reported:?}");
        assert!(files(server.folder()) == before, "each file is as it was");
        fs::write(&database, "").unwrap();
    }
}

/// A name, the change to the files of a killed or stopped server, and the exit code.
type Case = (&'static str, fn(&mut Server), i32);

#[test]
fn every_refusal_leaves_each_file_as_it_was() {
    let cases: [Case; 8] = [
        ("text", |server| fs::write(server.database(), "only text\n".repeat(100)).unwrap(), 65),
        (
            "another program's",
            |server| {
                fs::remove_file(server.database()).unwrap();
                let other = rusqlite::Connection::open(server.database()).unwrap();
                let made = "PRAGMA journal_mode = wal; CREATE TABLE songs (title)";
                other.execute_batch(made).unwrap();
            },
            65,
        ),
        ("newer", |server| set_schema(server, 999), 65),
        (
            "newer in its WAL",
            |server| {
                let shell = rusqlite::Connection::open(server.database()).unwrap();
                let newer = "PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 999";
                shell.execute_batch(newer).unwrap();
                let log = beside(&server.database(), "-wal");
                let [file, frames] =
                    [fs::read(server.database()), fs::read(&log)].map(Result::unwrap);
                drop(shell);
                fs::write(server.database(), file).unwrap();
                fs::write(log, frames).unwrap();
            },
            65,
        ),
        ("page size", |server| change_bytes(server, 16, &3_u16.to_be_bytes()), 65),
        ("schema page", |server| change_bytes(server, 100, &[0x5a; 900]), 65),
        (
            "cut",
            |server| {
                let file = fs::read(server.database()).unwrap();
                fs::write(server.database(), &file[..5_000]).unwrap();
            },
            65,
        ),
        (
            "older and not sound",
            |server| {
                set_schema(server, 4);
                let shell = rusqlite::Connection::open(server.database()).unwrap();
                let astray = "PRAGMA foreign_keys = OFF; PRAGMA journal_mode = delete;
                     INSERT INTO cursors (user_id, name, upto_id, moved_at) VALUES (77, 'x', 0, 0)";
                shell.execute_batch(astray).unwrap();
            },
            74,
        ),
    ];
    for (name, damage, code) in cases {
        let (mut server, _) = server_with_a_message();
        server.stop();
        damage(&mut server);
        for has_lock in [true, false] {
            if !has_lock {
                let _ = fs::remove_file(beside(&server.database(), ".lock"));
            }
            let before = files(server.folder());
            for arguments in [
                &["serve", "--listen", "127.0.0.1:0"][..],
                &["check", "--rebuild"],
                &["message", "purge", "--before-id", "1"],
            ] {
                let reported = operator::run(&server.database(), arguments);
                assert_eq!(reported.code, code, "{name}, {arguments:?}: {reported:?}");
                assert!(reported.stderr.starts_with("error: "), "{reported:?}");
                let after = files(server.folder());
                assert!(after == before, "{name}, {arguments:?}: {:?}", after.keys());
            }
            // A read-only command finds the same, or reports what it can.
            for arguments in [&["check"][..], &["export"]] {
                operator::run(&server.database(), arguments);
                assert!(files(server.folder()) == before, "{name}, {arguments:?}");
            }
        }
    }
}

fn change_bytes(server: &Server, at: usize, bytes: &[u8]) {
    let mut file = fs::read(server.database()).unwrap();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(server.database(), file).unwrap();
}

fn set_schema(server: &Server, schema: u32) {
    change_bytes(server, 60, &schema.to_be_bytes());
}

#[test]
fn second_server_changes_nothing_under_any_name() {
    let (server, _) = server_with_a_message();
    let name = server.folder().join("name");
    fs::hard_link(server.database(), &name).unwrap();
    // While it is idle, the first server indexes words and checkpoints its WAL.
    server.freeze();
    let before = files(server.folder());
    for path in [&server.database(), &name] {
        let reported = operator::run(path, &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(reported.code, 75, "{reported:?}");
        assert!(files(server.folder()) == before, "each file is as it was");
    }
}

/// The read-only commands, on a database that this process may not change: all of them work, with
/// the same results as for a process that may write.
fn assert_readable(database: &Path, run: impl Fn(&Path, &[&str]) -> Outcome) {
    let elsewhere = TempDir::new().unwrap();
    fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let backup = elsewhere.path().join("backup");
    let restored = elsewhere.path().join("restored");
    let before = files(database.parent().unwrap());
    let done = |database: &Path, arguments: &[&str]| {
        let reported = run(database, arguments);
        assert_eq!(reported.code, 0, "{arguments:?}: {reported:?}");
        reported.stdout
    };
    assert!(done(database, &["check"]).contains("is sound: 61 messages"));
    let exported = done(database, &["export"]);
    assert_eq!(exported.matches(r#""type":"message""#).count(), 61);
    done(database, &["backup", backup.to_str().unwrap()]);
    assert_eq!(done(&backup, &["export"]), exported);
    done(&restored, &["restore", database.to_str().unwrap()]);
    assert!(done(&restored, &["check"]).contains("is sound: 61 messages"));
    assert!(files(database.parent().unwrap()) == before, "each file is as it was");
}

/// The states in which a server leaves its files: stopped, killed, killed without the WAL's index.
fn left_behind() -> [(Server, Vec<&'static str>); 3] {
    let filled = || {
        let (server, paff) = server_with_a_message();
        send(&mut server.connect(), &paff, later(60));
        server
    };
    let [mut stopped, mut killed, mut copied] = [filled(), filled(), filled()];
    stopped.stop();
    killed.kill();
    copied.kill();
    [(stopped, vec![""]), (killed, vec!["", "-wal", "-shm", ".lock"]), (copied, vec!["", "-wal"])]
}

#[test]
fn commands_that_only_read_work_on_read_only_media() {
    for (server, suffixes) in left_behind() {
        let Some(disk) = Disk::of_size(16 << 20) else { return };
        for suffix in &suffixes {
            fs::copy(beside(&server.database(), suffix), beside(&disk.database(), suffix)).unwrap();
        }
        let remount = ["-o", "remount,ro"];
        let status = Command::new("mount").args(remount).arg(disk.path()).status().unwrap();
        assert!(status.success(), "it is mounted read-only");
        assert_readable(&disk.database(), operator::run);
        let reported = operator::run(&disk.database(), &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(reported.code, 74, "{suffixes:?}: {reported:?}");
    }
}

#[test]
fn commands_that_only_read_work_for_a_user_who_is_not_the_owner() {
    if !geteuid().is_root() {
        return skip("root", "run as root");
    }
    let as_nobody = |database: &Path, arguments: &[&str]| {
        let mut command = operator::command(database, arguments);
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
        outcome(command)
    };
    let mut version = operator::command(Path::new("x"), &["--version"]);
    if version.uid(NOBODY).current_dir("/").output().is_err() {
        return skip("programs that nobody may start", "build where every user may look");
    }
    for (server, suffixes) in left_behind() {
        let folder = TempDir::new().unwrap();
        let database = folder.path().join("chat.sqlite");
        for suffix in &suffixes {
            let copy = beside(&database, suffix);
            fs::copy(beside(&server.database(), suffix), &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_readable(&database, as_nobody);
    }
    // Beside the running server as well: a user who may read the file may read the files beside it.
    let (mut server, paff) = server_with_a_message();
    send(&mut server.connect(), &paff, later(60));
    server.stop();
    fs::set_permissions(server.database(), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(server.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    server.start_again();
    let reported = as_nobody(&server.database(), &["check"]);
    assert_eq!(reported.code, 0, "{reported:?}");
    assert!(reported.stdout.contains("is sound: 61 messages"), "{reported:?}");
}

#[test]
fn database_in_memory_gives_a_warning() {
    let Some(disk) = Disk::in_memory(16 << 20) else { return };
    let folder = TempDir::new().unwrap();
    let said = folder.path().join("log");
    let mut command = server_command(&disk.database());
    command.stderr(fs::File::create(&said).unwrap());
    let mut server = Server::start_command(command, folder);
    server.stop();
    let said = fs::read_to_string(&said).unwrap();
    assert!(said.contains("the database lies in memory"), "{said}");
    assert!(said.contains("tmpfs"), "{said}");
}
