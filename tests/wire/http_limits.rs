//! The limits of HTTP for users: slow readers, and the number of connections.

use serde_json::json;

use crate::limits::{forget_peak, peak_kib, resident_kib};
use crate::support::Server;
use crate::support::http::{Stream, connect, read_to_end, send};
use crate::support::http2::{DATA, HEADERS, Http2};

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];
/// The requests at a time on one connection of HTTP/2.
const REQUESTS_MAX: usize = 16;

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Gives neko an inbox of 12 MB.
pub fn fill_inbox(server: &Server) {
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    let text = "x".repeat(30_000);
    (0..400).for_each(|_| wire.send(format!("send {paff} neko {text}\r\n")));
    (0..400).for_each(|_| assert_eq!(wire.reply()["status"], "OK"));
}

#[test]
fn responses_that_nobody_reads_take_bounded_memory_and_end() {
    let server = Server::start_with(HTTP);
    fill_inbox(&server);
    let neko = bearer(&server.log_in("neko"));
    // A stream whose window is open waits for the next message, not for its reader.
    let mut patient = Http2::connect(server.http(), 65_535);
    let stream = patient.get("/inbox/json", &neko);
    let data = |http: &mut Http2| loop {
        let frame = http.frame().expect("the stream goes on");
        if (frame.kind, frame.stream) == (DATA, stream) {
            return String::from_utf8(frame.payload).unwrap();
        }
    };
    assert!(data(&mut patient).contains("open"));
    let before = resident_kib(server.pid());
    forget_peak(server.pid());
    let mut hostile: Vec<Http2> = (0..2)
        .map(|_| {
            let mut http = Http2::connect(server.http(), 0);
            (0..64).for_each(|_| _ = http.get("/inbox/json?poll=1", &neko));
            http
        })
        .collect();
    for http in &mut hostile {
        let mut served = 0;
        // Without a deadline the connection never ends, and the client's patience does.
        while let Some(frame) = http.frame() {
            assert_ne!(frame.kind, DATA, "the window is closed");
            served += usize::from(frame.kind == HEADERS);
        }
        assert!((1..=REQUESTS_MAX).contains(&served), "{served}");
    }
    let grown = peak_kib(server.pid()).saturating_sub(before);
    // SQLite's caches, 8 pages of 1 MiB, and 32 responses of 0.3 MiB.
    assert!(grown < 32 * 1024, "{grown} KiB");
    let post = json!({"to": ["neko"], "body": "hai"});
    let paff = server.log_in("paff");
    server.connect().done(format!("post {paff} {post}"));
    assert!(data(&mut patient).contains("hai"), "a silent stream is not a slow reader");
}

#[test]
fn reader_over_http_1_that_reads_nothing_is_cut() {
    use std::io::{Read, Write};
    let server = Server::start_with(HTTP);
    fill_inbox(&server);
    let neko = bearer(&server.log_in("neko"));
    let mut slow = connect(server.http());
    // The response does not fit into the buffers of the system.
    rustix::net::sockopt::set_socket_recv_buffer_size(&slow, 64 * 1024).unwrap();
    let request = format!(
        "GET /inbox/json?poll=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {neko}\r\n\r\n"
    );
    slow.write_all(request.as_bytes()).unwrap();
    // The one that reads has the whole response.
    let mut quick = Stream::open(server.http(), "/inbox/json?poll=1", &[("Authorization", &neko)]);
    let lines = std::iter::from_fn(|| quick.line()).count();
    assert_eq!(lines, 400);
    wait_until_cut(&server);
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the client sees that the response is incomplete");
}

/// Waits until the server has no connection of HTTP whose output waits.
pub fn wait_until_cut(server: &Server) {
    let port = format!(":{:04X}", server.http().port());
    crate::support::wait_until("a slow reader keeps its connection", || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        !table.lines().skip(1).any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // The local address, the state ESTABLISHED, and the descriptor's inode.
            fields[1].ends_with(&port) && fields[3] == "01" && fields[9] != "0"
        })
    });
}

/// A request, as it is on the wire.
fn raw(server: &Server, request: &str) -> u16 {
    use std::io::Write;
    let mut stream = connect(server.http());
    stream.write_all(request.as_bytes()).unwrap();
    read_to_end(&mut stream).status
}

