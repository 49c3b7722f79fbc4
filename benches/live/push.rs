//! Live push: its latency and its throughput.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::harness::fan;
use crate::harness::figures::summary;
use crate::harness::peers::chat::Server;
use crate::harness::peers::recipient;
use crate::harness::watchers::{Watchers, count_line_feeds, read_all};
use crate::{Bench, USERS, log_in_users};

/// The number of watchers of one inbox.
const FAN_WATCHERS: usize = 1000;
/// How long to wait for an expected event.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Sends one message after the other, each to another watched inbox, with one watcher and with
/// many.
pub fn measure_latency(bench: &Bench) -> Result<()> {
    println!("| watched inboxes | send acknowledged ms, p50 | event after it ms, p50 | p99 |");
    println!("| --- | --- | --- | --- |");
    for watchers in [1, USERS] {
        let mut figures = [const { Vec::new() }; 3];
        for _ in 0..bench.runs() {
            let run = bench.with_server(&[], |server| latencies(bench, server, watchers))?;
            for (figures, figure) in figures.iter_mut().zip(run) {
                figures.push(figure);
            }
        }
        let [send, median, late] = figures.map(|figures| summary(&figures, 3));
        println!("| {watchers} | {send} | {median} | {late} |");
    }
    Ok(())
}

/// In milliseconds: the median of the acknowledgements, and the median and p99 of how much later
/// the events came. A negative value means that the event came first.
fn latencies(bench: &Bench, server: &Server, watchers: usize) -> Result<[f64; 3]> {
    let tokens = log_in_users(server, watchers)?;
    let mut pushed = Pushed::connect(server, &tokens)?;
    let (mut sends, mut events) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    while begin.elapsed() < bench.time() {
        let (send, event) = pushed.send(sends.len() % watchers)?;
        sends.push(send);
        events.push(event - send);
    }
    let quantile = |values: &mut Vec<f64>, part: f64| {
        values.sort_by(f64::total_cmp);
        values[((values.len() - 1) as f64 * part) as usize]
    };
    Ok([quantile(&mut sends, 0.5), quantile(&mut events, 0.5), quantile(&mut events, 0.99)])
}

/// A sender and the watchers. One thread waits for all of them, so it can tell which was first.
struct Pushed {
    poll: Poll,
    events: Events,
    sender: TcpStream,
    prefix: String,
    watchers: Vec<TcpStream>,
    scratch: Vec<u8>,
}

const SENDER: Token = Token(usize::MAX);

impl Pushed {
    fn connect(server: &Server, tokens: &[String]) -> Result<Self> {
        let (poll, watchers) = Watchers::connect(server, tokens.iter())?.into_parts();
        let prefix = format!("send {} ", server.log_in_sender()?);
        let sender = server.connect()?.into_stream();
        sender.set_nonblocking(true)?;
        let mut sender = TcpStream::from_std(sender);
        poll.registry().register(&mut sender, SENDER, Interest::READABLE)?;
        let (events, scratch) = (Events::with_capacity(64), vec![0; 4096]);
        Ok(Self { poll, events, sender, prefix, watchers, scratch })
    }

    /// The milliseconds until the acknowledgement and until the event.
    fn send(&mut self, to: usize) -> Result<(f64, f64)> {
        let line = format!("{}{} {}\r\n", self.prefix, recipient(to), fan::TEXT);
        let begin = Instant::now();
        self.sender.write_all(line.as_bytes())?;
        let mut line_feeds = [0, 0];
        let mut times = [None, None];
        while times.contains(&None) {
            ensure!(begin.elapsed() < TIMEOUT, "the acknowledgement or the event does not come");
            match self.poll.poll(&mut self.events, Some(TIMEOUT)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            let now = begin.elapsed().as_secs_f64() * 1e3;
            for event in &self.events {
                let (which, stream) = match event.token() {
                    SENDER => (0, &mut self.sender),
                    Token(index) => (1, &mut self.watchers[index]),
                };
                read_all(stream, &mut self.scratch, |read| {
                    line_feeds[which] += count_line_feeds(read);
                    Ok(())
                })?;
                if line_feeds[which] == 2 {
                    times[which].get_or_insert(now);
                }
            }
        }
        Ok((times[0].unwrap_or(f64::NAN), times[1].unwrap_or(f64::NAN)))
    }
}

/// Sends to one inbox with many watchers, until every message has reached every watcher.
pub fn measure_fan(bench: &Bench) -> Result<()> {
    let messages = (bench.time().as_secs_f64() * 200.0) as usize;
    let mut rates = Vec::new();
    for _ in 0..bench.runs() {
        rates.push(bench.with_server(&[], |server| {
            let tokens = log_in_users(server, 1)?;
            let same = tokens.iter().cycle().take(FAN_WATCHERS);
            fan::rate(server, same, &recipient(0), messages)
        })?);
    }
    println!(
        "one inbox with {FAN_WATCHERS} watchers, {messages} messages: {} deliveries a second",
        summary(&rates, 0)
    );
    Ok(())
}
