//! Messages that are sent later: each is sent once when it is due, and no sooner. Also over SIGKILL,
//! a restart, and with two servers on one database.

use std::time::{SystemTime, UNIX_EPOCH};

use chat::model::Timestamp;
use serde_json::{Value, json};

#[cfg(feature = "postgres")]
use crate::support;
use crate::support::{Server, Wire, operator, wait_until};

const HOUR: i64 = 3_600_000;

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// A time so many milliseconds from now.
fn from_now(milliseconds: i64) -> String {
    Timestamp(now() + milliseconds).to_rfc3339()
}

/// A message of paff's, with these fields too.
fn fields(to: &[&str], body: &str, more: Value) -> Value {
    let mut fields = json!({"to": to, "body": body});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fields
}

fn list(wire: &mut Wire, token: &str) -> Vec<Value> {
    let listed = wire.done(format!("scheduled {token} {{}}"));
    listed["scheduled"].as_array().unwrap().clone()
}

/// The messages in the log, as recipient and text.
fn texts(server: &Server) -> Vec<String> {
    server.query("select recipient, body from v2_messages order by id")
}

fn wait_for(server: &Server, expected: &[&str]) {
    wait_until(&format!("{expected:?}"), || texts(server).len() >= expected.len());
    assert_eq!(texts(server), expected);
}

fn next_message(stream: &mut Wire) -> Value {
    loop {
        let event = stream.reply();
        if event["event"] == "message" {
            return event;
        }
    }
}

#[test]
fn scheduled_message_is_no_message_until_it_is_due_and_then_arrives_once() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    let mut stream = server.connect();
    stream.done(format!("watch {neko} {}", json!({"from": "all"})));
    let mut own = server.connect();
    own.done(format!("watch {paff} {}", json!({"from": "new", "sent": true})));
    let details = json!({"in": 3_600, "title": "t", "priority": 4, "tags": ["a"], "key": "k"});
    let far = wire.done(format!("post {paff} {}", fields(&["neko", "ivy"], "far", details)));
    assert_eq!((&far["duplicate"], &far["id"]), (&json!(false), &Value::Null), "{far}");
    let soon = wire.done(format!("post {paff} {}", fields(&["neko"], "soon", json!({"in": 1}))));
    assert!(far["due_at"].as_str() > soon["due_at"].as_str());
    let arrived = next_message(&mut stream);
    assert_eq!((&arrived["from"], &arrived["body"]), (&json!("paff"), &json!("soon")));
    assert_eq!(arrived["due_at"], Value::Null, "it is not late");
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap().0;
    // The clock of a database is known to a node by a few milliseconds only.
    assert!(time(&arrived["at"]) + 100 >= time(&soon["due_at"]), "{arrived}");
    let sent = loop {
        let event = own.reply();
        if event["event"] == "sent" {
            break event;
        }
    };
    assert_eq!(sent["id"], arrived["id"]);
    wait_until("it is settled", || list(&mut wire, &paff).len() == 1);
    let listed = &list(&mut wire, &paff)[0];
    assert_eq!(listed["id"], far["scheduled"]);
    assert_eq!((&listed["to"], &listed["body"]), (&json!(["neko", "ivy"]), &json!("far")));
    assert_eq!((&listed["title"], &listed["priority"]), (&json!("t"), &json!(4)));
    assert_eq!((&listed["due_at"], &listed["key"]), (&far["due_at"], &json!("k")));
    assert!(list(&mut wire, &neko).is_empty(), "they are paff's");
    assert_eq!(texts(&server), ["neko|soon"]);
    let view = "select recipient, body from v2_scheduled order by recipient";
    assert_eq!(server.query(view), ["ivy|far", "neko|far"]);
}

