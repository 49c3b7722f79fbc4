//! Measures one database.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use rustix::fs::{Advice, fadvise};
use tempfile::TempDir;

use crate::fill::{BODY_BYTES, HUNDRED, SCATTERED, Size};
use crate::harness::figures::{milliseconds, quantile};
use crate::harness::generator::{self, Extent, Load, Outcome, Protocol};
use crate::harness::peers::chat::{self, Repeats, Server};
use crate::harness::peers::client::Client;
use crate::harness::peers::{Messages, Verb};

/// How often the inbox of a hundred messages is read.
const HUNDRED_READS: usize = 51;
/// How often the inbox of the scattered messages is read.
const SCATTERED_READS: usize = 5;
/// How long the load runs before the server is killed. Each run takes a fifth longer.
const KILL_AFTER: Duration = Duration::from_secs(1);

pub struct Bench<'a> {
    pub program: &'a Path,
    /// The folder for temporary copies.
    pub folder: &'a Path,
    /// A database with the same users and no messages.
    pub empty: PathBuf,
    pub database: PathBuf,
    pub size: Size,
    pub time: Duration,
    pub runs: usize,
}

/// The figures in milliseconds, except `hello` and `empty_inbox`.
#[derive(Default)]
pub struct Figures {
    pub file_bytes: u64,
    /// Sends per second, and the ratio to an empty database in the same run.
    pub rates: Vec<f64>,
    pub ratios: Vec<f64>,
    /// Round trips on one connection, in microseconds.
    pub hello: Vec<f64>,
    pub empty_inbox: Vec<f64>,
    pub hundred: Vec<f64>,
    pub scattered_messages: usize,
    pub scattered: Vec<f64>,
    /// With a cold page cache.
    pub scattered_cold: f64,
    /// The latencies of a sender that waits for each acknowledgement, over all runs.
    pub sender_alone: Option<Histogram<u64>>,
    pub sender_beside: Option<Histogram<u64>>,
    pub start: Vec<f64>,
    pub start_after_kill: Vec<f64>,
}

