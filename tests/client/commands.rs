//! The one-shot commands in scripts: their output with and without `--json`, and their exit codes.

use std::process::Stdio;

use serde_json::Value;

use crate::support::Server;
use crate::support::cli::{Home, Outcome, outcome, start, told};
use crate::support::fake::{Fake, Step};
use crate::support::pty::Terminal;

const TOKEN: &str = "7a592c0e-2cb5-4de6-866b-4e216b0caf15";

/// Each line as an object, which must have its version.
fn objects(text: &str) -> Vec<Value> {
    let object = |line: &str| {
        let object: Value = serde_json::from_str(line).expect(line);
        assert_eq!(object["v"], 1, "{line}");
        assert!(line.is_ascii() && line.starts_with("{\"v\": 1, "), "{line}");
        object
    };
    text.lines().map(object).collect()
}

/// The single object that a successful command prints.
fn object(outcome: &Outcome) -> Value {
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    let mut objects = objects(&outcome.stdout);
    assert_eq!(objects.len(), 1, "{outcome:?}");
    objects.remove(0)
}

fn bodies(text: &str) -> Vec<String> {
    objects(text).iter().map(|object| object["body"].as_str().unwrap().to_owned()).collect()
}

fn homes(server: &Server) -> (Home, Home) {
    (Home::of("paff", server.address()), Home::of("neko", server.address()))
}

#[test]
fn send_reaches_several_users_or_none() {
    let server = Server::start();
    let (paff, _neko) = homes(&server);
    assert_eq!(paff.run(["send", "neko,robo", "hai"]).stdout, "message sent to neko, robo\n");
    assert_eq!(paff.run(["send", "ivy,ivy", "once"]).stdout, "message sent to ivy\n");
    assert_eq!(server.query("select count(*) from v1_inbox where recipient = 'ivy'"), ["1"]);
    let sent = paff.run(["send", "--json", "--id", "k-1", "neko,robo,neko", "two"]);
    let sent = objects(&sent.stdout);
    assert_eq!(sent.len(), 2);
    assert_eq!(
        (&sent[0]["to"], &sent[0]["id"], &sent[0]["key"]),
        (&"neko".into(), &4.into(), &"k-1".into())
    );
    assert_eq!((&sent[1]["to"], &sent[1]["duplicate"]), (&"robo".into(), &false.into()));
    assert!(sent[0]["at"].as_str().unwrap().ends_with('Z'));
    let again = objects(&paff.run(["send", "--json", "--id", "k-1", "neko,robo", "two"]).stdout);
    assert_eq!((&again[0]["id"], &again[0]["duplicate"]), (&4.into(), &true.into()));
    for unknown in ["conner", "Not-A-Name", ""] {
        let refused = paff.run(["send", &format!("neko,{unknown}"), "none gets it"]);
        assert_eq!(refused.code, 67);
        assert_eq!(refused.stderr, format!("Error, there is no such user: {unknown}\n"));
    }
    assert_eq!(server.query("select count(*) from messages"), ["5"]);
}

#[test]
fn send_takes_a_file_and_standard_input() {
    let server = Server::start();
    let (paff, neko) = homes(&server);
    let file = server.folder().join("letter.txt");
    std::fs::write(&file, " from a\n file\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(paff.run(["send", "neko", "-F", file]).code, 0);
    assert_eq!(paff.run_with_input(["send", "neko", "-"], "from\ninput\n").code, 0);
    assert_eq!(paff.run_with_input(["send", "neko", "-F", "-"], "again").code, 0);
    let missing = paff.run(["send", "neko", "-F", "/no/such/file"]);
    assert_eq!(missing.code, 74, "{missing:?}");
    let read = neko.run(["inbox", "--json"]).stdout;
    assert_eq!(bodies(&read), [" from a\n file", "from\ninput", "again"]);
}

#[test]
fn lines_are_sent_once_however_often_the_input_is_given() {
    let server = Server::start();
    let (paff, neko) = homes(&server);
    let send = ["send", "neko", "--lines", "--id", "night-7"];
    let first = paff.run_with_input(send, "one\n\ntwo\r\n");
    assert_eq!((first.code, first.stdout.as_str()), (0, "2 messages sent to neko\n"));
    let more = paff.run_with_input(["--json"].iter().chain(&send), "one\n\ntwo\nthree");
    let more = objects(&more.stdout);
    let told = |index: usize| (more[index]["line"].as_i64(), more[index]["duplicate"].as_bool());
    assert_eq!(
        [told(0), told(1), told(2)],
        [(Some(1), Some(true)), (Some(3), Some(true)), (Some(4), Some(false))]
    );
    assert_eq!(bodies(&neko.run(["inbox", "--json"]).stdout), ["one", "two", "three"]);

    let long = format!("fine\n{}\nnever\n", "x".repeat(40_000));
    let stopped = paff.run_with_input(["send", "neko", "--lines", "--id", "l"], &long);
    assert_eq!(stopped.code, 65);
    assert!(stopped.stderr.starts_with("error: line 2: the message is longer"), "{stopped:?}");
    assert!(stopped.stderr.contains("--lines --id l "), "{stopped:?}");
    let wide = "x".repeat(53);
    assert_eq!(paff.run_with_input(["send", "neko", "--lines", "--id", &wide], "x").code, 2);
    assert_eq!(paff.run_with_input(["send", "neko", "--lines"], "\n\n").code, 1);
}

#[test]
fn unknown_outcome_names_the_id_also_as_json() {
    let fake = Fake::start(vec![vec![Step::CutAfter("")]]);
    let mut command = Home::new(fake.address()).cli(["--timeout", "300ms", "--json"]);
    command.args(["send", "--id", "k-7", "neko", "hai"]).env("CHAT_TOKEN", TOKEN);
    let outcome = outcome(command);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (75, ""));
    let error = &objects(&outcome.stderr)[0];
    assert_eq!(
        (&error["code"], &error["exit"], &error["key"]),
        (&"try_again".into(), &75.into(), &"k-7".into())
    );
    assert!(error["hint"].as_str().unwrap().contains("send --id k-7 neko"), "{error}");
}

