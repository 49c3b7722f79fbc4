//! The prompt keeps lines that arrive before it reads them, from a paste, a script or fast typing.
//! It executes them in order, as if each had waited for the previous one.

use rustix::process::{Pid, Signal, kill_process};

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::{
    CTRL_C, CTRL_D, CTRL_R, CTRL_Z, LEFT, PASTE_BEGIN, PASTE_END, Terminal, UP,
};
use crate::support::skip::is_here;

/// The prompt of a logged-in user.
fn prompt_of(user: &str, home: &Home) -> Terminal {
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end("Command :");
    terminal.keys(format!("auth {user} cytus\r"));
    terminal.wait_for_end(&format!("Command {user}:"));
    terminal
}

/// The bodies of all messages, in order.
fn bodies(server: &Server) -> Vec<String> {
    server.query("select body from messages order by id")
}

/// A prompt that owns its terminal as a shell's job does, so that Ctrl-C is a signal while no line
/// is read. `None`, after reporting the skip, if there is no `setsid`.
fn job(home: &Home) -> Option<Terminal> {
    if !is_here("setsid") {
        return None;
    }
    let mut command = home.command("setsid");
    command.arg("--ctty").arg(env!("CARGO_BIN_EXE_chat-cli"));
    Some(Terminal::start(command))
}

#[test]
fn lines_that_arrive_at_once_are_done_in_order() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    terminal.keys("send neko 1\rsend neko 2\nsend neko 3\r\nwhoami\rsend neko 4\r");
    terminal.wait_for_end("Command paff:send neko 4\nmessage sent to neko\nCommand paff:");
    assert_eq!(bodies(&server), ["1", "2", "3", "4"]);
    assert_eq!(terminal.screen().matches("paff (").count(), 1, "{}", terminal.screen());
}

#[test]
fn more_lines_than_are_read_at_once_are_done_in_order() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    let texts: Vec<String> = (0..60).map(|number| format!("{number} {}", "猫".repeat(9))).collect();
    let lines: Vec<String> = texts.iter().map(|text| format!("send neko {text}\r")).collect();
    terminal.keys(lines.concat());
    let last = texts.last().expect("a line");
    terminal.wait_for_end(&format!("neko {last}\nmessage sent to neko\nCommand paff:"));
    assert_eq!(bodies(&server), texts);
}

#[test]
fn session_that_is_typed_before_the_prompt_appears_is_done() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.keys("auth paff\ncytus\nsend paff hi\ninbox\n");
    // It is shown when it arrives, or by `inbox`.
    terminal.wait_until("the inbox", |terminal| {
        let screen = terminal.screen();
        let (_, inbox) = screen.split_once("Command paff:inbox\n").unwrap_or_default();
        screen.contains("  paff  hi\n") && inbox.ends_with("\nCommand paff:")
    });
    assert_eq!(bodies(&server), ["hi"]);
}

#[test]
fn password_that_is_typed_ahead_is_taken_and_not_shown() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end("Command :");
    terminal.keys("auth paff\rmistaken\rauth paff\rcytux\x7fs\rsend neko hi\r");
    terminal.wait_for_end("message sent to neko\nCommand paff:");
    terminal.keys("passwd\rcytus\rsecret\rsecret\rwhoami\r");
    terminal.wait_for("password changed");
    terminal.wait_for_end("paff (Paff Aroma)\nCommand paff:");
    for secret in ["cyt", "mistaken", "secret"] {
        assert!(!terminal.transcript().contains(secret), "{}", terminal.transcript());
    }
    // Nor can a key bring it back.
    terminal.keys(format!("\x19{UP}"));
    terminal.wait_for_end("Command paff:whoami");
    server.connect().done("auth paff secret");
}

#[test]
fn lines_typed_while_a_command_waits_are_done_after_it() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    server.freeze();
    terminal.keys("list\r");
    terminal.wait_for_end("Command paff:list");
    terminal.wait_until("the command to begin", |terminal| terminal.cursor_column() == 0);
    // Longer than a line may be where the terminal itself edits it.
    let long = "x".repeat(5000);
    terminal.keys(format!("send neko one\rsend neko {long}\r"));
    terminal.keys(format!("{PASTE_BEGIN}send neko three\rwhoami{PASTE_END}"));
    assert!(!terminal.echoes());
    server.signal(Signal::CONT);
    terminal.wait_for_end("Command paff:send neko three\nwhoami");
    terminal.keys(format!("\rauth neko\rcytus\r{CTRL_D}"));
    assert!(terminal.wait().success());
    assert!(terminal.screen().contains("username neko logged in"), "{}", terminal.screen());
    assert!(!terminal.transcript().contains("\ncytus"));
    assert_eq!(bodies(&server), ["one", &long, "three\nwhoami"]);
}

