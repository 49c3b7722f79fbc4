//! The first start as an operator sees it: on a terminal, and in a stored server log.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::pty::Terminal;
use crate::support::tls::Authority;
use crate::support::{Server, server_command};

/// Wide enough for the path of a temporary folder.
const COLUMNS: u16 = 200;

fn start_on_a_terminal(folder: &Path, options: &[&str]) -> Terminal {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.env_clear().env("CHAT_SERVER_CONFIG", "/dev/null").current_dir(folder);
    command.args(["--listen", "127.0.0.1:0"]).args(options);
    Terminal::start_sized(command, 40, COLUMNS)
}

/// The rows of the screen, with `TIME` for the time of a line of the server log.
fn rows(terminal: &Terminal) -> Vec<String> {
    let is_time = |word: &str| word.len() == 27 && word.ends_with('Z') && word.contains('T');
    let row = |row: &str| match row.split_once(' ') {
        Some((time, rest)) if is_time(time) => format!("TIME {rest}"),
        _ => row.to_owned(),
    };
    terminal.screen().lines().map(row).collect()
}

#[test]
fn start_on_a_terminal_shows_what_happens_and_nothing_else() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut terminal = start_on_a_terminal(folder.path(), &["--metrics", "127.0.0.1:0"]);
    terminal.wait_for("chat-server metrics on ");
    let shown = rows(&terminal);
    let path = fs::canonicalize(folder.path()).expect("a folder").join("chat.sqlite");
    assert_eq!(shown.len(), 3, "{shown:#?}");
    assert_eq!(shown[0], format!("TIME  INFO new database path={} users=true", path.display()));
    let port = |row: &str, before: &str, after: &str| {
        let port = row.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let port = port.and_then(|port| port.parse::<u16>().ok());
        assert!(port.is_some(), "{row}");
    };
    port(&shown[1], "chat-server listening on 127.0.0.1:", "");
    port(&shown[2], "chat-server metrics on http://127.0.0.1:", "/");
    kill_process(Pid::from_raw(terminal.pid()).expect("a pid"), Signal::INT).expect("signalled");
    assert_eq!(terminal.wait().code(), Some(0));
    assert_eq!(rows(&terminal)[3..], ["TIME  INFO stopping signal=2", "TIME  INFO stopped"]);
    assert!(!terminal.transcript().contains('\x1b'), "{:?}", terminal.transcript());
}

#[test]
fn start_on_a_terminal_says_where_it_listens_however_little_is_logged() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut terminal = start_on_a_terminal(folder.path(), &["--log", "off"]);
    terminal.wait_for("chat-server listening on 127.0.0.1:");
    assert_eq!(rows(&terminal).len(), 1, "{}", terminal.screen());
}

#[test]
fn server_log_has_each_address_with_its_protocol() {
    let (folder, logs) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let authority = Authority::new();
    let files = authority.server();
    let socket = folder.path().join("chat.sock");
    let path = logs.path().join("log");
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    command.args(["--log", "info", "--log-format", "json", "--metrics", "127.0.0.1:0"]);
    command.arg("--listen").arg(format!("unix:{}", socket.display()));
    command.args(["--listen", "tls:127.0.0.1:0", "--tls-cert"]).arg(&files.certificate);
    command.arg("--tls-key").arg(&files.key);
    command.stderr(Stdio::from(File::create(&path).expect("a file")));
    let mut server = Server::start_command(command, folder);
    let monitor = server.monitor().to_string();
    assert_eq!(server.stop().code(), Some(0));
    let log = fs::read_to_string(&path).expect("the log");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let of = |line: &Value, field: &str| line[field].as_str().expect(field).to_owned();
    let listening: Vec<_> = lines
        .filter(|line| line["message"] == "listening")
        .map(|line| (of(&line, "protocol"), of(&line, "address")))
        .collect();
    let protocols: Vec<&str> = listening.iter().map(|(protocol, _)| protocol.as_str()).collect();
    assert_eq!(protocols, ["plain", "unix", "tls", "http"], "{log}");
    assert!(listening[0].1.starts_with("127.0.0.1:"), "{log}");
    assert_eq!(listening[1].1, socket.display().to_string());
    assert!(listening[2].1.starts_with("127.0.0.1:"), "{log}");
    assert_eq!(listening[3].1, monitor);
}
