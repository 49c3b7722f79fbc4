//! The server at the wire: the promises to every client.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod account;
#[cfg(feature = "http")]
mod api;
mod blocks;
mod changes;
mod conversations;
mod delivery;
mod details;
mod everybody;
mod expectations;
mod expiry;
mod hang_up;
#[cfg(feature = "http")]
mod http_cors;
#[cfg(feature = "http")]
mod http_deadlines;
#[cfg(feature = "http")]
mod http_events;
#[cfg(feature = "http")]
mod http_expect;
#[cfg(feature = "http")]
mod http_framing;
#[cfg(feature = "http")]
mod http_head;
#[cfg(feature = "http")]
mod http_hooks;
#[cfg(feature = "http")]
mod http_hostile;
#[cfg(feature = "http")]
mod http_limits;
#[cfg(feature = "http")]
mod http_publish;
#[cfg(feature = "http")]
mod http_read;
#[cfg(feature = "http")]
mod http_rooms;
#[cfg(feature = "http")]
mod http_socket;
#[cfg(feature = "http")]
mod http_two;
#[cfg(feature = "http")]
mod inbox_figures;
#[cfg(feature = "http")]
mod inbox_late;
#[cfg(feature = "http")]
mod inbox_page;
#[cfg(feature = "http")]
mod inbox_people;
#[cfg(feature = "http")]
mod inbox_uses;
#[cfg(feature = "http")]
mod inbox_views;
mod invitations;
mod keys;
mod lifetimes;
mod limits;
mod login_throttle;
mod login_timing;
mod marks;
#[cfg(feature = "postgres")]
mod node_clocks;
#[cfg(feature = "postgres")]
mod node_schema;
#[cfg(feature = "postgres")]
mod node_sessions;
#[cfg(feature = "postgres")]
mod nodes;
mod protocol_examples;
mod proxy;
#[cfg(feature = "http")]
mod real_clients;
mod receipts;
mod reload;
mod restart;
mod room_races;
mod rooms;
mod scheduled;
mod search;
mod seed_wire;
mod session_limit;
mod state_machine;
mod tls;
// Each of its tables has HTTP as a column.
#[cfg(feature = "http")]
mod tokens;
mod unix_socket;
mod unix_users;
mod users;
mod watch;
mod who;
