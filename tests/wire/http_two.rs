//! HTTP/2, which a client may speak from the first byte, or choose in TLS: what it can do to others,
//! and requests that HTTP/1.1 would read otherwise.

use crate::limits::{forget_peak, peak_kib, resident_kib};
use crate::support::http::{send, talk};
use crate::support::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, GO_AWAY, HEADERS, Http2, PING, RESET,
    SETTINGS, block,
};
use crate::support::{Server, scaled};

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];
/// The code of a stream that may be opened again elsewhere (RFC 9113, section 7).
const REFUSED_STREAM: u32 = 7;
/// A window that no response fills.
const WINDOW: u32 = 65_535;
const HEALTH: (&str, &str) = (":path", "/v1/health");

fn health(server: &Server) {
    assert_eq!(send(server.http(), "GET /v1/health", &[], "").status, 200);
}

#[test]
fn endless_frames_of_one_client_take_bounded_memory_and_disturb_nobody() {
    let server = Server::start_with(HTTP);
    let neko = format!("Bearer {}", server.log_in("neko"));
    health(&server);
    let before = resident_kib(server.pid());
    forget_peak(server.pid());
    let count = scaled(20_000, 500_000);
    let get = [GET, &[HEALTH]].concat();
    let read = [GET, &[(":path", "/inbox/json"), ("authorization", &neko)]].concat();
    let cancel = 8_u32.to_be_bytes();
    type Attack<'a> = &'a dyn Fn(&mut Http2, u32) -> std::io::Result<()>;
    let attacks: [(&str, Attack); 7] = [
        ("requests that are reset at once", &|http, _| {
            let stream = http.open(&get, true)?;
            http.send(RESET, 0, stream, &cancel)
        }),
        ("streams that are reset at once", &|http, _| {
            let stream = http.open(&read, true)?;
            http.send(RESET, 0, stream, &cancel)
        }),
        ("requests without an end", &|http, _| http.open(&read, false).map(drop)),
        ("a head without an end", &|http, number| match number {
            0 => http.send(HEADERS, 0, 1, &block(&get)),
            _ => http.send(CONTINUATION, 0, 1, &block(&[("a", "b")])),
        }),
        ("pings", &|http, _| http.send(PING, 0, 0, &[0; 8])),
        ("settings", &|http, _| http.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])),
        ("empty data", &|http, number| match number {
            0 => http.open(&[GET, &[(":path", "/neko/json")]].concat(), false).map(drop),
            _ => http.send(DATA, 0, 1, &[]),
        }),
    ];
    for (what, attack) in attacks {
        let mut http = Http2::connect(server.http(), WINDOW);
        let sent =
            (0..count).take_while(|number| attack(&mut http, *number as u32).is_ok()).count();
        health(&server);
        if ["requests without an end", "a head without an end"].contains(&what) {
            // What the server would have to hold ends the connection.
            while http.frame().is_some() {}
        }
        let grown = peak_kib(server.pid()).saturating_sub(before);
        assert!(grown < 16 * 1024, "{what}: {grown} KiB after {sent}");
    }
    // No stream that was reset is left.
    let paff = server.log_in("paff");
    server.connect().done(format!("send {paff} neko hai"));
    health(&server);
}

#[test]
fn stream_beyond_the_maximum_is_refused_so_that_it_can_be_repeated() {
    let server = Server::start_with(HTTP);
    let neko = format!("Bearer {}", server.log_in("neko"));
    let mut http = Http2::connect(server.http(), WINDOW);
    let streams: Vec<u32> = (0..16).map(|_| http.get("/inbox/json", &neko)).collect();
    for stream in &streams {
        assert_eq!(http.status(*stream), Some(Ok(200)));
    }
    let refused = http.get("/v1/health", &neko);
    assert_eq!(http.status(refused), Some(Err(REFUSED_STREAM)));
    // The others go on, and one that ends makes room.
    http.send(RESET, 0, streams[0], &8_u32.to_be_bytes()).unwrap();
    let next = http.get("/v1/health", &neko);
    assert_eq!(http.status(next), Some(Ok(200)));
}

