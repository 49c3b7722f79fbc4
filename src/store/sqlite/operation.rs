//! How SQLite executes the operations of [`crate::store::operation`].

use std::path::Path;

use rusqlite::Connection;

use crate::model::Timestamp;
use crate::store::operation::{Read, Write};
use crate::store::sqlite::projection::memtable::Memtable;
use crate::store::sqlite::write::context::WriteContext;

/// Executes a [`Write`] inside the open transaction.
pub trait Apply: Write {
    /// How this operation is undone alone.
    const STATEMENTS: Statements;

    /// As [`Self::STATEMENTS`], for an operation whose fields decide it.
    fn statements(&self) -> Statements {
        Self::STATEMENTS
    }

    /// Executes the operation. An error undoes this operation alone; the other operations of the
    /// batch are not affected.
    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Self::Answer>;
}

/// How many statements must be undone together if the operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statements {
    /// None yet. The operation adds its rows to [`WriteContext::pending_inserts`] as its last step.
    /// It must not read messages that may be among those rows.
    Later,
    /// At most one statement changes something. SQLite undoes it when it fails.
    One,
    /// Several statements. They run between savepoints.
    Several,
    /// Several statements, which may write as much as the whole file.
    Whole,
}

/// Executes a [`Read`] in one read transaction.
pub trait Query: Read {
    /// Executes the operation.
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Self::Answer>;
}

/// What a read uses.
pub struct ReadContext<'a> {
    /// A read transaction. Its snapshot begins with the first statement.
    pub connection: &'a Connection,
    /// The deliveries that no run covers yet.
    pub memtable: &'a Memtable,
    /// The time by the clock of the sessions: what has expired now is not unread.
    pub now: Timestamp,
    /// The database file, for its size.
    pub path: &'a Path,
}
