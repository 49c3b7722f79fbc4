//! Connections that do what none should, all from one thread. Each is opened again when the server has
//! closed it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::Random;

/// How often those that do something by themselves do it.
const TICK: Duration = Duration::from_millis(50);
/// After how many of those one that is gone comes again.
const AWAY_TICKS: u32 = 10;
/// How much is written at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A line, byte by byte, that does not end.
    SlowLine,
    /// Half a line, and then nothing.
    HalfLine,
    /// Random bytes with line ends among them.
    Junk,
    /// Valid requests to store a message, as many as the socket takes; nothing is read.
    Flood,
    /// The largest of replies, asked for again and again; nothing is read.
    NeverReading,
    /// Bytes without a line end, as many as the socket takes.
    EndlessLine,
    /// Nothing at all.
    Silent,
    /// Ends with a reset in the middle of a large reply, and comes again.
    Reset,
    /// The beginning of TLS, to a port that does not speak it.
    TlsHello,
    /// A stream of everything there is; nothing is read.
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

    /// It is one that has a session.
    pub fn is_in_session(self) -> bool {
        matches!(self, Self::Flood | Self::NeverReading | Self::Reset | Self::Watcher)
    }

    fn reads(self) -> bool {
        !matches!(self, Self::Flood | Self::NeverReading | Self::Watcher)
    }

    fn acts_by_itself(self) -> bool {
        matches!(self, Self::SlowLine | Self::Junk | Self::EndlessLine)
    }

    /// What is written as long as the socket takes it.
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

/// What was seen of a kind.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Connections that were opened.
    pub opened: usize,
    /// Those that the server closed.
    pub closed: usize,
    /// Bytes that the server took.
    pub sent: usize,
    /// The first reply to each connection, as far as it was read, and how often it came.
    pub first_replies: BTreeMap<String, usize>,
}

/// Keeps `count` connections to `address`, of each kind in turn, until `going_on` is false; closes them
/// and tells what was seen of each kind. `tick` is called some twenty times a second.
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
    /// How many ticks it still stays away, where there is no stream.
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

    /// Writes as long as the socket takes it.
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
                    // What is unread when the socket is closed makes the system send a reset.
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
