//! Messages that the open transaction has accepted and not inserted yet.
//!
//! They are inserted together, because starting a statement costs more than a row. Before any other
//! kind of operation in the same transaction, they must be inserted.

use rusqlite::Connection;

use crate::model::{Body, Key, MessageId, Timestamp, UserId};
use crate::store::sqlite::bulk_insert::BulkInsert;
use crate::store::types::messages::Copies;

/// `OR FAIL` keeps the rows before a failed one, so a failure must roll back the whole transaction.
/// A statement that can be undone alone would first copy each page that it changes.
const MESSAGES: BulkInsert = BulkInsert {
    into: "INSERT OR FAIL INTO messages (id, sent_at, sender_id, recipient_id, key, body)",
    columns: 6,
};

/// What all copies of a message have in common.
#[derive(Debug)]
struct Text {
    sender: UserId,
    at: Timestamp,
    key: Option<Key>,
    body: Body,
}

/// A copy of a message: the place of its message, the recipient, and the id.
type Row = (usize, UserId, MessageId);

/// The messages, and their copies in the order of the message log.
#[derive(Debug, Default)]
pub(in crate::store) struct PendingInserts {
    messages: Vec<Text>,
    rows: Vec<Row>,
}

impl PendingInserts {
    /// Adds a message with these copies.
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

    /// Inserts all rows in the order of their addition. After an error, the transaction must be
    /// rolled back: some rows may have been inserted.
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
        self.clear();
        Ok(())
    }

    /// Removes everything, because the transaction was rolled back.
    pub(in crate::store) fn clear(&mut self) {
        self.messages.clear();
        self.rows.clear();
    }
}

#[cfg(test)]
mod tests;
