//! The order of requests, for any engine: group commit for writes, a fair queue for reads.

pub(in crate::store) mod fair_queue;
pub(in crate::store) mod group_commit;
pub(in crate::store) mod reader_pool;
pub(in crate::store) mod writer_thread;
