//! What an engine keeps in memory for its readers, whatever stores it.

pub(in crate::store) mod live_messages;

use std::sync::Arc;

use crate::model::{Message, MessageId};
use crate::store::types::messages::PageBounds;
use live_messages::LiveInbox;

impl LiveInbox {
    /// The messages for the inbox after `after` that fit, and whether there are more. Never blocks.
    /// `None` where memory does not have them all: a [`crate::store::ReadPage`] finds them.
    pub fn newer(
        &self,
        after: MessageId,
        bounds: &PageBounds,
    ) -> Option<(Vec<Arc<Message>>, bool)> {
        // One more than fits tells whether there are more. No text is longer than its measure.
        let mut found = self.after(after, bounds.messages.saturating_add(1), bounds.size)?;
        let mut size = 0;
        let is_over = |(index, message): (usize, &Arc<Message>)| {
            size += (bounds.measure)(message);
            index > 0 && (index >= bounds.messages || size > bounds.size)
        };
        let fits = found.iter().enumerate().position(is_over);
        found.truncate(fits.unwrap_or(found.len()));
        Some((found, fits.is_some()))
    }
}
