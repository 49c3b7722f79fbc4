//! The wall clock is set by ten years, in either direction. Messages stay in order and arrive once,
//! sessions last as long as they should, and no wait becomes longer or shorter.

use std::io::Read;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::clock::{Clock, DECADE};
use crate::support::operator;
use crate::support::{PATIENCE, Server, Wire, server_command};

const DAY: i64 = 24 * 3_600 * 1_000;
/// The most milliseconds between two clocks that agree.
const NEAR: i64 = 5 * 60 * 1_000;

fn start(clock: &Clock, options: &[&str]) -> Server {
    let folder = TempDir::new().unwrap();
    start_in(folder, clock, options)
}

fn start_in(folder: TempDir, clock: &Clock, options: &[&str]) -> Server {
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    clock.give(command.args(options));
    Server::start_command(command, folder)
}

/// Stops the server, sets the clock, and starts the server again on the same database.
fn start_again(
    mut server: Server,
    clock: &Clock,
    ahead: i64,
    end: impl FnOnce(&mut Server),
) -> Server {
    end(&mut server);
    clock.set(ahead);
    let folder = TempDir::new().unwrap();
    for name in ["chat.sqlite", "chat.sqlite-wal"] {
        // A stopped server has checkpointed its WAL.
        let _ = std::fs::copy(server.folder().join(name), folder.path().join(name));
    }
    start_in(folder, clock, &[])
}

fn stop(server: &mut Server) {
    assert_eq!(server.stop().code(), Some(0));
}

/// The real time of the wall clock.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

fn number(server: &Server, sql: &str) -> i64 {
    server.query(sql)[0].parse().unwrap()
}

fn lives(wire: &mut Wire, token: &str) -> bool {
    wire.ask(format!("whoami {token}"))["status"] == "OK"
}

fn post(token: &str, number: usize) -> String {
    let fields = json!({"to": ["neko"], "key": format!("k-{number}"), "body": number.to_string()});
    format!("post {token} {fields}")
}

fn bodies(messages: &Value) -> Vec<usize> {
    let body = |message: &Value| message["body"].as_str().unwrap().parse().unwrap();
    messages.as_array().unwrap().iter().map(body).collect()
}

