//! Searching over the wire: what is found, by whom, after a kill, and what is refused.

use serde_json::{Value, json};

use crate::support::{Server, Wire, is_on_postgres, operator, wait_until};

fn search(wire: &mut Wire, token: &str, fields: &Value) -> Value {
    wire.done(format!("search {token} {fields}"))
}

/// The ids of all messages that are found, page by page.
fn ids(wire: &mut Wire, token: &str, query: &str, limit: usize) -> Vec<i64> {
    let (mut found, mut before) = (Vec::new(), i64::MAX);
    loop {
        let fields = json!({"query": query, "before": before, "limit": limit});
        let page = search(wire, token, &fields);
        let messages = page["messages"].as_array().unwrap();
        assert!(messages.len() <= limit);
        found.extend(messages.iter().map(|message| message["id"].as_i64().unwrap()));
        if page["more"] == false {
            assert!(page.get("upto").is_none());
            return found;
        }
        before = page["upto"].as_i64().unwrap();
    }
}

fn send_many(server: &Server, token: &str, to: &str, bodies: &[String]) {
    let mut wire = server.connect();
    let lines: Vec<String> = bodies
        .iter()
        .map(|body| format!("post {token} {}\r\n", json!({"to": [to], "body": body})))
        .collect();
    for chunk in lines.chunks(100) {
        wire.send(chunk.concat());
        chunk.iter().for_each(|_| assert_eq!(wire.reply()["status"], "OK"));
    }
}

#[test]
fn reader_finds_only_messages_of_their_own() {
    let server = Server::start();
    let (paff, neko, robo) = (server.log_in("paff"), server.log_in("neko"), server.log_in("robo"));
    let mut wire = server.connect();
    let bodies: Vec<String> = (0..300).map(|number| format!("secret number {number}")).collect();
    send_many(&server, &paff, "neko", &bodies);
    send_many(&server, &robo, "robo", &["a secret of my own".to_owned()]);
    for _ in 0..2 {
        assert_eq!(ids(&mut wire, &paff, "secret", 1000).len(), 300);
        assert_eq!(ids(&mut wire, &neko, "SECRET number", 7).len(), 300);
        assert_eq!(ids(&mut wire, &robo, "secret", 7), [301]);
        // Nothing tells the messages of others from missing ones: neither a page nor its place.
        for query in ["number", "from:paff", "-own", "\"secret number\"", "with:neko", "num*"] {
            let found = search(&mut wire, &robo, &json!({"query": query}));
            assert_eq!(found, json!({"status": "OK", "messages": [], "more": false}), "{query}");
        }
        let missing = "SELECT count(*) FROM meta WHERE name = 'search_upto.1' AND value = '301'";
        wait_until("an index of all", || is_on_postgres() || server.query(missing) == ["1"]);
    }
}

