//! Messages that the open transaction has accepted and not inserted yet.
//!
//! They are inserted together, because starting a statement costs more than a row. Before any other
//! kind of operation in the same transaction, they must be inserted.

use rusqlite::Connection;

use crate::model::{Body, Details, Key, MailboxId, MessageId, Timestamp, UserId};
use crate::store::sqlite::bulk_insert::BulkInsert;
use crate::store::sqlite::expiry::{EXPIRING, Expiry};
use crate::store::types::messages::Copies;

/// `OR FAIL` keeps the rows before a failed one, so a failure must roll back the whole transaction.
/// A statement that can be undone alone would first copy each page that it changes.
const MESSAGES: BulkInsert = BulkInsert {
    into: "INSERT OR FAIL INTO messages (id, sent_at, sender_id, recipient_id, key, body)",
    columns: 6,
};

/// The same with details, which most messages do not have.
const DETAILED: BulkInsert = BulkInsert {
    into: "INSERT OR FAIL INTO messages (id, sent_at, sender_id, recipient_id, key, body, details)",
    columns: 7,
};

const THREADS: BulkInsert =
    BulkInsert { into: "INSERT OR FAIL INTO threads (message_id, thread_id)", columns: 2 };

/// What all copies of a message have in common.
#[derive(Debug)]
pub(in crate::store) struct Text {
    sender: UserId,
    at: Timestamp,
    key: Option<Key>,
    body: Body,
    /// The form of its details.
    details: Option<String>,
    /// The oldest message that it goes back to, if it answers one.
    thread: Option<MessageId>,
    /// When it expires.
    expiry: Option<Expiry>,
}

impl Text {
    /// A message of this sender.
    pub(in crate::store) fn new(
        sender: UserId,
        at: Timestamp,
        key: Option<Key>,
        body: Body,
    ) -> Self {
        Self { sender, at, key, body, details: None, thread: None, expiry: None }
    }

    /// Adds details, and what follows from them. `thread` is the oldest message that it goes back to,
    /// if it answers one.
    pub(in crate::store) fn with(
        self,
        details: Option<&Details>,
        thread: Option<MessageId>,
        expiry: Option<Expiry>,
    ) -> Self {
        Self { details: details.map(Details::to_json), thread, expiry, ..self }
    }
}

/// A copy of a message: the place of its message, the recipient, and the id.
type Row = (usize, MailboxId, MessageId);

/// The messages, and their copies in the order of the message log.
#[derive(Debug, Default)]
pub(in crate::store) struct PendingInserts {
    messages: Vec<Text>,
    rows: Vec<Row>,
}

impl PendingInserts {
    /// Adds a message with these copies.
    pub(in crate::store) fn push(&mut self, text: Text, copies: &Copies) {
        let message = self.messages.len();
        self.rows.extend(copies.iter().map(|&(recipient, id)| (message, recipient, id)));
        self.messages.push(text);
    }

    /// Whether the message with this id may be among them.
    pub(in crate::store) fn may_have(&self, id: MessageId) -> bool {
        self.rows.first().is_some_and(|&(_, _, first)| first <= id)
    }

    /// Inserts all rows in the order of their addition. After an error, the transaction must be
    /// rolled back: some rows may have been inserted.
    pub(in crate::store) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let has_details = |row: &Row| self.messages[row.0].details.is_some();
        for rows in self.rows.chunk_by(|one, next| has_details(one) == has_details(next)) {
            self.write_alike(connection, rows, rows.first().is_some_and(has_details))?;
        }
        self.clear();
        Ok(())
    }

    /// Inserts rows that all have details, or all have none.
    fn write_alike(
        &self,
        connection: &Connection,
        rows: &[Row],
        have_details: bool,
    ) -> rusqlite::Result<()> {
        let into = if have_details { DETAILED } else { MESSAGES };
        into.insert(connection, rows, |values, (message, recipient, id)| {
            let Text { sender, at, key, body, details, .. } = &self.messages[*message];
            values.bind(id.0)?;
            values.bind(at.0)?;
            values.bind(sender.0)?;
            values.bind(recipient.0)?;
            values.bind(key.as_ref().map(Key::as_str))?;
            values.bind(body.as_str())?;
            if have_details { values.bind(details) } else { Ok(()) }
        })?;
        let thread = |&(message, _, id): &Row| Some((id, self.messages[message].thread?));
        let answers = rows.iter().filter(|_| have_details).filter_map(thread);
        THREADS.insert(connection, answers, |values, (id, thread)| {
            values.bind(id.0)?;
            values.bind(thread.0)
        })?;
        let expiry =
            |&(message, mailbox, id): &Row| Some((id, mailbox, self.messages[message].expiry?));
        let expiring = rows.iter().filter(|_| have_details).filter_map(expiry);
        EXPIRING.insert(connection, expiring, |values, (id, mailbox, expiry)| {
            values.bind(id.0)?;
            values.bind(mailbox.0)?;
            values.bind(expiry.expires_at.0)?;
            values.bind(expiry.said_at.0)
        })
    }

    /// Removes everything, because the transaction was rolled back.
    pub(in crate::store) fn clear(&mut self) {
        self.messages.clear();
        self.rows.clear();
    }
}

#[cfg(test)]
mod tests;
