//! Purged messages are gone to the last byte, and other readers notice only that they are gone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::{self, operator};
use crate::support::{Ending, Random, Server, Wire, scaled};

/// `message purge` with these arguments, and its output.
fn purge(server: &Server, arguments: &[&str]) -> Value {
    let arguments = [&["message", "purge"], arguments].concat();
    operator::objects(&server.database(), &arguments).remove(0)
}

/// The number of purged messages, and of those that stay because they are unread.
fn counts(reported: &Value) -> (u64, u64) {
    (reported["messages"].as_u64().unwrap(), reported["unread_kept"].as_u64().unwrap())
}

/// `check` with these options, which PostgreSQL has in tools of its own.
fn check(server: &Server, options: &[&str]) {
    if !support::is_on_postgres() {
        operator::done(&server.database(), &[&["check"], options].concat());
    }
}

/// The texts among these that are anywhere in the files of a database.
fn found_in_files<'a>(
    folder: &Path,
    texts: impl IntoIterator<Item = &'a String>,
) -> Vec<&'a String> {
    let files: Vec<Vec<u8>> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| fs::read(path).unwrap())
        .collect();
    let stands = |text: &str| {
        files.iter().any(|file| file.windows(text.len()).any(|bytes| bytes == text.as_bytes()))
    };
    texts.into_iter().filter(|text| stands(text)).collect()
}

fn bodies(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().unwrap();
    messages.iter().map(|message| message["body"].as_str().unwrap()).collect()
}

