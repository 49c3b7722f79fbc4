//! Rooms over HTTP, and names that could be a room's or a user's.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::http::{Response, Stream, send};

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn publish(server: &Server, token: &str, path: &str, text: &str) -> Response {
    send(server.http(), &format!("POST {path}"), &[("Authorization", &bearer(token))], text)
}

fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|_| panic!("{response:?}"))
}

#[test]
fn room_is_written_to_with_and_without_its_sign_and_read_in_the_inbox() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#build"}}"##));
    let fields = [("Authorization", bearer(&neko))];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut stream = Stream::open(server.http(), "/inbox/json", &fields);
    let event = |stream: &mut Stream| -> Value {
        serde_json::from_str(&stream.line().expect("an event")).unwrap()
    };
    assert_eq!(event(&mut stream)["event"], "open");
    let object = json!({"topic": "#build", "message": "three"}).to_string();
    let answers = [
        publish(&server, &paff, "/%23build", "one"),
        publish(&server, &paff, "/build", "two"),
        publish(&server, &paff, "/", &object),
    ];
    for (answer, text) in answers.iter().zip(["one", "two", "three"]) {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(json_of(answer)["topic"], "#build", "no user has this name");
        let event = event(&mut stream);
        assert_eq!((&event["topic"], &event["from"]), (&json!("#build"), &json!("paff")));
        assert_eq!((&event["message"], &event["id"]), (&json!(text), &json_of(answer)["id"]));
    }
    let mut poll = Stream::open(server.http(), "/inbox/json?poll=1", &fields);
    let polled: Vec<Value> = (0..3).map(|_| event(&mut poll)).collect();
    assert!(polled.iter().all(|event| event["topic"] == "#build"), "{polled:?}");
    assert_eq!(poll.line(), None);
}

#[test]
fn private_room_is_refused_like_a_missing_one_whatever_the_form_of_its_name() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    server.connect().done(format!(r##"room_create {paff} {{"room": "#ops1", "private": true}}"##));
    for form in ["/%23", "/"] {
        let refused = |name: &str| publish(&server, &neko, &format!("{form}{name}"), "hai");
        let (private, missing) = (refused("ops1"), refused("ops2"));
        assert_eq!((private.status, missing.status), (404, 404), "{private:?}");
        assert_eq!(private.body.replace("ops1", "ops2"), missing.body);
    }
    assert_eq!(json_of(&publish(&server, &paff, "/ops1", "hai"))["topic"], "#ops1");
}

#[test]
fn name_of_a_user_and_a_room_is_refused_until_it_says_which() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#ivy"}}"##));
    let both = publish(&server, &paff, "/ivy", "hai");
    assert_eq!(both.status, 409, "{both:?}");
    assert!(both.body.contains("@ivy") && both.body.contains("%23ivy"), "{both:?}");
    let object = json!({"topic": "ivy", "message": "hai"}).to_string();
    assert_eq!(publish(&server, &paff, "/", &object).status, 409);
    assert_eq!(json_of(&publish(&server, &paff, "/@ivy", "hai"))["topic"], "ivy");
    assert_eq!(json_of(&publish(&server, &paff, "/%23ivy", "hai"))["topic"], "#ivy");
    // It cannot be the room for one who may not write there.
    assert_eq!(json_of(&publish(&server, &neko, "/ivy", "hai"))["topic"], "ivy");
    wire.done(format!(r##"room_archive {paff} {{"room": "#ivy"}}"##));
    assert_eq!(json_of(&publish(&server, &paff, "/ivy", "hai"))["topic"], "ivy");
    for nothing in ["/@%23ivy", "/@", "/@nobody", "/%23"] {
        assert_eq!(publish(&server, &paff, nothing, "hai").status, 404, "{nothing}");
    }
}

#[test]
fn token_that_may_only_send_finds_its_room_by_name() {
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    for room in ["#build", "#other"] {
        wire.done(format!(r##"room_create {paff} {{"room": "{room}"}}"##));
    }
    let fields = json!({"name": "ci", "can": "send", "to": ["#build"]});
    let created = wire.done(format!("token_create {paff} {fields}"));
    let token = created["token"].as_str().unwrap();
    for path in ["/build", "/%23build"] {
        let answer = publish(&server, token, path, "hai");
        assert_eq!((answer.status, &json_of(&answer)["topic"]), (200, &json!("#build")), "{path}");
    }
    let (other, missing) =
        (publish(&server, token, "/other", "x"), publish(&server, token, "/none", "x"));
    assert_eq!((other.status, missing.status), (404, 404), "{other:?}");
    assert_eq!(other.body.replace("other", "none"), missing.body);
}

#[test]
fn visible_room_that_one_may_not_write_to_is_refused_as_such() {
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    server.connect().done(format!(r##"room_create {paff} {{"room": "#news"}}"##));
    let refused = publish(&server, &neko, "/news", "hai");
    assert_eq!((refused.status, &json_of(&refused)["code"]), (403, &json!("not_allowed")));
}
