//! What any engine keeps in memory for its readers.

pub(in crate::store) mod live_messages;

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Message, MessageId, Timestamp, UserId};
use crate::store::types::messages::PageBounds;
use crate::system::since_boot;
use live_messages::{LiveInbox, LiveMessage};

impl LiveMessage {
    /// A message. It is `now` by the clock that it expires by, and `since_boot` since the machine was
    /// started.
    pub(crate) fn new(
        sender: UserId,
        message: Message,
        now: Timestamp,
        since_boot: Duration,
    ) -> Self {
        let expires = message.details.as_ref().and_then(|details| details.expires);
        let until = expires.map(|expires| {
            let left = u64::try_from(expires.0.saturating_sub(now.0)).unwrap_or(0);
            since_boot.saturating_add(Duration::from_millis(left))
        });
        Self { sender, message: Arc::new(message), until }
    }
}

impl LiveInbox {
    /// The messages of this inbox after `after` that have not expired and fit into `bounds`, and whether
    /// there are more.
    /// `None` if memory lacks some of them; then [`crate::store::ReadPage`] finds them. Never
    /// blocks.
    pub fn newer(
        &self,
        after: MessageId,
        bounds: &PageBounds,
    ) -> Option<(Vec<Arc<Message>>, bool)> {
        let most = (bounds.messages.saturating_add(1), bounds.size);
        // One message beyond the bounds shows that there are more. A text is never longer than its
        // measure, so `bounds.size` bytes of text suffice.
        let mut found = self.after(after, most, since_boot())?;
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
