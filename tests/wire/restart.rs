//! Acknowledged messages survive a kill, and ended sessions stay ended.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support;
use crate::support::Server;

#[test]
fn everything_acknowledged_is_there_after_sigkill_in_the_middle_of_traffic() {
    let mut server = Server::start();
    let tokens: Vec<String> = (0..4).map(|_| server.log_in("paff")).collect();
    let ended = server.log_in("ivy");
    server.connect().done(format!("logout {ended}"));
    let acknowledged = AtomicUsize::new(0);
    let sent: Vec<BTreeSet<String>> = thread::scope(|scope| {
        let senders: Vec<_> = tokens
            .iter()
            .enumerate()
            .map(|(sender, token)| {
                let mut wire = server.connect();
                let acknowledged = &acknowledged;
                scope.spawn(move || {
                    let mut sent = BTreeSet::new();
                    for number in 0.. {
                        let text = format!("{sender}-{number}");
                        if !try_send(&mut wire, token, &text) {
                            break;
                        }
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                        sent.insert(text);
                    }
                    sent
                })
            })
            .collect();
        while acknowledged.load(Ordering::Relaxed) < 200 {
            assert!(!senders.iter().all(|sender| sender.is_finished()), "they send");
            thread::yield_now();
        }
        server.signal(rustix::process::Signal::KILL);
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    server.kill();
    server.start_again();

    let token = server.log_in("neko");
    let reply = server.connect().done(format!("inbox {token}"));
    let inbox = reply["messages"]["paff"].as_array().unwrap();
    let stored: BTreeSet<String> =
        inbox.iter().map(|entry| entry["msg"].as_str().unwrap().to_owned()).collect();
    assert_eq!(stored.len(), inbox.len(), "nothing is there twice");
    for sent in &sent {
        assert!(sent.is_subset(&stored), "lost: {:?}", sent.difference(&stored));
    }
    let mut wire = server.connect();
    wire.done(format!("list {}", tokens[0]));
    assert_eq!(wire.refused(format!("list {ended}")), "no_session");
}

/// Sends, and returns whether it was acknowledged.
fn try_send(wire: &mut support::Wire, token: &str, text: &str) -> bool {
    use std::io::Write;
    let line = format!("send {token} neko {text}\r\n");
    wire.stream().write_all(line.as_bytes()).is_ok()
        && wire.try_reply_bytes().is_some_and(|reply| reply.starts_with(br#"{"status": "OK""#))
}

#[test]
fn sigterm_ends_with_exit_code_0_and_everything_is_there_after() {
    let mut server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    wire.done(format!("send {token} neko before"));
    assert_eq!(server.stop().code(), Some(0));
    assert!(wire.wait_for_close().is_empty());
    server.start_again();
    let neko = server.log_in("neko");
    let reply = server.connect().done(format!("inbox {neko}"));
    assert_eq!(reply["messages"], serde_json::json!({"paff": [{"msg": "before"}]}));
    server.connect().done(format!("logout {token}"));
}
