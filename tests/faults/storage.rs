//! A full disk, a limit on the size of files, a long read by another program, a damaged database.
//! Impossible requests are refused, possible ones go on, and everything works afterwards.

use std::fs;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::disk::Disk;
use crate::support::operator;
use crate::support::skip::is_here;
use crate::support::{PATIENCE, Random, Server, Wire, scaled, server_command, wait_until};

/// A body near the limit.
const LARGE: usize = 30_000;

fn large(number: usize) -> String {
    format!("{number} {}", "x".repeat(LARGE))
}

/// Sends until it is refused; returns the number of stored messages and the code of the refusal.
fn send_until_refused(wire: &mut Wire, token: &str) -> (usize, String) {
    for number in 0..10_000 {
        let reply = wire.ask(format!("send {token} neko {}", large(number)));
        if reply["status"] != "OK" {
            return (number, reply["code"].as_str().unwrap().to_owned());
        }
    }
    panic!("nothing is refused");
}

/// Every verb by which `user` reads, without marking anything as read.
fn read_all(wire: &mut Wire, token: &str) -> Vec<Value> {
    let (mut messages, mut after) = (Vec::new(), 0);
    loop {
        let page = wire.done(format!("fetch {token} {}", json!({"after": after})));
        messages.extend(page["messages"].as_array().unwrap().iter().cloned());
        if page["more"] != true {
            return messages;
        }
        after = messages.last().unwrap()["id"].as_i64().unwrap();
    }
}

#[test]
fn full_disk_refuses_only_sends_and_freed_room_is_used_without_a_restart() {
    let Some(disk) = Disk::of_size(12 << 20) else { return };
    // Only the server's address is in its folder; the database is on the disk.
    let mut server =
        Server::start_command(server_command(&disk.database()), TempDir::new().unwrap());
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko before"));
    let ballast = disk.fill();
    for _ in 0..2 {
        let (_, code) = send_until_refused(&mut wire, &paff);
        assert_eq!(code, "storage_full");
        // Reads go on, on this connection and on others.
        wire.done(format!("unread {neko}"));
        wire.done(format!("list {paff}"));
        assert_eq!(read_all(&mut server.connect(), &neko)[0]["body"], "before");
    }
    let stored = read_all(&mut wire, &neko).len();
    fs::remove_file(ballast).unwrap();
    wire.done(format!("send {paff} neko after"));
    // Full again, this time of messages alone: waiting cannot free any of that room.
    let (taken, code) = send_until_refused(&mut wire, &paff);
    assert!(taken > 10, "{taken}");
    assert_eq!(code, "storage_full");
    assert_eq!(read_all(&mut wire, &neko).len(), stored + 1 + taken);
    drop(wire);
    assert_eq!(server.stop().code(), Some(0));
}

/// An operator purges, and sends work again: with the server, after a kill, and without a server.
#[test]
fn disk_that_is_full_of_messages_is_freed_by_a_purge() {
    for bytes in [LARGE, 3_000] {
        let Some(disk) = Disk::of_size(10 << 20) else { return };
        let database = disk.database();
        let start = || Server::start_command(server_command(&database), TempDir::new().unwrap());
        let mut server = start();
        let (mut paff, mut newest) = (server.log_in("paff"), 0);
        // Another program takes the room beside the messages.
        let fill = |server: &Server, token: &str| {
            let taken = send_until_full(&mut server.connect(), token, bytes);
            disk.fill();
            taken + send_until_full(&mut server.connect(), token, bytes)
        };
        newest += fill(&server, &paff);
        assert!(newest > 100, "{newest}");
        let purge = |before: usize| {
            let before = before.to_string();
            let purge = ["message", "purge", "--unread-too", "--before-id", &before];
            let reported = operator::run(&database, &purge);
            assert_eq!(reported.code, 0, "{bytes}: {reported:?}");
        };
        for round in 0..4 {
            match round {
                1 => {
                    server.kill();
                    server = start();
                    paff = server.log_in("paff");
                }
                // Directly in the file.
                2 => server.kill(),
                _ => {}
            }
            purge(newest - 50);
            if round == 2 {
                server = start();
                paff = server.log_in("paff");
            }
            // A send may be refused until the next checkpoint empties the WAL, which is full too.
            let mut taken = 0;
            wait_until(&format!("room for 100 messages, {bytes}, round {round}"), || {
                taken += send_until_full(&mut server.connect(), &paff, bytes);
                taken > 100
            });
            newest += taken;
        }
        assert_eq!(server.stop().code(), Some(0));
        operator::done(&database, &["check"]);
    }
}

