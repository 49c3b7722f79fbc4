//! Access tokens: each may do what it says and nothing else, on the line port and over HTTP. The
//! table here decides about each verb by itself: a verb without a line fails the test.

use std::net::TcpStream;

use chat::protocol::verb::Verb;
use serde_json::{Value, json};

use crate::support::http::{Response, send};
use crate::support::websocket::WebSocket;
use crate::support::{Server, Wire, wait_until};

const HTTP: &[&str] = &["--http", "127.0.0.1:0"];

/// Users and rooms that a request may be about: of others, private, missing, and no name at all.
const TARGETS: [&str; 9] =
    ["neko", "#build", "vanessa", "paff", "#open", "#secret", "#none", "nobody", "No"];

/// The targets of verbs that send nothing.
const OTHERS: [&str; 4] = ["neko", "#build", "#secret", "nobody"];

/// What a verb needs, as this test sees it, and a request about `target` that a session of paff may
/// make. Some verbs are about users or rooms only, and some about neither.
fn request(verb: Verb, target: &str) -> Option<(&'static str, Value)> {
    let is_room = target.starts_with('#');
    let (room, user) = match is_room {
        true => (target, "ivy"),
        false => ("#build", target),
    };
    let (right, fields) = match verb.as_str() {
        // These need no token.
        "auth" | "invitation" | "accept" | "hello" | "help" | "invalid" => return None,
        "send" => ("send", json!({"to": target, "body": "hai"})),
        "post" => ("send", json!({"to": [target], "body": "hai"})),
        "inbox" | "list" => ("read", Value::Null),
        "users" | "conversations" | "unread" | "whoami" | "rooms" | "expectations"
        | "scheduled" | "who" | "blocks" => ("read", json!({})),
        "fetch" => ("read", json!({"with": target})),
        "search" if is_room => ("read", json!({"query": format!("hai in:{target}")})),
        "search" => ("read", json!({"query": format!("hai from:{target}")})),
        "receipts" => ("read", json!({"id": 1_000_000})),
        "ack" if is_room => ("read", json!({"room": target, "upto": 0})),
        "ack" => ("read", json!({"with": target, "upto": 0})),
        "watch" => ("read", json!({"from": "new"})),
        "room" | "room_members" => ("read", json!({"room": room})),
        "block" | "unblock" => ("all", json!({"user": user})),
        "settings" => ("all", json!({})),
        "edit" => ("all", json!({"id": 1, "body": "x"})),
        "delete" => ("all", json!({"id": 1})),
        "room_create" | "room_join" | "room_leave" | "room_archive" => {
            ("all", json!({"room": room}))
        }
        "room_invite" => ("all", json!({"room": "#build", "users": [user]})),
        "room_kick" => ("all", json!({"room": "#build", "user": user})),
        "room_set" => ("all", json!({"room": room, "topic": "t"})),
        "expect" => ("all", json!({"name": "e", "every": 60, "tell": user})),
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
        ("send", _) => format!("send {token} {}  hai ", fields["to"].as_str().unwrap()),
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

/// Each kind of token with each verb, about each target, by each transport.
#[test]
fn every_token_may_do_what_its_rights_say_and_cannot_tell_who_else_exists() {
    let (server, paff) = server();
    let mut wire = server.connect();
    // A hook posts to a path of its own, which no verb does.
    for (can, to) in [
        ("send", Some("neko")),
        ("send", Some("#build")),
        ("send", None),
        ("hook", Some("neko")),
        ("read", None),
        ("all", None),
    ] {
        let mut fields = json!({"name": "it", "can": can});
        if let Some(to) = to {
            fields["to"] = json!([to]);
        }
        let token = create(&mut wire, &paff, fields);
        // Its key stands for this message.
        wire.done(format!("post {paff} {}", json!({"to": ["neko"], "body": "x", "key": "known"})));
        for &verb in Verb::ALL {
            let mut asked = Vec::new();
            let Some((right, missing)) = request(verb, "nobody") else { continue };
            let is_allowed = right == can || can == "all" && right != "session";
            let missing = replies(&server, verb, &token, &missing);
            for target in TARGETS {
                let Some((_, fields)) = request(verb, target) else { continue };
                // Sends are tried with all. What is no name is refused before the rights are looked
                // at; a token with targets must not tell it from a name.
                let is_tried = match right {
                    "send" => target != "No" || can == "send",
                    _ => OTHERS.contains(&target),
                };
                if asked.contains(&fields) || !is_tried {
                    continue;
                }
                let is_other = right == "send" && to.is_some_and(|to| to != target);
                for ((transport, reply), (_, missing)) in
                    replies(&server, verb, &token, &fields).into_iter().zip(&missing)
                {
                    let what =
                        format!("{verb:?} {target} with {can} {to:?} by {transport}: {reply}");
                    assert_eq!(reply["code"] == "token_rights", !is_allowed, "{what}");
                    assert_ne!(reply["code"], "no_session", "{what}");
                    if is_allowed && is_other {
                        assert_ne!(reply["status"], "OK", "{what}");
                        let missing = without_name(missing.clone(), "nobody");
                        assert_eq!(without_name(reply, target), missing, "{what}");
                    } else if to == Some(target) && is_allowed {
                        let is_conflict = reply["code"] == "key_conflict";
                        assert!(reply["code"].is_null() || is_conflict, "{what}");
                    }
                }
                asked.push(fields);
            }
        }
        wire.done(format!(r#"token_revoke {paff} {{"name": "it"}}"#));
        if let Some(target) = to.filter(|_| can == "send") {
            let rows =
                server.query("SELECT DISTINCT recipient FROM v2_messages ORDER BY recipient");
            let others = rows.iter().filter(|&row| row != target && row != "neko");
            assert_eq!(others.count(), 0, "{rows:?}");
        }
    }
    // Nothing of the account was changed by a token.
    assert_eq!(wire.done(format!("tokens {paff}"))["tokens"], json!([]));
    wire.log_in("paff");
}

/// The replies to a request by each transport that carries it.
fn replies(server: &Server, verb: Verb, token: &str, fields: &Value) -> Vec<(&'static str, Value)> {
    let line = line(verb, token, fields);
    // Connections of their own: `watch` turns them into streams.
    let by_line = server.connect().ask(&line);
    let mut socket = WebSocket::open(server.http(), "/api/v1/socket", &[]).expect("it is opened");
    socket.send(&line);
    let by_socket = serde_json::from_str(&socket.text().expect("a reply")).expect("an object");
    let bearer = format!("Bearer {token}");
    let post = |request: &str, body: &Value| {
        send(server.http(), request, &[("Authorization", &bearer)], body.to_string())
    };
    let by_http = match verb {
        // A response is one reply, so this has a path of its own.
        Verb::Watch => get(server, token, "/api/v1/events?poll=1"),
        verb if fields.is_null() => post(&format!("POST /api/v1/{}", verb.as_str()), &json!({})),
        verb => post(&format!("POST /api/v1/{}", verb.as_str()), fields),
    };
    let mut replies =
        vec![("a line", by_line), ("WebSocket", by_socket), ("HTTP", object(&by_http))];
    if verb == Verb::Post {
        let to = fields["to"][0].as_str().unwrap();
        let path = to.replace('#', "%23");
        let published = post("POST /", &json!({"topic": to, "message": "hai"}));
        let mut keyed = fields.clone();
        keyed["key"] = "known".into();
        replies.extend([
            ("a line with a known key", server.connect().ask(self::line(verb, token, &keyed))),
            ("POST /", object(&published)),
            ("POST /NAME", object(&post(&format!("POST /{path}"), &json!("hai")))),
            ("GET /NAME/publish", {
                object(&get(server, token, &format!("/{path}/publish?message=hai")))
            }),
        ]);
    }
    replies
}

/// The object of a response. That of a success may be no reply.
fn object(response: &Response) -> Value {
    match response.status {
        200 => json!({"status": "OK"}),
        _ => serde_json::from_str(&response.body).unwrap_or_else(|_| panic!("{response:?}")),
    }
}

/// The same refusal, whoever it is about.
fn without_name(mut reply: Value, name: &str) -> Value {
    assert_eq!(reply["users"], json!([name]), "{reply}");
    reply["users"] = json!([]);
    reply
}

#[test]
fn token_with_targets_cannot_tell_which_messages_there_are() {
    let (server, paff) = server();
    let mut wire = server.connect();
    let token = create(&mut wire, &paff, json!({"name": "ci", "to": ["neko", "#build"]}));
    wire.done(format!("send {token} neko  hai "));
    let answer = json!({"to": ["neko"], "body": "hai", "reply_to": 1});
    assert_eq!(wire.refused(format!("post {token} {answer}")), "token_rights");
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
