//! Filling a page, part by part.

use std::collections::HashSet;

use postgres::Row;

use crate::model::{Filter, MailboxId, Message, MessageId, Timestamp, UserId, UserName, mentions};
use crate::store::postgres::error::Result;
use crate::store::postgres::operations::pages::message;
use crate::store::types::blocks::Blocks;
use crate::store::types::marks::Marks;
use crate::store::types::messages::{FILTERED_MESSAGES_MAX, Page, PageBounds};
use crate::store::types::rooms::{LiveRooms, RoomPart, Wanted};

/// The most messages that one statement of a page returns. A page of more takes several: the log
/// only grows at its end, so together they are what one statement would find.
const PART_MESSAGES_MAX: usize = 128;

/// What a page has, and where it ends.
pub(super) struct Selection<'a> {
    pub(super) bounds: &'a PageBounds,
    pub(super) filter: Option<&'a Filter>,
    pub(super) left_out: Option<LeftOut>,
    /// The messages that these cover are left out.
    pub(super) marks: Marks,
    /// The messages that these hide are left out.
    pub(super) blocks: Blocks,
    /// The messages that have expired at this time are left out.
    pub(super) without_expired_at: Option<Timestamp>,
}

/// The messages of rooms that do not count as incoming.
pub(super) struct LeftOut {
    reader: UserId,
    name: Option<UserName>,
    /// The rooms of which only mentions count.
    only_mentions: HashSet<MailboxId>,
}

/// A part of a page, in the direction of reading.
pub(super) struct Part {
    pub(super) rows: Vec<Row>,
    /// Nothing comes after these rows.
    pub(super) is_last: bool,
}

impl LeftOut {
    /// `None` if nothing is left out.
    pub(super) fn of(
        reader: UserId,
        name: Option<&UserName>,
        wanted: Wanted,
        parts: &[RoomPart],
    ) -> Option<Self> {
        if wanted == Wanted::All || parts.is_empty() {
            return None;
        }
        let quiet = parts.iter().filter(|part| part.only_mentions);
        let only_mentions = quiet.map(|part| part.room.into()).collect();
        Some(Self { reader, name: name.cloned(), only_mentions })
    }

    fn has(&self, row: &Row, message: &Message) -> bool {
        let (sender, mailbox) = (UserId(row.get(6)), MailboxId(row.get(7)));
        let is_mention = |name| mentions(message.body.as_str(), name);
        mailbox.room().is_some()
            && (sender == self.reader
                || self.only_mentions.contains(&mailbox)
                    && !self.name.as_ref().is_some_and(is_mention))
    }
}

impl Selection<'_> {
    /// Reads a page. `part` reads a number of messages from an id on. Their columns are those of
    /// [`message`], and the numbers of sender and mailbox.
    pub(super) fn fill(
        &self,
        start: MessageId,
        mut part: impl FnMut(MessageId, usize) -> Result<Part>,
    ) -> Result<Page> {
        let rooms = LiveRooms::default();
        let (messages, changes) = (Vec::new(), Vec::new());
        let mut page = Page { start, messages, changes, more: false, upto: None, rooms };
        let mut progress = Progress { from: start, size: 0, looked_at: 0 };
        loop {
            let found = part(progress.from, self.part_size(&page, &progress))?;
            for row in &found.rows {
                self.take(row, &mut page, &mut progress)?;
                if page.more {
                    return Ok(page);
                }
            }
            if found.is_last {
                return Ok(page);
            }
        }
    }

    fn part_size(&self, page: &Page, progress: &Progress) -> usize {
        let wanted = match self.filter {
            None if progress.looked_at == 0 => {
                self.bounds.messages.saturating_add(1) - page.messages.len()
            }
            _ => FILTERED_MESSAGES_MAX + 1 - progress.looked_at,
        };
        wanted.min(PART_MESSAGES_MAX)
    }

    /// Adds a message to the page, or ends the page before it.
    fn take(&self, row: &Row, page: &mut Page, progress: &mut Progress) -> Result<()> {
        let message = message(row)?;
        progress.from = message.id;
        let (sender, mailbox) = (UserId(row.get(6)), MailboxId(row.get(7)));
        let is_left_out =
            self.left_out.as_ref().is_some_and(|left_out| left_out.has(row, &message))
                || self.marks.cover(message.id, sender, mailbox)
                || self.blocks.hide(sender, mailbox)
                || self.without_expired_at.is_some_and(|now| has_expired(&message, now))
                || self.filter.is_some_and(|filter| !filter.passes(&message));
        if is_left_out || self.filter.is_some() {
            if progress.looked_at >= FILTERED_MESSAGES_MAX {
                page.more = true;
                return Ok(());
            }
            progress.looked_at += 1;
            if is_left_out {
                page.upto = Some(message.id);
                return Ok(());
            }
        }
        progress.size += (self.bounds.measure)(&message);
        let is_full =
            page.messages.len() >= self.bounds.messages || progress.size > self.bounds.size;
        if is_full && !page.messages.is_empty() {
            page.more = true;
            return Ok(());
        }
        page.upto = Some(message.id);
        page.messages.push(message);
        Ok(())
    }
}

fn has_expired(message: &Message, now: Timestamp) -> bool {
    let expires = message.details.as_ref().and_then(|details| details.expires);
    expires.is_some_and(|expires| expires <= now)
}

/// How far a page is.
struct Progress {
    /// The next part begins after this message.
    from: MessageId,
    size: usize,
    /// How many messages were looked at: with a filter all, without one those that were left out.
    looked_at: usize,
}
