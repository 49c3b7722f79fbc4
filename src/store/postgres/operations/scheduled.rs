//! Messages that are sent later.

use std::collections::HashMap;

use postgres::Row;

use crate::model::{
    Body, Details, MailboxId, MailboxName, RoomName, ScheduledId, Timestamp, UserId, UserName,
};
use crate::store::postgres::append::{LANE, find_earlier, find_threads, ids_of};
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::operations::pages::details;
use crate::store::postgres::places::{Placed, find_places};
use crate::store::postgres::session::Session;
use crate::store::types::messages::{Append, Appended};
use crate::store::types::rooms::{Act, RoomRefused};
use crate::store::types::scheduled::{
    BeginSending, CancelScheduled, Cancelled, Due, FindDue, FoundDue, ListScheduled, SCHEDULED_MAX,
    Schedule, Scheduled, SettleScheduled, TakeSystemTime,
};

impl Apply for Schedule {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Scheduled> {
        let Self { message, due_at, now, .. } = self;
        let session = &mut *context.session;
        let recipients = find_recipients(session, message)?;
        let others = recipients.not_among(message);
        if !others.is_empty() {
            return Ok(Scheduled::Not(Appended::UnknownRecipients(others)));
        }
        // A key that is there already decides first.
        if message.key.is_some()
            && let Some(earlier) = find_earlier(session, message)?
        {
            return Ok(Scheduled::Not(earlier));
        }
        if let Some(earlier) = find_by_key(session, message)? {
            return Ok(earlier);
        }
        let mailboxes = match recipients.allowed(message) {
            Ok(mailboxes) => mailboxes,
            Err(refused) => return Ok(Scheduled::Not(refused)),
        };
        if message.reply_to().is_some()
            && find_threads(session, &[message])?.first().copied().flatten().is_none()
        {
            return Ok(Scheduled::Not(Appended::UnknownMessage));
        }
        let others: i64 = session
            .query_one(
                "SELECT count(*) FROM chat.scheduled WHERE sender_id = $1",
                &[&message.sender.0],
            )?
            .get(0);
        if usize::try_from(others).is_ok_and(|others| others >= SCHEDULED_MAX) {
            return Ok(Scheduled::TooMany);
        }
        let id: i64 = session
            .query_one(
                "INSERT INTO chat.scheduled
                        (id, sender_id, recipients, key, body, details, made_at, due_at)
                 VALUES (chat.next_number($1, 'scheduled'), $2, $3, $4, $5, $6, $7, $8)
                 RETURNING id",
                &[
                    &LANE,
                    &message.sender.0,
                    &mailboxes,
                    &message.key.as_ref().map(|key| key.as_str()),
                    &message.body.as_str().as_bytes(),
                    &message.details.as_deref().map(Details::to_json),
                    &now.0,
                    &due_at.0,
                ],
            )?
            .get(0);
        let is_room = is_room(&mailboxes);
        Ok(Scheduled::At { id: ScheduledId(id), said_at: *due_at, is_room, duplicate: false })
    }
}

/// The earlier scheduled message with the same key.
fn find_by_key(session: &mut Session, message: &Append) -> Result<Option<Scheduled>> {
    let Some(key) = &message.key else { return Ok(None) };
    let mut wanted = Vec::new();
    for to in message.readings() {
        let found = ids_of(session, &to, None)?;
        wanted.extend(found.map(|of| of.iter().map(|mailbox| mailbox.0).collect::<Vec<i64>>()));
    }
    let details = message.details.as_deref().map(Details::to_json);
    let row = session.query_opt(
        "SELECT id, due_at, recipients, body = $3 AND details IS NOT DISTINCT FROM $4
           FROM chat.scheduled WHERE sender_id = $1 AND key = $2",
        &[&message.sender.0, &key.as_str(), &message.body.as_str().as_bytes(), &details],
    )?;
    Ok(row.map(|row| {
        let (id, said_at) = (ScheduledId(row.get(0)), Timestamp(row.get(1)));
        let recipients: Vec<i64> = row.get(2);
        let are_same = |wanted: &Vec<i64>| {
            wanted.len() == recipients.len() && wanted.iter().all(|one| recipients.contains(one))
        };
        match row.get::<_, bool>(3) && wanted.iter().any(are_same) {
            true => Scheduled::At { id, said_at, is_room: is_room(&recipients), duplicate: true },
            false => Scheduled::Not(Appended::KeyConflict),
        }
    }))
}

fn is_room(recipients: &[i64]) -> bool {
    recipients.iter().any(|&mailbox| MailboxId(mailbox).room().is_some())
}

