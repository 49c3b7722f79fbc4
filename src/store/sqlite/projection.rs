//! Tables derived from the message log and written behind it. Deliveries tell which messages are
//! for a user; keys tell which message has an idempotency key; words tell which message has a word.

mod compaction;
pub(in crate::store) mod deliveries;
pub(in crate::store) mod delivery_cursor;
pub(in crate::store) mod keys;
pub(in crate::store) mod memtable;
mod run_writer;
mod runs;
pub(in crate::store) mod words;
