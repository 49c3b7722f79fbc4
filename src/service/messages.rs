//! The commands that send and read messages.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::smallvec;

use super::hub::News;
use super::sessions::LiveSession;
use super::stream::StreamPage;
use super::{Outcome, Responder, Service, failure};
use crate::model::{
    Body, CursorName, Details, Filter, MailboxId, MailboxName, Message, MessageId, Tag, UserId,
};
use crate::protocol::arguments::{Ack, DeadLetter, Fetch, FetchFrom, Post, Search};
use crate::protocol::json;
use crate::protocol::refusal::{
    Code, NO_SUCH_MESSAGE, NOT_IN_THE_ROOM, NOT_TO_THIS_USER, Refusal, USER_AND_ROOM,
};
use crate::protocol::reply::{
    self, Acked, Found, Hit, Inbox, InboxEntry, PAGE_BYTES_MAX, Posted, Reply, SentTo, Unread,
    UnreadFrom, UnreadIn,
};
use crate::search::{Matches, Query};
use crate::store::{
    self, Acknowledge, AddDeadLetter, Append, Appended, CURSORS_MAX, Changes, ClearDeadLetters,
    CountUnread, MoveCursor, Moved, PAGE_CHANGES_BYTES_MAX, PageBounds, PageStart, ReadAround,
    ReadPage, ReadThread, SearchPage, Searched, StoreError, ThreadStart, Unreadable, Wanted,
};

/// How often `inbox` retries when another reader took the same messages first. Each retry means
/// that another reader succeeded.
const INBOX_TRIES_MAX: usize = 100;

/// What counts as unread.
const INCOMING: Wanted = Wanted::Incoming { muted: false };

/// The maximum size in a reply of everything but a message's text, names and details, in bytes.
const MESSAGE_FRAME_BYTES: usize = 160;

/// The maximum size in a reply of the fields of a message's details without their texts, in bytes.
const DETAILS_FRAME_BYTES: usize = 208;

impl Service {
    /// `send`: answers when the message is durable.
    pub(super) fn send(
        self: &Arc<Self>,
        session: &LiveSession,
        to: MailboxName,
        body: Body,
        responder: Responder,
    ) {
        let (sender, name) = (session.user, to.clone());
        let append = Append::new(sender, smallvec![to], body);
        let append = Append { only: session.targets(), ..append };
        let service = Arc::clone(self);
        self.store.write(append, move |appended| match appended {
            Ok(Appended::Stored { copies, .. }) => {
                responder.answer(Reply::Sent);
                service.metrics.messages.add(copies.len() as u64);
                copies.iter().for_each(|&(recipient, _)| service.hub.publish(recipient));
                service.push_sent(sender, std::iter::once(name).zip(&copies));
            }
            refused => responder.answer(refuse_append(refused)),
        });
    }

    /// Tells the sender's own streams of a message, if they asked for that. A message to oneself is
    /// pushed as an incoming one.
    pub(super) fn push_sent<'a>(
        &self,
        sender: UserId,
        copies: impl Iterator<Item = (MailboxName, &'a (MailboxId, MessageId))>,
    ) {
        if !self.hub.is_wanted(News::Sent) {
            return;
        }
        for (to, &(recipient, id)) in copies {
            if recipient != sender.into() {
                self.hub.push(sender, News::Sent, |stream| {
                    let page = StreamPage::Sent { id, to: to.clone() };
                    stream.deliver(Outcome::Page(page));
                });
            }
        }
    }

