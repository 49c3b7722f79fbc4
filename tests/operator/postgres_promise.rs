//! What a server on PostgreSQL does while its database does not hold the promise, or cannot; and what
//! it reports of the database and of itself.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::browser;
use crate::support::exposition::Scrape;
use crate::support::http::get;
use crate::support::postgres::{Cluster, OWNER};
use crate::support::{Ending, PATIENCE, Server, Wire, operator, server_command, wait_until};

/// A server that looks often, with its log in a file.
struct Node {
    server: Server,
    log: std::path::PathBuf,
}

impl Node {
    fn start(url: &str, durability: &str) -> Self {
        Self::start_looking(url, durability, "20ms")
    }

    fn start_looking(url: &str, durability: &str, interval: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("log");
        let mut command = server_command(Path::new(url));
        command.args(["--metrics", "127.0.0.1:0", "--db-durability", durability, "--log", "info"]);
        command.args(["--db-check-interval", interval]).stderr(File::create(&log).unwrap());
        Self { server: Server::start_command(command, folder), log }
    }

    fn connect(&self) -> Wire {
        self.server.connect()
    }

    fn scrape(&self) -> Scrape {
        Scrape::parse(&get(self.server.monitor(), "/metrics").body)
    }

    fn metric(&self, name: &str) -> f64 {
        self.scrape().value(name, &[])
    }

    /// What `hello` says of the database.
    fn hello(&self) -> Value {
        self.connect().done("hello")["database"].clone()
    }

    /// Waits until so many lines of the log have this. The server log is written behind the answers.
    fn wait_for_log(&self, text: &str, count: usize) {
        let begun = Instant::now();
        while self.logged(text) != count {
            let log = fs::read_to_string(&self.log).unwrap();
            assert!(begun.elapsed() < PATIENCE, "{text:?} is not there {count} times:\n{log}");
        }
    }

    /// How many lines of the log have this.
    fn logged(&self, text: &str) -> usize {
        let log = fs::read_to_string(&self.log).unwrap();
        log.lines().filter(|line| line.contains(text)).count()
    }
}

fn set(cluster: &Cluster, setting: &str) {
    cluster.sql("postgres", &format!("ALTER SYSTEM SET {setting}"));
    cluster.sql("postgres", "SELECT pg_reload_conf()");
}

/// Asks until this line is answered so; every answer is a round trip.
fn ask_until(wire: &mut Wire, line: &str, is: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let reply = wire.ask(line);
        if is(&reply) {
            return reply;
        }
        assert!(begun.elapsed() < PATIENCE, "{line}: {reply}");
    }
}

const LOST: &str = "does not hold the durability any more: writes are refused as busy";
const FOUND_AGAIN: &str = "the database holds the durability again";
const WAITS: &str = "no synchronous standby is connected: every write waits for one";
const CONNECTED: &str = "a synchronous standby is connected: writes are answered";

/// Adds a standby, and waits until commits wait for it.
fn standby(cluster: &Cluster, name: &str) -> Cluster {
    let standby = cluster.standby(name);
    wait_until("the standby follows", || {
        let sql = "SELECT count(*) FROM pg_stat_replication
                    WHERE sync_state = 'quorum' AND state = 'streaming'";
        cluster.sql("postgres", sql) == "1"
    });
    standby
}

