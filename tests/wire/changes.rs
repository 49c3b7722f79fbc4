//! Edits and deletions: who may make them, who is told, and that an old text is nowhere.

use serde_json::{Value, json};

use crate::support::{Server, Wire, operator};
#[cfg(feature = "http")]
use crate::support::{is_on_postgres, wait_until};

fn post(wire: &mut Wire, token: &str, to: &str, body: &str) -> i64 {
    let posted = wire.done(format!("post {token} {}", json!({"to": [to], "body": body})));
    posted["id"].as_i64().unwrap()
}

fn edit(wire: &mut Wire, token: &str, id: i64, body: &str) -> i64 {
    let edited = wire.done(format!("edit {token} {}", json!({"id": id, "body": body})));
    assert_eq!((&edited["id"], &edited["duplicate"]), (&json!(id), &json!(false)));
    edited["change"].as_i64().unwrap()
}

fn delete(wire: &mut Wire, token: &str, id: i64) -> i64 {
    let deleted = wire.done(format!("delete {token} {}", json!({"id": id})));
    assert_eq!((&deleted["id"], &deleted["duplicate"]), (&json!(id), &json!(false)));
    deleted["change"].as_i64().unwrap()
}

/// The next event of a stream that tells of a message or a change: its kind, its place in the
/// message log, the message, and its text.
fn next(stream: &mut Wire) -> (String, i64, i64, Value) {
    loop {
        let event = stream.reply();
        let kind = event["event"].as_str().unwrap().to_owned();
        let id = event["id"].as_i64();
        match kind.as_str() {
            "message" => return (kind, id.unwrap(), id.unwrap(), event["body"].clone()),
            "edited" | "deleted" => {
                let change = event["change"].as_i64().unwrap();
                return (kind, change, id.unwrap(), event["body"].clone());
            }
            _ => {}
        }
    }
}

fn event(kind: &str, place: i64, id: i64, body: Option<&str>) -> (String, i64, i64, Value) {
    (kind.to_owned(), place, id, json!(body))
}

