//! `chat-server invite`: links, and what becomes of them.

use std::fs;

use crate::support::pty::Terminal;
use crate::support::{Server, operator};

#[test]
fn link_leads_to_where_the_settings_say_that_the_page_is() {
    let server = Server::start();
    let database = server.database();
    let config = server.folder().join("server.toml");
    let link = |settings: &str, options: &[&str]| {
        fs::write(&config, settings).unwrap();
        let words = [&["invite", "--config", config.to_str().unwrap()], options].concat();
        operator::run(&database, &words)
    };
    for (settings, options, page) in [
        ("http = \"127.0.0.1:8080\"\n", &[][..], "http://127.0.0.1:8080/#/join/ci_"),
        (
            "http = \"0.0.0.0:8080\"\nhttp_host = \"chat.example\"\n",
            &[],
            "http://chat.example:8080/#/join/ci_",
        ),
        (
            "http = \"tls:[::]:443\"\nhttp_host = [\"chat.example\", \"other.example\"]\n",
            &[],
            "https://chat.example/#/join/ci_",
        ),
        (
            "http = \"127.0.0.1:8080\"\n",
            &["--url", "https://chat.example/"],
            "https://chat.example/#/join/ci_",
        ),
        ("", &[], "ci_"),
    ] {
        let made = link(settings, options);
        assert_eq!((made.code, made.stderr.as_str()), (0, ""), "{made:?}");
        let secret = made.stdout.strip_prefix(page).unwrap_or_else(|| panic!("{made:?}"));
        assert_eq!(secret.trim_end().len(), 32, "{made:?}");
    }
    for settings in ["http = \"0.0.0.0:8080\"\n", "http = \"127.0.0.1:0\"\n"] {
        let refused = link(settings, &[]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("hint: say where people open it: --url"), "{refused:?}");
    }
    assert_eq!(operator::objects(&database, &["invite", "list"]).len(), 5, "none was made");
}

#[test]
fn invitations_are_listed_used_and_revoked() {
    let server = Server::start();
    let database = server.database();
    operator::done(&database, &["room", "create", "build"]);
    let made = operator::objects(
        &database,
        &["invite", "--name", "mia", "--rooms", "#build", "--expires", "12h"],
    );
    let secret = made[0]["link"].as_str().unwrap();
    assert_eq!((&made[0]["user"], &made[0]["rooms"][0]), (&"mia".into(), &"#build".into()));
    operator::done(&database, &["invite"]);
    operator::done(&database, &["invite"]);
    let mut wire = server.connect();
    wire.done(format!("accept {{\"invitation\": \"{secret}\", \"password\": \"pw\"}}"));
    let listed = operator::objects(&database, &["invite", "list"]);
    assert_eq!(listed.len(), 3);
    assert_eq!((&listed[0]["used_by"], &listed[1]["used_by"]), (&"mia".into(), &().into()));
    assert!(!format!("{listed:?}").contains("ci_"), "no list has a secret");
    let lines = operator::done(&database, &["invite", "list"]);
    assert!(lines.starts_with("1\tmia\t#build\t"), "{lines}");
    assert_eq!(operator::done(&database, &["invite", "revoke", "2"]), "1 invitation revoked\n");
    let gone = operator::run(&database, &["invite", "revoke", "2"]);
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.stderr.contains("there is no open invitation 2"), "{gone:?}");
    let wrong = operator::run(&database, &["invite", "revoke", "mia"]);
    assert!(wrong.stderr.contains("give the number of an invitation"), "{wrong:?}");
    assert_eq!(operator::done(&database, &["invite", "revoke", "--all"]), "1 invitation revoked\n");
    assert_eq!(operator::objects(&database, &["invite", "list"]).len(), 1);
    for (words, code, text) in [
        (&["--name", "paff"][..], 65, "there is a user paff already"),
        (&["--rooms", "none"], 67, "there is no room #none"),
        (&["--expires", "500d"], 2, "at most 366d"),
        (&["--url", "chat.example"], 2, "https://chat.example"),
        (&["--name", "Mia"], 65, "Mia"),
    ] {
        let refused = operator::run(&database, &[&["invite"], words].concat());
        assert_eq!(refused.code, code, "{words:?}: {refused:?}");
        assert!(refused.stderr.contains(text), "{refused:?}");
    }
}

#[test]
fn terminal_shows_the_link_as_a_code_for_phones() {
    let server = Server::start();
    let words = ["invite", "--url", "https://chat.example"];
    let command = operator::command(&server.database(), &words);
    let mut terminal = Terminal::start_sized(command, 40, 100);
    assert!(terminal.wait().success());
    let shown = terminal.transcript();
    assert!(shown.contains("https://chat.example/#/join/ci_"), "{shown}");
    assert!(shown.contains('█') && shown.contains('▀'), "{shown}");
    assert!(shown.contains("the link works once, until 20"), "{shown}");
}