#[test]
fn head_and_body_beyond_their_limits_are_refused() {
    let server = Server::start_with(HTTP);
    let paff = bearer(&server.log_in("paff"));
    let end = "Host: localhost\r\nConnection: close\r\n\r\n";
    let fields = |count: usize| "a: b\r\n".repeat(count);
    let health = "GET /v1/health HTTP/1.1\r\n";
    assert_eq!(raw(&server, &format!("{health}{}{end}", fields(62))), 200);
    assert_eq!(raw(&server, &format!("{health}{}{end}", fields(63))), 431);
    let long = "b".repeat(8 * 1024);
    assert_eq!(raw(&server, &format!("{health}a: {long}\r\n{end}")), 431);
    let object =
        json!({"topic": "neko", "message": "x".repeat(32 * 1024), "icon": "i".repeat(220_000)});
    let fields = [("Authorization", paff.as_str())];
    assert_eq!(send(server.http(), "POST /", &fields, object.to_string()).status, 200);
    let spaces = " ".repeat(256 * 1024);
    let refused = send(server.http(), "POST /", &fields, format!("{object}{spaces}"));
    assert_eq!(refused.status, 413, "{refused:?}");
    assert_eq!(send(server.http(), "GET /v1/health", &[], "").status, 200);
}

#[test]
fn connection_beyond_the_maximum_replaces_an_idle_one_or_is_closed() {
    use std::io::{Read, Write};
    let server = Server::start_with(&[HTTP, &["--connections-max", "3"]].concat());
    let neko = bearer(&server.log_in("neko"));
    let open = || Stream::open(server.http(), "/inbox/raw", &[("Authorization", &neko)]);
    let mut streams = [open(), open()];
    streams.iter_mut().for_each(|stream| assert_eq!(stream.line().as_deref(), Some("")));
    let mut idle = connect(server.http());
    idle.write_all(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(crate::support::http::read_one(&mut idle).status, 200);
    let mut third = open();
    assert_eq!(third.line().as_deref(), Some(""), "it has the place of the idle one");
    assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0, "that was closed");
    let mut fourth = connect(server.http());
    let _ = fourth.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(fourth.read(&mut [0]).unwrap_or(0), 0, "all places are taken by streams");
    let paff = server.log_in("paff");
    server.connect().done(format!("send {paff} neko hai"));
    for stream in streams.iter_mut().chain([&mut third]) {
        assert_eq!(stream.line().as_deref(), Some("hai"));
    }
}

#[test]
fn failed_logins_count_for_the_client_that_a_known_proxy_names() {
    // `paff:wrong`
    let wrong = "Basic cGFmZjp3cm9uZw==";
    let attempt = |server: &Server, clients: &str| {
        let fields = [("Authorization", wrong), ("X-Forwarded-For", clients)];
        send(server.http(), "POST /neko", &fields, "hai").status
    };
    let proxy = ["--proxy-protocol", "127.0.0.1", "--allow-default-passwords"];
    let server = Server::start_with(&[HTTP, &proxy].concat());
    for number in 0..5 {
        // The proxy appends to what its client claims.
        assert_eq!(attempt(&server, &format!("192.0.2.{number}, 203.0.113.1")), 401);
    }
    assert_eq!(attempt(&server, "203.0.113.1"), 429);
    assert_eq!(attempt(&server, "203.0.113.1, 203.0.113.2"), 401, "another client");
    let direct = Server::start_with(HTTP);
    for number in 0..5 {
        assert_eq!(attempt(&direct, &format!("203.0.113.{number}")), 401);
    }
    assert_eq!(attempt(&direct, "203.0.113.9"), 429, "anybody can claim an address");
}

#[test]
fn site_answers_to_the_names_that_the_operator_gives() {
    let server = Server::start_with(&[HTTP, &["--http-host", "chat.example,*.b.example"]].concat());
    let health = |host: &str| {
        let head = format!("Host: {host}\r\nConnection: close");
        raw(&server, &format!("GET /v1/health HTTP/1.1\r\n{head}\r\n\r\n"))
    };
    for host in ["chat.example", "CHAT.example:80", "a.b.example", "localhost", "127.0.0.1"] {
        assert_eq!(health(host), 200, "{host}");
    }
    for host in ["evil.example", "b.example", "chat.example.evil.example"] {
        assert_eq!(health(host), 421, "{host}");
    }
}

#[test]
fn renewed_certificate_brings_its_names() {
    use crate::support::tls::{Authority, Kind, as_str};
    let authority = Authority::new();
    let files = authority.server();
    let renewed = authority.issue("renewed", &["localhost", "new.example"], Kind::Good);
    let tls = ["--tls-cert", as_str(&files.certificate), "--tls-key", as_str(&files.key)];
    let server = Server::start_with(&[&["--http", "tls:127.0.0.1:0"], &tls[..], HTTP].concat());
    let health = || {
        let head = "Host: new.example\r\nConnection: close";
        raw(&server, &format!("GET /v1/health HTTP/1.1\r\n{head}\r\n\r\n"))
    };
    assert_eq!(health(), 421);
    files.become_as(&renewed);
    server.signal(rustix::process::Signal::HUP);
    crate::support::wait_until("the new name is not served", || health() == 200);
}
