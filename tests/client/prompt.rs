//! The prompt as a person sees it: a pseudo-terminal, keys and the screen, against a real server.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support;
use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::{BACKSPACE, CTRL_C, CTRL_D, CTRL_R, CTRL_U, Terminal, UP};

/// The prompt of a new user of the machine.
fn prompt(home: &Home) -> Terminal {
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end("Command :");
    terminal
}

/// The prompt of a logged-in user.
fn prompt_of(user: &str, home: &Home) -> Terminal {
    let mut terminal = prompt(home);
    terminal.line(&format!("auth {user} cytus"));
    terminal.wait_for_end(&format!("username {user} logged in\nCommand {user}:"));
    terminal
}

/// Types a line and returns the text between it and the next prompt.
fn answer(terminal: &mut Terminal, prompt: &str, line: &str) -> String {
    let typed = format!("{prompt}{line}");
    let before = terminal.screen().matches(&typed).count();
    terminal.line(line);
    let end = format!("\n{prompt}");
    terminal.wait_until(&typed, |terminal| {
        let screen = terminal.screen();
        screen.matches(&typed).count() > before && screen.ends_with(&end)
    });
    let screen = terminal.screen();
    let (_, answer) = screen.rsplit_once(&format!("{typed}\n")).expect("the line");
    answer.strip_suffix(prompt).expect("the prompt").trim_end().to_owned()
}

#[test]
fn words_are_the_seeds_and_the_token_is_nowhere() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt(&home);
    let screen = terminal.screen();
    assert!(screen.starts_with("Welcome to Chat CLI\nauth USER "), "{screen}");
    for way in ["`help`", "Tab", "Ctrl-D"] {
        assert!(screen.contains(way), "{screen}");
    }
    assert!(!terminal.has_broken_row(), "{screen}");
    assert_eq!(answer(&mut terminal, "Command :", "list"), "Error, not authorized");
    assert_eq!(
        answer(&mut terminal, "Command :", "auth neko cytus2"),
        "Error, the password is wrong"
    );
    assert_eq!(
        answer(&mut terminal, "Command :", "auth sagan cytus"),
        "Error, there is no such user"
    );
    terminal.line("auth paff cytus");
    terminal.wait_for_end("username paff logged in\nCommand paff:");
    for (line, told) in [
        ("send neko hai neko", "message sent to neko"),
        ("send conner hai", "Error, there is no such user: conner"),
        ("list", "\"List user: paff\""),
        ("dance", "*Sorry, there is no such command: type help"),
        ("send neko", "-Sorry, something is missing in this command: type help"),
        ("inbox", "no new messages"),
        ("", ""),
    ] {
        assert_eq!(answer(&mut terminal, "Command paff:", line), told, "{line:?}");
    }
    assert!(answer(&mut terminal, "Command paff:", "help").contains("send USER TEXT"));
    terminal.line("logout");
    terminal.wait_for_end("logged out\nCommand :");
    terminal.line("quit");
    assert!(terminal.wait().success());
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let token = |word: &str| word.len() == 36 && word.split('-').all(hex);
    let transcript = terminal.transcript();
    let words = transcript.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '-');
    assert_eq!(words.filter(|word| token(word)).count(), 0, "{transcript}");
}

#[test]
fn password_is_asked_for_and_not_shown() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt(&home);
    terminal.line("auth paff");
    terminal.wait_for_end("Password:");
    assert!(!terminal.echoes());
    terminal.keys(format!("wrong{CTRL_U}cytux{BACKSPACE}s\r"));
    terminal.wait_for_end("username paff logged in\nCommand paff:");
    assert!(!terminal.transcript().contains("cyt"), "{}", terminal.transcript());

    // There, Ctrl-C returns to the prompt and restores the terminal.
    terminal.line("auth neko");
    terminal.wait_for_end("Password:");
    terminal.keys(format!("cyt{CTRL_C}"));
    terminal.wait_for_end("Command paff:");
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());
    assert!(terminal.is_as_before());
}

