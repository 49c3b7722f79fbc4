//! The live prompt: messages that arrive while a line is being typed. The tests compare the screen,
//! not only the output.

use std::time::Instant;

use crate::support::cli::Home;
use crate::support::pty::{
    CTRL_C, CTRL_D, CTRL_L, CTRL_R, DOWN, ENTER, LEFT, PASTE_BEGIN, PASTE_END, TAB, Terminal, UP,
};
use crate::support::{PATIENCE, Server, Wire};

/// The prompt of a logged-in user, on a terminal with this many columns.
fn prompt_of(user: &str, home: &Home, columns: u16) -> Terminal {
    let mut terminal = Terminal::start_sized(home.cli([""; 0]), 40, columns);
    terminal.wait_for_end("Command :");
    terminal.line(&format!("auth {user} cytus"));
    terminal.wait_for(&format!("username {user} logged in\n"));
    terminal.wait_until("the prompt", |terminal| terminal.cursor_row().starts_with("Command "));
    terminal
}

/// A user who sends messages to neko.
struct Sender {
    wire: Wire,
    token: String,
}

impl Sender {
    fn new(user: &str, server: &Server) -> Self {
        let mut wire = server.connect();
        let token = wire.log_in(user);
        Self { wire, token }
    }

    fn send(&mut self, body: &str) {
        let body = serde_json::to_string(body).unwrap();
        self.wire.done(format!(r#"post {} {{"to": ["neko"], "body": {body}}}"#, self.token));
    }
}

/// The screen after neko's login, with the time of each message as `hh:mm`.
fn live(terminal: &Terminal) -> String {
    let screen = terminal.screen();
    let (_, live) = screen.rsplit_once("logged in").expect("the login");
    let rows = live.trim_start_matches('\n').lines().map(|row| {
        let is_time = row.as_bytes().get(4) == Some(&b':') && row.starts_with("  ");
        if is_time { format!("  hh:mm{}", &row[7..]) } else { row.to_owned() }
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// Waits until this is on the screen after the login, with the cursor after `before_cursor` in its
/// row.
fn wait_for_live(terminal: &mut Terminal, expected: &str, columns_before_cursor: u16) {
    terminal.wait_until(expected, |terminal| {
        live(terminal) == expected && terminal.cursor_column() == columns_before_cursor
    });
}

/// The server's unread count for this token.
fn unread(server: &Server, token: &str) -> i64 {
    server.connect().done(format!("unread {token}"))["unread"].as_i64().unwrap()
}

fn wait_for_unread(server: &Server, token: &str, count: i64) {
    let deadline = Instant::now() + PATIENCE;
    while unread(server, token) != count {
        assert!(Instant::now() < deadline, "{} unread", unread(server, token));
        std::thread::yield_now();
    }
}

#[test]
fn message_appears_above_the_draft_which_stays_as_it_is() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut terminal = prompt_of("neko", &home, 80);
    terminal.keys("send paff ha");
    wait_for_live(&mut terminal, "Command neko:send paff ha", 25);
    paff.send("hai neko");
    wait_for_live(&mut terminal, "  hh:mm  paff  hai neko\nCommand neko:send paff ha", 25);
    terminal.keys("i\r");
    terminal
        .wait_for_end("hai neko\nCommand neko:send paff hai\nmessage sent to paff\nCommand neko:");
    assert_eq!(server.query("select body from messages where id = 2"), ["hai"]);
}

#[test]
fn message_to_an_empty_line_appears_above_the_prompt() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut terminal = prompt_of("neko", &home, 80);
    paff.send("one\ntwo");
    wait_for_live(&mut terminal, "  hh:mm  paff  one\n               two\nCommand neko:", 13);
    // Also at the top and at the bottom of the screen.
    terminal.keys(CTRL_L);
    terminal.wait_until("an empty screen", |terminal| terminal.screen() == "Command neko:");
    paff.send("three");
    terminal.wait_until("the message at the top", |terminal| {
        terminal.screen().lines().count() == 2 && terminal.screen().contains("  paff  three\n")
    });
    for number in 0..50 {
        paff.send(&format!("line {number}"));
    }
    let expected: Vec<String> = (11..50).map(|number| format!("  paff  line {number}")).collect();
    terminal.wait_until("the last messages", |terminal| {
        let screen = terminal.screen();
        let rows: Vec<&str> = screen.lines().collect();
        rows.len() == 40
            && rows.iter().zip(&expected).all(|(row, expected)| row.ends_with(expected.as_str()))
            && rows[39] == "Command neko:"
    });
}

#[test]
fn cursor_stays_in_the_middle_of_the_draft() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut terminal = prompt_of("neko", &home, 80);
    terminal.keys(format!("send paff one three{}", LEFT.repeat(5)));
    wait_for_live(&mut terminal, "Command neko:send paff one three", 27);
    paff.send("a");
    paff.send("b");
    let above = "  hh:mm  paff  a\n  hh:mm  paff  b\n";
    wait_for_live(&mut terminal, &format!("{above}Command neko:send paff one three"), 27);
    terminal.keys("two ");
    wait_for_live(&mut terminal, &format!("{above}Command neko:send paff one two three"), 31);
}

#[test]
fn draft_of_several_rows_with_wide_characters_stays() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut terminal = prompt_of("neko", &home, 40);
    // Prompt and verb take 13 + 10 columns. 猫 takes two, so the last one does not fit into the row.
    let draft = format!("send paff {}", "猫".repeat(30));
    terminal.keys(format!("{draft}{}", LEFT.repeat(2)));
    let rows = format!(
        "Command neko:send paff {}\n{}\n{}",
        "猫".repeat(8),
        "猫".repeat(20),
        "猫".repeat(2)
    );
    wait_for_live(&mut terminal, &rows, 0);
    paff.send(&format!("{}🐱", "語".repeat(14)));
    let above =
        format!("  hh:mm  paff  {}\n               {}🐱\n", "語".repeat(12), "語".repeat(2));
    wait_for_live(&mut terminal, &format!("{above}{rows}"), 0);
    terminal.keys("x");
    let rows = format!("{}x猫猫", rows.strip_suffix("猫猫").expect("the last row"));
    wait_for_live(&mut terminal, &format!("{above}{rows}"), 1);
    terminal.keys(ENTER);
    terminal.wait_for("message sent to paff");
    let sent = format!("{}x{}", "猫".repeat(28), "猫".repeat(2));
    assert_eq!(server.query("select body from messages where id = 2"), [sent]);
}

#[test]
fn draft_that_exactly_fills_its_row_stays() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut terminal = prompt_of("neko", &home, 40);
    let draft = "x".repeat(27);
    terminal.keys(&draft);
    wait_for_live(&mut terminal, &format!("Command neko:{draft}"), 0);
    paff.send("a");
    wait_for_live(&mut terminal, &format!("  hh:mm  paff  a\nCommand neko:{draft}"), 0);
    terminal.keys("y");
    wait_for_live(&mut terminal, &format!("  hh:mm  paff  a\nCommand neko:{draft}\ny"), 1);
}

