//! Appending: all messages of a batch are one call of one function.
//!
//! A message is checked in memory first ([`Names`]). `append` then stores the whole batch, unless
//! that memory is old.

mod recipients;

use std::collections::{HashMap, HashSet};

use postgres::Row;
use postgres::types::ToSql;

use crate::model::{Details, MailboxId, MailboxName, MessageId, Timestamp};
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::names::Names;
use crate::store::postgres::session::Session;
use crate::store::types::messages::{Append, Appended, Copies};
use recipients::{full_inboxes, not_among, recipients};

/// How often a batch is checked again, because something changed meanwhile.
const TRIES_MAX: usize = 1_000;
/// The lane: there is one.
pub(in crate::store) const LANE: i32 = 0;

/// Which node does this, and which of its batches it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct BatchId {
    pub(in crate::store) node: i64,
    pub(in crate::store) batch: i64,
}

/// What became of the messages of a batch.
pub(in crate::store) struct Stored {
    /// The answer to each, in their order. `None` if its sender does not exist.
    pub(in crate::store) answers: Vec<Option<Appended>>,
    /// The id of the first new copy, and the time; `None` if there is no new one.
    pub(in crate::store) first: Option<(MessageId, Timestamp)>,
}

impl Stored {
    /// Whether an answer depends on an earlier message with the same key.
    fn tells_of_earlier(&self) -> bool {
        let is_of_key =
            |answer: &Appended| matches!(answer, Appended::Stored { .. } | Appended::KeyConflict);
        self.answers.iter().flatten().any(is_of_key)
    }
}

/// The messages of a batch, on their way into the log.
pub(in crate::store) struct Appending<'a> {
    id: BatchId,
    messages: Vec<&'a Append>,
    /// What the last call of `append` was to store.
    plan: &'a mut Option<Plan>,
}

impl<'a> Appending<'a> {
    /// `plan` is `None` at first. It outlives a broken connection.
    pub(in crate::store) fn new(
        id: BatchId,
        messages: Vec<&'a Append>,
        plan: &'a mut Option<Plan>,
    ) -> Self {
        Self { id, messages, plan }
    }

    /// Stores the messages in one commit. After an error with [`Error::is_lost`], [`Self::find`]
    /// tells whether they are stored.
    pub(in crate::store) fn store(
        &mut self,
        session: &mut Session,
        names: &mut Names,
        inbox_unread_max: usize,
    ) -> Result<Stored> {
        for _ in 0..TRIES_MAX {
            let plan = Plan::make(session, names, &self.messages, inbox_unread_max)?;
            let plan = self.plan.insert(plan);
            match plan.call(session, names, self.id, &self.messages)? {
                Some(rows) => {
                    session.check_replicated()?;
                    let stored = plan.conclude(session, &self.messages, &rows)?;
                    // Nothing was written, so the commit waited for no standby. But the wait of the
                    // commit that has stored the earlier messages may have been interrupted.
                    if stored.first.is_none() && stored.tells_of_earlier() {
                        session.prove(self.id.node)?;
                    }
                    return Ok(stored);
                }
                None => names.catch_up(session)?,
            }
        }
        Err(Error::Unexpected("something changed each time before the messages were stored"))
    }

    /// After a broken connection: the answers, if the messages are stored.
    pub(in crate::store) fn find(&mut self, session: &mut Session) -> Result<Option<Stored>> {
        let row = session.query_opt(
            "SELECT first_id, at FROM chat.find_batch($1, $2, $3)",
            &[&LANE, &self.id.node, &self.id.batch],
        )?;
        session.check_replicated()?;
        let (Some(row), Some(plan)) = (row, self.plan.as_mut()) else { return Ok(None) };
        let (first, at) = (MessageId(row.get(0)), Timestamp(row.get(1)));
        let posts: Vec<&Append> = plan.posts.iter().map(|&place| self.messages[place]).collect();
        let mut found: Vec<Earlier> =
            find_posts(session, &posts)?.iter().map(Earlier::of).collect();
        found.sort_by_key(|post| post.number);
        let mut known = HashSet::new();
        // A key is that of an earlier message if it was there before, or is in the batch before.
        found.retain(|post| {
            let is_new = known.insert(post.first());
            !is_new || post.first() < first
        });
        plan.answer(session, &self.messages, (first, at), &found).map(Some)
    }
}

