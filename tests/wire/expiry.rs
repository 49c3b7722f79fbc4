//! Messages that expire: after their time they are unread for nobody, no stream gets them, and every
//! history shows them. Also over kills, moves to another database, and with two servers.

use chat::model::Timestamp;
use serde_json::{Value, json};

#[cfg(feature = "postgres")]
use crate::support;
use crate::support::{Server, Wire, operator, wait_until};

const HOUR_SECONDS: i64 = 3_600;

fn post(token: &str, to: &[&str], body: &str, more: &Value) -> String {
    let mut fields = json!({"to": to, "body": body});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    format!("post {token} {fields}")
}

/// A message that expires in an hour, and one that has expired, because its time has passed.
fn later() -> Value {
    json!({"expires_in": HOUR_SECONDS})
}

fn passed() -> Value {
    json!({"expires": "2026-01-01T09:00:00Z"})
}

fn bodies(reply: &Value) -> Vec<String> {
    let messages = reply["messages"].as_array().unwrap();
    messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect()
}

fn time(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Timestamp>().unwrap().0
}

fn unread(wire: &mut Wire, token: &str) -> i64 {
    wire.done(format!("unread {token}"))["unread"].as_i64().unwrap()
}

/// The texts that a stream gets until it has caught up.
fn streamed(server: &Server, token: &str, fields: &Value) -> Vec<String> {
    let mut stream = server.connect();
    stream.done(format!("watch {token} {fields}"));
    let mut found = Vec::new();
    loop {
        let event = stream.reply();
        match event["event"].as_str() {
            Some("message") => found.push(event["body"].as_str().unwrap().to_owned()),
            Some("caught_up") => return found,
            _ => {}
        }
    }
}

#[test]
fn message_is_unread_until_its_time_and_then_in_the_history_only() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    wire.done(format!("room_create {paff} {}", json!({"room": "#build"})));
    wire.done(format!("room_join {neko} {}", json!({"room": "#build"})));
    let to = ["neko", "#build"];
    let soon = wire.done(post(&paff, &to, "soon @neko", &json!({"expires_in": 2})));
    wire.done(post(&paff, &to, "later @neko", &later()));
    wire.done(post(&paff, &to, "plain", &json!({})));
    let expires = |message: &Value| time(&message["expires"]) - time(&message["at"]);
    let history = wire.done(format!("fetch {neko}"))["messages"].clone();
    let lives: Vec<i64> = (0..4).map(|place| expires(&history[place])).collect();
    assert_eq!(lives, [2_000, 2_000, 3_600_000, 3_600_000], "{history}");
    assert_eq!(history[4]["expires"], Value::Null);
    assert_eq!(history[0]["expires_in"], Value::Null, "readers get the time");
    wait_until("it expires", || unread(&mut wire, &neko) == 4);
    let listed = wire.done(format!("conversations {neko}"));
    let of = |name: &str| {
        let all = listed["conversations"].as_array().unwrap();
        let found = all.iter().find(|of| of["room"] == name || of["with"] == name).unwrap();
        (found["unread"].clone(), found["mentions"].clone())
    };
    assert_eq!((of("paff").0, of("#build")), (json!(2), (json!(2), json!(1))), "{listed}");
    assert_eq!(listed["expires"], history[2]["expires"], "when the counts change next");
    let texts = ["later @neko", "later @neko", "plain", "plain"];
    assert_eq!(bodies(&wire.done(format!("fetch {neko} {}", json!({"unread": true})))), texts);
    let cursor = json!({"cursor": "jobs"});
    assert_eq!(bodies(&wire.done(format!("fetch {neko} {cursor}"))), texts);
    let incoming = json!({"after": 0, "incoming": true});
    assert_eq!(bodies(&wire.done(format!("fetch {neko} {incoming}"))), texts);
    for from in ["unread", "all"] {
        assert_eq!(streamed(&server, &neko, &json!({"from": from})), texts, "{from}");
    }
    assert_eq!(streamed(&server, &neko, &json!({"from": 0, "cursor": "jobs"})), texts);
    // Every history has it.
    for fields in [
        json!({"with": "paff"}),
        json!({"with": "#build"}),
        json!({"around": soon["id"], "limit": 10, "with": "paff"}),
        json!({"thread": soon["id"]}),
        json!({"after": 0}),
    ] {
        let found = wire.done(format!("fetch {neko} {fields}"));
        assert_eq!(found["messages"][0]["body"], "soon @neko", "{fields}: {found}");
        assert!(found["messages"][0]["expires"].is_string(), "{found}");
    }
    let found = wire.done(format!("search {neko} {}", json!({"query": "soon"})));
    assert_eq!(found["messages"].as_array().unwrap().len(), 2, "{found}");
    assert!(found["messages"][0]["expires"].is_string(), "{found}");
    // The views, which operators read.
    let view = "select body from v2_messages where expires_at is not null order by id";
    assert_eq!(server.query(view)[..2], ["soon @neko", "soon @neko"]);
    let in_view = "select count(*) from v2_inbox where recipient = 'neko'";
    assert_eq!(server.query(in_view), ["4"]);
    let in_view = "select count(*) from v1_inbox where recipient = 'neko' and body like 'soon%'";
    assert_eq!(server.query(in_view), ["0"]);
    // The seed's verb reads what is left, and its cursor passes over what has expired.
    let inbox = wire.done(format!("inbox {neko}"))["messages"].clone();
    assert_eq!(inbox["paff"], json!([{"msg": "later @neko"}, {"msg": "plain"}]));
    assert_eq!(unread(&mut wire, &neko), 0);
}

