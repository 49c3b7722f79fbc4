//! The edits and deletions of a page.

use rusqlite::{Connection, params};

use super::{mailbox_name, messages_with};
use crate::model::{Body, Change, Filter, MessageId, Timestamp, UserId};
use crate::store::sqlite::operations::users;
use crate::store::sqlite::row::not_a_value;
use crate::store::types::changes::{ChangeRange, ChangedPart, PAGE_CHANGES_MAX};
use crate::store::types::messages::{Page, PageBounds};

/// Adds the changes of these parts of mailboxes to a page. It reads the snapshot of the page.
pub(super) fn add(
    connection: &Connection,
    range: ChangeRange,
    (reader, parts): (UserId, &[ChangedPart]),
    filter: &Filter,
    page: &mut Page,
) -> rusqlite::Result<()> {
    let newest: Option<i64> = connection
        .prepare_cached("SELECT max(id) FROM message_changes")?
        .query_row([], |row| row.get(0))?;
    let Some(newest) = newest.map(MessageId).filter(|newest| *newest > range.after) else {
        return Ok(());
    };
    let mut found = Vec::new();
    for part in parts {
        read(connection, range, (reader, part), &mut found)?;
    }
    found.sort_unstable_by_key(|change| change.change);
    if range.is_before {
        found.reverse();
    }
    range.cut(&mut found, newest, page);
    if !filter.is_empty() {
        leave_out(connection, filter, &mut found)?;
    }
    if range.is_before {
        found.reverse();
    }
    page.changes = found;
    Ok(())
}

/// Adds the changes of a part, in the direction of reading, at most one more than a page has.
fn read(
    connection: &Connection,
    range: ChangeRange,
    (reader, part): (UserId, &ChangedPart),
    found: &mut Vec<Change>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(if range.is_before { BEFORE } else { AFTER })?;
    let number = |user: Option<UserId>| user.map(|user| user.0);
    let mut rows = statement.query(params![
        part.mailbox.0,
        range.after.0,
        range.upto.0.min(part.changes_upto.0),
        part.after.0,
        if range.told { part.upto.0.min(range.after.0) } else { part.upto.0 },
        number(part.sender),
        number(part.not_sender),
        range.told,
        (PAGE_CHANGES_MAX + 1) as i64,
        reader.0,
    ])?;
    while let Some(row) = rows.next()? {
        let by = match row.get::<_, Option<i64>>(2)? {
            None => None,
            Some(user) => users::name_of(connection, UserId(user))?,
        };
        let body: Option<Box<str>> = row.get(4)?;
        let body = body.map(Body::try_from).transpose();
        let change = Change {
            change: MessageId(row.get(0)?),
            id: MessageId(row.get(3)?),
            at: Timestamp(row.get(1)?),
            by,
            to: None,
            room: None,
            body: body.map_err(|error| not_a_value(4, error))?,
        };
        let Some(mailbox) = mailbox_name(connection, part.mailbox)? else { continue };
        found.push(change.in_mailbox(mailbox));
    }
    Ok(())
}

/// Leaves out the edits of messages that do not pass.
fn leave_out(
    connection: &Connection,
    filter: &Filter,
    found: &mut Vec<Change>,
) -> rusqlite::Result<()> {
    let ids: Vec<MessageId> =
        found.iter().filter(|change| change.body.is_some()).map(|change| change.id).collect();
    let bounds = PageBounds {
        messages: usize::MAX,
        size: usize::MAX,
        measure: |message| message.text_bytes(),
    };
    let (messages, _) = messages_with(connection, ids, &bounds)?;
    found.retain(|change| {
        let message = messages.iter().find(|message| message.id == change.id);
        change.body.is_none() || message.is_some_and(|message| filter.passes(message))
    });
    Ok(())
}

/// Reads with these parameters: the mailbox; the interval of the changes; that of the messages; their
/// sender, and who is not; whether only the newest change of each message counts; the number of rows;
/// the reader, who may block the sender.
macro_rules! changes_sql {
    ($order:literal) => {
        concat!(
            "SELECT c.id, c.changed_at, c.user_id, c.message_id, c.body
               FROM message_changes c
              CROSS JOIN messages m ON m.id = c.message_id
              WHERE c.mailbox_id = ?1 AND c.id > ?2 AND c.id <= ?3
                AND c.message_id > ?4 AND c.message_id <= ?5
                AND (?6 IS NULL OR m.sender_id = ?6) AND (?7 IS NULL OR m.sender_id <> ?7)
                AND (c.mailbox_id > 0
                     OR NOT EXISTS (SELECT 1 FROM blocks b
                                     WHERE b.user_id = ?10 AND b.blocked_id = m.sender_id))
                AND CASE WHEN ?8
                         THEN c.id = (SELECT max(n.id) FROM message_changes n
                                       WHERE n.message_id = c.message_id)
                         ELSE c.body IS NULL
                              OR NOT EXISTS (SELECT 1 FROM message_changes d
                                              WHERE d.message_id = c.message_id AND d.body IS NULL)
                         END
              ORDER BY c.id ",
            $order,
            " LIMIT ?9"
        )
    };
}

const AFTER: &str = changes_sql!("ASC");
const BEFORE: &str = changes_sql!("DESC");
