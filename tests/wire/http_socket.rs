//! The line protocol over WebSocket.

use std::io::Write;

use serde_json::{Value, json};

use crate::http_limits::{fill_inbox, wait_until_cut};
use crate::limits::{forget_peak, peak_kib, resident_kib};
use crate::support::http::Response;
use crate::support::websocket::{
    BINARY, Closed, HANDSHAKE, PING, PONG, TEXT, WebSocket, frame, shake_hands,
};
use crate::support::{Server, Wire, wait_until};

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];
const PATH: &str = "/api/v1/socket";
/// `paff:cytus`
const PAFF: &str = "Basic cGFmZjpjeXR1cw==";
/// The longest line that is accepted.
const LINE_BYTES_MAX: usize = 256 * 1024;

fn open(server: &Server, authorization: &str) -> Wire<WebSocket> {
    let fields = [("Authorization", authorization)];
    let fields = if authorization.is_empty() { &[][..] } else { &fields[..] };
    Wire::over(WebSocket::open(server.http(), PATH, fields).expect("it is opened"))
}

fn bearer(server: &Server, user: &str) -> String {
    format!("Bearer {}", server.log_in(user))
}

#[test]
fn lines_have_a_token_of_their_own_or_the_one_of_the_handshake() {
    let server = Server::start_with(HTTP);
    let mut stranger = open(&server, "");
    assert_eq!(stranger.refused("whoami -"), "no_session", "the handshake names nobody");
    let neko = stranger.done("auth neko cytus")["tokenid"].as_str().unwrap().to_owned();
    assert_eq!(stranger.done(format!("whoami {neko}"))["user"], "neko");
    for authorization in [bearer(&server, "paff").as_str(), PAFF] {
        let mut wire = open(&server, authorization);
        assert_eq!(wire.done("whoami -")["user"], "paff");
        assert_eq!(wire.done(format!("whoami {neko}"))["user"], "neko", "the line says whose");
        wire.done("send - neko hai");
        wire.done(r#"post - {"to": ["neko"], "body": "- \n -"}"#);
    }
    let page = stranger.done(format!("fetch {neko}"));
    let texts: Vec<_> =
        page["messages"].as_array().unwrap().iter().map(|it| it["body"].clone()).collect();
    assert_eq!(texts, ["hai", "- \n -", "hai", "- \n -"]);
    let mut wire = open(&server, PAFF);
    wire.done("logout -");
    assert_eq!(wire.refused("whoami -"), "no_session");
}

#[test]
fn cookie_of_the_page_opens_one_for_the_page_only() {
    let server = Server::start_with(HTTP);
    let login = json!({"user": "paff", "password": "cytus"}).to_string();
    let opened = crate::support::http::send(server.http(), "POST /page/session", &[], login);
    let cookie = opened.field("set-cookie").and_then(|field| field.split(';').next()).unwrap();
    let own = format!("http://{}", server.http());
    let fields = [("Cookie", cookie), ("Origin", own.as_str())];
    let socket = WebSocket::open(server.http(), PATH, &fields).expect("a page of this server");
    assert_eq!(Wire::over(socket).done("whoami -")["user"], "paff");
    for origin in [&[][..], &[("Origin", "https://evil.example")]] {
        let fields = [&[("Cookie", cookie)], origin].concat();
        let refused = WebSocket::open(server.http(), PATH, &fields).err().expect("a refusal");
        assert_eq!(refused.status, 403, "{origin:?}: {refused:?}");
    }
}

#[test]
fn token_keeps_its_rights() {
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let fields = json!({"name": "ci", "can": "send", "to": ["neko"]});
    let created = server.connect().done(format!("token_create {paff} {fields}"));
    let mut wire = open(&server, &format!("Bearer {}", created["token"].as_str().unwrap()));
    wire.done("send - neko hai");
    assert_eq!(wire.refused("send - robo hai"), "unknown_recipient");
    assert_eq!(wire.refused("watch - {}"), "token_rights");
}

#[test]
fn new_password_ends_the_sign_in_with_the_old_one() {
    let server = Server::start_with(HTTP);
    open(&server, PAFF).done(r#"passwd - {"old": "cytus", "new": "correct horse"}"#);
    let fields = [("Authorization", PAFF)];
    let refused = WebSocket::open(server.http(), PATH, &fields).err().expect("a refusal");
    assert_eq!(refused.status, 401, "{refused:?}");
}

#[test]
fn stream_has_each_message_once_in_order_beside_replies() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), bearer(&server, "neko"));
    let mut sender = server.connect();
    let mut send = |from: usize, to: usize| {
        (from..to).for_each(|number| sender.send(format!("send {paff} neko {number}\r\n")));
        (from..to).for_each(|_| assert_eq!(sender.reply()["status"], "OK"));
    };
    send(0, 300);
    let mut wire = open(&server, &neko);
    assert_eq!(wire.done(r#"watch - {"from": "all"}"#)["watching"], "neko");
    let event = |wire: &mut Wire<WebSocket>| loop {
        let event = wire.reply();
        if event["event"] == "message" {
            return event;
        }
        assert_eq!(event["event"], "caught_up", "{event}");
    };
    let mut last = 0;
    for number in 0..300 {
        let event = event(&mut wire);
        assert_eq!(event["body"], number.to_string());
        last = event["id"].as_i64().unwrap();
    }
    drop(wire);
    // Away while more come, and then back after the last one.
    send(300, 400);
    let mut wire = open(&server, &neko);
    wire.done(format!(r#"watch - {{"from": {last}}}"#));
    send(400, 500);
    for number in 300..500 {
        assert_eq!(event(&mut wire)["body"], number.to_string());
    }
    wire.send("unread -\r\n");
    // What came last may have been a part of the backlog.
    let reply = match wire.reply() {
        event if event["event"] == "caught_up" => wire.reply(),
        reply => reply,
    };
    assert_eq!(reply["unread"], 500, "requests are answered between the events");
}

#[test]
fn ten_thousand_lines_at_once_are_answered_in_order() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (bearer(&server, "paff"), server.log_in("neko"));
    let socket = WebSocket::open(server.http(), PATH, &[("Authorization", &paff)]).expect("opened");
    let mut writer = socket.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        let frames: Vec<u8> = (0..10_000)
            .flat_map(|number| {
                let line = match number % 1_000 {
                    999 => "unread -".to_owned(),
                    _ => format!("send - neko {number}"),
                };
                frame(0x80 | TEXT, line.as_bytes())
            })
            .collect();
        writer.write_all(&frames).unwrap();
    });
    let mut wire = Wire::over(socket);
    for number in 0..10_000 {
        let reply = wire.reply();
        let is_count = reply.get("unread").is_some();
        assert_eq!((is_count, &reply["status"]), (number % 1_000 == 999, &json!("OK")), "{number}");
    }
    sending.join().unwrap();
    assert_eq!(server.connect().done(format!("unread {neko}"))["unread"], 9_990);
}