#[test]
fn inbox_counts_as_read_what_it_has_shown_and_no_more() {
    let server = Server::start();
    let (paff, neko) = homes(&server);
    let robo = Home::of("robo", server.address());
    for (home, text) in [(&paff, "1"), (&paff, "2"), (&robo, "3"), (&paff, "4"), (&paff, "5")] {
        assert_eq!(home.run(["send", "neko", text]).code, 0);
    }
    let read = |words: &[&str]| bodies(&neko.run(["inbox", "--json"].iter().chain(words)).stdout);
    assert_eq!(read(&["--peek"]), ["1", "2", "3", "4", "5"]);
    assert_eq!(read(&["--peek", "-n", "2"]), ["1", "2"]);
    assert_eq!(read(&["-n", "1"]), ["1"]);
    // Nobody has seen robo's message. It holds back no message of paff's.
    assert_eq!(read(&["--from", "paff"]), ["2", "4", "5"]);
    assert_eq!(read(&["--peek"]), ["3"]);
    for text in ["6", "7"] {
        assert_eq!(paff.run(["send", "neko", text]).code, 0);
    }
    assert_eq!(read(&["--from", "paff", "-n", "1"]), ["6"]);
    assert_eq!(read(&["--from", "ivy"]), Vec::<String>::new());
    assert_eq!(neko.run(["inbox", "--from", "robo", "--raw"]).stdout, "3\n");
    assert_eq!(neko.run(["inbox"]).stdout, "{\"paff\": [{\"msg\": \"7\"}]}\n");
    assert_eq!(read(&[]), Vec::<String>::new());
    assert_eq!(read(&["--all", "-n", "3"]), ["1", "2", "3"]);
    assert_eq!(neko.run(["inbox", "--from", "No!"]).code, 67);
}

