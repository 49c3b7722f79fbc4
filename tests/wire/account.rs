//! What users see of their own account, and how they change it.

use argon2::{Argon2, PasswordHasher};
use serde_json::{Value, json};

use crate::support::cli::Home;
use crate::support::{Server, Wire};

fn session_ids(wire: &mut Wire, token: &str) -> Vec<Value> {
    let reply = wire.done(format!("sessions {token}"));
    reply["sessions"].as_array().unwrap().iter().map(|session| session["id"].clone()).collect()
}

#[test]
fn whoami_names_the_holder_of_the_session() {
    let server = Server::start();
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    let reply = wire.done(format!("whoami {token}"));
    assert_eq!((&reply["user"], &reply["display_name"]), (&json!("paff"), &json!("Paff Aroma")));
    assert_eq!(session_ids(&mut wire, &token), [reply["session"].clone()]);
}

#[test]
fn sessions_are_listed_and_revoked_one_by_one_or_all_others() {
    let server = Server::start();
    let mut wire = server.connect();
    let tokens: Vec<String> = (0..4).map(|_| wire.log_in("paff")).collect();
    let stranger = wire.log_in("neko");
    let reply = wire.done(format!("sessions {}", tokens[1]));
    let sessions = reply["sessions"].as_array().unwrap();
    let current: Vec<bool> =
        sessions.iter().map(|session| session["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [false, true, false, false]);
    assert!(sessions[0]["expires_at"].as_str().unwrap().ends_with('Z'));

    for (fields, says) in [
        ("", "give one of session and others"),
        (r#"{"session": 1, "others": true}"#, "give one of session and others"),
        (r#"{"session": "1"}"#, "session: give a whole number, as sessions shows it"),
        (r#"{"session": 1.5}"#, "session: give a whole number, as sessions shows it"),
    ] {
        let reply = wire.ask(format!("revoke {} {fields}", tokens[1]));
        assert_eq!((&reply["code"], &reply["message"]), (&json!("bad_argument"), &json!(says)));
    }
    let first = &sessions[0]["id"];
    // A user cannot end another user's session.
    let reply = wire.done(format!(r#"revoke {stranger} {{"session": {first}}}"#));
    assert_eq!(reply["ended"], 0);
    let reply = wire.done(format!(r#"revoke {} {{"session": {first}}}"#, tokens[1]));
    assert_eq!(reply["ended"], 1);
    assert_eq!(wire.refused(format!("whoami {}", tokens[0])), "no_session");
    let reply = wire.done(format!(r#"revoke {} {{"others": true}}"#, tokens[1]));
    assert_eq!(reply["ended"], 2);
    assert_eq!(session_ids(&mut wire, &tokens[1]).len(), 1);
    wire.done(format!("whoami {stranger}"));
}

#[test]
fn password_that_was_accepted_logs_in_and_a_refused_one_changes_nothing() {
    let server = Server::start();
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    let home = Home::new(server.address());
    let mut current = "cytus".to_owned();
    let odd = ["two words", "a\tb", "\u{a0}nbsp\u{a0}", "\u{1b}[31m", "{\"a\":1}", "\u{feff}"];
    let bad = [" x", "x ", "\tx", "x\n", "\r\nx", " ", "\t\t", "a\nb", "a\rb", "a\0b", ""];
    for new in odd.iter().chain(&bad) {
        let reply = wire.ask(format!("passwd {token} {}", json!({"old": current, "new": new})));
        assert_eq!(reply["status"] == "OK", odd.contains(new), "{new:?}: {reply}");
        if reply["status"] == "OK" {
            current = (*new).to_owned();
        } else {
            assert_eq!(reply["code"], "bad_argument", "{new:?}");
            assert!(reply["message"].as_str().unwrap().starts_with("new: it "), "{reply}");
        }
        server.connect().done(format!("auth paff {current}"));
    }
    let outcome = home.run_with_input(["auth", "paff"], format!("{current}\n"));
    assert_eq!(outcome.code, 0, "{outcome:?}");
}

#[test]
fn password_with_surrounding_white_space_can_still_be_replaced() {
    let mut server = Server::start();
    let token = server.log_in("paff");
    server.stop();
    // An earlier version stored passwords that no line of `auth` can carry.
    let hash = Argon2::default().hash_password(b" blank ").unwrap().to_string();
    let change = format!("UPDATE users SET password_hash = '{hash}' WHERE name = 'paff'");
    assert_eq!(server.change(&change), 1);
    server.start_again();
    let mut wire = server.connect();
    let passwd = json!({"old": " blank ", "new": "blank"});
    wire.done(format!("passwd {token} {passwd}"));
    wire.done("auth paff blank");
}

#[test]
fn password_change_requires_the_old_one_and_ends_the_other_sessions() {
    let mut server = Server::start();
    let mut wire = server.connect();
    let (token, other) = (wire.log_in("paff"), wire.log_in("paff"));
    let passwd =
        |old: &str, new: &str| format!("passwd {token} {}", json!({"old": old, "new": new}));
    assert_eq!(wire.refused(passwd("wrong", "new one")), "wrong_password");
    wire.done(format!("whoami {other}"));
    assert_eq!(wire.done(passwd("cytus", "new one"))["ended"], 1);
    assert_eq!(wire.refused(format!("whoami {other}")), "no_session");
    wire.done(format!("whoami {token}"));

    server.kill();
    server.start_again();
    let mut wire = server.connect();
    assert_eq!(wire.refused("auth paff cytus"), "wrong_password");
    wire.done("auth paff new one");
    wire.done(format!("whoami {token}"));
    assert_eq!(wire.refused(format!("whoami {other}")), "no_session");
    let published =
        "select password_is_published from v1_users where name in ('paff', 'neko') order by id";
    assert_eq!(server.query(published), ["0", "1"]);
}
