//! Checks a database: SQLite's own integrity check, and the invariants between our tables.

mod values;

use rusqlite::{Connection, OptionalExtension};

use crate::model::{BODY_BYTES_MAX, MessageId};
use crate::store::sqlite::copy::{self, Content};
use crate::store::sqlite::message_log;
use crate::store::sqlite::projection::{keys, words};
use crate::store::sqlite::rooms::is_of_membership;
use crate::store::sqlite::schema;
use crate::store::sqlite::tools::offline::OfflineDatabase;

/// The maximum number of reported findings.
pub const FINDINGS_MAX: usize = 100;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The content of the database. `None` if it is too damaged to read.
    pub content: Option<Content>,
    /// The problems, one line each, at most [`FINDINGS_MAX`]. Empty if there are none.
    pub findings: Vec<String>,
}

/// How thorough a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckDepth {
    /// Reads everything: indexes against tables, and every message.
    Full,
    /// Reads every page, but neither compares indexes with tables nor reads each message.
    Quick,
}

impl OfflineDatabase {
    /// Checks one snapshot of the database. Until it ends, the WAL of a served database cannot
    /// begin a new generation; nothing else waits for it. A read that fails is a finding.
    pub fn check(&self, depth: CheckDepth) -> Checked {
        let mut findings = Findings(Vec::new());
        let Ok(snapshot) = self.connection.unchecked_transaction() else {
            return Checked { content: None, findings: vec!["it cannot be read".to_owned()] };
        };
        let checks: [Check; 9] = [
            check_pages,
            check_references,
            check_schema,
            check_ids,
            check_cursors,
            check_changes,
            check_everybody,
            check_views,
            values::check,
        ];
        for check in checks {
            if let Err(error) = check(&snapshot, depth, &mut findings) {
                findings.add(error.to_string());
            }
        }
        Checked { content: copy::content(&snapshot).ok(), findings: findings.0 }
    }
}

type Check = fn(&Connection, CheckDepth, &mut Findings) -> rusqlite::Result<()>;

struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, finding: String) {
        if self.0.len() < FINDINGS_MAX && !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }
}