/// Those whom a message names: each one's mailbox, if there is one, and whether the sender may post
/// there. With [`Append::or_room`] these are the user and the room.
struct Named(Vec<(MailboxName, Option<MailboxId>, std::result::Result<(), RoomRefused>)>);

/// Looks for all of them at a time, because senders wait for the lock of the log meanwhile.
fn find_recipients(session: &mut Session, message: &Append) -> Result<Named> {
    let named: Vec<MailboxName> = message.readings().flatten().collect();
    let names: Vec<&str> =
        named.iter().filter_map(MailboxName::user).map(UserName::as_str).collect();
    let users = session.query(
        "SELECT u.name, u.id, EXISTS (SELECT FROM chat.blocks w
                                       WHERE w.user_id = u.id AND w.blocked_id = $2)
           FROM chat.users u WHERE u.name = ANY ($1) AND u.deleted_at IS NULL",
        &[&names, &message.sender.0],
    )?;
    let user = |row: &Row| {
        let is_blocked: bool = row.get(2);
        let may = if is_blocked { Err(RoomRefused::NotAllowed) } else { Ok(()) };
        (MailboxId(row.get(1)), may)
    };
    let users: HashMap<&str, _> = users.iter().map(|row| (row.get(0), user(row))).collect();
    let rooms = named.iter().filter_map(MailboxName::room);
    let rooms: Vec<(UserId, RoomName)> = rooms.map(|room| (message.sender, room.clone())).collect();
    let rooms = find_places(session, &rooms)?;
    let rooms: HashMap<&RoomName, &Placed> =
        rooms.iter().map(|((_, room), placed)| (room, placed)).collect();
    let found = named.iter().map(|name| {
        let found = match name {
            MailboxName::User(name) => users.get(name.as_str()).cloned(),
            MailboxName::Room(name) => {
                rooms.get(name).map(|(room, place)| ((*room).into(), place.may(Act::Post)))
            }
        };
        match found {
            Some((mailbox, may)) => (name.clone(), Some(mailbox), may),
            None => (name.clone(), None, Err(RoomRefused::Unknown)),
        }
    });
    Ok(Named(found.collect()))
}

impl Named {
    /// Those that the sender's access token may not send to. None if it may send to one of two that
    /// a name may mean.
    fn not_among(&self, message: &Append) -> Vec<MailboxName> {
        let is_target = |mailbox: &Option<MailboxId>| is_target(message, *mailbox);
        let others = || self.0.iter().filter(|(_, mailbox, _)| !is_target(mailbox));
        match message.or_room {
            true if others().count() < self.0.len() => Vec::new(),
            true => message.to.to_vec(),
            false => others().map(|(name, ..)| name.clone()).collect(),
        }
    }

    /// The mailboxes of those that are meant, or why the sender may not post there.
    fn allowed(&self, message: &Append) -> std::result::Result<Vec<i64>, Appended> {
        let chosen = match (message.or_room, &self.0[..]) {
            (true, [(_, user, _), (_, mailbox, post)]) => {
                let is_user = user.is_some() && is_target(message, *user);
                let post = match is_target(message, *mailbox) {
                    true => post.clone(),
                    false => Err(RoomRefused::Unknown),
                };
                message.choose(is_user, post)?
            }
            _ => message.to.clone(),
        };
        let (mut unknown, mut not_allowed, mut archived) = (Vec::new(), Vec::new(), Vec::new());
        let mut mailboxes = Vec::with_capacity(chosen.len());
        for (name, mailbox, may) in self.0.iter().filter(|(name, ..)| chosen.contains(name)) {
            match (mailbox, may) {
                (Some(mailbox), Ok(())) => mailboxes.push(mailbox.0),
                (_, Err(RoomRefused::NotAllowed)) => not_allowed.push(name.clone()),
                (_, Err(RoomRefused::Archived)) => archived.push(name.clone()),
                _ => unknown.push(name.clone()),
            }
        }
        if !unknown.is_empty() {
            Err(Appended::UnknownRecipients(unknown))
        } else if !not_allowed.is_empty() {
            Err(Appended::NotAllowed(not_allowed))
        } else if !archived.is_empty() {
            Err(Appended::RoomArchived(archived))
        } else {
            Ok(mailboxes)
        }
    }
}

/// Whether the sender's access token may send there.
fn is_target(message: &Append, mailbox: Option<MailboxId>) -> bool {
    let Some(targets) = &message.only else { return true };
    mailbox.is_some_and(|mailbox| targets.contains(&mailbox))
}

impl Apply for CancelScheduled {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Cancelled> {
        let row = context.session.query_opt(
            "SELECT begun FROM chat.scheduled WHERE id = $1 AND sender_id = $2",
            &[&self.id.0, &self.sender.0],
        )?;
        Ok(match row.map(|row| row.get::<_, bool>(0)) {
            None => Cancelled::Unknown,
            Some(true) => Cancelled::TooLate,
            Some(false) => {
                remove(context.session, self.id)?;
                Cancelled::Yes
            }
        })
    }
}