/// Sends messages of so many bytes until the disk is full; returns the number of stored ones.
fn send_until_full(wire: &mut Wire, token: &str, bytes: usize) -> usize {
    let body = "x".repeat(bytes);
    for number in 0..100_000 {
        let reply = wire.ask(format!("send {token} neko {body}"));
        if reply["status"] != "OK" {
            assert_eq!(reply["code"], "storage_full", "{reply}");
            return number;
        }
    }
    panic!("nothing is refused");
}

/// SQLite maps the WAL's index into memory. A page of it without room on the disk would end the
/// process with SIGBUS.
#[test]
fn nearly_full_disk_of_small_blocks_kills_no_process_by_a_signal() {
    let Some(disk) = Disk::with_small_blocks(24 << 20) else { return };
    let database = disk.database();
    let mut server = Server::start_command(server_command(&database), TempDir::new().unwrap());
    let paff = server.log_in("paff");
    server.connect().done(format!("send {paff} neko before"));
    server.kill();
    let index = database.with_extension("sqlite-shm");
    let mut refused = 0;
    for free_kib in (0..320).step_by(scaled(16, 3)) {
        for arguments in [
            &["user", "list"][..],
            &["message", "purge", "--before-id", "1"],
            &["check", "--rebuild"],
            &["check"],
            &["export"],
        ] {
            // As after a copy of the file and its WAL alone.
            let _ = fs::remove_file(&index);
            let ballast = disk.fill();
            let length = fs::metadata(&ballast).unwrap().len();
            let file = fs::OpenOptions::new().write(true).open(&ballast).unwrap();
            file.set_len(length.saturating_sub(free_kib as u64 * 1024)).unwrap();
            let reported = operator::run(&database, arguments);
            fs::remove_file(ballast).unwrap();
            match reported.code {
                0 => {}
                74 => {
                    refused += 1;
                    let words = ["No space left on device", "the disk is full"];
                    assert!(
                        words.iter().any(|words| reported.stderr.contains(words)),
                        "{reported:?}"
                    );
                    assert!(reported.stderr.contains("hint: "), "{reported:?}");
                }
                code => panic!("{free_kib} KiB, {arguments:?}: {code}, {reported:?}"),
            }
        }
    }
    assert!(refused > 0, "there was too little room for some");
    let mut server = Server::start_command(server_command(&database), TempDir::new().unwrap());
    let neko = server.log_in("neko");
    assert_eq!(read_all(&mut server.connect(), &neko)[0]["body"], "before");
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn file_size_limit_acts_like_a_full_disk_and_can_be_raised() {
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko before"));
    let limit = |bytes: Option<u64>| {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Pid::from_raw(server.pid()), Resource::Fsize, limit).unwrap();
    };
    for bytes in [400_000, 401_001] {
        limit(Some(bytes));
        let (_, code) = send_until_refused(&mut wire, &paff);
        assert_eq!(code, "storage_full");
        assert_eq!(read_all(&mut server.connect(), &neko)[0]["body"], "before");
        limit(None);
        wire.done(format!("send {paff} neko after"));
    }
    let stored = read_all(&mut wire, &neko);
    assert_eq!(stored.last().unwrap()["body"], "after");
    assert_eq!(server.query("PRAGMA integrity_check"), ["ok"]);
    // The WAL cannot be checkpointed: it stays, with its contents.
    limit(Some(8_192));
    drop(wire);
    assert_eq!(server.stop().code(), Some(0));
    server.start_again();
    assert_eq!(read_all(&mut server.connect(), &neko), stored);
}

/// The writer truncates the WAL to this size after a checkpoint (`store::writer`).
const LOG_BYTES_MAX: u64 = 64 << 20;

/// A forgotten transaction in a `sqlite3` shell lasts so long that the WAL outgrows its limit. It
/// must grow, because its pages are still being read.
#[test]
fn wal_outgrows_its_limit_during_a_long_read_and_is_truncated_afterwards() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko before"));
    let shell = rusqlite::Connection::open(server.database()).unwrap();
    let count = "SELECT count(*) FROM messages";
    let counted = |shell: &rusqlite::Connection| -> i64 {
        shell.query_row(count, [], |row| row.get(0)).unwrap()
    };
    shell.execute_batch("BEGIN").unwrap();
    assert_eq!(counted(&shell), 1);
    let log = server.folder().join("chat.sqlite-wal");
    let length = || fs::metadata(&log).unwrap().len();
    let mut sent = 1;
    while length() < LOG_BYTES_MAX + (16 << 20) {
        send_many(&mut wire, &paff, 100);
        sent += 100;
    }
    wire.done(format!("unread {neko}"));
    assert_eq!(counted(&shell), 1, "the reader still sees its snapshot");
    shell.execute_batch("COMMIT").unwrap();
    let begun = Instant::now();
    while length() > LOG_BYTES_MAX {
        assert!(begun.elapsed() < PATIENCE, "the WAL is not truncated: {} bytes", length());
        wire.done(format!("send {paff} neko after"));
        sent += 1;
    }
    // From now on the WAL is reused from its beginning.
    send_many(&mut wire, &paff, 100);
    assert!(length() <= LOG_BYTES_MAX);
    assert_eq!(counted(&shell), sent + 100);
}

