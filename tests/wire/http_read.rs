//! Reading over HTTP: at once, and as streams that can be continued without gap or repeat.

use serde_json::{Value, json};

use crate::support::http::{Response, Stream, get, send};
use crate::support::{Random, Server};

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn read(server: &Server, token: &str, path: &str) -> Response {
    send(server.http(), &format!("GET {path}"), &[("Authorization", token)], "")
}

/// The texts of an answer with an object a line. Chunks have no line breaks but their own.
fn texts(server: &Server, token: &str, path: &str) -> Vec<String> {
    let mut stream = Stream::open(server.http(), path, &[("Authorization", token)]);
    assert!(stream.head.contains(" 200 OK"), "{}", stream.head);
    let mut texts = Vec::new();
    while let Some(line) = stream.line() {
        let event: Value = serde_json::from_str(&line).unwrap();
        texts.push(event["message"].as_str().unwrap().to_owned());
    }
    texts
}

#[test]
fn poll_returns_what_is_wanted_and_ends() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let mut ids = Vec::new();
    for (text, more) in [
        ("one", json!({})),
        ("two", json!({"priority": 4, "tags": ["ci"]})),
        ("three", json!({"priority": 5, "tags": ["ci", "disk"]})),
        ("four", json!({"priority": 1})),
    ] {
        let mut post = json!({"to": ["neko"], "body": text});
        post.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ids.push(wire.done(format!("post {paff} {post}"))["id"].as_i64().unwrap());
    }
    wire.done(format!(r#"ack {neko} {{"upto": {}}}"#, ids[1]));
    let token = bearer(&neko);
    for (query, expected) in [
        ("", &["one", "two", "three", "four"][..]),
        ("&since=all", &["one", "two", "three", "four"]),
        (&format!("&since={}", ids[1]), &["three", "four"]),
        ("&since=10m", &["one", "two", "three", "four"]),
        ("&since=2096-02-29T00:00:00Z", &[]),
        ("&since=latest", &["four"]),
        ("&since=none", &[]),
        ("&since=unread", &["three", "four"]),
        ("&cursor=inbox", &["three", "four"]),
        ("&priority=high,urgent", &["two", "three"]),
        ("&p=4", &["two"]),
        ("&tags=ci", &["two", "three"]),
        ("&tags=ci,disk", &["three"]),
    ] {
        let found = texts(&server, &token, &format!("/inbox/json?poll=1{query}"));
        assert_eq!(found, expected, "{query}");
    }
    let raw = Stream::open(server.http(), "/neko/raw?poll=1&p=5", &[("Authorization", &token)]);
    assert_eq!({ raw }.line().as_deref(), Some("three"), "by the own name, too");
    for wrong in ["poll=2", "since=yesterday", "id=3", "sinse=all", "tags=a%20b", "priority=x"] {
        let response = read(&server, &token, &format!("/inbox/json?{wrong}"));
        assert_eq!(response.status, 400, "{wrong}: {response:?}");
    }
}

#[test]
fn newest_wanted_message_is_found_behind_others() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for (text, priority) in [("first", 1), ("urgent", 5), ("low", 2)] {
        let post = json!({"to": ["neko"], "body": text, "priority": priority});
        wire.done(format!("post {paff} {post}"));
    }
    (0..30).for_each(|_| _ = wire.done(format!("send {paff} neko plain")));
    let token = bearer(&neko);
    for (query, expected) in [
        ("", &["plain"][..]),
        ("&priority=1,5", &["urgent"]),
        ("&priority=min", &["first"]),
        ("&priority=high", &[]),
    ] {
        let path = format!("/inbox/json?poll=1&since=latest{query}");
        assert_eq!(texts(&server, &token, &path), expected, "{query}");
    }
    let path = "/inbox/sse?since=latest&priority=1,5";
    let mut stream = Stream::open(server.http(), path, &[("Authorization", &token)]);
    assert_eq!(event(&mut stream).unwrap().0, "open");
    assert_eq!(message(&mut stream).1, "urgent");
}

