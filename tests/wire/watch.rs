//! Streams: the backlog, then each message as it commits, in the order of the message log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::skip::skip;
use crate::support::strace::Tracer;
use crate::support::{self, exposition, http, operator};
use crate::support::{Ending, Random, Server, Wire, read_some, scaled};

/// The next event of a stream that is not a heartbeat.
fn event(wire: &mut Wire) -> Value {
    loop {
        let event = wire.reply();
        if event["event"] != "heartbeat" {
            return event;
        }
    }
}

fn message(wire: &mut Wire) -> (i64, String) {
    let event = event(wire);
    assert_eq!(event["event"], "message", "{event}");
    (event["id"].as_i64().unwrap(), event["body"].as_str().unwrap().to_owned())
}

fn watch(server: &Server, token: &str, arguments: &Value) -> (Wire, Value) {
    let mut wire = server.connect();
    let reply = wire.done(format!("watch {token} {arguments}"));
    (wire, reply)
}

#[test]
fn backlog_comes_first_then_caught_up_then_each_message_as_it_commits() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut sender = server.connect();
    sender.done(format!("send {paff} neko one"));
    sender.done(format!("send {paff} neko two"));
    let (mut stream, reply) = watch(&server, &neko, &json!({}));
    assert_eq!((&reply["watching"], &reply["after"]), (&json!("neko"), &json!(0)));
    let first = event(&mut stream);
    assert_eq!(first["event"], "message");
    assert_eq!(
        (&first["id"], &first["from"], &first["to"]),
        (&json!(1), &json!("paff"), &json!("neko"))
    );
    assert!(first["at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(message(&mut stream), (2, "two".to_owned()));
    assert_eq!(event(&mut stream), json!({"status": "OK", "event": "caught_up", "upto": 2}));
    sender.done(format!("send {paff} ivy not for neko"));
    sender.done(format!("send {paff} neko three"));
    assert_eq!(message(&mut stream), (4, "three".to_owned()));
    // It is still unread: watching moves no cursor.
    let reply = server.connect().done(format!("unread {neko}"));
    assert_eq!(reply["unread"], 3);
}

#[test]
fn stream_begins_at_the_requested_place() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for number in 1..=4 {
        wire.done(format!("send {paff} neko {number}"));
    }
    wire.done(format!(r#"ack {neko} {{"upto": 2}}"#));
    wire.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": 3}}"#));
    for (arguments, first) in [
        (json!({}), "3"),
        (json!({"from": "unread"}), "3"),
        (json!({"from": "all"}), "1"),
        (json!({"from": 3}), "4"),
        (json!({"cursor": "worker"}), "4"),
        (json!({"cursor": "worker", "from": "all"}), "4"),
        (json!({"cursor": "other", "from": "all"}), "1"),
        (json!({"cursor": "other"}), "3"),
    ] {
        let (mut stream, _) = watch(&server, &neko, &arguments);
        assert_eq!(message(&mut stream).1, first, "{arguments}");
    }
    let (mut stream, _) = watch(&server, &neko, &json!({"from": "new"}));
    assert_eq!(event(&mut stream)["event"], "caught_up");
    wire.done(format!("send {paff} neko 5"));
    assert_eq!(message(&mut stream).1, "5");
}

#[test]
fn requests_on_a_stream_are_answered_and_a_cursor_can_be_moved_on_it() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    server.connect().done(format!("send {paff} neko one"));
    let arguments = json!({"cursor": "worker", "from": "all"});
    let (mut stream, _) = watch(&server, &neko, &arguments);
    let (id, _) = message(&mut stream);
    assert_eq!(event(&mut stream)["event"], "caught_up");
    let reply = stream.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": {id}}}"#));
    assert_eq!(reply["upto"], id);
    let (mut again, reply) = watch(&server, &neko, &arguments);
    assert_eq!(reply["after"], id);
    assert_eq!(event(&mut again)["event"], "caught_up");
}

#[test]
fn heartbeat_comes_while_nothing_else_does_and_logging_out_ends_the_stream() {
    let server = Server::start_with(&["--heartbeat", "20ms"]);
    let neko = server.log_in("neko");
    let (mut stream, _) = watch(&server, &neko, &json!({"from": "new"}));
    assert_eq!(event(&mut stream)["event"], "caught_up");
    for _ in 0..3 {
        assert_eq!(stream.reply(), json!({"status": "OK", "event": "heartbeat"}));
    }
    server.connect().done(format!("logout {neko}"));
    let end = event(&mut stream);
    assert_eq!((&end["status"], &end["event"]), (&json!("ERROR"), &json!("end")));
    assert_eq!(end["code"], "no_session");
    // The connection is an ordinary one again.
    stream.done("hello");
}

#[test]
fn backlog_of_large_messages_is_sent_without_waiting_for_a_heartbeat() {
    let server = Server::start_with(&["--heartbeat", "1h"]);
    let neko = server.log_in("neko");
    let mut wire = server.connect();
    // Each is larger than the limit of unsent output.
    let text = "é".repeat(16_000);
    for _ in 0..3 {
        wire.done(format!("send {neko} neko {text}"));
    }
    let (mut stream, _) = watch(&server, &neko, &json!({"from": "all"}));
    for id in 1..=3 {
        assert_eq!(message(&mut stream).0, id);
    }
    assert_eq!(event(&mut stream)["event"], "caught_up");
}

#[test]
fn stream_goes_on_after_its_reader_half_closes() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let (mut stream, _) = watch(&server, &neko, &json!({"from": "new"}));
    assert_eq!(event(&mut stream)["event"], "caught_up");
    stream.end();
    server.connect().done(format!("send {paff} neko after the end"));
    assert_eq!(message(&mut stream).1, "after the end");
}