#[test]
fn one_shot_auth_asks_without_echo_and_ctrl_c_leaves_the_terminal_well() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = Terminal::start(home.cli(["auth", "paff"]));
    terminal.wait_for_end("Password for paff:");
    assert!(!terminal.echoes());
    terminal.line("cytus");
    assert!(terminal.wait().success());
    assert_eq!(terminal.screen(), "Password for paff:\nusername paff logged in");
    assert!(!terminal.transcript().contains(&home.token()));

    let mut terminal = Terminal::start(home.cli(["auth", "paff"]));
    terminal.wait_for_end("Password for paff:");
    terminal.keys(format!("cyt{CTRL_C}"));
    assert_eq!(terminal.wait().code(), Some(130));
    assert!(terminal.is_as_before());
}

#[test]
fn one_shot_send_without_a_text_is_a_usage_error_on_a_terminal() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let mut terminal = Terminal::start(home.cli(["send", "neko"]));
    assert_eq!(terminal.wait().code(), Some(2));
    assert!(terminal.screen().contains("hint: "), "{}", terminal.screen());
}

#[test]
fn history_remembers_lines_and_never_a_login() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt(&home);
    terminal.line("auth paff wrong-secret");
    terminal.wait_for_end("Error, the password is wrong\nCommand :");
    terminal.line("  auth paff cytus");
    terminal.wait_for_end("Command paff:");
    answer(&mut terminal, "Command paff:", "send neko hai neko");
    answer(&mut terminal, "Command paff:", "list");
    terminal.keys(format!("{UP}{UP}"));
    terminal.wait_for_end("Command paff:send neko hai neko");
    // It is the first line.
    terminal.keys(format!("{UP}{UP} again\r"));
    terminal
        .wait_for_end("Command paff:send neko hai neko again\nmessage sent to neko\nCommand paff:");
    terminal.keys(format!("{CTRL_R}hai neko"));
    terminal.wait_for("(reverse-i-search)`hai neko': send neko hai neko again");
    terminal.keys("\r");
    terminal.wait_for_end("\nmessage sent to neko\nCommand paff:");
    // A line that was not understood can be corrected, and is gone with the prompt.
    let told = answer(&mut terminal, "Command paff:", "lgoin paff wrong-secret");
    assert_eq!(told, "*Sorry, there is no such command: did you mean `auth`?");
    terminal.keys(UP);
    terminal.wait_for_end("Command paff:lgoin paff wrong-secret");
    terminal.keys(CTRL_U);
    terminal.wait_for_end("Command paff:");
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());

    let file = home.state().join("history");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let history = fs::read_to_string(&file).unwrap();
    assert!(history.contains("send neko hai neko again"), "{history}");
    for secret in ["auth", "cytus", "wrong-secret"] {
        assert!(!history.contains(secret), "{history}");
    }
    let mut later = Terminal::start(home.cli([""; 0]));
    later.wait_for_end("Command paff:");
    later.keys(UP);
    later.wait_for_end("Command paff:send neko hai neko again");
}

#[test]
fn ctrl_c_clears_the_line_and_ctrl_d_ends() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    terminal.keys("send neko not this");
    terminal.wait_for_end("send neko not this");
    terminal.keys(CTRL_C);
    terminal.wait_for_end("\nCommand paff:");
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());
    assert_eq!(server.query("select count(*) from messages"), ["0"]);
}

