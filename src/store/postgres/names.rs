//! What a node remembers of users and rooms: names, numbers, the space in inboxes, and what senders
//! may do in rooms.
//!
//! [`Names::changes`] is the newest change of which this memory knows. `append` refuses to use an
//! older memory, so it is never wrong when a message is stored.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::model::{MailboxId, MessageId, RoomName, UserId, UserName};
use crate::store::postgres::blocks;
use crate::store::postgres::error::Result;
use crate::store::postgres::folding::folded;
use crate::store::postgres::places::{Placed, find_places};
use crate::store::postgres::session::Session;
use crate::store::types::blocks::KnownBlocks;

/// The maximum number of users in memory, and of their places in rooms.
const NAMES_MAX: usize = 100_000;
/// An inbox that was never counted may receive one part in this many of its limit. Then it is
/// counted.
const UNCOUNTED_DIVISOR: usize = 100;

/// A fast hash is safe here: only names and ids of existing users and rooms are keys.
type Map<K, V> = HashMap<K, V, RandomState>;

/// The memory. See the module.
#[derive(Default)]
pub(in crate::store) struct Names {
    ids: Map<UserName, UserId>,
    names: Map<UserId, UserName>,
    space: Map<MailboxId, Space>,
    /// Whom recipients block.
    blocks: KnownBlocks,
    /// The places of senders in the rooms to which they posted. `None`: there is no such room, but a
    /// user of this name without its `#`.
    places: Map<(UserId, RoomName), Option<Placed>>,
    /// The newest change that is known.
    pub(in crate::store) changes: i64,
    /// What [`Self::take_touched`] takes.
    touched: Touched,
}

/// The users whose memberships have changed, or whose names, for mentions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::store) enum Touched {
    /// Nobody.
    #[default]
    Nobody,
    /// These.
    Users(Vec<UserId>),
    /// Perhaps anybody.
    Anybody,
}

/// The space in an inbox.
#[derive(Debug, Clone, Copy)]
enum Space {
    /// This node may still store so many messages before it counts.
    Left(usize),
    /// There is none while the cursor `inbox` is here.
    Full(MessageId),
}

impl Names {
    /// The number of the user who receives messages under this name.
    pub(in crate::store) fn id(&self, name: &UserName) -> Option<UserId> {
        self.ids.get(name).copied()
    }

    /// The number of a room and the place of the sender in it. `None` if there is no such room.
    pub(in crate::store) fn place(&self, sender: UserId, room: &RoomName) -> Option<Placed> {
        self.places.get(&(sender, room.clone())).copied().flatten()
    }

    /// The name of a user.
    pub(in crate::store) fn name(&self, user: UserId) -> Option<&UserName> {
        self.names.get(&user)
    }

    /// Whether the recipient blocks the sender.
    pub(in crate::store) fn is_blocked(&self, sender: UserId, recipient: UserId) -> bool {
        self.blocks.get(recipient).is_some_and(|blocks| blocks.have(sender))
    }

