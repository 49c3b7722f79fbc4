//! What the writer remembers from one transaction to the next.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::model::{MessageId, UserId, UserName};
use crate::store::deliveries::Deliveries;

/// The most user names whose numbers are remembered.
const NAMES_MAX: usize = 100_000;

/// What operations work with: the transaction they are in, and what is remembered between them.
pub(in crate::store) struct Context<'a> {
    pub(in crate::store) connection: &'a Connection,
    pub(in crate::store) memory: &'a mut Memory,
    pub(in crate::store) deliveries: &'a mut Deliveries,
    pub(in crate::store) inbox_unread_max: usize,
}

/// What the writer would otherwise have to look up for every message. It is forgotten whenever
/// something is taken back, so it never tells of what did not happen.
#[derive(Debug, Default)]
pub(in crate::store) struct Memory {
    /// The id of the newest message.
    pub(in crate::store) newest: Option<MessageId>,
    pub(in crate::store) user_ids: HashMap<UserName, UserId>,
    /// How many unread messages each inbox has.
    pub(in crate::store) unread: HashMap<UserId, usize>,
}

impl Memory {
    /// Remembers a name's number; forgets all where there are too many.
    pub(in crate::store) fn remember_user(&mut self, name: UserName, id: UserId) {
        if self.user_ids.len() >= NAMES_MAX {
            self.user_ids.clear();
            self.unread.clear();
        }
        self.user_ids.insert(name, id);
    }
}
