//! Chat: a persistent multi-user messaging server and its command line.
//!
//! One server, one SQLite file, and a line protocol that works from `nc`. A message that the server
//! has acknowledged is on the disk.
//!
//! The path of a request through the crate: socket → `server::worker` → `server::connection`
//! (framing) → [`protocol::command::Request::parse`] → `service` → `store` →
//! [`protocol::reply::Reply`] → encode → socket. `ARCHITECTURE.md` describes it in full.
//!
//! The library exists for the two binaries. Its interface is not stable.

pub mod adjustable;
pub mod admin;
pub mod catalogue;
pub mod client;
pub mod completion;
pub mod configuration;
#[cfg(feature = "http")]
pub mod gateway;
#[cfg(feature = "http")]
pub mod http;
pub mod log;
pub mod metrics;
pub mod model;
#[cfg(feature = "http")]
pub mod monitor;
pub mod operate;
pub mod protocol;
pub mod queue;
pub mod search;
pub mod server;
pub mod service;
pub mod store;
pub mod system;
pub mod terminal;
pub mod tls;
pub mod transfer;
pub mod unix;
pub mod wake;

/// The synchronization primitives of the whole crate. Here they are the standard library's;
/// `models/` compiles the same code with loom's under this name.
pub(crate) use std::sync;
