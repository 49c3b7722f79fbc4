//! Rooms at the wire: what members get, what nobody else can find out, and changes of members
//! against posts and streams.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Ending, Server, Wire, operator};

/// A private room of paff and neko.
fn create(wire: &mut Wire<TcpStream>, paff: &str, neko: &str) {
    wire.done(format!(r##"room_create {paff} {{"room": "#ops", "private": true}}"##));
    wire.done(format!(r##"room_invite {paff} {{"room": "#ops", "users": ["neko"]}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#ops"}}"##));
}

fn post(wire: &mut Wire<TcpStream>, token: &str, to: &str, body: &str) -> Value {
    let fields = json!({"to": [to], "body": body});
    wire.done(format!("post {token} {fields}"))
}

#[test]
fn post_to_a_room_is_one_message_for_all_members() {
    let server = Server::start();
    let [paff, neko, robo] = ["paff", "neko", "vanessa"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build", "topic": "builds"}}"##));
    for token in [&neko, &robo] {
        wire.done(format!(r##"room_join {token} {{"room": "#build"}}"##));
    }
    let sent = post(&mut wire, &paff, "#build", "done");
    assert_eq!(sent["sent"], json!([{"to": "#build", "id": 1}]));
    // The seed's own verbs work in a room.
    assert_eq!(wire.done(format!("send {neko} #build  thanks "))["message"], "Message Sent");
    for (token, entries) in [
        (&neko, json!([{"msg": "done", "from": "paff"}])),
        (&robo, json!([{"msg": "done", "from": "paff"}, {"msg": "thanks", "from": "neko"}])),
        (&paff, json!([{"msg": "thanks", "from": "neko"}])),
    ] {
        let unread = wire.done(format!("unread {token}"));
        let count = entries.as_array().unwrap().len();
        assert_eq!((&unread["unread"], &unread["senders"]), (&json!(count), &json!([])));
        assert_eq!(unread["rooms"][0]["room"], "#build");
        let inbox = wire.done(format!("inbox {token}"));
        assert_eq!(inbox["messages"], json!({"#build": entries}));
        assert_eq!(wire.done(format!("inbox {token}"))["messages"], json!({}));
    }
    let history = wire.done(format!(r##"fetch {robo} {{"with": "#build"}}"##));
    let first = &history["messages"][0];
    assert_eq!(
        (&first["room"], &first["from"], first.get("to")),
        (&json!("#build"), &json!("paff"), None)
    );
    let rows = server.query("SELECT count(*) FROM messages");
    assert_eq!(rows, ["2"]);
    let view = "SELECT id, sender, recipient FROM v2_messages ORDER BY id";
    assert_eq!(server.query(view), ["1|paff|#build", "2|neko|#build"]);
    let members = "SELECT room, \"user\", role FROM v2_members ORDER BY \"user\"";
    let expected = ["#build|neko|member", "#build|paff|owner", "#build|vanessa|member"];
    assert_eq!(server.query(members), expected);
}

#[test]
fn unread_view_has_rooms_without_own_and_muted_messages() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    create(&mut wire, &paff, &neko);
    post(&mut wire, &paff, "#ops", "hai");
    post(&mut wire, &neko, "#ops", "hai @paff, said @neko");
    post(&mut wire, &paff, "neko", "alone");
    let view = "SELECT recipient, id, room FROM v2_inbox ORDER BY recipient, id";
    assert_eq!(server.query(view), ["neko|1|#ops", "neko|3|", "paff|2|#ops"]);
    let set = |wire: &mut Wire<TcpStream>, token: &str, notify: &str| {
        wire.done(format!(r##"room_set {token} {{"room": "#ops", "notify": "{notify}"}}"##))
    };
    set(&mut wire, &neko, "mentions");
    assert_eq!(server.query(view), ["neko|3|", "paff|2|#ops"]);
    assert_eq!(set(&mut wire, &paff, "mentions")["notify"], "mentions");
    assert_eq!(server.query(view), ["neko|3|", "paff|2|#ops"]);
    set(&mut wire, &paff, "none");
    assert_eq!(server.query(view), ["neko|3|"]);
    assert_eq!(wire.done(format!("unread {paff}"))["unread"], 0);
    // Muted messages stay in the history.
    let history = wire.done(format!(r##"fetch {paff} {{"with": "#ops"}}"##));
    assert_eq!(history["messages"].as_array().unwrap().len(), 2);
}

/// Every verb that could tell an outsider of a private room, with the name of the room.
fn questions(token: &str, room: &str) -> Vec<String> {
    [
        json!({"room": room}).to_string(),
        json!({"room": room, "users": ["paff"]}).to_string(),
        json!({"room": room, "user": "paff"}).to_string(),
        json!({"room": room, "topic": "mine"}).to_string(),
        json!({"with": room}).to_string(),
        json!({"query": format!("secret in:{room}")}).to_string(),
        json!({"to": [room, "neko"], "body": "hai"}).to_string(),
    ]
    .iter()
    .flat_map(|fields| {
        let verbs: &[&str] = if fields.contains("\"with\"") {
            &["fetch"]
        } else if fields.contains("\"query\"") {
            &["search"]
        } else if fields.contains("\"to\"") {
            &["post"]
        } else if fields.contains("users") {
            &["room_invite"]
        } else if fields.contains("topic") {
            &["room_set"]
        } else if fields.contains("\"user\"") {
            &["room_kick"]
        } else {
            &["room", "room_join", "room_leave", "room_members", "room_archive"]
        };
        verbs.iter().map(move |verb| format!("{verb} {token} {fields}"))
    })
    .chain([format!("send {token} {room}  hai ")])
    .collect()
}

#[test]
fn private_room_is_answered_like_a_missing_one() {
    let server = Server::start();
    let [paff, neko, vanessa] = ["paff", "neko", "vanessa"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    create(&mut wire, &paff, &neko);
    post(&mut wire, &paff, "#ops", "secret");
    let mut outsider = server.connect();
    let ask = |wire: &mut Wire<TcpStream>| {
        let mut answers = Vec::new();
        for (real, missing) in questions(&vanessa, "#ops").iter().zip(questions(&vanessa, "#oqs")) {
            let (there, not_there) = (wire.ask(real), wire.ask(&missing));
            assert_eq!(there["status"], "ERROR", "{real}");
            let text = there.to_string().replace("#ops", "#oqs");
            assert_eq!(text, not_there.to_string(), "{real}");
            answers.push(there["code"].clone());
        }
        answers
    };
    let answers = ask(&mut outsider);
    assert!(answers.iter().all(|code| code == "unknown_room" || code == "unknown_recipient"));
    let rooms = outsider.done(format!("rooms {vanessa}"));
    assert_eq!((&rooms["rooms"], &rooms["more"]), (&json!([]), &json!(false)));
    // No page, count or thread has anything of it, and an answer to its messages is refused.
    for line in [format!("fetch {vanessa}"), format!(r#"fetch {vanessa} {{"unread": true}}"#)] {
        let page = outsider.done(line);
        assert_eq!((&page["messages"], &page["more"]), (&json!([]), &json!(false)));
    }
    assert_eq!(outsider.done(format!("unread {vanessa}"))["unread"], 0);
    assert_eq!(outsider.refused(format!(r#"fetch {vanessa} {{"thread": 1}}"#)), "unknown_message");
    let reply = json!({"to": ["neko"], "body": "which?", "reply_to": 1});
    assert_eq!(outsider.refused(format!("post {vanessa} {reply}")), "unknown_message");
    let dead = r#"{"upto": 1, "dead": "add"}"#;
    assert_eq!(outsider.refused(format!("ack {vanessa} {dead}")), "unknown_message");
    // An invited user sees it, and nobody who was removed.
    wire.done(format!(r##"room_invite {paff} {{"room": "#ops", "users": ["vanessa"]}}"##));
    assert_eq!(outsider.done(format!(r##"room {vanessa} {{"room": "#ops"}}"##))["invited"], true);
    assert_eq!(outsider.refused(format!(r##"fetch {vanessa} {{"with": "#ops"}}"##)), "not_allowed");
    wire.done(format!(r##"room_kick {paff} {{"room": "#ops", "user": "vanessa"}}"##));
    assert_eq!(ask(&mut outsider), answers);
    // Blocks between a member and her tell nothing, in either direction.
    outsider.done(format!(r#"block {vanessa} {{"user": "paff"}}"#));
    assert_eq!(ask(&mut outsider), answers);
    wire.done(format!(r#"block {neko} {{"user": "vanessa"}}"#));
    assert_eq!(ask(&mut outsider), answers);
    assert_eq!(outsider.refused(format!(r#"fetch {vanessa} {{"thread": 1}}"#)), "unknown_message");
}

#[test]
fn roles_decide_what_a_member_may_do() {
    let server = Server::start();
    let [paff, neko, vanessa] = ["paff", "neko", "vanessa"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#news", "posting": "moderators"}}"##));
    let create = format!(r##"room_create {neko} {{"room": "#news"}}"##);
    assert_eq!(wire.refused(create), "room_exists");
    for token in [&neko, &vanessa] {
        wire.done(format!(r##"room_join {token} {{"room": "#news"}}"##));
    }
    assert_eq!(wire.refused(format!("send {neko} #news  hai ")), "not_allowed");
    let topic = |token: &str| format!(r##"room_set {token} {{"room": "#news", "topic": "t"}}"##);
    assert_eq!(wire.refused(topic(&neko)), "not_allowed");
    let role = |user: &str, role: &str| {
        let role = json!({"user": user, "role": role});
        format!(r##"room_set {paff} {{"room": "#news", "role": {role}}}"##)
    };
    wire.done(role("neko", "moderator"));
    assert_eq!(wire.done(topic(&neko))["topic"], "t");
    wire.done(format!("send {neko} #news  hai "));
    let kick = |token: &str, user: &str| {
        format!(r##"room_kick {token} {{"room": "#news", "user": "{user}"}}"##)
    };
    assert_eq!(wire.refused(kick(&neko, "paff")), "not_allowed");
    assert_eq!(wire.done(kick(&neko, "vanessa"))["kicked"], "vanessa");
    assert_eq!(wire.refused(role("vanessa", "owner")), "unknown_recipient");
    let leave = format!(r##"room_leave {paff} {{"room": "#news"}}"##);
    assert_eq!(wire.refused(&leave), "last_owner");
    assert_eq!(wire.refused(role("paff", "member")), "last_owner");
    let named = format!(r##"room_leave {paff} {{"room": "#news", "owner": "neko"}}"##);
    assert_eq!(wire.done(named)["left"], true);
    let members = wire.done(format!(r##"room_members {neko} {{"room": "#news"}}"##));
    assert_eq!(members["members"][0]["role"], "owner");
    let archive =
        |archived| format!(r##"room_archive {neko} {{"room": "#news", "archived": {archived}}}"##);
    assert!(wire.done(archive(true))["archived"].is_string());
    assert_eq!(wire.refused(format!("send {neko} #news  hai ")), "room_archived");
    let join = format!(r##"room_join {paff} {{"room": "#news"}}"##);
    assert_eq!(wire.refused(&join), "room_archived");
    wire.done(archive(false));
    wire.done(join);
    // What was sent while paff was away is in the history, and is not unread.
    assert_eq!(wire.done(format!("unread {paff}"))["unread"], 1);
}

#[test]
fn incoming_page_after_an_id_leaves_out_what_the_inbox_leaves_out() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for room in ["#build", "#noise"] {
        wire.done(format!(r##"room_create {paff} {{"room": "{room}"}}"##));
    }
    post(&mut wire, &paff, "#build", "before joining");
    for room in ["#build", "#noise"] {
        wire.done(format!(r##"room_join {neko} {{"room": "{room}"}}"##));
    }
    wire.done(format!(r##"room_set {neko} {{"room": "#noise", "notify": "none"}}"##));
    post(&mut wire, &neko, "#build", "my own");
    post(&mut wire, &paff, "#noise", "muted");
    post(&mut wire, &paff, "#build", "to read");
    post(&mut wire, &paff, "neko", "direct");
    let mut bodies = |fields: &str| {
        let page = wire.done(format!("fetch {neko} {fields}"));
        let messages = page["messages"].as_array().unwrap().iter();
        messages.map(|message| message["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(bodies(r#"{"unread": true}"#), ["to read", "direct"]);
    assert_eq!(bodies(r#"{"after": 0, "incoming": true}"#), ["to read", "direct"]);
    assert_eq!(bodies(r#"{"after": 4, "incoming": true}"#), ["direct"]);
    assert_eq!(bodies(r#"{"after": 1}"#), ["my own", "muted", "to read", "direct"]);
    for fields in [r#"{"incoming": true}"#, r#"{"unread": true, "incoming": true}"#] {
        assert_eq!(wire.refused(format!("fetch {neko} {fields}")), "bad_argument");
    }
}

#[test]
fn room_with_history_from_joining_shows_no_earlier_message() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for (room, history) in [("#open", "all"), ("#later", "joined")] {
        let fields = json!({"room": room, "history": history});
        wire.done(format!("room_create {paff} {fields}"));
        post(&mut wire, &paff, room, "early");
        wire.done(format!("room_join {neko} {}", json!({"room": room})));
        post(&mut wire, &paff, room, "late");
    }
    let bodies = |page: &Value| -> Vec<String> {
        let messages = page["messages"].as_array().unwrap();
        messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect()
    };
    let history = |wire: &mut Wire<TcpStream>, room: &str| {
        bodies(&wire.done(format!("fetch {neko} {}", json!({"with": room}))))
    };
    assert_eq!(history(&mut wire, "#open"), ["early", "late"]);
    assert_eq!(history(&mut wire, "#later"), ["late"]);
    // A message from before the joining is unread in neither.
    let unread = wire.done(format!(r#"fetch {neko} {{"unread": true}}"#));
    assert_eq!(bodies(&unread), ["late", "late"]);
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 2);
}

/// The next event that is a message or tells of one that was sent.
fn next_message(watching: &mut Wire<TcpStream>) -> Value {
    loop {
        let event = watching.reply();
        if event["event"] != "caught_up" && event["event"] != "heartbeat" {
            return event;
        }
    }
}

#[test]
fn stream_follows_rooms_that_its_user_joins_and_leaves() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    let mut watching = server.connect();
    watching.done(format!(r#"watch {neko} {{"from": "new", "sent": true}}"#));
    post(&mut wire, &paff, "#build", "before");
    wire.done(format!(r##"room_join {neko} {{"room": "#build"}}"##));
    for (from, to, body) in [
        (&paff, "#build", "first"),
        (&paff, "neko", "alone"),
        (&neko, "#build", "own"),
        (&paff, "#build", "second"),
    ] {
        post(&mut wire, from, to, body);
        let event = next_message(&mut watching);
        if body == "own" {
            assert_eq!((&event["event"], &event["to"]), (&json!("sent"), &json!("#build")));
        } else {
            assert_eq!((&event["event"], &event["body"]), (&json!("message"), &json!(body)));
            assert_eq!(event.get("room").is_some(), to == "#build");
        }
    }
    let notify = |wire: &mut Wire<TcpStream>, notify: &str| {
        wire.done(format!(r##"room_set {neko} {{"room": "#build", "notify": "{notify}"}}"##))
    };
    notify(&mut wire, "mentions");
    post(&mut wire, &paff, "#build", "for nobody");
    post(&mut wire, &paff, "#build", "for @neko");
    assert_eq!(next_message(&mut watching)["body"], "for @neko");
    notify(&mut wire, "none");
    post(&mut wire, &paff, "#build", "for @neko, in vain");
    post(&mut wire, &paff, "neko", "alone again");
    assert_eq!(next_message(&mut watching)["body"], "alone again");
    notify(&mut wire, "all");
    wire.done(format!(r##"room_leave {neko} {{"room": "#build"}}"##));
    post(&mut wire, &paff, "#build", "after");
    post(&mut wire, &paff, "neko", "the end");
    // Once it is unmuted, what came meanwhile is incoming; a stream goes on from where it is.
    assert_eq!(next_message(&mut watching)["body"], "the end");
}

#[test]
fn muted_rooms_are_pushed_to_a_stream_that_asks_for_them() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    create(&mut wire, &paff, &neko);
    wire.done(format!(r##"room_set {neko} {{"room": "#ops", "notify": "none"}}"##));
    let mut watching = server.connect();
    watching.done(format!(r#"watch {neko} {{"from": "new", "muted": true}}"#));
    let mut filtered = server.connect();
    let fields = json!({"from": "new", "muted": true, "filter": {"room": "#ops"}});
    filtered.done(format!("watch {neko} {fields}"));
    post(&mut wire, &paff, "neko", "alone");
    post(&mut wire, &paff, "#ops", "together");
    assert_eq!(next_message(&mut watching)["body"], "alone");
    assert_eq!(next_message(&mut watching)["body"], "together");
    assert_eq!(next_message(&mut filtered)["body"], "together");
}

/// A member comes and goes while another one posts without a pause. What the member's stream and
/// pages have is what was sent while they were in, by the ids that the changes were told at.
#[test]
fn member_gets_what_was_sent_between_joining_and_leaving() {
    const ROUNDS: usize = 20;
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paff} {{"room": "#build", "history": "joined"}}"##));
    let mut watching = server.connect();
    watching.done(format!(r#"watch {neko} {{"from": "new"}}"#));
    let goes_on = AtomicBool::new(true);
    let sent: BTreeSet<i64> = thread::scope(|scope| {
        let ending = Ending(&goes_on);
        let posting = scope.spawn(|| {
            let mut wire = server.connect();
            let mut sent = BTreeSet::new();
            while goes_on.load(Ordering::Relaxed) {
                sent.insert(post(&mut wire, &paff, "#build", "x")["id"].as_i64().unwrap());
            }
            sent
        });
        for round in 0..ROUNDS {
            wire.done(format!(r##"room_join {neko} {{"room": "#build"}}"##));
            // At least one message comes while neko is in.
            post(&mut wire, &paff, "#build", &format!("round {round}"));
            if round % 2 == 0 {
                wire.done(format!(r##"room_leave {neko} {{"room": "#build"}}"##));
            } else {
                wire.done(format!(r##"room_kick {paff} {{"room": "#build", "user": "neko"}}"##));
            }
        }
        drop(ending);
        posting.join().unwrap()
    });
    assert!(!sent.is_empty());
    let last = post(&mut wire, &paff, "neko", "the end")["id"].as_i64().unwrap();
    let members = "SELECT joined_after, left_upto FROM v2_members WHERE \"user\" = 'neko'";
    let intervals: Vec<(i64, i64)> = server
        .query(members)
        .iter()
        .map(|row| row.split_once('|').unwrap())
        .map(|(after, upto)| (after.parse().unwrap(), upto.parse().unwrap()))
        .collect();
    // If nothing was sent in between, the last interval goes on.
    assert!((1..=ROUNDS).contains(&intervals.len()));
    let all = server.query("SELECT id FROM v2_messages WHERE recipient = '#build' ORDER BY id");
    let all = all.iter().map(|id| id.parse::<i64>().unwrap());
    let is_in = |id: &i64| intervals.iter().any(|&(after, upto)| after < *id && *id <= upto);
    let expected: Vec<i64> = all.filter(is_in).collect();
    let mut got = Vec::new();
    loop {
        let event = next_message(&mut watching);
        let id = event["id"].as_i64().unwrap();
        if id == last {
            break;
        }
        got.push(id);
    }
    assert_eq!(got, expected);
    let mut read = Vec::new();
    let mut after = 0;
    loop {
        let fields = json!({"with": "#build", "after": after, "limit": 100});
        let page = wire.done(format!("fetch {neko} {fields}"));
        let messages = page["messages"].as_array().unwrap();
        read.extend(messages.iter().map(|message| message["id"].as_i64().unwrap()));
        after = read.last().copied().unwrap_or(0);
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(read, expected);
}

#[test]
fn rooms_and_what_members_read_survive_a_kill() {
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    create(&mut wire, &paff, &neko);
    post(&mut wire, &paff, "#ops", "hai");
    wire.done(format!(r##"room_leave {neko} {{"room": "#ops"}}"##));
    post(&mut wire, &paff, "#ops", "later");
    server.kill();
    server.start_again();
    let mut wire = server.connect();
    let history = wire.done(format!(r##"fetch {neko} {{"with": "#ops"}}"##));
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 1);
    assert_eq!(wire.refused(format!("send {neko} #ops  hai ")), "unknown_recipient");
    assert_eq!(wire.done(format!("rooms {paff}"))["rooms"][0]["members"], 1);
}

/// The rooms come by an import, because 1,024 requests take a while.
#[test]
fn user_in_too_many_rooms_creates_none_and_leaves_its_name_free() {
    const ROOMS_OF_USER_MAX: usize = 1_024;
    const MEMBERSHIPS_OF_USER_MAX: usize = 8_192;
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut lines = format!(
        "{}\n",
        json!({"type": "header", "format": "chat-export",
                                           "version": 2, "newest": 0})
    );
    for number in 0..ROOMS_OF_USER_MAX {
        let room = format!("#r{number}");
        let created_at = "2026-01-01T00:00:00.000Z";
        let (of, membership) = (
            json!({"type": "room", "room": room, "topic": "", "private": false,
                   "posting": "members", "history": "all", "created_at": created_at}),
            json!({"type": "membership", "room": room, "user": "paff", "role": "owner",
                   "notify": "all", "joined_after": 0, "sees_after": 0}),
        );
        lines += &format!("{of}\n{membership}\n");
        // ivy is in none of them any more.
        for begin in 0..MEMBERSHIPS_OF_USER_MAX / ROOMS_OF_USER_MAX {
            let membership = json!({"type": "membership", "room": room, "user": "ivy", "role": "member",
                       "notify": "all", "joined_after": begin, "sees_after": 0,
                       "left_upto": begin});
            lines += &format!("{membership}\n");
        }
    }
    let imported = operator::run_with_input(&server.database(), &["import", "-"], &lines);
    assert_eq!(imported.code, 0, "{imported:?}");
    let mut wire = server.connect();
    let create = |token: &str| format!(r##"room_create {token} {{"room": "#next"}}"##);
    for _ in 0..2 {
        let refused = wire.ask(create(&paff));
        assert_eq!(refused["code"], "too_many_rooms");
        assert_eq!(refused["message"], "you are in 1024 rooms: leave one first");
    }
    let refused = wire.ask(create(&ivy));
    assert_eq!(refused["code"], "too_many_rooms");
    let message = "you have had 8192 memberships of rooms, the most that a user may have";
    assert_eq!(refused["message"], message);
    assert_eq!(wire.refused(format!(r##"room {neko} {{"room": "#next"}}"##)), "unknown_room");
    assert_eq!(wire.done(create(&neko))["members"], 1);
    assert_eq!(
        wire.refused(format!(r##"room_join {paff} {{"room": "#next"}}"##)),
        "too_many_rooms"
    );
    wire.done(format!(r##"room_leave {paff} {{"room": "#r0"}}"##));
    assert_eq!(wire.done(format!(r##"room_join {paff} {{"room": "#next"}}"##))["members"], 2);
}

#[test]
fn invalid_arguments_of_rooms_are_named() {
    let server = Server::start();
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    for (verb, fields, name) in [
        ("room_create", json!({"room": "build"}), "room"),
        ("room_create", json!({"room": "#Build"}), "room"),
        ("room_create", json!({"room": "#b", "topic": "a\nb"}), "topic"),
        ("room_create", json!({"room": "#b", "topic": "x".repeat(257)}), "topic"),
        ("room_create", json!({"room": "#b", "posting": "owners"}), "posting"),
        ("room_create", json!({}), "room"),
        ("room_set", json!({"room": "#b"}), "at least one of"),
        ("room_set", json!({"room": "#b", "role": {"user": "neko", "role": "boss"}}), "role"),
        ("room_invite", json!({"room": "#b", "users": []}), "users"),
        ("rooms", json!({"limit": 0}), "limit"),
        ("room_members", json!({"room": "#b", "limit": 1001}), "limit"),
    ] {
        let refusal = wire.ask(format!("{verb} {paff} {fields}"));
        assert_eq!(refusal["code"], "bad_argument", "{verb} {fields}");
        assert!(refusal["message"].as_str().unwrap().contains(name), "{refusal}");
    }
    assert_eq!(wire.refused(format!(r##"fetch {paff} {{"with": "#Bad"}}"##)), "unknown_room");
}
