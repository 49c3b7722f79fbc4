//! TLS at the wire: it carries the same bytes as a plain connection, and faulty TLS harms no other
//! client.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use serde_json::json;

use crate::support::tls::{Authority, Files, Kind, TlsServer, as_str, connect, secure, socket};
use crate::support::{PATIENCE, Random, Wire};

/// New clients are served: the check after every fault.
fn assert_serves(authority: &Authority, server: &TlsServer) {
    authority.connect(server.tls).done("hello");
    Wire::connect(server.plain).done("hello");
}

/// Requests of every kind, in order.
fn lines(token: &str) -> Vec<Vec<u8>> {
    let text = "🐱 ねこ é ".repeat(300);
    let mut lines: Vec<Vec<u8>> = [
        "",
        "   ",
        "AUTH paff cytus",
        "auth paff",
        "auth paff wrong",
        "auth nobody cytus",
        "list nonsense",
        "send",
        "a\0b",
        "a\rb",
        &format!("send {token} nobody hai"),
        &format!("send {token} neko "),
        &format!("send {token} neko {text}"),
        &format!("inbox {token}"),
        &format!("unread {token}"),
        &"x".repeat(300_000),
    ]
    .iter()
    .map(|line| line.as_bytes().to_vec())
    .collect();
    lines.push(b"\xff\xfe".to_vec());
    lines
}

/// The bytes of every reply.
fn answers<S: Read + Write>(mut wire: Wire<S>, lines: &[Vec<u8>]) -> Vec<String> {
    lines
        .iter()
        .map(|line| {
            wire.send([line.as_slice(), b"\r\n"].concat());
            String::from_utf8(wire.reply_bytes()).expect("ASCII")
        })
        .collect()
}

#[test]
fn every_answer_has_the_same_bytes_as_without_tls_in_both_versions() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let lines = lines(&Wire::connect(server.plain).log_in("paff"));
    let plain = answers(Wire::connect(server.plain), &lines);
    assert!(plain.iter().any(|answer| answer.contains("unknown_recipient")), "{plain:?}");
    for version in [&TLS12, &TLS13] {
        let config = authority.client(&[version]);
        assert_eq!(answers(connect(config, server.tls), &lines), plain, "{version:?}");
    }
}

#[test]
fn many_requests_in_one_write_are_answered_in_order_and_backpressure_holds() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let token = Wire::connect(server.plain).log_in("paff");
    let mut wire = authority.connect(server.tls);
    let lines: String = (0..2_000).map(|number| format!("send {token} neko {number}\n")).collect();
    wire.send(lines);
    for number in 0..2_000 {
        assert_eq!(wire.reply()["message"], "Message Sent", "{number}");
    }
    let neko = wire.log_in("neko");
    let inbox = wire.done(format!("inbox {neko}"));
    let texts: Vec<_> = (0..2_000).map(|number| json!({"msg": number.to_string()})).collect();
    assert_eq!(inbox["messages"], json!({"paff": texts}));
}

#[test]
fn reply_of_many_records_is_whole() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let mut wire = authority.connect(server.tls);
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    let text = "x".repeat(32_000);
    for _ in 0..20 {
        wire.done(format!("send {paff} neko {text}"));
    }
    let page = wire.done(format!("fetch {neko} {{\"unread\": true, \"limit\": 100}}"));
    let bodies = page["messages"].as_array().expect("messages");
    assert_eq!(bodies.len(), 20);
    assert!(bodies.iter().all(|message| message["body"] == text.as_str()));
}

/// A stream that is sent byte by byte.
struct Trickle(TcpStream);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = buffer.len().min(1);
        self.0.read(&mut buffer[..end])
    }
}

impl Write for Trickle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn handshake_and_request_byte_by_byte_are_understood() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    for version in [&TLS12, &TLS13] {
        let stream = Trickle(socket(server.tls));
        let mut wire = secure(authority.client(&[version]), stream);
        wire.log_in("paff");
    }
}

#[test]
fn requests_before_a_half_close_are_answered_and_close_notify_follows() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    for says_so in [true, false] {
        let mut wire = authority.connect(server.tls);
        wire.send("auth paff cytus\nhello\nhalf a li");
        let stream = wire.stream_mut();
        if says_so {
            stream.conn.send_close_notify();
        }
        stream.flush().expect("the server accepts bytes");
        stream.sock.shutdown(Shutdown::Write).expect("half-close");
        assert_eq!(wire.reply()["status"], "OK");
        assert_eq!(wire.reply()["status"], "OK");
        // An end without close_notify would be an error here.
        assert!(wire.wait_for_close().is_empty());
    }
}

