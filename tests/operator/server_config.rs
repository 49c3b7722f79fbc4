//! The settings of `chat-server`: the configuration file, the environment and the command line,
//! which of them overrides which, and the errors of a wrong file.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::Wire;
use crate::support::cli::{Outcome, outcome};

/// A folder with a configuration file.
struct Folder {
    folder: TempDir,
}

impl Folder {
    fn with(configuration: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("server.toml"), configuration).unwrap();
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("server.toml")
    }

    /// `chat-server` in this folder with this file, and an empty environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        command.env_clear().env("CHAT_SERVER_CONFIG", self.file()).args(arguments);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        outcome(self.command(arguments))
    }

    /// Asserts that `arguments` are refused with 78; returns the errors.
    fn refused(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (78, ""), "{outcome:?}");
        outcome.stderr.replace(&format!("{}/", self.folder.path().display()), "")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// A setting in the output of `config show --json`.
fn shown(command: Command, key: &str) -> Value {
    let outcome = outcome(command);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let objects = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    objects.into_iter().find(|object| object["key"] == key).expect("the setting is shown")
}

#[test]
fn option_overrides_variable_overrides_file_overrides_default() {
    let folder = Folder::with("# a comment\nheartbeat = \"20s\"\n");
    let show = ["config", "show", "--json"];
    let setting = shown(Folder::with("").command(&show), "heartbeat");
    assert_eq!(
        (setting["value"].as_str(), setting["source"].as_str()),
        (Some("30s"), Some("default"))
    );

    let setting = shown(folder.command(&show), "heartbeat");
    assert_eq!(
        (setting["value"].as_str(), setting["source"].as_str()),
        (Some("20s"), Some("file"))
    );
    assert_eq!(setting["file"], folder.file().to_str().unwrap());
    assert_eq!(setting["line"], 2);

    let mut command = folder.command(&show);
    command.env("CHAT_SERVER_HEARTBEAT", "10s");
    let setting = shown(command, "heartbeat");
    assert_eq!(setting["value"], "10s");
    assert_eq!(setting["source"], "environment");
    assert_eq!(setting["variable"], "CHAT_SERVER_HEARTBEAT");

    let mut command = folder.command(&["config", "show", "--json", "--heartbeat", "5s"]);
    command.env("CHAT_SERVER_HEARTBEAT", "10s");
    let setting = shown(command, "heartbeat");
    assert_eq!(setting["value"], "5s");
    assert_eq!(
        (setting["source"].as_str(), setting["option"].as_str()),
        (Some("option"), Some("--heartbeat"))
    );
}

#[test]
fn every_kind_of_value_can_be_set_in_the_file() {
    let folder = Folder::with(
        "listen = [\"127.0.0.1:1\", \"[::1]:2\"]\nno_seed = true\nworkers = 3\nready_file = \"r\"\n\
         tls_cert = \"c\"\ntls_key = \"k\"\n",
    );
    for (key, value) in [
        ("listen", serde_json::json!(["127.0.0.1:1", "[::1]:2"])),
        ("no_seed", true.into()),
        ("workers", 3.into()),
        ("ready_file", "r".into()),
        ("tls_cert", "c".into()),
        ("tls_key", "k".into()),
        ("allow_plaintext", false.into()),
    ] {
        assert_eq!(shown(folder.command(&["config", "show", "--json"]), key)["value"], value);
    }
    let mut command = folder.command(&["config", "show", "--json"]);
    command.env("CHAT_SERVER_NO_SEED", "no").env("CHAT_SERVER_LISTEN", "127.0.0.1:3,127.0.0.1:4");
    assert_eq!(shown(command, "no_seed")["value"], false);
}

#[test]
fn shown_configuration_is_a_file_that_sets_exactly_that() {
    let folder = Folder::with("listen = [\"127.0.0.1:0\", \"[::1]:0\"]\nconnections_max = 99\n");
    let values = |outcome: Outcome| -> Vec<String> {
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let values = outcome.stdout.lines().filter_map(|line| line.split_once("  # "));
        values.map(|(value, _)| value.trim_end().to_owned()).collect()
    };
    let first = folder.run(&["config", "show"]);
    let again = Folder::with(&first.stdout).run(&["config", "show"]);
    assert_eq!(values(first), values(again));
}

