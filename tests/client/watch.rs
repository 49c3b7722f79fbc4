//! `chat-cli watch`: no message is lost or repeated, and the cursor never moves before the work is
//! done.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::cli::{Home, start, told};
use crate::support::exposition::Scrape;
use crate::support::http;
use crate::support::relay::Relay;
use crate::support::{PATIENCE, Server, Wire};

/// Sends `text` to neko.
fn send(wire: &mut Wire, token: &str, text: &str) {
    wire.done(format!("send {token} neko {text}"));
}

fn cursor(server: &Server, name: &str) -> Vec<String> {
    server.query(&format!("select upto_id from v1_cursors where cursor = '{name}'"))
}

/// A running command, whose lines are read one by one.
struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(home: &Home, words: &[&str]) -> Self {
        let mut command = home.cli(words);
        let mut child = start(command.stdin(Stdio::null()));
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn every_message_is_shown_once_although_both_sides_are_killed() {
    let mut server = Server::start();
    let relay = Relay::to(server.address());
    let home = Home::of("neko", relay.address());
    let paff = server.log_in("paff");
    let watch = ["watch", "--as", "log", "--raw"];
    let mut shown = Vec::new();
    let mut running = Running::start(&home, &watch);
    for round in 0..6 {
        let mut wire = server.connect();
        for number in 0..3 {
            send(&mut wire, &paff, &format!("{round}.{number}"));
        }
        shown.extend((0..3).map(|_| running.line()));
        match round % 3 {
            0 => {
                server.kill();
                server.start_again();
                relay.point_at(server.address());
            }
            1 => relay.cut(),
            _ => {
                // If it ends by itself, everything that it has shown is acknowledged.
                running.kill();
                let left = home.run(["watch", "--as", "log", "--raw", "--exit-at-end"]);
                assert_eq!(left.code, 0, "{left:?}");
                for line in left.stdout.lines() {
                    // Killed between writing and acknowledging: at most that message again.
                    assert!(shown.contains(&line.to_owned()), "{line}");
                }
                running = Running::start(&home, &watch);
            }
        }
    }
    running.kill();
    let expected: Vec<String> =
        (0..6).flat_map(|round| (0..3).map(move |number| format!("{round}.{number}"))).collect();
    assert_eq!(shown, expected);
}

#[test]
fn stopped_watcher_slows_no_sender_and_catches_up_when_it_goes_on() {
    const MESSAGES: usize = 400;
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let paff = server.log_in("paff");
    let mut running = Running::start(&home, &["watch", "--as", "log", "--events", "--json"]);
    while !running.line().contains("caught_up") {}
    let pid = Pid::from_child(&running.child);
    kill_process(pid, Signal::STOP).unwrap();
    let mut wire = server.connect();
    // More than sockets and outbox hold, so that the server must wait.
    for number in 0..MESSAGES {
        send(&mut wire, &paff, &format!("{number} {}", "x".repeat(30_000)));
    }
    kill_process(pid, Signal::CONT).unwrap();
    tells_numbered(&mut running, MESSAGES);
    running.kill();
}

/// It prints this many messages, each once, in the order of the numbers at their beginning.
fn tells_numbered(running: &mut Running, messages: usize) {
    let mut seen = 0;
    while seen < messages {
        let line: Value = serde_json::from_str(&running.line()).unwrap();
        let Some(body) = line["body"].as_str() else { continue };
        assert_eq!(body.split(' ').next(), Some(seen.to_string().as_str()));
        seen += 1;
    }
}

/// Stopped for longer than a write may stall: the server closes the connection.
#[test]
fn watcher_that_is_stopped_for_too_long_is_closed_and_misses_nothing() {
    const MESSAGES: usize = 400;
    let server = Server::start_with(&["--metrics", "127.0.0.1:0"]);
    let home = Home::of("neko", server.address());
    let paff = server.log_in("paff");
    let mut running = Running::start(&home, &["watch", "--as", "log", "--events", "--json"]);
    while !running.line().contains("caught_up") {}
    let pid = Pid::from_child(&running.child);
    kill_process(pid, Signal::STOP).unwrap();
    let mut wire = server.connect();
    for number in 0..MESSAGES {
        send(&mut wire, &paff, &format!("{number} {}", "x".repeat(30_000)));
    }
    let closed = || {
        let scrape = Scrape::parse(&http::get(server.monitor(), "/metrics").body);
        scrape.value("chat_connections_closed_total", &[("reason", "write_stalled")])
    };
    let begun = Instant::now();
    while closed() < 1.0 {
        assert!(begun.elapsed() < PATIENCE, "it is not closed");
        // Other clients are served meanwhile.
        wire.done(format!("unread {paff}"));
    }
    kill_process(pid, Signal::CONT).unwrap();
    tells_numbered(&mut running, MESSAGES);
    running.kill();
}

#[test]
fn cursor_keeps_its_position_even_before_the_first_message() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let (mut wire, paff) = (server.connect(), server.log_in("paff"));
    send(&mut wire, &paff, "old");
    let nothing = home.run(["watch", "--as", "w", "--since", "new", "--raw", "--exit-at-end"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (0, ""));
    send(&mut wire, &paff, "one");
    send(&mut wire, &paff, "two");
    let first = home.run(["watch", "--as", "w", "--since", "new", "-n", "1", "--raw"]);
    assert_eq!((first.code, first.stdout.as_str()), (0, "one\n"));
    assert_eq!(cursor(&server, "w"), ["2"]);
    assert_eq!(home.run(["watch", "--as", "w", "--raw", "--exit-at-end"]).stdout, "two\n");
    assert_eq!(home.run(["watch", "--as", "w", "--raw", "--exit-at-end"]).stdout, "");
    // The cursor of `inbox` has not moved.
    assert_eq!(home.run(["unread"]).stdout, "3\n3\tpaff\n");
}

#[test]
fn since_says_where_to_begin() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let (mut wire, paff) = (server.connect(), server.log_in("paff"));
    for text in ["a", "b", "c"] {
        send(&mut wire, &paff, text);
    }
    assert_eq!(home.run(["ack", "2"]).code, 0);
    for (since, shown) in [
        ("unread", "c\n"),
        ("all", "a\nb\nc\n"),
        ("1", "b\nc\n"),
        ("new", ""),
        ("2h", "a\nb\nc\n"),
        ("0s", ""),
    ] {
        let outcome = home.run(["watch", "--since", since, "--raw", "--exit-at-end"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (0, shown), "{since}");
    }
    assert_eq!(home.run(["unread"]).stdout, "1\n1\tpaff\n", "without --as nothing is marked");
}

#[test]
fn count_and_timeout_end_the_watch() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let (mut wire, paff) = (server.connect(), server.log_in("paff"));
    send(&mut wire, &paff, "a");
    for (words, code, shown) in [
        (&["-n", "1"][..], 0, "a\n"),
        (&["-n", "2", "--timeout", "2s"], 1, "a\n"),
        (&["--timeout", "2s"], 0, "a\n"),
        (&["-n", "2", "--exit-at-end"], 1, "a\n"),
    ] {
        let outcome = home.run(["watch", "--raw"].iter().chain(words));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (code, shown), "{words:?}");
    }
}

