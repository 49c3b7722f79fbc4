//! Messages that are sent later.

use crate::model::{Body, Details, Key, MailboxName, ScheduledId, Timestamp, UserId, UserName};
use crate::store::operation::{Party, Read, Write};
use crate::store::types::messages::{Append, Appended};

/// The maximum number of scheduled messages of one user.
pub const SCHEDULED_MAX: usize = if cfg!(test) { 20 } else { 10_000 };

/// Schedules a message. The sender must be allowed to send it now; that is decided again when it is
/// due. A message with a key is scheduled once, and not at all if it is in the message log already.
/// Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The message.
    pub message: Append,
    /// When it is sent, by the clock of `now`.
    pub due_at: Timestamp,
    /// When it is sent, by the system's clock. An engine that several servers share has one clock,
    /// and takes `due_at`.
    pub said_at: Timestamp,
    /// The time now.
    pub now: Timestamp,
}

impl Write for Schedule {
    type Answer = Scheduled;

    fn text_bytes(&self) -> usize {
        self.message.text_bytes()
    }
}

/// The result of [`Schedule`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheduled {
    /// It is scheduled.
    At {
        /// Its number.
        id: ScheduledId,
        /// When it is sent, by the system's clock: with a key that was used before, as it was said
        /// then.
        said_at: Timestamp,
        /// A recipient is a room.
        is_room: bool,
        /// The same message was scheduled earlier with the same key. Nothing was stored now.
        duplicate: bool,
    },
    /// It is not scheduled: it is in the message log with its key, or would be refused.
    Not(Appended),
    /// The sender has [`SCHEDULED_MAX`] of them.
    TooMany,
}

/// The scheduled messages of a user, by number.
pub struct ListScheduled {
    /// The user.
    pub sender: UserId,
    /// Only those after this one.
    pub after: ScheduledId,
    /// The maximum number.
    pub max: usize,
}

impl Read for ListScheduled {
    type Answer = Vec<Due>;

    fn party(&self) -> Party {
        Some(self.sender)
    }
}

/// Cancels a scheduled message.
#[derive(Debug, Clone, Copy)]
pub struct CancelScheduled {
    /// Whose it is.
    pub sender: UserId,
    /// Which one.
    pub id: ScheduledId,
}

impl Write for CancelScheduled {
    type Answer = Cancelled;
}

/// The result of [`CancelScheduled`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It will not be sent.
    Yes,
    /// It is being sent.
    TooLate,
    /// The user has no such message.
    Unknown,
}

/// Finds the scheduled messages of enabled users that are due, in the order of their time and
/// number.
pub struct FindDue {
    /// The time now.
    pub now: Timestamp,
    /// Only what comes after this one, which may be sent by now.
    pub after: Option<(Timestamp, ScheduledId)>,
    /// The maximum number.
    pub max: usize,
}

impl Read for FindDue {
    type Answer = FoundDue;
}

impl FindDue {
    /// The place after which it looks.
    pub(in crate::store) fn place(&self) -> (i64, i64) {
        self.after.map_or((i64::MIN, 0), |(due_at, id)| (due_at.0, id.0))
    }
}

/// The answer to [`FindDue`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDue {
    /// What is due.
    pub due: Vec<Due>,
    /// When the next message is due, after now.
    pub next: Option<Timestamp>,
}

/// A scheduled message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its number.
    pub id: ScheduledId,
    /// The sender.
    pub sender: UserId,
    /// The sender's name.
    pub from: UserName,
    /// The recipients by their names of today. `None` stands for a user who is gone.
    pub to: Vec<Option<MailboxName>>,
    /// The text.
    pub body: Body,
    /// The sender's idempotency key.
    pub key: Option<Key>,
    /// What it carries beside the text.
    pub details: Option<Box<Details>>,
    /// When it was scheduled.
    pub made_at: Timestamp,
    /// When it is sent.
    pub due_at: Timestamp,
    /// When it is sent, by the system's clock.
    pub said_at: Timestamp,
}

/// A server has started, and takes the time of the system's clock. The answer is how many scheduled
/// messages have another time than before.
#[derive(Debug, Clone, Copy)]
pub struct TakeSystemTime;

impl Write for TakeSystemTime {
    type Answer = usize;
}

/// Records that these messages are being sent: from now on they cannot be cancelled. The answer has
/// those that are still there.
#[derive(Debug, Clone)]
pub struct BeginSending(pub Vec<ScheduledId>);

impl Write for BeginSending {
    type Answer = Vec<ScheduledId>;
}

/// Removes a scheduled message that is in the message log, or was refused. The answer is whether it
/// was there.
#[derive(Debug, Clone, Copy)]
pub struct SettleScheduled(pub ScheduledId);

impl Write for SettleScheduled {
    type Answer = bool;
}
