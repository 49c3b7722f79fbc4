//! The index of words, for searches. It is derived from the message log and written behind it, so
//! storing a message costs nothing more for it.
//!
//! A row of `marks` says how far the index has come. It is written in the same transaction as the
//! index. A search looks at newer messages directly. `migrations/postgres/0005-search` has the table.

use crate::model::{Details, MailboxId, MessageId, UserId};
use crate::search::{self, TOKENS_VERSION};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::Result;
use crate::store::postgres::folding::folded;
use crate::store::postgres::session::Session;

/// The most messages that one step indexes.
const STEP_MESSAGES_MAX: i64 = if cfg!(test) { 8 } else { 512 };

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Step {
    /// Some messages were indexed, and there may be more.
    Indexed,
    /// There are none, or another node has indexed them.
    Nothing,
}

/// Where the index ends. `None` if there is none of this version.
pub(in crate::store) fn upto(session: &mut Session) -> Result<Option<MessageId>> {
    let sql = "SELECT value::bigint FROM chat.marks WHERE name = $1";
    Ok(session.query_opt(sql, &[&mark()])?.map(|row| MessageId(row.get(0))))
}

/// Indexes the next messages.
pub(in crate::store) fn index_some(session: &mut Session) -> Result<Step> {
    let begin = upto(session)?.unwrap_or(MessageId::ZERO);
    // A text that is edited after this is read again by the next step.
    let newest = session.query_one("SELECT chat.newest_message_change($1)", &[&LANE])?;
    let changed: i64 = newest.get(0);
    let rows = session.query(
        concat!(
            "SELECT id, sender_id, mailbox_id, body, details FROM ",
            folded!(),
            " AS m WHERE id > $1 ORDER BY id LIMIT $2"
        ),
        &[&begin.0, &STEP_MESSAGES_MAX],
    )?;
    let Some(end) = rows.last().map(|row| row.get::<_, i64>(0)) else { return Ok(Step::Nothing) };
    let mut ids: Vec<i64> = Vec::with_capacity(rows.len());
    let mut vectors: Vec<String> = Vec::with_capacity(rows.len());
    for row in &rows {
        let parties = (UserId(row.get(1)), MailboxId(row.get(2)));
        let body = String::from_utf8_lossy(row.get(3));
        // No reader sees a message with invalid details.
        let details = row.get::<_, Option<&str>>(4).map(Details::from_json);
        let details = details.and_then(std::result::Result::ok);
        ids.push(row.get(0));
        vectors.push(vector(parties, &body, details.as_ref()));
    }
    let row = session.query_one(
        "SELECT chat.index_words($1, $2, $3, $4, $5, $6, $7)",
        &[&LANE, &mark(), &begin.0, &end, &ids, &vectors, &changed],
    )?;
    Ok(if row.get(0) { Step::Indexed } else { Step::Nothing })
}

/// The words of a message, in the form of a `tsvector`.
pub(in crate::store) fn vector(
    parties: (UserId, MailboxId),
    body: &str,
    details: Option<&Details>,
) -> String {
    let mut vector = String::new();
    search::tokens(parties, body, details, |token| {
        vector.push('\'');
        vector.push_str(token);
        vector.push_str("' ");
    });
    vector
}

/// Indexes all messages, together with other nodes.
#[cfg(test)]
pub(in crate::store) fn index_all(session: &mut Session) -> Result<()> {
    let newest = "SELECT coalesce(max(id), 0) FROM chat.folded_messages";
    loop {
        let end = upto(session)?.unwrap_or(MessageId::ZERO);
        if end.0 >= session.query_one(newest, &[])?.get(0) {
            return Ok(());
        }
        index_some(session)?;
    }
}

/// The row of `marks`. Another version of the tokens has another one.
fn mark() -> String {
    format!("search_upto.{TOKENS_VERSION}")
}
