//! Counts what is unread, by conversation: what the server has counted, and what was shown here.

use std::collections::BTreeMap;

use crate::model::{MailboxName, MessageId};
use crate::protocol::event::ReadUpto;

/// The unread messages of the user, as far as the prompt knows.
#[derive(Default)]
pub(super) struct Unread {
    /// The messages that were not shown here; `None` until the server has been asked.
    hidden: Option<BTreeMap<MailboxName, Counted>>,
    /// `hidden` includes messages up to this id, also those that arrive later.
    counted_upto: Option<MessageId>,
    /// Of each conversation, the newest message shown here since the last acknowledgement, and how
    /// many were shown.
    shown: BTreeMap<MailboxName, (MessageId, usize)>,
    /// Where the cursor `inbox` was last seen.
    cursor: Option<MessageId>,
    /// The server knows no marks: one old unread message holds back everything after it.
    has_one_place: bool,
}

/// Unread messages of one conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) count: usize,
    pub(super) newest: MessageId,
    /// Counting stopped at `newest`, so there may be more after it.
    pub(super) more: bool,
}

impl Counted {
    /// These were shown, or will be. If counting stopped, they may not have been counted.
    fn take(&mut self, messages: usize) {
        if !self.more {
            self.count = self.count.saturating_sub(messages);
        }
    }
}

impl Unread {
    /// Takes the server's counts. `waiting` are the messages that will be shown.
    pub(super) fn set<'a>(
        &mut self,
        counts: impl IntoIterator<Item = (MailboxName, Counted)>,
        waiting: impl Iterator<Item = (&'a MailboxName, MessageId)> + Clone,
    ) {
        let mut hidden: BTreeMap<MailboxName, Counted> = counts.into_iter().collect();
        let upto = hidden.values().map(|of| of.newest).max().unwrap_or(MessageId::ZERO);
        for (name, of) in &mut hidden {
            let is_here = |(of, id): &(&MailboxName, MessageId)| *of == name && *id <= upto;
            let here = waiting.clone().filter(is_here).count();
            let shown = self.shown.get(name).map_or(0, |(_, count)| *count);
            of.take(here + shown);
        }
        (self.hidden, self.counted_upto) = (Some(hidden), Some(upto));
    }

    /// Forgets the server's counts.
    pub(super) fn forget(&mut self) {
        self.hidden = None;
    }

    /// Whether the server's counts are known.
    pub(super) fn is_known(&self) -> bool {
        self.hidden.is_some()
    }

    /// A message has arrived, to be shown here unless too many wait.
    pub(super) fn arrived(&mut self, name: &MailboxName, id: MessageId, is_shown: bool) {
        let is_counted = self.counted_upto.is_some_and(|upto| id <= upto);
        let Some(hidden) = &mut self.hidden else { return };
        if is_shown && is_counted {
            if let Some(of) = hidden.get_mut(name) {
                of.take(1);
            }
        } else if !is_shown && !is_counted {
            let of =
                hidden.entry(name.clone()).or_insert(Counted { count: 0, newest: id, more: false });
            (of.count, of.newest) = (of.count + 1, id);
        }
    }

    /// A message was shown here.
    pub(super) fn show(&mut self, name: &MailboxName, id: MessageId) {
        let count = self.shown.get(name).map_or(0, |(_, count)| *count);
        self.shown.insert(name.clone(), (id, count + 1));
    }

    /// The newest shown message, if everything before it was shown or is read.
    pub(super) fn whole_upto(&self) -> Option<MessageId> {
        let newest = self.shown.values().map(|(newest, _)| *newest).max()?;
        (self.hidden_count() == Some(0)).then_some(newest)
    }

    /// The conversations that were shown, with the newest message of each, unless an older one of the
    /// conversation was not shown.
    pub(super) fn whole_conversations(&self) -> Vec<(MailboxName, MessageId)> {
        let Some(hidden) = self.hidden.as_ref().filter(|_| !self.has_one_place) else {
            return Vec::new();
        };
        let is_whole = |name: &MailboxName| hidden.get(name).is_none_or(|of| of.count == 0);
        let shown = self.shown.iter().filter(|(name, _)| is_whole(name));
        shown.map(|(name, (newest, _))| (name.clone(), *newest)).collect()
    }

    /// The server knows no marks.
    pub(super) fn keep_one_place(&mut self) {
        self.has_one_place = true;
    }

    /// Everything up to this id counts as read.
    pub(super) fn read(&mut self, upto: MessageId) {
        self.shown.retain(|_, (newest, _)| *newest > upto);
    }

    /// The conversation is read up to this id.
    pub(super) fn read_conversation(&mut self, name: &MailboxName, upto: MessageId) {
        self.shown.retain(|shown, (newest, _)| shown != name || *newest > upto);
    }

