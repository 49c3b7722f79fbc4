//! What an engine keeps in memory for its readers, whatever stores it.

pub(in crate::store) mod live_messages;
