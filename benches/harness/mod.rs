//! Shared by all benchmarks: the servers, the load generator, and the description of the machine.
#![allow(dead_code, unused_imports, reason = "every benchmark uses a part of it")]

pub mod fan;
pub mod figures;
pub mod generator;
pub mod machine;
pub mod peers;
pub mod place;
pub mod watchers;
