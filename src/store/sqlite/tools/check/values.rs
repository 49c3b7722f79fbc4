//! Checks the values in a database: the server would accept every name and text.

use rusqlite::Connection;

use super::{CheckDepth, FINDINGS_MAX, Findings};
use crate::model::{BODY_BYTES_MAX, Details, UserName};
use crate::store::sqlite::expiry;
use crate::store::sqlite::operations::scheduled;
use crate::store::sqlite::schema;

/// The server would accept every name and text.
pub(super) fn check(
    connection: &Connection,
    depth: CheckDepth,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT id, CAST(name AS BLOB) FROM users")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let valid = std::str::from_utf8(&name).is_ok_and(|name| name.parse::<UserName>().is_ok());
        if !valid {
            findings.add(format!("user {id} has an invalid name"));
        }
    }
    if depth == CheckDepth::Quick {
        return Ok(());
    }
    let version: usize = schema::version(connection)?;
    if version >= 6 {
        check_details(connection, findings)?;
    }
    if version >= 18 {
        for id in expiry::wrong_rows(connection, FINDINGS_MAX)? {
            findings.add(format!("message {} does not expire when it says", id.0));
        }
    }
    if version >= 14 {
        check_what_is_sent_later(connection, findings)?;
    }
    let mut statement = connection.prepare("SELECT id, CAST(body AS BLOB) FROM messages")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        if !is_body(row.get_ref(1)?.as_blob()?) {
            findings.add(format!("message {id} has an invalid text"));
        }
    }
    Ok(())
}

/// The server would accept all details, and each message that answers another one is in a thread.
fn check_details(connection: &Connection, findings: &mut Findings) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT m.id, m.details, t.thread_id IS NOT NULL
           FROM messages m LEFT JOIN threads t ON t.message_id = m.id
          WHERE m.details IS NOT NULL OR t.thread_id IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, text, is_in_thread): (i64, Option<String>, bool) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        match Details::from_json(&text.unwrap_or_else(|| "{}".to_owned())) {
            Err(_) => findings.add(format!("message {id} has invalid details")),
            Ok(details) if details.check_expiry().is_err() => {
                findings.add(format!("message {id} has invalid details"));
            }
            Ok(details) if details.reply_to.is_some() && !is_in_thread => {
                findings.add(format!("message {id} is missing in its thread"));
            }
            Ok(details) if details.reply_to.is_none() && is_in_thread => {
                findings.add(format!("message {id} is in a thread, and answers none"));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// The server can send every scheduled message, and tell of every expectation. One that it cannot
/// read holds up those of all users.
fn check_what_is_sent_later(
    connection: &Connection,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    for id in scheduled::unreadable(connection)? {
        findings.add(format!("scheduled message {} has an invalid value", id.0));
    }
    let mut statement = connection.prepare(
        "SELECT e.name, u.name, CAST(e.late_text AS BLOB)
           FROM expectations e JOIN users u ON u.id = e.owner_id
          WHERE e.late_text IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !is_body(row.get_ref(2)?.as_blob()?) {
            let (name, owner): (String, String) = (row.get(0)?, row.get(1)?);
            findings.add(format!("the expectation {name} of {owner} has an invalid text"));
        }
    }
    Ok(())
}

fn is_body(text: &[u8]) -> bool {
    (1..=BODY_BYTES_MAX).contains(&text.len()) && std::str::from_utf8(text).is_ok()
}