#[test]
fn messages_stay_in_order_and_arrive_once_whatever_the_clock_says() {
    let Some(clock) = Clock::new() else { return };
    let server = start(&clock, &[]);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let (mut wire, mut watcher) = (server.connect(), server.connect());
    watcher.done(format!("watch {neko} {{}}"));
    let mut ids = Vec::new();
    for (number, decades) in [0, 1, 0, -1, 0, -1, 1].into_iter().enumerate() {
        clock.set(decades * DECADE);
        let id = wire.done(post(&paff, number))["id"].as_i64().unwrap();
        assert!(ids.last().is_none_or(|last| *last < id), "{ids:?}, then {id}");
        ids.push(id);
        // The server really saw the new clock.
        let sent_at =
            self::number(&server, &format!("select sent_at from messages where id = {id}"));
        assert!((sent_at - now() - decades * DECADE * 1_000).abs() < NEAR, "{sent_at}");
        let event = loop {
            let event = watcher.reply();
            if event["event"] == "message" {
                break event;
            }
        };
        assert_eq!((&event["id"], &event["body"]), (&json!(id), &json!(number.to_string())));
        for (earlier, id) in ids.iter().enumerate() {
            let again = wire.done(post(&paff, earlier));
            assert_eq!((&again["duplicate"], &again["id"]), (&json!(true), &json!(id)));
        }
        // One cursor moves on, the other stays.
        let before = ids.len().checked_sub(2).map_or(0, |before| ids[before]);
        let unread = wire.done(format!(r#"fetch {neko} {{"after": {before}}}"#));
        assert_eq!(bodies(&unread["messages"]), [number]);
        wire.done(format!(r#"ack {neko} {{"cursor": "log", "upto": {id}}}"#));
        assert_eq!(wire.done(format!("unread {neko}"))["unread"], ids.len());
    }
    let all: Vec<usize> = (0..ids.len()).collect();
    let reported = wire.done(format!(r#"fetch {neko} {{"after": 0}}"#));
    assert_eq!(bodies(&reported["messages"]), all);
    let inbox = wire.done(format!("inbox {neko}"));
    let inbox = inbox["messages"]["paff"].as_array().unwrap();
    let reported: Vec<&str> =
        inbox.iter().map(|message| message["msg"].as_str().unwrap()).collect();
    assert_eq!(reported, all.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 0);
    assert_eq!(server.query("PRAGMA integrity_check"), ["ok"]);
}

/// Every step is followed by a sweep, so that an expired session ends for good.
#[test]
fn sessions_survive_a_clock_that_is_set_while_the_server_runs() {
    let Some(clock) = Clock::new() else { return };
    let server = start(&clock, &["--session-idle", "10s"]);
    let mut wire = server.connect();
    let mut tokens = vec![wire.log_in("paff"), wire.log_in("neko")];
    for decades in [1, 0, -1, 0] {
        clock.set(decades * DECADE);
        tokens.push(wire.log_in("paff"));
        let swept = "select min(last_seen_at) from sessions";
        let before = number(&server, swept);
        let begun = Instant::now();
        while number(&server, swept) == before {
            assert!(begun.elapsed() < PATIENCE, "the sessions are not swept");
            for token in &tokens {
                assert!(lives(&mut wire, token), "{decades}");
            }
        }
        assert_eq!(wire.done(format!("list {}", tokens[0]))["messages"], "List user: paff,neko");
    }
    assert_eq!(number(&server, "select count(*) from sessions"), tokens.len() as i64);
    // No session lasts ten years too long.
    let longest = number(&server, "select max(expires_at) from sessions") - now();
    assert!((longest - 90 * DAY).abs() < NEAR, "{longest}");
}

#[test]
fn session_expires_for_good_even_if_the_clock_is_set_back() {
    let Some(clock) = Clock::new() else { return };
    clock.set(DECADE);
    let server = start(&clock, &["--session-lifetime", "500ms"]);
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    clock.set(0);
    let begun = Instant::now();
    while lives(&mut wire, &token) {
        assert!(begun.elapsed() < PATIENCE, "it does not end");
    }
    assert!(!lives(&mut wire, &token));
    clock.set(-DECADE);
    assert!(!lives(&mut wire, &token));
    let server = start_again(server, &clock, -DECADE, stop);
    assert!(!lives(&mut server.connect(), &token));
}

/// The server is killed, so there is no use and no sweep in between.
#[test]
fn expired_session_stays_expired_after_a_restart_with_an_earlier_clock() {
    let Some(clock) = Clock::new() else { return };
    let server = start(&clock, &[]);
    let token = server.log_in("paff");
    let server = start_again(server, &clock, DECADE, stop);
    let server = start_again(server, &clock, 0, Server::kill);
    assert!(!lives(&mut server.connect(), &token));
    server.log_in("paff");
}

#[test]
fn session_from_the_future_keeps_only_its_remaining_time() {
    let Some(clock) = Clock::new() else { return };
    clock.set(DECADE);
    let server = start(&clock, &[]);
    let token = server.log_in("paff");
    let left = |server: &Server, ahead: i64| {
        number(server, "select max(expires_at) from sessions") - now() - ahead * 1_000
    };
    assert!((left(&server, DECADE) - 90 * DAY).abs() < NEAR);
    let mut server = start_again(server, &clock, 0, stop);
    assert!(lives(&mut server.connect(), &token));
    assert!((left(&server, 0) - 90 * DAY).abs() < NEAR, "{}", left(&server, 0));
    // Ten days before its end by the wrong clock, the session has ten days by the right one.
    stop(&mut server);
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let moved = "UPDATE sessions SET created_at = created_at + ?1 - 80 * ?2,
                        last_seen_at = last_seen_at + ?1, expires_at = expires_at + ?1 - 80 * ?2";
    database.execute(moved, [DECADE * 1_000, DAY]).unwrap();
    drop(database);
    let mut server = start_again(server, &clock, 0, |_| ());
    assert!(lives(&mut server.connect(), &token));
    assert!((left(&server, 0) - 10 * DAY).abs() < NEAR, "{}", left(&server, 0));
    // A session that was used in the future, but opened earlier, ends at its usual time.
    stop(&mut server);
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database.execute("UPDATE sessions SET last_seen_at = last_seen_at + ?1", [DAY]).unwrap();
    drop(database);
    let server = start_again(server, &clock, 0, |_| ());
    assert!((left(&server, 0) - 10 * DAY).abs() < NEAR, "{}", left(&server, 0));
    assert!(number(&server, "select max(last_seen_at) from sessions") <= now() + NEAR);
}

#[test]
fn waits_and_time_limits_ignore_the_wall_clock() {
    /// The longest wait for the rest of a line (`server::connection`).
    const HALF_A_LINE: Duration = Duration::from_secs(10);
    let Some(clock) = Clock::new() else { return };
    let server = start(&clock, &[]);
    let (mut half, mut silent) = (server.connect(), server.connect());
    half.send("hel");
    let mut guesser = server.connect();
    let mut guess = || guesser.refused("auth paff wrong");
    for _ in 0..5 {
        assert_eq!(guess(), "wrong_password");
    }
    for decades in [1, -1, 0] {
        clock.set(decades * DECADE);
        assert_eq!(guess(), "rate_limited", "{decades}");
        server.log_in("neko");
    }
    // No connection was closed because of the clock.
    half.send("lo\r\n");
    assert_eq!(half.reply()["status"], "OK");
    assert_eq!(silent.ask("hello")["status"], "OK");
    // No connection stays open because of the clock.
    let begun = Instant::now();
    half.send("hel");
    clock.set(-DECADE);
    half.stream_mut().read_to_end(&mut Vec::new()).unwrap();
    assert!(begun.elapsed() >= HALF_A_LINE, "{:?}", begun.elapsed());
    silent.done("hello");
}

#[test]
fn purge_by_age_removes_only_read_messages_with_an_old_timestamp() {
    let Some(clock) = Clock::new() else { return };
    let server = start(&clock, &[]);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for (number, decades) in [0, 1, -1, 0, -1].into_iter().enumerate() {
        clock.set(decades * DECADE);
        wire.done(post(&paff, number));
        if number == 3 {
            wire.done(format!("inbox {neko}"));
        }
    }
    // The command has its own clock, which is right.
    let reported =
        operator::objects(&server.database(), &["message", "purge", "--older-than", "30d"]);
    assert_eq!(
        (&reported[0]["messages"], &reported[0]["unread_kept"]),
        (&json!(1), &json!(1)),
        "{reported:?}"
    );
    let left = wire.done(format!(r#"fetch {neko} {{"after": 0}}"#));
    assert_eq!(bodies(&left["messages"]), [0, 1, 3, 4]);
    let id = wire.done(post(&paff, 5))["id"].as_i64().unwrap();
    assert_eq!(id, 6);
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 2);
}

/// A message that is sent later comes after the time that was said, however the clock is set
/// meanwhile. A start takes the new clock.
#[test]
fn scheduled_messages_are_sent_once_and_not_early_whatever_the_clock_says() {
    const DAY_SECONDS: i64 = DAY / 1_000;
    let Some(clock) = Clock::new() else { return };
    let server = start(&clock, &[]);
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    let later = |wire: &mut Wire, body: &str, seconds: i64| {
        let fields = json!({"to": ["neko"], "body": body, "in": seconds});
        wire.done(format!("post {paff} {fields}"))
    };
    let at = |wire: &mut Wire, body: &str, at: i64| {
        let at = chat::model::Timestamp(at).to_rfc3339();
        let fields = json!({"to": ["neko"], "body": body, "at": at});
        wire.done(format!("post {paff} {fields}"))
    };
    let texts = |server: &Server| server.query("select body from messages order by id");
    later(&mut wire, "in 12 h", DAY_SECONDS / 2);
    let mut expected = Vec::new();
    for (step, ahead) in [1, -1, 0].into_iter().enumerate() {
        clock.set(ahead * DAY_SECONDS);
        // The thread looks again for this one, which is due at once by either clock.
        let body = format!("soon {step}");
        later(&mut wire, &body, 1);
        expected.push(body);
        // A time of the day is one of the clock as it is now.
        let body = format!("at {step}");
        at(&mut wire, &body, now() + ahead * DAY + 2_000);
        expected.push(body);
        crate::support::wait_until(&format!("{expected:?}"), || {
            texts(&server).len() >= expected.len()
        });
        assert_eq!(texts(&server), expected);
    }
    // By the clock of this start, the first message was due twelve hours ago.
    let server = start_again(server, &clock, DAY_SECONDS, stop);
    crate::support::wait_until("it is sent", || texts(&server).len() > expected.len());
    expected.push("in 12 h".to_owned());
    let mut wire = server.connect();
    let at_noon = chat::model::Timestamp(now() + DAY + DAY / 2).to_rfc3339();
    wire.done(format!("post {paff} {}", json!({"to": ["neko"], "body": "far", "at": at_noon})));
    // The clock is set back while no server runs: that makes no message early.
    let server = start_again(server, &clock, -DAY_SECONDS, stop);
    let mut wire = server.connect();
    let soon = json!({"to": ["neko"], "body": "last", "in": 1});
    // The session of before was used in the future.
    let paff = wire.log_in("paff");
    wire.done(format!("post {paff} {soon}"));
    expected.push("last".to_owned());
    crate::support::wait_until("it is sent", || texts(&server).len() >= expected.len());
    assert_eq!(texts(&server), expected);
    // The row of a message goes after the message is there.
    crate::support::wait_until("only the far one is left", || {
        server.query("select body from scheduled") == ["far"]
    });
    assert_eq!(texts(&server), expected);
}

/// A missing report is told of once, and not before its deadline, however the clock is set meanwhile.
/// A start takes the new clock.
#[test]
fn missing_reports_are_told_of_once_and_not_early_whatever_the_clock_says() {
    const DAY_SECONDS: i64 = DAY / 1_000;
    let Some(clock) = Clock::new() else { return };
    let server = start(&clock, &[]);
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    let expect = |wire: &mut Wire, token: &str, name: &str, every: i64| {
        let fields = json!({"name": name, "every": every, "tell": "neko"});
        wire.done(format!("expect {token} {fields}"));
    };
    let told = |server: &Server| -> Vec<String> {
        let bodies = server.query("select body from messages order by id");
        bodies.iter().map(|body| body.split(": ").next().unwrap().to_owned()).collect()
    };
    let mut expected = Vec::new();
    let is_told = |server: &Server, expected: &[String]| {
        crate::support::wait_until(&format!("{expected:?}"), || {
            told(server).len() >= expected.len()
        });
        assert_eq!(told(server), expected);
    };
    expect(&mut wire, &paff, "nightly", DAY_SECONDS / 2);
    for (step, ahead) in [1, -1, 0].into_iter().enumerate() {
        clock.set(ahead * DAY_SECONDS);
        expect(&mut wire, &paff, &format!("soon-{step}"), 1);
        expected.push(format!("soon-{step} is late"));
        is_told(&server, &expected);
    }
    // By the clock of this start, the report was due twelve hours ago.
    let server = start_again(server, &clock, DAY_SECONDS, stop);
    expected.push("nightly is late".to_owned());
    is_told(&server, &expected);
    let mut wire = server.connect();
    wire.done(format!("report {paff} {}", json!({"name": "nightly"})));
    expected.push("nightly is back".to_owned());
    is_told(&server, &expected);
    // The clock is set back while no server runs: that makes no report late.
    let server = start_again(server, &clock, -DAY_SECONDS, stop);
    let mut wire = server.connect();
    // The session of before was used in the future.
    let paff = wire.log_in("paff");
    expect(&mut wire, &paff, "last", 1);
    expected.push("last is late".to_owned());
    is_told(&server, &expected);
}

#[test]
fn messages_expire_neither_early_nor_late_whatever_the_clock_says() {
    const DAY_SECONDS: i64 = DAY / 1_000;
    let Some(clock) = Clock::new() else { return };
    let server = start(&clock, &[]);
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    let post = |wire: &mut Wire, body: &str, expires: Value| {
        let mut fields = json!({"to": ["neko"], "body": body});
        fields.as_object_mut().unwrap().extend(expires.as_object().unwrap().clone());
        wire.done(format!("post {paff} {fields}"));
    };
    let unread = |wire: &mut Wire, token: &str| {
        let found = wire.done(format!("fetch {token} {}", json!({"unread": true})));
        let texts = found["messages"].as_array().unwrap().iter();
        texts.map(|message| message["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    post(&mut wire, "12 h", json!({"expires_in": DAY_SECONDS / 2}));
    let mut expected = vec!["12 h".to_owned()];
    for (step, ahead) in [1, -1, 0].into_iter().enumerate() {
        clock.set(ahead * DAY_SECONDS);
        assert_eq!(unread(&mut wire, &neko), expected, "{ahead} days ahead");
        // What is sent now expires in time, too, by either way to say it.
        post(&mut wire, "soon", json!({"expires_in": 1}));
        let at = chat::model::Timestamp(now() + ahead * DAY + 1_000).to_rfc3339();
        post(&mut wire, "at", json!({"expires": at}));
        let hour = format!("1 h, {step}");
        post(&mut wire, &hour, json!({"expires_in": 3_600}));
        expected.push(hour);
        crate::support::wait_until("they expire", || unread(&mut wire, &neko) == expected);
    }
    // A start takes the system's clock. By that the day ahead has not come, and the others were over
    // five hours ago.
    let server = start_again(server, &clock, DAY_SECONDS / 4, stop);
    let mut wire = server.connect();
    let neko = wire.log_in("neko");
    assert_eq!(unread(&mut wire, &neko), ["12 h", "soon", "at", "1 h, 0"]);
    let server = start_again(server, &clock, 2 * DAY_SECONDS, stop);
    let mut wire = server.connect();
    let neko = wire.log_in("neko");
    assert_eq!(unread(&mut wire, &neko), Vec::<String>::new());
    let history = wire.done(format!("fetch {neko}"));
    assert_eq!(history["messages"].as_array().unwrap().len(), 10, "all stay in the history");
}