#[test]
fn every_error_in_a_file_is_reported_with_its_line() {
    for (text, reported) in [
        (
            "\nlisen = \"127.0.0.1:1\"\n",
            "error: server.toml:2: there is no setting lisen\nhint: did you mean listen?\n",
        ),
        (
            "connections-max = 1\n",
            "server.toml:1: there is no setting connections-max\nhint: did you mean connections_max?\n",
        ),
        ("[heartbeat]\n", "server.toml:1: heartbeat is no table\n"),
        ("quux = 1\n", "hint: there are: db, db_password_file, "),
        (
            "connections_max = 0\n",
            "server.toml:1: connections_max = 0: 0 is not in 1..=4294967295\n",
        ),
        ("connections_max = \"10\"\n", "connections_max = \"10\": it has to be a whole number\n"),
        ("no_seed = \"yes\"\n", "no_seed = \"yes\": it has to be true or false\n"),
        ("listen = [1]\n", "it has to be a list of texts, as in [\"a\", \"b\"]\n"),
        ("listen = \"127.0.0.1\"\n", "give ADDR:PORT, as in 127.0.0.1:8889\n"),
        ("log_format = \"xml\"\n", "it has to be one of text, json\n"),
        (
            "log = \"chatty\"\n",
            "\"chatty\" is no level: give error, warn, info, debug, trace or off\n",
        ),
        ("heartbeat = \"0s\"\n", "hint: heartbeat is: A stream without other events"),
        ("db = \"\"\n", "it cannot be empty\n"),
        ("a = 1\na = 2\n", "server.toml:2: is not TOML: duplicate key"),
        ("no_seed = true\nheartbeat = \n", "server.toml:2: is not TOML: "),
    ] {
        let folder = Folder::with(text);
        for command in
            [&["config", "check"][..], &["config", "show"], &["serve"], &["user", "list"]]
        {
            let error = folder.refused(command);
            assert!(error.contains(reported), "{reported:?} is not in {error:?}");
        }
        assert_eq!(folder.names(), ["server.toml"], "nothing is begun with a wrong file");
    }
    let folder = Folder::with("lisen = 1\nheartbeat = 1\n");
    let error = folder.refused(&["config", "check"]);
    assert!(error.contains("server.toml:1: ") && error.contains("server.toml:2: "), "{error}");
}

#[test]
fn missing_file_that_was_named_is_an_error() {
    let folder = Folder::with("");
    let error = folder.refused(&["--config", "other.toml", "serve"]);
    assert!(error.starts_with("error: other.toml: there is no such"), "{error}");
    let error = folder.refused(&["--config", ".", "serve"]);
    assert!(error.starts_with("error: .: cannot be read: "), "{error}");
}

#[test]
fn check_finds_errors_that_would_otherwise_show_at_the_start() {
    for (text, reported) in [
        ("listen = \"0.0.0.0:0\"\n", "0.0.0.0:0 can be reached from other machines"),
        ("db = \"nowhere/chat.sqlite\"\n", "db: there is no folder nowhere"),
        ("ready_file = \"nowhere/ready\"\n", "ready_file: there is no folder nowhere"),
        ("db = \".\"\n", "db: . is a folder"),
        ("listen = []\n", "there is no address to listen on"),
        (
            "listen = \"tls:127.0.0.1:0\"\ntls_cert = \"c\"\n",
            "a certificate and its key go together",
        ),
        ("listen = \"tls:127.0.0.1:0\"\ntls_key = \"k\"\n", "there is no certificate for"),
        ("tls_key = \"k\"\n", "a certificate and its key go together"),
    ] {
        let error = Folder::with(text).refused(&["config", "check"]);
        assert!(error.contains(reported), "{reported:?} is not in {error:?}");
    }
    let folder = Folder::with("listen = \"0.0.0.0:0\"\nallow_plaintext = true\n");
    let outcome = folder.run(&["config", "check"]);
    let path = folder.file();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.stdout, format!("{}: the configuration is valid\n", path.display()));
    assert_eq!(folder.names(), ["server.toml"], "the database is not touched");
}

