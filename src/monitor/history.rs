//! The history on the status page: the last five minutes in intervals of two seconds. Each interval
//! holds what happened between two samples of the counters.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::Sources;
use crate::metrics::Distribution;
use crate::protocol::refusal::Code;
use crate::protocol::verb::Verb;
use crate::server::ConnectionState;
use crate::system::Process;

/// The time between two samples.
pub(super) const INTERVAL: Duration = Duration::from_secs(2);
/// The number of intervals that are kept: five minutes.
const INTERVALS_MAX: usize = 150;
/// The verbs that store messages. The page shows how long they take.
const SENDING: [Verb; 2] = [Verb::Send, Verb::Post];

/// The last intervals, and the counters at the end of the newest.
pub(super) struct History {
    last: Counts,
    intervals: VecDeque<Interval>,
}

/// The counters at one time.
struct Counts {
    at: Instant,
    messages: u64,
    requests: u64,
    refusals: u64,
    sends: Distribution,
    commits: Distribution,
    cpu_seconds: f64,
}

/// What happened between two samples, and the gauges at the second.
struct Interval {
    at: u64,
    messages: u64,
    messages_per_second: f64,
    requests_per_second: f64,
    refusals_per_second: f64,
    send_p50_seconds: Option<f64>,
    send_p99_seconds: Option<f64>,
    commits_per_second: f64,
    commit_p50_seconds: Option<f64>,
    commit_p99_seconds: Option<f64>,
    connections: i64,
    watchers: usize,
    write_queue: usize,
    wal_bytes: Option<u64>,
    cpus: f64,
    resident_bytes: Option<u64>,
}

/// The intervals as one list per figure, oldest first. It is the format of the JSON.
#[derive(Serialize)]
pub(super) struct Series {
    at: Vec<u64>,
    messages: Vec<u64>,
    messages_per_second: Vec<f64>,
    requests_per_second: Vec<f64>,
    refusals_per_second: Vec<f64>,
    send_p50_seconds: Vec<Option<f64>>,
    send_p99_seconds: Vec<Option<f64>>,
    commits_per_second: Vec<f64>,
    commit_p50_seconds: Vec<Option<f64>>,
    commit_p99_seconds: Vec<Option<f64>>,
    connections: Vec<i64>,
    watchers: Vec<usize>,
    write_queue: Vec<usize>,
    wal_bytes: Vec<Option<u64>>,
    cpus: Vec<f64>,
    resident_bytes: Vec<Option<u64>>,
}

impl History {
    /// An empty history. The first interval begins now.
    pub(super) fn new(sources: &Sources) -> Self {
        Self { last: Counts::look(sources, None), intervals: VecDeque::new() }
    }

    /// Takes a sample and adds the interval since the last one.
    pub(super) fn look(&mut self, sources: &Sources) {
        let process = Process::look();
        let now = Counts::look(sources, process.as_ref());
        if self.intervals.len() >= INTERVALS_MAX {
            self.intervals.pop_front();
        }
        self.intervals.push_back(Interval::between(&self.last, &now, sources, process.as_ref()));
        self.last = now;
    }

    pub(super) fn series(&self) -> Series {
        fn list<T>(history: &History, figure: impl Fn(&Interval) -> T) -> Vec<T> {
            history.intervals.iter().map(figure).collect()
        }
        Series {
            at: list(self, |it| it.at),
            messages: list(self, |it| it.messages),
            messages_per_second: list(self, |it| it.messages_per_second),
            requests_per_second: list(self, |it| it.requests_per_second),
            refusals_per_second: list(self, |it| it.refusals_per_second),
            send_p50_seconds: list(self, |it| it.send_p50_seconds),
            send_p99_seconds: list(self, |it| it.send_p99_seconds),
            commits_per_second: list(self, |it| it.commits_per_second),
            commit_p50_seconds: list(self, |it| it.commit_p50_seconds),
            commit_p99_seconds: list(self, |it| it.commit_p99_seconds),
            connections: list(self, |it| it.connections),
            watchers: list(self, |it| it.watchers),
            write_queue: list(self, |it| it.write_queue),
            wal_bytes: list(self, |it| it.wal_bytes),
            cpus: list(self, |it| it.cpus),
            resident_bytes: list(self, |it| it.resident_bytes),
        }
    }
}

/// How long the requests took that store messages, since the start.
pub(super) fn send_times(sources: &Sources) -> Distribution {
    let mut sends = Distribution::of_no_times();
    SENDING.iter().for_each(|&verb| sends.add(&sources.server.request_times(verb)));
    sends
}

impl Counts {
    fn look(sources: &Sources, process: Option<&Process>) -> Self {
        let server = &sources.server;
        let sends = send_times(sources);
        let done = Verb::ALL.iter().map(|&verb| server.requests(verb, None)).sum::<u64>();
        let refusals = Verb::ALL
            .iter()
            .flat_map(|&verb| Code::ALL.iter().map(move |&code| server.requests(verb, Some(code))))
            .sum();
        Self {
            at: Instant::now(),
            messages: sources.service.metrics().messages.get(),
            requests: done + refusals,
            refusals,
            sends,
            commits: sources.service.store().metrics().commit.read(),
            cpu_seconds: process.map_or(0.0, |process| process.cpu_seconds),
        }
    }
}

impl Interval {
    fn between(
        before: &Counts,
        now: &Counts,
        sources: &Sources,
        process: Option<&Process>,
    ) -> Self {
        let seconds = (now.at - before.at).as_secs_f64().max(1e-3);
        let rate = |then: u64, now: u64| rounded(now.saturating_sub(then) as f64 / seconds, 1e2);
        let sends = now.sends.since(&before.sends);
        let commits = now.commits.since(&before.commits);
        let time = |times: &Distribution, part| {
            times.quantile(part).map(|nanoseconds| rounded(nanoseconds / 1e9, 1e6))
        };
        let states = ConnectionState::ALL.iter();
        // The first sample has no CPU time to compare with.
        let cpu = if before.cpu_seconds > 0.0 { now.cpu_seconds - before.cpu_seconds } else { 0.0 };
        let disk = sources.service.store().files().and_then(|files| files.disk_usage().ok());
        Self {
            at: milliseconds_since_1970(SystemTime::now()),
            messages: now.messages.saturating_sub(before.messages),
            messages_per_second: rate(before.messages, now.messages),
            requests_per_second: rate(before.requests, now.requests),
            refusals_per_second: rate(before.refusals, now.refusals),
            send_p50_seconds: time(&sends, 0.5),
            send_p99_seconds: time(&sends, 0.99),
            commits_per_second: rounded(commits.count() as f64 / seconds, 1e2),
            commit_p50_seconds: time(&commits, 0.5),
            commit_p99_seconds: time(&commits, 0.99),
            connections: states.map(|&state| sources.server.connections(state)).sum(),
            watchers: sources.service.watchers(),
            write_queue: sources.service.store().write_queue().0,
            wal_bytes: disk.map(|disk| disk.wal),
            cpus: rounded(cpu / seconds, 1e3),
            resident_bytes: process.map(|process| process.resident_bytes),
        }
    }
}

fn rounded(value: f64, to: f64) -> f64 {
    (value * to).round() / to
}

/// The time format of the JSON: milliseconds since 1970.
pub(super) fn milliseconds_since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
