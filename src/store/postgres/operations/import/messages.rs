//! Importing messages. Those that follow each other are looked up together, decided about one by
//! one in memory, and stored together. So the number of round trips does not depend on how many
//! they are.
//!
//! A decision must be the same as if the messages before it were stored already.

use std::collections::{HashMap, HashSet};

use crate::model::{Key, MessageId, Timestamp, UserId};
use crate::store::postgres::error::Result;
use crate::store::postgres::operations::cursors;
use crate::store::postgres::operations::import::Outcome;
use crate::store::postgres::operations::import::candidates::{
    Candidate, Found, Mailboxes, Parties, candidates, find_keys, find_messages, keeps_id,
    may_have_another_id,
};
use crate::store::postgres::session::Session;
use crate::store::types::transfer::Imported;
use crate::transfer::{Message, Taken};

/// Imports messages, up to the first that must be refused.
pub(super) fn add(
    session: &mut Session,
    node: i64,
    messages: &[&Message],
    imported: &mut Imported,
) -> Result<()> {
    let (run, decided) = decide(session, messages)?;
    for outcome in decided {
        match outcome {
            Ok(taken) => imported.taken.push(taken),
            Err(refused) => imported.refused = Some(refused),
        }
    }
    if run.new.is_empty() {
        return Ok(());
    }
    run.store_keys(session)?;
    run.store_messages(session, node)?;
    run.store_threads(session)?;
    for new in &run.new {
        if !imported.recipients.contains(&new.parties.recipient) {
            imported.recipients.push(new.parties.recipient);
        }
    }
    Ok(())
}

/// The outcome for each message, up to the first refusal; and what is to be stored.
fn decide<'a>(session: &mut Session, messages: &[&'a Message]) -> Result<(Run<'a>, Vec<Outcome>)> {
    // The log's lock is held: neither users nor messages change meanwhile.
    let head = cursors::head(session)?;
    let mailboxes = Mailboxes::look_up(session, messages)?;
    let candidates = candidates(messages, head, &mailboxes);
    let known = candidates.iter().filter_map(|candidate| candidate.as_ref().ok());
    let known: Vec<&Candidate<'_>> = known.collect();
    let there = find_messages(session, &known, head)?;
    let unknown = known.into_iter().filter(|candidate| !there.contains(&candidate.place));
    let mut keys = find_keys(session, unknown.collect())?;
    let mut run = Run::after(head);
    let mut decided = Vec::with_capacity(messages.len());
    for candidate in candidates {
        let outcome = candidate.and_then(|candidate| {
            let keys = keys.remove(&candidate.place).unwrap_or_default();
            run.decide(candidate, &there, keys)
        });
        let is_refused = outcome.is_err();
        decided.push(outcome);
        if is_refused {
            break;
        }
    }
    Ok((run, decided))
}

/// A message that is to be stored.
struct New<'a> {
    id: MessageId,
    /// Its key here.
    key: Option<Key>,
    message: &'a Message,
    parties: Parties,
    details: Option<String>,
}

impl New<'_> {
    fn at(&self) -> Timestamp {
        self.message.at
    }

    fn has_content_of(&self, candidate: &Candidate<'_>) -> bool {
        self.message.body == candidate.message.body && self.details == candidate.details
    }

    /// Whether it will be this very message, with its id.
    fn is(&self, candidate: &Candidate<'_>) -> bool {
        self.at() == candidate.message.at
            && self.parties == candidate.parties
            && self.key == candidate.message.key
            && self.has_content_of(candidate)
    }
}

/// The meaning of a sender's key.
enum KeyMeaning {
    /// No message has the key, or the message of which this is a missing copy.
    Free,
    /// This very copy has the key, and this id.
    This(MessageId),
    /// Another message has the key.
    Another(MessageId),
}

/// What is to be stored, in the order of the ids.
struct Run<'a> {
    /// The id of the next message.
    next: MessageId,
    new: Vec<New<'a>>,
    /// The places in `new`.
    by_id: HashMap<MessageId, usize>,
    by_key: HashMap<(Key, UserId), Vec<usize>>,
}

impl<'a> Run<'a> {
    fn after(head: MessageId) -> Self {
        let next = MessageId(head.0 + 1);
        Self { next, new: Vec::new(), by_id: HashMap::new(), by_key: HashMap::new() }
    }

    /// Decides about the next message, and plans to store it.
    fn decide(
        &mut self,
        candidate: Candidate<'a>,
        there: &HashSet<usize>,
        mut keys: Vec<Found>,
    ) -> Outcome {
        let message = candidate.message;
        let is_new = |&place: &usize| self.new[place].is(&candidate);
        if there.contains(&candidate.place) || self.by_id.get(&message.id).is_some_and(is_new) {
            return Ok(Taken::There(message.id));
        }
        let keeps_id = keeps_id(message.id, self.next);
        let has_key = message.key.is_some() || may_have_another_id(message.id, self.next);
        let key = candidate.key.clone().filter(|_| has_key);
        if let Some(key) = &key {
            keys.extend(self.find_key(&candidate, key));
            match meaning(&keys) {
                KeyMeaning::Free => {}
                KeyMeaning::This(id) => return Ok(Taken::There(id)),
                KeyMeaning::Another(id) => {
                    let (key, from) = (key.as_str(), &message.from);
                    return Err(format!("the key {key:?} of {from} belongs to message {}", id.0));
                }
            }
        }
        let (id, key) = if keeps_id { (message.id, message.key.clone()) } else { (self.next, key) };
        let Candidate { parties, details, .. } = candidate;
        self.next = MessageId(id.0 + 1);
        let place = self.new.len();
        self.by_id.insert(id, place);
        if let Some(key) = &key {
            self.by_key.entry((key.clone(), parties.sender)).or_default().push(place);
        }
        self.new.push(New { id, key, message, parties, details });
        Ok(Taken::Stored(id))
    }

