//! Overload: honest clients are served, memory stays within the limits of docs/reliability.md, and
//! the resources are released afterwards.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chat::server::{CONNECTION_BYTES_MAX, STRANGER_BYTES_MAX};
use serde_json::json;

use crate::support::exposition::Scrape;
use crate::support::hostile::{Kind, attack};
use crate::support::http;
use crate::support::skip::skip;
use crate::support::{Ending, PATIENCE, Random, Server, Wire, scaled};

const HONEST: usize = 50;
/// SQLite's full caches: of the writer and two readers.
const CACHE_BYTES: usize = (4 + 2 * 2) * 1024 * 1024;

/// The memory of a process, in bytes.
fn resident_bytes(pid: i32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn descriptors(pid: i32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// The number of connections that the server reports.
fn connections(server: &Server) -> usize {
    let scrape = Scrape::parse(&http::get(server.monitor(), "/metrics").body);
    let samples = &scrape.families["chat_connections"].samples;
    samples.iter().map(|sample| sample.value).sum::<f64>() as usize
}

/// An honest client: sends with keys to the next one in the ring, and reads.
struct Honest {
    wire: Wire,
    token: String,
    next: String,
    sent: usize,
    received: usize,
    /// Requests that were refused as `busy`, which is allowed, and repeated.
    busy: usize,
    /// The time of each request until it was done.
    sends: Vec<Duration>,
    reads: Vec<Duration>,
}

impl Honest {
    fn new(server: &Server, index: usize) -> Self {
        let mut wire = server.connect();
        let token = wire.log_in(&format!("user-{index}"));
        let next = format!("user-{}", (index + 1) % HONEST);
        Self {
            wire,
            token,
            next,
            sent: 0,
            received: 0,
            busy: 0,
            sends: Vec::new(),
            reads: Vec::new(),
        }
    }

    fn ask(&mut self, line: &str) -> (serde_json::Value, Duration) {
        let begun = Instant::now();
        loop {
            let reply = self.wire.ask(line);
            if reply["code"] != "busy" {
                assert_eq!(reply["status"], "OK", "{line} is done: {reply}");
                return (reply, begun.elapsed());
            }
            self.busy += 1;
        }
    }

    fn send(&mut self) {
        let body = self.sent.to_string();
        let post = json!({"to": [self.next], "body": body, "key": format!("{}-{body}", self.next)});
        let (reply, time) = self.ask(&format!("post {} {post}", self.token));
        self.sends.push(time);
        assert_eq!(reply["sent"][0]["to"], self.next.as_str());
        self.sent += 1;
    }

    /// Reads everything from its sender, in order, once.
    fn read(&mut self) {
        let (reply, time) = self.ask(&format!("inbox {}", self.token));
        self.reads.push(time);
        for (_, messages) in reply["messages"].as_object().unwrap() {
            for message in messages.as_array().unwrap() {
                assert_eq!(message["msg"], self.received.to_string());
                self.received += 1;
            }
        }
    }
}

/// The latency that so many in a thousand of the sorted `latencies` do not exceed.
fn per_mille(latencies: &mut [Duration], rank: usize) -> Duration {
    latencies.sort_unstable();
    latencies[(latencies.len() - 1) * rank / 1000]
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[test]
fn honest_clients_are_served_beside_hostile_connections_whose_resources_are_released() {
    let hostile = scaled(100, 1_000);
    let lasting = Duration::from_secs(scaled(3, 40) as u64);
    let server = Server::start_with_users_and(HONEST, &["--metrics", "127.0.0.1:0"]);
    let mut wire = server.connect();
    // The hostile readers' messages: more than a page.
    let paff = wire.log_in("paff");
    for _ in 0..40 {
        wire.done(format!("send {paff} paff {}", "x".repeat(32_000)));
    }
    let mut honest: Vec<Honest> = (0..HONEST).map(|index| Honest::new(&server, index)).collect();
    for one in &mut honest {
        one.send();
    }
    let before = (descriptors(server.pid()), connections(&server), resident_bytes(server.pid()));

    let (going_on, most) = (AtomicBool::new(true), AtomicUsize::new(0));
    let all_sent = Barrier::new(HONEST);
    let seen = thread::scope(|scope| {
        let random = Random::new();
        let hostile = scope.spawn(|| {
            attack(server.address(), hostile, &paff, &going_on, random, || {
                most.fetch_max(resident_bytes(server.pid()), Ordering::Relaxed);
            })
        });
        let ending = Ending(&going_on);
        let until = Instant::now() + lasting;
        let honest: Vec<_> = honest
            .iter_mut()
            .map(|one| {
                let all_sent = &all_sent;
                scope.spawn(move || {
                    while Instant::now() < until {
                        one.send();
                        one.read();
                    }
                    all_sent.wait();
                    one.read();
                })
            })
            .collect();
        honest.into_iter().for_each(|one| one.join().unwrap());
        drop(ending);
        hostile.join().unwrap().unwrap()
    });

    for (index, one) in honest.iter().enumerate() {
        assert_eq!(one.received, honest[(index + HONEST - 1) % HONEST].sent, "of user-{index}");
    }
    for kind in Kind::ALL {
        println!("{kind:?}: {:?}", seen[&kind]);
        assert!(seen[&kind].opened >= hostile / Kind::ALL.len(), "{kind:?} was there");
    }
    assert!(
        seen[&Kind::TlsHello].first_replies.keys().all(|reply| reply.contains("wrong_protocol")),
    );

    let mut latencies: Vec<Duration> =
        honest.iter().flat_map(|one| one.sends.iter().chain(&one.reads).copied()).collect();
    let busy: usize = honest.iter().map(|one| one.busy).sum();
    let requests = latencies.len();
    let mut at = |rank| per_mille(&mut latencies, rank);
    let at = [at(500), at(990), at(999), at(1000)];
    println!(
        "{HONEST} honest clients beside {hostile} hostile connections: {} requests, {busy} refused as \
         busy and asked again; p50 {:?}, p99 {:?}, p99.9 {:?}, longest {:?}",
        requests, at[0], at[1], at[2], at[3]
    );

    let in_session = Kind::ALL.iter().filter(|kind| kind.is_in_session()).count();
    let in_session = HONEST + 1 + hostile * in_session / Kind::ALL.len();
    let strangers = HONEST + 1 + hostile - in_session;
    let bound =
        before.2 + CACHE_BYTES + in_session * CONNECTION_BYTES_MAX + strangers * STRANGER_BYTES_MAX;
    let most = most.into_inner();
    println!(
        "memory: {:.1} MiB before, {:.1} MiB at most, of {:.1} MiB that it may be",
        mib(before.2),
        mib(most),
        mib(bound)
    );
    assert!(most <= bound);

    // Back to the state before.
    let begun = Instant::now();
    let after = loop {
        let after = (descriptors(server.pid()), connections(&server), resident_bytes(server.pid()));
        if (after.0, after.1) == (before.0, before.1) {
            break after;
        }
        assert!(begun.elapsed() < PATIENCE, "{after:?} is not {before:?}");
    };
    println!("after {:?}: {after:?}, as before: {before:?}", begun.elapsed());
    for one in &mut honest {
        one.send();
    }
    for one in &mut honest {
        one.read();
    }
}

/// Requests that are cheap for the client and expensive for the server. Each is sent on 50
/// connections as fast as the replies arrive, beside ten clients that send and read.
#[test]
fn most_expensive_requests_of_others_leave_honest_clients_served() {
    const ASKING: usize = 50;
    const SENDING: usize = 10;
    let (unread, users) = (scaled(1_000, 100_000), scaled(500, 20_000));
    let lasting = Duration::from_millis(scaled(300, 5_000) as u64);
    let mut server = Server::start_with_users_and(users, &[]);
    server.stop();
    // As if all of them had logged in, without the hashing.
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database
        .execute(
            "INSERT INTO sessions (user_id, token_hash, created_at, last_seen_at, expires_at)
             SELECT id, randomblob(32), now, now, now + 86400000
               FROM users, (SELECT unixepoch() * 1000 AS now)",
            [],
        )
        .unwrap();
    drop(database);
    server.start_again();
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    fill(&server, &token, unread);

    let dearest = [
        ("nothing else", String::new()),
        ("unread", format!("unread {token}\r\n")),
        ("fetch from the first", format!("fetch {token} {{\"after\": 0}}\r\n")),
        ("fetch with a user who wrote nothing", format!("fetch {token} {{\"with\": \"ivy\"}}\r\n")),
        ("watch from the first", format!("watch {token} {{\"from\": \"all\"}}\r\n")),
        ("list", format!("list {token}\r\n")),
        ("help", "help\r\n".to_owned()),
        ("auth", "auth nobody nothing\r\n".to_owned()),
    ];
    let mut honest: Vec<Honest> = (0..SENDING).map(|index| Honest::new(&server, index)).collect();
    for (name, line) in &dearest {
        let going_on = AtomicBool::new(!line.is_empty());
        let (answers, until) = (AtomicUsize::new(0), Instant::now() + lasting);
        thread::scope(|scope| {
            for _ in 0..ASKING {
                let (mut wire, going_on, answers) = (server.connect(), &going_on, &answers);
                scope.spawn(move || {
                    let mut buffer = vec![0; 1 << 20];
                    while going_on.load(Ordering::Relaxed) {
                        wire.send(line);
                        let mut end = [0; 4];
                        while going_on.load(Ordering::Relaxed) && end != *b"\r\n\r\n" {
                            let count = wire.stream_mut().read(&mut buffer).unwrap();
                            assert!(count > 0, "{name} is answered");
                            answers.fetch_add(1, Ordering::Relaxed);
                            for &byte in &buffer[count.saturating_sub(4)..count] {
                                end = [end[1], end[2], end[3], byte];
                            }
                        }
                    }
                });
            }
            let ending = Ending(&going_on);
            let honest: Vec<_> = honest
                .iter_mut()
                .map(|one| {
                    one.sends.clear();
                    one.reads.clear();
                    scope.spawn(move || {
                        one.send();
                        one.read();
                        while Instant::now() < until {
                            one.send();
                            one.read();
                        }
                    })
                })
                .collect();
            honest.into_iter().for_each(|one| one.join().unwrap());
            drop(ending);
        });
        let mut sends: Vec<_> = honest.iter().flat_map(|one| one.sends.iter().copied()).collect();
        let mut reads: Vec<_> = honest.iter().flat_map(|one| one.reads.iter().copied()).collect();
        println!(
            "beside {name}: {} sends p99 {:?}, reads p99 {:?}, {} pieces of answers read",
            sends.len(),
            per_mille(&mut sends, 990),
            per_mille(&mut reads, 990),
            answers.into_inner()
        );
    }
}

/// Sends `count` messages from the holder of the session to itself.
fn fill(server: &Server, token: &str, count: usize) {
    let mut wire = server.connect();
    let mut writer = wire.stream().try_clone().unwrap();
    let text = "x".repeat(100);
    thread::scope(|scope| {
        scope.spawn(move || {
            let lines = format!("send {token} paff {text}\r\n").repeat(100);
            (0..count / 100).for_each(|_| writer.write_all(lines.as_bytes()).unwrap());
        });
        (0..count).for_each(|_| assert_eq!(wire.reply()["status"], "OK"));
    });
}

#[test]
fn full_writer_queue_refuses_as_busy_and_stores_what_it_acknowledged() {
    const QUEUED_MAX: f64 = 16_384.0;
    // More than the queue holds and the writer's current batch.
    const SENDERS: usize = 170;
    const PIPELINED: usize = 128;
    let server = Server::start_with(&["--metrics", "127.0.0.1:0"]);
    let token = server.log_in("paff");
    // A foreign lock, as of the `sqlite3` shell: the writer waits, and its queue grows.
    let shell = rusqlite::Connection::open(server.database()).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let packet = format!("send {token} neko hai\r\n").repeat(PIPELINED);
    let mut senders: Vec<Wire> = (0..SENDERS).map(|_| server.connect()).collect();
    senders.iter_mut().for_each(|wire| wire.send(&packet));
    // On a slow machine the writer gives up its first batch before the queue is full.
    let begun = Instant::now();
    let mut queued = 0.0;
    while queued < QUEUED_MAX && begun.elapsed() < Duration::from_secs(10) {
        let scrape = Scrape::parse(&http::get(server.monitor(), "/metrics").body);
        queued = scrape.value("chat_queue_length", &[("queue", "writer")]);
    }
    assert!(queued <= QUEUED_MAX, "{queued} wait");
    println!("{queued} operations wait");
    // With a full queue a request is refused at once, while the shell still holds the lock.
    let mut late = server.connect();
    while late.ask(format!("send {token} neko hai"))["code"] != "busy" {}
    shell.execute_batch("ROLLBACK").unwrap();
    let (mut sent, mut busy) = (0, 0);
    for wire in &mut senders {
        for _ in 0..PIPELINED {
            let reply = wire.reply();
            match reply["code"].as_str() {
                None => sent += 1,
                Some(code) => {
                    assert_eq!(code, "busy", "{reply}");
                    busy += 1;
                }
            }
        }
    }
    println!("{sent} sent, {busy} refused as busy");
    let acknowledged = server.query("select count(*) from messages")[0].parse::<usize>().unwrap();
    assert!(acknowledged >= sent, "{acknowledged} are stored");
    let stored = server.query("select count(*) from messages");
    late.done(format!("send {token} neko hai"));
    assert_ne!(server.query("select count(*) from messages"), stored);
}

#[test]
fn running_out_of_descriptors_keeps_open_connections_and_delays_new_ones() {
    const WAITING: usize = 60;
    let server = Server::start();
    let token = server.log_in("paff");
    let mut there: Vec<Wire> = (0..5).map(|_| server.connect()).collect();
    there.iter_mut().for_each(|wire| drop(wire.done("hello")));
    let limit = |current: usize| {
        let pid = rustix::process::Pid::from_raw(server.pid());
        let limit = rustix::process::Rlimit { current: Some(current as u64), maximum: None };
        let before = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let limit = rustix::process::Rlimit { maximum: before.maximum, ..limit };
        rustix::process::prlimit(pid, rustix::process::Resource::Nofile, limit).unwrap();
    };
    limit(descriptors(server.pid()) + 10);
    let mut waiting: Vec<Wire> = (0..WAITING).map(|_| server.connect()).collect();
    waiting.iter_mut().for_each(|wire| wire.send("hello\r\n"));
    // The server accepts as many as it has descriptors for.
    waiting[..8].iter_mut().for_each(|wire| assert_eq!(wire.reply()["server"], "chat-server"));
    for wire in &mut there {
        for _ in 0..100 {
            wire.done(format!("send {token} paff hai"));
        }
    }
    assert!(descriptors(server.pid()) <= 5 + WAITING, "they have run out");
    // Closed connections make room for others.
    drop(waiting.drain(..8));
    waiting[..8].iter_mut().for_each(|wire| assert_eq!(wire.reply()["server"], "chat-server"));
    limit(1_000);
    waiting[8..].iter_mut().for_each(|wire| assert_eq!(wire.reply()["server"], "chat-server"));
    server.connect().done(format!("send {token} paff hai"));
}

/// The accepting thread: its processor time, in ticks of 10 ms, and how often it has slept.
fn acceptor(pid: i32) -> (u64, u64) {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let named = |path: &PathBuf| {
        std::fs::read_to_string(path.join("comm")).unwrap().trim_end() == "acceptor"
    };
    let thread = threads.map(|entry| entry.unwrap().path()).find(named).unwrap();
    let stat = std::fs::read_to_string(thread.join("stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let status = std::fs::read_to_string(thread.join("status")).unwrap();
    let sleeps = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let number = |text: &str| text.trim().parse::<u64>().unwrap();
    (number(fields[11]) + number(fields[12]), number(sleeps.unwrap()))
}

/// `prlimit --nofile=64` from outside, while more descriptors are open.
#[test]
fn limit_of_64_descriptors_delays_new_connections_until_it_is_raised() {
    const HOW_LONG: Duration = Duration::from_secs(2);
    let server = Server::start();
    // On connections that stay open: a closed one would free its descriptor.
    let mut there: Vec<Wire> = (0..64).map(|_| server.connect()).collect();
    there.iter_mut().for_each(|wire| drop(wire.done("hello")));
    let (paff, neko) = (there[0].log_in("paff"), there[0].log_in("neko"));
    let limit = |current: u64| {
        let pid = rustix::process::Pid::from_raw(server.pid());
        let maximum = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
        let limit = rustix::process::Rlimit { current: Some(current), maximum };
        rustix::process::prlimit(pid, rustix::process::Resource::Nofile, limit).unwrap();
    };
    limit(64);
    let mut late = server.connect();
    late.send("hello\r\n");
    // Open connections are served, including reads and requests that are new to the server.
    let (before, begun, mut sent) = (acceptor(server.pid()), Instant::now(), 0);
    while begun.elapsed() < HOW_LONG {
        let wire = &mut there[sent % 64];
        wire.done(format!("send {paff} neko hai"));
        sent += 1;
        assert_eq!(wire.done(format!("unread {neko}"))["unread"], sent);
    }
    there[0].log_in("robo");
    let after = acceptor(server.pid());
    late.stream().set_nonblocking(true).unwrap();
    let error = late.stream().peek(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "it was accepted");
    late.stream().set_nonblocking(false).unwrap();
    // It retries five times a second, and sleeps in between.
    let tries = begun.elapsed().as_millis() as u64 / 200 + 5;
    assert!(after.0 - before.0 <= 20, "{:?}, then {:?}", before, after);
    assert!(after.1 - before.1 <= tries, "{:?}, then {:?}, {tries}", before, after);
    // An operator's command gets an error at once instead of waiting.
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.arg("--db").arg(server.database()).env("CHAT_SERVER_CONFIG", "/dev/null");
    let ask = |command: &mut Command| command.output().unwrap().status.code();
    command.args(["healthcheck", "--timeout", "300ms"]);
    assert_eq!(ask(&mut command), Some(75));
    limit(1_000);
    assert_eq!(late.reply()["status"], "OK");
    server.connect().done(format!("send {paff} neko hai"));
    command.args(["--timeout", "60s"]);
    assert_eq!(ask(&mut command), Some(0));
}

/// Loopback addresses of this machine have no limit. So the test starts itself again in a network
/// namespace with other addresses.
#[test]
fn connections_of_one_address_are_limited_and_others_are_not_delayed() {
    const INSIDE: &str = "CHAT_TEST_IN_OWN_NETWORK";
    const LIMIT: usize = 4;
    if std::env::var_os(INSIDE).is_none() {
        let setting_up = "ip link set lo up && ip addr add 192.0.2.1/32 dev lo && \
                          ip addr add 192.0.2.2/32 dev lo";
        let own_network = |then: &str| {
            let mut command = Command::new("unshare");
            command.args(["--net", "sh", "-c", &format!("{setting_up} && {then}")]);
            command
        };
        if !own_network("true").output().is_ok_and(|output| output.status.success()) {
            return skip("a network of its own", "run as root; install iproute2 and util-linux");
        }
        let name = "overload::connections_of_one_address_are_limited_and_others_are_not_delayed";
        let mut inside = own_network("exec \"$0\" \"$@\"");
        inside.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]);
        let output = inside.env(INSIDE, "1").output().unwrap();
        let reported = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && reported.contains("1 passed"), "{output:?}");
        return;
    }
    let (far, near) = (["192.0.2.1:8889", "192.0.2.2:8889"], "127.0.0.1:8889");
    let limit = LIMIT.to_string();
    let _server = Server::start_with(&[
        "--listen",
        far[0],
        "--listen",
        far[1],
        "--listen",
        near,
        "--allow-plaintext",
        "--allow-default-passwords",
        "--connections-per-address-max",
        &limit,
    ]);
    let connect = |address: &str| Wire::connect(address.parse().unwrap());
    // A connection to an own address comes from that address.
    let mut there: Vec<Wire> = (0..LIMIT).map(|_| connect(far[0])).collect();
    there.iter_mut().for_each(|wire| drop(wire.done("hello")));
    let mut over = connect(far[0]);
    assert_eq!(over.reply()["code"], "too_many_connections");
    assert_eq!(over.wait_for_close(), b"");
    connect(far[1]).done("hello");
    let near: Vec<Wire> = (0..2 * LIMIT).map(|_| connect(near)).collect();
    near.into_iter().for_each(|mut wire| drop(wire.done("hello")));
    drop(there.pop());
    let begun = Instant::now();
    while connect(far[0]).ask("hello")["status"] != "OK" {
        assert!(begun.elapsed() < PATIENCE, "the place is not given back");
    }
    there.iter_mut().for_each(|wire| drop(wire.done("hello")));
}
