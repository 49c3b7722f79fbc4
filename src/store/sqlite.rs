//! Everything that knows SQLite or files.

pub(in crate::store) mod bulk_insert;
pub(in crate::store) mod file;
pub(in crate::store) mod file_guard;
pub(in crate::store) mod migrations;
pub(in crate::store) mod operations;
pub(in crate::store) mod projection;
pub(in crate::store) mod read;
pub(in crate::store) mod readers;
#[cfg(test)]
pub(in crate::store) mod testing;
pub(in crate::store) mod tools;
pub(in crate::store) mod write;
pub(in crate::store) mod writer;
