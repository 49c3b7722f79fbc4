//! Clients that are slow on purpose: each byte comes, and the request never does.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::http::{connect, read_one, responses, send};
use crate::support::websocket::{CLOSE, PING, PONG, TEXT, WebSocket, frame};
use crate::support::{PATIENCE, Server};

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];
/// The interval between two bytes of such a client.
const TICK: Duration = Duration::from_millis(200);

/// Writes `first`, and then `drop` again and again, until the server closes the connection. What it
/// has said.
fn trickle(mut stream: TcpStream, first: &[u8], drop: &[u8]) -> Vec<u8> {
    let begun = Instant::now();
    stream.set_read_timeout(Some(TICK)).unwrap();
    let (mut said, mut chunk) = (Vec::new(), [0; 1024]);
    let mut wrote = stream.write_all(first);
    loop {
        assert!(begun.elapsed() < PATIENCE, "it is still served after {:?}", begun.elapsed());
        match stream.read(&mut chunk) {
            Ok(0) => return said,
            Ok(count) => said.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // The server may have closed it in this direction.
                wrote = wrote.and_then(|()| stream.write_all(drop));
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                return said;
            }
        }
    }
}

#[test]
fn request_that_comes_byte_by_byte_for_ever_is_cut_and_others_are_served() {
    let server = Server::start_with(HTTP);
    let token = server.log_in("paff");
    let post = |more: &str| {
        format!("POST /neko HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{more}")
    };
    let health = "GET /v1/health HTTP/1.1\r\nHost: localhost\r\n";
    let (length, chunks) = ("Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n");
    let cases: [(String, &[u8], &[u16]); 9] = [
        (String::new(), b"", &[]),
        (String::new(), b"\r\n", &[]),
        ("G".to_owned(), b"E", &[]),
        (format!("{health}Slow: "), b"x", &[]),
        (health.to_owned(), b"A: b\r\n", &[]),
        // The second request of a connection.
        (format!("{health}\r\n{health}Slow: "), b"x", &[200]),
        (post(length), b"x", &[408]),
        (post(chunks), b"1\r\nx\r\n", &[408]),
        (post(&format!("{chunks}1;")), b"x", &[408]),
    ];
    thread::scope(|scope| {
        let slow: Vec<_> = cases
            .iter()
            .map(|(first, drop, expected)| {
                let stream = connect(server.http());
                let said = scope.spawn(move || trickle(stream, first.as_bytes(), drop));
                (first, expected, said)
            })
            .collect();
        assert_eq!(send(server.http(), "GET /v1/health", &[], "").status, 200);
        for (first, expected, said) in slow {
            let said = responses(&said.join().unwrap());
            let statuses: Vec<u16> = said.iter().map(|response| response.status).collect();
            assert_eq!(statuses, **expected, "{first:?}");
        }
    });
    let neko = server.log_in("neko");
    assert_eq!(server.connect().done(format!("unread {neko}"))["unread"], 0, "half a body is none");
}

#[test]
fn message_over_websocket_that_never_ends_is_cut_and_an_idle_client_is_not() {
    let server = Server::start_with(HTTP);
    let bearer = format!("Bearer {}", server.log_in("neko"));
    let fields = [("Authorization", bearer.as_str())];
    let open = |path: &str| WebSocket::open(server.http(), path, &fields).expect("it is opened");
    let mut idle = open("/api/v1/socket");
    let text = frame(0x80 | TEXT, &[b'x'; 1_000]);
    let begun = &text[..20];
    let part = frame(TEXT, b"who");
    let ping = frame(0x80 | PING, b"");
    let cases: [(&str, &[u8], &[u8]); 7] = [
        ("/api/v1/socket", &text[..1], b""),
        ("/api/v1/socket", begun, b""),
        ("/api/v1/socket", begun, b"x"),
        // A client that answers each ping is not silent, and its message has no end all the same.
        ("/api/v1/socket", &part, &ping),
        ("/api/v1/socket", &frame(TEXT, b""), &frame(0, b"")),
        ("/inbox/ws", begun, b"x"),
        ("/inbox/ws", &part, &ping),
    ];
    thread::scope(|scope| {
        let slow: Vec<_> = cases
            .iter()
            .map(|(path, first, drop)| {
                let socket = open(path);
                scope.spawn(move || trickle(socket.stream, first, drop))
            })
            .collect();
        for (said, case) in slow.into_iter().zip(&cases) {
            let said = said.join().unwrap();
            // The last frame is the close: 1008, and why.
            let close = frame_of_close(&said);
            assert_eq!(close, (1008, "the rest of a message did not come".to_owned()), "{case:?}");
        }
    });
    // A message in pieces, each in time, is a message.
    let (first, rest) = text.split_at(7);
    idle.stream.write_all(first).unwrap();
    idle.stream.write_all(rest).unwrap();
    assert!(idle.text().unwrap().contains("unknown_command"));
}

/// The code and the reason in the last frame of the server, which carries no mask.
fn frame_of_close(said: &[u8]) -> (u16, String) {
    let mut rest = said;
    loop {
        let [first, length, payload @ ..] = rest else { panic!("no close in {said:?}") };
        let (length, payload) = match length {
            126 => (usize::from(u16::from_be_bytes([payload[0], payload[1]])), &payload[2..]),
            length => (usize::from(*length), payload),
        };
        let (payload, more) = payload.split_at(length);
        match first & 0xf {
            CLOSE => {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                return (code, String::from_utf8(payload[2..].to_vec()).unwrap());
            }
            PONG | TEXT => rest = more,
            other => panic!("a frame of kind {other}"),
        }
    }
}

#[test]
fn response_of_a_kept_connection_is_whole_before_the_next_deadline_begins() {
    let server = Server::start_with(HTTP);
    let mut stream = connect(server.http());
    for _ in 0..3 {
        for piece in ["GET /v1/hea", "lth HTTP/1.1\r\nHo", "st: localhost\r\n\r\n"] {
            stream.write_all(piece.as_bytes()).unwrap();
        }
        assert_eq!(read_one(&mut stream).status, 200);
    }
}