    /// `post`: answers when every copy is durable.
    pub(super) fn post(self: &Arc<Self>, session: &LiveSession, post: Post, responder: Responder) {
        let Post { to, or_room, body, key, details, when: _ } = post;
        let (sender, only) = (session.user, session.targets());
        let append = Append { sender, to: to.clone(), or_room, body, key, details, only };
        let service = Arc::clone(self);
        self.store.write(append, move |appended| match appended {
            Ok(Appended::Stored { copies, at, duplicate }) => {
                let is_room = copies.iter().any(|(mailbox, _)| mailbox.room().is_some());
                let to = if or_room && is_room { store::as_room(&to) } else { to };
                let id = copies.first().map_or(MessageId::ZERO, |&(_, id)| id);
                let ids = copies.iter().map(|&(_, id)| id);
                let told = (!duplicate && service.hub.is_wanted(News::Sent)).then(|| to.clone());
                let sent = to.into_iter().zip(ids).map(|(to, id)| SentTo { to, id }).collect();
                responder.answer(Reply::Posted(Posted { id, at, duplicate, sent }));
                if !duplicate {
                    service.metrics.messages.add(copies.len() as u64);
                    copies.iter().for_each(|&(recipient, _)| service.hub.publish(recipient));
                    service.push_sent(sender, told.into_iter().flatten().zip(&copies));
                }
            }
            refused => responder.answer(refuse_append(refused)),
        });
    }

    /// `inbox`: reads the messages after the cursor, then moves the cursor unless another reader
    /// has moved it. So of several readers exactly one gets each message. The read delays no
    /// sender. The messages go out once the cursor's move is durable.
    pub(super) fn inbox(self: &Arc<Self>, session: &Arc<LiveSession>, responder: Responder) {
        if self.store.inbox_is_known_to_be_empty(session.user) {
            return responder.answer(Reply::Inbox(Inbox::default()));
        }
        self.try_inbox(Arc::clone(session), responder, INBOX_TRIES_MAX);
    }

    fn try_inbox(self: &Arc<Self>, session: Arc<LiveSession>, responder: Responder, tries: usize) {
        let service = Arc::clone(self);
        let (user, cursor) = (session.user, CursorName::inbox());
        let read = ReadPage {
            reader: user,
            start: PageStart::Cursor(cursor.clone()),
            with: None,
            wanted: INCOMING,
            since: None,
            filter: Filter::default(),
            changes: Changes::Folded,
            bounds: page_bounds(usize::MAX, PAGE_BYTES_MAX),
        };
        self.store.read(read, move |found| {
            let unread = match found {
                Ok(Ok(unread)) => unread,
                Ok(Err(_)) => return responder.answer(Code::Internal),
                Err(error) => return responder.answer(failure(error)),
            };
            // A page without messages has more if it has left out many, as the reader's own.
            let is_empty = unread.messages.is_empty();
            let Some(upto) = unread.upto.filter(|_| !is_empty || unread.more) else {
                return responder.answer(Reply::Inbox(Inbox::default()));
            };
            let seen = unread.start;
            let again = Arc::clone(&service);
            service.store.write(
                MoveCursor { user, cursor, seen, upto },
                move |moved| match moved {
                    Ok(Moved::Yes) if is_empty => again.try_inbox(session, responder, tries),
                    Ok(Moved::Yes) => {
                        let (groups, more) = (by_mailbox(unread.messages), unread.more);
                        responder.answer(Reply::Inbox(Inbox { groups, more }));
                        again.push_inbox_read(user, upto);
                    }
                    Ok(Moved::No) if tries > 0 => again.try_inbox(session, responder, tries - 1),
                    Ok(Moved::No) => responder.answer(Code::Busy),
                    Err(error) => responder.answer(failure(error)),
                },
            );
        });
    }

