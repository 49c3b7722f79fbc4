//! Hostile connections, all from one thread. Each one is opened again after the server has closed
//! it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::Random;

/// The interval between the actions of the active kinds.
const TICK: Duration = Duration::from_millis(50);
/// After so many intervals a closed connection is opened again.
const AWAY_TICKS: u32 = 10;
/// The most bytes of one write.
const PIECE_BYTES: usize = 16 * 1024;

/// The behaviour of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An endless line, byte by byte.
    SlowLine,
    /// Half a line, and then nothing.
    HalfLine,
    /// Random bytes with line ends among them.
    Junk,
    /// Valid requests to store a message, as many as the socket accepts; nothing is read.
    Flood,
    /// Requests for the largest replies, repeated; nothing is read.
    NeverReading,
    /// Bytes without a line end, as many as the socket accepts.
    EndlessLine,
    /// Silence.
    Silent,
    /// Resets the connection in the middle of a large reply, and connects again.
    Reset,
    /// The beginning of TLS, to a plain port.
    TlsHello,
    /// A stream of all messages; nothing is read.
    Watcher,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::SlowLine,
        Self::HalfLine,
        Self::Junk,
        Self::Flood,
        Self::NeverReading,
        Self::EndlessLine,
        Self::Silent,
        Self::Reset,
        Self::TlsHello,
        Self::Watcher,
    ];

    /// Whether this kind has a session.
    pub fn is_in_session(self) -> bool {
        matches!(self, Self::Flood | Self::NeverReading | Self::Reset | Self::Watcher)
    }

    fn reads(self) -> bool {
        !matches!(self, Self::Flood | Self::NeverReading | Self::Watcher)
    }

    fn acts_by_itself(self) -> bool {
        matches!(self, Self::SlowLine | Self::Junk | Self::EndlessLine)
    }

    /// The bytes to write as long as the socket accepts them.
    fn speech(self, token: &str) -> Vec<u8> {
        match self {
            Self::SlowLine | Self::Junk | Self::Silent => Vec::new(),
            Self::HalfLine => format!("send {token} nobody half a l").into_bytes(),
            Self::Flood => {
                let send = format!("send {token} neko {}\r\n", "x".repeat(100));
                send.repeat(PIECE_BYTES / send.len()).into_bytes()
            }
            Self::NeverReading | Self::Reset => format!("fetch {token} {{}}\r\n").into_bytes(),
            Self::EndlessLine => vec![b'x'; PIECE_BYTES],
            Self::TlsHello => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            Self::Watcher => format!("watch {token} {{\"from\": \"all\"}}\r\n").into_bytes(),
        }
    }

    fn repeats(self) -> bool {
        matches!(self, Self::Flood | Self::NeverReading | Self::EndlessLine)
    }
}

/// The observations of one kind.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Opened connections.
    pub opened: usize,
    /// Connections that the server closed.
    pub closed: usize,
    /// Bytes that the server accepted.
    pub sent: usize,
    /// The first reply to each connection, as far as it was read, and its count.
    pub first_replies: BTreeMap<String, usize>,
}

