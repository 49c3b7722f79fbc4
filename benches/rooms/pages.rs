//! The first page of readers who are in few and in many rooms.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::harness::figures::{milliseconds, summary};
use crate::harness::generator::{self, Extent, Load};
use crate::harness::peers::chat::{self, Server};
use crate::{Bench, PAGE_ROOMS, page_room};

/// The number of rooms of each reader.
pub const READERS: [usize; 3] = [1, 10, PAGE_ROOMS];
/// The questions: a name for the table, the verb, and what follows the token on the line.
const QUESTIONS: [(&str, &str, &str); 5] = [
    ("unread", "unread", ""),
    ("conversations", "conversations", ""),
    ("the oldest unread", "fetch", " {\"unread\": true}"),
    ("the newest", "fetch", " {\"before\": 9007199254740991}"),
    // The last, because it marks messages as read.
    ("inbox", "inbox", ""),
];
const BODY_BYTES: usize = 64;
/// How often each room gets its share of the messages.
const TURNS: u64 = 10;

/// The name of the user who is a member of `rooms` rooms.
pub fn reader(rooms: usize) -> String {
    format!("reader{rooms}")
}

/// Fills the rooms. Then each reader asks each question once in each run, on an open connection.
pub fn measure(bench: &Bench<'_>) -> Result<()> {
    let messages = bench.arguments.messages;
    println!("first page in ms, {messages} messages in {PAGE_ROOMS} rooms:\n");
    println!("| rooms of the reader | {} |", QUESTIONS.map(|(name, ..)| name).join(" | "));
    println!("|{}", " --- |".repeat(1 + QUESTIONS.len()));
    bench.with_server(|server| {
        fill(server, messages)?;
        for rooms in READERS {
            let mut times = QUESTIONS.map(|_| Vec::new());
            let token = server.log_in(&reader(rooms))?;
            let mut client = server.connect()?;
            for _ in 0..bench.arguments.runs {
                for (times, (_, verb, rest)) in times.iter_mut().zip(QUESTIONS) {
                    let begin = Instant::now();
                    client.ask_raw(&format!("{verb} {token}{rest}"))?;
                    times.push(milliseconds(begin.elapsed()));
                }
            }
            println!("| {rooms} | {} |", times.map(|times| summary(&times, 2)).join(" | "));
        }
        Ok(())
    })
}

/// Posts the messages to the rooms, in turns: the pages of a reader have messages of many rooms.
fn fill(server: &Server, messages: u64) -> Result<()> {
    let token = server.log_in_sender()?;
    let share = messages / (PAGE_ROOMS as u64 * TURNS);
    ensure!(share > 0, "--messages has to be at least {}", PAGE_ROOMS as u64 * TURNS);
    for room in (0..TURNS).flat_map(|_| 0..PAGE_ROOMS) {
        let mut protocol = chat::posts_to_room(&page_room(room), &token, BODY_BYTES);
        let load = Load {
            connections: 64,
            pipeline: 32,
            rate: None,
            extent: Extent::Requests(share),
            warm_up: Duration::ZERO,
        };
        generator::run(server.address(), protocol.as_mut(), &load)?;
    }
    Ok(())
}