#[test]
fn scheduled_message_is_cancelled_by_its_number_and_its_user() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    let at = json!({"at": from_now(2 * HOUR)});
    let id =
        wire.done(format!("post {paff} {}", fields(&["neko"], "hai", at)))["scheduled"].clone();
    let cancel = json!({"id": id});
    assert_eq!(wire.refused(format!("cancel {neko} {cancel}")), "unknown_scheduled");
    assert_eq!(wire.done(format!("cancel {paff} {cancel}"))["cancelled"], true);
    assert_eq!(wire.refused(format!("cancel {paff} {cancel}")), "unknown_scheduled");
    assert!(list(&mut wire, &paff).is_empty());
    for (more, code) in [
        (json!({"at": "tomorrow"}), "bad_argument"),
        (json!({"at": "2026-12-01 09:00"}), "bad_argument"),
        (json!({"at": from_now(HOUR), "in": 60}), "bad_argument"),
        (json!({"in": 0}), "bad_argument"),
        (json!({"in": 400_000_000}), "bad_argument"),
        (json!({"at": "9000-01-01T00:00:00Z"}), "bad_argument"),
        (json!({"in": 60, "due_at": from_now(HOUR)}), "bad_argument"),
        (json!({"in": 60, "reply_to": 77}), "unknown_message"),
    ] {
        let line = format!("post {paff} {}", fields(&["neko"], "hai", more.clone()));
        assert_eq!(wire.refused(line), code, "{more}");
    }
    let nobody = fields(&["neko", "nobody"], "hai", json!({"in": 60}));
    assert_eq!(wire.refused(format!("post {paff} {nobody}")), "unknown_recipient");
    assert!(texts(&server).is_empty());
}

#[test]
fn list_has_pages_of_bounded_size() {
    let server = Server::start();
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    // Each takes six times as much in a reply.
    let long = "\u{1}".repeat(32 * 1024);
    for _ in 0..7 {
        wire.done(format!("post {paff} {}", fields(&["neko"], &long, json!({"in": 3_600}))));
    }
    let (mut after, mut found) = (json!(0), 0);
    loop {
        let page = wire.done(format!("scheduled {paff} {}", json!({"after": after})));
        let messages = page["scheduled"].as_array().unwrap();
        found += messages.len();
        after = messages.last().unwrap()["id"].clone();
        if page["more"] != true {
            break;
        }
        assert!(messages.len() < 7);
    }
    assert_eq!(found, 7);
    let page = wire.done(format!("scheduled {paff} {}", json!({"limit": 2})));
    assert_eq!((page["scheduled"].as_array().unwrap().len(), &page["more"]), (2, &json!(true)));
    assert_eq!(wire.refused(format!("scheduled {paff} {}", json!({"limit": 0}))), "bad_argument");
}

#[test]
fn key_is_one_message_before_it_is_due_and_after() {
    let server = Server::start();
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    let post = |body: &str, more: Value| format!("post {paff} {}", fields(&["neko"], body, more));
    let first = wire.done(post("hai", json!({"in": 3_600, "key": "k"})));
    let again = wire.done(post("hai", json!({"in": 60, "key": "k"})));
    assert_eq!(again["duplicate"], true);
    assert_eq!((&again["scheduled"], &again["due_at"]), (&first["scheduled"], &first["due_at"]));
    assert_eq!(wire.refused(post("other", json!({"in": 60, "key": "k"}))), "key_conflict");
    // A time that has passed is now, and such a message says that it is late.
    let due_at = from_now(-HOUR);
    let late = wire.done(post("late", json!({"at": due_at, "key": "late"})));
    assert_eq!(late["due_at"], due_at.as_str());
    wait_for(&server, &["neko|late"]);
    let neko = wire.log_in("neko");
    let arrived = wire.done(format!("fetch {neko}"))["messages"][0].clone();
    assert_eq!(arrived["due_at"], due_at.as_str(), "{arrived}");
    for more in [json!({"at": due_at, "key": "late"}), json!({"key": "late"})] {
        let again = wire.done(post("late", more));
        assert_eq!((&again["duplicate"], &again["id"]), (&json!(true), &arrived["id"]), "{again}");
    }
    assert_eq!(texts(&server), ["neko|late"]);
}

/// A `post` without a time waits for nothing, and what waited under its key is not sent again.
#[test]
fn post_without_a_time_sends_what_was_scheduled_under_its_key() {
    let mut server = Server::start();
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    let post = |body: &str, more: Value| format!("post {paff} {}", fields(&["neko"], body, more));
    for key in ["same", "other"] {
        wire.done(post("hai", json!({"in": 3_600, "key": key})));
    }
    for (key, body) in [("same", "hai"), ("other", "ahoy")] {
        assert_eq!(wire.done(post(body, json!({"key": key})))["duplicate"], false, "{key}");
    }
    assert!(server.stop().success());
    make_due(&server);
    server.start_again();
    let mut wire = server.connect();
    wait_until("they are settled", || list(&mut wire, &paff).is_empty());
    let told = "paff|scheduled message 2 to neko was not sent: its key is that of another message";
    assert_eq!(texts(&server), ["neko|hai", "neko|ahoy", &format!("{told}\n\nhai")]);
}

