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

#[test]
fn conversations_are_listed_for_people_and_programs() {
    let server = Server::start();
    let [paff, neko, ivy] = ["paff", "neko", "ivy"].map(|user| Home::of(user, server.address()));
    let none = neko.run(["conversations"]);
    assert_eq!((none.code, none.stdout.as_str()), (1, ""));
    assert_eq!(paff.run(["room", "create", "build"]).code, 0);
    assert_eq!(neko.run(["room", "join", "build"]).code, 0);
    assert_eq!(ivy.run(["send", "neko", "old\nand more"]).code, 0);
    assert_eq!(paff.run(["send", "--room", "build", "look, @neko"]).code, 0);
    let listed = neko.run(["conversations"]);
    let fields: Vec<Vec<&str>> =
        listed.stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(fields.len(), 2, "{listed:?}");
    assert_eq!(fields[0][..4], ["#build", "1", "1", "2"]);
    assert_eq!(fields[0][5..], ["paff", "look, @neko"]);
    assert_eq!(fields[1][..4], ["ivy", "1", "0", "1"]);
    let json = neko.run(["conversations", "--json", "-n", "1"]).stdout;
    let of: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&of["v"], &of["room"], &of["mentions"]), (&1.into(), &"#build".into(), &1.into()));
    assert_eq!(of["last"]["body"], "look, @neko");

    let mut terminal = Terminal::start(neko.cli([""; 0]));
    terminal.wait_for_end("2 unread messages, type inbox\nCommand neko (2):");
    terminal.keys("conversations\r");
    terminal.wait_for_end("  old\nCommand neko (2):");
    let screen = terminal.screen();
    assert!(screen.contains("1 @1  #build  "), "{screen}");
    assert!(screen.contains("  paff: look, @neko\n"), "{screen}");
    assert_eq!(neko.run(["unread"]).stdout.lines().next(), Some("2"), "it marks nothing as read");
}
