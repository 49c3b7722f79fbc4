//! Receipts: the sender of a message learns who has read it, and nobody else does.

use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Server, Wire};

fn receipts(wire: &mut Wire<TcpStream>, token: &str, id: i64) -> Value {
    let reply = wire.done(format!("receipts {token} {}", json!({"id": id})));
    assert_eq!((&reply["id"], &reply["more"]), (&json!(id), &json!(false)));
    json!([reply["readers"], reply["recipients"]])
}

fn refused(wire: &mut Wire<TcpStream>, token: &str, fields: Value) -> String {
    wire.refused(format!("receipts {token} {fields}"))
}

fn ack(wire: &mut Wire<TcpStream>, token: &str, fields: Value) {
    wire.done(format!("ack {token} {fields}"));
}

/// The next event of a stream that tells of receipts: the message.
fn receipt(stream: &mut Wire<TcpStream>) -> Value {
    loop {
        let event = stream.reply();
        if event["event"] == "receipt" {
            return event["id"].clone();
        }
    }
}

#[test]
fn only_the_sender_learns_who_has_read_a_message() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#ops", "private": true}}"##));
    wire.done(format!(r##"room_invite {paff} {{"room": "#ops", "users": ["neko"]}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#ops"}}"##));
    wire.done(format!("send {ivy} neko old"));
    wire.done(format!("send {paff} neko one"));
    wire.done(format!("send {paff} #ops two"));
    assert_eq!(receipts(&mut wire, &paff, 2), json!([[], 1]));
    // By a mark, although an older message is unread.
    ack(&mut wire, &neko, json!({"with": "paff", "upto": 2}));
    assert_eq!(receipts(&mut wire, &paff, 2), json!([["neko"], 1]));
    assert_eq!(receipts(&mut wire, &paff, 3), json!([[], 1]));
    assert_eq!(receipts(&mut wire, &ivy, 1), json!([[], 1]));
    // By the seed's verb.
    wire.done(format!("inbox {neko}"));
    assert_eq!(receipts(&mut wire, &paff, 3), json!([["neko"], 1]));
    assert_eq!(receipts(&mut wire, &ivy, 1), json!([["neko"], 1]));
    // What is unread again was not read.
    ack(&mut wire, &neko, json!({"upto": 1, "rewind": true}));
    assert_eq!(receipts(&mut wire, &paff, 2), json!([[], 1]));
    assert_eq!(refused(&mut wire, &neko, json!({"id": 2})), "not_yours");
    assert_eq!(refused(&mut wire, &neko, json!({"id": 3})), "not_yours");
    for fields in [json!({}), json!({"id": 1, "limit": 0}), json!({"id": 1, "limit": 1001})] {
        assert_eq!(refused(&mut wire, &paff, fields), "bad_argument");
    }
    // A message that one may not read is refused like a missing one, byte for byte.
    let mut of = |id: i64| wire.ask(format!("receipts {ivy} {}", json!({"id": id}))).to_string();
    assert_eq!(of(2), of(99));
    assert_eq!(of(3), of(99));
    let stream = json!({"receipts": [3]});
    assert_eq!(wire.refused(format!("watch {ivy} {stream}")), "unknown_message");
    assert_eq!(wire.refused(format!("watch {neko} {stream}")), "not_yours");
    let many: Vec<i64> = (1..=101).collect();
    let stream = json!({"receipts": many});
    assert_eq!(wire.refused(format!("watch {paff} {stream}")), "bad_argument");
}

#[test]
fn user_with_receipts_off_is_never_named_and_sees_nobody() {
    let mut server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko one"));
    wire.done(format!("send {neko} paff two"));
    wire.done(format!("inbox {paff}"));
    let on = json!({"status": "OK", "receipts": true});
    assert_eq!(wire.done(format!("settings {neko}")), on);
    let off = json!({"status": "OK", "receipts": false});
    assert_eq!(wire.done(format!(r#"settings {neko} {{"receipts": false}}"#)), off);
    assert_eq!(wire.done(format!("settings {neko}")), off);
    assert_eq!(wire.done(format!("settings {paff}")), on, "neko's setting is neko's");
    wire.done(format!("inbox {neko}"));
    assert_eq!(receipts(&mut wire, &paff, 1), json!([[], 1]), "as if it were unread");
    assert_eq!(refused(&mut wire, &neko, json!({"id": 2})), "receipts_off");
    let stream = json!({"receipts": [2]});
    assert_eq!(wire.refused(format!("watch {neko} {stream}")), "receipts_off");
    let users = "select name from v2_users where receipts = 0";
    assert_eq!(server.query(users), ["neko"]);
    server.kill();
    server.start_again();
    let mut wire = server.connect();
    assert_eq!(wire.done(format!("settings {neko}")), off);
    assert_eq!(wire.done(format!(r#"settings {neko} {{"receipts": true}}"#)), on);
    assert_eq!(receipts(&mut wire, &paff, 1), json!([["neko"], 1]));
    assert_eq!(receipts(&mut wire, &neko, 2), json!([["paff"], 1]));
    assert_eq!(wire.refused(format!(r#"settings {neko} {{"tone": 1}}"#)), "bad_argument");
}

#[test]
fn stream_tells_once_when_a_message_is_read() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    for member in [&neko, &ivy] {
        wire.done(format!(r##"room_join {member} {{"room": "#build"}}"##));
    }
    for to in ["neko", "neko", "#build", "ivy", "paff"] {
        wire.done(format!("send {paff} {to} hai"));
    }
    ack(&mut wire, &neko, json!({"with": "paff", "upto": 1}));
    let mut stream = server.connect();
    stream.done(format!("watch {paff} {}", json!({"from": "new", "receipts": [5, 1, 2, 3, 4, 2]})));
    assert_eq!(receipt(&mut stream), 1, "what was read before is told at the beginning");
    ack(&mut wire, &neko, json!({"with": "paff", "upto": 2}));
    assert_eq!(receipt(&mut stream), 2);
    // One member is enough, and a second one is not told of.
    ack(&mut wire, &ivy, json!({"room": "#build", "upto": 3}));
    assert_eq!(receipt(&mut stream), 3);
    wire.done(format!("inbox {neko}"));
    wire.done(format!("inbox {ivy}"));
    assert_eq!(receipt(&mut stream), 4);
    wire.done(format!("inbox {paff}"));
    assert_eq!(receipt(&mut stream), 5);
    // Another stream is told anew.
    let mut again = server.connect();
    again.done(format!("watch {paff} {}", json!({"from": "new", "receipts": [3, 2]})));
    assert_eq!((receipt(&mut again), receipt(&mut again)), (json!(2), json!(3)));
}

/// What a member has muted passes below the cursor `inbox` unseen.
#[test]
fn muted_message_is_not_read_by_whoever_muted_it() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    for (member, notify) in [(&neko, "mentions"), (&ivy, "none")] {
        wire.done(format!(r##"room_join {member} {{"room": "#build"}}"##));
        let set = json!({"room": "#build", "notify": notify});
        wire.done(format!("room_set {member} {set}"));
    }
    wire.done(format!("send {paff} #build to all"));
    wire.done(format!("send {paff} #build to @neko"));
    wire.done(format!("send {paff} neko hai"));
    wire.done(format!("send {paff} ivy hai"));
    for reader in [&neko, &ivy] {
        wire.done(format!("inbox {reader}"));
    }
    assert_eq!(receipts(&mut wire, &paff, 1), json!([[], 2]));
    assert_eq!(receipts(&mut wire, &paff, 2), json!([["neko"], 2]));
    // A member who comes later did not get what was sent before.
    let robo = server.log_in("robo");
    wire.done(format!(r##"room_join {robo} {{"room": "#build"}}"##));
    ack(&mut wire, &robo, json!({"upto": 4}));
    assert_eq!(receipts(&mut wire, &paff, 2), json!([["neko"], 2]));
}