#[test]
fn stream_that_was_away_does_not_get_what_has_expired_meanwhile() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    // A stream that is there gets it at once.
    let mut stream = server.connect();
    stream.done(format!("watch {neko} {}", json!({"from": "new"})));
    wire.done(post(&paff, &["neko"], "soon", &json!({"expires_in": 5})));
    let first = loop {
        let event = stream.reply();
        if event["event"] == "message" {
            break event;
        }
    };
    assert_eq!(first["body"], "soon");
    let life = time(&first["expires"]) - time(&first["at"]);
    assert_eq!(life, 5_000, "{first}");
    wire.done(post(&paff, &["neko"], "old", &passed()));
    let last = wire.done(post(&paff, &["neko"], "last", &json!({})));
    loop {
        let event = stream.reply();
        assert_ne!(event["body"], "old", "its time has passed");
        if event["event"] == "message" {
            assert_eq!(event["body"], "last");
            break;
        }
    }
    wait_until("it expires", || unread(&mut wire, &neko) == 1);
    // One that resumes goes on after both. On PostgreSQL the server's clock may be some milliseconds
    // behind the database's.
    let before = first["id"].as_i64().unwrap() - 1;
    wait_until("a stream goes past it", || {
        streamed(&server, &neko, &json!({"from": before})) == ["last"]
    });
    assert_eq!(streamed(&server, &neko, &json!({"from": last["id"]})), Vec::<String>::new());
    // A cursor passes over each of them exactly.
    for (upto, left) in [(before + 1, 1), (before + 2, 1), (before + 3, 0)] {
        wire.done(format!("ack {neko} {}", json!({"cursor": "jobs", "upto": upto})));
        let fields = json!({"from": "all", "cursor": "jobs"});
        assert_eq!(streamed(&server, &neko, &fields).len(), left, "after {upto}");
    }
}

#[test]
fn key_means_a_message_with_its_expiry() {
    let server = Server::start();
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    let at = json!({"expires": "2031-01-01T09:00:00Z", "key": "at"});
    let within = json!({"expires_in": 60, "key": "in"});
    let old = json!({"expires": "2026-01-01T09:00:00Z", "key": "old"});
    for more in [&at, &within, &old] {
        let first = wire.done(post(&paff, &["neko"], "hai", more));
        let again = wire.done(post(&paff, &["neko"], "hai", more));
        assert_eq!((&again["id"], &again["duplicate"]), (&first["id"], &json!(true)), "{more}");
    }
    for more in [
        json!({"key": "at"}),
        json!({"expires": "2031-01-01T09:00:01Z", "key": "at"}),
        json!({"expires_in": 61, "key": "in"}),
        json!({"key": "old"}),
    ] {
        assert_eq!(wire.refused(post(&paff, &["neko"], "hai", &more)), "key_conflict", "{more}");
    }
    for more in [
        json!({"expires": "tomorrow"}),
        json!({"expires": "1969-12-31T23:59:59Z"}),
        json!({"expires_in": 0}),
        json!({"expires_in": 400_000_000}),
        json!({"expires_in": -1}),
        json!({"expires": "2031-01-01T09:00:00Z", "expires_in": 60}),
        json!({"expires": "2031-01-01T09:00:00Z", "at": "2031-01-01T09:00:00Z"}),
    ] {
        let line = post(&paff, &["neko"], "hai", &more);
        assert_eq!(wire.refused(line), "bad_argument", "{more}");
    }
    assert_eq!(server.query("select count(*) from v2_messages"), ["3"]);
}