#[test]
fn burst_is_shown_in_order_and_once_during_typing() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("neko", &home, 80);
    let mut senders = [Sender::new("paff", &server), Sender::new("ivy", &server)];
    for number in 0..30 {
        terminal.keys("ab");
        senders[number % 2].send(&format!("message {number}."));
        terminal.keys("c");
    }
    let draft = "abc".repeat(30);
    let rows = format!("Command neko:{}\n{}", &draft[..67], &draft[67..]);
    terminal.wait_until("all of it", |terminal| {
        terminal.screen().ends_with(&rows) && terminal.screen().contains("message 29.")
    });
    let screen = terminal.screen();
    let shown: Vec<&str> = screen
        .lines()
        .filter_map(|row| row.split_once("  message "))
        .map(|(_, number)| number.trim_end_matches('.'))
        .collect();
    let expected: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    assert_eq!(shown, expected, "{screen}");
}

#[test]
fn hostile_message_does_nothing_to_the_terminal() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut terminal = prompt_of("neko", &home, 80);
    terminal.keys("send paff x");
    paff.send("\x1b[2J\x1b[1;1H\x07\u{9b}31m\rCommand neko:fake\x08\u{202e}");
    let shown = r"\x1b[2J\x1b[1;1H\x07\u{9b}31m\rCommand neko:fake\x08\u{202e}";
    wait_for_live(&mut terminal, &format!("  hh:mm  paff  {shown}\nCommand neko:send paff x"), 24);
    assert!(!terminal.transcript().contains('\x07') && !terminal.transcript().contains("\x1b[2J"));
}

