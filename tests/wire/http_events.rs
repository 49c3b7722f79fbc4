//! The events of `watch` over HTTP.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::http::{Stream, get, send};
use crate::support::json_schema::check;

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];

#[test]
fn events_are_those_of_watch_and_continue_without_gap_or_repeat() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let document = get(server.http(), "/api/v1/openapi.json").body;
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut wire = server.connect();
    let send_from_paff = |text: &str| {
        let post = json!({"to": ["neko"], "body": text});
        server.connect().done(format!("post {paff} {post}"))["id"].as_i64().unwrap()
    };
    let first = send_from_paff("one\nwith a line");
    let bearer = format!("Bearer {neko}");
    let open = |more: &[(&str, &str)]| {
        let fields: Vec<_> =
            [("Authorization", bearer.as_str())].iter().chain(more).copied().collect();
        let stream = Stream::open(server.http(), "/api/v1/events?since=all", &fields);
        assert!(stream.head.contains("text/event-stream"), "{}", stream.head);
        stream
    };
    let next = |stream: &mut Stream| -> (i64, Value) {
        let mut id = 0;
        loop {
            let line = stream.line().expect("an event");
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.parse().unwrap();
            }
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let event: Value = serde_json::from_str(data).unwrap();
            let fault =
                check(&document, &document["components"]["schemas"]["Event"], &event, false);
            assert_eq!(fault, Ok(()), "{event}");
            if event["event"] != "heartbeat" {
                return (id, event);
            }
        }
    };
    let mut stream = open(&[]);
    let (id, event) = next(&mut stream);
    assert_eq!(
        (id, &event["body"], &event["from"]),
        (first, &json!("one\nwith a line"), &json!("paff"))
    );
    let sent = wire.done(format!(r#"post {neko} {{"to": ["paff"], "body": "answer"}}"#));
    let (id, event) = next(&mut stream);
    assert_eq!(
        (&event["event"], &event["id"], &event["to"]),
        (&json!("sent"), &sent["id"], &json!("paff"))
    );
    assert_eq!(id, first, "what was sent moves no place");
    wire.done(format!(r#"ack {neko} {{"with": "paff", "upto": {first}}}"#));
    // The mark also moves the floor, and on PostgreSQL the news of that may come first.
    let mut events = std::iter::repeat_with(|| next(&mut stream).1);
    let event = events.find(|event| event["cursor"].is_null()).unwrap();
    assert_eq!(
        (&event["event"], &event["with"], &event["upto"]),
        (&json!("read"), &json!("paff"), &json!(first))
    );

    let second = send_from_paff("two");
    let mut resumed = open(&[("Last-Event-ID", &first.to_string())]);
    let (id, event) = next(&mut resumed);
    assert_eq!((id, &event["body"]), (second, &json!("two")));
    let refused = send(server.http(), "GET /api/v1/events", &[], "");
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("\"status\": \"ERROR\""), "{refused:?}");
}

#[test]
fn document_has_the_parameters_of_the_stream() {
    let server = Server::start_with(HTTP);
    let document = get(server.http(), "/api/v1/openapi.json").body;
    let document: Value = serde_json::from_str(&document).unwrap();
    let events = &document["paths"]["/api/v1/events"]["get"];
    let schema = &document["components"]["schemas"]["Event"];
    for no_event in
        [json!({}), json!({"status": "OK", "event": "nothing"}), json!({"event": "sent"})]
    {
        assert!(check(&document, schema, &no_event, false).is_err(), "{no_event}");
    }
    let neko = format!("Bearer {}", server.log_in("neko"));
    let mut named = Vec::new();
    for parameter in events["parameters"].as_array().unwrap() {
        let name = parameter["name"].as_str().unwrap();
        let value = match name {
            "poll" | "priority" => "1",
            "since" => "all",
            "cursor" | "tags" => "lights",
            "Last-Event-ID" => "0",
            other => panic!("{other}: give a value"),
        };
        let mut fields = vec![("Authorization", neko.as_str())];
        let mut query = String::new();
        match parameter["in"].as_str() {
            Some("header") => fields.push((name, value)),
            place => {
                assert_eq!(place, Some("query"), "{parameter}");
                query = format!("?{name}={value}");
            }
        }
        let stream = Stream::open(server.http(), &format!("/api/v1/events{query}"), &fields);
        assert!(stream.head.contains(" 200 OK"), "{name}: {}", stream.head);
        named.push(name);
    }
    assert_eq!(named, ["poll", "since", "cursor", "priority", "tags", "Last-Event-ID"]);
    let path = "GET /api/v1/events?nothing=1";
    assert_eq!(send(server.http(), path, &[("Authorization", &neko)], "").status, 400);
}
