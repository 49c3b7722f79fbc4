//! PostgreSQL: several servers on one database.
//!
//! From bottom to top: [`target`] says which database is meant, [`password`] finds the password for
//! it, [`encryption`] has TLS, [`connect`] opens connections, and [`durability`] decides what the
//! database can promise.

pub mod connect;
pub mod durability;
pub mod encryption;
pub mod password;
pub mod target;