/// It expires so long after it is sent, not after it was scheduled.
#[test]
fn message_that_is_sent_later_expires_after_that() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    let more = json!({"in": 1, "expires_in": HOUR_SECONDS, "key": "k"});
    wire.done(post(&paff, &["neko"], "hai", &more));
    let listed = wire.done(format!("scheduled {paff}"))["scheduled"].clone();
    if listed != json!([]) {
        assert_eq!(listed[0]["expires_in"], HOUR_SECONDS, "{listed}");
    }
    let other = json!({"in": 1, "expires_in": 60, "key": "k"});
    assert_eq!(wire.refused(post(&paff, &["neko"], "hai", &other)), "key_conflict");
    wait_until("it is sent", || unread(&mut wire, &neko) == 1);
    let sent = wire.done(format!("fetch {neko}"))["messages"][0].clone();
    assert_eq!(time(&sent["expires"]) - time(&sent["at"]), 3_600_000, "{sent}");
}

#[test]
fn sender_learns_of_no_reader_after_its_time() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    let old = wire.done(post(&paff, &["neko"], "old", &passed()))["id"].clone();
    let new = wire.done(post(&paff, &["neko"], "new", &later()))["id"].clone();
    wire.done(format!("ack {neko} {}", json!({"upto": new})));
    let readers = |wire: &mut Wire, id: &Value| {
        wire.done(format!("receipts {paff} {}", json!({"id": id})))["readers"].clone()
    };
    assert_eq!(readers(&mut wire, &new), json!(["neko"]));
    assert_eq!(readers(&mut wire, &old), json!([]), "nobody had it unread");
}

#[test]
fn marks_raise_the_floor_over_what_has_expired() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, ivy) = (wire.log_in("paff"), wire.log_in("ivy"));
    let neko = wire.log_in("neko");
    wire.done(post(&ivy, &["neko"], "old", &passed()));
    let new = wire.done(post(&paff, &["neko"], "new", &json!({})))["id"].clone();
    wire.done(format!("ack {neko} {}", json!({"with": "paff", "upto": new})));
    let floor = "select upto_id from cursors where name = 'inbox'";
    assert_eq!(server.query(floor), [new.to_string()]);
}

#[test]
fn message_expires_over_a_kill_and_a_restart_and_check_finds_nothing_wrong() {
    let mut server = Server::start();
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    wire.done(post(&paff, &["neko"], "soon", &json!({"expires_in": 5})));
    wire.done(post(&paff, &["neko"], "later", &later()));
    let edited = wire.done(post(&paff, &["neko"], "edited", &passed()))["id"].clone();
    wire.done(format!("edit {paff} {}", json!({"id": edited, "body": "edited twice"})));
    let gone = wire.done(post(&paff, &["neko"], "gone", &later()))["id"].clone();
    wire.done(format!("delete {paff} {}", json!({"id": gone})));
    server.kill();
    server.start_again();
    let mut wire = server.connect();
    wait_until("it expires", || unread(&mut wire, &neko) == 1);
    assert!(server.stop().success());
    if !crate::support::is_on_postgres() {
        operator::done(&server.database(), &["check"]);
    }
    server.start_again();
    let mut wire = server.connect();
    assert_eq!(unread(&mut wire, &neko), 1);
    let all = ["soon", "later", "edited twice"];
    assert_eq!(bodies(&wire.done(format!("fetch {neko}"))), all);
    let stats = operator::objects(&server.database(), &["stats"]);
    assert_eq!(stats[0]["unread"], 1, "{stats:?}");
}

/// An operator may purge what has expired without `--include-unread`.
#[test]
fn purge_takes_what_has_expired_and_keeps_what_is_unread() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    wire.done(post(&paff, &["neko"], "old", &passed()));
    wire.done(post(&paff, &["neko"], "new", &later()));
    operator::done(&server.database(), &["message", "purge", "--user", "neko"]);
    assert_eq!(bodies(&wire.done(format!("fetch {neko}"))), ["new"]);
    assert_eq!(unread(&mut wire, &neko), 1);
}

