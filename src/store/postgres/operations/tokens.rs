//! Access tokens.

use postgres::Row;

use crate::model::{
    AccessTokenId, AccessTokenName, MailboxId, MailboxName, RoomName, Timestamp, TokenHash, UserId,
    UserName,
};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::places::find_place;
use crate::store::postgres::session::Session;
use crate::store::types::invitations::USED_INVITATION_KEPT;
use crate::store::types::rooms::Actor;
use crate::store::types::sessions::StoredSession;
use crate::store::types::tokens::{
    Access, CreateToken, CreatedToken, ListTokens, ListedToken, RevokeTokens, TOKENS_MAX, TokenUse,
};

impl Apply for CreateToken {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<CreatedToken> {
        let Self { user, name, hash, rights, to, now: _, lifetime } = self;
        let session = &mut *context.session;
        let targets = match to.as_deref().map(|to| find_targets(session, *user, to)).transpose()? {
            Some(Err(unknown)) => return Ok(CreatedToken::UnknownTargets(unknown)),
            Some(Ok(targets)) => Some(targets),
            None => None,
        };
        session.execute(
            "DELETE FROM chat.access_tokens
              WHERE user_id = $1 AND expires_at <= (SELECT chat.now_ms())",
            &[&user.0],
        )?;
        let row = session.query_one(
            "SELECT count(*), coalesce(bool_or(name = $2), false)
               FROM chat.access_tokens WHERE user_id = $1",
            &[&user.0, &name.as_str()],
        )?;
        if row.get(1) {
            return Ok(CreatedToken::NameTaken);
        }
        if usize::try_from(row.get::<_, i64>(0)).is_ok_and(|count| count >= TOKENS_MAX) {
            return Ok(CreatedToken::TooMany);
        }
        let lifetime = lifetime
            .map(|lifetime| i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX / 2))
            .map(|lifetime| lifetime.min(i64::MAX / 2));
        let row = session.query_one(
            "INSERT INTO chat.access_tokens
                    (id, user_id, name, token_hash, rights, targets, created_at, expires_at)
             SELECT chat.next_number($1, 'access_tokens'), $2, $3, $4, $5, $6, t.now, t.now + $7
               FROM (SELECT chat.now_ms() AS now) AS t
             RETURNING expires_at",
            &[&LANE, &user.0, &name.as_str(), &&hash.0[..], &rights.as_str(), &targets, &lifetime],
        )?;
        Ok(CreatedToken::Yes { expires_at: row.get::<_, Option<i64>>(0).map(Timestamp) })
    }
}

impl Apply for RevokeTokens {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Vec<TokenHash>> {
        // To the other nodes it is like a session that has ended.
        let rows = context.session.query(
            "DELETE FROM chat.access_tokens
              WHERE user_id = $1 AND ($2::text IS NULL OR name = $2) RETURNING token_hash",
            &[&self.user.0, &self.name.as_ref().map(AccessTokenName::as_str)],
        )?;
        let revoked: Vec<TokenHash> =
            rows.iter().map(|row| token_hash(row, 0)).collect::<Result<_>>()?;
        for hash in &revoked {
            context.session.query_one(
                "SELECT chat.note_change($1, 'session', $2, $3)",
                &[&LANE, &self.user.0, &&hash.0[..]],
            )?;
        }
        Ok(revoked)
    }
}

impl Query for ListTokens {
    fn query(&self, session: &mut Session) -> Result<(Vec<ListedToken>, bool)> {
        let Self { user, after, max } = self;
        let rows = session.query(
            "SELECT t.id, u.name, t.name, t.rights, t.created_at, t.expires_at, t.last_used_at,
                    t.last_used_from,
                    CASE WHEN t.targets IS NOT NULL THEN ARRAY(
                        SELECT coalesce(v.name, x.name) FROM unnest(t.targets) AS a (mailbox)
                          LEFT JOIN chat.users v ON v.id = a.mailbox AND v.deleted_at IS NULL
                          LEFT JOIN chat.rooms x ON x.id = -a.mailbox
                         WHERE coalesce(v.name, x.name) IS NOT NULL) END
               FROM chat.access_tokens t JOIN chat.users u ON u.id = t.user_id
              WHERE t.id > $1 AND ($2::bigint IS NULL OR t.user_id = $2)
              ORDER BY t.id LIMIT $3",
            &[&after.0, &user.map(|user| user.0), &(*max as i64 + 1)],
        )?;
        let more = rows.len() > *max;
        let tokens = rows.iter().take(*max).map(listed).collect::<Result<_>>()?;
        Ok((tokens, more))
    }
}

/// The hash of a token in a row.
pub(in crate::store) fn token_hash(row: &Row, column: usize) -> Result<TokenHash> {
    let bytes: &[u8] = row.get(column);
    bytes
        .try_into()
        .map(TokenHash)
        .map_err(|_| Error::Unexpected("the hash of a token has not 32 bytes"))
}