    /// `fetch`: changes nothing.
    pub(super) fn fetch(&self, session: &LiveSession, fetch: Fetch, responder: Responder) {
        if let Some(of) = fetch.thread {
            return self.fetch_thread(session, of, &fetch, responder);
        }
        let is_raw = matches!(fetch.from, FetchFrom::RawAfter(_) | FetchFrom::RawBefore(_));
        let (start, wanted) = match fetch.from {
            FetchFrom::After(id) => (PageStart::After(id), Wanted::All),
            FetchFrom::Incoming(id) => (PageStart::After(id), INCOMING),
            FetchFrom::Before(id) => (PageStart::Before(id), Wanted::All),
            FetchFrom::Cursor(name) => (PageStart::Cursor(name), INCOMING),
            FetchFrom::Unread(id) => (PageStart::Unread(id), INCOMING),
            FetchFrom::Dead(cursor, after) => (PageStart::Dead(cursor, after), Wanted::All),
            FetchFrom::Around(id) => return self.fetch_around(session, id, fetch, responder),
            FetchFrom::RawAfter(id) => (PageStart::After(id), Wanted::All),
            FetchFrom::RawBefore(id) => (PageStart::Before(id), Wanted::All),
        };
        let with = fetch.with.clone();
        let changes_bytes = if is_raw { PAGE_CHANGES_BYTES_MAX } else { 0 };
        let read = ReadPage {
            reader: session.user,
            start,
            with: fetch.with,
            wanted,
            since: fetch.since,
            filter: *fetch.filter,
            changes: if is_raw { Changes::Raw } else { Changes::Folded },
            bounds: page_bounds(fetch.limit, PAGE_BYTES_MAX - changes_bytes),
        };
        let has_filter = !read.filter.is_empty();
        let done = move |found| match found {
            Ok(Ok(store::Page { messages, changes, more, upto, .. })) => {
                let has_left_out = has_filter || upto != messages.last().map(|last| last.id);
                let upto = upto.filter(|_| has_left_out && more);
                let page = reply::Page { messages, changes, more, more_before: false, upto };
                responder.answer(Reply::Page(page));
            }
            Ok(Err(unreadable)) => responder.answer(no_such_conversation(unreadable, with)),
            Err(error) => responder.answer(failure(error)),
        };
        self.store.read(read, done);
    }

