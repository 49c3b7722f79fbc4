//! What changes the database: one operation for each thing that can be asked for.

pub(in crate::store) mod accounts;
pub(in crate::store) mod cursors;
pub(in crate::store) mod import;
pub(in crate::store) mod messages;
pub(in crate::store) mod purge;
pub(in crate::store) mod rebuild;
pub(in crate::store) mod sessions;
pub(in crate::store) mod users;
