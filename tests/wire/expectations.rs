//! Expectations: a missing report is told of once, and so is its return. Also over SIGKILL, a
//! restart, and with two servers on one database.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

#[cfg(feature = "postgres")]
use crate::support;
use crate::support::{Server, Wire, wait_until};

fn expect(wire: &mut Wire, token: &str, name: &str, every: u64) -> Value {
    let fields = json!({"name": name, "every": every, "tell": "neko"});
    wire.done(format!("expect {token} {fields}"))
}

fn report(wire: &mut Wire, token: &str, fields: Value) -> Value {
    wire.done(format!("report {token} {fields}"))
}

/// The texts that neko has got, without what comes after the state.
fn told(server: &Server) -> Vec<String> {
    let rows = server.query("select sender, body from v1_messages order by id");
    let begin = |row: &String| {
        let end = [" at ", ": it"].iter().filter_map(|word| row.find(word)).min();
        row[..end.unwrap_or(row.len())].to_owned()
    };
    rows.iter().map(begin).collect()
}

fn wait_for(server: &Server, expected: &[&str]) {
    wait_until(&format!("{expected:?}"), || told(server).len() >= expected.len());
    assert_eq!(told(server), expected);
}

#[test]
fn missing_report_is_told_of_once_and_so_is_its_return() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    let mut stream = server.connect();
    stream.done(format!("watch {neko} {}", json!({"from": "all"})));
    let expected = expect(&mut wire, &paff, "backup", 1);
    assert_eq!(expected["name"], "backup");
    let late = loop {
        let event = stream.reply();
        if event["event"] == "message" {
            break event;
        }
    };
    assert_eq!((&late["from"], &late["priority"]), (&json!("paff"), &json!(4)));
    assert_eq!(late["tags"], json!(["expect", "late"]));
    let body = late["body"].as_str().unwrap();
    let due_at = expected["due_at"].as_str().unwrap();
    assert_eq!(body, format!("backup is late: it was due at {due_at}, and has never reported"));
    let listed = wire.done(format!("expectations {paff}"));
    assert_eq!(listed["expectations"][0]["late"], true);
    report(&mut wire, &paff, json!({"name": "backup"}));
    let back = stream.reply();
    assert_eq!(back["tags"], json!(["expect", "back"]), "{back}");
    // A failure is told of at once. A further one is not.
    expect(&mut wire, &paff, "nightly", 3_600);
    report(&mut wire, &paff, json!({"name": "nightly", "start": true}));
    report(&mut wire, &paff, json!({"name": "nightly", "code": 3}));
    report(&mut wire, &paff, json!({"name": "nightly", "code": 4}));
    assert!(stream.reply()["body"].as_str().unwrap().starts_with("nightly failed with 3 at "));
    report(&mut wire, &paff, json!({"name": "nightly"}));
    assert!(stream.reply()["body"].as_str().unwrap().starts_with("nightly is back: "));
}

#[test]
fn expectations_belong_to_their_user_and_are_removed() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, ivy) = (wire.log_in("paff"), wire.log_in("ivy"));
    expect(&mut wire, &paff, "backup", 3_600);
    expect(&mut wire, &ivy, "backup", 7_200);
    let listed = wire.done(format!("expectations {ivy}"));
    assert_eq!(listed["expectations"].as_array().unwrap().len(), 1);
    assert_eq!(listed["expectations"][0]["every"], 7_200);
    let remove = json!({"name": "backup", "remove": true});
    assert_eq!(wire.done(format!("expect {paff} {remove}"))["removed"], true);
    assert_eq!(wire.refused(format!("expect {paff} {remove}")), "unknown_expectation");
    let gone = json!({"name": "backup"});
    assert_eq!(wire.refused(format!("report {paff} {gone}")), "unknown_expectation");
    report(&mut wire, &ivy, gone);
    for (fields, code) in [
        (json!({"name": "backup"}), "bad_argument"),
        (json!({"name": "backup", "every": 0, "tell": "neko"}), "bad_argument"),
        (json!({"name": "backup", "every": 40_000_000, "tell": "neko"}), "bad_argument"),
        (json!({"name": "No", "every": 1, "tell": "neko"}), "bad_argument"),
        (json!({"name": "x".repeat(33), "every": 1, "tell": "neko"}), "bad_argument"),
        (json!({"name": "a", "every": 1, "tell": "neko", "remove": true}), "bad_argument"),
        (json!({"name": "a", "every": 1, "tell": "nobody"}), "unknown_recipient"),
    ] {
        assert_eq!(wire.refused(format!("expect {paff} {fields}")), code, "{fields}");
    }
}

