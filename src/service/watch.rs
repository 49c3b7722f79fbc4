//! Streams. A connection that sent `watch` reads the message log after its last message, whenever a
//! hint says that there may be more.

use std::sync::Arc;

use super::hub::{News, Subscription};
use super::messages::page_bounds;
use super::receipts::Waiter;
use super::responder::{Outcome, Responder, Watcher};
use super::sessions::{LiveSession, Lookup, OpenStream};
use super::stream::StreamPage;
use super::{Service, failure};
use crate::model::MessageId;
use crate::protocol::arguments::{Watch, WatchFrom};
use crate::protocol::refusal::Code;
use crate::protocol::reply::{Reply, Watching};
use crate::store::{
    Changes, EndSessions, FindSession, FindStart, LiveInbox, LiveRooms, MembershipState, PageStart,
    ReadPage, SessionFilter, Start, StoreError, StreamStart, Wanted,
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
        mut watch: Watch,
        responder: Responder,
    ) {
        let messages = std::mem::take(&mut watch.receipts);
        if messages.is_empty() {
            return self.begin_stream(session, watch, None, responder);
        }
        let (service, of) = (Arc::clone(self), Arc::clone(session));
        self.await_receipts(session, messages, responder, move |waiter, responder| {
            service.begin_stream(&of, watch, Some(waiter), responder);
        });
    }

    fn begin_stream(
        self: &Arc<Self>,
        session: &Arc<LiveSession>,
        watch: Watch,
        receipts: Option<Waiter>,
        responder: Responder,
    ) {
        let waiting = receipts.as_ref().map(|waiter| Arc::clone(waiter.waiting()));
        let watcher = Watcher {
            service: Arc::clone(self),
            stream: OpenStream::of(session),
            subscription: Arc::new(self.hub.subscribe(session.user, responder.reply_address())),
            watched: Arc::new(self.store.watch(session.user)),
            wanted: Wanted::Incoming { muted: watch.muted },
            filter: watch.filter,
            receipts,
            changes: if watch.changes { Changes::Told } else { Changes::Folded },
            _reading: watch.read.then(|| self.store.follow_reading(session.user)),
        };
        let wants = [
            (watch.sent, News::Sent),
            (watch.read, News::Read),
            (watch.sent && watch.changes, News::Changed),
        ];
        wants.into_iter().filter(|(wants, _)| *wants).for_each(|(_, news)| {
            watcher.subscription.want(news);
        });
        let start = match watch.from {
            WatchFrom::Unread => StreamStart::Inbox,
            WatchFrom::New => StreamStart::Newest,
            WatchFrom::All => StreamStart::After(MessageId::ZERO),
            WatchFrom::After(id) => StreamStart::After(id),
        };
        let (reader, wanted) = (session.user, watcher.wanted);
        let find = FindStart { reader, cursor: watch.cursor, start, wanted };
        let as_of = watcher.watched.memberships();
        let service = Arc::clone(self);
        self.store.read(find, move |found| match found {
            Ok(Some(Start { reader, after, rooms })) => {
                // The first read comes after this, so it finds what had no hint.
                follow(&watcher.subscription, &watcher.watched, &rooms, as_of);
                responder.answer_stream(Watching { watching: reader, after }, watcher);
                if let Some(waiting) = waiting {
                    waiting.begin();
                    service.look_for_receipts(&waiting);
                }
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
            Lookup::TokenExpired => return Some(StreamPage::Over(Code::NoSession.into())),
            Lookup::Unknown => {
                self.ask_for_session();
                return None;
            }
        }
        if let Some(waiter) = &self.receipts {
            // This server may have missed that somebody read something at another one.
            self.service.look_for_receipts(waiter.waiting());
        }
        self.subscription.rearm();
        let bounds = page_bounds(STREAM_PAGE_MESSAGES_MAX, STREAM_PAGE_BYTES_MAX);
        if let Some((mut messages, more)) = self.watched.newer(after, &bounds) {
            let upto = messages.last().map(|last| last.id);
            if !self.filter.is_empty() {
                messages.retain(|message| self.filter.passes(message));
            }
            // A change makes the memory of its mailbox incomplete before it.
            let changes = Vec::new();
            return Some(StreamPage::Messages { messages, changes, more, upto });
        }
        let read = ReadPage {
            reader: session.user,
            start: PageStart::After(after),
            with: None,
            wanted: self.wanted,
            since: None,
            filter: (*self.filter).clone(),
            changes: self.changes,
            bounds,
        };
        let (subscription, watched) = (Arc::clone(&self.subscription), Arc::clone(&self.watched));
        let as_of = watched.memberships();
        self.service.store.read(read, move |found| {
            let page = match found {
                Ok(Ok(page)) => {
                    // It is read again after new rooms, because their hints began after the page.
                    let is_new = follow(&subscription, &watched, &page.rooms, as_of);
                    let (more, upto) = (page.more || is_new, page.upto);
                    let messages = page.messages.into_iter().map(Arc::new).collect();
                    StreamPage::Messages { messages, changes: page.changes, more, upto }
                }
                Ok(Err(_)) => StreamPage::Over(Code::Internal.into()),
                Err(error) => failed_page(error),
            };
            subscription.address().deliver(Outcome::Page(page));
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

/// Has a stream follow these rooms, in memory and by hints. Returns whether they are others than
/// before.
fn follow<A>(
    subscription: &Subscription<A>,
    watched: &LiveInbox,
    rooms: &LiveRooms,
    as_of: MembershipState,
) -> bool {
    let is_new = watched.follow(rooms, as_of);
    if is_new {
        subscription.follow(rooms.mailboxes());
    }
    is_new
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
