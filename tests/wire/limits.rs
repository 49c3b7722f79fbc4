//! Bad input and limits: each is refused as docs/protocol.md says, and the server goes on.

use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::cli::Home;
use crate::support::{self, Ending, PATIENCE, Random, Server, Wire, scaled};

/// The memory of a process, in KiB.
pub fn resident_kib(pid: i32) -> usize {
    memory_kib(pid, "VmRSS:")
}

/// From now on [`peak_kib`] is the most memory that a process has at a time.
#[cfg(feature = "http")]
pub fn forget_peak(pid: i32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}

/// The most memory that a process had at a time, in KiB.
#[cfg(feature = "http")]
pub fn peak_kib(pid: i32) -> usize {
    memory_kib(pid, "VmHWM:")
}

fn memory_kib(pid: i32, field: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn bad_lines_are_refused_once_each_and_the_connection_lives() {
    let server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    let long = "x".repeat(262_145);
    for (line, code) in [
        (b"a\0b\n".to_vec(), "bad_line"),
        (format!("send {token} neko a\rb\n").into_bytes(), "bad_line"),
        (b"\xff\n".to_vec(), "bad_encoding"),
        (format!("{long}\n").into_bytes(), "line_too_long"),
        (format!("send {token} neko {long}{long}\r\n").into_bytes(), "line_too_long"),
        ("\u{feff}list x\n".into(), "unknown_command"),
        ("auth\u{a0}paff cytus\n".into(), "unknown_command"),
        ("LIST x\n".into(), "unknown_command"),
        ("\n".into(), "bad_request"),
        ("   \r\n".into(), "bad_request"),
    ] {
        wire.send(&line);
        assert_eq!(wire.reply()["code"], code, "{:?}", String::from_utf8_lossy(&line));
    }
    // Both endings.
    wire.send("hello\n");
    assert_eq!(wire.reply()["status"], "OK");
    wire.send("hello\r\n");
    assert_eq!(wire.reply()["status"], "OK");
    assert_eq!(server.query("select count(*) from messages"), ["0"]);
}

#[test]
fn line_of_exactly_the_limit_is_accepted() {
    let server = Server::start();
    let mut wire = server.connect();
    wire.send(format!("hello{}\r\n", " ".repeat(262_144 - 5)));
    assert_eq!(wire.reply()["status"], "OK");
    wire.send(format!("hello{}\r\n", " ".repeat(262_145 - 5)));
    assert_eq!(wire.reply()["code"], "line_too_long");
    wire.done("hello");
}

/// A text as JSON with each UTF-16 unit escaped.
fn escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

#[test]
fn longest_text_is_accepted_however_its_json_is_escaped() {
    let server = Server::start_with_users(100);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let texts = ["\n", "\"", "\\", "\u{1}", "a", "é", "猫", "🐱"];
    for (count, text) in texts.iter().enumerate() {
        let body = text.repeat(32_768 / text.len());
        let reply = wire.done(format!(
            r#"post {paff} {{"to": ["{}"], "body": "{}", "key": "{}"}}"#,
            escaped("neko"),
            escaped(&body),
            escaped(&format!("{count:0>64}"))
        ));
        let fetched = wire.done(format!(r#"fetch {neko} {{"limit": 1}}"#));
        assert_eq!(fetched["messages"][0]["id"], reply["id"]);
        assert!(fetched["messages"][0]["body"] == body, "{text:?} is stored exactly");
    }
    let to: Vec<String> =
        (0..100).map(|user| format!(r#""{}""#, escaped(&format!("user-{user}")))).collect();
    let body = escaped(&"x".repeat(32_768));
    let post = format!(r#"post {paff} {{"to": [{}], "body": "{body}"}}"#, to.join(", "));
    assert_eq!(wire.done(post)["sent"].as_array().unwrap().len(), 100);
    // The client sends such texts, too.
    let (home, body) = (Home::of("paff", server.address()), "\n\u{1}".repeat(16_384));
    let outcome = home.run_with_input(["send", "neko"], &body);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let fetched = wire.done(format!(r#"fetch {neko} {{"limit": 1}}"#));
    assert!(fetched["messages"][0]["body"] == body.as_str());
    // The refusal of a long text names the limit.
    let long = format!("send {paff} neko {}", "x".repeat(100_000));
    let reply = wire.ask(long);
    assert_eq!(
        (&reply["code"], &reply["message"]),
        (&json!("too_long"), &json!("the message is longer than 32768 bytes"))
    );
    let reply = wire.ask(format!("auth paff {}", "x".repeat(129)));
    assert_eq!(
        (&reply["code"], &reply["message"]),
        (&json!("too_long"), &json!("the password is longer than 128 bytes"))
    );
}

/// Words of requests, and words that no request may contain.
const WORDS: [&[u8]; 24] = [
    b"auth",
    b"send",
    b"inbox",
    b"list",
    b"post",
    b"fetch",
    b"ack",
    b"unread",
    b"hello",
    b"help",
    b"neko",
    b"paff",
    b" ",
    b"  ",
    b"{}",
    b"{\"to\": [\"neko\"], \"body\": \"",
    b"\"}",
    b"\\u000d\\u000a\\u000d\\u000a",
    b"\r",
    b"\0",
    b"\xff\xfe",
    "猫🐱".as_bytes(),
    b"\t\x0b\x0c",
    b"\x1b]0;x\x07",
];

#[test]
fn any_line_gets_exactly_one_reply_however_it_arrives() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut random = Random::new();
    for _ in 0..scaled(10, 200) {
        // Not by chance the first bytes of another protocol.
        let mut stream = b"help\n".to_vec();
        for _ in 0..random.below(300) {
            for _ in 0..random.below(8) {
                match random.below(30) {
                    0 => stream.extend_from_slice(paff.as_bytes()),
                    1 => stream.extend_from_slice(neko.as_bytes()),
                    2 => stream.push(random.next() as u8),
                    3 => stream.resize(stream.len() + random.below(300_000), b'x'),
                    4 => stream.extend(format!("send {paff} neko ").bytes()),
                    5 => stream.extend(format!("post {paff} ").bytes()),
                    _ => stream.extend_from_slice(WORDS[random.below(WORDS.len())]),
                }
            }
            stream.extend_from_slice(if random.below(2) == 0 { b"\n" } else { b"\r\n" });
        }
        stream.extend_from_slice(b"hello\n");
        let lines = stream.iter().filter(|byte| **byte == b'\n').count();
        let mut wire = server.connect();
        let mut writer = wire.stream().try_clone().unwrap();
        thread::scope(|scope| {
            let mut random = random.fork();
            let stream = &stream;
            scope.spawn(move || {
                let mut rest = stream.as_slice();
                while !rest.is_empty() {
                    let piece = (1 + random.below(20_000)).min(rest.len());
                    writer.write_all(&rest[..piece]).unwrap();
                    rest = &rest[piece..];
                }
            });
            for line in 1..=lines {
                let bytes = wire.reply_bytes();
                assert!(bytes.is_ascii());
                let reply: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                assert!(reply["status"] == "OK" || reply["code"].is_string(), "{reply}");
                assert!(line < lines || reply["server"] == "chat-server", "the last is hello's");
            }
        });
        wire.end();
        assert_eq!(wire.wait_for_close(), b"", "nothing comes after the last reply");
    }
}

#[test]
fn endless_line_is_refused_once_and_takes_no_memory() {
    let server = Server::start();
    let mut wire = server.connect();
    let before = resident_kib(server.pid());
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        wire.send(&piece);
    }
    assert_eq!(wire.reply()["code"], "line_too_long");
    wire.send("\nhello\n");
    assert_eq!(wire.reply()["status"], "OK");
    let grown = resident_kib(server.pid()).saturating_sub(before);
    assert!(grown < 8 * 1024, "64 MiB of line left {grown} KiB behind");
}

#[test]
fn request_byte_by_byte_is_executed_and_half_a_line_at_the_end_is_not() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for byte in format!("send {paff} neko byte by byte\r\n").bytes() {
        wire.send([byte]);
    }
    assert_eq!(wire.reply()["status"], "OK");
    wire.send(format!("send {paff} neko half"));
    wire.end();
    assert_eq!(wire.wait_for_close(), b"");
    let reply = server.connect().done(format!("inbox {neko}"));
    assert_eq!(reply["messages"], json!({"paff": [{"msg": "byte by byte"}]}));
}

#[test]
fn request_before_a_half_close_is_answered() {
    let server = Server::start();
    let mut wire = server.connect();
    wire.send("auth paff cytus\r\n");
    wire.end();
    assert_eq!(wire.reply()["status"], "OK");
    assert_eq!(wire.wait_for_close(), b"");
}

#[test]
fn ten_thousand_requests_in_one_packet_are_answered_in_order() {
    const REQUESTS: usize = 10_000;
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let mut writer = wire.stream().try_clone().unwrap();
    let packet: String =
        (0..REQUESTS).map(|number| format!("send {paff} neko {number}\r\n")).collect();
    let before = resident_kib(server.pid());
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(packet.as_bytes()).unwrap());
        for _ in 0..REQUESTS {
            assert_eq!(wire.reply()["status"], "OK");
        }
    });
    let grown = resident_kib(server.pid()).saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB");
    let mut expected = 0;
    while expected < REQUESTS {
        let reply = wire.done(format!("inbox {neko}"));
        for entry in reply["messages"]["paff"].as_array().unwrap() {
            assert_eq!(entry["msg"], expected.to_string());
            expected += 1;
        }
    }
}

#[test]
fn requests_held_back_by_a_large_reply_are_executed_once_it_is_sent() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for _ in 0..60 {
        wire.done(format!("send {neko} paff {}", "x".repeat(2_000)));
    }
    // More replies than may be unsent, for one packet.
    wire.send("x\n".repeat(3_000));
    for _ in 0..3_000 {
        assert_eq!(wire.reply()["code"], "unknown_command");
    }
    wire.send(format!("fetch {paff} {{}}\nhello\n"));
    assert_eq!(wire.reply()["messages"].as_array().unwrap().len(), 60);
    assert_eq!(wire.reply()["server"], "chat-server");
    // The client sends nothing more: pending requests are executed nevertheless.
    let fetch = format!("fetch {paff} {{}}\n");
    wire.send(format!("{fetch}{fetch}send {paff} neko important\n"));
    wire.end();
    for _ in 0..2 {
        assert_eq!(wire.reply()["status"], "OK");
    }
    assert_eq!(wire.reply()["message"], "Message Sent");
    assert_eq!(wire.wait_for_close(), b"");
}

#[test]
fn arguments_that_are_json_but_no_object_are_refused() {
    let server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    for arguments in [r#"[["neko"], "body", "k9"]"#, "[]", "1", "null", "\"{}\""] {
        for verb in ["post", "ack", "unread", "whoami", "fetch", "watch"] {
            assert_eq!(wire.refused(format!("{verb} {token} {arguments}")), "bad_argument");
        }
    }
}

#[test]
fn other_protocols_get_one_clear_refusal_and_are_closed() {
    let server = Server::start();
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice();
    for hello in [
        tls,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /x HTTP/1.0\r\n\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 8889\r\nhello\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\xdc\x04\x22\xb9hello\r\n",
    ] {
        let mut wire = server.connect();
        wire.send(hello);
        assert_eq!(wire.reply()["code"], "wrong_protocol");
        assert_eq!(wire.wait_for_close(), b"");
    }
}

#[test]
fn reset_during_a_reply_disturbs_no_other_client() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut other = server.connect();
    other.done(format!("send {paff} neko {}", "x".repeat(30_000)));
    for _ in 0..50 {
        let mut wire = server.connect();
        let request = format!("fetch {neko} {{}}\r\n").repeat(20);
        wire.send(request);
        let mut some = [0; 100];
        wire.stream().read_exact(&mut some).unwrap();
        // Unread data at the close makes the system send a reset.
        drop(wire);
        other.done(format!("list {paff}"));
    }
}

