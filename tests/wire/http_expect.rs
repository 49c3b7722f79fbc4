//! Reports over HTTP: `/expect/NAME` is the verb `report`, with its rights and its refusals.

use serde_json::{Value, json};

use crate::support::http::{Response, send};
use crate::support::{Server, Wire, wait_until};

/// `paff:cytus` in base64.
const PAFF: &str = "Basic cGFmZjpjeXR1cw==";

fn expectation<S: std::io::Read + std::io::Write>(wire: &mut Wire<S>, token: &str) -> Value {
    wire.done(format!("expectations {token}"))["expectations"][0].take()
}

fn code_of(response: &Response) -> String {
    let object: Value = serde_json::from_str(&response.body).expect("an object");
    object["code"].as_str().expect("a code").to_owned()
}

#[test]
fn path_reports_what_the_verb_reports() {
    let server = Server::start_with(&["--http", "127.0.0.1:0"]);
    let mut wire = server.connect();
    let session = wire.log_in("paff");
    let fields = json!({"name": "backup", "every": 3600, "tell": "neko"});
    wire.done(format!("expect {session} {fields}"));
    let bearer = format!("Bearer {session}");
    let report = |request: &str, body: &str| {
        send(server.http(), request, &[("Authorization", bearer.as_str())], body)
    };
    let started = report("POST /expect/backup/start", "");
    assert_eq!(started.status, 200, "{started:?}");
    assert!(expectation(&mut wire, &session)["started_at"].is_string());
    for (request, expected) in [
        ("POST /expect/backup", 0),
        ("PUT /expect/backup/0", 0),
        ("GET /expect/backup/fail", 1),
        ("POST /expect/backup/255", 255),
    ] {
        let response = report(request, "what the job has printed");
        assert_eq!(response.status, 200, "{request}: {response:?}");
        let answer: Value = serde_json::from_str(&response.body).unwrap();
        let listed = expectation(&mut wire, &session);
        assert_eq!(listed["last_code"], expected, "{request}");
        let told = (&answer["name"], &answer["due_at"]);
        assert_eq!(told, (&json!("backup"), &listed["due_at"]), "{request}");
    }
    let told = "select count(*) from v1_messages
                 where body like 'backup failed with 1 at %what the job has printed'";
    wait_until("the failure is told of", || server.query(told) == ["1"]);
}

#[test]
fn report_over_http_is_refused_as_the_verb_is() {
    let server = Server::start_with(&["--http", "127.0.0.1:0"]);
    let mut wire = server.connect();
    let session = wire.log_in("paff");
    let fields = json!({"name": "backup", "every": 3600, "tell": "neko"});
    wire.done(format!("expect {session} {fields}"));
    let token = |wire: &mut Wire<_>, can: &str| {
        let fields = json!({"name": can, "can": can});
        let made = wire.done(format!("token_create {session} {fields}"));
        format!("Bearer {}", made["token"].as_str().unwrap())
    };
    let (all, only_send) = (token(&mut wire, "all"), token(&mut wire, "send"));
    for (request, who, status, code) in [
        ("POST /expect/backup", only_send.as_str(), 403, "token_rights"),
        ("POST /expect/nothing", all.as_str(), 404, "unknown_expectation"),
        ("POST /expect/No", all.as_str(), 404, "unknown_expectation"),
        ("POST /expect/backup/256", all.as_str(), 404, "bad_request"),
        ("POST /expect/backup/log", all.as_str(), 404, "bad_request"),
        ("POST /expect/backup/1/2", all.as_str(), 404, "bad_request"),
        ("DELETE /expect/backup", all.as_str(), 405, "bad_request"),
        ("HEAD /expect/backup", all.as_str(), 405, ""),
        // A browser remembers a password, and a page could make it follow a link.
        ("GET /expect/backup", PAFF, 403, "bad_request"),
        ("POST /expect/backup", "Bearer ct_0", 401, "no_session"),
    ] {
        let response = send(server.http(), request, &[("Authorization", who)], "");
        assert_eq!(response.status, status, "{request}: {response:?}");
        if !code.is_empty() {
            assert_eq!(code_of(&response), code, "{request}");
        }
    }
    let without = send(server.http(), "POST /expect/backup", &[], "");
    assert_eq!((without.status, code_of(&without).as_str()), (401, "no_session"));
    let listed = expectation(&mut wire, &session);
    assert_eq!(listed["last_at"], Value::Null, "nothing was reported: {listed}");
    for who in [all.as_str(), PAFF] {
        let done = send(server.http(), "POST /expect/backup", &[("Authorization", who)], "");
        assert_eq!(done.status, 200, "{done:?}");
    }
}