#[test]
fn events_are_separate_from_messages() {
    let server = Server::start();
    let relay = Relay::to(server.address());
    let home = Home::of("neko", relay.address());
    let (mut wire, paff) = (server.connect(), server.log_in("paff"));
    let mut running = Running::start(&home, &["watch", "--json", "--events"]);
    let mut object = || -> Value {
        let object: Value = serde_json::from_str(&running.line()).unwrap();
        assert_eq!(object["v"], 1);
        object
    };
    assert_eq!(object()["event"], "ready");
    assert_eq!(object()["event"], "caught_up");
    send(&mut wire, &paff, "hai");
    let message = object();
    assert_eq!(
        (&message["event"], &message["body"], &message["id"]),
        (&Value::Null, &"hai".into(), &1.into())
    );
    relay.cut();
    let gone = object();
    assert_eq!(gone["event"], "disconnected");
    assert!(gone["retry_in_ms"].is_number());
    assert_eq!(object()["event"], "ready");
    running.kill();

    let words = home.run(["watch", "--events", "--exit-at-end"]);
    assert_eq!(
        words.stderr,
        "ready: watching for neko after message 0\ncaught_up: caught up with message 1\n"
    );
}

#[test]
fn closed_output_ends_the_watch_and_does_not_move_the_cursor() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let (mut wire, paff) = (server.connect(), server.log_in("paff"));
    let mut running = Running::start(&home, &["watch", "--as", "w", "--raw"]);
    send(&mut wire, &paff, "seen");
    assert_eq!(running.line(), "seen");
    let Running { mut child, lines } = running;
    drop(lines);
    send(&mut wire, &paff, "lost in a pipe");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(141), ""));
    assert_eq!(cursor(&server, "w"), ["1"]);
    assert_eq!(
        home.run(["watch", "--as", "w", "--raw", "--exit-at-end"]).stdout,
        "lost in a pipe\n"
    );

    // Also if there is nothing to write.
    let mut running = Running::start(&home, &["watch", "--since", "all", "--raw"]);
    assert_eq!(running.line(), "seen");
    let Running { mut child, lines } = running;
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn command_gets_each_message_and_moves_the_cursor() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let (mut wire, paff) = (server.connect(), server.log_in("paff"));
    send(&mut wire, &paff, "one");
    send(&mut wire, &paff, "$(two) '; \"");
    let mut command = home.sh(
        "$CLI watch --as w --exit-at-end --exec sh -c 'cat; echo \"$CHAT_ID $CHAT_FROM $*\"' x -n --json",
    );
    let outcome = told(command.output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!((lines.len(), lines[1], lines[3]), (4, "1 paff -n --json", "2 paff -n --json"));
    let message: Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!((&message["v"], &message["body"]), (&1.into(), &"$(two) '; \"".into()));
    assert_eq!(cursor(&server, "w"), ["2"]);
}

