//! Limits how often clients can guess passwords. It counts failures per account, and per account
//! and network. The caller passes the time, which must be monotonic. This module knows neither
//! sockets nor passwords.
//!
//! It counts only failures found by a hasher, for unknown users as for existing ones. So every
//! counted failure has cost a hash. An attacker who invents names or addresses to push failures out
//! of memory needs longer than the failures count anyway.

// `core::net` has the address types without the sockets.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::adjustable::Adjustable;
use crate::log::LineRate;
use crate::model::UserName;
use crate::store::{Judgement, LoginLimit};

/// How long a failure counts.
const LOGIN_WINDOW: Duration = Duration::from_secs(60);
/// The maximum number of failures in memory; one more removes the oldest. To find so many within
/// [`LOGIN_WINDOW`], two hashers would have to take less than 8 ms per password.
const LOGIN_FAILURES_MAX: usize = 16_384;
/// The maximum number of successful pairs of account and network in memory. One more removes the
/// oldest.
const KNOWN_NETWORKS_MAX: usize = 4_096;
/// The maximum number of server log lines a second about reached limits.
const LOG_LINES_PER_SECOND_MAX: u32 = 5;

/// The origin of a request, as the unit that login failures are counted by. A client that can
/// choose among many addresses counts as one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address; the others are zero. A host can choose its last 64
    /// bits.
    V6(Ipv6Addr),
    /// A process of this machine whose user is unknown. All loopback addresses count as one,
    /// because a process can use any of them.
    ThisMachine,
    /// A process of this machine, with its system user id.
    User(u32),
}

/// An account and the network of a login.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Login {
    pub(super) account: UserName,
    pub(super) network: Network,
}

/// The login was refused without comparing the password, because of too many failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Throttled {
    /// The client can try again after this time.
    pub(super) retry_after: Duration,
}

/// A failure reached a limit, so the next login is throttled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitReached {
    /// Which.
    pub(super) limit: &'static str,
    pub(super) throttled: Throttled,
    /// The number of server log lines omitted before this one.
    pub(super) left_out: u64,
}

/// The maximum number of failures in a minute.
#[derive(Debug, Clone)]
pub struct LoginLimits {
    /// For one account from one network.
    pub per_address: Adjustable<usize>,
    /// For one account from all networks.
    pub per_account: Adjustable<usize>,
}

/// Counts failures: see the module.
#[derive(Debug)]
pub(super) struct Throttle {
    limits: LoginLimits,
    failures: Mutex<Failures>,
    /// Other servers count failures too, and the database judges by the account: see `judge`. This
    /// memory then only bounds what one network can ask for at this server.
    is_shared: bool,
}

/// A login attempt whose password is being compared. It counts as a failure until it succeeds.
#[derive(Debug)]
pub(super) struct Attempt {
    throttle: Arc<Throttle>,
    login: Login,
    at: Instant,
}

/// The failures of the last [`LOGIN_WINDOW`], oldest first, with indexes by login and by account.
#[derive(Debug)]
struct Failures {
    all: VecDeque<(Instant, Login)>,
    by_login: HashMap<Login, VecDeque<Instant>>,
    by_account: HashMap<UserName, VecDeque<Instant>>,
    /// The failures of each account from this machine. One user of it may be able to act as others.
    by_account_here: HashMap<UserName, VecDeque<Instant>>,
    known: KnownLogins,
    log_lines: LineRate,
}

/// The networks from which each account was logged in to, oldest first.
#[derive(Debug, Default)]
struct KnownLogins {
    order: VecDeque<Login>,
    logins: HashSet<Login>,
}

impl Network {
    /// The network of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if address.is_loopback() => Self::ThisMachine,
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                Self::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
            }
        }
    }

    /// Whether it is this machine. Failures from elsewhere never lock out its processes.
    pub(super) fn is_local(self) -> bool {
        matches!(self, Self::ThisMachine | Self::User(_))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(formatter),
            Self::V6(address) => write!(formatter, "{address}/64"),
            Self::ThisMachine => formatter.write_str("loopback"),
            Self::User(uid) => write!(formatter, "unix:uid={uid}"),
        }
    }
}

impl Throttle {
    pub(super) fn new(limits: LoginLimits, is_shared: bool) -> Self {
        Self { limits, failures: Mutex::default(), is_shared }
    }

    /// Checks whether a password may be compared now. Counts nothing.
    pub(super) fn check(&self, login: &Login, now: Instant) -> Result<(), Throttled> {
        let mut failures = self.failures();
        failures.forget_old(now);
        self.throttled(&failures, login, now).map_or(Ok(()), |(throttled, _)| Err(throttled))
    }

