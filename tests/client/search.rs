//! `chat-cli search`, `history --around`, and `search` at the prompt.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::Terminal;

#[test]
fn search_prints_what_it_finds_newest_first_in_every_form() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    for text in ["Build 1 failed", "lunch?", "the build 2\nworks"] {
        assert_eq!(paff.run(["send", "neko", text]).code, 0);
    }
    let title = ["send", "--title", "build", "--tag", "ci", "paff", "step 3"];
    assert_eq!(neko.run(title).code, 0);

    let lines = neko.run(["search", "build"]).stdout;
    let lines: Vec<Vec<&str>> = lines.lines().map(|line| line.split('\t').collect()).collect();
    let without_time = lines.iter().map(|line| [line[0], line[2], line[3], line[4]]);
    let expected = [
        ["4", "neko", "paff", "build #ci\\nstep 3"],
        ["3", "paff", "neko", "the build 2\\nworks"],
        ["1", "paff", "neko", "Build 1 failed"],
    ];
    assert!(without_time.eq(expected), "{lines:?}");

    let object = |words: &[&str]| -> Value {
        let outcome = neko.run([&["search", "--json"], words].concat());
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome:?}"))
    };
    let found = object(&["-n", "1", "build"]);
    assert_eq!((&found["v"], &found["id"], &found["matches"]), (&json!(1), &json!(4), &json!([])));
    assert_eq!(found["title_matches"], json!([[0, 5]]));
    let found = object(&["--", "-failed", "\"the build\"", "from:paff"]);
    assert_eq!((&found["id"], &found["matches"]), (&json!(3), &json!([[0, 9]])));
    assert_eq!(object(&["works -tag:ci"])["id"], 3);

    let nothing = neko.run(["search", "nothing"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (1, ""));
    let bad = neko.run(["search", "build", "\"works"]);
    let said = "the query is not understood (column 7: the quotation mark is not closed)";
    assert!(bad.code == 2 && bad.stderr.contains(said), "{bad:?}");
    let unknown = neko.run(["search", "from:conner"]);
    assert!(unknown.code == 67 && unknown.stderr.contains("conner"), "{unknown:?}");
    assert_eq!(neko.run(["search"]).code, 2);

    let around = neko.run(["history", "paff", "--around", "2", "-n", "2", "--raw"]).stdout;
    assert_eq!(around, "lunch?\nthe build 2\nworks\n");
    assert_eq!(neko.run(["history", "robo", "--around", "2"]).code, 1);
}

#[test]
fn words_are_marked_on_a_terminal_wherever_the_text_is_wrapped() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let text = "one \u{202e} two\nthree cafe\u{301} four five six seven eight nine ten eleven café";
    assert_eq!(paff.run(["send", "--title", "Two", "neko", text]).code, 0);
    let mut terminal = Terminal::start_sized(neko.cli(["search", "two", "CAFE"]), 40, 50);
    terminal.wait();
    let shown = terminal.transcript();
    let marked: Vec<&str> = shown
        .split("\u{1b}[1;4m")
        .skip(1)
        .map(|rest| rest.split('\u{1b}').next().unwrap())
        .collect();
    assert_eq!(marked, ["Two", "two", "cafe\u{301}", "café"], "{shown:?}");
    assert!(
        shown.contains("\\u{202e}") && terminal.screen().contains("1 paff > neko"),
        "{shown:?}"
    );
}

#[test]
fn prompt_searches_with_the_rest_of_the_line() {
    let server = Server::start();
    let paff = Home::of("paff", server.address());
    assert_eq!(paff.run(["send", "neko", "the build failed"]).code, 0);
    let mut terminal = Terminal::start(paff.cli([] as [&str; 0]));
    terminal.wait_for("Command paff:");
    terminal.line("search \"build failed\" -works");
    terminal.wait_for("1 paff > neko");
    terminal.line("search works");
    terminal.wait_for("no messages");
    terminal.line("search \"works");
    terminal.wait_for("the quotation mark is not closed");
}
