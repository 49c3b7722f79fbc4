//! Two servers on one PostgreSQL database: failed logins count together, and a server that missed
//! more than an hour ends no stream whose session goes on.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::exposition::Scrape;
use crate::support::http::get;
use crate::support::{Server, Wire, databases, operator};

/// Two servers on a new database; `None` if the test is skipped.
#[track_caller]
fn nodes() -> Option<[Server; 2]> {
    let database = databases::new_database()?;
    let database = Path::new(&database);
    let options = ["--metrics", "127.0.0.1:0"];
    Some([0, 1].map(|_| Server::start_on_with(database, &options)))
}

fn assert_held(reply: &Value) {
    assert_eq!(reply["code"], "rate_limited", "{reply}");
    let seconds = reply["retry_after"].as_u64().expect("seconds");
    assert!((1..=60).contains(&seconds), "{reply}");
}

/// How many passwords the servers have compared.
fn hashes(nodes: &[Server; 2]) -> f64 {
    let count = |node: &Server| {
        Scrape::parse(&get(node.monitor(), "/metrics").body)
            .value("chat_password_hash_duration_seconds_count", &[])
    };
    nodes.iter().map(count).sum()
}

#[test]
fn five_failed_logins_hold_an_account_on_every_server() {
    let Some(nodes) = nodes() else { return };
    let mut wires = nodes.each_ref().map(Server::connect);
    for (user, code) in [("paff", "wrong_password"), ("nobody", "unknown_user")] {
        for number in 0..5 {
            let refused = wires[number % 2].refused(format!("auth {user} wrong"));
            assert_eq!(refused, code, "failure {number}");
        }
        let before = hashes(&nodes);
        for wire in &mut wires {
            assert_held(&wire.ask(format!("auth {user} wrong")));
            assert_held(&wire.ask(format!("auth {user} cytus")));
        }
        assert_eq!(hashes(&nodes), before, "{user}: a refused attempt costs a hash");
    }
    wires.iter_mut().for_each(|wire| drop(wire.log_in("neko")));
    // The database knows no name, which may be a password in the wrong field.
    let accounts = nodes[0].query("SELECT DISTINCT octet_length(account) FROM login_failures");
    assert_eq!(accounts, ["32"]);
}

#[test]
fn guesses_at_two_servers_at_once_get_no_more_answers_than_at_one() {
    let Some(nodes) = nodes() else { return };
    let mut wires: Vec<Wire> = (0..40).map(|number| nodes[number % 2].connect()).collect();
    wires.iter_mut().for_each(|wire| wire.send("auth paff wrong\r\n"));
    let codes: Vec<Value> = wires.iter_mut().map(|wire| wire.reply()["code"].take()).collect();
    let answered = codes.iter().filter(|code| *code == "wrong_password").count();
    let held = codes.iter().filter(|code| *code == "rate_limited").count();
    assert_eq!((answered, held), (5, 35), "{codes:?}");
    // Right passwords are no guesses, however many come at once.
    wires.iter_mut().for_each(|wire| wire.send("auth neko cytus\r\n"));
    wires.iter_mut().for_each(|wire| assert_eq!(wire.reply()["status"], "OK"));
}

#[test]
fn wrong_old_password_at_one_server_counts_for_logins_at_the_other() {
    let Some([first, second]) = nodes() else { return };
    let mut wire = first.connect();
    let session = wire.log_in("paff");
    for _ in 0..5 {
        let passwd = json!({"old": "wrong", "new": "new one"});
        assert_eq!(wire.refused(format!("passwd {session} {passwd}")), "wrong_password");
    }
    assert_held(&second.connect().ask("auth paff cytus"));
    second.connect().done(format!("whoami {session}"));
}

/// A stream of the new messages of a user.
fn watch(server: &Server, token: &str) -> Wire {
    let mut wire = server.connect();
    wire.done(format!("watch {token} {}", json!({"from": "new"})));
    wire
}

/// The next message, or the end of the stream.
fn next_event(stream: &mut Wire) -> Value {
    loop {
        let event = stream.reply();
        if event["event"] == "message" || event["event"] == "end" {
            return event;
        }
    }
}

#[test]
fn stream_goes_on_after_its_server_missed_more_than_an_hour_unless_its_session_has_ended() {
    let Some([first, second]) = nodes() else { return };
    let (live, ended) = (second.log_in("neko"), second.log_in("neko"));
    let mut streams = [watch(&second, &live), watch(&second, &ended)];
    let (paff, robo) = (first.log_in("paff"), first.log_in("robo"));
    second.freeze();
    // Nobody waits for its lease any more.
    let lease_is_over = "UPDATE nodes SET heard_at = 0 WHERE id = (SELECT max(id) FROM nodes)";
    assert_eq!(first.change(lease_is_over), 1);
    first.connect().done(format!("logout {ended}"));
    first.connect().done(format!("logout {robo}"));
    // More than an hour later, the first of these changes is removed.
    assert_eq!(first.change("UPDATE changes SET at = at - 2 * 3600000"), 2);
    first.query("SELECT clean(0)");
    assert_eq!(first.query("SELECT count(*) FROM changes"), ["1"]);
    second.signal(Signal::CONT);
    first.connect().done(format!("send {paff} neko hai"));
    assert_eq!(next_event(&mut streams[0])["body"], "hai");
    let end = next_event(&mut streams[1]);
    assert_eq!((&end["event"], &end["code"]), (&json!("end"), &json!("no_session")), "{end}");
    second.connect().done(format!("whoami {live}"));
    assert_eq!(second.connect().refused(format!("whoami {ended}")), "no_session");
}

#[test]
fn revoked_token_and_one_of_a_disabled_user_are_refused_on_every_server() {
    let Some(nodes) = nodes() else { return };
    let mut wires = nodes.each_ref().map(Server::connect);
    let session = wires[0].log_in("paff");
    let tokens = ["revoked", "kept"].map(|name| {
        let created = wires[0].done(format!("token_create {session} {}", json!({"name": name})));
        created["token"].as_str().expect("a token").to_owned()
    });
    for wire in &mut wires {
        for token in &tokens {
            wire.done(format!("send {token} neko  hai "));
        }
    }
    wires[1].done(format!("token_revoke {session} {}", json!({"name": "revoked"})));
    for wire in &mut wires {
        assert_eq!(wire.refused(format!("send {} neko  hai ", tokens[0])), "no_session");
        wire.done(format!("send {} neko  hai ", tokens[1]));
    }
    operator::done(&nodes[0].database(), &["user", "disable", "paff"]);
    for wire in &mut wires {
        assert_eq!(wire.refused(format!("send {} neko  hai ", tokens[1])), "no_session");
    }
    operator::done(&nodes[0].database(), &["user", "enable", "paff"]);
    for wire in &mut wires {
        wire.done(format!("send {} neko  hai ", tokens[1]));
    }
}
