//! Exactly once over HTTP: a connection is cut after any byte, in either direction, and the server
//! is killed in the middle. A request with a key gets a true answer or none, and a repeated request
//! is the same message.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use serde_json::Value;

use crate::support::http::{Stream, connect, send};
use crate::support::relay::{Passage, Relay};
use crate::support::{Random, Server, scaled};

const HTTP: &[&str] = &["--http", "127.0.0.1:0"];

/// A request that publishes a message once.
fn request(token: &str, key: &str) -> String {
    format!(
        "POST /neko HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Idempotency-Key: {key}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nhai"
    )
}

/// Sends a request. Gives the id of the message, if the whole answer has come.
fn publish(mut stream: TcpStream, request: &str) -> Option<String> {
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // A cut connection may end with an error.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("an answer is text");
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let fields: Value = serde_json::from_str(body).ok()?;
    Some(fields["id"].as_str().expect("an id").to_owned())
}

/// How many connections are cut at a time.
const LANES: usize = 8;

#[test]
fn cut_after_every_byte_stores_a_keyed_message_once() {
    let server = Server::start_with(HTTP);
    let token = server.log_in("paff");
    for to_the_server in [true, false] {
        let key = |offset: usize| format!("{to_the_server}-{offset:04}");
        let cut = |lane: usize| {
            let relay = Relay::to(server.http());
            for offset in (lane..).step_by(LANES) {
                let (request, cut) = (request(&token, &key(offset)), Some(offset));
                let passage = match to_the_server {
                    true => Passage { to_server: cut, ..Passage::default() },
                    false => Passage { to_client: cut, ..Passage::default() },
                };
                relay.pass(passage, 1);
                let first = publish(connect(relay.address()), &request);
                let again = publish(connect(server.http()), &request).expect("an answer");
                if let Some(first) = &first {
                    assert_eq!(*first, again, "cut at {offset}");
                }
                if first.is_some() && offset > request.len() {
                    return offset;
                }
            }
            unreachable!("there are more offsets")
        };
        let last = thread::scope(|scope| {
            let lanes: Vec<_> = (0..LANES).map(|lane| scope.spawn(move || cut(lane))).collect();
            lanes.into_iter().map(|lane| lane.join().expect("a lane")).min().expect("lanes")
        });
        let stored = server.query(&format!(
            "select key || ' ' || count(*) from messages where key <= '{}' and key >= '{}' \
             group by key order by key",
            key(last),
            key(0)
        ));
        let expected: Vec<String> = (0..=last).map(|offset| format!("{} 1", key(offset))).collect();
        assert_eq!(stored, expected);
    }
}

#[test]
fn killed_server_has_each_answered_message_once_and_its_streams_go_on() {
    let mut server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let (paff, neko) = (format!("Bearer {paff}"), format!("Bearer {neko}"));
    let mut random = Random::new();
    let (mut last, mut read) = ("0".to_owned(), Vec::new());
    let mut expected = Vec::new();
    for round in 0..scaled(5, 50) {
        let fields = [("Authorization", neko.as_str()), ("Last-Event-ID", &last)];
        let mut stream = Stream::open(server.http(), "/inbox/json", &fields);
        assert!(stream.line().is_some(), "it is open");
        let texts: Vec<String> = (0..8).map(|number| format!("{round}-{number}")).collect();
        let (http, wanted) = (server.http(), random.below(8));
        thread::scope(|scope| {
            let publisher = scope.spawn(|| {
                // Each request has its connection; the kill ends one of them at any moment.
                texts.iter().take_while(|text| try_publish(http, &paff, text)).count()
            });
            for _ in 0..wanted {
                let Some(line) = stream.line() else { break };
                take(&line, &mut last, &mut read);
            }
            server.kill();
            publisher.join().unwrap();
        });
        server.start_again();
        for text in &texts {
            let fields = [("Authorization", paff.as_str()), ("Idempotency-Key", text)];
            let response = send(server.http(), "POST /neko", &fields, text);
            assert_eq!(response.status, 200, "{response:?}");
        }
        expected.extend(texts);
    }
    let fields = [("Authorization", neko.as_str()), ("Last-Event-ID", &last)];
    let mut stream = Stream::open(server.http(), "/inbox/json?poll=1", &fields);
    while let Some(line) = stream.line() {
        take(&line, &mut last, &mut read);
    }
    assert_eq!(read, expected, "each message once, in order");
}

/// The messages of a stream until its end or cut. Half an event is none. `last` becomes the id of
/// the last one.
fn messages(stream: &mut Stream, last: &mut String) -> Vec<String> {
    let (mut id, mut data, mut texts) = (String::new(), Value::Null, Vec::new());
    while let Some(line) = stream.line() {
        match line.split_once(": ") {
            Some(("id", value)) => id = value.to_owned(),
            Some(("data", value)) => data = serde_json::from_str(value).unwrap_or_default(),
            _ if line.is_empty() => {
                last.clone_from(&id);
                texts.extend(data["message"].as_str().map(str::to_owned));
            }
            _ => {}
        }
    }
    texts
}

#[test]
fn stream_cut_after_every_byte_goes_on_with_each_message_once() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), format!("Bearer {}", server.log_in("neko")));
    let expected: Vec<String> = (0..4).map(|number| format!("text {number}")).collect();
    let mut wire = server.connect();
    expected.iter().for_each(|text| _ = wire.done(format!("send {paff} neko {text}")));
    let cut = |lane: usize| {
        let relay = Relay::to(server.http());
        for offset in (lane..).step_by(LANES) {
            relay.pass(Passage { to_client: Some(offset), ..Passage::default() }, 1);
            let mut last = "0".to_owned();
            let fields = [("Authorization", neko.as_str()), ("Last-Event-ID", "0")];
            let mut stream = Stream::open(relay.address(), "/inbox/sse?poll=1", &fields);
            let mut texts = messages(&mut stream, &mut last);
            let is_whole = texts.len() == expected.len();
            let fields = [("Authorization", neko.as_str()), ("Last-Event-ID", &last)];
            let mut stream = Stream::open(relay.address(), "/inbox/sse?poll=1", &fields);
            texts.extend(messages(&mut stream, &mut last));
            assert_eq!(texts, expected, "cut at {offset}");
            if is_whole {
                return;
            }
        }
    };
    thread::scope(|scope| {
        for lane in 0..LANES {
            let cut = &cut;
            scope.spawn(move || cut(lane));
        }
    });
}

fn try_publish(http: std::net::SocketAddr, token: &str, text: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(http) else { return false };
    let request = format!(
        "POST /neko HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\nConnection: close\r\n\
         Idempotency-Key: {text}\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    let mut answer = Vec::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_end(&mut answer).is_ok()
        && answer.starts_with(b"HTTP/1.1 200 OK")
}

/// Takes a message of a stream. A line that the kill has cut is not read.
fn take(line: &str, last: &mut String, read: &mut Vec<String>) {
    let Ok(event) = serde_json::from_str::<Value>(line) else { return };
    if event["event"] == "message" {
        *last = event["id"].as_str().expect("an id").to_owned();
        read.push(event["message"].as_str().expect("a text").to_owned());
    }
}
