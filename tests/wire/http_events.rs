//! The events of `watch` over HTTP.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::http::{Stream, send};

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];

#[test]
fn events_are_those_of_watch_and_continue_without_gap_or_repeat() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
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
    let (_, event) = next(&mut stream);
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
