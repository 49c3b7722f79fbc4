//! The lifetime of a session and of an idempotency key, as SECURITY.md and docs/configuration.md
//! promise. No test waits for it: between two servers it moves the times in the file back.

use serde_json::json;

use crate::support::operator;
use crate::support::{self, Server};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Changes the file of a stopped server.
fn change(server: &Server, sql: &str) {
    assert_eq!(server.change(sql), 1, "{sql}");
}

#[test]
fn session_ends_90_days_after_login_or_30_after_last_use_by_default() {
    let mut server = Server::start();
    let now = || jiff::Timestamp::now().as_millisecond();
    let before = now();
    let tokens: Vec<String> = (0..5).map(|_| server.log_in("paff")).collect();
    let after = now();
    for ends in server.query("SELECT expires_at FROM sessions") {
        let ends: i64 = ends.parse().unwrap();
        assert!((before + 90 * DAY..=after + 90 * DAY).contains(&ends), "{ends}");
    }
    server.stop();
    // The oldest first: the remaining time of each.
    let shift = |id: usize, column: &str, by: i64| {
        change(&server, &format!("UPDATE sessions SET {column} = {column} - {by} WHERE id = {id}"));
    };
    shift(1, "last_seen_at", 30 * DAY - HOUR);
    shift(2, "last_seen_at", 30 * DAY);
    shift(3, "expires_at", 90 * DAY - HOUR);
    shift(4, "expires_at", 90 * DAY);
    server.start_again();
    let mut wire = server.connect();
    let lives: Vec<bool> = tokens
        .iter()
        .map(|token| {
            let reply = wire.ask(format!("whoami {token}"));
            assert!(reply["status"] == "OK" || reply["code"] == "no_session", "{reply}");
            reply["status"] == "OK"
        })
        .collect();
    assert_eq!(lives, [true, false, true, false, true]);
    // Ended sessions are gone from the file as well, and use has restarted the thirty days.
    server.stop();
    assert_eq!(server.query("SELECT id FROM sessions ORDER BY id"), ["1", "3", "5"]);
    change(
        &server,
        &format!("UPDATE sessions SET last_seen_at = last_seen_at - {} WHERE id = 1", 29 * DAY),
    );
    server.start_again();
    server.connect().done(format!("whoami {}", tokens[0]));
}

#[test]
fn stream_ends_when_its_session_expires() {
    let server = Server::start_with(&["--session-lifetime", "3s", "--heartbeat", "100ms"]);
    let token = server.log_in("neko");
    let mut stream = server.connect();
    stream.done(format!("watch {token} {}", json!({"from": "new"})));
    // Each heartbeat checks the session first. They come every 100 ms at most, so there are little
    // more than 30 in its time; the next sweep of all sessions is a minute away.
    let reported = (0..100).map(|_| stream.reply()).find(|event| event["event"] == "end");
    assert_eq!(reported.expect("the end of the stream")["code"], "no_session");
}

#[test]
fn key_holds_as_long_as_its_message_is_stored_and_no_longer() {
    let mut server = Server::start();
    let message = r#"{"to": ["neko"], "body": "once", "key": "k"}"#;
    let post = |server: &Server| {
        let token = server.log_in("paff");
        server.connect().done(format!("post {token} {message}"))
    };
    let first = post(&server);
    assert_eq!(first["duplicate"], false);
    let token = server.log_in("neko");
    server.connect().done(format!("inbox {token}"));
    server.stop();
    // Ten years later, and in a copy.
    change(&server, &format!("UPDATE messages SET sent_at = sent_at - {}", 3650 * DAY));
    server.start_again();
    // PostgreSQL's own programs copy its databases.
    let copy = (!support::is_on_postgres()).then(|| {
        let backup = server.folder().join("backup.sqlite");
        operator::done(&server.database(), &["backup", backup.to_str().unwrap()]);
        Server::start_from(&backup)
    });
    for server in std::iter::once(&server).chain(&copy) {
        let again = post(server);
        assert_eq!((&again["id"], &again["duplicate"]), (&first["id"], &json!(true)));
        let other = message.replace("once", "twice");
        let token = server.log_in("paff");
        assert_eq!(server.connect().refused(format!("post {token} {other}")), "key_conflict");
    }
    operator::done(&server.database(), &["message", "purge", "--older-than", "365d"]);
    let anew = post(&server);
    assert_eq!(anew["duplicate"], false);
    assert!(anew["id"].as_i64() > first["id"].as_i64(), "{anew}");
}
