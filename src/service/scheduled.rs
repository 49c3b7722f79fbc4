//! Messages that are sent later: `post` with a time, the verbs `scheduled` and `cancel`, and what
//! the thread `expectations` sends when it is due.
//!
//! A message that is due is appended under its key like any other. So one that was appended before
//! a crash, or by another server on the database, is not appended again. Its row is removed after
//! that. What is refused then, because a recipient is gone or the sender has left the room, is told
//! to the sender, with the text.

use std::collections::HashSet;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use super::expectations::{RETRY_PAUSE, SLEEP_MAX};
use super::messages::refuse_append;
use super::sessions::LiveSession;
use super::{Responder, Service, failure};
use crate::model::{
    BODY_BYTES_MAX, Body, Details, Key, MailboxName, MessageId, Priority, Tags, Timestamp,
};
use crate::protocol::arguments::{Post, SCHEDULE_SECONDS_MAX, When};
use crate::protocol::json;
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::{PAGE_BYTES_MAX, Posted, Reply, SentTo};
use crate::protocol::scheduled::{
    Cancel, CancelReply, Later, ListScheduled, ScheduledList, ScheduledMessage,
};
use crate::store::{
    self, Append, Appended, BeginSending, CancelScheduled, Cancelled, Due, FindDue, SCHEDULED_MAX,
    Schedule, Scheduled, SettleScheduled, StoreError, TakeSystemTime,
};

/// How many messages are sent at a time.
const SENT_MAX: usize = 100;

/// Two clocks that differ by less agree: neither was set. In milliseconds.
const CLOCKS_NEAR_MS: u64 = 1_000;

/// A message that is sent so much later than it was due says so.
const LATE_AFTER: Duration = Duration::from_secs(60);

/// The most bytes that a scheduled message takes in a reply, beside its text and its recipients:
/// the details are at most 16 tags, a title and a link.
const FRAME_BYTES: usize = 20 * 1024;

