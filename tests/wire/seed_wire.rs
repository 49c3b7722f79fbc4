//! The seed's protocol, byte by byte: every row of its tables, the needs of its client, and the
//! bugs of its server that ours must not have.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Ending, PATIENCE, Server, read_some};

const TOKEN: &str = "7a592c0e-2cb5-4de6-866b-4e216b0caf15";

/// A client that reads like the seed's: pieces of a fixed size, each decoded as UTF-8 by itself,
/// until the text so far ends in `\r\n\r\n`.
struct SeedClient {
    stream: TcpStream,
    piece: usize,
}

impl SeedClient {
    fn connect(server: &Server, piece: usize) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, piece }
    }

    fn ask(&mut self, line: &str) -> Value {
        self.stream.write_all(line.as_bytes()).unwrap();
        let mut text = String::new();
        let mut piece = vec![0; self.piece];
        while !text.ends_with("\r\n\r\n") {
            let count = read_some(&self.stream, &mut piece).unwrap();
            assert!(count > 0, "the server does not hang up");
            text.push_str(std::str::from_utf8(&piece[..count]).expect("each piece is UTF-8"));
        }
        serde_json::from_str(&text).expect("exactly one JSON object")
    }
}

#[test]
fn requests_of_the_seed_client_are_answered_to_the_byte() {
    let server = Server::start();
    let mut wire = server.connect();
    let mut exchange = |request: &str| {
        wire.send(request);
        String::from_utf8(wire.reply_bytes()).unwrap()
    };
    let reply = exchange("auth paff cytus \r\n");
    let paff = reply
        .strip_prefix(r#"{"status": "OK", "tokenid": ""#)
        .and_then(|rest| rest.strip_suffix("\"}\r\n\r\n"))
        .unwrap_or_else(|| panic!("{reply}"));
    let parsed = uuid::Uuid::parse_str(paff).unwrap();
    assert_eq!((parsed.get_version_num(), parsed.to_string().as_str()), (4, paff));
    let neko = server.log_in("neko");
    for (request, reply) in [
        (
            format!("send {paff} neko  hai neko \r\n"),
            r#"{"status": "OK", "message": "Message Sent"}"#,
        ),
        (
            format!("inbox {neko} \r\n"),
            r#"{"status": "OK", "messages": {"paff": [{"msg": "hai neko"}]}}"#,
        ),
        (format!("inbox {neko} \r\n"), r#"{"status": "OK", "messages": {}}"#),
        (format!("list {neko} \r\n"), r#"{"status": "OK", "messages": "List user: paff,neko"}"#),
        (format!("logout {paff} \r\n"), r#"{"status": "OK", "messages": "Logout berhasil"}"#),
        (format!("list {neko} \r\n"), r#"{"status": "OK", "messages": "List user: neko"}"#),
    ] {
        assert_eq!(exchange(&request), format!("{reply}\r\n\r\n"), "{request:?}");
    }
}

/// A client that knows no rooms uses one: the name of the room is a recipient and a group of the
/// inbox.
#[test]
fn session_of_the_seed_works_in_a_room() {
    let server = Server::start();
    let mut wire = server.connect();
    let owner = wire.log_in("ivy");
    wire.done(format!(r##"room_create {owner} {{"room": "#build"}}"##));
    wire.done(format!(r##"room_create {owner} {{"room": "#ops", "private": true}}"##));
    let mut client = SeedClient::connect(&server, 64);
    let mut log_in = |user: &str| -> String {
        let token = client.ask(&format!("auth {user} cytus \r\n"))["tokenid"].take();
        let token = token.as_str().unwrap().to_owned();
        wire.done(format!(r##"room_join {token} {{"room": "#build"}}"##));
        token
    };
    let (paff, neko) = (log_in("paff"), log_in("neko"));
    let sent = json!({"status": "OK", "message": "Message Sent"});
    for (from, to, text) in
        [(&paff, "#build", "done \u{1f431}"), (&paff, "neko", "hai"), (&neko, "#build", "thanks")]
    {
        assert_eq!(client.ask(&format!("send {from} {to}  {text} \r\n")), sent);
    }
    for name in ["#ops", "#nowhere"] {
        let refused = client.ask(&format!("send {paff} {name}  hai \r\n"));
        assert_eq!(refused["message"], "User Tidak Ditemukan");
    }
    let of_neko = json!({
        "#build": [{"msg": "done \u{1f431}", "from": "paff"}], "paff": [{"msg": "hai"}]
    });
    for (token, messages) in [
        (&neko, of_neko),
        (&neko, json!({})),
        (&paff, json!({"#build": [{"msg": "thanks", "from": "neko"}]})),
    ] {
        let inbox = client.ask(&format!("inbox {token} \r\n"));
        assert_eq!(inbox, json!({"status": "OK", "messages": messages}));
    }
    let list = client.ask(&format!("list {neko} \r\n"));
    assert_eq!(list["messages"], "List user: ivy,paff,neko");
    assert_eq!(client.ask(&format!("logout {neko} \r\n"))["messages"], "Logout berhasil");
}

#[test]
fn refusals_have_the_messages_of_the_seed_and_a_code() {
    let server = Server::start();
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    let ended = wire.log_in("paff");
    wire.done(format!("logout {ended}"));
    for (request, message, code) in [
        ("nonsense \r\n".to_owned(), "**Protocol Tidak Benar", "unknown_command"),
        ("\r\n".to_owned(), "**Protocol Tidak Benar", "bad_request"),
        (" \r\n".to_owned(), "**Protocol Tidak Benar", "bad_request"),
        ("auth \r\n".to_owned(), "--Protocol Tidak Benar", "usage"),
        ("auth paff \r\n".to_owned(), "--Protocol Tidak Benar", "usage"),
        ("list \r\n".to_owned(), "--Protocol Tidak Benar", "usage"),
        ("inbox\r\n".to_owned(), "--Protocol Tidak Benar", "usage"),
        ("logout \r\n".to_owned(), "--Protocol Tidak Benar", "usage"),
        (format!("send {token} neko\r\n"), "--Protocol Tidak Benar", "usage"),
        (format!("send {TOKEN} neko  hai \r\n"), "Session Tidak Ditemukan", "no_session"),
        (format!("inbox {TOKEN} \r\n"), "Session Tidak Ditemukan", "no_session"),
        (format!("list {TOKEN} \r\n"), "Session Tidak Ditemukan", "no_session"),
        (format!("logout {TOKEN} \r\n"), "Session Tidak Ditemukan", "no_session"),
        (format!("inbox {ended} \r\n"), "Session Tidak Ditemukan", "no_session"),
        (format!("send {ended} conner \r\n"), "Session Tidak Ditemukan", "no_session"),
        ("auth sagan cytus \r\n".to_owned(), "User Tidak Ada", "unknown_user"),
        ("auth neko cytus2 \r\n".to_owned(), "Password Salah", "wrong_password"),
        (
            format!("send {token} conner  hai conner \r\n"),
            "User Tidak Ditemukan",
            "unknown_recipient",
        ),
    ] {
        wire.send(&request);
        let bytes = wire.reply_bytes();
        assert!(bytes.starts_with(b"{\"status\": \"ERROR\", \"code\": "), "{request:?}");
        let reply: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            (&reply["message"], &reply["code"]),
            (&json!(message), &json!(code)),
            "{request:?}"
        );
    }
}

#[test]
fn client_that_decodes_each_piece_by_itself_reads_any_text() {
    let server = Server::start();
    let neko = server.log_in("neko");
    for piece in [1_024, 64, 1] {
        let mut client = SeedClient::connect(&server, piece);
        let paff = client.ask("auth paff cytus \r\n")["tokenid"].as_str().unwrap().to_owned();
        let text = "🐱 ねこ 猫 é \u{7f} ".repeat(30);
        client.ask(&format!("send {paff} neko  {text} \r\n"));
        let reply = client.ask(&format!("inbox {neko} \r\n"));
        assert_eq!(reply["messages"]["paff"][0]["msg"], text.trim_ascii());
    }
}

#[test]
fn token_works_on_any_connection_and_acts_as_its_user_only() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let second = server.log_in("paff");
    let mut wire = server.connect();
    wire.done(format!("send {second} neko from the second session"));
    // Another user's token on a connection that paff used.
    wire.done(format!("send {neko} paff from neko"));
    let reply = wire.done(format!("inbox {paff}"));
    assert_eq!(reply["messages"], json!({"neko": [{"msg": "from neko"}]}));
    let reply = wire.done(format!("list {paff}"));
    assert_eq!(reply["messages"], "List user: paff,neko");
}

#[test]
fn inbox_groups_by_sender_in_the_order_of_each_ones_first_unread_message() {
    let server = Server::start();
    let users = ["paff", "robo", "ivy"].map(|user| server.log_in(user));
    let neko = server.log_in("neko");
    let mut wire = server.connect();
    let mut send = |from: usize, text: &str| {
        wire.done(format!("send {} neko {text}", users[from]));
    };
    send(1, "1");
    send(0, "2");
    send(1, "3");
    let mut reader = server.connect();
    reader.send(format!("inbox {neko}\r\n"));
    let expected = r#"{"robo": [{"msg": "1"}, {"msg": "3"}], "paff": [{"msg": "2"}]}"#;
    let reply = String::from_utf8(reader.reply_bytes()).unwrap();
    assert!(reply.contains(expected), "{reply}");
    // Bug 1 of the seed's server: senders without new messages, beside one with some.
    send(2, "4");
    let reply = reader.done(format!("inbox {neko}"));
    assert_eq!(reply["messages"], json!({"ivy": [{"msg": "4"}]}));
}

#[test]
fn list_names_each_active_user_once_in_the_order_of_their_logins() {
    let server = Server::start();
    let mut wire = server.connect();
    let first = wire.log_in("neko");
    let second = ["paff", "neko", "ivy"].map(|user| wire.log_in(user))[1].clone();
    let mut listed = |token: &str| {
        let reply = wire.done(format!("list {token}"));
        reply["messages"].as_str().unwrap().to_owned()
    };
    assert_eq!(listed(&first), "List user: neko,paff,ivy");
    // From here on neko has been there since the second login.
    server.connect().done(format!("logout {first}"));
    assert_eq!(listed(&second), "List user: paff,neko,ivy");
}

#[test]
fn ten_requests_in_one_packet_get_ten_replies_in_order() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut packet = String::new();
    for number in 0..4 {
        packet.push_str(&format!("send {paff} neko  {number} \r\n"));
    }
    packet.push_str(&format!("inbox {neko} \r\nlist {paff} \r\nnonsense \r\n"));
    packet.push_str(&format!("send {neko} paff  back \r\ninbox {paff} \r\nlogout {paff} \r\n"));
    let mut wire = server.connect();
    wire.send(packet);
    for _ in 0..4 {
        assert_eq!(wire.reply()["message"], "Message Sent");
    }
    let texts = [0, 1, 2, 3].map(|number| json!({"msg": number.to_string()}));
    assert_eq!(wire.reply()["messages"], json!({"paff": texts}));
    assert_eq!(wire.reply()["messages"], "List user: paff,neko");
    assert_eq!(wire.reply()["code"], "unknown_command");
    assert_eq!(wire.reply()["message"], "Message Sent");
    assert_eq!(wire.reply()["messages"], json!({"neko": [{"msg": "back"}]}));
    assert_eq!(wire.reply()["messages"], "Logout berhasil");
}

#[test]
fn utf8_split_across_packets_is_reassembled_and_invalid_utf8_is_refused() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let line = format!("send {paff} neko 🐱\r\n");
    let middle = line.len() - 4;
    wire.send(&line.as_bytes()[..middle]);
    // A reply on another connection: by then the first piece has been read.
    server.connect().done("hello");
    wire.send(&line.as_bytes()[middle..]);
    assert_eq!(wire.reply()["status"], "OK");
    for bytes in [&b"\xff\xfe"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f\x90"] {
        wire.send([format!("send {paff} neko ").as_bytes(), bytes, b"\r\n"].concat());
        assert_eq!(wire.reply()["code"], "bad_encoding");
    }
    let reply = wire.done(format!("inbox {neko}"));
    assert_eq!(reply["messages"], json!({"paff": [{"msg": "🐱"}]}));
}

#[test]
fn messages_stay_in_the_message_log_if_the_reader_leaves_before_the_reply() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    server.connect().done(format!("send {paff} neko hai"));
    let mut reader = server.connect();
    reader.send(format!("inbox {neko} \r\n"));
    drop(reader);
    let reply = server.connect().done(format!(r#"fetch {neko} {{"after": 0}}"#));
    assert_eq!(reply["messages"][0]["body"], "hai");
}

#[test]
fn list_while_others_log_in_and_out_always_answers() {
    let server = Server::start();
    let token = server.log_in("vanessa");
    let racing = AtomicBool::new(true);
    thread::scope(|scope| {
        let listers: Vec<_> = (0..4)
            .map(|_| {
                let (mut wire, token, racing) = (server.connect(), &token, &racing);
                scope.spawn(move || {
                    while racing.load(Ordering::Relaxed) {
                        let reply = wire.done(format!("list {token}"));
                        let users = reply["messages"].as_str().unwrap();
                        let users = users.strip_prefix("List user: vanessa").unwrap();
                        let mut names: Vec<&str> = users.split(',').skip(1).collect();
                        names.sort_unstable();
                        let count = names.len();
                        names.dedup();
                        assert_eq!(names.len(), count, "each once: {users}");
                    }
                })
            })
            .collect();
        let ending = Ending(&racing);
        let loggers: Vec<_> = ["paff", "neko", "robo", "ivy"]
            .map(|user| {
                let mut wire = server.connect();
                scope.spawn(move || {
                    for _ in 0..8 {
                        let token = wire.log_in(user);
                        wire.done(format!("logout {token}"));
                    }
                })
            })
            .into();
        loggers.into_iter().for_each(|logger| logger.join().unwrap());
        drop(ending);
        listers.into_iter().for_each(|lister| lister.join().unwrap());
    });
}

#[test]
fn server_sends_nothing_unrequested() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut reader = server.connect();
    reader.done(format!("inbox {neko}"));
    let mut wire = server.connect();
    for _ in 0..10 {
        wire.done(format!("send {paff} neko hai"));
    }
    wire.done(format!("logout {neko}"));
    // Any output before the reply would be mistaken for it.
    assert_eq!(reader.ask("hello")["server"], "chat-server");
}
