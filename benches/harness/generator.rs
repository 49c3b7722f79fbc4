//! The load generator: one thread, readiness I/O, any number of connections.
//!
//! Closed loop: every connection keeps `pipeline` requests under way and asks again when it is
//! answered. Open loop: requests are due at a fixed rate whatever the server does, and a latency
//! counts from the moment the request was due, so a server that stalls is not let off (no
//! coordinated omission). Every reply has to be the acknowledgement that was expected.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

/// The token of the timer; the connections' tokens are their places.
const TIMER: Token = Token(usize::MAX);
/// How long nothing may be acknowledged while something is under way.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the generator sleeps at least when nothing is due: it does not take a processor from the server
/// only to be on time. What became due meanwhile is late by that, and its latency counts from when it was due.
const SLEEP_MIN: Duration = Duration::from_micros(50);
const READ_BYTES: usize = 64 * 1024;

/// What is said to the server, and what it has to say to that.
pub trait Speech: Send {
    /// What is said on a connection before anything else, and heard.
    fn greet(&self, _stream: &mut std::net::TcpStream) -> Result<()> {
        Ok(())
    }

    /// Writes the next request, one that no other request is equal to.
    fn write_request(&mut self, out: &mut Vec<u8>);

    /// How many bytes of `received` are the acknowledgement of one request; `None` where more
    /// have to come first; an error where it is something else.
    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>>;
}

/// What to do to the server.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub connections: usize,
    /// Requests under way on each connection, in closed loop.
    pub pipeline: usize,
    /// Requests a second in open loop; closed loop without it.
    pub rate: Option<f64>,
    pub extent: Extent,
    /// What happens before is verified, and in no figure.
    pub warm_up: Duration,
}

/// When to stop asking.
#[derive(Debug, Clone, Copy)]
pub enum Extent {
    /// After the warm-up and this time.
    Time(Duration),
    /// After so many requests.
    Requests(u64),
}

/// What came of it.
pub struct Outcome {
    /// All requests that were acknowledged, those of the warm-up and the end included. No request
    /// was left unanswered.
    pub acknowledged: u64,
    /// Acknowledgements a second, between the warm-up and the end of asking.
    pub rate: f64,
    /// In nanoseconds.
    pub latencies: Histogram<u64>,
    /// What the generator itself took of a processor, for all that was acknowledged.
    pub processor: Duration,
    /// Open until this is dropped: a server may have a process for each, whose use is looked at.
    _connections: Vec<Peer>,
}

/// Puts `load` on the server at `address`.
pub fn run(address: SocketAddr, speech: &mut dyn Speech, load: &Load) -> Result<Outcome> {
    let mut generator = Generator::connect(address, speech, load)?;
    let before = processor_time();
    generator.run()?;
    let processor = processor_time().saturating_sub(before);
    let measured = generator.measure_until.saturating_duration_since(generator.measure_from);
    Ok(Outcome {
        acknowledged: generator.acknowledged,
        rate: generator.measured as f64 / measured.as_secs_f64(),
        latencies: generator.latencies,
        processor,
        _connections: generator.peers,
    })
}

/// What this thread has taken of a processor so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

struct Generator<'a> {
    speech: &'a mut dyn Speech,
    load: &'a Load,
    poll: Poll,
    timer: OwnedFd,
    peers: Vec<Peer>,
    begin: Instant,
    measure_from: Instant,
    /// The end of asking; of a load of so many requests, the last acknowledgement.
    measure_until: Instant,
    asked: u64,
    acknowledged: u64,
    /// Of the acknowledged, those between `measure_from` and `measure_until`.
    measured: u64,
    latencies: Histogram<u64>,
    scratch: Box<[u8]>,
}

struct Peer {
    stream: TcpStream,
    output: Vec<u8>,
    sent: usize,
    writable: bool,
    /// What came of an acknowledgement that is not whole yet.
    received: Vec<u8>,
    /// When the requests that are under way were sent, or should have been.
    asked_at: VecDeque<Instant>,
}

