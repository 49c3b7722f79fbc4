//! Two servers on one PostgreSQL database, at the wire: a client may use either, or both.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::{self, Ending, Server, Wire, operator, wait_until};

/// How many requests are sent before a change, at least, and how many after it.
const BEFORE: usize = 5;
const AFTER: usize = 20;

/// Two servers on a new database; `None` if the test is skipped.
#[track_caller]
fn nodes() -> Option<[Server; 2]> {
    let database = support::new_on_postgres()?;
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
fn text_that_is_deleted_on_one_node_is_in_no_answer_of_the_other() {
    let Some(nodes) = nodes() else { return };
    let [paff, neko] = ["paff", "neko"].map(|user| nodes[0].log_in(user));
    // Each node has the texts of this stream in memory.
    let mut told = nodes.each_ref().map(|node| {
        let mut stream = node.connect();
        stream.done(format!(r#"watch {neko} {{"from": "all", "changes": true}}"#));
        stream
    });
    let until = |stream: &mut Wire, kind: &str, id: &Value| {
        while let event = stream.reply()
            && (event["event"] != kind || event["id"] != *id)
        {
            assert_ne!(event["event"], "end", "{event}");
        }
    };
    for round in 0..20 {
        let (deleting, reading) = (&nodes[round % 2], &nodes[(round + 1) % 2]);
        let (mut one, mut other) = (deleting.connect(), reading.connect());
        let secret = format!("secret{round}");
        let id = other.done(post(&paff, "neko", &secret, &secret))["id"].clone();
        told.iter_mut().for_each(|stream| until(stream, "message", &id));
        one.done(format!("delete {paff} {}", json!({"id": id})));
        // From the answer on it is nowhere, also not in a stream that begins with what is in memory.
        let after = id.as_i64().unwrap() - 1;
        let mut stream = watch_after(reading, &neko, after);
        let event = stream.reply();
        assert_eq!(event["event"], "caught_up", "{round}: {event}");
        for line in [
            format!(r#"fetch {neko} {{"after": {after}}}"#),
            format!(r#"fetch {neko} {{"after": {after}, "with": "paff", "raw": true}}"#),
            format!(r#"fetch {neko} {{"unread": true}}"#),
            format!(r#"fetch {neko} {{"thread": {id}}}"#),
            format!(r#"search {neko} {{"query": "{secret}"}}"#),
            format!("conversations {neko}"),
            format!("inbox {neko}"),
        ] {
            let answer = other.ask(&line).to_string();
            assert!(!answer.contains(&secret), "{round}: {line}: {answer}");
        }
        let edit = json!({"id": id, "body": "back"});
        assert_eq!(other.refused(format!("edit {paff} {edit}")), "unknown_message");
        told.iter_mut().for_each(|stream| until(stream, "deleted", &id));
    }
}

/// A stream of the messages of a user after one.
fn watch_after(server: &Server, token: &str, after: i64) -> Wire {
    let mut wire = server.connect();
    wire.done(format!("watch {token} {}", json!({"from": after})));
    wire
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

/// Asks a node without a pause while `change` is executed elsewhere. Gives the replies to requests
/// that were sent before `change` had its answer, and of [`AFTER`] that were sent after it.
fn around(
    node: &Server,
    line: impl Fn(usize) -> String + Sync,
    change: impl FnOnce(),
) -> [Vec<Value>; 2] {
    let (count, is_before) = (AtomicUsize::new(0), AtomicBool::new(true));
    thread::scope(|scope| {
        let ending = Ending(&is_before);
        let asking = scope.spawn(|| {
            let (mut wire, mut replies) = (node.connect(), [Vec::new(), Vec::new()]);
            while replies[1].len() < AFTER {
                let is_after = !is_before.load(Ordering::SeqCst);
                let number = count.fetch_add(1, Ordering::SeqCst);
                replies[usize::from(is_after)].push(wire.ask(line(number)));
            }
            replies
        });
        wait_until("the node answers", || count.load(Ordering::SeqCst) > BEFORE);
        change();
        drop(ending);
        asking.join().unwrap()
    })
}

/// Every reply is `OK` before a change, and has this code after it. In between it can be either,
/// but never `OK` again.
fn changes_once(replies: &[Vec<Value>; 2], code: &str) {
    let mut is_changed = false;
    for reply in replies.iter().flatten() {
        match reply["status"] == "OK" {
            true => assert!(!is_changed, "{code} is over again: {reply}"),
            false => is_changed = true,
        }
        assert!(!is_changed || reply["code"] == code, "{reply}");
    }
    assert_eq!(replies[0][0]["status"], "OK");
    assert!(replies[1].iter().all(|reply| reply["code"] == code), "{:?}", replies[1]);
}

#[test]
fn session_that_one_node_ends_is_refused_by_the_other_while_that_one_takes_its_sends() {
    let Some(nodes) = nodes() else { return };
    for round in 0..10 {
        let [ending, using] = [&nodes[round % 2], &nodes[1 - round % 2]];
        let (kept, ended) = (ending.log_in("paff"), using.log_in("paff"));
        let send = |number| format!("send {ended} neko {round} {number}");
        let replies = around(using, send, || {
            let mut wire = ending.connect();
            match round % 3 {
                0 => wire.done(format!("revoke {kept} {}", json!({"others": true}))),
                1 => wire.done(format!("logout {ended}")),
                _ => {
                    wire.done(format!("passwd {kept} {}", json!({"old": "cytus", "new": "cytus"})))
                }
            };
        });
        changes_once(&replies, "no_session");
        ending.connect().done(format!("logout {kept}"));
    }
}

#[test]
fn user_who_is_renamed_or_deleted_gets_every_message_acknowledged_before_and_none_after() {
    let Some([first, second]) = nodes() else { return };
    let (database, token) = (first.database(), first.log_in("paff"));
    let mut acknowledged = 0;
    for (node, arguments) in [
        (&first, ["user", "rename", "robo", "robot"].as_slice()),
        (&second, &["user", "rename", "robot", "robo"]),
        (&first, &["user", "delete", "robo", "--yes"]),
    ] {
        let send = |number| format!("send {token} {} {number}", arguments[2]);
        let replies = around(node, send, || drop(operator::done(&database, arguments)));
        changes_once(&replies, "unknown_recipient");
        acknowledged += replies.iter().flatten().filter(|reply| reply["status"] == "OK").count();
    }
    let stored = first.query("SELECT count(*) FROM messages");
    assert_eq!(stored, [acknowledged.to_string()]);
}

#[test]
fn purge_is_complete_on_the_node_that_takes_sends_and_touches_no_later_message() {
    let Some([first, second]) = nodes() else { return };
    let (paff, neko) = (first.log_in("paff"), first.log_in("neko"));
    let mut stream = watch(&second, &neko);
    let before = (0..20).map(|_| first.connect().done(format!("send {paff} neko old")));
    assert_eq!(before.count(), 20);
    assert_eq!(messages(&mut stream, 20).len(), 20);
    let purge = ["message", "purge", "--before-id", "21", "--unread-too"];
    let database = first.database();
    // Sends and reads in turn.
    let line = |number: usize| match number % 2 {
        0 => format!("send {paff} neko new"),
        _ => format!("fetch {neko} {}", json!({"after": 0})),
    };
    let [during, after] = around(&second, line, || drop(operator::done(&database, &purge)));
    let is_old = |page: &Value| page.to_string().contains(r#""old""#);
    assert!(is_old(&during[1]), "{during:?}");
    assert!(!after.iter().any(is_old), "{after:?}");
    let sent = during.iter().chain(&after).filter(|reply| reply["message"] == "Message Sent");
    let sent = sent.count();
    assert!(sent > 0);
    let pushed = messages(&mut stream, sent);
    assert!(pushed.iter().all(|(_, body)| body == "new"), "{pushed:?}");
    let stored = second.query("SELECT id FROM messages ORDER BY id");
    assert!(stored.iter().eq(&pushed.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>()));
}

#[test]
fn what_is_read_at_one_node_is_told_to_a_stream_at_the_other() {
    let Some([first, second]) = nodes() else { return };
    let mut wire = first.connect();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| wire.log_in(user));
    let mut stream = second.connect();
    stream.done(format!("watch {neko} {}", json!({"from": "new", "read": true})));
    wire.done(format!("send {ivy} neko old"));
    wire.done(format!("send {paff} neko one"));
    let mut wait_for = |expected: Value| while stream.reply() != expected {};
    wire.done(format!("ack {neko} {}", json!({"with": "paff", "upto": 2})));
    wait_for(json!({"status": "OK", "event": "read", "with": "paff", "upto": 2}));
    wire.done(format!("inbox {neko}"));
    wait_for(json!({"status": "OK", "event": "read", "cursor": "inbox", "upto": 2}));
    assert_eq!(second.connect().done(format!("unread {neko}"))["unread"], 0);
}

#[test]
fn what_is_read_at_one_node_is_a_receipt_for_a_stream_at_the_other() {
    let Some([first, second]) = nodes() else { return };
    let mut wire = first.connect();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| wire.log_in(user));
    wire.done(format!("send {ivy} neko old"));
    wire.done(format!("send {paff} neko one"));
    wire.done(format!("send {paff} neko two"));
    let mut stream = second.connect();
    stream.done(format!("watch {paff} {}", json!({"from": "new", "receipts": [2, 3]})));
    let mut wait_for = |id: i64| {
        let expected = json!({"status": "OK", "event": "receipt", "id": id});
        while stream.reply() != expected {}
    };
    wire.done(format!("ack {neko} {}", json!({"with": "paff", "upto": 2})));
    wait_for(2);
    wire.done(format!("inbox {neko}"));
    wait_for(3);
}