#[test]
fn arguments_out_of_bounds_are_refused_and_nothing_is_stored() {
    let server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    let (fits, long) = ("x".repeat(32 * 1024), "é".repeat(16 * 1024) + "x");
    for (line, code) in [
        (format!("send {token} neko {long}"), "too_long"),
        (format!("send {token} neko  \t "), "empty_message"),
        (format!("send {token} ' OR 1=1--"), "unknown_recipient"),
        (format!("send {token} NEKO hai"), "unknown_recipient"),
        (format!("auth paff {}", "x".repeat(129)), "too_long"),
        (format!("auth {} cytus", "x".repeat(33)), "unknown_user"),
        (format!("post {token} {}", json!({"to": ["neko"], "body": long})), "too_long"),
        (format!("post {token} {}", json!({"to": ["neko"], "body": ""})), "empty_message"),
        (
            format!("post {token} {}", json!({"to": ["neko"], "body": "x", "key": "k".repeat(65)})),
            "bad_argument",
        ),
        (format!("post {token} {}", json!({"to": vec!["neko"; 101], "body": "x"})), "bad_argument"),
    ] {
        assert_eq!(wire.refused(&line), code, "{}", &line[..60.min(line.len())]);
    }
    assert_eq!(server.query("select count(*) from messages"), ["0"]);
    wire.done(format!("send {token} neko {fits}"));
    let longest_key = json!({"to": ["neko"], "body": fits, "key": "k".repeat(64)});
    for duplicate in [false, true] {
        assert_eq!(wire.done(format!("post {token} {longest_key}"))["duplicate"], duplicate);
    }
    wire.done(format!("send {token} paff to  myself"));
    let reply = wire.done(format!("inbox {token}"));
    assert_eq!(reply["messages"], json!({"paff": [{"msg": "to  myself"}]}));
}

