//! Incoming hooks: the bodies of Slack, Mattermost, Grafana, Alertmanager and apprise as they are,
//! and a secret in the path that does nothing else.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Server;
use crate::support::http::{Response, send};
use crate::support::skip::is_here;
use crate::support::tls::as_str;

const HTTP: &[&str] = &["--http", "127.0.0.1:0"];

/// A server, and a hook of paff for this target.
fn server(to: &str) -> (Server, String) {
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#ops"}}"##));
    let create = json!({"name": "hook", "can": "hook", "to": [to]});
    let created = wire.done(format!("token_create {paff} {create}"));
    let token = created["token"].as_str().expect("a token").to_owned();
    (server, token)
}

fn post(server: &Server, id: &str, body: impl AsRef<[u8]>) -> Response {
    let fields = [("Content-Type", "application/json")];
    send(server.http(), &format!("POST /hooks/{id}"), &fields, body)
}

/// The newest message between paff and this mailbox.
fn newest(server: &Server, with: &str) -> Value {
    let token = server.log_in("paff");
    let fetch = json!({"with": with, "before": i64::MAX, "limit": 1});
    let page = server.connect().done(format!("fetch {token} {fetch}"));
    page["messages"][0].clone()
}

#[track_caller]
fn accepted(response: &Response) {
    assert_eq!((response.status, response.body.as_str()), (200, "ok"), "{response:?}");
    assert!(response.field("x-message-id").is_some(), "{response:?}");
}

#[test]
fn bodies_of_four_programs_become_messages() {
    let (server, hook) = server("#ops");
    for (body, expected) in [
        (
            include_str!("../recorded/slack.json"),
            json!({"body": "Build 417 (https://ci.example/417) is *done*: 3 < 5 & no errors\n\
                            Next: deploy"}),
        ),
        (
            include_str!("../recorded/mattermost.json"),
            json!({"title": "Job backup failed", "click": "https://ci.example/job/backup/12",
                   "body": "The disk of **db-1** is full.\nDuration: 12 s\nAttempt: 3"}),
        ),
        (
            include_str!("../recorded/grafana.json"),
            json!({"title": "[FIRING:1] High memory (web-1 ops)", "priority": 4,
                   "tags": ["firing"], "click": "https://grafana.example/d/memory?viewPanel=2",
                   "body": "**Firing**\n\nValue: B=97.2394, C=1\nLabels:\n \
                            - alertname = High memory\n - host = web-1"}),
        ),
        (
            include_str!("../recorded/alertmanager.json"),
            json!({"title": "[FIRING:1] DiskFull", "priority": 5, "tags": ["firing"],
                   "click": "http://prometheus.example:9090/graph?\
                             g0.expr=node_filesystem_avail_bytes",
                   "body": "firing: The disk of db-1 is full \
                            (instance=db-1:9100, severity=critical)\n\
                            resolved: Less than 9 % is left. \
                            (instance=db-2:9100, severity=warning)\n+ 2"}),
        ),
    ] {
        accepted(&post(&server, &hook, body));
        let mut message = newest(&server, "#ops");
        let fields = message.as_object_mut().expect("a message");
        assert_eq!((&fields["from"], &fields["room"]), (&json!("paff"), &json!("#ops")));
        fields.retain(|name, _| !["id", "at", "from", "room"].contains(&name.as_str()));
        assert_eq!(message, expected);
    }
}

