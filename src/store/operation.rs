//! The operations of a store, as data.
//!
//! Each operation is a type with an answer type; `types/` has them. An engine implements each
//! operation (`store::sqlite` with `Apply` and `Query`), so an engine that lacks one does not
//! compile. Operations are data and not closures for two reasons. An engine may have to repeat one
//! after a lost connection, and the contract suite generates them.

use crate::model::UserId;

/// An operation that changes the database.
pub trait Write: Send + 'static {
    /// The result.
    type Answer: Send + 'static;

    /// The bytes of message text that it stores. The text limits the size of a batch.
    fn text_bytes(&self) -> usize {
        0
    }
}

/// An operation that reads one snapshot of the database.
pub trait Read: Send + 'static {
    /// The result.
    type Answer: Send + 'static;

    /// The party whose turn it takes: users take turns at the reader threads.
    fn party(&self) -> Party {
        None
    }
}

/// The user for whom a read is executed. `None` stands for everybody without a session, operators
/// included.
pub type Party = Option<UserId>;