#[test]
fn nothing_is_missed_or_repeated_between_backlog_and_live() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    const MESSAGES: i64 = 2_000;
    thread::scope(|scope| {
        let mut sender = server.connect();
        scope.spawn(move || {
            for number in 1..=MESSAGES {
                sender.done(format!("send {paff} neko {number}"));
            }
        });
        for _ in 0..10 {
            let (server, neko) = (&server, &neko);
            scope.spawn(move || {
                let mut after = 0;
                // Starts again in the middle of it, repeatedly.
                for upto in (0..=MESSAGES).step_by(97).chain([MESSAGES]).skip(1) {
                    let (mut stream, _) = watch(server, neko, &json!({"from": after}));
                    while after < upto {
                        let event = event(&mut stream);
                        if event["event"] == "message" {
                            after += 1;
                            assert_eq!(event["id"], after);
                        }
                    }
                }
            });
        }
    });
}

#[test]
fn every_watcher_of_one_inbox_receives_everything() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut streams: Vec<Wire> =
        (0..1_000).map(|_| watch(&server, &neko, &json!({"from": "new"})).0).collect();
    let mut sender = server.connect();
    for number in 0..5 {
        sender.done(format!("send {paff} neko {number}"));
    }
    for stream in &mut streams {
        assert_eq!(event(stream)["event"], "caught_up");
        for number in 1..=5 {
            assert_eq!(message(stream).0, number);
        }
    }
}

