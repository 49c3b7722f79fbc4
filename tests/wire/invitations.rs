//! Invitations by link: what the line port and HTTP do with their secrets.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

#[cfg(feature = "http")]
use crate::support::http::send;
use crate::support::{Random, Server, operator, scaled};

/// Makes an invitation, and gives its secret.
fn invite(server: &Server, options: &[&str]) -> String {
    let made = operator::objects(&server.database(), &[&["invite"], options].concat());
    let link = made[0]["link"].as_str().unwrap();
    link.rsplit('/').next().unwrap().to_owned()
}

fn accept(secret: &str, user: &str, password: &str) -> String {
    format!("accept {}", json!({"invitation": secret, "user": user, "password": password}))
}

fn show(secret: &str) -> String {
    format!("invitation {}", json!({"invitation": secret}))
}

#[test]
fn person_with_the_link_makes_an_account_and_is_in_the_rooms() {
    let server = Server::start();
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    wire.done(format!(r##"room_create {paff} {{"room": "#ops", "private": true}}"##));
    let secret = invite(&server, &["--rooms", "#build,ops"]);
    let shown = wire.done(show(&secret));
    assert_eq!((&shown["rooms"], shown.get("user")), (&json!(["#build", "#ops"]), None));
    let accepted = wire.done(accept(&secret, "mia", "own password"));
    let rooms = json!(["#build", "#ops"]);
    let expected = json!({"status": "OK", "user": "mia", "rooms": rooms, "duplicate": false});
    assert_eq!(accepted, expected);
    let mia = wire.done("auth mia own password")["tokenid"].as_str().unwrap().to_owned();
    for room in ["#build", "#ops"] {
        wire.done(format!("post {mia} {}", json!({"to": [room], "body": "hai"})));
    }
    assert_eq!(wire.done(format!("unread {paff}"))["unread"], 2);
    // A name for people, and a name that the operator has chosen.
    let secret = invite(&server, &["--name", "zoe"]);
    assert_eq!(wire.done(show(&secret))["user"], "zoe");
    assert_eq!(wire.refused(accept(&secret, "zed", "own password")), "bad_argument");
    let fields = json!({"invitation": secret, "display_name": "Zoe Z", "password": "pw"});
    assert_eq!(wire.done(format!("accept {fields}"))["user"], "zoe");
    let zoe = wire.done("auth zoe pw")["tokenid"].as_str().unwrap().to_owned();
    assert_eq!(wire.done(format!("whoami {zoe}"))["display_name"], "Zoe Z");
}

#[test]
fn link_works_once_and_the_same_request_again_has_the_same_answer() {
    let server = Server::start();
    let secret = invite(&server, &[]);
    let mut wire = server.connect();
    let first = wire.done(accept(&secret, "mia", "right"));
    let mut again = wire.done(accept(&secret, "mia", "right"));
    assert_eq!(again["duplicate"], true);
    again["duplicate"] = false.into();
    assert_eq!(again, first);
    // Nothing tells the name of its user, nor whether a password is right.
    assert_eq!(wire.refused(show(&secret)), "invitation_used");
    let refused = |name, password| server.connect().ask(accept(&secret, name, password));
    let other = refused("zoe", "right");
    assert_eq!(other["code"], "invitation_used");
    assert_eq!(refused("mia", "wrong"), other);
    assert_eq!(refused("paff", "cytus"), other);
    assert_eq!(server.query("SELECT count(*) FROM v1_users WHERE name IN ('mia', 'zoe')"), ["1"]);
    // Guessing is limited as it is for `auth`, and counts there.
    for _ in 0..4 {
        assert_eq!(refused("mia", "wrong")["code"], "invitation_used");
    }
    assert_eq!(refused("mia", "right")["code"], "rate_limited");
    assert_eq!(server.connect().refused("auth mia right"), "rate_limited");
}

#[test]
fn one_of_many_requests_at_a_time_makes_the_account() {
    let server = Server::start();
    let secret = invite(&server, &[]);
    const COUNT: usize = 6;
    let at_once = |line: &(dyn Fn(usize) -> String + Sync)| -> Vec<Value> {
        let barrier = Barrier::new(COUNT);
        thread::scope(|scope| {
            let ask = |number| {
                let (barrier, server) = (&barrier, &server);
                scope.spawn(move || {
                    let mut wire = server.connect();
                    barrier.wait();
                    wire.ask(line(number))
                })
            };
            let threads: Vec<_> = (0..COUNT).map(ask).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    };
    let answers = at_once(&|number| accept(&secret, &format!("user{number}"), "pw"));
    let done = answers.iter().filter(|answer| answer["status"] == "OK").count();
    let used = answers.iter().filter(|answer| answer["code"] == "invitation_used").count();
    assert_eq!((done, used), (1, COUNT - 1), "{answers:?}");
    let users = "SELECT count(*) FROM v1_users WHERE name LIKE 'user%'";
    assert_eq!(server.query(users), ["1"]);
    // A client that repeats itself does not harm itself.
    let secret = invite(&server, &[]);
    let answers = at_once(&|_| accept(&secret, "mia", "pw"));
    let first = answers.iter().filter(|answer| answer["duplicate"] == false).count();
    let again = answers.iter().filter(|answer| answer["duplicate"] == true).count();
    assert_eq!((first, again), (1, COUNT - 1), "{answers:?}");
}

#[test]
fn acceptance_of_a_server_that_was_killed_is_repeated_and_makes_one_account() {
    let mut server = Server::start();
    let mut random = Random::new();
    for number in 0..scaled(4, 100) {
        let (secret, name) = (invite(&server, &[]), format!("user{number}"));
        let line = accept(&secret, &name, "pw");
        let mut wire = server.connect();
        // Killed before it was read, somewhere in between, or after the answer.
        match random.below(3) {
            0 => {}
            1 => wire.send(format!("{line}\r\n")),
            _ => drop(wire.done(&line)),
        }
        server.kill();
        server.start_again();
        let accepted = server.connect().done(&line);
        assert_eq!(accepted["user"], name.as_str());
        assert_eq!(server.connect().done(format!("auth {name} pw"))["status"], "OK");
        assert_eq!(server.connect().refused(accept(&secret, "zoe", "pw")), "invitation_used");
    }
    assert_eq!(server.query("SELECT count(*) FROM v1_users WHERE name = 'zoe'"), ["0"]);
}

#[test]
fn names_that_are_taken_are_told_as_slowly_as_passwords_are_guessed() {
    let server = Server::start();
    let (secret, other) = (invite(&server, &[]), invite(&server, &[]));
    let mut wire = server.connect();
    for name in ["paff", "neko", "robo", "ivy", "vanessa"] {
        assert_eq!(wire.refused(accept(&secret, name, "pw")), "name_taken");
    }
    assert_eq!(wire.refused(accept(&secret, "mia", "pw")), "rate_limited");
    // Neither the users nor other invitations are locked by that.
    wire.done("auth paff cytus");
    wire.done(accept(&other, "mia", "pw"));
}

#[test]
fn secret_of_no_open_invitation_is_refused() {
    let server = Server::start();
    let (revoked, open) = (invite(&server, &[]), invite(&server, &[]));
    operator::done(&server.database(), &["invite", "revoke", "1"]);
    let mut wire = server.connect();
    let upper = open.to_uppercase();
    let none = "ci_00000000000000000000000000000000";
    for secret in [&revoked, none, &open[..34], &upper, "", "nonsense"] {
        assert_eq!(wire.refused(show(secret)), "unknown_invitation", "{secret}");
        let refused = wire.refused(accept(secret, "mia", "pw"));
        assert_eq!(refused, "unknown_invitation", "{secret}");
    }
    // A secret is no token, and a token is no secret.
    assert_eq!(wire.refused(format!("whoami {open}")), "no_session");
    let paff = server.log_in("paff");
    assert_eq!(wire.refused(show(&paff)), "unknown_invitation");
    for fields in [
        json!({"invitation": open, "user": "mia"}),
        json!({"invitation": open, "user": "mia", "password": ""}),
        json!({"invitation": open, "user": "mia", "password": "a\nb"}),
        json!({"invitation": open, "user": "Mia", "password": "pw"}),
        json!({"invitation": open, "password": "pw"}),
        json!({"invitation": open, "user": "mia", "password": "pw", "admin": true}),
        json!({"user": "mia", "password": "pw"}),
    ] {
        assert_eq!(wire.refused(format!("accept {fields}")), "bad_argument", "{fields}");
    }
    for line in ["accept", "invitation", "accept x", "invitation ci_x"] {
        assert!(matches!(wire.refused(line).as_str(), "usage" | "bad_argument"), "{line}");
    }
    wire.done(accept(&open, "mia", "pw"));
}

#[cfg(feature = "http")]
#[test]
fn invitation_is_accepted_over_http() {
    let server = Server::start_with(&["--http", "127.0.0.1:0"]);
    let secret = invite(&server, &["--name", "mia", "--url", "https://chat.example"]);
    let call = |verb: &str, fields: Value| {
        let response =
            send(server.http(), &format!("POST /api/v1/{verb}"), &[], fields.to_string());
        let body: Value = serde_json::from_str(&response.body).unwrap();
        (response.status, body)
    };
    let (status, shown) = call("invitation", json!({"invitation": secret}));
    assert_eq!((status, &shown["user"]), (200, &json!("mia")));
    let (status, refused) = call("invitation", json!({"invitation": "ci_x"}));
    assert_eq!((status, &refused["code"]), (404, &json!("unknown_invitation")));
    let fields = json!({"invitation": secret, "password": "pw"});
    let (status, accepted) = call("accept", fields.clone());
    assert_eq!((status, &accepted["user"]), (200, &json!("mia")), "{accepted}");
    assert_eq!(
        call("accept", json!({"user": "mia", "invitation": secret, "password": "pw"})).0,
        200
    );
    let other = json!({"user": "zoe", "invitation": secret, "password": "pw"});
    assert_eq!(call("accept", other).0, 409);
    assert_eq!(call("auth", json!({"user": "mia", "password": "pw"})).0, 200);
}
