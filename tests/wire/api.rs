//! The project's own API over HTTP: every verb, as the line protocol has it, and the document that
//! describes them.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::http::{Response, get, send};
use crate::support::json_schema::check;
use crate::support::operator;
use crate::support::page::{Names, blocks, fill_in, fits};
use crate::support::python;
use crate::support::skip::is_here;

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];

/// `paff:cytus` in base64.
const PAFF: &str = "Basic cGFmZjpjeXR1cw==";

fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|_| panic!("{response:?}"))
}

/// Calls a verb.
fn call(server: &Server, authorization: &str, verb: &str, object: &str) -> Response {
    let fields = [("Authorization", authorization), ("Content-Type", "application/json")];
    let fields = if authorization.is_empty() { &fields[1..] } else { &fields[..] };
    send(server.http(), &format!("POST /api/v1/{verb}"), fields, object)
}

fn done(server: &Server, token: &str, verb: &str, object: &Value) -> Value {
    let response = call(server, &format!("Bearer {token}"), verb, &object.to_string());
    assert_eq!(response.status, 200, "{verb}: {response:?}");
    json_of(&response)
}

fn document(server: &Server) -> Value {
    let response = get(server.http(), "/api/v1/openapi.json");
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.field("content-type"), Some("application/json"));
    json_of(&response)
}

/// A request of the line protocol: the verb, the token, and the JSON object that the API takes.
fn of_line(line: &str) -> Option<(String, String, Value)> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    if verb == "auth" {
        let (user, password) = rest.split_once(' ')?;
        return Some((verb.into(), String::new(), json!({"user": user, "password": password})));
    }
    if rest.starts_with('{') {
        return Some((verb.into(), String::new(), serde_json::from_str(rest).unwrap()));
    }
    let (token, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let object = match verb {
        "send" => {
            let (to, body) = rest.split_once(' ')?;
            json!({"to": to, "body": body})
        }
        _ if rest.is_empty() => json!({}),
        _ => serde_json::from_str(rest).unwrap(),
    };
    Some((verb.to_owned(), token.to_owned(), object))
}

#[test]
fn examples_of_the_protocol_page_are_true_of_the_api_and_its_document() {
    let server = Server::start_with(HTTP);
    let document = document(&server);
    let mut names = Names::new();
    let mut called = 0;
    let mut blocks = blocks(include_str!("../../docs/protocol.md"));
    // A login by the kernel's word needs another kind of socket.
    blocks.retain(|block| block.language == "session" && block.attribute("unix").is_none());
    for block in &blocks {
        let lines: Vec<_> = block.lines().collect();
        for pair in lines.windows(2) {
            let ((number, request), (_, reply)) = (pair[0], pair[1]);
            let Some(request) = request.strip_prefix("C:") else { continue };
            let expected = reply.strip_prefix("S: ").unwrap();
            let request = fill_in(request.trim_start(), &names);
            let Some((verb, token, object)) = of_line(&request) else { continue };
            let path = format!("/paths/~1api~1v1~1{verb}/post");
            // The page also shows lines that are no requests. A stream is no response.
            let Some(operation) = document.pointer(&path).filter(|_| verb != "watch") else {
                continue;
            };
            let header = if token.is_empty() { String::new() } else { format!("Bearer {token}") };
            let response = call(&server, &header, &verb, &object.to_string());
            let found = response.body.strip_suffix('\n').unwrap();
            assert!(
                fits(expected, found, &mut names),
                "docs/protocol.md, line {number}, says\n  {expected}\nand it is\n  {found}"
            );
            let is_done = response.status == 200;
            let answer = json_of(&response);
            assert_eq!(answer["status"], if is_done { "OK" } else { "ERROR" }, "line {number}");
            let schema = match is_done {
                true => &operation["responses"]["200"]["content"]["application/json"]["schema"],
                false => &document["components"]["schemas"]["Refusal"],
            };
            let fault = check(&document, schema, &answer, true);
            assert_eq!(fault, Ok(()), "line {number}: the reply");
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let fault = check(&document, schema, &object, false);
            assert!(fault.is_ok() || !is_done, "line {number}: the request: {fault:?}");
            called += 1;
        }
    }
    assert!(called > 60, "{called}");
}