#[test]
fn place_of_a_request_is_given_once_and_known_to_the_server() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko one"));
    let post = json!({"to": ["paff"], "body": "for another user"});
    let newest = wire.done(format!("post {neko} {post}"))["id"].as_i64().unwrap();
    let token = bearer(&neko);
    for path in ["?poll=1&cursor=lights&since=all", "?cursor=lights&since=all"] {
        assert_eq!(read(&server, &token, &format!("/inbox/json{path}")).status, 400, "{path}");
    }
    // The newest of all messages need not be the reader's.
    assert!(texts(&server, &token, &format!("/inbox/json?poll=1&since={newest}")).is_empty());
    let beyond = read(&server, &token, &format!("/inbox/json?poll=1&since={}", newest + 1));
    assert_eq!(beyond.status, 404, "{beyond:?}");
    assert!(beyond.body.contains("unknown_message"), "{beyond:?}");
    // The place that a client names itself is newer than the cursor's.
    let mut fields = vec![("Authorization", token.as_str()), ("Last-Event-ID", "1")];
    let resumed = send(server.http(), "GET /inbox/raw?poll=1&cursor=lights", &fields, "");
    assert!(resumed.status == 200 && !resumed.body.contains("one"), "{resumed:?}");
    fields[1].1 = "0";
    let resumed = send(server.http(), "GET /inbox/raw?poll=1&cursor=lights", &fields, "");
    assert!(resumed.body.contains("one"), "{resumed:?}");
}

#[test]
fn long_inbox_is_polled_whole() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let text = "x".repeat(1_000);
    for number in 0..2_500 {
        wire.send(format!("send {paff} neko {number} {text}\r\n"));
        if number % 100 == 99 {
            (0..100).for_each(|_| assert_eq!(wire.reply()["status"], "OK"));
        }
    }
    let found = texts(&server, &bearer(&neko), "/inbox/json?poll=1");
    let numbers: Vec<usize> =
        found.iter().map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (0..2_500).collect::<Vec<_>>());
}

#[test]
fn messages_of_others_cannot_be_read_and_names_are_not_told() {
    let server = Server::start_with(HTTP);
    let token = bearer(&server.log_in("neko"));
    let other = read(&server, &token, "/paff/json?poll=1");
    let nobody = read(&server, &token, "/nobody/json?poll=1");
    assert_eq!((other.status, nobody.status), (403, 403));
    assert_eq!(other.body, nobody.body);
    assert_eq!(get(server.http(), "/inbox/json").status, 401);
    assert_eq!(read(&server, &bearer("x"), "/inbox/json").status, 401);
}

/// An event of `/sse`: its name, its id and its data.
type Event = (String, String, Value);

/// The next event, or `None` at the end.
fn event(stream: &mut Stream) -> Option<Event> {
    let (mut name, mut id, mut data) = ("message".to_owned(), String::new(), Value::Null);
    loop {
        let line = stream.line()?;
        match line.split_once(": ") {
            Some(("event", value)) => name = value.to_owned(),
            Some(("id", value)) => id = value.to_owned(),
            Some(("data", value)) => data = serde_json::from_str(value).unwrap(),
            Some(("retry", _)) => {}
            _ if line.is_empty() => return Some((name, id, data)),
            _ => panic!("{line:?} in an event"),
        }
    }
}

fn message(stream: &mut Stream) -> (String, String) {
    let (name, id, data) = event(stream).expect("a message");
    assert_eq!((name.as_str(), &data["id"]), ("message", &json!(id)));
    (id, data["message"].as_str().unwrap().to_owned())
}

#[test]
fn stream_sends_what_comes_and_goes_on_after_its_last_event() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let token = bearer(&neko);
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko before"));
    let mut stream = Stream::open(server.http(), "/inbox/sse", &[("Authorization", &token)]);
    assert!(stream.head.contains("text/event-stream; charset=utf-8"), "{}", stream.head);
    let (name, place, open) = event(&mut stream).unwrap();
    assert_eq!((name.as_str(), &open["topic"]), ("open", &json!("neko")));
    assert!(!place.is_empty(), "every event has an id");
    wire.done(format!("send {paff} neko one"));
    wire.done(format!("send {neko} neko two"));
    let (first, text) = message(&mut stream);
    assert_eq!((text.as_str(), message(&mut stream).1.as_str()), ("one", "two"));
    drop(stream);

    // The events were read, and the connection was lost at any of them.
    let mut random = Random::new();
    let mut last = first;
    let mut got = vec!["one".to_owned()];
    for number in 0..40 {
        wire.done(format!("send {paff} neko {number}"));
        let fields = [("Authorization", token.as_str()), ("Last-Event-ID", &last)];
        let mut stream = Stream::open(server.http(), "/inbox/sse?since=all", &fields);
        let (_, place, _) = event(&mut stream).unwrap();
        assert_eq!(place, last, "it begins where the client is");
        for _ in 0..random.below(3).min(number + 2 - got.len() + 1) {
            let (id, text) = message(&mut stream);
            (last, _) = (id, got.push(text));
        }
    }
    let fields = [("Authorization", token.as_str()), ("Last-Event-ID", &last)];
    let mut stream = Stream::open(server.http(), "/inbox/sse", &fields);
    event(&mut stream).unwrap();
    while got.len() < 42 {
        got.push(message(&mut stream).1);
    }
    let expected = ["one".to_owned(), "two".to_owned()].into_iter();
    assert_eq!(got, expected.chain((0..40).map(|number| number.to_string())).collect::<Vec<_>>());
}