#[test]
fn history_shows_both_directions_and_changes_nothing() {
    let server = Server::start();
    let (paff, neko) = homes(&server);
    let nothing = neko.run(["history"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (1, ""));
    paff.run(["send", "neko", "a\tb\n\u{1b}[2J"]);
    neko.run(["send", "paff", "answer"]);
    neko.run(["send", "robo", "elsewhere"]);
    let lines = neko.run(["history", "paff"]).stdout;
    let lines: Vec<Vec<&str>> = lines.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(&lines[0][1..], ["paff", "a\\tb\\n\\x1b[2J"]);
    assert_eq!(&lines[1][1..], ["neko", "answer"]);
    assert!(lines[0][0].len() == "2026-11-23T10:54:00.123Z".len() && lines[0][0].ends_with('Z'));
    assert_eq!(bodies(&neko.run(["history", "paff", "-n", "1", "--json"]).stdout), ["answer"]);
    assert_eq!(neko.run(["history", "--raw"]).stdout, "a\tb\n\u{1b}[2J\n");
    let words = neko.run(["history", "--time", "relative"]).stdout;
    assert!(words.starts_with("just now\tpaff\t"), "{words}");
    assert_eq!(neko.run(["history", "conner"]).code, 67);
    assert_eq!(neko.run(["unread"]).stdout, "1\n1\tpaff\n");
}

#[test]
fn history_goes_back_further_than_a_page() {
    let server = Server::start();
    let (_paff, neko) = homes(&server);
    let token = server.log_in("paff");
    let lines: String = (1..=1203).map(|n| format!("send {token} neko {n}\r\n")).collect();
    let mut wire = server.connect();
    wire.send(lines);
    for _ in 1..=1203 {
        wire.reply();
    }
    let read = neko.run(["history", "-n", "1202", "--raw"]).stdout;
    let expected: String = (2..=1203).map(|n| format!("{n}\n")).collect();
    assert!(read == expected, "{} lines", read.lines().count());
}

#[test]
fn unread_and_ack_agree() {
    let server = Server::start();
    let (paff, neko) = homes(&server);
    let none = neko.run(["unread"]);
    assert_eq!((none.code, none.stdout.as_str()), (1, "0\n"));
    let none = neko.run(["unread", "--json"]);
    assert_eq!((none.code, &objects(&none.stdout)[0]["unread"]), (1, &0.into()));
    for text in ["a", "b", "c"] {
        paff.run(["send", "neko", text]);
    }
    let unread = object(&neko.run(["unread", "--json"]));
    assert_eq!((&unread["unread"], &unread["senders"][0]["newest"]), (&3.into(), &3.into()));
    assert_eq!(neko.run(["ack", "2"]).stdout, "inbox stands at 2\n");
    assert_eq!(neko.run(["unread"]).stdout, "1\n1\tpaff\n");
    assert_eq!(object(&neko.run(["ack", "1", "--json"]))["upto"], 2);
    assert_eq!(object(&neko.run(["ack", "0", "--rewind", "--json"]))["upto"], 0);
    assert_eq!(object(&neko.run(["ack", "--all", "--as", "x", "--json"]))["cursor"], "x");
    assert_eq!(neko.run(["ack", "--all"]).stdout, "inbox stands at 3\n");
    assert_eq!(neko.run(["unread"]).code, 1);
    assert_eq!(neko.run(["ack", "99"]).code, 65);
}

#[test]
fn answer_is_the_first_message_after_the_question() {
    let server = Server::start();
    let (paff, neko) = homes(&server);
    neko.run(["send", "paff", "said before"]);
    let child =
        start(paff.cli(["ask", "neko", "shall", "I?", "--timeout", "60s"]).stdin(Stdio::null()));
    // The question arrives before the answer is sent.
    let asked = neko.run(["watch", "-n", "1", "--raw", "--timeout", "60s"]);
    assert_eq!((asked.code, asked.stdout.as_str()), (0, "shall I?\n"));
    Home::of("robo", server.address()).run(["send", "paff", "of somebody else"]);
    neko.run(["send", "paff", "yes\nplease"]);
    let answered = told(child.wait_with_output().unwrap());
    assert_eq!((answered.code, answered.stdout.as_str()), (0, "yes\nplease\n"));
    // Older messages are unread, so nothing counts as read.
    assert_eq!(bodies(&paff.run(["inbox", "--json"]).stdout).len(), 3);

    let nobody = paff.run(["ask", "--id", "q-1", "neko", "again?", "--timeout", "2s"]);
    assert_eq!((nobody.code, nobody.stdout.as_str()), (1, ""));
    neko.run(["send", "paff", "late"]);
    let found = object(&paff.run(["ask", "--id", "q-1", "neko", "again?", "--json"]));
    assert_eq!((&found["body"], &found["from"]), (&"late".into(), &"neko".into()));
    assert_eq!(paff.run(["unread"]).code, 1, "an answer that stands alone counts as read");
    assert_eq!(server.query("select count(*) from messages where body = 'again?'"), ["1"]);
}

#[test]
fn sessions_are_shown_and_ended() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let other = Home::of("paff", server.address());
    let third = Home::of("paff", server.address());
    assert_eq!(home.run(["whoami"]).stdout, "paff (Paff Aroma)\n");
    let me = object(&home.run(["whoami", "--json"]));
    assert_eq!((&me["user"], &me["session"]), (&"paff".into(), &1.into()));
    let sessions = objects(&home.run(["sessions", "--json"]).stdout);
    let ids: Vec<_> = sessions.iter().map(|session| session["id"].as_i64().unwrap()).collect();
    assert_eq!((ids, &sessions[0]["current"]), (vec![1, 2, 3], &true.into()));
    let lines = home.run(["sessions"]).stdout;
    assert!(lines.starts_with("1\t*\t") && lines.contains("\n2\t\t"), "{lines}");

    assert_eq!(home.run(["revoke", "2"]).stdout, "1 session ended\n");
    assert_eq!(other.run(["whoami"]).code, 77);
    let again = home.run(["revoke", "2"]);
    let said = "error: you have no session 2\nhint: `sessions` lists your sessions\n";
    assert_eq!((again.code, &*again.stdout, &*again.stderr), (1, "", said));
    let wrong = home.run(["revoke", "x"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("give a whole number"), "{wrong:?}");
    let again = home.run(["revoke", "2", "--json"]);
    assert_eq!((again.code, &objects(&again.stdout)[0]["ended"]), (1, &0.into()));
    assert_eq!(object(&home.run(["revoke", "--others", "--json"]))["ended"], 1);
    assert_eq!(third.run(["whoami"]).code, 77);
    assert_eq!(home.run(["revoke", "--others"]).code, 0);
}

#[test]
fn password_is_changed_and_other_sessions_end() {
    let server = Server::start();
    let (home, other) = (Home::of("paff", server.address()), Home::of("paff", server.address()));
    let wrong = home.run_with_input(["passwd"], "nonsense\nnew secret\n");
    assert_eq!((wrong.code, wrong.stderr.as_str()), (77, "Error, the password is wrong\n"));
    let done = home.run_with_input(["passwd"], "cytus\nnew secret\n");
    assert_eq!((done.code, done.stdout.as_str()), (0, "password changed, 1 session ended\n"));
    assert_eq!(other.run(["whoami"]).code, 77);
    assert_eq!(home.run(["whoami"]).code, 0);
    let back = home.run_with_input(["passwd", "--json"], "new secret\ncytus");
    assert_eq!(object(&back)["ended"], 0);
    assert_eq!(home.run_with_input(["passwd"], "cytus\n").code, 2, "there is no new one");
}

#[test]
fn results_and_errors_are_objects_with_json() {
    let server = Server::start();
    let home = Home::new(server.address());
    let session = object(&home.run(["auth", "paff", "cytus", "--json"]));
    assert_eq!(session["user"], "paff");
    assert_eq!(session["token"], home.token().as_str());
    assert_eq!(object(&home.run(["list", "--json"]))["users"], serde_json::json!(["paff"]));
    for (words, exit, code) in [
        (&["--json", "send", "conner", "hai"][..], 67, "unknown_recipient"),
        (&["--json", "send", "neko", ""], 65, "empty_message"),
        (&["--json", "auth", "paff", "no"], 77, "wrong_password"),
        (&["--json", "ack", "99"], 65, "unknown_message"),
        (&["--json", "nonsense"], 2, "usage"),
        (&["--json"], 2, "usage"),
        (&["--json", "send"], 2, "usage"),
        (&["--json", "--server", "127.0.0.1:1", "auth", "paff", "x"], 69, "unreachable"),
        (&["--json", "watch", "--server", "127.0.0.1:1"], 69, "unreachable"),
        (&["--json", "watch", "--user", "ivy"], 77, "not_logged_in"),
    ] {
        let outcome = home.run(words);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (exit, ""), "{words:?}");
        let error = &objects(&outcome.stderr)[0];
        assert_eq!((&error["code"], &error["exit"]), (&code.into(), &exit.into()), "{words:?}");
        assert!(error["error"].is_string());
    }
    let missing = home.run(["--json", "send"]);
    let told = objects(&missing.stderr)[0]["error"].as_str().unwrap().to_owned();
    assert!(told.ends_with("were not provided: <TO[,TO...]>"), "{told}");
    assert_eq!(object(&home.run(["logout", "--json"]))["ended"], 1);
}