fn check_pages(
    connection: &Connection,
    depth: CheckDepth,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    let pragma = match depth {
        CheckDepth::Full => "integrity_check",
        CheckDepth::Quick => "quick_check",
    };
    let mut statement = connection.prepare(&format!("PRAGMA {pragma}({FINDINGS_MAX})"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        for line in text.lines().filter(|line| *line != "ok" && !line.starts_with("***")) {
            findings.add(line.to_owned());
        }
    }
    Ok(())
}

fn check_references(
    connection: &Connection,
    _: CheckDepth,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, id, parent): (String, Option<i64>, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let row = id.map_or_else(|| "a row".to_owned(), |id| format!("row {id}"));
        findings.add(format!("{row} of {table} refers to a missing row of {parent}"));
    }
    let without_mailboxes = message_log::without_mailboxes(schema::version(connection)?);
    let mut statement = connection.prepare(&format!("{without_mailboxes} ORDER BY id LIMIT ?1"))?;
    let parents = if has_rooms(connection)? { "users or rooms" } else { "users" };
    let mut rows = statement.query([FINDINGS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        findings.add(format!("row {id} of messages refers to a missing row of {parents}"));
    }
    Ok(())
}

/// Tables, indexes and views are those of the migrations.
fn check_schema(
    connection: &Connection,
    _: CheckDepth,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    let objects = |connection: &Connection| -> rusqlite::Result<Vec<(String, String, String)>> {
        connection
            .prepare(
                "SELECT type, name, sql FROM sqlite_schema
                  WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect()
    };
    let version: usize = schema::version(connection)?;
    let Some(model) = schema::empty(version)? else { return Ok(()) };
    let (there, expected) = (objects(connection)?, objects(&model)?);
    for object in expected.iter().filter(|object| !there.contains(object)) {
        findings.add(format!("the {} {} is missing or was changed", object.0, object.1));
    }
    let known = |name: &String| expected.iter().any(|(_, expected, _)| expected == name);
    for (kind, name, _) in there.iter().filter(|(_, name, _)| !known(name)) {
        findings.add(format!("the {kind} {name} does not belong to the schema"));
    }
    Ok(())
}

fn check_ids(
    connection: &Connection,
    _: CheckDepth,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    let first: Option<i64> =
        connection.query_row("SELECT min(id) FROM messages", [], |row| row.get(0))?;
    if let Some(first) = first.filter(|&first| first < 1) {
        findings.add(format!("a message has the id {first}"));
    }
    let floor: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE name = 'message_id_floor'", [], |row| row.get(0))
        .optional()?;
    if let Some(floor) = floor.filter(|floor| !floor.parse::<i64>().is_ok_and(|floor| floor >= 0)) {
        findings.add(format!("the floor of the ids is {floor:?}, which is not an id"));
    }
    if schema::version(connection)? >= 5_usize {
        let newest = message_log::newest_given(connection)?;
        let told: Option<String> = connection
            .query_row("SELECT value FROM meta WHERE name = 'keys_upto'", [], |row| row.get(0))
            .optional()?;
        let upto = told.as_deref().and_then(|upto| upto.parse::<i64>().ok());
        if !upto.is_some_and(|upto| (0..=newest.0).contains(&upto)) {
            findings.add(format!(
                "the table of keys ends at {}, and the newest id is {}",
                told.unwrap_or_else(|| "nowhere".to_owned()),
                newest.0
            ));
        }
    }
    Ok(())
}

fn check_cursors(
    connection: &Connection,
    _: CheckDepth,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    let newest = message_log::newest_given(connection)?;
    let mut statement = connection.prepare(
        "SELECT u.name, c.name, c.upto_id FROM cursors c JOIN users u ON u.id = c.user_id
          WHERE c.upto_id > ?1 OR c.upto_id < 0 ORDER BY u.id, c.name LIMIT ?2",
    )?;
    let mut rows = statement.query([newest.0, FINDINGS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let (user, cursor, upto): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        findings.add(format!(
            "the cursor {cursor} of {user} is at {upto}, and the newest id is {newest}: the next messages would count as read",
            newest = newest.0
        ));
    }
    check_marks(connection, newest, findings)?;
    check_blocks(connection, newest, findings)?;
    let is_of_membership =
        if has_rooms(connection)? { is_of_membership!("d.user_id") } else { "false" };
    let mut statement = connection.prepare(&format!(
        "SELECT u.name, d.cursor, d.message_id
           FROM dead_letters d JOIN users u ON u.id = d.user_id JOIN messages m ON m.id = d.message_id
          WHERE m.recipient_id <> d.user_id AND NOT {is_of_membership}
          ORDER BY d.message_id LIMIT ?1",
    ))?;
    let mut rows = statement.query([FINDINGS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let (user, cursor, id): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        findings.add(format!(
            "message {id} is a dead letter of {user} at {cursor}, but another user received it"
        ));
    }
    Ok(())
}

/// Each mark belongs to a conversation, and is not beyond the newest id.
fn check_marks(
    connection: &Connection,
    newest: MessageId,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    if !connection.table_exists(None, "read_marks")? {
        return Ok(());
    }
    let mut statement = connection.prepare(
        "SELECT u.name, coalesce(p.name, o.name), k.mailbox_id, k.upto_id
           FROM read_marks k JOIN users u ON u.id = k.user_id
           LEFT JOIN users p ON p.id = k.mailbox_id
           LEFT JOIN rooms o ON o.id = -k.mailbox_id
          WHERE k.upto_id > ?1 OR k.upto_id < 0 OR coalesce(p.name, o.name) IS NULL
          ORDER BY u.id, k.mailbox_id LIMIT ?2",
    )?;
    let mut rows = statement.query([newest.0, FINDINGS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let (user, name): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let (mailbox, upto): (i64, i64) = (row.get(2)?, row.get(3)?);
        findings.add(match name {
            Some(name) => format!(
                "the mark of {user} for {name} is at {upto}, and the newest id is {newest}: the next messages would count as read",
                newest = newest.0
            ),
            None => format!("{user} has a mark for the mailbox {mailbox}, which does not exist"),
        });
    }
    Ok(())
}

/// No block began after the newest id. The schema has the other rules.
fn check_blocks(
    connection: &Connection,
    newest: MessageId,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    if !connection.table_exists(None, "blocks")? {
        return Ok(());
    }
    let mut statement = connection.prepare(
        "SELECT u.name, o.name, b.after_id
           FROM blocks b JOIN users u ON u.id = b.user_id JOIN users o ON o.id = b.blocked_id
          WHERE b.after_id > ?1 OR b.after_id < 0 ORDER BY u.id, o.id LIMIT ?2",
    )?;
    let mut rows = statement.query([newest.0, FINDINGS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let (user, other, after): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        findings.add(format!(
            "{user} blocks {other} after message {after}, and the newest id is {}",
            newest.0
        ));
    }
    Ok(())
}

/// Each edit and each deletion comes after its message, in the same mailbox. A deletion is the last
/// change of a message.
fn check_changes(
    connection: &Connection,
    _: CheckDepth,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    if !connection.table_exists(None, "message_changes")? {
        return Ok(());
    }
    let newest = message_log::newest_given(connection)?;
    let mut statement = connection.prepare(
        "SELECT c.id, c.message_id
           FROM message_changes c JOIN messages m ON m.id = c.message_id
          WHERE c.id <= c.message_id OR c.id > ?1 OR c.mailbox_id <> m.recipient_id
             OR EXISTS (SELECT 1 FROM messages o WHERE o.id = c.id)
             OR length(CAST(c.body AS BLOB)) NOT BETWEEN 1 AND ?2
             OR c.user_id NOT IN (SELECT u.id FROM users u)
             OR EXISTS (SELECT 1 FROM message_changes d
                         WHERE d.message_id = c.message_id AND d.body IS NULL AND d.id < c.id)
          ORDER BY c.id LIMIT ?3",
    )?;
    let mut rows = statement.query([newest.0, BODY_BYTES_MAX as i64, FINDINGS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let (id, message): (i64, i64) = (row.get(0)?, row.get(1)?);
        findings.add(format!("the change {id} does not fit the message {message}"));
    }
    Ok(())
}

/// Every user who is not deleted is a member of the room of everybody. An import that was broken off
/// leaves users out.
fn check_everybody(
    connection: &Connection,
    _: CheckDepth,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    if !connection.column_exists(None, "rooms", "is_of_everybody")? {
        return Ok(());
    }
    let mut statement = connection.prepare(
        "SELECT u.name, o.name FROM rooms o CROSS JOIN users u
          WHERE o.is_of_everybody = 1 AND u.deleted_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM memberships p
                             WHERE p.user_id = u.id AND p.room_id = o.id AND p.left_upto IS NULL)
          ORDER BY u.id LIMIT ?1",
    )?;
    let mut rows = statement.query([FINDINGS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let (user, room): (String, String) = (row.get(0)?, row.get(1)?);
        findings.add(format!(
            "{user} is no member of {room}, where everybody is: `room everybody` adds missing users"
        ));
    }
    Ok(())
}

/// Each view can be read.
fn check_views(
    connection: &Connection,
    depth: CheckDepth,
    findings: &mut Findings,
) -> rusqlite::Result<()> {
    let views: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for view in views {
        let readable = connection
            .prepare(&format!("SELECT * FROM \"{}\" LIMIT 1", view.replace('"', "\"\"")))
            .and_then(|mut statement| statement.exists([]));
        if let Err(error) = readable {
            findings.add(format!("the view {view} cannot be read: {error}"));
        }
    }
    if depth == CheckDepth::Full {
        let version: usize = schema::version(connection)?;
        if version >= 3 {
            check_deliveries(connection, findings)?;
        }
        if version >= 5 {
            check_keys(connection, findings)?;
        }
        if version >= 9 {
            words::check(connection, |finding| findings.add(finding))?;
        }
        check_unread(connection, findings)?;
    }
    Ok(())
}

/// Whether the schema has rooms.
fn has_rooms(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(schema::version(connection)? >= 7)
}

/// The numbers and names of all mailboxes.
fn mailboxes(connection: &Connection) -> rusqlite::Result<&'static str> {
    Ok(if has_rooms(connection)? {
        "(SELECT id, name FROM users UNION ALL SELECT -id, name FROM rooms)"
    } else {
        "users"
    })
}

/// The messages that have deliveries: all but those that their users have deleted.
fn delivered(connection: &Connection) -> rusqlite::Result<&'static str> {
    let has_changes = connection.table_exists(None, "message_changes")?;
    Ok(if has_changes { "folded_messages" } else { "messages" })
}

/// Up to its end, each run has the deliveries of the message log, and no others.
fn check_deliveries(connection: &Connection, findings: &mut Findings) -> rusqlite::Result<()> {
    let (mailboxes, delivered) = (mailboxes(connection)?, delivered(connection)?);
    let mut statement = connection.prepare(&format!(
        "WITH log AS (
             SELECT recipient_id AS user_id, count(*) AS messages FROM {delivered}
              WHERE id <= (SELECT coalesce(max(upto_id), 0) FROM delivery_runs)
              GROUP BY recipient_id),
         runs AS (
             SELECT d.user_id, count(DISTINCT d.message_id) AS messages
               FROM delivery_runs t
              CROSS JOIN deliveries d ON d.run = t.run
              CROSS JOIN messages m ON m.id = d.message_id AND m.recipient_id = d.user_id
              WHERE d.message_id <= t.upto_id
              GROUP BY d.user_id),
         entries AS (
             SELECT d.user_id, count(*) AS messages
               FROM delivery_runs t CROSS JOIN deliveries d ON d.run = t.run GROUP BY d.user_id)
         SELECT u.name, coalesce(log.messages, 0), coalesce(runs.messages, 0), coalesce(entries.messages, 0)
           FROM {mailboxes} u
           LEFT JOIN log ON log.user_id = u.id
           LEFT JOIN runs ON runs.user_id = u.id
           LEFT JOIN entries ON entries.user_id = u.id
          WHERE coalesce(log.messages, 0) <> coalesce(runs.messages, 0)
             OR coalesce(runs.messages, 0) <> coalesce(entries.messages, 0)
          ORDER BY u.id LIMIT ?1",
    ))?;
    let mut rows = statement.query([FINDINGS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let (user, log, runs, rows): (String, i64, i64, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        findings.add(format!(
            "the deliveries of {user} have {runs} of {log} messages in the message log, in {rows} rows"
        ));
    }
    Ok(())
}

/// Up to its end, the table of keys has the keys of the message log, and no others. No recipient
/// has two messages with the same key.
fn check_keys(connection: &Connection, findings: &mut Findings) -> rusqlite::Result<()> {
    let flushed_upto = keys::flushed_upto(connection)?;
    let lacking: i64 = connection.query_row(
        "SELECT count(*) FROM messages m
          WHERE m.key IS NOT NULL AND m.id <= ?1
            AND NOT EXISTS (SELECT 1 FROM keys k
                             WHERE k.key = m.key AND k.sender_id = m.sender_id AND k.message_id = m.id)",
        [flushed_upto.0],
        |row| row.get(0),
    )?;
    let astray: i64 = connection.query_row(
        "SELECT count(*) FROM keys k LEFT JOIN messages m ON m.id = k.message_id
          WHERE m.key IS NOT k.key OR m.sender_id IS NOT k.sender_id",
        [],
        |row| row.get(0),
    )?;
    if lacking > 0 || astray > 0 {
        findings.add(format!(
            "the table of keys lacks the keys of {lacking} messages, and has {astray} keys without a message"
        ));
    }
    // Messages whose key is in the table twice, and messages that are not in the table yet.
    let mailboxes = mailboxes(connection)?;
    let mut statement = connection.prepare(&format!(
        "WITH several AS (SELECT key, sender_id FROM keys GROUP BY key, sender_id HAVING count(*) > 1),
              newer AS (SELECT id, key, sender_id, recipient_id FROM messages WHERE id > ?1 AND key IS NOT NULL),
              suspects AS (
             SELECT k.message_id AS id, k.key, k.sender_id, m.recipient_id
               FROM several s JOIN keys k ON k.key = s.key AND k.sender_id = s.sender_id
               JOIN messages m ON m.id = k.message_id
              UNION
             SELECT id, key, sender_id, recipient_id FROM newer
              UNION
             SELECT m.id, m.key, m.sender_id, m.recipient_id
               FROM newer n JOIN keys k ON k.key = n.key AND k.sender_id = n.sender_id
               JOIN messages m ON m.id = k.message_id)
         SELECT s.key, u.name, r.name, count(*)
           FROM suspects s JOIN users u ON u.id = s.sender_id JOIN {mailboxes} r ON r.id = s.recipient_id
          GROUP BY s.key, s.sender_id, s.recipient_id HAVING count(*) > 1
          ORDER BY min(s.id) LIMIT ?2",
    ))?;
    let mut rows = statement.query([flushed_upto.0, FINDINGS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let (key, sender, recipient, messages): (String, String, String, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        findings.add(format!(
            "{recipient} has {messages} messages with the key {key:?} of {sender}, and only one is allowed"
        ));
    }
    Ok(())
}

/// The number of unread messages of each user's own mailbox, by the index, equals that of the message
/// log. The deliveries of rooms are checked above.
fn check_unread(connection: &Connection, findings: &mut Findings) -> rusqlite::Result<()> {
    // The inbox of a deleted user is empty, and the message log still has the messages.
    let is_read = match schema::version(connection)? {
        ..2 => "true",
        _ => "u.deleted_at IS NULL",
    };
    let inbox = match schema::version(connection)? {
        ..7 => "SELECT recipient AS name, count(*) AS unread FROM v1_inbox GROUP BY recipient",
        _ => {
            "SELECT u.name, count(*) AS unread
               FROM delivered d JOIN users u ON u.id = d.user_id
               LEFT JOIN cursors c ON c.user_id = u.id AND c.name = 'inbox'
              WHERE d.message_id > coalesce(c.upto_id, 0)
              GROUP BY u.id"
        }
    };
    let delivered = delivered(connection)?;
    let mut statement = connection.prepare(&format!(
        "WITH log AS (
             SELECT m.recipient_id AS user_id, count(*) AS unread
               FROM {delivered} m
               LEFT JOIN cursors c ON c.user_id = m.recipient_id AND c.name = 'inbox'
              WHERE m.id > coalesce(c.upto_id, 0)
              GROUP BY m.recipient_id),
         inbox AS ({inbox})
         SELECT u.name, coalesce(inbox.unread, 0), coalesce(log.unread, 0)
           FROM users u LEFT JOIN log ON log.user_id = u.id LEFT JOIN inbox ON inbox.name = u.name
          WHERE coalesce(inbox.unread, 0) <> coalesce(log.unread, 0) AND {is_read} ORDER BY u.id",
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (user, inbox, log): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        findings.add(format!(
            "the inbox of {user} has {inbox} unread messages, and the message log has {log}"
        ));
    }
    Ok(())
}
