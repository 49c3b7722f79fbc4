//! `serve --metrics`: the HTTP endpoints report the truth, and nobody can block them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::exposition::Scrape;
use crate::support::http;
use crate::support::http::get;
use crate::support::skip::is_here;
use crate::support::websocket::WebSocket;
use crate::support::{PATIENCE, Server, is_on_postgres, server_command};

const METRICS: &[&str] = &["--metrics", "127.0.0.1:0"];

fn scrape(server: &Server) -> Scrape {
    let response = get(server.monitor(), "/metrics");
    assert_eq!(response.status, 200);
    assert_eq!(response.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    Scrape::parse(&response.body)
}

/// Scrapes until the condition holds; each scrape is a round trip, and the condition must come
/// true.
fn scrape_until(server: &Server, what: &str, is_so: impl Fn(&Scrape) -> bool) -> Scrape {
    let begun = Instant::now();
    loop {
        let scrape = scrape(server);
        if is_so(&scrape) {
            return scrape;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
    }
}

/// The metrics in the table of docs/monitoring.md: type and labels by name.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let document = include_str!("../../docs/monitoring.md");
    let quoted = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut found = BTreeMap::new();
    let rows = document.lines().skip_while(|line| !line.starts_with("| metric |")).skip(2);
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [name] = &quoted(cells[1])[..] else { panic!("{row}") };
        let labels = quoted(cells[3]).into_iter().collect();
        let before = found.insert(name.clone(), (cells[2].to_owned(), labels));
        assert!(before.is_none(), "{name} is there once");
    }
    found
}

#[test]
fn metrics_are_exactly_the_documented_ones() {
    let server = Server::start_with(METRICS);
    server.connect().refused("nonsense");
    server.log_in("paff");
    let mut reported = BTreeMap::new();
    for (name, family) in scrape(&server).families {
        assert!(!family.samples.is_empty(), "{name} has samples");
        let labels = family.samples.iter().flat_map(|sample| &sample.labels);
        let labels = labels.map(|(label, _)| label.clone()).filter(|label| label != "le");
        reported.insert(name, (family.kind, labels.collect::<BTreeSet<_>>()));
    }
    assert_eq!(reported, documented());
}

