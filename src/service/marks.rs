//! How far conversations are read.

use std::sync::Arc;

use super::hub::News;
use super::messages::{no_such_conversation, page_bounds};
use super::sessions::LiveSession;
use super::stream::StreamPage;
use super::{Outcome, Responder, Service, failure};
use crate::model::{MailboxName, MessageId, UserId};
use crate::protocol::arguments::{ListConversations, Mark};
use crate::protocol::event::ReadUpto;
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::{self, PAGE_BYTES_MAX, Reply};
use crate::store::{self, MARKS_MAX, Marked, MoveMark};

/// The maximum size in a reply of a conversation without its message, in bytes.
const CONVERSATION_BYTES: usize = 200;

impl Service {
    /// `ack` for a conversation: answers when the mark is durable.
    pub(super) fn mark(self: &Arc<Self>, session: &LiveSession, mark: Mark, responder: Responder) {
        let Mark { with, upto } = mark;
        let (name, user, service) = (with.clone(), session.user, Arc::clone(self));
        self.store.write(MoveMark { user, with, upto }, move |marked| match marked {
            Ok(Marked::At(at)) => {
                responder.answer(Reply::Marked(reply::Marked::new(name.clone(), at)));
                // Otherwise nothing has moved.
                if at == upto {
                    service.push_read(user, || ReadUpto::conversation(name, at));
                }
            }
            Ok(Marked::BeyondTheLog) => responder.answer(Code::UnknownMessage),
            Ok(Marked::TooMany) => responder.answer(Refusal::new(
                Code::BadArgument,
                format!("you have {MARKS_MAX} marks already: move the cursor inbox instead"),
            )),
            Ok(Marked::Unreadable(unreadable)) => {
                responder.answer(no_such_conversation(unreadable, Some(name)));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `conversations`: changes nothing.
    pub(super) fn list_conversations(
        &self,
        session: &LiveSession,
        list: &ListConversations,
        responder: Responder,
    ) {
        let read = store::ListConversations {
            reader: session.user,
            before: list.before.unwrap_or(MessageId(i64::MAX)),
            bounds: page_bounds(list.limit, PAGE_BYTES_MAX - list.limit * CONVERSATION_BYTES),
        };
        self.store.read(read, move |found| match found {
            Ok(store::Conversations { conversations, next, expires }) => {
                let conversations = conversations.into_iter().map(|of| {
                    let (with, room) = match of.with {
                        MailboxName::User(with) => (Some(with), None),
                        MailboxName::Room(room) => (None, Some(room)),
                    };
                    let store::Conversation { last, unread, more, mentions, upto, .. } = of;
                    reply::Conversation { with, room, last, unread, more, mentions, upto }
                });
                responder.answer(Reply::Conversations(reply::Conversations {
                    conversations: conversations.collect(),
                    more: next.is_some(),
                    before: next,
                    expires,
                }));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// [`Self::push_read`] for the cursor `inbox`, which this server has moved.
    pub(super) fn push_inbox_read(self: &Arc<Self>, user: UserId, upto: MessageId) {
        if self.hub.is_wanted(News::Read) || self.awaited.has_any() {
            self.store.note_reading(user, upto);
            self.push_read(user, || ReadUpto::inbox(upto));
        }
    }

    /// Tells the user's own streams what was read, if they asked for that, and has the streams of
    /// others look that wait for it.
    pub(super) fn push_read(self: &Arc<Self>, user: UserId, read: impl FnOnce() -> ReadUpto) {
        self.note_reading(Some(user));
        if !self.hub.is_wanted(News::Read) {
            return;
        }
        let read = read();
        self.hub.push(user, News::Read, |stream| {
            stream.deliver(Outcome::Page(StreamPage::Read(read.clone())));
        });
    }
}