#[test]
fn pasted_newline_does_not_send_and_the_draft_is_one_message() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut terminal = prompt_of("neko", &home, 80);
    terminal.keys(format!("send paff {PASTE_BEGIN}one\r  two\x07\u{9b}31m\rthree{PASTE_END}"));
    let draft = "Command neko:send paff one\n  two31m\nthree";
    wait_for_live(&mut terminal, draft, 5);
    // A message above a draft of several lines.
    paff.send("hai");
    wait_for_live(&mut terminal, &format!("  hh:mm  paff  hai\n{draft}"), 5);
    assert_eq!(server.query("select count(*) from messages"), ["1"]);
    terminal.keys(ENTER);
    terminal.wait_for_end("three\nmessage sent to paff\nCommand neko:");
    assert_eq!(
        server.query("select body from messages where id = 2"),
        ["one\n  two\x07\u{9b}31m\nthree"]
    );

    // Pasted lines are not commands either.
    terminal.keys(format!("{PASTE_BEGIN}send paff a\nsend paff b\n{PASTE_END}"));
    terminal.wait_until("the paste", |terminal| {
        terminal.screen().ends_with("Command neko:send paff a\nsend paff b")
    });
    terminal.keys(CTRL_C);
    terminal.wait_for_end("\nCommand neko:");
    assert_eq!(server.query("select count(*) from messages"), ["2"]);
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());
}

#[test]
fn tab_completes_verbs_and_users() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut vanessa = Sender::new("vanessa", &server);
    let mut terminal = prompt_of("neko", &home, 80);
    terminal.keys(format!("his{TAB}"));
    wait_for_live(&mut terminal, "Command neko:history", 21);
    // A user who was already logged in.
    terminal.keys(format!("va{TAB}{CTRL_C}"));
    terminal.wait_for_end("Command neko:history vanessa\nCommand neko:");
    // A user who was not.
    let mut ivy = Sender::new("ivy", &server);
    ivy.send("hai");
    terminal.wait_for("ivy  hai\n");
    terminal.keys(format!("sen{TAB}i{TAB}hai juga\r"));
    terminal.wait_for_end("Command neko:send ivy hai juga\nmessage sent to ivy\nCommand neko:");
    // The possible words are listed, and messages still appear.
    terminal.keys(format!("se{TAB}"));
    terminal.wait_for_end("Command neko:se\nsearch     send       sessions\nCommand neko:se");
    vanessa.send("one more");
    terminal.wait_for_end("  vanessa  one more\nCommand neko:se");
    terminal.keys(format!("s{TAB}"));
    terminal.wait_for_end("  vanessa  one more\nCommand neko:sessions");
}

#[test]
fn shown_messages_count_as_read_with_the_next_enter() {
    let server = Server::start();
    let home = Home::new(server.address());
    let token = server.log_in("neko");
    let mut paff = Sender::new("paff", &server);
    let mut terminal = prompt_of("neko", &home, 80);
    paff.send("hai neko");
    terminal.wait_for("paff  hai neko\n");
    // It was shown, but perhaps nobody saw it.
    assert_eq!(unread(&server, &token), 1);
    terminal.line("inbox");
    terminal.wait_for_end("Command neko:inbox\nno new messages\nCommand neko:");
    assert_eq!(unread(&server, &token), 0);
    paff.send("later");
    terminal.wait_for("paff  later\n");
    terminal.keys(ENTER);
    wait_for_unread(&server, &token, 0);
    paff.send("last");
    terminal.wait_for("paff  last\n");
    // Messages are shown again after a broken connection or without another Enter.
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());
    assert_eq!(unread(&server, &token), 1);
}

