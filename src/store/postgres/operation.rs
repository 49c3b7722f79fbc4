//! How PostgreSQL executes the operations of [`crate::store::operation`].
//!
//! An operation is executed by reference, because it may have to be executed again after a broken
//! connection.

use crate::model::{MessageId, UserId};
use crate::store::operation::{Read, Write};
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::session::Session;
use crate::store::types::cursors::{Acked, Moved};
use crate::store::types::messages::{Append, Appended};

/// Executes a [`Write`].
pub trait Apply: Write {
    /// The part of the operation that is executed together with those of its neighbours. An
    /// operation that has none is executed alone, by [`Self::apply`].
    fn grouped(&self) -> Grouped<'_> {
        Grouped::No
    }

    /// The answer, from that of the grouped part. `None` if the part is of another kind.
    fn answer(&self, _part: PartAnswer) -> Option<Self::Answer> {
        None
    }

    /// Executes an operation that is not grouped as one call of one function, outside a transaction.
    /// It may be called again after a broken connection, so it is never in doubt. `None` for an
    /// operation that is executed by [`Self::apply`].
    fn call(&self, _: &mut WriteContext<'_>) -> Option<Result<Called<Self::Answer>>> {
        None
    }

    /// Executes any other operation, in a transaction of its own that holds the log's lock. An error
    /// undoes it.
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Self::Answer>;
}

/// The answer of [`Apply::call`], and the change that it has made.
pub type Called<A> = (A, Option<Change>);

/// A change of what nodes remember.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// Its number.
    pub(in crate::store) number: i64,
    /// More than sessions and rooms has changed.
    pub(in crate::store) is_of_users: bool,
    /// Other nodes have to learn of it.
    pub(in crate::store) has_others: bool,
}

/// What an operation has in common with its neighbours in a batch.
pub enum Grouped<'a> {
    /// It appends a message.
    Append(&'a Append),
    /// It moves a cursor.
    Cursor(CursorMove<'a>),
    /// Nothing.
    No,
}

/// The move of a cursor.
#[derive(Debug, Clone, Copy)]
pub struct CursorMove<'a> {
    /// The reader.
    pub user: UserId,
    /// The cursor.
    pub cursor: &'a str,
    /// How it moves.
    pub kind: MoveKind,
    /// Where the cursor goes.
    pub upto: MessageId,
}

/// How a cursor moves.
#[derive(Debug, Clone, Copy)]
pub enum MoveKind {
    /// From exactly here.
    From(MessageId),
    /// Forward.
    Forward,
    /// In both directions.
    Anywhere,
}

/// The answer to a grouped part.
#[derive(Debug, Clone)]
pub enum PartAnswer {
    /// To [`Grouped::Append`].
    Appended(Appended),
    /// To [`Grouped::Cursor`].
    Cursor(Place),
}

/// What became of the move of a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The cursor is here now.
    At(MessageId),
    /// The cursor was not where it was expected.
    Elsewhere,
    /// No message has that id yet.
    Beyond,
    /// The user has too many cursors.
    TooMany,
}

impl Place {
    /// The answer of an acknowledgement.
    pub(in crate::store) fn acked(self) -> Option<Acked> {
        match self {
            Self::At(id) => Some(Acked::At(id)),
            Self::Beyond => Some(Acked::BeyondTheLog),
            Self::TooMany => Some(Acked::TooMany),
            Self::Elsewhere => None,
        }
    }

    /// The answer of a conditional move.
    pub(in crate::store) fn moved(self) -> Option<Moved> {
        match self {
            Self::At(_) => Some(Moved::Yes),
            Self::Elsewhere => Some(Moved::No),
            Self::Beyond | Self::TooMany => None,
        }
    }
}

/// What a write that is not grouped works with.
pub struct WriteContext<'a> {
    /// The connection. For [`Apply::apply`], its transaction is open and has the log's lock.
    pub(in crate::store) session: &'a mut Session,
    /// The number of the node.
    pub(in crate::store) node: i64,
}

/// Executes a [`Read`].
pub trait Query: Read {
    /// Executes the operation. It must change nothing that a second execution would make wrong,
    /// because it may be executed again.
    fn query(&self, session: &mut Session) -> Result<Self::Answer>;
}

/// The error of an operation that is executed with its neighbours only.
pub(in crate::store) fn only_grouped<T>() -> Result<T> {
    Err(Error::Unexpected("the operation is executed in a group"))
}

/// The error of an operation that is executed by [`Apply::call`] only.
pub(in crate::store) fn only_called<T>() -> Result<T> {
    Err(Error::Unexpected("the operation is one call"))
}
