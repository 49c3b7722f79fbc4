//! Exactly once, to exactly the recipients, in the order of the message log.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Ending, Random, Server, Wire, read_some, scaled};

fn post(token: &str, arguments: &Value) -> String {
    format!("post {token} {arguments}")
}

#[test]
fn posts_with_one_key_at_the_same_time_are_one_message() {
    let server = Server::start();
    let token = server.log_in("paff");
    let line = post(&token, &json!({"to": ["neko"], "body": "once", "key": "k"}));
    let together = Barrier::new(32);
    let replies: Vec<Value> = thread::scope(|scope| {
        let posts: Vec<_> = (0..32)
            .map(|_| {
                let (mut wire, together, line) = (server.connect(), &together, &line);
                scope.spawn(move || {
                    together.wait();
                    wire.done(line)
                })
            })
            .collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    assert!(replies.iter().all(|reply| reply["id"] == replies[0]["id"]));
    assert!(replies.iter().all(|reply| reply["at"] == replies[0]["at"]));
    let first = replies.iter().filter(|reply| reply["duplicate"] == false).count();
    assert_eq!((first, server.query("select count(*) from messages")), (1, vec!["1".to_owned()]));
}

#[test]
fn key_means_the_same_message_after_a_restart_and_no_other() {
    let mut server = Server::start();
    let (token, stranger) = (server.log_in("paff"), server.log_in("ivy"));
    let arguments = json!({"to": ["neko", "robo"], "body": " exact\n\ttext ", "key": "k-1"});
    let first = server.connect().done(post(&token, &arguments));
    server.kill();
    server.start_again();
    let mut wire = server.connect();
    let again = wire.done(post(&token, &arguments));
    assert_eq!((&again["id"], &again["duplicate"]), (&first["id"], &json!(true)));
    assert_eq!(again["sent"], first["sent"]);
    let reordered = json!({"to": ["robo", "neko"], "body": " exact\n\ttext ", "key": "k-1"});
    assert_eq!(wire.done(post(&token, &reordered))["duplicate"], true);
    for other in [
        json!({"to": ["neko", "robo"], "body": "other", "key": "k-1"}),
        json!({"to": ["neko"], "body": " exact\n\ttext ", "key": "k-1"}),
        json!({"to": ["neko", "ivy"], "body": " exact\n\ttext ", "key": "k-1"}),
        json!({"to": ["neko", "robo", "ivy"], "body": " exact\n\ttext ", "key": "k-1"}),
    ] {
        assert_eq!(wire.refused(post(&token, &other)), "key_conflict", "{other}");
    }
    // The same key of another sender is another key.
    assert_eq!(wire.done(post(&stranger, &arguments))["duplicate"], false);
    assert_eq!(server.query("select count(*) from messages"), ["4"]);
}

#[test]
fn post_to_several_is_all_or_nothing_and_names_unknown_recipients() {
    let server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    let to_some = json!({"to": ["neko", "conner", "ivy", "sagan"], "body": "x"});
    let reply = wire.ask(post(&token, &to_some));
    assert_eq!(
        (&reply["code"], &reply["message"], &reply["users"]),
        (&json!("unknown_recipient"), &json!("User Tidak Ditemukan"), &json!(["conner", "sagan"]))
    );
    assert_eq!(server.query("select count(*) from messages"), ["0"]);
    let reply = wire.done(post(&token, &json!({"to": ["neko", "ivy", "neko"], "body": "x"})));
    let to: Vec<&Value> =
        reply["sent"].as_array().unwrap().iter().map(|sent| &sent["to"]).collect();
    assert_eq!(to, ["neko", "ivy"]);
}

#[test]
fn any_text_arrives_exactly() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let texts = [
        " leading and trailing \n",
        "\r\n\r\n{\"status\": \"OK\"}\r\n\r\n",
        "\u{1b}]52;c;aGFpCg==\u{7}\u{202e}evil\u{200b}",
        "nul \0 inside",
        "🐱‍👤 猫 ねこ e\u{301}",
        &"e\u{301}".repeat(5_000),
    ];
    for text in texts {
        wire.done(post(&paff, &json!({"to": ["neko"], "body": text})));
    }
    let reply = wire.done(format!(r#"fetch {neko} {{"unread": true}}"#));
    let bodies: Vec<&str> = reply["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["body"].as_str().unwrap())
        .collect();
    assert_eq!(bodies, texts);
}

/// Forwards connections to `target`, and cuts each after a number of bytes in either direction.
struct Cutter {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
}

impl Cutter {
    fn start(target: SocketAddr, mut random: Random, bytes_max: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let target = Arc::new(Mutex::new(target));
        let current = Arc::clone(&target);
        // It ends with the test's process, because it always waits for a connection.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, target) = (client.unwrap(), *current.lock().unwrap());
                let (up, down) = (random.below(bytes_max), random.below(bytes_max));
                // While the server is down there is no target.
                let Ok(server) = TcpStream::connect(target) else { continue };
                pass(client.try_clone().unwrap(), server.try_clone().unwrap(), up);
                pass(server, client, down);
            }
        });
        Self { address, target }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, bytes: usize) {
    thread::spawn(move || {
        let mut left = bytes;
        let mut chunk = [0; 256];
        while left > 0 {
            let most = left.min(chunk.len());
            match read_some(&mut from, &mut chunk[..most]) {
                Ok(count) if count > 0 && to.write_all(&chunk[..count]).is_ok() => left -= count,
                _ => break,
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}

/// One attempt to post over a new connection; `None` if the outcome is unknown.
fn try_post(wire: &mut Option<TcpStream>, address: SocketAddr, line: &str) -> Option<Value> {
    let stream = match wire.take() {
        Some(stream) => stream,
        None => TcpStream::connect(address).ok()?,
    };
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    (&stream).write_all(line.as_bytes()).ok()?;
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n\r\n") {
        let mut byte = [0; 512];
        match read_some(&stream, &mut byte).ok()? {
            0 => return None,
            count => reply.extend_from_slice(&byte[..count]),
        }
    }
    *wire = Some(stream);
    serde_json::from_slice(&reply).ok()
}

#[test]
fn every_key_is_stored_once_though_connections_are_cut_and_the_server_is_killed() {
    const SENDERS: usize = 8;
    let each = scaled(250, 1_250);
    let mut random = Random::new();
    let mut server = Server::start();
    let token = server.log_in("paff");
    let cutter = Cutter::start(server.address(), random.fork(), 4_000);
    let acknowledged = AtomicUsize::new(0);
    let ids: Vec<BTreeMap<String, i64>> = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (token, acknowledged, address) = (&token, &acknowledged, cutter.address);
                scope.spawn(move || {
                    let mut ids = BTreeMap::new();
                    let mut wire = None;
                    for number in 0..each {
                        let key = format!("{sender}-{number}");
                        let line = json!({"to": ["neko"], "body": key, "key": key});
                        let line = format!("{}\r\n", post(token, &line));
                        let reply = loop {
                            match try_post(&mut wire, address, &line) {
                                Some(reply) if reply["status"] == "OK" => break reply,
                                Some(reply) => panic!("{reply}"),
                                None => thread::yield_now(),
                            }
                        };
                        ids.insert(key, reply["id"].as_i64().unwrap());
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                    ids
                })
            })
            .collect();
        for share in 1..=2 {
            while acknowledged.load(Ordering::Relaxed) < share * SENDERS * each / 3 {
                assert!(!senders.iter().all(|sender| sender.is_finished()), "they send");
                thread::yield_now();
            }
            server.kill();
            server.start_again();
            *cutter.target.lock().unwrap() = server.address();
        }
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let acknowledged: BTreeMap<String, i64> = ids.into_iter().flatten().collect();
    let stored: Vec<String> = server.query("select key, id, body from v1_messages order by key");
    let expected: Vec<String> =
        acknowledged.iter().map(|(key, id)| format!("{key}|{id}|{key}")).collect();
    assert_eq!(stored, expected);
}

#[test]
fn each_message_reaches_exactly_one_of_many_readers_of_an_inbox() {
    const SENDERS: usize = 4;
    const EACH: usize = 300;
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let sending = AtomicBool::new(true);
    let reported: Vec<Vec<String>> = thread::scope(|scope| {
        let ending = Ending(&sending);
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (mut wire, token) = (server.connect(), &paff);
                scope.spawn(move || {
                    for number in 0..EACH {
                        wire.done(format!("send {token} neko {sender} {number}"));
                    }
                })
            })
            .collect();
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let (mut wire, token, sending) = (server.connect(), &neko, &sending);
                scope.spawn(move || {
                    let mut reported = Vec::new();
                    loop {
                        let last_round = !sending.load(Ordering::SeqCst);
                        let reply = wire.done(format!("inbox {token}"));
                        let entries = reply["messages"]["paff"].as_array();
                        let texts = entries.into_iter().flatten();
                        let before = reported.len();
                        reported
                            .extend(texts.map(|entry| entry["msg"].as_str().unwrap().to_owned()));
                        if last_round && reported.len() == before {
                            return reported;
                        }
                    }
                })
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        drop(ending);
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    for texts in &reported {
        for sender in 0..SENDERS {
            let prefix = format!("{sender} ");
            let numbers: Vec<usize> =
                texts.iter().filter_map(|text| text.strip_prefix(&prefix)?.parse().ok()).collect();
            assert!(numbers.is_sorted(), "each reader gets the order of the message log");
        }
    }
    let all: Vec<&String> = reported.iter().flatten().collect();
    assert_eq!(all.len(), SENDERS * EACH);
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), SENDERS * EACH);
}

#[test]
fn reader_cut_off_during_its_reply_finds_the_messages_in_its_history() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for number in 0..20 {
        wire.done(format!("send {paff} neko {number} {}", "x".repeat(20_000)));
        let mut reader = server.connect();
        reader.send(format!("inbox {neko}\r\n"));
        // At least one byte, or the reply could also contain the next message.
        let mut some = vec![0; 1 + number * 1_000];
        reader.stream().read_exact(&mut some).unwrap();
    }
    let reply = wire.done(format!(r#"fetch {neko} {{"after": 0}}"#));
    let texts = reply["messages"].as_array().unwrap();
    let numbers: Vec<&str> = texts
        .iter()
        .map(|message| message["body"].as_str().unwrap().split(' ').next().unwrap())
        .collect();
    assert_eq!(numbers, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn every_user_receives_all_their_messages_and_no_others() {
    const USERS: usize = 50;
    let server = Server::start_with_users(USERS);
    let user = |index: usize| format!("user-{}", index % USERS);
    let tokens: Vec<String> = {
        let mut wire = server.connect();
        (0..USERS).map(|index| wire.log_in(&user(index))).collect()
    };
    let mut streams: Vec<Wire> = tokens
        .iter()
        .map(|token| {
            let mut wire = server.connect();
            wire.done(format!(r#"watch {token} {{"from": "new"}}"#));
            wire
        })
        .collect();
    let mut wire = server.connect();
    let expected = |to: usize| {
        let senders = [to + USERS - 1, to + USERS - 7, to];
        senders.map(|from| format!("from {} for {}", user(from), user(to)))
    };
    for (from, token) in tokens.iter().enumerate() {
        for to in [from + 1, from + 7, from] {
            wire.done(format!("send {token} {} from {} for {}", user(to), user(from), user(to)));
        }
    }
    for (to, token) in tokens.iter().enumerate() {
        let expected: BTreeSet<String> = expected(to).into_iter().collect();
        let bodies = |reply: &Value| -> BTreeSet<String> {
            let messages = reply["messages"].as_array().unwrap();
            messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(wire.done(format!("unread {token}"))["unread"], 3);
        assert_eq!(bodies(&wire.done(format!(r#"fetch {token} {{"after": 0}}"#))), expected);
        let with = json!({"with": user(to + 1)});
        let conversation = bodies(&wire.done(format!("fetch {token} {with}")));
        assert_eq!(conversation, [format!("from {} for {}", user(to), user(to + 1))].into());
        let stream = &mut streams[to];
        assert_eq!(stream.reply()["event"], "caught_up");
        let reported: BTreeSet<String> =
            (0..3).map(|_| stream.reply()["body"].as_str().unwrap().to_owned()).collect();
        assert_eq!(reported, expected);
        let inbox = wire.done(format!("inbox {token}"));
        let senders = inbox["messages"].as_object().unwrap();
        let reported: BTreeSet<String> = senders
            .values()
            .flat_map(|texts| texts.as_array().unwrap())
            .map(|entry| entry["msg"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(reported, expected);
    }
}
