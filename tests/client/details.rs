//! Messages with a title, a priority, tags, a link and the message that they answer: sent and shown
//! by commands.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::cli::{Home, start, told};
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

#[test]
fn reply_goes_to_the_other_side_and_history_shows_the_thread() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let robo = Home::of("robo", server.address());
    assert_eq!(paff.run(["send", "neko", "hai"]).code, 0);
    assert_eq!(paff.run(["send", "neko", "something else"]).code, 0);
    assert_eq!(neko.run(["reply", "1", "hai", "juga"]).stdout, "message sent to paff\n");
    assert_eq!(paff.run(["reply", "3", "apa kabar?"]).stdout, "message sent to neko\n");
    // One's own message is answered to the one who got it.
    assert_eq!(paff.run(["reply", "4", "well?"]).stdout, "message sent to neko\n");
    for home in [&paff, &neko] {
        for id in ["1", "3", "4", "5"] {
            let thread = home.run(["history", "--raw", "--thread", id]).stdout;
            assert_eq!(thread, "hai\nhai juga\napa kabar?\nwell?\n", "{id}");
        }
        let newest = home.run(["history", "--raw", "--thread", "1", "-n", "2"]).stdout;
        assert_eq!(newest, "apa kabar?\nwell?\n");
        assert_eq!(home.run(["history", "--raw", "--thread", "2"]).stdout, "something else\n");
    }
    // A stranger cannot tell the message from a missing one.
    for words in [&["reply", "1", "x"][..], &["history", "--thread", "1"]] {
        let mut missing = words.to_vec();
        missing[words.iter().position(|word| *word == "1").unwrap()] = "99";
        let (strange, missing) = (robo.run(words), robo.run(&missing));
        assert_eq!((strange.code, missing.code), (65, 65), "{strange:?}");
        assert_eq!(strange.stderr, missing.stderr);
    }
    let object =
        |words: &[&str]| -> Value { serde_json::from_str(&paff.run(words).stdout).unwrap() };
    let again = ["reply", "--id", "once", "1", "x", "--json"];
    let words = ["--json", "reply", "--id", "once", "1", "x"];
    assert_eq!(object(&words)["duplicate"], false);
    assert_eq!(object(&words)["duplicate"], true);
    assert_eq!(paff.run(again).code, 65, "the option is text there, and the key has another text");
}

#[test]
fn parallel_questions_to_one_person_get_their_own_answers() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let ask = |text: &str| {
        let mut command = paff.cli(["ask", "neko", text, "--timeout", "60s"]);
        start(command.stdin(Stdio::null()))
    };
    let first = ask("first?");
    let shown = neko.run(["watch", "-n", "1", "--as", "n", "--timeout", "60s"]).stdout;
    assert!(shown.contains("(reply 1)\\nfirst?"), "{shown}");
    let second = ask("second?");
    assert_eq!(neko.run(["watch", "-n", "1", "--as", "n", "--timeout", "60s"]).code, 0);
    // It could be meant for either, so it answers none.
    assert_eq!(neko.run(["send", "paff", "unclear"]).code, 0);
    assert_eq!(neko.run(["reply", "2", "to the second"]).code, 0);
    let second = told(second.wait_with_output().unwrap());
    assert_eq!((second.code, second.stdout.as_str()), (0, "to the second\n"), "{second:?}");
    assert!(second.stderr.contains("2 questions to neko are open"), "{second:?}");
    // Now there is one.
    assert_eq!(neko.run(["send", "paff", "to the first"]).code, 0);
    let first = told(first.wait_with_output().unwrap());
    assert_eq!((first.code, first.stdout.as_str()), (0, "to the first\n"), "{first:?}");
}

