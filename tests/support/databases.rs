//! Databases for the tests of one program, on one PostgreSQL server that starts with the first test
//! that needs it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::postgres::{Cluster, OWNER, programs};

/// A test's server is never cut from the power.
const SETTINGS: &[&str] = &["fsync=off", "max_connections=400", "shared_buffers=32MB"];

/// A new, empty database: its URL. `None` if PostgreSQL is not installed; then the calling test is
/// skipped and says so.
#[track_caller]
pub fn new_database() -> Option<String> {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    programs()?;
    let cluster = CLUSTER.get_or_init(|| Cluster::start(SETTINGS).expect("it is installed"));
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::SeqCst));
    cluster.sql("postgres", &format!("CREATE DATABASE {name}"));
    Some(cluster.url(OWNER, &name))
}

/// The rows of a query, columns joined by `|`.
pub fn query(url: &str, sql: &str) -> Vec<String> {
    let mut config: ::postgres::Config = url.parse().expect("a URL");
    config.options("-c search_path=chat");
    let mut client = config.connect(::postgres::NoTls).expect("the database answers");
    let answers = client.simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = answers.iter().filter_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let column = |row: &SimpleQueryRow, index| row.get(index).unwrap_or_default().to_owned();
    let line = |row: &SimpleQueryRow| -> Vec<String> {
        (0..row.len()).map(|index| column(row, index)).collect()
    };
    rows.map(|row| line(row).join("|")).collect()
}

/// Executes a statement. Gives the number of rows that it changed.
pub fn change(url: &str, sql: &str) -> usize {
    let rows =
        query(url, &format!("WITH changed AS ({sql} RETURNING 1) SELECT count(*) FROM changed"));
    rows[0].parse().expect("a number")
}
