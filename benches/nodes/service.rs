//! Servers of one service: one on a file, or several on a PostgreSQL database.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, OpenFlags};

use crate::USERS;
use crate::harness::peers::chat::{self, Server};
use crate::harness::peers::cluster::{Cluster, Programs};
use crate::harness::peers::postgres::TABLE;
use crate::harness::peers::{BODY_NUMBER_BYTES, recipient, run};

/// The database with the users, which every run copies.
const TEMPLATE: &str = "users";

/// Where the messages are, and the server that keeps them there.
pub struct Service {
    server: PathBuf,
    folder: PathBuf,
    /// `None`: on a file.
    cluster: Option<Cluster>,
    /// The number of databases made so far.
    made: Cell<usize>,
}

/// A new database, and its servers.
pub struct Run<'a> {
    service: &'a Service,
    pub nodes: Vec<Server>,
    /// A path, or the name of a database of the cluster.
    database: String,
}

impl Service {
    pub fn on_file(server: &Path, folder: &Path) -> Result<Self> {
        Self::prepare(server, folder, None)
    }

    /// On a new cluster with so many synchronous standbys.
    pub fn on_postgres(
        programs: &Programs,
        server: &Path,
        folder: &Path,
        standbys: usize,
    ) -> Result<Self> {
        let cluster = Cluster::start(programs, folder, standbys)?;
        cluster.ask(&format!("CREATE DATABASE {TEMPLATE}"))?;
        Self::prepare(server, folder, Some(cluster))
    }

    fn prepare(server: &Path, folder: &Path, cluster: Option<Cluster>) -> Result<Self> {
        let (server, folder) = (server.to_owned(), folder.to_owned());
        let service = Self { server, folder, cluster, made: Cell::new(0) };
        let names: Vec<String> = (0..USERS).map(recipient).collect();
        let users = service.folder.join("users.export");
        fs::write(&users, chat::users(names.iter().map(String::as_str))?)?;
        let mut import = Command::new(&service.server);
        import.env_clear().arg("--db").arg(service.location(&service.template()));
        run(import.args(service.options()).arg("import").arg(&users))?;
        Ok(service)
    }

    fn template(&self) -> String {
        match self.cluster {
            None => self.folder.join(TEMPLATE).display().to_string(),
            Some(_) => TEMPLATE.to_owned(),
        }
    }

    /// The value of `--db`.
    fn location(&self, database: &str) -> PathBuf {
        match &self.cluster {
            None => PathBuf::from(database),
            Some(cluster) => cluster.url(database).into(),
        }
    }

    /// A cluster without a standby keeps messages on one disk, as a file does.
    fn options(&self) -> &'static [&'static str] {
        match &self.cluster {
            Some(cluster) if !cluster.has_standbys() => &["--db-durability", "local"],
            _ => &[],
        }
    }

    /// Starts so many servers on a new database.
    pub fn start(&self, count: usize) -> Result<Run<'_>> {
        self.made.set(self.made.get() + 1);
        let name = format!("run{}", self.made.get());
        let database = match &self.cluster {
            None => {
                let path = self.folder.join(name);
                fs::copy(self.template(), &path)?;
                path.display().to_string()
            }
            Some(cluster) => {
                cluster.ask(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))?;
                name
            }
        };
        let start = |_| self.start_on(&database);
        let nodes = (0..count).map(start).collect::<Result<_>>()?;
        Ok(Run { service: self, nodes, database })
    }

    fn start_on(&self, database: &str) -> Result<Server> {
        Server::start_under(&self.server, &self.location(database), &[], self.options())
    }

    /// The first process of PostgreSQL.
    #[allow(dead_code, reason = "the benchmark `jobs` uses it")]
    pub fn process(&self) -> Option<u32> {
        self.cluster.as_ref().map(Cluster::process)
    }

    pub fn stop(self) -> Result<()> {
        self.cluster.map_or(Ok(()), Cluster::stop)
    }
}

