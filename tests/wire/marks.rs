//! Read state by conversation: an old unread message holds back nothing but itself.

use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Server, Wire};

fn ack(wire: &mut Wire<TcpStream>, token: &str, fields: Value) -> Value {
    wire.done(format!("ack {token} {fields}"))
}

fn refusal(wire: &mut Wire<TcpStream>, token: &str, fields: Value) -> String {
    wire.refused(format!("ack {token} {fields}"))
}

fn unread_ids(wire: &mut Wire<TcpStream>, token: &str, fields: Value) -> Vec<i64> {
    let page = wire.done(format!("fetch {token} {fields}"));
    assert_eq!(page["more"], false);
    let messages = page["messages"].as_array().unwrap();
    messages.iter().map(|message| message["id"].as_i64().unwrap()).collect()
}

#[test]
fn old_unread_message_holds_back_nothing_but_itself() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!("send {ivy} neko old"));
    wire.done(format!("send {paff} neko one"));
    wire.done(format!("send {paff} neko two"));
    wire.done(format!("send {paff} ivy not for neko"));
    let marked = ack(&mut wire, &neko, json!({"with": "paff", "upto": 3}));
    assert_eq!(marked, json!({"status": "OK", "with": "paff", "upto": 3}));
    let again = ack(&mut wire, &neko, json!({"with": "paff", "upto": 1}));
    assert_eq!(again["upto"], 3, "a mark never moves backwards");

    let unread = wire.done(format!("unread {neko}"));
    let senders = json!([{"from": "ivy", "count": 1, "newest": 1}]);
    assert_eq!((&unread["unread"], &unread["senders"]), (&json!(1), &senders));
    assert_eq!(wire.done(format!("unread {ivy}"))["unread"], 1, "neko's marks are neko's");
    assert_eq!(unread_ids(&mut wire, &neko, json!({"unread": true})), [1]);
    assert_eq!(unread_ids(&mut wire, &neko, json!({"unread": true, "after": 1})), [0; 0]);
    assert_eq!(unread_ids(&mut wire, &neko, json!({"unread": true, "with": "paff"})), [0; 0]);
    assert_eq!(unread_ids(&mut wire, &neko, json!({"unread": true, "with": "ivy"})), [1]);
    let view = "select id, sender from v1_inbox where recipient = 'neko'";
    assert_eq!(server.query(view), ["1|ivy"]);
    let marks = "select \"user\", conversation, upto from v2_marks";
    assert_eq!(server.query(marks), ["neko|paff|3"]);

    // The seed's verb goes past what the mark says was read, and the cursor with it.
    let inbox = wire.done(format!("inbox {neko}"));
    assert_eq!(inbox["messages"], json!({"ivy": [{"msg": "old"}]}));
    assert_eq!(wire.done(format!("inbox {neko}"))["messages"], json!({}));
    assert_eq!(ack(&mut wire, &neko, json!({"upto": 0}))["upto"], 3);
    assert_eq!(server.query(marks), [""; 0]);

    // A cursor that moves back makes everything after it unread, as it always did.
    ack(&mut wire, &neko, json!({"with": "ivy", "upto": 4}));
    ack(&mut wire, &neko, json!({"upto": 1, "rewind": true}));
    assert_eq!(unread_ids(&mut wire, &neko, json!({"unread": true})), [2, 3]);
}

#[test]
fn cursor_follows_the_marks() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#build"}}"##));
    wire.done(format!("send {ivy} neko old"));
    wire.done(format!("send {paff} #build done"));
    wire.done(format!("send {neko} #build thanks"));
    wire.done(format!("send {paff} neko one"));
    let marked = ack(&mut wire, &neko, json!({"room": "#build", "upto": 3}));
    assert_eq!(marked, json!({"status": "OK", "room": "#build", "upto": 3}));
    assert_eq!(ack(&mut wire, &neko, json!({"upto": 0}))["upto"], 0, "ivy's message is older");
    let unread = wire.done(format!("unread {neko}"));
    assert_eq!((&unread["unread"], unread.get("rooms")), (&json!(2), None));
    ack(&mut wire, &neko, json!({"with": "ivy", "upto": 1}));
    let risen = ack(&mut wire, &neko, json!({"upto": 0}))["upto"].as_i64().unwrap();
    assert_eq!(risen, 3, "the cursor is just before paff's message");
    assert_eq!(unread_ids(&mut wire, &neko, json!({"unread": true})), [4]);
}