#[test]
fn there_is_always_room_for_the_cursor_inbox_beside_a_thousand_others() {
    let server = Server::start();
    let (token, sender) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!("send {sender} paff hai"));
    for number in 0..1_000 {
        wire.send(format!("ack {token} {{\"cursor\": \"c{number}\", \"upto\": 0}}\r\n"));
    }
    for number in 0..1_000 {
        assert_eq!(wire.reply()["cursor"], format!("c{number}"));
    }
    let refused = |wire: &mut Wire| {
        let reply = wire.ask(format!(r#"ack {token} {{"cursor": "one-more", "upto": 0}}"#));
        assert_eq!(reply["message"], "cursor: you have 1000 beside inbox already");
    };
    refused(&mut wire);
    assert_eq!(wire.done(format!(r#"ack {token} {{"upto": 1}}"#))["cursor"], "inbox");
    wire.done(format!("send {sender} paff hai"));
    let reported = wire.done(format!("inbox {token}"));
    assert_eq!(reported["messages"]["neko"], json!([{"msg": "hai"}]));
    refused(&mut wire);
    wire.done(format!(r#"ack {token} {{"cursor": "c999", "upto": 2}}"#));
}

#[test]
fn since_accepts_any_time_up_to_the_year_9999_and_explains_a_wrong_one() {
    let server = Server::start();
    let (token, sender) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!("send {sender} paff hai"));
    for (since, found) in [
        ("0000-01-01T00:00:00Z", 1),
        ("1969-07-20T20:17:40.123+02:00", 1),
        ("9999-12-30T22:00:00Z", 0),
        ("9999-12-31T23:59:59.999Z", 0),
        ("9999-12-31T23:59:59-23:59", 0),
    ] {
        let page = wire.done(format!(r#"fetch {token} {{"since": "{since}"}}"#));
        assert_eq!(page["messages"].as_array().unwrap().len(), found, "{since}");
    }
    for since in ["10000-01-01T00:00:00Z", "2026-01-01", "soon", ""] {
        let reply = wire.ask(format!(r#"fetch {token} {{"since": "{since}"}}"#));
        let said = reply["message"].as_str().unwrap();
        assert!(said.starts_with("since: give a time as RFC 3339 has it"), "{since}: {said}");
    }
}

#[test]
fn token_that_is_not_exactly_one_is_no_session() {
    let server = Server::start();
    let token = server.log_in("paff");
    let hash = match support::is_on_postgres() {
        true => server.query("select encode(token_hash, 'hex') from sessions"),
        false => server.query("select lower(hex(token_hash)) from sessions"),
    };
    let hash = hash[0].clone();
    let mut wire = server.connect();
    let upper = token.to_uppercase();
    let plain = token.replace('-', "");
    let cut = &token[..35];
    let longer = format!("{token}0");
    for wrong in [cut, &longer, &upper, &plain, &hash, "0", &format!("{{{token}}}")] {
        if wrong != token {
            assert_eq!(wire.refused(format!("list {wrong}")), "no_session", "{wrong}");
        }
    }
    wire.done(format!("list {token}"));
}

#[test]
fn session_expires_for_good_in_the_middle_of_a_connection() {
    let mut server = Server::start_with(&["--session-lifetime", "300ms"]);
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    let deadline = Instant::now() + PATIENCE;
    while wire.ask(format!("list {token}"))["status"] == "OK" {
        assert!(Instant::now() < deadline, "it does not end");
    }
    assert_eq!(wire.refused(format!("list {token}")), "no_session");
    server.stop();
    server.start_again();
    assert_eq!(server.connect().refused(format!("list {token}")), "no_session");
    assert_eq!(server.query("select count(*) from sessions"), ["0"]);
}

#[test]
fn disabled_user_can_neither_log_in_nor_go_on() {
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    server.stop();
    assert_eq!(server.change("UPDATE users SET disabled_at = 1 WHERE name = 'paff'"), 1);
    server.start_again();
    let mut wire = server.connect();
    assert_eq!(wire.refused(format!("whoami {paff}")), "no_session");
    assert_eq!(wire.refused("auth paff cytus"), "wrong_password");
    assert_eq!(wire.done(format!("list {neko}"))["messages"], "List user: neko");
}

#[test]
fn logout_beside_sends_of_the_same_session_happens_between_two_of_them() {
    let server = Server::start();
    let neko = server.log_in("neko");
    let mut expected = 0;
    for _ in 0..5 {
        let token = server.log_in("paff");
        let sent: usize = thread::scope(|scope| {
            let senders: Vec<_> = (0..3)
                .map(|_| {
                    let (mut wire, token) = (server.connect(), &token);
                    scope.spawn(move || {
                        let mut sent = 0;
                        while wire.ask(format!("send {token} neko hai"))["status"] == "OK" {
                            sent += 1;
                        }
                        // Once ended, a session does not come back.
                        for _ in 0..20 {
                            let code = wire.refused(format!("send {token} neko hai"));
                            assert_eq!(code, "no_session");
                        }
                        sent
                    })
                })
                .collect();
            let mut wire = server.connect();
            while wire.done(format!("unread {neko}"))["unread"].as_u64() < Some(expected + 3) {}
            wire.done(format!("logout {token}"));
            assert_eq!(wire.refused(format!("send {token} neko hai")), "no_session");
            senders.into_iter().map(|sender| sender.join().unwrap()).sum()
        });
        expected += sent as u64;
        let stored = server.query("select count(*) from messages");
        assert_eq!(stored, [expected.to_string()], "every acknowledged message is stored");
    }
}

#[test]
fn unused_session_ends_and_used_one_does_not() {
    let server = Server::start_with(&["--session-idle", "5s"]);
    let (used, unused) = (server.log_in("paff"), server.log_in("paff"));
    let mut wire = server.connect();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(7) {
        wire.done(format!("whoami {used}"));
    }
    assert_eq!(wire.refused(format!("whoami {unused}")), "no_session");
}

#[test]
fn full_inbox_refuses_senders_until_it_is_read() {
    let mut server = Server::start_with(&["--inbox-unread-max", "3"]);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for number in 0..3 {
        wire.done(format!("send {paff} neko {number}"));
    }
    let reply = wire.ask(format!("send {paff} neko 3"));
    assert_eq!((&reply["code"], &reply["users"]), (&json!("inbox_full"), &json!(["neko"])));
    let both = json!({"to": ["ivy", "neko"], "body": "x"});
    assert_eq!(wire.refused(format!("post {paff} {both}")), "inbox_full");
    assert_eq!(server.query("select count(*) from messages"), ["3"]);
    server.kill();
    server.start_again();
    let mut wire = server.connect();
    assert_eq!(wire.refused(format!("send {paff} neko 3")), "inbox_full");
    wire.done(format!(r#"ack {neko} {{"upto": 1}}"#));
    wire.done(format!("send {paff} neko 3"));
    assert_eq!(wire.refused(format!("send {paff} neko 4")), "inbox_full");
    wire.done(format!("inbox {neko}"));
    for number in 4..7 {
        wire.done(format!("send {paff} neko {number}"));
    }
    wire.done(format!(r#"ack {neko} {{"upto": 0, "rewind": true}}"#));
    assert_eq!(wire.refused(format!("send {paff} neko 7")), "inbox_full");
}

/// To the server, a peer that vanished without a word is a silent connection. The system probes it:
/// for that its socket has a timer of the kind 2 (`man 5 proc`, `/proc/net/tcp`).
#[test]
fn silent_peer_is_probed_by_the_system() {
    let server = Server::start();
    let mut wire = server.connect();
    wire.done("hello");
    let ours = wire.stream().local_addr().unwrap().port();
    let (local, remote) = (format!(":{:04X}", server.address().port()), format!(":{ours:04X}"));
    let timer = || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_it = fields[1].ends_with(&local) && fields[2].ends_with(&remote);
            is_it.then(|| fields[5].split(':').next().unwrap().to_owned())
        })
    };
    let deadline = Instant::now() + PATIENCE;
    // The reply's own timer is there until it has been acknowledged.
    while timer().as_deref() != Some("02") {
        assert!(Instant::now() < deadline, "{:?}", timer());
    }
}

/// After a start, counting the unread messages of a recipient would delay everybody. So an inbox
/// may exceed the limit by one percent, once after each start.
#[test]
fn full_inbox_accepts_at_most_one_percent_more_after_a_start() {
    let mut server = Server::start_with(&["--inbox-unread-max", "1000"]);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let taken = |server: &Server| {
        let mut wire = server.connect();
        let mut taken = 0;
        loop {
            let reply = wire.ask(format!("send {paff} neko hai"));
            if reply["status"] != "OK" {
                assert_eq!(reply["code"], "inbox_full");
                return taken;
            }
            taken += 1;
        }
    };
    assert_eq!(taken(&server), 1_000);
    server.kill();
    server.start_again();
    assert_eq!((taken(&server), taken(&server)), (10, 0));
    server.connect().done(format!(r#"ack {neko} {{"upto": 15}}"#));
    assert_eq!(taken(&server), 5, "of 1,010 that were unread");
}

#[test]
fn logins_delay_no_messages_and_too_many_at_once_are_refused() {
    const LOGINS: usize = 400;
    let server = Server::start_with(&[
        "--login-failures-per-address-max",
        "1000",
        "--login-failures-per-user-max",
        "1000",
    ]);
    let token = server.log_in("paff");
    let mut wires: Vec<Wire> = (0..LOGINS).map(|_| server.connect()).collect();
    wires.iter_mut().for_each(|wire| wire.send("auth neko wrong\r\n"));
    // The last logins to be answered: those before them take seconds.
    let hashing = AtomicBool::new(true);
    let (busy, sent) = thread::scope(|scope| {
        let (mut wire, hashing) = (server.connect(), &hashing);
        let sender = scope.spawn(move || {
            let mut sent = 0;
            while hashing.load(Ordering::Relaxed) {
                wire.done(format!("send {token} neko hai"));
                sent += 1;
            }
            sent
        });
        let ending = Ending(hashing);
        let mut busy = 0;
        for mut wire in wires {
            match wire.reply()["code"].as_str().unwrap() {
                "busy" => busy += 1,
                code => assert_eq!(code, "wrong_password"),
            }
        }
        drop(ending);
        (busy, sender.join().unwrap())
    });
    assert!((1..=LOGINS - 256).contains(&busy), "{busy} were refused as busy");
    assert!(sent > 20, "{sent} messages were sent while passwords were hashed");
    server.log_in("neko");
}

#[test]
fn memory_for_password_hashing_is_returned() {
    /// The memory of one running hash.
    const HASH_BYTES: u64 = 19_456 * 1024;
    let resident = |server: &Server| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    // A server with existing users: hashing the seed's passwords is no login.
    let mut server = Server::start();
    server.stop();
    server.start_again();
    let before = resident(&server);
    let mut wires: Vec<Wire> = (0..10).map(|_| server.connect()).collect();
    wires.iter_mut().for_each(|wire| wire.send("auth neko cytus\r\n"));
    wires.iter_mut().for_each(|wire| assert_eq!(wire.reply()["status"], "OK"));
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < HASH_BYTES / 2, "{grown} bytes more than before");
}

#[test]
fn connection_over_the_limit_is_refused_and_a_freed_place_is_used() {
    let server = Server::start_with(&["--connections-max", "3"]);
    let mut wires: Vec<Wire> = (0..3).map(|_| server.connect()).collect();
    wires.iter_mut().for_each(|wire| drop(wire.done("hello")));
    let mut over = server.connect();
    assert_eq!(over.reply()["code"], "too_many_connections");
    assert_eq!(over.wait_for_close(), b"");
    drop(wires.pop());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut wire = server.connect();
        wire.send("hello\r\n");
        if wire.reply()["status"] == "OK" {
            break;
        }
        assert!(Instant::now() < deadline, "the place is not given back");
    }
    wires.iter_mut().for_each(|wire| drop(wire.done("hello")));
}

#[test]
fn reply_pages_stay_within_their_limit_and_say_that_there_is_more() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    // Each character takes six bytes in a reply.
    let text = "é".repeat(16_000);
    const MESSAGES: usize = 25;
    for _ in 0..MESSAGES {
        wire.done(format!("send {paff} neko {text}"));
    }
    let mut reported = 0;
    for page in 0.. {
        wire.send(format!("inbox {neko}\r\n"));
        let bytes = wire.reply_bytes();
        assert!(bytes.len() <= (1 << 20) + 64 * 1024, "{}", bytes.len());
        let reply: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        reported += reply["messages"]["paff"].as_array().unwrap().len();
        let more = reply["more"] == true;
        assert_eq!(more, reported < MESSAGES, "page {page}");
        if !more {
            break;
        }
    }
    assert_eq!(reported, MESSAGES);
    let reply = wire.done(format!(r#"fetch {neko} {{"after": 0}}"#));
    assert_eq!(reply["more"], true);
}

#[test]
fn peer_that_floods_and_never_reads_takes_bounded_memory() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut other = server.connect();
    for _ in 0..20 {
        other.done(format!("send {paff} neko {}", "x".repeat(30_000)));
    }
    let before = resident_kib(server.pid());
    let floods: Vec<Wire> = (0..20)
        .map(|_| {
            let wire = server.connect();
            let mut stream = wire.stream();
            stream.set_nonblocking(true).unwrap();
            let request = format!("fetch {neko} {{}}\r\n").repeat(1_000);
            // As much as the server accepts while nobody reads.
            for _ in 0..20 {
                match stream.write(request.as_bytes()) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
            other.done(format!("list {paff}"));
            wire
        })
        .collect();
    let grown = resident_kib(server.pid()).saturating_sub(before);
    // A page of 600 KiB and an input of up to 128 KiB each, and the allocator's reserve.
    assert!(grown < 64 * 1024, "{grown} KiB for {} connections", floods.len());
    other.done(format!("list {paff}"));
}

/// `server::connection` tests each named limit with a given time; here a real server keeps all of
/// them at once.
#[test]
fn stalling_connections_are_closed_and_served_ones_are_not() {
    let server = Server::start();
    let token = server.log_in("paff");
    let closed_after = |mut wire: Wire| {
        let begun = Instant::now();
        wire.wait_for_close();
        begun.elapsed()
    };
    let mut served = server.connect();
    for _ in 0..30 {
        served.done(format!("send {token} paff {}", "x".repeat(30_000)));
    }
    thread::scope(|scope| {
        let half_line = scope.spawn(|| {
            let mut wire = server.connect();
            wire.done("hello");
            wire.send(format!("send {token} neko ha"));
            closed_after(wire)
        });
        let nothing_done = scope.spawn(|| {
            let mut wire = server.connect();
            wire.refused("nonsense");
            closed_after(wire)
        });
        let never_reading = scope.spawn(|| {
            let wire = server.connect();
            let begun = Instant::now();
            let requests = format!("fetch {token} {{}}\r\n").repeat(1_000);
            // Continues until the buffers of the server and the system are full, then waits until
            // the connection is closed.
            while wire.stream().write_all(requests.as_bytes()).is_ok() {}
            begun.elapsed()
        });
        let never_reading = never_reading.join().unwrap();
        assert!((9..60).contains(&never_reading.as_secs()), "{never_reading:?}");
        let half_line = half_line.join().unwrap();
        assert!((9..60).contains(&half_line.as_secs()), "{half_line:?}");
        let nothing_done = nothing_done.join().unwrap();
        assert!((29..60).contains(&nothing_done.as_secs()), "{nothing_done:?}");
    });
    served.done("hello");
}
