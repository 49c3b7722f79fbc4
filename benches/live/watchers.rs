//! Connections that watch: one thread waits until any of them is ready, and counts what comes.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use anyhow::{Result, ensure};
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
            self.line_feeds += read_line_feeds(stream, &mut self.scratch)?;
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
}

/// Reads until nothing is there, and counts the line feeds.
pub fn read_line_feeds(stream: &mut TcpStream, scratch: &mut [u8]) -> Result<u64> {
    let mut line_feeds = 0;
    loop {
        match stream.read(scratch) {
            Ok(0) => anyhow::bail!("the server closed a connection"),
            Ok(count) => {
                let read = &scratch[..count];
                line_feeds += read.iter().filter(|&&byte| byte == b'\n').count() as u64;
                // Less than was asked for: the socket is empty.
                if count < scratch.len() {
                    return Ok(line_feeds);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(line_feeds),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
