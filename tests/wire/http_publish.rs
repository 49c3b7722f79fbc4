//! Publishing over HTTP, as ntfy's clients do it: what is answered is stored, once for a key, and
//! what is not supported is refused by name.

use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Server;
use crate::support::http::{Response, send};
use crate::support::skip::is_here;
use crate::support::tls::{Authority, as_str};

const HTTP: &[&str] = &["--http", "127.0.0.1:0"];

/// The header field of a session.
fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// `paff:cytus` and `paff:wrong` in base64.
const PAFF: &str = "Basic cGFmZjpjeXR1cw==";
const PAFF_WRONG: &str = "Basic cGFmZjp3cm9uZw==";

fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|_| panic!("{response:?}"))
}

/// The messages of a user, as the line protocol has them.
fn messages(server: &Server, user: &str) -> Vec<Value> {
    let token = server.log_in(user);
    let page = server.connect().done(format!("fetch {token}"));
    page["messages"].as_array().unwrap().clone()
}

#[test]
fn published_message_is_stored_with_all_it_carries() {
    let server = Server::start_with(HTTP);
    let token = bearer(&server.log_in("paff"));
    let fields = [
        ("Authorization", token.as_str()),
        ("X-Title", "=?UTF-8?B?8J+Pjg==?= Build 417"),
        ("prio", "high"),
        ("Tags", "ci,warning"),
        ("Click", "https://ci.example/417"),
    ];
    let body = "first line\n\n  über 猫 \u{1b}[31m\r\n\r\n";
    let response = send(server.http(), "POST /neko", &fields, body);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.field("content-type"), Some("application/json"));
    let answer = json_of(&response);
    assert_eq!(response.field("x-message-id"), answer["id"].as_str());
    assert_eq!((&answer["event"], &answer["topic"]), (&json!("message"), &json!("neko")));
    assert_eq!(answer["title"], "🏎 Build 417");
    assert_eq!((&answer["priority"], &answer["tags"]), (&json!(4), &json!(["ci", "warning"])));

    let stored = &messages(&server, "neko")[0];
    assert_eq!(stored["body"], body.trim_end(), "line breaks at the end are the shell's");
    assert_eq!(stored["id"].to_string(), answer["id"].as_str().unwrap());
    for (field, value) in [
        ("from", json!("paff")),
        ("title", json!("🏎 Build 417")),
        ("priority", json!(4)),
        ("tags", json!(["ci", "warning"])),
        ("click", json!("https://ci.example/417")),
    ] {
        assert_eq!(stored[field], value);
    }
}

#[test]
fn three_ways_of_publishing_are_the_same() {
    let server = Server::start_with(HTTP);
    let token = bearer(&server.log_in("paff"));
    let fields = [("Authorization", token.as_str())];
    let object = json!({"topic": "neko", "message": "two\nlines", "title": "t", "priority": 5,
                        "tags": ["a"], "markdown": false, "actions": [], "icon": "https://x.example"});
    let ways = [
        send(server.http(), "PUT /neko?title=t&p=max&ta=a", &fields, "two\nlines"),
        send(server.http(), "POST /", &fields, object.to_string()),
        send(
            server.http(),
            "GET /neko/publish?m=two%5Cnlines&t=t&priority=urgent&tags=a",
            &fields,
            "",
        ),
        send(server.http(), "GET /neko/send?m=two%5Cnlines&t=t&priority=5&tags=a", &fields, ""),
    ];
    assert!(ways.iter().all(|response| response.status == 200), "{ways:?}");
    let stored = messages(&server, "neko");
    assert_eq!(stored.len(), ways.len());
    for message in stored {
        assert_eq!((&message["body"], &message["title"]), (&json!("two\nlines"), &json!("t")));
        assert_eq!((&message["priority"], &message["tags"]), (&json!(5), &json!(["a"])));
    }
    let mixed = [fields[0], ("X-Priority", "4"), ("X-Tags", "ci"), ("X-Title", "head")];
    let object = json!({"topic": "neko", "message": "hai", "title": "json"}).to_string();
    let mixed = json_of(&send(server.http(), "POST /", &mixed, object));
    assert_eq!((&mixed["title"], &mixed["priority"]), (&json!("json"), &json!(4)));
    assert_eq!(mixed["tags"], json!(["ci"]));
    let empty = send(server.http(), "POST /neko", &fields, "");
    assert_eq!(json_of(&empty)["message"], "triggered", "as ntfy has it");
}

