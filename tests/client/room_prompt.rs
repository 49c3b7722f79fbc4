//! Rooms at the prompt: its commands, messages as they arrive, answers and completion.

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::{TAB, Terminal};

const NEKO: &str = "Command neko:";

/// A user who is logged in, in a home and at its prompt.
fn at_prompt(user: &str, server: &Server) -> (Home, Terminal) {
    let home = Home::of(user, server.address());
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end(&format!("username {user} logged in\nCommand {user}:"));
    (home, terminal)
}

/// Types a line at the prompt of neko, and waits for the answer and the prompt `next`.
fn ask(terminal: &mut Terminal, prompt: &str, line: &str, told: &str, next: &str) {
    terminal.line(line);
    terminal.wait_for_end(&format!("{prompt}{line}\n{told}\n{next}"));
}

#[test]
fn room_is_created_and_talked_in_at_the_prompt() {
    let server = Server::start();
    let (_home, mut terminal) = at_prompt("neko", &server);
    let mut ask = |line: &str, told: &str| ask(&mut terminal, NEKO, line, told, NEKO);
    ask("room create build --topic 'two  words'", "#build is created; you are its owner");
    ask("room list", "#build  1  owner  two  words");
    ask("room members #build", "neko  owner  Neko UwU");
    ask("room set build --private --notify mentions", "#build is changed");
    ask("send #build hai", "message sent to #build");
    ask("send #biuld hai", "Error, there is no such room: #biuld\nhint: did you mean #build?");
    ask("room join nowhere", "Error, there is no such room: #nowhere");
    ask("room jion build", "error: unrecognized subcommand 'jion'");
    ask("rooms", "*Sorry, there is no such command: did you mean `room list`?");
    ask("unread", "no new messages");
    ask("room leave build", "you left #build");
}

#[test]
fn help_of_rooms_is_short_and_leads_to_the_details() {
    let server = Server::start();
    let (_home, mut terminal) = at_prompt("neko", &server);
    for line in ["room", "room help"] {
        terminal.line(line);
        terminal
            .wait_for_end("Then `send #build TEXT`, `to #build`, `history #build`.\nCommand neko:");
    }
    terminal.line("room help set");
    terminal
        .wait_until("the options", |terminal| terminal.transcript().contains("--moderator <USER>"));
}

#[test]
fn message_to_a_room_appears_with_its_room_and_is_answered_there() {
    let server = Server::start();
    let (neko, mut terminal) = at_prompt("neko", &server);
    let paff = Home::of("paff", server.address());
    assert_eq!(paff.run(["room", "create", "build"]).code, 0);
    ask(&mut terminal, NEKO, "room join build", "you are a member of #build", NEKO);
    assert_eq!(paff.run(["send", "#build", "done"]).code, 0);
    terminal
        .wait_until("the message", |terminal| terminal.screen().contains("  #build  paff  done\n"));
    ask(&mut terminal, NEKO, "reply thanks", "message sent to #build", NEKO);
    assert!(paff.run(["inbox"]).stdout.contains("{\"msg\": \"thanks\", \"from\": \"neko\"}"));
    // Enter has marked the message as read.
    assert_eq!(neko.run(["unread"]).code, 1);
    // One's own message from elsewhere, with its recipient.
    assert_eq!(neko.run(["send", "#build", "from a script"]).code, 0);
    terminal.wait_until("the sent message", |terminal| {
        terminal.screen().contains("  > #build  from a script\n")
    });
}

#[test]
fn plain_text_goes_to_the_room_and_tab_completes_rooms() {
    let server = Server::start();
    let (_home, mut terminal) = at_prompt("neko", &server);
    ask(&mut terminal, NEKO, "room create build", "#build is created; you are its owner", NEKO);
    terminal.keys(format!("to #b{TAB}"));
    terminal.wait_for_end(&format!("{NEKO}to #build"));
    let to_build = "Command neko > #build:";
    terminal.line("");
    terminal.wait_for_end(&format!(
        "text without a verb goes to #build now; `to` alone ends that\n{to_build}"
    ));
    ask(&mut terminal, to_build, "hai everybody", "message sent to #build", to_build);
    terminal.keys(format!("room mem{TAB}bu{TAB}"));
    terminal.wait_for_end(&format!("{to_build}room members build"));
    terminal.line("");
    terminal.wait_for_end(&format!("neko  owner  Neko UwU\n{to_build}"));
    terminal.line("history #build");
    terminal.wait_until("the history", |terminal| {
        terminal.screen().contains("  #build  neko  hai everybody\n")
    });
}

#[test]
fn unread_messages_are_counted_by_room() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    assert_eq!(paff.run(["room", "create", "build"]).code, 0);
    assert_eq!(neko.run(["room", "join", "build"]).code, 0);
    for to in ["#build", "#build", "neko"] {
        assert_eq!(paff.run(["send", to, "hai"]).code, 0);
    }
    let mut terminal = Terminal::start(neko.cli([""; 0]));
    terminal.wait_for_end("3 unread messages, type inbox\nCommand neko (3):");
    terminal.line("unread");
    terminal.wait_for_end("     1  paff\n     2  #build\nCommand neko (3):");
    terminal.line("inbox");
    terminal.wait_for_end("paff  hai\nCommand neko:");
    assert_eq!(terminal.screen().matches("  #build  paff  hai\n").count(), 2);
}