/// Looks up an access token, as a session.
pub(in crate::store) fn find(
    session: &mut Session,
    token: &TokenHash,
) -> Result<Option<StoredSession>> {
    let row = session.query_opt(
        "SELECT t.id, t.name, t.rights, t.targets, t.user_id, t.last_used_at, t.expires_at,
                u.disabled_at IS NOT NULL
           FROM chat.access_tokens t JOIN chat.users u ON u.id = t.user_id
          WHERE t.token_hash = $1",
        &[&&token.0[..]],
    )?;
    let Some(row) = row else { return Ok(None) };
    let targets: Option<Vec<i64>> = row.get(3);
    let access = Access {
        id: AccessTokenId(row.get(0)),
        name: row.get::<_, &str>(1).parse()?,
        rights: row.get::<_, &str>(2).parse()?,
        targets: targets.map(|targets| targets.into_iter().map(MailboxId).collect()),
    };
    Ok(Some(StoredSession {
        user: UserId(row.get(4)),
        last_seen_at: Timestamp(row.get::<_, Option<i64>>(5).unwrap_or(0)),
        expires_at: Timestamp(row.get::<_, Option<i64>>(6).unwrap_or(i64::MAX)),
        disabled: row.get(7),
        ..StoredSession::of_access(access)
    }))
}

/// Records uses, and removes the tokens and invitations that have expired; a used invitation stays
/// for a while. The clock of the database is ahead of
/// this node's by `shift`.
pub(in crate::store) fn sweep(
    session: &mut Session,
    used: &[TokenUse],
    shift: i64,
    now: i64,
) -> Result<()> {
    if !used.is_empty() {
        let ids: Vec<i64> = used.iter().map(|used| used.id.0).collect();
        let time = |used: &TokenUse| used.at.0.saturating_add(shift).min(now);
        let times: Vec<i64> = used.iter().map(time).collect();
        let places: Vec<&str> = used.iter().map(|used| used.from.as_str()).collect();
        // A token may be used on several nodes: the last use counts.
        session.execute(
            "UPDATE chat.access_tokens t SET last_used_at = used.at, last_used_from = used.place
               FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS used (id, at, place)
              WHERE t.id = used.id AND coalesce(t.last_used_at, 0) <= used.at",
            &[&ids, &times, &places],
        )?;
    }
    // Every node finds out by itself that a token has expired, so no change is noted.
    session.execute("DELETE FROM chat.access_tokens WHERE expires_at <= $1", &[&now])?;
    let used_before = Timestamp(now).minus(USED_INVITATION_KEPT).0;
    session
        .execute(
            "DELETE FROM chat.account_invitations
              WHERE expires_at <= $1 AND (used_at IS NULL OR used_at <= $2)",
            &[&now, &used_before],
        )
        .map(drop)
}

/// Removes the tokens of a deleted user.
pub(in crate::store) fn remove_all(session: &mut Session, user: UserId) -> Result<()> {
    session.execute("DELETE FROM chat.access_tokens WHERE user_id = $1", &[&user.0]).map(drop)
}

/// The mailboxes of these users and rooms; or those that the user cannot see.
fn find_targets(
    session: &mut Session,
    user: UserId,
    to: &[MailboxName],
) -> Result<std::result::Result<Vec<i64>, Vec<MailboxName>>> {
    let (mut targets, mut unknown) = (Vec::new(), Vec::new());
    for name in to {
        let found = match name {
            MailboxName::User(name) => find_user(session, name)?,
            MailboxName::Room(name) => find_room(session, user, name)?,
        };
        match found {
            Some(MailboxId(found)) => targets.push(found),
            None => unknown.push(name.clone()),
        }
    }
    Ok(if unknown.is_empty() { Ok(targets) } else { Err(unknown) })
}

fn find_user(session: &mut Session, name: &UserName) -> Result<Option<MailboxId>> {
    let row = session.query_opt(
        "SELECT id FROM chat.users WHERE name = $1 AND deleted_at IS NULL",
        &[&name.as_str()],
    )?;
    Ok(row.map(|row| MailboxId(row.get(0))))
}

fn find_room(session: &mut Session, user: UserId, name: &RoomName) -> Result<Option<MailboxId>> {
    let found = find_place(session, Actor::User(user), name)?;
    Ok(found.filter(|(_, place)| place.sees()).map(|(room, _)| room.into()))
}

fn listed(row: &Row) -> Result<ListedToken> {
    let to: Option<Vec<&str>> = row.get(8);
    let to = to.map(|names| {
        names.into_iter().map(str::parse).collect::<std::result::Result<Vec<MailboxName>, _>>()
    });
    let mut to = to.transpose()?;
    if let Some(names) = &mut to {
        names.sort_unstable();
    }
    let (at, from): (Option<i64>, Option<String>) = (row.get(6), row.get(7));
    Ok(ListedToken {
        id: AccessTokenId(row.get(0)),
        user: row.get::<_, &str>(1).parse()?,
        name: row.get::<_, &str>(2).parse()?,
        rights: row.get::<_, &str>(3).parse()?,
        to,
        created_at: Timestamp(row.get(4)),
        expires_at: row.get::<_, Option<i64>>(5).map(Timestamp),
        last_use: at.map(Timestamp).zip(from),
    })
}