/// The response to a handshake whose fields differ from a good one.
fn refused(server: &Server, path: &str, changes: &[(&str, &str)]) -> Response {
    let mut fields: Vec<(&str, &str)> = HANDSHAKE.to_vec();
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
    shake_hands(server.http(), path, &fields).1
}

#[test]
fn handshake_that_is_not_right_is_refused() {
    let server = Server::start_with(HTTP);
    let host = server.http().to_string();
    let own = format!("http://{host}");
    let secret = "ct_0123456789abcdef";
    let with_secret = format!("{PATH}?token={secret}");
    for (path, changes, status) in [
        (PATH, &[][..], 101),
        (PATH, &[("Origin", own.as_str())], 101),
        (PATH, &[("Sec-WebSocket-Protocol", "mqtt, chat")], 101),
        (PATH, &[("Connection", "")], 426),
        (PATH, &[("Upgrade", "")], 426),
        (PATH, &[("Upgrade", "h2c")], 426),
        (PATH, &[("Sec-WebSocket-Version", "8")], 426),
        (PATH, &[("Sec-WebSocket-Key", "")], 400),
        (PATH, &[("Sec-WebSocket-Key", "c2hvcnQ=")], 400),
        (PATH, &[("Sec-WebSocket-Protocol", secret)], 400),
        (&with_secret, &[], 400),
        (PATH, &[("Origin", "https://evil.example")], 403),
        (PATH, &[("Origin", "null")], 403),
        (PATH, &[("Origin", own.as_str()), ("Host", "evil.example")], 400),
        (PATH, &[("Sec-Fetch-Site", "cross-site")], 403),
        (PATH, &[("Authorization", "Bearer x")], 401),
        (PATH, &[("Authorization", "Bearer 7a592c0e-2cb5-4de6-866b-4e216b0caf15")], 401),
    ] {
        let response = refused(&server, path, changes);
        assert_eq!(response.status, status, "{path} {changes:?}: {response:?}");
        assert!(!response.head.contains(secret), "{response:?}");
        if status == 426 {
            assert_eq!(response.field("sec-websocket-version"), Some("13"), "{response:?}");
        }
    }
    let chosen = refused(&server, PATH, &[("Sec-WebSocket-Protocol", "mqtt, chat")]);
    assert_eq!(chosen.field("sec-websocket-protocol"), Some("chat"));
}

