//! Changes of a room against posts and streams that do not wait for them.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Server, Wire};

const ROUNDS: usize = 15;

fn post(wire: &mut Wire<TcpStream>, token: &str, to: &str) -> Value {
    wire.ask(format!("post {token} {}", json!({"to": [to], "body": "x"})))
}

/// Posts until it is over. Returns the ids that were acknowledged; other answers must have this code.
fn post_until(server: &Server, token: &str, code: &str, is_over: &AtomicBool) -> BTreeSet<i64> {
    let (mut wire, mut sent) = (server.connect(), BTreeSet::new());
    while !is_over.load(Ordering::Relaxed) {
        let reply = post(&mut wire, token, "#build");
        match reply["id"].as_i64() {
            Some(id) => assert!(sent.insert(id), "{reply}"),
            None => assert_eq!(reply["code"], code, "{reply}"),
        }
    }
    sent
}

/// Ends the posting, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn newest(wire: &mut Wire<TcpStream>, token: &str) -> i64 {
    let page = wire.done(format!("fetch {token} {}", json!({"with": "#build", "limit": 1})));
    page["messages"][0]["id"].as_i64().unwrap_or(0)
}

/// The ids that a stream gets, up to and including `last`.
fn watched(mut watching: Wire<TcpStream>, last: i64) -> Vec<i64> {
    let mut got = Vec::new();
    while got.last() != Some(&last) {
        let event = watching.reply();
        got.extend(event["id"].as_i64().filter(|_| event["event"] == "message"));
    }
    got
}

#[test]
fn archived_room_gets_no_message_and_watchers_get_all_others() {
    let server = Server::start();
    let [paff, neko, ivy, robo] = ["paff", "neko", "ivy", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    let room = json!({"room": "#build"});
    wire.done(format!("room_create {paff} {room}"));
    for member in [&neko, &ivy] {
        wire.done(format!("room_join {member} {room}"));
    }
    let mut watching = server.connect();
    watching.done(format!("watch {ivy} {}", json!({"from": "new"})));
    let is_over = AtomicBool::new(false);
    let mut sent = thread::scope(|scope| {
        let posting = scope.spawn(|| post_until(&server, &neko, "room_archived", &is_over));
        let over = Over(&is_over);
        let mut sent = BTreeSet::new();
        for _ in 0..ROUNDS {
            sent.insert(post(&mut wire, &paff, "#build")["id"].as_i64().unwrap());
            wire.done(format!("room_archive {paff} {room}"));
            let archived_at = newest(&mut wire, &paff);
            assert_eq!(post(&mut wire, &paff, "#build")["code"], "room_archived");
            let join = format!("room_join {robo} {room}");
            assert_eq!(wire.refused(join), "room_archived");
            assert_eq!(newest(&mut wire, &paff), archived_at, "an archived room got a message");
            wire.done(format!(
                "room_archive {paff} {}",
                json!({"room": "#build", "archived": false})
            ));
        }
        drop(over);
        sent.extend(posting.join().unwrap());
        sent
    });
    let last = post(&mut wire, &paff, "#build")["id"].as_i64().unwrap();
    sent.insert(last);
    let stored = server.query("SELECT id FROM v2_messages WHERE recipient = '#build' ORDER BY id");
    let stored: Vec<i64> = stored.iter().map(|id| id.parse().unwrap()).collect();
    assert_eq!(sent.into_iter().collect::<Vec<_>>(), stored);
    assert_eq!(watched(watching, last), stored);
}

/// A member who posts without a pause is removed, and joins again.
#[test]
fn every_post_of_a_member_is_within_a_membership() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    let room = json!({"room": "#build"});
    wire.done(format!("room_create {paff} {room}"));
    wire.done(format!("room_join {ivy} {room}"));
    let mut watching = server.connect();
    watching.done(format!("watch {ivy} {}", json!({"from": "new"})));
    let is_over = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let posting = scope.spawn(|| post_until(&server, &neko, "not_allowed", &is_over));
        let over = Over(&is_over);
        let mut sent = BTreeSet::new();
        for round in 0..ROUNDS {
            wire.done(format!("room_join {neko} {room}"));
            sent.insert(post(&mut wire, &neko, "#build")["id"].as_i64().unwrap());
            if round % 2 == 0 {
                let kick = json!({"room": "#build", "user": "neko"});
                wire.done(format!("room_kick {paff} {kick}"));
            } else {
                wire.done(format!("room_leave {neko} {room}"));
            }
            assert_eq!(post(&mut wire, &neko, "#build")["code"], "not_allowed");
        }
        drop(over);
        sent.extend(posting.join().unwrap());
        sent
    });
    let stored = server.query("SELECT id FROM v2_messages WHERE sender = 'neko' ORDER BY id");
    let stored: Vec<i64> = stored.iter().map(|id| id.parse().unwrap()).collect();
    assert_eq!(sent.into_iter().collect::<Vec<_>>(), stored);
    let inside = server.query(
        "SELECT DISTINCT m.id FROM v2_messages m JOIN v2_members b
            ON b.room = m.recipient AND b.\"user\" = m.sender
               AND m.id > b.joined_after AND m.id <= b.left_upto
          WHERE m.sender = 'neko' ORDER BY m.id",
    );
    assert_eq!(inside.iter().map(|id| id.parse().unwrap()).collect::<Vec<i64>>(), stored);
    let last = *stored.last().unwrap();
    assert_eq!(watched(watching, last), stored);
}