/// Sends so many large messages at once, and waits for the replies.
fn send_many(wire: &mut Wire, token: &str, count: usize) {
    let body = "x".repeat(LARGE);
    for _ in 0..count {
        wire.send(format!("send {token} neko {body}\r\n"));
    }
    for _ in 0..count {
        assert_eq!(wire.reply()["status"], "OK");
    }
}

/// The server log tells an operator where the room has gone.
#[test]
fn wal_that_cannot_be_truncated_is_reported() {
    let folder = TempDir::new().unwrap();
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    let said = folder.path().join("log");
    command.stderr(fs::File::create(&said).unwrap());
    let server = Server::start_command(command, folder);
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko before"));
    let shell = rusqlite::Connection::open(server.database()).unwrap();
    shell.execute_batch("BEGIN; SELECT count(*) FROM messages").unwrap();
    let log = server.folder().join("chat.sqlite-wal");
    while fs::metadata(&log).unwrap().len() < LOG_BYTES_MAX + (16 << 20) {
        send_many(&mut wire, &paff, 100);
    }
    let begun = Instant::now();
    let warnings = loop {
        let text = fs::read_to_string(&said).unwrap();
        let warnings = text.lines().filter(|line| line.contains("WARN")).count();
        if warnings > 0 {
            break warnings;
        }
        assert!(begun.elapsed() < PATIENCE, "no warning: {text:?}");
        wire.done("hello");
    };
    assert!(warnings < 10, "and not with every batch: {warnings}");
}

#[test]
fn lock_held_by_the_shell_for_ten_seconds_delays_senders_or_is_reported() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko before"));
    if !is_here("sqlite3") {
        return;
    }
    let mut command = Command::new("sqlite3");
    command.arg(server.database()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = command.spawn().unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(b"BEGIN IMMEDIATE;\nSELECT 'held';\n").unwrap();
    let mut held = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut held).unwrap();
    assert_eq!(held, "held\n");
    let begun = Instant::now();
    let (mut busy, mut key) = (0, 0);
    let post = |key: usize| {
        let fields = json!({"to": ["neko"], "body": key.to_string(), "key": key.to_string()});
        format!("post {paff} {fields}")
    };
    let mut sender = server.connect();
    while begun.elapsed() < Duration::from_secs(10) {
        // Each waits as long as the writer waits for a lock, and is then refused.
        sender.send(format!("{}\r\n", post(key)));
        wire.done(format!("unread {neko}"));
        assert_eq!(read_all(&mut wire, &neko).len(), 1);
        assert_eq!(sender.reply()["code"], "busy");
        (busy, key) = (busy + 1, key + 1);
    }
    assert!(busy >= 1);
    // This one waits, and is done when the lock is released.
    sender.send(format!("{}\r\n", post(key)));
    wire.done("hello");
    stdin.write_all(b"COMMIT;\n").unwrap();
    drop(stdin);
    assert!(shell.wait().unwrap().success());
    assert_eq!(sender.reply()["status"], "OK");
    // Requests refused as busy were not done; they can be done now, with the same key.
    for key in 0..busy {
        assert_eq!(sender.done(post(key))["duplicate"], false);
    }
    assert_eq!(read_all(&mut wire, &neko).len(), 2 + busy);
}

/// A database with several pages of everything, closed or killed.
fn filled(messages: usize, end: impl FnOnce(&mut Server)) -> (Server, String, Vec<Value>) {
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for number in 0..messages {
        let fields = json!({
            "to": ["neko", "robo"], "key": format!("key-{number}"),
            "body": format!("message {number} {}", "abcdefgh".repeat(number % 60)),
        });
        wire.done(format!("post {paff} {fields}"));
    }
    let stored = read_all(&mut wire, &neko);
    assert_eq!(stored.len(), messages);
    drop(wire);
    end(&mut server);
    (server, neko, stored)
}

