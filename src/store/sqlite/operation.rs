//! How SQLite does each operation of [`crate::store::operation`].

use std::path::Path;

use rusqlite::Connection;

use crate::store::operation::{Read, Write};
use crate::store::sqlite::projection::memtable::Memtable;
use crate::store::sqlite::write::context::WriteContext;

/// Does a [`Write`] inside the open transaction.
pub trait Apply: Write {
    /// What it takes to undo it alone.
    const STATEMENTS: Statements;

    /// Does it. An error undoes this operation alone; the rest of the batch goes on.
    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Self::Answer>;
}

/// How many statements an operation may have to undo together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statements {
    /// None yet: it puts its rows into [`WriteContext::pending_inserts`], last of all, and does not read
    /// messages that may be among those rows.
    Later,
    /// At most one that changes anything: SQLite undoes it when it fails.
    One,
    /// Several: they are put between savepoints.
    Several,
    /// Several that may write as much as the whole file has.
    Whole,
}

/// Does a [`Read`] in one read transaction.
pub trait Query: Read {
    /// Does it.
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Self::Answer>;
}

/// What reads work with.
pub struct ReadContext<'a> {
    /// A read transaction; its snapshot begins with the first statement.
    pub connection: &'a Connection,
    /// The deliveries that are in no run yet.
    pub memtable: &'a Memtable,
    /// The database file, for its size.
    pub path: &'a Path,
}
