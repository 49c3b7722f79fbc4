//! The hostile catalogue over HTTP: each text goes in by each way and comes out by each as it was,
//! or it is refused by name. Nothing is altered without a word.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::Server;
use crate::support::http::{Response, Stream, send};
use crate::support::websocket::WebSocket;

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];

/// Texts that break programs which take them for something else.
fn texts() -> Vec<String> {
    let texts = [
        "hai",
        "   ",
        " spaces \t around ",
        "\u{feff}a mark of the byte order",
        "nul \0 inside",
        "\u{1}\u{2}\u{3}\u{7f}\u{80}\u{9f}",
        "\u{1b}[2J\u{1b}]52;c;aGFpCg==\u{7}",
        "\u{1b}]8;;https://evil.example\u{1b}\\link\u{1b}]8;;\u{1b}\\",
        "\u{9b}31m\u{90}q",
        "\u{202e}gnp.exe\u{202c}\u{2066}\u{200b}\u{200f}",
        "\u{2028}line\u{2029}paragraph\u{85}next",
        "one\ntwo\r\nthree\rfour",
        "\r\n\r\n{\"status\": \"OK\"}\r\n\r\n",
        "\n\nid: 1000000\nevent: end\ndata: {}\n\nretry: 1\n\nhai",
        "data: hai",
        ": a comment of an event stream",
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n\r\n",
        "{\"event\":\"message\",\"id\":\"7\"}\n{\"event\":\"end\"}",
        "e\u{301}\u{327} Ａ ﬁ ß İ ı",
        "🐱‍👤 猫 ねこ 👨‍👩‍👧‍👦 \u{1f1ef}\u{1f1f5}",
        "\u{fffd}\u{fffe}\u{ffff}\u{10ffff}",
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "&lt;&amp;&#0;&nbsp",
        "javascript:alert(1)",
        "' OR 1=1; DROP TABLE messages; --",
        "%00%0d%0a%ff%s%n%x{{7*7}}${jndi:ldap://x}$(reboot)`reboot`",
        "\\n\\r\\0\\x1b\\u001b\\",
        "=?UTF-8?B?aGFp?=",
        "a+b c%20d&e=f;g#h?i",
        "-rf --help",
        "NaN Infinity 1e999 -0 18446744073709551616 0x7fffffff",
        "null true undefined",
        "../../etc/passwd C:\\nul",
        "\"quoted\" 'text' \u{201c}too\u{201d}",
    ];
    let mut texts: Vec<String> = texts.map(str::to_owned).into();
    texts.push("e\u{301}".repeat(5_000));
    texts.push("猫".repeat(32 * 1024 / 3));
    texts
}

