//! The wire protocol: it turns bytes into requests, replies into bytes, and, for the client,
//! requests into bytes and bytes into replies. `docs/protocol.md` describes it for people.
//!
//! This module uses no socket, clock, thread or SQL. It takes bytes and returns what they mean, so
//! a unit test can cover every odd input.

pub mod arguments;
pub mod command;
#[cfg(feature = "http")]
pub mod cookie;
pub mod event;
pub mod expectation;
pub mod framing;
pub mod invitations;
pub mod json;
#[cfg(feature = "http")]
pub mod object;
pub mod people;
pub mod proxy;
pub mod refusal;
pub mod reply;
pub mod rooms;
pub mod scheduled;
#[cfg(feature = "http")]
pub mod schema;
pub mod standing;
pub mod tokens;
pub mod verb;

/// The protocol version that `hello` reports. It rises when a client written for `docs/protocol.md`
/// would no longer understand the server.
pub const PROTOCOL_VERSION: u32 = 1;