impl<'a> Generator<'a> {
    fn connect(address: SocketAddr, speech: &'a mut dyn Speech, load: &'a Load) -> Result<Self> {
        let poll = Poll::new()?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let mut peers = Vec::with_capacity(load.connections);
        for index in 0..load.connections {
            let mut stream = std::net::TcpStream::connect(address)
                .with_context(|| format!("connection {index} to {address}"))?;
            stream.set_nodelay(true)?;
            speech.greet(&mut stream).with_context(|| format!("connection {index}"))?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(index), interest)?;
            peers.push(Peer {
                stream,
                output: Vec::new(),
                sent: 0,
                writable: true,
                received: Vec::new(),
                asked_at: VecDeque::new(),
            });
        }
        let begin = Instant::now();
        let (measure_from, measure_until) = match load.extent {
            Extent::Time(time) => (begin + load.warm_up, begin + load.warm_up + time),
            Extent::Requests(_) => (begin, begin),
        };
        Ok(Self {
            speech,
            load,
            poll,
            timer,
            peers,
            begin,
            measure_from,
            measure_until,
            asked: 0,
            acknowledged: 0,
            measured: 0,
            latencies: Histogram::new(3)?,
            scratch: vec![0; READ_BYTES].into_boxed_slice(),
        })
    }

    fn run(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        if self.load.rate.is_none() {
            for index in 0..self.peers.len() {
                for _ in 0..self.load.pipeline {
                    if !self.has_asked_all(self.begin) {
                        self.ask(index, self.begin);
                    }
                }
                self.peers[index].flush()?;
            }
        }
        let mut progress = (self.acknowledged, Instant::now());
        loop {
            self.ask_what_is_due()?;
            let now = Instant::now();
            if self.acknowledged == self.asked && self.has_asked_all(now) {
                return Ok(());
            }
            if self.acknowledged > progress.0 {
                progress = (self.acknowledged, now);
            }
            ensure!(
                now < progress.1 + PATIENCE,
                "{} requests are not answered",
                self.asked - self.acknowledged
            );
            match self.poll.poll(&mut events, Some(Duration::from_secs(1))) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            for event in &events {
                let index = event.token().0;
                let Some(peer) = self.peers.get_mut(index) else { continue };
                peer.writable |= event.is_writable();
                if event.is_readable() {
                    self.read(index)?;
                }
                self.peers[index].flush()?;
            }
        }
    }

    fn has_asked_all(&self, now: Instant) -> bool {
        match self.load.extent {
            Extent::Time(_) => now >= self.measure_until,
            Extent::Requests(requests) => self.asked >= requests,
        }
    }

    fn ask(&mut self, index: usize, at: Instant) {
        let peer = &mut self.peers[index];
        self.speech.write_request(&mut peer.output);
        peer.asked_at.push_back(at);
        self.asked += 1;
    }

    /// Open loop: asks whatever should have been asked by now, and has the timer tell when more is due.
    fn ask_what_is_due(&mut self) -> Result<()> {
        let Some(rate) = self.load.rate else { return Ok(()) };
        loop {
            let due = self.begin + Duration::from_secs_f64(self.asked as f64 / rate);
            let now = Instant::now();
            if self.has_asked_all(due) {
                return Ok(());
            }
            if due > now {
                return self.set_timer((due - now).max(SLEEP_MIN));
            }
            let index = (self.asked % self.peers.len() as u64) as usize;
            self.ask(index, due);
            self.peers[index].flush()?;
        }
    }

    fn set_timer(&self, wait: Duration) -> Result<()> {
        let wait =
            Timespec { tv_sec: wait.as_secs().try_into()?, tv_nsec: wait.subsec_nanos().into() };
        let once = Itimerspec { it_interval: Timespec::default(), it_value: wait };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    /// Reads until the socket is empty; in closed loop asks again for every acknowledgement.
    fn read(&mut self, index: usize) -> Result<()> {
        loop {
            let count = match self.peers[index].stream.read(&mut self.scratch) {
                Ok(0) => bail!("the server closed connection {index}"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("reading"),
            };
            let now = Instant::now();
            let answered = self.take_acknowledgements(index, count, now)?;
            if self.load.rate.is_none() {
                for _ in 0..answered {
                    if !self.has_asked_all(now) {
                        self.ask(index, now);
                    }
                }
            }
            // Less than was asked for: the socket is empty (epoll(7), question 9).
            if count < self.scratch.len() {
                return Ok(());
            }
        }
    }

    fn take_acknowledgements(&mut self, index: usize, count: usize, now: Instant) -> Result<usize> {
        let peer = &mut self.peers[index];
        let whole = peer.received.is_empty();
        if !whole {
            peer.received.extend_from_slice(&self.scratch[..count]);
        }
        let received = if whole { &self.scratch[..count] } else { &peer.received };
        let (mut place, mut answered) = (0, 0);
        while let Some(length) = self.speech.acknowledgement(&received[place..])? {
            place += length;
            answered += 1;
            let asked_at = peer.asked_at.pop_front().context("an answer to no request")?;
            if asked_at >= self.measure_from {
                let latency = now.saturating_duration_since(asked_at);
                self.latencies.record(latency.as_nanos().try_into()?)?;
            }
        }
        if whole {
            peer.received.extend_from_slice(&self.scratch[place..count]);
        } else {
            peer.received.drain(..place);
        }
        self.acknowledged += answered as u64;
        if matches!(self.load.extent, Extent::Requests(_)) {
            self.measure_until = now;
        }
        if (self.measure_from..=self.measure_until).contains(&now) {
            self.measured += answered as u64;
        }
        Ok(answered)
    }
}

impl Peer {
    /// Sends what there is to send, as far as the socket takes it.
    fn flush(&mut self) -> Result<()> {
        while self.writable && self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("writing"),
            }
        }
        if self.sent == self.output.len() {
            self.output.clear();
            self.sent = 0;
        }
        Ok(())
    }
}
