//! What an import asks the database about messages before it decides: who their users are, and
//! which of them are stored already.

use std::collections::{HashMap, HashSet};

use crate::model::{Details, Key, MailboxId, MailboxName, MessageId, UserId};
use crate::store::postgres::error::Result;
use crate::store::postgres::session::Session;
use crate::store::types::transfer::{KEPT_ID_MAX, refused_id};
use crate::transfer::Message;

/// The users and rooms that messages name.
pub(super) struct Mailboxes(HashMap<String, (MailboxId, bool)>);

impl Mailboxes {
    pub(super) fn look_up(session: &mut Session, messages: &[&Message]) -> Result<Self> {
        let names = messages.iter().flat_map(|of| [of.from.as_str(), of.to.as_str()]);
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names.dedup();
        let rows = session.query(
            "SELECT name, id, deleted_at IS NOT NULL FROM chat.users WHERE name = ANY ($1)
              UNION ALL
             SELECT name, -id, false FROM chat.rooms WHERE name = ANY ($1)",
            &[&names],
        )?;
        Ok(Self(rows.iter().map(|row| (row.get(0), (MailboxId(row.get(1)), row.get(2)))).collect()))
    }

    /// The mailbox of this name. A message without an id is sent now, so its users must not be
    /// deleted.
    fn find(
        &self,
        name: &MailboxName,
        message: &Message,
    ) -> std::result::Result<MailboxId, String> {
        match self.0.get(name.as_str()) {
            Some(&(id, is_deleted)) if !is_deleted || message.id != MessageId::ZERO => Ok(id),
            _ => {
                let kind = if name.room().is_some() { "room" } else { "user" };
                Err(format!("there is no {kind} {name}"))
            }
        }
    }
}

/// The sender and the recipient of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Parties {
    pub(super) sender: UserId,
    pub(super) recipient: MailboxId,
}

/// A message to decide about.
pub(super) struct Candidate<'a> {
    /// Its number in the run.
    pub(super) place: usize,
    pub(super) message: &'a Message,
    pub(super) parties: Parties,
    /// The stored form of its details.
    pub(super) details: Option<String>,
    /// Its key, or the key by which its content is known if it may get another id.
    pub(super) key: Option<Key>,
}

/// The messages, or why they must be refused whatever is stored.
pub(super) fn candidates<'a>(
    messages: &[&'a Message],
    head: MessageId,
    mailboxes: &Mailboxes,
) -> Vec<std::result::Result<Candidate<'a>, String>> {
    // The next id, if all messages are stored. Where some are not, the next id is lower. So a
    // message that keeps its id here also keeps it then.
    let mut next_max = MessageId(head.0 + 1);
    let candidate = |(place, &message): (usize, &&'a Message)| {
        if let Some(refused) = refused_id(message.id) {
            return Err(refused);
        }
        let sender = mailboxes.find(&message.from.clone().into(), message)?;
        let parties =
            Parties { sender: UserId(sender.0), recipient: mailboxes.find(&message.to, message)? };
        let by_content =
            || may_have_another_id(message.id, next_max).then(|| message.key_of_content());
        let key = message.key.clone().or_else(by_content);
        let id = if keeps_id(message.id, next_max) { message.id } else { next_max };
        next_max = MessageId(id.0 + 1);
        let details = message.details.as_deref().map(Details::to_json);
        Ok(Candidate { place, message, parties, details, key })
    };
    messages.iter().enumerate().map(candidate).collect()
}

/// Whether a message keeps its id: if that is the next id here, or a higher one up to
/// [`KEPT_ID_MAX`]. Otherwise it gets the next id.
pub(super) fn keeps_id(id: MessageId, next: MessageId) -> bool {
    id == next || (next..=KEPT_ID_MAX).contains(&id)
}

/// Whether the id of a message here is, or may be from an earlier import, another one. Such a
/// message without a key is known by its content, so that a second import recognises it.
pub(super) fn may_have_another_id(id: MessageId, next: MessageId) -> bool {
    !keeps_id(id, next) || id > KEPT_ID_MAX
}

