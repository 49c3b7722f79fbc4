//! Who was answered in this round of a worker, who of them has asked again, and whether it is worth waiting for
//! the others.
//!
//! Whoever asks, waits for the answer and asks again comes back within the time that a commit takes, or less. A worker
//! that waits for those it has just answered commits what they ask for together with what has come meanwhile,
//! instead of having them wait for that commit first. Where they do not come back, waiting would only be in the
//! way: so it is tried the less often, the more often it was in vain.

use std::time::{Duration, Instant};

/// How long it is waited for the next of them. Being woken takes longer than asking again.
const WAIT: Duration = Duration::from_micros(100);
/// How long in all, where one comes after the other.
const WAIT_IN_ALL: Duration = Duration::from_micros(400);
/// How many rounds it is not tried after it was in vain for so many times in a row: two to the power of that, and
/// of this at most.
const VAIN_MAX: u32 = 6;

/// See the module.
#[derive(Debug)]
pub(super) struct ReturnPredictor {
    /// For no more than so many it is waited.
    awaited_max: usize,
    round: u32,
    answered: usize,
    come: usize,
    /// How often in a row it was waited for them in vain, and for how many rounds it is not now.
    vain: u32,
    passed_over: u32,
}

/// What a connection remembers for that.
#[derive(Debug, Default)]
pub(super) struct Mark {
    /// The round in which it was answered and has not asked again, if that is this one.
    round: u32,
}

/// How long it is waited now.
#[derive(Debug)]
pub(super) struct Wait {
    until: Instant,
    latest: Instant,
}

impl Wait {
    pub(super) fn begin(now: Instant) -> Self {
        Self { until: now + WAIT, latest: now + WAIT_IN_ALL }
    }

    /// One of them has come: it is waited for the next.
    pub(super) fn go_on(&mut self, now: Instant) {
        self.until = self.latest.min(now + WAIT);
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.until
    }
}

impl ReturnPredictor {
    pub(super) fn new(awaited_max: usize) -> Self {
        Self { awaited_max, round: 0, answered: 0, come: 0, vain: 0, passed_over: 0 }
    }

    pub(super) fn begin_round(&mut self) {
        // 0 is none.
        self.round = self.round.checked_add(1).unwrap_or(1);
        (self.answered, self.come) = (0, 0);
    }

    /// A connection has been answered.
    pub(super) fn note_answer(&mut self, mark: &mut Mark) {
        if mark.round != self.round {
            mark.round = self.round;
            self.answered += 1;
        }
    }

    /// A connection has something to read.
    pub(super) fn note_asking(&mut self, mark: &mut Mark) {
        if mark.round == self.round {
            mark.round = 0;
            self.come += 1;
        }
    }

    pub(super) fn has_answered(&self) -> bool {
        self.answered > 0
    }

    /// How many have come back.
    pub(super) fn come(&self) -> usize {
        self.come
    }

    pub(super) fn all_have_come(&self) -> bool {
        self.come == self.answered
    }

    /// Whether it is to be waited for those who were answered. Asked once a round, when it is known who was.
    pub(super) fn is_worth_waiting(&mut self) -> bool {
        if !self.has_answered() || self.answered > self.awaited_max {
            return false;
        }
        let is_passed_over = self.passed_over > 0;
        self.passed_over = self.passed_over.saturating_sub(1);
        !is_passed_over
    }

    /// It was waited for them, until they had come or for long enough. Tells whether most have come.
    pub(super) fn judge(&mut self) -> bool {
        let most_have_come = self.come * 2 > self.answered;
        if most_have_come {
            self.vain = 0;
        } else {
            self.vain = (self.vain + 1).min(VAIN_MAX);
            self.passed_over = 1 << self.vain;
        }
        most_have_come
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round in which so many are answered, of whom so many come back. Tells whether they were waited for.
    fn round(return_predictor: &mut ReturnPredictor, answered: usize, come: usize) -> bool {
        let mut marks: Vec<Mark> = (0..answered).map(|_| Mark::default()).collect();
        return_predictor.begin_round();
        marks.iter_mut().for_each(|mark| return_predictor.note_answer(mark));
        marks[..come].iter_mut().for_each(|mark| return_predictor.note_asking(mark));
        let waits = return_predictor.is_worth_waiting();
        if waits {
            assert_eq!(return_predictor.judge(), come * 2 > answered);
        }
        waits
    }

    #[test]
    fn connection_comes_back_once_a_round_and_only_where_it_was_answered_in_that() {
        let mut return_predictor = ReturnPredictor::new(2);
        let (mut twice, mut silent, mut other) =
            (Mark::default(), Mark::default(), Mark::default());
        return_predictor.begin_round();
        return_predictor.note_answer(&mut twice);
        return_predictor.note_answer(&mut silent);
        return_predictor.note_answer(&mut twice);
        return_predictor.note_asking(&mut other);
        return_predictor.note_asking(&mut twice);
        return_predictor.note_asking(&mut twice);
        assert_eq!((return_predictor.answered, return_predictor.come), (2, 1));
        assert!(!return_predictor.all_have_come());
        return_predictor.begin_round();
        return_predictor.note_asking(&mut silent);
        assert_eq!((return_predictor.answered, return_predictor.come), (0, 0));
        assert!(!return_predictor.is_worth_waiting());
    }

    #[test]
    fn nobody_is_waited_for_a_while_where_it_was_in_vain_and_ever_longer() {
        let mut return_predictor = ReturnPredictor::new(8);
        for passed_over in [2, 4, 8, 16, 32, 64, 64] {
            assert!(round(&mut return_predictor, 8, 4), "before {passed_over}");
            for _ in 0..passed_over {
                assert!(!round(&mut return_predictor, 8, 8), "{passed_over}");
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
    fn wait_goes_on_while_one_comes_after_the_other_and_ends() {
        let begin = Instant::now();
        let at = |micros| begin + Duration::from_micros(micros);
        let mut wait = Wait::begin(begin);
        assert!(!wait.is_over(at(99)) && wait.is_over(at(100)));
        wait.go_on(at(99));
        assert!(!wait.is_over(at(198)) && wait.is_over(at(199)));
        for come in [150, 240, 330, 399] {
            wait.go_on(at(come));
        }
        assert!(!wait.is_over(at(399)) && wait.is_over(at(400)));
    }
}