#[test]
fn purged_messages_are_gone_from_the_file_and_its_wal_to_the_last_byte() {
    if support::is_for_files_only() {
        return;
    }
    for stopped in [false, true] {
        let mut server = Server::start();
        let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
        let mut wire = server.connect();
        let marks: Vec<String> =
            (0..40).map(|number| format!("mark-{number:04}-{stopped}")).collect();
        for (number, mark) in marks.iter().enumerate() {
            // Short ones, and some that fill pages of their own.
            let body = mark.repeat(if number % 5 == 0 { 500 } else { 1 });
            let post = json!({"to": ["neko"], "body": body, "key": format!("key-of-{mark}")});
            wire.done(format!("post {paff} {post}"));
        }
        wire.done(format!(r#"ack {neko} {{"upto": 40}}"#));
        assert_eq!(found_in_files(server.folder(), &marks).len(), 40);
        if stopped {
            server.stop();
        }
        let reported = purge(&server, &["--before-id", "31"]);
        assert_eq!((counts(&reported), &reported["log_emptied"]), ((30, 0), &json!(true)));
        assert_eq!(found_in_files(server.folder(), &marks), marks[30..].iter().collect::<Vec<_>>());
        assert_eq!(counts(&purge(&server, &["--before-id", "31"])), (0, 0));
        operator::done(&server.database(), &["check"]);
    }
}

#[test]
fn purging_users_one_after_another_leaves_no_byte_of_any_of_them() {
    if support::is_for_files_only() {
        return;
    }
    let server = Server::start_with_users(8);
    let mut random = Random::new();
    let tokens: Vec<String> = (0..8).map(|user| server.log_in(&format!("user-{user}"))).collect();
    let mut marks: Vec<Vec<String>> = vec![Vec::new(); 8];
    let mut wire = server.connect();
    for number in 0..scaled(1_200, 10_000) {
        let (from, to) = (random.below(8), random.below(8));
        let mark = format!("<{number:08}-{:016x}>", random.next());
        let body = format!("{mark}{}", "x".repeat(random.below(600)));
        let key = format!("{:016x}{mark}", random.next());
        let post = json!({"to": [format!("user-{to}")], "body": body, "key": key});
        wire.done(format!("post {} {post}", tokens[from]));
        marks[from].push(mark);
    }
    for (user, marks) in marks.iter().enumerate().take(7) {
        let user = format!("user-{user}");
        let reported = purge(&server, &["--user", &user, "--sent", "--unread-too", "--compact"]);
        assert_eq!(
            (counts(&reported).0, &reported["log_emptied"]),
            (marks.len() as u64, &json!(true))
        );
    }
    let gone: Vec<String> = marks[..7].concat();
    assert!(found_in_files(server.folder(), &gone).is_empty());
    assert_eq!(found_in_files(server.folder(), &marks[7]).len(), marks[7].len());
    operator::done(&server.database(), &["check"]);
}

#[test]
fn unread_messages_stay_until_every_cursor_of_their_reader_has_passed_them() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for number in 1..=6 {
        wire.done(format!("send {paff} neko {number}"));
    }
    // The clock may not have advanced since.
    let all = ["--before-id", "100"];
    assert_eq!(counts(&purge(&server, &all)), (0, 6), "nobody has read anything");
    wire.done(format!(r#"ack {neko} {{"upto": 5}}"#));
    wire.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": 2}}"#));
    wire.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": 3, "dead": "add"}}"#));
    let reported = purge(&server, &[&all[..], &["--dry-run"]].concat());
    assert_eq!((counts(&reported), &reported["dry_run"]), ((2, 4), &json!(true)));
    assert_eq!(
        counts(&purge(&server, &all)),
        (2, 4),
        "3 is a dead letter, 4 and 5 wait for worker"
    );
    let left = wire.done(format!(r#"fetch {neko} {{"after": 0}}"#));
    assert_eq!(bodies(&left), ["3", "4", "5", "6"]);
    wire.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": 3, "dead": "clear"}}"#));
    assert_eq!(counts(&purge(&server, &all)), (1, 3));
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 1);
    assert_eq!(counts(&purge(&server, &[&all[..], &["--unread-too"]].concat())), (3, 0));
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 0);
}

#[test]
fn messages_to_a_deleted_user_are_no_fault_of_the_database_and_wait_for_nobody() {
    let server = Server::start();
    let paff = server.log_in("paff");
    server.connect().done(format!("send {paff} neko hai"));
    let deleted = operator::run(&server.database(), &["user", "delete", "neko", "--yes"]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
    check(&server, &[]);
    assert_eq!(counts(&purge(&server, &["--before-id", "100"])), (1, 0));
}

#[test]
fn purge_by_age_and_user_removes_messages_that_match_both() {
    let server = Server::start();
    let tokens = ["paff", "neko", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    for (from, to) in [(0, "neko"), (1, "paff"), (2, "neko"), (0, "robo"), (1, "neko")] {
        wire.done(format!("send {} {to} {from} to {to}", tokens[from]));
    }
    let left = || server.query("SELECT body FROM v1_messages ORDER BY id");
    assert_eq!(counts(&purge(&server, &["--older-than", "1d", "--unread-too"])), (0, 0));
    assert_eq!(left().len(), 5);
    assert_eq!(counts(&purge(&server, &["--user", "neko", "--sent", "--unread-too"])), (2, 0));
    assert_eq!(left(), ["0 to neko", "2 to neko", "0 to robo"]);
    let narrow = ["--user", "neko", "--received", "--before-id", "3", "--unread-too"];
    assert_eq!(counts(&purge(&server, &narrow)), (1, 0));
    assert_eq!(left(), ["2 to neko", "0 to robo"]);
    assert_eq!(counts(&purge(&server, &["--user", "robo", "--unread-too"])), (2, 0));
    assert!(left().is_empty());
    for (arguments, code) in [
        (&["message", "purge"][..], 2),
        (&["message", "purge", "--sent"], 2),
        (&["message", "purge", "--older-than", "0d"], 2),
        (&["message", "purge", "--user", "conner"], 67),
    ] {
        let outcome = operator::run(&server.database(), arguments);
        assert_eq!(outcome.code, code, "{outcome:?}");
    }
}

#[test]
fn ids_of_purged_messages_are_never_given_again_and_readers_go_on() {
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let post = |wire: &mut Wire, text: &str| {
        let posted = wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "{text}"}}"#));
        posted["id"].as_i64().unwrap()
    };
    for number in 1..=10 {
        post(&mut wire, &number.to_string());
    }
    wire.done(format!(r#"ack {neko} {{"upto": 4}}"#));
    wire.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": 8}}"#));
    let mut live = server.connect();
    live.done(format!(r#"watch {neko} {{"from": "new"}}"#));
    assert_eq!(counts(&purge(&server, &["--before-id", "100", "--unread-too"])).0, 10);

    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 0);
    assert_eq!(wire.done(format!("inbox {neko}"))["messages"], json!({}));
    assert!(bodies(&wire.done(format!(r#"fetch {neko} {{"after": 0}}"#))).is_empty());
    assert!(bodies(&wire.done(format!(r#"fetch {neko} {{"before": 11}}"#))).is_empty());
    // A reader that got a message and acknowledges it after the purge.
    assert_eq!(wire.done(format!(r#"ack {neko} {{"upto": 10}}"#))["upto"], 10);
    let dead = format!(r#"ack {neko} {{"cursor": "worker", "upto": 9, "dead": "add"}}"#);
    assert_eq!(wire.refused(dead), "unknown_message");
    assert_eq!(wire.refused(format!(r#"ack {neko} {{"upto": 11}}"#)), "unknown_message");

    server.stop();
    server.start_again();
    let mut wire = server.connect();
    let mut worker = server.connect();
    worker.done(format!(r#"watch {neko} {{"cursor": "worker"}}"#));
    assert_eq!(post(&mut wire, "new"), 11, "ids go on, also after a restart");
    let reported = loop {
        let event = worker.reply();
        if event["event"] == "message" {
            break event;
        }
    };
    assert_eq!((&reported["id"], &reported["body"]), (&json!(11), &json!("new")));
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 1);
    assert_eq!(purge(&server, &["--before-id", "12", "--unread-too"])["messages"], 1);
    assert_eq!(post(&mut wire, "newer"), 12);
}

#[test]
fn batch_without_writes_after_a_compaction_is_not_mistaken_for_a_truncated_wal() {
    if support::is_for_files_only() {
        return;
    }
    let server = Server::start();
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    operator::done(&server.database(), &["user", "disable", "robo"]);
    for _ in 0..3 {
        wire.done(format!("send {paff} neko hai"));
        assert_eq!(counts(&purge(&server, &["--before-id", "100", "--unread-too"])).0, 1);
        // Written by the worker of the connection.
        wire.done(format!("send {paff} neko hai"));
        // Nothing to write, on the thread that has compacted the file.
        operator::done(&server.database(), &["user", "disable", "robo"]);
        wire.done(format!("send {paff} neko hai"));
        assert_eq!(counts(&purge(&server, &["--before-id", "100", "--unread-too"])).0, 2);
    }
}

/// The worker keeps requests that arrive while another thread writes. Nobody wakes it when that is
/// over.
#[test]
fn immediate_retry_is_answered_even_if_the_file_was_compacted_in_between() {
    if support::is_for_files_only() {
        return;
    }
    let server = Server::start_with(&["--workers", "1"]);
    let line = format!("send {} neko hai", server.log_in("paff"));
    let sending = AtomicBool::new(true);
    thread::scope(|scope| {
        let _ending = Ending(&sending);
        scope.spawn(|| {
            let mut wire = server.connect();
            while sending.load(Ordering::Relaxed) {
                wire.done(&line);
            }
        });
        for _ in 0..scaled(100, 20) {
            let reported =
                purge(&server, &["--before-id", "999999999", "--unread-too", "--compact"]);
            assert_eq!(reported["compacted"], true, "{reported}");
        }
    });
}

#[test]
fn key_of_a_purged_message_can_be_used_again() {
    let server = Server::start();
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    let mut post = |body: &str| {
        wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "{body}", "key": "k"}}"#))
    };
    post("one");
    purge(&server, &["--user", "paff", "--unread-too"]);
    let again = post("two");
    assert_eq!((&again["id"], &again["duplicate"]), (&json!(2), &json!(false)));
}

#[test]
fn wal_in_use_by_a_reader_is_emptied_later_and_that_is_reported() {
    if support::is_for_files_only() {
        return;
    }
    let mut server = Server::start();
    let paff = server.log_in("paff");
    let mark = vec!["a-mark-that-is-to-go".to_owned()];
    server.connect().done(format!("send {paff} neko {}", mark[0]));
    let reader = rusqlite::Connection::open(server.database()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM messages").unwrap();
    let arguments = ["message", "purge", "--user", "paff", "--unread-too"];
    let outcome = operator::run(&server.database(), &arguments);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.contains("a reader still uses the WAL"), "{outcome:?}");
    assert_eq!(found_in_files(server.folder(), &mark), mark.iter().collect::<Vec<_>>());
    drop(reader);
    server.stop();
    assert!(found_in_files(server.folder(), &mark).is_empty());
}

#[test]
fn senders_and_readers_go_on_while_messages_are_purged_and_the_purge_survives_a_kill() {
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let text = "x".repeat(400);
    for _ in 0..1_000 {
        wire.done(format!("send {paff} neko {text}"));
    }
    wire.done(format!("inbox {neko}"));
    let sending = AtomicBool::new(true);
    let sent: BTreeSet<i64> = thread::scope(|scope| {
        let (mut wire, sending, token) = (server.connect(), &sending, &paff);
        let sender = scope.spawn(move || {
            let mut sent = BTreeSet::new();
            while sending.load(Ordering::Relaxed) {
                let post = r#"{"to": ["ivy"], "body": "kept"}"#;
                let posted = wire.done(format!("post {token} {post}"));
                sent.insert(posted["id"].as_i64().unwrap());
            }
            sent
        });
        let ending = Ending(sending);
        // A command killed half-way: its finished steps stay.
        let arguments = ["message", "purge", "--older-than", "1ms"];
        let mut child = operator::command(&server.database(), &arguments)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let left =
            || server.query("SELECT count(*) FROM v1_messages WHERE recipient = 'neko'").remove(0);
        while left() == "1000" {
            thread::yield_now();
        }
        let _ = child.kill();
        child.wait().unwrap();
        check(&server, &["--quick"]);
        operator::done(&server.database(), &arguments);
        assert_eq!(left(), "0");
        drop(ending);
        sender.join().unwrap()
    });
    server.kill();
    server.start_again();
    let there = server.query("SELECT id FROM v1_messages ORDER BY id");
    let there: BTreeSet<i64> = there.iter().map(|id| id.parse().unwrap()).collect();
    assert!(there == sent, "the messages sent meanwhile are there, and no others");
    check(&server, &[]);
}
