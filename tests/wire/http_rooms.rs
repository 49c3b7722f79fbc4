//! Rooms over HTTP, and names that could be a room's or a user's.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::http::{Response, Stream, send};
use crate::support::websocket::WebSocket;

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn publish(server: &Server, token: &str, path: &str, text: &str) -> Response {
    send(server.http(), &format!("POST {path}"), &[("Authorization", &bearer(token))], text)
}

fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|_| panic!("{response:?}"))
}

#[test]
fn room_is_written_to_with_and_without_its_sign_and_read_in_the_inbox() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#build"}}"##));
    let fields = [("Authorization", bearer(&neko))];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut stream = Stream::open(server.http(), "/inbox/json", &fields);
    let event = |stream: &mut Stream| -> Value {
        serde_json::from_str(&stream.line().expect("an event")).unwrap()
    };
    assert_eq!(event(&mut stream)["event"], "open");
    let object = json!({"topic": "#build", "message": "three"}).to_string();
    let answers = [
        publish(&server, &paff, "/%23build", "one"),
        publish(&server, &paff, "/build", "two"),
        publish(&server, &paff, "/", &object),
    ];
    for (answer, text) in answers.iter().zip(["one", "two", "three"]) {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(json_of(answer)["topic"], "#build", "no user has this name");
        let event = event(&mut stream);
        assert_eq!((&event["topic"], &event["from"]), (&json!("#build"), &json!("paff")));
        assert_eq!((&event["message"], &event["id"]), (&json!(text), &json_of(answer)["id"]));
    }
    let later = json!({"topic": "build", "message": "four", "delay": "1h"}).to_string();
    let later = json_of(&publish(&server, &paff, "/", &later));
    assert_eq!((&later["topic"], &later["id"]), (&json!("#build"), &json!("")), "{later}");
    let mut poll = Stream::open(server.http(), "/inbox/json?poll=1", &fields);
    let polled: Vec<Value> = (0..3).map(|_| event(&mut poll)).collect();
    assert!(polled.iter().all(|event| event["topic"] == "#build"), "{polled:?}");
    assert_eq!(poll.line(), None);
}