    /// Checks the limits and counts a failure, which [`Attempt::succeed`] takes back. So parallel
    /// attempts cannot pass a limit together.
    pub(super) fn begin(
        self: &Arc<Self>,
        login: Login,
        now: Instant,
    ) -> Result<Attempt, Throttled> {
        let mut failures = self.failures();
        failures.forget_old(now);
        match self.throttled(&failures, &login, now) {
            Some((throttled, _)) => Err(throttled),
            None => {
                failures.add(&login, now);
                Ok(Attempt { throttle: Arc::clone(self), login, at: now })
            }
        }
    }

    fn throttled(
        &self,
        failures: &Failures,
        login: &Login,
        now: Instant,
    ) -> Option<(Throttled, &'static str)> {
        let (per_address, per_account) =
            (self.limits.per_address.get(), self.limits.per_account.get());
        let by_address =
            failures.by_login.get(login).and_then(|times| over(times, per_address, now));
        // Failures elsewhere do not lock out a network that the account was logged in to from. They
        // do not lock out this machine either.
        let is_exempt = failures.known.logins.contains(login);
        let by_account =
            if login.network.is_local() { &failures.by_account_here } else { &failures.by_account };
        let by_account = by_account.get(&login.account).filter(|_| !is_exempt && !self.is_shared);
        let by_account = by_account.and_then(|times| over(times, per_account, now));
        let reached = [(by_account, "account"), (by_address, "address")].into_iter();
        reached
            .filter_map(|(throttled, limit)| Some((throttled?, limit)))
            .max_by_key(|(throttled, _)| throttled.retry_after)
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long `times` has `limit` failures or more.
fn over(times: &VecDeque<Instant>, limit: usize, now: Instant) -> Option<Throttled> {
    let decisive = times.len().checked_sub(limit)?;
    let until = *times.get(decisive)? + LOGIN_WINDOW;
    Some(Throttled { retry_after: until.saturating_duration_since(now) })
}

impl Attempt {
    /// The password was correct.
    pub(super) fn succeed(self) {
        let mut failures = self.throttle.failures();
        failures.take_back(&self.login, self.at);
        failures.known.add(&self.login);
    }

    /// The account and the network of the attempt.
    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    /// The password counts as not compared.
    pub(super) fn withdraw(self) {
        self.throttle.failures().take_back(&self.login, self.at);
    }

    /// The password was wrong, and the database counted that. Returns the limit that this reached,
    /// if it should be logged.
    pub(super) fn fail_as(self, judgement: Judgement, now: Instant) -> Option<LimitReached> {
        let (limit, retry_after) = judgement.reached?;
        let left_out = self.throttle.failures().log_lines.admit(now)?;
        let limit = match limit {
            LoginLimit::Network => "address",
            LoginLimit::Account => "account",
        };
        Some(LimitReached { limit, throttled: Throttled { retry_after }, left_out })
    }

    /// The password was wrong. Returns the limit that this reached, if it should be logged.
    pub(super) fn fail(self, now: Instant) -> Option<LimitReached> {
        let mut failures = self.throttle.failures();
        let (throttled, limit) = self.throttle.throttled(&failures, &self.login, now)?;
        let left_out = failures.log_lines.admit(now)?;
        Some(LimitReached { limit, throttled, left_out })
    }
}

impl Default for Failures {
    fn default() -> Self {
        Self {
            all: VecDeque::new(),
            by_login: HashMap::new(),
            by_account: HashMap::new(),
            by_account_here: HashMap::new(),
            known: KnownLogins::default(),
            log_lines: LineRate::new(LOG_LINES_PER_SECOND_MAX),
        }
    }
}

impl Failures {
    fn add(&mut self, login: &Login, at: Instant) {
        if self.all.len() == LOGIN_FAILURES_MAX {
            self.forget_oldest();
        }
        self.all.push_back((at, login.clone()));
        self.by_login.entry(login.clone()).or_default().push_back(at);
        self.by_account.entry(login.account.clone()).or_default().push_back(at);
        if login.network.is_local() {
            self.by_account_here.entry(login.account.clone()).or_default().push_back(at);
        }
    }

    fn take_back(&mut self, login: &Login, at: Instant) {
        // It is near the end: it was added when the hash began.
        let place = self.all.iter().rposition(|(time, failed)| *time == at && failed == login);
        if let Some(place) = place {
            self.all.remove(place);
            self.uncount(login, at);
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((at, _)) = self.all.front()
            && now.saturating_duration_since(*at) >= LOGIN_WINDOW
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((at, login)) = self.all.pop_front() {
            self.uncount(&login, at);
        }
    }

    fn uncount(&mut self, login: &Login, at: Instant) {
        remove(self.by_login.entry(login.clone()), at);
        remove(self.by_account.entry(login.account.clone()), at);
        if login.network.is_local() {
            remove(self.by_account_here.entry(login.account.clone()), at);
        }
    }
}

/// Removes a time, and the entry if it was the last one.
fn remove<K>(entry: Entry<'_, K, VecDeque<Instant>>, at: Instant) {
    let Entry::Occupied(mut entry) = entry else { return };
    let times = entry.get_mut();
    if let Some(place) = times.iter().position(|time| *time == at) {
        times.remove(place);
    }
    if times.is_empty() {
        entry.remove();
    }
}

impl KnownLogins {
    fn add(&mut self, login: &Login) {
        if !self.logins.insert(login.clone()) {
            return;
        }
        self.order.push_back(login.clone());
        if self.order.len() > KNOWN_NETWORKS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.logins.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> Arc<Throttle> {
        let limits = LoginLimits { per_address: 5.into(), per_account: 20.into() };
        Arc::new(Throttle::new(limits, false))
    }

    fn login(account: &str, address: &str) -> Login {
        let network = Network::of(address.parse().unwrap());
        Login { account: account.parse().unwrap(), network }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn fail(throttle: &Arc<Throttle>, login: &Login, now: Instant) -> Option<&'static str> {
        let attempt = throttle.begin(login.clone(), now).expect("the attempt is allowed");
        attempt.fail(now).map(|reached| reached.limit)
    }

    fn fail_five_times(throttle: &Arc<Throttle>, login: &Login, now: Instant) {
        for _ in 0..5 {
            fail(throttle, login, now);
        }
    }

    fn held_for(throttle: &Throttle, login: &Login, now: Instant) -> Option<Duration> {
        throttle.check(login, now).err().map(|throttled| throttled.retry_after)
    }

    #[test]
    fn five_failures_from_an_address_throttle_the_account_there_for_a_minute_after_the_first() {
        let (throttle, start) = (throttle(), Instant::now());
        let paff = login("paff", "192.0.2.1");
        let reached: Vec<_> =
            (0..5).map(|at| fail(&throttle, &paff, start + seconds(at * 10))).collect();
        assert_eq!(reached, [None, None, None, None, Some("address")]);
        assert_eq!(held_for(&throttle, &paff, start + seconds(41)), Some(seconds(19)));
        assert!(throttle.begin(paff.clone(), start + seconds(59)).is_err());
        assert_eq!(held_for(&throttle, &login("neko", "192.0.2.1"), start + seconds(41)), None);
        assert_eq!(held_for(&throttle, &login("paff", "192.0.2.2"), start + seconds(41)), None);
        // Refused attempts do not count: the next is allowed as soon as the first failure is a
        // minute old.
        let now = start + seconds(60);
        assert_eq!(held_for(&throttle, &paff, now), None);
        assert_eq!(fail(&throttle, &paff, now), Some("address"));
        assert_eq!(held_for(&throttle, &paff, now), Some(seconds(10)));
    }

    #[test]
    fn twenty_failures_throttle_the_account_everywhere_but_on_known_networks() {
        let (throttle, now) = (throttle(), Instant::now());
        let home = login("paff", "198.51.100.7");
        throttle.begin(home.clone(), now).unwrap().succeed();
        for index in 0..20 {
            let reached = fail(&throttle, &login("paff", &format!("192.0.2.{index}")), now);
            assert_eq!(reached, (index == 19).then_some("account"), "failure {index}");
        }
        assert_eq!(held_for(&throttle, &login("paff", "203.0.113.1"), now), Some(LOGIN_WINDOW));
        assert_eq!(held_for(&throttle, &login("neko", "203.0.113.1"), now), None);
        let here = login("paff", "127.0.0.1");
        assert_eq!(held_for(&throttle, &home, now), None);
        assert_eq!(held_for(&throttle, &here, now), None);
        for known in [home, here] {
            fail_five_times(&throttle, &known, now);
            assert_eq!(held_for(&throttle, &known, now), Some(LOGIN_WINDOW), "{known:?}");
        }
        assert_eq!(held_for(&throttle, &login("paff", "203.0.113.1"), now + LOGIN_WINDOW), None);
    }

    fn of_user(account: &str, uid: u32) -> Login {
        Login { account: account.parse().unwrap(), network: Network::User(uid) }
    }

    #[test]
    fn users_of_this_machine_have_five_attempts_each_and_twenty_together() {
        let (throttle, now) = (throttle(), Instant::now());
        let (at_home, new) = (of_user("neko", 1000), of_user("neko", 1005));
        throttle.begin(at_home.clone(), now).unwrap().succeed();
        for uid in 1001..1005 {
            assert_eq!(held_for(&throttle, &new, now), None);
            let user = of_user("neko", uid);
            fail_five_times(&throttle, &user, now);
            assert_eq!(held_for(&throttle, &user, now), Some(LOGIN_WINDOW));
        }
        // A process that can become many users has no more attempts than that.
        assert_eq!(held_for(&throttle, &new, now), Some(LOGIN_WINDOW));
        assert_eq!(held_for(&throttle, &at_home, now), None);
        assert_eq!(held_for(&throttle, &of_user("paff", 1001), now), None);
        assert_eq!(held_for(&throttle, &new, now + LOGIN_WINDOW), None);
    }

    #[test]
    fn successful_logins_neither_count_nor_reset_the_failures() {
        let (throttle, now) = (throttle(), Instant::now());
        let paff = login("paff", "192.0.2.1");
        for _ in 0..4 {
            fail(&throttle, &paff, now);
            throttle.begin(paff.clone(), now).unwrap().succeed();
        }
        assert_eq!(throttle.failures().all.len(), 4);
        assert_eq!(held_for(&throttle, &paff, now), None);
        assert_eq!(fail(&throttle, &paff, now), Some("address"));
        assert!(throttle.begin(paff, now).is_err());
    }

    #[test]
    fn attempts_in_progress_count_as_failures_until_they_succeed() {
        let (throttle, now) = (throttle(), Instant::now());
        let paff = login("paff", "192.0.2.1");
        let mut under_way: Vec<_> =
            (0..5).map(|_| throttle.begin(paff.clone(), now).unwrap()).collect();
        assert!(throttle.begin(paff.clone(), now).is_err());
        under_way.pop().unwrap().succeed();
        assert!(throttle.begin(paff.clone(), now).is_ok());
    }

    #[test]
    fn addresses_that_one_attacker_can_choose_from_are_one_network() {
        let same = [
            ("192.0.2.1", "::ffff:192.0.2.1"),
            ("2001:db8:1:2::3", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
            ("127.0.0.1", "127.9.8.7"),
            ("127.0.0.1", "::1"),
            ("127.0.0.1", "::ffff:127.3.2.1"),
        ];
        for (one, other) in same {
            assert_eq!(login("paff", one), login("paff", other));
        }
        let others = ["192.0.2.1", "192.0.2.2", "2001:db8:1:2::", "2001:db8:1:3::", "::1"];
        let networks: HashSet<_> = others.iter().map(|one| login("paff", one)).collect();
        assert_eq!(networks.len(), others.len());
        assert_eq!(login("paff", "2001:db8:1:2::3").network.to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn memory_is_bounded_and_invented_names_remove_only_the_oldest_failures() {
        let (throttle, start) = (throttle(), Instant::now());
        let (paff, neko) = (login("paff", "192.0.2.1"), login("neko", "192.0.2.1"));
        fail_five_times(&throttle, &paff, start);
        for index in 0..LOGIN_FAILURES_MAX - 5 {
            if index == 1000 {
                fail_five_times(&throttle, &neko, start);
            }
            let address = Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + ((index as u128) << 64));
            fail(&throttle, &login(&format!("user-{index}"), &address.to_string()), start);
        }
        assert_eq!(throttle.failures().all.len(), LOGIN_FAILURES_MAX);
        assert_eq!(held_for(&throttle, &paff, start), None);
        assert_eq!(held_for(&throttle, &neko, start), Some(LOGIN_WINDOW));
        let failures = throttle.failures();
        assert!(failures.by_login.len() <= LOGIN_FAILURES_MAX);
        assert!(failures.by_account.len() <= LOGIN_FAILURES_MAX);
        drop(failures);
        assert!(throttle.check(&neko, start + LOGIN_WINDOW).is_ok());
        let failures = throttle.failures();
        assert!(failures.by_login.is_empty() && failures.by_account.is_empty());
        assert!(failures.by_account_here.is_empty());
    }

    #[test]
    fn known_networks_are_bounded() {
        let mut known = KnownLogins::default();
        for index in 0..=KNOWN_NETWORKS_MAX as u32 {
            let network = Network::V4(Ipv4Addr::from_bits(0xc633_6400 + index));
            known.add(&Login { account: "paff".parse().unwrap(), network });
        }
        assert_eq!(
            (known.order.len(), known.logins.len()),
            (KNOWN_NETWORKS_MAX, KNOWN_NETWORKS_MAX)
        );
        let network = Network::V4(Ipv4Addr::from_bits(0xc633_6400));
        assert!(!known.logins.contains(&Login { account: "paff".parse().unwrap(), network }));
    }
}