/// The text in a URL.
fn in_url(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What a text becomes as a parameter: it has no white space around it, and `\n` is a line break.
fn as_parameter(text: &str) -> String {
    match text.trim().replace("\\n", "\n") {
        text if text.is_empty() => "triggered".to_owned(),
        text => text,
    }
}

/// What a text becomes as a body: line breaks at its end do not belong to it.
fn as_body(text: &str) -> String {
    text.trim_end_matches(['\r', '\n']).to_owned()
}

/// Sends a text by each way. What must arrive of those that were accepted, in order.
fn publish(server: &Server, token: &str, text: &str) -> Vec<String> {
    let bearer = format!("Bearer {token}");
    let own = ("Authorization", bearer.as_str());
    let word = format!("=?UTF-8?B?{}?=", STANDARD.encode(text));
    let post = |path: &str, body: &[u8]| send(server.http(), &format!("POST {path}"), &[own], body);
    let object = |object: Value| object.to_string().into_bytes();
    let ways: [(&str, Response, String); 8] = [
        ("a body", post("/neko", text.as_bytes()), as_body(text)),
        ("JSON", post("/", &object(json!({"topic": "neko", "message": text}))), text.to_owned()),
        (
            "escaped JSON",
            post("/", format!(r#"{{"topic":"neko","message":"{}"}}"#, escaped(text)).as_bytes()),
            text.to_owned(),
        ),
        ("a query", send(server.http(), &query(text), &[own], ""), as_parameter(text)),
        (
            "a header",
            send(server.http(), "POST /neko", &[own, ("Message", &word)], ""),
            as_parameter(text),
        ),
        (
            "post",
            post("/api/v1/post", &object(json!({"to": ["neko"], "body": text}))),
            text.to_owned(),
        ),
        (
            "send",
            post("/api/v1/send", &object(json!({"to": "neko", "body": text}))),
            // As in a line, where it cannot have white space at its ends.
            text.trim_ascii().to_owned(),
        ),
        ("a line", by_line(server, token, text), text.to_owned()),
    ];
    let mut arrive = Vec::new();
    for (way, response, expected) in ways {
        let what = format!("{way} of {:?}", text.chars().take(40).collect::<String>());
        match response.status {
            200 => arrive.push(expected),
            // A head has its limit, and a refusal is one of these words.
            431 => assert!(text.len() > 2_000, "{what}: {response:?}"),
            400 => {
                let codes = ["empty_message", "bad_argument"];
                let refusal: Value = serde_json::from_str(&response.body).expect("an object");
                assert!(codes.contains(&refusal["code"].as_str().unwrap()), "{what}: {response:?}");
                assert!(text.trim().is_empty(), "{what} is refused: {response:?}");
            }
            _ => panic!("{what}: {response:?}"),
        }
    }
    arrive
}

fn query(text: &str) -> String {
    format!("GET /neko/publish?message={}", in_url(text))
}

/// A text as JSON with each UTF-16 unit escaped.
fn escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// The line over a WebSocket, as a response.
fn by_line(server: &Server, token: &str, text: &str) -> Response {
    let mut socket = WebSocket::open(server.http(), "/api/v1/socket", &[]).expect("it is opened");
    socket.send(&format!("post {token} {}", json!({"to": ["neko"], "body": text})));
    let body = socket.text().expect("a reply");
    let reply: Value = serde_json::from_str(&body).unwrap();
    let status = if reply["status"] == "OK" { 200 } else { 400 };
    Response { status, head: String::new(), body }
}

/// What each form of reading has of neko's messages.
fn read(server: &Server, token: &str) -> Vec<(&'static str, Vec<String>)> {
    let bearer = format!("Bearer {token}");
    let fields = [("Authorization", bearer.as_str())];
    let lines = |path: &str| {
        let mut stream = Stream::open(server.http(), path, &fields);
        assert!(stream.head.contains(" 200 OK"), "{path}: {}", stream.head);
        std::iter::from_fn(|| stream.line()).collect::<Vec<String>>()
    };
    let message = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
        event["message"].as_str().unwrap_or_else(|| panic!("{line:?}")).to_owned()
    };
    let json = lines("/inbox/json?poll=1").iter().map(|line| message(line)).collect();
    let sse = lines("/inbox/sse?poll=1");
    let known = |line: &String| line.is_empty() || line.starts_with("id: ") || data(line).is_some();
    assert!(sse.iter().all(known), "{sse:?}");
    let events = lines("/api/v1/events?poll=1");
    let body = |line: &str| serde_json::from_str::<Value>(line).unwrap()["body"].clone();
    let body = |line: &str| body(line).as_str().unwrap().to_owned();
    let mut socket = WebSocket::open(server.http(), "/inbox/ws?poll=1", &fields).expect("opened");
    let ws = std::iter::from_fn(|| socket.text().ok()).map(|text| message(&text)).collect();
    let mut fetched = Vec::new();
    let mut after = json!(0);
    loop {
        let fetch = json!({"after": after}).to_string();
        let page = send(server.http(), "POST /api/v1/fetch", &fields, fetch).body;
        let page: Value = serde_json::from_str(&page).unwrap();
        let messages = page["messages"].as_array().unwrap();
        fetched.extend(messages.iter().map(|it| it["body"].as_str().unwrap().to_owned()));
        match messages.last() {
            Some(last) if page["more"] == true => after = last["id"].clone(),
            _ => break,
        }
    }
    vec![
        ("json", json),
        ("sse", sse.iter().filter_map(|line| data(line)).map(message).collect()),
        ("events", events.iter().filter_map(|line| data(line)).map(body).collect()),
        ("ws", ws),
        ("fetch", fetched),
        ("raw", lines("/inbox/raw?poll=1")),
    ]
}

fn data(line: &str) -> Option<&str> {
    line.strip_prefix("data: ")
}

#[test]
fn any_text_arrives_as_it_was_or_is_refused_by_name() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let expected: Vec<String> =
        texts().iter().flat_map(|text| publish(&server, &paff, text)).collect();
    assert!(expected.len() > texts().len() * 7, "{} of them", expected.len());
    for (form, found) in read(&server, &neko) {
        assert_eq!(found.len(), expected.len(), "{form}");
        for (found, expected) in found.iter().zip(&expected) {
            let expected = match form {
                // A text is a line there.
                "raw" => expected.replace(['\r', '\n'], " "),
                _ => expected.clone(),
            };
            assert_eq!(*found, expected, "{form}");
        }
    }
}

/// A request, its fields and its body; then a word of the refusal.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Vec<u8>, &'a str);

#[test]
fn bytes_that_are_no_text_are_refused_by_name_wherever_they_are() {
    let server = Server::start_with(HTTP);
    let bearer = format!("Bearer {}", server.log_in("paff"));
    let bytes: [&[u8]; 6] =
        [b"\xff", b"hai\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x28\xa1"];
    for bytes in bytes {
        let coded: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        let object = |before: &[u8], after: &[u8]| [before, bytes, after].concat();
        let word = format!("=?UTF-8?B?{}?=", STANDARD.encode(bytes));
        let cases: [Case; 9] = [
            ("POST /neko", &[], bytes.to_vec(), "UTF-8"),
            ("POST /", &[], object(br#"{"topic":"neko","message":""#, b"\"}"), "UTF-8"),
            ("POST /api/v1/post", &[], object(br#"{"to":["neko"],"body":""#, b"\"}"), "UTF-8"),
            (&format!("GET /neko/publish?message={coded}"), &[], Vec::new(), "message: "),
            (&format!("POST /neko?t={coded}"), &[], b"hai".to_vec(), "t: "),
            (&format!("GET /inbox/json?poll=1&tags={coded}"), &[], Vec::new(), "tags: "),
            (&format!("POST /{coded}"), &[], b"hai".to_vec(), "UTF-8"),
            ("POST /neko", &[("Title", &word)], b"hai".to_vec(), "title: "),
            ("POST /neko", &[("X-Message", &word)], Vec::new(), "message: "),
        ];
        for (request, fields, body, name) in cases {
            let fields = [fields, &[("Authorization", bearer.as_str())]].concat();
            let refused = send(server.http(), request, &fields, body);
            assert_eq!(refused.status, 400, "{request} {bytes:?}: {refused:?}");
            assert!(refused.body.contains(name), "{request} {bytes:?}: {refused:?}");
        }
    }
    // Half of a pair of UTF-16.
    for body in
        [r#"{"topic":"neko","message":"\ud800"}"#, r#"{"topic":"neko","message":"\udc00x"}"#]
    {
        let refused = send(server.http(), "POST /", &[("Authorization", &bearer)], body);
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
    }
    let neko = server.log_in("neko");
    assert_eq!(server.connect().done(format!("unread {neko}"))["unread"], 0);
}

#[test]
fn hostile_names_numbers_and_lines_are_refused_by_name() {
    let server = Server::start_with(HTTP);
    let bearer = format!("Bearer {}", server.log_in("paff"));
    let own = ("Authorization", bearer.as_str());
    let long = "x".repeat(4_000);
    for name in [
        "",
        "No",
        "neko ",
        " neko",
        "neko\0",
        "neko\n",
        "nеko",
        "ｎｅｋｏ",
        "@",
        "@@neko",
        "#",
        "##a",
        "@#a",
        "*",
        "..",
        "../neko",
        "neko/json",
        "%6eeko",
        "' OR 1=1--",
        "\u{202e}oken",
        "🐱",
        "-",
        &long,
    ] {
        let by_path = send(server.http(), &format!("POST /{}", in_url(name)), &[own], "hai");
        let by_json = json!({"topic": name, "message": "hai"}).to_string();
        let by_json = send(server.http(), "POST /", &[own], by_json);
        let by_verb = json!({"to": [name], "body": "hai"}).to_string();
        let by_verb = send(server.http(), "POST /api/v1/post", &[own], by_verb);
        for response in [&by_json, &by_verb] {
            assert!(matches!(response.status, 400 | 404), "{name:?}: {response:?}");
            assert!(response.body.contains("unknown_recipient"), "{name:?}: {response:?}");
        }
        // An empty name is another path, and a long one another limit.
        assert!(matches!(by_path.status, 400 | 404 | 431), "{name:?}: {by_path:?}");
    }
    for number in [
        "0",
        "6",
        "-1",
        "+1",
        "1.0",
        "1e0",
        "٣",
        "0x1",
        "NaN",
        "18446744073709551617",
        "1e999",
        "",
        " 1",
    ] {
        let wrong = send(server.http(), "POST /neko", &[own, ("Priority", number)], "hai");
        // Empty is as if it were not given, and so are spaces around it.
        let is_good = number.trim() != number || number.is_empty();
        assert_eq!(wrong.status, if is_good { 200 } else { 400 }, "{number:?}: {wrong:?}");
        assert!(is_good || wrong.body.contains("priority: "), "{number:?}: {wrong:?}");
    }
    for (request, body, name) in [
        ("POST /", r#"{"topic":"neko","priority":1e999}"#, "JSON"),
        ("POST /", r#"{"topic":"neko","priority":18446744073709551617}"#, "priority: "),
        ("POST /", r#"{"topic":"neko","priority":[1]}"#, "priority: "),
        ("POST /", r#"{"topic":"neko","priority":{"a":1}}"#, "priority: "),
        ("POST /", r#"{"topic":"neko","topic":"paff"}"#, "topic"),
        ("POST /", r#"{"topic":["neko"]}"#, "JSON"),
        ("POST /", r#"{"topic":"neko","title":"a\nb"}"#, "title: "),
        ("POST /", r#"{"topic":"neko","title":"\u001b[31m"}"#, "title: "),
        ("POST /", r#"{"topic":"neko","title":"\u0000"}"#, "title: "),
        ("POST /", r#"{"topic":"neko","click":"javascript:alert(1)"}"#, "click: "),
        ("POST /", r#"{"topic":"neko","click":"https://a.example/\u0000"}"#, "click: "),
        ("POST /", r#"{"topic":"neko","tags":["a b"]}"#, "tags: "),
        ("POST /", r#"{"topic":"neko","tags":"a"}"#, "JSON"),
        ("POST /", r#"{"topic":"neko","delay":"99999999999999999999"}"#, "delay: "),
        ("POST /", r#"{"topic":"neko","delay":1e999}"#, "JSON"),
        ("POST /neko?in=99999999999999999999d", "hai", "delay: "),
        ("POST /neko?in=-1h", "hai", "delay: "),
        ("POST /api/v1/fetch", r#"{"after":18446744073709551616}"#, "after"),
        ("POST /api/v1/fetch", r#"{"after":-1}"#, "after"),
        ("POST /api/v1/fetch", r#"{"after":1.5}"#, "after"),
        ("POST /api/v1/fetch", r#"{"limit":1e300}"#, "limit"),
        ("POST /inbox/ack?upto=99999999999999999999", "", "upto: "),
        ("POST /inbox/ack?upto=-1", "", "upto: "),
        ("GET /inbox/json?poll=1&since=99999999999999999999", "", "since: "),
        ("GET /inbox/json?poll=1&since=99999999999999999999s", "", "since: "),
        ("GET /inbox/json?poll=99999999999999999999", "", "poll: "),
    ] {
        let refused = send(server.http(), request, &[own], body);
        assert_eq!(refused.status, 400, "{request} {body}: {refused:?}");
        assert!(refused.body.contains(name), "{request} {body}: {refused:?}");
    }
    let deep = format!("{}{}", r#"{"topic":"neko","icon":"#, "[".repeat(200_000));
    let refused = send(server.http(), "POST /", &[own], deep);
    assert_eq!(refused.status, 400, "{:?}", refused.head);
    let neko = server.log_in("neko");
    assert_eq!(server.connect().done(format!("unread {neko}"))["unread"], 2);
}
