//! Pages of several mailboxes: the reader's own, and those of rooms.
//!
//! Each mailbox is a sorted run. A statement takes the next messages of each run, and returns those
//! up to the last message of the first run that has more: what is before it is complete.

use crate::model::{MailboxId, MessageId};
use crate::store::postgres::error::Result;
use crate::store::postgres::folding::folded;
use crate::store::postgres::operations::pages::filling::Part;
use crate::store::postgres::session::Session;
use crate::store::types::rooms::RoomPart;

/// The fewest messages that a statement takes of each run.
const RUN_MESSAGES_MIN: usize = if cfg!(test) { 2 } else { 8 };

/// Parts of mailboxes that a page merges.
pub(super) struct Runs {
    /// Each mailbox, with an interval of the log: after the first id, up to the second.
    runs: Vec<(MailboxId, MessageId, MessageId)>,
    is_before: bool,
    /// The oldest time.
    since: i64,
    /// How many messages the next statement takes of each run.
    taken: usize,
}

/// Reads with these parameters: the mailboxes, the beginnings and the ends of the intervals, the
/// number of messages, the oldest time, the number of messages of each run.
macro_rules! merged_sql {
    ($order:literal, $nearest:literal, $up_to:literal) => {
        concat!(
            "WITH taken AS MATERIALIZED (
                 SELECT ARRAY(SELECT m.id FROM ",
            folded!(),
            " AS m
                               WHERE m.mailbox_id = r.mailbox_id AND m.id > r.after_id
                                 AND m.id <= r.upto_id AND m.sent_at >= $5
                               ORDER BY m.id ",
            $order,
            " LIMIT $6) AS ids
                   FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
                        AS r (mailbox_id, after_id, upto_id)),
                  bound AS MATERIALIZED (SELECT ",
            $nearest,
            "(t.ids[$6::bigint::int]) AS id FROM taken t)
             SELECT m.id, m.sent_at, s.name, coalesce(r.name, x.name), m.body, m.details,
                    m.sender_id, m.mailbox_id, (SELECT b.id FROM bound b) IS NULL
               FROM ",
            folded!(),
            " AS m
               JOIN chat.users s ON s.id = m.sender_id
               LEFT JOIN chat.users r ON r.id = m.mailbox_id
               LEFT JOIN chat.rooms x ON x.id = -m.mailbox_id
              WHERE m.id = ANY (ARRAY(
                        SELECT i.id FROM (SELECT unnest(t.ids) FROM taken t) AS i (id)
                         WHERE i.id ",
            $up_to,
            " (SELECT b.id FROM bound b) OR (SELECT b.id FROM bound b) IS NULL
                         ORDER BY i.id ",
            $order,
            " LIMIT $4))
              ORDER BY m.id ",
            $order
        )
    };
}

const AFTER: &str = merged_sql!("ASC", "min", "<=");
const BEFORE: &str = merged_sql!("DESC", "max", ">=");

impl Runs {
    /// The reader's own mailbox, if it is one of them, and these parts of rooms, up to the message
    /// `head`.
    pub(super) fn new(
        own: Option<MailboxId>,
        parts: &[RoomPart],
        head: MessageId,
        (is_before, since): (bool, i64),
    ) -> Self {
        let own = own.map(|mailbox| (mailbox, MessageId::ZERO, head));
        let of_rooms = parts.iter().flat_map(|part| {
            let ranges = part.ranges.iter();
            ranges.map(|&(after, upto)| (MailboxId::from(part.room), after, upto.min(head)))
        });
        Self { runs: own.into_iter().chain(of_rooms).collect(), is_before, since, taken: 0 }
    }

    /// At most `limit` messages from here on, in the direction of reading.
    pub(super) fn read(
        &mut self,
        session: &mut Session,
        from: MessageId,
        limit: usize,
    ) -> Result<Part> {
        for (_, after, upto) in &mut self.runs {
            if self.is_before {
                *upto = (*upto).min(MessageId(from.0.saturating_sub(1)));
            } else {
                *after = (*after).max(from);
            }
        }
        self.runs.retain(|(_, after, upto)| after < upto);
        if self.runs.is_empty() {
            return Ok(Part { rows: Vec::new(), is_last: true });
        }
        // If one run has nearly all messages, a few more statements find that out.
        let even = 2 * limit / self.runs.len();
        self.taken = even.max(2 * self.taken).clamp(RUN_MESSAGES_MIN.min(limit), limit);
        let mailboxes: Vec<i64> = self.runs.iter().map(|(mailbox, ..)| mailbox.0).collect();
        let after: Vec<i64> = self.runs.iter().map(|(_, after, _)| after.0).collect();
        let upto: Vec<i64> = self.runs.iter().map(|(.., upto)| upto.0).collect();
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let rows = session.query(
            if self.is_before { BEFORE } else { AFTER },
            &[&mailboxes, &after, &upto, &number(limit), &self.since, &number(self.taken)],
        )?;
        let is_whole = rows.first().is_none_or(|row| row.get(8));
        let is_last = rows.len() < limit && is_whole;
        Ok(Part { rows, is_last })
    }
}