/// However many watchers wait, the worker looks for requests after it has served some of them.
#[test]
fn sender_does_not_wait_for_watchers() {
    if support::is_for_files_only() {
        return;
    }
    const WATCHERS: usize = 600;
    /// Several times the limit of pending requests.
    const REQUESTS: usize = 512;
    /// How many watchers are served before the worker looks for requests (`server::worker`).
    const STREAMS_MAX: usize = 16;
    let server = Server::start_with(&["--workers", "1"]);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut streams: Vec<Wire> =
        (0..WATCHERS).map(|_| watch(&server, &neko, &json!({"from": "new"})).0).collect();
    for stream in &mut streams {
        assert_eq!(event(stream)["event"], "caught_up");
    }
    let mut sender = server.connect();
    let Some(tracer) = Tracer::attach(server.pid(), "trace=sendto,/^epoll_p?wait") else {
        return;
    };
    sender.send(format!("send {paff} neko hai\r\n").repeat(REQUESTS));
    for _ in 0..REQUESTS {
        assert_eq!(sender.reply()["status"], "OK");
    }
    for stream in &mut streams {
        assert_eq!(ids_until(stream, REQUESTS as i64).len(), REQUESTS);
    }
    let trace = tracer.detach();
    let is_event = |line: &&String| line.contains(r#"\"event\""#);
    let thread = |line: &String| line.split(' ').next().unwrap().to_owned();
    let worker = thread(trace.lines.iter().find(is_event).unwrap());
    // The sockets to which events went, and those in one turn. Some get theirs in several pieces.
    let socket =
        |line: &str| line.split_once("sendto(").unwrap().1.split(',').next().unwrap().to_owned();
    let (mut all, mut in_turn, mut most) = (BTreeSet::new(), BTreeSet::new(), 0);
    for line in trace.lines.iter().filter(|line| thread(line) == worker) {
        if line.contains("epoll_") {
            in_turn.clear();
        } else if is_event(&line) {
            all.insert(socket(line));
            in_turn.insert(socket(line));
            most = most.max(in_turn.len());
        }
    }
    assert_eq!(all.len(), WATCHERS, "{:#?}", trace.lines);
    assert!(most <= STREAMS_MAX, "{most} watchers were served before the next request");
}

#[test]
fn watchers_on_every_connection_receive_their_own_messages() {
    let watchers = scaled(500, 10_000);
    let connections_max = (watchers + 10).to_string();
    if !may_open_descriptors(watchers as u64 + 200) {
        let needs = format!("{} file descriptors in one process", watchers + 200);
        return skip(&needs, "raise the limit: ulimit -Hn");
    }
    let server = Server::start_with(&["--connections-max", &connections_max]);
    let users = ["paff", "neko", "robo", "ivy", "vanessa"];
    let tokens: Vec<String> = users.iter().map(|user| server.log_in(user)).collect();
    let mut streams: Vec<Wire> = (0..watchers)
        .map(|number| watch(&server, &tokens[number % users.len()], &json!({"from": "new"})).0)
        .collect();
    let mut sender = server.connect();
    for user in users {
        sender.done(format!("send {} {user} for {user}", tokens[0]));
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        assert_eq!(event(stream)["event"], "caught_up");
        assert_eq!(message(stream).1, format!("for {}", users[number % users.len()]));
    }
}

/// Raises the limit of open descriptors if necessary; `false` if the system does not allow it.
fn may_open_descriptors(needed: u64) -> bool {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    current.is_none_or(|current| current >= needed)
        || setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).is_ok()
}

#[test]
fn watcher_that_does_not_read_delays_nobody_and_loses_nothing() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let (mut lazy, _) = watch(&server, &neko, &json!({"from": "all"}));
    let (mut keen, _) = watch(&server, &neko, &json!({"from": "all"}));
    let mut sender = server.connect();
    let text = "x".repeat(30_000);
    const MESSAGES: i64 = 500;
    for _ in 0..MESSAGES {
        sender.done(format!("send {paff} neko {text}"));
    }
    let all: Vec<i64> = (1..=MESSAGES).collect();
    assert_eq!(ids_until(&mut keen, MESSAGES), all);
    // It was not read at all until now. The socket accepted some; if the server has given up and
    // closed it, the message log still has the rest.
    let mut seen = ids_until(&mut lazy, MESSAGES);
    let last = seen.last().copied().unwrap_or(0);
    let (mut resumed, _) = watch(&server, &neko, &json!({"from": last}));
    if last < MESSAGES {
        seen.extend(ids_until(&mut resumed, MESSAGES));
    }
    assert_eq!(seen, all);
}

/// The ids of a stream's messages, up to `last` or until it is closed.
fn ids_until(stream: &mut Wire, last: i64) -> Vec<i64> {
    let mut ids = Vec::new();
    while ids.last() != Some(&last) {
        let Some(frame) = stream.try_reply_bytes() else { break };
        let event: Value = serde_json::from_slice(&frame).unwrap();
        ids.extend(event["id"].as_i64());
    }
    ids
}

