//! `@all` from the command line and at the prompt.

use serde_json::Value;

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::operator;
use crate::support::pty::{TAB, Terminal};

/// An operator makes the room of everybody, and lets paff post there.
fn gather(server: &Server) {
    operator::done(&server.database(), &["room", "everybody"]);
    operator::done(&server.database(), &["room", "add", "all", "paff", "--role", "moderator"]);
}

#[test]
fn send_to_all_says_what_an_operator_has_to_do_and_then_reaches_everybody() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let send = ["send", "@all", "maintenance at 17:00"];
    let missing = paff.run(send);
    assert_eq!(missing.code, 67, "{missing:?}");
    let told = "Error, there is no such room: #all\nhint: @all is the room of everybody, which an operator makes: `chat-server room everybody`\n";
    assert_eq!(missing.stderr, told);
    gather(&server);
    let forbidden = neko.run(send);
    assert_eq!(forbidden.code, 73, "{forbidden:?}");
    let told = "hint: an operator allows it: `chat-server room add all USER --role moderator`\n";
    assert!(forbidden.stderr.ends_with(told), "{forbidden:?}");
    let sent = paff.run(send);
    assert_eq!((sent.code, sent.stdout.as_str()), (0, "message sent to #all\n"), "{sent:?}");
    let sent = paff.run(["--json", "send", "@all", "over"]);
    let fields: Value = serde_json::from_str(&sent.stdout).unwrap();
    assert_eq!(fields["to"], "#all");
    for words in [["history", "@all", "--raw"], ["history", "--room=all", "--raw"]] {
        assert_eq!(neko.run(words).stdout, "maintenance at 17:00\nover\n", "{words:?}");
    }
    let unread = neko.run(["unread"]);
    assert!(unread.stdout.contains("#all"), "{unread:?}");
    let left = neko.run(["room", "leave", "@all"]);
    assert_eq!(left.code, 73, "{left:?}");
    let told = "Error, everybody is in this room: nobody leaves or closes it: #all\nhint: `chat-cli room set all --notify none` mutes it for you\n";
    assert_eq!(left.stderr, told);
    assert_eq!(neko.run(["room", "set", "all", "--notify", "none"]).code, 0);
    assert_eq!(neko.run(["unread"]).code, 1, "it is muted");
    let show = neko.run(["--json", "room", "show", "@all"]);
    let fields: Value = serde_json::from_str(&show.stdout).unwrap();
    assert_eq!((&fields["room"], &fields["everybody"]), (&"#all".into(), &true.into()));
}

#[test]
fn prompt_sends_to_all_and_completes_it() {
    let server = Server::start();
    gather(&server);
    let paff = Home::of("paff", server.address());
    let mut terminal = Terminal::start(paff.cli([""; 0]));
    terminal.wait_for_end("Command paff:");
    terminal.line("send @all hai");
    terminal.wait_for_end("message sent to #all\nCommand paff:");
    terminal.keys(format!("to @a{TAB}"));
    terminal.wait_for_end("Command paff:to #all");
    terminal.line("");
    terminal.wait_for_end("Command paff > #all:");
    terminal.line("all of you");
    terminal.wait_for_end("message sent to #all\nCommand paff > #all:");
    let neko = Home::of("neko", server.address());
    assert_eq!(neko.run(["history", "@all", "--raw"]).stdout, "hai\nall of you\n");
}