impl Run<'_> {
    /// Checks that the database has the first `acknowledged` messages, each once, and stops the
    /// servers.
    pub fn stop(self, acknowledged: u64) -> Result<()> {
        let (service, database) = (self.service, self.database.clone());
        self.nodes.into_iter().try_for_each(Server::stop)?;
        let (rows, sum) = service.stored(&database)?;
        ensure!(rows == acknowledged, "{acknowledged} were acknowledged, {rows} are stored");
        ensure!(sum == rows * rows.saturating_sub(1) / 2, "other messages are stored");
        service.remove(&database)
    }

    /// On PostgreSQL: the bytes of the database, and of all WAL so far.
    pub fn bytes(&self) -> Result<[u64; 2]> {
        let cluster = self.service.cluster.as_ref().context("no cluster")?;
        let size = "SELECT pg_database_size(current_database())";
        let wal = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn";
        let ask = |what: &str| -> Result<u64> {
            Ok(cluster.ask_in(&self.database, what)?.context("no row")?.parse()?)
        };
        Ok([ask(size)?, ask(wal)?])
    }

    /// Up to which id the words of the messages are indexed.
    #[allow(dead_code, reason = "the benchmark `search` uses it")]
    pub fn indexed(&self) -> Result<u64> {
        let name = "name LIKE 'search_upto.%'";
        let upto: Option<String> = match &self.service.cluster {
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
                let file = Connection::open_with_flags(&self.database, flags)?;
                let found = format!("SELECT max(value) FROM meta WHERE {name}");
                file.query_row(&found, [], |row| row.get(0))?
            }
            Some(cluster) => {
                let found = format!("SELECT value FROM chat.marks WHERE {name}");
                cluster.ask_in(&self.database, &found)?
            }
        };
        Ok(upto.map_or(Ok(0), |upto| upto.trim().parse())?)
    }

    /// Stops the servers, and starts as many. Returns how long the first one took until it
    /// answered.
    #[allow(dead_code, reason = "the benchmark `jobs` uses it")]
    pub fn restart(&mut self) -> Result<Duration> {
        let nodes = std::mem::take(&mut self.nodes);
        let count = nodes.len();
        nodes.into_iter().try_for_each(Server::stop)?;
        let begin = Instant::now();
        self.nodes.push(self.service.start_on(&self.database)?);
        self.nodes[0].connect()?.ask("hello")?;
        let took = begin.elapsed();
        for _ in 1..count {
            self.nodes.push(self.service.start_on(&self.database)?);
        }
        Ok(took)
    }

    /// Stops the servers.
    pub fn end(self) -> Result<()> {
        self.nodes.into_iter().try_for_each(Server::stop)?;
        self.service.remove(&self.database)
    }
}

impl Service {
    /// How many single inserts a second pgbench makes into a table like ours: prepared, each a
    /// transaction.
    pub fn inserts(&self, programs: &Programs, connections: usize, seconds: f64) -> Result<f64> {
        const SCRIPT: &str = "\\set recipient random(1, 1000)\n\
            INSERT INTO messages (sent_at, sender_id, recipient_id, body) \
            VALUES (1700000000000, 1, :recipient, repeat('x', 64));\n";
        let cluster = self.cluster.as_ref().context("no cluster")?;
        let script = self.folder.join("insert.sql");
        fs::write(&script, SCRIPT)?;
        cluster.ask(&format!("DROP TABLE IF EXISTS messages; {TABLE}"))?;
        let mut pgbench = Command::new(programs.path("pgbench"));
        pgbench.args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--file"]).arg(&script);
        pgbench.arg(format!("--client={connections}"));
        pgbench.arg(format!("--time={}", seconds.ceil().max(1.0)));
        let output = pgbench.arg(cluster.url("postgres")).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rate| rate.split(' ').next());
        let said = || String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(rate.with_context(said)?.parse()?)
    }

    /// The number of messages, and the sum of the numbers in their bodies.
    fn stored(&self, database: &str) -> Result<(u64, u64)> {
        match &self.cluster {
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
                let file = Connection::open_with_flags(database, flags)?;
                let row: (i64, i64) = file.query_row(
                    "SELECT count(*), coalesce(sum(CAST(substr(body, 1, ?1) AS INTEGER)), 0)
                       FROM messages",
                    [BODY_NUMBER_BYTES as i64],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
                Ok((row.0.try_into()?, row.1.try_into()?))
            }
            Some(cluster) => {
                let number = format!("convert_from(substr(body, 1, {BODY_NUMBER_BYTES}), 'UTF8')");
                let figures = format!(
                    "SELECT count(*) || ' ' || coalesce(sum({number}::bigint), 0)
                       FROM chat.messages"
                );
                let figures = cluster.ask_in(database, &figures)?.context("no row")?;
                let (rows, sum) = figures.split_once(' ').context("two figures")?;
                Ok((rows.parse()?, sum.parse()?))
            }
        }
    }

    fn remove(&self, database: &str) -> Result<()> {
        match &self.cluster {
            None => Ok(fs::remove_file(database)?),
            Some(cluster) => cluster.ask(&format!("DROP DATABASE {database} (FORCE)")).map(drop),
        }
    }
}
