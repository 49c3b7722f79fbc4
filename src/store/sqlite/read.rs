//! What is counted in the database.

pub(in crate::store) mod statistics;
pub(in crate::store) mod totals;
