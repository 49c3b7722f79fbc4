//! The metrics of connections and requests: one set per worker, summed when read.

use std::array;
use std::sync::Arc;
use std::time::Duration;

use super::close::CloseReason;
use crate::metrics::{Counter, Distribution, Gauge, Histogram};
use crate::protocol::refusal::Code;
use crate::protocol::verb::Verb;

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// No request has succeeded yet.
    New,
    /// A request has succeeded.
    Open,
    /// It is a stream.
    Watching,
    /// The server has sent its last bytes.
    Closing,
}

impl ConnectionState {
    /// Every state.
    pub const ALL: &[Self] = &[Self::New, Self::Open, Self::Watching, Self::Closing];

    /// The name of the state, as in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Watching => "watching",
            Self::Closing => "closing",
        }
    }
}

/// The result of a request: `None` for success, or the code of its refusal.
pub type RequestResult = Option<Code>;

/// Metrics of the acceptor and the workers since the start of the server.
#[derive(Debug)]
pub struct Metrics {
    pub(super) workers: Box<[Arc<WorkerMetrics>]>,
    /// The requests that another protocol has carried.
    others: WorkerMetrics,
    /// The number of connections that were refused because of a connection limit.
    pub refused: Counter,
}

/// Metrics of one worker.
#[derive(Debug)]
pub(super) struct WorkerMetrics {
    pub(super) connections: [Gauge; ConnectionState::ALL.len()],
    pub(super) opened: Counter,
    pub(super) closed: Box<[Counter]>,
    pub(super) received_bytes: Counter,
    pub(super) sent_bytes: Counter,
    pub(super) slow_requests: Counter,
    /// By verb and result.
    requests: Box<[Counter]>,
    /// By verb.
    request_times: Box<[Histogram]>,
}

/// The number of different results of a request.
const RESULTS: usize = Code::ALL.len() + 1;

fn result_index(result: RequestResult) -> usize {
    result.map_or(0, |code| code as usize + 1)
}

impl Default for WorkerMetrics {
    fn default() -> Self {
        Self {
            connections: array::from_fn(|_| Gauge::default()),
            opened: Counter::default(),
            closed: Counter::family(CloseReason::ALL.len()),
            received_bytes: Counter::default(),
            sent_bytes: Counter::default(),
            slow_requests: Counter::default(),
            requests: Counter::family(Verb::ALL.len() * RESULTS),
            request_times: Verb::ALL.iter().map(|_| Histogram::of_times()).collect(),
        }
    }
}

impl WorkerMetrics {
    /// Counts an answered request. There is no time for a line that is no request.
    pub(super) fn count_request(&self, verb: Verb, result: RequestResult, time: Option<Duration>) {
        self.requests[verb as usize * RESULTS + result_index(result)].increment();
        if let Some(time) = time {
            self.request_times[verb as usize].observe_time(time);
        }
    }
}

impl Metrics {
    pub(super) fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| Arc::default()).collect(),
            others: WorkerMetrics::default(),
            refused: Counter::default(),
        }
    }

    /// The number of connections in this state.
    pub fn connections(&self, state: ConnectionState) -> i64 {
        self.workers.iter().map(|worker| worker.connections[state as usize].get()).sum()
    }

    /// The number of accepted connections.
    pub fn opened(&self) -> u64 {
        self.sum(|worker| &worker.opened)
    }

    /// The number of connections that ended for this reason.
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.sum(|worker| &worker.closed[reason as usize])
    }

    /// The number of bytes read from connections.
    pub fn received_bytes(&self) -> u64 {
        self.sum(|worker| &worker.received_bytes)
    }

    /// The number of bytes written to connections.
    pub fn sent_bytes(&self) -> u64 {
        self.sum(|worker| &worker.sent_bytes)
    }

    /// The number of slow requests.
    pub fn slow_requests(&self) -> u64 {
        self.sum(|worker| &worker.slow_requests)
    }

    /// The number of requests of this verb with this result.
    pub fn requests(&self, verb: Verb, result: RequestResult) -> u64 {
        self.sum(|worker| &worker.requests[verb as usize * RESULTS + result_index(result)])
    }

    /// The times of requests of this verb, from when each could start until its connection had the
    /// reply.
    pub fn request_times(&self, verb: Verb) -> Distribution {
        let mut all = Distribution::of_no_times();
        self.sets().for_each(|set| all.add(&set.request_times[verb as usize].read()));
        all
    }

    /// Counts a request that no worker has carried. There is no time for what is no request.
    pub fn count_request(&self, verb: Verb, result: RequestResult, time: Option<Duration>) {
        self.others.count_request(verb, result, time);
    }

    fn sets(&self) -> impl Iterator<Item = &WorkerMetrics> {
        self.workers.iter().map(AsRef::as_ref).chain([&self.others])
    }

    fn sum(&self, counter: impl Fn(&WorkerMetrics) -> &Counter) -> u64 {
        self.sets().map(|set| counter(set).get()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_and_outcome_has_a_count_of_its_own_over_all_workers() {
        let metrics = Metrics::new(2);
        let results: Vec<RequestResult> =
            std::iter::once(None).chain(Code::ALL.iter().copied().map(Some)).collect();
        let mut expected = 0;
        for &verb in Verb::ALL {
            for &result in &results {
                expected += 1;
                for index in 0..expected {
                    match index % 3 {
                        2 => metrics.count_request(verb, result, None),
                        worker => metrics.workers[worker].count_request(verb, result, None),
                    }
                }
            }
        }
        let mut expected = 0;
        for &verb in Verb::ALL {
            for &result in &results {
                expected += 1;
                assert_eq!(metrics.requests(verb, result), expected, "{verb:?} {result:?}");
            }
        }
    }
}
