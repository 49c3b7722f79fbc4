//! Clients and watchers that use several servers on one database, whatever happens to these.

use std::collections::{BTreeSet, VecDeque};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::load::{Client, PIPELINE, judge};
use crate::support::{PATIENCE, Server, Wire};
use crate::watchers::{LAST, Watcher};

/// How long somebody waits who was refused or found no server, if nothing happens before.
const PAUSE: Duration = Duration::from_millis(20);

/// The servers, and how far the load is.
pub struct Run {
    addresses: Mutex<Vec<SocketAddr>>,
    state: AtomicU8,
    acknowledged: Mutex<usize>,
    changed: Condvar,
}

/// The clients send.
const GOES_ON: u8 = 0;
/// They wait for their answers and send nothing new.
const ENDS: u8 = 1;
/// They wait for nothing, because there is no service any more.
const IS_OVER: u8 = 2;

impl Run {
    /// A load of these servers.
    pub fn of(nodes: &[Server]) -> Self {
        Self {
            addresses: Mutex::new(nodes.iter().map(Server::address).collect()),
            state: AtomicU8::new(GOES_ON),
            acknowledged: Mutex::new(0),
            changed: Condvar::new(),
        }
    }

    /// A server was started again, at another address.
    pub fn moved(&self, node: usize, address: SocketAddr) {
        self.addresses.lock().unwrap()[node] = address;
    }

    /// Connects to one of the servers.
    pub fn connect(&self, node: usize) -> Option<Wire> {
        let address = {
            let addresses = self.addresses.lock().unwrap();
            addresses[node % addresses.len()]
        };
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Some(Wire::over(stream))
    }

    /// How many messages were acknowledged.
    pub fn acknowledged(&self) -> usize {
        *self.acknowledged.lock().unwrap()
    }

    /// Waits until so many messages were acknowledged.
    pub fn wait_for(&self, count: usize) {
        let (mut found, mut since) = (0, Instant::now());
        while found < count {
            let acknowledged = self.acknowledged.lock().unwrap();
            if *acknowledged == found {
                assert!(since.elapsed() < PATIENCE, "only {found} of {count} are acknowledged");
            } else {
                (found, since) = (*acknowledged, Instant::now());
            }
            drop(self.changed.wait_timeout(acknowledged, PAUSE).unwrap());
        }
    }

    /// Waits a moment, or until somebody had success.
    pub fn pause(&self) {
        let acknowledged = self.acknowledged.lock().unwrap();
        drop(self.changed.wait_timeout(acknowledged, PAUSE).unwrap());
    }

    /// Tells the clients that no server will answer any more.
    pub fn give_up(&self) {
        self.state.store(IS_OVER, Ordering::SeqCst);
    }

    /// Whether nobody waits for anything any more.
    pub fn is_over(&self) -> bool {
        self.state.load(Ordering::SeqCst) == IS_OVER
    }

    fn goes_on(&self) -> bool {
        self.state.load(Ordering::SeqCst) == GOES_ON
    }

    fn note_acknowledged(&self) {
        *self.acknowledged.lock().unwrap() += 1;
        self.changed.notify_all();
    }
}

/// Ends the load, also if the test fails before.
struct End<'a>(&'a Run);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let next = if thread::panicking() { IS_OVER } else { ENDS };
        self.0.state.fetch_max(next, Ordering::SeqCst);
    }
}

/// Everybody who uses the service.
pub struct Crowd {
    clients: Vec<Client>,
    tokens: Vec<String>,
    watchers: Vec<Watcher>,
}

impl Crowd {
    /// Logs everybody in. Every second client has no keys.
    pub fn log_in(node: &Server, has_watchers: bool) -> Self {
        let clients = Client::all(true);
        let tokens = clients.iter().map(|_| node.log_in("paff")).collect();
        let watchers = if has_watchers { Watcher::all(node) } else { Vec::new() };
        Self { clients, tokens, watchers }
    }

    /// The clients send and the watchers watch while `during` is executed. Then every client waits
    /// for its answers, and every watcher for the last message.
    pub fn load(&mut self, run: &Run, during: impl FnOnce()) {
        let last = self.tokens[0].clone();
        let watched: BTreeSet<&str> = self.watchers.iter().map(|watcher| watcher.user).collect();
        thread::scope(|scope| {
            for (number, watcher) in self.watchers.iter_mut().enumerate() {
                scope.spawn(move || watcher.watch(run, number));
            }
            thread::scope(|scope| {
                for client in &mut self.clients {
                    let token = &self.tokens[client.number];
                    scope.spawn(move || send(client, token, run));
                }
                let end = End(run);
                during();
                drop(end);
            });
            let end = End(run);
            for user in watched {
                let post = json!({"to": [user], "body": LAST, "key": format!("{LAST}-{user}")});
                run.connect(0).unwrap().done(format!("post {last} {post}"));
            }
            drop(end);
        });
    }

    /// Compares what the database has with what everybody was told: `(id, mailbox, text)` of each
    /// message. Returns how many of the acknowledged are missing.
    pub fn judge(&self, stored: Vec<(i64, String, String)>) -> usize {
        for watcher in &self.watchers {
            watcher.judge(&stored);
        }
        let sent = stored.into_iter().filter(|(_, _, body)| body != LAST);
        judge(&self.clients, sent.map(|(id, _, body)| (id, body)))
    }

    /// How many messages were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.clients.iter().map(|client| client.acknowledged.len()).sum()
    }

    /// How many messages the watchers got.
    pub fn watched(&self) -> usize {
        self.watchers.iter().map(Watcher::count).sum()
    }
}

/// Sends the messages of a client, at one server or another, until the load ends and everything is
/// answered.
fn send(client: &mut Client, token: &str, run: &Run) {
    let mut node = client.number;
    while !run.is_over() && (run.goes_on() || !client.unanswered.is_empty()) {
        match run.connect(node) {
            Some(wire) => converse(client, token, run, wire),
            None => run.pause(),
        }
        if !client.has_keys {
            client.unknown.append(&mut client.unanswered);
        }
        node += 1;
    }
}

/// Sends over one connection, until it breaks or everything is answered.
fn converse(client: &mut Client, token: &str, run: &Run, mut wire: Wire) {
    let request = |wire: &Wire, client: &Client, message| {
        // Whether the server has read it is known by its reply.
        let line = format!("{}\r\n", client.post(token, message));
        let _ = wire.stream().write_all(line.as_bytes());
    };
    let mut ahead = VecDeque::from(client.unanswered.clone());
    ahead.iter().for_each(|message| request(&wire, client, *message));
    loop {
        while run.goes_on() && ahead.len() < PIPELINE {
            let message = client.make();
            request(&wire, client, message);
            ahead.push_back(message);
        }
        let Some(message) = ahead.pop_front() else { return };
        let Some(reply) = wire.try_reply_bytes() else { return };
        let reply: Value = serde_json::from_slice(&reply).unwrap();
        match reply["code"].as_str() {
            None => {
                client.acknowledge(message, reply["sent"][0]["id"].as_i64().unwrap());
                run.note_acknowledged();
            }
            Some("busy" | "internal") if client.has_keys => {
                run.pause();
                request(&wire, client, message);
                ahead.push_back(message);
                continue;
            }
            Some("busy") => {
                run.pause();
                assert!(client.refused.insert(message));
            }
            Some("internal") => client.unknown.push(message),
            Some(_) => panic!("{reply}"),
        }
        client.unanswered.retain(|unanswered| *unanswered != message);
    }
}
