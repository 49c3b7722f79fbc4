//! Editing and deleting messages by commands and at the prompt.

use serde_json::Value;

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::Terminal;

fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn messages_are_edited_and_deleted_by_commands() {
    let server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| Home::of(user, server.address()));
    assert_eq!(paff.run(["send", "neko", "helo"]).code, 0);
    assert_eq!(paff.run(["send", "neko", "gone"]).code, 0);
    assert_eq!(paff.run(["edit", "1", "hello", "neko"]).stdout, "message 1 is edited\n");
    let again = ["edit", "--json", "--id", "k1", "1", "hello"];
    let edited = &objects(&paff.run(again).stdout)[0];
    assert_eq!((&edited["id"], &edited["key"]), (&1.into(), &"k1".into()));
    assert_eq!(edited["duplicate"], false);
    assert_eq!(objects(&paff.run(again).stdout)[0]["duplicate"], true);
    assert_eq!(paff.run(["delete", "2"]).stdout, "message 2 is deleted\n");
    assert_eq!(objects(&paff.run(["delete", "2", "--json"]).stdout)[0]["duplicate"], true);

    let shown = neko.run(["history"]).stdout;
    assert!(shown.ends_with("\tpaff\t(edited)\\nhello\n"), "{shown}");
    assert_eq!(shown.lines().count(), 1);
    let history = neko.run(["history", "--raw-log", "--json"]).stdout;
    let all = objects(&history);
    let bodies: Vec<&str> = all.iter().filter_map(|of| of["body"].as_str()).collect();
    assert_eq!(bodies, ["helo", "hello neko", "hello"], "{history}");
    let last = all.last().unwrap();
    assert_eq!((&last["event"], &last["id"]), (&"deleted".into(), &2.into()));
    let plain = neko.run(["history", "--raw-log"]).stdout;
    assert!(plain.ends_with("\tpaff\tpaff deleted 2\n"), "{plain}");
    assert!(plain.contains("\tpaff\tpaff edited 1: hello neko\n"), "{plain}");
    assert_eq!(neko.run(["history", "--raw-log", "--raw"]).code, 2);

    // Who may not change it, and what is not there.
    let refused = neko.run(["edit", "1", "mine"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (73, ""), "{refused:?}");
    assert!(refused.stderr.contains("only its author"), "{refused:?}");
    assert_eq!(neko.run(["delete", "1"]).code, 73);
    let missing = neko.run(["delete", "2"]);
    assert_eq!(missing.code, neko.run(["delete", "4000"]).code);
    assert_eq!(paff.run(["edit", "2", "back"]).code, missing.code);
    assert_eq!(paff.run(["edit", "1"]).code, 2);
}

#[test]
fn watch_shows_changes_if_requested() {
    let server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| Home::of(user, server.address()));
    assert_eq!(paff.run(["send", "neko", "one"]).code, 0);
    let to_end = ["watch", "--as", "bot", "--exit-at-end", "--changes", "--json"];
    assert_eq!(objects(&neko.run(to_end).stdout)[0]["body"], "one");
    assert_eq!(paff.run(["edit", "1", "one, edited"]).code, 0);
    assert_eq!(paff.run(["send", "neko", "two"]).code, 0);
    let found = objects(&neko.run(to_end).stdout);
    assert_eq!((&found[0]["event"], &found[0]["body"]), (&"edited".into(), &"one, edited".into()));
    assert_eq!((found.len(), &found[1]["body"]), (2, &"two".into()));
    // Both are behind the cursor now.
    assert_eq!(neko.run(to_end).stdout, "");
    assert_eq!(paff.run(["delete", "1"]).code, 0);
    let plain = neko.run(["watch", "--as", "bot", "--exit-at-end", "--changes"]).stdout;
    assert!(plain.ends_with("\tpaff\tpaff deleted 1\n"), "{plain}");
    let without = neko.run(["watch", "--since", "all", "--exit-at-end", "--raw"]).stdout;
    assert_eq!(without, "two\n");
    assert_eq!(neko.run(["watch", "--changes", "--exec", "true"]).code, 2);
}

#[test]
fn prompt_edits_deletes_and_tells() {
    let server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| Home::of(user, server.address()));
    let mut terminal = Terminal::start(neko.cli([""; 0]));
    terminal.wait_for_end("Command neko:");
    assert_eq!(paff.run(["send", "neko", "one"]).code, 0);
    terminal.wait_for_end("  paff  one\nCommand neko:");
    assert_eq!(paff.run(["edit", "1", "one\u{1b}[31m, edited"]).code, 0);
    terminal.wait_for_end("paff edited 1: one\\x1b[31m, edited\nCommand neko:");
    assert_eq!(paff.run(["delete", "1"]).code, 0);
    terminal.wait_for_end("paff deleted 1\nCommand neko:");
    terminal.keys("send paff hai\r");
    terminal.wait_for_end("message sent to paff\nCommand neko:");
    terminal.keys("edit 4 hai juga\r");
    terminal.wait_for_end("message 4 is edited\nCommand neko:");
    assert_eq!(paff.run(["history", "--raw"]).stdout, "hai juga\n");
    terminal.keys("delete 4\r");
    terminal.wait_for_end("message 4 is deleted\nCommand neko:");
    assert_eq!(paff.run(["history", "--raw"]).code, 1);
    terminal.keys("edit hai\r");
    terminal.wait_for_end("type help\nCommand neko:");
}
