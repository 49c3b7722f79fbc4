//! `send --expires`, and how messages that expire are shown.

use serde_json::Value;

use crate::support::cli::{Home, Outcome, outcome};
use crate::support::pty::Terminal;
use crate::support::{Server, wait_until};

fn run_in_utc(home: &Home, words: &[&str]) -> Outcome {
    let mut command = home.cli(words);
    command.env("TZ", "UTC");
    outcome(command)
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn message_is_marked_in_the_history_and_missing_in_the_inbox_once_it_has_expired() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let far = ["send", "--expires", "2031-12-01 09:00", "neko", "far"];
    assert_eq!(run_in_utc(&paff, &far).stdout, "message sent to neko\n");
    assert_eq!(paff.run(["send", "--expires", "1s", "neko", "soon"]).code, 0);
    wait_until("it expires", || {
        let shown = run_in_utc(&neko, &["history"]).stdout;
        assert!(shown.contains("(until 2031-12-01 09:00)"), "{shown}");
        shown.contains("(expired)")
    });
    let history = objects(&neko.run(["--json", "history"]).stdout);
    assert_eq!(history[0]["expires"], "2031-12-01T09:00:00.000Z");
    assert!(history[1]["expires"].is_string() && history[1]["expires_in"].is_null());
    let unread = objects(&neko.run(["--json", "watch", "--exit-at-end"]).stdout);
    assert_eq!(unread.len(), 1, "{unread:?}");
    let inbox = run_in_utc(&neko, &["inbox"]).stdout;
    assert!(inbox.contains("far") && !inbox.contains("soon"), "{inbox}");
    assert_eq!(neko.run(["inbox"]).stdout, "{}\n", "nothing is left");
    // In the other language.
    let mut command = neko.cli(["--lang", "id", "history"]);
    command.env("TZ", "UTC");
    let shown = outcome(command).stdout;
    assert!(shown.contains("(sampai 2031-12-01 09:00)"), "{shown}");
    assert!(shown.contains("(kedaluwarsa)"), "{shown}");
}

#[test]
fn handler_gets_the_time_and_not_what_has_expired() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    let old = r#"{"to": ["neko"], "body": "old", "expires": "2026-01-01T09:00:00Z"}"#;
    wire.done(format!("post {token} {old}"));
    paff.run(["send", "--expires", "2031-12-01T09:00:00Z", "neko", "new"]);
    let script = "echo \"$CHAT_ID $CHAT_EXPIRES_AT\"";
    let words = ["watch", "--as", "jobs", "--since", "all", "--exit-at-end", "--exec", "sh", "-c"];
    let told = neko.run(words.iter().copied().chain([script]));
    assert_eq!(told.stdout, "2 2031-12-01T09:00:00.000Z\n", "{told:?}");
}

#[test]
fn expiry_goes_with_later_lines_and_wait_read() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let later = paff.run(["send", "--in", "2h", "--expires", "1d", "neko", "hai"]);
    assert_eq!(later.code, 0, "{later:?}");
    let scheduled = objects(&paff.run(["--json", "scheduled"]).stdout);
    assert_eq!(scheduled[0]["expires_in"], 86_400);
    let lines = paff.run_with_input(["send", "--expires", "1h", "--lines", "neko"], "a\nb\n");
    assert_eq!(lines.code, 0, "{lines:?}");
    let shown = objects(&neko.run(["--json", "history"]).stdout);
    assert!(shown.len() == 2 && shown.iter().all(|message| message["expires"].is_string()));
    // It ends when the message does, long before its own time.
    let waited = paff.run(["send", "--wait-read", "1h", "--expires", "1s", "neko", "hai"]);
    assert_eq!(waited.code, 1, "{waited:?}");
    // The same key means the same message with the same expiry.
    let key = ["send", "--id", "k", "--expires", "1h", "neko", "hai"];
    assert_eq!((paff.run(key).code, paff.run(key).code), (0, 0));
    let other = paff.run(["send", "--id", "k", "--expires", "2h", "neko", "hai"]);
    assert!(other.code != 0 && other.stderr.contains("another message"), "{other:?}");
    for wrong in ["0s", "soon", "2020-01-01 09:00", "9999d"] {
        assert_eq!(paff.run(["send", "--expires", wrong, "neko", "x"]).code, 2, "{wrong}");
    }
}

#[test]
fn prompt_sends_what_expires_and_marks_it() {
    let server = Server::start();
    let paff = Home::of("paff", server.address());
    let mut terminal = Terminal::start(paff.cli([""; 0]));
    terminal.wait_for("Command paff");
    terminal.keys("until 1s paff to myself\r");
    terminal.wait_for("message sent to paff");
    terminal.keys("until soon neko hai\r");
    terminal.wait_for("is no time");
    wait_until("it expires", || paff.run(["history"]).stdout.contains("(expired)"));
    terminal.keys("history\r");
    terminal.wait_for("(expired)");
}
