//! Servers on PostgreSQL whose primary has lost its standbys: what no standby has is neither
//! acknowledged nor shown.

use std::path::Path;

use serde_json::{Value, json};

use crate::crowd::{Crowd, Run};
use crate::failover::{nodes, stored};
use crate::support::network::Network;
use crate::support::postgres::OWNER;
use crate::support::relay::Relay;
use crate::support::replicas::{ANY_STANDBY, DATABASE, Replicas};
use crate::support::{Random, Server, Wire, scaled, wait_until};

/// The most messages between two rounds.
const BETWEEN: usize = 500;

/// PostgreSQL tells a client success if its wait is cancelled, and shows the row to others if its
/// backend is terminated.
#[test]
fn waits_that_are_cancelled_or_terminated_are_acknowledged_only_if_a_standby_has_the_rows() {
    let Some(mut replicas) = Replicas::start(ANY_STANDBY) else { return };
    let nodes = nodes(&replicas.url(), "standby");
    let mut random = Random::new();
    // An administrator who does this shows to watchers what no standby has: there are none.
    let (mut crowd, run) = (Crowd::log_in(&nodes[0], false), Run::of(&nodes));
    let rounds = scaled(4, 40);
    let mut interrupted = 0;
    crowd.load(&run, || {
        for round in 0..rounds {
            run.wait_for(run.acknowledged() + random.below(BETWEEN));
            replicas.cut_all_off();
            let function = ["pg_cancel_backend", "pg_terminate_backend"][round % 2];
            // The second time, they wait on new connections.
            for _ in 0..2 {
                replicas.wait_for_waits(1);
                let sql = format!(
                    "SELECT {function}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
                );
                interrupted += replicas.sql(&sql).lines().count();
            }
            replicas.wait_for_waits(1);
            match round % 4 {
                // Now the rows are gone.
                0 | 1 => replicas.fail_over(),
                _ => replicas.follow_all(),
            }
        }
        run.wait_for(run.acknowledged() + BETWEEN);
    });
    assert_eq!(crowd.judge(stored(|sql| replicas.sql(sql))), 0, "acknowledged and lost");
    println!("{interrupted} waits ended, {} acknowledged, 0 lost", crowd.acknowledged());
}

/// A repeated message writes nothing new, so PostgreSQL alone would not wait.
#[test]
fn repeated_message_is_acknowledged_only_once_a_standby_has_it() {
    let Some(replicas) = Replicas::start(ANY_STANDBY) else { return };
    let nodes = nodes(&replicas.url(), "standby");
    let token = nodes[0].log_in("paff");
    let mut wire = nodes[0].connect();
    let post = |body: &str| json!({"to": ["neko"], "key": "key", "body": body});
    let first = wire.done(format!("post {token} {}", post("hai")));
    // One that repeats it, and one that is refused because it does not.
    for (body, expected) in [("hai", "OK"), ("another text", "ERROR")] {
        let log = Log::lock(&replicas);
        wire.send(format!("post {token} {}\r\n", post(body)));
        wait_for_lock(&replicas);
        replicas.cut_all_off();
        drop(log);
        wait_for_wait(&replicas, "UPDATE chat.nodes");
        replicas.follow_all();
        let reply = wire.reply();
        assert_eq!(reply["status"], expected, "{reply}");
        if expected == "OK" {
            assert_eq!((&reply["id"], &reply["duplicate"]), (&first["id"], &json!(true)));
        }
    }
}

/// After its restart the primary shows what no standby has. It is lost by a failover, and its id is
/// used again.
#[test]
fn restarted_primary_serves_nothing_that_no_standby_has() {
    let Some(mut replicas) = Replicas::start(ANY_STANDBY) else { return };
    let [mut left, right] = nodes(&replicas.url(), "standby");
    let (token, neko) = (left.log_in("paff"), left.log_in("neko"));
    let mut streams = [&left, &right].map(|node| watch(node, &neko));
    let send = |body: &str| format!("post {token} {}", json!({"to": ["neko"], "body": body}));
    left.connect().done(send("replicated"));
    let mut sender = left.connect();
    let log = Log::lock(&replicas);
    sender.send(format!("{}\r\n", send("unreplicated")));
    wait_for_lock(&replicas);
    replicas.cut_all_off();
    drop(log);
    wait_for_wait(&replicas, "SELECT post, id");

    replicas.restart_primary();
    assert_eq!(replicas.sql("SELECT count(*) FROM messages"), "2", "it is visible");
    // Both servers connect again, and prove that a standby has what they would read.
    replicas.wait_for_waits(2);
    let mut readers = [&left, &right].map(Server::connect);
    for reader in &mut readers {
        reader.send(format!("fetch {neko} {}\r\n", json!({"after": 0})));
    }
    // Nobody sends it again.
    left.kill();
    let [stream_of_left, stream_of_right] = streams.each_mut();
    assert_eq!(texts(stream_of_left), ["replicated"]);
    if let Some(page) = readers[0].try_reply_bytes() {
        is_without_the_unreplicated(&serde_json::from_slice(&page).unwrap());
    }
    assert_eq!(sender.try_reply_bytes(), None, "it is not acknowledged");

    replicas.kill_primary();
    replicas.promote_most_advanced();
    let page = readers[1].reply();
    is_without_the_unreplicated(&page);
    let after = until_done(&right, &send("after"));
    let (id, text) = (after["sent"][0]["id"].clone(), json!("after"));
    assert_eq!(
        replicas.sql("SELECT convert_from(body, 'UTF8') FROM messages"),
        "replicated\nafter"
    );
    assert_eq!(next_message(stream_of_right)["body"], "replicated");
    let pushed = next_message(stream_of_right);
    assert_eq!((&pushed["id"], &pushed["body"]), (&id, &text));
}

