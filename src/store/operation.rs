//! What a store can be asked for, as data.
//!
//! Each operation is a type of its own, with the type of its answer: `types/` has them. An engine
//! implements each (`store::sqlite` by `Apply` and `Query`), so an engine that lacks one does
//! not compile. Operations are data and not closures, because an engine may have to run one again
//! after a lost connection, and because the contract suite generates them.

use crate::model::UserId;

/// Changes what is stored.
pub trait Write: Send + 'static {
    /// What came of it.
    type Answer: Send + 'static;

    /// How many bytes of message text it stores. Bounds the size of a batch.
    fn text_bytes(&self) -> usize {
        0
    }
}

/// Reads one snapshot of what is stored.
pub trait Read: Send + 'static {
    /// What it found.
    type Answer: Send + 'static;

    /// Whose turn it takes: users take turns at the readers.
    fn party(&self) -> Party {
        None
    }
}

/// For whom something is read; `None` is for everybody without a session, operators included.
pub type Party = Option<UserId>;
