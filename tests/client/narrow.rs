//! No row is wider than the terminal, from one column on. A row that the terminal wrapped would
//! continue in its first column, where a text could pass for another message.

use unicode_width::UnicodeWidthStr;

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::Terminal;

const COLUMNS: [u16; 8] = [1, 2, 5, 20, 30, 31, 80, 200];
const TEXT: &str = "hai 猫猫猫猫 neko, apa kabar hari ini? \n  Lama-tidak-bertemu❤\u{fe0f}";

/// The letters alone, wrapped at this many columns.
fn letters(text: &str, columns: u16) -> String {
    let text = if columns == 1 {
        text.replace('猫', "?").replace("❤\u{fe0f}", "?")
    } else {
        text.to_owned()
    };
    text.split_whitespace().collect()
}

#[test]
fn rows_of_an_inbox_fit_the_terminal() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let vanessa = Home::of("vanessa", server.address());
    vanessa.run_with_input(["send", "neko"], TEXT);
    for clock in ["local", "relative"] {
        for columns in COLUMNS {
            let command = home.cli(["inbox", "--peek", "--time", clock]);
            let mut terminal = Terminal::start_sized(command, 200, columns);
            assert!(terminal.wait().success());
            assert!(!terminal.has_broken_row(), "{columns}\n{}", terminal.screen());
            let shown = letters(&terminal.screen(), 0);
            assert!(shown.ends_with(&letters(TEXT, columns)), "{columns}\n{}", terminal.screen());
        }
    }
}

#[test]
fn rows_that_appear_above_the_line_fit_the_terminal() {
    let mut server = Server::start();
    let home = Home::of("neko", server.address());
    let vanessa = Home::of("vanessa", server.address());
    for columns in COLUMNS {
        let mut command = home.cli([""; 0]);
        command.env("NO_COLOR", "1");
        let mut terminal = Terminal::start_sized(command, 200, columns);
        terminal.wait_until("the prompt", |terminal| {
            let (_, prompt) = terminal.transcript().rsplit_once("Command neko").unwrap_or_default();
            prompt.contains("\x1b[?2026l")
        });
        vanessa.run_with_input(["send", "neko"], TEXT);
        let rows = appeared(&mut terminal, &letters(TEXT, columns));
        assert!(rows.iter().all(|row| row.width() <= columns.into()), "{columns} {rows:?}");
        server.kill();
        let rows = appeared(&mut terminal, &letters("connection lost, reconnecting", columns));
        assert!(rows.iter().all(|row| row.width() <= columns.into()), "{columns} {rows:?}");
        server.start_again_at_its_address();
        home.run(["inbox"]);
    }
}

/// Waits until text that ends with these letters appears above the line, and returns its rows.
fn appeared(terminal: &mut Terminal, end: &str) -> Vec<String> {
    let rows = |terminal: &Terminal| {
        // After the line feed that is taken back, and before the prompt.
        let painted = terminal
            .transcript()
            .rsplit("\r\n\x1b[A")
            .find_map(|painted| painted.split_once("Command neko").map(|(rows, _)| rows));
        painted.unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    terminal.wait_until(end, |terminal| letters(&rows(terminal).concat(), 0).ends_with(end));
    rows(terminal)
}
