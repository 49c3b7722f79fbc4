//! `receipts`, and `send --wait-read`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::Terminal;

#[test]
fn receipts_names_the_readers_of_a_message() {
    let server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| Home::of(user, server.address()));
    assert_eq!(paff.run(["send", "neko", "hai"]).code, 0);
    let unread = paff.run(["receipts", "1"]);
    assert_eq!((unread.code, unread.stdout.as_str()), (1, ""));
    assert_eq!(neko.run(["inbox"]).code, 0);
    let read = paff.run(["receipts", "1"]);
    assert_eq!((read.code, read.stdout.as_str()), (0, "neko\n"));
    let read = paff.run(["receipts", "--json", "1"]);
    let object = r#"{"v": 1, "id": 1, "readers": ["neko"], "recipients": 1, "more": false}"#;
    assert_eq!(read.stdout, format!("{object}\n"));
    let other = neko.run(["receipts", "1"]);
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.stderr.contains("only the sender of the message may do this"), "{other:?}");
    assert_eq!(paff.run(["receipts", "2"]).code, 65);
    assert_eq!(paff.run(["receipts", "maybe"]).code, 2);
    let off = "receipts are off: nobody sees what you have read, and you see it of nobody\n";
    assert_eq!(neko.run(["receipts", "off"]).stdout, off);
    assert_eq!(neko.run(["receipts"]).stdout, off);
    assert_eq!(neko.run(["receipts", "--json"]).stdout, "{\"v\": 1, \"receipts\": false}\n");
    assert_eq!(paff.run(["receipts", "1"]).code, 1);
    assert_eq!(neko.run(["receipts", "--json", "on"]).stdout, "{\"v\": 1, \"receipts\": true}\n");
    assert_eq!(paff.run(["receipts", "1"]).code, 0);
}

#[test]
fn send_waits_until_all_recipients_have_read() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| Home::of(user, server.address()));
    let mut send = paff.cli(["send", "--wait-read", "1h", "neko,ivy", "hai"]);
    let mut child = send.stdout(Stdio::piped()).spawn().expect("chat-cli runs");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().map(Result::unwrap);
    assert_eq!(next().as_deref(), Some("message sent to neko, ivy"));
    assert_eq!(neko.run(["inbox"]).code, 0);
    assert_eq!(next().as_deref(), Some("neko has read it"));
    assert_eq!(ivy.run(["ack", "--all", "--with", "paff"]).code, 0);
    assert_eq!(next().as_deref(), Some("ivy has read it"));
    assert_eq!(next(), None);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn send_ends_with_1_if_nobody_reads_in_time_and_waits_for_one_member_of_a_room() {
    let server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| Home::of(user, server.address()));
    let unread = paff.run(["send", "--wait-read", "10ms", "neko", "hai"]);
    assert_eq!((unread.code, unread.stdout.as_str()), (1, "message sent to neko\n"));
    assert_eq!(paff.run(["room", "create", "build"]).code, 0);
    assert_eq!(neko.run(["room", "join", "build"]).code, 0);
    let mut send = paff.cli(["--json", "send", "--wait-read", "1h", "--room", "build", "done"]);
    let mut child = send.stdout(Stdio::piped()).spawn().expect("chat-cli runs");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().map(Result::unwrap);
    assert!(next().is_some_and(|line| line.contains(r##""to": "#build", "id": 2"##)));
    assert_eq!(neko.run(["ack", "--all"]).code, 0);
    let read = r##"{"v": 1, "event": "read", "to": "#build", "id": 2}"##;
    assert_eq!(next().as_deref(), Some(read));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // With receipts off nobody would be told, so nothing is sent.
    assert_eq!(paff.run(["receipts", "off"]).code, 0);
    let refused = paff.run(["send", "--wait-read", "1h", "neko", "hai"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("hint: `chat-cli receipts on`"), "{refused:?}");
    let refused = paff.run(["--json", "send", "--wait-read", "1h", "neko", "hai"]);
    assert!(refused.stderr.contains(r#""code": "receipts_off", "exit": 1"#), "{refused:?}");
    assert_eq!(server.query("select count(*) from messages"), ["2"]);
    for words in [
        &["send", "--wait-read", "1s", "--lines", "neko"][..],
        &["send", "--wait-read", "1s", "--done", "neko", "--", "true"],
        &["send", "--wait-read", "soon", "neko", "hai"],
    ] {
        assert_eq!(paff.run(words).code, 2, "{words:?}");
    }
}

#[test]
fn prompt_shows_receipts() {
    let server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| Home::of(user, server.address()));
    assert_eq!(paff.run(["send", "neko", "hai"]).code, 0);
    let mut terminal = Terminal::start(paff.cli([""; 0]));
    terminal.wait_for_end("Command paff:");
    let mut ask = |line: &str, told: &str| {
        terminal.line(line);
        terminal.wait_for_end(&format!("Command paff:{line}\n{told}\nCommand paff:"));
    };
    ask("receipts 1", "read by nobody (0 of 1)");
    assert_eq!(neko.run(["inbox"]).code, 0);
    ask("receipts 1", "read by neko (1 of 1)");
    let incomplete = "-Sorry, something is missing in this command: type help";
    ask("receipts maybe", incomplete);
    ask(
        "receipts off",
        "receipts are off: nobody sees what you have read, and you see it of nobody",
    );
}
