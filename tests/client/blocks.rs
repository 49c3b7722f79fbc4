//! Blocking users by commands and at the prompt.

use serde_json::Value;

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::Terminal;

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[test]
fn users_are_blocked_shown_and_unblocked_by_commands() {
    let server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| Home::of(user, server.address()));
    let none = neko.run(["block"]);
    assert_eq!((none.code, none.stdout.as_str()), (1, ""));
    let blocked = neko.run(["block", "paff"]);
    let text = "paff is blocked: you get no messages from them, and see none in rooms\n";
    assert_eq!((blocked.code, blocked.stdout.as_str()), (0, text));
    assert_eq!(neko.run(["block", "paff"]).stdout, "paff is blocked already\n");
    let state = object(&neko.run(["block", "--json", "paff"]).stdout);
    assert_eq!(state["changed"], false);
    let shown = neko.run(["block"]);
    assert_eq!(shown.code, 0);
    assert!(shown.stdout.starts_with("paff\t20") && shown.stdout.ends_with("Z\n"), "{shown:?}");
    let listed = object(&neko.run(["block", "--json"]).stdout);
    assert_eq!(listed["user"], "paff");
    assert!(listed["since"].is_string());

    let refused = paff.run(["send", "neko", "hai"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (73, ""), "{refused:?}");
    assert!(refused.stderr.starts_with("Error, you may not send to this user"), "{refused:?}");
    assert_eq!(refused.stderr.matches("you may not").count(), 1, "{refused:?}");
    let asked = paff.run(["ask", "neko", "hai?"]);
    assert_eq!(asked.code, 73, "a question is refused at once: {asked:?}");

    assert_eq!(neko.run(["unblock", "paff"]).stdout, "paff is no longer blocked\n");
    assert_eq!(neko.run(["unblock", "paff"]).stdout, "paff is not blocked\n");
    assert_eq!(paff.run(["send", "neko", "hai"]).code, 0);
    assert_eq!(neko.run(["block", "nobody"]).code, 67);
    assert_eq!(neko.run(["block", "#build"]).code, 2);
    assert_eq!(neko.run(["unblock"]).code, 2);
}

#[test]
fn users_are_blocked_at_the_prompt() {
    let server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| Home::of(user, server.address()));
    let mut terminal = Terminal::start(neko.cli([""; 0]));
    terminal.wait_for_end("Command neko:");
    terminal.keys("block\r");
    terminal.wait_for_end("you block nobody\nCommand neko:");
    terminal.keys("block paff\r");
    let text = "paff is blocked: you get no messages from them, and see none in rooms";
    terminal.wait_for_end(&format!("{text}\nCommand neko:"));
    assert_eq!(paff.run(["send", "neko", "hai"]).code, 73);
    terminal.keys("block\r");
    terminal.wait_for("neko:block\npaff  20");
    terminal.keys("unblock paff\r");
    terminal.wait_for_end("paff is no longer blocked\nCommand neko:");
    assert_eq!(paff.run(["send", "neko", "hai"]).code, 0);
    terminal.wait_for_end("  paff  hai\nCommand neko:");
    terminal.keys("unblock #build\r");
    terminal.wait_for_end("#build is a room: give a user\nCommand neko:");
    terminal.keys("unblock\r");
    terminal.wait_for_end("type help\nCommand neko:");
}
