//! A login at the prompt is stored as `chat-cli auth` stores it, and ended when nobody could use it
//! again.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::cli::Home;
use crate::support::pty::{CTRL_D, Terminal};
use crate::support::{Server, Wire};

/// The prompt without a stored login.
fn prompt(home: &Home) -> Terminal {
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end("Command :");
    terminal
}

fn log_in(terminal: &mut Terminal, user: &str) {
    terminal.line(&format!("auth {user} cytus"));
    terminal.wait_for_end(&format!("username {user} logged in\nCommand {user}:"));
}

/// The prompt with a stored login.
fn resumed(user: &str, home: &Home) -> Terminal {
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end(&format!("username {user} logged in\nCommand {user}:"));
    terminal
}

fn leave(mut terminal: Terminal) {
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());
}

/// The users of the server's sessions, a name per session.
fn sessions(server: &Server) -> Vec<String> {
    server.query("select u.name from sessions s join users u on u.id = s.user_id order by s.id")
}

#[test]
fn login_is_stored_for_the_next_prompt_and_for_commands() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt(&home);
    log_in(&mut terminal, "paff");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.session_file()), 0o600);
    assert_eq!(home.run(["send", "neko", "hai"]).code, 0);
    leave(terminal);
    assert_eq!(home.run(["whoami"]).code, 0);
    leave(resumed("paff", &home));
    assert_eq!(sessions(&server), ["paff"]);

    let mut terminal = resumed("paff", &home);
    terminal.line("logout");
    terminal.wait_for_end("\nCommand :");
    assert!(!terminal.transcript().contains(&server.log_in("ivy")));
    assert_eq!(home.run(["whoami"]).code, 77);
    leave(terminal);
    assert_eq!(sessions(&server), ["ivy"]);
    leave(prompt(&home));
}

#[test]
fn forgotten_login_is_stored_nowhere_and_ends_with_the_prompt() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt(&home);
    terminal.line("auth --forget paff");
    terminal.wait_for_end("Password:");
    terminal.line("cytus");
    let note = "username paff logged in\nnote: this login ends when you leave\nCommand paff:";
    terminal.wait_for_end(note);
    assert_eq!(sessions(&server), ["paff"]);
    assert_eq!(home.run(["whoami"]).code, 77);
    leave(terminal);
    assert_eq!(sessions(&server), [""; 0]);

    // It does not touch the stored login.
    let home = Home::of("neko", server.address());
    let mut terminal = resumed("neko", &home);
    terminal.line("auth --forget paff cytus");
    terminal.wait_for_end(note);
    leave(terminal);
    assert_eq!(sessions(&server), ["neko"]);
    leave(resumed("neko", &home));
}

#[test]
fn login_that_cannot_be_stored_ends_with_the_prompt() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    fs::set_permissions(home.state(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut terminal = prompt(&home);
    terminal.line("auth paff cytus");
    terminal.wait_for_end("note: this login ends when you leave\nCommand paff:");
    leave(terminal);
    assert_eq!(sessions(&server), ["neko"]);

    // The stored login of one user is not for another.
    let home = Home::new(server.address());
    let mut terminal = Terminal::start(home.cli(["--user", "ivy"]));
    terminal.wait_for_end("Command :");
    terminal.line("auth paff cytus");
    terminal.wait_for_end("note: this login ends when you leave\nCommand paff:");
    log_in(&mut terminal, "ivy");
    assert_eq!(sessions(&server), ["neko", "ivy"]);
    leave(terminal);
    assert_eq!(home.run(["--user", "ivy", "whoami"]).code, 0);
}

#[test]
fn replaced_login_ends_when_nobody_uses_it() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut first = prompt(&home);
    log_in(&mut first, "paff");
    let second = resumed("paff", &home);
    let mut third = resumed("paff", &home);
    assert_eq!(sessions(&server), ["paff"]);
    log_in(&mut third, "neko");
    // Two prompts still use it.
    leave(first);
    let mut wire: Wire = server.connect();
    let token = wire.log_in("ivy");
    assert_eq!(wire.done(format!("list {token}"))["messages"], "List user: paff,neko,ivy");
    leave(second);
    assert_eq!(sessions(&server), ["neko", "ivy"]);
    // The same user again.
    log_in(&mut third, "neko");
    assert_eq!(sessions(&server).len(), 2);
    leave(third);
    leave(resumed("neko", &home));
}

#[test]
fn login_whose_token_was_shown_is_not_ended_by_a_prompt() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let mut terminal = resumed("paff", &home);
    log_in(&mut terminal, "neko");
    leave(terminal);
    assert_eq!(sessions(&server), ["paff", "neko"]);
}

#[test]
fn prompt_leaves_at_once_where_the_server_is_gone() {
    let mut server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt(&home);
    terminal.line("auth --forget paff cytus");
    terminal.wait_for_end("note: this login ends when you leave\nCommand paff:");
    server.kill();
    terminal.wait_for("connection lost");
    leave(terminal);
}