#[test]
fn sender_gets_back_what_may_not_be_sent_any_more() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    for room in ["#left", "#gone"] {
        wire.done(format!("room_create {neko} {}", json!({"room": room})));
        wire.done(format!("room_join {paff} {}", json!({"room": room})));
    }
    // The server is stopped before any of them can be due.
    for to in ["#left", "#gone", "ivy"] {
        wire.done(format!("post {paff} {}", fields(&[to], "hai", json!({"in": 3_600}))));
    }
    wire.done(format!("room_leave {paff} {}", json!({"room": "#left"})));
    wire.done(format!("room_archive {neko} {}", json!({"room": "#gone"})));
    operator::done(&server.database(), &["user", "delete", "--yes", "ivy"]);
    // What is due now is sent after those, which are due with it.
    let mut server = server;
    assert!(server.stop().success());
    make_due(&server);
    server.start_again();
    wait_until("all are told", || texts(&server).len() >= 3);
    let mut told = texts(&server);
    told.sort();
    let lines: Vec<(&str, &str)> =
        told.iter().map(|text| text.split_once("\n\n").expect("the text")).collect();
    assert_eq!(lines.len(), 3);
    for ((notice, text), (number, to)) in lines.iter().zip([(1, "#left"), (2, "#gone"), (3, "")]) {
        let to = if to.is_empty() { String::new() } else { format!(" to {to}") };
        let begin = format!("paff|scheduled message {number}{to} was not sent: ");
        assert!(notice.starts_with(&begin), "{notice}");
        assert_eq!(*text, "hai");
    }
    let mut wire = server.connect();
    wait_until("they are settled", || list(&mut wire, &paff).is_empty());
    let notice = wire.done(format!("fetch {paff}"))["messages"][0].clone();
    assert_eq!(notice["tags"], json!(["scheduled", "failed"]));
    assert_eq!((&notice["from"], &notice["priority"]), (&json!("paff"), &json!(4)));
}

/// Makes all scheduled messages of a stopped server due, an hour ago.
fn make_due(server: &Server) {
    #[cfg(feature = "postgres")]
    if let Some(url) = server.database().to_str().filter(|url| url.starts_with("postgres")) {
        support::databases::query(url, "update scheduled set due_at = made_at - 3600000");
        return;
    }
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let sql = "UPDATE scheduled SET due_at = made_at - 3600000, said_at = made_at - 3600000";
    assert!(database.execute(sql, []).unwrap() > 0);
}

#[test]
fn message_that_was_due_while_no_server_ran_is_sent_at_the_start_and_says_so() {
    let mut server = Server::start();
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    wire.done(format!("post {paff} {}", fields(&["neko"], "hai", json!({"in": 3_600}))));
    server.kill();
    make_due(&server);
    assert!(texts(&server).is_empty());
    server.start_again();
    wait_for(&server, &["neko|hai"]);
    assert!(server.stop().success());
    server.start_again();
    let mut wire = server.connect();
    let neko = wire.log_in("neko");
    let messages = wire.done(format!("fetch {neko}"))["messages"].clone();
    assert_eq!(messages.as_array().unwrap().len(), 1);
    assert!(messages[0]["due_at"].as_str() < messages[0]["at"].as_str(), "{messages}");
}

#[test]
fn kills_at_any_moment_neither_lose_nor_repeat_what_is_due() {
    const COUNT: usize = 40;
    let mut server = Server::start();
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    for number in 0..COUNT {
        let body = number.to_string();
        // They become due one after the other, each at another moment of a server's life.
        let at = json!({"at": from_now(500 + 20 * number as i64)});
        wire.done(format!("post {paff} {}", fields(&["neko"], &body, at)));
    }
    let count = |server: &Server| texts(server).len();
    for _ in 0..6 {
        let before = count(&server);
        if before < COUNT {
            wait_until("it sends", || count(&server) > before);
        }
        server.kill();
        server.start_again();
    }
    wait_until("all are sent", || count(&server) >= COUNT);
    let mut wire = server.connect();
    wait_until("all are settled", || list(&mut wire, &paff).is_empty());
    let mut sent = texts(&server);
    sent.sort();
    let mut expected: Vec<String> = (0..COUNT).map(|number| format!("neko|{number}")).collect();
    expected.sort();
    assert_eq!(sent, expected);
}

