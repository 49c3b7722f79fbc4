//! `users`: all users, as a command, at the prompt, and for completion.

use std::time::Instant;

use crate::support::cli::Home;
use crate::support::pty::Terminal;
use crate::support::{PATIENCE, Server};

#[test]
fn users_are_printed_in_the_order_of_their_names() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let outcome = home.run(["users"]);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (0, "ivy\tIvy\nneko\tNeko UwU\npaff\tPaff Aroma\nrobo\tRobo Head\nvanessa\tVanessa\n")
    );
    let json = home.run(["users", "--json"]).stdout;
    assert!(
        json.starts_with("{\"v\": 1, \"user\": \"ivy\", \"display_name\": \"Ivy\"}\n"),
        "{json}"
    );
    assert_eq!(json.lines().count(), 5);
}

#[test]
fn more_than_a_page_is_printed_whole() {
    let server = Server::start_with_users(2_000);
    let home = Home::of("paff", server.address());
    assert_eq!(home.run(["users"]).stdout.lines().count(), 2_005);
}

#[test]
fn hidden_users_are_an_error_and_completion_uses_those_who_are_logged_in() {
    let server = Server::start_with(&["--hide-users"]);
    let home = Home::of("paff", server.address());
    let outcome = home.run(["users"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("this server does not list its users"), "{outcome:?}");
    let outcome = home.run(["--lang", "id", "users"]);
    assert!(outcome.stderr.contains("tidak menampilkan daftar"), "{outcome:?}");
    // The server has 150 ms to answer, and a busy machine may take longer.
    let begun = Instant::now();
    let completed = || home.run(["completions", "bash", "--", "chat-cli", "send", ""]).stdout;
    while completed() != "words\npaff\t\n" {
        assert!(begun.elapsed() < PATIENCE, "{}", completed());
    }
}

#[test]
fn prompt_lists_users_and_completes_those_who_never_logged_in() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end("Command :");
    terminal.line("auth paff cytus");
    terminal.wait_for_end("Command paff:");
    terminal.keys("send va\t");
    terminal.wait_for_end("Command paff:send vanessa");
    terminal.keys("hai\r");
    terminal.wait_for_end("message sent to vanessa\nCommand paff:");
    terminal.line("users");
    terminal
        .wait_for_end("paff     Paff Aroma\nrobo     Robo Head\nvanessa  Vanessa\nCommand paff:");
}
