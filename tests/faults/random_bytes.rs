//! A real server gets random bytes and altered sessions, in pieces of any length, from connections
//! that end anywhere. Honest clients are not affected. The random choices are seeded.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;

use serde_json::{Value, json};

use crate::support::{PATIENCE, Random, Server, Wire, read_some, scaled};

/// Connections of each round, at a time and in all.
const THREADS: usize = 4;
const CONNECTIONS_PER_THREAD: usize = 12;
/// The longest stream of random bytes on a connection.
const RANDOM_BYTES_MAX: usize = 20_000;
/// How much the server may grow after the first round: the cache of the writer's connection (4 MiB,
/// by its pragma), and four connections with a line of 256 KiB to read and a reply of a MiB to
/// send. Each counts twice while a buffer grows, with as much again for the allocator.
const GROWN_KIB_MAX: usize = 4 * 1024 + 2 * 2 * THREADS * (256 + 1024);

#[test]
fn random_bytes_from_others_do_not_affect_honest_clients() {
    let mut random = Random::new();
    let mut server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut honest = Honest { paff, neko, stays: server.connect() };
    // Only honest clients write to neko, so their results are exact. Nobody logs in later, because
    // hashing takes memory.
    let token = server.log_in("robo");
    let mut first = None;
    for round in 0..scaled(20, 200) {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                let (address, token, mut random) = (server.address(), &token, random.fork());
                scope.spawn(move || {
                    for _ in 0..CONNECTIONS_PER_THREAD {
                        attack(address, token, &mut random);
                    }
                });
            }
        });
        honest.check(&server, round);
        first.get_or_insert_with(|| resident_kib(server.pid()));
    }
    let grown = resident_kib(server.pid()).saturating_sub(first.unwrap_or_default());
    println!("the server has grown by {grown} KiB since the first round");
    assert!(grown < GROWN_KIB_MAX, "the server has grown by {grown} KiB");
    assert_eq!(server.query("pragma integrity_check"), ["ok"]);
    assert!(server.stop().success(), "the server ends as it should");
}

struct Honest {
    paff: String,
    neko: String,
    /// A connection that stays open.
    stays: Wire,
}

impl Honest {
    fn check(&mut self, server: &Server, round: usize) {
        let Self { paff, neko, stays } = self;
        let mut wire = server.connect();
        wire.done(format!("send {paff} neko round {round}"));
        let post = json!({"to": ["neko"], "body": "\r\n", "key": round.to_string()});
        assert_eq!(stays.done(format!("post {paff} {post}"))["duplicate"], false);
        assert_eq!(wire.done(format!("post {paff} {post}"))["duplicate"], true);
        let inbox = stays.done(format!("inbox {neko}"));
        let expected = json!([{"msg": format!("round {round}")}, {"msg": "\r\n"}]);
        assert_eq!(inbox["messages"], json!({ "paff": expected }));
        assert_eq!(stays.received(), b"", "something came unasked");
    }
}

/// One connection that ends somewhere.
fn attack(address: SocketAddr, token: &str, random: &mut Random) {
    let stream = stream(token, random);
    let mut socket = TcpStream::connect(address).expect("the server accepts");
    socket.set_nodelay(true).expect("no delay");
    if random.below(2) == 0 {
        // Reads nothing and closes, before all is written if the server stops reading.
        socket.set_nonblocking(true).expect("it need not block");
        let count = random.below(stream.len() + 1);
        write(&mut socket, &stream[..count], random);
        if random.below(2) == 0 {
            let _ = socket.shutdown(Shutdown::Both);
        }
        return;
    }
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut reading = socket.try_clone().expect("a second handle");
    let received = thread::scope(|scope| {
        let reader = scope.spawn(move || read_to_end(&mut reading));
        write(&mut socket, &stream, random);
        // Also ends a stream.
        let _ = socket.write_all(b"\nGET / HTTP/1.1\n");
        let _ = socket.shutdown(Shutdown::Write);
        reader.join().expect("it reads")
    });
    let Some(received) = received else { return };
    let frames = received.strip_suffix(b"\r\n\r\n").expect("whole frames");
    for frame in str::from_utf8(frames).expect("ASCII").split("\r\n\r\n") {
        let reply: Value = serde_json::from_str(frame).expect("JSON");
        assert!(reply["status"] == "OK" || reply["code"].is_string(), "{reply}");
    }
}

/// In pieces of any length, as far as the server reads them.
fn write(socket: &mut TcpStream, mut bytes: &[u8], random: &mut Random) {
    while !bytes.is_empty() {
        let most = [1, 7, 100, 20_000][random.below(4)];
        let piece = (1 + random.below(most)).min(bytes.len());
        match socket.write(&bytes[..piece]) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// All output of the server; `None` if it resets the connection, which loses some of it.
fn read_to_end(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut received, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match read_some(&mut *socket as &mut dyn Read, &mut chunk) {
            Ok(0) => return Some(received),
            Ok(count) => received.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("the server neither answers nor closes: {error}"),
        }
    }
}

fn stream(token: &str, random: &mut Random) -> Vec<u8> {
    if random.below(4) == 0 {
        return (0..random.below(RANDOM_BYTES_MAX)).map(|_| random.next() as u8).collect();
    }
    let mut stream: Vec<u8> =
        (0..1 + random.below(20)).flat_map(|_| line(token, random).into_bytes()).collect();
    for _ in 0..random.below(12) {
        if stream.is_empty() {
            break;
        }
        let at = random.below(stream.len());
        let end = (at + random.below(12)).min(stream.len());
        match random.below(5) {
            0 => stream[at] = random.next() as u8,
            1 => stream[at] ^= 1 << random.below(8),
            2 => stream.insert(at, [0, b'\r', b'\n', b'"', 0xff, b' '][random.below(6)]),
            3 => drop(stream.drain(at..end)),
            _ => {
                let twice = stream[at..end].to_vec();
                stream.splice(at..at, twice);
            }
        }
    }
    stream
}

/// A line that is a request, unless it is too long.
fn line(token: &str, random: &mut Random) -> String {
    let end = ["\n", "\r\n", " \r\n"][random.below(3)];
    let number = random.below(1_000);
    let line = match random.below(13) {
        0 => format!("send {token} ivy text {number}"),
        1 => format!(
            "post {token} {{\"to\": [\"ivy\", \"robo\"], \"body\": \"\\ud83d\\udc31 {number}\"}}"
        ),
        2 => format!("post {token} {{\"to\": [\"ivy\"], \"body\": \"x\", \"key\": \"{number}\"}}"),
        3 => format!("fetch {token} {{\"after\": {number}, \"limit\": 7}}"),
        4 => format!("fetch {token} {{\"with\": \"ivy\"}}"),
        5 => format!("ack {token} {{\"upto\": {number}, \"cursor\": \"log\", \"rewind\": true}}"),
        6 => format!("inbox {token} "),
        7 => format!("watch {token} {{\"from\": \"new\"}}"),
        8 => format!("unread {token}"),
        9 => format!("list {token} "),
        10 => format!("send {token} ivy {}", "x".repeat(random.below(300_000))),
        11 => format!("sessions {token} {{}}"),
        _ => "hello ".to_owned(),
    };
    line + end
}

/// The memory of a process, in KiB.
fn resident_kib(pid: i32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
