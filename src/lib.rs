//! Chat: a persistent multi-user messaging server and its command line.
//!
//! One server, one SQLite file, a line protocol that works from `nc`. What the server has
//! acknowledged is on the disk.
//!
//! A line's way through the crate: socket → `server::worker` → `server::connection` (framing) →
//! [`protocol::command::Request::parse`] → `service` → `store` → [`protocol::reply::Reply`] →
//! encode → socket. `ARCHITECTURE.md` tells it in full.
//!
//! The library serves the two binaries; it has no stable interface of its own.

pub mod adjustable;
pub mod admin;
pub mod catalogue;
pub mod client;
pub mod completion;
pub mod configuration;
pub mod log;
pub mod metrics;
pub mod model;
pub mod monitor;
pub mod operate;
pub mod protocol;
pub mod queue;
pub mod server;
pub mod service;
pub mod store;
pub mod terminal;
pub mod tls;
pub mod transfer;
pub mod unix;
pub mod wake;

/// What threads share. It is the standard library's; under this name `models/` puts loom's in its
/// place.
pub(crate) use std::sync;
