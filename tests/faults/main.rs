//! Faults and hostile peers. docs/reliability.md lists the promises and the figures.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod clock_steps;
#[cfg(feature = "postgres")]
mod crowd;
mod cut_connections;
#[cfg(feature = "postgres")]
mod database;
#[cfg(feature = "postgres")]
mod failover;
#[cfg(feature = "http")]
mod http_cuts;
mod load;
mod merging;
mod overload;
#[cfg(feature = "postgres")]
mod patroni;
mod random_bytes;
mod secrets;
#[cfg(feature = "postgres")]
mod standbys;
mod storage;
mod system_calls;
mod torture;
#[cfg(feature = "postgres")]
mod watchers;
