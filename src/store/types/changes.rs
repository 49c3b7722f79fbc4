//! Edits and deletions of messages, and who may make them.

use crate::model::{Body, Change, Key, MailboxId, MailboxName, MessageId, Role, Timestamp, UserId};
use crate::store::operation::Write;
use crate::store::types::messages::{Changes, Page};
use crate::store::types::rooms::{Act, Actor, Place, RoomPart, RoomRefused, Wanted};
use crate::store::types::tokens::Targets;

/// The most edits of one message.
pub const EDITS_MAX: usize = if cfg!(test) { 6 } else { 10_000 };

/// The most changes of one page.
pub(in crate::store) const PAGE_CHANGES_MAX: usize = if cfg!(test) { 4 } else { 256 };
/// The most bytes that they may take in JSON. There is always room for one.
pub const PAGE_CHANGES_BYTES_MAX: usize = 512 * 1024;
/// The most bytes that a change takes in JSON: without its text, and for each byte of it.
const CHANGE_BYTES: usize = 300;
const ESCAPED_BYTES: usize = 6;

/// Edits or deletes a message. When the answer comes, the change is durable, and no later read finds
/// the old text.
#[derive(Debug, Clone)]
pub struct ChangeMessage {
    /// Who changes it.
    pub actor: Actor,
    /// The message. The actor must be able to read it.
    pub id: MessageId,
    /// What happens to it.
    pub alteration: Alteration,
    /// The mailboxes that the actor's access token may send to. `None` means any. A message in
    /// another one does not exist.
    pub only: Option<Targets>,
}

/// What happens to a message.
#[derive(Debug, Clone)]
pub enum Alteration {
    /// It gets this text. Only its author may do that.
    Edit {
        /// The new text.
        body: Body,
        /// The author's idempotency key: an edit that is sent again with its key is made once. Keys
        /// of edits and keys of messages do not meet.
        key: Option<Key>,
    },
    /// It goes. The author, the moderators of its room and operators may do that. A message is
    /// deleted once, so a deletion needs no key.
    Delete,
}

impl Write for ChangeMessage {
    type Answer = MessageChanged;

    fn text_bytes(&self) -> usize {
        match &self.alteration {
            Alteration::Edit { body, .. } => body.as_str().len(),
            Alteration::Delete => 0,
        }
    }
}

/// The result of [`ChangeMessage`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageChanged {
    /// The change is in the message log.
    Stored {
        /// Its id.
        change: MessageId,
        /// When the store accepted it.
        at: Timestamp,
        /// The mailbox that the message is in.
        mailbox: MailboxId,
        /// The same edit was made earlier with the same key, or the message was deleted earlier.
        /// Nothing was stored now.
        duplicate: bool,
        /// The author of the message, and whom it was for, if something was stored now.
        author: Option<(UserId, MailboxName)>,
    },
    /// The actor can read no message with this id, or the message was deleted.
    UnknownMessage,
    /// The actor can read the message, but must not change it.
    NotAllowed,
    /// The room is archived, so its messages are not edited any more.
    RoomArchived,
    /// The message was edited as often as a message may be.
    TooManyEdits,
    /// The key belongs to another edit.
    KeyConflict,
}

/// A message to change, which the actor can read.
pub(in crate::store) struct ToChange {
    pub(in crate::store) sender: UserId,
    pub(in crate::store) mailbox: MailboxId,
    /// The name of the mailbox.
    pub(in crate::store) to: Option<MailboxName>,
    /// The actor's place in the room that the message is in.
    pub(in crate::store) place: Option<Place>,
    pub(in crate::store) edits: usize,
    /// The deletion: its id, and when it was.
    pub(in crate::store) deleted: Option<(MessageId, Timestamp)>,
    /// The recipient blocks the actor. An edit would bring a text to them, and a deletion brings none.
    pub(in crate::store) is_blocked: bool,
}

impl ToChange {
    /// Its author, and whom it was for.
    pub(in crate::store) fn author(self) -> Option<(UserId, MailboxName)> {
        self.to.map(|to| (self.sender, to))
    }