#[test]
fn unread_messages_are_counted_in_the_prompt_until_inbox_shows_them() {
    let server = Server::start();
    let home = Home::new(server.address());
    let token = server.log_in("neko");
    let mut paff = Sender::new("paff", &server);
    paff.send("one");
    paff.send("two");
    let mut terminal = prompt_of("neko", &home, 80);
    assert_eq!(live(&terminal), "2 unread messages, type inbox\nCommand neko (2):");
    // A message shown now cannot count as read before the older ones.
    terminal.keys("x");
    paff.send("three");
    let above = "2 unread messages, type inbox\n  hh:mm  paff  three\n";
    wait_for_live(&mut terminal, &format!("{above}Command neko (3):x"), 18);
    terminal.keys(CTRL_C);
    wait_for_live(&mut terminal, &format!("{above}Command neko (3):x\nCommand neko (3):"), 17);
    terminal.keys(ENTER);
    let prompts = "Command neko (3):x\nCommand neko (3):\nCommand neko (3):";
    wait_for_live(&mut terminal, &format!("{above}{prompts}"), 17);
    assert_eq!(unread(&server, &token), 3);
    terminal.line("inbox");
    terminal.wait_for_end("\nCommand neko:");
    let screen = live(&terminal);
    let (_, inbox) = screen.rsplit_once("Command neko (3):inbox\n").expect("the inbox");
    let rows: Vec<&str> = inbox.lines().skip(1).collect();
    assert_eq!(
        rows,
        ["  hh:mm  paff  one", "  hh:mm  paff  two", "  hh:mm  paff  three", "Command neko:"]
    );
    assert_eq!(unread(&server, &token), 0);
}

#[test]
fn count_in_the_prompt_knows_what_was_read_elsewhere() {
    let server = Server::start();
    let home = Home::new(server.address());
    let token = server.log_in("neko");
    let mut paff = Sender::new("paff", &server);
    paff.send("one");
    let mut terminal = prompt_of("neko", &home, 80);
    paff.send("two");
    terminal.wait_for("  paff  two\nCommand neko (2):");
    server.connect().done(format!("inbox {token}"));
    terminal.keys(ENTER);
    terminal.wait_for_end("\nCommand neko:");
}

#[test]
fn lost_connection_is_reported_once_and_nothing_is_missed() {
    let mut server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("neko", &home, 80);
    terminal.keys("send paff draft");
    server.kill();
    wait_for_live(&mut terminal, "connection lost, reconnecting\nCommand neko:send paff draft", 28);
    server.start_again_at_its_address();
    let mut paff = Sender::new("paff", &server);
    paff.send("are you back?");
    let above = "connection lost, reconnecting\nconnected again\n  hh:mm  paff  are you back?\n";
    wait_for_live(&mut terminal, &format!("{above}Command neko:send paff draft"), 28);
    terminal.keys(ENTER);
    terminal.wait_for_end("message sent to paff\nCommand neko:");
}

#[test]
fn prompt_without_a_server_says_so_once_and_finds_it_later() {
    let mut server = Server::start();
    let home = Home::of("neko", server.address());
    let mut paff = Sender::new("paff", &server);
    paff.send("old");
    server.kill();
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for("the server cannot be reached yet, still trying\nCommand neko:");
    server.start_again_at_its_address();
    terminal.wait_for_end("still trying\nconnected\nCommand neko:");
    let mut paff = Sender::new("paff", &server);
    paff.send("new");
    terminal.wait_for_end("  paff  new\nCommand neko:");
    terminal.keys(ENTER);
    terminal.wait_for_end("2 unread messages, type inbox\nCommand neko (2):");
}

#[test]
fn session_that_is_ended_elsewhere_is_reported_once() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("neko", &home, 80);
    terminal.keys("send paff x");
    wait_for_live(&mut terminal, "Command neko:send paff x", 24);
    let mut other = server.connect();
    let token = other.log_in("neko");
    other.done(format!(r#"revoke {token} {{"others": true}}"#));
    let told = "the session was ended elsewhere, log in again with `auth USER`\n";
    wait_for_live(&mut terminal, &format!("{told}Command neko:send paff x"), 24);
    terminal.keys(ENTER);
    let after = "Command neko:send paff x\nError, not authorized\nCommand :";
    wait_for_live(&mut terminal, &format!("{told}{after}"), 9);
}

#[test]
fn another_login_and_logout_switch_the_stream() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut terminal = prompt_of("neko", &home, 80);
    terminal.line("auth ivy cytus");
    terminal.wait_for_end("username ivy logged in\nCommand ivy:");
    paff.send("for neko only");
    paff.wire.done(format!("send {} ivy for ivy", paff.token));
    terminal.wait_for_end("  paff  for ivy\nCommand ivy:");
    assert!(!terminal.screen().contains("for neko only"));
    terminal.line("logout");
    terminal.wait_for_end("logged out\nCommand :");
    paff.wire.done(format!("send {} ivy for nobody", paff.token));
    terminal.line("auth neko cytus");
    terminal.wait_for_end("logged in\n1 unread message, type inbox\nCommand neko (1):");
    assert!(!terminal.screen().contains("for nobody") && !terminal.screen().contains("elsewhere"));
}

