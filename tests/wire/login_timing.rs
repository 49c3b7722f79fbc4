//! The time of a refused login does not reveal which users exist. A wrong password, an unknown name
//! and a disabled user are refused after the same work. In each run the three come in random order,
//! over one connection, one after another; no sample is left out.
//! The short version only checks that there is something to measure: no ordinary run is decided by
//! The short version only checks that the measurement works: time decides no ordinary run. The long
//! one (`CHAT_TEST_FULL=1`, an optimised build, a quiet machine) is that of docs/reliability.md,
//! and fails if Welch's t is 4.5 or more.

use std::time::Instant;

use crate::support::operator;
use crate::support::{Random, Server, scaled};

/// From here on two means differ by more than chance: the usual threshold for timing leaks.
const T_MAX: f64 = 4.5;
/// More than the test can make: a throttled login costs no hash.
const NO_LIMIT: &str = "1000000";

/// A kind of refusal: its label, the user name, and the code.
const KINDS: [(&str, &str, &str); 3] = [
    ("wrong password", "paff", "wrong_password"),
    ("unknown user", "puff", "unknown_user"),
    ("disabled user", "neko", "wrong_password"),
];

#[test]
fn refused_logins_take_indistinguishable_times() {
    let count = scaled(20, 10_000);
    let options = [
        ["--login-failures-per-address-max", NO_LIMIT],
        ["--login-failures-per-user-max", NO_LIMIT],
    ];
    let server = Server::start_with(&options.concat());
    operator::done(&server.database(), &["user", "disable", "neko"]);
    let mut random = Random::new();
    let mut wire = server.connect();
    // Otherwise it would be closed after 30 s without a valid request.
    wire.log_in("ivy");
    let mut ask = |(_, user, code)| {
        let begun = Instant::now();
        let refused = wire.refused(format!("auth {user} cytux"));
        let took = begun.elapsed();
        assert_eq!(refused, code, "{user}");
        took.as_secs_f64() * 1e6
    };
    // Work that is done once, such as preparing a statement, is no sample.
    for kind in KINDS {
        ask(kind);
    }

    let mut samples = KINDS.map(|_| Samples::default());
    let mut left = samples.each_ref().map(|_| count);
    while left != [0; KINDS.len()] {
        // As in a shuffled deck: the more samples of a kind are left, the more likely it is.
        let mut card = random.below(left.iter().sum());
        let mut kind = 0;
        while card >= left[kind] {
            card -= left[kind];
            kind += 1;
        }
        left[kind] -= 1;
        samples[kind].0.push(ask(KINDS[kind]));
    }
    for ((name, ..), samples) in KINDS.iter().zip(&mut samples) {
        assert_eq!(samples.0.len(), count);
        let (mean, deviation) = (samples.mean(), samples.variance().sqrt());
        let median = samples.median();
        println!(
            "{name}: {count} times, mean {mean:.1} µs, median {median:.1} µs, deviation {deviation:.1} µs"
        );
    }
    let is_decided = scaled(0, 1) == 1;
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let t = welch_t(&samples[one], &samples[other]);
        println!("{} and {}: t = {t:.2}", KINDS[one].0, KINDS[other].0);
        assert!(t.is_finite() && (!is_decided || t.abs() < T_MAX), "t = {t}");
    }
}

#[test]
fn difference_of_one_percent_is_detected_in_ten_thousand_samples() {
    let mut random = Random::new();
    let mut noisy = |mean: f64| {
        let mut sample = || mean * (0.9 + 0.2 * (random.below(1_000_000) as f64 / 1e6));
        Samples((0..10_000).map(|_| sample()).collect())
    };
    let (one, same, other) = (noisy(15_000.0), noisy(15_000.0), noisy(15_150.0));
    assert!(welch_t(&one, &other) < -T_MAX);
    assert!(welch_t(&one, &same).abs() < 2.0 * T_MAX);
    let (small, large) = (Samples(vec![1.0, 2.0, 3.0]), Samples(vec![2.0, 4.0, 6.0, 8.0]));
    // (2 - 5) / √(1/3 + (20/3)/4)
    assert!((welch_t(&small, &large) + 3.0 / 2.0_f64.sqrt()).abs() < 1e-9);
}

/// Times, in microseconds.
#[derive(Default)]
struct Samples(Vec<f64>);

impl Samples {
    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    fn variance(&self) -> f64 {
        let mean = self.mean();
        let squares = self.0.iter().map(|sample| (sample - mean).powi(2));
        squares.sum::<f64>() / (self.0.len() - 1) as f64
    }

    fn median(&mut self) -> f64 {
        self.0.sort_by(f64::total_cmp);
        self.0[self.0.len() / 2]
    }
}

/// By how many standard errors the means differ (Welch 1947).
fn welch_t(one: &Samples, other: &Samples) -> f64 {
    let error = |samples: &Samples| samples.variance() / samples.0.len() as f64;
    (one.mean() - other.mean()) / (error(one) + error(other)).sqrt()
}
