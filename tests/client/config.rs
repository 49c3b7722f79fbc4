//! The settings of `chat-cli`: its configuration file, profiles, and sessions that do not
//! interfere.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use serde_json::Value;

use crate::support::Server;
use crate::support::cli;
use crate::support::cli::{Home, Outcome, outcome};
use crate::support::pty::{CTRL_D, Terminal};

/// An address without a listener.
const NOBODY: &str = "127.0.0.1:9";

fn file(home: &Home) -> PathBuf {
    home.path().join(".config/chat/config.toml")
}

fn configure(home: &Home, text: &str) {
    fs::create_dir_all(file(home).parent().unwrap()).unwrap();
    fs::write(file(home), text).unwrap();
}

/// `chat-cli` without `CHAT_SERVER`.
fn run(home: &Home, arguments: &[&str]) -> Outcome {
    let mut command = home.cli(arguments);
    command.env_remove("CHAT_SERVER");
    outcome(command)
}

fn done(home: &Home, arguments: &[&str]) -> String {
    let outcome = run(home, arguments);
    assert_eq!(outcome.code, 0, "{arguments:?}: {outcome:?}");
    outcome.stdout
}

/// What `config show --json` prints for a setting.
fn shown(outcome: Outcome, key: &str) -> Value {
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let objects = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    objects.into_iter().find(|object| object["key"] == key).expect("the setting is shown")
}

fn nobody() -> SocketAddr {
    NOBODY.parse().unwrap()
}

#[test]
fn users_of_one_server_have_profiles_whose_sessions_stay_apart() {
    let server = Server::start();
    let home = Home::new(nobody());
    let address = server.address();
    let text = format!(
        "server = \"{address}\"\n[profile.p]\nuser = \"paff\"\n[profile.n]\nuser = \"neko\"\n"
    );
    configure(&home, &text);
    for profile in ["p", "n"] {
        let mut command = home.cli(["--profile", profile, "auth"]);
        command.env_remove("CHAT_SERVER").stdin(std::process::Stdio::piped());
        let outcome = cli::outcome_with_input(command, b"cytus\n");
        assert_eq!(outcome.code, 0, "{outcome:?}");
    }
    done(&home, &["--profile", "p", "send", "neko", "hai"]);
    let inbox = done(&home, &["--profile", "n", "inbox"]);
    assert_eq!(inbox, "{\"paff\": [{\"msg\": \"hai\"}]}\n");
    // The same by the environment, and by the name alone.
    let mut command = home.cli(["whoami", "--json"]);
    command.env_remove("CHAT_SERVER").env("CHAT_PROFILE", "n");
    assert!(outcome(command).stdout.contains("\"neko\""));
    assert!(done(&home, &["--user", "paff", "whoami", "--json"]).contains("\"paff\""));
    // No user is set, and every login was for a set user.
    assert_eq!(run(&home, &["whoami"]).code, 77);

    done(&home, &["--profile", "p", "logout"]);
    assert_eq!(run(&home, &["--profile", "p", "whoami"]).code, 77);
    assert!(done(&home, &["--profile", "n", "whoami", "--json"]).contains("\"neko\""));
}