/// The primary keeps its clients and loses its standbys, of which one is promoted. Each side has a
/// server, which reaches its own side only.
#[test]
fn primary_that_is_cut_off_acknowledges_and_shows_nothing_that_the_other_side_may_lose() {
    let Some(replicas) = Replicas::start(ANY_STANDBY) else { return };
    let sides = Relays::between(&replicas);
    cut_primary_off(replicas, &sides);
}

/// The same with a cable that loses every packet: no connection is closed or refused.
#[test]
fn primary_whose_cable_is_cut_acknowledges_and_shows_nothing_that_the_other_side_may_lose() {
    let Some(network) = Network::new() else { return };
    let Some(replicas) = Replicas::start_apart(ANY_STANDBY, &network) else { return };
    cut_primary_off(replicas, &network);
}

fn cut_primary_off(mut replicas: Replicas, sides: &impl Sides) {
    let (left, right) = (sides.node(&replicas, true), sides.node(&replicas, false));
    let (token, neko) = (left.log_in("paff"), left.log_in("neko"));
    let ended = left.log_in("paff");
    let mut streams = [&left, &right].map(|node| watch(node, &neko));
    let send = |body: &str| format!("post {token} {}", json!({"to": ["neko"], "body": body}));
    left.connect().done(send("one"));
    // Both know the session.
    for node in [&left, &right] {
        node.connect().done(format!("whoami {ended}"));
    }

    let mut cut_off = left.connect();
    let log = Log::lock(&replicas);
    cut_off.send(format!("{}\r\n", send("two")));
    wait_for_lock(&replicas);
    sides.cut();
    drop(log);
    wait_for_wait(&replicas, "SELECT post, id");
    replicas.promote_most_advanced();
    // The other side goes on, and a change is answered there once the cut-off server has no lease.
    until_done(&right, &send("three"));
    until_done(&right, &format!("logout {ended}"));
    assert_eq!(left.connect().refused(format!("whoami {ended}")), "busy");
    assert_eq!(left.connect().refused(send("four")), "busy");

    // The old primary is fenced, and the server of its side reaches the others again.
    replicas.kill(0);
    sides.mend();
    let reply = cut_off.reply();
    assert_eq!(reply["status"], "OK", "its outcome is found out: {reply}");
    until_done(&left, &send("five"));
    let refusal = wait_for_refusal(&left, &format!("whoami {ended}"));
    assert_eq!(refusal, "no_session");
    let expected =
        replicas.sql("SELECT id || ' ' || convert_from(body, 'UTF8') FROM messages ORDER BY id");
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(expected.len(), 4, "{expected:?}");
    for stream in &mut streams {
        for expected in &expected {
            let message = next_message(stream);
            let found = format!("{} {}", message["id"], message["body"].as_str().unwrap());
            assert_eq!(found, **expected);
        }
    }
}

/// The side of the primary and that of its standbys.
trait Sides {
    /// A server of one side.
    fn node(&self, replicas: &Replicas, is_left: bool) -> Server;
    /// Nothing comes to the other side from now on.
    fn cut(&self);
    fn mend(&self);
}

/// A server waits longer for a new primary: the silence of a network takes a while to be noticed.
const APART: &[&str] = &["--db-failover-wait", "120s", "--db-allow-plaintext", "--log", "error"];

impl Sides for Network {
    fn node(&self, replicas: &Replicas, is_left: bool) -> Server {
        let url = replicas.url_of(&replicas.hosts_apart());
        let database = format!("{url}?sslmode=disable");
        let machine = self.machine(usize::from(!is_left));
        Server::start_in(machine, Path::new(&database), APART)
    }

