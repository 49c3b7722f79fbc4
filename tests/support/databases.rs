//! Databases for the tests of one program, on one PostgreSQL server that starts with the first test
//! that needs it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Once, OnceLock};

use ::postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::postgres::{Cluster, OWNER, programs};

/// A test's server is never cut from the power.
const SETTINGS: &[&str] = &["fsync=off", "max_connections=400", "shared_buffers=32MB"];

/// The role of the servers, with the rights that `db init` gives it.
const SERVER: &str = "chat_server";
/// The database whose copies [`new_prepared`] makes.
const PREPARED: &str = "prepared";

/// A new, empty database: its URL for the owner. `None` if PostgreSQL is not installed; then the
/// calling test is skipped and says so.
#[track_caller]
pub fn new_database() -> Option<String> {
    programs()?;
    Some(create("", OWNER))
}

/// A new database as `prepare` makes it, which gets the URL of an empty one and is called once: its
/// URL for a server. `None` as above.
#[track_caller]
pub fn new_prepared(prepare: impl FnOnce(&str)) -> Option<String> {
    static IS_PREPARED: Once = Once::new();
    programs()?;
    IS_PREPARED.call_once(|| {
        cluster().sql("postgres", &format!("CREATE DATABASE {PREPARED}"));
        prepare(&cluster().url(OWNER, PREPARED));
    });
    Some(create(&format!("TEMPLATE {PREPARED}"), SERVER))
}

fn create(options: &str, user: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::SeqCst));
    cluster().sql("postgres", &format!("CREATE DATABASE {name} {options}"));
    cluster().url(user, &name)
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(SETTINGS).expect("it is installed"))
}

/// The rows of a query of the owner, columns joined by `|`.
pub fn query(url: &str, sql: &str) -> Vec<String> {
    let mut config: ::postgres::Config = url.parse().expect("a URL");
    config.user(OWNER);
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

/// Executes a statement of the owner. Gives the number of rows that it changed.
pub fn change(url: &str, sql: &str) -> usize {
    let rows =
        query(url, &format!("WITH changed AS ({sql} RETURNING 1) SELECT count(*) FROM changed"));
    rows[0].parse().expect("a number")
}
