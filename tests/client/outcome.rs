//! Reports of a message whose outcome is unknown. After a `post` was written to the socket, only an
//! answer that fits it may change the report from 75 with the key.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::support::Server;
use crate::support::cli::{Home, Outcome, outcome, outcome_with_input, start, told};
use crate::support::fake::{Fake, Step};

const TOKEN: &str = "7a592c0e-2cb5-4de6-866b-4e216b0caf15";
const POSTED: &str = r#"{"status": "OK", "id": 1, "at": "2026-11-23T10:54:00.000Z", "duplicate": false, "sent": [{"to": "neko", "id": 1}]}"#;

/// None of these is an answer to a `post` to neko.
const UNFITTING: &[Step] = &[
    Step::Reply(""),
    Step::Reply("null"),
    Step::Reply("HTTP/1.1 400 Bad Request"),
    Step::Reply(r#"{"status": "OK"}"#),
    Step::Reply(r#"{"status": "MAYBE", "id": 1}"#),
    Step::Reply(r#"{"status": "OK", "messages": "List user: paff"}"#),
    Step::Reply(r#"{"status": "OK", "message": "Message Sent"}"#),
    Step::Reply(r#"{"status": "OK", "cursor": "inbox", "upto": 7}"#),
    Step::Reply(r#"{"status": "OK", "event": "heartbeat"}"#),
    // A message to another user, to more users, to none.
    Step::Reply(
        r#"{"status": "OK", "id": 1, "at": "2026-11-23T10:54:00.000Z", "duplicate": false, "sent": [{"to": "ivy", "id": 1}]}"#,
    ),
    Step::Reply(
        r#"{"status": "OK", "id": 1, "at": "2026-11-23T10:54:00.000Z", "duplicate": false, "sent": [{"to": "neko", "id": 1}, {"to": "ivy", "id": 2}]}"#,
    ),
    Step::Reply(
        r#"{"status": "OK", "id": 1, "at": "2026-11-23T10:54:00.000Z", "duplicate": false, "sent": []}"#,
    ),
    Step::Reply(r#"{"status": "ERROR", "code": "bad_request", "message": "m"}"#),
    Step::Reply(r#"{"status": "ERROR", "code": "unknown_command", "message": "m"}"#),
    Step::Reply(r#"{"status": "ERROR", "code": "usage", "message": "m"}"#),
    Step::Reply(r#"{"status": "ERROR", "code": "bad_line", "message": "m"}"#),
    Step::Reply(r#"{"status": "ERROR", "code": "bad_encoding", "message": "m"}"#),
    Step::Reply(r#"{"status": "ERROR", "code": "wrong_password", "message": "m"}"#),
    Step::Reply(r#"{"status": "ERROR", "code": "rate_limited", "message": "m", "retry_after": 9}"#),
    Step::Reply(r#"{"status": "ERROR", "code": "unknown_message", "message": "m"}"#),
    Step::Reply(r#"{"status": "ERROR", "code": "of_a_later_version", "message": "m"}"#),
    Step::Reply(r#"{"status": "ERROR", "message": "**Protocol Tidak Benar"}"#),
    Step::Reply(
        r#"{"status": "ERROR", "code": "unknown_recipient", "message": "m", "users": ["ivy"]}"#,
    ),
    // Two answers, half of one, none.
    Step::Bytes("{\"status\": \"OK\"}\r\n\r\n{\"status\": \"OK\"}\r\n\r\n"),
    Step::Bytes("{\"status\": \"OK\", \"id\""),
    Step::CutAfter("{\"status\": \"OK\", \"id\""),
    Step::CutAfter(""),
    Step::Silence,
];

fn run(fake: &Fake, words: &[&str], input: &str) -> Outcome {
    let home = Home::new(fake.address());
    let mut command = home.cli(["--timeout", "1s", "--json"]);
    command.args(words).env("CHAT_TOKEN", TOKEN);
    outcome_with_input(command, input.as_bytes())
}

/// The key of a request, as it was sent.
fn key(request: &str) -> String {
    let fields: Value = serde_json::from_str(request.splitn(3, ' ').nth(2).unwrap()).unwrap();
    fields["key"].as_str().unwrap().to_owned()
}

/// The outcome is reported as unknown, with the key for the next attempt.
fn assert_unknown(outcome: &Outcome, key: &str, what: &str) {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (75, ""), "{what}: {outcome:?}");
    let error: Value = serde_json::from_str(&outcome.stderr).expect(&outcome.stderr);
    assert_eq!((&error["key"], &error["code"]), (&key.into(), &"try_again".into()), "{what}");
    assert!(error["hint"].as_str().unwrap().contains(key), "{what}: {error}");
}

#[test]
fn answer_that_fits_no_post_leaves_the_outcome_unknown_and_names_the_key() {
    for step in UNFITTING {
        for words in
            [&["send", "neko", "hai"][..], &["send", "neko", "-F", "-"], &["ask", "neko", "hai"]]
        {
            let fake = Fake::start(vec![vec![step.clone(); 4]]);
            let outcome = run(&fake, words, "from standard input\n");
            let requests = fake.requests();
            assert!(requests.iter().all(|request| key(request) == key(&requests[0])));
            assert_unknown(&outcome, &key(&requests[0]), &format!("{words:?}: {step:?}"));
        }
    }
}

#[test]
fn line_whose_answer_does_not_fit_is_named_with_the_key_that_goes_on() {
    for step in UNFITTING {
        let fake = Fake::start(vec![vec![step.clone(); 4]]);
        let outcome = run(&fake, &["send", "neko", "--lines", "--id", "batch"], "one\ntwo\n");
        assert_eq!(key(&fake.requests()[0]), "batch-1");
        assert_unknown(&outcome, "batch", &format!("{step:?}"));
        assert!(outcome.stderr.contains("line 1: "), "{outcome:?}");
    }
}

#[test]
fn message_is_sent_again_with_the_same_key_after_an_answer_that_does_not_fit() {
    for step in UNFITTING.iter().filter(|step| matches!(step, Step::Reply(_))) {
        let fake = Fake::start(vec![vec![step.clone(), Step::Silence], vec![Step::Reply(POSTED)]]);
        let outcome = run(&fake, &["send", "neko", "hai"], "");
        assert_eq!(outcome.code, 0, "{step:?}: {outcome:?}");
        let requests = fake.requests();
        assert_eq!(requests.len(), 2, "{step:?}");
        assert_eq!(key(&requests[0]), key(&requests[1]));
    }
}

/// A refusal that depends on the state may follow a stored attempt; one that holds for every
/// attempt may not.
#[test]
fn refusal_after_a_lost_answer_is_reported_only_if_it_holds_for_every_attempt() {
    for (code, exit) in [
        ("no_session", 75),
        ("unknown_recipient", 75),
        ("inbox_full", 75),
        ("storage_full", 75),
        ("wrong_protocol", 75),
        ("busy", 75),
        ("unknown_command", 75),
        ("internal", 70),
        ("too_long", 65),
        ("empty_message", 65),
        ("key_conflict", 65),
        ("bad_argument", 76),
    ] {
        let reply = format!(r#"{{"status": "ERROR", "code": "{code}", "message": "m"}}"#);
        let refusal = Step::Reply(reply.leak());
        let fake = Fake::start(vec![
            vec![Step::CutAfter("")],
            vec![Step::CutAfter("")],
            vec![refusal; 64],
        ]);
        let outcome = run(&fake, &["send", "neko", "hai"], "");
        assert_eq!(outcome.code, exit, "{code}: {outcome:?}");
        let names_key = outcome.stderr.contains(&key(&fake.requests()[0]));
        assert_eq!(names_key, matches!(exit, 70 | 75), "{code}: {outcome:?}");
    }
}

#[test]
fn seeds_send_with_another_answer_is_reported_neither_as_sent_nor_as_failed() {
    const AUTH: Step =
        Step::Reply(r#"{"status": "OK", "tokenid": "7a592c0e-2cb5-4de6-866b-4e216b0caf15"}"#);
    for answer in [Step::Reply("junk"), Step::Reply(r#"{"status": "OK", "messages": {}}"#)] {
        let fake = Fake::start(vec![vec![AUTH, answer]]);
        let home = Home::new(fake.address());
        let outcome = home.run_with_input([""; 0], "auth paff cytus\nsend neko hai\n");
        assert_eq!(outcome.code, 75, "{outcome:?}");
        assert!(outcome.stderr.contains("it is not known whether"), "{outcome:?}");
        assert!(!outcome.stdout.contains("message sent"), "{outcome:?}");
    }
}

/// Runs a command whose output goes to a full device.
fn with_full_output(mut command: Command) -> Outcome {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    told(child.wait_with_output().unwrap())
}

#[test]
fn stored_message_that_cannot_be_reported_is_named_by_its_key() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    for (number, words) in [
        &["send", "--id", "k", "neko", "hai"][..],
        &["--json", "send", "--id", "k", "neko", "hai"],
        &["send", "--id", "k", "neko", "--lines"],
        &["--json", "send", "--id", "k", "neko", "--lines"],
    ]
    .into_iter()
    .enumerate()
    {
        let words: Vec<String> = words
            .iter()
            .map(|word| if *word == "k" { format!("k{number}") } else { (*word).to_owned() })
            .collect();
        let run = |words: &[String]| {
            let mut command = home.sh("printf 'one\\n' | \"$CLI\" \"$@\"");
            command.arg("sh").args(words);
            command
        };
        let untold = with_full_output(run(&words));
        assert_eq!(untold.code, 75, "{words:?}: {untold:?}");
        assert!(untold.stderr.contains("sent, but"), "{words:?}: {untold:?}");
        assert!(untold.stderr.contains(&format!("--id k{number}")), "{words:?}: {untold:?}");
        let again = outcome(run(&words));
        assert_eq!(again.code, 0, "{words:?}: {again:?}");
        let stored = format!("{}", number + 1);
        assert_eq!(server.query("select count(*) from messages"), [stored]);
    }
}

#[test]
fn answer_that_cannot_be_printed_leaves_the_key_of_its_question() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let words = ["ask", "--id", "q", "paff", "hai"];
    // The first message after the question is also from paff.
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    let asked = start(home.cli(["ask", "--id", "q", "paff", "hai"]).stdin(Stdio::null()));
    while server.query("select count(*) from messages") != ["1"] {
        thread::yield_now();
    }
    wire.done(format!("send {token} paff answer"));
    assert_eq!(told(asked.wait_with_output().unwrap()).stdout, "answer\n");
    let untold = with_full_output(home.cli(words));
    assert_eq!(untold.code, 75, "{untold:?}");
    assert!(untold.stderr.contains("the answer came, but"), "{untold:?}");
    assert!(untold.stderr.contains("--id q paff"), "{untold:?}");
    assert_eq!(home.run(words).stdout, "answer\n");
}

#[test]
fn sent_message_is_a_success_though_the_reader_has_gone() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    for words in [&["send", "neko", "hai"][..], &["--json", "send", "neko", "hai"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = home.cli(words);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let outcome = told(child.wait_with_output().unwrap());
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{words:?}");
    }
    assert_eq!(server.query("select count(*) from messages"), ["2"]);
}

/// A proxy in front of a server, which first sends a line about the client.
fn proxy_that_says_something_first(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut behind = TcpStream::connect(server).unwrap();
            behind.write_all(b"hello there\r\nnonsense\r\n").unwrap();
            let mut line = String::new();
            BufReader::new(client.try_clone().unwrap()).read_line(&mut line).unwrap();
            behind.write_all(line.as_bytes()).unwrap();
            let mut client = client;
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = behind.read(&mut bytes) {
                if client.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
        }
    });
    address
}

#[test]
fn message_stored_behind_a_proxy_that_speaks_first_is_not_reported_as_failed() {
    let server = Server::start();
    let home = Home::new(proxy_that_says_something_first(server.address()));
    let mut command = home.cli(["--timeout", "2s", "send", "neko", "hai"]);
    command.env("CHAT_TOKEN", server.log_in("paff"));
    let outcome = outcome(command);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (75, ""), "{outcome:?}");
    let id = outcome.stderr.split_once("--id ").unwrap().1.split(' ').next().unwrap();
    let again =
        Home::of("paff", server.address()).run(["--json", "send", "--id", id, "neko", "hai"]);
    assert!(again.stdout.contains("\"duplicate\": true"), "{again:?}");
    assert_eq!(server.query("select count(*) from messages"), ["1"]);
}