#[test]
fn database_that_stops_to_sync_is_read_only_until_it_syncs_again() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let node = Node::start(&cluster.url(OWNER, "postgres"), "local");
    let mut wire = node.connect();
    let token = wire.log_in("paff");
    let send = format!("send {token} neko hai");
    wire.done(&send);
    assert_eq!((node.metric("chat_durability_held"), node.logged(LOST)), (1.0, 0));
    for (round, setting) in ["fsync", "full_page_writes"].into_iter().enumerate() {
        set(&cluster, &format!("{setting} = off"));
        ask_until(&mut wire, &send, |reply| reply["code"] == "busy");
        // It stays so, and reads go on.
        assert_eq!(wire.refused(&send), "busy");
        wire.done(format!(r#"fetch {token} {{"after": 0}}"#));
        assert_eq!(node.connect().refused("auth paff cytus"), "busy", "a login is a write");
        let database = node.hello();
        assert_eq!(
            (&database["durability"], &database["engine"]),
            (&json!("local"), &json!("postgres"))
        );
        assert_eq!(database["node"]["durability_found"], "none");
        assert_eq!(database["node"]["is_read_only"], true);
        let scrape = node.scrape();
        assert_eq!(scrape.value("chat_durability_held", &[]), 0.0);
        let found = |found| scrape.value("chat_durability_found", &[("durability", found)]);
        assert_eq!((found("standby"), found("local"), found("none")), (0.0, 0.0, 1.0));
        let ready = get(node.server.monitor(), "/readyz");
        assert_eq!(ready.status, 503);
        assert!(ready.body.contains("does not hold the durability"), "{}", ready.body);
        node.wait_for_log(LOST, round + 1);
        node.wait_for_log(&format!("{setting} is off"), 1);

        set(&cluster, &format!("{setting} = on"));
        ask_until(&mut wire, &send, |reply| reply["status"] == "OK");
        assert_eq!(node.metric("chat_durability_held"), 1.0);
        node.wait_for_log(FOUND_AGAIN, round + 1);
        assert_eq!(get(node.server.monitor(), "/readyz").status, 200);
    }
}

#[test]
fn lost_standby_stops_writes_and_is_reported_until_it_is_back() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    set(&cluster, "synchronous_standby_names = 'ANY 1 (standby1)'");
    let mut standby = standby(&cluster, "standby1");
    let node = Node::start(&cluster.url(OWNER, "postgres"), "standby");
    let mut wire = node.connect();
    let token = wire.log_in("paff");
    let send = format!("send {token} neko hai");
    wire.done(&send);
    wait_until("the standby is seen", || node.metric("chat_standbys") == 1.0);
    assert_eq!(node.hello()["node"]["durability_found"], "standby");

    standby.stop();
    // No write waits, so the lookout alone reports it.
    wait_until("the loss is seen", || node.metric("chat_standbys") == 0.0);
    node.wait_for_log(WAITS, 1);
    wait_until("the lease is over", || node.hello()["node"]["is_lease_over"] == true);
    assert_eq!(wire.refused(&send), "busy");
    assert!(node.metric("chat_lease_age_seconds") > 3.0);
    assert_eq!(node.metric("chat_durability_held"), 1.0, "the settings still hold it");

    standby.restart();
    ask_until(&mut wire, &send, |reply| reply["status"] == "OK");
    wait_until("the standby is seen again", || node.metric("chat_standbys") == 1.0);
    node.wait_for_log(CONNECTED, 1);
    assert_eq!((node.logged(WAITS), node.logged(LOST)), (1, 0), "once a change");
}

