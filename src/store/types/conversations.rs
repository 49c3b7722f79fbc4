//! The list of a reader's conversations: what every client begins with.

use crate::model::{MailboxId, MailboxName, Message, MessageId, Timestamp, UserId};
use crate::store::operation::{Party, Read};
use crate::store::types::messages::PageBounds;

/// How many of the reader's own messages one page looks at to find the users who have written.
pub const CONVERSATION_MESSAGES_MAX: usize = if cfg!(test) { 8 } else { 2_048 };

/// Lists the rooms of which the reader may read a message, and the users who have written to the
/// reader, by the newest of those messages, the newest first. One page looks at
/// [`CONVERSATION_MESSAGES_MAX`] messages of the reader's own mailbox, so it may be empty and still
/// have more after it. A later page may have a user of an earlier page again, with an older message.
/// A room is left out if its newest [`CONVERSATION_MESSAGES_MAX`] messages are of users whom the
/// reader blocks.
pub struct ListConversations {
    /// The reader.
    pub reader: UserId,
    /// Only conversations by messages before this id.
    pub before: MessageId,
    /// Where the page ends. A conversation counts as its message.
    pub bounds: PageBounds,
}

impl Read for ListConversations {
    type Answer = Conversations;

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// A page of conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversations {
    /// The conversations, the newest first.
    pub conversations: Vec<Conversation>,
    /// Where the next page begins, if there may be more.
    pub next: Option<MessageId>,
    /// When the first of the counted messages expires, if one does.
    pub expires: Option<Timestamp>,
}

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The other user, or the room.
    pub with: MailboxName,
    /// The newest message that the reader got from the user, or may read in the room.
    pub last: Message,
    /// How many messages are unread, counted as [`CountUnread`](super::messages::CountUnread) does.
    pub unread: usize,
    /// Counting stopped, so there may be more.
    pub more: bool,
    /// How many of the counted messages of a room mention the reader.
    pub mentions: usize,
    /// Every message of the conversation up to and including this id is read.
    pub upto: MessageId,
}

/// The newest message of a conversation.
pub(in crate::store) type Newest = (MailboxId, MessageId);

/// The newest messages that one page looks for.
pub(in crate::store) struct Candidates {
    /// Of each room, in any order.
    pub(in crate::store) rooms: Vec<Newest>,
    /// Of users, the newest first.
    pub(in crate::store) users: Vec<Newest>,
    /// The last message that was looked at, if there may be older ones of other users.
    pub(in crate::store) edge: Option<MessageId>,
}

impl Candidates {
    /// The conversations of a page, the newest first, and where the next page begins. What comes
    /// after the edge has to wait: a user may be between.
    pub(in crate::store) fn choose(
        self,
        before: MessageId,
        max: usize,
    ) -> (Vec<Newest>, Option<MessageId>) {
        let Self { rooms, users, edge } = self;
        let mut all = rooms;
        all.extend(users);
        all.retain(|&(_, id)| id < before && edge.is_none_or(|edge| id >= edge));
        all.sort_unstable_by_key(|&(_, id)| std::cmp::Reverse(id));
        let is_cut = all.len() > max;
        all.truncate(max);
        let next = if is_cut { all.last().map(|&(_, id)| id) } else { edge };
        (all, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(pairs: &[(i64, i64)]) -> Vec<Newest> {
        pairs.iter().map(|&(mailbox, id)| (MailboxId(mailbox), MessageId(id))).collect()
    }

    #[test]
    fn page_ends_where_an_unknown_conversation_may_be() {
        let all = || Candidates {
            rooms: newest(&[(-1, 3), (-2, 20)]),
            users: newest(&[(7, 19), (8, 10)]),
            edge: Some(MessageId(9)),
        };
        let whole = (newest(&[(-2, 20), (7, 19), (8, 10)]), Some(MessageId(9)));
        assert_eq!(all().choose(MessageId(i64::MAX), 5), whole);
        let cut = (newest(&[(-2, 20), (7, 19)]), Some(MessageId(19)));
        assert_eq!(all().choose(MessageId(i64::MAX), 2), cut);
        let last = Candidates { edge: None, ..all() };
        assert_eq!(last.choose(MessageId(19), 5), (newest(&[(8, 10), (-1, 3)]), None));
    }
}