#[test]
fn key_makes_a_request_the_same_message_for_ever() {
    let server = Server::start_with(HTTP);
    let session = server.log_in("paff");
    let token = bearer(&session);
    let fields = [("Authorization", token.as_str()), ("Idempotency-Key", "build-417")];
    let first = send(server.http(), "POST /neko", &fields, "hai");
    assert_eq!((first.status, first.field("idempotent-replayed")), (200, None));
    let again = send(server.http(), "POST /neko", &fields, "hai");
    assert_eq!((again.status, again.field("idempotent-replayed")), (200, Some("true")));
    assert_eq!(first.body, again.body);
    let other = send(server.http(), "POST /neko", &fields, "another text");
    assert_eq!((other.status, json_of(&other)["code"].as_str()), (422, Some("key_conflict")));
    let post = json!({"to": ["neko"], "body": "hai", "key": "build-417"});
    let line = server.connect().done(format!("post {session} {post}"));
    assert_eq!(line["duplicate"], true, "the line protocol has the same keys");
    assert_eq!(messages(&server, "neko").len(), 1);
}

#[test]
fn request_without_a_valid_login_is_refused() {
    let server = Server::start_with(HTTP);
    let unknown = bearer("7a592c0e-2cb5-4de6-866b-4e216b0caf15");
    for field in ["", "Bearer nonsense", &unknown, "Basic !", "Digest x", PAFF_WRONG] {
        let fields = [("Authorization", field)];
        let fields = if field.is_empty() { &[][..] } else { &fields };
        let response = send(server.http(), "POST /neko", fields, "hai");
        assert_eq!(response.status, 401, "{field}: {response:?}");
        let challenge = response.field("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Basic realm="), "{challenge}");
    }
    assert!(messages(&server, "neko").is_empty());
}

#[test]
fn password_is_throttled_as_at_the_line_port_and_opens_one_session() {
    let mut server = Server::start_with(HTTP);
    let publish = |server: &Server, credentials: &str| {
        send(server.http(), "POST /neko", &[("Authorization", credentials)], "hai")
    };
    for _ in 0..20 {
        assert_eq!(publish(&server, PAFF).status, 200);
    }
    let token = server.log_in("paff");
    let sessions = |server: &Server, token: &str| {
        let listed = server.connect().done(format!("sessions {token}"));
        listed["sessions"].as_array().unwrap().len()
    };
    assert_eq!(sessions(&server, &token), 2, "one for all requests, and this one");
    for _ in 0..5 {
        assert_eq!(publish(&server, PAFF_WRONG).status, 401);
    }
    let throttled = publish(&server, PAFF_WRONG);
    assert_eq!(
        (throttled.status, json_of(&throttled)["code"].as_str()),
        (429, Some("rate_limited"))
    );
    assert!(throttled.field("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()));
    assert_eq!(publish(&server, PAFF).status, 200, "it has a session already");

    assert_eq!(server.stop().code(), Some(0));
    server.start_again();
    assert_eq!(sessions(&server, &token), 1, "the stop ended the session of the password");
}

#[test]
fn first_requests_of_a_user_at_a_time_leave_all_their_streams_open() {
    use crate::support::http::Stream;
    let server = Server::start_with(&["--http", "127.0.0.1:0", "--heartbeat", "1h"]);
    let at_once = std::sync::Barrier::new(6);
    let open = || {
        at_once.wait();
        let mut stream = Stream::open(server.http(), "/inbox/raw", &[("Authorization", PAFF)]);
        assert_eq!(stream.line().as_deref(), Some(""), "it is open");
        stream
    };
    let mut streams: Vec<Stream> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
        opening.into_iter().map(|opening| opening.join().unwrap()).collect()
    });
    let neko = server.log_in("neko");
    server.connect().done(format!("send {neko} paff hai"));
    for stream in &mut streams {
        assert_eq!(stream.line().as_deref(), Some("hai"), "its session goes on");
    }
}

#[test]
fn changed_password_ends_what_the_old_one_could_do() {
    let server = Server::start_with(HTTP);
    let publish = || send(server.http(), "POST /neko", &[("Authorization", PAFF)], "hai");
    assert_eq!(publish().status, 200);
    let token = server.log_in("paff");
    let change = json!({"old": "cytus", "new": "another one"});
    server.connect().done(format!("passwd {token} {change}"));
    assert_eq!(publish().status, 401);
}

/// A request, its fields and its body; then the status, and a word of the refusal.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], u16, &'a str);

