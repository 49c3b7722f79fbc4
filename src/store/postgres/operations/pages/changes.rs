//! The edits and deletions of a page.

use std::collections::HashMap;

use postgres::Row;

use super::{BY_IDS, message};
use crate::model::{Body, Change, Filter, Message, MessageId, Timestamp, UserId};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::session::Session;
use crate::store::types::changes::{ChangeRange, ChangedPart, PAGE_CHANGES_MAX};
use crate::store::types::messages::Page;

/// Adds the changes of these parts of mailboxes to a page.
pub(super) fn add(
    session: &mut Session,
    range: ChangeRange,
    (reader, parts): (UserId, &[ChangedPart]),
    filter: &Filter,
    page: &mut Page,
) -> Result<()> {
    let newest = session.query_one("SELECT chat.newest_message_change($1)", &[&LANE])?;
    let newest = MessageId(newest.get(0));
    if newest <= range.after {
        return Ok(());
    }
    let mut found = read(session, range, (reader, parts))?;
    range.cut(&mut found, newest, page);
    if !filter.is_empty() {
        leave_out(session, filter, &mut found)?;
    }
    if range.is_before {
        found.reverse();
    }
    page.changes = found;
    Ok(())
}

/// The changes in the direction of reading, at most one more than a page has.
fn read(
    session: &mut Session,
    range: ChangeRange,
    (reader, parts): (UserId, &[ChangedPart]),
) -> Result<Vec<Change>> {
    let each = |of: fn(&ChangedPart) -> i64| parts.iter().map(of).collect::<Vec<i64>>();
    // There is no user 0.
    let sender = |part: &ChangedPart| part.sender.map_or(0, |user| user.0);
    let not_sender = |part: &ChangedPart| part.not_sender.map_or(0, |user| user.0);
    let rows = session.query(
        if range.is_before { BEFORE } else { AFTER },
        &[
            &each(|part| part.mailbox.0),
            &each(|part| part.after.0),
            &each(|part| part.upto.0),
            &each(|part| part.changes_upto.0),
            &each(sender),
            &each(not_sender),
            &range.after.0,
            &range.upto.0,
            &range.told,
            &((PAGE_CHANGES_MAX + 1) as i64),
            &reader.0,
        ],
    )?;
    rows.iter().map(change).collect()
}

fn change(row: &Row) -> Result<Change> {
    let body = row.get::<_, Option<&[u8]>>(4).map(std::str::from_utf8);
    let body = body.transpose().map_err(|_| Error::NotUtf8)?;
    let body = body.map(|text| Body::try_from(Box::<str>::from(text))).transpose()?;
    let change = Change {
        change: MessageId(row.get(0)),
        id: MessageId(row.get(3)),
        at: Timestamp(row.get(1)),
        by: row.get::<_, Option<&str>>(2).map(str::parse).transpose()?,
        to: None,
        room: None,
        body,
    };
    Ok(change.in_mailbox(row.get::<_, &str>(5).parse()?))
}

/// Leaves out the edits of messages that do not pass.
fn leave_out(session: &mut Session, filter: &Filter, found: &mut Vec<Change>) -> Result<()> {
    let ids: Vec<i64> =
        found.iter().filter(|change| change.body.is_some()).map(|change| change.id.0).collect();
    let rows = session.query(BY_IDS, &[&ids])?;
    let messages: Vec<Message> = rows.iter().map(message).collect::<Result<_>>()?;
    found.retain(|change| {
        let message = messages.iter().find(|message| message.id == change.id);
        change.body.is_none() || message.is_some_and(|message| filter.passes(message))
    });
    Ok(())
}

/// Gives messages back the texts that they were sent with.
pub(super) fn unfold(session: &mut Session, page: &mut Page) -> Result<()> {
    let is_edited =
        |message: &&mut Message| message.details.as_ref().is_some_and(|of| of.edited.is_some());
    let mut edited: HashMap<i64, &mut Message> =
        page.messages.iter_mut().filter(is_edited).map(|message| (message.id.0, message)).collect();
    if edited.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = edited.keys().copied().collect();
    let rows = session
        .query("SELECT id, body, details FROM chat.messages WHERE id = ANY ($1)", &[&ids])?;
    for row in &rows {
        if let Some(message) = edited.get_mut(&row.get::<_, i64>(0)) {
            let text = std::str::from_utf8(row.get(1)).map_err(|_| Error::NotUtf8)?;
            message.body = Body::try_from(Box::<str>::from(text))?;
            let details = super::details(row.get(2))?;
            message.details = details.map(|details| details.of_sent(message.at));
        }
    }
    Ok(())
}

/// Reads with these parameters: of each part its mailbox, the interval of its messages, the last of
/// their changes, their sender, and who is not; the interval of the changes; whether only the newest
/// change of each message counts; the number of rows; the reader, who may block the sender.
macro_rules! changes_sql {
    ($order:literal) => {
        concat!(
            "SELECT c.id, c.changed_at, u.name, c.message_id, c.body, coalesce(r.name, x.name)
               FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                           $6::bigint[])
                    AS p (mailbox_id, after_id, upto_id, changes_upto, sender_id, not_sender_id)
               JOIN chat.message_changes c ON c.mailbox_id = p.mailbox_id
                AND c.id > $7 AND c.id <= least($8, p.changes_upto)
                AND c.message_id > p.after_id AND c.message_id <= p.upto_id
               JOIN chat.messages m ON m.mailbox_id = c.mailbox_id AND m.id = c.message_id
                AND p.sender_id IN (0, m.sender_id) AND p.not_sender_id <> m.sender_id
                AND (c.mailbox_id > 0
                     OR NOT EXISTS (SELECT FROM chat.blocks w
                                     WHERE w.user_id = $11 AND w.blocked_id = m.sender_id))
               LEFT JOIN chat.users u ON u.id = c.user_id
               LEFT JOIN chat.users r ON r.id = c.mailbox_id
               LEFT JOIN chat.rooms x ON x.id = -c.mailbox_id
              WHERE CASE WHEN $9
                         THEN c.message_id <= $7
                              AND c.id = (SELECT max(n.id) FROM chat.message_changes n
                                           WHERE n.message_id = c.message_id)
                         ELSE c.body IS NULL
                              OR NOT EXISTS (SELECT FROM chat.message_changes d
                                              WHERE d.message_id = c.message_id AND d.body IS NULL)
                         END
              ORDER BY c.id ",
            $order,
            " LIMIT $10"
        )
    };
}

const AFTER: &str = changes_sql!("ASC");
const BEFORE: &str = changes_sql!("DESC");
