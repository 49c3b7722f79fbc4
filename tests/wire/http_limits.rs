//! The limits of HTTP for users: slow readers, and the number of connections.

use serde_json::json;

use crate::limits::{forget_peak, peak_kib, resident_kib};
use crate::support::Server;
use crate::support::http::{Stream, connect};
use crate::support::http2::{DATA, HEADERS, Http2};

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];
/// The requests at a time on one connection of HTTP/2.
const REQUESTS_MAX: usize = 16;

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Gives neko an inbox of 12 MB.
fn fill_inbox(server: &Server) {
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
fn wait_until_cut(server: &Server) {
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
