//! How long messages are kept, and the removal of those that are older.
//!
//! An operator says it for all conversations and for single rooms. An owner of a room may have its
//! messages removed earlier. The age of a message alone decides: an unread one goes, too.
//!
//! The age is by a time that lags behind the clock after the clock has moved ahead by itself: see
//! [`Times::trust`]. So a clock that is wrong for a while destroys little.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{MailboxId, MessageId, Retention, RoomId, RoomName, Timestamp};
use crate::store::operation::{Read, Write};
use crate::store::types::rooms::{RoomAnswer, RoomRefused};

/// The maximum number of messages that one step looks at.
pub(in crate::store) const SCAN_MESSAGES_MAX: usize = if cfg!(test) { 16 } else { 10_000 };
/// The maximum number of messages that are removed together, because senders wait for it.
const PART_MESSAGES_MAX: usize = if cfg!(test) { 4 } else { 128 };
/// The maximum text that is removed together, in bytes, unless it is of one message.
const PART_BYTES_MAX: u64 = 512 * 1024;
/// The trusted time follows a clock that is ahead so many times as fast as time passes.
const CATCH_UP: u32 = 4;

/// How long the messages of each conversation are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Rises with every change of a rule.
    pub version: i64,
    /// Where nothing else is said.
    pub default: Option<Duration>,
    /// In these rooms.
    pub rooms: HashMap<RoomId, Option<Duration>>,
}

impl Rules {
    /// Whether any message is removed.
    pub fn remove_any(&self) -> bool {
        self.default.is_some() || self.rooms.values().any(Option::is_some)
    }

    fn of(&self, mailbox: MailboxId) -> Option<Duration> {
        let own = mailbox.room().and_then(|room| self.rooms.get(&room));
        own.copied().unwrap_or(self.default)
    }
}

/// What is set for a room. `None` where nothing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoomRetention {
    /// By an operator; else the default is as if set.
    pub operator: Option<Retention>,
    /// By an owner.
    pub owner: Option<Retention>,
}

impl RoomRetention {
    /// How long messages are kept, where this is the default.
    pub fn kept(self, default: Retention) -> Retention {
        let most = self.operator.unwrap_or(default);
        self.owner.map_or(most, |owner| owner.min(most))
    }

    /// Whether an owner may set this.
    pub(in crate::store) fn allows(self, owner: Retention, default: Retention) -> RoomAnswer<()> {
        let most = self.operator.unwrap_or(default);
        if owner > most && owner != Retention::FOREVER {
            return Err(RoomRefused::KeptTooLong(most));
        }
        Ok(())
    }
}

/// The rules that apply now.
pub struct FindRules;

impl Read for FindRules {
    type Answer = Rules;
}

/// Lists what is set, in the order of the rooms' names.
pub struct ListRetention {
    /// Only names after this one.
    pub after: Option<RoomName>,
    /// The maximum number of rooms.
    pub max: usize,
}

impl Read for ListRetention {
    type Answer = RetentionPage;
}

/// What is set, and what was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionPage {
    /// Where nothing else is said.
    pub default: Retention,
    /// The rooms for which something is set.
    pub rooms: Vec<(RoomName, RoomRetention)>,
    /// There are more rooms.
    pub more: bool,
    /// What was done.
    pub done: RetentionDone,
}

/// What was done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetentionDone {
    /// How many messages were removed.
    pub removed: u64,
    /// When a server last looked.
    pub looked_at: Option<Timestamp>,
    /// The time by which it judged the ages.
    pub trusted_at: Option<Timestamp>,
}

/// Sets what an operator says. Durable when the answer comes. The operator vouches for the clock:
/// from now on it is trusted.
#[derive(Debug, Clone)]
pub struct SetRetention {
    /// The room; `None` for the default.
    pub room: Option<RoomName>,
    /// How long messages are kept. `None` for a room takes back what was said of it; the default is
    /// for ever then.
    pub kept: Option<Retention>,
    /// The time now.
    pub now: Timestamp,
}

