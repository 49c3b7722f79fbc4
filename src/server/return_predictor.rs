//! Predicts whether the clients answered in a round of the worker will soon send their next
//! requests, so that waiting for them is worth it.
//!
//! A request-response client sends its next request within the time of a commit. A worker that
//! waits for the clients it has just answered commits their requests together with those that came
//! meanwhile. Otherwise they would first wait for that commit. If they do not return, waiting only
//! adds delay. So after each failure the worker tries less often.

use std::time::{Duration, Instant};

/// How long the worker waits for the next client. Waking up takes longer than sending a request.
const WAIT: Duration = Duration::from_micros(100);
/// How long the worker waits in total, if one client comes after another.
const WAIT_TOTAL: Duration = Duration::from_micros(400);
/// The limit of the exponent. After n failures in a row the worker skips two to the power of n
/// rounds.
const FAILURES_MAX: u32 = 6;

/// Counts answered and returned clients: see the module.
#[derive(Debug)]
pub(super) struct ReturnPredictor {
    /// The worker waits for at most this many clients.
    awaited_max: usize,
    round: u32,
    answered: usize,
    returned: usize,
    /// The number of failures in a row, and the number of rounds still to skip.
    failures: u32,
    rounds_to_skip: u32,
}

/// A connection's part of the prediction.
#[derive(Debug, Default)]
pub(super) struct Mark {
    /// The round in which it was last answered, or 0 if it has sent a request since.
    round: u32,
}

/// The wait of one round.
#[derive(Debug)]
pub(super) struct Wait {
    until: Instant,
    latest: Instant,
}

impl Wait {
    pub(super) fn begin(now: Instant) -> Self {
        Self { until: now + WAIT, latest: now + WAIT_TOTAL }
    }

    /// Extends the wait, after a client has returned.
    pub(super) fn extend(&mut self, now: Instant) {
        self.until = self.latest.min(now + WAIT);
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.until
    }
}

impl ReturnPredictor {
    pub(super) fn new(awaited_max: usize) -> Self {
        Self { awaited_max, round: 0, answered: 0, returned: 0, failures: 0, rounds_to_skip: 0 }
    }

    pub(super) fn begin_round(&mut self) {
        // 0 means no round.
        self.round = self.round.checked_add(1).unwrap_or(1);
        (self.answered, self.returned) = (0, 0);
    }

    /// Records that a connection was answered.
    pub(super) fn note_answer(&mut self, mark: &mut Mark) {
        if mark.round != self.round {
            mark.round = self.round;
            self.answered += 1;
        }
    }

    /// Records that a connection has input.
    pub(super) fn note_request(&mut self, mark: &mut Mark) {
        if mark.round == self.round {
            mark.round = 0;
            self.returned += 1;
        }
    }

    pub(super) fn has_answered(&self) -> bool {
        self.answered > 0
    }

    /// The number of clients that have returned in this round.
    pub(super) fn returned(&self) -> usize {
        self.returned
    }

    pub(super) fn all_returned(&self) -> bool {
        self.returned == self.answered
    }

    /// Whether to wait for the answered clients. Call it once a round, after all answers.
    pub(super) fn is_worth_waiting(&mut self) -> bool {
        if !self.has_answered() || self.answered > self.awaited_max {
            return false;
        }
        let is_skipped = self.rounds_to_skip > 0;
        self.rounds_to_skip = self.rounds_to_skip.saturating_sub(1);
        !is_skipped
    }

    /// Records the end of a wait. Returns whether most of the clients have returned.
    pub(super) fn end_wait(&mut self) -> bool {
        let most_returned = self.returned * 2 > self.answered;
        if most_returned {
            self.failures = 0;
        } else {
            self.failures = (self.failures + 1).min(FAILURES_MAX);
            self.rounds_to_skip = 1 << self.failures;
        }
        most_returned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a round with so many answered and returned clients. Returns whether the worker waited.
    fn round(return_predictor: &mut ReturnPredictor, answered: usize, returned: usize) -> bool {
        let mut marks: Vec<Mark> = (0..answered).map(|_| Mark::default()).collect();
        return_predictor.begin_round();
        marks.iter_mut().for_each(|mark| return_predictor.note_answer(mark));
        marks[..returned].iter_mut().for_each(|mark| return_predictor.note_request(mark));
        let waits = return_predictor.is_worth_waiting();
        if waits {
            assert_eq!(return_predictor.end_wait(), returned * 2 > answered);
        }
        waits
    }

    #[test]
    fn connection_returns_once_a_round_and_only_in_the_round_of_its_answer() {
        let mut return_predictor = ReturnPredictor::new(2);
        let (mut twice, mut silent, mut other) =
            (Mark::default(), Mark::default(), Mark::default());
        return_predictor.begin_round();
        return_predictor.note_answer(&mut twice);
        return_predictor.note_answer(&mut silent);
        return_predictor.note_answer(&mut twice);
        return_predictor.note_request(&mut other);
        return_predictor.note_request(&mut twice);
        return_predictor.note_request(&mut twice);
        assert_eq!((return_predictor.answered, return_predictor.returned), (2, 1));
        assert!(!return_predictor.all_returned());
        return_predictor.begin_round();
        return_predictor.note_request(&mut silent);
        assert_eq!((return_predictor.answered, return_predictor.returned), (0, 0));
        assert!(!return_predictor.is_worth_waiting());
    }

    #[test]
    fn failures_skip_twice_as_many_rounds_each_time() {
        let mut return_predictor = ReturnPredictor::new(8);
        for rounds_to_skip in [2, 4, 8, 16, 32, 64, 64] {
            assert!(round(&mut return_predictor, 8, 4), "before {rounds_to_skip}");
            for _ in 0..rounds_to_skip {
                assert!(!round(&mut return_predictor, 8, 8), "{rounds_to_skip}");
            }
        }
        assert!(round(&mut return_predictor, 8, 5));
        assert!(round(&mut return_predictor, 1, 1));
        assert!(round(&mut return_predictor, 1, 0));
        assert!(!round(&mut return_predictor, 1, 1) && !round(&mut return_predictor, 1, 1));
        assert!(round(&mut return_predictor, 1, 1));
        assert!(!round(&mut return_predictor, 9, 9));
    }

    #[test]
    fn wait_is_extended_by_each_return_up_to_its_limit() {
        let begin = Instant::now();
        let at = |micros| begin + Duration::from_micros(micros);
        let mut wait = Wait::begin(begin);
        assert!(!wait.is_over(at(99)) && wait.is_over(at(100)));
        wait.extend(at(99));
        assert!(!wait.is_over(at(198)) && wait.is_over(at(199)));
        for returned in [150, 240, 330, 399] {
            wait.extend(at(returned));
        }
        assert!(!wait.is_over(at(399)) && wait.is_over(at(400)));
    }
}
