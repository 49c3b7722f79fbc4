//! HEAD: what GET would answer, without its body, and without doing anything.

use std::io::Write;

use crate::support::Server;
use crate::support::http::{Response, connect, read_head, read_one, send};
use crate::support::websocket::{HANDSHAKE, shake_hands};

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];

/// The fields that may differ: the date, and what says how the body is sent.
fn fields(response: &Response) -> Vec<String> {
    let varying = ["date", "transfer-encoding", "content-length"];
    let lines = response.head.lines().skip(1).map(str::to_ascii_lowercase);
    let name = |line: &String| line.split(':').next().unwrap_or_default().to_owned();
    lines.filter(|line| !varying.contains(&name(line).as_str())).collect()
}

#[test]
fn head_of_each_path_is_that_of_its_get() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    server.connect().done(format!("send {paff} neko hai"));
    let bearer = format!("Bearer {neko}");
    let page = send(server.http(), "GET /", &[("Accept", "text/html")], "").body;
    let asset = page.split('"').find(|text| text.starts_with("/page/") && text.ends_with(".js"));
    let asset = asset.expect("the page has a script");
    for (path, status) in [
        ("/", 200),
        ("/v1/health", 200),
        ("/inbox/json?poll=1", 200),
        ("/inbox/sse?poll=1", 200),
        ("/inbox/raw?poll=1", 200),
        ("/neko/json?poll=1&since=latest", 200),
        ("/inbox/json?poll=1&since=nothing", 400),
        ("/paff/json?poll=1", 403),
        ("/inbox/ws", 426),
        ("/api/v1/events?poll=1", 200),
        ("/api/v1/socket", 426),
        ("/api/v1/openapi.json", 200),
        ("/api/v1/post", 405),
        ("/page/session", 200),
        ("/service-worker.js", 200),
        (asset, 200),
        ("/page/0/nothing.js", 404),
        ("/nothing/at/all", 404),
        ("/neko", 405),
        ("/hooks/ct_nothing", 405),
        ("/inbox/ack?upto=1", 405),
    ] {
        for accept in ["*/*", "text/html"] {
            let given = [("Authorization", bearer.as_str()), ("Accept", accept)];
            let of_get = send(server.http(), &format!("GET {path}"), &given, "");
            let of_head = send(server.http(), &format!("HEAD {path}"), &given, "");
            assert_eq!((of_get.status, of_head.status), (status, status), "{path}: {of_head:?}");
            assert_eq!(of_head.body, "", "{path}");
            assert_eq!(fields(&of_head), fields(&of_get), "{path}");
            let length = |response: &Response| response.field("content-length").map(str::to_owned);
            assert!(length(&of_head).is_none_or(|it| Some(it) == length(&of_get)), "{path}");
        }
    }
    assert_eq!(server.connect().done(format!("unread {neko}"))["unread"], 1);
}

#[test]
fn head_of_a_stream_ends_and_leaves_the_connection_usable() {
    let server = Server::start_with(HTTP);
    let neko = server.log_in("neko");
    let mut stream = connect(server.http());
    for path in ["/inbox/json", "/inbox/sse", "/inbox/raw", "/api/v1/events", "/neko/json"] {
        let head = format!("{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {neko}");
        stream.write_all(format!("HEAD {head}\r\n\r\n").as_bytes()).unwrap();
        let answer = read_head(&mut stream);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let health = "GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(health.as_bytes()).unwrap();
        assert_eq!(read_one(&mut stream).status, 200, "{path}: nothing comes behind the head");
    }
    for (method, path) in [("HEAD", "/inbox/ws"), ("HEAD", "/api/v1/socket")] {
        let given = [&HANDSHAKE[..], &[("Authorization", "Basic bmVrbzpjeXR1cw==")]].concat();
        let mut socket = connect(server.http());
        let given: String =
            given.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{given}\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        assert_eq!(read_head(&mut socket).status, 426, "{path}: a HEAD opens no WebSocket");
        let bearer = format!("Bearer {neko}");
        let fields = [&HANDSHAKE[..], &[("Authorization", bearer.as_str())]].concat();
        assert_eq!(shake_hands(server.http(), path, &fields).1.status, 101);
    }
}
