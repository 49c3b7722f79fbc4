//! What users have set for themselves.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::UserId;
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::rooms::word;
use crate::store::sqlite::row::user_name;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::settings::{ChangeSettings, FindSettings, ListVisible, Settings, Visible};

impl Query for FindSettings {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<Settings>> {
        find(context.connection, self.0)
    }
}

impl Apply for ChangeSettings {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Option<Settings>> {
        let Self { user, receipts, status, is_invisible } = self;
        let status = status.as_ref().map(|status| status.as_str());
        context
            .connection
            .prepare_cached(
                "UPDATE users SET receipts = coalesce(?2, receipts), status = coalesce(?3, status),
                                  is_invisible = coalesce(?4, is_invisible)
                  WHERE id = ?1 RETURNING receipts, status, is_invisible",
            )?
            .query_row(params![user.0, receipts, status, is_invisible], settings)
            .optional()
    }
}

impl Query for ListVisible {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<(Vec<Visible>, bool)> {
        let mut find = context.connection.prepare_cached(
            "SELECT id, name, status, is_invisible FROM users
              WHERE id = ?1 AND deleted_at IS NULL",
        )?;
        let mut found = Vec::with_capacity(self.users.len());
        for user in &self.users {
            found.extend(find.query_row([user.0], visible).optional()?);
        }
        Ok(self.choose(found))
    }
}

/// The settings of a user.
pub(super) fn find(connection: &Connection, user: UserId) -> rusqlite::Result<Option<Settings>> {
    connection
        .prepare_cached("SELECT receipts, status, is_invisible FROM users WHERE id = ?1")?
        .query_row([user.0], settings)
        .optional()
}

fn settings(row: &Row<'_>) -> rusqlite::Result<Settings> {
    Ok(Settings { receipts: row.get(0)?, status: word(row, 1)?, is_invisible: row.get(2)? })
}

fn visible(row: &Row<'_>) -> rusqlite::Result<Visible> {
    Ok(Visible {
        user: UserId(row.get(0)?),
        name: user_name(row, 1)?,
        status: word(row, 2)?,
        is_invisible: row.get(3)?,
    })
}