#[test]
fn names_are_coloured_on_a_terminal_unless_disabled() {
    let server = Server::start();
    let (paff, neko) = homes(&server);
    paff.run(["send", "neko", "hai 猫"]);
    let shown = |variable: &str, value: &str| {
        let mut command = neko.cli(["history", "--time", "utc"]);
        command.env(variable, value);
        let mut terminal = Terminal::start(command);
        assert!(terminal.wait().success());
        assert!(terminal.screen().contains("  paff  hai 猫"), "{}", terminal.screen());
        terminal.transcript().contains("\x1b[")
    };
    assert!(shown("NO_COLOR", ""));
    assert!(!shown("NO_COLOR", "1"));
    assert!(!shown("TERM", "dumb"));
    let mut terminal = Terminal::start(neko.cli(["sessions", "--json"]));
    assert!(terminal.wait().success());
    assert!(!terminal.transcript().contains('\x1b'));
}

#[test]
fn passwords_are_asked_for_without_echo() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    for (again, code) in [("secret-1", 2), ("secret-2", 0)] {
        let mut terminal = Terminal::start(home.cli(["passwd"]));
        for (prompt, typed) in [
            ("Old password:", "cytus"),
            ("New password:", "secret-2"),
            ("New password again:", again),
        ] {
            terminal.wait_for_end(prompt);
            terminal.line(typed);
        }
        assert_eq!(terminal.wait().code(), Some(code), "{}", terminal.screen());
        assert!(!terminal.transcript().contains("secret"), "{}", terminal.screen());
    }
    assert_eq!(home.run(["auth", "paff", "secret-2"]).code, 0);
}