#[test]
fn plaintext_client_is_refused_in_plaintext_and_closed() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    for said in ["auth paff cytus\r\n", "GET / HTTP/1.1\r\n\r\n", "\0", "\u{80}\n"] {
        let mut wire = Wire::over(socket(server.tls));
        wire.send(said);
        let reply = wire.reply();
        assert_eq!(reply["code"], "wrong_protocol", "{said:?}");
        assert_eq!(reply["message"], "this port speaks TLS: use chats://HOST:PORT", "{said:?}");
        assert!(wire.wait_for_close().is_empty());
    }
    assert_serves(&authority, &server);
}

#[test]
fn tls_at_the_plain_port_is_refused_once_in_plaintext_and_closed() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let mut wire = connect(authority.client(rustls::ALL_VERSIONS), server.plain);
    let error = wire.stream_mut().write(b"hello\n").expect_err("no TLS");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    assert_serves(&authority, &server);
}

#[test]
fn junk_and_floods_that_begin_like_tls_end_their_connection_only() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let mut random = Random::new();
    let mut held = authority.connect(server.tls);
    for round in 0..20 {
        let mut junk = vec![0x16, 3, 1];
        let length = if round % 2 == 0 { 1024 * 1024 } else { 1 + random.below(600) };
        junk.extend((0..length).map(|_| random.next() as u8));
        if round % 3 == 0 {
            // A record length within the limit, so that the server looks at the content.
            junk[3..5].copy_from_slice(&[0x20, 0]);
        }
        let mut stream = socket(server.tls);
        // The server may have closed the connection.
        let _ = stream.write_all(&junk);
        let _ = stream.shutdown(Shutdown::Write);
        let mut said = Vec::new();
        if let Err(error) = stream.read_to_end(&mut said) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
        }
        assert!(said.len() < 1024, "{} bytes for junk", said.len());
    }
    held.done("hello");
    assert_serves(&authority, &server);
}

#[test]
fn junk_in_an_open_connection_ends_it_only() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let mut wire = authority.connect(server.tls);
    wire.done("hello");
    wire.stream_mut().sock.write_all(&[0x17, 3, 3, 0, 32]).expect("bytes");
    wire.stream_mut().sock.write_all(&[0x55; 32]).expect("bytes");
    let mut rest = Vec::new();
    let error = wire.stream_mut().read_to_end(&mut rest).expect_err("an alert");
    assert!(error.to_string().contains("fatal alert"), "{error}");
    assert_serves(&authority, &server);
}

#[test]
fn resets_in_the_middle_of_a_handshake_are_noticed_by_nobody_else() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let mut held = authority.connect(server.tls);
    held.done("hello");
    let hello = client_hello(&authority);
    for cut in [1, 5, 6, hello.len() / 2, hello.len() - 1, hello.len()] {
        let mut stream = socket(server.tls);
        stream.write_all(&hello[..cut]).expect("bytes");
        rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO))
            .expect("a reset instead of an end");
        drop(stream);
    }
    held.done("hello");
    assert_serves(&authority, &server);
}

/// A client's first bytes.
fn client_hello(authority: &Authority) -> Vec<u8> {
    let name = "localhost".try_into().expect("a name");
    let config = authority.client(rustls::ALL_VERSIONS);
    let mut tls = rustls::ClientConnection::new(config, name).expect("a connection");
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).expect("bytes");
    hello
}

#[test]
fn handshake_unfinished_after_ten_seconds_is_closed() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let hello = client_hello(&authority);
    let begun = Instant::now();
    let mut waiting: Vec<TcpStream> = [0, 1, hello.len() - 1, hello.len()]
        .iter()
        .map(|&count| {
            let mut stream = socket(server.tls);
            stream.write_all(&hello[..count]).expect("bytes");
            stream
        })
        .collect();
    for stream in &mut waiting {
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
    }
    let waited = begun.elapsed();
    assert!(waited.as_secs() >= 9 && waited < PATIENCE, "{waited:?}");
    assert_serves(&authority, &server);
}

#[test]
fn two_hundred_connections_are_served_at_once() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let config = authority.client(rustls::ALL_VERSIONS);
    let mut wires: Vec<_> =
        (0..200).map(|_| connect(std::sync::Arc::clone(&config), server.tls)).collect();
    for wire in &mut wires {
        wire.send("hello\n");
    }
    for wire in &mut wires {
        assert_eq!(wire.reply()["status"], "OK");
    }
}

/// The certificate that a new client gets.
fn shown(authority: &Authority, address: SocketAddr) -> CertificateDer<'static> {
    let mut wire = authority.connect(address);
    wire.done("hello");
    wire.stream().conn.peer_certificates().expect("a certificate")[0].clone()
}

/// Waits until new clients get this certificate; until then they must get one of the two.
fn wait_until_shown(
    authority: &Authority,
    address: SocketAddr,
    before: &CertificateDer<'_>,
    after: &CertificateDer<'_>,
) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = shown(authority, address);
        if now == *after {
            return;
        }
        assert!(now == *before, "a certificate that nobody has given");
        assert!(Instant::now() < deadline, "the certificate is not read again");
    }
}