#[test]
fn what_is_not_supported_or_not_allowed_is_refused_by_name() {
    let server = Server::start_with(HTTP);
    let token = bearer(&server.log_in("paff"));
    let long = "x".repeat(32 * 1024 + 1);
    let cases: &[Case] = &[
        ("POST /nobody", &[], b"hai", 404, "nobody"),
        ("POST /No%20One", &[], b"hai", 404, "No One"),
        ("POST /neko", &[("Delay", "tomorrow")], b"hai", 400, "delay: "),
        ("POST /neko", &[("X-Email", "a@b.example")], b"hai", 400, "email: "),
        ("POST /neko?titel=x", &[], b"hai", 400, "titel: "),
        ("POST /neko?auth=QmFzaWM", &[], b"hai", 400, "auth: "),
        ("POST /neko", &[("Priority", "9")], b"hai", 400, "priority: "),
        ("POST /neko", &[("Tags", "two words")], b"hai", 400, "tags: "),
        ("POST /neko", &[("Click", "javascript:alert(1)")], b"hai", 400, "click: "),
        ("POST /neko", &[("Message", "hai")], b"hai", 400, "message: "),
        ("POST /neko", &[("Idempotency-Key", "")], b"hai", 400, "Idempotency-Key: "),
        ("POST /neko", &[("Content-Encoding", "gzip")], b"hai", 415, "Content-Encoding"),
        ("POST /neko", &[], b"\xff\xfe", 400, "UTF-8"),
        ("POST /neko", &[], long.as_bytes(), 413, "32768 bytes"),
        ("POST /", &[], b"hai", 400, "JSON"),
        ("POST /", &[], br#"{"topic": "neko", "attach": "https://x.example"}"#, 400, "attach: "),
        ("POST /", &[], br#"{"message": "hai"}"#, 400, "topic"),
        ("POST /", &[("X-Delay", "soon")], br#"{"topic": "neko"}"#, 400, "delay: "),
        ("POST /neko", &[("Origin", "https://evil.example")], b"hai", 403, "another site"),
        ("POST /neko", &[("Sec-Fetch-Site", "cross-site")], b"hai", 403, "another site"),
        ("DELETE /neko", &[], b"", 405, "method"),
        ("GET /neko/nothing", &[], b"", 404, "no such path"),
    ];
    for (request, fields, body, status, word) in cases {
        let mut fields = fields.to_vec();
        fields.push(("Authorization", &token));
        let response = send(server.http(), request, &fields, body);
        assert_eq!(response.status, *status, "{request} {fields:?}: {response:?}");
        assert!(response.body.contains(word), "{request} {fields:?}: {response:?}");
        assert_eq!(json_of(&response)["http"], *status);
    }
    // A browser would add a remembered password to a link, so a link takes a token only.
    let by_link = send(server.http(), "GET /neko/publish?m=hai", &[("Authorization", PAFF)], "");
    assert_eq!(by_link.status, 403);
    let fields = [("Authorization", token.as_str()), ("Host", "evil.example")];
    assert_eq!(send(server.http(), "POST /neko", &fields, "hai").status, 400, "two hosts");
    assert!(messages(&server, "neko").is_empty());
    let fields =
        [("Authorization", token.as_str()), ("Origin", &format!("http://{}", server.http()))];
    assert_eq!(send(server.http(), "POST /neko", &fields, "hai").status, 200, "its own page");
}

#[test]
fn what_a_program_may_give_in_several_forms_is_taken_in_each() {
    let server = Server::start_with(HTTP);
    let token = bearer(&server.log_in("paff"));
    let fields = [("Authorization", token.as_str())];
    for (priority, number) in
        [(json!("high"), 4), (json!("max"), 5), (json!("2"), 2), (json!(1), 1)]
    {
        let object = json!({"topic": "neko", "message": "hai", "priority": priority}).to_string();
        let answer = send(server.http(), "POST /", &fields, object);
        assert_eq!(json_of(&answer)["priority"], number, "{priority}: {answer:?}");
    }
    let object = json!({"topic": "neko", "priority": "loud"}).to_string();
    let refused = send(server.http(), "POST /", &fields, object);
    assert!(refused.status == 400 && refused.body.contains("priority: "), "{refused:?}");
    // The line break at the end is the shell's.
    let longest = "x".repeat(32 * 1024);
    let answer = send(server.http(), "POST /neko", &fields, format!("{longest}\r\n"));
    assert_eq!(answer.status, 200, "{:?}", answer.head);
    let too_long = send(server.http(), "POST /neko", &fields, format!("{longest}x\n"));
    assert_eq!(too_long.status, 413);
}

#[test]
fn request_that_only_looks_like_publishing_stores_nothing() {
    use std::io::Write;
    let server = Server::start_with(HTTP);
    let token = bearer(&server.log_in("paff"));
    let fields = [("Authorization", token.as_str())];
    for path in ["publish", "send", "trigger"] {
        let request = format!("HEAD /neko/{path}?message=hai");
        assert_eq!(send(server.http(), &request, &fields, "").status, 405, "{path}");
    }
    let mut stream = crate::support::http::connect(server.http());
    let head = format!(
        "POST /neko HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\nConnection: close\r\n"
    );
    let body = "Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nhai\r\n0\r\n\r\n";
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let coded = crate::support::http::read_to_end(&mut stream);
    assert_eq!(coded.status, 415, "{coded:?}");
    assert!(messages(&server, "neko").is_empty());
}

#[test]
fn every_refusal_in_words_is_an_object() {
    use std::io::Write;
    let server = Server::start_with(HTTP);
    let token = bearer(&server.log_in("paff"));
    let fields = [("Authorization", token.as_str())];
    let broken = send(server.http(), "POST /%ff", &fields, "hai");
    assert_eq!((broken.status, &json_of(&broken)["code"]), (400, &json!("bad_argument")));
    for (host, status) in [("evil.example", 421), ("localhost\r\nHost: localhost", 400)] {
        let mut stream = crate::support::http::connect(server.http());
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let refused = crate::support::http::read_to_end(&mut stream);
        assert_eq!((refused.status, &json_of(&refused)["http"]), (status, &json!(status)));
        assert_eq!(refused.field("content-type"), Some("application/json"));
    }
}

#[test]
fn requests_of_one_connection_are_answered_in_their_order() {
    use std::io::{Read, Write};
    let server = Server::start_with(HTTP);
    let token = server.log_in("paff");
    let mut stream = crate::support::http::connect(server.http());
    let mut requests = String::new();
    for number in 0..50 {
        let (text, close) = (number.to_string(), if number == 49 { "close" } else { "keep-alive" });
        requests.push_str(&format!(
            "POST /neko HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Connection: {close}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n0\r\n\r\n",
            text.len()
        ));
    }
    stream.write_all(requests.as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let texts: Vec<&str> = answers
        .split(r#""message":""#)
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(texts, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
    let bodies = messages(&server, "neko");
    let bodies: Vec<&str> =
        bodies.iter().map(|message| message["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, texts);
}

#[test]
fn apprise_publishes_by_its_ntfy_url() {
    if !is_here("apprise") {
        return;
    }
    let server = Server::start_with(HTTP);
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("apprise.conf");
    let url = format!("ntfy://paff:cytus@{}/neko?mode=private", server.http());
    std::fs::write(&config, format!("{url}&priority=high&click=https://ci.example/1\n")).unwrap();
    let output = Command::new("apprise")
        .args(["-c", as_str(&config), "-t", "Build 417 é", "-b", "it is done\nline two"])
        .env("HOME", folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let stored = &messages(&server, "neko")[0];
    assert_eq!(stored["body"], "it is done\nline two");
    assert_eq!((&stored["title"], &stored["priority"]), (&json!("Build 417 é"), &json!(4)));
    assert_eq!(stored["click"], "https://ci.example/1");
}

#[test]
fn stop_answers_what_is_stored_and_ends() {
    let mut server = Server::start_with(HTTP);
    let token = bearer(&server.log_in("paff"));
    let idle = crate::support::http::connect(server.http());
    let fields = [("Authorization", token.as_str())];
    assert_eq!(send(server.http(), "POST /neko", &fields, "hai").status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    drop(idle);
}

#[test]
fn curl_publishes_over_tls_and_http_2() {
    if !is_here("curl") {
        return;
    }
    let authority = Authority::new();
    let files = authority.server();
    let server = Server::start_with(&[
        "--http",
        "tls:127.0.0.1:0",
        "--tls-cert",
        as_str(&files.certificate),
        "--tls-key",
        as_str(&files.key),
    ]);
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("curl.conf");
    let token = server.log_in("paff");
    std::fs::write(&config, format!("header = \"Authorization: Bearer {token}\"\n")).unwrap();
    let url = format!("https://localhost:{}/neko", server.http().port());
    for (version, expected) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let output = Command::new("curl")
            .args(["-sS", version, "--cacert", as_str(&authority.file()), "-K", as_str(&config)])
            .args(["-w", "\n%{http_version} %{http_code}", "-d", "hai", &url])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(said.ends_with(&format!("\n{expected} 200")), "{said} {error}");
    }
    assert_eq!(messages(&server, "neko").len(), 2);
}
