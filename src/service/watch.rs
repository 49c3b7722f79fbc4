//! Streams: a connection that has asked to `watch` reads the log after what it has seen, whenever
//! it is hinted that there is more.

use std::sync::Arc;

use super::hub::Subscription;
use super::messages::page_bounds;
use super::sessions::{LiveSession, Lookup, OpenStream};
use super::{Outcome, Responder, Service, failure};
use crate::model::{Message, MessageId};
use crate::protocol::arguments::{Watch, WatchFrom};
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::{Reply, Watching};
use crate::store::{
    EndSessions, FindStart, LiveInbox, PageStart, ReadPage, SessionFilter, StoreError, StreamStart,
};

/// The most messages of one read of a stream; what is more is read next.
const STREAM_PAGE_MESSAGES_MAX: usize = 256;
/// The most bytes of one read of a stream, as encoded; one message is always read.
const STREAM_PAGE_BYTES_MAX: usize = 64 * 1024;

/// A connection's stream, as far as the service has to do with it. It ends when it is dropped.
pub struct Watcher {
    service: Arc<Service>,
    stream: OpenStream,
    subscription: Subscription,
    watched: LiveInbox,
}

/// What a read of a stream found.
#[derive(Debug)]
pub enum StreamPage {
    /// What comes next in the log.
    Messages {
        /// In its order; of many watchers of one inbox each is told the same.
        messages: Vec<Arc<Message>>,
        /// There are more right behind them.
        more: bool,
    },
    /// The store is too busy to read: try again a little later.
    Later,
    /// The stream is over, and why.
    Over(Refusal),
}

impl Service {
    /// `watch`: takes its place among the watchers first and looks where to begin then, so that
    /// nothing falls between the two.
    pub(super) fn watch(
        self: &Arc<Self>,
        session: &Arc<LiveSession>,
        watch: Watch,
        responder: Responder,
    ) {
        let (deliver, ticket) = responder.reply_address();
        let watcher = Watcher {
            service: Arc::clone(self),
            stream: OpenStream::of(session),
            subscription: self.hub.subscribe(session.user, deliver, ticket),
            watched: self.store.watch(session.user),
        };
        let start = match watch.from {
            WatchFrom::Unread => StreamStart::Inbox,
            WatchFrom::New => StreamStart::Newest,
            WatchFrom::All => StreamStart::After(MessageId::ZERO),
            WatchFrom::After(id) => StreamStart::After(id),
        };
        let find = FindStart { reader: session.user, cursor: watch.cursor, start };
        self.store.read(find, move |found| match found {
            Ok(Some((watching, after))) => {
                responder.answer_stream(Watching { watching, after }, watcher);
            }
            Ok(None) => responder.answer(Code::NoSession),
            Err(error) => responder.answer(failure(error)),
        });
    }
}

impl Watcher {
    /// Reads what comes after `after`, and tells it at once where it is in memory; else `None`, and a
    /// [`StreamPage`] is delivered to where the stream was asked for. The session is looked at first, and
    /// counts as used.
    pub fn read(&self, after: MessageId) -> Option<StreamPage> {
        let session = self.stream.session();
        match self.service.sessions.find(&session.token, self.service.clock.now()) {
            Lookup::Live(_) => {}
            Lookup::Ended(why) => return Some(StreamPage::Over(self.service.ended(why))),
            Lookup::Expired(id) => {
                self.service.store.write(EndSessions(SessionFilter::Session(id)), drop);
                return Some(StreamPage::Over(Code::NoSession.into()));
            }
            Lookup::Unknown => return Some(StreamPage::Over(Code::NoSession.into())),
        }
        self.subscription.rearm();
        let bounds = page_bounds(STREAM_PAGE_MESSAGES_MAX, STREAM_PAGE_BYTES_MAX);
        if let Some((messages, more)) = self.watched.newer(after, &bounds) {
            return Some(StreamPage::Messages { messages, more });
        }
        let (deliver, ticket) = self.subscription.reply_address();
        let read = ReadPage {
            reader: session.user,
            start: PageStart::After(after),
            with: None,
            since: None,
            bounds,
        };
        self.service.store.read(read, move |found| {
            let page = match found {
                Ok(Some(page)) => {
                    let messages = page.messages.into_iter().map(Arc::new).collect();
                    StreamPage::Messages { messages, more: page.more }
                }
                Err(StoreError::Busy) => StreamPage::Later,
                Ok(None) => StreamPage::Over(Code::Internal.into()),
                Err(error) => match failure(error) {
                    Reply::Refused(refusal) => StreamPage::Over(refusal),
                    _ => StreamPage::Over(Code::Internal.into()),
                },
            };
            deliver.deliver(ticket, Outcome::Page(page));
        });
        None
    }
}