#[test]
fn texts_that_are_no_lines_are_refused_and_other_frames_end_it() {
    let server = Server::start_with(HTTP);
    let paff = bearer(&server, "paff");
    let mut wire = open(&server, &paff);
    let long = "x".repeat(LINE_BYTES_MAX + 1);
    for (line, code) in [
        ("", "bad_request"),
        ("whoami -\nwhoami -", "bad_line"),
        ("whoami -\n", "bad_line"),
        ("a\0b", "bad_line"),
        ("nothing -", "unknown_command"),
        (&long, "line_too_long"),
    ] {
        wire.stream_mut().send(line);
        assert_eq!(wire.reply()["code"], code, "{} bytes", line.len());
        wire.done("whoami -");
    }
    wire.stream_mut().send(&format!("hello{}", " ".repeat(LINE_BYTES_MAX - 5)));
    assert_eq!(wire.reply()["status"], "OK", "a line of exactly the limit");
    let ends: [(Vec<u8>, u16); 5] = [
        (frame(0x80 | BINARY, b"whoami -"), 1003),
        (frame(0x80 | TEXT, &[0xff]), 1007),
        (frame(0x80 | TEXT, "x".repeat(LINE_BYTES_MAX * 2).as_bytes()), 1009),
        // No mask; and a kind that there is not.
        (b"\x81\x05hello".to_vec(), 1002),
        (frame(0x80 | 3, b"whoami -"), 1002),
    ];
    for (bytes, code) in ends {
        let mut wire = open(&server, &paff);
        wire.done("send - neko hai");
        // It may close before all was written.
        let _ = wire.stream_mut().stream.write_all(&bytes);
        let closed = wire.stream_mut().closed();
        assert!(closed.as_ref().is_some_and(|closed| closed.code == code), "{code}: {closed:?}");
    }
    // A line in parts, with a ping between them.
    let mut wire = open(&server, &paff);
    let stream = &mut wire.stream_mut().stream;
    let parts = [frame(TEXT, b"who"), frame(0x80 | PING, b"hai"), frame(0x80, b"ami -")];
    stream.write_all(&parts.concat()).unwrap();
    assert_eq!(wire.stream_mut().frame(), Some((PONG, b"hai".to_vec())));
    assert_eq!(wire.reply()["user"], "paff");
    assert_eq!(server.connect().done(format!("unread {}", server.log_in("neko")))["unread"], 5);
}

#[test]
fn silent_client_is_asked_and_one_that_was_asked_and_answers_stays() {
    let server = Server::start_with(&["--http", "127.0.0.1:0", "--heartbeat", "1s"]);
    let mut wire = open(&server, PAFF);
    for _ in 0..3 {
        let (kind, payload) = wire.stream_mut().frame().expect("a ping");
        assert_eq!(kind, PING);
        wire.stream_mut().send_frame(PONG, &payload);
    }
    wire.done("whoami -");
}

#[test]
fn client_that_reads_nothing_is_cut_and_takes_bounded_memory() {
    let server = Server::start_with(HTTP);
    fill_inbox(&server);
    let neko = bearer(&server, "neko");
    let before = resident_kib(server.pid());
    forget_peak(server.pid());
    let slow: Vec<WebSocket> = (0..8)
        .map(|number| {
            let mut slow =
                WebSocket::open(server.http(), PATH, &[("Authorization", &neko)]).expect("opened");
            rustix::net::sockopt::set_socket_recv_buffer_size(&slow.stream, 64 * 1024).unwrap();
            match number % 2 {
                0 => slow.send(r#"watch - {"from": "all"}"#),
                _ => (0..64).for_each(|_| slow.send("fetch - {}")),
            }
            slow
        })
        .collect();
    let mut quick = open(&server, &neko);
    quick.done(r#"watch - {"from": "all"}"#);
    let is_text = |event: &Value| event["event"] == "message";
    assert_eq!((0..400).filter(|_| is_text(&quick.reply())).count(), 400);
    drop(quick);
    wait_until_cut(&server);
    let grown = peak_kib(server.pid()).saturating_sub(before);
    // SQLite's caches, and for each of them a page and the text of a page.
    assert!(grown < 40 * 1024, "{grown} KiB");
    drop(slow);
    open(&server, &neko).done("whoami -");
}

#[test]
fn open_websockets_count_as_connections() {
    let server = Server::start_with(&[HTTP, &["--connections-max", "2"]].concat());
    let (mut first, mut second) = (open(&server, PAFF), open(&server, PAFF));
    first.done("whoami -");
    second.done("whoami -");
    let mut third = crate::support::http::connect(server.http());
    let _ = third.write_all(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let read = std::io::Read::read(&mut third, &mut [0]);
    assert_eq!(read.unwrap_or(0), 0, "both places are taken");
    first.done("whoami -");
    drop(second);
    let is_free = || {
        let mut stream = crate::support::http::connect(server.http());
        let request = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(request);
        std::io::Read::read(&mut stream, &mut [0]).is_ok_and(|count| count > 0)
    };
    crate::support::wait_until("a closed WebSocket keeps its place", is_free);
}

#[test]
fn stop_of_the_server_answers_and_then_says_why_it_closes() {
    let mut server = Server::start_with(HTTP);
    let mut wire = open(&server, PAFF);
    wire.done(r#"watch - {"from": "new"}"#);
    assert_eq!(wire.reply()["event"], "caught_up");
    server.signal(rustix::process::Signal::TERM);
    let reason = "the server is stopping".to_owned();
    assert_eq!(wire.stream_mut().closed(), Some(Closed { code: 1001, reason }));
    assert!(server.wait().success());
}

#[test]
fn user_of_an_open_websocket_is_connected() {
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    let mut who = || {
        let found = wire.done(format!("who {paff}"));
        let users = found["users"].as_array().unwrap().iter();
        users.map(|of| of["user"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut socket = open(&server, &bearer(&server, "neko"));
    socket.done("unread -");
    assert_eq!(who(), ["neko", "paff"]);
    drop(socket);
    wait_until("neko is gone", || who() == ["paff"]);
}
