//! What operations work with inside of a transaction.

pub(in crate::store) mod context;
pub(in crate::store) mod pending_inserts;