#[test]
fn apprise_posts_to_a_hook_by_its_json_url() {
    if !is_here("apprise") {
        return;
    }
    let (server, hook) = server("#ops");
    let folder = TempDir::new().unwrap();
    let (config, log) = (folder.path().join("apprise.conf"), folder.path().join("build.log"));
    std::fs::write(&config, format!("json://{}/hooks/{hook}\n", server.http())).unwrap();
    std::fs::write(&log, "error").unwrap();
    let apprise = |arguments: &[&str]| {
        Command::new("apprise")
            .args(["-c", as_str(&config), "-t", "Build 417 é"])
            .args(arguments)
            .env("HOME", folder.path())
            .output()
            .unwrap()
    };
    let output = apprise(&["-n", "failure", "-b", "it failed\nline two", "-a", as_str(&log)]);
    assert!(output.status.success(), "{output:?}");
    let mut message = newest(&server, "#ops");
    let fields = message.as_object_mut().expect("a message");
    fields.retain(|name, _| !["id", "at", "from", "room"].contains(&name.as_str()));
    let expected = json!({"title": "Build 417 é", "body": "it failed\nline two\n+ build.log",
                          "priority": 4, "tags": ["failure"]});
    assert_eq!(message, expected);
    let output = apprise(&["-b", "it is done"]);
    assert!(output.status.success(), "{output:?}");
    let message = newest(&server, "#ops");
    assert_eq!(message["body"], "it is done");
    assert_eq!((&message["priority"], &message["tags"]), (&Value::Null, &Value::Null));
    // apprise reports it if the message was refused.
    server.connect().done(format!(r#"token_revoke {} {{"name": "hook"}}"#, server.log_in("paff")));
    assert!(!apprise(&["-b", "too late"]).status.success());
}

#[test]
fn form_of_slack_is_taken_and_a_key_makes_it_the_same_message() {
    let (server, hook) = server("neko");
    let request = format!("PUT /hooks/{hook}");
    let body = "payload=%7B%22text%22%3A+%22hai%22%7D";
    let fields =
        [("Content-Type", "application/x-www-form-urlencoded"), ("Idempotency-Key", "delivery-7")];
    let first = send(server.http(), &request, &fields, body);
    accepted(&first);
    let again = send(server.http(), &request, &fields, body);
    accepted(&again);
    assert_eq!(first.field("x-message-id"), again.field("x-message-id"));
    assert_eq!(again.field("idempotent-replayed"), Some("true"));
    assert_eq!(newest(&server, "neko")["body"], "hai");
    let other = send(server.http(), &request, &fields, r#"{"text": "other"}"#);
    assert_eq!(other.status, 422, "{other:?}");
}

#[test]
fn what_is_no_message_is_refused_and_what_is_long_arrives() {
    let (server, hook) = server("neko");
    for body in ["", "hai", "[]", "{}", r#"{"text": ""}"#, r#"{"text": 7}"#, "payload=x"] {
        let response = post(&server, &hook, body);
        assert_eq!(response.status, 400, "{body}: {response:?}");
    }
    assert_eq!(post(&server, &hook, [b'"', 0xff]).status, 400);
    let long = json!({"text": "猫".repeat(20_000)}).to_string();
    accepted(&post(&server, &hook, long));
    let message = newest(&server, "neko");
    let text = message["body"].as_str().unwrap();
    assert!(text.ends_with("猫…") && text.len() > 32_000, "{} bytes", text.len());
    assert_eq!(post(&server, &hook, "x".repeat(300_000)).status, 413);
    let no_text = post(&server, "%ff", "{}");
    assert!(no_text.body.contains("\"code\":\"bad_argument\""), "{no_text:?}");
    let got = send(server.http(), &format!("GET /hooks/{hook}"), &[], "");
    assert_eq!(got.status, 405, "{got:?}");
}

#[test]
fn secret_of_a_hook_does_nothing_else_and_no_other_token_is_a_hook() {
    let (server, hook) = server("neko");
    let mut wire = server.connect();
    for line in [
        format!("send {hook} neko  hai "),
        format!("post {hook} {}", json!({"to": ["neko"], "body": "hai"})),
        format!("whoami {hook}"),
        format!("inbox {hook}"),
    ] {
        assert_eq!(wire.refused(&line), "token_rights", "{line}");
    }
    let bearer = format!("Bearer {hook}");
    let fields = [("Authorization", bearer.as_str())];
    for request in ["POST /neko", "GET /inbox/json?poll=1", "GET /neko/publish?message=hai"] {
        let response = send(server.http(), request, &fields, "");
        assert_eq!(response.status, 403, "{request}: {response:?}");
    }
    // An open session or another token in a path is no hook, nor is its form told from nonsense.
    let paff = server.log_in("paff");
    let said = json!({"text": "hai"}).to_string();
    let create = json!({"name": "ci", "to": ["neko"]});
    let created = wire.done(format!("token_create {paff} {create}"));
    let plain = post(&server, created["token"].as_str().unwrap(), &said);
    assert_eq!(plain.status, 403, "{plain:?}");
    let unknown = format!("ct_{}", "0".repeat(40));
    let refused = [paff.as_str(), &unknown, "x", "%00"].map(|id| post(&server, id, &said));
    for response in &refused {
        assert_eq!((response.status, &response.body), (404, &refused[0].body), "{response:?}");
    }
    assert_eq!(newest(&server, "neko"), Value::Null);
}

#[test]
fn hook_follows_its_target_and_ends_when_it_is_revoked() {
    let (server, hook) = server("neko");
    let said = json!({"text": "hai"}).to_string();
    let operate = |words: &[&str]| crate::support::operator::done(&server.database(), words);
    operate(&["user", "rename", "neko", "cat"]);
    accepted(&post(&server, &hook, &said));
    assert_eq!(newest(&server, "cat")["body"], "hai");
    operate(&["user", "delete", "--yes", "cat"]);
    assert_eq!(post(&server, &hook, &said).status, 404);
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    for to in [json!(null), json!([]), json!(["robo", "#ops"])] {
        let create = json!({"name": "other", "can": "hook", "to": to});
        assert_eq!(wire.refused(format!("token_create {paff} {create}")), "bad_argument", "{to}");
    }
    let create = json!({"name": "other", "can": "hook", "to": ["robo"]});
    let created = wire.done(format!("token_create {paff} {create}"));
    let other = created["token"].as_str().unwrap();
    accepted(&post(&server, other, &said));
    wire.done(format!(r#"token_revoke {paff} {{"name": "other"}}"#));
    assert_eq!(post(&server, other, &said).status, 404);
}
