//! Questions in a room: asked by `ask` and at the prompt, and answered by whoever replies first.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::cli::{Home, Outcome, start, told};
use crate::support::pty::Terminal;

/// Members of the room #build: its owner paff, neko and ivy.
struct Room {
    server: Server,
    paff: Home,
    neko: Home,
    ivy: Home,
}

impl Room {
    fn new() -> Self {
        let server = Server::start();
        let home = |user| Home::of(user, server.address());
        let (paff, neko, ivy) = (home("paff"), home("neko"), home("ivy"));
        done(&paff, &["room", "create", "build"]);
        for home in [&neko, &ivy] {
            done(home, &["room", "join", "build"]);
        }
        Self { server, paff, neko, ivy }
    }

    /// Begins `ask` of paff with these words, and returns it with its question as ivy sees it.
    fn ask(&self, words: &[&str]) -> (Child, Value) {
        done(&self.ivy, &["ack", "--all", "--as", "q"]);
        let words = [&["ask", "--timeout", "60s"], words].concat();
        let asked = start(self.paff.cli(words).stdin(Stdio::null()));
        let see = ["watch", "-n", "1", "--as", "q", "--json", "--timeout", "60s"];
        (asked, serde_json::from_str(&done(&self.ivy, &see)).unwrap())
    }
}

/// What the command prints, which succeeds.
fn done(home: &Home, words: &[&str]) -> String {
    let outcome = home.run(words);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{words:?}: {outcome:?}");
    outcome.stdout
}

fn end(asked: Child) -> Outcome {
    told(asked.wait_with_output().unwrap())
}

#[test]
fn question_is_answered_by_the_first_reply_of_another_member() {
    let room = Room::new();
    let (asked, question) = room.ask(&["--room", "build", "deploy", "now?", "--choice", "yes,no"]);
    assert_eq!((&question["room"], &question["body"]), (&json!("#build"), &json!("deploy now?")));
    assert_eq!(question["tags"], json!(["ask", "choice:yes", "choice:no"]));
    let id = question["id"].to_string();
    // A message that is no reply to it, and the asker's own reply.
    done(&room.neko, &["send", "#build", "yes"]);
    done(&room.neko, &["send", "paff", "yes"]);
    done(&room.paff, &["reply", &id, "yes"]);
    done(&room.neko, &["reply", &id, "why?"]);
    done(&room.ivy, &["reply", &id, "No"]);
    done(&room.neko, &["reply", &id, "yes"]);
    let outcome = end(asked);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (3, "No\n"), "{outcome:?}");
    assert_eq!(
        outcome.stderr,
        format!(
            "note: message {} of neko is none of the offered answers (yes, no): still waiting\n\
             note: ivy answered\n",
            question["id"].as_i64().unwrap() + 4
        )
    );
    // The same question again has the same answer.
    let again = |words: &[&str]| room.paff.run([&["ask", "--id", "once"], words].concat());
    let (asked, question) = room.ask(&["--id", "once", "#build", "who?"]);
    done(&room.ivy, &["reply", &question["id"].to_string(), "I"]);
    assert_eq!(end(asked).stdout, "I\n");
    done(&room.neko, &["reply", &question["id"].to_string(), "not I"]);
    let object: Value = serde_json::from_str(&again(&["#build", "who?", "--json"]).stdout).unwrap();
    assert_eq!((&object["from"], &object["room"]), (&json!("ivy"), &json!("#build")));
    assert_eq!((&object["body"], &object["reply_to"]), (&json!("I"), &question["id"]));
    assert_eq!(again(&["#build", "someone else?"]).code, 65);
    // Nobody answers, and an outsider cannot ask.
    assert_eq!(room.paff.run(["ask", "#build", "again?", "--timeout", "1s"]).code, 1);
    let outsider = Home::of("robo", room.server.address());
    assert_eq!(outsider.run(["ask", "#build", "hai?"]).code, 73);
    assert_eq!(outsider.run(["ask", "#nowhere", "hai?"]).code, 67);
}