#[test]
fn mark_that_makes_no_sense_is_refused() {
    let server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#ops", "private": true}}"##));
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    wire.done(format!("send {paff} neko one"));
    for (fields, code) in [
        (json!({"with": "nobody", "upto": 1}), "unknown_recipient"),
        (json!({"with": "No Name", "upto": 1}), "unknown_recipient"),
        (json!({"room": "#ops", "upto": 1}), "unknown_room"),
        (json!({"room": "#missing", "upto": 1}), "unknown_room"),
        (json!({"room": "#build", "upto": 1}), "not_allowed"),
        (json!({"with": "paff", "upto": 2}), "unknown_message"),
        (json!({"with": "paff", "room": "#build", "upto": 1}), "bad_argument"),
        (json!({"with": "paff", "upto": 1, "rewind": true}), "bad_argument"),
        (json!({"with": "paff", "upto": 1, "cursor": "inbox"}), "bad_argument"),
        (json!({"with": "paff", "upto": 1, "dead": "add"}), "bad_argument"),
    ] {
        assert_eq!(refusal(&mut wire, &neko, fields.clone()), code, "{fields}");
    }
    // A private room is refused like a missing one, byte for byte but for its name.
    let of = |wire: &mut Wire<TcpStream>, room: &str| {
        let fields = json!({"room": room, "upto": 1});
        wire.ask(format!("ack {neko} {fields}")).to_string().replace(room, "ROOM")
    };
    assert_eq!(of(&mut wire, "#ops"), of(&mut wire, "#missing"));
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 1);
}

/// The next event of a stream that tells what was read.
fn read_event(stream: &mut Wire<TcpStream>) -> Value {
    loop {
        let event = stream.reply();
        if event["event"] == "read" {
            return event;
        }
    }
}

#[test]
fn stream_tells_what_its_user_reads_on_other_connections_if_requested() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#build"}}"##));
    wire.done(format!("send {ivy} neko old"));
    let [mut told, mut plain] =
        [json!({"from": "new", "read": true}), json!({"from": "new"})].map(|from| {
            let mut stream = server.connect();
            stream.done(format!("watch {neko} {from}"));
            stream
        });
    let mut others = server.connect();
    others.done(format!("watch {paff} {}", json!({"from": "new", "read": true})));
    wire.done(format!("send {paff} neko one"));
    wire.done(format!("send {paff} #build done"));
    ack(&mut wire, &neko, json!({"with": "paff", "upto": 2}));
    let read = |fields: Value| {
        let mut event = json!({"status": "OK", "event": "read"});
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        event
    };
    // Servers on PostgreSQL also tell where the cursor is.
    let mut told = |fields: Value| {
        let expected = read(fields);
        while read_event(&mut told) != expected {}
    };
    told(json!({"with": "paff", "upto": 2}));
    ack(&mut wire, &neko, json!({"room": "#build", "upto": 3}));
    told(json!({"room": "#build", "upto": 3}));
    wire.done(format!("inbox {neko}"));
    told(json!({"cursor": "inbox", "upto": 3}));
    ack(&mut wire, &neko, json!({"upto": 1, "rewind": true}));
    told(json!({"cursor": "inbox", "upto": 1}));
    // Another cursor is its reader's own business.
    ack(&mut wire, &neko, json!({"cursor": "worker", "upto": 2}));
    ack(&mut wire, &neko, json!({"upto": 2}));
    told(json!({"cursor": "inbox", "upto": 2}));
    wire.done(format!("send {neko} paff last"));
    wire.done(format!("send {paff} neko last"));
    for stream in [&mut plain, &mut others] {
        loop {
            let event = stream.reply();
            assert_ne!(event["event"], "read");
            if event["body"] == "last" {
                break;
            }
        }
    }
}
