//! The upper bound: this process itself inserts rows like our messages into SQLite, one transaction
//! per batch. There is no server, no session and no validation.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rusqlite::{Connection, params};

use crate::harness::figures::summary;
use crate::harness::peers::{BODY_NUMBER_BYTES, Messages};

/// Rows per transaction.
const BATCHES: [u64; 3] = [1, 64, 512];
/// The number of WAL pages that triggers a checkpoint: 48 MiB, as in the server.
const CHECKPOINT_PAGES: i64 = 12_288;
const TABLE: &str = "
    CREATE TABLE messages (
        id           INTEGER PRIMARY KEY,
        sent_at      INTEGER NOT NULL,
        sender_id    INTEGER NOT NULL,
        recipient_id INTEGER NOT NULL,
        key          TEXT,
        body         TEXT    NOT NULL
    ) STRICT;";
const INDEX: &str = "CREATE INDEX messages_by_recipient ON messages (recipient_id)";
const INSERT: &str = "INSERT INTO messages (sent_at, sender_id, recipient_id, body)
    VALUES (1700000000000, 1, ?1, ?2)";

/// The rows per second of every run: without and with the index of the inbox, by batch size.
#[derive(Default)]
pub struct Ceiling {
    rates: [[Vec<f64>; BATCHES.len()]; 2],
}

impl Ceiling {
    /// Measures each combination for `time`.
    pub fn measure(&mut self, folder: &Path, messages: Messages, time: Duration) -> Result<()> {
        for (row, rates) in self.rates.iter_mut().enumerate() {
            for (batch, rates) in BATCHES.into_iter().zip(rates) {
                let place = tempfile::tempdir_in(folder)?;
                let path = place.path().join("raw.sqlite");
                rates.push(rate(&path, row == 1, batch, messages, time)?);
            }
        }
        Ok(())
    }

    /// Prints the table in Markdown.
    pub fn print(&self) {
        println!("\n| raw SQLite, in process, rows/s | batches of 1 | of 64 | of 512 |");
        println!("| --- | --- | --- | --- |");
        let names = ["same rows, no inbox index", "same rows, inbox index in the transaction"];
        for (name, rates) in names.into_iter().zip(&self.rates) {
            let rates: Vec<String> = rates.iter().map(|rates| summary(rates, 0)).collect();
            println!("| {name} | {} |", rates.join(" | "));
        }
    }
}

fn rate(
    path: &Path,
    with_index: bool,
    batch: u64,
    messages: Messages,
    time: Duration,
) -> Result<f64> {
    let mut database = Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", "full")?;
    database.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    database.execute_batch(TABLE)?;
    if with_index {
        database.execute_batch(INDEX)?;
    }
    let begin = Instant::now();
    let mut rows: u64 = 0;
    while begin.elapsed() < time {
        let transaction = database.transaction()?;
        let mut insert = transaction.prepare_cached(INSERT)?;
        for _ in 0..batch {
            rows += 1;
            // Multiples of the golden ratio spread the recipients evenly (Knuth).
            let recipient = rows.wrapping_mul(0x9e37_79b9_7f4a_7c15) % messages.recipients as u64;
            let body = format!("{rows:0BODY_NUMBER_BYTES$}");
            let body = body + &"x".repeat(messages.body_bytes - BODY_NUMBER_BYTES);
            insert.execute(params![recipient as i64, body])?;
        }
        drop(insert);
        transaction.commit()?;
    }
    Ok(rows as f64 / begin.elapsed().as_secs_f64())
}
