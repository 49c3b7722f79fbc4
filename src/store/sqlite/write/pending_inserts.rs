//! Messages that the open transaction has taken in and that are not in the file yet.
//!
//! They are put into it many with one statement, so that not each row pays for beginning one. Whatever
//! else is done in the transaction has them written first.

use rusqlite::Connection;

use crate::model::{Body, Key, MessageId, Timestamp, UserId};
use crate::store::sqlite::bulk_insert::BulkInsert;
use crate::store::types::messages::Copies;

/// Who sees this fail gives up the transaction: a statement that had to be taken back alone would begin by copying
/// each page that it changes.
const MESSAGES: BulkInsert = BulkInsert {
    into: "INSERT OR FAIL INTO messages (id, sent_at, sender_id, recipient_id, key, body)",
    columns: 6,
};

/// What all copies of a message have.
#[derive(Debug)]
struct Text {
    sender: UserId,
    at: Timestamp,
    key: Option<Key>,
    body: Body,
}

/// A copy of a message: which it is of, for whom, and its id.
type Row = (usize, UserId, MessageId);

/// See the module.
#[derive(Debug, Default)]
pub(in crate::store) struct PendingInserts {
    messages: Vec<Text>,
    rows: Vec<Row>,
}

impl PendingInserts {
    /// Takes in a message with these copies.
    pub(in crate::store) fn push(
        &mut self,
        sender: UserId,
        at: Timestamp,
        key: Option<Key>,
        body: Body,
        copies: &Copies,
    ) {
        let message = self.messages.len();
        self.rows.extend(copies.iter().map(|&(recipient, id)| (message, recipient, id)));
        self.messages.push(Text { sender, at, key, body });
    }

    /// Writes them, in the order in which they came. Where that fails the transaction cannot go on: some
    /// may be written.
    pub(in crate::store) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        MESSAGES.insert(connection, &self.rows, |values, (message, recipient, id)| {
            let Text { sender, at, key, body } = &self.messages[*message];
            values.bind(id.0)?;
            values.bind(at.0)?;
            values.bind(sender.0)?;
            values.bind(recipient.0)?;
            values.bind(key.as_ref().map(Key::as_str))?;
            values.bind(body.as_str())
        })?;
        self.forget();
        Ok(())
    }

    /// The transaction has been taken back.
    pub(in crate::store) fn forget(&mut self) {
        self.messages.clear();
        self.rows.clear();
    }
}

#[cfg(test)]
mod tests;