#[test]
fn parallel_questions_in_a_room_get_their_own_answers() {
    let room = Room::new();
    let (first, one) = room.ask(&["#build", "first?"]);
    let (second, two) = room.ask(&["#build", "second?"]);
    done(&room.neko, &["reply", &two["id"].to_string(), "to the second"]);
    done(&room.neko, &["reply", &one["id"].to_string(), "to the first"]);
    assert_eq!(
        (end(first).stdout, end(second).stdout),
        ("to the first\n".into(), "to the second\n".into())
    );
}

#[test]
fn only_named_users_answer_a_question_in_a_room() {
    let room = Room::new();
    let (asked, question) = room.ask(&["#build", "--from", "ivy,robo", "who is on call?"]);
    assert_eq!(question["tags"], json!(["ask", "by:ivy", "by:robo"]));
    let id = question["id"].to_string();
    done(&room.neko, &["reply", &id, "neko"]);
    done(&room.ivy, &["reply", &id, "ivy"]);
    let outcome = end(asked);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "ivy\n"), "{outcome:?}");
    let note =
        "of neko does not count, who is not one of --from: still waiting\nnote: ivy answered\n";
    assert!(outcome.stderr.ends_with(note), "{outcome:?}");
    let long = "x".repeat(30);
    for (words, why) in [
        (&["ask", "--from", "ivy", "neko", "go?"][..], "--from is for a question in a room"),
        (&["ask", "--from", &long, "#build", "go?"], "has at most 29 characters"),
        (&["ask", "--from", "#ops", "#build", "go?"], "#ops"),
    ] {
        let outcome = room.paff.run(words);
        assert_eq!(outcome.code, 2, "{words:?}: {outcome:?}");
        assert!(outcome.stderr.contains(why), "{words:?}: {outcome:?}");
    }
}

#[test]
fn question_whose_room_takes_no_answers_any_more_ends_with_the_reason() {
    let room = Room::new();
    let (paff, ivy) = (&room.paff, &room.ivy);
    let (asked, _) = room.ask(&["#build", "--id", "k1", "go?", "--json"]);
    done(paff, &["room", "archive", "build"]);
    let outcome = end(asked);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (73, ""), "{outcome:?}");
    let error: Value = serde_json::from_str(&outcome.stderr).unwrap();
    let why = "the question was sent, then: nobody has answered, and #build is archived";
    assert_eq!(error["error"], why);
    assert_eq!((&error["code"], &error["key"]), (&json!("room_refused"), &json!("k1")));
    assert!(error["hint"].as_str().unwrap().contains("ask --id k1 '#build' TEXT"), "{error}");
    assert_eq!(paff.run(["ask", "#build", "and now?"]).code, 73);
    done(paff, &["room", "archive", "build", "--undo"]);

    let (asked, _) = room.ask(&["#build", "go?"]);
    done(paff, &["room", "leave", "build", "--owner", "ivy"]);
    let outcome = end(asked);
    assert_eq!(outcome.code, 73, "{outcome:?}");
    assert!(outcome.stderr.contains("you are no longer in #build"), "{outcome:?}");

    // To a former member, a private room does not exist.
    done(ivy, &["room", "set", "build", "--private"]);
    done(ivy, &["room", "invite", "build", "paff"]);
    done(paff, &["room", "join", "build"]);
    let (asked, _) = room.ask(&["#build", "go?"]);
    done(ivy, &["room", "kick", "build", "paff"]);
    let outcome = end(asked);
    assert_eq!(outcome.code, 73, "{outcome:?}");
    assert!(outcome.stderr.contains("you are no longer in #build"), "{outcome:?}");

    // An answer from before is found all the same, whoever waits for it.
    done(ivy, &["room", "invite", "build", "paff"]);
    done(paff, &["room", "join", "build"]);
    let (asked, question) = room.ask(&["#build", "--id", "k2", "and you?"]);
    done(ivy, &["reply", &question["id"].to_string(), "yes"]);
    assert_eq!(end(asked).stdout, "yes\n");
    done(ivy, &["room", "archive", "build"]);
    assert_eq!(paff.run(["ask", "--id", "k2", "#build", "and you?"]).stdout, "yes\n");
}

