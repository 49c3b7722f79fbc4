//! The file as an operator sees it while the server writes.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::skip::is_here;
use crate::support::{Ending, Server};

const VIEWS: [(&str, &str); 6] = [
    ("v1_messages", "id|sent_at|sender|recipient|body|key"),
    ("v1_inbox", "recipient|id|sent_at|sender|body"),
    ("v1_cursors", "user|cursor|upto_id|moved_at"),
    ("v1_dead_letters", "user|cursor|id|sender|body"),
    ("v1_sessions", "id|user|created_at|last_seen_at|expires_at"),
    ("v1_users", "id|name|display_name|created_at|disabled_at|password_is_published|deleted_at"),
];

#[test]
fn views_show_names_and_iso_times_and_no_secrets() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko hai neko"));
    wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "two", "key": "k"}}"#));
    wire.done(format!(r#"ack {neko} {{"upto": 1}}"#));
    wire.done(format!(r#"ack {neko} {{"cursor": "worker", "upto": 2, "dead": "add"}}"#));
    let messages = "select id, sender, recipient, body, key from v1_messages order by id";
    assert_eq!(server.query(messages), ["1|paff|neko|hai neko|", "2|paff|neko|two|k"]);
    assert_eq!(
        server.query("select recipient, id, sender, body from v1_inbox"),
        ["neko|2|paff|two"]
    );
    let cursors = "select user, cursor, upto_id from v1_cursors order by cursor";
    assert_eq!(server.query(cursors), ["neko|inbox|1", "neko|worker|2"]);
    let dead = "select user, cursor, id, sender, body from v1_dead_letters";
    assert_eq!(server.query(dead), ["neko|worker|2|paff|two"]);
    assert_eq!(server.query("select user from v1_sessions order by id"), ["paff", "neko"]);
    let users = "select name || ' ' || display_name from v1_users order by id";
    let users = server.query(users);
    let seed = ["paff Paff Aroma", "neko Neko UwU", "robo Robo Head", "ivy Ivy", "vanessa Vanessa"];
    assert_eq!(users, seed);
    for (view, column) in [
        ("v1_messages", "sent_at"),
        ("v1_inbox", "sent_at"),
        ("v1_cursors", "moved_at"),
        ("v1_sessions", "expires_at"),
        ("v1_users", "created_at"),
    ] {
        for time in server.query(&format!("select {column} from {view}")) {
            let parsed = time.parse::<jiff::Timestamp>();
            assert!(parsed.is_ok() && time.ends_with('Z') && time.len() == 24, "{view}: {time}");
        }
    }
    for (view, columns) in VIEWS {
        let found = server.query(&format!("select name from pragma_table_info('{view}')"));
        assert_eq!(found.join("|"), columns, "{view}");
        let page = include_str!("../../docs/database.md");
        let listed = columns.split('|').map(|column| format!("`{column}`")).collect::<Vec<_>>();
        assert!(page.contains(&listed.join(", ")), "docs/database.md lists {view}");
    }
}

#[test]
fn sqlite3_shell_reads_every_view_while_the_server_writes() {
    if !is_here("sqlite3") {
        return;
    }
    let server = Server::start();
    let token = server.log_in("paff");
    let writing = AtomicBool::new(true);
    thread::scope(|scope| {
        let (mut wire, writing) = (server.connect(), &writing);
        let writer = scope.spawn(move || {
            let mut sent = 0;
            while writing.load(Ordering::Relaxed) {
                wire.done(format!("send {token} neko {sent}"));
                sent += 1;
            }
            sent
        });
        let ending = Ending(writing);
        let mut last = 0;
        for _ in 0..10 {
            for (view, _) in VIEWS {
                let output = Command::new("sqlite3")
                    .arg(server.database())
                    .arg(format!("select count(*) from {view}"))
                    .output()
                    .unwrap();
                let error = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && error.is_empty(), "{view}: {error}");
                if view == "v1_messages" {
                    let text = String::from_utf8(output.stdout).unwrap();
                    let count: usize = text.trim().parse().unwrap();
                    assert!(count >= last);
                    last = count;
                }
            }
        }
        drop(ending);
        assert!(writer.join().unwrap() >= last);
    });
}

/// The blocks of shell commands in a page of the documentation.
fn shell_examples(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(str::to_owned).collect()
}

#[test]
fn examples_of_the_database_page_work_and_a_backup_is_whole_while_the_server_writes() {
    if !is_here("sqlite3") {
        return;
    }
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko hai neko"));
    let page = include_str!("../../docs/database.md");
    let mut examples = shell_examples(page);
    assert!(examples.len() >= 2 && page.contains("'.backup copy.sqlite'"));
    examples.push("sqlite3 chat.sqlite '.backup copy.sqlite'".to_owned());
    let writing = AtomicBool::new(true);
    thread::scope(|scope| {
        let (writing, wire) = (&writing, &mut wire);
        scope.spawn(move || {
            while writing.load(Ordering::Relaxed) {
                wire.done(format!("send {paff} neko hai neko"));
            }
        });
        let _ending = Ending(writing);
        for example in examples {
            let mut shell = Command::new("sh");
            let output =
                shell.args(["-ec", &example]).current_dir(server.folder()).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && error.is_empty(), "{example}: {error}");
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(example.contains(".backup") || text.contains("neko"), "{example}: {text}");
        }
    });
    // A server continues with the copy: it has the sessions and the earlier messages.
    let copy = Server::start_from(&server.folder().join("copy.sqlite"));
    let unread = copy.connect().done(format!("unread {neko}"))["unread"].as_u64();
    assert!(unread >= Some(1));
    assert_eq!(copy.query("pragma integrity_check"), ["ok"]);
}
