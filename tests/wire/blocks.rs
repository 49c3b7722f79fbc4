//! Blocks: what a blocked user writes reaches the other one by no request, and the blocked user
//! learns of it by nothing but the refusal.

use serde_json::{Value, json};

use crate::support::{Server, Wire, operator, wait_until};

fn post(wire: &mut Wire, token: &str, to: &str, body: &str) -> i64 {
    let posted = wire.done(format!("post {token} {}", json!({"to": [to], "body": body})));
    posted["id"].as_i64().unwrap()
}

fn block(wire: &mut Wire, token: &str, user: &str) {
    let state = wire.done(format!("block {token} {}", json!({"user": user})));
    assert_eq!(state, json!({"status": "OK", "user": user, "blocked": true, "changed": true}));
}

fn unblock(wire: &mut Wire, token: &str, user: &str) {
    let state = wire.done(format!("unblock {token} {}", json!({"user": user})));
    assert_eq!(state, json!({"status": "OK", "user": user, "blocked": false, "changed": true}));
}

/// The room #build of paff, with neko and robo.
fn room(wire: &mut Wire, [paff, neko, robo]: [&str; 3]) {
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    for token in [neko, robo] {
        wire.done(format!(r##"room_join {token} {{"room": "#build"}}"##));
    }
}

fn next_message(stream: &mut Wire) -> Value {
    loop {
        let event = stream.reply();
        if event["event"] == "message" {
            return event["body"].clone();
        }
    }
}

/// Every answer that may show a message of a room.
#[cfg(feature = "http")]
fn answers(server: &Server, wire: &mut Wire, token: &str, id: i64) -> String {
    let mut answers = String::new();
    for line in [
        format!(r#"fetch {token} {{"after": 0}}"#),
        format!(r#"fetch {token} {{"before": 1000}}"#),
        format!(r#"fetch {token} {{"after": 0, "raw": true}}"#),
        format!(r##"fetch {token} {{"after": 0, "with": "#build"}}"##),
        format!(r##"fetch {token} {{"before": 1000, "raw": true, "with": "#build"}}"##),
        format!(r##"fetch {token} {{"unread": true, "with": "#build"}}"##),
        format!(r#"fetch {token} {{"unread": true}}"#),
        format!(r#"fetch {token} {{"cursor": "worker"}}"#),
        format!(r#"fetch {token} {{"dead": "worker"}}"#),
        format!(r#"fetch {token} {{"around": {id}}}"#),
        format!(r#"fetch {token} {{"thread": {id}}}"#),
        format!(r#"search {token} {{"query": "secret*"}}"#),
        format!(r##"search {token} {{"query": "in:#build"}}"##),
        format!(r#"search {token} {{"query": "from:paff"}}"#),
        format!("conversations {token} {{}}"),
        format!("unread {token}"),
    ] {
        answers.push_str(&wire.ask(line).to_string());
    }
    let views = "select body from v1_inbox where recipient = 'neko'
                  union all select body from v2_inbox where recipient = 'neko'";
    answers.push_str(&server.query(views).concat());
    answers.push_str(&operator::done(&server.database(), &["export", "--user", "neko"]));
    answers
}

#[cfg(feature = "http")]
#[test]
fn messages_of_a_blocked_user_are_in_no_answer_and_come_back() {
    use crate::support::http::{Stream, send};
    use crate::support::is_on_postgres;

    let server = Server::start_with(&["--http", "127.0.0.1:0", "--heartbeat", "1h"]);
    let [paff, neko, robo] = ["paff", "neko", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    room(&mut wire, [&paff, &neko, &robo]);
    let before = post(&mut wire, &paff, "#build", "secret before");
    wire.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": {before}, "dead": "add"}}"#));
    wire.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": 0, "rewind": true}}"#));
    let mut watching = server.connect();
    watching.done(format!(r#"watch {neko} {{"from": "new", "changes": true}}"#));
    block(&mut wire, &neko, "paff");
    let after = post(&mut wire, &paff, "#build", "secret after @neko");
    let answer = json!({"to": ["#build"], "body": "visible", "reply_to": after});
    let visible = wire.done(format!("post {robo} {answer}"))["id"].as_i64().unwrap();
    wire.done(format!("edit {paff} {}", json!({"id": before, "body": "secret, edited"})));
    let fields = json!({"to": ["#build"], "body": "secret answer", "reply_to": visible});
    wire.done(format!("post {paff} {fields}"));
    for id in [before, after, visible] {
        let found = answers(&server, &mut wire, &neko, id);
        assert!(!found.contains("secret") && found.contains("visible"), "{found}");
    }
    assert_eq!(next_message(&mut watching), "visible");
    for from in ["all", "unread"] {
        let mut stream = server.connect();
        let fields = json!({"from": from, "changes": true, "muted": true});
        stream.done(format!("watch {neko} {fields}"));
        assert_eq!(next_message(&mut stream), "visible");
    }
    let unread = wire.done(format!("unread {neko}"));
    assert_eq!(unread["rooms"], json!([{"room": "#build", "count": 1, "newest": visible}]));
    let list = wire.done(format!("conversations {neko} {{}}"));
    let of_room = &list["conversations"][0];
    assert_eq!((&of_room["last"]["id"], &of_room["mentions"]), (&json!(visible), &json!(0)));

    let bearer = format!("Bearer {neko}");
    let fields = [("Authorization", bearer.as_str())];
    for path in ["/inbox/json?poll=1&since=all", "/%23build/json?poll=1&since=all"] {
        let mut polled = Stream::open(server.http(), path, &fields);
        let mut lines = String::new();
        while let Some(line) = polled.line() {
            lines.push_str(&line);
        }
        assert!(lines.contains("visible") && !lines.contains("secret"), "{path}: {lines}");
    }
    let mut events = Stream::open(server.http(), "/api/v1/events?since=all", &fields);
    let mut seen = String::new();
    while !seen.contains("visible") {
        seen.push_str(&events.line().expect("an event"));
    }
    assert!(!seen.contains("secret"), "{seen}");
    let found = send(server.http(), "POST /api/v1/search", &fields, r#"{"query": "secret*"}"#);
    assert!(found.status == 200 && !found.body.contains("secret a"), "{found:?}");
    let blocks = send(server.http(), "POST /api/v1/blocks", &fields, "{}");
    assert!(blocks.body.contains(r#""user": "paff""#) || blocks.body.contains(r#""user":"paff""#));

    let inbox = wire.done(format!("inbox {neko}"));
    let expected = json!({"#build": [{"msg": "visible", "from": "robo"}]});
    assert_eq!(
        (&inbox["messages"], wire.done(format!("unread {neko}"))["unread"].as_i64()),
        (&expected, Some(0))
    );
    unblock(&mut wire, &neko, "paff");
    let found = answers(&server, &mut wire, &neko, after);
    for text in ["secret, edited", "secret after @neko", "secret answer"] {
        assert!(found.contains(text), "{text}: {found}");
    }
    if !is_on_postgres() {
        operator::done(&server.database(), &["check"]);
    }
}

#[test]
fn message_that_is_hidden_is_refused_like_a_missing_one() {
    let server = Server::start();
    let [paff, neko, robo] = ["paff", "neko", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    room(&mut wire, [&paff, &neko, &robo]);
    wire.done(format!(
        r##"room_set {paff} {{"room": "#build", "role": {{"user": "neko", "role": "owner"}}}}"##
    ));
    let hidden = post(&mut wire, &paff, "#build", "hidden");
    post(&mut wire, &robo, "#build", "last");
    block(&mut wire, &neko, "paff");
    let mut of = |id: i64| {
        let answer = json!({"to": ["#build"], "body": "x", "reply_to": id});
        let lines = [
            format!(r#"fetch {neko} {{"thread": {id}}}"#),
            format!("post {neko} {answer}"),
            format!(r#"edit {neko} {{"id": {id}, "body": "x"}}"#),
            format!(r#"delete {neko} {{"id": {id}}}"#),
            format!(r#"ack {neko} {{"upto": {id}, "dead": "add"}}"#),
            format!(r#"receipts {neko} {{"id": {id}}}"#),
            format!(r#"watch {neko} {{"receipts": [{id}]}}"#),
        ];
        lines.map(|line| {
            let answer = wire.ask(line);
            assert_eq!(
                (&answer["status"], &answer["code"]),
                (&json!("ERROR"), &json!("unknown_message"))
            );
            answer.to_string()
        })
    };
    let missing = of(4_000);
    assert_eq!(of(hidden), missing);
    assert_eq!(wire.done(format!("fetch {neko} {{}}"))["messages"].as_array().unwrap().len(), 1);
}

/// What a blocked user is told is what a user is told whom nobody blocks.
#[test]
fn blocked_user_learns_of_it_by_the_refusal_alone() {
    let server = Server::start();
    let [paff, neko, robo] = ["paff", "neko", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    room(&mut wire, [&paff, &neko, &robo]);
    post(&mut wire, &neko, "paff", "from neko");
    let alone = post(&mut wire, &paff, "neko", "alone");
    let in_room = post(&mut wire, &paff, "#build", "in the room");
    wire.done(format!("inbox {neko}"));
    let ask = |wire: &mut Wire| {
        [
            format!(r#"fetch {paff} {{"after": 0}}"#),
            format!(r#"fetch {paff} {{"after": 0, "with": "neko"}}"#),
            format!(r##"fetch {paff} {{"after": 0, "with": "#build"}}"##),
            format!(r#"search {paff} {{"query": "alone"}}"#),
            format!("conversations {paff} {{}}"),
            format!("unread {paff}"),
            format!("users {paff}"),
            format!("list {paff}"),
            format!(r##"room {paff} {{"room": "#build"}}"##),
            format!(r##"room_members {paff} {{"room": "#build"}}"##),
            format!(r#"receipts {paff} {{"id": {alone}}}"#),
            format!(r#"receipts {paff} {{"id": {in_room}}}"#),
            format!("blocks {paff}"),
        ]
        .map(|line| wire.ask(line).to_string())
    };
    let before = ask(&mut wire);
    block(&mut wire, &neko, "paff");
    assert_eq!(ask(&mut wire), before);
    // A post to the room has the same form, and each other member gets it.
    let next = post(&mut wire, &paff, "#build", "next");
    assert_eq!(next, in_room + 1);
    wire.done(format!("inbox {robo}"));
    post(&mut wire, &robo, "#build", "of robo");
    wire.done(format!("inbox {neko}"));
    // In a room that a member has muted, the receipts are the same.
    let of_blocked = wire.done(format!(r#"receipts {paff} {{"id": {next}}}"#));
    unblock(&mut wire, &neko, "paff");
    wire.done(format!(r##"room_set {neko} {{"room": "#build", "notify": "none"}}"##));
    let of_muted = wire.done(format!(r#"receipts {paff} {{"id": {next}}}"#));
    assert_eq!(of_blocked, of_muted);
    assert_eq!(of_muted["readers"], json!(["robo"]));
    block(&mut wire, &neko, "paff");
    // All refusals are one, whatever is sent.
    let refused = json!({"status": "ERROR", "code": "not_allowed",
                         "message": "you may not send to this user", "users": ["neko"]});
    for line in [
        format!("send {paff} neko hai"),
        format!("post {paff} {}", json!({"to": ["neko"], "body": "hai"})),
        format!("post {paff} {}", json!({"to": ["robo", "neko"], "body": "hai", "key": "k"})),
        format!("post {paff} {}", json!({"to": ["neko"], "body": "hai", "in": 60})),
        format!("post {paff} {}", json!({"to": ["neko"], "body": "hai", "reply_to": alone})),
        format!("expect {paff} {}", json!({"name": "backup", "every": 60, "tell": "neko"})),
    ] {
        assert_eq!(wire.ask(&line), refused, "{line}");
    }
    let edit = json!({"id": alone, "body": "edited"});
    assert_eq!(wire.refused(format!("edit {paff} {edit}")), "not_allowed");
    assert_eq!(wire.done(format!("unread {robo}"))["unread"], 0, "nothing came to robo alone");
    wire.done(format!(r#"delete {paff} {{"id": {alone}}}"#));
    // Neko can write on, and is answered in the room.
    post(&mut wire, &neko, "paff", "still");
}

#[test]
fn block_is_refused_for_nobody_and_for_oneself() {
    let server = Server::start();
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    for verb in ["block", "unblock"] {
        let nobody = wire.ask(format!(r#"{verb} {paff} {{"user": "nobody"}}"#));
        assert_eq!(
            (&nobody["code"], &nobody["users"]),
            (&json!("unknown_recipient"), &json!(["nobody"]))
        );
        for fields in [json!({"user": "paff"}), json!({"user": "#build"}), json!({})] {
            assert_eq!(wire.refused(format!("{verb} {paff} {fields}")), "bad_argument", "{fields}");
        }
    }
    assert_eq!(wire.done(format!("blocks {paff}"))["blocked"], json!([]));
    block(&mut wire, &paff, "neko");
    let again = wire.done(format!(r#"block {paff} {{"user": "neko"}}"#));
    assert_eq!(again["changed"], false);
    assert_eq!(server.query(r#"select "user", blocked from v2_blocks"#), ["paff|neko"]);
}

/// A stream that is served from memory, while its reader blocks and unblocks.
#[test]
fn stream_follows_the_blocks_of_its_reader() {
    let server = Server::start();
    let [paff, neko, robo] = ["paff", "neko", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    room(&mut wire, [&paff, &neko, &robo]);
    let mut stream = server.connect();
    stream.done(format!(r#"watch {neko} {{"from": "new"}}"#));
    for round in 0..3 {
        let text = |text: &str| format!("{text} {round}");
        post(&mut wire, &paff, "#build", &text("before"));
        assert_eq!(next_message(&mut stream), text("before"));
        block(&mut wire, &neko, "paff");
        for number in 0..3 {
            post(&mut wire, &paff, "#build", &text("hidden"));
            post(&mut wire, &robo, "#build", &text(&format!("shown {number}")));
            assert_eq!(next_message(&mut stream), text(&format!("shown {number}")));
        }
        unblock(&mut wire, &neko, "paff");
    }
}

#[test]
fn message_that_is_due_after_a_block_is_told_to_its_sender_alone() {
    let server = Server::start();
    let mut wire = server.connect();
    let [paff, neko] = ["paff", "neko"].map(|user| wire.log_in(user));
    let sent = || server.query("select recipient, body from v2_messages order by id desc limit 1");
    for attempt in 1.. {
        let fields = json!({"to": ["neko"], "body": format!("later {attempt}"), "in": 1});
        wire.done(format!("post {paff} {fields}"));
        block(&mut wire, &neko, "paff");
        let is_of_attempt = |row: &String| row.ends_with(&format!("later {attempt}"));
        wait_until("it is sent or not", || sent().iter().any(is_of_attempt));
        let reason = "to neko was not sent: you may not post to neko";
        if sent()[0].starts_with(&format!("paff|scheduled message {attempt} {reason}")) {
            break;
        }
        // It was due before the block.
        assert_eq!(sent(), [format!("neko|later {attempt}")]);
        unblock(&mut wire, &neko, "paff");
    }
}

#[test]
fn block_survives_a_kill_and_an_export() {
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    block(&mut wire, &neko, "paff");
    server.kill();
    server.start_again();
    let mut wire = server.connect();
    assert_eq!(wire.refused(format!("send {paff} neko hai")), "not_allowed");
    let exported = operator::done(&server.database(), &["export"]);
    let line = exported.lines().find(|line| line.contains(r#""type":"block""#)).unwrap();
    let record: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&record["user"], &record["blocked"]), (&json!("neko"), &json!("paff")));
    let other = Server::start();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), exported).unwrap();
    operator::done(&other.database(), &["import", file.path().to_str().unwrap()]);
    let paff = other.log_in("paff");
    assert_eq!(other.connect().refused(format!("send {paff} neko hai")), "not_allowed");
}