/// What is to be stored.
pub(in crate::store) struct Plan {
    /// The answers so far: those of messages that are not stored.
    answers: Vec<Option<Appended>>,
    /// The places of the messages to be stored.
    posts: Vec<usize>,
    /// The recipients of each of them.
    copies: Vec<Copies>,
    /// The thread that each of them joins, if it answers a message.
    threads: Vec<Option<MessageId>>,
}

impl Plan {
    /// Checks each message in memory.
    fn make(
        session: &mut Session,
        names: &mut Names,
        messages: &[&Append],
        inbox_unread_max: usize,
    ) -> Result<Self> {
        names.look_up(
            session,
            messages.iter().flat_map(|message| &message.to).filter_map(MailboxName::user),
            messages.iter().map(|message| message.sender),
        )?;
        let receivers = messages.iter().flat_map(|message| &message.to);
        names.look_up_blocks(session, receivers.filter_map(MailboxName::user))?;
        let posts = messages.iter().flat_map(|message| {
            let named = message.readings().flatten();
            named.filter_map(|name| Some((message.sender, name.room()?.clone())))
        });
        names.look_up_places(session, posts)?;
        let mut threads = find_threads(session, messages)?.into_iter();
        let mut plan = Self {
            answers: vec![None; messages.len()],
            posts: Vec::new(),
            copies: Vec::new(),
            threads: Vec::new(),
        };
        let mut reserved: HashMap<MailboxId, usize> = HashMap::new();
        for (place, message) in messages.iter().enumerate() {
            let thread = message.reply_to().map(|_| threads.next().flatten());
            // A removed user can send nothing.
            if names.name(message.sender).is_none() {
                continue;
            }
            let others = not_among(names, message);
            if !others.is_empty() {
                plan.answers[place] = Some(Appended::UnknownRecipients(others));
                continue;
            }
            let refused = match recipients(names, message) {
                Err(refused) => refused,
                Ok(copies) => {
                    let full = full_inboxes(
                        session,
                        names,
                        (message, &copies),
                        inbox_unread_max,
                        &mut reserved,
                    )?;
                    if full.is_empty() && thread != Some(None) {
                        plan.posts.push(place);
                        plan.copies.push(copies);
                        plan.threads.push(thread.flatten());
                        continue;
                    }
                    if full.is_empty() {
                        Appended::UnknownMessage
                    } else {
                        Appended::InboxFull(full)
                    }
                }
            };
            // A key that is there already decides first.
            let earlier = find_earlier(session, message)?;
            plan.answers[place] = Some(earlier.unwrap_or(refused));
        }
        Ok(plan)
    }

    /// Calls `append`. `None` if the memory is old.
    fn call(
        &self,
        session: &mut Session,
        names: &Names,
        id: BatchId,
        messages: &[&Append],
    ) -> Result<Option<Vec<Row>>> {
        if self.posts.is_empty() {
            // Nothing is stored, but the refusals must not come from an old memory.
            let row = session.query_one("SELECT chat.newest_change($1)", &[&LANE])?;
            return Ok((row.get::<_, i64>(0) == names.changes).then(Vec::new));
        }
        let posts = || self.posts.iter().map(|&place| messages[place]);
        let senders: Vec<i64> = posts().map(|message| message.sender.0).collect();
        let keys: Vec<Option<&str>> =
            posts().map(|message| message.key.as_ref().map(|key| key.as_str())).collect();
        let bodies: Vec<&[u8]> = posts().map(|message| message.body.as_str().as_bytes()).collect();
        let details = details(posts());
        let threads: Option<Vec<Option<i64>>> = (self.threads.iter().any(Option::is_some))
            .then(|| self.threads.iter().map(|thread| thread.map(|id| id.0)).collect());
        let (mut numbers, mut mailboxes) = (Vec::new(), Vec::new());
        for (number, copies) in (1_i32..).zip(&self.copies) {
            for (recipient, _) in copies {
                numbers.push(number);
                mailboxes.push(recipient.0);
            }
        }
        let parameters: &[&(dyn ToSql + Sync)] = &[
            &LANE,
            &id.node,
            &id.batch,
            &names.changes,
            &senders,
            &keys,
            &bodies,
            &details,
            &threads,
            &numbers,
            &mailboxes,
        ];
        let rows = session.query(
            "SELECT post, id, at, ids, mailboxes, same
               FROM chat.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            parameters,
        )?;
        Ok((!rows.is_empty()).then_some(rows))
    }