#[test]
fn send_under_way_when_the_standby_goes_is_answered_when_it_is_back() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    set(&cluster, "synchronous_standby_names = 'ANY 1 (standby1)'");
    let mut standby = standby(&cluster, "standby1");
    let node = Node::start(&cluster.url(OWNER, "postgres"), "standby");
    let token = node.server.log_in("paff");
    let answered = AtomicUsize::new(0);
    let goes_on = AtomicBool::new(true);
    thread::scope(|scope| {
        let _ending = Ending(&goes_on);
        // One send is always under way.
        let sending = scope.spawn(|| {
            let mut wire = node.connect();
            while goes_on.load(Ordering::SeqCst) {
                let reply = wire.ask(format!("send {token} neko hai"));
                // The answer can come before the next lease.
                if reply["code"] == "busy" {
                    continue;
                }
                assert_eq!(reply["status"], "OK", "{reply}");
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
        wait_until("some are answered", || answered.load(Ordering::SeqCst) > 10);
        standby.stop();
        wait_until("the lease is over", || node.hello()["node"]["is_lease_over"] == true);
        let before = answered.load(Ordering::SeqCst);
        assert_eq!(node.connect().refused(format!("send {token} neko hai")), "busy");
        assert_eq!(answered.load(Ordering::SeqCst), before, "nothing is acknowledged");
        standby.restart();
        wait_until("it is answered", || answered.load(Ordering::SeqCst) > before);
        goes_on.store(false, Ordering::SeqCst);
        sending.join().unwrap();
    });
    let stored = cluster.sql("postgres", "SELECT count(*) FROM chat.messages");
    assert_eq!(stored, answered.load(Ordering::SeqCst).to_string(), "each once");
}

#[test]
fn new_primary_without_a_standby_takes_no_writes() {
    let Some(mut cluster) = Cluster::start(&[]) else { return };
    set(&cluster, "synchronous_standby_names = 'ANY 1 (standby1)'");
    let standby = self::standby(&cluster, "standby1");
    let hosts = [&cluster, &standby].map(|cluster| cluster.socket_folder().display().to_string());
    let url = format!("postgres://{OWNER}@/postgres?host={}", hosts.join(","));
    // So it has to be seen at the new connection.
    let node = Node::start_looking(&url, "standby", "1h");
    let mut wire = node.connect();
    let token = wire.log_in("paff");
    let send = format!("send {token} neko hai");
    wire.done(&send);

    set(&standby, "synchronous_standby_names = ''");
    cluster.kill();
    standby.sql("postgres", "SELECT pg_promote()");
    node.wait_for_log(LOST, 1);
    assert_eq!(wire.refused(&send), "busy");
    assert_eq!(node.hello()["node"]["durability_found"], "local");

    set(&standby, "synchronous_standby_names = 'ANY 1 (standby2)'");
    let _second = self::standby(&standby, "standby2");
    ask_until(&mut wire, &send, |reply| reply["status"] == "OK");
    // Nothing was stored meanwhile.
    let stored = standby.sql("postgres", "SELECT count(*) FROM chat.messages");
    assert_eq!(stored, "2");
    assert_eq!(node.logged(LOST), 1, "once a change");
}

#[test]
fn outage_of_the_database_is_a_few_lines_of_the_log() {
    let Some(mut cluster) = Cluster::start(&[]) else { return };
    let node = Node::start(&cluster.url(OWNER, "postgres"), "local");
    let mut wire = node.connect();
    let token = wire.log_in("paff");
    cluster.kill();
    // The tailer has tried dozens of times by then.
    wait_until("the lease is over", || node.hello()["node"]["is_lease_over"] == true);
    assert_eq!(node.hello()["node"]["durability_found"], Value::Null, "it is not known");
    assert_eq!(wire.refused(format!("send {token} neko hai")), "busy");
    cluster.restart();
    ask_until(&mut wire, &format!("send {token} neko hai"), |reply| reply["status"] == "OK");
    // At most one of each connection: of the writer, two readers, the tailer and the indexer.
    for line in
        ["the database cannot be used; the server tries again", "the database can be used again"]
    {
        let count = node.logged(line);
        assert!((1..=5).contains(&count), "{line}: {count}");
    }
    assert_eq!(node.logged("what the database promises is not known for now"), 1);
}

#[test]
fn status_page_of_a_node_shows_it() {
    if !browser::is_there() {
        return;
    }
    let Some(cluster) = Cluster::start(&[]) else { return };
    let node = Node::start(&cluster.url(OWNER, "postgres"), "local");
    wait_until("it has looked", || node.scrape().families.contains_key("chat_nodes"));
    let page = format!("http://{}/", node.server.monitor());
    let visit = browser::visit(&page, 2, 1280, &[]);
    assert!(visit.console.is_empty(), "{:#?}", visit.console);
    let rows = |text: &str| visit.document.matches(text).count();
    assert_eq!(rows(">PostgreSQL 1"), 1, "{}", visit.document);
    assert_eq!(rows(">durability found</th><td>local</td>"), 1, "{}", visit.document);
    assert_eq!(rows(">writes</th><td>accepted</td>"), 1);
    assert_eq!(rows(">nodes</th><td>1</td>"), 1);
    let shown = visit.document.split("<script").next().unwrap();
    assert!(!shown.contains("undefined") && !shown.contains("NaN"), "{shown}");
}

#[test]
fn nodes_are_counted_and_tell_how_far_they_are() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let url = cluster.url(OWNER, "postgres");
    let nodes = [Node::start(&url, "local"), Node::start(&url, "local")];
    for node in &nodes {
        wait_until("both are counted", || node.scrape().count("chat_nodes", &[]) == 2.0);
        let database = node.hello();
        assert_eq!(database["node"]["number"].as_f64(), Some(node.metric("chat_node_number")));
        assert_eq!(database["node"]["is_lease_over"], false);
        assert_eq!(database["node"]["standbys"], 0);
        let labels = [("engine", "postgres"), ("durability", "local")];
        assert_eq!(node.scrape().value("chat_database_info", &labels), 1.0);
    }
    assert_ne!(nodes[0].metric("chat_node_number"), nodes[1].metric("chat_node_number"));
    nodes[0].connect().done(format!("send {} neko hai", nodes[0].server.log_in("paff")));
    for node in &nodes {
        let passed_on = || node.metric("chat_tailer_lag_messages") == 0.0;
        wait_until("it is passed on", passed_on);
    }
    let [first, mut second] = nodes;
    second.server.kill();
    wait_until("the lease is over", || first.metric("chat_nodes") == 1.0);
}

#[test]
fn operators_see_what_the_database_promises() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let url = cluster.url(OWNER, "postgres");
    let database = Path::new(&url);
    operator::done(database, &["seed"]);
    let stats = &operator::objects(database, &["stats", "--db-durability", "local"])[0];
    assert_eq!(stats["database"]["durability"], "local");
    assert_eq!(stats["database"]["node"]["durability_found"], "local");
    let text = operator::done(database, &["stats", "--db-durability", "local"]);
    assert!(
        text.contains("engine\tpostgres\ndurability\tlocal\ndurability found\tlocal\n"),
        "{text}"
    );
    assert!(!text.contains("\nfree\t"), "{text}");
}

