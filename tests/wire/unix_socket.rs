//! `--listen unix:PATH`: the same protocol over a socket in the file system, and the file itself.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use tempfile::TempDir;

use crate::support::cli;
use crate::support::cli::{Home, Outcome};
use crate::support::{PATIENCE, Server, Wire, server_command};

fn connect(path: &Path) -> Wire<UnixStream> {
    let stream = UnixStream::connect(path).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    Wire::over(stream)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a socket").permissions().mode() & 0o777
}

/// A server with a socket, and the folder of the socket.
fn start(more: &[&str]) -> (Server, TempDir) {
    let folder = TempDir::new().expect("a temporary folder");
    let listen = format!("unix:{}", folder.path().join("chat.sock").display());
    let mut options = vec!["--listen", listen.as_str()];
    options.extend(more);
    (Server::start_with(&options), folder)
}

/// A reply without its end about a node on PostgreSQL, which changes from moment to moment.
fn steady(mut reply: Vec<u8>) -> Vec<u8> {
    const NODE: &[u8] = b"\"node\": {";
    if let Some(at) = reply.windows(NODE.len()).position(|part| part == NODE) {
        reply.truncate(at);
    }
    reply
}

#[test]
fn answers_have_the_same_bytes_as_over_the_network() {
    let (server, folder) = start(&[]);
    let path = folder.path().join("chat.sock");
    let token = server.log_in("paff");
    let text = "猫".repeat(5_000);
    let lines = [
        String::new(),
        "hello".to_owned(),
        "auth paff wrong".to_owned(),
        "x".repeat(300_000),
        "GET / HTTP/1.1".to_owned(),
    ];
    let post = format!("send {token} neko {text}");
    assert_eq!(connect(&path).done(&post), server.connect().done(&post));
    let (mut local, mut far) = (connect(&path), server.connect());
    for line in lines {
        local.send(format!("{line}\r\n"));
        far.send(format!("{line}\r\n"));
        assert_eq!(steady(local.reply_bytes()), steady(far.reply_bytes()), "{line:.20}");
    }
    assert!(local.wait_for_close().is_empty());
}

#[test]
fn requests_before_a_half_close_are_answered() {
    let (_server, folder) = start(&[]);
    let mut stream = UnixStream::connect(folder.path().join("chat.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"auth paff cytus\nhalf a li").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.contains("tokenid") && said.matches("status").count() == 1, "{said}");
}

#[test]
fn socket_has_its_mode_from_the_start_and_is_removed_at_the_end() {
    let (mut server, folder) = start(&[]);
    let path = folder.path().join("chat.sock");
    assert_eq!(mode(&path), 0o660);
    assert!(server.stop().success());
    assert!(!path.exists(), "the socket is left behind");
    let (_server, folder) = start(&["--unix-mode", "600"]);
    assert_eq!(mode(&folder.path().join("chat.sock")), 0o600);
}

/// The end of a server that cannot listen there.
fn refused(path: &Path) -> Outcome {
    let folder = TempDir::new().expect("a temporary folder");
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    command.args(["--listen", &format!("unix:{}", path.display())]);
    cli::outcome(command)
}

#[test]
fn socket_of_a_dead_server_is_replaced_and_that_of_a_live_one_is_not() {
    let (mut server, folder) = start(&[]);
    let path = folder.path().join("chat.sock");
    let outcome = refused(&path);
    assert_eq!(outcome.code, 69, "{outcome:?}");
    let hint = "hint: another server listens there; give another path";
    assert!(outcome.stderr.contains(hint), "{outcome:?}");
    connect(&path).done("hello");
    server.kill();
    assert!(path.exists(), "nobody removed it");
    server.start_again();
    connect(&path).done("hello");
}

#[test]
fn file_that_is_no_socket_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sock");
    fs::write(&path, "mine").unwrap();
    let outcome = refused(&path);
    assert_eq!(outcome.code, 69, "{outcome:?}");
    assert!(outcome.stderr.contains("it exists and is not a socket"), "{outcome:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    let outcome = refused(&folder.path().join("nowhere/chat.sock"));
    assert_eq!(outcome.code, 69, "{outcome:?}");
    assert!(outcome.stderr.contains("hint: make its folder first"), "{outcome:?}");
}

#[test]
fn invalid_mode_is_a_usage_error() {
    for mode in ["", "8", "1777", "rw"] {
        let folder = TempDir::new().unwrap();
        let mut command = server_command(&folder.path().join("chat.sqlite"));
        command.args(["--unix-mode", mode]);
        assert_eq!(cli::outcome(command).code, 2, "{mode:?}");
    }
}

#[test]
fn everything_works_with_the_client_and_a_session_of_its_own() {
    let (server, folder) = start(&[]);
    let home = Home::of("paff", server.address());
    let run = |words: &[&str]| {
        let mut command = home.cli(words);
        command.env("CHAT_SERVER", format!("unix:{}/chat.sock", folder.path().display()));
        cli::outcome(command)
    };
    assert_eq!(run(&["whoami"]).code, 77, "a session is for one server");
    assert_eq!(run(&["auth", "neko", "cytus"]).code, 0);
    assert_eq!(home.run(["send", "neko", "hai"]).code, 0);
    assert_eq!(run(&["inbox"]).stdout, "{\"paff\": [{\"msg\": \"hai\"}]}\n");
    assert_eq!(run(&["watch", "--since", "all", "-n", "1", "--raw"]).stdout, "hai\n");
    drop(server);
    let outcome = run(&["unread"]);
    assert_eq!(outcome.code, 69, "{outcome:?}");
    assert!(outcome.stderr.contains("cannot reach unix:/"), "{outcome:?}");
    let mut relative = home.cli(["unread"]);
    relative.env("CHAT_SERVER", "unix:chat.sock");
    assert_eq!(cli::outcome(relative).code, 2);
}
