//! A connection to PostgreSQL, with its settings and its prepared statements.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, Row, Statement};

use crate::model::Timestamp;
use crate::store::postgres::connect::{Connector, OnNotice};
use crate::store::postgres::durability;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::promise::Promised;
use crate::system::since_boot;

/// The settings of every connection. Every statement of a function has a new snapshot, which the
/// order of the log depends on. To compile a plan (`jit`) takes 70 ms, and nothing here runs that
/// long: only the estimates of large tables are as high. `synchronous_commit` is set apart.
const SETTINGS: &str = "
    SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
    SET statement_timeout = 0;
    SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = '60s';
    SET client_min_messages = warning;
    SET timezone = 'UTC';
    SET jit = off;
";

/// Opens sessions.
#[derive(Clone)]
pub(in crate::store) struct Opener {
    connector: Connector,
    promised: Arc<Promised>,
}

/// An open connection. It prepares each statement once.
pub struct Session {
    pub(in crate::store) client: Client,
    statements: HashMap<&'static str, Statement>,
    /// PostgreSQL has warned that a commit did not wait for the standbys.
    unreplicated: Arc<AtomicBool>,
}

impl Opener {
    pub(in crate::store) fn new(connector: Connector, promised: Arc<Promised>) -> Self {
        Self { connector, promised }
    }

    /// Opens a session on a primary whose settings hold the promise. See [`Self::open`].
    pub(in crate::store) fn open_checked(&self) -> Result<Session> {
        let mut session = self.open()?;
        let found = durability::look(&mut session.client)?;
        self.promised.note(found).map_err(Error::NotPromised)?;
        Ok(session)
    }

    /// Opens a session on the primary. A read on it may show rows that no standby has, until a
    /// write has returned: see [`Session::prove`].
    pub(in crate::store) fn open(&self) -> Result<Session> {
        let unreplicated = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&unreplicated);
        let on_notice: OnNotice = Arc::new(move |notice| {
            // A cancelled wait for a standby gives success with this warning.
            if *notice.code() == SqlState::WARNING {
                noted.store(true, Ordering::SeqCst);
            }
            tracing::warn!(notice = notice.message(), "PostgreSQL warns");
        });
        let mut client = self.connector.connect_with(&on_notice).map_err(Error::Connect)?;
        client.batch_execute(SETTINGS)?;
        durability::set_session(&mut client, self.promised.asked())?;
        Ok(Session { client, statements: HashMap::new(), unreplicated })
    }
}

impl Session {
    /// Waits for a synchronous write. Before this, a read could show rows that no standby has. A
    /// standby refuses it.
    pub(in crate::store) fn prove(&mut self, node: i64) -> Result<()> {
        let update = "UPDATE chat.nodes SET heard_at = chat.now_ms() WHERE id = $1";
        if self.execute(update, &[&node])? == 0 {
            // The database has forgotten this node, which was silent for an hour. A commit without
            // a change would wait for nobody.
            self.query_one("SELECT pg_logical_emit_message(true, 'chat', '')::text", &[])?;
        }
        self.check_replicated()
    }

    /// The time by the clock of the database, and when it was read: the time since the boot of this
    /// machine, and how much that may be wrong.
    pub(in crate::store) fn time(&mut self) -> Result<(Timestamp, Duration, Duration)> {
        let asked = since_boot();
        let row = self.query_one("SELECT chat.now_ms()", &[])?;
        let doubt = since_boot().saturating_sub(asked) / 2;
        Ok((Timestamp(row.get(0)), asked + doubt, doubt))
    }

    /// The rows of a statement.
    pub(in crate::store) fn query(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let statement = self.prepared(sql)?;
        Ok(self.client.query(&statement, parameters)?)
    }

    /// The only row of a statement, if it has one.
    pub(in crate::store) fn query_opt(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>> {
        let statement = self.prepared(sql)?;
        Ok(self.client.query_opt(&statement, parameters)?)
    }

    /// The only row of a statement.
    pub(in crate::store) fn query_one(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row> {
        let statement = self.prepared(sql)?;
        Ok(self.client.query_one(&statement, parameters)?)
    }

    /// Executes a statement, and returns how many rows it changed.
    pub(in crate::store) fn execute(
        &mut self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64> {
        let statement = self.prepared(sql)?;
        Ok(self.client.execute(&statement, parameters)?)
    }

    /// Executes `work` in one transaction. An error rolls it back.
    pub(in crate::store) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.client.batch_execute("BEGIN")?;
        match work(self) {
            Ok(done) => {
                self.client.batch_execute("COMMIT").map_err(in_doubt)?;
                self.check_replicated()?;
                Ok(done)
            }
            Err(error) => {
                // After a lost connection this fails too; the first error says more.
                let _ = self.client.batch_execute("ROLLBACK");
                Err(error)
            }
        }
    }

    /// Refuses to vouch for a commit after PostgreSQL has warned that it did not wait.
    pub(in crate::store) fn check_replicated(&self) -> Result<()> {
        if self.unreplicated.load(Ordering::SeqCst) { Err(Error::Unreplicated) } else { Ok(()) }
    }

    fn prepared(&mut self, sql: &'static str) -> Result<Statement> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }
}

/// The error of a commit. A refused commit is rolled back; a broken connection says nothing.
fn in_doubt(error: postgres::Error) -> Error {
    if Error::is_lost_client(&error) { Error::InDoubt(error) } else { Error::Client(error) }
}
