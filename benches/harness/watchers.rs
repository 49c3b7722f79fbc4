//! Watching connections. One thread waits until any of them is ready, and counts the events.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use jiff::Timestamp;
use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::peers::chat::Server;

pub struct Watchers {
    poll: Poll,
    events: Events,
    streams: Vec<TcpStream>,
    scratch: Box<[u8]>,
    /// The number of LFs received; every event has two.
    line_feeds: u64,
    /// How long after acceptance by the server a message arrived, in nanoseconds. Only the first
    /// message of each read counts, which waited longest. The server reports the time in
    /// milliseconds.
    lateness: Histogram<u64>,
}

impl Watchers {
    /// One connection for each token. Messages sent from now on reach it.
    pub fn connect<'a>(server: &Server, tokens: impl Iterator<Item = &'a String>) -> Result<Self> {
        let poll = Poll::new()?;
        let mut streams = Vec::new();
        for token in tokens {
            let mut client = server.connect()?;
            client.ask_raw(&format!("watch {token} {{\"from\": \"new\"}}"))?;
            let event = client.hear()?;
            let is_caught_up = String::from_utf8_lossy(&event).contains("caught_up");
            ensure!(is_caught_up, "not caught up: {}", String::from_utf8_lossy(&event));
            let stream = client.into_stream();
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(streams.len()), Interest::READABLE)?;
            streams.push(stream);
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            streams,
            scratch: vec![0; 64 * 1024].into_boxed_slice(),
            line_feeds: 0,
            lateness: Histogram::new(3)?,
        })
    }

    /// Waits up to `wait` for an event, and reads everything that is there.
    pub fn listen(&mut self, wait: Duration) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &self.events {
            let stream = &mut self.streams[event.token().0];
            read_all(stream, &mut self.scratch, |read| {
                self.line_feeds += count_line_feeds(read);
                if let Some(at) = first_at(read)? {
                    let late = Timestamp::now().duration_since(at);
                    self.lateness.record(late.as_nanos().max(0).try_into()?)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The parts, for a caller that also waits for other files. A connection's token is its index.
    pub fn into_parts(self) -> (Poll, Vec<TcpStream>) {
        (self.poll, self.streams)
    }

    /// The number of connections.
    pub fn count(&self) -> usize {
        self.streams.len()
    }

    /// The number of complete events that all connections received.
    pub fn heard(&self) -> u64 {
        self.line_feeds / 2
    }

    /// The delay between acceptance and arrival, in nanoseconds.
    pub fn lateness(&self) -> &Histogram<u64> {
        &self.lateness
    }
}

/// When the server accepted the first message in `read` that contains a time.
fn first_at(read: &[u8]) -> Result<Option<Timestamp>> {
    const BEFORE: &[u8] = b"\"at\": \"";
    const BYTES: usize = "2026-11-28T06:19:27.123Z".len();
    let found = memmem::find(read, BEFORE).map(|at| at + BEFORE.len());
    let text = found.and_then(|at| read.get(at..at + BYTES));
    text.map(|text| Ok(std::str::from_utf8(text)?.parse()?)).transpose()
}

/// Reads until the socket is empty, one piece at a time.
pub fn read_all(
    stream: &mut TcpStream,
    scratch: &mut [u8],
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    loop {
        match stream.read(scratch) {
            Ok(0) => anyhow::bail!("the server closed a connection"),
            Ok(count) => {
                take(&scratch[..count])?;
                // A short read means that the socket is empty.
                if count < scratch.len() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The number of LFs; every event has two.
pub fn count_line_feeds(read: &[u8]) -> u64 {
    read.iter().filter(|&&byte| byte == b'\n').count() as u64
}
