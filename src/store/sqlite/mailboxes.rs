//! Reading several mailboxes as one sequence: a reader's own, and those of rooms, a part each.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rusqlite::{CachedStatement, Connection, params};

use crate::model::{MailboxId, MessageId, RoomId, UserId};
use crate::store::sqlite::projection::deliveries::Deliveries;
use crate::store::sqlite::projection::delivery_cursor::{self, Direction};
use crate::store::sqlite::projection::memtable::Memtable;
use crate::store::sqlite::rooms;
use crate::store::types::rooms::{Membership, RoomPart};

/// How many ids the first look into the runs reads for a mailbox. Each further look reads twice as
/// many, up to the maximum.
const BLOCK_MIN: usize = if cfg!(test) { 2 } else { 16 };
const BLOCK_MAX: usize = 1_024;

/// A reader's memberships, and the part of the memtable of each mailbox that they may read. The
/// snapshot of the connection's transaction is that of the memberships, and not older than the
/// memtable.
#[derive(Clone)]
pub(in crate::store) struct Mailboxes {
    pub(in crate::store) memberships: Vec<Membership>,
    /// Sorted by room.
    in_memtable: Vec<(RoomId, Vec<MessageId>)>,
    own: Vec<MessageId>,
}

impl Mailboxes {
    /// `memberships` were read in an earlier snapshot.
    pub(in crate::store) fn look(
        connection: &Connection,
        memtable: &Memtable,
        reader: UserId,
        mut memberships: Vec<Membership>,
        after: MessageId,
    ) -> rusqlite::Result<Self> {
        loop {
            let mut known: Vec<RoomId> = memberships.iter().map(|of| of.room).collect();
            known.sort_unstable();
            known.dedup();
            delivery_cursor::renew_snapshot(connection)?;
            let in_memtable = |room: RoomId| delivery_cursor::in_memtable(memtable, room, after);
            let own = delivery_cursor::in_memtable(memtable, reader, after);
            let in_memtable = known.iter().map(|&room| (room, in_memtable(room))).collect();
            memberships = rooms::memberships_of(connection, reader)?;
            // In between, the user may have joined another room.
            if memberships.iter().all(|of| known.binary_search(&of.room).is_ok()) {
                return Ok(Self { memberships, in_memtable, own });
            }
        }
    }

    /// As [`Self::look`], but of the open transaction of the writer.
    pub(in crate::store) fn within(
        deliveries: &Deliveries,
        reader: UserId,
        memberships: Vec<Membership>,
        after: MessageId,
    ) -> Self {
        let bounds = (after, MessageId(i64::MAX));
        let in_memory = |room: RoomId| (room, deliveries.in_memory(room.into(), bounds));
        let mut rooms: Vec<RoomId> = memberships.iter().map(|of| of.room).collect();
        rooms.sort_unstable();
        rooms.dedup();
        let in_memtable = rooms.into_iter().map(in_memory).collect();
        let own = deliveries.in_memory(reader.into(), bounds);
        Self { memberships, in_memtable, own }
    }

    /// The reader's own mailbox, from an end of the message log on.
    pub(in crate::store) fn own(&mut self, reader: UserId) -> Part {
        let ranges = vec![(MessageId::ZERO, MessageId(i64::MAX))];
        let in_memtable = std::mem::take(&mut self.own);
        Part { mailbox: reader.into(), ranges, in_memtable, only_mentions: false }
    }

    /// The messages of the reader's own mailbox that the memtable has.
    pub(in crate::store) fn take_own(&mut self) -> Vec<MessageId> {
        std::mem::take(&mut self.own)
    }

    /// The part of a room. Each room has one.
    pub(in crate::store) fn of_room(&mut self, part: RoomPart) -> Part {
        let RoomPart { room, ranges, only_mentions } = part;
        let place = self.in_memtable.binary_search_by_key(&room, |&(room, _)| room);
        let in_memtable = place.map(|place| std::mem::take(&mut self.in_memtable[place].1));
        let in_memtable = in_memtable.unwrap_or_default();
        Part { mailbox: room.into(), ranges, in_memtable, only_mentions }
    }
}

/// A part of a mailbox.
#[derive(Clone)]
pub(in crate::store) struct Part {
    mailbox: MailboxId,
    /// Intervals of the message log, in order and apart.
    ranges: Vec<(MessageId, MessageId)>,
    in_memtable: Vec<MessageId>,
    only_mentions: bool,
}

/// The next message of a [`Merged`].
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Next {
    pub(in crate::store) id: MessageId,
    /// Only if it mentions the reader.
    pub(in crate::store) only_mentions: bool,
}

/// Iterates over the messages of several parts, by id.
pub(in crate::store) struct Merged<'a> {
    direction: Direction,
    statement: CachedStatement<'a>,
    runs: Vec<Run>,
    /// The next message of each part that has one. Keys rise in the direction of reading.
    heads: BinaryHeap<Reverse<(i64, usize)>>,
}

