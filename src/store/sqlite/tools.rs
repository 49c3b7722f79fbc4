//! What works on whole files: copies, checks, exports.

pub(in crate::store) mod check;
pub(in crate::store) mod export;
pub(in crate::store) mod offline;
pub(in crate::store) mod restore;