impl Bench<'_> {
    pub fn run(&self) -> Result<Figures> {
        let mut figures =
            Figures { file_bytes: fs::metadata(&self.database)?.len(), ..Figures::default() };
        let place = self.copy(&self.database)?;
        let database = place.path().join("chat.sqlite");
        self.read_cold(&database, &mut figures)?;
        for _ in 0..self.runs {
            let (server, time) = self.start(&database)?;
            figures.start.push(time);
            server.stop()?;
        }
        let (server, _) = self.start(&database)?;
        self.read(&server, &mut figures)?;
        for _ in 0..self.runs {
            self.send_beside_reads(&server, &mut figures)?;
        }
        server.stop()?;
        for run in 0..self.runs {
            figures.start_after_kill.push(self.kill_and_start(&database, run)?);
        }
        drop(place);
        for run in 0..self.runs {
            let (empty, full) = if run % 2 == 0 {
                (self.send_rate(&self.empty)?, self.send_rate(&self.database)?)
            } else {
                let full = self.send_rate(&self.database)?;
                (self.send_rate(&self.empty)?, full)
            };
            figures.rates.push(full);
            figures.ratios.push(full / empty);
        }
        Ok(figures)
    }

    /// A copy that may be changed. It is fully written to the disk.
    fn copy(&self, database: &Path) -> Result<TempDir> {
        let place = tempfile::tempdir_in(self.folder)?;
        let copy = place.path().join("chat.sqlite");
        fs::copy(database, &copy)?;
        File::open(copy)?.sync_all()?;
        Ok(place)
    }

    /// Starts the server, and returns how long it took until the first reply.
    fn start(&self, database: &Path) -> Result<(Server, f64)> {
        let begin = Instant::now();
        let server = Server::start(self.program, database)?;
        server.connect()?.ask("hello")?;
        Ok((server, milliseconds(begin.elapsed())))
    }

    fn read_cold(&self, database: &Path, figures: &mut Figures) -> Result<()> {
        // All pages are clean, so the system can drop the whole file from its cache.
        fadvise(File::open(database)?, 0, None, Advice::DontNeed)?;
        let (server, _) = self.start(database)?;
        let mut reader = Reader::new(&server, SCATTERED)?;
        let (time, messages) = reader.read_all()?;
        figures.scattered_cold = time;
        figures.scattered_messages = messages;
        let expected = self.size.scattered() as usize;
        // If filling was interrupted, the messages in flight may be stored twice or not at all.
        let tolerance = expected / 100;
        ensure!(
            messages.abs_diff(expected) <= tolerance,
            "{messages} were read where {expected} were scattered"
        );
        reader.rewind()?;
        server.stop()
    }

    fn read(&self, server: &Server, figures: &mut Figures) -> Result<()> {
        let mut hundred = Reader::new(server, HUNDRED)?;
        for _ in 0..HUNDRED_READS {
            figures.hundred.push(hundred.read_all()?.0);
            hundred.rewind()?;
        }
        let mut scattered = Reader::new(server, SCATTERED)?;
        for _ in 0..SCATTERED_READS {
            scattered.rewind()?;
            figures.scattered.push(scattered.read_all()?.0);
        }
        // That inbox is now empty, but all these messages come before its cursor.
        let inbox = format!("inbox {}", scattered.token);
        for _ in 0..self.runs {
            figures.hello.push(self.round_trip(server, "hello")?);
            figures.empty_inbox.push(self.round_trip(server, &inbox)?);
        }
        Ok(())
    }

    /// The median round trip on one connection, in microseconds.
    fn round_trip(&self, server: &Server, line: &str) -> Result<f64> {
        let mut protocol = Repeats(line.to_owned());
        Ok(quantile(&self.load(server, &mut protocol, 1)?.latencies, 0.5) * 1e3)
    }

    fn load(
        &self,
        server: &Server,
        protocol: &mut dyn Protocol,
        connections: usize,
    ) -> Result<Outcome> {
        let load = Load {
            connections,
            pipeline: 1,
            rate: None,
            extent: Extent::Time(self.time),
            warm_up: self.time / 4,
        };
        generator::run(server.address(), protocol, &load)
    }

    fn sends(&self, server: &Server) -> Result<Box<dyn Protocol>> {
        let messages = Messages { recipients: self.size.users, body_bytes: BODY_BYTES };
        Ok(chat::protocol(Verb::Send, &server.log_in_sender()?, messages))
    }

    fn send_rate(&self, database: &Path) -> Result<f64> {
        let place = self.copy(database)?;
        let (server, _) = self.start(&place.path().join("chat.sqlite"))?;
        let rate = self.load(&server, self.sends(&server)?.as_mut(), 64)?.rate;
        server.stop()?;
        Ok(rate)
    }

    /// One sender, first alone, then next to a reader that reads all scattered messages repeatedly.
    fn send_beside_reads(&self, server: &Server, figures: &mut Figures) -> Result<()> {
        let alone = self.load(server, self.sends(server)?.as_mut(), 1)?;
        pool(&mut figures.sender_alone, alone)?;
        let mut reader = Reader::new(server, SCATTERED)?;
        let is_over = AtomicBool::new(false);
        let (outcome, read) = thread::scope(|scope| {
            let reading = scope.spawn(|| -> Result<()> {
                while !is_over.load(Ordering::Relaxed) {
                    reader.rewind()?;
                    reader.read_all()?;
                }
                Ok(())
            });
            let outcome =
                self.sends(server).and_then(|mut protocol| self.load(server, protocol.as_mut(), 1));
            is_over.store(true, Ordering::Relaxed);
            (outcome, reading.join().expect("the reader does not panic"))
        });
        read?;
        pool(&mut figures.sender_beside, outcome?)
    }

    /// Kills the server while 64 connections have 16 requests in flight each.
    fn kill_and_start(&self, database: &Path, run: usize) -> Result<f64> {
        let (server, _) = self.start(database)?;
        let mut protocol = self.sends(&server)?;
        let address = server.address();
        let load = Load {
            connections: 64,
            pipeline: 16,
            rate: None,
            extent: Extent::Requests(u64::MAX),
            warm_up: Duration::ZERO,
        };
        let after = (KILL_AFTER.min(self.time)).mul_f64(1.0 + run as f64 / 5.0);
        thread::scope(|scope| {
            let sending = scope.spawn(move || generator::run(address, protocol.as_mut(), &load));
            thread::sleep(after);
            server.kill();
            let outcome = sending.join().expect("the generator does not panic");
            ensure!(outcome.is_err(), "the load ended before the server was killed");
            Ok(())
        })?;
        let (server, time) = self.start(database)?;
        server.stop()?;
        Ok(time)
    }
}

/// Adds the latencies of one run to the total.
fn pool(all: &mut Option<Histogram<u64>>, outcome: Outcome) -> Result<()> {
    match all {
        Some(all) => all.add(outcome.latencies)?,
        None => *all = Some(outcome.latencies),
    }
    Ok(())
}

/// A client that reads an inbox.
struct Reader {
    client: Client,
    token: String,
}

impl Reader {
    fn new(server: &Server, name: &str) -> Result<Self> {
        Ok(Self { token: server.log_in(name)?, client: server.connect()? })
    }

    /// Reads everything, page by page. Returns the milliseconds it took and the number of messages.
    fn read_all(&mut self) -> Result<(f64, usize)> {
        let (mut time, mut messages) = (Duration::ZERO, 0);
        let line = format!("inbox {}", self.token);
        loop {
            let begin = Instant::now();
            let page = self.client.ask_raw(&line)?;
            time += begin.elapsed();
            messages += page.windows(MESSAGE.len()).filter(|part| part == &MESSAGE).count();
            if !page.ends_with(MORE) {
                return Ok((milliseconds(time), messages));
            }
        }
    }

    /// Marks everything as unread again.
    fn rewind(&mut self) -> Result<()> {
        let line = format!("ack {} {{\"upto\": 0, \"rewind\": true}}", self.token);
        self.client.ask_raw(&line).map(drop)
    }
}

/// The start of a message in the reply to `inbox`.
const MESSAGE: &[u8] = b"{\"msg\":";
/// The end of a reply to `inbox` that is not the last.
const MORE: &[u8] = b"\"more\": true}\r\n\r\n";