    /// The answers after a successful call.
    fn conclude(
        &mut self,
        session: &mut Session,
        messages: &[&Append],
        rows: &[Row],
    ) -> Result<Stored> {
        let Some((head, earlier)) = rows.split_first() else {
            return Ok(Stored { answers: std::mem::take(&mut self.answers), first: None });
        };
        let first = (MessageId(head.get(1)), Timestamp(head.get(2)));
        let earlier: Vec<Earlier> = earlier.iter().map(Earlier::of).collect();
        self.answer(session, messages, first, &earlier)
    }

    /// Gives the new copies their ids. `earlier` has the messages whose key was there.
    fn answer(
        &mut self,
        session: &mut Session,
        messages: &[&Append],
        (first, at): (MessageId, Timestamp),
        earlier: &[Earlier],
    ) -> Result<Stored> {
        let mut next = first;
        for (number, (&place, copies)) in (1_i32..).zip(self.posts.iter().zip(&mut self.copies)) {
            let earlier = earlier.iter().find(|post| post.number == number);
            self.answers[place] = Some(match earlier {
                Some(earlier) => compare(session, messages[place], earlier)?,
                None => {
                    for (_, id) in copies.iter_mut() {
                        *id = next;
                        next = MessageId(next.0 + 1);
                    }
                    Appended::Stored { copies: copies.clone(), at, duplicate: false }
                }
            });
        }
        let first = (next != first).then_some((first, at));
        Ok(Stored { answers: std::mem::take(&mut self.answers), first })
    }
}

/// The earlier message with the key of a post.
struct Earlier {
    /// The number of the post.
    number: i32,
    at: Timestamp,
    /// Whether its text and details are those of the post.
    is_same: bool,
    copies: Copies,
}

impl Earlier {
    /// From a row of `append` or `find_posts`.
    fn of(row: &Row) -> Self {
        let (ids, mailboxes): (Vec<i64>, Vec<i64>) = (row.get(3), row.get(4));
        let copies = mailboxes.into_iter().zip(ids);
        let copies = copies.map(|(mailbox, id)| (MailboxId(mailbox), MessageId(id))).collect();
        Self { number: row.get(0), at: Timestamp(row.get(2)), is_same: row.get(5), copies }
    }

    fn first(&self) -> MessageId {
        self.copies.first().map_or(MessageId::ZERO, |&(_, id)| id)
    }
}

fn find_posts(session: &mut Session, posts: &[&Append]) -> Result<Vec<Row>> {
    let numbers: Vec<i32> = (1_i32..)
        .zip(posts)
        .filter(|(_, message)| message.key.is_some())
        .map(|(number, _)| number)
        .collect();
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let senders: Vec<i64> = posts.iter().map(|message| message.sender.0).collect();
    let keys: Vec<Option<&str>> =
        posts.iter().map(|message| message.key.as_ref().map(|key| key.as_str())).collect();
    let bodies: Vec<&[u8]> = posts.iter().map(|message| message.body.as_str().as_bytes()).collect();
    let details = details(posts.iter().copied());
    session.query(
        "SELECT post, id, at, ids, mailboxes, same FROM chat.find_posts($1, $2, $3, $4, $5, $6)",
        &[&LANE, &numbers, &senders, &keys, &bodies, &details],
    )
}

