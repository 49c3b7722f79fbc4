//! What is derived from the message log and written behind it: which messages are for a user
//! (deliveries), and which message has a key (keys).

mod compaction;
pub(in crate::store) mod deliveries;
pub(in crate::store) mod delivery_cursor;
pub(in crate::store) mod keys;
pub(in crate::store) mod memtable;
mod run_writer;
mod runs;