/// The numbers of the messages that are stored already, with their ids.
pub(super) fn find_messages(
    session: &mut Session,
    candidates: &[&Candidate<'_>],
    head: MessageId,
) -> Result<HashSet<usize>> {
    let may_be_there = |candidate: &&&Candidate<'_>| candidate.message.id <= head;
    let candidates: Vec<_> = candidates.iter().filter(may_be_there).copied().collect();
    if candidates.is_empty() {
        return Ok(HashSet::new());
    }
    let columns = Columns::of(&candidates, |candidate| candidate.message.key.as_ref());
    let ids: Vec<i64> = candidates.iter().map(|candidate| candidate.message.id.0).collect();
    let rows = session.query(
        "SELECT a.place
           FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                       $6::text[], $7::bytea[], $8::text[])
                AS a (place, id, at, sender, mailbox, key, body, details)
           JOIN chat.messages m ON m.id = a.id
          WHERE m.sent_at = a.at AND m.sender_id = a.sender AND m.mailbox_id = a.mailbox
            AND m.key IS NOT DISTINCT FROM a.key
            AND (m.body = a.body AND m.details IS NOT DISTINCT FROM a.details
                 OR (a.details::jsonb) ? 'edited')",
        &[
            &columns.places,
            &ids,
            &columns.times,
            &columns.senders,
            &columns.mailboxes,
            &columns.keys,
            &columns.bodies,
            &columns.details,
        ],
    )?;
    Ok(rows.iter().map(|row| row.get::<_, i64>(0) as usize).collect())
}

/// A stored message that has the key of a candidate, compared with the candidate.
pub(super) struct Found {
    pub(super) id: MessageId,
    pub(super) is_to_same: bool,
    pub(super) has_same_content: bool,
    pub(super) has_same_time: bool,
}

/// The stored messages that have the key of each candidate, by the candidate's number.
pub(super) fn find_keys(
    session: &mut Session,
    mut candidates: Vec<&Candidate<'_>>,
) -> Result<HashMap<usize, Vec<Found>>> {
    candidates.retain(|candidate| candidate.key.is_some());
    let mut found: HashMap<usize, Vec<Found>> = HashMap::new();
    if candidates.is_empty() {
        return Ok(found);
    }
    let columns = Columns::of(&candidates, |candidate| candidate.key.as_ref());
    let rows = session.query(
        "SELECT a.place, m.id, m.mailbox_id = a.mailbox,
                m.body = a.body AND m.details IS NOT DISTINCT FROM a.details, m.sent_at = a.at
           FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                       $5::text[], $6::bytea[], $7::text[])
                AS a (place, at, sender, mailbox, key, body, details)
           JOIN chat.keys k ON k.key = a.key AND k.sender_id = a.sender
           JOIN chat.messages m ON m.id BETWEEN k.first_id AND k.last_id
            AND m.key = k.key AND m.sender_id = k.sender_id
          ORDER BY m.id",
        &[
            &columns.places,
            &columns.times,
            &columns.senders,
            &columns.mailboxes,
            &columns.keys,
            &columns.bodies,
            &columns.details,
        ],
    )?;
    for row in rows {
        found.entry(row.get::<_, i64>(0) as usize).or_default().push(Found {
            id: MessageId(row.get(1)),
            is_to_same: row.get(2),
            has_same_content: row.get(3),
            has_same_time: row.get(4),
        });
    }
    Ok(found)
}

/// Candidates as arrays.
struct Columns<'a> {
    places: Vec<i64>,
    times: Vec<i64>,
    senders: Vec<i64>,
    mailboxes: Vec<i64>,
    keys: Vec<Option<&'a str>>,
    bodies: Vec<&'a [u8]>,
    details: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn of(
        candidates: &[&'a Candidate<'_>],
        key: impl Fn(&'a Candidate<'_>) -> Option<&'a Key>,
    ) -> Self {
        let each = || candidates.iter().copied();
        Self {
            places: each().map(|candidate| candidate.place as i64).collect(),
            times: each().map(|candidate| candidate.message.at.0).collect(),
            senders: each().map(|candidate| candidate.parties.sender.0).collect(),
            mailboxes: each().map(|candidate| candidate.parties.recipient.0).collect(),
            keys: each().map(|candidate| key(candidate).map(Key::as_str)).collect(),
            bodies: each().map(|candidate| candidate.message.body.as_str().as_bytes()).collect(),
            details: each().map(|candidate| candidate.details.as_deref()).collect(),
        }
    }
}