#[cfg(feature = "postgres")]
#[test]
fn two_servers_agree_on_what_has_expired() {
    let Some(database) = support::new_on_postgres() else { return };
    let database = std::path::Path::new(&database);
    let [first, second] = [Server::start_on(database), Server::start_on(database)];
    let (mut one, mut other) = (first.connect(), second.connect());
    let (paff, neko) = (one.log_in("paff"), one.log_in("neko"));
    let mut stream = second.connect();
    stream.done(format!("watch {neko} {}", json!({"from": "new"})));
    one.done(post(&paff, &["neko"], "old", &passed()));
    one.done(post(&paff, &["neko"], "soon", &json!({"expires_in": 5})));
    one.done(post(&paff, &["neko"], "later", &later()));
    let mut got = Vec::new();
    while got.last().map(String::as_str) != Some("later") {
        let event = stream.reply();
        if event["event"] == "message" {
            got.push(event["body"].as_str().unwrap().to_owned());
        }
    }
    // A slow machine may have taken longer than its time.
    got.retain(|body| body != "soon");
    assert_eq!(got, ["later"]);
    for wire in [&mut one, &mut other] {
        wait_until("it expires", || unread(wire, &neko) == 1);
        let found = wire.done(format!("fetch {neko} {}", json!({"unread": true})));
        assert_eq!(bodies(&found), ["later"]);
    }
}

#[cfg(feature = "http")]
#[test]
fn expiry_over_http_is_a_parameter_of_our_own() {
    use crate::support::http::send;
    let server = Server::start_with(&["--http", "127.0.0.1:0"]);
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    let token = format!("Bearer {paff}");
    let publish = |request: &str, more: &[(&str, &str)], body: &str| {
        let fields: Vec<(&str, &str)> =
            [("Authorization", token.as_str())].into_iter().chain(more.iter().copied()).collect();
        send(server.http(), request, &fields, body)
    };
    for (number, (request, more, body)) in [
        ("POST /neko", vec![("X-Expires", "1h")], "hai"),
        ("POST /neko?expires=1+hour", vec![], "hai"),
        ("GET /neko/publish?message=hai&expires=1h", vec![], ""),
        ("POST /", vec![], r#"{"topic": "neko", "message": "hai", "expires": "1h"}"#),
        ("POST /", vec![("X-Expires", "1h")], r#"{"topic": "neko", "message": "hai"}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = publish(request, &more, body);
        assert_eq!(answer.status, 200, "{request}: {answer:?}");
        let event: Value = serde_json::from_str(&answer.body).unwrap();
        let life = event["expires"].as_i64().unwrap() - event["time"].as_i64().unwrap();
        assert!((3_599..=3_601).contains(&life), "{request}: {event}");
        assert_eq!(unread(&mut wire, &neko), number as i64 + 1);
    }
    // A header of this name without X- is one of HTTP itself.
    let plain = publish("POST /neko", &[("Expires", "0")], "hai");
    let event: Value = serde_json::from_str(&plain.body).unwrap();
    assert_eq!((plain.status, &event["expires"]), (200, &Value::Null));
    let wrong = publish("POST /neko", &[("X-Expires", "soon")], "hai");
    assert!(wrong.status == 400 && wrong.body.contains("expires: "), "{wrong:?}");
    // A poll of all is a history, and one from a cursor has what is not read.
    let old = publish("POST /neko", &[("X-Expires", "1600000000")], "old");
    assert_eq!(old.status, 200, "{old:?}");
    let reader = format!("Bearer {neko}");
    let fields = [("Authorization", reader.as_str())];
    for (since, has_old) in [("all", true), ("unread", false)] {
        let request = format!("GET /inbox/json?poll=1&since={since}");
        let polled = send(server.http(), &request, &fields, "").body;
        let lines = polled.lines().filter(|line| line.starts_with('{'));
        let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        let expired = lines.iter().filter(|event| event["expires"] == 1_600_000_000).count();
        assert_eq!(
            (lines.len(), expired),
            (6 + expired, usize::from(has_old)),
            "{since}: {polled}"
        );
    }
    // The verb is the same over HTTP.
    let posted = publish(
        "POST /api/v1/post",
        &[("Content-Type", "application/json")],
        r#"{"to": ["neko"], "body": "hai", "expires_in": 60}"#,
    );
    assert_eq!(posted.status, 200, "{posted:?}");
}
