//! Faults between a server and PostgreSQL, and of PostgreSQL itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ::postgres::SimpleQueryMessage;
use serde_json::{Value, json};

use crate::crowd::{Crowd, Run};
use crate::failover::{nodes, stored};
use crate::standbys::{answer, until_done};
use crate::support::disk::Disk;
use crate::support::postgres::{Cluster, OWNER};
use crate::support::relay::{Direction, Relay};
use crate::support::{Random, Server, databases, operator, scaled, wait_until};

/// A file system with room for a cluster and some messages.
const DISK_BYTES: u64 = 256 << 20;
/// A file system with room for the log of a small cluster.
const LOG_DISK_BYTES: u64 = 64 << 20;
/// The text of a message on it, which has pages of its own.
const TEXT_BYTES: usize = 3_500;

#[test]
fn connection_to_the_database_that_is_cut_at_any_byte_stores_each_message_once() {
    let Some(cluster) = Cluster::start_on_network(&["fsync=off"], |_| ()) else { return };
    let relay = Relay::to(cluster.address());
    let url = format!("postgres://{OWNER}@{}/postgres", relay.address());
    let node = Server::start_on_with(Path::new(&url), &["--log", "error"]);
    let (mut wire, token) = (node.connect(), node.log_in("paff"));
    let mut acknowledged = Vec::new();
    let mut send = || {
        let number = acknowledged.len();
        let mut post = json!({"to": ["neko", "robo"], "body": number.to_string()});
        // Every second one has a key.
        if number % 2 == 0 {
            post["key"] = json!(format!("key-{number}"));
        }
        let sent = wire.done(format!("post {token} {post}"));
        let copies = sent["sent"].as_array().unwrap();
        let ids: Vec<i64> = copies.iter().map(|copy| copy["id"].as_i64().unwrap()).collect();
        acknowledged.push(ids);
    };
    send();
    let step = scaled(13, 1);
    let mut random = Random::new();
    let mut cuts = [0; 2];
    for (direction, cuts) in [Direction::ToServer, Direction::ToClient].iter().zip(&mut cuts) {
        for bytes in (random.below(step)..).step_by(step) {
            let before = relay.cuts();
            let port = cluster.sql("postgres", WRITER).parse().unwrap();
            relay.cut_next(port, *direction, Some(bytes));
            send();
            if relay.cuts() == before {
                // The whole batch has passed.
                relay.cut_next(port, *direction, None);
                break;
            }
            *cuts += 1;
        }
    }
    let sent = acknowledged.into_iter().enumerate();
    let sent =
        sent.flat_map(|(number, ids)| ids.into_iter().map(move |id| format!("{id}|{number}")));
    let sql = "SELECT id, convert_from(body, 'UTF8') FROM chat.messages ORDER BY id";
    assert!(cluster.sql("postgres", sql).lines().eq(sent), "each once, under its id");
    assert!(cuts[0] * step > 200 && cuts[1] * step > 50, "{cuts:?} cuts are no batch");
    println!("{} cuts to the database and {} from it", cuts[0], cuts[1]);
}

/// The port of the connection that has written.
const WRITER: &str = "
    SELECT client_port FROM pg_stat_activity
     WHERE (query LIKE '%chat.append%' OR query LIKE '%chat.find_%') AND pid <> pg_backend_pid()
     ORDER BY query_start DESC LIMIT 1";

#[test]
fn full_disk_of_the_database_refuses_sends_and_freed_room_is_used() {
    let Some(disk) = Disk::of_size(DISK_BYTES) else { return };
    // Neither a checkpoint nor a new part of its own log needs room meanwhile.
    let settings = ["checkpoint_timeout=1h", "max_wal_size=1GB", "fsync=off"];
    let Some(cluster) = Cluster::start_in(&disk.path(), &settings) else { return };
    let node = Server::start_on_with(Path::new(&cluster.url(OWNER, "postgres")), &["--log", "off"]);
    let (token, neko) = (node.log_in("paff"), node.log_in("neko"));
    let mut wire = node.connect();
    let (mut stored, mut refused) = (BTreeSet::new(), 0);
    let mut send = |number: usize| {
        let body = format!("{number} {}", "x".repeat(TEXT_BYTES));
        let post = json!({"to": ["neko"], "body": body});
        let reply = wire.ask(format!("post {token} {post}"));
        match reply["code"].as_str() {
            None => assert!(stored.insert(number)),
            Some(code) => {
                assert_eq!(code, "storage_full");
                refused += 1;
            }
        }
        refused
    };
    send(0);
    let ballast = disk.fill();
    let full = (1..).find(|number| send(*number) == 10).unwrap();
    let page = node.connect().done(format!("fetch {neko} {}", json!({"after": 0, "limit": 1})));
    assert_eq!(page["messages"].as_array().unwrap().len(), 1, "reads go on");
    std::fs::remove_file(ballast).unwrap();
    send(full + 1);
    assert_eq!(refused, 10, "freed room is used");
    assert!(stored.contains(&(full + 1)));
    let sql =
        "SELECT split_part(convert_from(body, 'UTF8'), ' ', 1) FROM chat.messages ORDER BY id";
    let found = cluster.sql("postgres", sql);
    assert!(found.lines().map(|number| number.parse::<usize>().unwrap()).eq(stored), "{found}");
    assert!(cluster.is_running());
}

