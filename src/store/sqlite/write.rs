//! What operations use inside a transaction.

pub(in crate::store) mod context;
pub(in crate::store) mod pending_inserts;
