//! The larger read operations.

pub(in crate::store) mod conversations;
pub(in crate::store) mod logins;
pub(in crate::store) mod pages;
pub(in crate::store) mod search;
pub(in crate::store) mod statistics;
pub(in crate::store) mod totals;
