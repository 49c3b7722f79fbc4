//! Who gets a message, or why it is refused before it is stored.

use std::collections::HashMap;

use crate::model::{MailboxId, MailboxName, MessageId, UserId};
use crate::store::postgres::error::Result;
use crate::store::postgres::names::Names;
use crate::store::postgres::session::Session;
use crate::store::types::messages::{Append, Appended, Copies, Recipients, as_room};
use crate::store::types::rooms::{Act, RoomRefused};

/// The names of the recipients. A name that may be a user's or a room's is the one that is meant.
fn chosen(names: &Names, message: &Append) -> std::result::Result<Recipients, Appended> {
    if !message.or_room {
        return Ok(message.to.clone());
    }
    let is_target =
        |mailbox: MailboxId| message.only.as_ref().is_none_or(|targets| targets.contains(&mailbox));
    let user = message.to.iter().find_map(|to| names.id(to.user()?));
    let is_user = user.is_some_and(|user| is_target(user.into()));
    let room = as_room(&message.to);
    let place = room.iter().find_map(|name| names.place(message.sender, name.room()?));
    let place = place.filter(|(room, _)| is_target((*room).into()));
    let post = place.map_or(Err(RoomRefused::Unknown), |(_, place)| place.may(Act::Post));
    message.choose(is_user, post)
}

/// The recipients, without ids; or why the message is refused: names that belong to nobody come
/// before rooms where the sender may not post, and those before archived rooms.
pub(super) fn recipients(names: &Names, message: &Append) -> std::result::Result<Copies, Appended> {
    let mut copies = Copies::new();
    let (mut unknown, mut not_allowed, mut archived) = (Vec::new(), Vec::new(), Vec::new());
    for name in &chosen(names, message)? {
        match mailbox(names, message.sender, name) {
            Ok(mailbox) => copies.push((mailbox, MessageId::ZERO)),
            Err(RoomRefused::NotAllowed) => not_allowed.push(name.clone()),
            Err(RoomRefused::Archived) => archived.push(name.clone()),
            Err(_) => unknown.push(name.clone()),
        }
    }
    if !unknown.is_empty() {
        Err(Appended::UnknownRecipients(unknown))
    } else if !not_allowed.is_empty() {
        Err(Appended::NotAllowed(not_allowed))
    } else if !archived.is_empty() {
        Err(Appended::RoomArchived(archived))
    } else {
        Ok(copies)
    }
}

/// The recipients that the sender's access token may not send to. A user who does not exist is like
/// one who is no target.
pub(super) fn not_among(names: &Names, message: &Append) -> Vec<MailboxName> {
    let Some(targets) = &message.only else { return Vec::new() };
    let is_other = |name: &&MailboxName| {
        let found = match name {
            MailboxName::User(name) => names.id(name).map(MailboxId::from),
            MailboxName::Room(name) => {
                names.place(message.sender, name).map(|(room, _)| room.into())
            }
        };
        !found.is_some_and(|found| targets.contains(&found))
    };
    let others = |to: Recipients| to.iter().filter(is_other).cloned().collect();
    let mut readings = message.readings().map(others);
    let first: Vec<MailboxName> = readings.next().unwrap_or_default();
    match readings.any(|others| others.is_empty()) {
        true => Vec::new(),
        false => first,
    }
}

/// The mailbox of a user who does not block the sender, or of a room where the sender may post.
fn mailbox(
    names: &Names,
    sender: UserId,
    name: &MailboxName,
) -> std::result::Result<MailboxId, RoomRefused> {
    match name {
        MailboxName::User(name) => {
            let user = names.id(name).ok_or(RoomRefused::Unknown)?;
            match names.is_blocked(sender, user) {
                true => Err(RoomRefused::NotAllowed),
                false => Ok(user.into()),
            }
        }
        MailboxName::Room(name) => {
            let (room, place) = names.place(sender, name).ok_or(RoomRefused::Unknown)?;
            place.may(Act::Post).map(|()| room.into())
        }
    }
}

/// The recipients whose inbox is full. Reserves room in all of them if there are none. A room is
/// never full.
pub(super) fn full_inboxes(
    session: &mut Session,
    names: &mut Names,
    (message, copies): (&Append, &Copies),
    max: usize,
    reserved: &mut HashMap<MailboxId, usize>,
) -> Result<Vec<MailboxName>> {
    let mut full = Vec::new();
    for (&(recipient, _), name) in copies.iter().zip(&message.to) {
        if recipient.room().is_some() {
            continue;
        }
        let uncommitted = reserved.get(&recipient).copied().unwrap_or(0);
        if names.is_full(session, recipient, max, uncommitted)? {
            full.push(name.clone());
        } else {
            *reserved.entry(recipient).or_default() += 1;
        }
    }
    Ok(full)
}