    /// Whether the actor may make this change. Otherwise the answer.
    pub(in crate::store) fn check(&self, change: &ChangeMessage) -> Result<(), MessageChanged> {
        if change.only.as_ref().is_some_and(|only| !only.contains(&self.mailbox)) {
            return Err(MessageChanged::UnknownMessage);
        }
        let is_author = change.actor.user() == Some(self.sender);
        match (&change.alteration, self.deleted) {
            (Alteration::Delete, deleted) => {
                let role = self.place.as_ref().and_then(|place| place.role);
                let is_moderator = role >= Some(Role::Moderator);
                match (is_author || is_moderator || change.actor == Actor::Operator, deleted) {
                    (true, None) => Ok(()),
                    (true, Some((change, at))) => Err(MessageChanged::Stored {
                        change,
                        at,
                        mailbox: self.mailbox,
                        duplicate: true,
                        author: None,
                    }),
                    (false, None) => Err(MessageChanged::NotAllowed),
                    (false, Some(_)) => Err(MessageChanged::UnknownMessage),
                }
            }
            (Alteration::Edit { .. }, Some(_)) => Err(MessageChanged::UnknownMessage),
            (Alteration::Edit { .. }, None) if !is_author || self.is_blocked => {
                Err(MessageChanged::NotAllowed)
            }
            (Alteration::Edit { .. }, None) => {
                match self.place.as_ref().map(|place| place.may(Act::Post)) {
                    Some(Err(RoomRefused::Archived)) => Err(MessageChanged::RoomArchived),
                    Some(Err(_)) => Err(MessageChanged::NotAllowed),
                    _ if self.edits >= EDITS_MAX => Err(MessageChanged::TooManyEdits),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// An earlier edit with the same key.
pub(in crate::store) struct EarlierEdit {
    pub(in crate::store) change: MessageId,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) mailbox: MailboxId,
    /// It is of the same message, and has the same text.
    pub(in crate::store) is_same: bool,
}

impl EarlierEdit {
    /// The answer to the edit that is sent again.
    pub(in crate::store) fn answer(self) -> MessageChanged {
        let Self { change, at, mailbox, is_same } = self;
        match is_same {
            true => MessageChanged::Stored { change, at, mailbox, duplicate: true, author: None },
            false => MessageChanged::KeyConflict,
        }
    }
}

/// The part of the message log whose changes belong to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct ChangeRange {
    /// After this id, up to and including the next.
    pub(in crate::store) after: MessageId,
    pub(in crate::store) upto: MessageId,
    /// Only the newest change of each message, and only of messages up to `after`.
    pub(in crate::store) told: bool,
    /// The newest first.
    pub(in crate::store) is_before: bool,
}

impl ChangeRange {
    /// The part of the message log that a page has looked at. `None` if it has no changes.
    pub(in crate::store) fn of(changes: Changes, page: &Page, is_before: bool) -> Option<Self> {
        let told = match changes {
            Changes::Folded => return None,
            Changes::Told => true,
            Changes::Raw => false,
        };
        let end = page.upto.filter(|_| page.more);
        let (after, upto) = if is_before {
            let end = end.map_or(0, |end| end.0 - 1);
            (MessageId(end), MessageId(page.start.0.saturating_sub(1)))
        } else {
            (page.start, end.unwrap_or(MessageId(i64::MAX)))
        };
        (after < upto).then_some(Self { after, upto, told, is_before })
    }

    /// Ends the page with the last of the changes that it has room for, in the direction of reading.
    /// `newest` is the newest change of the moment of the page.
    pub(in crate::store) fn cut(self, found: &mut Vec<Change>, newest: MessageId, page: &mut Page) {
        let mut size = 0;
        let fits = found.iter().take(PAGE_CHANGES_MAX).take_while(|change| {
            size += CHANGE_BYTES + ESCAPED_BYTES * change.text_bytes();
            size <= PAGE_CHANGES_BYTES_MAX
        });
        let room = fits.count().max(1);
        let is_cut = found.len() > room;
        found.truncate(room);
        match found.last().map(|last| last.change) {
            Some(last) if is_cut => {
                let is_within = |id: MessageId| if self.is_before { id > last } else { id < last };
                page.messages.retain(|message| is_within(message.id));
                (page.more, page.upto) = (true, Some(last));
            }
            // The page has everything up to its moment.
            _ if !page.more && !self.is_before => {
                page.upto = Some(page.upto.unwrap_or(page.start).max(newest.min(self.upto)));
            }
            _ => {}
        }
    }
}

/// Messages of one mailbox whose changes belong to a page. The message decides, not the change: who
/// may not read a message learns nothing of its edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct ChangedPart {
    pub(in crate::store) mailbox: MailboxId,
    /// Messages after this id, up to and including the next.
    pub(in crate::store) after: MessageId,
    pub(in crate::store) upto: MessageId,
    /// Their changes up to and including this id.
    pub(in crate::store) changes_upto: MessageId,
    /// Only messages of this user.
    pub(in crate::store) sender: Option<UserId>,
    /// No messages of this user.
    pub(in crate::store) not_sender: Option<UserId>,
}

impl ChangedPart {
    fn whole(mailbox: MailboxId) -> Self {
        let (after, upto) = (MessageId::ZERO, MessageId(i64::MAX));
        Self { mailbox, after, upto, changes_upto: upto, sender: None, not_sender: None }
    }

    /// The reader's own mailbox.
    pub(in crate::store) fn own(reader: UserId) -> Self {
        Self::whole(reader.into())
    }

    /// What two users have sent to each other.
    pub(in crate::store) fn conversation(reader: UserId, with: UserId) -> Vec<Self> {
        let of =
            |mailbox: UserId, sender| Self { sender: Some(sender), ..Self::whole(mailbox.into()) };
        let (incoming, outgoing) = (of(reader, with), of(with, reader));
        if reader == with { vec![incoming] } else { vec![incoming, outgoing] }
    }

    /// Parts of rooms. A reader's own messages are not incoming. Whoever is back in a room is told what
    /// has changed meanwhile; whoever has left it is told nothing more.
    pub(in crate::store) fn of_rooms(
        reader: UserId,
        wanted: Wanted,
        parts: &[RoomPart],
    ) -> impl Iterator<Item = Self> {
        let not_sender = (wanted != Wanted::All).then_some(reader);
        parts.iter().flat_map(move |part| {
            let left = part.ranges.last().map_or(MessageId::ZERO, |&(_, upto)| upto);
            let whole = Self { not_sender, changes_upto: left, ..Self::whole(part.room.into()) };
            part.ranges.iter().map(move |&(after, upto)| Self { after, upto, ..whole })
        })
    }
}