#[test]
fn sighup_replaces_the_certificate_without_loss_and_rejects_a_broken_one() {
    let authority = Authority::new();
    let files = authority.server();
    let (second, third) = (
        authority.issue("second", &["localhost"], Kind::Good),
        authority.issue("third", &["localhost"], Kind::Good),
    );
    let first = files.shown();
    let server = files.start(&[]);
    let mut watcher = authority.connect(server.tls);
    let neko = watcher.log_in("neko");
    watcher.done(format!("watch {neko}"));
    assert_eq!(watcher.reply()["event"], "caught_up");

    files.become_as(&second);
    server.server.signal(Signal::HUP);
    wait_until_shown(&authority, server.tls, &first, &second.shown());

    for broken in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        fs::write(&files.certificate, broken).expect("a file");
        server.server.signal(Signal::HUP);
        assert_eq!(shown(&authority, server.tls), second.shown());
    }
    files.become_as(&third);
    server.server.signal(Signal::HUP);
    wait_until_shown(&authority, server.tls, &second.shown(), &third.shown());

    let paff = Wire::connect(server.plain).log_in("paff");
    Wire::connect(server.plain).done(format!("send {paff} neko still here"));
    assert_eq!(watcher.reply()["body"], "still here");
}

/// The end of a server that does not start.
fn refused(options: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_chat-server"))
        .env_clear()
        .arg("--db")
        .arg(folder.path().join("chat.sqlite"))
        .args(options)
        .output()
        .expect("the server runs");
    assert!(!folder.path().join("chat.sqlite").exists(), "{options:?} made a database");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.code().expect("an exit code"), stderr)
}

fn assert_refused(files: &Files, code: i32, problem: &str) {
    let (certificate, key) = (as_str(&files.certificate), as_str(&files.key));
    let options = ["--listen", "tls:127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
    let (exit, reported) = refused(&options);
    assert_eq!(exit, code, "{reported}");
    assert!(reported.contains(problem) && reported.contains("\nhint: "), "{problem}: {reported}");
}

#[test]
fn unusable_certificates_and_keys_are_reported_before_anything_is_opened() {
    let authority = Authority::new();
    let (files, other) = (authority.server(), authority.issue("other", &["a"], Kind::Good));
    let missing = files.certificate.with_file_name("missing");
    let with_certificate = |certificate| Files { certificate, key: files.key.clone() };
    let with_key = |key| Files { certificate: files.certificate.clone(), key };
    assert_refused(&with_certificate(missing.clone()), 66, "missing: No such file");
    assert_refused(&with_key(missing), 66, "missing: No such file");
    assert_refused(&with_certificate(files.key.clone()), 65, "there is no certificate in it");
    assert_refused(&with_key(other.key.clone()), 65, "does not belong to the certificate");
    assert_refused(&with_key(key_of(&files, 0o600, "junk")), 65, "there is no private key in it");
    let pem = fs::read_to_string(&files.key).expect("a key");
    assert_refused(&with_key(key_of(&files, 0o644, &pem)), 78, "is open to other users (mode 644)");
}

fn key_of(files: &Files, mode: u32, content: &str) -> std::path::PathBuf {
    let path = files.key.with_file_name("another.key");
    fs::write(&path, content).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions");
    path
}

#[test]
fn unsafe_or_meaningless_options_are_refused() {
    let authority = Authority::new();
    let files = authority.server();
    let (certificate, key) = (as_str(&files.certificate), as_str(&files.key));
    let pair = ["--tls-cert", certificate, "--tls-key", key];
    for (options, problem) in [
        (vec!["--listen", "tls:127.0.0.1:0"], "there is no certificate for"),
        (
            [&["--listen", "127.0.0.1:0"][..], &pair].concat(),
            "no listener would use the certificate",
        ),
        ([&["--listen", "0.0.0.0:0,tls:127.0.0.1:0"][..], &pair].concat(), "unencrypted"),
        ([&["--listen", "tls:0.0.0.0:0"][..], &pair].concat(), "and the password of "),
        (vec!["--listen", "tls:127.0.0.1:0", "--tls-cert", certificate], "go together"),
    ] {
        let (code, reported) = refused(&options);
        assert_eq!(code, 78, "{reported}");
        assert!(
            reported.contains(problem) && reported.contains("\nhint: "),
            "{problem}: {reported}"
        );
    }
    let server = files.start(&["--listen", "tls:0.0.0.0:0", "--no-seed"]);
    assert!(server.plain.ip().is_loopback(), "the plain one is beside it");
}

#[test]
fn server_stops_with_encrypted_connections_open() {
    let authority = Authority::new();
    let mut server = authority.server().start(&[]);
    let mut idle = authority.connect(server.tls);
    idle.done("hello");
    let handshaking = socket(server.tls);
    assert!(server.server.stop().success());
    assert!(idle.wait_for_close().is_empty());
    drop(handshaking);
}
