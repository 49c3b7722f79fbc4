//! Finding messages to delete, and deleting them.

use crate::model::MessageId;
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::operations::users;
use crate::store::postgres::session::Session;
use crate::store::types::purge::{FindToPurge, Purge, PurgeCandidates, PurgeSide};

/// The maximum number of messages that one step looks at.
const SCAN_MESSAGES_MAX: usize = 10_000;
/// The maximum number of messages that one step deletes, because senders wait for it.
const PURGE_MESSAGES_MAX: usize = 128;
/// The maximum text that one step deletes, in bytes. A step deletes at least one message.
const PURGE_BYTES_MAX: u64 = 512 * 1024;

impl Query for FindToPurge {
    fn query(&self, session: &mut Session) -> Result<Option<PurgeCandidates>> {
        let filter = &self.filter;
        let (user, part) = match &filter.user {
            None => (None, PurgeSide::Both),
            Some((name, part)) => match users::id_of(session, name)? {
                Some(id) => (Some(id.0), *part),
                None => return Ok(None),
            },
        };
        let sent = matches!(part, PurgeSide::Sent | PurgeSide::Both);
        let received = matches!(part, PurgeSide::Received | PurgeSide::Both);
        let rows = session.query(
            "WITH looked_at AS MATERIALIZED (
                 SELECT m.id, m.sent_at, m.sender_id, m.mailbox_id,
                        octet_length(m.body)::bigint AS bytes,
                        EXISTS (SELECT FROM chat.message_changes c
                                 WHERE c.message_id = m.id AND c.body IS NULL) AS is_deleted,
                        coalesce(chat.expires_at(m.details, m.sent_at)
                                 <= (SELECT chat.now_ms()), false) AS has_expired
                   FROM chat.messages m
                  WHERE m.id > $1 AND m.id < $2 ORDER BY m.id LIMIT $8),
                  unread AS MATERIALIZED (
                 SELECT p.mailbox_id, (p.part).after_id, (p.part).upto_id
                   FROM (SELECT b.mailbox_id, chat.unread_parts($9, b.mailbox_id) AS part
                           FROM (SELECT DISTINCT l.mailbox_id FROM looked_at l
                                  WHERE NOT $7) AS b) AS p)
             SELECT l.id, l.bytes,
                    l.sent_at < $3 AND ($4::bigint IS NULL OR $5 AND l.sender_id = $4
                                        OR $6 AND l.mailbox_id = $4)
                    AND (l.is_deleted OR NOT $10),
                    NOT $7 AND NOT l.is_deleted AND (NOT l.has_expired
                                AND EXISTS (SELECT FROM unread k
                                             WHERE k.mailbox_id = l.mailbox_id
                                               AND l.id > k.after_id AND l.id <= k.upto_id)
                                OR EXISTS (SELECT FROM chat.dead_letters d
                                            WHERE d.message_id = l.id))
               FROM looked_at l
              ORDER BY l.id",
            &[
                &self.after.0,
                &filter.before_id.map_or(i64::MAX, |id| id.0),
                &filter.before.map_or(i64::MAX, |before| before.0),
                &user,
                &sent,
                &received,
                &filter.unread_too,
                &(SCAN_MESSAGES_MAX as i64),
                &LANE,
                &filter.deleted_only,
            ],
        )?;
        let mut found =
            PurgeCandidates { ids: Vec::new(), unread: 0, upto: self.after, more: false };
        let mut bytes = 0;
        for row in &rows {
            let id = MessageId(row.get(0));
            if row.get(2) {
                if row.get(3) {
                    found.unread += 1;
                } else {
                    bytes += row.get::<_, i64>(1).unsigned_abs();
                    let is_full = found.ids.len() >= PURGE_MESSAGES_MAX || bytes > PURGE_BYTES_MAX;
                    if is_full && !found.ids.is_empty() {
                        found.more = true;
                        return Ok(Some(found));
                    }
                    found.ids.push(id);
                }
            }
            found.upto = id;
        }
        found.more = rows.len() == SCAN_MESSAGES_MAX;
        Ok(Some(found))
    }
}

impl Apply for Purge {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<usize> {
        let ids: Vec<i64> = self.ids.iter().map(|id| id.0).collect();
        let row = context
            .session
            .query_one("SELECT chat.purge($1, $2, $3)", &[&LANE, &ids, &self.unread_too])?;
        Ok(usize::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }
}