#[test]
fn certificate_and_key_may_come_from_different_sources() {
    let folder = Folder::with("listen = \"tls:127.0.0.1:0\"\ntls_key = \"k\"\n");
    let show = ["config", "show", "--json", "--tls-cert", "c"];
    assert_eq!(shown(folder.command(&show), "tls_cert")["value"], "c");
    assert_eq!(shown(folder.command(&show), "tls_key")["value"], "k");
    let outcome = folder.run(&["serve", "--tls-cert", "c"]);
    assert_eq!(outcome.code, 66, "{outcome:?}");
    assert!(outcome.stderr.contains("c: No such file"), "{outcome:?}");
    for options in [&["--tls-cert", "c"][..], &["--tls-key", "k"]] {
        let error = Folder::with("").refused(options);
        assert!(error.contains("a certificate and its key go together"), "{error}");
    }
    assert_eq!(folder.names(), ["server.toml"]);
}

#[test]
fn server_that_would_listen_nowhere_does_not_start() {
    let folder = Folder::with("listen = []\n");
    assert!(folder.refused(&["serve"]).contains("there is no address to listen on"));
    assert_eq!(folder.names(), ["server.toml"], "no database is made");
}

#[test]
fn empty_variable_is_refused_by_name() {
    let folder = Folder::with("");
    for (variable, words) in [
        ("CHAT_SERVER_DB", &["stats"][..]),
        ("CHAT_SERVER_DB", &["--json", "stats"]),
        ("CHAT_SERVER_READY_FILE", &[]),
        ("CHAT_SERVER_CONNECTIONS_MAX", &["serve"]),
    ] {
        let mut command = folder.command(words);
        let outcome = outcome({
            command.env(variable, "");
            command
        });
        assert_eq!(outcome.code, 2, "{outcome:?}");
        assert!(outcome.stderr.contains(&format!("{variable} is set and empty")), "{outcome:?}");
    }
    // A user who typed nothing gets the name of the option.
    let outcome = folder.run(&["--db", "", "stats"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("--db"), "{outcome:?}");
}

#[test]
fn check_can_be_given_another_file() {
    let folder = Folder::with("lisen = 1\n");
    fs::write(folder.folder.path().join("new.toml"), "listen = \"127.0.0.1:0\"\n").unwrap();
    let outcome = folder.run(&["config", "check", "--json", "new.toml"]);
    assert_eq!(outcome.stdout, "{\"v\": 1, \"file\": \"new.toml\", \"valid\": true}\n");
    let error = folder.refused(&["config", "check", "--json"]);
    let error: Value = serde_json::from_str(&error).unwrap();
    assert_eq!(error["hint"], "did you mean listen?");
}

#[test]
fn example_file_is_valid_sets_nothing_and_shows_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/server.toml");
    let folder = Folder::with("");
    let outcome = folder.run(&["config", "check", path.to_str().unwrap()]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#')), "it sets nothing");

    // A file with every default changes nothing.
    let set = text.split("\n\n").filter(|setting| !setting.contains("# Not set."));
    let set: Vec<&str> =
        set.filter_map(|setting| setting.lines().last()?.strip_prefix('#')).collect();
    let set: Vec<&str> = set.into_iter().filter(|line| !line.starts_with(' ')).collect();
    assert!(set.len() > 10, "{set:?}");
    let values = |folder: &Folder| -> Vec<(Value, Value)> {
        let outcome = folder.run(&["config", "show", "--json"]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let objects =
            outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        objects.map(|object| (object["key"].clone(), object["value"].clone())).collect()
    };
    assert_eq!(values(&folder), values(&Folder::with(&set.join("\n"))));
}

#[test]
fn server_and_operators_commands_find_the_database_in_the_file() {
    let folder =
        Folder::with("db = \"of_the_file.sqlite\"\nlisten = \"127.0.0.1:0\"\nlog = \"warn\"\n");
    let mut server = folder.command(&[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    Wire::connect(address).log_in("paff");
    assert!(folder.names().contains(&"of_the_file.sqlite".to_owned()));
    let listed = folder.run(&["user", "list"]);
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(listed.stdout.contains("vanessa"), "{listed:?}");
}