/// How long a server waits for a new primary counts from the moment when the connection breaks, and
/// not from that of the request, which may have waited for a standby before.
#[test]
fn request_that_has_waited_long_is_tried_again_after_its_connection_breaks() {
    let Some(database) = databases::new_database() else { return };
    let options = ["--db-durability", "storage", "--db-failover-wait", "3s", "--log", "off"];
    let node = Server::start_on_with(Path::new(&database), &options);
    let token = node.log_in("paff");
    let mut log = ::postgres::Client::connect(&database, ::postgres::NoTls).unwrap();
    log.batch_execute("BEGIN; SELECT chat.lock_log(0)").unwrap();
    let mut wire = node.connect();
    wire.send(format!("send {token} neko hai\r\n"));
    let waiting = "FROM pg_stat_activity
                   WHERE datname = current_database() AND query LIKE 'SELECT post, id%'
                     AND wait_event = 'advisory' AND query_start < now() - interval '4 s'";
    let count = |sql: &str| databases::query(&database, sql).remove(0);
    wait_until("it waits for longer", || count(&format!("SELECT count(*) {waiting}")) == "1");
    assert_eq!(count(&format!("SELECT pg_terminate_backend(pid) {waiting}")), "t");
    log.batch_execute("ROLLBACK").unwrap();
    let reply = wire.reply();
    assert_eq!(reply["status"], "OK", "{reply}");
    assert_eq!(count("SELECT count(*) FROM messages"), "1");
}

/// The log of the database has a disk of its own, which is full: PostgreSQL then ends all its
/// processes, and cannot start again before there is room.
#[test]
fn full_disk_of_the_databases_log_loses_nothing_and_freed_room_is_used() {
    let Some(disk) = Disk::of_size(LOG_DISK_BYTES) else { return };
    // No checkpoint frees room meanwhile.
    let settings = ["checkpoint_timeout=1h", "max_wal_size=1GB", "restart_after_crash=off"];
    let Some(mut cluster) = Cluster::start_with_log_in(&disk.path(), &settings) else { return };
    let options = ["--log", "off", "--db-durability", "local", "--db-failover-wait", "1s"];
    let node = Server::start_on_with(Path::new(&cluster.url(OWNER, "postgres")), &options);
    let token = node.log_in("paff");
    let post = |number: usize| {
        let body = format!("{number} {}", "x".repeat(TEXT_BYTES));
        let post = json!({"to": ["neko"], "body": body, "key": number.to_string()});
        format!("post {token} {post}")
    };
    let mut wire = node.connect();
    let mut acknowledged = BTreeMap::new();
    wire.done(post(0));
    let ballast = disk.fill();
    let (mut number, mut rolled_back) = (1, 0);
    let refusal = loop {
        let reply = wire.ask(post(number));
        match reply["code"].as_str() {
            None => {
                acknowledged.insert(number, reply["id"].as_i64().unwrap());
                number += 1;
            }
            // PostgreSQL rolls back while it only prepares the log, and ends when it must write it.
            Some("storage_full") => rolled_back += 1,
            Some(code) => break code.to_owned(),
        };
        assert!(rolled_back < 10_000, "PostgreSQL goes on");
    };
    // The database is gone: the outcome is unknown, or nothing was tried.
    assert!(["internal", "busy"].contains(&refusal.as_str()), "{refusal}");
    wait_until("the server refuses", || wire.ask(post(number + 1))["code"] == "busy");
    wait_until("PostgreSQL ends, because it cannot write its log", || !cluster.is_running());

    std::fs::remove_file(ballast).unwrap();
    cluster.stop();
    cluster.restart();
    for number in [number, number + 1] {
        let reply = until_done(&node, &post(number));
        acknowledged.insert(number, reply["id"].as_i64().unwrap());
    }
    // Each message that was acknowledged is stored once, under its id, and no other one is.
    acknowledged.insert(0, 1);
    let sql = "SELECT split_part(convert_from(body, 'UTF8'), ' ', 1), id FROM chat.messages
                ORDER BY id";
    let found = cluster.sql("postgres", sql);
    let expected = acknowledged.iter().map(|(number, id)| format!("{number}|{id}"));
    assert!(found.lines().eq(expected), "{found}\n{acknowledged:?}");
}