    /// The user has read this, in whatever client. Where only a part of a conversation was read, the
    /// server is asked again after the next command.
    pub(super) fn was_read(&mut self, read: &ReadUpto) {
        let upto = read.upto;
        let name = read.with.clone().map(MailboxName::User);
        let name = name.or_else(|| read.room.clone().map(MailboxName::Room));
        let hidden = self.hidden.iter_mut().flatten();
        for (_, of) in hidden.filter(|(of, _)| name.as_ref().is_none_or(|name| name == *of)) {
            if of.newest <= upto && !of.more {
                of.count = 0;
            }
        }
        match &name {
            Some(name) => self.read_conversation(name, upto),
            // It moved back, so messages are unread again.
            None if Some(upto) < self.cursor => {
                (self.hidden, self.cursor) = (None, Some(upto));
            }
            None => {
                self.cursor = Some(upto);
                self.read(upto);
            }
        }
    }

    /// The number of unread messages for `inbox`. It includes messages that were shown here only if
    /// an older unread message keeps them from being acknowledged.
    pub(super) fn count(&self) -> usize {
        let Some(hidden) = &self.hidden else { return 0 };
        let shown = |name| self.shown.get(name).map_or(0, |(_, count)| *count);
        match self.hidden_count() {
            None | Some(0) => 0,
            Some(count) if self.has_one_place => {
                count + self.shown.values().map(|(_, count)| count).sum::<usize>()
            }
            Some(count) => {
                let held = hidden.iter().filter(|(_, of)| of.count > 0);
                count + held.map(|(name, _)| shown(name)).sum::<usize>()
            }
        }
    }

    fn hidden_count(&self) -> Option<usize> {
        Some(self.hidden.as_ref()?.values().map(|of| of.count).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> MailboxName {
        name.parse().unwrap()
    }

    fn counted(count: usize, newest: i64) -> Counted {
        Counted { count, newest: MessageId(newest), more: false }
    }

    fn unread(counts: &[(&str, usize, i64)]) -> Unread {
        let mut unread = Unread::default();
        let counts = counts.iter().map(|&(of, count, newest)| (name(of), counted(count, newest)));
        unread.set(counts, std::iter::empty());
        unread
    }

    #[test]
    fn unread_message_holds_back_only_its_own_conversation() {
        let mut unread = unread(&[("ivy", 1, 3)]);
        unread.show(&name("paff"), MessageId(5));
        unread.show(&name("ivy"), MessageId(6));
        assert_eq!((unread.whole_upto(), unread.count()), (None, 2));
        assert_eq!(unread.whole_conversations(), [(name("paff"), MessageId(5))]);
        unread.read_conversation(&name("paff"), MessageId(5));
        assert_eq!(unread.whole_conversations(), []);
        unread.keep_one_place();
        unread.show(&name("paff"), MessageId(7));
        assert_eq!((unread.whole_conversations(), unread.count()), (vec![], 3));
    }

    /// Of a room with many unread messages, the server has counted the first ones only.
    #[test]
    fn messages_after_the_counted_ones_stay_unread() {
        let mut unread = Unread::default();
        let of_room = Counted { more: true, ..counted(2, 8) };
        unread.set([(name("#build"), of_room)], std::iter::empty());
        unread.was_read(&ReadUpto::conversation(name("#build"), MessageId(8)));
        for id in 20..23 {
            unread.arrived(&name("#build"), MessageId(id), true);
            unread.show(&name("#build"), MessageId(id));
        }
        assert_eq!((unread.whole_upto(), unread.whole_conversations()), (None, vec![]));
        unread.set([(name("#build"), of_room)], std::iter::empty());
        assert_eq!((unread.whole_upto(), unread.whole_conversations()), (None, vec![]));
        unread.set([(name("#build"), counted(4, 22))], std::iter::empty());
        unread.was_read(&ReadUpto::conversation(name("#build"), MessageId(19)));
        assert_eq!((unread.whole_upto(), unread.count()), (None, 4));
    }

    #[test]
    fn what_another_client_has_read_no_longer_counts() {
        let mut unread = unread(&[("ivy", 1, 3), ("paff", 2, 5), ("#build", 4, 9)]);
        unread.was_read(&ReadUpto::conversation(name("paff"), MessageId(4)));
        assert_eq!(unread.count(), 7, "a part of it may still be unread");
        unread.was_read(&ReadUpto::conversation(name("paff"), MessageId(5)));
        unread.was_read(&ReadUpto::conversation(name("#build"), MessageId(12)));
        assert_eq!(unread.count(), 1);
        unread.was_read(&ReadUpto::inbox(MessageId(3)));
        assert_eq!((unread.count(), unread.is_known()), (0, true));
        unread.was_read(&ReadUpto::inbox(MessageId(1)));
        assert!(!unread.is_known(), "messages are unread again");
    }
}