#[test]
fn another_user_cannot_log_in_where_a_user_is_set() {
    let server = Server::start();
    let home = Home::new(server.address());
    configure(&home, "user = \"paff\"\n");
    let refused = home.run(["auth", "neko", "cytus"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert!(refused.stderr.contains("chat-cli --user neko auth"), "{refused:?}");
    assert!(!home.state().exists() || fs::read_dir(home.state()).unwrap().count() == 0);
    assert_eq!(home.run(["auth", "paff", "cytus"]).code, 0);
    assert_eq!(home.run(["--user", "neko", "auth", "neko", "cytus"]).code, 0);
    assert!(home.run(["whoami", "--json"]).stdout.contains("\"paff\""));

    let nobody = Home::new(server.address()).run(["auth"]);
    assert_eq!(nobody.code, 2, "{nobody:?}");
}

#[test]
fn prompt_begins_with_the_session_of_the_profile() {
    let server = Server::start();
    let home = Home::new(server.address());
    configure(&home, "default_profile = \"n\"\n[profile.n]\nuser = \"neko\"\n");
    assert_eq!(home.run(["auth", "neko", "cytus"]).code, 0);
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end("Command neko:");
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());
}

#[test]
fn option_goes_before_variable_before_profile_before_file_before_default() {
    let home = Home::new(nobody());
    let show = ["config", "show", "--json"];
    let default = shown(run(&home, &show), "server");
    assert_eq!(default["value"], "127.0.0.1:8889");
    assert_eq!(default["source"], "default");

    configure(&home, "server = \"f:1\"\ntime = \"utc\"\n\n[profile.p]\nserver = \"p:1\"\n");
    let of_file = shown(run(&home, &show), "server");
    assert_eq!((&of_file["value"], &of_file["line"]), (&"f:1".into(), &1.into()));
    assert_eq!(of_file["file"], file(&home).to_str().unwrap());

    let profile = [&["--profile", "p"][..], &show].concat();
    let of_profile = shown(run(&home, &profile), "server");
    assert_eq!((&of_profile["value"], &of_profile["line"]), (&"p:1".into(), &5.into()));
    assert_eq!(of_profile["profile"], "p");
    assert_eq!(shown(run(&home, &profile), "time")["value"], "utc");

    let of_variable = shown(home.run(&profile), "server");
    assert_eq!(
        (&of_variable["value"], &of_variable["variable"]),
        (&NOBODY.into(), &"CHAT_SERVER".into())
    );

    let option = [&["--server", "o:1"][..], &profile].concat();
    let of_option = shown(home.run(&option), "server");
    assert_eq!((&of_option["value"], &of_option["option"]), (&"o:1".into(), &"--server".into()));

    let text = done(&home, &profile[..4]);
    let line = text.lines().find(|line| line.starts_with("server = \"p:1\"")).unwrap();
    assert!(line.ends_with("config.toml:5 (profile p)"), "{line}");
}

#[test]
fn timeout_of_the_file_limits_the_wait_for_the_server() {
    // It accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::new(silent.local_addr().unwrap());
    configure(&home, "timeout = \"70ms\"\n");
    let outcome = home.run(["auth", "paff", "cytus"]);
    assert_eq!(outcome.code, 75, "{outcome:?}");
    assert!(outcome.stderr.contains("0.07s"), "{outcome:?}");
    let outcome = home.run(["--timeout", "60ms", "auth", "paff", "cytus"]);
    assert!(outcome.stderr.contains("0.06s"), "{outcome:?}");
}

#[test]
fn language_of_a_profile_applies_unless_the_environment_sets_one() {
    let home = Home::new(nobody());
    configure(&home, "lang = \"id\"\n");
    assert_eq!(shown(home.run(["config", "show", "--json"]), "lang")["value"], "id");
    let mut command = home.cli(["config", "show", "--json"]);
    command.env("CHAT_LANG", "en");
    let lang = shown(outcome(command), "lang");
    assert_eq!((&lang["value"], &lang["source"]), (&"en".into(), &"environment".into()));
}

#[test]
fn mistake_in_the_file_ends_every_command_but_those_that_repair_it() {
    let home = Home::new(nobody());
    configure(&home, "server = \"a:1\"\n[profile.p]\nuesr = \"paff\"\n");
    for command in [&["unread"][..], &["config", "show"], &["auth", "paff"]] {
        let outcome = home.run(command);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (78, ""), "{outcome:?}");
        assert!(outcome.stderr.contains("config.toml:3: there is no setting uesr"), "{outcome:?}");
        assert!(outcome.stderr.ends_with("hint: did you mean user?\n"), "{outcome:?}");
    }
    let path = home.run(["config", "path"]);
    assert_eq!(path.stdout, format!("{}\n", file(&home).display()));
    assert_eq!(home.run(["--help"]).code, 0);
    assert_eq!(home.run(["completions", "bash"]).code, 0);
    let mended = home.run(["config", "init", "--force"]);
    assert_eq!(mended.code, 0, "{mended:?}");
    assert_eq!(home.run(["config", "show"]).code, 0);
}

#[test]
fn unknown_profile_is_refused_with_a_suggestion() {
    let home = Home::new(nobody());
    let outcome = home.run(["--profile", "work", "unread"]);
    assert_eq!(outcome.code, 78);
    assert!(
        outcome.stderr.ends_with("hint: create it with `chat-cli --profile work config init`\n"),
        "{outcome:?}"
    );
    configure(&home, "[profile.work]\nuser = \"paff\"\n");
    let outcome = home.run(["--profile", "wokr", "unread"]);
    assert_eq!(outcome.code, 78);
    assert!(
        outcome.stderr.contains("there is no profile wokr\nhint: did you mean work?"),
        "{outcome:?}"
    );
    configure(&home, "\ndefault_profile = \"wokr\"\n[profile.work]\n");
    let outcome = home.run(["unread"]);
    assert!(outcome.stderr.contains("config.toml:2: there is no profile wokr"), "{outcome:?}");
}