#[test]
fn stream_tells_of_changes_if_requested_and_resumes_without_gap_or_repeat() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let first = post(&mut wire, &paff, "neko", "first");
    let watch = |from: Value| {
        let mut stream = server.connect();
        stream.done(format!("watch {neko} {from}"));
        stream
    };
    let mut told = watch(json!({"from": "all", "changes": true}));
    let mut plain = watch(json!({"from": "all"}));
    let of_first = event("message", first, first, Some("first"));
    assert_eq!(next(&mut told), of_first);
    assert_eq!(next(&mut plain), of_first);
    let edited = edit(&mut wire, &paff, first, "first, edited");
    assert_eq!(next(&mut told), event("edited", edited, first, Some("first, edited")));
    let second = post(&mut wire, &paff, "neko", "second");
    assert_eq!(next(&mut told), event("message", second, second, Some("second")));
    let deleted = delete(&mut wire, &paff, second);
    assert_eq!(next(&mut told), event("deleted", deleted, second, None));
    let third = post(&mut wire, &paff, "neko", "third");
    let of_third = event("message", third, third, Some("third"));
    assert_eq!(next(&mut told), of_third);
    // A stream that did not ask gets messages alone; the deleted one only if it was in time.
    let mut got = next(&mut plain);
    if got == event("message", second, second, Some("second")) {
        got = next(&mut plain);
    }
    assert_eq!(got, of_third);

    // From every place on, what comes is what has happened since.
    for (after, expected) in [
        (0, vec![event("message", first, first, Some("first, edited")), of_third.clone()]),
        (first, vec![event("edited", edited, first, Some("first, edited")), of_third.clone()]),
        (edited, vec![of_third.clone()]),
        (second, vec![event("deleted", deleted, second, None), of_third.clone()]),
        (deleted, vec![of_third.clone()]),
    ] {
        let mut stream = watch(json!({"from": after, "changes": true}));
        for expected in expected {
            assert_eq!(next(&mut stream), expected, "after {after}");
        }
    }
    // A cursor stands at a change as at a message.
    wire.done(format!(r#"ack {neko} {{"cursor": "bot", "upto": {edited}}}"#));
    let mut stream = watch(json!({"cursor": "bot", "changes": true}));
    assert_eq!(next(&mut stream), of_third);
    wire.done(format!(r#"ack {neko} {{"cursor": "bot", "upto": {first}, "rewind": true}}"#));
    let mut stream = watch(json!({"cursor": "bot", "changes": true}));
    assert_eq!(next(&mut stream), event("edited", edited, first, Some("first, edited")));
    // Who is told what changed.
    let mut stream = watch(json!({"from": first, "changes": true}));
    let mut fields = stream.reply();
    while fields["event"] != "edited" {
        fields = stream.reply();
    }
    assert_eq!((&fields["by"], &fields["to"]), (&json!("paff"), &json!("neko")));
    assert!(fields["at"].is_string());
}

#[test]
fn author_is_told_on_other_connections_what_was_changed() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#ops"}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#ops"}}"##));
    let watch = |token: &str, fields: Value| {
        let mut stream = server.connect();
        stream.done(format!("watch {token} {fields}"));
        stream
    };
    // A stream that was begun is told of everything from then on.
    let mut told = watch(&paff, json!({"from": "new", "sent": true, "changes": true}));
    let mut plain = watch(&paff, json!({"from": "new", "sent": true}));
    let mut of_neko = watch(&neko, json!({"from": "new", "sent": true, "changes": true}));
    let next = |stream: &mut Wire, kinds: &[&str]| loop {
        let event = stream.reply();
        if kinds.contains(&event["event"].as_str().unwrap()) {
            return (event["event"].clone(), event["id"].clone(), event["to"].clone());
        }
    };
    let event = |kind: &str, id: i64, to: &str| (json!(kind), json!(id), json!(to));
    let own = ["sent", "changed"];
    let first = post(&mut wire, &paff, "neko", "first");
    assert_eq!(next(&mut told, &own), event("sent", first, "neko"));
    edit(&mut wire, &paff, first, "first, edited");
    assert_eq!(next(&mut told, &own), event("changed", first, "neko"));
    delete(&mut wire, &paff, first);
    assert_eq!(next(&mut told, &own), event("changed", first, "neko"));
    let second = post(&mut wire, &paff, "neko", "second");
    assert_eq!(next(&mut plain, &own), event("sent", first, "neko"));
    assert_eq!(next(&mut plain, &own), event("sent", second, "neko"));
    assert_eq!(next(&mut told, &own), event("sent", second, "neko"));
    // A moderator takes away what neko has said: neko is told in this way, and paff by the log.
    let in_room = post(&mut wire, &neko, "#ops", "in the room");
    assert_eq!(next(&mut of_neko, &own), event("sent", in_room, "#ops"));
    delete(&mut wire, &paff, in_room);
    // Between servers the log tells later, so neko may hear only now that the first one was deleted.
    let of_it = |event: &(Value, Value, Value)| event.1 == in_room;
    let told = std::iter::repeat_with(|| next(&mut of_neko, &["changed", "deleted"])).find(of_it);
    assert_eq!(told, Some(event("changed", in_room, "#ops")));
}

#[test]
fn readers_find_the_newest_text_and_the_seed_too() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let (kept, gone) =
        (post(&mut wire, &paff, "neko", "helo"), post(&mut wire, &paff, "neko", "gone"));
    edit(&mut wire, &paff, kept, "hello");
    delete(&mut wire, &paff, gone);
    let unread = wire.done(format!("unread {neko}"));
    assert_eq!((&unread["unread"], &unread["senders"][0]["newest"]), (&json!(1), &json!(kept)));
    let page = wire.done(format!(r#"fetch {neko} {{"unread": true}}"#));
    let message = &page["messages"][0];
    assert_eq!(
        (&message["body"], page["messages"].as_array().unwrap().len()),
        (&json!("hello"), 1)
    );
    assert!(message["edited"].is_string() && page.get("changes").is_none(), "{page}");
    let raw = wire.done(format!(r#"fetch {neko} {{"after": 0, "with": "paff", "raw": true}}"#));
    assert_eq!(raw["messages"][0]["body"], "helo");
    assert_eq!(raw["messages"][0].get("edited"), None);
    let changes: Vec<_> = raw["changes"].as_array().unwrap().iter().map(|it| &it["body"]).collect();
    assert_eq!(changes, [&json!("hello"), &Value::Null]);
    for fields in [
        json!({"raw": true, "unread": true}),
        json!({"raw": true, "thread": kept}),
        json!({"raw": true, "around": kept}),
    ] {
        assert_eq!(wire.refused(format!("fetch {neko} {fields}")), "bad_argument", "{fields}");
    }
    let inbox = wire.done(format!("inbox {neko}"));
    assert_eq!(inbox["messages"], json!({"paff": [{"msg": "hello"}]}));
    assert_eq!(wire.done(format!("inbox {neko}"))["messages"], json!({}));
    // An edit makes nothing unread.
    edit(&mut wire, &paff, kept, "hello again");
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 0);
    assert_eq!(wire.done(format!("inbox {neko}"))["messages"], json!({}));
    let list = wire.done(format!("conversations {neko} {{}}"));
    assert_eq!(list["conversations"][0]["last"]["body"], "hello again");
    let views = "select body from v1_messages union all select body from v2_messages";
    assert_eq!(server.query(views), ["hello again", "hello again"]);
}

#[test]
fn request_that_is_sent_again_changes_nothing_more() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let id = post(&mut wire, &paff, "neko", "one");
    let fields = json!({"id": id, "body": "two", "key": "k1"});
    let edited = wire.done(format!("edit {paff} {fields}"));
    edit(&mut wire, &paff, id, "three");
    let again = wire.done(format!("edit {paff} {fields}"));
    assert_eq!((&again["change"], &again["at"]), (&edited["change"], &edited["at"]));
    assert_eq!(again["duplicate"], true);
    let other = json!({"id": id, "body": "other", "key": "k1"});
    assert_eq!(wire.refused(format!("edit {paff} {other}")), "key_conflict");
    let page = wire.done(format!("fetch {neko} {{}}"));
    assert_eq!(page["messages"][0]["body"], "three");
    let deleted = wire.done(format!(r#"delete {paff} {{"id": {id}}}"#));
    let again = wire.done(format!(r#"delete {paff} {{"id": {id}}}"#));
    assert_eq!((&again["change"], &again["duplicate"]), (&deleted["change"], &json!(true)));
    // The edit was made: that it is gone since then changes nothing about it.
    assert_eq!(wire.done(format!("edit {paff} {fields}"))["duplicate"], true);
    let late = json!({"id": id, "body": "late", "key": "k2"});
    assert_eq!(wire.refused(format!("edit {paff} {late}")), "unknown_message");
    for fields in [
        json!({"id": id}),
        json!({"body": "x"}),
        json!({"id": id, "body": 1}),
        json!({"id": -1, "body": "x"}),
        json!({"id": id, "body": "x", "title": "t"}),
        json!({"id": id, "body": "x", "edited": "2026-11-30T00:00:00Z"}),
    ] {
        assert_eq!(wire.refused(format!("edit {paff} {fields}")), "bad_argument", "{fields}");
    }
    let empty = json!({"id": id, "body": ""});
    assert_eq!(wire.refused(format!("edit {paff} {empty}")), "empty_message");
    let forged = json!({"to": ["neko"], "body": "x", "edited": "2026-11-30T00:00:00Z"});
    assert_eq!(wire.refused(format!("post {paff} {forged}")), "bad_argument");
}

#[test]
fn others_change_nothing_and_learn_of_nothing() {
    let server = Server::start();
    let [paff, neko, robo] = ["paff", "neko", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#ops", "private": true}}"##));
    wire.done(format!(r##"room_invite {paff} {{"room": "#ops", "users": ["neko"]}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#ops"}}"##));
    let direct = post(&mut wire, &paff, "neko", "direct");
    let in_room = post(&mut wire, &paff, "#ops", "in the room");
    let gone = post(&mut wire, &paff, "neko", "gone");
    let change = delete(&mut wire, &paff, gone);
    let mut stream = server.connect();
    stream.done(format!(r#"watch {robo} {{"from": "all", "changes": true, "muted": true}}"#));
    // Byte for byte the same: a message of others, a deleted one, a change, and none.
    let mut of = |id: i64| {
        let edit = format!("edit {robo} {}", json!({"id": id, "body": "x"}));
        let delete = format!("delete {robo} {}", json!({"id": id}));
        [edit, delete].map(|line| wire.ask(line).to_string())
    };
    let missing = of(4_000);
    assert!(missing[0].contains("unknown_message"), "{missing:?}");
    for id in [direct, in_room, gone, change, 0] {
        assert_eq!(of(id), missing, "{id}");
    }
    // Who reads a message may not change it either.
    for id in [direct, in_room] {
        let refused = wire.refused(format!("edit {neko} {}", json!({"id": id, "body": "x"})));
        assert_eq!(refused, "not_allowed");
        assert_eq!(wire.refused(format!("delete {neko} {}", json!({"id": id}))), "not_allowed");
    }
    assert_eq!(wire.refused(format!("delete {neko} {}", json!({"id": gone}))), "unknown_message");
    // The owner of the room deletes what a member has said.
    let of_neko = post(&mut wire, &neko, "#ops", "of neko");
    delete(&mut wire, &paff, of_neko);
    edit(&mut wire, &paff, direct, "edited");
    // Nothing of that came to somebody else.
    post(&mut wire, &paff, "robo", "last");
    assert_eq!(next(&mut stream).3, "last");
    let raw = wire.done(format!(r#"fetch {robo} {{"after": 0, "raw": true}}"#));
    assert_eq!(raw.get("changes"), None);
}

/// Every answer that may contain a text.
#[cfg(feature = "http")]
fn answers(server: &Server, wire: &mut Wire, token: &str, id: i64) -> String {
    let mut answers = String::new();
    for line in [
        format!(r#"fetch {token} {{"after": 0}}"#),
        format!(r#"fetch {token} {{"before": 1000}}"#),
        format!(r#"fetch {token} {{"after": 0, "raw": true}}"#),
        format!(r#"fetch {token} {{"before": 1000, "raw": true, "with": "paff"}}"#),
        format!(r#"fetch {token} {{"after": 0, "with": "neko"}}"#),
        format!(r##"fetch {token} {{"after": 0, "with": "#build"}}"##),
        format!(r##"fetch {token} {{"after": 0, "raw": true, "with": "#build"}}"##),
        format!(r#"fetch {token} {{"unread": true}}"#),
        format!(r#"fetch {token} {{"around": {id}}}"#),
        format!(r#"fetch {token} {{"thread": {id}}}"#),
        format!(r#"fetch {token} {{"dead": "worker"}}"#),
        format!(r#"search {token} {{"query": "secret*"}}"#),
        format!(r#"search {token} {{"query": "from:paff"}}"#),
        format!("conversations {token} {{}}"),
        format!("unread {token}"),
    ] {
        answers.push_str(&wire.ask(line).to_string());
    }
    answers.push_str(&operator::done(&server.database(), &["export"]));
    let views = "select body from v1_messages union all select body from v2_messages
                  union all select body from v1_inbox union all select body from v2_inbox
                  union all select body from v1_dead_letters union all select body from v2_changes";
    answers.push_str(&server.query(views).concat());
    answers
}

#[cfg(feature = "http")]
#[test]
fn deleted_text_is_in_no_answer_and_purge_removes_its_bytes() {
    use crate::support::http::{Stream, send};

    let server = Server::start_with(&["--http", "127.0.0.1:0", "--heartbeat", "1h"]);
    let [paff, neko] = ["paff", "neko"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#build"}}"##));
    let bearer = format!("Bearer {neko}");
    let fields = [("Authorization", bearer.as_str())];
    let direct = post(&mut wire, &paff, "neko", "secretone");
    let in_room = post(&mut wire, &paff, "#build", "secrettwo @neko");
    edit(&mut wire, &paff, direct, "secretthree");
    wire.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": {direct}, "dead": "add"}}"#));
    assert!(answers(&server, &mut wire, &neko, direct).contains("secretthree"));
    let index = "SELECT count(*) FROM meta WHERE name LIKE 'search_upto%' AND value >= '2'";
    wait_until("an index of all", || is_on_postgres() || server.query(index) == ["1"]);
    let mut watching = server.connect();
    watching.done(format!(r#"watch {neko} {{"from": "new"}}"#));
    let over_http = |path: &str| Stream::open(server.http(), path, &fields);
    for id in [direct, in_room] {
        delete(&mut wire, &paff, id);
    }
    let last = post(&mut wire, &paff, "neko", "last");
    for (token, id) in [(&neko, direct), (&paff, in_room)] {
        let found = answers(&server, &mut wire, token, id);
        assert!(!found.contains("secret"), "{found}");
        assert!(found.contains("last"), "{found}");
    }
    for from in [json!({"from": "all"}), json!({"from": "all", "changes": true})] {
        let mut stream = server.connect();
        stream.done(format!("watch {neko} {from}"));
        assert_eq!(next(&mut stream), event("message", last, last, Some("last")));
    }
    assert_eq!(next(&mut watching).3, "last");
    let mut polled = over_http("/inbox/json?poll=1&since=all");
    let mut lines = String::new();
    while let Some(line) = polled.line() {
        lines.push_str(&line);
    }
    assert!(lines.contains("last") && !lines.contains("secret"), "{lines}");
    let mut events = over_http("/api/v1/events?since=all");
    let mut seen = String::new();
    while !seen.contains("last") {
        seen.push_str(&events.line().expect("an event"));
    }
    assert!(!seen.contains("secret"), "{seen}");
    let found = send(server.http(), "POST /api/v1/search", &fields, r#"{"query": "secret*"}"#);
    assert!(found.status == 200 && !found.body.contains("secret"), "{found:?}");
    let inbox = wire.done(format!("inbox {neko}"));
    assert_eq!(inbox["messages"], json!({"paff": [{"msg": "last"}]}));

    // The bytes are there until a purge.
    if is_on_postgres() {
        let purged = operator::objects(&server.database(), &["message", "purge", "--deleted"]);
        assert_eq!(purged[0]["messages"], 2);
        assert_eq!(server.query("select count(*) from message_changes"), ["0"]);
        return;
    }
    let bytes = || {
        let mut bytes = std::fs::read(server.database()).unwrap();
        let wal = server.database().with_extension("sqlite-wal");
        bytes.extend(std::fs::read(wal).unwrap_or_default());
        bytes
    };
    let has =
        |bytes: &[u8]| bytes.windows(9).any(|part| part == b"secretthr" || part == b"secretone");
    assert!(has(&bytes()));
    let purge = ["message", "purge", "--deleted", "--compact"];
    let purged = operator::objects(&server.database(), &purge);
    assert_eq!((&purged[0]["messages"], &purged[0]["log_emptied"]), (&json!(2), &json!(true)));
    assert!(!has(&bytes()), "a text is left");
    operator::done(&server.database(), &["check"]);
}

#[test]
fn operator_deletes_a_message() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let id = post(&mut wire, &paff, "neko", "spam").to_string();
    let mut stream = server.connect();
    stream.done(format!(r#"watch {neko} {{"from": {id}, "changes": true}}"#));
    let told = operator::objects(&server.database(), &["message", "delete", &id]);
    assert_eq!(told[0]["deleted"], true);
    let mut fields = stream.reply();
    while fields["event"] != "deleted" {
        fields = stream.reply();
    }
    assert_eq!((&fields["id"].to_string(), fields.get("by")), (&id, None));
    assert_eq!(wire.done(format!("fetch {neko} {{}}"))["messages"], json!([]));
    operator::done(&server.database(), &["message", "delete", &id]);
    let missing = operator::run(&server.database(), &["message", "delete", "4000"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (1, ""), "{missing:?}");
    assert!(missing.stderr.contains("4000"), "{missing:?}");
}

#[test]
fn changes_survive_a_kill() {
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let (a, b) = (post(&mut wire, &paff, "neko", "a"), post(&mut wire, &paff, "neko", "b"));
    edit(&mut wire, &paff, a, "edited");
    let deletion = delete(&mut wire, &paff, b);
    server.kill();
    server.start_again();
    let mut wire = server.connect();
    let page = wire.done(format!(r#"fetch {neko} {{"after": 0}}"#));
    let texts: Vec<_> = page["messages"].as_array().unwrap().iter().map(|it| &it["body"]).collect();
    assert_eq!(texts, [&json!("edited")]);
    assert!(post(&mut wire, &paff, "neko", "c") > deletion, "no id comes twice");
}
