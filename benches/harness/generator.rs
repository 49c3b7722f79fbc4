//! The load generator: one thread with readiness I/O for any number of connections.
//!
//! In closed loop, every connection keeps `pipeline` requests in flight and sends a new one for
//! each acknowledgement. In open loop, requests are due at a fixed rate, whether or not the server
//! keeps up. Latencies then count from the time a request was due, so a stall of the server shows
//! fully (no coordinated omission). Every reply must be the expected acknowledgement.

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

/// The token of the timer. The connections' tokens are their indexes.
const TIMER: Token = Token(usize::MAX);
/// The longest time without an acknowledgement while requests are in flight.
const PROGRESS_WAIT: Duration = Duration::from_secs(20);
/// The shortest sleep when nothing is due: sleeping less would take CPU time from the server. A
/// request that becomes due meanwhile is sent late, but its latency still counts from when it was
/// due.
const SLEEP_MIN: Duration = Duration::from_micros(50);
const READ_BYTES: usize = 64 * 1024;

/// The protocol of a server: its requests and their acknowledgements.
pub trait Protocol: Send {
    /// Prepares a new connection before the first request.
    fn prepare_connection(&self, _stream: &mut std::net::TcpStream) -> Result<()> {
        Ok(())
    }

    /// Appends the next request. No two requests are equal.
    fn write_request(&mut self, out: &mut Vec<u8>);

    /// The length of the acknowledgement at the start of `received`. `None` if it is incomplete; an
    /// error if it is anything else.
    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>>;
}

/// The load to generate.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub connections: usize,
    /// The requests in flight on each connection, in closed loop.
    pub pipeline: usize,
    /// The rate of an open loop, in requests per second. `None` means closed loop.
    pub rate: Option<f64>,
    pub extent: Extent,
    /// The duration of the warm-up. Its replies are checked, but appear in no figure.
    pub warm_up: Duration,
}

/// When to stop sending.
#[derive(Debug, Clone, Copy)]
pub enum Extent {
    /// After the warm-up and this duration.
    Time(Duration),
    /// After this number of requests.
    Requests(u64),
}

/// The result of a load.
pub struct Outcome {
    /// The number of acknowledged requests, including those of the warm-up and the end. No request
    /// is left without a reply.
    pub acknowledged: u64,
    /// Acknowledgements per second, between the warm-up and the last request.
    pub rate: f64,
    /// The latencies in nanoseconds.
    pub latencies: Histogram<u64>,
    /// The CPU time of the generator itself, for all acknowledged requests.
    pub processor: Duration,
    /// Keeps the connections open: a server may have a process for each, whose usage is still read.
    _connections: Vec<Peer>,
}

/// Runs `load` against the server at `address`.
pub fn run(address: SocketAddr, protocol: &mut dyn Protocol, load: &Load) -> Result<Outcome> {
    run_on(&[address], protocol, load)
}

/// Runs `load` against several servers, which get the connections in turn.
pub fn run_on(
    addresses: &[SocketAddr],
    protocol: &mut dyn Protocol,
    load: &Load,
) -> Result<Outcome> {
    let mut generator = Generator::connect(addresses, protocol, load)?;
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

/// The CPU time of this thread so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

struct Generator<'a> {
    protocol: &'a mut dyn Protocol,
    load: &'a Load,
    poll: Poll,
    timer: OwnedFd,
    peers: Vec<Peer>,
    begin: Instant,
    measure_from: Instant,
    /// When sending ends; with a number of requests, the time of the last acknowledgement.
    measure_until: Instant,
    asked: u64,
    acknowledged: u64,
    /// The acknowledgements between `measure_from` and `measure_until`.
    measured: u64,
    latencies: Histogram<u64>,
    scratch: Box<[u8]>,
}

struct Peer {
    stream: TcpStream,
    output: Vec<u8>,
    sent: usize,
    writable: bool,
    /// The start of an incomplete acknowledgement.
    received: Vec<u8>,
    /// When the requests in flight were sent or, in open loop, were due.
    asked_at: VecDeque<Instant>,
}

impl<'a> Generator<'a> {
    fn connect(
        addresses: &[SocketAddr],
        protocol: &'a mut dyn Protocol,
        load: &'a Load,
    ) -> Result<Self> {
        let poll = Poll::new()?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let mut peers = Vec::with_capacity(load.connections);
        for (index, address) in (0..load.connections).zip(addresses.iter().cycle()) {
            let mut stream = std::net::TcpStream::connect(address)
                .with_context(|| format!("connection {index} to {address}"))?;
            stream.set_nodelay(true)?;
            protocol
                .prepare_connection(&mut stream)
                .with_context(|| format!("connection {index}"))?;
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
            protocol,
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
                now < progress.1 + PROGRESS_WAIT,
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
        self.protocol.write_request(&mut peer.output);
        peer.asked_at.push_back(at);
        self.asked += 1;
    }

    /// Open loop: sends every request that is due, and sets the timer for the next one.
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

    /// Reads until the socket is empty. In closed loop, sends a request for every acknowledgement.
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
            // A short read means that the socket is empty (epoll(7), question 9).
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
        while let Some(length) = self.protocol.acknowledgement(&received[place..])? {
            place += length;
            answered += 1;
            let asked_at = peer.asked_at.pop_front().context("a reply without a request")?;
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
    /// Sends pending output, as far as the socket accepts it.
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
