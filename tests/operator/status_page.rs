//! The status page in a real browser: it has the figures, makes no outside request, causes no
//! error, and reports when the server is gone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::browser;
use crate::support::browser::visit;
use crate::support::http::get;
use crate::support::{PATIENCE, Server};

/// A server that was busy and has recorded it.
fn busy_server() -> Server {
    let server = Server::start_with(&["--metrics", "127.0.0.1:0"]);
    let mut paff = server.connect();
    let token = paff.log_in("paff");
    for number in 0..40 {
        paff.done(format!("send {token} neko unmistakable {number}"));
    }
    paff.refused("nonsense");
    let begun = Instant::now();
    loop {
        let status = figures(&server);
        let history = &status["history"]["messages_per_second"];
        let rates = history.as_array().unwrap();
        // A line needs two points.
        if rates.len() > 2 && rates.iter().any(|rate| rate.as_f64() > Some(0.0)) {
            return server;
        }
        assert!(begun.elapsed() < PATIENCE, "the sends do not show: {history}");
    }
}

fn figures(server: &Server) -> Value {
    let response = get(server.monitor(), "/status.json");
    assert_eq!((response.status, response.field("content-type")), (200, Some("application/json")));
    serde_json::from_str(&response.body).expect("JSON")
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/")
}

#[test]
fn figures_match_the_server_and_the_document() {
    let server = busy_server();
    let status = figures(&server);
    assert_eq!(status["messages_stored"], 40);
    assert_eq!((&status["users"], &status["stopping"]), (&Value::from(5), &Value::from(false)));
    let history = status["history"].as_object().unwrap();
    let lengths: Vec<usize> = history.values().map(|list| list.as_array().unwrap().len()).collect();
    assert!(lengths.windows(2).all(|pair| pair[0] == pair[1]), "{lengths:?}");
    let sends = status["history"]["send_p99_seconds"].as_array().unwrap();
    assert!(sends.iter().any(|time| time.as_f64() > Some(0.0)), "{sends:?}");

    let document = include_str!("../../docs/monitoring.md");
    let rows = document.lines().skip_while(|line| !line.starts_with("| field |")).skip(2);
    let mut documented: Vec<&str> = rows
        .take_while(|line| line.starts_with('|'))
        .flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2))
        .collect();
    let fields = status.as_object().unwrap().keys().filter(|key| *key != "history");
    let lists = history.keys().map(|key| format!("history.{key}"));
    let mut reported: Vec<String> = fields.cloned().chain(lists).collect();
    documented.sort_unstable();
    reported.sort_unstable();
    assert_eq!(reported, documented);
    for word in ["paff", "neko", "unmistakable"] {
        assert!(!status.to_string().contains(word), "{word}");
    }
}

