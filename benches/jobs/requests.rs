//! Requests as lines, and waiting for the messages that they bring.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use memchr::memmem;

use crate::harness::generator::{self, Extent, Load, Outcome, Protocol};
use crate::harness::peers::chat::{self, Server, reply_length};
use crate::harness::peers::client::Client;
use crate::watcher;

/// Makes `count` requests, which `line` returns by their numbers: as fast as possible, or at a rate.
pub fn make(
    server: &Server,
    count: usize,
    rate: Option<f64>,
    line: impl FnMut(u64) -> String + Send,
) -> Result<Outcome> {
    let load = Load {
        connections: 64,
        pipeline: 16,
        rate,
        extent: Extent::Requests(count as u64),
        warm_up: Duration::ZERO,
    };
    generator::run(server.address(), &mut Lines { line, number: 0 }, &load)
}

struct Lines<L> {
    line: L,
    number: u64,
}

impl<L: FnMut(u64) -> String + Send> Protocol for Lines<L> {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice((self.line)(self.number).as_bytes());
        out.extend_from_slice(b"\r\n");
        self.number += 1;
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        let length = received.len().min(chat::OK.len());
        ensure!(
            received[..length] == chat::OK[..length],
            "not an acknowledgement: {}",
            String::from_utf8_lossy(received)
        );
        Ok(reply_length(received))
    }
}

/// A connection that watches the inbox of [`watcher`].
pub struct Watch(Client);

impl Watch {
    pub fn open(server: &Server) -> Result<Self> {
        let token = server.log_in(&watcher())?;
        let mut client = server.connect()?;
        client.ask_raw(&format!("watch {token} {{\"from\": \"new\"}}"))?;
        Ok(Self(client))
    }

    /// Waits for `count` messages, and calls `take` with the body of each.
    pub fn hear(
        &mut self,
        count: usize,
        within: Duration,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        const BEFORE: &[u8] = b"\"body\": \"";
        let begin = Instant::now();
        let mut heard = 0;
        while heard < count {
            ensure!(begin.elapsed() < within, "{heard} of {count} messages came");
            let event = self.0.hear()?;
            let Some(at) = memmem::find(&event, BEFORE) else { continue };
            let body = &event[at + BEFORE.len()..];
            let end = body.iter().position(|&byte| byte == b'"').unwrap_or(body.len());
            take(&body[..end])?;
            heard += 1;
        }
        Ok(())
    }
}
