//! Two servers on one PostgreSQL database, at the wire: a client may use either, or both.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use crate::support::{Server, Wire, databases, operator};

/// Two servers on a new database; `None` if the test is skipped.
#[track_caller]
fn nodes() -> Option<[Server; 2]> {
    let database = databases::new_database()?;
    let database = Path::new(&database);
    Some([Server::start_on(database), Server::start_on(database)])
}

fn post(token: &str, to: &str, body: &str, key: &str) -> String {
    format!("post {token} {}", json!({"to": [to], "body": body, "key": key}))
}

/// A stream of all messages of a user from the first on.
fn watch(server: &Server, token: &str) -> Wire {
    let mut wire = server.connect();
    wire.done(format!("watch {token} {}", json!({"from": "all"})));
    wire
}

/// The next messages of a stream: id and text.
fn messages(stream: &mut Wire, count: usize) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    while found.len() < count {
        let event = stream.reply();
        if event["event"] == "message" {
            let body = event["body"].as_str().unwrap().to_owned();
            found.push((event["id"].as_i64().unwrap(), body));
        }
    }
    found
}

#[test]
fn session_of_one_node_is_valid_on_the_other_until_it_ends_on_either() {
    let Some([first, second]) = nodes() else { return };
    let (mut one, mut other) = (first.connect(), second.connect());
    for round in 0..20 {
        let (ending, using) = match round % 2 {
            0 => (&mut one, &mut other),
            _ => (&mut other, &mut one),
        };
        let (kept, ended) = (ending.log_in("paff"), using.log_in("paff"));
        using.done(format!("whoami {ended}"));
        ending.done(format!("whoami {ended}"));
        ending.done(format!("revoke {kept} {}", json!({"others": true})));
        assert_eq!(using.refused(format!("send {ended} neko hai")), "no_session", "{round}");
        using.done(format!("whoami {kept}"));
        ending.done(format!("logout {kept}"));
        assert_eq!(using.refused(format!("whoami {kept}")), "no_session", "{round}");
    }
}

#[test]
fn watchers_of_both_nodes_get_one_order_without_gap_while_both_take_sends() {
    const EACH: usize = 200;
    let Some(nodes) = nodes() else { return };
    let neko = nodes[0].log_in("neko");
    let mut streams = nodes.each_ref().map(|node| watch(node, &neko));
    let acknowledged: BTreeMap<i64, String> = thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let node = &nodes[sender % 2];
                scope.spawn(move || {
                    let mut wire = node.connect();
                    let token = wire.log_in("paff");
                    let send = |number| {
                        let body = format!("{sender} {number}");
                        let key = format!("key-{sender}-{number}");
                        let stored = wire.done(post(&token, "neko", &body, &key));
                        (stored["id"].as_i64().unwrap(), body)
                    };
                    (0..EACH).map(send).collect::<Vec<_>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    let acknowledged: Vec<(i64, String)> = acknowledged.into_iter().collect();
    assert_eq!(acknowledged.len(), 4 * EACH);
    for stream in &mut streams {
        assert_eq!(messages(stream, 4 * EACH), acknowledged);
    }
}

#[test]
fn key_that_both_nodes_get_at_once_is_one_message() {
    let Some(nodes) = nodes() else { return };
    let token = nodes[0].log_in("paff");
    for round in 0..40 {
        let line = post(&token, "neko", "once", &format!("key-{round}"));
        let mut answers: Vec<Value> = thread::scope(|scope| {
            let asking: Vec<_> =
                nodes.iter().map(|node| scope.spawn(|| node.connect().done(&line))).collect();
            asking.into_iter().map(|asking| asking.join().unwrap()).collect()
        });
        answers.sort_by_key(|answer| answer["duplicate"] == true);
        assert_eq!(answers[0]["id"], answers[1]["id"], "{answers:?}");
        assert_eq!(
            (&answers[0]["duplicate"], &answers[1]["duplicate"]),
            (&json!(false), &json!(true))
        );
    }
    assert_eq!(nodes[1].query("SELECT count(*) FROM messages"), ["40"]);
}

#[test]
fn what_an_operator_changes_holds_on_every_node_when_it_is_answered() {
    let Some([first, second]) = nodes() else { return };
    let database = first.database();
    let mut wires = [first.connect(), second.connect()];
    let token = wires[0].log_in("paff");
    let robo = wires[1].log_in("robo");
    for wire in &mut wires {
        wire.done(format!("send {token} robo hai"));
        wire.done(format!("whoami {robo}"));
    }
    operator::done(&database, &["user", "rename", "robo", "robot"]);
    for wire in &mut wires {
        assert_eq!(wire.refused(format!("send {token} robo hai")), "unknown_recipient");
        wire.done(format!("send {token} robot hai"));
        assert_eq!(wire.done(format!("whoami {robo}"))["user"], "robot");
    }
    operator::done(&database, &["user", "disable", "robot"]);
    for wire in &mut wires {
        assert_eq!(wire.refused(format!("whoami {robo}")), "no_session");
        assert_eq!(wire.refused("auth robot cytus"), "wrong_password");
    }
    operator::done(&database, &["user", "delete", "robot", "--yes"]);
    for wire in &mut wires {
        assert_eq!(wire.refused(format!("send {token} robot hai")), "unknown_recipient");
    }
}

#[test]
fn changed_password_holds_on_the_other_node_at_once() {
    let Some([first, second]) = nodes() else { return };
    let (mut one, mut other) = (first.connect(), second.connect());
    let (token, ended) = (one.log_in("paff"), other.log_in("paff"));
    let passwd = json!({"old": "cytus", "new": "new one"});
    assert_eq!(one.done(format!("passwd {token} {passwd}"))["ended"], 1);
    assert_eq!(other.refused(format!("whoami {ended}")), "no_session");
    assert_eq!(other.refused("auth paff cytus"), "wrong_password");
    other.done("auth paff new one");
    other.done(format!("whoami {token}"));
}

#[test]
fn purged_messages_are_gone_on_every_node() {
    let Some([first, second]) = nodes() else { return };
    let (paff, neko) = (first.log_in("paff"), second.log_in("neko"));
    // The second node has the message in memory for its stream.
    let mut stream = watch(&second, &neko);
    first.connect().done(format!("send {paff} neko secret"));
    assert_eq!(messages(&mut stream, 1).len(), 1);
    operator::done(&first.database(), &["message", "purge", "--before-id", "9", "--unread-too"]);
    for server in [&first, &second] {
        let page = server.connect().done(format!("fetch {neko} {}", json!({"after": 0})));
        assert_eq!(page["messages"], json!([]));
    }
}

#[test]
fn killed_node_takes_nothing_with_it_and_the_other_goes_on() {
    let Some([mut first, second]) = nodes() else { return };
    let token = first.log_in("paff");
    let neko = second.log_in("neko");
    let mut stream = watch(&second, &neko);
    let mut wire = first.connect();
    for number in 0..50 {
        wire.done(format!("send {token} neko {number}"));
    }
    first.kill();
    let mut wire = second.connect();
    for number in 50..100 {
        wire.done(format!("send {token} neko {number}"));
    }
    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let pushed = messages(&mut stream, 100);
    assert!(pushed.iter().map(|(_, body)| body).eq(&expected), "{pushed:?}");
    // The killed node's lease delays this by three seconds at most.
    wire.done(format!("logout {token}"));
    first.start_again();
    assert_eq!(first.connect().refused(format!("whoami {token}")), "no_session");
    first.connect().done(format!("whoami {neko}"));
}
