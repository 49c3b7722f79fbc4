//! Messages with a title, a priority, tags, a link and the message that they answer: sent and shown
//! by commands.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::Terminal;

const ALL: &[&str] = &[
    "send",
    "--title",
    "Build 417 failed",
    "--priority",
    "urgent",
    "--tag",
    "build,main",
    "--tag",
    "ci",
    "--click",
    "https://ci.example/417",
    "neko",
    "step 3",
];

#[test]
fn details_are_sent_and_shown_in_every_form() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    assert_eq!(paff.run(ALL).stdout, "message sent to neko\n");
    assert_eq!(neko.run(["send", "--reply-to", "1", "--priority", "2", "paff", "on it"]).code, 0);

    let object: Value = serde_json::from_str(&neko.run(["history", "--json"]).stdout).unwrap();
    assert_eq!(object["title"], "Build 417 failed");
    assert_eq!(object["priority"], 5);
    assert_eq!(object["tags"], json!(["build", "main", "ci"]));
    assert_eq!(object["click"], "https://ci.example/417");

    let head = "[urgent] Build 417 failed #build #main #ci";
    let line = neko.run(["history"]).stdout;
    let text = format!("\tpaff\t{head}\\nstep 3\\n-> https://ci.example/417\n");
    assert!(line.ends_with(&text), "{line}");
    let answer = paff.run(["watch", "--exit-at-end"]).stdout;
    assert!(answer.ends_with("\tneko\t[low] (re 1)\\non it\n"), "{answer}");
    assert_eq!(neko.run(["history", "--raw"]).stdout, "step 3\n");
    // The map of the seed has the texts alone.
    assert_eq!(neko.run(["inbox"]).stdout, "{\"paff\": [{\"msg\": \"step 3\"}]}\n");
}

#[test]
fn details_stand_around_the_text_on_a_terminal_and_cannot_act_there() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let title = ["send", "--title", "red \u{202e}dab", "--priority", "4", "neko", "text"];
    assert_eq!(paff.run(title).code, 0);
    assert_eq!(paff.run(["send", "--click", "http://x", "neko", "look"]).code, 0);
    let mut terminal = Terminal::start(neko.cli(["inbox"]));
    terminal.wait();
    let shown = terminal.transcript().replace("\r\n", "\n");
    assert!(shown.contains("[high] red \\u{202e}dab\n"), "{shown:?}");
    let lines: Vec<&str> = shown.lines().map(str::trim).collect();
    assert!(lines.windows(2).any(|pair| pair[0].ends_with("look") && pair[1] == "-> http://x"));
}

#[test]
fn command_of_watch_gets_the_details_as_variables() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    assert_eq!(paff.run(ALL).code, 0);
    assert_eq!(paff.run(["send", "neko", "plain"]).code, 0);
    let script = "echo \"$CHAT_TITLE|$CHAT_PRIORITY|$CHAT_TAGS|$CHAT_CLICK|${CHAT_REPLY_TO-none}\"";
    let mut command = neko.cli(["watch", "--exit-at-end", "--exec", "sh", "-c", script]);
    // What this process has is not the message's.
    command.env("CHAT_TITLE", "outer").env("CHAT_REPLY_TO", "7");
    let outcome = crate::support::cli::outcome(command);
    let expected = "Build 417 failed|5|build,main,ci|https://ci.example/417|none\n|3|||none\n";
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, expected), "{outcome:?}");
}

#[test]
fn invalid_details_are_refused_before_anything_is_sent() {
    let server = Server::start();
    let paff = Home::of("paff", server.address());
    let many: Vec<String> = (0..17).map(|tag| format!("t{tag}")).collect();
    for (words, said) in [
        (["--title", "two\nlines"], "one line of at most 256 bytes"),
        (["--priority", "6"], "[possible values: min, low, default, high, urgent]"),
        (["--tag", "a b"], "no spaces and commas"),
        (["--tag", &many.join(",")], "at most 16"),
        (["--click", "ftp://x"], "http:// or https://"),
        (["--click", "http://x/ y"], "printable ASCII"),
        (["--reply-to", "0"], "a whole number from 1"),
    ] {
        let outcome = paff.run(["send", words[0], words[1], "neko", "hai"]);
        assert_eq!(outcome.code, 2, "{words:?}: {outcome:?}");
        assert!(outcome.stderr.contains(said), "{words:?}: {}", outcome.stderr);
    }
    let outcome = paff.run(["send", "--reply-to", "99", "neko", "hai"]);
    assert_eq!(outcome.code, 65, "{outcome:?}");
    assert_eq!(server.query("SELECT count(*) FROM messages"), ["0"]);
}
