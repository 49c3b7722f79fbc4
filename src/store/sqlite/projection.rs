//! What is derived from the message log and written behind it.

pub(in crate::store) mod compaction;
pub(in crate::store) mod deliveries;
pub(in crate::store) mod keys;
pub(in crate::store) mod memtable;