#[test]
fn lines_typed_while_the_connection_is_lost_are_each_answered() {
    let mut server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    server.kill();
    terminal.wait_for("connection lost, reconnecting");
    terminal.keys("send neko one\rbell on\rsend neko two\r");
    terminal.wait_until("three answers", |terminal| {
        let screen = terminal.screen();
        screen.matches("error: cannot reach").count() == 2
            && screen.contains("the bell is on")
            && screen.ends_with("\nCommand paff:")
    });
    server.start_again_at_its_address();
    terminal.wait_for("connected again");
    terminal.keys("send neko three\rsend neko four\r");
    terminal.wait_for_end("four\nmessage sent to neko\nCommand paff:");
    assert_eq!(bodies(&server), ["three", "four"]);
}

#[test]
fn ctrl_c_clears_what_was_typed_before_it_alone() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    // At once, while a line is read: while a command runs, Ctrl-C is a signal.
    terminal.keys(format!(
        "send neko no{CTRL_C}send neko one\rauth neko\rcyt{CTRL_C}\
         send neko two\rsend neko three\r{CTRL_R}two{CTRL_C}whoami\r"
    ));
    terminal.wait_for_end("paff (Paff Aroma)\nCommand paff:");
    assert_eq!(bodies(&server), ["one", "two", "three"]);
}

#[test]
fn lines_after_a_search_are_done() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    terminal.keys(format!("send neko one\rwhoami\r{CTRL_R}one\rsend neko two\r"));
    terminal.wait_for_end("two\nmessage sent to neko\nCommand paff:");
    assert_eq!(bodies(&server), ["one", "one", "two"]);
}

#[test]
fn terminal_that_cannot_move_its_cursor_keeps_lines_too() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut command = home.cli([""; 0]);
    command.env("TERM", "dumb");
    let mut terminal = Terminal::start(command);
    terminal.keys("auth paff\ncytus\nsend neko one\nauth neko\ncytus\nsend paff two\nwhoami\n");
    terminal.wait_for_end("neko (Neko UwU)\nCommand neko (1):");
    assert_eq!(bodies(&server), ["one", "two"]);
}

#[test]
fn ctrl_c_ends_a_command_that_waits_and_the_terminal_is_as_before() {
    let server = Server::start();
    let home = Home::new(server.address());
    let Some(mut terminal) = job(&home) else { return };
    terminal.wait_for_end("Command :");
    terminal.keys("auth paff cytus\r");
    terminal.wait_for_end("Command paff:");
    server.freeze();
    terminal.keys("list\r");
    terminal.wait_for_end("Command paff:list");
    terminal.wait_until("the command to begin", |terminal| terminal.cursor_column() == 0);
    terminal.keys(CTRL_C);
    let status = terminal.wait();
    server.signal(Signal::CONT);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(2), "{status}");
    assert!(terminal.is_as_before());
    assert!(terminal.transcript().trim_end().ends_with("\x1b[?2004l"));
}

#[test]
fn signal_in_the_middle_of_a_line_leaves_the_terminal_as_before() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    terminal.keys("send ne");
    terminal.wait_for_end("send ne");
    let pid = Pid::from_raw(terminal.pid()).expect("a pid");
    kill_process(pid, Signal::TERM).expect("it can be signalled");
    let status = terminal.wait();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15), "{status}");
    assert!(terminal.is_as_before());
}

/// There is no shell that could resume the prompt, so the kernel does not stop it. The draft still
/// continues.
#[test]
fn ctrl_z_keeps_the_draft_and_the_cursor_in_it() {
    let server = Server::start();
    let home = Home::new(server.address());
    let Some(mut terminal) = job(&home) else { return };
    terminal.wait_for_end("Command :");
    terminal.keys(format!("auth paff cytus\rsend neko oe{LEFT}{CTRL_Z}n\rwhoami\r"));
    terminal.wait_for_end("paff (Paff Aroma)\nCommand paff:");
    assert_eq!(bodies(&server), ["one"]);
}