#[test]
fn answer_comes_to_a_muted_room_and_counts_as_read() {
    let room = Room::new();
    let (asked, question) = room.ask(&["#build", "go?"]);
    done(&room.paff, &["room", "set", "build", "--notify", "none"]);
    done(&room.neko, &["reply", &question["id"].to_string(), "yes"]);
    assert_eq!(end(asked).stdout, "yes\n");
    done(&room.paff, &["room", "set", "build", "--notify", "all"]);
    // An unread message of the room is not marked with the answer after it.
    for unread in ["", "news"] {
        done(&room.paff, &["ack", "--all"]);
        let (asked, question) = room.ask(&["#build", "and now?"]);
        done(&room.neko, &["send", "paff", "something else"]);
        if !unread.is_empty() {
            done(&room.neko, &["send", "#build", unread]);
        }
        done(&room.neko, &["reply", &question["id"].to_string(), "yes"]);
        assert_eq!(end(asked).code, 0);
        let expected = if unread.is_empty() { "1\n1\tneko\n" } else { "3\n1\tneko\n2\t#build\n" };
        assert_eq!(done(&room.paff, &["unread"]), expected);
    }
}

#[test]
fn restart_of_the_server_loses_no_answer() {
    let mut room = Room::new();
    let (asked, question) = room.ask(&["#build", "go?"]);
    room.server.kill();
    room.server.start_again_at_its_address();
    done(&room.neko, &["send", "#build", "yes"]);
    done(&room.neko, &["reply", &question["id"].to_string(), "yes, go"]);
    let outcome = end(asked);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "yes, go\n"), "{outcome:?}");
}

#[test]
fn question_in_a_room_is_asked_and_answered_at_the_prompt() {
    let room = Room::new();
    let mut neko = Terminal::start(room.neko.cli::<&str>([]));
    neko.wait_for_end("Command neko:");
    neko.line("answer yes");
    neko.wait_for("no question to you is open");
    // Another room's question, which neko is not told of, and one for others.
    done(&room.paff, &["room", "create", "quiet"]);
    done(&room.neko, &["room", "join", "quiet"]);
    done(&room.neko, &["room", "set", "quiet", "--notify", "none"]);
    done(&room.paff, &["send", "--tag", "ask", "#quiet", "psst?"]);
    done(&room.paff, &["send", "--tag", "ask,by:ivy", "#build", "ivy?"]);
    let (asked, question) = room.ask(&["#build", "--choice", "yes,no", "go?"]);
    neko.line("answer perhaps");
    neko.wait_for("none of the offered answers: yes, no");
    neko.line("answer yes");
    neko.wait_for("message sent to #build");
    assert_eq!(end(asked).code, 0);
    neko.line("answer yes");
    neko.wait_until("no more questions", |terminal| {
        terminal.transcript().matches("no question to you is open").count() == 2
    });
    let id = question["id"].as_i64().unwrap();
    neko.line(&format!("reply {id} and one more thing"));
    neko.line("ask --choice red,green #build which one?");
    neko.wait_for(&format!("question {} sent to #build", id + 3));
    done(&room.ivy, &["reply", &(id + 3).to_string(), "red"]);
    neko.wait_for(&format!("(re {})", id + 3));
    neko.line("ask paff and you?");
    neko.wait_for(&format!("question {} sent to paff", id + 5));
    neko.line("ask --choice two#words, #build which one?");
    neko.wait_for("error: ");
    neko.line("quit");
    neko.wait();
    let asked = room.server.query(&format!(
        "SELECT id - {id}, sender, reply_to - {id}, tags FROM v2_messages WHERE id > {id} ORDER BY id"
    ));
    assert_eq!(
        asked,
        [
            "1|neko|0|[]",
            "2|neko|0|[]",
            r#"3|neko||["ask","choice:red","choice:green"]"#,
            "4|ivy|3|[]",
            r#"5|neko||["ask"]"#
        ]
    );
}