impl Apply for TakeSystemTime {
    /// The clock is that of the database, whatever server starts.
    fn apply(&self, _: &mut WriteContext<'_>) -> Result<usize> {
        Ok(0)
    }
}

impl Apply for BeginSending {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Vec<ScheduledId>> {
        let ids: Vec<i64> = self.0.iter().map(|id| id.0).collect();
        context.session.execute(
            "UPDATE chat.scheduled SET begun = true WHERE id = ANY ($1) AND NOT begun",
            &[&ids],
        )?;
        let rows =
            context.session.query("SELECT id FROM chat.scheduled WHERE id = ANY ($1)", &[&ids])?;
        Ok(rows.iter().map(|row| ScheduledId(row.get(0))).collect())
    }
}

impl Apply for SettleScheduled {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<bool> {
        remove(context.session, self.0)
    }
}

fn remove(session: &mut Session, id: ScheduledId) -> Result<bool> {
    let removed = session.execute("DELETE FROM chat.scheduled WHERE id = $1", &[&id.0])?;
    Ok(removed > 0)
}

/// Removes the scheduled messages of a deleted user.
pub(in crate::store) fn remove_all(session: &mut Session, user: UserId) -> Result<()> {
    session.execute("DELETE FROM chat.scheduled WHERE sender_id = $1", &[&user.0]).map(drop)
}

/// The columns of [`Due`].
macro_rules! select_due {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.sender_id, u.name, c.recipients,
                    ARRAY(SELECT coalesce(r.name, o.name)
                            FROM unnest(c.recipients) WITH ORDINALITY AS a (mailbox, place)
                            LEFT JOIN chat.users r ON r.id = a.mailbox AND r.deleted_at IS NULL
                            LEFT JOIN chat.rooms o ON o.id = -a.mailbox
                           ORDER BY a.place),
                    c.body, c.key, c.details, c.made_at, c.due_at
               FROM chat.scheduled c JOIN chat.users u ON u.id = c.sender_id ",
            $rest
        )
    };
}

impl Query for ListScheduled {
    fn query(&self, session: &mut Session) -> Result<Vec<Due>> {
        let rows = session.query(
            select_due!("WHERE c.sender_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3"),
            &[&self.sender.0, &self.after.0, &(self.max as i64)],
        )?;
        rows.iter().map(due).collect()
    }
}

impl Query for FindDue {
    fn query(&self, session: &mut Session) -> Result<FoundDue> {
        let (after, id) = self.place();
        let rows = session.query(
            select_due!(
                "WHERE c.due_at <= $1 AND (c.due_at, c.id) > ($2, $3)
                   AND u.disabled_at IS NULL AND u.deleted_at IS NULL
                 ORDER BY c.due_at, c.id LIMIT $4"
            ),
            &[&self.now.0, &after, &id, &(self.max as i64)],
        )?;
        let row = session.query_one(
            "SELECT min(due_at) FROM chat.scheduled WHERE due_at > $1",
            &[&self.now.0],
        )?;
        let next: Option<i64> = row.get(0);
        let due = rows.iter().map(due).collect::<Result<_>>()?;
        Ok(FoundDue { due, next: next.map(Timestamp) })
    }
}

fn due(row: &Row) -> Result<Due> {
    let (mailboxes, names): (Vec<i64>, Vec<Option<String>>) = (row.get(3), row.get(4));
    let name = |(mailbox, name): (i64, Option<String>)| -> Result<Option<MailboxName>> {
        let Some(name) = name else { return Ok(None) };
        Ok(Some(match mailbox < 0 {
            true => MailboxName::Room(name.parse::<RoomName>()?),
            false => MailboxName::User(name.parse::<UserName>()?),
        }))
    };
    let to = mailboxes.into_iter().zip(names).map(name).collect::<Result<_>>()?;
    let body = String::from_utf8(row.get::<_, Vec<u8>>(5))
        .map_err(|_| Error::Unexpected("the text of a scheduled message is not UTF-8"))?;
    Ok(Due {
        id: ScheduledId(row.get(0)),
        sender: UserId(row.get(1)),
        from: row.get::<_, &str>(2).parse()?,
        to,
        body: Body::try_from(body.into_boxed_str())?,
        key: row.get::<_, Option<&str>>(6).map(str::parse).transpose()?,
        details: details(row.get(7))?,
        made_at: Timestamp(row.get(8)),
        due_at: Timestamp(row.get(9)),
        said_at: Timestamp(row.get(9)),
    })
}
