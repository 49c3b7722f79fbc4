//! The examples of docs/protocol.md, run against a server.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use tempfile::TempDir;

use crate::support::page::{Block, Names, blocks, fill_in, fits};
use crate::support::{self, PATIENCE, Server, Wire, wait_until};

const PAGE: &str = include_str!("../../docs/protocol.md");

/// Each block is one connection.
fn run<S: Read + Write>(wire: &mut Wire<S>, block: &Block, names: &mut Names) {
    let mut early: Option<String> = None;
    let mut was_caught_up = false;
    for (number, line) in block.lines() {
        if let Some(request) = line.strip_prefix("C:") {
            wire.send(format!("{}\r\n", fill_in(request.trim_start(), names)));
        } else if let Some(expected) = line.strip_prefix("S: ") {
            if is_caught_up(expected) && std::mem::take(&mut was_caught_up) {
                continue;
            }
            let mut reply = early.take().unwrap_or_else(|| next(wire));
            // There, an event may come before the reply to the request that caused it.
            let is_early = support::is_on_postgres() && !is_event(expected) && is_event(&reply);
            if is_early {
                early = Some(std::mem::replace(&mut reply, next(wire)));
            }
            // There, a server may begin the stream before it has read the end of the log.
            if support::is_on_postgres() && is_caught_up(&reply) && !is_caught_up(expected) {
                was_caught_up = true;
                reply = next(wire);
            }
            assert!(
                fits(expected, &reply, names),
                "docs/protocol.md, line {number}, says\n  {expected}\nand it is\n  {reply}"
            );
        } else {
            panic!("docs/protocol.md, line {number}: neither C: nor S: in {line:?}");
        }
    }
}

/// `who` shows the connections of earlier blocks until the server has noticed their end.
fn wait_for_earlier_connections(server: &Server, block: &Block, names: &Names) {
    if block.lines().any(|(_, line)| line.starts_with("C: who ")) {
        wait_until("paff is alone", || {
            let reply = server.connect().done(fill_in("who <paff>", names));
            reply["users"].as_array().unwrap().len() == 1
        });
    }
}

fn next<S: Read + Write>(wire: &mut Wire<S>) -> String {
    let reply = String::from_utf8(wire.reply_bytes()).unwrap();
    reply.strip_suffix("\r\n\r\n").unwrap().to_owned()
}

fn is_event(reply: &str) -> bool {
    reply.contains("\"event\": ")
}

fn is_caught_up(reply: &str) -> bool {
    reply.contains("\"event\": \"caught_up\"")
}

#[cfg(feature = "http")]
#[test]
fn examples_of_the_protocol_page_are_true_over_websocket() {
    use crate::support::websocket::WebSocket;
    let server = Server::start_with(&["--http", "127.0.0.1:0"]);
    let mut names = Names::new();
    let mut blocks = blocks(PAGE);
    // The kernel names nobody at the other end of a network.
    blocks.retain(|block| block.language == "session" && block.attribute("unix").is_none());
    assert!(blocks.len() >= 16, "an example for each verb");
    for block in &blocks {
        wait_for_earlier_connections(&server, block, &names);
        let socket = WebSocket::open(server.http(), "/api/v1/socket", &[]).expect("it is opened");
        run(&mut Wire::over(socket), block, &mut names);
    }
}

#[test]
fn examples_of_the_protocol_page_are_true() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("chat.sock");
    let listen = format!("unix:{}", socket.display());
    // In the examples the kernel names vanessa.
    let entry = format!("uid {}=vanessa", rustix::process::geteuid().as_raw());
    let server = Server::start_with(&["--listen", &listen, "--unix-user-map", &entry]);
    let mut names = Names::new();
    let mut blocks = blocks(PAGE);
    blocks.retain(|block| block.language == "session");
    assert!(blocks.len() >= 16, "an example for each verb");
    for block in &blocks {
        wait_for_earlier_connections(&server, block, &names);
        if block.attribute("unix").is_some() {
            let stream = UnixStream::connect(&socket).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            run(&mut Wire::over(stream), block, &mut names);
        } else {
            run(&mut server.connect(), block, &mut names);
        }
    }
}

#[test]
fn protocol_page_names_every_refusal_with_its_message() {
    use chat::protocol::refusal::Code;
    for code in Code::ALL {
        let row = format!("| `{code}` | ");
        let Some(row) = PAGE.lines().find(|line| line.starts_with(&row)) else {
            panic!("docs/protocol.md has no row for {code}");
        };
        let own_text = [Code::BadArgument].contains(code);
        assert!(own_text || row.contains(code.message()), "{row} has not {}", code.message());
    }
}

#[test]
fn protocol_page_has_a_section_for_every_verb_that_help_names() {
    let server = Server::start();
    let help = server.connect().done("help");
    for line in help["help"].as_array().unwrap() {
        let verb = line.as_str().unwrap().split(' ').next().unwrap();
        assert!(PAGE.lines().any(|line| line == format!("## {verb}")), "no section for {verb}");
    }
}
