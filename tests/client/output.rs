//! A message that was not written anywhere stays unread.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::support::Server;
use crate::support::cli::{Home, outcome, told};

/// Descriptor 1 closed, and open for reading only.
const NOWHERE: &[&str] = &[">&-", "1</dev/null", "1</etc/passwd"];

fn unread(home: &Home) -> String {
    let unread = home.run(["unread"]).stdout;
    unread.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn message_that_is_written_nowhere_stays_unread() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    server.connect().done(format!("send {} neko hai", server.log_in("paff")));
    for words in [
        "inbox",
        "inbox --raw",
        "inbox --json",
        "inbox --all",
        "watch --as inbox --exit-at-end",
        "watch --as inbox --raw -n 1",
        "--json watch --as g -n 1",
        "ask neko hai",
    ] {
        for redirection in NOWHERE {
            let outcome = outcome(home.sh(&format!("$CLI {words} {redirection}")));
            assert_eq!(outcome.code, 74, "{words} {redirection}: {outcome:?}");
            assert!(outcome.stderr.contains("standard output is closed"), "{outcome:?}");
            assert!(outcome.stderr.contains("nothing was done"), "{outcome:?}");
        }
    }
    assert_eq!(unread(&home), "1");
    assert!(server.query("select * from v1_cursors where cursor = 'g'").is_empty());
    // The seed's session too.
    let script = "printf 'auth neko cytus\\ninbox\\n' | $CLI >&-";
    assert_eq!(outcome(home.sh(script)).code, 74);
    assert_eq!(unread(&home), "1");
    // The standard library replaces a closed descriptor by a `/dev/null` for reading and writing.
    let null = OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
    let child = home.cli(["inbox"]).stdout(null).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(told(child.wait_with_output().unwrap()).code, 74);
    assert_eq!(unread(&home), "1");
}

#[test]
fn dead_letter_is_shown_before_it_is_removed() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    server.connect().done(format!("send {} neko hai", server.log_in("paff")));
    home.run(["watch", "--as", "w", "--max-tries", "1", "-n", "1", "--exec", "false"]);
    assert_eq!(outcome(home.sh("$CLI watch --as w --dead --clear >&-")).code, 74);
    assert_eq!(home.run(["watch", "--as", "w", "--dead", "--clear", "--raw"]).stdout, "hai\n");
}

#[test]
fn discarded_output_counts_as_read() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let (mut wire, paff) = (server.connect(), server.log_in("paff"));
    for words in [
        "inbox >/dev/null",
        "inbox --raw >>/dev/null",
        "watch --as inbox -n 1 >/dev/null",
        "inbox 1<>out",
    ] {
        wire.done(format!("send {paff} neko hai"));
        let outcome = outcome(home.sh(&format!("cd && $CLI {words}")));
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{words}");
        assert_eq!(unread(&home), "0", "{words}");
    }
}

/// Commands that show no message, and a command of `--exec`, need no output.
#[test]
fn closed_output_is_accepted_where_no_message_is_shown() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    for words in [
        "send neko hai",
        "watch --as w -n 1 --exec true",
        "unread",
        "ack --all",
        "whoami",
        "logout",
    ] {
        let outcome = outcome(home.sh(&format!("$CLI {words} >&-")));
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{words}");
    }
}

#[test]
fn dead_letter_among_counted_messages_is_no_success() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let (mut wire, paff) = (server.connect(), server.log_in("paff"));
    let watch = |count: &str, cursor: &str| {
        home.run([
            "watch",
            "--as",
            cursor,
            "--max-tries",
            "1",
            "-n",
            count,
            "--exec",
            "sh",
            "-c",
            "test $CHAT_ID != 2",
        ])
    };
    for number in 1..=3 {
        wire.done(format!("send {paff} neko {number}"));
    }
    assert_eq!(watch("1", "a").code, 0);
    assert_eq!(watch("1", "a").code, 1, "the dead letter");
    assert_eq!(watch("1", "a").code, 0);
    assert_eq!(watch("3", "b").code, 1, "one of them is a dead letter");
    assert_eq!(server.query("select upto_id from v1_cursors where cursor = 'b'"), ["3"]);
    assert_eq!(home.run(["watch", "--as", "a", "--dead", "--raw"]).stdout, "2\n");
}
