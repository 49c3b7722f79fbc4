//! Access tokens: each may do what it says and nothing else, on the line port and over HTTP. The
//! table here decides about each verb by itself: a verb without a line fails the test.

use std::net::TcpStream;

use chat::protocol::verb::Verb;
use serde_json::{Value, json};

use crate::support::http::{Response, send};
use crate::support::websocket::WebSocket;
use crate::support::{Server, Wire, wait_until};

const HTTP: &[&str] = &["--http", "127.0.0.1:0"];

/// What a verb needs, as this test sees it, and a request that a session of paff may make.
fn request(verb: Verb) -> Option<(&'static str, Value)> {
    let (right, fields) = match verb.as_str() {
        // These need no token.
        "auth" | "invitation" | "accept" | "hello" | "help" | "invalid" => return None,
        "send" => ("send", Value::Null),
        "post" => ("send", json!({"to": ["neko"], "body": "hai"})),
        "inbox" | "list" => ("read", Value::Null),
        "users" | "fetch" | "conversations" | "unread" | "whoami" | "rooms" | "expectations"
        | "scheduled" => ("read", json!({})),
        "search" => ("read", json!({"query": "hai"})),
        "receipts" => ("read", json!({"id": 1_000_000})),
        "who" | "blocks" => ("read", json!({})),
        "block" | "unblock" => ("all", json!({"user": "ivy"})),
        "settings" => ("all", json!({})),
        "ack" => ("read", json!({"upto": 0})),
        "watch" => ("read", json!({"from": "new"})),
        "room" | "room_members" => ("read", json!({"room": "#build"})),
        "edit" => ("all", json!({"id": 1, "body": "x"})),
        "delete" => ("all", json!({"id": 1})),
        "room_create" => ("all", json!({"room": "#new"})),
        "room_join" | "room_leave" => ("all", json!({"room": "#none"})),
        "room_invite" => ("all", json!({"room": "#build", "users": ["neko"]})),
        "room_kick" => ("all", json!({"room": "#build", "user": "robo"})),
        "room_set" => ("all", json!({"room": "#build", "topic": "t"})),
        "room_archive" => ("all", json!({"room": "#none"})),
        "expect" => ("all", json!({"name": "e", "every": 60, "tell": "neko"})),
        "report" => ("all", json!({"name": "e"})),
        "cancel" => ("all", json!({"id": 1_000_000})),
        "logout" => ("session", Value::Null),
        "sessions" | "tokens" => ("session", json!({})),
        "revoke" => ("session", json!({"session": 1_000_000})),
        "passwd" => ("session", json!({"old": "cytus", "new": "other"})),
        "token_create" => ("session", json!({"name": "more"})),
        "token_revoke" => ("session", json!({"name": "ci"})),
        other => panic!("{other}: decide which tokens may do it"),
    };
    Some((right, fields))
}

/// The line of a request.
fn line(verb: Verb, token: &str, fields: &Value) -> String {
    match (verb.as_str(), fields) {
        ("send", _) => format!("send {token} neko  hai "),
        (verb, Value::Null) => format!("{verb} {token} "),
        (verb, fields) => format!("{verb} {token} {fields}"),
    }
}

fn create(wire: &mut Wire<TcpStream>, session: &str, fields: Value) -> String {
    let created = wire.done(format!("token_create {session} {fields}"));
    created["token"].as_str().expect("a token").to_owned()
}

