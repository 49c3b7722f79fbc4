//! Connections that watch: one thread waits until any of them is ready, and counts what comes.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use jiff::Timestamp;
use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::harness::peers::chat::Server;

pub struct Watchers {
    poll: Poll,
    events: Events,
    streams: Vec<TcpStream>,
    scratch: Box<[u8]>,
    /// Line feeds that have come: two for each event.
    line_feeds: u64,
    /// How long after the server had taken it in a message came, in nanoseconds: the first of each that were read
    /// together, which had waited longest. To the millisecond, as the server tells it.
    lateness: Histogram<u64>,
}

impl Watchers {
    /// One for each token, in a session of that token's. What is sent from now on comes to them.
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

    /// Waits so long for something to come, and takes all that is there.
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

    /// For who waits for others too; a connection's token is its place.
    pub fn into_parts(self) -> (Poll, Vec<TcpStream>) {
        (self.poll, self.streams)
    }

    /// How many whole events have come, to all of them together.
    pub fn heard(&self) -> u64 {
        self.line_feeds / 2
    }

    /// How late what was listened to came, in nanoseconds after it was taken in.
    pub fn lateness(&self) -> &Histogram<u64> {
        &self.lateness
    }
}

/// When the first message was taken in whose time is in what was read.
fn first_at(read: &[u8]) -> Result<Option<Timestamp>> {
    const BEFORE: &[u8] = b"\"at\": \"";
    const BYTES: usize = "2026-11-28T06:19:27.123Z".len();
    let found = memmem::find(read, BEFORE).map(|at| at + BEFORE.len());
    let text = found.and_then(|at| read.get(at..at + BYTES));
    text.map(|text| Ok(std::str::from_utf8(text)?.parse()?)).transpose()
}

/// Reads until nothing is there, a piece at a time.
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
                // Less than was asked for: the socket is empty.
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

/// Two for each event.
pub fn count_line_feeds(read: &[u8]) -> u64 {
    read.iter().filter(|&&byte| byte == b'\n').count() as u64
}
