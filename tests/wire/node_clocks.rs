//! The clock of the database is the only one: a server whose own clock is a day off neither ends
//! sessions early nor lets them live on, and its messages have the right time.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::support::clock::Clock;
use crate::support::{Server, databases, operator, server_command};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// The most milliseconds that a slow machine needs for a step of a test.
const NEAR: i64 = 10 * 60 * 1_000;

/// A database with a server whose clock is right, and one whose clock is so many seconds ahead.
/// `None` if the test is skipped.
fn nodes(clock: &Clock, ahead: i64) -> Option<[Server; 2]> {
    let database = databases::new_database()?;
    let database = Path::new(&database);
    let right = Server::start_on(database);
    clock.set(ahead);
    let mut command = server_command(database);
    clock.give(&mut command);
    let wrong = Server::start_command(command, TempDir::new().unwrap());
    Some([right, wrong])
}

/// How far a time is from that of the database, in milliseconds.
fn distance(server: &Server, time: &str) -> i64 {
    server.query(&format!("SELECT {time} - now_ms()"))[0].parse().unwrap()
}

fn set(server: &Server, token: &str, column: &str, from_now: i64) {
    let sql = format!(
        "UPDATE sessions SET {column} = now_ms() + ({from_now})
          WHERE token_hash = sha256('{token}')"
    );
    assert_eq!(server.change(&sql), 1);
}

/// Calls the function for a clock that is a day fast, and one that is a day slow.
fn for_both(test: impl Fn(&[Server; 2], &Clock)) {
    let Some(clock) = Clock::new() else {
        return crate::support::skip::skip("a C compiler", "install gcc");
    };
    for ahead in [DAY / 1_000, -DAY / 1_000] {
        let Some(nodes) = nodes(&clock, ahead) else { return };
        test(&nodes, &clock);
    }
}

#[test]
fn sessions_live_by_the_clock_of_the_database() {
    for_both(|[right, wrong], _| {
        let mut wire = wrong.connect();
        // Read from the database only then, and again from memory.
        let lives = |wire: &mut crate::support::Wire, token: &str| {
            let is_live = wire.ask(format!("whoami {token}"))["status"] == "OK";
            assert_eq!(wire.ask(format!("whoami {token}"))["status"] == "OK", is_live);
            is_live
        };
        for (column, live, over) in
            [("expires_at", HOUR, -1), ("last_seen_at", -30 * DAY + HOUR, -30 * DAY - 1)]
        {
            let tokens = [right.log_in("paff"), right.log_in("paff")];
            set(right, &tokens[0], column, live);
            set(right, &tokens[1], column, over);
            assert!(lives(&mut wire, &tokens[0]), "{column}: ended early");
            assert!(!lives(&mut wire, &tokens[1]), "{column}: lives on");
        }
        // A login at the server with the wrong clock.
        let token = wire.log_in("neko");
        let session = "FROM sessions ORDER BY id DESC LIMIT 1";
        let of = |column: &str| distance(right, &format!("(SELECT {column} {session})"));
        assert!(of("created_at").abs() < NEAR && of("last_seen_at").abs() < NEAR);
        assert!((of("expires_at") - 90 * DAY).abs() < NEAR);
        right.connect().done(format!("whoami {token}"));
    });
}

#[test]
fn stopping_and_starting_server_with_a_wrong_clock_ends_no_session_and_keeps_their_times() {
    let Some(clock) = Clock::new() else {
        return crate::support::skip::skip("a C compiler", "install gcc");
    };
    for ahead in [DAY / 1_000, -DAY / 1_000] {
        let Some([right, mut wrong]) = nodes(&clock, ahead) else { return };
        let tokens = [right.log_in("paff"), right.log_in("paff")];
        set(&right, &tokens[0], "last_seen_at", -30 * DAY + HOUR);
        set(&right, &tokens[1], "expires_at", -1);
        let used = right.log_in("neko");
        set(&right, &used, "last_seen_at", -29 * DAY);
        wrong.connect().done(format!("whoami {used}"));
        // It stores when sessions were last used, and sweeps.
        assert_eq!(wrong.stop().code(), Some(0));
        let left = "SELECT count(*) FROM sessions WHERE last_seen_at <= now_ms()";
        assert_eq!(right.query(left), ["2"], "the clock is {ahead} s ahead");
        let seen = "(SELECT max(last_seen_at) FROM sessions)";
        assert!(distance(&right, seen).abs() < NEAR);
        // The next one settles sessions when it starts.
        let mut command = server_command(&right.database());
        clock.give(&mut command);
        let again = Server::start_command(command, TempDir::new().unwrap());
        for token in [&tokens[0], &used] {
            again.connect().done(format!("whoami {token}"));
        }
        assert_eq!(right.query(left), ["2"]);
    }
}

#[test]
fn messages_have_the_time_of_the_database() {
    for_both(|[right, wrong], clock| {
        let token = wrong.log_in("paff");
        wrong.connect().done(format!("send {token} neko one"));
        wrong.connect().done(format!("send {token} paff two"));
        for id in [1, 2] {
            let sent = distance(right, &format!("(SELECT sent_at FROM messages WHERE id = {id})"));
            assert!(sent.abs() < NEAR, "{sent}");
        }
        // A purge by age on a machine with the wrong clock: the second message is 12 hours old.
        let older = format!("UPDATE messages SET sent_at = sent_at - {} WHERE id = 2", DAY / 2);
        assert_eq!(right.change(&older), 1);
        let purge = |age: &str| {
            let arguments = ["message", "purge", "--unread-too", "--older-than", age];
            let mut command = operator::command(&right.database(), &arguments);
            clock.give(&mut command);
            assert!(command.output().unwrap().status.success());
            right.query("SELECT id FROM messages ORDER BY id")
        };
        assert_eq!(purge("18h"), ["1", "2"]);
        assert_eq!(purge("6h"), ["1"]);
        let page = wrong.connect().done(format!("fetch {token} {}", json!({"after": 0})));
        assert_eq!(page["messages"], json!([]));
    });
}
