//! `chat-cli join`: from a link to the first message, in a script and at a terminal.

use crate::support::cli::Home;
use crate::support::pty::Terminal;
use crate::support::{Server, operator};

/// Makes an invitation, and gives its link.
fn invite(server: &Server, options: &[&str]) -> String {
    operator::done(&server.database(), &[&["invite"], options].concat()).trim_end().to_owned()
}

#[test]
fn script_joins_by_a_link_and_sends_its_first_message() {
    let server = Server::start();
    let paff = Home::of("paff", server.address());
    assert_eq!(paff.run(["room", "create", "build"]).code, 0);
    let options = ["--rooms", "build", "--url", "https://chat.example/"];
    let link = invite(&server, &options);
    assert!(link.starts_with("https://chat.example/#/join/ci_"), "{link}");
    let home = Home::new(server.address());
    // Twice, as a script does whose first answer was lost.
    for _ in 0..2 {
        let joined = home.run_with_input(["join", &link, "mia"], b"own password\n");
        assert_eq!((joined.code, joined.stderr.as_str()), (0, ""), "{joined:?}");
        assert_eq!(joined.stdout, "you are mia, and logged in\nyou are in #build\n");
    }
    assert_eq!(home.run(["send", "--room", "build", "hai"]).code, 0);
    let inbox = paff.run(["inbox"]).stdout;
    assert!(inbox.contains("mia") && inbox.contains("hai"), "{inbox}");
    // Another person comes too late.
    let late = Home::new(server.address());
    let refused = late.run_with_input(["join", &link, "zoe"], b"pw\n");
    assert_eq!(refused.code, 1, "{refused:?}");
    let expected = "error: the invitation was used\nhint: if it was you: chat-cli auth zoe\n";
    assert_eq!(refused.stderr, expected);
    let refused = late.run_with_input(["--json", "join", &link, "zoe"], b"pw\n");
    assert!(refused.stderr.contains(r#""code": "invitation_used", "exit": 1"#), "{refused:?}");
    assert_eq!(late.run(["whoami"]).code, 77);
}

#[test]
fn what_cannot_be_accepted_is_explained() {
    let server = Server::start();
    let home = Home::new(server.address());
    let secret = invite(&server, &["--name", "mia"]);
    let join = |words: &[&str]| home.run_with_input([&["join"], words].concat(), b"pw\n");
    let other = join(&[&secret, "zoe"]);
    assert_eq!((other.code, other.stdout.as_str()), (2, ""), "{other:?}");
    assert!(other.stderr.contains("the invitation is for mia"), "{other:?}");
    let none = join(&["ci_00000000000000000000000000000000", "zoe"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.stderr.contains("hint: ask for another link"), "{none:?}");
    let without_scheme = format!("chat.example/#/join/{secret}");
    for text in ["nonsense", &secret[1..], &without_scheme] {
        let wrong = join(&[text]);
        assert_eq!(wrong.code, 2, "{wrong:?}");
        assert!(wrong.stderr.contains("no link of an invitation"), "{wrong:?}");
        // A log of a script keeps it.
        assert!(!wrong.stderr.contains(&secret[1..]), "the secret is not repeated: {wrong:?}");
    }
    let open = invite(&server, &[]);
    let unnamed = join(&[&open]);
    assert_eq!(unnamed.code, 2, "{unnamed:?}");
    assert!(unnamed.stderr.contains("chat-cli join LINK NAME"), "{unnamed:?}");
    let taken = join(&[&open, "paff"]);
    assert_eq!((taken.code, taken.stderr.as_str()), (1, "Error, the name is taken\n"), "{taken:?}");
    assert_eq!(join(&[&open, "No!"]).code, 2);
    // Twice, as a script does whose first answer was lost. The link has the name.
    for _ in 0..2 {
        let joined = join(&["--json", &secret]);
        let expected = "{\"v\": 1, \"user\": \"mia\", \"rooms\": []}\n";
        assert_eq!(joined.stdout, expected, "{joined:?}");
    }
    assert_eq!(join(&[&open, "tim"]).code, 0);
    for words in [&[open.as_str()][..], &[&open, "zoe"]] {
        let used = join(words);
        assert!(used.code == 1 && used.stderr.contains("the invitation was used"), "{used:?}");
    }
}

#[test]
fn person_at_a_terminal_is_asked_for_what_is_missing() {
    let server = Server::start();
    let home = Home::new(server.address());
    let link = invite(&server, &[]);
    let mut terminal = Terminal::start(home.cli(["join", &link]));
    terminal.wait_for_end("Choose a name to log in with:");
    terminal.line("Mia M");
    terminal.wait_for("choose 1 to 32 of a-z");
    terminal.line("paff");
    terminal.wait_for_end("Choose a password for paff:");
    terminal.line("own password");
    terminal.wait_for_end("The password again:");
    terminal.line("own password");
    terminal.wait_for("the name is taken");
    terminal.line("mia");
    terminal.wait_for("you are mia, and logged in");
    assert!(terminal.wait().success());
    assert!(!terminal.transcript().contains("own password"), "it is not shown");
    assert_eq!(home.run(["whoami"]).code, 0);

    let link = invite(&server, &["--name", "zoe"]);
    let mut terminal = Terminal::start(home.cli(["join", &link]));
    terminal.wait_for_end("Choose a password for zoe:");
    terminal.line("one");
    terminal.wait_for_end("The password again:");
    terminal.line("other");
    terminal.wait_for("the passwords are not the same");
    assert_eq!(terminal.wait().code(), Some(2));
    assert_eq!(server.query("SELECT count(*) FROM v1_users WHERE name = 'zoe'"), ["0"]);
}
