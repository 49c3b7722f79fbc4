//! What a message carries beside its text: title, priority, tags, link, and the message that it
//! answers.

use serde_json::{Value, json};

use crate::support::{Server, Wire};

fn post(token: &str, fields: &Value) -> String {
    format!("post {token} {fields}")
}

fn newest(wire: &mut Wire, token: &str) -> Value {
    wire.done(format!(r#"fetch {token} {{"limit": 1}}"#))["messages"][0].clone()
}

#[test]
fn details_come_back_as_they_were_sent_by_fetch_watch_and_views() {
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let mut watching = server.connect();
    watching.done(format!(r#"watch {neko} {{"from": "new"}}"#));
    assert_eq!(watching.reply()["event"], "caught_up");
    let sent = json!({
        "to": ["neko"], "body": "step 3", "title": "Build 417 \u{1f431}", "priority": 5,
        "tags": ["build", "main", "build"], "click": "https://ci.example/417",
    });
    wire.done(post(&paff, &sent));
    let shown = |message: &Value| {
        assert_eq!(message["title"], "Build 417 \u{1f431}", "{message}");
        assert_eq!(message["priority"], 5);
        assert_eq!(message["tags"], json!(["build", "main"]), "each once");
        assert_eq!(message["click"], "https://ci.example/417");
        assert!(message.get("reply_to").is_none());
    };
    shown(&watching.reply());
    shown(&newest(&mut wire, &neko));
    // Nothing of it is in memory after a restart.
    server.kill();
    server.start_again();
    let mut wire = server.connect();
    shown(&newest(&mut wire, &neko));
    wire.done(post(&neko, &json!({"to": ["paff"], "body": "which?", "reply_to": 1})));
    wire.done(post(&paff, &json!({"to": ["neko"], "body": "the last", "reply_to": 2})));
    let view = "SELECT id, title, priority, tags, click, reply_to, thread FROM v2_messages
                 WHERE id > 1 ORDER BY id";
    assert_eq!(server.query(view), ["2||3|[]||1|1", "3||3|[]||2|1"]);
    let unread = "SELECT title, priority, tags, click FROM v2_inbox WHERE id = 1";
    let all = ["Build 417 \u{1f431}|5|[\"build\",\"main\"]|https://ci.example/417"];
    assert_eq!(server.query(unread), all);
    // The seed's map has texts and nothing else.
    let inbox = wire.done(format!("inbox {neko}"));
    assert_eq!(inbox["messages"], json!({"paff": [{"msg": "step 3"}, {"msg": "the last"}]}));
}

#[test]
fn message_without_details_has_the_fields_that_it_always_had() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for details in [json!({}), json!({"priority": 3, "tags": [], "title": null})] {
        let mut sent = json!({"to": ["neko"], "body": "hai"});
        sent.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        wire.done(post(&paff, &sent));
        let message = newest(&mut wire, &neko);
        let names: Vec<&String> = message.as_object().unwrap().keys().collect();
        assert_eq!(names, ["id", "at", "from", "to", "body"]);
    }
    assert_eq!(server.query("SELECT count(*) FROM messages WHERE details IS NOT NULL"), ["0"]);
}

#[test]
fn details_are_accepted_up_to_their_limits_and_refused_beyond() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let limits = wire.done("hello")["limits"].clone();
    let limit = |name: &str| usize::try_from(limits[name].as_u64().unwrap()).unwrap();
    let tags = |count: usize, bytes: usize| -> Vec<String> {
        (0..count).map(|tag| format!("{tag:0bytes$}")).collect()
    };
    let url = |bytes: usize| format!("http://x/{}", "p".repeat(bytes - 9));
    let fields = |details: Value| {
        let mut fields = json!({"to": ["neko"], "body": "hai"});
        fields.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        fields
    };
    for good in [
        json!({"title": "t".repeat(limit("title_bytes"))}),
        json!({"priority": 1}),
        json!({"priority": 5}),
        json!({"tags": tags(limit("tags"), limit("tag_bytes"))}),
        json!({"click": url(limit("click_bytes"))}),
        json!({
            "title": "\u{1f431}".repeat(limit("title_bytes") / 4),
            "tags": tags(limit("tags"), limit("tag_bytes")),
            "click": url(limit("click_bytes")),
        }),
    ] {
        wire.done(post(&paff, &fields(good.clone())));
        let message = newest(&mut wire, &neko);
        for (name, value) in good.as_object().unwrap() {
            assert_eq!(message[name], *value, "{name}");
        }
    }
    for (bad, name) in [
        (json!({"title": "t".repeat(limit("title_bytes") + 1)}), "title"),
        (json!({"title": ""}), "title"),
        (json!({"title": "two\nlines"}), "title"),
        (json!({"title": 7}), "title"),
        (json!({"priority": 0}), "priority"),
        (json!({"priority": 6}), "priority"),
        (json!({"priority": "high"}), "priority"),
        (json!({"tags": tags(limit("tags") + 1, 3)}), "tags"),
        (json!({"tags": tags(1, limit("tag_bytes") + 1)}), "tags"),
        (json!({"tags": ["a b"]}), "tags"),
        (json!({"tags": "build"}), "tags"),
        (json!({"click": url(limit("click_bytes") + 1)}), "click"),
        (json!({"click": "javascript:alert(1)"}), "click"),
        (json!({"click": "https://"}), "click"),
        (json!({"reply_to": -1}), "reply_to"),
        (json!({"reply_to": "1"}), "reply_to"),
    ] {
        let refused = wire.ask(post(&paff, &fields(bad.clone())));
        assert_eq!(refused["code"], "bad_argument", "{bad}: {refused}");
        assert!(refused["message"].as_str().unwrap().starts_with(name), "{bad}: {refused}");
    }
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 6, "nothing else was stored");
}

#[test]
fn key_with_other_details_is_a_conflict() {
    let mut server = Server::start();
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    let sent = json!({"to": ["neko"], "body": "hai", "key": "k", "title": "one", "tags": ["a"]});
    let first = wire.done(post(&paff, &sent));
    for restarted in [false, true] {
        if restarted {
            server.kill();
            server.start_again();
            wire = server.connect();
        }
        let again = wire.done(post(&paff, &sent));
        assert_eq!((&again["duplicate"], &again["id"]), (&json!(true), &first["id"]));
        for (name, value) in [
            ("title", json!("two")),
            ("title", Value::Null),
            ("priority", json!(4)),
            ("tags", json!(["a", "b"])),
            ("click", json!("http://x")),
            ("reply_to", json!(1)),
        ] {
            let mut other = sent.clone();
            other[name] = value;
            assert_eq!(wire.refused(post(&paff, &other)), "key_conflict", "{other}");
        }
    }
    assert_eq!(server.query("SELECT count(*) FROM messages"), ["1"]);
}

#[test]
fn reply_to_a_message_of_others_is_refused_like_one_to_a_missing_message() {
    let server = Server::start();
    let [paff, neko, robo] = ["paff", "neko", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    let first = wire.done(post(&paff, &json!({"to": ["neko"], "body": "hai"})));
    let id = first["id"].as_i64().unwrap();
    let mut reply = |token: &str, to: &str, id: i64| {
        wire.ask(post(token, &json!({"to": [to], "body": "re", "reply_to": id})))
    };
    let of_others = reply(&robo, "paff", id);
    assert_eq!(of_others["code"], "unknown_message");
    for missing in [0, id + 1, id + 1_000_000, i64::MAX] {
        assert_eq!(reply(&robo, "paff", missing), of_others, "the same words");
    }
    // Both sides may answer, to whomever.
    assert_eq!(reply(&neko, "paff", id)["status"], "OK");
    assert_eq!(reply(&paff, "neko", id)["status"], "OK");
    assert_eq!(reply(&neko, "robo", id)["status"], "OK");
    // The reader of an answer cannot read the message that it answers.
    assert_eq!(reply(&robo, "paff", id), of_others);
    assert_eq!(server.query("SELECT count(*) FROM messages"), ["4"]);
}

#[test]
fn filter_selects_in_pages_that_make_progress_and_in_streams() {
    let server = Server::start();
    let [paff, neko, robo] = ["paff", "neko", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    let mut send = |token: &str, details: Value| {
        let mut fields = json!({"to": ["neko"], "body": "hai"});
        fields.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        wire.done(post(token, &fields))["id"].as_i64().unwrap()
    };
    let wanted = [
        send(&paff, json!({"priority": 5, "tags": ["build", "main"]})),
        send(&robo, json!({"priority": 4, "tags": ["main", "build"]})),
    ];
    let others = [
        send(&paff, json!({"priority": 5, "tags": ["build"]})),
        send(&paff, json!({"priority": 2, "tags": ["build", "main"]})),
        send(&paff, json!({})),
    ];
    let filter = json!({"min_priority": 4, "tags": ["build", "main"]});
    let ids = |page: &Value| -> Vec<i64> {
        let messages = page["messages"].as_array().unwrap();
        messages.iter().map(|message| message["id"].as_i64().unwrap()).collect()
    };
    let mut wire = server.connect();
    let page = wire.done(format!("fetch {neko} {}", json!({"unread": true, "filter": filter})));
    assert_eq!((ids(&page), &page["more"]), (wanted.to_vec(), &json!(false)), "{page}");
    assert!(page.get("upto").is_none());
    let of_paff = json!({"after": 0, "filter": {"sender": "paff", "min_priority": 5}});
    assert_eq!(ids(&wire.done(format!("fetch {neko} {of_paff}"))), [wanted[0], others[0]]);
    let of_nobody = json!({"after": 0, "filter": {"sender": "nobody"}});
    assert!(ids(&wire.done(format!("fetch {neko} {of_nobody}"))).is_empty());
    for bad in [json!({"min_priority": 6}), json!({"tags": ["a b"]}), json!({"from": "paff"})] {
        let line = format!("fetch {neko} {}", json!({"filter": bad}));
        assert_eq!(wire.refused(&line), "bad_argument", "{bad}");
    }

    let mut stream = server.connect();
    let begin = json!({"from": "all", "filter": filter});
    stream.done(format!("watch {neko} {begin}"));
    for id in wanted {
        assert_eq!(stream.reply()["id"], id);
    }
    let caught_up = stream.reply();
    assert_eq!((&caught_up["event"], &caught_up["upto"]), (&json!("caught_up"), &json!(others[2])));
    for details in [json!({}), json!({"priority": 4, "tags": ["build", "main"]})] {
        let mut fields = json!({"to": ["neko"], "body": "later"});
        fields.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        wire.done(post(&paff, &fields));
    }
    assert_eq!(stream.reply()["id"], others[2] + 2, "the plain one before it is left out");

    // More messages than a page looks at, before and after a wanted one.
    let many: Vec<String> = (0..2_100).map(|_| format!("send {paff} neko plain\r\n")).collect();
    for _ in 0..2 {
        for part in many.chunks(100) {
            wire.send(part.concat());
            part.iter().for_each(|_| assert_eq!(wire.reply()["status"], "OK"));
        }
        wire.done(post(&paff, &json!({"to": ["neko"], "body": "x", "tags": ["far"]})));
    }
    for (from, is_back) in [("after", false), ("before", true)] {
        let mut place = if is_back { i64::MAX } else { 0 };
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let fetch = json!({from: place, "filter": {"tags": ["far"]}});
            let page = wire.done(format!("fetch {neko} {fetch}"));
            found.extend(ids(&page));
            pages += 1;
            if page["more"] == false {
                break;
            }
            let next = page["upto"].as_i64().unwrap();
            assert!(if is_back { next < place } else { next > place }, "{page}");
            place = next;
        }
        assert_eq!((found.len(), pages), (2, 3), "{from}");
    }
}