#[test]
fn init_writes_what_it_was_given_adds_profiles_and_overwrites_nothing() {
    let server = Server::start();
    let home = Home::new(server.address());
    let written = home.run(["--user", "ivy", "config", "init"]);
    assert_eq!(written.code, 0, "{written:?}");
    assert_eq!(written.stdout, format!("{}: written\n", file(&home).display()));
    assert_eq!(written.stderr, format!("{} answers\n", server.address()));
    let first = fs::read_to_string(file(&home)).unwrap();
    assert_eq!(shown(run(&home, &["config", "show", "--json"]), "user")["value"], "ivy");

    let again = home.run(["--user", "robo", "config", "init"]);
    assert_eq!((again.code, again.stdout.as_str()), (74, ""), "{again:?}");
    assert_eq!(fs::read_to_string(file(&home)).unwrap(), first);

    let add = ["--profile", "work", "--server", NOBODY, "--timeout", "1s", "config", "init"];
    let added = home.run(add);
    assert_eq!(added.code, 0, "a server that is away is noted: {added:?}");
    assert!(added.stderr.contains(NOBODY), "{added:?}");
    let both = fs::read_to_string(file(&home)).unwrap();
    assert!(both.starts_with(first.trim_end()) && both.contains("[profile.work]\n"), "{both}");
    let show = ["--profile", "work", "config", "show", "--json"];
    assert_eq!(shown(run(&home, &show), "server")["value"], NOBODY);
    assert_eq!(home.run(add).code, 74);
    assert_eq!(fs::read_to_string(file(&home)).unwrap(), both);
    assert_eq!(home.run(["--profile", "a b", "config", "init"]).code, 2);

    // The lines that are commented out are valid.
    let all = first.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    configure(&home, &all.collect::<Vec<_>>().join("\n"));
    assert_eq!(shown(run(&home, &["config", "show", "--json"]), "server")["profile"], "work");
}

#[test]
fn init_guides_a_person_to_being_logged_in() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut command = home.cli(["config", "init"]);
    command.env_remove("CHAT_SERVER").env("XDG_CONFIG_HOME", home.path().join("xdg"));
    let mut terminal = Terminal::start(command);
    terminal.wait_for_end("What is the server's address? [127.0.0.1:8889]");
    terminal.line("nonsense");
    terminal.wait_for("give HOST:PORT");
    terminal.line(NOBODY);
    terminal.wait_for_end("Write the file anyway? [y/N]");
    terminal.line("");
    terminal.wait_for_end("What is the server's address? [127.0.0.1:8889]");
    terminal.line(&server.address().to_string());
    terminal.wait_for(&format!("{} answers", server.address()));
    terminal.wait_for_end("What is your user name there?");
    terminal.line("No One");
    terminal.wait_for_end("What is your user name there?");
    terminal.line("vanessa");
    terminal.wait_for_end("Log in as vanessa now? [Y/n]");
    terminal.line("");
    terminal.wait_for_end("Password for vanessa:");
    terminal.line("cytus");
    terminal.wait_for("username vanessa logged in");
    assert!(terminal.wait().success());

    let mut command = home.cli(["whoami", "--json"]);
    command.env_remove("CHAT_SERVER").env("XDG_CONFIG_HOME", home.path().join("xdg"));
    assert!(outcome(command).stdout.contains("\"vanessa\""));
}

/// An empty variable counts as not set, whichever it is.
#[test]
fn empty_variable_counts_as_not_set() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let address = server.address().to_string();
    configure(&home, &format!("server = \"{address}\"\n"));
    for variable in [
        "CHAT_SERVER",
        "CHAT_TLS_CA",
        "CHAT_USER",
        "CHAT_PROFILE",
        "CHAT_LANG",
        "CHAT_TOKEN",
        "NO_COLOR",
        "XDG_CONFIG_HOME",
        "LANG",
        "LC_ALL",
        "LC_MESSAGES",
        "TZ",
    ] {
        let run = |words: &[&str]| {
            let mut command = home.cli(words);
            command.env(variable, "");
            outcome(command)
        };
        let told = run(&["whoami"]);
        assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{variable}");
        assert_eq!(run(&["config", "show"]).code, 0, "{variable}");
        assert_eq!(run(&["--help"]).code, 0, "{variable}");
    }
    // The value comes from elsewhere.
    let mut command = home.cli(["--json", "config", "show"]);
    command.env("CHAT_SERVER", "");
    let shown = outcome(command).stdout;
    let line = shown.lines().find(|line| line.contains("\"key\": \"server\"")).unwrap();
    assert!(line.contains(&address) && line.contains("\"source\": \"file\""), "{line}");
    // An empty value on the command line is not ignored.
    assert_eq!(home.run(["--server", "", "whoami"]).code, 2);
}
