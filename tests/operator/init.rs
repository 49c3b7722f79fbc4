//! `init` creates a configuration, a database and a first user, by options and at a terminal. A
//! refusal leaves nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Wire;
use crate::support::cli::{Outcome, outcome, outcome_with_input};
use crate::support::pty::{CTRL_C, CTRL_D, Terminal};
use crate::support::tls::Authority;

/// A folder for a new server.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.folder.path()).expect("a folder").join(name)
    }

    /// `chat-server` with these arguments, in this folder.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        command.env_clear().current_dir(self.path("")).args(arguments);
        command.env("CHAT_LANG", "en").stdin(Stdio::null());
        command
    }

    fn init(&self, arguments: &[&str], input: &str) -> Outcome {
        let command = self.command(&[&["init"], arguments].concat());
        outcome_with_input(command, input.as_bytes())
    }

    /// [`Self::init`] on a terminal of 150 columns.
    fn init_on_a_terminal(&self, arguments: &[&str]) -> Terminal {
        let command = self.command(&[&["init"], arguments].concat());
        Terminal::start_sized(command, 40, 150)
    }

    /// Starts a server with the configuration, by the command that `init` prints.
    fn start(&self, config: &str) -> Running {
        let mut command = self.command(&["--config", config]);
        command.current_dir("/").stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its standard output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.trim_end().rsplit([' ', ':']).next().and_then(|port| port.parse().ok());
        let port: u16 = address.unwrap_or_else(|| panic!("no port in {line:?}"));
        Running { child, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// Every file of the folder, with its contents.
    fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = fs::read_dir(self.path("")).expect("a folder");
        let paths = files.map(|file| file.expect("a file").path());
        paths.filter(|path| path.is_file()).map(|path| (path.clone(), bytes(&path))).collect()
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).expect("a file")
}

/// A server that ends with the test.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The words after `what` in a line of the outcome, split as by a shell.
fn words_after<'a>(said: &'a str, what: &str) -> &'a str {
    let line = said.lines().find_map(|line| line.strip_prefix(what));
    line.unwrap_or_else(|| panic!("no {what:?} in {said}")).trim()
}

