//! The room of everybody, which `@all` names: whom it reaches, who may post, and what it refuses.

use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::operator::{add_user, done};
use crate::support::{Server, Wire, is_on_postgres};

fn post(token: &str, body: &str) -> String {
    format!("post {token} {}", json!({"to": ["@all"], "body": body}))
}

/// An operator makes the room, and lets paff post there.
fn gather(server: &Server) {
    done(&server.database(), &["room", "everybody"]);
    done(&server.database(), &["room", "add", "@all", "paff", "--role", "moderator"]);
}

fn next_message(watching: &mut Wire<TcpStream>) -> Value {
    loop {
        let event = watching.reply();
        if event["event"] == "message" {
            return event;
        }
    }
}

#[test]
fn message_to_everybody_is_one_row_that_every_user_reads() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let refused = wire.ask(post(&paff, "hai"));
    assert_eq!(
        (&refused["code"], &refused["users"]),
        (&json!("unknown_recipient"), &json!(["#all"]))
    );
    // A stream from before follows the room.
    let mut watching = server.connect();
    watching.done(format!(r#"watch {neko} {{"from": "new"}}"#));
    done(&server.database(), &["room", "everybody"]);
    let refused = wire.ask(post(&paff, "hai"));
    assert_eq!((&refused["code"], &refused["users"]), (&json!("not_allowed"), &json!(["#all"])));
    gather(&server);
    let sent = wire.done(post(&paff, "maintenance at 17:00"));
    assert_eq!(sent["sent"], json!([{"to": "#all", "id": 1}]));
    let event = next_message(&mut watching);
    assert_eq!((&event["room"], &event["id"]), (&json!("#all"), &json!(1)));
    // The seed's own verb, and both names of the room in one message.
    assert_eq!(wire.done(format!("send {paff} @all  over "))["message"], "Message Sent");
    let twice = json!({"to": ["@all", "#all"], "body": "once"});
    let sent = wire.done(format!("post {paff} {twice}"));
    assert_eq!(sent["sent"], json!([{"to": "#all", "id": 3}]));
    assert_eq!(server.query("SELECT count(*) FROM messages"), ["3"]);
    let texts = ["maintenance at 17:00", "over", "once"];
    let entries = texts.map(|text| json!({"msg": text, "from": "paff"}));
    for name in ["neko", "vanessa", "ivy", "robo"] {
        let token = server.log_in(name);
        assert_eq!(wire.done(format!("inbox {token}"))["messages"], json!({"#all": entries}));
    }
    // A new user is in it, too, and reads what comes from then on.
    add_user(&server.database(), "mia", "a good secret");
    let mia = wire.done("auth mia a good secret")["tokenid"].as_str().unwrap().to_owned();
    assert_eq!(wire.done(format!("inbox {mia}"))["messages"], json!({}));
    let with = format!(r#"fetch {mia} {{"with": "@all"}}"#);
    assert_eq!(wire.done(&with)["messages"], json!([]));
    wire.done(post(&paff, "welcome"));
    assert_eq!(wire.done(with)["messages"][0]["body"], "welcome");
    let room = wire.done(format!(r##"room {mia} {{"room": "#all"}}"##));
    let state = ["everybody", "posting", "history", "role", "members"].map(|field| &room[field]);
    let expected = [json!(true), json!("moderators"), json!("joined"), json!("member"), json!(6)];
    assert_eq!(state, expected.each_ref());
    assert_eq!(
        server.query("SELECT room, is_of_everybody FROM v2_rooms"),
        ["#all|1"],
        "operators' views say it"
    );
    if !is_on_postgres() {
        done(&server.database(), &["check"]);
    }
}

#[test]
fn room_of_everybody_is_muted_and_blocked_but_never_left_or_closed() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    let create = format!(r##"room_create {paff} {{"room": "#all"}}"##);
    assert_eq!(wire.refused(&create), "room_exists", "before the operator makes it");
    gather(&server);
    assert_eq!(wire.refused(create), "room_exists");
    done(&server.database(), &["room", "add", "all", "ivy", "--role", "owner"]);
    for line in [
        format!(r#"room_leave {neko} {{"room": "@all"}}"#),
        format!(r#"room_leave {ivy} {{"room": "@all", "owner": "neko"}}"#),
        format!(r#"room_kick {ivy} {{"room": "@all", "user": "neko"}}"#),
        format!(r#"room_set {ivy} {{"room": "@all", "private": true}}"#),
        format!(r#"room_archive {ivy} {{"room": "@all"}}"#),
    ] {
        let refused = wire.ask(&line);
        let told = (&refused["code"], &refused["users"]);
        assert_eq!(told, (&json!("room_of_everybody"), &json!(["#all"])), "{line}");
    }
    // Their own role decides first.
    for line in [
        format!(r#"room_kick {neko} {{"room": "@all", "user": "ivy"}}"#),
        format!(r#"room_archive {neko} {{"room": "@all"}}"#),
        format!("send {neko} @all  hai "),
    ] {
        assert_eq!(wire.refused(&line), "not_allowed", "{line}");
    }
    // An owner whom an operator made lets others post.
    let role = json!({"user": "neko", "role": "moderator"});
    wire.done(format!("room_set {ivy} {}", json!({"room": "#all", "role": role})));
    wire.done(format!("send {neko} @all  hai "));
    wire.done(format!(r#"room_set {neko} {{"room": "@all", "notify": "none"}}"#));
    wire.done(format!(r#"block {ivy} {{"user": "paff"}}"#));
    let mut watching = server.connect();
    watching.done(format!(r#"watch {neko} {{"from": "new"}}"#));
    wire.done(post(&paff, "muted and hidden"));
    wire.done(format!("send {paff} neko  alone "));
    assert_eq!(next_message(&mut watching)["body"], "alone");
    let unread = wire.done(format!("unread {neko}"));
    assert_eq!((&unread["unread"], unread.get("rooms")), (&json!(1), None));
    let history = |token: &str| format!(r#"fetch {token} {{"with": "@all"}}"#);
    assert_eq!(wire.done(history(&neko))["messages"].as_array().unwrap().len(), 2);
    assert_eq!(wire.done(history(&ivy))["messages"].as_array().unwrap().len(), 1);
}

#[cfg(feature = "http")]
#[test]
fn all_is_the_room_of_everybody_over_http_and_for_tokens() {
    use crate::support::http::send;

    let server = Server::start_with(&["--http", "127.0.0.1:0"]);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let publish = |token: &str, name: &str| {
        let bearer = format!("Bearer {token}");
        send(server.http(), &format!("POST /{name}"), &[("Authorization", &bearer)], "hai")
    };
    assert_eq!(publish(&paff, "@all").status, 404);
    gather(&server);
    for name in ["all", "@all", "%23all"] {
        let answer = publish(&paff, name);
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        let fields: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(fields["topic"], "#all", "{name}");
        assert_eq!(publish(&neko, name).status, 403, "{name}");
    }
    let mut wire = server.connect();
    let create = json!({"name": "news", "can": "send", "to": ["@all"]});
    let made = wire.done(format!("token_create {paff} {create}"));
    let token = made["token"].as_str().unwrap();
    assert_eq!(publish(token, "@all").status, 200);
    assert_ne!(publish(token, "neko").status, 200);
    let closed = "POST /api/v1/room_leave";
    let bearer = format!("Bearer {neko}");
    let fields = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let left = send(server.http(), closed, &fields, r##"{"room": "#all"}"##);
    assert_eq!(left.status, 409, "{left:?}");
}

#[test]
fn nobody_new_is_called_all() {
    let server = Server::start();
    let database = server.database();
    let add = crate::support::operator::run_with_input(&database, &["user", "add", "all"], "x\n");
    assert_eq!(add.code, 65, "{add:?}");
    assert!(add.stderr.contains("the name all is reserved"), "{add:?}");
    let bot = crate::support::operator::run(&database, &["user", "add", "all", "--bot"]);
    assert_eq!(bot.code, 65, "{bot:?}");
    let renamed = crate::support::operator::run(&database, &["user", "rename", "neko", "all"]);
    assert_eq!(renamed.code, 65, "{renamed:?}");
}

#[test]
fn export_and_import_bring_the_room_of_everybody() {
    let server = Server::start();
    gather(&server);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!(r#"room_set {neko} {{"room": "@all", "notify": "mentions"}}"#));
    wire.done(post(&paff, "early"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let exported = done(&server.database(), &["export", "--with-secrets"]);
    std::fs::write(&path, &exported).unwrap();

    let other = Server::start();
    add_user(&other.database(), "mia", "a good secret");
    for _ in 0..2 {
        done(&other.database(), &["import", &path]);
    }
    let members =
        "SELECT \"user\", role, notify FROM v2_members WHERE left_upto IS NULL ORDER BY 1";
    let mut expected = server.query(members);
    expected.push("mia|member|all".to_owned());
    expected.sort();
    assert_eq!(other.query(members), expected, "mia is in no line of the file");
    let (paff, ivy) = (other.log_in("paff"), other.log_in("ivy"));
    let mut wire = other.connect();
    wire.done(post(&paff, "late"));
    let page = wire.done(format!(r#"fetch {ivy} {{"with": "@all"}}"#));
    let texts: Vec<&Value> =
        page["messages"].as_array().unwrap().iter().map(|message| &message["body"]).collect();
    assert_eq!(texts, ["early", "late"]);
    if !is_on_postgres() {
        done(&other.database(), &["check"]);
    }
    // The export of one user makes no such room elsewhere.
    let exported = done(&server.database(), &["export", "--user", "neko"]);
    assert!(exported.contains("#all") && !exported.contains("everybody"), "{exported}");
}