#[test]
fn watchers_that_are_cut_off_resume_without_gap_or_repeat() {
    const SENDERS: usize = 8;
    let (each, watchers) = (scaled(250, 12_500), scaled(20, 50));
    let total = (SENDERS * each) as i64;
    let mut random = Random::new();
    let server = Server::start();
    let neko = server.log_in("neko");
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let token = server.log_in(["paff", "robo", "ivy", "vanessa"][sender % 4]);
            let mut wire = server.connect();
            scope.spawn(move || {
                for number in 0..each {
                    wire.done(format!("send {token} neko {sender}-{number}"));
                }
            });
        }
        for _ in 0..watchers {
            let (server, neko, mut random) = (&server, &neko, random.fork());
            scope.spawn(move || {
                let mut seen = 0;
                // Now and then a long one, so that it comes to an end.
                while seen < total {
                    let bytes = [1_000, 20_000, 1_000_000][random.below(3)];
                    seen = read_until_cut(server, neko, random.below(bytes), total, seen);
                }
            });
        }
    });
}

/// Resumes after `seen`, reads `bytes` bytes, and closes at any point. Each id must follow the one
/// before. Returns the last one.
fn read_until_cut(server: &Server, token: &str, bytes: usize, last: i64, mut seen: i64) -> i64 {
    let (wire, _) = watch(server, token, &json!({"from": seen}));
    let stream = wire.stream();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut received = wire.received().to_vec();
    let mut total = received.len();
    let mut chunk = [0; 16 * 1024];
    loop {
        let mut done = 0;
        while let Some(end) = received[done..].windows(4).position(|end| end == b"\r\n\r\n") {
            if let Some(id) = message_id(&received[done..done + end]) {
                assert_eq!(id, seen + 1);
                seen = id;
            }
            done += end + 4;
        }
        received.drain(..done);
        if total >= bytes || seen == last {
            return seen;
        }
        let most = chunk.len().min(bytes - total);
        let count = read_some(stream, &mut chunk[..most]).unwrap();
        assert!(count > 0, "the server does not hang up");
        received.extend_from_slice(&chunk[..count]);
        total += count;
    }
}

/// The id of a frame with a message.
fn message_id(frame: &[u8]) -> Option<i64> {
    let frame = std::str::from_utf8(frame).unwrap();
    let rest = frame.strip_prefix("{\"status\": \"OK\", \"event\": \"message\", \"id\": ")?;
    Some(rest.split(',').next().unwrap().parse().unwrap())
}

#[test]
fn streams_of_different_users_get_only_their_own_messages() {
    let server = Server::start();
    let users = ["paff", "neko", "robo", "ivy", "vanessa"];
    let tokens: Vec<String> = users.iter().map(|user| server.log_in(user)).collect();
    let mut streams: Vec<Wire> =
        tokens.iter().map(|token| watch(&server, token, &json!({"from": "new"})).0).collect();
    thread::scope(|scope| {
        for (sender, token) in tokens.iter().enumerate() {
            let mut wire = server.connect();
            scope.spawn(move || {
                for number in 0..50 {
                    let to = users[(sender + number) % users.len()];
                    wire.done(format!("send {token} {to} for {to} from {}", users[sender]));
                }
            });
        }
    });
    for (user, stream) in users.iter().zip(&mut streams) {
        assert_eq!(event(stream)["event"], "caught_up");
        let mut ids = BTreeSet::new();
        for _ in 0..50 {
            let event = event(stream);
            let from = event["from"].as_str().unwrap();
            assert_eq!(event["body"], format!("for {user} from {from}"));
            assert_eq!(event["to"], *user);
            ids.insert(event["id"].as_i64().unwrap());
        }
        assert_eq!(ids.len(), 50);
    }
}

#[test]
fn message_to_a_caught_up_watcher_reads_nothing_from_the_file() {
    let server = Server::start_with(&["--metrics", "127.0.0.1:0", "--heartbeat", "1h"]);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut streams: Vec<Wire> =
        (0..3).map(|_| watch(&server, &neko, &json!({"from": "new"})).0).collect();
    for stream in &mut streams {
        assert_eq!(event(stream)["event"], "caught_up");
    }
    let reads = || {
        let scrape = exposition::Scrape::parse(&http::get(server.monitor(), "/metrics").body);
        scrape.value("chat_read_duration_seconds_count", &[])
    };
    let mut sender = server.connect();
    let before = reads();
    for number in 1..=100 {
        // To several recipients, and to another user in between.
        let to = json!({"to": ["ivy", "neko"], "body": format!("{number}")});
        sender.done(format!("post {paff} {to}"));
        for stream in &mut streams {
            assert_eq!(message(stream), (2 * number, format!("{number}")));
        }
    }
    // Reading the metrics costs some.
    assert!(reads() - before < 10.0, "{} reads for 300 deliveries", reads() - before);
}