#[test]
fn options_make_a_configuration_that_the_server_starts_with() {
    let place = Place::new();
    let outcome =
        place.init(&["--user", "ada", "--listen", "127.0.0.1:0", "--heartbeat", "7s"], "geheim\n");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    let (config, db) = (place.path("chat-server.toml"), place.path("chat.sqlite"));
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines[0], format!("{}: written", config.display()));
    assert_eq!(lines[1], format!("new database {}", db.display()));
    assert_eq!(lines[2], "ada is added");
    let start = words_after(&outcome.stdout, "start the server:");
    assert_eq!(start, format!("chat-server --config {}", config.display()));
    assert!(words_after(&outcome.stdout, "then log in:").starts_with("chat-cli "), "{outcome:?}");
    let text = fs::read_to_string(&config).expect("the configuration");
    let set: Vec<&str> = text.lines().filter(|line| line.contains(" = ")).collect();
    let db_line = format!("db = {:?}", db.display().to_string());
    let listen = r#"listen = ["127.0.0.1:0"]"#;
    assert_eq!(set, [db_line.as_str(), listen, "no_seed = true", r#"heartbeat = "7s""#], "{text}");
    assert_eq!(fs::metadata(&db).expect("the database").permissions().mode() & 0o777, 0o600);
    let server = place.start(config.to_str().expect("text"));
    let mut wire = Wire::connect(server.address);
    wire.done("auth ada geheim");
    assert_eq!(wire.refused("auth paff cytus"), "unknown_user");
}

#[test]
fn answers_at_a_terminal_make_a_configuration_and_wrong_ones_are_asked_again() {
    let place = Place::new();
    fs::write(place.path("taken.toml"), "").expect("a file");
    let mut terminal = place.init_on_a_terminal(&[]);
    for (question, answer) in [
        ("Configuration file? [chat-server.toml] ", "taken.toml"),
        ("Configuration file? [chat-server.toml] ", "no/folder/server.toml"),
        ("Configuration file? [chat-server.toml] ", ""),
        ("Database file? [chat.sqlite] ", "no/folder/chat.sqlite"),
        ("Database file? [chat.sqlite] ", "my chat.sqlite"),
        ("Name of the first user? ", "Ada!"),
        ("Name of the first user? ", "ada"),
        ("this machine only)? [127.0.0.1:8889] ", "nowhere"),
        ("this machine only)? [127.0.0.1:8889] ", "0.0.0.0:0"),
        ("(PEM; empty: no TLS)? ", ""),
        ("would travel unencrypted. Allow that? [y/N] ", ""),
        ("this machine only)? [127.0.0.1:8889] ", "127.0.0.1:0"),
        ("(PEM; empty: no TLS)? ", "no.pem"),
        ("Key file of the certificate (PEM)? ", "no.key"),
        ("this machine only)? [127.0.0.1:8889] ", "127.0.0.1:0"),
        ("(PEM; empty: no TLS)? ", ""),
    ] {
        terminal.wait_until(question, |terminal| terminal.transcript().ends_with(question));
        terminal.line(answer);
    }
    for (question, answer) in [
        ("Password for ada:", "geheim"),
        ("The same again:", "geheim?"),
        ("Password for ada:", "geheim"),
        ("The same again:", "geheim"),
    ] {
        terminal.wait_for_end(question);
        assert!(!terminal.echoes());
        terminal.line(answer);
    }
    assert_eq!(terminal.wait().code(), Some(0), "{}", terminal.screen());
    let said = terminal.transcript().replace("\r\n", "\n");
    assert!(!said.contains("geheim"), "{said}");
    for problem in [
        "taken.toml exists already",
        "config: there is no folder",
        "db: there is no folder",
        "is no user name",
        "give ADDR:PORT",
        "would travel unencrypted\n",
        "no.pem",
        "the two passwords are not the same",
    ] {
        assert!(said.contains(problem), "{problem:?} in {said}");
    }
    assert!(said.contains(&format!("new database {}\n", place.path("my chat.sqlite").display())));
    let server = place.start(place.path("chat-server.toml").to_str().expect("text"));
    Wire::connect(server.address).done("auth ada geheim");
}

#[test]
fn certificate_given_at_the_terminal_makes_a_server_with_tls() {
    let (place, authority) = (Place::new(), Authority::new());
    let files = authority.server();
    let mut terminal = place.init_on_a_terminal(&["--user", "ada"]);
    for (question, answer) in [("toml]", ""), ("sqlite]", ""), ("8889]", "0.0.0.0:0")] {
        terminal.wait_for_end(question);
        terminal.line(answer);
    }
    terminal.wait_for("(PEM; empty: no TLS)?");
    terminal.line(files.certificate.to_str().expect("text"));
    terminal.wait_for("Key file of the certificate (PEM)?");
    terminal.line(files.key.to_str().expect("text"));
    for question in ["Password for ada:", "The same again:"] {
        terminal.wait_for_end(question);
        terminal.line("geheim");
    }
    assert_eq!(terminal.wait().code(), Some(0), "{}", terminal.screen());
    let screen = terminal.screen();
    let log_in = words_after(&screen, "then log in:");
    assert!(log_in.starts_with("chat-cli --server chats://localhost:"), "{log_in}");
    let server = place.start(place.path("chat-server.toml").to_str().expect("text"));
    authority.connect(server.address).done("auth ada geheim");
}

#[test]
fn without_a_terminal_a_missing_answer_is_a_usage_error_that_names_the_option() {
    for (arguments, input, option) in [
        (&[][..], "geheim\n", "--user"),
        (&["--user", "ada"], "", "--password-file"),
        (&["--user", "ada"], "\n", "--password-file"),
    ] {
        let place = Place::new();
        let listen = ["--listen", "127.0.0.1:0"];
        let outcome = place.init(&[&listen, arguments].concat(), input);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(option), "{outcome:?}");
        assert!(place.content().is_empty(), "{outcome:?}");
    }
}

#[test]
fn refusal_leaves_everything_as_it_was() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let busy = busy.local_addr().expect("its address").to_string();
    let open = ["--listen", "0.0.0.0:0"];
    let plain = [&open[..], &["--allow-plaintext"]].concat();
    for (code, arguments, password, words) in [
        (78, &open[..], "geheim", "would travel unencrypted"),
        (78, &plain, "cytus", "the password of ada is public"),
        (73, &["--config", "there.toml"], "geheim", "there.toml exists already"),
        (73, &["--db", "there.sqlite"], "geheim", "there.sqlite exists already"),
        (78, &["--config", "no/server.toml"], "geheim", "config: there is no folder"),
        (78, &["--db", "no/chat.sqlite"], "geheim", "db: there is no folder"),
        (78, &["--db", "."], "geheim", "is a folder"),
        (65, &["--user", "Ada!"], "geheim", "is no user name"),
        (65, &[], &"x".repeat(129), "the password is refused"),
        (66, &["--password-file", "none"], "", "none"),
        (78, &["--tls-cert", "there.toml"], "geheim", "a certificate and its key go together"),
        (66, &["--listen", "tls:127.0.0.1:0", "--tls-cert", "a", "--tls-key", "b"], "geheim", ""),
        (78, &["--listen", "tls:127.0.0.1:0"], "geheim", "there is no certificate"),
        (69, &["--listen", &busy], "geheim", "cannot listen on"),
        (78, &["--listen", "unix:no/sock"], "geheim", "listen: there is no folder"),
        (78, &["--metrics", "0.0.0.0:0"], "geheim", "could read the metrics"),
        (2, &["--generate", "--password-file", "there.toml"], "", "--password-file"),
        (2, &["--heartbeat", "never"], "geheim", "never"),
    ] {
        let place = Place::new();
        for name in ["there.toml", "there.sqlite"] {
            fs::write(place.path(name), "mine").expect("a file");
        }
        let before = place.content();
        let named = if arguments.contains(&"--user") { &[][..] } else { &["--user", "ada"] };
        let listen: &[&str] = match arguments.contains(&"--listen") {
            true => &[],
            false => &["--listen", "127.0.0.1:0"],
        };
        let outcome = place.init(&[named, listen, arguments].concat(), &format!("{password}\n"));
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (code, ""),
            "{arguments:?}: {outcome:?}"
        );
        assert!(outcome.stderr.contains(words), "{arguments:?}: {outcome:?}");
        assert_eq!(place.content(), before, "{arguments:?}");
    }
}