#[test]
fn every_verb_is_in_help_and_does_what_it_says() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let other = server.log_in("neko");
    let mut terminal = prompt_of("neko", &home, 80);
    terminal.line("help");
    terminal.wait_for_end("until you press Enter.\nCommand neko:");
    let help = terminal.screen();
    for verb in chat::client::prompt::line::VERBS {
        let has = |row: &str| row.starts_with(verb) || row.starts_with(&format!("quit, {verb}"));
        assert!(help.lines().any(has), "{verb}");
    }
    let ask = |terminal: &mut Terminal, line: &str, told: &str| {
        terminal.line(line);
        terminal.wait_for_end(&format!("Command neko:{line}\n{told}\nCommand neko:"));
    };
    ask(&mut terminal, "whoami", "neko (Neko UwU)");
    ask(&mut terminal, "unread", "no new messages");
    ask(&mut terminal, "history", "no messages");
    ask(&mut terminal, "history Nobody!", "Error, there is no such user: Nobody!");
    paff.send("hai neko");
    terminal.wait_for("  paff  hai neko\n");
    ask(&mut terminal, "send paff hai juga", "message sent to paff");
    terminal.line("history paff");
    terminal.wait_until("both directions", |terminal| {
        let screen = terminal.screen();
        let (_, history) = screen.rsplit_once("history paff\n").unwrap_or_default();
        let rows: Vec<&str> = history.lines().collect();
        rows.len() == 4 && rows[1].ends_with("  paff  hai neko") && rows[2].ends_with("  hai juga")
    });
    terminal.line("sessions");
    terminal.wait_for("last used\n");
    terminal.wait_for_end("\nCommand neko:");
    ask(&mut terminal, "revoke", "-Sorry, something is missing in this command: type help");
    ask(&mut terminal, "revoke x", "-Sorry, something is missing in this command: type help");
    ask(&mut terminal, "revoke others", "1 session ended");
    assert_eq!(server.connect().refused(format!("whoami {other}")), "no_session");

    terminal.line("passwd");
    for (question, password) in
        [("Old password:", "cytus"), ("New password:", "secret"), ("New password again:", "secret")]
    {
        terminal.wait_for_end(question);
        // Messages that arrive meanwhile wait.
        paff.send("psst");
        terminal.line(password);
    }
    terminal.wait_for("password changed, 0 sessions ended\n");
    terminal.wait_until("the messages", |terminal| {
        let screen = terminal.screen();
        let (_, after) = screen.rsplit_once("sessions ended\n").unwrap_or_default();
        after.matches("  paff  psst\n").count() == 3 && after.ends_with("Command neko:")
    });
    assert!(!terminal.transcript().contains("secret"));
    server.connect().done("auth neko secret");
}

#[test]
fn terminal_that_cannot_move_its_cursor_shows_messages_before_each_prompt() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut command = home.cli([""; 0]);
    command.env("TERM", "dumb");
    let mut terminal = Terminal::start(command);
    terminal.wait_for_end("Command :");
    terminal.line("auth neko cytus");
    terminal.wait_for_end("username neko logged in\nCommand neko:");
    paff.send("hai neko");
    let deadline = Instant::now() + PATIENCE;
    while !terminal.screen().contains("paff  hai neko") {
        assert!(Instant::now() < deadline, "{}", terminal.screen());
        let prompts = terminal.screen().matches("Command neko:").count();
        terminal.keys(ENTER);
        terminal.wait_until("another prompt", |terminal| {
            terminal.screen().matches("Command neko:").count() > prompts
                || terminal.screen().contains("paff  hai neko")
        });
    }
    assert!(!terminal.transcript().contains('\x1b'));
}