#[test]
fn snapshot_that_is_held_open_stops_nothing() {
    let Some(database) = databases::new_database() else { return };
    let nodes = nodes(&database, "storage");
    let (mut crowd, run) = (Crowd::log_in(&nodes[0], true), Run::of(&nodes));
    let mut client = ::postgres::Client::connect(&database, ::postgres::NoTls).unwrap();
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").unwrap();
    let mut seen = || client.query_one("SELECT count(*) FROM chat.users", &[]).unwrap();
    let users: i64 = seen().get(0);
    let rounds = scaled(4, 40);
    crowd.load(&run, || {
        for round in 0..rounds {
            run.wait_for(run.acknowledged() + scaled(500, 10_000));
            // Sessions and users change meanwhile.
            let (node, other) = (&nodes[round % 2], &nodes[1 - round % 2]);
            let login = until_done(node, "auth robo cytus");
            let token = login["tokenid"].as_str().unwrap();
            until_done(node, &format!("logout {token}"));
            assert_eq!(answer(other, &format!("whoami {token}"))["code"], "no_session");
            operator::add_user(Path::new(&database), &format!("user-{round}"), "secret");
        }
    });
    assert_eq!(seen().get::<_, i64>(0), users, "the snapshot was open all the time");
    let lost = crowd.judge(stored(|sql| databases::query(&database, sql).join("\n")));
    assert_eq!(lost, 0, "lost beside a snapshot");
    println!("{} acknowledged beside a snapshot, 0 lost", crowd.acknowledged());
}

/// Every version of a row that a held snapshot keeps is read by each statement that looks for the
/// row. So no row is changed by every batch of moves.
#[test]
fn moves_beside_a_held_snapshot_read_no_more_pages_with_time() {
    let Some(database) = databases::new_database() else { return };
    // It creates the schema.
    let _node = Server::start_on(Path::new(&database));
    let connect = || ::postgres::Client::connect(&database, ::postgres::NoTls).unwrap();
    let mut holder = connect();
    holder.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").unwrap();
    let batches = scaled(3_000, 20_000);
    let mut client = connect();
    let mut grown = |function: &str| {
        let call = |batch: &str| {
            format!(
                "chat.{function}(0, 1, {batch}, 100, ARRAY[1]::bigint[], ARRAY['c' || {batch} % 50],
                                 ARRAY[2]::smallint[], ARRAY[0]::bigint[], ARRAY[0]::bigint[])"
            )
        };
        let mut pages = |batch: usize| {
            let call = call(&batch.to_string());
            let sql = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT {call}");
            let plan =
                client.simple_query(&sql).unwrap().into_iter().find_map(|answer| match answer {
                    SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                    _ => None,
                });
            let plan: Value = serde_json::from_str(&plan.expect("a plan")).unwrap();
            let pages = |kind: &str| plan[0]["Plan"][kind].as_u64().unwrap();
            pages("Shared Hit Blocks") + pages("Shared Read Blocks")
        };
        let first = 1_000_000;
        let at_first = (0..100).map(|batch| pages(first + batch)).last().unwrap();
        let (first, last) = (first + 100, first + 100 + batches);
        let at_last = {
            let call = call("b");
            let loops = format!(
                "DO $$ BEGIN
                     FOR b IN {first} .. {last} LOOP PERFORM {call}; COMMIT; END LOOP;
                 END $$"
            );
            databases::query(&database, &loops);
            pages(last + 1)
        };
        println!("{function}: {at_first} pages, and {at_last} after {batches} batches");
        at_last.saturating_sub(at_first)
    };
    let (now, before) = (grown("move_cursors_once"), grown("move_cursors"));
    assert!(now * 4 < before, "{now} pages more; the function of the first schema {before}");
}