#[test]
fn aborted_init_leaves_nothing_behind() {
    for leave in [0, 1, 2, 3, 4] {
        let place = Place::new();
        let mut terminal = place.init_on_a_terminal(&[]);
        let questions = ["toml]", "sqlite]", "user?", "8889]", "no TLS)?"];
        for (number, question) in questions.iter().enumerate() {
            terminal.wait_for_end(question);
            if number == leave {
                break;
            }
            terminal.line(["", "", "ada", "127.0.0.1:0"][number]);
        }
        terminal.keys(CTRL_D);
        assert_eq!(terminal.wait().code(), Some(130), "{}", terminal.screen());
        assert!(place.content().is_empty());
    }
    let place = Place::new();
    let mut terminal =
        place.init_on_a_terminal(&["--user", "ada", "--listen", "127.0.0.1:0", "--config", "c"]);
    terminal.wait_for_end("sqlite]");
    terminal.line("");
    terminal.wait_for_end("Password for ada:");
    terminal.keys(CTRL_C);
    assert_eq!(terminal.wait().code(), Some(130), "{}", terminal.screen());
    assert!(terminal.is_as_before() && place.content().is_empty());
}

#[test]
fn force_replaces_the_configuration_as_a_whole_and_nothing_else() {
    let place = Place::new();
    let config = place.path("server.toml");
    let real = place.path("real.toml");
    fs::write(&real, "old").expect("a file");
    std::os::unix::fs::symlink(&real, &config).expect("a link");
    let options = ["--user", "ada", "--listen", "127.0.0.1:0", "--config", "server.toml"];
    let refused = place.init(&options, "geheim\n");
    assert_eq!(refused.code, 73, "{refused:?}");
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    let forced = place.init(&[&options[..], &["--force"]].concat(), "geheim\n");
    assert_eq!(forced.code, 0, "{forced:?}");
    assert!(fs::read_to_string(&real).expect("the file").contains("\nlisten = "));
    assert!(config.is_symlink());
    let again = place.init(&[&options[..], &["--force"]].concat(), "geheim\n");
    assert_eq!(again.code, 73, "a database is never replaced: {again:?}");
    let files: Vec<PathBuf> = place.content().into_keys().collect();
    let left = ["chat.sqlite", "chat.sqlite.lock", "real.toml", "server.toml"];
    assert_eq!(files, left.map(|name| place.path(name)));
}

#[test]
fn password_comes_from_a_file_or_is_generated_and_reported_as_json() {
    let place = Place::new();
    fs::write(place.path("password"), "from a file\nnot this\n").expect("a file");
    let options = ["--user", "ada", "--listen", "127.0.0.1:0", "--config", "a.toml", "--json"];
    let outcome = place.init(&[&options[..], &["--password-file", "password"]].concat(), "");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    let object: Value = serde_json::from_str(&outcome.stdout).expect("an object");
    let (config, db) = (place.path("a.toml"), place.path("chat.sqlite"));
    assert_eq!(object, json!({"v": 1, "config": config, "new_database": db, "name": "ada"}));
    let server = place.start(config.to_str().expect("text"));
    Wire::connect(server.address).done("auth ada from a file");
    drop(server);
    let options =
        [&options[..], &["--generate", "--db", "b.sqlite", "--config", "b.toml"]].concat();
    let outcome = place.init(&options, "");
    let object: Value = serde_json::from_str(&outcome.stdout).expect("an object");
    let server = place.start(place.path("b.toml").to_str().expect("text"));
    let password = object["password"].as_str().expect("a password");
    Wire::connect(server.address).done(format!("auth ada {password}"));
}

#[test]
fn questions_and_configuration_can_be_in_indonesian() {
    let place = Place::new();
    let options = ["--lang", "id", "--user", "ada", "--generate", "--listen", "127.0.0.1:0"];
    let made = place.init(&options, "");
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.stdout.contains("\njalankan server:   chat-server --config "), "{made:?}");
    let text = fs::read_to_string(place.path("chat-server.toml")).expect("the configuration");
    assert!(text.starts_with("# Konfigurasi chat-server, ditulis oleh"), "{text}");
    let checked = outcome(place.command(&["config", "check", "chat-server.toml"]));
    assert_eq!(checked.code, 0, "{checked:?}");
}