#[test]
fn watcher_behind_the_messages_in_memory_reads_the_rest_from_the_message_log() {
    let server = Server::start_with(&["--heartbeat", "1h"]);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let (mut lazy, _) = watch(&server, &neko, &json!({"from": "new"}));
    let (mut keen, _) = watch(&server, &neko, &json!({"from": "new"}));
    assert_eq!(event(&mut lazy)["event"], "caught_up");
    assert_eq!(event(&mut keen)["event"], "caught_up");
    // Three times the text that fits into memory, which is also more than a socket accepts.
    let text = "x".repeat(30_000);
    const LONG: i64 = 420;
    // And more messages than it keeps.
    const ALL: i64 = LONG + 9_000;
    thread::scope(|scope| {
        let mut sender = server.connect();
        scope.spawn(move || {
            for _ in 0..LONG {
                sender.done(format!("send {paff} neko {text}"));
            }
            for _ in 0..(ALL - LONG) / 100 {
                sender.send(format!("send {paff} neko short\r\n").repeat(100));
                (0..100).for_each(|_| assert_eq!(sender.reply()["status"], "OK"));
            }
        });
        assert_eq!(ids_until(&mut keen, ALL), (1..=ALL).collect::<Vec<_>>());
    });
    assert_eq!(ids_until(&mut lazy, ALL), (1..=ALL).collect::<Vec<_>>());
}

#[test]
fn messages_arrive_once_and_in_order_while_users_are_renamed_and_messages_purged() {
    const SENDERS: usize = 4;
    let each = scaled(400, 4_000);
    let server = Server::start_with(&["--heartbeat", "1h"]);
    let neko = server.log_in("neko");
    let goes_on = AtomicBool::new(true);
    // The senders and the recipient are renamed, several times.
    let names = ["paff", "robo", "ivy", "vanessa"];
    let mut random = Random::new();
    let (mut stream, _) = watch(&server, &neko, &json!({"from": "new"}));
    assert_eq!(event(&mut stream)["event"], "caught_up");
    let reported = thread::scope(|scope| {
        let end = Ending(&goes_on);
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let token = server.log_in(names[sender]);
                let mut wire = server.connect();
                scope.spawn(move || {
                    for number in 0..each {
                        wire.done(format!("send {token} neko {sender} {number}"));
                    }
                })
            })
            .collect();
        let (database, goes_on) = (server.database(), &goes_on);
        scope.spawn(move || {
            for round in 0.. {
                for name in names {
                    let (from, to) = match round % 2 {
                        0 => (name.to_owned(), format!("{name}2")),
                        _ => (format!("{name}2"), name.to_owned()),
                    };
                    operator::done(&database, &["user", "rename", &from, &to]);
                }
                if !goes_on.load(Ordering::Relaxed) && round % 2 == 1 {
                    return;
                }
            }
        });
        let (server, neko) = (&server, &neko);
        let watchers = [random.fork(), random.fork()].map(|mut random| {
            scope.spawn(move || {
                while goes_on.load(Ordering::Relaxed) {
                    let (mut stream, _) = watch(server, neko, &json!({"from": "new"}));
                    let mut before = 0;
                    for _ in 0..random.below(30) {
                        let Some(id) = id_of_next(&mut stream, goes_on) else { return };
                        assert!(id > before, "{id} after {before}");
                        before = id;
                    }
                }
            })
        });
        let mut reported: Vec<Value> = Vec::new();
        while reported.len() < SENDERS * each {
            reported.push(event(&mut stream));
            if reported.len().is_multiple_of(500) {
                let before = reported[reported.len() - 100]["id"].to_string();
                let purge = ["message", "purge", "--before-id", &before, "--unread-too"];
                operator::done(&server.database(), &purge);
            }
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        drop(end);
        // Remaining watchers get the end of the stream.
        let mut wire = server.connect();
        while !watchers.iter().all(|watcher| watcher.is_finished()) {
            wire.done(format!("send {neko} neko the end"));
        }
        reported
    });
    let mut next: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, event) in (1..).zip(&reported) {
        assert_eq!(event["id"], number, "{event}");
        let body = event["body"].as_str().unwrap();
        let (sender, count) = body.split_once(' ').unwrap();
        let (sender, count): (usize, usize) = (sender.parse().unwrap(), count.parse().unwrap());
        let expected = next.entry(sender).or_default();
        assert_eq!(count, *expected);
        *expected += 1;
        let from = event["from"].as_str().unwrap();
        assert!(from == names[sender] || from == format!("{}2", names[sender]), "{event}");
    }
}