/// The metrics of the document that only a server on SQLite has.
const OF_FILES: [&str; 6] = [
    "chat_checkpoint_duration_seconds",
    "chat_checkpoints_incomplete_total",
    "chat_wal_uncheckpointed_pages",
    "chat_wal_bytes",
    "chat_database_bytes",
    "chat_disk_available_bytes",
];

#[test]
fn metrics_of_a_node_are_exactly_the_documented_ones() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let node = Node::start(&cluster.url(OWNER, "postgres"), "local");
    node.connect().refused("nonsense");
    node.server.log_in("paff");
    wait_until("it has looked", || node.scrape().families.contains_key("chat_nodes"));
    let document = include_str!("../../docs/monitoring.md");
    let mut documented = Vec::new();
    for head in ["| metric |", "| metric on PostgreSQL |"] {
        let rows = document.lines().skip_while(|line| !line.starts_with(head)).skip(2);
        let rows = rows.take_while(|line| line.starts_with('|'));
        documented.extend(rows.filter_map(|row| row.split('`').nth(1)));
    }
    let told = document.split_once("A server on PostgreSQL has no").expect("what is missing").1;
    for name in OF_FILES {
        assert!(told.contains(&format!("`{name}`")), "{name}");
        documented.retain(|documented| *documented != name);
    }
    documented.sort_unstable();
    let reported: Vec<String> = node.scrape().families.into_keys().collect();
    assert_eq!(reported, documented);
}

#[test]
fn status_page_has_the_fields_of_hello() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let node = Node::start(&cluster.url(OWNER, "postgres"), "local");
    let status = get(node.server.monitor(), "/status.json").body;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["sqlite"], Value::Null);
    let mut database = status["database"].as_object().unwrap().clone();
    assert!(database.remove("version").unwrap().as_str().unwrap().starts_with(char::is_numeric));
    let hello = node.hello();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&Value::Object(database.clone())), keys(&hello));
    assert_eq!(keys(&database["node"]), keys(&hello["node"]));
    let page = include_str!("../../docs/protocol.md");
    for key in keys(&hello["node"]) {
        assert!(page.contains(&format!("`{key}`")), "{key} is not documented");
    }
}
