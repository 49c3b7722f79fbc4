//! Where a request over HTTP ends: what one reader could take for the end and another for a part of
//! it is refused, or the connection ends behind it. So nothing can be smuggled past a proxy.

use std::io::{Read, Write};

use serde_json::json;

use crate::support::Server;
use crate::support::http::{connect, read_head, read_one, read_to_end, talk};

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];

/// A server, and the requests of paff to it.
struct Site {
    server: Server,
    token: String,
}

impl Site {
    fn new() -> Self {
        let server = Server::start_with(HTTP);
        let token = server.log_in("paff");
        Self { server, token }
    }

    /// The beginning of a request that publishes.
    fn post(&self) -> String {
        let token = &self.token;
        format!("POST /neko HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n")
    }

    /// A whole request that publishes `smuggled`.
    fn smuggled(&self) -> String {
        format!("{}Content-Length: 8\r\n\r\nsmuggled", self.post())
    }

    /// The statuses of the answers to these bytes, until the server closes the connection.
    fn statuses(&self, bytes: &[u8]) -> Vec<u16> {
        talk(self.server.http(), bytes).iter().map(|response| response.status).collect()
    }

    /// The texts that neko has, which are not looked at again.
    fn stored(&self) -> Vec<String> {
        let token = self.server.log_in("neko");
        let mut wire = self.server.connect();
        let page = wire.done(format!(r#"fetch {token} {{"unread": true}}"#));
        let messages = page["messages"].as_array().unwrap();
        if let Some(last) = messages.last() {
            wire.done(format!(r#"ack {token} {{"upto": {}}}"#, last["id"]));
        }
        assert!(messages.iter().all(|message| message.get("title").is_none()), "{page}");
        messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect()
    }
}

/// A request that is good, and the last of its connection.
const LAST: &str = "GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn request_whose_end_is_in_doubt_is_refused_and_the_last_of_its_connection() {
    let site = Site::new();
    let long = "x".repeat(17 * 1024);
    let fields = "A: b\r\n".repeat(65);
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    let heads = [
        // Lengths.
        "Content-Length: +8\r\n\r\n",
        "Content-Length: -8\r\n\r\n",
        "Content-Length: 0x8\r\n\r\n",
        "Content-Length: 8 8\r\n\r\n",
        "Content-Length: 8, 8\r\n\r\n",
        "Content-Length: \r\n\r\n",
        "Content-Length: 8\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 8\r\n\r\n",
        "Content-Length: 18446744073709551616\r\n\r\n",
        "Content-Length: 18446744073709551615\r\n\r\n",
        "Content-Length : 8\r\n\r\n",
        "Content-Length\t: 8\r\n\r\n",
        // Codings.
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding\r\n : chunked\r\n\r\n0\r\n\r\n",
        // Lines.
        "A: b\r\n c\r\nContent-Length: 8\r\n\r\n",
        "A: b\r\n Content-Length: 8\r\n\r\n",
        " Content-Length: 8\r\n\r\n",
        "A: b\rContent-Length: 8\r\n\r\n",
        "A: b\0\r\n\r\n",
        "A b: c\r\n\r\n",
        "A\u{e9}: c\r\n\r\n",
        ": c\r\n\r\n",
        "A\r\n\r\n",
    ];
    let bodies = [
        "FFFFFFFFFFFFFFFFF\r\n",
        "10000000000000000\r\n",
        "-1\r\n",
        "+8\r\n",
        "0x8\r\nsmuggled\r\n0\r\n\r\n",
        "\r\n",
        " 8\r\nsmuggled\r\n0\r\n\r\n",
        "8 8\r\nsmuggled\r\n0\r\n\r\n",
        "8\nsmuggled\r\n0\r\n\r\n",
        "8\rsmuggled\r\n0\r\n\r\n",
        "8;a\nb\r\nsmuggled\r\n0\r\n\r\n",
        "8\r\nsmuggledx\r\n0\r\n\r\n",
        "8\r\nsmuggled\n0\r\n\r\n",
        "8\r\nsmuggled\r0\r\n\r\n",
        &format!("8;{long}\r\nsmuggled\r\n0\r\n\r\n"),
        &format!("0\r\nA: {long}\r\n\r\n"),
        &format!("0\r\n{fields}\r\n"),
        "0\r\nA b: c\r\n\r\n",
        "0\r\n\rx",
    ];
    let heads = heads.iter().map(|head| (*head).to_owned());
    for request in heads.chain(bodies.map(|body| format!("{chunked}{body}"))) {
        let bytes = format!("{}{request}{}{LAST}", site.post(), site.smuggled());
        let statuses = site.statuses(bytes.as_bytes());
        let what = &request[..request.len().min(60)];
        assert!(matches!(statuses[..], [400 | 413 | 431]), "{what:?}: {statuses:?}");
    }
    assert_eq!(site.stored(), [""; 0]);
    // HTTP/1.0 has no chunks.
    let old = site.post().replace("HTTP/1.1", "HTTP/1.0");
    let bytes = format!("{old}{chunked}8\r\nsmuggled\r\n0\r\n\r\n");
    assert_eq!(site.statuses(bytes.as_bytes()), [400]);
    assert_eq!(site.stored(), [""; 0]);
}

#[test]
fn length_beside_chunks_counts_for_nothing_and_is_the_last_of_its_connection() {
    let site = Site::new();
    let (length, chunked) = ("Content-Length: 3", "Transfer-Encoding: chunked");
    for [first, second] in [[length, chunked], [chunked, length]] {
        // A proxy that looks at the length would pass on the rest as another request.
        let body = format!("{}\r\n\r\n3\r\nhai\r\n0\r\n\r\n{}", second, site.smuggled());
        let bytes = format!("{}{first}\r\n{body}", site.post());
        assert_eq!(site.statuses(bytes.as_bytes()), [200], "{first}");
        assert_eq!(site.stored(), ["hai"], "{first}");
    }
}

#[test]
fn body_that_is_not_wanted_is_no_request() {
    let site = Site::new();
    let smuggled = site.smuggled();
    let length = smuggled.len();
    let stranger = "POST /neko HTTP/1.1\r\nHost: localhost\r\n".to_owned();
    let chunk = format!("{length:x}\r\n{smuggled}\r\n0\r\n\r\n");
    for (head, body, status) in [
        (format!("{stranger}Content-Length: {length}\r\n\r\n"), &smuggled, 401),
        (format!("{stranger}Transfer-Encoding: chunked\r\n\r\n"), &chunk, 401),
        (format!("{}Content-Length: 1000000\r\n\r\n", site.post()), &smuggled, 413),
        (format!("{}Transfer-Encoding: gzip, chunked\r\n\r\n", site.post()), &chunk, 415),
        (format!("{}Transfer-Encoding: chunked, chunked\r\n\r\n", site.post()), &chunk, 415),
        (format!("{0}{1}\r\n{1}\r\n\r\n", site.post(), "Transfer-Encoding: chunked"), &chunk, 415),
        (
            format!("{}Content-Length: {length}\r\n\r\n", LAST.split("Conn").next().unwrap()),
            &smuggled,
            200,
        ),
        (
            format!("DELETE /neko HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"),
            &smuggled,
            405,
        ),
    ] {
        let mut stream = connect(site.server.http());
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
        let first = read_one(&mut stream);
        assert_eq!(first.status, status, "{head}: {first:?}");
        // What comes next is a request, or the connection has ended.
        let _ = stream.write_all(LAST.as_bytes());
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        let rest = crate::support::http::responses(&rest);
        let rest: Vec<u16> = rest.iter().map(|response| response.status).collect();
        assert!(matches!(rest[..], [] | [200]), "{head}: {rest:?}");
        assert_eq!(site.stored(), [""; 0], "{head}");
    }
}

#[test]
fn every_form_of_a_good_request_is_read_to_its_end() {
    let site = Site::new();
    let chunks =
        "1\r\nh\r\n02;a=b;c=\"d\"\r\nai\r\n000\r\nTitle: of a trailer\r\nContent-Length: 7\r\n\r\n";
    for (request, text) in [
        ("Content-Length: 3\r\nContent-Length: 3\r\n\r\nhai".to_owned(), "hai"),
        ("content-length:\t3 \r\n\r\nhai".to_owned(), "hai"),
        ("Content-Length: 003\r\n\r\nhai".to_owned(), "hai"),
        // A line may end with LF alone (RFC 9112, section 2.2).
        ("Content-Length: 3\n\nhai".to_owned(), "hai"),
        ("Content-Length: 0\r\n\r\n".to_owned(), "triggered"),
        ("\r\n".to_owned(), "triggered"),
        (format!("Transfer-Encoding: chunked\r\n\r\n{chunks}"), "hai"),
        (format!("transfer-encoding:CHUNKED\r\n\r\n{chunks}"), "hai"),
    ] {
        let bytes = format!("{}{request}{LAST}", site.post());
        assert_eq!(site.statuses(bytes.as_bytes()), [200, 200], "{request:?}");
        assert_eq!(site.stored(), [text], "{request:?}");
    }
    let long = "x".repeat(300 * 1024);
    let body = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    let bytes = format!("{}Transfer-Encoding: chunked\r\n\r\n{body}", site.post());
    assert_eq!(site.statuses(bytes.as_bytes()), [413], "chunks tell no length before");
}

#[test]
fn request_line_and_host_have_one_meaning() {
    let site = Site::new();
    for (line, statuses) in [
        ("GET http://localhost/v1/health HTTP/1.1", &[200, 200][..]),
        ("GET http://evil.example/v1/health HTTP/1.1", &[421, 200]),
        ("GET localhost:80 HTTP/1.1", &[400, 200]),
        ("CONNECT localhost:80 HTTP/1.1", &[400, 200]),
        ("OPTIONS * HTTP/1.1", &[400, 200]),
        ("OPTIONS /neko HTTP/1.1", &[405, 200]),
        ("TRACE /neko HTTP/1.1", &[405, 200]),
        ("get /v1/health HTTP/1.1", &[405, 200]),
        ("BREW /v1/health HTTP/1.1", &[405, 200]),
        ("GET /v1/../v1/health HTTP/1.1", &[404, 200]),
        ("GET /v1/%2e%2e/v1/health HTTP/1.1", &[404, 200]),
        ("GET //v1/health HTTP/1.1", &[404, 200]),
        ("GET /v1/health%00 HTTP/1.1", &[404, 200]),
        ("GET /v1/health%0d%0aA:b HTTP/1.1", &[404, 200]),
        ("GET  /v1/health HTTP/1.1", &[400]),
        ("GET /v1/health  HTTP/1.1", &[400]),
        ("GET /v1/health HTTP/1.1 ", &[400]),
        ("GET\t/v1/health HTTP/1.1", &[400]),
        ("GET /v1/he\0alth HTTP/1.1", &[400]),
        ("GET /v1/health HTTP/1.2", &[400]),
        ("GET /v1/health HTTP/2.0", &[400]),
        ("GET /v1/health http/1.1", &[400]),
        ("GET /v1/health", &[400]),
        (" GET /v1/health HTTP/1.1", &[400]),
        ("G\u{e9}T /v1/health HTTP/1.1", &[400]),
    ] {
        let bytes = format!("{line}\r\nHost: localhost\r\n\r\n{LAST}");
        assert_eq!(site.statuses(bytes.as_bytes()), statuses, "{line}");
    }
    for (line, hosts, status) in [
        ("GET /v1/health HTTP/1.1", &[][..], 400),
        ("GET /v1/health HTTP/1.1", &["localhost", "localhost"], 400),
        ("GET /v1/health HTTP/1.1", &["localhost", "evil.example"], 400),
        ("GET http://localhost/v1/health HTTP/1.1", &["localhost", "localhost"], 400),
        ("GET /v1/health HTTP/1.1", &["evil.example"], 421),
        ("GET /v1/health HTTP/1.1", &[""], 421),
        ("GET /v1/health HTTP/1.1", &["localhost@evil.example"], 421),
        // The target says it already (RFC 9112, section 3.2.2).
        ("GET http://localhost/v1/health HTTP/1.1", &["evil.example"], 200),
        ("GET http://evil.example/v1/health HTTP/1.1", &["localhost"], 421),
        ("GET /v1/health HTTP/1.0", &[], 200),
        ("GET /v1/health HTTP/1.0", &["evil.example"], 421),
    ] {
        let hosts: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let bytes = format!("{line}\r\n{hosts}Connection: close\r\n\r\n");
        assert_eq!(site.statuses(bytes.as_bytes()), [status], "{line} {hosts}");
    }
}

#[test]
fn bad_request_behind_good_ones_is_answered_in_its_turn_and_ends_the_connection() {
    let site = Site::new();
    let neko = site.server.log_in("neko");
    let mut bytes = String::new();
    let mut expected = Vec::new();
    let mut texts = Vec::new();
    for number in 0..20 {
        let (text, token) = (format!("text {number}"), &site.token);
        texts.push(text.clone());
        let object = json!({"to": ["neko"], "body": "by the api"});
        for (request, status) in [
            (format!("{}Content-Length: {}\r\n\r\n{text}", site.post(), text.len()), 200),
            // Each takes its time: a page of the store, nothing, a refusal, a password.
            (get("/inbox/json?poll=1", &neko), 200),
            ("GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 200),
            (get("/inbox/json?poll=1", token).replace("Bearer ", "Bearer x"), 401),
            (get("/nothing/here/at-all", token), 404),
            (
                format!(
                    "POST /api/v1/post HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{object}",
                    object.to_string().len()
                ),
                401,
            ),
        ] {
            bytes.push_str(&request);
            expected.push(status);
        }
    }
    bytes.push_str(&format!("{}Content-Length: x\r\n\r\n{}", site.post(), site.smuggled()));
    expected.push(400);
    let answers = talk(site.server.http(), bytes.as_bytes());
    let statuses: Vec<u16> = answers.iter().map(|response| response.status).collect();
    assert_eq!(statuses, expected);
    for (number, page) in answers.iter().skip(1).step_by(6).take(20).enumerate() {
        // A page has all that was answered before it.
        assert_eq!(page.body.lines().count(), number + 1, "{page:?}");
    }
    assert_eq!(site.stored(), texts);
}

fn get(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n")
}

#[test]
fn expectation_is_fulfilled_or_refused_before_the_body_is_sent() {
    let site = Site::new();
    let expect = "Expect: 100-Continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
    let mut stream = connect(site.server.http());
    stream.write_all(format!("{}{expect}", site.post()).as_bytes()).unwrap();
    assert_eq!(read_head(&mut stream).status, 100);
    stream.write_all(b"hai").unwrap();
    assert_eq!(read_to_end(&mut stream).status, 200);
    // The client need not wait, and HTTP/1.0 knows no expectation.
    let old = site.post().replace("HTTP/1.1", "HTTP/1.0");
    for (head, first) in [(site.post(), [100, 200].as_slice()), (old, &[200])] {
        let statuses = site.statuses(format!("{head}{expect}hai").as_bytes());
        assert!(statuses == first || statuses == [200], "{statuses:?}");
    }
    assert_eq!(site.stored(), ["hai"; 3]);
    let stranger = "POST /neko HTTP/1.1\r\nHost: localhost\r\n";
    for (head, status) in [
        (format!("{stranger}Expect: 100-continue\r\nContent-Length: 8\r\n\r\n"), 401),
        (format!("{}Expect: 100-continue\r\nContent-Length: 99999\r\n\r\n", site.post()), 413),
        (format!("{}Expect: 200-ok\r\nContent-Length: 8\r\n\r\n", site.post()), 417),
        (format!("{}Expect: \r\nContent-Length: 8\r\n\r\n", site.post()), 417),
        (
            format!(
                "{}Expect: 100-continue\r\nExpect: x\r\nContent-Length: 8\r\n\r\n",
                site.post()
            ),
            417,
        ),
    ] {
        let mut stream = connect(site.server.http());
        stream.write_all(head.as_bytes()).unwrap();
        // The answer is no 100, and it comes without the body.
        let answer = read_one(&mut stream);
        assert_eq!(answer.status, status, "{head}: {answer:?}");
        if status == 417 {
            assert!(answer.body.contains("Expect: "), "{answer:?}");
        }
        // A client that sends the body all the same has sent no request.
        let _ = stream.write_all(format!("smuggled{}{LAST}", site.smuggled()).as_bytes());
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert_eq!(site.stored(), [""; 0]);
}
