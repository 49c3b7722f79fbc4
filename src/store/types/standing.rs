//! What is known of the engine, and of what its answers are worth.

use std::time::Duration;

/// What is known of the engine without asking the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The word for the engine: `sqlite` or `postgres`.
    pub engine: &'static str,
    /// The word for where a message is when it is acknowledged: `fsync` on SQLite, else what the
    /// operator has chosen.
    pub durability: &'static str,
    /// `None` if the engine has one server.
    pub node: Option<NodeStanding>,
}

/// What is known of a node, and of the database that it shares with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStanding {
    /// Its number.
    pub number: i64,
    /// The strongest promise that the database can hold: `standby`, `local` or `none`. `None` if
    /// this is not known now.
    pub found: Option<&'static str>,
    /// Whether the database holds what was chosen, as far as is known. If not, writes are refused.
    pub is_promised: bool,
    /// How many synchronous standbys are connected. `None` if this is not known now.
    pub standbys: Option<u64>,
    /// How many nodes have a lease. `None` if this is not known now.
    pub nodes: Option<u64>,
    /// How long ago the database heard of this node.
    pub lease_age: Duration,
    /// Whether the lease is over. If so, requests are refused.
    pub is_lease_over: bool,
    /// How many messages the node knows of and has not passed on to streams.
    pub lag_messages: u64,
    /// How long ago the node had passed on all messages that there were.
    pub lag: Duration,
}
