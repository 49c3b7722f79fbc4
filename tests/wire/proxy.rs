//! `--proxy-protocol`: the client's address is the one in the proxy's header.

use std::net::SocketAddr;

use crate::support::cli;
use crate::support::service::Service;
use crate::support::tls::{Authority, secure, socket};
use crate::support::{PATIENCE, Server, Wire, server_command};

/// The tests connect from this machine. Its proxy admits other clients, which must not use
/// published passwords.
const PROXIED: &[&str] = &["--proxy-protocol", "127.0.0.1,::1", "--allow-default-passwords"];

/// The header of a proxy, in version 1 or 2 of its protocol.
fn header(client: &str, version: u8) -> Vec<u8> {
    let client: SocketAddr = format!("{client}:5000").parse().expect("an address");
    let (SocketAddr::V4(client), 2) = (client, version) else {
        let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
        let to = if client.is_ipv4() { "192.0.2.1" } else { "2001:db8::1" };
        return format!("PROXY {family} {} {to} 5000 8889\r\n", client.ip()).into_bytes();
    };
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0f".to_vec();
    bytes.extend(client.ip().octets());
    bytes.extend([192, 0, 2, 1]);
    bytes.extend(client.port().to_be_bytes());
    bytes.extend(8889_u16.to_be_bytes());
    // A field that the server does not know.
    bytes.extend([0xe0, 0, 0]);
    bytes
}

fn connect(address: SocketAddr, client: &str) -> Wire {
    let mut wire = Wire::connect(address);
    wire.send(header(client, 1));
    wire
}

fn start(more: &[&str]) -> Server {
    Server::start_with(&[PROXIED, more].concat())
}

#[test]
fn clients_of_a_proxy_are_served_behind_a_header_of_either_version() {
    let server = start(&[]);
    for (client, version) in [("203.0.113.9", 1), ("203.0.113.9", 2), ("[2001:db8::9]", 1)] {
        let header = header(client, version);
        let mut wire = server.connect();
        wire.send([&header, &b"hello\r\n"[..]].concat());
        assert_eq!(wire.reply()["status"], "OK", "{client} {version}");
        wire.log_in("paff");
        // The header may arrive byte by byte.
        let mut wire = server.connect();
        header.iter().for_each(|byte| wire.send([*byte]));
        wire.done("hello");
        // Only one header is allowed.
        wire.send(b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 8889\r\n");
        assert_eq!(wire.reply()["code"], "wrong_protocol");
    }
    // A proxy's health check.
    for nobody in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"] {
        let mut wire = server.connect();
        wire.send(nobody);
        wire.done("hello");
    }
}

#[test]
fn missing_or_malformed_header_is_refused_and_nothing_is_executed() {
    let server = start(&[]);
    for bytes in [
        &b"hello\r\n"[..],
        b"auth paff cytus\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 5000\r\nhello\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 8889\nhello\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x12\x00\x0chello\r\n",
        b"\r\nhello\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ] {
        let mut wire = server.connect();
        wire.send(bytes);
        let reply = wire.reply();
        assert_eq!(reply["code"], "wrong_protocol", "{:?}", String::from_utf8_lossy(bytes));
        let missing = "a connection from this address has to begin with a PROXY header";
        assert_eq!(reply["message"], missing);
        assert_eq!(wire.wait_for_close(), b"");
    }
    assert_eq!(server.query("select count(*) from sessions"), ["0"]);
}

#[test]
fn incomplete_header_times_out() {
    let server = start(&[]);
    let mut wire = server.connect();
    wire.send("PROXY TCP4 203.0.113.9 192.0");
    assert_eq!(wire.wait_for_close(), b"");
}

#[test]
fn tls_begins_behind_the_header() {
    let authority = Authority::new();
    let server = authority.server().start(PROXIED);
    for version in [1, 2] {
        let mut stream = socket(server.tls);
        std::io::Write::write_all(&mut stream, &header("203.0.113.9", version)).unwrap();
        let mut wire = secure(authority.client(rustls::ALL_VERSIONS), stream);
        wire.done("hello");
    }
    let mut wire = Wire::connect(server.tls);
    wire.send("PROXY TCP4 nonsense\r\n");
    assert_eq!(wire.reply()["code"], "wrong_protocol");
}

#[test]
fn connections_are_limited_for_each_client_and_not_for_the_proxy() {
    let server = start(&["--connections-per-address-max", "2"]);
    let one = "203.0.113.9";
    let mut there: Vec<Wire> = (0..2).map(|_| connect(server.address(), one)).collect();
    there.iter_mut().for_each(|wire| drop(wire.done("hello")));
    let mut over = connect(server.address(), one);
    assert_eq!(over.reply()["code"], "too_many_connections");
    assert_eq!(over.wait_for_close(), b"");
    for other in 1..8 {
        connect(server.address(), &format!("203.0.114.{other}")).done("hello");
    }
    drop(there.pop());
    let begun = std::time::Instant::now();
    while connect(server.address(), one).ask("hello")["status"] != "OK" {
        assert!(begun.elapsed() < PATIENCE, "the place is not given back");
    }
}

#[test]
fn failed_logins_are_counted_for_each_client() {
    let server = start(&[]);
    let mut wire = connect(server.address(), "203.0.113.9");
    for _ in 0..5 {
        assert_eq!(wire.refused("auth paff wrong"), "wrong_password");
    }
    let again = |client: &str| connect(server.address(), client).ask("auth paff cytus");
    assert_eq!(again("203.0.113.9")["code"], "rate_limited");
    assert_eq!(again("203.0.113.10")["status"], "OK");
}

#[test]
fn server_log_names_the_client_behind_a_configured_proxy() {
    let service =
        Service::start("proxy_protocol = [\"127.0.0.1\"]\nallow_default_passwords = true\n");
    let mut wire = connect(service.address(), "203.0.113.9");
    assert_eq!(wire.refused("GET / HTTP/1.1"), "wrong_protocol");
    let line = service.wait_for_line("connection ended");
    assert!(line.contains("address=203.0.113.9:5000"), "{line}");
}

#[test]
fn server_behind_a_proxy_does_not_start_with_published_passwords() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    let outcome = cli::outcome({
        command.args(["--proxy-protocol", "127.0.0.1"]);
        command
    });
    assert_eq!(outcome.code, 78, "{outcome:?}");
    assert!(outcome.stderr.contains("and the password of "), "{outcome:?}");
    for wrong in ["proxy.example", "10.0.0.0/33", ""] {
        let mut command = server_command(&folder.path().join("chat.sqlite"));
        command.args(["--proxy-protocol", wrong]);
        assert_eq!(cli::outcome(command).code, 2, "{wrong:?}");
    }
}