    fn cut(&self) {
        Network::cut(self);
    }

    fn mend(&self) {
        Network::mend(self);
    }
}

/// The relays between the two sides.
struct Relays {
    replication: Relay,
    to_primary: Relay,
    to_standbys: [Relay; 2],
}

impl Relays {
    fn between(replicas: &Replicas) -> Self {
        let relay = |index: usize| Relay::to(replicas.cluster(index).address());
        let relays =
            Self { replication: relay(0), to_primary: relay(0), to_standbys: [relay(1), relay(2)] };
        replicas.follow_through(relays.replication.address().port());
        relays
    }

    fn all(&self) -> [&Relay; 4] {
        [&self.replication, &self.to_primary, &self.to_standbys[0], &self.to_standbys[1]]
    }
}

impl Sides for Relays {
    fn node(&self, replicas: &Replicas, is_left: bool) -> Server {
        let far = |relay: &Relay| relay.address();
        let near = |index: usize| replicas.cluster(index).address();
        let hosts = match is_left {
            true => [near(0), far(&self.to_standbys[0]), far(&self.to_standbys[1])],
            false => [far(&self.to_primary), near(1), near(2)],
        };
        let hosts = hosts.map(|host| host.to_string()).join(",");
        let [node, _] = nodes(&replicas.url_of(&hosts), "standby");
        node
    }

    fn cut(&self) {
        self.all().into_iter().for_each(Relay::close);
    }

    fn mend(&self) {
        self.all().into_iter().for_each(Relay::open);
    }
}

/// Holds the lock of the message log: who appends waits.
struct Log {
    _client: ::postgres::Client,
}

impl Log {
    fn lock(replicas: &Replicas) -> Self {
        // The servers note in the log's order that they know of the logins. It would go first.
        let sql = "SELECT count(*) FROM nodes WHERE seen_changes < (SELECT max(id) FROM changes)";
        wait_until("the servers know all changes", || replicas.sql(sql) == "0");
        let url = replicas.primary().url(OWNER, DATABASE);
        let mut client = ::postgres::Client::connect(&url, ::postgres::NoTls).unwrap();
        client.batch_execute("BEGIN; SELECT chat.lock_log(0)").unwrap();
        Self { _client: client }
    }
}

/// Waits until a message waits for [`Log`].
fn wait_for_lock(replicas: &Replicas) {
    let sql = "SELECT count(*) FROM pg_stat_activity
                WHERE wait_event = 'advisory' AND query LIKE 'SELECT post, id%'";
    wait_until("a message waits for the log", || replicas.sql(sql) != "0");
}

/// Waits until a statement that begins so waits for a standby, or for another one that does.
fn wait_for_wait(replicas: &Replicas, statement: &str) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity
          WHERE wait_event IN ('SyncRep', 'transactionid', 'tuple')
            AND query LIKE '{statement}%'"
    );
    wait_until("it waits for a standby", || replicas.sql(&sql) != "0");
}

fn watch(node: &Server, token: &str) -> Wire {
    let mut wire = node.connect();
    wire.done(format!("watch {token} {}", json!({"from": "all"})));
    wire
}

/// The next message of a stream.
fn next_message(stream: &mut Wire) -> Value {
    loop {
        let event = stream.reply();
        assert_ne!(event["event"], "end", "{event}");
        if event["event"] == "message" {
            return event;
        }
    }
}

/// The texts of all messages of a stream whose server has ended.
fn texts(stream: &mut Wire) -> Vec<String> {
    let events = std::iter::from_fn(|| stream.try_reply_bytes());
    let events = events.map(|event| serde_json::from_slice::<Value>(&event).unwrap());
    let messages = events.filter(|event| event["event"] == "message");
    messages.map(|message| message["body"].as_str().unwrap().to_owned()).collect()
}

fn is_without_the_unreplicated(page: &Value) {
    assert!(!page.to_string().contains("unreplicated"), "{page}");
}

/// Repeats a request while the server is busy. Gives the reply.
pub fn answer(node: &Server, line: &str) -> Value {
    let mut wire = node.connect();
    let mut reply = wire.ask(line);
    wait_until("the server answers", || {
        if reply["code"] == "busy" {
            reply = wire.ask(line);
        }
        reply["code"] != "busy"
    });
    reply
}

/// [`answer`], which must be a success.
pub fn until_done(node: &Server, line: &str) -> Value {
    let reply = answer(node, line);
    assert_eq!(reply["status"], "OK", "{line}: {reply}");
    reply
}

fn wait_for_refusal(node: &Server, line: &str) -> String {
    answer(node, line)["code"].as_str().expect("a refusal").to_owned()
}
