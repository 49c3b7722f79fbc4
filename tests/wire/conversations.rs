//! The list of conversations, with which a client begins.

use serde_json::{Value, json};

use crate::support::Server;

fn without_times(mut reply: Value) -> Value {
    for of in reply["conversations"].as_array_mut().unwrap() {
        assert!(of["last"]["at"].take().as_str().unwrap().ends_with('Z'));
        of["last"].as_object_mut().unwrap().remove("at");
    }
    reply
}

#[test]
fn conversations_come_newest_first_with_what_is_unread_of_each() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    let none = json!({"status": "OK", "conversations": [], "more": false});
    assert_eq!(wire.done(format!("conversations {neko}")), none);
    for room in ["#build", "#quiet", "#secret"] {
        let private = room == "#secret";
        wire.done(format!("room_create {paff} {}", json!({"room": room, "private": private})));
    }
    for room in ["#build", "#quiet"] {
        wire.done(format!("room_join {neko} {}", json!({"room": room})));
    }
    wire.done(format!("room_set {neko} {}", json!({"room": "#quiet", "notify": "none"})));
    wire.done(format!("send {ivy} neko one"));
    wire.done(format!("send {paff} #quiet nobody hears it, @neko"));
    wire.done(format!("send {paff} #build done"));
    wire.done(format!("send {paff} #build look at it, @neko"));
    wire.done(format!("send {ivy} neko two"));
    wire.done(format!("send {paff} #secret psst"));
    wire.done(format!("send {neko} #build thanks"));
    wire.done(format!("send {neko} ivy hai"));
    wire.done(format!("ack {neko} {}", json!({"with": "ivy", "upto": 1})));
    let last = |id: i64, from: &str, to: &str, body: &str| {
        let key = if to.starts_with('#') { "room" } else { "to" };
        json!({"id": id, "from": from, key: to, "body": body})
    };
    let build = json!({"room": "#build", "last": last(7, "neko", "#build", "thanks"),
        "unread": 2, "mentions": 1, "upto": 2});
    let from_ivy = json!({"with": "ivy", "last": last(5, "ivy", "neko", "two"),
        "unread": 1, "mentions": 0, "upto": 2});
    let quiet = json!({"room": "#quiet",
        "last": last(2, "paff", "#quiet", "nobody hears it, @neko"),
        "unread": 0, "mentions": 0, "upto": 2});
    let all = [build, from_ivy, quiet];
    let found = without_times(wire.done(format!("conversations {neko}")));
    // The cursor follows the mark of ivy's first message, past what is muted.
    let cursor = wire.done(format!("ack {neko} {}", json!({"upto": 0})))["upto"].clone();
    let mut expected = json!({"status": "OK", "conversations": all, "more": false});
    for of in expected["conversations"].as_array_mut().unwrap() {
        of["upto"] = cursor.clone();
    }
    assert_eq!(found, expected);
    // Page by page. A later page may have a conversation again, with an older message.
    let mut paged: Vec<Value> = Vec::new();
    let mut before = Value::Null;
    loop {
        let request = match &before {
            Value::Null => json!({"limit": 1}),
            before => json!({"limit": 1, "before": before}),
        };
        let page = without_times(wire.done(format!("conversations {neko} {request}")));
        for of in page["conversations"].as_array().unwrap() {
            let is_it = |it: &Value| (&it["with"], &it["room"]) == (&of["with"], &of["room"]);
            if !paged.iter().any(is_it) {
                paged.push(of.clone());
            }
        }
        if page["more"] == false {
            break;
        }
        before = page["before"].clone();
    }
    assert_eq!(json!(paged), expected["conversations"]);
    // Marking a conversation takes its messages out of the count.
    wire.done(format!("ack {neko} {}", json!({"room": "#build", "upto": 7})));
    let found = wire.done(format!("conversations {neko} {}", json!({"limit": 1})));
    let of = &found["conversations"][0];
    assert_eq!((&of["unread"], &of["mentions"], &of["upto"]), (&json!(0), &json!(0), &json!(7)));
    for arguments in [json!({"limit": 0}), json!({"limit": 101}), json!({"after": 1})] {
        assert_eq!(wire.refused(format!("conversations {neko} {arguments}")), "bad_argument");
    }
}