#[test]
fn head_beyond_its_limits_is_refused_however_small_it_is_on_the_wire() {
    let server = Server::start_with(HTTP);
    let long = "x".repeat(9 * 1024);
    let mut http = Http2::connect(server.http(), WINDOW);
    let stream = http.open(&[GET, &[HEALTH, ("a", &long)]].concat(), true).unwrap();
    assert_eq!(http.status(stream), Some(Ok(431)));
    // One field goes into the table of the connection, and is repeated by one byte each.
    let mut http = Http2::connect(server.http(), WINDOW);
    let mut bomb = block(&[GET, &[HEALTH]].concat());
    bomb.extend([0x40, 1, b'a', 127, 0xa1, 0x1e]);
    bomb.extend("y".repeat(127 + 0x21 + (0x1e << 7)).bytes());
    bomb.extend([0x80 | 62; 3_000]);
    http.send(HEADERS, END_HEADERS | END_STREAM, 1, &bomb).unwrap();
    let answer = http.status(1);
    assert!(matches!(answer, Some(Ok(431) | Err(_)) | None), "{answer:?}");
    health(&server);
}

#[test]
fn request_that_means_another_in_http_1_is_refused() {
    let server = Server::start_with(HTTP);
    let paff = format!("Bearer {}", server.log_in("paff"));
    let post = [(":method", "POST"), (":scheme", "http"), (":path", "/neko")];
    let caller = ("authorization", paff.as_str());
    let own = (":authority", "localhost");
    let with = |fields: &[(&'static str, &'static str)]| -> Vec<(String, String)> {
        // Those that begin with a colon come first.
        let fields = post.iter().chain(fields).chain([&caller]);
        fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    for (fields, status) in [
        (with(&[own, ("content-length", "3")]), Ok(200)),
        (with(&[own]), Ok(200)),
        (with(&[("host", "localhost")]), Ok(200)),
        (with(&[own, ("content-length", "2")]), Err(())),
        (with(&[own, ("content-length", "4")]), Err(())),
        (with(&[own, ("content-length", "3"), ("content-length", "2")]), Err(())),
        (with(&[own, ("transfer-encoding", "chunked")]), Err(())),
        (with(&[own, ("connection", "keep-alive")]), Err(())),
        (with(&[own, ("Title", "upper case")]), Err(())),
        (with(&[own, ("a b", "c")]), Err(())),
        (with(&[own, ("a", "b\r\ncontent-length: 0")]), Err(())),
        (with(&[own, (":method", "GET")]), Err(())),
        (with(&[own, ("a", "b"), (":scheme", "https")]), Err(())),
        (with(&[(":authority", "evil.example")]), Ok(421)),
        (with(&[("host", "evil.example")]), Ok(421)),
        (with(&[own, ("expect", "x")]), Ok(417)),
        (with(&[]), Ok(400)),
    ] {
        let mut http = Http2::connect(server.http(), WINDOW);
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let stream = http.open(&fields, false).unwrap();
        let _ = http.send(DATA, END_STREAM, stream, b"hai");
        // A part of the body may be refused in words, and then the stream ends.
        let answer = http.status(stream).unwrap_or(Err(0));
        let expected = status.map_err(|()| 0);
        let is_refused = matches!(answer, Err(_) | Ok(400));
        assert!(answer == expected || status.is_err() && is_refused, "{fields:?}: {answer:?}");
    }
    let neko = server.log_in("neko");
    assert_eq!(server.connect().done(format!("unread {neko}"))["unread"], 3);
}

#[test]
fn offer_of_http_2_by_upgrade_is_no_upgrade() {
    let server = Server::start_with(HTTP);
    let settings =
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk";
    let requests = format!(
        "GET /v1/health HTTP/1.1\r\nHost: localhost\r\n{settings}\r\n\r\n\
         GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    let answers = talk(server.http(), requests.as_bytes());
    assert!(answers.iter().all(|answer| answer.head.starts_with("HTTP/1.1 200")), "{answers:?}");
    assert_eq!(answers.len(), 2, "the connection stays one of HTTP/1.1");
    // A client that speaks it from the first byte needs no offer. It may be told to go away.
    let mut http = Http2::connect(server.http(), WINDOW);
    let stream = http.open(&[GET, &[HEALTH]].concat(), true).unwrap();
    assert_eq!(http.status(stream), Some(Ok(200)));
    http.send(HEADERS, END_HEADERS | END_STREAM, 2, &block(&[GET, &[HEALTH]].concat())).unwrap();
    let mut ended = false;
    while let Some(frame) = http.frame() {
        ended |= frame.kind == GO_AWAY;
    }
    assert!(ended, "a client opens streams with odd numbers");
}