#[test]
fn rooms_are_searched_as_far_as_their_reader_may_read_them() {
    let server = Server::start();
    let [paff, neko, robo] = ["paff", "neko", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    let settings = json!({"room": "#ops", "private": true, "history": "joined"});
    wire.done(format!("room_create {paff} {settings}"));
    wire.done(format!(r##"room_create {paff} {{"room": "#open"}}"##));
    let post = |wire: &mut Wire, to: &str, body: &str| {
        wire.done(format!("post {paff} {}", json!({"to": [to], "body": body})));
    };
    post(&mut wire, "#ops", "secret before");
    wire.done(format!(r##"room_invite {paff} {{"room": "#ops", "users": ["neko"]}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#ops"}}"##));
    post(&mut wire, "#ops", "secret for members");
    post(&mut wire, "neko", "secret for neko");
    wire.done(format!(r##"room_kick {paff} {{"room": "#ops", "user": "neko"}}"##));
    post(&mut wire, "#ops", "secret after");
    post(&mut wire, "#open", "secret in the open");
    for _ in 0..2 {
        for (token, query, found) in [
            (&paff, "secret", &[5, 4, 3, 2, 1][..]),
            (&paff, "secret in:#ops", &[4, 2, 1]),
            (&paff, "secret -in:#ops", &[5, 3]),
            (&neko, "secret", &[3, 2]),
            (&neko, "se*", &[3, 2]),
            (&neko, "-word", &[3, 2]),
            (&neko, "from:paff in:#ops", &[2]),
            (&neko, "with:paff", &[3]),
            (&robo, "secret", &[]),
            (&robo, "-word from:paff", &[]),
        ] {
            assert_eq!(ids(&mut wire, token, query, 2), found, "{query}");
        }
        let page = search(&mut wire, &neko, &json!({"query": "members"}));
        let hit = &page["messages"][0];
        assert_eq!((&hit["room"], &hit["from"]), (&json!("#ops"), &json!("paff")));
        assert_eq!((hit.get("to"), &hit["matches"]), (None, &json!([[11, 18]])));
        let around = wire.done(format!(r##"fetch {neko} {{"around": 2, "with": "#ops"}}"##));
        assert_eq!(
            (&around["messages"][0]["id"], &around["messages"][1]),
            (&json!(2), &json!(null))
        );
        // A private room is like a missing one, and a public one must be joined first.
        for (room, code) in
            [("#ops", "unknown_room"), ("#oqs", "unknown_room"), ("#open", "not_allowed")]
        {
            for fields in
                [json!({"query": format!("-in:{room}")}), json!({"query": format!("in:{room}")})]
            {
                assert_eq!(wire.refused(format!("search {robo} {fields}")), code, "{fields}");
            }
            let around = json!({"around": 2, "with": room});
            assert_eq!(wire.refused(format!("fetch {robo} {around}")), code, "{room}");
        }
        let missing = "SELECT count(*) FROM meta WHERE name = 'search_upto.1' AND value = '5'";
        wait_until("an index of all", || is_on_postgres() || server.query(missing) == ["1"]);
    }
}

#[test]
fn every_acknowledged_message_is_found_after_sigkill() {
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut count = 0;
    for round in 0..3 {
        let bodies: Vec<String> = (0..1500).map(|number| format!("w{round} n{number}")).collect();
        send_many(&server, &paff, "neko", &bodies);
        count += bodies.len();
        // The index has a part of them now, whatever part.
        server.kill();
        server.start_again();
        let mut wire = server.connect();
        let found = ids(&mut wire, &neko, "w*", 1000);
        assert!(found.iter().copied().eq((1..=count as i64).rev()), "{round}: {}", found.len());
        assert_eq!(ids(&mut wire, &neko, &format!("w{round} n7"), 10).len(), 1);
    }
}

#[test]
fn malformed_query_is_refused_with_its_place() {
    let server = Server::start();
    let neko = server.log_in("neko");
    let mut wire = server.connect();
    let long = "a".repeat(1025);
    for (query, said) in [
        ("", "column 1: the query is empty"),
        ("a \"b", "column 3: the quotation mark is not closed"),
        ("猫 -", "column 3: the term has neither letters nor digits"),
        ("from:", "column 6: give a user"),
        (&*long, "column 1: the query is longer than 1024 bytes"),
        (&"a ".repeat(33), "column 65: the query has more than 32 terms"),
        (
            "after:yesterday",
            "column 7: give an id, a day as 2026-11-30, or a time as 2026-11-30T08:00:00Z",
        ),
    ] {
        let refused = wire.ask(format!("search {neko} {}", json!({"query": query})));
        assert_eq!((&refused["code"], &refused["message"]), (&json!("bad_query"), &json!(said)));
    }
    for query in ["a' OR 1=1 --", "NEAR(a b)", "a AND b OR NOT c", "{a b}:c ^d", "\u{0} a", "* a"] {
        let reply = wire.ask(format!("search {neko} {}", json!({"query": query})));
        assert!(reply["status"] == "OK" || reply["code"] == "bad_query", "{query:?}: {reply}");
    }
    let refused = wire.ask(format!(r##"search {neko} {{"query": "in:#build"}}"##));
    assert_eq!((&refused["code"], &refused["users"]), (&json!("unknown_room"), &json!(["#build"])));
    for fields in [r#"{"query": "a", "limit": 0}"#, r#"{"query": "a", "limit": 1001}"#, "{}"] {
        assert_eq!(wire.refused(format!("search {neko} {fields}")), "bad_argument");
    }
    assert_eq!(ids(&mut wire, &neko, "a", 1), [0_i64; 0]);
}

#[test]
fn purged_words_are_found_no_more() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let bodies: Vec<String> = (1..=300)
        .map(|number| format!("word {}{number}", if number <= 200 { "gone" } else { "kept" }))
        .collect();
    send_many(&server, &paff, "neko", &bodies);
    if !is_on_postgres() {
        let missing = "SELECT count(*) FROM meta WHERE name = 'search_upto.1' AND value = '300'";
        wait_until("an index of all", || server.query(missing) == ["1"]);
    }
    let purge = ["message", "purge", "--before-id", "201", "--unread-too"];
    operator::done(&server.database(), &purge);
    assert!(ids(&mut wire, &neko, "word", 1000).into_iter().eq((201..=300).rev()));
    assert_eq!(ids(&mut wire, &neko, "gone7", 10), [0_i64; 0]);
    if !is_on_postgres() {
        operator::done(&server.database(), &["check"]);
        let pages = server.query("SELECT hex(block) FROM search_data").concat();
        let has = |word: &str| {
            let hex: String = word.bytes().map(|byte| format!("{byte:02X}")).collect();
            pages.contains(&hex)
        };
        // A page has the common beginning of its words once.
        assert!(!has("gone") && has("kept"));
    }
}

#[test]
fn fetch_shows_a_message_in_its_place() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let bodies: Vec<String> = (1..=9).map(|number| number.to_string()).collect();
    send_many(&server, &paff, "neko", &bodies);
    let mut fetch = |token: &str, fields: &str| {
        let page = wire.done(format!("fetch {token} {fields}"));
        let ids = page["messages"].as_array().unwrap().iter().map(|it| it["id"].as_i64().unwrap());
        (ids.collect::<Vec<_>>(), page["more_before"] == true, page["more"] == true)
    };
    assert_eq!(fetch(&neko, r#"{"around": 5, "limit": 4}"#), (vec![4, 5, 6, 7], true, true));
    assert_eq!(fetch(&neko, r#"{"around": 1, "limit": 5}"#), (vec![1, 2, 3], false, true));
    assert_eq!(fetch(&neko, r#"{"around": 9}"#), ((1..=9).collect(), false, false));
    // One's own messages are in the conversation only.
    assert_eq!(fetch(&paff, r#"{"around": 5}"#), (vec![], false, false));
    let found = fetch(&paff, r#"{"around": 5, "with": "neko", "limit": 2}"#);
    assert_eq!(found, (vec![5, 6], true, true));
    for fields in [
        r#"{"around": 5, "after": 1}"#,
        r#"{"around": 5, "limit": 1}"#,
        r#"{"around": 5, "thread": 1}"#,
        r#"{"around": 5, "filter": {"min_priority": 4}}"#,
    ] {
        assert_eq!(wire.refused(format!("fetch {neko} {fields}")), "bad_argument", "{fields}");
    }
}