    /// The new messages that have this key of the candidate's sender.
    fn find_key(&self, candidate: &Candidate<'_>, key: &Key) -> Vec<Found> {
        let sender = candidate.parties.sender;
        let places = self.by_key.get(&(key.clone(), sender)).into_iter().flatten();
        let found = |new: &New<'_>| Found {
            id: new.id,
            is_to_same: new.parties.recipient == candidate.parties.recipient,
            has_same_content: new.has_content_of(candidate),
            has_same_time: new.at() == candidate.message.at,
        };
        places.map(|&place| found(&self.new[place])).collect()
    }

    /// Notes that copies of the messages that have the keys have these ids. The first copy of a
    /// key may be stored already.
    fn store_keys(&self, session: &mut Session) -> Result<()> {
        if self.by_key.is_empty() {
            return Ok(());
        }
        let (mut keys, mut senders) = (Vec::new(), Vec::new());
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for ((key, sender), places) in &self.by_key {
            if let (Some(&lowest), Some(&highest)) = (places.first(), places.last()) {
                keys.push(key.as_str());
                senders.push(sender.0);
                first.push(self.new[lowest].id.0);
                last.push(self.new[highest].id.0);
            }
        }
        session.execute(
            "INSERT INTO chat.keys (key, sender_id, first_id, last_id)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
                 ON CONFLICT (key, sender_id) DO UPDATE SET last_id = excluded.last_id",
            &[&keys, &senders, &first, &last],
        )?;
        Ok(())
    }

    /// Stores the messages, as a commit of the log that nobody looks for, and wakes the nodes.
    fn store_messages(&self, session: &mut Session, node: i64) -> Result<()> {
        let ids: Vec<i64> = self.ids(|_| true);
        let times: Vec<i64> = self.new.iter().map(|new| new.at().0).collect();
        let senders: Vec<i64> = self.new.iter().map(|new| new.parties.sender.0).collect();
        let mailboxes: Vec<i64> = self.new.iter().map(|new| new.parties.recipient.0).collect();
        let keys: Vec<Option<&str>> =
            self.new.iter().map(|new| new.key.as_ref().map(Key::as_str)).collect();
        let bodies: Vec<&[u8]> =
            self.new.iter().map(|new| new.message.body.as_str().as_bytes()).collect();
        let details: Vec<Option<&str>> =
            self.new.iter().map(|new| new.details.as_deref()).collect();
        session.query_one(
            "WITH stored AS (
                 INSERT INTO chat.messages (id, sent_at, sender_id, mailbox_id, key, body, details)
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                                      $5::text[], $6::bytea[], $7::text[])
                 RETURNING id)
             INSERT INTO chat.batches (last_id, first_id, node, batch, at)
             SELECT max(id), min(id), $8, -max(id), chat.now_ms() FROM stored
             RETURNING pg_notify('chat', last_id::text)::text",
            &[&ids, &times, &senders, &mailboxes, &keys, &bodies, &details, &node],
        )?;
        Ok(())
    }

    /// Puts answers into the threads of the messages that they answer. If such a message was
    /// purged, it may still be where the thread begins.
    fn store_threads(&self, session: &mut Session) -> Result<()> {
        let mut begins: HashMap<MessageId, MessageId> = HashMap::new();
        for new in &self.new {
            if let Some(answered) = new.message.details.as_ref().and_then(|of| of.reply_to) {
                // Where the answered message is new and an answer itself.
                let stored = begins.get(&answered).copied().unwrap_or(answered);
                begins.insert(new.id, stored);
            }
        }
        if begins.is_empty() {
            return Ok(());
        }
        let ids = self.ids(|new| begins.contains_key(&new.id));
        let begins: Vec<i64> = ids.iter().map(|id| begins[&MessageId(*id)].0).collect();
        session.execute(
            "INSERT INTO chat.threads (message_id, thread_id)
             SELECT a.id, coalesce(t.thread_id, a.begin)
               FROM unnest($1::bigint[], $2::bigint[]) AS a (id, begin)
               LEFT JOIN chat.threads t ON t.message_id = a.begin",
            &[&ids, &begins],
        )?;
        Ok(())
    }

    fn ids(&self, which: impl Fn(&New<'_>) -> bool) -> Vec<i64> {
        self.new.iter().filter(|new| which(new)).map(|new| new.id.0).collect()
    }
}

/// Messages with one key are copies of one message only if they have its text and time. Any other
/// message would give the key two meanings, and the sender's next try would be a conflict.
fn meaning(found: &[Found]) -> KeyMeaning {
    let mut meaning = KeyMeaning::Free;
    for found in found {
        match (found.is_to_same, found.has_same_content, found.has_same_time) {
            (true, true, _) => return KeyMeaning::This(found.id),
            (false, true, true) => {}
            _ => meaning = KeyMeaning::Another(found.id),
        }
    }
    meaning
}