impl Write for SetRetention {
    type Answer = RoomAnswer<()>;
}

/// Begins or goes on with the removal: the answer has the rules, and the time by which ages are
/// judged, which is never after `now`. It is `None` while another server of the database
/// removes.
#[derive(Debug, Clone)]
pub struct BeginRemoval {
    /// The time now.
    pub now: Timestamp,
    /// How long ago this server did this last; zero if it did not.
    pub passed: Duration,
}

impl Write for BeginRemoval {
    type Answer = Option<(Arc<Rules>, Timestamp)>;
}

/// The two times of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Times {
    /// The time by which ages were judged last.
    pub(in crate::store) trusted: Option<Timestamp>,
    /// By the clock.
    pub(in crate::store) now: Timestamp,
}

impl Times {
    /// The trusted time now: it approaches the clock at [`CATCH_UP`] times the pace of the time that
    /// has passed on the server. Ages are judged by it, and by the clock where that is behind. So a
    /// clock that was ahead for an hour makes messages at most four hours older, and one that was
    /// behind for an hour holds nothing up for long.
    pub(in crate::store) fn trust(self, passed: Duration) -> Timestamp {
        let Some(trusted) = self.trusted else { return self.now };
        let most = passed.saturating_mul(CATCH_UP);
        self.now.clamp(trusted.minus(most), trusted.plus(most))
    }
}

/// Looks for messages that are too old, in one bounded step.
///
/// A message is at most as old as the ones before it, as far as their times are not of the future:
/// ids rise, so a clock that was behind when the message came does not make it older.
#[derive(Debug, Clone)]
pub struct FindExpired {
    /// How long messages are kept.
    pub rules: Arc<Rules>,
    /// The time by which ages are judged.
    pub now: Timestamp,
    /// The end of the previous step.
    pub after: MessageId,
    /// The last message to look at.
    pub upto: MessageId,
    /// No message after the previous step is older than this.
    pub since: Timestamp,
}

impl Read for FindExpired {
    type Answer = Expired;
}

/// The answer of [`FindExpired`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// The messages that are too old, in parts that can be removed together.
    pub parts: Vec<Vec<MessageId>>,
    /// The end of this step, for [`FindExpired::after`].
    pub upto: MessageId,
    /// For [`FindExpired::since`].
    pub since: Timestamp,
    /// When the first of the other messages will be too old.
    pub next: Option<Timestamp>,
    /// There may be messages after this step.
    pub more: bool,
}

/// What a step reads of a message.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Aged {
    pub(in crate::store) id: MessageId,
    pub(in crate::store) sent_at: Timestamp,
    pub(in crate::store) mailbox: MailboxId,
    pub(in crate::store) bytes: u64,
}

impl FindExpired {
    /// Judges the messages after [`Self::after`], in the order of their ids, at most
    /// [`SCAN_MESSAGES_MAX`].
    pub(in crate::store) fn judge<E>(
        &self,
        messages: impl IntoIterator<Item = Result<Aged, E>>,
    ) -> Result<Expired, E> {
        let (mut upto, mut since, mut next) = (self.after, self.since, None::<Timestamp>);
        let (mut parts, mut bytes, mut seen) = (Vec::<Vec<MessageId>>::new(), 0, 0);
        for message in messages {
            let message = message?;
            (upto, seen) = (message.id, seen + 1);
            if message.sent_at <= self.now {
                since = since.max(message.sent_at);
            }
            let Some(kept) = self.rules.of(message.mailbox) else { continue };
            let end = message.sent_at.max(since).plus(kept);
            if end > self.now {
                next = next.into_iter().chain([end]).min();
                continue;
            }
            bytes += message.bytes;
            match parts.last_mut() {
                Some(part) if part.len() < PART_MESSAGES_MAX && bytes <= PART_BYTES_MAX => {
                    part.push(message.id);
                }
                _ => {
                    bytes = message.bytes;
                    parts.push(vec![message.id]);
                }
            }
        }
        Ok(Expired { parts, upto, since, next, more: seen == SCAN_MESSAGES_MAX })
    }
}