#[test]
fn requests_over_http_are_counted_by_kind_and_class() {
    let server = Server::start_with(&["--metrics", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let token = format!("Bearer {}", server.log_in("paff"));
    let request = |path: &str, body: &str| {
        let fields = [("Authorization", token.as_str())];
        http::send(server.http(), path, &fields, body).status
    };
    assert_eq!(request("POST /neko", "hai"), 200);
    assert_eq!(request("GET /neko/publish?message=hai", ""), 200);
    assert_eq!(request("POST /nobody", "hai"), 404);
    assert_eq!(request("GET /inbox/json?poll=1", ""), 200);
    assert_eq!(request("POST /inbox/ack?upto=1", ""), 200);
    assert_eq!(request("POST /expect/nothing", ""), 404);
    assert_eq!(request("GET /v1/health", ""), 200);
    assert_eq!(request("GET /a/b/c", ""), 404);
    let scrape = scrape(&server);
    for (kind, status, count) in [
        ("publish", "2xx", 2.0),
        ("publish", "4xx", 1.0),
        ("read", "2xx", 1.0),
        ("ack", "2xx", 1.0),
        ("report", "4xx", 1.0),
        ("health", "2xx", 1.0),
        ("other", "4xx", 1.0),
    ] {
        let labels = [("kind", kind), ("status", status)];
        assert_eq!(scrape.value("chat_http_requests_total", &labels), count, "{kind} {status}");
    }
    let all = &scrape.families["chat_http_requests_total"].samples;
    assert_eq!(all.iter().map(|sample| sample.value).sum::<f64>(), 8.0, "and no other");
}

#[test]
fn verbs_are_counted_over_http_and_over_websocket() {
    let failures = ["--login-failures-per-address-max", "1"];
    let options = [&["--metrics", "127.0.0.1:0", "--http", "127.0.0.1:0"][..], &failures].concat();
    let server = Server::start_with(&options);
    let token = server.log_in("paff");
    let bearer = format!("Bearer {token}");
    let fields = [("Authorization", bearer.as_str())];
    let mut socket = WebSocket::open(server.http(), "/api/v1/socket", &fields).expect("opened");
    for line in ["send - neko hai", "send - neko hai", "send - nobody hai", "nonsense", "fetch - x"]
    {
        socket.send(line);
        socket.text().expect("a reply");
    }
    let call = |verb: &str, body: &str| {
        http::send(server.http(), &format!("POST /api/v1/{verb}"), &fields, body).status
    };
    assert_eq!(call("send", r#"{"to": "neko", "body": "hai"}"#), 200);
    assert_eq!(call("fetch", r#"{"nothing": 1}"#), 400);
    assert_eq!(call("auth", r#"{"user": "neko", "password": "wrong"}"#), 401);
    assert_eq!(call("auth", r#"{"user": "neko", "password": "cytus"}"#), 429);
    // `ivy:wrong`, which this does not know yet; and a page that logs in.
    let basic = [("Authorization", "Basic aXZ5Ondyb25n")];
    assert_eq!(http::send(server.http(), "POST /neko", &basic, "hai").status, 401);
    let login = r#"{"user": "vanessa", "password": "cytus"}"#;
    assert_eq!(http::send(server.http(), "POST /page/session", &[], login).status, 200);
    let scrape = scrape(&server);
    let requests =
        |verb, result| scrape.count("chat_requests_total", &[("verb", verb), ("result", result)]);
    assert_eq!(requests("send", "ok"), 3.0);
    assert_eq!(requests("send", "unknown_recipient"), 1.0);
    assert_eq!(requests("invalid", "unknown_command"), 1.0);
    assert_eq!(requests("invalid", "bad_argument"), 2.0);
    assert_eq!(requests("auth", "ok"), 2.0);
    assert_eq!(requests("auth", "wrong_password"), 2.0);
    assert_eq!(scrape.value("chat_logins_held_total", &[("verb", "auth")]), 1.0);
    let failed = scrape.value("chat_logins_failed_total", &[("reason", "wrong_password")]);
    assert_eq!(failed, 2.0);
    let times = |verb| scrape.value("chat_request_duration_seconds_count", &[("verb", verb)]);
    assert_eq!((times("send"), times("auth")), (4.0, 5.0));
}

#[test]
fn work_is_counted() {
    let server = Server::start_with(METRICS);
    let mut paff = server.connect();
    let token = paff.log_in("paff");
    for text in ["one", "two", "three"] {
        paff.done(format!("send {token} neko {text}"));
    }
    paff.done(format!(r#"post {token} {{"to": ["neko", "ivy"], "body": "four", "key": "k"}}"#));
    paff.done(format!(r#"post {token} {{"to": ["neko", "ivy"], "body": "four", "key": "k"}}"#));
    paff.refused(format!("send {token} nobody hai"));
    paff.refused(format!("fetch {token} nonsense"));
    paff.refused("nonsense");
    paff.refused("auth paff wrong");
    paff.refused("auth nobody wrong");
    paff.done(format!("inbox {token}"));

    let scrape = scrape(&server);
    let requests =
        |verb, result| scrape.count("chat_requests_total", &[("verb", verb), ("result", result)]);
    assert_eq!(requests("auth", "ok"), 1.0);
    assert_eq!(requests("send", "ok"), 3.0);
    assert_eq!(requests("send", "unknown_recipient"), 1.0);
    assert_eq!(requests("post", "ok"), 2.0);
    assert_eq!(requests("inbox", "ok"), 1.0);
    assert_eq!(requests("invalid", "bad_argument"), 1.0);
    assert_eq!(requests("invalid", "unknown_command"), 1.0);
    let all = &scrape.families["chat_requests_total"].samples;
    assert_eq!(all.iter().map(|sample| sample.value).sum::<f64>(), 12.0, "and no other");
    assert_eq!(
        scrape.value("chat_messages_stored_total", &[]),
        5.0,
        "a repeated key stores nothing"
    );
    for reason in ["wrong_password", "unknown_user"] {
        assert_eq!(scrape.value("chat_logins_failed_total", &[("reason", reason)]), 1.0);
    }
    let times = |verb| scrape.value("chat_request_duration_seconds_count", &[("verb", verb)]);
    assert_eq!((times("send"), times("auth")), (4.0, 3.0));
    assert_eq!(scrape.value("chat_password_hash_duration_seconds_count", &[]), 3.0);
    let written = scrape.value("chat_batch_operations_sum", &[]);
    assert_eq!(written, scrape.value("chat_write_queue_duration_seconds_count", &[]));
    assert!(written >= 7.0, "sends, posts and a session: {written}");
    assert_eq!(
        scrape.value("chat_commit_duration_seconds_count", &[]),
        scrape.value("chat_batch_operations_count", &[]),
        "every batch was committed"
    );
    assert!(scrape.value("chat_wal_uncheckpointed_pages", &[]) > 0.0);
    assert!(scrape.value("chat_database_bytes", &[]) >= 4096.0);
    assert_eq!(scrape.value("chat_users", &[]), 5.0);
}

#[test]
fn connections_are_counted_by_what_they_do_and_how_they_ended() {
    let server = Server::start_with(METRICS);
    let state = |scrape: &Scrape, state| scrape.value("chat_connections", &[("state", state)]);
    let closed = |scrape: &Scrape, reason| {
        scrape.value("chat_connections_closed_total", &[("reason", reason)])
    };
    let _new = server.connect();
    let mut open = server.connect();
    let token = open.log_in("paff");
    let mut watching = server.connect();
    watching.done(format!(r#"watch {token} {{"from": "new"}}"#));
    let there = scrape_until(&server, "three connections", |scrape| {
        ["new", "open", "watching"].iter().all(|name| state(scrape, name) == 1.0)
    });
    assert_eq!(there.value("chat_watchers", &[]), 1.0);
    assert!(there.value("chat_received_bytes_total", &[]) > 0.0);

    drop(watching);
    drop(open);
    let mut http = server.connect();
    http.send("GET / HTTP/1.1\r\n");
    http.wait_for_close();
    let gone = scrape_until(&server, "the end of two connections", |scrape| {
        closed(scrape, "peer_closed") + closed(scrape, "broken") >= 1.0
            && closed(scrape, "wrong_protocol") == 1.0
            && state(scrape, "open") == 0.0
    });
    assert_eq!(gone.value("chat_connections_opened_total", &[]), 4.0);
    // The server notices a closed reader only when it sends an event.
    server.connect().done(format!("send {token} paff hai"));
    scrape_until(&server, "the end of the stream", |scrape| {
        state(scrape, "watching") == 0.0 && scrape.value("chat_watchers", &[]) == 0.0
    });
}

#[test]
fn refused_connections_are_counted() {
    let server = Server::start_with(&["--metrics", "127.0.0.1:0", "--connections-max", "1"]);
    let mut one = server.connect();
    one.done("hello");
    server.connect().wait_for_close();
    assert_eq!(scrape(&server).value("chat_connections_refused_total", &[]), 1.0);
}

#[test]
fn monitor_reveals_no_user_name_and_no_text() {
    let server = Server::start_with(METRICS);
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    wire.done(format!("send {token} neko unmistakable"));
    for path in ["/metrics", "/healthz", "/readyz"] {
        let body = get(server.monitor(), path).body;
        for word in ["paff", "neko", "unmistakable", &token] {
            assert!(!body.contains(word), "{word} in {path}");
        }
    }
}

#[test]
fn health_and_readiness_are_reported() {
    let server = Server::start_with(METRICS);
    let healthy = get(server.monitor(), "/healthz");
    assert_eq!((healthy.status, healthy.body.as_str()), (200, "ok\n"));
    let begun = Instant::now();
    // A commit in the last second is enough; after that the monitor writes itself.
    let table = if is_on_postgres() { "marks" } else { "meta" };
    let written = format!("SELECT count(*) FROM {table} WHERE name = 'probed_at'");
    while server.query(&written) == ["0"] {
        let ready = get(server.monitor(), "/readyz");
        assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
        assert!(begun.elapsed() < PATIENCE, "nothing is written");
    }
}

#[test]
fn server_that_cannot_write_is_not_ready_until_it_can() {
    let server = Server::start_with(METRICS);
    let other = rusqlite::Connection::open(server.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    loop {
        let response = get(server.monitor(), "/readyz");
        if response.status == 503 {
            assert!(response.body.starts_with("not ready: "), "{}", response.body);
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "a commit just before the lock counts for a second");
    }
    assert_eq!(get(server.monitor(), "/healthz").status, 200);
    other.execute_batch("ROLLBACK").unwrap();
    let begun = Instant::now();
    while get(server.monitor(), "/readyz").status != 200 {
        assert!(begun.elapsed() < PATIENCE, "it does not become ready again");
    }
}

#[test]
fn server_that_stops_is_not_ready_and_still_healthy() {
    let mut server = Server::start_with(METRICS);
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    let other = rusqlite::Connection::open(server.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The stop waits for this reply.
    wire.send(format!("send {token} neko hai\r\n"));
    let monitor = server.monitor();
    scrape_until(&server, "the send", |scrape| {
        scrape.value("chat_received_bytes_total", &[]) > 60.0
    });
    server.signal(Signal::TERM);
    let begun = Instant::now();
    loop {
        let response = get(monitor, "/readyz");
        if response.body == "not ready: the server is stopping\n" {
            assert_eq!(response.status, 503);
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the stop does not show: {response:?}");
    }
    assert_eq!(get(monitor, "/healthz").status, 200);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn answers_are_http_to_the_letter() {
    let server = Server::start_with(METRICS);
    let monitor = server.monitor();
    let ask = |request: &str| {
        let mut stream = http::connect(monitor);
        stream.write_all(request.as_bytes()).unwrap();
        http::read_to_end(&mut stream)
    };
    let close = format!("Host: {monitor}\r\nConnection: close\r\n");
    assert_eq!(ask(&format!("GET /nothing HTTP/1.1\r\n{close}\r\n")).status, 404);
    let posted = ask(&format!("POST /metrics HTTP/1.1\r\n{close}Content-Length: 3\r\n\r\nhai"));
    assert_eq!((posted.status, posted.field("allow")), (405, Some("GET, HEAD")));
    assert_eq!(ask("nonsense\r\n\r\n").status, 400);
    assert_eq!(ask(&format!("GET /{} HTTP/1.1\r\n{close}\r\n", "x".repeat(9_000))).status, 431);
    assert_eq!(ask(&format!("GET / HTTP/1.1\r\n{close}{}\r\n", "X: y\r\n".repeat(70))).status, 431);
    assert_eq!(
        ask("GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").status,
        421
    );
    assert_eq!(ask("GET /healthz HTTP/1.0\r\n\r\n").status, 200);
    assert_eq!(ask("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n").status, 400);
    assert_eq!(ask(&format!("GET /healthz HTTP/1.1\r\n{close}{close}\r\n")).status, 400);
    assert_eq!(ask(&format!("GET /healthz HTTP/1.1\r\n folded: x\r\n{close}\r\n")).status, 400);
    assert_eq!(ask(&format!("GET * HTTP/1.1\r\n{close}\r\n")).status, 400);
    let body = format!("GET /healthz HTTP/1.1\r\n{close}Content-Length: 2\r\n\r\nhi");
    assert_eq!(ask(&body).status, 400);
    let chunked =
        format!("GET /healthz HTTP/1.1\r\n{close}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(ask(&chunked).status, 400);
    let absolute = format!("GET http://evil.example/healthz HTTP/1.1\r\n{close}\r\n");
    assert_eq!(ask(&absolute).status, 421);
    let head = ask(&format!("HEAD /healthz HTTP/1.1\r\n{close}\r\n"));
    assert_eq!(
        (head.status, head.field("content-length"), head.body.as_str()),
        (200, Some("3"), "")
    );
    let date = head.field("date").expect("a date");
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
}

#[test]
fn connection_serves_request_after_request_also_when_they_come_together() {
    let server = Server::start_with(METRICS);
    let mut stream = http::connect(server.monitor());
    let one = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.monitor());
    for _ in 0..3 {
        stream.write_all(one.as_bytes()).unwrap();
        let response = http::read_one(&mut stream);
        assert_eq!((response.status, response.field("connection")), (200, Some("keep-alive")));
    }
    let last = one.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    stream.write_all(format!("{one}{one}{last}").as_bytes()).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest.matches("HTTP/1.1 200 OK").count(), 3, "{rest}");
}

#[test]
fn http_2_is_spoken_too() {
    if !is_here("curl") {
        return;
    }
    let server = Server::start_with(METRICS);
    let url = format!("http://{}/healthz", server.monitor());
    let output = Command::new("curl")
        .args(["-sS", "--http2-prior-knowledge", "-w", "%{http_version} %{http_code}"])
        .arg(&url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "ok\n2 200", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn configured_host_name_is_accepted() {
    let server = Server::start_with(&[
        "--metrics",
        "127.0.0.1:0",
        "--metrics-host",
        "one.example,two.example",
    ]);
    for (host, status) in [("two.example:80", 200), ("three.example", 421)] {
        let mut stream = http::connect(server.monitor());
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(http::read_to_end(&mut stream).status, status, "{host}");
    }
}

#[test]
fn peers_that_send_or_read_nothing_harm_nobody_and_do_not_delay_the_stop() {
    let mut server = Server::start_with(METRICS);
    let monitor = server.monitor();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {monitor}\r\n\r\n");
    let mut peers = Vec::new();
    for index in 0..100 {
        let mut stream = http::connect(monitor);
        match index % 4 {
            0 => {}
            1 => stream.write_all(b"GET /met").unwrap(),
            2 => stream.write_all(request.as_bytes()).unwrap(),
            // Requests more than its socket holds, and reads none of it. The server may have closed
            // it for another connection already.
            _ => drop(stream.write_all(request.repeat(200).as_bytes())),
        }
        peers.push(stream);
        if index % 10 == 0 {
            assert_eq!(get(monitor, "/healthz").status, 200, "after {index} others");
        }
    }
    server.connect().done("hello");
    let begun = Instant::now();
    assert_eq!(server.stop().code(), Some(0));
    // An idle connection stays open for 75 s.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    drop(peers);
}

#[test]
fn address_of_the_monitor_is_told_and_goes_where_it_may_only() {
    let folder = TempDir::new().unwrap();
    let ready_file = folder.path().join("ready");
    let ready = ready_file.to_str().unwrap();
    let server = Server::start_with(&["--ready-file", ready, "--metrics", "127.0.0.1:0"]);
    let reported = format!("{}\nhttp://{}/\n", server.address(), server.monitor());
    assert_eq!(std::fs::read_to_string(&ready_file).unwrap(), reported);

    let refused = |options: &[&str]| {
        let mut command = server_command(&folder.path().join("chat.sqlite"));
        let output = command.args(options).stdout(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, error) = refused(&["--metrics", "0.0.0.0:0"]);
    assert_eq!(code, Some(78), "{error}");
    assert!(error.contains("0.0.0.0:0") && error.contains("--allow-remote-metrics"), "{error}");
    assert!(!folder.path().join("chat.sqlite").exists(), "before anything is created");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = taken.local_addr().unwrap();
    let (code, error) = refused(&["--metrics", &address.to_string()]);
    assert_eq!(code, Some(69), "{error}");
    assert!(error.contains(&address.to_string()) && error.contains("--metrics"), "{error}");

    let open = Server::start_with(&["--metrics", "0.0.0.0:0", "--allow-remote-metrics"]);
    let port = open.monitor().port();
    assert_eq!(get(SocketAddr::from(([127, 0, 0, 1], port)), "/healthz").status, 200);
}

#[test]
fn promtool_accepts_the_metrics() {
    if !is_here("promtool") {
        return;
    }
    let mut checker = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let server = Server::start_with(METRICS);
    server.connect().refused("nonsense");
    server.log_in("paff");
    let text = get(server.monitor(), "/metrics").body;
    checker.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = checker.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