impl<'a> Merged<'a> {
    pub(in crate::store) fn begin(
        connection: &'a Connection,
        direction: Direction,
        parts: Vec<Part>,
    ) -> rusqlite::Result<Self> {
        let flushed_upto = delivery_cursor::flushed_upto(connection)?;
        let statement = connection.prepare_cached(match direction {
            Direction::After(_) => {
                "SELECT d.message_id
                   FROM delivery_runs t CROSS JOIN deliveries d
                  WHERE t.upto_id > ?2 AND d.run = t.run
                    AND d.user_id = ?1 AND d.message_id > ?2 AND d.message_id <= ?3
                  ORDER BY t.upto_id, d.message_id LIMIT ?4"
            }
            Direction::Before(_) => {
                "SELECT d.message_id
                   FROM delivery_runs t CROSS JOIN deliveries d
                  WHERE t.upto_id > ?2 AND d.run = t.run
                    AND d.user_id = ?1 AND d.message_id > ?2 AND d.message_id <= ?3
                  ORDER BY t.upto_id DESC, d.message_id DESC LIMIT ?4"
            }
        })?;
        let runs = parts.into_iter().map(|part| Run::of(part, direction, flushed_upto)).collect();
        let mut merged = Self { direction, statement, runs, heads: BinaryHeap::new() };
        for run in 0..merged.runs.len() {
            merged.advance(run)?;
        }
        Ok(merged)
    }

    /// The next message.
    pub(in crate::store) fn next(&mut self) -> rusqlite::Result<Option<Next>> {
        let Some(Reverse((key, run))) = self.heads.pop() else { return Ok(None) };
        self.advance(run)?;
        let id = MessageId(match self.direction {
            Direction::After(_) => key,
            Direction::Before(_) => -key,
        });
        Ok(Some(Next { id, only_mentions: self.runs[run].only_mentions }))
    }

    fn advance(&mut self, run: usize) -> rusqlite::Result<()> {
        let next = self.runs[run].next(self.direction, &mut self.statement)?;
        self.heads.extend(next.map(|id| match self.direction {
            Direction::After(_) => Reverse((id.0, run)),
            Direction::Before(_) => Reverse((-id.0, run)),
        }));
        Ok(())
    }
}

/// The rest of a part, in the direction of reading.
struct Run {
    mailbox: MailboxId,
    only_mentions: bool,
    in_memtable: VecDeque<MessageId>,
    /// The intervals that the runs in the file were not searched for yet.
    ranges: VecDeque<(MessageId, MessageId)>,
    block: VecDeque<MessageId>,
    block_len: usize,
}

impl Run {
    fn of(part: Part, direction: Direction, flushed_upto: MessageId) -> Self {
        let Part { mailbox, ranges, in_memtable, only_mentions } = part;
        let clip = |&(after, upto): &(MessageId, MessageId)| match direction {
            Direction::After(id) => (after.max(id), upto),
            Direction::Before(id) => (after, upto.min(MessageId(id.0.saturating_sub(1)))),
        };
        let clipped = ranges.iter().map(clip).filter(|(after, upto)| after < upto);
        let mut ranges: VecDeque<_> = clipped.collect();
        let is_wanted = |&id: &MessageId| {
            let place = ranges.partition_point(|&(_, upto)| upto < id);
            id > flushed_upto && ranges.get(place).is_some_and(|&(after, _)| after < id)
        };
        let mut in_memtable: VecDeque<_> = in_memtable.into_iter().filter(is_wanted).collect();
        if let Direction::Before(_) = direction {
            in_memtable.make_contiguous().reverse();
            ranges.make_contiguous().reverse();
        }
        let (block, block_len) = (VecDeque::new(), BLOCK_MIN);
        Self { mailbox, only_mentions, in_memtable, ranges, block, block_len }
    }

    fn next(
        &mut self,
        direction: Direction,
        statement: &mut CachedStatement<'_>,
    ) -> rusqlite::Result<Option<MessageId>> {
        // The runs have the older messages.
        if let Direction::Before(_) = direction
            && let Some(id) = self.in_memtable.pop_front()
        {
            return Ok(Some(id));
        }
        while self.block.is_empty() {
            let Some(&(after, upto)) = self.ranges.front() else {
                return Ok(self.in_memtable.pop_front());
            };
            let values = params![self.mailbox.0, after.0, upto.0, self.block_len as i64];
            let mut rows = statement.query(values)?;
            while let Some(row) = rows.next()? {
                self.block.push_back(MessageId(row.get(0)?));
            }
            match self.block.back() {
                Some(&last) if self.block.len() == self.block_len => {
                    self.ranges[0] = match direction {
                        Direction::After(_) => (last, upto),
                        Direction::Before(_) => (after, MessageId(last.0 - 1)),
                    };
                    self.block_len = (self.block_len * 2).min(BLOCK_MAX);
                }
                _ => {
                    self.ranges.pop_front();
                }
            }
        }
        Ok(self.block.pop_front())
    }
}
