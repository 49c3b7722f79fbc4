//! Messages that are older than they are kept: the server removes them by itself, with everything
//! that derives from them, and nothing else.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::{self, operator, scaled, wait_until};
use crate::support::{Server, Wire};

const DAY: u64 = 86_400;

/// An export with so many messages of 2020: from paff to neko, each with a key and a word.
fn archive(count: usize) -> String {
    let mut lines = format!(
        "{{\"type\":\"header\",\"format\":\"chat-export\",\"version\":1,\"newest\":{count}}}\n"
    );
    for user in ["paff", "neko"] {
        let user = json!({
            "type": "user", "name": user, "display_name": user, "created_at": "2020-01-01T00:00:00Z",
        });
        writeln!(lines, "{user}").unwrap();
    }
    for id in 1..=count {
        let message = json!({
            "type": "message", "id": id, "at": "2020-02-03T00:00:00Z", "from": "paff",
            "to": "neko", "body": format!("antique {id}"), "key": format!("old-{id}"),
        });
        writeln!(lines, "{message}").unwrap();
    }
    lines
}

fn import(server: &Server, lines: &str) {
    let outcome = operator::run_with_input(&server.database(), &["import", "-"], lines);
    assert_eq!(outcome.code, 0, "{outcome:?}");
}

fn retention(server: &Server, words: &[&str]) -> String {
    operator::done(&server.database(), &[&["retention"], words].concat())
}

/// What `retention` says.
fn figures(server: &Server) -> Value {
    operator::objects(&server.database(), &["retention"]).remove(0)
}

fn stored(server: &Server) -> usize {
    server.query("SELECT count(*) FROM v1_messages")[0].parse().unwrap()
}

