//! Rooms for an operator: `check`, `export`, `import` and `message purge`.

use std::fs;
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{self, Server, Wire, operator};

fn post(wire: &mut Wire<TcpStream>, token: &str, to: &str, body: &str) -> i64 {
    let fields =
        json!({"to": [to], "body": body, "key": format!("key of {body}").replace(' ', "-")});
    wire.done(format!("post {token} {fields}"))["id"].as_i64().unwrap()
}

/// A private room in which neko was between its first and its last message, and a public one.
fn fill(server: &Server) {
    let [paff, neko] = ["paff", "neko"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    for (room, private) in [("#build", false), ("#ops", true)] {
        let fields = json!({"room": room, "private": private, "history": "joined"});
        wire.done(format!("room_create {paff} {fields}"));
    }
    post(&mut wire, &paff, "#ops", "before");
    wire.done(format!(r##"room_invite {paff} {{"room": "#ops", "users": ["neko"]}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#ops"}}"##));
    let between = post(&mut wire, &paff, "#ops", "between");
    let dead = json!({"cursor": "worker", "upto": between, "dead": "add"});
    wire.done(format!("ack {neko} {dead}"));
    wire.done(format!(r##"room_kick {paff} {{"room": "#ops", "user": "neko"}}"##));
    post(&mut wire, &paff, "#ops", "after");
    post(&mut wire, &paff, "#build", "done");
    post(&mut wire, &paff, "neko", "alone");
}

fn export(database: &Path, arguments: &[&str]) -> String {
    operator::done(database, &[&["export"], arguments].concat())
}

/// What neko reads of `#ops`.
fn history(server: &Server) -> Vec<String> {
    let neko = server.log_in("neko");
    let page = server.connect().done(format!(r##"fetch {neko} {{"with": "#ops"}}"##));
    let body = |message: &Value| message["body"].as_str().unwrap().to_owned();
    page["messages"].as_array().unwrap().iter().map(body).collect()
}

#[test]
fn database_with_rooms_is_sound_also_after_a_rebuild() {
    if support::is_for_files_only() {
        return;
    }
    let mut server = Server::start();
    fill(&server);
    assert!(operator::done(&server.database(), &["check"]).contains("is sound"));
    server.stop();
    assert!(operator::done(&server.database(), &["check", "--rebuild"]).contains("is sound"));
    server.start_again();
    assert_eq!(history(&server), ["between"]);
}

#[test]
fn rooms_move_with_an_export_and_members_read_what_they_read() {
    let server = Server::start();
    fill(&server);
    let exported = export(&server.database(), &["--with-secrets"]);
    assert!(exported.starts_with(r#"{"type":"header","format":"chat-export","version":2,"#));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("export");
    fs::write(&file, &exported).unwrap();
    let path = file.to_str().unwrap();
    let empty = support::new_database(folder.path());
    for round in 0..2 {
        let reported = operator::objects(&empty, &["import", path]).remove(0);
        let memberships = if round == 0 { 3 } else { 0 };
        assert_eq!(reported["memberships"], memberships, "{reported}");
        assert_eq!(reported["memberships_left"], 0, "{reported}");
        assert_eq!(export(&empty, &["--with-secrets"]), exported);
    }
    assert_eq!(history(&Server::start_on(&empty)), ["between"]);
}

#[test]
fn invitations_move_with_an_export_and_one_user_has_their_own() {
    let server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#ops", "private": true}}"##));
    let invite = json!({"room": "#ops", "users": ["neko", "ivy"]});
    wire.done(format!("room_invite {paff} {invite}"));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("export");
    let path = file.to_str().unwrap();
    // Paff, who invited, is a user of neko's export, and no member of its room.
    let of_neko = export(&server.database(), &["--user", "neko"]);
    let lines: Vec<Value> =
        of_neko.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["header", "user", "room", "user", "invitation"]);
    assert_eq!((&lines[4]["user"], &lines[4]["by"]), (&json!("neko"), &json!("paff")));
    let exported = export(&server.database(), &["--with-secrets"]);
    let other = TempDir::new().unwrap();
    let [all, own] = [&folder, &other].map(|folder| support::new_database(folder.path()));
    for (database, exported, count) in [(&all, &exported, 2), (&own, &of_neko, 1)] {
        fs::write(&file, exported).unwrap();
        for round in 0..2 {
            let reported = operator::objects(database, &["import", path]).remove(0);
            assert_eq!(reported["invitations"], if round == 0 { count } else { 0 }, "{reported}");
        }
    }
    assert_eq!(export(&all, &["--with-secrets"]), exported);
    let moved = Server::start_on(&all);
    let token = moved.log_in("neko");
    let joined = moved.connect().done(format!(r##"room_join {token} {{"room": "#ops"}}"##));
    assert_eq!(joined["members"], 2);
    // The invitation is used up, and a member is not invited again.
    wire.done(format!(r##"room_join {neko} {{"room": "#ops"}}"##));
    fs::write(&file, &exported).unwrap();
    let reported = operator::objects(&server.database(), &["import", path]).remove(0);
    assert_eq!(reported["invitations"], 0, "{reported}");
}

#[test]
fn membership_moves_with_the_messages_of_its_room_where_ids_change() {
    let source = Server::start();
    fill(&source);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("export");
    fs::write(&file, export(&source.database(), &[])).unwrap();
    let target = Server::start();
    let paff = target.log_in("paff");
    let mut wire = target.connect();
    for number in 0..20 {
        post(&mut wire, &paff, "ivy", &format!("{number}"));
    }
    let path = file.to_str().unwrap();
    let reported = operator::objects(&target.database(), &["import", path]).remove(0);
    assert_eq!((&reported["renumbered"], &reported["memberships"]), (&json!(5), &json!(3)));
    assert_eq!(history(&target), ["between"]);
    // The room of that name is another one in a third database.
    let other = Server::start();
    fill(&other);
    let outcome = operator::run(&other.database(), &["import", path]);
    assert_eq!(outcome.code, 65, "{outcome:?}");
    assert!(outcome.stderr.contains("there is another room #build"), "{outcome:?}");
    assert_eq!(history(&other), ["between"]);
}

#[test]
fn export_of_one_user_has_of_rooms_what_the_user_may_read() {
    let server = Server::start();
    fill(&server);
    let bodies = |user: &str| -> Vec<String> {
        let exported = export(&server.database(), &["--user", user]);
        let records = exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let bodies = records.filter_map(|record| record["body"].as_str().map(str::to_owned));
        bodies.collect()
    };
    assert_eq!(bodies("neko"), ["between", "alone"]);
    assert!(export(&server.database(), &["--user", "neko"]).contains("dead_for"));
    for user in ["ivy", "vanessa"] {
        let exported = export(&server.database(), &["--user", user]);
        assert!(!exported.contains("#ops") && bodies(user).is_empty(), "{exported}");
    }
}

#[test]
fn purge_keeps_a_message_to_a_room_until_its_members_have_read_it() {
    let server = Server::start();
    fill(&server);
    let purge = |arguments: &[&str]| {
        let all = [&["message", "purge", "--before-id", "100"], arguments].concat();
        operator::objects(&server.database(), &all).remove(0)
    };
    assert_eq!(purge(&[])["messages"], 0);
    let mut wire = server.connect();
    for user in ["paff", "neko"] {
        let token = server.log_in(user);
        wire.done(format!(r#"ack {token} {{"upto": 5}}"#));
        let clear = json!({"cursor": "worker", "upto": 5, "dead": "clear"});
        wire.done(format!("ack {token} {clear}"));
        let seen = json!({"cursor": "worker", "upto": 5});
        wire.done(format!("ack {token} {seen}"));
    }
    assert_eq!(purge(&[])["messages"], 5);
    assert!(history(&server).is_empty());
}