#[test]
fn page_is_one_document_whose_policy_allows_nothing_from_elsewhere() {
    let server = Server::start_with(&["--metrics", "127.0.0.1:0"]);
    let (first, second) = (get(server.monitor(), "/"), get(server.monitor(), "/"));
    assert_eq!(first.field("content-type"), Some("text/html; charset=utf-8"));
    let policy = first.field("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'nonce-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    let nonce = |policy: &str| policy.split(['-', '\'']).nth(6).unwrap().to_owned();
    let nonce_of_first = nonce(policy);
    assert_eq!(nonce_of_first.len(), 32, "{policy}");
    assert_eq!(first.body.matches(&format!("nonce=\"{nonce_of_first}\"")).count(), 2);
    assert_ne!(second.field("content-security-policy"), Some(policy), "another word each time");
    for word in ["//", "src=", "@import", "url("] {
        let allowed = ["http://www.w3.org/2000/svg", "// "];
        let mut body = first.body.clone();
        allowed.iter().for_each(|fine| body = body.replace(fine, ""));
        assert!(!body.contains(word), "{word} is in the page");
    }
}

#[test]
fn page_shows_the_figures_without_outside_requests_or_errors() {
    if !browser::is_there() {
        return;
    }
    let server = busy_server();
    let page = url(server.monitor());
    for (width, options) in [
        (1280, &["--blink-settings=preferredColorScheme=1"][..]),
        (390, &["--blink-settings=preferredColorScheme=0"][..]),
    ] {
        let visit = visit(&page, 5, width, options);
        assert!(visit.console.is_empty(), "{:#?}", visit.console);
        let asked: Vec<&String> = visit.requests.iter().collect();
        assert!(asked.len() >= 3, "itself, and its figures again and again: {asked:?}");
        for asked in asked {
            assert!(*asked == page || *asked == format!("{page}status.json"), "{asked}");
        }
        let document = &visit.document;
        assert!(document.contains(r#"data-state="serving""#), "{document}");
        assert!(document.contains("40 since the start"));
        // The sends may be an interval old by now.
        let label = between(document, r#"aria-label="Time to send, "#, "\"").expect("a label");
        assert!(label.contains(": p50 ") && !label.contains("p50 –"), "{label}");
        assert!(document.matches(r#"class="line first""#).count() >= 4, "plots are drawn");
        assert!(document.contains(">send</th>") && document.contains(">invalid</th>"));
        for word in ["paff", "neko", "unmistakable", "NaN", "undefined"] {
            let shown = document.split("<script").next().unwrap_or(document);
            assert!(!shown.contains(word), "{word}");
        }
    }
}

/// The figures of a server that has been idle for a while: the last measurements are 90 s old, and
/// all values are small.
fn idle_figures(server: &Server) -> Value {
    let mut status = figures(server);
    let history = status["history"].as_object_mut().expect("lists");
    for (name, list) in history.iter_mut() {
        let then = match name.as_str() {
            "send_p50_seconds" => json!(0.001),
            "send_p99_seconds" => json!(0.002),
            "commit_p50_seconds" | "commit_p99_seconds" => Value::Null,
            "messages_per_second" | "requests_per_second" => json!(0.1),
            "connections" => json!(5),
            "cpus" => json!(0.009),
            // Less than a MiB, and written so.
            "wal_bytes" => json!(1_048_000),
            "write_queue" => json!(0),
            "at" | "resident_bytes" => continue,
            _ => json!(1),
        };
        let now = if name.contains("_p") { Value::Null } else { json!(0) };
        *list = json!([vec![then; 5], vec![now; 45]].concat());
    }
    status["send_p99_seconds"] = json!(0.003);
    status["commit_p99_seconds"] = json!(0.004);
    status
}

/// The labels of the axis of each plot, from its end to 0.
fn ticks(document: &str) -> Vec<(String, Vec<String>)> {
    let figures = document.split("<figure").skip(1);
    figures
        .map(|figure| {
            let title = between(figure, "<h2>", "<").expect("a title");
            let labels = figure.split(r#"text-anchor="end">"#).skip(1);
            let labels = labels.filter_map(|rest| rest.split('<').next().map(str::to_owned));
            (title, labels.filter(|label| label != "now").collect())
        })
        .collect()
}

fn between(text: &str, begin: &str, end: &str) -> Option<String> {
    Some(text.split_once(begin)?.1.split_once(end)?.0.to_owned())
}

#[test]
fn page_of_an_idle_server_shows_the_last_values_and_axes_with_distinct_ticks() {
    if !browser::is_there() {
        return;
    }
    let server = busy_server();
    let (monitor, status) = (server.monitor(), idle_figures(&server).to_string());
    let address = serve(move |path| {
        let page = (path == "/").then(|| get(monitor, path));
        let page = page.map(|page| format!("{}\r\n\r\n{}", page.head, page.body));
        page.or_else(|| {
            Some(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{status}",
                status.len()
            ))
        })
    });
    let document = visit(&url(address), 5, 1280, &[]).document;
    let tile = |title: &str| {
        let begin = format!("<h2>{title}</h2>");
        let tile = between(&document, &begin, "</div>").unwrap_or_else(|| panic!("no {title}"));
        let words = tile.split(['<', '>']).skip(2).step_by(2).collect::<Vec<_>>();
        words.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(tile("Messages in 5 min"), "5 40 since the start");
    assert_eq!(tile("Send time, p99"), "2 ms p50 1 ms, 1 min ago");
    assert_eq!(tile("Commit, p99"), "4 ms since the start");
    assert!(document.contains("none in the last five minutes"), "the plot of the commits says so");
    let ticks = ticks(&document);
    assert_eq!(ticks.len(), 8, "{ticks:?}");
    for (title, labels) in &ticks {
        assert_eq!(labels.len(), 3, "{title}: {labels:?}");
        assert!(labels[0] != labels[1] && labels[1] != labels[2], "{title}: {labels:?}");
        let counts = ["Connections", "Waiting for the writer"].contains(&title.as_str());
        assert!(!counts || labels.iter().all(|label| !label.contains('.')), "{title}: {labels:?}");
    }
}

/// Answers each connection with the result of `respond` for the path, or not at all.
fn serve(respond: impl Fn(&str) -> Option<String> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if let Some(path) = asked_path(&mut stream)
                && let Some(response) = respond(&path)
            {
                let _ = stream.write_all(response.as_bytes());
            }
        }
    });
    address
}

fn asked_path(stream: &mut TcpStream) -> Option<String> {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()?.split(' ').nth(1).map(str::to_owned)
}

#[test]
fn page_says_when_the_server_is_gone_and_since_when() {
    if !browser::is_there() {
        return;
    }
    let server = busy_server();
    let monitor = server.monitor();
    let answered = std::sync::atomic::AtomicBool::new(false);
    // The real page and its first figures; after that, nothing.
    let address = serve(move |path| {
        let first = || !answered.swap(true, std::sync::atomic::Ordering::SeqCst);
        if path == "/" || (path == "/status.json" && first()) {
            let response = get(monitor, path);
            return Some(format!("{}\r\n\r\n{}", response.head, response.body));
        }
        None
    });
    let visit = visit(&url(address), 12, 1280, &[]);
    assert!(visit.document.contains(r#"data-state="gone""#), "{}", visit.document);
    assert!(visit.document.contains("cannot reach the server, last reached "));
    assert!(visit.document.contains("40 since the start"), "the last figures are still shown");
}

#[test]
fn browser_of_these_tests_sees_errors_and_outside_requests() {
    if !browser::is_there() {
        return;
    }
    let page = "<!doctype html><link rel=icon href='data:,'><img src='http://192.0.2.1/x.png'>\
                <script>console.error('seen'); throw new Error('thrown')</script>";
    let address = serve(move |_| {
        let length = page.len();
        Some(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
        ))
    });
    let visit = visit(&url(address), 2, 1280, &[]);
    assert!(visit.console.iter().any(|line| line.contains("seen")), "{:?}", visit.console);
    assert!(visit.console.iter().any(|line| line.contains("thrown")), "{:?}", visit.console);
    assert!(
        visit.requests.iter().any(|url| url == "http://192.0.2.1/x.png"),
        "{:?}",
        visit.requests
    );
}