#[test]
fn document_has_every_verb_and_nothing_that_refers_to_nothing() {
    let server = Server::start_with(HTTP);
    let document = document(&server);
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let hello = json_of(&call(&server, "", "hello", ""));
    let verbs: Vec<&str> =
        hello["features"].as_array().unwrap().iter().map(|verb| verb.as_str().unwrap()).collect();
    let others = ["events", "socket"];
    assert!(others.iter().all(|path| paths[&format!("/api/v1/{path}")]["get"].is_object()));
    let of_verbs: Vec<&str> =
        paths.keys().filter_map(|path| path.strip_prefix("/api/v1/")).collect();
    for verb in &verbs {
        assert!(of_verbs.contains(verb), "{verb} is in no path");
        let operation = &document["paths"][format!("/api/v1/{verb}")]["post"];
        assert_eq!(operation["operationId"], *verb);
        assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{operation}");
        let is_open = operation["security"] == json!([]);
        // The token is checked first: a verb that needs one says so to everybody.
        let response = call(&server, "", verb, "{}");
        assert_eq!(response.status == 401, !is_open, "{verb}: {response:?}");
    }
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect_references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

#[test]
fn official_validator_accepts_the_document() {
    let Some(mut command) = python::with("openapi_spec_validator") else { return };
    let server = Server::start_with(HTTP);
    let script = "import json, sys\n\
                  from openapi_spec_validator import validate\n\
                  validate(json.load(sys.stdin))\n\
                  print('valid')";
    command.args(["-c", script]).stdin(Stdio::piped());
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let text = document(&server).to_string();
    running.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "valid", "{output:?}");
}

#[test]
fn token_of_auth_serves_until_logout() {
    let server = Server::start_with(HTTP);
    let login = json!({"user": "paff", "password": "cytus"}).to_string();
    let response = call(&server, "", "auth", &login);
    assert_eq!((response.status, response.field("cache-control")), (200, Some("no-store")));
    let token = json_of(&response)["tokenid"].as_str().unwrap().to_owned();
    assert_eq!(done(&server, &token, "whoami", &json!({}))["user"], "paff");
    let who = server.connect().done(format!("whoami {token}"));
    assert_eq!(who["user"], "paff", "it is a session like any other");
    done(&server, &token, "logout", &json!({}));
    let response = call(&server, &format!("Bearer {token}"), "whoami", "");
    assert_eq!((response.status, json_of(&response)["code"].as_str()), (401, Some("no_session")));
    let challenge = response.field("www-authenticate");
    assert_eq!(challenge, Some("Bearer realm=\"chat\""), "a browser asks its user for nothing");

    let wrong = json!({"user": "paff", "password": "wrong"}).to_string();
    let codes: Vec<_> = (0..6).map(|_| call(&server, "", "auth", &wrong)).collect();
    let statuses: Vec<u16> = codes.iter().map(|response| response.status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429], "throttled as auth is");
    assert!(codes[5].field("retry-after").is_some(), "{:?}", codes[5]);
}

#[test]
fn name_and_password_stand_for_the_user_who_has_them_now() {
    let server = Server::start_with(HTTP);
    let rename = |from, to| operator::done(&server.database(), &["user", "rename", from, to]);
    let who = || json_of(&call(&server, PAFF, "whoami", ""));
    assert_eq!(who()["display_name"], "Paff Aroma");
    rename("paff", "cat");
    assert_eq!(who()["code"], "unknown_user", "nobody has this name");
    rename("cat", "paff");
    assert_eq!(who()["display_name"], "Paff Aroma");
    rename("paff", "cat");
    rename("neko", "paff");
    assert_eq!(who()["display_name"], "Neko UwU", "whose password is the same");
}

#[test]
fn new_password_ends_the_sign_in_with_the_old_one() {
    let server = Server::start_with(HTTP);
    assert_eq!(json_of(&call(&server, PAFF, "whoami", ""))["user"], "paff");
    let change = json!({"old": "cytus", "new": "correct horse"}).to_string();
    assert_eq!(call(&server, PAFF, "passwd", &change).status, 200);
    let response = call(&server, PAFF, "whoami", "");
    assert_eq!(
        (response.status, json_of(&response)["code"].as_str()),
        (401, Some("wrong_password"))
    );
    let new = call(&server, "Basic cGFmZjpjb3JyZWN0IGhvcnNl", "whoami", "");
    assert_eq!(new.status, 200, "{new:?}");
}