#[test]
fn inbox_is_laid_out_for_reading_and_harmless() {
    let server = Server::start();
    let home = Home::new(server.address());
    let paff = Home::of("paff", server.address());
    let vanessa = Home::of("vanessa", server.address());
    paff.run(["send", "neko", "hai neko"]);
    vanessa.run_with_input(["send", "neko"], "one\n  two\x1b[2J\u{202e}\n");
    paff.run(["send", "neko", &"猫".repeat(40)]);
    let mut terminal = prompt(&home);
    terminal.line("auth neko cytus");
    terminal.wait_for_end("3 unread messages, type inbox\nCommand neko (3):");
    terminal.line("inbox");
    terminal.wait_for_end("\nCommand neko:");
    let screen = terminal.screen();
    let (_, told) = screen.rsplit_once("Command neko (3):inbox\n").expect("the inbox");
    let rows: Vec<&str> = told.lines().collect();
    // The day line; and another, should midnight fall between the messages.
    let messages: Vec<String> = rows
        .iter()
        .filter(|row| row.starts_with("  "))
        .map(|row| {
            format!("{}{}", if row.as_bytes()[4] == b':' { "hh:mm" } else { "     " }, &row[7..])
        })
        .collect();
    assert_eq!(
        messages,
        [
            "hh:mm  paff     hai neko",
            "hh:mm  vanessa  one",
            "                  two\\x1b[2J\\u{202e}",
            &format!("hh:mm  paff     {}", "猫".repeat(31)),
            &format!("                {}", "猫".repeat(9)),
        ]
    );
    let day: Vec<char> = rows[0].chars().collect();
    assert!(day.len() == "Mon 2026-11-23".len() && day[3] == ' ' && day[8] == '-', "{told}");
    assert_eq!(answer(&mut terminal, "Command neko:", "inbox"), "no new messages");

    // The one-shot command on a terminal does the same.
    paff.run(["send", "vanessa", "hai"]);
    let mut terminal = Terminal::start(vanessa.cli(["inbox", "--time", "utc"]));
    assert!(terminal.wait().success());
    assert!(terminal.screen().ends_with("  paff  hai"), "{}", terminal.screen());
}

#[test]
fn stored_session_is_taken_over_and_forgotten_when_it_ends() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let file = home.session_file();
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end("username paff logged in\nCommand paff:");
    assert_eq!(answer(&mut terminal, "Command paff:", "list"), "\"List user: paff\"");
    terminal.line("logout");
    terminal.wait_for_end("logged out\nCommand :");
    assert!(!file.exists());

    let home = Home::of("paff", server.address());
    let file = home.session_file();
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end("Command paff:");
    server.connect().done(format!("logout {}", home.token()));
    terminal.wait_for_end("log in again with `auth USER`\nCommand paff:");
    terminal.line("list");
    terminal.wait_for_end("Error, not authorized\nCommand :");
    assert!(!file.exists());
}

#[test]
fn state_that_others_can_read_is_reported_and_the_prompt_still_appears() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    fs::set_permissions(home.state(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut terminal = prompt(&home);
    assert!(terminal.screen().contains("hint: chmod 700 "), "{}", terminal.screen());
    terminal.line("auth paff cytus");
    terminal.wait_for_end("Command paff:");
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());
    assert!(!home.state().join("history").exists());
}

#[test]
fn restart_of_the_server_is_reported_and_the_token_still_works() {
    let mut server = Server::start();
    let home = Home::new(server.address());
    let address = server.address().to_string();
    let mut terminal = prompt_of("paff", &home);
    server.kill();
    terminal.line("list");
    terminal.wait_for(&format!("error: cannot reach {address}: "));
    terminal.wait_for_end("\nCommand paff:");
    let database = server.database();
    // At the same address, which `start_again` would not use.
    let mut command = support::server_command(&database);
    command.args(["--listen", &address]).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let told = answer(&mut terminal, "Command paff:", "list");
    child.kill().unwrap();
    child.wait().unwrap();
    // The live watch may report in between that it is connected again.
    assert!(told.contains("\"List user: paff\""), "{told} {line}");
}

#[test]
fn trace_is_for_the_classic_session() {
    let home = Home::new("127.0.0.1:1".parse().unwrap());
    let mut terminal = Terminal::start(home.cli(["--trace"]));
    assert_eq!(terminal.wait().code(), Some(2));
}
