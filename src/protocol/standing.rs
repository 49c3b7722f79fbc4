//! What a server says of its database: in the reply to `hello`, to operators and on the status page.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The database, and what an acknowledgement is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Database {
    /// `sqlite` or `postgres`.
    pub engine: Cow<'static, str>,
    /// Where a message is when it is acknowledged: `fsync` (on the disk of this machine), or
    /// `standby`, `local` or `storage`.
    pub durability: Cow<'static, str>,
    /// `None` if the engine has one server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Node>,
}

/// One of the servers on a database that has several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Node {
    /// Its number.
    pub number: i64,
    /// The strongest durability that the settings of the database hold: `standby`, `local` or
    /// `none`. `None` if this is not known now.
    pub durability_found: Option<Cow<'static, str>>,
    /// Whether writes are refused, because the database does not hold `durability`.
    pub is_read_only: bool,
    /// How many synchronous standbys are connected. `None` if this is not known now.
    pub standbys: Option<u64>,
    /// How many nodes have a lease. `None` if this is not known now.
    pub nodes: Option<u64>,
    /// How long ago the database heard of this node, in milliseconds.
    pub lease_age_ms: u64,
    /// Whether requests are refused, because the lease is over.
    pub is_lease_over: bool,
    /// How many messages are known and not passed on to streams.
    pub lag_messages: u64,
    /// How long ago all messages had been passed on, in milliseconds.
    pub lag_ms: u64,
}