#[test]
fn id_that_is_not_here_yet_skips_nothing() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let token = bearer(&neko);
    server.connect().done(format!("send {paff} neko old"));
    let fields = [("Authorization", token.as_str()), ("Last-Event-ID", "1000000")];
    let mut stream = Stream::open(server.http(), "/inbox/sse", &fields);
    let (_, place, _) = event(&mut stream).unwrap();
    assert_eq!(place, "1", "the client sees where it is");
    server.connect().done(format!("send {paff} neko new"));
    assert_eq!(message(&mut stream).1, "new");
    for wrong in ["hwQ2YpKdmg", "-1", "1.5"] {
        let fields = [("Authorization", token.as_str()), ("Last-Event-ID", wrong)];
        assert_eq!(send(server.http(), "GET /inbox/sse", &fields, "").status, 400, "{wrong}");
    }
}

#[test]
fn cursor_is_a_durable_place() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let token = bearer(&neko);
    let mut wire = server.connect();
    let id = |reply: &Value| reply["id"].to_string();
    let posts: Vec<String> = ["one", "two"]
        .iter()
        .map(|text| {
            let post = json!({"to": ["neko"], "body": text});
            id(&wire.done(format!("post {paff} {post}")))
        })
        .collect();
    let path = format!("POST /inbox/ack?cursor=lights&upto={}", posts[0]);
    let fields = [("Authorization", token.as_str())];
    let moved = send(server.http(), &path, &fields, "");
    assert_eq!(moved.status, 200, "{moved:?}");
    let moved: Value = serde_json::from_str(&moved.body).unwrap();
    assert_eq!(moved, json!({"cursor": "lights", "upto": posts[0]}));
    assert_eq!(texts(&server, &token, "/inbox/json?poll=1&cursor=lights"), ["two"]);
    let mut stream = Stream::open(server.http(), "/inbox/json?cursor=lights", &fields);
    let open: Value = serde_json::from_str(&stream.line().unwrap()).unwrap();
    assert_eq!((&open["event"], &open["id"]), (&json!("open"), &json!(posts[0])));
    let two: Value = serde_json::from_str(&stream.line().unwrap()).unwrap();
    assert_eq!((&two["message"], &two["from"]), (&json!("two"), &json!("paff")));
    let beyond = send(server.http(), "POST /inbox/ack?upto=1000000", &fields, "");
    assert_eq!(beyond.status, 404, "{beyond:?}");
    assert_eq!(send(server.http(), "POST /inbox/ack", &fields, "").status, 400);
    assert_eq!(send(server.http(), "POST /paff/ack?upto=1", &fields, "").status, 403);
}

#[test]
fn silent_stream_gets_signs_of_life() {
    let server = Server::start_with(&["--http", "127.0.0.1:0", "--heartbeat", "100ms"]);
    let token = bearer(&server.log_in("neko"));
    let mut stream = Stream::open(server.http(), "/inbox/json", &[("Authorization", &token)]);
    for expected in ["open", "keepalive", "keepalive"] {
        let event: Value = serde_json::from_str(&stream.line().unwrap()).unwrap();
        assert_eq!(event["event"], expected);
    }
    let mut raw = Stream::open(server.http(), "/inbox/raw", &[("Authorization", &token)]);
    assert_eq!((raw.line().as_deref(), raw.line().as_deref()), (Some(""), Some("")));
}

#[test]
fn stream_ends_with_its_session_and_with_the_server() {
    let mut server = Server::start_with(HTTP);
    let (mine, other) = (server.log_in("neko"), server.log_in("neko"));
    let mut streams: Vec<Stream> = [&mine, &other]
        .iter()
        .map(|token| {
            let token = bearer(token);
            Stream::open(server.http(), "/inbox/json", &[("Authorization", &token)])
        })
        .collect();
    streams.iter_mut().for_each(|stream| assert!(stream.line().is_some()));
    server.connect().done(format!("logout {mine}"));
    assert_eq!(streams[0].line(), None, "the session has ended");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(streams[1].line(), None, "the server is stopping");
    assert_eq!(server.wait().code(), Some(0));
}