/// The stored form of the details of each message. `None` if none has any.
fn details<'a>(messages: impl Iterator<Item = &'a Append>) -> Option<Vec<Option<String>>> {
    let details = messages.map(|message| message.details.as_deref().map(Details::to_json));
    let details: Vec<Option<String>> = details.collect();
    details.iter().any(Option::is_some).then_some(details)
}

/// The threads of the messages that these answer, in their order. `None` where the sender can read
/// no such message. Nobody knows the id of a message of the same batch yet, so such a message is
/// unknown too.
pub(in crate::store) fn find_threads(
    session: &mut Session,
    messages: &[&Append],
) -> Result<Vec<Option<MessageId>>> {
    let answers = || messages.iter().filter_map(|message| Some((message.reply_to()?, message)));
    let ids: Vec<i64> = answers().map(|(id, _)| id.0).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let readers: Vec<i64> = answers().map(|(_, message)| message.sender.0).collect();
    let row =
        session.query_one("SELECT chat.find_threads($1, $2, $3)", &[&LANE, &ids, &readers])?;
    let threads: Vec<Option<i64>> = row.get(0);
    Ok(threads.into_iter().map(|id| id.map(MessageId)).collect())
}

/// The answer to a message that would be refused, if its key is there already.
pub(in crate::store) fn find_earlier(
    session: &mut Session,
    message: &Append,
) -> Result<Option<Appended>> {
    let found = find_posts(session, &[message])?;
    found.first().map(|row| compare(session, message, &Earlier::of(row))).transpose()
}

/// Compares a message with the earlier message that has its key. A key means what it meant when it
/// was stored: the recipients are users, not names. So the names are resolved as of that time. If
/// the sender uses the current names, they mean the same users.
fn compare(session: &mut Session, message: &Append, earlier: &Earlier) -> Result<Appended> {
    let Some(&(_, then)) = earlier.copies.first() else { return Ok(Appended::KeyConflict) };
    if earlier.is_same && message.may_reach(&earlier.copies) {
        for to in message.readings() {
            for before in [Some(then), None] {
                let recipients = ids_of(session, &to, before)?;
                if let Some(copies) = recipients.and_then(|of| copies_for(&of, &earlier.copies)) {
                    return Ok(Appended::Stored { copies, at: earlier.at, duplicate: true });
                }
            }
        }
    }
    Ok(Appended::KeyConflict)
}

/// The mailboxes that had these names when the message `then` was stored, or that have them now.
/// `None` if a name belongs to nobody. A room keeps its name.
pub(in crate::store) fn ids_of(
    session: &mut Session,
    to: &[MailboxName],
    then: Option<MessageId>,
) -> Result<Option<Vec<MailboxId>>> {
    let names: Vec<&str> = to.iter().map(MailboxName::as_str).collect();
    let then = then.map(|id| id.0);
    let rows = session.query(
        "SELECT coalesce((SELECT f.user_id FROM chat.former_names f
                           WHERE f.name = n.name AND f.upto_id >= $2
                           ORDER BY f.upto_id LIMIT 1),
                         (SELECT u.id FROM chat.users u WHERE u.name = n.name),
                         (SELECT -x.id FROM chat.rooms x WHERE x.name = n.name))
           FROM unnest($1::text[]) WITH ORDINALITY AS n (name, place) ORDER BY n.place",
        &[&names, &then],
    )?;
    Ok(rows.iter().map(|row| row.get::<_, Option<i64>>(0).map(MailboxId)).collect())
}

/// The copies, in the order of the recipients. `None` if the copies have other recipients.
fn copies_for(recipients: &[MailboxId], copies: &Copies) -> Option<Copies> {
    let is_asked_for = |(mailbox, _): &(MailboxId, MessageId)| recipients.contains(mailbox);
    if recipients.len() != copies.len() || !copies.iter().all(is_asked_for) {
        return None;
    }
    let copy = |mailbox| copies.iter().find(|(recipient, _)| recipient == mailbox).copied();
    recipients.iter().map(copy).collect()
}