/// More messages than the server tells together cannot be told, and came first.
#[test]
fn full_inbox_stops_no_message_to_others() {
    let server = Server::start_with(&["--inbox-unread-max", "1"]);
    let mut wire = server.connect();
    let [neko, ivy, robo] = ["neko", "ivy", "robo"].map(|user| wire.log_in(user));
    wire.done(format!("send {neko} robo full"));
    let fail = |wire: &mut Wire, token: &str, name: &str, tell: &str| {
        let fields = json!({"name": name, "every": 3_600, "tell": tell});
        wire.done(format!("expect {token} {fields}"));
        report(wire, token, json!({"name": name, "code": 1}));
    };
    for number in 0..205 {
        fail(&mut wire, &neko, &format!("job-{number}"), "robo");
    }
    fail(&mut wire, &ivy, "backup", "vanessa");
    wait_for(&server, &["neko|full", "ivy|backup failed with 1"]);
    // They come once there is room. A report has the server look at once.
    for count in [3, 4] {
        wire.done(format!("inbox {robo}"));
        report(&mut wire, &ivy, json!({"name": "backup", "code": 1}));
        wait_until("a message to robo", || told(&server).len() == count);
    }
}

#[test]
fn kills_at_any_moment_neither_lose_nor_repeat_what_is_told() {
    const COUNT: usize = 40;
    let mut server = Server::start();
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    for number in 0..COUNT {
        expect(&mut wire, &paff, &format!("job-{number}"), 1);
    }
    let count = |server: &Server| told(server).len();
    // Each server is killed as soon as it has told of something.
    for _ in 0..4 {
        let before = count(&server);
        if before < COUNT {
            wait_until("it tells", || count(&server) > before);
        }
        server.kill();
        server.start_again();
    }
    wait_until("all are told", || count(&server) >= COUNT);
    let mut wire = server.connect();
    for number in 0..COUNT {
        report(&mut wire, &paff, json!({"name": format!("job-{number}")}));
        if number % 10 == 5 {
            server.kill();
            server.start_again();
            wire = server.connect();
        }
    }
    // They are late again soon: only the first return of each counts here.
    let returned = |name: &str| told(&server).contains(&format!("paff|{name} is back"));
    wait_until("all are back", || (0..COUNT).all(|number| returned(&format!("job-{number}"))));
    let rows = told(&server);
    for number in 0..COUNT {
        let own: Vec<&str> = rows
            .iter()
            .filter_map(|row| row.strip_prefix(&format!("paff|job-{number} is ")))
            .collect();
        let expected = ["late", "back"].into_iter().cycle().take(own.len());
        assert!(own.iter().copied().eq(expected), "job-{number}: {own:?}");
    }
    let twice = "select key, count(*) from v1_messages group by key having count(*) > 1";
    assert_eq!(server.query(twice), [""; 0]);
}

#[test]
fn deadline_that_passed_while_no_server_ran_is_told_of_at_the_start() {
    let mut server = Server::start();
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    let due = expect(&mut wire, &paff, "backup", 2)["due_at"].as_str().unwrap().to_owned();
    server.kill();
    assert_eq!(told(&server), [""; 0], "it was not due");
    let due: i64 = server.query("select due_at from expectations")[0].parse().expect(&due);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    wait_until("it is due", || now() > due);
    server.start_again();
    wait_for(&server, &["paff|backup is late"]);
    server.stop();
    server.start_again();
    let mut wire = server.connect();
    report(&mut wire, &paff, json!({"name": "backup"}));
    wait_until("it is back", || told(&server).len() >= 2);
    assert_eq!(told(&server)[..2], ["paff|backup is late", "paff|backup is back"]);
}

#[cfg(feature = "postgres")]
#[test]
fn two_servers_tell_once_and_the_second_alone_goes_on() {
    let Some(database) = support::new_on_postgres() else { return };
    let database = std::path::Path::new(&database);
    let [first, mut second] = [Server::start_on(database), Server::start_on(database)];
    let (mut one, mut other) = (first.connect(), second.connect());
    let paff = one.log_in("paff");
    for number in 0..20 {
        expect(
            if number % 2 == 0 { &mut one } else { &mut other },
            &paff,
            &format!("j{number}"),
            1,
        );
    }
    wait_until("all are told", || told(&first).len() >= 20);
    // Reports by the other server.
    for number in 0..20 {
        let fields = json!({"name": format!("j{number}"), "code": 0});
        report(if number % 2 == 1 { &mut one } else { &mut other }, &paff, fields);
    }
    let is_back =
        |server: &Server| told(server).iter().filter(|row| row.ends_with(" is back")).count() >= 20;
    wait_until("all are back", || is_back(&first));
    let twice = "select key, count(*) from v1_messages group by key having count(*) > 1";
    assert_eq!(first.query(twice), [""; 0]);
    // The server that got the expectation is killed before its deadline.
    expect(&mut other, &paff, "orphan", 2);
    second.kill();
    let orphan = || told(&first).contains(&"paff|orphan is late".to_owned());
    // Another expectation wakes the first server, which then sees that deadline too.
    expect(&mut one, &paff, "next", 3_600);
    wait_until("the first server tells", orphan);
    assert_eq!(first.query(twice), [""; 0]);
}
