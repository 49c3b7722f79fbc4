//! The operations of a store and their answers. Nothing here knows an engine.

pub(in crate::store) mod blocks;
pub(in crate::store) mod changes;
pub(in crate::store) mod conversations;
pub(in crate::store) mod counting;
pub(in crate::store) mod cursors;
pub(in crate::store) mod expectations;
pub(in crate::store) mod figures;
pub(in crate::store) mod invitations;
pub(in crate::store) mod logins;
pub(in crate::store) mod marks;
pub(in crate::store) mod messages;
pub(in crate::store) mod purge;
pub(in crate::store) mod receipts;
pub(in crate::store) mod rooms;
pub(in crate::store) mod scheduled;
pub(in crate::store) mod search;
pub(in crate::store) mod sessions;
pub(in crate::store) mod settings;
pub(in crate::store) mod standing;
pub(in crate::store) mod tokens;
pub(in crate::store) mod transfer;
pub(in crate::store) mod users;