/// Removes these messages as a purge does, unread ones too, and counts them. The answer is how many
/// it removed. It is `None`, and nothing was removed, if the rules have changed or another server
/// has taken over: see [`BeginRemoval`].
#[derive(Debug, Clone)]
pub struct RemoveExpired {
    /// The version of the rules by which the messages are too old.
    pub version: i64,
    /// The messages.
    pub ids: Vec<MessageId>,
}

impl Write for RemoveExpired {
    type Answer = Option<usize>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    #[test]
    fn clock_that_moves_ahead_is_followed_slowly() {
        let trust = |trusted, now, passed| {
            let times = Times { trusted: Some(Timestamp(trusted)), now: Timestamp(now) };
            times.trust(Duration::from_millis(passed)).0
        };
        assert_eq!(trust(1_000, 61_000, 60_000), 61_000, "an ordinary minute");
        assert_eq!(trust(0, DAY, 60_000), 240_000, "a day ahead");
        assert_eq!(trust(DAY, 1_000, 60_000), DAY - 240_000, "a day behind");
        assert_eq!(trust(0, DAY, 0), 0, "another server, or the first look after a start");
        let first = Times { trusted: None, now: Timestamp(7) };
        assert_eq!(first.trust(Duration::ZERO), Timestamp(7));
    }

    fn judge(default: Option<i64>, now: i64, sent: &[i64]) -> Expired {
        let rules = Rules {
            version: 1,
            default: default.map(|kept| Duration::from_millis(kept.unsigned_abs())),
            rooms: HashMap::from([(RoomId(1), None), (RoomId(2), Some(Duration::from_millis(10)))]),
        };
        let find = FindExpired {
            rules: Arc::new(rules),
            now: Timestamp(now),
            after: MessageId::ZERO,
            upto: MessageId(i64::MAX),
            since: Timestamp(i64::MIN),
        };
        // Every third one is to a user, to a room for ever, and to a room for 10 ms.
        let messages = (1..).zip(sent).map(|(id, &at)| {
            let mailbox = MailboxId([1, -1, -2][(id as usize - 1) % 3]);
            Ok::<_, ()>(Aged { id: MessageId(id), sent_at: Timestamp(at), mailbox, bytes: 1 })
        });
        find.judge(messages).unwrap()
    }

    fn ids(found: &Expired) -> Vec<i64> {
        found.parts.iter().flatten().map(|id| id.0).collect()
    }

    #[test]
    fn each_conversation_has_its_own_time() {
        let found = judge(Some(100), 120, &[20, 20, 110, 21, 0, 111]);
        assert_eq!((ids(&found), found.next), (vec![1, 3], Some(Timestamp(121))));
        assert_eq!(ids(&judge(None, 1_000, &[0; 6])), [3, 6]);
    }

    #[test]
    fn message_is_not_older_than_those_before_it() {
        // The clock was behind when the fourth came.
        assert_eq!(ids(&judge(Some(100), 200, &[150, 150, 199, 1])), [0; 0]);
        // It was ahead when the first came, which says nothing of the fourth.
        assert_eq!(ids(&judge(Some(100), 200, &[5_000, 5_000, 5_000, 1])), [4]);
    }

    #[test]
    fn what_is_too_old_comes_in_small_parts() {
        let found = judge(Some(10), 1_000, &[0; 9]);
        // The room that keeps its messages is passed over.
        let parts: Vec<Vec<i64>> =
            found.parts.iter().map(|part| part.iter().map(|id| id.0).collect()).collect();
        assert_eq!(parts, [vec![1, 3, 4, 6], vec![7, 9]]);
        assert_eq!((found.upto, found.more, found.next), (MessageId(9), false, None));
    }
}