#[test]
fn disabled_user_sends_nothing_until_he_is_enabled_again() {
    let mut server = Server::start();
    let mut wire = server.connect();
    let (paff, ivy) = (wire.log_in("paff"), wire.log_in("ivy"));
    wire.done(format!("post {paff} {}", fields(&["neko"], "of paff", json!({"in": 3_600}))));
    operator::done(&server.database(), &["user", "disable", "paff"]);
    assert!(server.stop().success());
    make_due(&server);
    server.start_again();
    let mut wire = server.connect();
    // It is due later, so the server has left out paff's before.
    wire.done(format!("post {ivy} {}", fields(&["neko"], "of ivy", json!({"in": 1}))));
    wait_for(&server, &["neko|of ivy"]);
    operator::done(&server.database(), &["user", "enable", "paff"]);
    // The server looks again when somebody schedules something.
    wire.done(format!("post {ivy} {}", fields(&["neko"], "next", json!({"in": 3_600}))));
    wait_for(&server, &["neko|of ivy", "neko|of paff"]);
}

#[cfg(feature = "postgres")]
#[test]
fn two_servers_send_once_and_the_second_alone_goes_on() {
    const COUNT: usize = 30;
    let Some(database) = support::new_on_postgres() else { return };
    let database = std::path::Path::new(&database);
    let [first, mut second] = [Server::start_on(database), Server::start_on(database)];
    let (mut one, mut other) = (first.connect(), second.connect());
    let paff = one.log_in("paff");
    // All of one moment, which both servers know of.
    let at = from_now(2_000);
    for number in 0..COUNT {
        let wire = if number % 2 == 0 { &mut one } else { &mut other };
        let more = json!({"at": at, "key": format!("k-{number}")});
        wire.done(format!("post {paff} {}", fields(&["neko"], "hai", more)));
    }
    wait_until("all are sent", || texts(&first).len() >= COUNT);
    wait_until("all are settled", || list(&mut one, &paff).is_empty());
    assert_eq!(texts(&first), vec!["neko|hai"; COUNT]);
    // The server that got the message is killed before it is due.
    other.done(format!("post {paff} {}", fields(&["neko"], "orphan", json!({"in": 2}))));
    second.kill();
    // Another message wakes the first server, which then sees that one too.
    one.done(format!("post {paff} {}", fields(&["neko"], "next", json!({"in": 3_600}))));
    wait_until("the first server sends it", || texts(&first).len() > COUNT);
    assert_eq!(texts(&first)[COUNT..], ["neko|orphan"]);
}

#[cfg(feature = "http")]
#[test]
fn delay_over_http_schedules_as_the_verb_does() {
    use crate::support::http::send;
    let server = Server::start_with(&["--http", "127.0.0.1:0"]);
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    let token = format!("Bearer {paff}");
    let publish = |request: &str, more: &[(&str, &str)], body: &str| {
        let fields: Vec<(&str, &str)> =
            [("Authorization", token.as_str())].into_iter().chain(more.iter().copied()).collect();
        send(server.http(), request, &fields, body)
    };
    let in_seconds = (now() / 1_000 + 7_200).to_string();
    for (number, (request, more, body)) in [
        ("POST /neko", vec![("Delay", "2h"), ("Idempotency-Key", "k")], "hai"),
        ("POST /neko", vec![("X-In", "2 hours")], "hai"),
        ("POST /neko", vec![("At", in_seconds.as_str())], "hai"),
        ("POST /neko?delay=2h", vec![], "hai"),
        ("GET /neko/publish?message=hai&in=2h", vec![], ""),
        ("POST /", vec![], r#"{"topic": "neko", "message": "hai", "delay": "2h"}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let response = publish(request, &more, body);
        assert_eq!(response.status, 200, "{request} {more:?}: {response:?}");
        let answer: Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!((&answer["topic"], &answer["message"]), (&json!("neko"), &json!("hai")));
        let listed = list(&mut wire, &paff);
        assert_eq!(listed.len(), number + 1, "{request} {more:?}");
        assert_eq!(answer["scheduled"], listed[number]["id"], "{answer}");
        let time = answer["time"].as_i64().unwrap();
        assert!((time - now() / 1_000 - 7_200).abs() < 600, "{answer}");
    }
    let again = publish("POST /neko", &[("Delay", "5h"), ("Idempotency-Key", "k")], "hai");
    assert_eq!((again.status, again.field("idempotent-replayed")), (200, Some("true")));
    for delay in ["tomorrow, 10am", "0s", "1000", "20000d"] {
        let refused = publish("POST /neko", &[("Delay", delay)], "hai");
        assert_eq!(refused.status, 400, "{delay}: {refused:?}");
        assert!(refused.body.contains("delay: "), "{refused:?}");
    }
    assert!(texts(&server).is_empty());
}
