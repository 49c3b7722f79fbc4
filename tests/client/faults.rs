//! One-shot commands and a server that misbehaves, breaks the connection, or is not a chat server.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::Pid;

use crate::support::cli::{Home, Outcome, outcome, start, told};
use crate::support::fake::{Fake, Step};

const TOKEN: &str = "7a592c0e-2cb5-4de6-866b-4e216b0caf15";
const POSTED: &str = r#"{"status": "OK", "id": 1, "at": "2026-11-23T10:54:00.000Z", "duplicate": false, "sent": [{"to": "neko", "id": 1}]}"#;

/// Runs a command with a session and a long timeout.
fn run(fake: &Fake, words: &[&str]) -> Outcome {
    run_for("60s", fake, words)
}

fn run_for(timeout: &str, fake: &Fake, words: &[&str]) -> Outcome {
    let home = Home::new(fake.address());
    let mut command = home.cli(["--timeout", timeout]);
    command.args(words).env("CHAT_TOKEN", TOKEN);
    outcome(command)
}

fn keys(requests: &[String]) -> Vec<String> {
    let key = |line: &String| {
        let fields = line.splitn(3, ' ').nth(2).unwrap();
        let fields: serde_json::Value = serde_json::from_str(fields).unwrap();
        fields["key"].as_str().unwrap().to_owned()
    };
    requests.iter().map(key).collect()
}

