//! The progress of `send --lines`: on standard error, only at a terminal, and gone at the end.

use std::fs;

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::Terminal;

/// A server whose database is locked, and a file of lines to send there.
fn locked() -> (Server, rusqlite::Connection, Home) {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    fs::write(home.path().join("letters"), "hai\n".repeat(100)).expect("a file");
    let lock = rusqlite::Connection::open(server.database()).expect("the database");
    lock.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    (server, lock, home)
}

#[test]
fn sending_a_file_shows_bytes_and_the_time_left_until_the_end() {
    let (_server, lock, home) = locked();
    // The line is wider than the second terminal.
    for (columns, language) in [(80, "en"), (20, "id")] {
        let mut command = home.cli(["send", "neko", "--lines", "--file", "letters"]);
        command.env("CHAT_LANG", language).env("TERM", "xterm").current_dir(home.path());
        let mut terminal = Terminal::start_sized(command, 40, columns);
        let begin =
            if language == "en" { "sending … 0 %  0 B/400 B" } else { "mengirim … 0 %" };
        terminal.wait_for(begin);
        lock.execute_batch("ROLLBACK").expect("no lock");
        assert!(terminal.wait().success());
        let told =
            if language == "en" { "100 messages sent to neko" } else { "100 pesan terkirim" };
        assert!(terminal.screen().starts_with(told), "{}", terminal.screen());
        lock.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    }
}

#[test]
fn output_of_a_pipe_has_no_progress() {
    let (_server, lock, home) = locked();
    let mut command = home.cli(["send", "neko", "--lines", "--file", "letters"]);
    command.args(["--timeout", "1s"]).env("TERM", "xterm").current_dir(home.path());
    let outcome = crate::support::cli::outcome(command);
    assert_eq!(outcome.code, 75, "{outcome:?}");
    assert!(!outcome.stderr.contains("sending") && !outcome.stderr.contains('\x1b'), "{outcome:?}");
    drop(lock);
}
