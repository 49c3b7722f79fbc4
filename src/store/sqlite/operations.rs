//! The write operations: how each [`crate::store::operation::Write`] changes the database.

pub(in crate::store) mod access;
pub(in crate::store) mod accounts;
pub(in crate::store) mod append;
pub(in crate::store) mod blocks;
pub(in crate::store) mod changes;
pub(in crate::store) mod cursors;
pub(in crate::store) mod everybody;
pub(in crate::store) mod expectations;
pub(in crate::store) mod import;
pub(in crate::store) mod invitations;
pub(in crate::store) mod marks;
pub(in crate::store) mod purge;
pub(in crate::store) mod rebuild;
pub(in crate::store) mod receipts;
pub(in crate::store) mod rooms;
pub(in crate::store) mod scheduled;
pub(in crate::store) mod sessions;
pub(in crate::store) mod settings;
pub(in crate::store) mod tokens;
pub(in crate::store) mod users;
