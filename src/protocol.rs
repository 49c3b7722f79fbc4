//! The protocol: bytes to requests, replies to bytes, and back again for the client. It is
//! described for people in `docs/protocol.md`.
//!
//! This module knows no socket, no clock, no thread and no SQL: it is fed bytes and says what they
//! mean, so every odd input is a plain unit test.

pub mod arguments;
pub mod command;
pub mod event;
pub mod framing;
pub mod json;
pub mod refusal;
pub mod reply;
pub mod verb;

/// The version of the protocol that `hello` names. It rises when a client that follows
/// `docs/protocol.md` would no longer be understood.
pub const PROTOCOL_VERSION: u32 = 1;