#[test]
fn key_of_the_header_is_the_key_of_the_message() {
    let server = Server::start_with(HTTP);
    let token = server.log_in("paff");
    let bearer = format!("Bearer {token}");
    let post = |key: &str, object: &str| {
        let fields = [("Authorization", bearer.as_str()), ("Idempotency-Key", key)];
        send(server.http(), "POST /api/v1/post", &fields, object)
    };
    let object = r#"{"to": ["neko", "robo"], "body": "hai"}"#;
    let first = post("build-417", object);
    assert_eq!((first.status, first.field("idempotent-replayed")), (200, None), "{first:?}");
    let again = post("\"build-417\"", &format!("\n {object}\n"));
    assert_eq!((again.status, again.field("idempotent-replayed")), (200, Some("true")));
    assert_eq!(json_of(&again)["id"], json_of(&first)["id"]);
    let line = r#"{"to": ["neko", "robo"], "body": "hai", "key": "build-417"}"#;
    let by_line = server.connect().done(format!("post {token} {line}"));
    assert_eq!((&by_line["duplicate"], &by_line["id"]), (&json!(true), &json_of(&first)["id"]));
    assert_eq!(post("build-417", r#"{"to": ["neko"], "body": "hai"}"#).status, 422);
    for object in ["{}", "{ }", "", "[]", line] {
        let response = post("build-418", object);
        assert_eq!(json_of(&response)["code"], "bad_argument", "{object}: {response:?}");
    }
    let both = post("build-418", line);
    assert!(both.body.contains("the body has a key already"), "{both:?}");
    let fields = [("Authorization", bearer.as_str()), ("Idempotency-Key", "k")];
    let response =
        send(server.http(), "POST /api/v1/send", &fields, r#"{"to": "neko", "body": "hai"}"#);
    assert_eq!(response.status, 400, "send has no key, and must not seem to: {response:?}");
    let page = server.connect().done(format!("fetch {}", server.log_in("neko")));
    assert_eq!(page["messages"].as_array().unwrap().len(), 1);
}

#[test]
fn refusals_have_a_status_and_the_form_of_the_line_protocol() {
    let server = Server::start_with(HTTP);
    let bearer = format!("Bearer {}", server.log_in("paff"));
    let own = ("Authorization", bearer.as_str());
    let long = format!(r#"{{"to": ["neko"], "body": "{}"}}"#, "x".repeat(300_000));
    let elsewhere = ("Origin", "https://evil.example");
    for (request, fields, body, status, code) in [
        ("POST /api/v1/nothing", &[own][..], "{}", 404, "unknown_command"),
        ("POST /api/v1/invalid", &[own], "{}", 404, "unknown_command"),
        ("POST /api/v1/post/more", &[own], "{}", 404, "bad_request"),
        ("POST /api/v1/%ff", &[own], "{}", 400, "bad_argument"),
        ("GET /api/v1/whoami", &[own], "", 405, "bad_request"),
        ("POST /api/v1/whoami", &[], "", 401, "no_session"),
        ("POST /api/v1/whoami", &[("Authorization", "Bearer x")], "", 401, "no_session"),
        ("POST /api/v1/whoami", &[own, elsewhere], "", 403, "bad_request"),
        ("POST /api/v1/whoami", &[own], "[]", 400, "bad_argument"),
        ("POST /api/v1/whoami", &[own], r#"{"token": "x"}"#, 400, "bad_argument"),
        ("POST /api/v1/watch", &[own], "{}", 400, "usage"),
        ("POST /api/v1/post", &[own], &long, 413, "too_long"),
        ("POST /api/v1/post", &[own, ("Content-Encoding", "gzip")], "{}", 415, "bad_argument"),
        ("POST /api/v1/auth", &[], r#"{"user": "paff", "password": ""}"#, 400, "usage"),
        (
            "POST /api/v1/post",
            &[own],
            r#"{"to": ["no one"], "body": "x"}"#,
            404,
            "unknown_recipient",
        ),
        ("POST /api/v1/fetch", &[own], r#"{"afetr": 2}"#, 400, "bad_argument"),
    ] {
        let response = send(server.http(), request, fields, body);
        let answer = json_of(&response);
        assert_eq!((response.status, answer["code"].as_str()), (status, Some(code)), "{request}");
        assert_eq!(answer["status"], "ERROR", "{request}: {answer}");
        assert!(answer["message"].as_str().is_some_and(|text| text.len() > 5), "{answer}");
        assert_eq!(response.field("content-type"), Some("application/json"), "{request}");
    }
    let unknown = call(&server, &bearer, "post", r#"{"to": ["no one"], "body": "x"}"#);
    assert_eq!(json_of(&unknown)["users"], json!(["no one"]));
    // The paths of users stay theirs, also for a user with such a name.
    assert_eq!(send(server.http(), "GET /api/json?poll=1", &[own], "").status, 403);
    assert_eq!(send(server.http(), "POST /api", &[own], "hai").status, 404);
}

#[test]
fn commands_of_the_page_work() {
    if !(is_here("curl") && is_here("jq")) {
        return;
    }
    let page = include_str!("../../docs/http.md");
    let section = page.split_once("\n## The API\n").unwrap().1.split_once("\n## ").unwrap().0;
    let blocks: Vec<_> =
        blocks(section).into_iter().filter(|block| block.language == "sh").collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let server = Server::start_with(HTTP);
        let script = block.text.replace("127.0.0.1:8080", &server.http().to_string());
        let output = Command::new("bash").args(["-euc", &script]).output().unwrap();
        assert!(output.status.success(), "{script}\n{output:?}");
        let output = String::from_utf8(output.stdout).unwrap();
        let replies: Vec<Value> =
            output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(replies.iter().all(|reply| reply["status"] == "OK"), "{output}");
        assert_eq!(replies.last().unwrap()["messages"][0]["body"], "hai", "{output}");
    }
}
