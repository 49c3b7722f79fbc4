//! The schema of a PostgreSQL database with several servers: first starts at once, and a rolling
//! upgrade, which expands the schema first and contracts it once no older server is left.

use std::path::Path;
use std::thread;

use crate::support::{Server, databases, server_command, wait_until};

#[test]
fn eight_servers_that_start_at_once_on_an_empty_database_are_one_service() {
    let Some(database) = databases::new_database() else { return };
    let database = Path::new(&database);
    let servers: Vec<Server> = thread::scope(|scope| {
        let starting: Vec<_> = (0..8).map(|_| scope.spawn(|| Server::start_on(database))).collect();
        starting.into_iter().map(|server| server.join().unwrap()).collect()
    });
    let token = servers[0].log_in("paff");
    for server in &servers {
        server.connect().done(format!("send {token} neko hai"));
    }
    let count = |table: &str| servers[0].query(&format!("SELECT count(*) FROM {table}")).remove(0);
    assert_eq!(count("nodes"), "8");
    assert_eq!(count("messages"), "8");
    assert_eq!(servers[0].query("SELECT count(DISTINCT name) = count(*) FROM users"), ["t"]);
    let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let newest = std::fs::read_dir(steps).unwrap().count().to_string();
    assert_eq!(servers[0].query("SELECT value FROM meta WHERE name = 'schema'"), [newest]);
}

#[test]
fn server_works_on_a_newer_schema_until_that_needs_newer_servers() {
    let Some(database) = databases::new_database() else { return };
    let database = Path::new(&database);
    let first = Server::start_on(database);
    let token = first.log_in("paff");
    // The next version of the program would do this first. The older server knows nothing of it.
    first.query(
        "ALTER TABLE messages ADD COLUMN language text;
         CREATE TABLE songs (id bigint PRIMARY KEY);
         UPDATE meta SET value = '99' WHERE name = 'schema'",
    );
    let mut second = Server::start_on(database);
    for server in [&first, &second] {
        server.connect().done(format!("send {token} neko hai"));
    }
    assert_eq!(first.query("SELECT count(*) FROM messages"), ["2"]);
    // And this last, once every server is new: older ones no longer understand the schema.
    first.query("UPDATE meta SET value = '99' WHERE name = 'oldest_server'");
    let output = server_command(database).output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("schema 99"), "{output:?}");
    // One that runs has its lease for at most three more seconds.
    let mut wire = first.connect();
    wait_until("the older server to stop", || {
        wire.ask(format!("send {token} neko more"))["code"] == "busy"
    });
    assert_eq!(wire.refused(format!("fetch {token} {{}}")), "busy");
    assert!(second.stop().success());
}
