//! What any engine keeps in memory for its readers.

pub(in crate::store) mod live_messages;

use std::sync::Arc;

use crate::model::{Message, MessageId};
use crate::store::types::messages::PageBounds;
use live_messages::LiveInbox;

impl LiveInbox {
    /// The messages of this inbox after `after` that fit into `bounds`, and whether there are more.
    /// `None` if memory lacks some of them; then [`crate::store::ReadPage`] finds them. Never
    /// blocks.
    pub fn newer(
        &self,
        after: MessageId,
        bounds: &PageBounds,
    ) -> Option<(Vec<Arc<Message>>, bool)> {
        // One message beyond the bounds shows that there are more. A text is never longer than its
        // measure, so `bounds.size` bytes of text suffice.
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
