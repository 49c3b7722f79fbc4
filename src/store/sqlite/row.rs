//! Values of rows.

use std::error::Error;

use rusqlite::Row;
use rusqlite::types::Type;

use crate::model::{CursorName, Details, ExpectationName, UserName};

/// The name of a user.
pub(in crate::store) fn user_name(row: &Row<'_>, index: usize) -> rusqlite::Result<UserName> {
    let text: Box<str> = row.get(index)?;
    text.parse().map_err(|error| not_a_value(index, error))
}

/// The name of a cursor.
pub(in crate::store) fn cursor_name(row: &Row<'_>, index: usize) -> rusqlite::Result<CursorName> {
    let text: Box<str> = row.get(index)?;
    text.parse().map_err(|error| not_a_value(index, error))
}

/// The name of an expectation.
pub(in crate::store) fn expectation_name(
    row: &Row<'_>,
    index: usize,
) -> rusqlite::Result<ExpectationName> {
    let text: Box<str> = row.get(index)?;
    text.parse().map_err(|error| not_a_value(index, error))
}

/// The details of a message.
pub(in crate::store) fn details(
    row: &Row<'_>,
    index: usize,
) -> rusqlite::Result<Option<Box<Details>>> {
    let text: Option<Box<str>> = row.get(index)?;
    let details = text.map(|text| Details::from_json(&text)).transpose();
    Ok(details.map_err(|error| not_a_value(index, error))?.and_then(Details::if_any))
}

/// The error for a value that the server would never have stored.
pub(in crate::store) fn not_a_value(
    column: usize,
    error: impl Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