impl Service {
    /// `post` with a time: answers when it is durable.
    pub(super) fn schedule(
        self: &Arc<Self>,
        session: &LiveSession,
        post: Post,
        responder: Responder,
    ) {
        let Post { to, or_room, body, key, details, when } = post;
        let now = self.now();
        let Some((due_at, said_at)) = when.and_then(|when| self.due_at(when, now)) else {
            let problem = format!("at: give a time of the next {SCHEDULE_SECONDS_MAX} seconds");
            return responder.answer(Refusal::new(Code::BadArgument, problem));
        };
        let (sender, only) = (session.user, session.targets());
        let message = Append { sender, to: to.clone(), or_room, body, key, details, only };
        let service = Arc::clone(self);
        let schedule = Schedule { message, due_at, said_at, now };
        self.store.write(schedule, move |scheduled| match scheduled {
            Ok(Scheduled::At { id, said_at, is_room, duplicate }) => {
                let later = Later { scheduled: id, due_at: said_at, duplicate };
                let to = if or_room && is_room { store::as_room(&to) } else { to };
                responder.answer(Reply::Later(later, to));
                service.wake_expectations();
            }
            Ok(Scheduled::Not(Appended::Stored { copies, at, .. })) => {
                let id = copies.first().map_or(MessageId::ZERO, |&(_, id)| id);
                let is_room = copies.iter().any(|(mailbox, _)| mailbox.room().is_some());
                let to = if or_room && is_room { store::as_room(&to) } else { to };
                let sent = to.into_iter().zip(&copies);
                let sent = sent.map(|(to, &(_, id))| SentTo { to, id }).collect();
                responder.answer(Reply::Posted(Posted { id, at, duplicate: true, sent }));
            }
            Ok(Scheduled::Not(refused)) => responder.answer(refuse_append(Ok(refused))),
            Ok(Scheduled::TooMany) => {
                let problem =
                    format!("you have {SCHEDULED_MAX} scheduled messages: cancel one first");
                responder.answer(Refusal::new(Code::BadArgument, problem));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// When a message is due, by the clock of `now` and by the system's. The system's clock may have
    /// been set since the start, and a time of the day is one of that clock. Servers on one database
    /// have its clock alone.
    fn due_at(&self, when: When, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let system = self.store.shared_time().map_or_else(Timestamp::now, |_| now);
        let is_set = system.0.abs_diff(now.0) > CLOCKS_NEAR_MS;
        let system = if is_set { system } else { now };
        let farthest = system.plus(Duration::from_secs(SCHEDULE_SECONDS_MAX));
        match when {
            When::At(at) if at > farthest => None,
            When::At(at) => {
                let ahead = now.0.saturating_sub(system.0);
                Some((Timestamp(at.0.saturating_add(ahead)), at))
            }
            When::In(seconds) => {
                let pause = Duration::from_secs(seconds);
                Some((now.plus(pause), system.plus(pause)))
            }
        }
    }

    /// `scheduled`: lists those of the user.
    pub(super) fn list_scheduled(
        &self,
        session: &LiveSession,
        list: ListScheduled,
        responder: Responder,
    ) {
        let ListScheduled { after, limit } = list;
        let read = store::ListScheduled { sender: session.user, after, max: limit + 1 };
        self.store.read(read, move |found| match found {
            Ok(found) => responder.answer(Reply::Scheduled(page(found, limit))),
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `cancel`: answers when it is durable.
    pub(super) fn cancel_scheduled(
        &self,
        session: &LiveSession,
        cancel: Cancel,
        responder: Responder,
    ) {
        let id = cancel.id;
        let write = CancelScheduled { sender: session.user, id };
        self.store.write(write, move |cancelled| match cancelled {
            Ok(Cancelled::Yes) => {
                responder.answer(Reply::Cancelled(CancelReply { id, cancelled: true }));
            }
            Ok(Cancelled::TooLate) => {
                let why = "the scheduled message is being sent";
                responder.answer(Refusal::new(Code::UnknownScheduled, why));
            }
            Ok(Cancelled::Unknown) => responder.answer(Code::UnknownScheduled),
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// Sends everything that is due. Returns when to look again: when the next message is due, or
    /// soon if something could not be sent. Blocks.
    pub(super) fn send_due(&self, is_start: bool) -> Result<Option<Timestamp>, StoreError> {
        if is_start {
            self.write_now(TakeSystemTime)?;
        }
        let (mut after, mut pause) = (None, None);
        loop {
            let now = self.now();
            let found = self.read_now(FindDue { now, after, max: SENT_MAX })?;
            let Some(last) = found.due.last() else {
                let retry = pause.map(|pause| now.plus(pause));
                return Ok(found.next.into_iter().chain(retry).min());
            };
            after = Some((last.due_at, last.id));
            pause = pause.into_iter().chain(self.send_page(found.due, now)?).min();
        }
    }

    /// Sends these messages together, and then records that they are sent. Returns when to try those
    /// again that are left.
    fn send_page(
        &self,
        mut page: Vec<Due>,
        now: Timestamp,
    ) -> Result<Option<Duration>, StoreError> {
        let ids = page.iter().map(|due| due.id).collect();
        let begun: HashSet<_> = self.write_now(BeginSending(ids))?.into_iter().collect();
        page.retain(|due| begun.contains(&due.id));
        let sent = self.append_all(page.iter().map(|due| message(due, now)))?;
        let (mut settled, mut lost, mut full) = (Vec::new(), Vec::new(), 0);
        for (due, appended) in page.iter().zip(sent) {
            match appended {
                Some(Appended::Stored { .. }) => settled.push(due.id),
                Some(refused) => lost.push((due, reason(&refused))),
                None if due.to.iter().any(Option::is_none) => {
                    lost.push((due, "a recipient is gone".to_owned()));
                }
                None => {}
            }
        }
        let notices = lost.iter().map(|(due, reason)| notice(due, reason));
        for ((due, _), told) in lost.iter().zip(self.append_all(notices)?) {
            match told {
                Some(Appended::Stored { .. } | Appended::KeyConflict) => settled.push(due.id),
                // There may be room for it later, perhaps in months.
                Some(Appended::InboxFull(_)) => full += 1,
                None => {}
                Some(refused) => {
                    tracing::warn!(?refused, id = due.id.0, "a sender could not be told");
                }
            }
        }
        let pause = match page.len() - settled.len() {
            0 => None,
            left if left == full => Some(SLEEP_MAX),
            _ => Some(RETRY_PAUSE),
        };
        let (sender, done) = mpsc::channel();
        for id in settled {
            let sender = sender.clone();
            self.store.write(SettleScheduled(id), move |settled| drop(sender.send(settled)));
        }
        drop(sender);
        done.into_iter().try_for_each(|settled| settled.map(drop))?;
        Ok(pause)
    }

    /// Appends messages, and tells their readers. `None` for those that were not appended; that is
    /// tried again later.
    fn append_all(
        &self,
        messages: impl Iterator<Item = Option<Append>>,
    ) -> Result<Vec<Option<Appended>>, StoreError> {
        let (sender, stored) = mpsc::channel();
        let mut senders = Vec::new();
        for (number, append) in messages.enumerate() {
            senders.push(append.as_ref().map(|append| (append.sender, append.to.clone())));
            let Some(append) = append else { continue };
            let sender = sender.clone();
            self.store.write(append, move |appended| drop(sender.send((number, appended))));
        }
        drop(sender);
        let mut outcomes = vec![None; senders.len()];
        for (number, appended) in stored {
            match appended {
                Ok(appended) => {
                    if let (Appended::Stored { copies, duplicate, .. }, Some((from, to))) =
                        (&appended, senders[number].take())
                    {
                        if !duplicate {
                            self.metrics.messages.add(copies.len() as u64);
                        }
                        // The server that stored it before may have ended before it gave a hint.
                        copies.iter().for_each(|&(recipient, _)| self.hub.publish(recipient));
                        self.push_sent(from, to.into_iter().zip(copies));
                    }
                    outcomes[number] = Some(appended);
                }
                Err(StoreError::Statement(error)) => {
                    tracing::error!(%error, "a scheduled message was not sent");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(outcomes)
    }
}

/// The message. `None` if a recipient is gone.
fn message(due: &Due, now: Timestamp) -> Option<Append> {
    let to: SmallVec<[MailboxName; 1]> = due.to.iter().cloned().collect::<Option<_>>()?;
    let is_late = now > due.due_at.plus(LATE_AFTER);
    let details = match (is_late, due.details.clone()) {
        (false, details) => details,
        (true, details) => {
            let details = details.map_or_else(Details::default, |details| *details);
            Details { due_at: Some(due.said_at), ..details }.if_any()
        }
    };
    let key = match &due.key {
        Some(key) => key.clone(),
        None => own_key("scheduled", due)?,
    };
    let append = Append::new(due.sender, to, due.body.clone());
    Some(Append { key: Some(key), details, ..append })
}

/// A key that is the same whoever sends the message.
fn own_key(word: &str, due: &Due) -> Option<Key> {
    format!("{word}-{}-{}", due.made_at.0, due.id.0).parse().ok()
}

/// Tells the sender that the message was not sent, with its text.
fn notice(due: &Due, reason: &str) -> Option<Append> {
    let to: Vec<&str> = due.to.iter().flatten().map(MailboxName::as_str).collect();
    let to = if to.is_empty() { String::new() } else { format!(" to {}", to.join(", ")) };
    let mut text = format!("scheduled message {}{to} was not sent: {reason}\n\n", due.id.0);
    text.push_str(due.body.as_str());
    text.truncate(text.floor_char_boundary(BODY_BYTES_MAX));
    let body: Body = text.parse().ok()?;
    let tags = ["scheduled", "failed"].map(str::parse).into_iter().collect::<Result<Vec<_>, _>>();
    let details = Details {
        priority: Priority::High,
        tags: Tags::try_from(tags.ok()?).ok()?,
        ..Details::default()
    };
    let key = Some(own_key("scheduled-lost", due)?);
    let append = Append::new(due.sender, smallvec![due.from.clone().into()], body);
    Some(Append { key, details: details.if_any(), ..append })
}

/// Why a message was not sent.
fn reason(refused: &Appended) -> String {
    let names = |names: &[MailboxName]| {
        names.iter().map(MailboxName::as_str).collect::<Vec<_>>().join(", ")
    };
    match refused {
        Appended::UnknownRecipients(gone) => {
            format!("{} is gone, or you are no longer in it", names(gone))
        }
        Appended::NotAllowed(those) => format!("you may not post to {}", names(those)),
        Appended::RoomArchived(rooms) => format!("{} is archived", names(rooms)),
        Appended::Ambiguous(rooms) => format!("there is a user of the name of {}", names(rooms)),
        Appended::InboxFull(users) => format!("the inbox of {} is full", names(users)),
        Appended::UnknownMessage => "the message that it answers is gone".to_owned(),
        Appended::KeyConflict => "its key is that of another message".to_owned(),
        Appended::Stored { .. } => "it is sent".to_owned(),
    }
}

/// A page of at most `limit` messages, and of a bounded size.
fn page(found: Vec<Due>, limit: usize) -> ScheduledList {
    let (mut scheduled, mut bytes) = (Vec::new(), 0);
    let mut more = false;
    for due in found {
        let to: Vec<MailboxName> = due.to.into_iter().flatten().collect();
        let names: usize = to.iter().map(|name| name.as_str().len() + r#""", "#.len()).sum();
        bytes += FRAME_BYTES + names + json::text_bytes(due.body.as_str());
        if scheduled.len() == limit || (bytes > PAGE_BYTES_MAX && !scheduled.is_empty()) {
            more = true;
            break;
        }
        let details = due.details.map_or_else(Details::default, |details| *details);
        let Details { title, priority, tags, click, reply_to, expires, expires_in, .. } = details;
        let (id, due_at, body, key) = (due.id, due.said_at, due.body, due.key);
        scheduled.push(ScheduledMessage {
            id,
            due_at,
            to,
            body,
            key,
            title,
            priority,
            tags,
            click,
            reply_to,
            expires,
            expires_in,
        });
    }
    ScheduledList { scheduled, more }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::model::{CursorName, MessageId, ScheduledId, UserId};
    use crate::service::expectations::tests::service;
    use crate::store::Acknowledge;

    /// The inbox of a user who never reads is full for ever.
    #[test]
    fn message_whose_sender_has_no_room_for_it_is_rarely_tried_again() {
        let (folder, user) = (TempDir::new().unwrap(), UserId(1));
        let service = service(&folder, 1);
        let message = |body: &str| {
            Append::new(user, smallvec!["neko".parse().unwrap()], body.parse().unwrap())
        };
        let stored = service.write_now(message("first"));
        assert!(matches!(stored, Ok(Appended::Stored { .. })), "{stored:?}");
        let at = Timestamp(1);
        let later = Schedule { message: message("later"), due_at: at, said_at: at, now: at };
        let scheduled = service.write_now(later);
        assert!(matches!(scheduled, Ok(Scheduled::At { .. })), "{scheduled:?}");
        let begun = service.now();
        let next = service.send_due(false).unwrap();
        assert!(next >= Some(begun.plus(SLEEP_MAX)), "{next:?} after {begun:?}");
        let (cursor, upto) = (CursorName::inbox(), MessageId(1));
        service.write_now(Acknowledge { user, cursor, upto, rewind: false }).unwrap();
        assert_eq!(service.send_due(false), Ok(None));
        let list = store::ListScheduled { sender: user, after: ScheduledId(0), max: 1 };
        assert_eq!(service.read_now(list), Ok(vec![]));
        service.store.close();
    }
}
