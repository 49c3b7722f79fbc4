//! In which order requests are served, whatever stores them: group commit for writes, a fair queue
//! for reads.

pub(in crate::store) mod fair_queue;
pub(in crate::store) mod group_commit;
