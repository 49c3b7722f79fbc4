//! What reads the database: how larger reads are done.

pub(in crate::store) mod pages;
pub(in crate::store) mod statistics;
pub(in crate::store) mod totals;
