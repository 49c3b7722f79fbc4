//! A service moves between a file and PostgreSQL: `export` and `import` carry everything over.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::databases::{self, new_database};
use crate::support::postgres::{Cluster, OWNER};
use crate::support::{Random, Server, operator, scaled};
use crate::transfer::{add_odd_messages, export, import, records};

const SECRETS: &[&str] = &["--with-secrets"];

/// A database that `db init` has prepared, as the servers' role uses it.
fn prepared(cluster: &Cluster, name: &str) -> PathBuf {
    cluster.sql("postgres", &format!("CREATE DATABASE {name}"));
    let owner = PathBuf::from(cluster.url(OWNER, name));
    operator::done(&owner, &["db", "init"]);
    cluster.url("chat_server", name).into()
}

/// Moves a stopped service from one database to another: the export of the new one is the same.
fn move_to(from: &Path, to: &Path, file: &Path) -> Vec<u8> {
    let before = export(from, file, SECRETS);
    let reported = import(to, file);
    let zero = [&reported["renumbered"], &reported["cursors_left"], &reported["users_locked"]];
    assert_eq!(zero, [&json!(0); 3], "{reported}");
    let after = export(to, file, SECRETS);
    assert!(before == after, "the exports of {} and {} differ", from.display(), to.display());
    after
}

