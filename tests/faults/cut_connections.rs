//! A connection is cut after any number of bytes, in either direction, or goes byte by byte. A
//! sender with a key gets a true result or an unknown one, and a repeated message is stored once.

use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::cli::{Home, Outcome, outcome};
use crate::support::relay::{Passage, Relay};
use crate::support::{Server, Wire, scaled};

/// Sessions that run at the same time.
const AT_ONCE: usize = 4;
/// The index of the send among the requests of a session.
const POST: usize = 1;

/// The requests of one session with their line endings. The key belongs to this session alone.
fn requests(paff: &str, neko: &str, key: &str) -> Vec<String> {
    let post = json!({"to": ["neko"], "key": key, "body": "hai"});
    vec![
        "hello\r\n".to_owned(),
        format!("post {paff} {post}\r\n"),
        format!("unread {neko}\r\n"),
        format!("whoami {paff}\r\n"),
    ]
}

/// One session through the relay: each request follows the reply to the one before. Returns the
/// complete replies.
fn replies(wire: &mut Wire, requests: &[String]) -> Vec<Value> {
    use std::io::Write;
    let mut replies = Vec::new();
    for request in requests {
        if wire.stream().write_all(request.as_bytes()).is_err() {
            break;
        }
        let Some(reply) = wire.try_reply_bytes() else { break };
        replies.push(serde_json::from_slice(&reply).expect("a reply is whole or none"));
    }
    replies
}

/// Calls `attempt` with 0, 1, 2 …, several at a time, until it reports that nothing is left to cut.
fn each_offset(attempt: impl Fn(usize, &Relay) -> bool + Sync, server: &Server) -> usize {
    let (next, end) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let relay = Relay::to(server.address());
                loop {
                    let offset = next.fetch_add(1, Ordering::SeqCst);
                    if offset >= end.load(Ordering::SeqCst) {
                        return;
                    }
                    if !attempt(offset, &relay) {
                        end.fetch_min(offset, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    end.into_inner()
}

#[test]
fn cut_after_any_byte_in_either_direction_loses_nothing_and_reports_nothing_false() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    for to_the_server in [true, false] {
        let attempt = |offset: usize, relay: &Relay| {
            let key = format!("{to_the_server}-{offset:04}");
            let requests = requests(&paff, &neko, &key);
            let cut = Some(offset);
            let passage = match to_the_server {
                true => Passage { to_server: cut, ..Passage::default() },
                false => Passage { to_client: cut, ..Passage::default() },
            };
            let cuts = relay.cuts();
            relay.pass(passage, 1);
            let mut wire = Wire::connect(relay.address());
            let reported = replies(&mut wire, &requests);
            // The rest of a cut reply is no reply.
            assert!(!wire.received().windows(4).any(|bytes| bytes == b"\r\n\r\n"));
            let _ = wire.stream().shutdown(Shutdown::Both);
            drop(wire);

            let sent: usize = requests[..=POST].iter().map(String::len).sum();
            let again = server.connect().done(requests[POST].trim_end());
            if let Some(acknowledged) = reported.get(POST) {
                assert_eq!(acknowledged["status"], "OK", "cut at {offset}");
                assert_eq!(acknowledged["duplicate"], false, "cut at {offset}");
                assert_eq!(again["duplicate"], true, "cut at {offset}: it was lost");
                assert_eq!(again["id"], acknowledged["id"], "cut at {offset}");
            }
            if to_the_server && offset < sent {
                assert_eq!(again["duplicate"], false, "cut at {offset}: half a line was executed");
            }
            let stored = format!("select count(*) from messages where key = '{key}'");
            assert_eq!(server.query(&stored), ["1"], "cut at {offset}");
            reported.len() < requests.len() || relay.cuts() > cuts
        };
        let offsets = each_offset(attempt, &server);
        println!(
            "cut after each of {offsets} bytes to the {}",
            if to_the_server { "server" } else { "client" }
        );
        let all: usize = requests(&paff, &neko, "true-0000").iter().map(String::len).sum();
        assert!(offsets >= all, "{offsets}");
    }
    assert_eq!(server.query("PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn session_byte_by_byte_in_either_direction_works_like_any_other() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let relay = Relay::to(server.address());
    relay.pass(Passage { piece: 1, ..Passage::default() }, usize::MAX);
    let requests = requests(&paff, &neko, "a-key");
    let reported = replies(&mut Wire::connect(relay.address()), &requests);
    assert_eq!(reported.len(), requests.len());
    let again = replies(&mut server.connect(), &requests);
    for (number, (reported, mut again)) in reported.into_iter().zip(again).enumerate() {
        if number == POST {
            assert_eq!(again["duplicate"], true);
            again["duplicate"] = json!(false);
        }
        assert_eq!(reported, again);
    }
    let home = Home::of("paff", relay.address());
    let sent = home.run(["send", "neko", "hai neko"]);
    assert_eq!((sent.code, sent.stdout.as_str()), (0, "message sent to neko\n"), "{sent:?}");
    let neko = Home::of("neko", relay.address());
    assert_eq!(neko.run(["inbox", "--raw"]).stdout, "hai\nhai neko\n");
}

/// `chat-cli` itself, which retries with its key.
#[test]
fn send_over_cut_connections_stores_once_or_reports_an_unknown_outcome() {
    const SENT: &str = "message sent to neko\n";
    let server = Server::start();
    let token = server.log_in("paff");
    let step = scaled(17, 1);
    for to_the_server in [true, false] {
        // Only the first connection is cut, or each of them.
        for connections in [1, usize::MAX] {
            let attempt = |number: usize, relay: &Relay| {
                let offset = number * step;
                let cut = Some(offset);
                let passage = match to_the_server {
                    true => Passage { to_server: cut, ..Passage::default() },
                    false => Passage { to_client: cut, ..Passage::default() },
                };
                let body = format!("{to_the_server} {connections} {offset}");
                let home = Home::new(relay.address());
                let send = |more: &[&str]| -> Outcome {
                    // A short timeout only where it cannot succeed.
                    let timeout =
                        if connections == 1 || !more.is_empty() { "30s" } else { "200ms" };
                    let mut command = home
                        .cli([&["send", "--timeout", timeout], more, &["neko", &body]].concat());
                    command.env("CHAT_TOKEN", &token);
                    outcome(command)
                };
                let cuts = relay.cuts();
                relay.pass(passage, connections);
                let reported = send(&[]);
                let was_cut = relay.cuts() > cuts;
                relay.pass(Passage::default(), 0);
                match reported.code {
                    0 => assert_eq!(reported.stdout, SENT, "cut at {offset}: {reported:?}"),
                    75 => {
                        assert_eq!(reported.stdout, "", "cut at {offset}: {reported:?}");
                        assert_eq!(connections, usize::MAX, "cut at {offset}: {reported:?}");
                        let (_, key) =
                            reported.stderr.split_once("--id ").expect("a key to try again with");
                        let key = key.split(' ').next().unwrap();
                        let again = send(&["--id", key]);
                        assert_eq!((again.code, again.stdout.as_str()), (0, SENT), "{again:?}");
                    }
                    _ => panic!("cut at {offset}: {reported:?}"),
                }
                let stored = format!("select count(*) from messages where body = '{body}'");
                assert_eq!(server.query(&stored), ["1"], "cut at {offset}: {reported:?}");
                was_cut
            };
            let offsets = each_offset(attempt, &server);
            println!("{offsets} offsets");
            assert!(offsets * step > 50, "{offsets}");
        }
    }
}
