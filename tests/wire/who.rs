//! Who is connected, and what they say they do.

use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Server, Wire, wait_until};

fn who(wire: &mut Wire<TcpStream>, token: &str) -> Vec<Value> {
    wire.done(format!("who {token}"))["users"].as_array().unwrap().clone()
}

fn names(users: &[Value]) -> Vec<&str> {
    users.iter().map(|of| of["user"].as_str().unwrap()).collect()
}

#[test]
fn users_with_a_connection_or_a_stream_are_connected() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    let alone = who(&mut wire, &paff);
    assert_eq!(names(&alone), ["paff"]);
    assert!(alone[0]["since"].as_str().unwrap().ends_with('Z'));
    assert_eq!(alone[0].as_object().unwrap().len(), 2);
    let mut stream = server.connect();
    stream.done(format!("watch {neko} {}", json!({"from": "new"})));
    let found = who(&mut wire, &paff);
    assert_eq!(names(&found), ["neko", "paff"]);
    // One connection after the other is one presence.
    let mut other = server.connect();
    other.done(format!("unread {neko}"));
    drop(stream);
    let again = who(&mut wire, &paff);
    assert_eq!(again[0], found[0]);
    drop(other);
    wait_until("neko is gone", || names(&who(&mut wire, &paff)) == ["paff"]);
    // A connection whose session has ended is nobody's.
    let mut third = server.connect();
    third.done(format!("unread {ivy}"));
    assert_eq!(names(&who(&mut wire, &paff)), ["ivy", "paff"]);
    let page = wire.done(format!("who {paff} {}", json!({"limit": 1})));
    assert_eq!((&page["users"][0]["user"], &page["more"]), (&json!("ivy"), &json!(true)));
    let page = wire.done(format!("who {paff} {}", json!({"limit": 1, "after": "ivy"})));
    assert_eq!((&page["users"][0]["user"], &page["more"]), (&json!("paff"), &json!(false)));
    third.done(format!("logout {ivy}"));
    assert_eq!(names(&who(&mut wire, &paff)), ["paff"]);
    for fields in [json!({"limit": 0}), json!({"limit": 501}), json!({"user": "neko"})] {
        assert_eq!(wire.refused(format!("who {paff} {fields}")), "bad_argument");
    }
}

#[test]
fn status_is_seen_and_an_invisible_user_only_by_themselves() {
    let mut server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    let set =
        |wire: &mut Wire<TcpStream>, fields: Value| wire.done(format!("settings {neko} {fields}"));
    let mut of_neko = server.connect();
    let at_lunch = json!({"status": "OK", "receipts": true, "status_text": "at lunch 🐱"});
    assert_eq!(set(&mut of_neko, json!({"status_text": "at lunch 🐱"})), at_lunch);
    let found = who(&mut wire, &paff);
    assert_eq!(names(&found), ["neko", "paff"]);
    assert_eq!(
        (&found[0]["status_text"], found[1].get("status_text")),
        (&json!("at lunch 🐱"), None)
    );
    // What is not given stays.
    let invisible = set(&mut of_neko, json!({"invisible": true, "receipts": false}));
    let expected = json!({"status": "OK", "receipts": false, "status_text": "at lunch 🐱",
        "invisible": true});
    assert_eq!(invisible, expected);
    assert_eq!(names(&who(&mut wire, &paff)), ["paff"]);
    let own = who(&mut of_neko, &neko);
    assert_eq!(names(&own), ["neko", "paff"]);
    assert_eq!((&own[0]["invisible"], own[1].get("invisible")), (&json!(true), None));
    let settings = "select name, receipts, status, is_invisible from v2_users where name = 'neko'";
    assert_eq!(server.query(settings), ["neko|0|at lunch 🐱|1"]);
    for fields in [
        json!({"status_text": "a\nb"}),
        json!({"status_text": "x".repeat(257)}),
        json!({"invisible": "yes"}),
    ] {
        assert_eq!(wire.refused(format!("settings {neko} {fields}")), "bad_argument");
    }
    // A restart makes nobody visible.
    server.kill();
    server.start_again();
    let (mut wire, mut of_neko) = (server.connect(), server.connect());
    assert_eq!(set(&mut of_neko, json!({})), expected);
    assert_eq!(names(&who(&mut wire, &paff)), ["paff"]);
    set(&mut of_neko, json!({"invisible": false, "status_text": ""}));
    let found = who(&mut wire, &paff);
    assert_eq!((names(&found), found[0].get("status_text")), (vec!["neko", "paff"], None));
}

#[test]
fn server_that_hides_its_users_does_not_say_who_is_connected() {
    let server = Server::start_with(&["--hide-users"]);
    let paff = server.log_in("paff");
    assert_eq!(server.connect().refused(format!("who {paff}")), "users_hidden");
}