/// A server with a room of paff, one of neko, and paff's session.
fn server() -> (Server, String) {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    wire.done(format!(r##"room_create {neko} {{"room": "#secret", "private": true}}"##));
    wire.done(format!(r##"room_create {neko} {{"room": "#open"}}"##));
    (server, paff)
}

#[test]
fn every_token_may_use_the_verbs_of_its_rights_and_no_others() {
    let (server, paff) = server();
    let mut wire = server.connect();
    let neko = Some(["neko"]);
    // A hook posts to a path of its own, which no verb does.
    for (can, to) in [("send", None), ("send", neko), ("hook", neko), ("read", None), ("all", None)]
    {
        let mut fields = json!({"name": "it", "can": can});
        if let Some(to) = to {
            fields["to"] = json!(to);
        }
        let token = create(&mut wire, &paff, fields);
        for &verb in Verb::ALL {
            let Some((right, fields)) = request(verb) else { continue };
            let is_allowed = right == can || can == "all" && right != "session";
            for (transport, reply) in replies(&server, verb, &token, &fields) {
                let what = format!("{verb:?} with {can} {to:?} by {transport}: {reply}");
                assert_eq!(reply["code"] == "token_rights", !is_allowed, "{what}");
                assert_ne!(reply["code"], "no_session", "{what}");
            }
        }
        wire.done(format!(r#"token_revoke {paff} {{"name": "it"}}"#));
    }
    // Nothing of the account was changed by a token.
    assert_eq!(wire.done(format!("tokens {paff}"))["tokens"], json!([]));
    wire.log_in("paff");
}

/// The replies to a request by each transport that carries verbs.
fn replies(server: &Server, verb: Verb, token: &str, fields: &Value) -> [(&'static str, Value); 3] {
    let line = line(verb, token, fields);
    // Connections of their own: `watch` turns them into streams.
    let by_line = server.connect().ask(&line);
    let mut socket = WebSocket::open(server.http(), "/api/v1/socket", &[]).expect("it is opened");
    socket.send(&line);
    let by_socket = serde_json::from_str(&socket.text().expect("a reply")).expect("an object");
    let object = match (verb.as_str(), fields) {
        ("send", _) => json!({"to": "neko", "body": "hai"}),
        (_, Value::Null) => json!({}),
        (_, fields) => fields.clone(),
    };
    let by_http = match verb {
        // A response is one reply, so this has a path of its own.
        Verb::Watch => get(server, token, "/api/v1/events?poll=1"),
        verb => {
            let bearer = format!("Bearer {token}");
            let request = format!("POST /api/v1/{}", verb.as_str());
            send(server.http(), &request, &[("Authorization", &bearer)], object.to_string())
        }
    };
    let by_http = match by_http.status {
        200 => json!({}),
        _ => serde_json::from_str(&by_http.body).unwrap_or_else(|_| panic!("{by_http:?}")),
    };
    [("a line", by_line), ("WebSocket", by_socket), ("HTTP", by_http)]
}

/// The same refusal, whoever it is about.
fn without_name(mut reply: Value, name: &str) -> Value {
    assert_eq!(reply["users"], json!([name]), "{reply}");
    reply["users"] = json!([]);
    reply
}

/// Sends a text in each way that there is. The body of an answer, and whether it was accepted.
fn send_everywhere(server: &Server, token: &str, to: &str) -> Vec<(bool, Value)> {
    let mut wire = server.connect();
    let mut answers = Vec::new();
    for line in [
        format!("send {token} {to}  hai "),
        format!("post {token} {}", json!({"to": [to], "body": "hai"})),
        format!("post {token} {}", json!({"to": [to], "body": "hai", "key": "known"})),
    ] {
        let reply = wire.ask(line);
        answers.push((reply["status"] == "OK", reply));
    }
    let bearer = format!("Bearer {token}");
    let fields = [("Authorization", bearer.as_str())];
    let path = to.replace('#', "%23");
    let json = json!({"topic": to, "message": "hai"}).to_string();
    for response in [
        send(server.http(), &format!("POST /{path}"), &fields, "hai"),
        send(server.http(), "POST /", &fields, &json),
        send(server.http(), &format!("GET /{path}/publish?message=hai"), &fields, ""),
    ] {
        let body = serde_json::from_str(&response.body).unwrap_or_else(|_| panic!("{response:?}"));
        answers.push((response.status == 200, body));
    }
    answers
}

#[test]
fn token_with_targets_cannot_tell_who_else_exists() {
    let (server, paff) = server();
    let mut wire = server.connect();
    let fields = json!({"name": "ci", "to": ["neko", "#build"]});
    let token = create(&mut wire, &paff, fields);
    for target in ["neko", "#build"] {
        let answers = send_everywhere(&server, &token, target);
        let refused: Vec<_> = answers.iter().filter(|(accepted, _)| !accepted).collect();
        // The key of the third request is that of the message to the first target.
        let is_conflict = |answer: &&(bool, Value)| answer.1["code"] == "key_conflict";
        assert_eq!(refused.len(), refused.into_iter().filter(is_conflict).count(), "{target}");
    }
    let missing = send_everywhere(&server, &token, "nobody");
    for other in ["vanessa", "paff", "#open", "#secret", "#none", "No"] {
        let answers = send_everywhere(&server, &token, other);
        for ((accepted, answer), (_, expected)) in answers.into_iter().zip(&missing) {
            assert!(!accepted, "{other}: {answer}");
            let expected = without_name(expected.clone(), "nobody");
            assert_eq!(without_name(answer, other), expected, "{other}");
        }
    }
    // Nor which messages there are.
    let answer = json!({"to": ["neko"], "body": "hai", "reply_to": 1});
    assert_eq!(wire.refused(format!("post {token} {answer}")), "token_rights");
    let rows = server.query("SELECT DISTINCT recipient FROM v2_messages ORDER BY recipient");
    assert_eq!(rows, ["#build", "neko"]);
}

fn get(server: &Server, token: &str, path: &str) -> Response {
    let bearer = format!("Bearer {token}");
    send(server.http(), &format!("GET {path}"), &[("Authorization", &bearer)], "")
}

#[test]
fn rights_hold_over_http() {
    let (server, paff) = server();
    let mut wire = server.connect();
    let tokens = ["send", "read", "all"].map(|can| {
        let token = create(&mut wire, &paff, json!({"name": can, "can": can}));
        (can, token)
    });
    for (can, token) in &tokens {
        let bearer = format!("Bearer {token}");
        let fields = [("Authorization", bearer.as_str())];
        for path in [
            "/inbox/json?poll=1",
            "/inbox/sse?poll=1",
            "/inbox/raw?poll=1",
            "/paff/json?poll=1",
            "/inbox/json?poll=1&cursor=c",
        ] {
            let response = get(&server, token, path);
            let expected = if *can == "send" { 403 } else { 200 };
            assert_eq!(response.status, expected, "{can} {path}: {response:?}");
        }
        let ack = send(server.http(), "POST /inbox/ack?upto=0", &fields, "");
        assert_eq!(ack.status == 403, *can == "send", "{can}: {ack:?}");
        let sent = send(server.http(), "POST /neko", &fields, "hai");
        assert_eq!(sent.status, if *can == "read" { 403 } else { 200 }, "{can}: {sent:?}");
        if *can == "read" {
            assert!(sent.body.contains("token_rights"), "{sent:?}");
        }
    }
    let [(_, token), ..] = &tokens;
    wire.done(format!(r#"token_revoke {paff} {{"all": true}}"#));
    assert_eq!(get(&server, token, "/inbox/json?poll=1").status, 401);
}

#[test]
fn token_of_a_revocation_is_dead_at_once_and_so_are_its_streams() {
    let (server, paff) = server();
    let mut wire = server.connect();
    let token = create(&mut wire, &paff, json!({"name": "r", "can": "read"}));
    let mut stream = server.connect();
    stream.done(format!(r#"watch {token} {{"from": "new"}}"#));
    let ended = wire.done(format!(r#"token_revoke {paff} {{"name": "r"}}"#));
    assert_eq!(ended["ended"], 1);
    // It may have caught up before.
    let mut end = stream.reply();
    while end["event"] == "caught_up" {
        end = stream.reply();
    }
    assert_eq!((&end["event"], &end["code"]), (&json!("end"), &json!("no_session")), "{end}");
    assert_eq!(wire.refused(format!("whoami {token}")), "no_session");
    let again = wire.done(format!(r#"token_revoke {paff} {{"name": "r"}}"#));
    assert_eq!(again["ended"], 0);
}

#[test]
fn token_is_listed_with_its_use_and_its_hash_alone_is_stored() {
    let (mut server, paff) = server();
    let mut wire = server.connect();
    let fields = json!({"name": "ci", "to": ["neko"], "expires_in": 86_400});
    let token = create(&mut wire, &paff, fields.clone());
    assert!(token.starts_with("ct_") && token.len() == 43, "{token}");
    assert_eq!(wire.refused(format!("token_create {paff} {fields}")), "token_exists");
    wire.done(format!("send {token} neko  hai "));
    let listed = |wire: &mut Wire| wire.done(format!("tokens {paff}"))["tokens"][0].clone();
    let before = listed(&mut wire);
    assert_eq!((&before["name"], &before["can"]), (&json!("ci"), &json!("send")));
    assert_eq!((&before["to"], before.get("last_used_at")), (&json!(["neko"]), None));
    assert!(before["expires_at"].is_string(), "{before}");
    // A stop stores the last uses.
    assert!(server.stop().success());
    server.start_again();
    let mut wire = server.connect();
    let after = listed(&mut wire);
    let from = after["last_used_from"].as_str().expect("a place");
    assert!(from == "loopback" || from.starts_with("unix:uid="), "{after}");
    assert!(after["last_used_at"].is_string());
    wire.done(format!("send {token} neko  again "));
    if !crate::support::is_on_postgres() {
        let stored = server.query("SELECT hex(token_hash) FROM access_tokens");
        let hash = token_hash(&token);
        assert_eq!(stored, [hash]);
    }
    let upper = token.to_uppercase();
    for wrong in [&token[..42], &format!("{token}0"), &upper] {
        assert_eq!(wire.refused(format!("send {wrong} neko  hai ")), "no_session");
    }
}

/// The SHA-256 in upper case.
fn token_hash(token: &str) -> String {
    let token: chat::model::Token = token.parse().unwrap();
    token.hash().0.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[test]
fn token_works_again_when_its_user_is_enabled_again_and_dies_with_the_user() {
    let (server, paff) = server();
    let mut wire = server.connect();
    let token = create(&mut wire, &paff, json!({"name": "ci"}));
    let send = |wire: &mut Wire| wire.ask(format!("send {token} neko  hai "));
    assert_eq!(send(&mut wire)["status"], "OK");
    let operate = |words: &[&str]| crate::support::operator::done(&server.database(), words);
    operate(&["user", "disable", "paff"]);
    assert_eq!(send(&mut wire)["code"], "no_session");
    operate(&["user", "enable", "paff"]);
    assert_eq!(send(&mut wire)["status"], "OK");
    operate(&["user", "rename", "neko", "cat"]);
    assert_eq!(send(&mut wire)["code"], "unknown_recipient");
    operate(&["user", "delete", "--yes", "paff"]);
    assert_eq!(send(&mut wire)["code"], "no_session");
}

#[test]
fn token_expires_for_good() {
    let (mut server, paff) = server();
    let mut wire = server.connect();
    let token = create(&mut wire, &paff, json!({"name": "ci", "can": "all", "expires_in": 2}));
    let mut stream = server.connect();
    // A slow machine may be too late for a stream.
    let reply = stream.ask(format!(r#"watch {token} {{"from": "new"}}"#));
    let has_stream = reply["status"] == "OK";
    let line = format!("send {token} neko  hai ");
    wait_until("it has expired", || wire.ask(&line)["code"] == "no_session");
    if has_stream {
        // What comes after the end of the token is not for its stream.
        wire.done(format!("send {paff} paff  late "));
        let mut end = stream.reply();
        while end["event"] == "caught_up" {
            end = stream.reply();
        }
        assert_eq!((&end["event"], &end["code"]), (&json!("end"), &json!("no_session")), "{end}");
    }
    assert!(server.stop().success());
    server.start_again();
    let mut wire = server.connect();
    assert_eq!(wire.refused(&line), "no_session");
    // The start has removed it.
    assert_eq!(wire.done(format!("tokens {paff}"))["tokens"], json!([]));
}

#[test]
fn arguments_out_of_bounds_make_no_token() {
    let (server, paff) = server();
    let mut wire = server.connect();
    for fields in [
        json!({}),
        json!({"name": ""}),
        json!({"name": "CI"}),
        json!({"name": "x".repeat(33)}),
        json!({"name": "ci", "can": "write"}),
        json!({"name": "ci", "to": []}),
        json!({"name": "ci", "to": ["No"]}),
        json!({"name": "ci", "can": "all", "to": ["neko"]}),
        json!({"name": "ci", "can": "hook"}),
        json!({"name": "ci", "can": "hook", "to": ["neko", "robo"]}),
        json!({"name": "ci", "expires_in": 0}),
        json!({"name": "ci", "expires_in": 400_000_000}),
        json!({"name": "ci", "token": "ct_"}),
    ] {
        let refused = wire.refused(format!("token_create {paff} {fields}"));
        assert_eq!(refused, "bad_argument", "{fields}");
    }
    for fields in [json!({}), json!({"all": false}), json!({"name": "ci", "all": true})] {
        let refused = wire.refused(format!("token_revoke {paff} {fields}"));
        assert_eq!(refused, "bad_argument", "{fields}");
    }
    // A private room of others is as if it were not there.
    for to in ["nobody", "#secret", "#none"] {
        let fields = json!({"name": "ci", "to": ["neko", to]});
        let reply = wire.ask(format!("token_create {paff} {fields}"));
        assert_eq!(reply["code"], "unknown_recipient", "{reply}");
        assert_eq!(reply["users"], json!([to]));
    }
    assert_eq!(wire.done(format!("tokens {paff}"))["tokens"], json!([]));
}