#[test]
fn private_room_is_refused_like_a_missing_one_whatever_the_form_of_its_name() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    server.connect().done(format!(r##"room_create {paff} {{"room": "#ops1", "private": true}}"##));
    for form in ["/%23", "/"] {
        let refused = |name: &str| publish(&server, &neko, &format!("{form}{name}"), "hai");
        let (private, missing) = (refused("ops1"), refused("ops2"));
        assert_eq!((private.status, missing.status), (404, 404), "{private:?}");
        assert_eq!(private.body.replace("ops1", "ops2"), missing.body);
    }
    assert_eq!(json_of(&publish(&server, &paff, "/ops1", "hai"))["topic"], "#ops1");
}

#[test]
fn name_of_a_user_and_a_room_is_refused_until_it_says_which() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let with_key = || {
        let fields = [("Authorization", &*bearer(&paff)), ("Idempotency-Key", "ivy-1")];
        json_of(&send(server.http(), "POST /ivy", &fields, "once"))
    };
    let first = with_key();
    wire.done(format!(r##"room_create {paff} {{"room": "#ivy"}}"##));
    assert_eq!((&with_key(), &first["topic"]), (&first, &json!("ivy")), "it is the same message");
    let both = publish(&server, &paff, "/ivy", "hai");
    assert_eq!(both.status, 409, "{both:?}");
    assert!(both.body.contains("@ivy") && both.body.contains("%23ivy"), "{both:?}");
    let object = json!({"topic": "ivy", "message": "hai"}).to_string();
    assert_eq!(publish(&server, &paff, "/", &object).status, 409);
    assert_eq!(json_of(&publish(&server, &paff, "/@ivy", "hai"))["topic"], "ivy");
    assert_eq!(json_of(&publish(&server, &paff, "/%23ivy", "hai"))["topic"], "#ivy");
    // It cannot be the room for one who may not write there.
    assert_eq!(json_of(&publish(&server, &neko, "/ivy", "hai"))["topic"], "ivy");
    wire.done(format!(r##"room_archive {paff} {{"room": "#ivy"}}"##));
    assert_eq!(json_of(&publish(&server, &paff, "/ivy", "hai"))["topic"], "ivy");
    for nothing in ["/@%23ivy", "/@", "/@nobody", "/%23"] {
        assert_eq!(publish(&server, &paff, nothing, "hai").status, 404, "{nothing}");
    }
}

#[test]
fn token_that_may_only_send_finds_its_room_by_name() {
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    for room in ["#build", "#other"] {
        wire.done(format!(r##"room_create {paff} {{"room": "{room}"}}"##));
    }
    let fields = json!({"name": "ci", "can": "send", "to": ["#build"]});
    let created = wire.done(format!("token_create {paff} {fields}"));
    let token = created["token"].as_str().unwrap();
    for path in ["/build", "/%23build"] {
        let answer = publish(&server, token, path, "hai");
        assert_eq!((answer.status, &json_of(&answer)["topic"]), (200, &json!("#build")), "{path}");
    }
    let (other, missing) =
        (publish(&server, token, "/other", "x"), publish(&server, token, "/none", "x"));
    assert_eq!((other.status, missing.status), (404, 404), "{other:?}");
    assert_eq!(other.body.replace("other", "none"), missing.body);
}

#[test]
fn visible_room_that_one_may_not_write_to_is_refused_as_such() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    server.connect().done(format!(r##"room_create {paff} {{"room": "#news"}}"##));
    let refused = publish(&server, &neko, "/news", "hai");
    assert_eq!((refused.status, &json_of(&refused)["code"]), (403, &json!("not_allowed")));
}

/// A server with paff's rooms: neko is in `#build` and the private `#ops1`, and not in `#news`.
fn with_rooms() -> (Server, String, String) {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for (room, private) in [("#build", false), ("#ops1", true), ("#news", false)] {
        let fields = json!({"room": room, "private": private});
        wire.done(format!("room_create {paff} {fields}"));
    }
    wire.done(format!(r##"room_invite {paff} {{"room": "#ops1", "users": ["neko"]}}"##));
    for room in ["#build", "#ops1"] {
        wire.done(format!(r#"room_join {neko} {{"room": "{room}"}}"#));
    }
    (server, paff, neko)
}

/// The text of the next message.
fn next_text(line: impl FnOnce() -> Option<String>) -> Value {
    let event: Value = serde_json::from_str(&line().expect("an event")).unwrap();
    assert_eq!(event["event"], "message", "{event}");
    event["message"].clone()
}

#[test]
fn stream_of_a_room_has_its_messages_only_and_continues_after_the_last_one() {
    let (server, paff, neko) = with_rooms();
    let bearer = bearer(&neko);
    let own = ("Authorization", bearer.as_str());
    // A room that was asked for is not muted.
    server.connect().done(format!(r##"room_set {neko} {{"room": "#build", "notify": "none"}}"##));
    for path in ["/build", "/%23build"] {
        let mut stream = Stream::open(server.http(), &format!("{path}/json"), &[own]);
        assert!(stream.line().is_some_and(|line| line.contains("open")));
        let mut texts = Stream::open(server.http(), &format!("{path}/raw"), &[own]);
        assert_eq!(texts.line().as_deref(), Some(""));
        let fields = [own];
        let mut socket =
            WebSocket::open(server.http(), &format!("{path}/ws"), &fields).expect("a WebSocket");
        assert!(socket.text().unwrap().contains("open"));
        publish(&server, &paff, "/neko", "to neko");
        publish(&server, &paff, "/ops1", "elsewhere");
        let one = json_of(&publish(&server, &paff, path, "one"))["id"].clone();
        publish(&server, &paff, path, "two");
        for text in ["one", "two"] {
            assert_eq!(next_text(|| stream.line()), text);
            assert_eq!(next_text(|| socket.text().ok()), text);
            assert_eq!(texts.line().as_deref(), Some(text));
        }
        let last = [own, ("Last-Event-ID", one.as_str().unwrap())];
        let mut resumed = Stream::open(server.http(), &format!("{path}/sse"), &last);
        let data = |stream: &mut Stream| loop {
            let line = stream.line().expect("an event");
            if let Some(data) = line.strip_prefix("data: {").filter(|it| it.contains("message\":"))
            {
                return Some(format!("{{{data}"));
            }
        };
        assert_eq!(next_text(|| data(&mut resumed)), "two");
        let since = format!("{path}/ws?since={}", one.as_str().unwrap());
        let mut resumed = WebSocket::open(server.http(), &since, &fields).expect("a WebSocket");
        assert!(resumed.text().unwrap().contains("open"));
        assert_eq!(next_text(|| resumed.text().ok()), "two");
    }
    let mut poll = WebSocket::open(server.http(), "/build/ws?poll=1", &[own]).expect("a WebSocket");
    for text in ["one", "two", "one", "two"] {
        assert_eq!(next_text(|| poll.text().ok()), text);
    }
    assert_eq!(poll.closed().map(|closed| closed.code), Some(1000));
    let mut inbox = WebSocket::open(server.http(), "/inbox/ws", &[own]).expect("a WebSocket");
    assert!(inbox.text().unwrap().contains("open"));
    // What the client says there is ignored, and so is the mute of a room elsewhere.
    inbox.send("hai");
    publish(&server, &paff, "/build", "muted");
    publish(&server, &paff, "/ops1", "three");
    assert_eq!(next_text(|| inbox.text().ok()), "three");
    server.connect().done(format!("logout {neko}"));
    assert_eq!(inbox.closed().map(|closed| closed.code), Some(1008), "its session has ended");
}

#[test]
fn room_of_others_is_not_read_and_a_private_one_looks_like_none() {
    let (server, paff, neko) = with_rooms();
    let get = |token: &str, path: &str| {
        send(server.http(), &format!("GET {path}"), &[("Authorization", &bearer(token))], "")
    };
    let fields = json!({"name": "ci", "can": "send", "to": ["#build"]});
    let created = server.connect().done(format!("token_create {paff} {fields}"));
    let (sender, robo) = (created["token"].as_str().unwrap(), server.log_in("robo"));
    for form in ["/json?poll=1", "/sse", "/raw", "/json?poll=1&since=all"] {
        assert_eq!(get(&neko, &format!("/news{form}")).status, 403, "{form}");
        assert!(get(&neko, &format!("/%23news{form}")).body.contains("not_allowed"), "{form}");
        for (prefix, status) in [("/", 403), ("/%23", 404)] {
            let of = |room: &str| get(&robo, &format!("{prefix}{room}{form}"));
            let (private, missing) = (of("ops1"), of("ops2"));
            assert_eq!((private.status, missing.status), (status, status), "{private:?}");
            assert_eq!(private.body.replace("ops1", "ops2"), missing.body);
        }
        assert!(get(sender, &format!("/build{form}")).body.contains("token_rights"), "{form}");
    }
    assert_eq!(get(&neko, "/ops1/json?poll=1").status, 200, "a member");
}
