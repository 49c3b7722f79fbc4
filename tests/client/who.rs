//! `who` and `status`.

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::Terminal;

#[test]
fn who_shows_what_users_say_they_do() {
    let server = Server::start();
    let [paff, neko] = ["paff", "neko"].map(|user| Home::of(user, server.address()));
    assert_eq!(paff.run(["status"]).stdout, "no status\n");
    assert_eq!(paff.run(["status", "at", "lunch"]).stdout, "status: at lunch\n");
    let mut terminal = Terminal::start(paff.cli([""; 0]));
    terminal.wait_for_end("Command paff:");
    let found = neko.run(["who"]);
    let lines: Vec<Vec<&str>> =
        found.stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.iter().map(|line| line[0]).collect::<Vec<_>>(), ["neko", "paff"]);
    assert_eq!(lines.iter().map(|line| line[2]).collect::<Vec<_>>(), ["", "at lunch"]);
    let json = neko.run(["--json", "who"]);
    let objects: Vec<serde_json::Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[1]["status_text"], "at lunch");
    let invisible = "invisible: nobody sees that you are connected; status: at lunch";
    terminal.line("status --invisible");
    terminal.wait_for_end(&format!("Command paff:status --invisible\n{invisible}\nCommand paff:"));
    assert_eq!(neko.run(["who"]).stdout.lines().count(), 1);
    terminal.line("who");
    terminal.wait_for_end("  at lunch\nCommand paff:");
    // A mistyped option is no text for others to see.
    for line in ["status --visble", "status --visible busy"] {
        terminal.line(line);
        let unknown = "*Sorry, there is no such command: type help";
        terminal.wait_for_end(&format!("Command paff:{line}\n{unknown}\nCommand paff:"));
    }
    terminal.line("status -");
    let invisible = "invisible: nobody sees that you are connected";
    terminal.wait_for_end(&format!("Command paff:status -\n{invisible}\nCommand paff:"));
    assert_eq!(paff.run(["status", "--visible"]).stdout, "no status\n");
    assert_eq!(neko.run(["who"]).stdout.lines().count(), 2);
    let json = paff.run(["status", "--json", "--clear"]);
    assert_eq!(json.stdout, "{\"v\": 1, \"receipts\": true}\n");
    for words in
        [&["status", "--clear", "x"][..], &["status", "--invisible", "--visible"], &["who", "neko"]]
    {
        assert_eq!(paff.run(words).code, 2, "{words:?}");
    }
    assert_eq!(paff.run(["status", &"x".repeat(257)]).code, 2);
}
