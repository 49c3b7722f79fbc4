//! Access tokens in use: looked up in the place of a session, and their uses recorded.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{AccessTokenId, MailboxId, Timestamp, TokenHash, UserId};
use crate::store::sqlite::rooms::word;
use crate::store::sqlite::row::not_a_value;
use crate::store::types::invitations::USED_INVITATION_KEPT;
use crate::store::types::sessions::StoredSession;
use crate::store::types::tokens::{Access, Targets, TokenUse};

/// Looks up an access token, as a session.
pub(in crate::store) fn find(
    connection: &Connection,
    token: &TokenHash,
) -> rusqlite::Result<Option<StoredSession>> {
    connection
        .prepare_cached(
            "SELECT t.id, t.name, t.rights, t.targets, t.user_id, t.last_used_at, t.expires_at,
                    u.disabled_at IS NOT NULL
               FROM access_tokens t JOIN users u ON u.id = t.user_id
              WHERE t.token_hash = ?1",
        )?
        .query_row([token.0], |row| {
            let access = Access {
                id: AccessTokenId(row.get(0)?),
                name: word(row, 1)?,
                rights: word(row, 2)?,
                targets: targets(row, 3)?,
            };
            let last_seen_at = row.get::<_, Option<i64>>(5)?.unwrap_or(0);
            let expires_at = row.get::<_, Option<i64>>(6)?.unwrap_or(i64::MAX);
            Ok(StoredSession {
                user: UserId(row.get(4)?),
                last_seen_at: Timestamp(last_seen_at),
                expires_at: Timestamp(expires_at),
                disabled: row.get(7)?,
                ..StoredSession::of_access(access)
            })
        })
        .optional()
}

/// Records uses, and removes the tokens and invitations that have expired. A used invitation stays
/// for a while.
pub(in crate::store) fn sweep(
    connection: &Connection,
    used: &[TokenUse],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE access_tokens SET last_used_at = ?2, last_used_from = ?3 WHERE id = ?1",
    )?;
    for TokenUse { id, at, from } in used {
        update.execute(params![id.0, at.0, from])?;
    }
    connection
        .prepare_cached("DELETE FROM access_tokens WHERE expires_at <= ?1")?
        .execute([now.0])?;
    connection
        .prepare_cached(
            "DELETE FROM account_invitations
              WHERE expires_at <= ?1 AND (used_at IS NULL OR used_at <= ?2)",
        )?
        .execute([now.0, now.minus(USED_INVITATION_KEPT).0])
        .map(drop)
}

/// The mailboxes in a column.
pub(in crate::store) fn targets(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Targets>> {
    let Some(text): Option<Box<str>> = row.get(column)? else { return Ok(None) };
    let numbers: Vec<i64> =
        serde_json::from_str(&text).map_err(|error| not_a_value(column, error))?;
    Ok(Some(numbers.into_iter().map(MailboxId).collect()))
}