#[test]
fn offered_answers_have_exit_codes_of_their_own_and_others_are_not_taken() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    for (number, (said, code)) in [("deploy", 0), ("Abort", 3), ("wait", 4)].into_iter().enumerate()
    {
        let choices = ["ask", "--choice", "deploy,abort,wait", "neko", "go?", "--timeout", "60s"];
        let asked = start(paff.cli(choices).stdin(Stdio::null()));
        let words = ["watch", "-n", "1", "--as", "n", "--json", "--timeout", "60s"];
        let question: Value = serde_json::from_str(&neko.run(words).stdout).unwrap();
        let tags = json!(["ask", "choice:deploy", "choice:abort", "choice:wait"]);
        assert_eq!(question["tags"], tags);
        let id = question["id"].to_string();
        assert_eq!(neko.run(["reply", &id, "why?"]).code, 0);
        // The last one comes as a plain message.
        match number {
            2 => assert_eq!(neko.run(["send", "paff", said]).code, 0),
            _ => assert_eq!(neko.run(["reply", &id, said]).code, 0),
        }
        let asked = told(asked.wait_with_output().unwrap());
        assert_eq!((asked.code, asked.stdout), (code, format!("{said}\n")), "{}", asked.stderr);
        assert!(asked.stderr.contains("none of the offered answers (deploy, abort, wait)"));
    }
    let none = paff.run(["ask", "--choice", "yes,no", "neko", "again?", "--timeout", "1s"]);
    assert_eq!((none.code, none.stdout.as_str()), (1, ""));
    let many: Vec<String> = (0..16).map(|choice| format!("c{choice}")).collect();
    assert_eq!(paff.run(["ask", "--choice", &many.join(","), "neko", "?"]).code, 2);
    assert_eq!(paff.run(["ask", "--choice", &"x".repeat(26), "neko", "?"]).code, 2);
}

#[test]
fn question_is_answered_at_the_prompt() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let choices = ["ask", "--choice", "yes,no", "neko", "go?", "--timeout", "60s"];
    let asked = start(paff.cli(choices).stdin(Stdio::null()));
    assert_eq!(neko.run(["watch", "-n", "1", "--timeout", "60s"]).code, 0);
    let mut terminal = Terminal::start(neko.cli::<&str>([]));
    terminal.line("answer perhaps");
    terminal.wait_for("none of the offered answers: yes, no");
    terminal.line("answer yes");
    terminal.wait_for("message sent to paff");
    assert_eq!(told(asked.wait_with_output().unwrap()).code, 0);
    terminal.line("answer yes");
    terminal.wait_for("no question to you is open");
    terminal.line("reply 1 one more thing");
    terminal.wait_until("a second message", |terminal| {
        terminal.transcript().matches("message sent to paff").count() == 2
    });
    terminal.line("quit");
    terminal.wait();
    let answers = server.query("SELECT id, reply_to FROM v2_messages WHERE id > 1 ORDER BY id");
    assert_eq!(answers, ["2|1", "3|1"]);
}

#[test]
fn filters_show_the_selected_messages_and_mark_no_other_as_read() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    for (tags, priority, text) in
        [("a", "3", "one"), ("a,b", "4", "two"), ("b", "5", "three"), ("c", "1", "four")]
    {
        assert_eq!(paff.run(["send", "--tag", tags, "--priority", priority, "neko", text]).code, 0);
    }
    let raw = |words: &[&str]| neko.run([words, &["--raw"]].concat()).stdout;
    assert_eq!(raw(&["history", "--min-priority", "high"]), "two\nthree\n");
    assert_eq!(raw(&["history", "--tag", "a", "--tag", "b"]), "two\n");
    assert_eq!(raw(&["history", "--min-priority", "2", "-n", "1"]), "three\n");
    assert_eq!(raw(&["history", "--from", "paff", "--tag", "c"]), "four\n");
    assert_eq!(neko.run(["history", "--from", "robo"]).code, 1);
    assert_eq!(raw(&["watch", "--exit-at-end", "--tag", "b"]), "two\nthree\n");

    // A cursor of its own passes what is left out.
    let watch = ["watch", "--exit-at-end", "--as", "b", "--min-priority", "4"];
    assert_eq!(raw(&watch), "two\nthree\n");
    assert_eq!(raw(&watch), "");
    assert_eq!(server.query("SELECT upto_id FROM v1_cursors WHERE cursor = 'b'"), ["3"]);

    assert_eq!(raw(&["inbox", "--min-priority", "4"]), "two\nthree\n");
    assert_eq!(neko.run(["unread"]).stdout, "4\n4\tpaff\n", "the first was not shown");
    assert_eq!(raw(&["inbox", "--tag", "a"]), "one\ntwo\n");
    assert_eq!(neko.run(["unread"]).stdout, "2\n2\tpaff\n");
    for words in
        [&["history", "--thread", "1", "--tag", "a"][..], &["inbox", "--min-priority", "9"]]
    {
        assert_eq!(neko.run(words).code, 2, "{words:?}");
    }
}
