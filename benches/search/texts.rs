//! The texts that are searched, and the queries. Every run gets the same ones.

use std::io::Write;

use anyhow::Result;

use crate::USERS;
use crate::harness::generator::Protocol;
use crate::harness::peers::chat::{OK, reply_length};
use crate::harness::peers::write_recipient;

/// The number of different words, beside those that are in one message or in half of them.
const WORDS: u64 = 20_000;
/// A text has so many of these words.
const WORDS_OF_TEXT: usize = 10;

/// The queries: N stands for the number of a message, W for that of a word.
pub const QUERIES: [&str; 8] = [
    "nN",
    "wW",
    "even",
    "even wW",
    "\"even wW\"",
    "wW*",
    "-even",
    // Never in the same message.
    "even odd",
];

/// Posts to random users, one after another: the number of the message, whether it is even, and
/// words of which a few are frequent.
pub struct Posts {
    prefix: String,
    number: u64,
    random: Random,
}

impl Posts {
    pub fn new(token: &str) -> Self {
        let prefix = format!("post {token} {{\"to\": [\"");
        Self { prefix, number: 0, random: Random::default() }
    }
}

impl Protocol for Posts {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix.as_bytes());
        write_recipient(out, (self.random.next() % USERS as u64) as usize);
        let parity = if self.number.is_multiple_of(2) { "even" } else { "odd" };
        write!(out, "\"], \"body\": \"n{} {parity}", self.number).expect("a vector accepts bytes");
        for _ in 0..WORDS_OF_TEXT {
            write!(out, " w{}", self.random.word()).expect("a vector accepts bytes");
        }
        out.extend_from_slice(b"\"}\r\n");
        self.number += 1;
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        let length = received.len().min(OK.len());
        anyhow::ensure!(
            received[..length] == OK[..length],
            "not an acknowledgement: {}",
            String::from_utf8_lossy(received)
        );
        Ok(reply_length(received))
    }
}

/// The query with numbers.
pub fn filled(query: &str, random: &mut Random, messages: u64) -> String {
    query
        .replace('N', &(random.next() % messages).to_string())
        .replace('W', &random.word().to_string())
}

/// Pseudo-random numbers (xorshift).
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A word: low numbers are more frequent.
    fn word(&mut self) -> u64 {
        let part = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (part * part * part * WORDS as f64) as u64
    }
}