#[test]
fn every_refusal_has_its_exit_code() {
    for (reply, code) in [
        (r#"{"status": "ERROR", "code": "busy", "message": "m"}"#, 75),
        (r#"{"status": "ERROR", "code": "shutting_down", "message": "m"}"#, 75),
        (r#"{"status": "ERROR", "code": "too_many_connections", "message": "m"}"#, 75),
        (r#"{"status": "ERROR", "code": "storage_full", "message": "m"}"#, 75),
        (r#"{"status": "ERROR", "code": "inbox_full", "message": "m", "users": ["neko"]}"#, 75),
        (r#"{"status": "ERROR", "code": "internal", "message": "m"}"#, 70),
        (r#"{"status": "ERROR", "code": "no_session", "message": "m"}"#, 77),
        (r#"{"status": "ERROR", "code": "unknown_recipient", "message": "m"}"#, 67),
        (r#"{"status": "ERROR", "code": "too_long", "message": "m"}"#, 65),
        (r#"{"status": "ERROR", "code": "bad_argument", "message": "m"}"#, 76),
        (r#"{"status": "ERROR", "message": "Session Tidak Ditemukan"}"#, 77),
    ] {
        for words in [&["list"][..], &["send", "neko", "hai"], &["inbox"]] {
            // Some refusals are temporary, so a send is repeated as long as there is time.
            let timeout = if matches!(code, 70 | 75) { "400ms" } else { "60s" };
            let outcome = run_for(timeout, &Fake::saying(reply), words);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{words:?}: {reply}");
        }
    }
}

/// Requests that store nothing; for `post` see `outcome.rs`.
#[test]
fn answer_that_does_not_fit_is_a_protocol_error() {
    for code in ["unknown_command", "usage", "wrong_protocol", "of_a_later_version"] {
        let reply = format!(r#"{{"status": "ERROR", "code": "{code}", "message": "m"}}"#);
        for words in [&["list"][..], &["inbox"]] {
            let outcome = run(&Fake::saying(reply.clone().leak()), words);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (76, ""), "{words:?}: {code}");
        }
    }
}

#[test]
fn bytes_that_are_no_reply_are_a_protocol_error() {
    for junk in ["", "HTTP/1.1 400 Bad Request", "null", "{}", r#"{"status": "OK"}"#, "\u{7f}ELF"] {
        for words in [&["list"][..], &["inbox"], &["logout"]] {
            let outcome = run(&Fake::saying(junk), words);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (76, ""), "{words:?}: {junk:?}");
            assert!(outcome.stderr.contains("does not speak this protocol"), "{outcome:?}");
        }
    }
}

#[test]
fn texts_of_the_server_reach_standard_error_escaped() {
    let reply = r#"{"status": "ERROR", "code": "internal", "message": "\u001b]0;x\u0007\u202e\n"}"#;
    let outcome = run(&Fake::saying(reply), &["list"]);
    let text = "\\x1b]0;x\\x07\\u{202e}\\n";
    let told = format!("Error, the server failed, the outcome is not known ({text})\n");
    assert_eq!(outcome.stderr, told);
}

#[test]
fn broken_send_is_sent_again_with_the_same_key() {
    for cut in ["", "{\"status\":", "{\"status\": \"OK\"}\r\n\r"] {
        let cut = vec![Step::CutAfter(cut)];
        let script = vec![cut.clone(), cut.clone(), cut, vec![Step::Reply(POSTED)]];
        let fake = Fake::start(script);
        let outcome = run(&fake, &["send", "neko", "hai neko"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "message sent to neko\n"));
        let keys = keys(&fake.requests());
        assert_eq!(keys.len(), 4);
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }
}

#[test]
fn silent_connection_is_replaced() {
    let fake = Fake::start(vec![vec![Step::Silence], vec![Step::Reply(POSTED)]]);
    assert_eq!(run_for("4s", &fake, &["send", "--key", "k-1", "neko", "hai"]).code, 0);
    assert_eq!(keys(&fake.requests()), ["k-1", "k-1"]);
}

#[test]
fn busy_server_is_asked_again() {
    const BUSY: &str = r#"{"status": "ERROR", "code": "busy", "message": "busy"}"#;
    const STOPPING: &str = r#"{"status": "ERROR", "code": "shutting_down", "message": "stopping"}"#;
    let fake = Fake::start(vec![
        vec![Step::Reply(BUSY), Step::Reply(STOPPING)],
        vec![Step::Reply(POSTED)],
    ]);
    assert_eq!(run(&fake, &["send", "neko", "hai"]).code, 0);
    assert_eq!(fake.requests().len(), 3);
}

#[test]
fn send_that_is_never_answered_names_the_key() {
    for step in [Step::CutAfter(""), Step::Silence] {
        let fake = Fake::start(vec![vec![step]]);
        let outcome = run_for("400ms", &fake, &["send", "neko", "hai"]);
        let key = &keys(&fake.requests())[0];
        assert_eq!((outcome.code, outcome.stdout.as_str()), (75, ""));
        assert!(outcome.stderr.contains(&format!("--id {key} neko")), "{outcome:?}");
        assert!(outcome.stderr.contains("within 0.4s"), "{outcome:?}");
    }
}

#[test]
fn broken_question_is_asked_again_once() {
    const LIST: &str = r#"{"status": "OK", "messages": "List user: paff"}"#;
    let fake = Fake::start(vec![vec![Step::CutAfter("")], vec![Step::Reply(LIST)]]);
    assert_eq!(run(&fake, &["list"]).stdout, "\"List user: paff\"\n");
    let fake = Fake::start(vec![vec![Step::CutAfter("")]]);
    assert_eq!(run(&fake, &["list"]).code, 75);
    assert_eq!(fake.requests().len(), 2);
}

#[test]
fn inbox_is_acknowledged_after_it_was_written_and_only_up_to_there() {
    const PAGE: &str = r#"{"status": "OK", "messages": [{"id": 7, "at": "2026-11-23T10:54:00.000Z", "from": "paff", "to": "neko", "body": "hai"}], "more": false}"#;
    const ACKED: &str = r#"{"status": "OK", "cursor": "inbox", "upto": 7}"#;
    let fake = Fake::start(vec![vec![Step::Reply(PAGE), Step::Reply(ACKED)]]);
    assert_eq!(run(&fake, &["inbox"]).stdout, "{\"paff\": [{\"msg\": \"hai\"}]}\n");
    let requests = fake.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1], format!("ack {TOKEN} {{\"cursor\": \"inbox\", \"upto\": 7}}\r\n"));

    // Messages that were shown but could not be acknowledged are shown again.
    let fake = Fake::start(vec![vec![Step::Reply(PAGE), Step::Silence]]);
    let outcome = run_for("400ms", &fake, &["inbox"]);
    assert_eq!((outcome.code, outcome.stdout.lines().count()), (75, 1), "{outcome:?}");
}

#[test]
fn ctrl_c_ends_a_command_that_waits() {
    let fake = Fake::start(vec![vec![Step::Silence]]);
    let home = Home::new(fake.address());
    let mut command = home.cli(["--timeout", "60s", "list"]);
    let child = start(command.env("CHAT_TOKEN", TOKEN));
    fake.wait_for_request();
    let pid = Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    // A shell shows it as 130.
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(2));
    assert!(output.stdout.is_empty());
}

#[test]
fn seeds_send_is_never_sent_twice() {
    const AUTH: &str = r#"{"status": "OK", "tokenid": "7a592c0e-2cb5-4de6-866b-4e216b0caf15"}"#;
    let fake = Fake::start(vec![vec![Step::Reply(AUTH), Step::CutAfter("")]]);
    let home = Home::new(fake.address());
    let script = "auth paff cytus\nsend neko hai\nsend neko more\n";
    let outcome = home.run_with_input([""; 0], script);
    // The script does not continue as if nothing had happened.
    assert_eq!(outcome.code, 75, "{outcome:?}");
    let requests = fake.requests();
    assert_eq!(requests, ["auth paff cytus \r\n", &format!("send {TOKEN} neko  hai \r\n")]);
}

#[test]
fn connection_that_the_server_closed_is_replaced_silently() {
    const SENT: &str = r#"{"status": "OK", "message": "Message Sent"}"#;
    // Closed after the first reply, as by a server that restarts.
    let closing = Step::CutAfter(concat!(
        r#"{"status": "OK", "tokenid": "7a592c0e-2cb5-4de6-866b-4e216b0caf15"}"#,
        "\r\n\r\n"
    ));
    let fake = Fake::start(vec![vec![closing], vec![Step::Reply(SENT)]]);
    let home = Home::new(fake.address());
    let mut child = start(home.cli([""; 0]).stdin(Stdio::piped()));
    let mut stdin = child.stdin.take().unwrap();
    for line in ["auth paff cytus", "send neko hai"] {
        writeln!(stdin, "{line}").unwrap();
        fake.wait_for_close();
    }
    drop(stdin);
    let outcome = told(child.wait_with_output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert!(outcome.stdout.contains(":message sent to neko\n"), "{outcome:?}");
    assert_eq!(fake.requests().len(), 2);
}