/// Keeps `count` connections to `address`, of each kind in turn, until `going_on` is false. Then it
/// closes them and returns the observations of each kind. `tick` is called some twenty times a
/// second.
pub fn attack(
    address: SocketAddr,
    count: usize,
    token: &str,
    going_on: &AtomicBool,
    mut random: Random,
    mut tick: impl FnMut(),
) -> io::Result<BTreeMap<Kind, Seen>> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut junk = vec![0; PIECE_BYTES];
    for byte in &mut junk {
        *byte = if random.below(50) == 0 { b'\n' } else { random.next() as u8 };
    }
    let mut seen: BTreeMap<Kind, Seen> = BTreeMap::new();
    let mut peers = Vec::with_capacity(count);
    for index in 0..count {
        let kind = Kind::ALL[index % Kind::ALL.len()];
        peers.push(Peer {
            kind,
            speech: kind.speech(token),
            place: 0,
            first: Vec::new(),
            stream: None,
            away: 0,
        });
    }
    let mut next_tick = Instant::now();
    while going_on.load(Ordering::Relaxed) {
        let now = Instant::now();
        if now >= next_tick {
            next_tick = now + TICK;
            tick();
            for (index, peer) in peers.iter_mut().enumerate() {
                let seen = seen.entry(peer.kind).or_default();
                if peer.stream.is_none() && peer.away > 0 {
                    peer.away -= 1;
                } else if peer.stream.is_none() {
                    peer.open(address, &poll, Token(index))?;
                    seen.opened += 1;
                } else if peer.kind.acts_by_itself() {
                    peer.act(&junk, &mut random, seen);
                }
            }
        }
        let wait = next_tick.saturating_duration_since(Instant::now());
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            let peer = &mut peers[event.token().0];
            let seen = seen.entry(peer.kind).or_default();
            if event.is_readable() && peer.kind.reads() {
                peer.read(seen);
            }
            if event.is_writable() && !peer.kind.acts_by_itself() {
                peer.write(seen);
            }
            if peer.stream.is_some() && (event.is_error() || event.is_write_closed()) {
                peer.end(seen);
            }
        }
    }
    Ok(seen)
}

struct Peer {
    kind: Kind,
    speech: Vec<u8>,
    place: usize,
    /// The beginning of the first reply.
    first: Vec<u8>,
    stream: Option<TcpStream>,
    /// The ticks until it connects again, if there is no stream.
    away: u32,
}

impl Peer {
    fn open(&mut self, address: SocketAddr, poll: &Poll, token: Token) -> io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.place = 0;
        self.first.clear();
        (self.stream, self.away) = (Some(stream), AWAY_TICKS);
        Ok(())
    }

    fn act(&mut self, junk: &[u8], random: &mut Random, seen: &mut Seen) {
        let Some(stream) = &mut self.stream else { return };
        let begin = random.below(junk.len() - 1_000);
        let wrote = match self.kind {
            Kind::SlowLine => stream.write(b"x"),
            Kind::Junk => stream.write(&junk[begin..begin + 1_000]),
            _ => stream.write(&self.speech),
        };
        match wrote {
            Ok(count) => seen.sent += count,
            Err(error) if is_later(&error) => {}
            Err(_) => self.end(seen),
        }
    }

    /// Writes as long as the socket accepts it.
    fn write(&mut self, seen: &mut Seen) {
        while self.place < self.speech.len() {
            let Some(stream) = &mut self.stream else { return };
            match stream.write(&self.speech[self.place..]) {
                Ok(count) => {
                    seen.sent += count;
                    self.place += count;
                    if self.kind.repeats() && self.place == self.speech.len() {
                        self.place = 0;
                    }
                }
                Err(error) if is_later(&error) => return,
                Err(_) => return self.end(seen),
            }
        }
    }

    fn read(&mut self, seen: &mut Seen) {
        let mut chunk = [0; PIECE_BYTES];
        loop {
            let Some(stream) = &mut self.stream else { return };
            match stream.read(&mut chunk) {
                Ok(0) => return self.end(seen),
                Ok(count) => {
                    let room = 200_usize.saturating_sub(self.first.len());
                    self.first.extend_from_slice(&chunk[..count.min(room)]);
                    // Unread data at the close makes the system send a reset.
                    if self.kind == Kind::Reset {
                        self.stream = None;
                    }
                }
                Err(error) if is_later(&error) => return,
                Err(_) => return self.end(seen),
            }
        }
    }

    /// The server has ended it.
    fn end(&mut self, seen: &mut Seen) {
        self.stream = None;
        seen.closed += 1;
        let first = String::from_utf8_lossy(&self.first);
        if let Some((first, _)) = first.split_once("\r\n\r\n") {
            *seen.first_replies.entry(first.to_owned()).or_default() += 1;
        }
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::NotConnected)
}