fn bodies(wire: &mut Wire, token: &str) -> Vec<String> {
    let page = wire.done(format!(r#"fetch {token} {{"after": 0}}"#));
    let bodies = page["messages"].as_array().unwrap().iter();
    bodies.map(|message| message["body"].as_str().unwrap().to_owned()).collect()
}

fn check(server: &Server) {
    if !support::is_on_postgres() {
        operator::done(&server.database(), &["check"]);
    }
}

#[test]
fn old_messages_go_with_what_derives_from_them_and_the_others_stay() {
    let server = Server::start();
    import(&server, &archive(40));
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let answer = json!({"to": ["paff"], "body": "a young answer", "reply_to": 7});
    let young = wire.done(format!("post {neko} {answer}"))["id"].as_u64().unwrap();
    wire.done(format!("send {paff} neko young"));
    wire.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": 10}}"#));
    wire.done(format!(r#"edit {paff} {{"id": 12, "body": "antique, edited"}}"#));
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 41);
    let found = |wire: &mut Wire| {
        let page = wire.done(format!(r#"search {neko} {{"query": "antique"}}"#));
        page["messages"].as_array().unwrap().len()
    };
    assert_ne!(found(&mut wire), 0);

    retention(&server, &["set", "DEFAULT", "90d"]);
    wait_until("the old ones are removed", || stored(&server) == 2);
    assert_eq!(bodies(&mut wire, &neko), ["young"]);
    assert_eq!(bodies(&mut wire, &paff), ["a young answer"]);
    assert_eq!((found(&mut wire), &wire.done(format!("unread {neko}"))["unread"]), (0, &json!(1)));
    let page = wire.done(format!(r#"inbox {neko}"#));
    assert_eq!(page["messages"]["paff"].as_array().unwrap().len(), 1, "{page}");
    // A mark below what is gone moves on, and a thread goes on without its first message.
    wire.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": 11}}"#));
    let thread = wire.done(format!(r#"fetch {neko} {{"thread": {young}}}"#));
    assert_eq!(thread["messages"].as_array().unwrap().len(), 1, "{thread}");
    // A key is free, and no id comes back.
    let again = json!({"to": ["neko"], "body": "antique 3", "key": "old-3"});
    let again = wire.done(format!("post {paff} {again}"));
    assert_eq!(again["duplicate"], false);
    assert!(again["id"].as_u64().unwrap() > young + 1);

    let told = figures(&server);
    assert_eq!((&told["removed"], &told["default"]), (&json!(40), &json!(90 * DAY)));
    let stats = operator::objects(&server.database(), &["stats"]).remove(0);
    assert_eq!((&stats["removed"], &stats["messages"]), (&json!(40), &json!(3)));
    assert_eq!(stats["retention_at"], told["looked_at"]);
    assert!(stats["retention_at"].is_string(), "{stats}");
    check(&server);
}

#[test]
fn rooms_have_times_of_their_own_and_owners_only_shorten_them() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let created = wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    assert_eq!(created.get("retention"), None, "{created}");
    wire.done(format!(r##"room_join {neko} {{"room": "#build"}}"##));
    let set = |seconds: u64| {
        let fields = json!({"room": "#build", "retention": seconds});
        format!("room_set {paff} {fields}")
    };
    assert_eq!(wire.done(set(100 * DAY))["retention"], 100 * DAY);
    retention(&server, &["set", "build", "30d"]);
    let shown = |wire: &mut Wire, token: &str| {
        wire.done(format!(r##"room {token} {{"room": "#build"}}"##))["retention"].clone()
    };
    assert_eq!(shown(&mut wire, &neko), 30 * DAY);
    let refused = wire.ask(set(31 * DAY));
    assert_eq!(refused["code"], "bad_argument", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("30d"), "{refused}");
    assert_eq!(wire.done(set(7 * DAY))["retention"], 7 * DAY);
    assert_eq!(wire.done(set(0))["retention"], 30 * DAY, "as the operator says");
    for wrong in ["1", "86399", "-1", "\"7d\"", "316224001"] {
        let line = format!(r##"room_set {paff} {{"room": "#build", "retention": {wrong}}}"##);
        assert_eq!(wire.refused(line), "bad_argument", "{wrong}");
    }
    let fields = r##"{"room": "#build", "retention": 86400}"##;
    assert_eq!(wire.refused(format!("room_set {neko} {fields}")), "not_allowed");
    retention(&server, &["set", "build", "default"]);
    assert_eq!(shown(&mut wire, &neko), Value::Null);
    let lines = retention(&server, &["set", "DEFAULT", "forever"]);
    assert_eq!(lines, "DEFAULT: messages are kept for ever\n");
    assert_eq!(server.query("SELECT room, kept_s FROM v2_retention"), ["|0", "#build|0"]);
}

/// The server is killed whenever it has removed some. What it removed is counted in the same
/// transaction, so the count is right; and what was acknowledged meanwhile is there.
#[test]
fn removal_goes_on_after_sigkill_beside_sends() {
    let count = scaled(2_000, 20_000);
    let mut server = Server::start();
    import(&server, &archive(count));
    let mut sent = 0;
    let (mut kills, mut before) = (0, 0);
    retention(&server, &["set", "DEFAULT", "1d"]);
    loop {
        let paff = server.log_in("paff");
        let mut wire = server.connect();
        let removed = |server: &Server| server.query(figures_sql())[0].parse::<usize>().unwrap();
        wait_until("some are removed", || {
            wire.done(format!("send {paff} robo young {sent}"));
            sent += 1;
            let now = removed(&server);
            now == count || now > before
        });
        before = removed(&server);
        assert_eq!(
            server.query("SELECT count(*) FROM v1_messages WHERE sent_at < '2021'"),
            [(count - before).to_string()]
        );
        if before == count {
            break;
        }
        if kills < 3 {
            kills += 1;
            server.kill();
            server.start_again();
        }
    }
    assert!(kills > 0, "it was never killed");
    let robo = server.log_in("robo");
    let unread = server.connect().done(format!("unread {robo}"));
    assert_eq!(unread["unread"], sent, "every acknowledged message is there");
    assert_eq!(figures(&server)["removed"], count);
    check(&server);
}

/// The figure in the table, which no view has.
fn figures_sql() -> &'static str {
    if support::is_on_postgres() {
        "SELECT removed FROM chat.retention"
    } else {
        "SELECT removed FROM retention"
    }
}

#[test]
fn time_that_was_set_without_a_server_counts_when_one_starts() {
    let mut server = Server::start();
    import(&server, &archive(3));
    server.stop();
    assert_eq!(
        retention(&server, &["set", "DEFAULT", "365d"]),
        "DEFAULT: messages are removed after 365d\n"
    );
    assert_eq!(stored(&server), 3, "a command removes nothing");
    let outcome = operator::run(&server.database(), &["retention", "set", "nowhere", "2d"]);
    assert_eq!((outcome.code, outcome.stderr.contains("#nowhere")), (67, true), "{outcome:?}");
    let outcome = operator::run(&server.database(), &["retention", "set", "DEFAULT", "default"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    server.start_again();
    wait_until("they are removed", || stored(&server) == 0);
}
