//! Streams. A connection that sent `watch` reads the message log after its last message, whenever a
//! hint says that there may be more.

use std::sync::Arc;

use super::messages::page_bounds;
use super::responder::{Outcome, Responder, Watcher};
use super::sessions::{LiveSession, Lookup, OpenStream};
use super::stream::StreamPage;
use super::{Service, failure};
use crate::model::MessageId;
use crate::protocol::arguments::{Watch, WatchFrom};
use crate::protocol::refusal::Code;
use crate::protocol::reply::{Reply, Watching};
use crate::store::{
    EndSessions, FindSession, FindStart, PageStart, ReadPage, SessionFilter, StoreError,
    StreamStart,
};

/// The maximum number of messages of one read of a stream.
const STREAM_PAGE_MESSAGES_MAX: usize = 256;
/// The maximum number of encoded bytes of one read of a stream. A read returns at least one
/// message.
const STREAM_PAGE_BYTES_MAX: usize = 64 * 1024;

impl Service {
    /// `watch`: registers the watcher first and finds the start position afterwards. So no message
    /// is missed in between.
    pub(super) fn watch(
        self: &Arc<Self>,
        session: &Arc<LiveSession>,
        watch: Watch,
        responder: Responder,
    ) {
        let watcher = Watcher {
            service: Arc::clone(self),
            stream: OpenStream::of(session),
            subscription: self.hub.subscribe(session.user, responder.reply_address()),
            watched: self.store.watch(session.user),
            filter: watch.filter,
        };
        if watch.sent {
            watcher.subscription.want_sent();
        }
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
    /// Reads the messages after `after`. Returns the page if it is in memory. Otherwise returns
    /// `None`, and the store's reader delivers a [`StreamPage`] to the connection. It checks the
    /// session first, and the read counts as a use of it.
    pub fn read(&self, after: MessageId) -> Option<StreamPage> {
        let session = self.stream.session();
        match self.service.sessions.find(&session.token, self.service.now()) {
            Lookup::Live(_) => {}
            Lookup::Ended(why) => return Some(StreamPage::Over(self.service.ended(why))),
            Lookup::Expired(id) => {
                self.service.store.write(EndSessions(SessionFilter::Session(id)), drop);
                return Some(StreamPage::Over(Code::NoSession.into()));
            }
            Lookup::Unknown => {
                self.ask_for_session();
                return None;
            }
        }
        self.subscription.rearm();
        let bounds = page_bounds(STREAM_PAGE_MESSAGES_MAX, STREAM_PAGE_BYTES_MAX);
        if let Some((mut messages, more)) = self.watched.newer(after, &bounds) {
            let upto = messages.last().map(|last| last.id);
            if !self.filter.is_empty() {
                messages.retain(|message| self.filter.passes(message));
            }
            return Some(StreamPage::Messages { messages, more, upto });
        }
        let address = self.subscription.address().clone();
        let read = ReadPage {
            reader: session.user,
            start: PageStart::After(after),
            with: None,
            since: None,
            filter: (*self.filter).clone(),
            bounds,
        };
        self.service.store.read(read, move |found| {
            let page = match found {
                Ok(Some(page)) => {
                    let messages = page.messages.into_iter().map(Arc::new).collect();
                    StreamPage::Messages { messages, more: page.more, upto: page.upto }
                }
                Ok(None) => StreamPage::Over(Code::Internal.into()),
                Err(error) => failed_page(error),
            };
            address.deliver(Outcome::Page(page));
        });
        None
    }

    /// Asks the store whether the session has ended, because this server may have missed it. The
    /// connection reads again after that.
    fn ask_for_session(&self) {
        let (service, token) = (Arc::clone(&self.service), self.stream.session().token);
        let address = self.subscription.address().clone();
        let question = service.sessions.ask();
        self.service.store.read(FindSession(token), move |found| {
            let page = match found {
                Ok(Some(stored)) if !stored.disabled => {
                    service.sessions.insert(token, stored, question);
                    StreamPage::Later
                }
                Ok(_) => StreamPage::Over(Code::NoSession.into()),
                Err(error) => failed_page(error),
            };
            address.deliver(Outcome::Page(page));
        });
    }
}

/// What a stream gets when the store could not read for it.
fn failed_page(error: StoreError) -> StreamPage {
    match error {
        StoreError::Busy => StreamPage::Later,
        error => match failure(error) {
            Reply::Refused(refusal) => StreamPage::Over(refusal),
            _ => StreamPage::Over(Code::Internal.into()),
        },
    }
}