    /// Looks up whom these users block, who are in memory, if that is not.
    pub(in crate::store) fn look_up_blocks<'a>(
        &mut self,
        session: &mut Session,
        names: impl Iterator<Item = &'a UserName>,
    ) -> Result<()> {
        self.blocks.bound();
        let users = names.filter_map(|name| self.id(name));
        let mut users: Vec<UserId> =
            users.filter(|user| self.blocks.get(*user).is_none()).collect();
        if users.is_empty() {
            return Ok(());
        }
        users.sort_unstable();
        users.dedup();
        for (user, blocks) in blocks::of_each(session, &users)? {
            self.blocks.insert(user, blocks);
        }
        Ok(())
    }

    /// Looks up the names and the users that are not in memory.
    pub(in crate::store) fn look_up<'a>(
        &mut self,
        session: &mut Session,
        names: impl Iterator<Item = &'a UserName>,
        users: impl Iterator<Item = UserId>,
    ) -> Result<()> {
        if self.names.len() > NAMES_MAX {
            self.forget();
        }
        let names: Vec<&str> =
            names.filter(|name| !self.ids.contains_key(*name)).map(UserName::as_str).collect();
        let users: Vec<i64> =
            users.filter(|user| !self.names.contains_key(user)).map(|user| user.0).collect();
        if names.is_empty() && users.is_empty() {
            return Ok(());
        }
        let rows = session.query(
            "SELECT id, name, deleted_at IS NOT NULL FROM chat.users
              WHERE name = ANY ($1) OR id = ANY ($2)",
            &[&names, &users],
        )?;
        self.insert(rows)
    }

    /// Looks up the places that are not in memory. The names of users must be there.
    pub(in crate::store) fn look_up_places(
        &mut self,
        session: &mut Session,
        wanted: impl Iterator<Item = (UserId, RoomName)>,
    ) -> Result<()> {
        if self.places.len() > NAMES_MAX {
            self.places.clear();
        }
        let is_new = |of: &(UserId, RoomName)| !self.places.contains_key(of);
        let mut wanted: Vec<(UserId, RoomName)> = wanted.filter(is_new).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let found = find_places(session, &wanted)?;
        self.places.extend(found.into_iter().map(|(of, placed)| (of, Some(placed))));
        // Clients choose the names of missing rooms freely, but not those of users.
        let is_user = |(_, room): &(UserId, RoomName)| {
            room.without_sign().parse().is_ok_and(|name: UserName| self.ids.contains_key(&name))
        };
        for of in wanted.into_iter().filter(is_user).collect::<Vec<_>>() {
            self.places.entry(of).or_insert(None);
        }
        Ok(())
    }

    fn insert(&mut self, rows: Vec<postgres::Row>) -> Result<()> {
        for row in rows {
            let (user, name) = (UserId(row.get(0)), row.get::<_, &str>(1).parse::<UserName>()?);
            // A deleted user receives nothing, but the name of its messages remains.
            if !row.get::<_, bool>(2) {
                self.ids.insert(name.clone(), user);
            }
            self.names.insert(user, name);
        }
        Ok(())
    }

    /// Learns what has changed since. Forgets what may be wrong.
    pub(in crate::store) fn catch_up(&mut self, session: &mut Session) -> Result<()> {
        let row = session.query_one(
            "SELECT coalesce(max(id), 0), coalesce(count(*) < max(id) - $1, false),
                    coalesce(bool_or(kind NOT IN ('session', 'room')), false),
                    coalesce(bool_or(kind = 'room'), false),
                    array_agg(DISTINCT user_id) FILTER (WHERE kind IN ('room', 'user')
                                                          AND user_id IS NOT NULL)
               FROM chat.changes WHERE id > $1",
            &[&self.changes],
        )?;
        let (newest, has_gap): (i64, bool) = (row.get(0), row.get(1));
        if has_gap || row.get(2) {
            self.forget();
        }
        if has_gap || row.get(3) {
            self.places.clear();
            self.blocks.clear();
        }
        let touched = row.get::<_, Option<Vec<i64>>>(4).unwrap_or_default();
        self.touched.add(has_gap, touched.into_iter().map(UserId));
        self.changes = self.changes.max(newest);
        Ok(())
    }

    /// The users whose memberships have changed since the last call.
    pub(in crate::store) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// Forgets all users. Every inbox that was counted is counted again.
    fn forget(&mut self) {
        self.ids.clear();
        self.names.clear();
        self.blocks.clear();
        self.must_count_all();
    }

    /// Whether an inbox has reached its limit of unread messages. Otherwise reserves room for one
    /// more. `uncommitted` messages of this batch are not counted yet. If a reserved place is not
    /// used, the inbox is only counted earlier.
    pub(in crate::store) fn is_full(
        &mut self,
        session: &mut Session,
        mailbox: MailboxId,
        max: usize,
        uncommitted: usize,
    ) -> Result<bool> {
        match self.space.get_mut(&mailbox) {
            Some(Space::Left(left)) if *left > 0 => {
                *left -= 1;
                return Ok(false);
            }
            None if max / UNCOUNTED_DIVISOR > 0 => {
                self.space.insert(mailbox, Space::Left(max / UNCOUNTED_DIVISOR - 1));
                return Ok(false);
            }
            Some(&mut Space::Full(at)) if inbox_position(session, mailbox)? == at => {
                return Ok(true);
            }
            _ => {}
        }
        let (unread, at) = count_unread(session, mailbox, max)?;
        let left = max.saturating_sub(unread).saturating_sub(uncommitted);
        let is_full = left == 0;
        // Other nodes take from the rest.
        let space = if is_full { Space::Full(at) } else { Space::Left(left.div_ceil(2) - 1) };
        self.space.insert(mailbox, space);
        Ok(is_full)
    }

    /// Every inbox that was counted is counted before its next message.
    pub(in crate::store) fn must_count_all(&mut self) {
        self.space.values_mut().for_each(|space| *space = Space::Left(0));
    }
}

impl Touched {
    fn add(&mut self, anybody: bool, users: impl Iterator<Item = UserId>) {
        *self = match std::mem::take(self) {
            _ if anybody => Self::Anybody,
            Self::Anybody => Self::Anybody,
            Self::Nobody => Self::Users(users.collect()),
            Self::Users(mut all) => {
                all.extend(users);
                Self::Users(all)
            }
        };
    }
}

fn inbox_position(session: &mut Session, mailbox: MailboxId) -> Result<MessageId> {
    let row = session.query_opt(
        "SELECT upto_id FROM chat.cursors WHERE user_id = $1 AND name = 'inbox'",
        &[&mailbox.0],
    )?;
    Ok(row.map_or(MessageId::ZERO, |row| MessageId(row.get(0))))
}

/// The unread messages, at most `max`, and the place of the cursor `inbox`.
fn count_unread(
    session: &mut Session,
    mailbox: MailboxId,
    max: usize,
) -> Result<(usize, MessageId)> {
    let at = inbox_position(session, mailbox)?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let row = session.query_one(
        concat!(
            "SELECT count(*) FROM (SELECT FROM ",
            folded!(),
            " AS m WHERE mailbox_id = $1 AND id > $2 LIMIT $3) AS unread"
        ),
        &[&mailbox.0, &at.0, &max],
    )?;
    Ok((usize::try_from(row.get::<_, i64>(0)).unwrap_or(usize::MAX), at))
}
