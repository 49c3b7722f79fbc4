//! Faults and hostile peers. docs/reliability.md lists the promises and the figures.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod clock_steps;
mod cut_connections;
mod load;
mod merging;
mod overload;
mod random_bytes;
mod secrets;
mod storage;
mod system_calls;
mod torture;