#[test]
fn truncated_or_damaged_wal_gives_a_prefix_of_the_messages_sent() {
    let (server, neko, stored) = filled(60, Server::kill);
    let database = fs::read(server.database()).unwrap();
    let log = fs::read(server.folder().join("chat.sqlite-wal")).unwrap();
    let mut random = Random::new();
    let mut lengths = Vec::new();
    for round in 0..scaled(40, 1_000) {
        let mut damaged = log.clone();
        let at = random.below(log.len());
        if round % 2 == 0 {
            damaged.truncate(at);
        } else {
            damaged[at] ^= 1 << random.below(8);
        }
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("chat.sqlite");
        fs::write(&path, &database).unwrap();
        fs::write(folder.path().join("chat.sqlite-wal"), damaged).unwrap();
        let mut server = Server::start_command(server_command(&path), folder);
        assert_eq!(server.query("PRAGMA integrity_check"), ["ok"], "damaged at {at}");
        let mut wire = server.connect();
        // If the session is not in the prefix, nothing after it is either.
        if wire.ask(format!("whoami {neko}"))["status"] == "OK" {
            let left = read_all(&mut wire, &neko);
            assert_eq!(left, stored[..left.len()], "damaged at {at}");
            lengths.push(left.len());
        }
        let paff = wire.log_in("paff");
        wire.done(format!("send {paff} neko after"));
        drop(wire);
        assert_eq!(server.stop().code(), Some(0));
    }
    let whole = lengths.iter().filter(|length| **length == stored.len()).count();
    println!("{} prefixes, {whole} of them the whole", lengths.len());
    assert!(whole < lengths.len(), "something was damaged");
}

/// SQLite has no checksums on the pages of the file itself (the WAL has). So the promise for a
/// flipped bit is only this: the server neither crashes nor hangs. It refuses, or stops, or returns
/// what the disk has; docs/reliability.md says so.
#[test]
fn flipped_bit_in_any_page_crashes_nothing() {
    const PAGE: usize = 4_096;
    let (server, neko, stored) = filled(300, |server| {
        assert_eq!(server.stop().code(), Some(0));
    });
    let database = fs::read(server.database()).unwrap();
    let mut random = Random::new();
    let (mut refused, mut ended, mut right, mut off) = (0, 0, 0, 0);
    let pages = database.len() / PAGE;
    for page in (0..pages).flat_map(|page| std::iter::repeat_n(page, scaled(1, 50))) {
        let (at, bit) = (page * PAGE + random.below(PAGE), random.below(8));
        let mut damaged = database.clone();
        damaged[at] ^= 1 << bit;
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("chat.sqlite");
        fs::write(&path, &damaged).unwrap();
        let mut command = server_command(&path);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(address) = line.trim_end().rsplit(' ').next().and_then(|at| at.parse().ok())
        else {
            let code = child.wait().unwrap().code();
            assert!(matches!(code, Some(65 | 74)), "bit {bit} of {at}: {code:?}");
            refused += 1;
            continue;
        };
        match try_read_all(&mut Wire::connect(address), &neko) {
            Some(reported) => {
                let other =
                    reported.iter().zip(&stored).filter(|(reported, stored)| reported != stored);
                // A changed id appears in another place.
                let changed = other.count() + reported.len().abs_diff(stored.len());
                right += usize::from(changed == 0);
                off += usize::from(changed > 0);
            }
            None => ended += 1,
        }
        rustix::process::kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let code = child.wait().unwrap().code();
        // 74 also if only the end of the session reads that page.
        assert!(matches!(code, Some(0 | 74)), "bit {bit} of {at}: {code:?}");
    }
    println!(
        "{pages} pages: {refused} refused, {ended} stopped or refused to read, {right} right, {off} read as the disk has it"
    );
}

/// `None` if it is refused or the server ends.
fn try_read_all(wire: &mut Wire, token: &str) -> Option<Vec<Value>> {
    let (mut messages, mut after) = (Vec::new(), 0);
    loop {
        let request = format!("fetch {token} {}\r\n", json!({"after": after}));
        wire.stream().write_all(request.as_bytes()).ok()?;
        let page: Value = serde_json::from_slice(&wire.try_reply_bytes()?).unwrap();
        let page_messages = page["messages"].as_array()?;
        messages.extend(page_messages.iter().cloned());
        if page["more"] != true {
            return Some(messages);
        }
        after = messages.last()?["id"].as_i64()?;
    }
}
