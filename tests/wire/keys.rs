//! A key's meaning is fixed when it is stored: sender, recipients and text. Names are not part of
//! it.

use serde_json::{Value, json};

use crate::support::operator::{add_user, done};
use crate::support::{self, Server, Wire};

fn post(token: &str, to: &[&str], body: &str, key: &str) -> String {
    format!("post {token} {}", json!({"to": to, "body": body, "key": key}))
}

/// Repeats the request, and gets the first message.
fn assert_again(wire: &mut Wire, line: &str, first: &Value) {
    let again = wire.done(line);
    assert_eq!(again["duplicate"], true, "{line}");
    assert_eq!((&again["id"], &again["at"]), (&first["id"], &first["at"]), "{line}");
    let ids = |reply: &Value| -> Vec<Value> {
        reply["sent"].as_array().unwrap().iter().map(|sent| sent["id"].clone()).collect()
    };
    assert_eq!(ids(&again), ids(first), "{line}");
}

#[test]
fn retry_after_its_recipient_was_renamed_is_the_same_message_by_both_names() {
    let mut server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    let one = post(&token, &["neko"], "hai", "one");
    let two = post(&token, &["robo", "neko"], "hai", "two");
    let (first, second) = (wire.done(&one), wire.done(&two));
    done(&server.database(), &["user", "rename", "neko", "kiti"]);
    assert_again(&mut wire, &one, &first);
    assert_again(&mut wire, &two, &second);
    assert_again(&mut wire, &post(&token, &["kiti"], "hai", "one"), &first);
    assert_again(&mut wire, &post(&token, &["robo", "kiti"], "hai", "two"), &second);
    for other in [
        post(&token, &["kiti"], "other", "one"),
        post(&token, &["robo"], "hai", "one"),
        post(&token, &["nobody"], "hai", "one"),
        post(&token, &["neko", "kiti"], "hai", "one"),
        post(&token, &["kiti", "ivy"], "hai", "two"),
    ] {
        assert_eq!(wire.refused(&other), "key_conflict", "{other}");
    }

    // Another user has the name now; the key still belongs to the first user.
    add_user(&server.database(), "neko", "secret");
    server.kill();
    server.start_again();
    let mut wire = server.connect();
    assert_again(&mut wire, &one, &first);
    assert_again(&mut wire, &two, &second);
    assert_eq!(server.query("SELECT count(*) FROM messages"), ["3"]);
    let new = post(&token, &["neko"], "hai", "three");
    let third = wire.done(&new);
    assert_eq!(third["duplicate"], false);
    assert_eq!(server.query("SELECT id FROM v1_inbox WHERE recipient = 'neko'"), ["4"]);
    // Nor does it belong to the previous owner of the name.
    assert_eq!(wire.refused(post(&token, &["kiti"], "hai", "three")), "key_conflict");
    done(&server.database(), &["user", "rename", "neko", "third"]);
    done(&server.database(), &["user", "rename", "kiti", "neko"]);
    for (line, first) in [(&one, &first), (&two, &second), (&new, &third)] {
        assert_again(&mut wire, line, first);
    }
}

#[test]
fn retry_after_two_recipients_swapped_names_returns_each_ones_own_copy() {
    let server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    let line = post(&token, &["neko", "robo"], "hai", "both");
    let only = post(&token, &["neko"], "hai", "only");
    let (first, second) = (wire.done(&line), wire.done(&only));
    for (from, to) in [("neko", "x"), ("robo", "neko"), ("x", "robo")] {
        done(&server.database(), &["user", "rename", from, to]);
    }
    assert_again(&mut wire, &line, &first);
    assert_again(&mut wire, &only, &second);
    assert_eq!(server.query("SELECT count(*) FROM messages"), ["3"]);
}

#[test]
fn former_names_are_gone_with_their_user() {
    let server = Server::start();
    let database = server.database();
    done(&database, &["user", "rename", "ivy", "vine"]);
    let noted = match support::is_on_postgres() {
        true => "SELECT count(*) FROM former_names",
        false => "SELECT count(*) FROM meta WHERE name LIKE 'former_name/%'",
    };
    assert_eq!(server.query(noted), ["1"]);
    done(&database, &["user", "delete", "vine", "--purge", "--yes"]);
    assert_eq!(server.query(noted), ["0"]);
}

#[test]
fn both_messages_that_an_import_stored_under_one_key_are_recognised() {
    // Only earlier versions, which had files only, imported so.
    if support::is_for_files_only() {
        return;
    }
    let mut server = Server::start();
    let token = server.log_in("paff");
    let line = post(&token, &["neko"], "hai", "k");
    let first = server.connect().done(&line);
    server.stop();
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let other = "INSERT INTO messages (id, sent_at, sender_id, recipient_id, key, body)
                 SELECT 2, 0, 1, id, 'k', 'another' FROM users WHERE name = 'robo'";
    assert_eq!(database.execute(other, []).unwrap(), 1);
    drop(database);
    server.start_again();
    let mut wire = server.connect();
    assert_again(&mut wire, &line, &first);
    let again = wire.done(post(&token, &["robo"], "another", "k"));
    assert_eq!((&again["id"], &again["duplicate"]), (&json!(2), &json!(true)));
    assert_eq!(wire.refused(post(&token, &["neko", "robo"], "hai", "k")), "key_conflict");
}
