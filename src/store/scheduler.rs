//! In which order requests are served, whatever stores them.

pub(in crate::store) mod fair_queue;
