//! What users have set for themselves.

use postgres::Row;

use crate::model::UserId;
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::session::Session;
use crate::store::types::settings::{ChangeSettings, FindSettings, ListVisible, Settings, Visible};

impl Query for FindSettings {
    fn query(&self, session: &mut Session) -> Result<Option<Settings>> {
        find(session, self.0)
    }
}

impl Apply for ChangeSettings {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Option<Settings>> {
        let Self { user, receipts, status, is_invisible } = self;
        let status = status.as_ref().map(|status| status.as_str());
        let row = context.session.query_opt(
            "UPDATE chat.users SET receipts = coalesce($2, receipts),
                                   status = coalesce($3, status),
                                   is_invisible = coalesce($4, is_invisible)
              WHERE id = $1 RETURNING receipts, status, is_invisible",
            &[&user.0, receipts, &status, is_invisible],
        )?;
        row.as_ref().map(settings).transpose()
    }
}

impl Query for ListVisible {
    fn query(&self, session: &mut Session) -> Result<(Vec<Visible>, bool)> {
        let users: Vec<i64> = self.users.iter().map(|user| user.0).collect();
        let rows = session.query(
            "SELECT id, name, status, is_invisible FROM chat.users
              WHERE id = ANY ($1) AND deleted_at IS NULL",
            &[&users],
        )?;
        Ok(self.choose(rows.iter().map(visible).collect::<Result<_>>()?))
    }
}

/// The settings of a user.
pub(super) fn find(session: &mut Session, user: UserId) -> Result<Option<Settings>> {
    let row = session.query_opt(
        "SELECT receipts, status, is_invisible FROM chat.users WHERE id = $1",
        &[&user.0],
    )?;
    row.as_ref().map(settings).transpose()
}

fn settings(row: &Row) -> Result<Settings> {
    let status = row.get::<_, &str>(1).parse()?;
    Ok(Settings { receipts: row.get(0), status, is_invisible: row.get(2) })
}

fn visible(row: &Row) -> Result<Visible> {
    Ok(Visible {
        user: UserId(row.get(0)),
        name: row.get::<_, &str>(1).parse()?,
        status: row.get::<_, &str>(2).parse()?,
        is_invisible: row.get(3),
    })
}