/// The id of the next message, or `None` if the stream has ended.
fn id_of_next(stream: &mut Wire, goes_on: &AtomicBool) -> Option<i64> {
    loop {
        let event = event(stream);
        if !goes_on.load(Ordering::Relaxed) {
            return None;
        }
        if event["event"] == "message" {
            return event["id"].as_i64();
        }
    }
}

#[test]
fn new_name_arrives_with_the_first_message_after_the_rename() {
    let server = Server::start_with(&["--heartbeat", "1h"]);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let (mut stream, _) = watch(&server, &neko, &json!({"from": "new"}));
    assert_eq!(event(&mut stream)["event"], "caught_up");
    let mut sender = server.connect();
    let names = |stream: &mut Wire| {
        let event = event(stream);
        (event["from"].as_str().unwrap().to_owned(), event["to"].as_str().unwrap().to_owned())
    };
    sender.done(format!("send {paff} neko one"));
    assert_eq!(names(&mut stream), ("paff".to_owned(), "neko".to_owned()));
    operator::done(&server.database(), &["user", "rename", "paff", "puff"]);
    sender.done(format!("send {paff} neko two"));
    assert_eq!(names(&mut stream), ("puff".to_owned(), "neko".to_owned()));
    operator::done(&server.database(), &["user", "rename", "neko", "nekko"]);
    sender.done(format!("send {paff} nekko three"));
    assert_eq!(names(&mut stream), ("puff".to_owned(), "nekko".to_owned()));
    // A watcher that reads from before the rename gets today's names.
    let (mut late, _) = watch(&server, &neko, &json!({"from": "all"}));
    for _ in 0..3 {
        assert_eq!(names(&mut late), ("puff".to_owned(), "nekko".to_owned()));
    }
}

#[test]
fn stream_includes_sent_messages_if_requested() {
    let server = Server::start();
    let (neko, other) = (server.log_in("neko"), server.log_in("neko"));
    let paff = server.log_in("paff");
    let (mut reported, _) = watch(&server, &neko, &json!({"from": "new", "sent": true}));
    let (mut plain, _) = watch(&server, &neko, &json!({"from": "new"}));
    let (mut another, _) = watch(&server, &paff, &json!({"from": "new", "sent": true}));
    for stream in [&mut reported, &mut plain, &mut another] {
        assert_eq!(event(stream)["event"], "caught_up");
    }
    let mut sender = server.connect();
    sender.done(format!("send {other} paff hai"));
    let post = json!({"to": ["ivy", "neko", "robo"], "body": "all", "key": "k"});
    sender.done(format!("post {neko} {post}"));
    // It is not sent a second time.
    sender.done(format!("post {neko} {post}"));
    sender.done(format!("send {paff} neko last"));
    let sent = |id: i64, to: &str| json!({"status": "OK", "event": "sent", "id": id, "to": to});
    let mut events: Vec<Value> = (0..5).map(|_| event(&mut reported)).collect();
    // Received messages are read from the log, and may come before or after.
    let came = |event: &Value| event["event"] == "message";
    let messages: Vec<i64> =
        events.iter().filter(|it| came(it)).map(|it| it["id"].as_i64().unwrap()).collect();
    events.retain(|event| !came(event));
    assert_eq!(
        (messages, events),
        (vec![3, 5], vec![sent(1, "paff"), sent(2, "ivy"), sent(4, "robo")])
    );
    assert_eq!([message(&mut plain).0, message(&mut plain).0], [3, 5]);
    assert_eq!(message(&mut another), (1, "hai".to_owned()));
    assert_eq!(event(&mut another), sent(5, "neko"));
}
