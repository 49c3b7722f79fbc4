//! What the commands count as read, by conversation.

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::Terminal;

#[test]
fn filtered_inbox_counts_as_read_what_it_has_shown() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| Home::of(user, server.address()));
    assert_eq!(ivy.run(["send", "neko", "old"]).code, 0);
    assert_eq!(paff.run(["send", "neko", "one"]).code, 0);
    assert_eq!(paff.run(["send", "--tag", "b", "neko", "two"]).code, 0);
    assert_eq!(neko.run(["inbox", "--from", "paff", "--peek", "--raw"]).stdout, "one\ntwo\n");
    assert_eq!(neko.run(["unread"]).stdout, "3\n1\tivy\n2\tpaff\n");
    // Of a conversation, what is before the first message that was left out.
    assert_eq!(neko.run(["inbox", "--tag", "b", "--raw"]).stdout, "two\n");
    assert_eq!(neko.run(["unread"]).stdout, "3\n1\tivy\n2\tpaff\n");
    assert_eq!(neko.run(["inbox", "--from", "paff", "--raw"]).stdout, "one\ntwo\n");
    assert_eq!(neko.run(["unread"]).stdout, "1\n1\tivy\n");
    assert_eq!(neko.run(["inbox"]).stdout, "{\"ivy\": [{\"msg\": \"old\"}]}\n");
    assert_eq!(neko.run(["inbox"]).stdout, "{}\n");
}

#[test]
fn ack_marks_one_conversation() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| Home::of(user, server.address()));
    assert_eq!(paff.run(["room", "create", "build"]).code, 0);
    assert_eq!(neko.run(["room", "join", "build"]).code, 0);
    assert_eq!(ivy.run(["send", "neko", "old"]).code, 0);
    assert_eq!(paff.run(["send", "neko", "one"]).code, 0);
    assert_eq!(paff.run(["send", "--room", "build", "done"]).code, 0);
    let marked = neko.run(["ack", "--all", "--with", "paff"]);
    assert_eq!(marked.stdout, "paff is read up to 2\n");
    let marked = neko.run(["ack", "3", "--room", "build", "--json"]);
    assert_eq!(marked.stdout, "{\"v\": 1, \"room\": \"#build\", \"upto\": 3}\n");
    assert_eq!(neko.run(["unread"]).stdout, "1\n1\tivy\n");
    assert_eq!(neko.run(["ack", "1", "--with", "paff", "--rewind"]).code, 2);
    assert_eq!(neko.run(["ack", "1", "--with", "paff", "--as", "worker"]).code, 2);
    assert_eq!(neko.run(["ack", "1", "--with", "paff", "--room", "build"]).code, 2);
}

/// The prompt marks what it has shown, although an older message of somebody else is unread; and its
/// count follows what is read elsewhere.
#[test]
fn prompts_of_one_user_agree_about_what_is_read() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| Home::of(user, server.address()));
    assert_eq!(ivy.run(["send", "neko", "old"]).code, 0);
    let mut terminals = [(); 2].map(|()| Terminal::start(neko.cli([""; 0])));
    for terminal in &mut terminals {
        terminal.wait_for_end("1 unread message, type inbox\nCommand neko (1):");
    }
    assert_eq!(paff.run(["send", "neko", "one"]).code, 0);
    for terminal in &mut terminals {
        terminal.wait_for_end("  paff  one\nCommand neko (1):");
    }
    let [one, other] = &mut terminals;
    one.keys("\r");
    one.wait_for_end("\nCommand neko (1):\nCommand neko (1):");
    assert_eq!(neko.run(["unread"]).stdout, "1\n1\tivy\n");
    assert_eq!(neko.run(["ack", "--all", "--with", "ivy"]).code, 0);
    other.wait_for_end("Command neko (0):");
    other.keys("\r");
    other.wait_for_end("\nCommand neko:");
}