#[test]
fn service_moves_to_the_other_engine_and_back_to_the_byte() {
    let Some(cluster) = Cluster::start(&["fsync=off"]) else { return };
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    let database = |name: &str| folder.path().join(name);
    let on_postgres = |name: &str| prepared(&cluster, name);
    let mut random = Random::new();
    for ways in [
        [database("one"), on_postgres("two"), database("three")],
        [on_postgres("four"), database("five"), on_postgres("six")],
    ] {
        let [first, second, third] = ways;
        let mut server = Server::start_on(&first);
        add_odd_messages(&server, &mut random, scaled(100, 1_000));
        let paff = server.log_in("paff");
        let keyed = json!({"to": ["neko", "robo"], "body": "once \0", "key": "for-ever"});
        let posted = server.connect().done(format!("post {paff} {keyed}"));
        // Gaps, and a floor above the newest message.
        server.connect().done(format!("send {} neko last", server.log_in("vanessa")));
        for purge in [&["--user", "vanessa", "--unread-too"][..], &["--older-than", "1ms"]] {
            operator::done(&first, &[&["message", "purge"], purge].concat());
        }
        operator::done(&first, &["user", "rename", "ivy", "ada"]);
        operator::done(&first, &["user", "disable", "ada"]);
        operator::done(&first, &["user", "delete", "vanessa", "--yes"]);
        let unread = |server: &Server, user: &str| {
            server.connect().done(format!("unread {}", server.log_in(user)))["unread"].clone()
        };
        let before = ["neko", "robo"].map(|user| unread(&server, user));
        server.stop();
        let exported = move_to(&first, &second, &file);

        // The new place serves what the old one did: passwords, cursors, keys, ids.
        let mut server = Server::start_on(&second);
        assert_eq!(["neko", "robo"].map(|user| unread(&server, user)), before);
        let paff = server.log_in("paff");
        let again = server.connect().done(format!("post {paff} {keyed}"));
        assert_eq!((&again["id"], &again["duplicate"]), (&posted["id"], &json!(true)));
        assert_eq!(server.connect().refused("auth ada cytus"), "wrong_password");
        server.stop();
        assert!(move_to(&second, &third, &file) == exported);
        let newest = records(&exported)[0]["newest"].as_i64().unwrap();
        let server = Server::start_on(&third);
        let next = server
            .connect()
            .done(format!(r#"post {} {{"to": ["neko"], "body": "next"}}"#, server.log_in("paff")));
        assert_eq!(next["id"], newest + 1);
    }
}

/// An export whose reader stops after the header.
struct Slow {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    header: String,
}

impl Slow {
    fn start(database: &Path) -> Self {
        let mut command = operator::command(database, &["export"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut header = String::new();
        output.read_line(&mut header).unwrap();
        Self { child, output, header }
    }

    /// The most memory that it has had, in bytes.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    fn rest(mut self) -> Vec<Value> {
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        records(&[self.header.as_bytes(), &rest].concat())
    }
}

/// Messages of 32 KiB from 1 on.
fn add_long_messages(url: &str, count: usize) {
    let added = databases::change(
        url,
        &format!(
            "INSERT INTO messages (id, sent_at, sender_id, mailbox_id, body)
             SELECT n, 0, 1, 2, convert_to(repeat('0123456789abcdef', 2048), 'UTF8')
               FROM generate_series(1, {count}) AS n"
        ),
    );
    assert_eq!(added, count);
    databases::change(
        url,
        &format!(
            "INSERT INTO batches (last_id, first_id, node, batch, at)
             VALUES ({count}, 1, 0, -1, 0)"
        ),
    );
}

#[test]
fn export_from_postgres_is_one_state_while_the_service_goes_on() {
    let Some(url) = new_database() else { return };
    let database = PathBuf::from(&url);
    let mut server = Server::start_on(&database);
    server.stop();
    add_long_messages(&url, 300);
    let server = Server::start_on(&database);
    let slow = Slow::start(&database);
    // Nobody waits for the reader of the export.
    let paff = server.log_in("paff");
    server.connect().done(format!("send {paff} neko later"));
    operator::done(&database, &["message", "purge", "--before-id", "200", "--unread-too"]);
    operator::done(&database, &["user", "rename", "neko", "ada"]);
    operator::add_user(&database, "ann", "a good password");
    let exported = slow.rest();
    assert_eq!(exported[0]["newest"], 300);
    let names: Vec<&Value> = exported.iter().filter_map(|record| record.get("name")).collect();
    assert!(names.contains(&&json!("neko")) && !names.contains(&&json!("ada")), "{names:?}");
    assert!(!names.contains(&&json!("ann")), "{names:?}");
    let ids = exported.iter().filter_map(|record| record["id"].as_i64());
    assert!(ids.eq(1..=300), "every message of that moment, and no other");
    let now = Slow::start(&database).rest();
    assert_eq!(now.iter().filter_map(|record| record["id"].as_i64()).next(), Some(200));
}

#[test]
fn export_from_postgres_needs_memory_for_a_page_only() {
    let Some(url) = new_database() else { return };
    let database = PathBuf::from(&url);
    Server::start_on(&database).stop();
    let memory = |messages: usize| {
        databases::query(&url, "TRUNCATE messages, batches");
        add_long_messages(&url, messages);
        let mut slow = Slow::start(&database);
        // It still runs when nearly all is read: a pipe holds two messages.
        let mut bytes = vec![0; 32 * 1024];
        for _ in 0..messages - 8 {
            slow.output.read_exact(&mut bytes).unwrap();
        }
        let memory = slow.memory();
        slow.output.read_to_end(&mut bytes).unwrap();
        assert!(slow.child.wait().unwrap().success());
        memory
    };
    let (few, many) = (memory(300), memory(1_500));
    assert!(many < few + (8 << 20), "{few} bytes for 300 messages, {many} for 1,500");
}

#[test]
fn database_that_has_no_schema_or_another_one_is_not_exported() {
    let Some(url) = new_database() else { return };
    let database = PathBuf::from(&url);
    let refused = |code: i32, words: &str, hint: &str| {
        let outcome = operator::run(&database, &["export"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(words) && outcome.stderr.contains(hint), "{outcome:?}");
    };
    refused(66, " is empty\n", "hint: `chat-server db init` creates the schema");
    operator::done(&database, &["db", "init"]);
    let set = |name: &str, value: usize| {
        let sql = format!("UPDATE meta SET value = '{value}' WHERE name = '{name}'");
        assert_eq!(databases::change(&url, &sql), 1);
    };
    set("schema", 99);
    assert_eq!(operator::run(&database, &["export"]).code, 0, "an old server may still use it");
    set("oldest_server", 99);
    refused(65, "has schema 99, which is newer than this program knows", "hint: ");
}