#[test]
fn message_that_fails_too_often_is_a_dead_letter() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let (mut wire, paff) = (server.connect(), server.log_in("paff"));
    for text in ["good", "bad", "fine"] {
        send(&mut wire, &paff, text);
    }
    assert_eq!(home.run(["watch", "--as", "w", "--dead"]).code, 1);
    let mut command = home.sh(
        "$CLI watch --as w --max-tries 2 --exit-at-end --exec sh -c 'echo $CHAT_ID; test $CHAT_ID != 2'",
    );
    let outcome = told(command.output().unwrap());
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "1\n2\n2\n3\n"));
    let note = "note: sh failed for message 2 (exit status: 1), try 2 of 2";
    assert!(outcome.stderr.contains(note), "{outcome:?}");
    assert_eq!(cursor(&server, "w"), ["3"]);
    assert_eq!(home.run(["watch", "--as", "w", "--dead", "--raw"]).stdout, "bad\n");
    let shown = home.run(["watch", "--as", "w", "--dead", "--clear", "--json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!((&shown["v"], &shown["id"]), (&1.into(), &2.into()));
    assert_eq!(home.run(["watch", "--as", "w", "--dead"]).code, 1);
}

#[test]
fn command_that_cannot_be_run_is_no_fault_of_the_message() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    send(&mut server.connect(), &server.log_in("paff"), "hai");
    let outcome = home.run(["watch", "--as", "w", "--exec", "/no/such/program"]);
    assert_eq!(outcome.code, 78);
    assert!(outcome.stderr.starts_with("error: cannot run /no/such/program: "), "{outcome:?}");
    assert_eq!(cursor(&server, "w"), ["0"]);
    // A command need not read its input.
    let outcome = home.run(["watch", "--as", "w", "-n", "1", "--exec", "true"]);
    assert_eq!((outcome.code, cursor(&server, "w")), (0, vec!["1".to_owned()]));
}

#[test]
fn missing_server_and_ended_session_end_the_watch() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Home::new(address).cli(["watch"]);
    command.env("CHAT_TOKEN", "7a592c0e-2cb5-4de6-866b-4e216b0caf15");
    assert_eq!(told(command.output().unwrap()).code, 69);

    let server = Server::start();
    let home = Home::of("neko", server.address());
    let mut running = Running::start(&home, &["watch", "--json", "--events"]);
    assert!(running.line().contains("ready"));
    assert!(running.line().contains("caught_up"));
    server.connect().done(format!("logout {}", home.token()));
    assert_eq!(running.child.wait().unwrap().code(), Some(77));
}

#[test]
fn interrupt_ends_the_watch_and_shown_messages_stay_read() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let (mut wire, paff) = (server.connect(), server.log_in("paff"));
    let mut running = Running::start(&home, &["watch", "--as", "w", "--json", "--events"]);
    send(&mut wire, &paff, "one");
    while !running.line().contains("one") {}
    kill_process(Pid::from_child(&running.child), Signal::INT).unwrap();
    // A shell shows it as 130.
    assert_eq!(running.child.wait().unwrap().signal(), Some(2));
    send(&mut wire, &paff, "two");
    let rest = home.run(["watch", "--as", "w", "--raw", "--exit-at-end"]).stdout;
    assert!(rest == "two\n" || rest == "one\ntwo\n", "{rest:?}");
}