    /// `fetch` with `around`. Half of the messages come up to the id, half after it.
    fn fetch_around(
        &self,
        session: &LiveSession,
        around: MessageId,
        fetch: Fetch,
        responder: Responder,
    ) {
        let half = |messages| page_bounds(messages, PAGE_BYTES_MAX / 2);
        let bounds = (half(fetch.limit.div_ceil(2)), half(fetch.limit / 2));
        let with = fetch.with.clone();
        let read = ReadAround { reader: session.user, around, bounds, with: fetch.with };
        self.store.read(read, move |found| match found {
            Ok(Ok((older, newer))) => {
                let (more_before, more, upto) = (older.more, newer.more, None);
                let messages = [older.messages, newer.messages].concat();
                let changes = Vec::new();
                let page = reply::Page { messages, changes, more, more_before, upto };
                responder.answer(Reply::Page(page));
            }
            Ok(Err(unreadable)) => responder.answer(no_such_conversation(unreadable, with)),
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `search`: changes nothing.
    pub(super) fn search(&self, session: &LiveSession, search: Search, responder: Responder) {
        let query = match Query::parse(&search.query) {
            Ok(query) => query,
            Err(bad) => {
                return responder.answer(Refusal::new(Code::BadQuery, bad.to_string()));
            }
        };
        let before = search.before.unwrap_or(MessageId(i64::MAX));
        let bounds = page_bounds(search.limit, PAGE_BYTES_MAX);
        let read = store::Search { reader: session.user, query, before, bounds };
        self.store.read(read, move |found| match found {
            Ok(Searched::Page(SearchPage { hits, more, upto })) => {
                let hit = |(message, Matches { body: matches, title: title_matches })| Hit {
                    message,
                    matches,
                    title_matches,
                };
                let messages = hits.into_iter().map(hit).collect();
                let upto = upto.filter(|_| more);
                responder.answer(Reply::Found(Found { messages, more, upto }));
            }
            Ok(Searched::UnknownUsers(users)) => {
                let users = users.into_iter().map(|user| user.to_string());
                responder.answer(Refusal::from(Code::UnknownRecipient).about(users));
            }
            Ok(Searched::UnreadableRoom(room, unreadable)) => {
                responder.answer(no_such_conversation(unreadable, Some(room.into())));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `fetch` with `thread`. The parser allows two beginnings with it.
    fn fetch_thread(
        &self,
        session: &LiveSession,
        of: MessageId,
        fetch: &Fetch,
        responder: Responder,
    ) {
        let start = match fetch.from {
            FetchFrom::After(id) => ThreadStart::After(id),
            FetchFrom::Before(id) => ThreadStart::Before(id),
            FetchFrom::Incoming(_)
            | FetchFrom::Cursor(_)
            | FetchFrom::Unread(_)
            | FetchFrom::Dead(..)
            | FetchFrom::Around(_)
            | FetchFrom::RawAfter(_)
            | FetchFrom::RawBefore(_) => {
                return responder.answer(Code::BadArgument);
            }
        };
        let bounds = page_bounds(fetch.limit, PAGE_BYTES_MAX);
        let (reader, since) = (session.user, fetch.since);
        let read = ReadThread { reader, of, start, since, bounds };
        self.store.read(read, move |found| match found {
            Ok(Some(store::Page { messages, more, .. })) => {
                let (more_before, upto, changes) = (false, None, Vec::new());
                let page = reply::Page { messages, changes, more, more_before, upto };
                responder.answer(Reply::Page(page));
            }
            Ok(None) => responder.answer(no_such_message("thread")),
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `unread`: changes nothing.
    pub(super) fn count_unread(&self, session: &LiveSession, responder: Responder) {
        if self.store.inbox_is_known_to_be_empty(session.user) {
            return responder.answer(Reply::Unread(Unread::default()));
        }
        self.store.read(CountUnread { reader: session.user }, move |found| match found {
            Ok(found) => {
                let mut unread = Unread::default();
                for store::UnreadFrom { from, count, newest, more } in found {
                    unread.unread += count;
                    match from {
                        MailboxName::User(from) => {
                            unread.senders.push(UnreadFrom { from, count, newest });
                        }
                        MailboxName::Room(room) => {
                            unread.rooms.push(UnreadIn { room, count, newest, more });
                        }
                    }
                }
                responder.answer(Reply::Unread(unread));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `ack`: answers when the cursor's position is durable.
    pub(super) fn ack(self: &Arc<Self>, session: &LiveSession, ack: Ack, responder: Responder) {
        let Ack { cursor, upto, rewind, dead } = ack;
        let (service, user) = (Arc::clone(self), session.user);
        let done = {
            let cursor = cursor.clone();
            move |acked| match acked {
                Ok(store::Acked::At(at)) => {
                    // Otherwise nothing has moved.
                    let has_moved = at == upto && cursor == CursorName::inbox();
                    responder.answer(Reply::Acked(Acked { cursor, upto: at }));
                    if has_moved {
                        service.push_inbox_read(user, at);
                    }
                }
                Ok(store::Acked::BeyondTheLog) => responder.answer(Code::UnknownMessage),
                Ok(store::Acked::TooMany) => responder.answer(Refusal::new(
                    Code::BadArgument,
                    format!("cursor: you have {CURSORS_MAX} beside inbox already"),
                )),
                Err(error) => responder.answer(failure(error)),
            }
        };
        match dead {
            None => self.store.write(Acknowledge { user, cursor, upto, rewind }, done),
            Some(DeadLetter::Add) => {
                self.store.write(AddDeadLetter { user, cursor, id: upto }, done);
            }
            Some(DeadLetter::Clear) => {
                self.store.write(ClearDeadLetters { user, cursor, upto }, done);
            }
        }
    }
}

/// The reply for a message that was not stored.
pub(super) fn refuse_append(appended: Result<Appended, StoreError>) -> Reply {
    let names = |users: Vec<MailboxName>| users.into_iter().map(|user| user.to_string());
    match appended {
        Ok(Appended::UnknownRecipients(users)) => {
            Refusal::from(Code::UnknownRecipient).about(names(users)).into()
        }
        Ok(Appended::NotAllowed(mailboxes)) => {
            let is_of_rooms = mailboxes.iter().all(|name| name.room().is_some());
            let refusal = match is_of_rooms {
                true => Refusal::from(Code::NotAllowed),
                false => Refusal::new(Code::NotAllowed, NOT_TO_THIS_USER),
            };
            refusal.about(names(mailboxes)).into()
        }
        Ok(Appended::RoomArchived(rooms)) => {
            Refusal::from(Code::RoomArchived).about(names(rooms)).into()
        }
        Ok(Appended::Ambiguous(rooms)) => {
            Refusal::new(Code::BadArgument, USER_AND_ROOM).about(names(rooms)).into()
        }
        Ok(Appended::InboxFull(users)) => Refusal::from(Code::InboxFull).about(names(users)).into(),
        Ok(Appended::UnknownMessage) => no_such_message("reply_to").into(),
        Ok(Appended::KeyConflict) => Code::KeyConflict.into(),
        Ok(Appended::Stored { .. }) => Code::Internal.into(),
        Err(error) => failure(error),
    }
}

/// The refusal of an id in a field. The words do not tell a missing message from one that the user may
/// not read.
pub(super) fn no_such_message(field: &str) -> Refusal {
    Refusal::new(Code::UnknownMessage, format!("{field}: {NO_SUCH_MESSAGE}"))
}

/// The refusal of a conversation that the user cannot read. A private room that the user has no part
/// in is refused like a missing one.
pub(super) fn no_such_conversation(unreadable: Unreadable, with: Option<MailboxName>) -> Refusal {
    let is_room = matches!(with, Some(MailboxName::Room(_)));
    let refusal = match unreadable {
        Unreadable::Unknown if is_room => Code::UnknownRoom.into(),
        Unreadable::Unknown => Code::UnknownRecipient.into(),
        Unreadable::NotAMember => Refusal::new(Code::NotAllowed, NOT_IN_THE_ROOM),
    };
    refusal.about(with.map(|name| name.to_string()))
}

/// The bounds of a page: messages, and encoded bytes.
pub(super) fn page_bounds(messages: usize, bytes: usize) -> PageBounds {
    PageBounds { messages, size: bytes, measure: encoded_bytes }
}

/// The maximum number of bytes that a message takes in a reply.
fn encoded_bytes(message: &Message) -> usize {
    let names = message.from.as_str().len() + message.to.as_str().len();
    let details = message.details.as_ref().map_or(0, |details| encoded_details_bytes(details));
    MESSAGE_FRAME_BYTES + names + json::text_bytes(message.body.as_str()) + details
}

fn encoded_details_bytes(details: &Details) -> usize {
    let title = details.title.as_ref().map_or(0, |title| json::text_bytes(title.as_str()));
    let click = details.click.as_ref().map_or(0, |click| json::text_bytes(click.as_str()));
    let tag = |tag: &Tag| r#""", "#.len() + json::text_bytes(tag.as_str());
    DETAILS_FRAME_BYTES + title + click + details.tags.iter().map(tag).sum::<usize>()
}

/// Groups messages by sender, and those of rooms by room. Groups are in the order of their first
/// messages.
fn by_mailbox(messages: Vec<Message>) -> Vec<(MailboxName, Vec<InboxEntry>)> {
    let mut groups: Vec<(MailboxName, Vec<InboxEntry>)> = Vec::new();
    let mut places: HashMap<MailboxName, usize> = HashMap::new();
    let mut place = 0;
    for message in messages {
        let (name, from) = match message.to {
            MailboxName::User(_) => (message.from.into(), None),
            MailboxName::Room(_) => (message.to, Some(message.from)),
        };
        // Most messages follow one of the same group.
        if groups.get(place).is_none_or(|(of, _)| *of != name) {
            place = *places.entry(name.clone()).or_insert(groups.len());
            if place == groups.len() {
                groups.push((name, Vec::new()));
            }
        }
        groups[place].1.push(InboxEntry { msg: message.body, from });
    }
    groups
}