#[test]
fn draft_that_is_recalled_or_searched_for_stays() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut terminal = prompt_of("neko", &home, 80);
    terminal.line("send ivy one");
    terminal.wait_for_end("message sent to ivy\nCommand neko:");
    terminal.line("whoami");
    terminal.wait_for_end("neko (Neko UwU)\nCommand neko:");
    terminal.keys(format!("{UP}{UP}"));
    terminal.wait_for_end("Command neko:send ivy one");
    paff.send("first");
    terminal.wait_for_end("  paff  first\nCommand neko:send ivy one");
    // The position in the history is unchanged.
    terminal.keys(DOWN);
    terminal.wait_for_end("  paff  first\nCommand neko:whoami");
    terminal.keys(CTRL_C);
    terminal.wait_for_end("Command neko:whoami\nCommand neko:");
    terminal.keys(format!("{CTRL_R}ivy"));
    terminal.wait_for_end("(reverse-i-search)`ivy': send ivy one");
    paff.send("second");
    terminal.keys(ENTER);
    terminal.wait_until("the message", |terminal| {
        let screen = terminal.screen();
        screen.contains("  paff  second\n")
            && screen.contains("Command neko:send ivy one\nmessage sent to ivy\n")
            && screen.ends_with("\nCommand neko:")
    });
}

#[test]
fn prompt_is_live_without_colours_too() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut command = home.cli([""; 0]);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command);
    terminal.wait_for_end("Command :");
    terminal.line("auth neko cytus");
    terminal.wait_for_end("username neko logged in\nCommand neko:");
    paff.send("hai neko");
    wait_for_live(&mut terminal, "  hh:mm  paff  hai neko\nCommand neko:", 13);
    let transcript = terminal.transcript();
    assert!(!transcript.split("\x1b[").any(|sequence| sequence.contains('m') && {
        let (parameters, _) = sequence.split_once('m').expect("an m");
        parameters.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
    }));
}

#[test]
fn draft_longer_than_the_screen_goes_on_as_it_was() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut paff = Sender::new("paff", &server);
    let mut terminal = Terminal::start_sized(home.cli([""; 0]), 8, 40);
    terminal.wait_for_end("Command :");
    terminal.line("auth neko cytus");
    terminal.wait_for_end("username neko logged in\nCommand neko:");
    let rows: Vec<String> = (10..30).map(|row| format!("row {row}")).collect();
    terminal.keys(format!("send paff {PASTE_BEGIN}{}{PASTE_END}", rows.join("\n")));
    let end = rows[13..].join("\n");
    terminal.wait_for_end(&end);
    paff.send("hai neko");
    wait_for_unread(&server, &server.log_in("neko"), 1);
    terminal.keys("!");
    terminal.wait_for_end(&format!("{end}!"));
    assert_eq!(terminal.cursor_column(), 7);
    terminal.keys(ENTER);
    terminal.wait_for_end("message sent to paff\nCommand neko:");
    let sent = format!("{}!", rows.join("\n"));
    assert_eq!(server.query("select body from messages where id = 2"), [sent]);
    assert!(terminal.transcript().contains("hai neko"));
}

#[test]
fn message_that_is_sent_elsewhere_appears_and_one_that_is_sent_here_does_not() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("neko", &home, 80);
    terminal.line("send paff from here");
    terminal.wait_for_end("message sent to paff\nCommand neko:");
    // By the same session as the prompt's, and by another.
    assert_eq!(home.run(["send", "ivy,paff", "from there"]).code, 0);
    terminal.wait_until("two copies", |terminal| {
        let screen = live(terminal);
        let told = "  hh:mm  > ivy  from there\n  hh:mm  > paff  from there\nCommand neko:";
        screen.ends_with(told)
    });
    let mut neko = Sender::new("neko", &server);
    neko.wire.done(format!("send {} neko to myself", neko.token));
    neko.wire.done(format!("send {} robo seeds", neko.token));
    terminal.wait_for("> robo  seeds\nCommand neko:");
    let screen = live(&terminal);
    assert_eq!(screen.matches("from here").count(), 1, "{screen}");
    assert_eq!(screen.matches("to myself").count(), 1, "{screen}");
    assert!(screen.contains("  hh:mm  neko  to myself\n"), "{screen}");
}
