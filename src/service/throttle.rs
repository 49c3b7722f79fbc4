//! How often a password may be guessed: failures are counted by account, and by account and network.
//! It is told what time it is, which only goes forward, and knows neither sockets nor passwords.
//!
//! Only what a hasher has found wrong is counted, for users that are none as for those that are. So
//! nothing is counted that did not cost a hash, and whoever makes up names or addresses to have
//! failures forgotten has to pay for each with one: longer than it takes until they are forgotten
//! anyway.

// The addresses of `std::net` without its sockets.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::adjustable::Adjustable;
use crate::log::LineRate;
use crate::model::UserName;

/// How long a failure counts.
const LOGIN_WINDOW: Duration = Duration::from_secs(60);
/// The most failures that are remembered; the oldest is forgotten for one more. Two hashers would
/// have to take less than 8 ms a password for so many to be found in [`LOGIN_WINDOW`].
const LOGIN_FAILURES_MAX: usize = 16_384;
/// The most pairs of an account and a network it was logged in from that are remembered; the oldest
/// is forgotten for one more.
const KNOWN_NETWORKS_MAX: usize = 4_096;
/// How many times a second at most the log says that somebody is throttled back.
const LOG_LINES_PER_SECOND_MAX: u32 = 5;

/// Where a request comes from, as far as failures are told apart by it: whoever can choose among many
/// addresses is to have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// An address of IPv4.
    V4(Ipv4Addr),
    /// The first 64 bits of an address of IPv6, the others zero: a host has the rest to choose from.
    V6(Ipv6Addr),
    /// A process of this machine whose user is not known, by whatever address of the machine's own:
    /// a process here can take any of them.
    ThisMachine,
    /// A process of this machine, and the user of the system whose it is.
    User(u32),
}

/// Who is logged in to, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Login {
    pub(super) account: UserName,
    pub(super) network: Network,
}

/// Nothing was compared, because there were too many failures before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Throttled {
    /// After so long another try may be made.
    pub(super) retry_after: Duration,
}

/// A limit that a failure has reached: whoever tries again is throttled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitReached {
    /// Which.
    pub(super) limit: &'static str,
    pub(super) throttled: Throttled,
    /// How many lines about others were left out of the log before this one.
    pub(super) left_out: u64,
}

/// How many failures there may be in a minute.
#[derive(Debug, Clone)]
pub struct LoginLimits {
    /// Of one account from one network.
    pub per_address: Adjustable<usize>,
    /// Of one account from everywhere.
    pub per_account: Adjustable<usize>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Throttle {
    limits: LoginLimits,
    failures: Mutex<Failures>,
}

/// A password that is being compared. Unless it turns out to be right, it is a failure.
#[derive(Debug)]
pub(super) struct Attempt {
    throttle: Arc<Throttle>,
    login: Login,
    at: Instant,
}

/// The failures of the last [`LOGIN_WINDOW`], the oldest first, and the same by whom they concern.
#[derive(Debug)]
struct Failures {
    all: VecDeque<(Instant, Login)>,
    by_login: HashMap<Login, VecDeque<Instant>>,
    by_account: HashMap<UserName, VecDeque<Instant>>,
    /// Of those, the failures from this machine: a user may be able to become others.
    by_account_here: HashMap<UserName, VecDeque<Instant>>,
    known: KnownLogins,
    log_lines: LineRate,
}

/// From where which account was logged in to, in the order in which that was found.
#[derive(Debug, Default)]
struct KnownLogins {
    order: VecDeque<Login>,
    logins: HashSet<Login>,
}

impl Network {
    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if address.is_loopback() => Self::ThisMachine,
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                Self::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
            }
        }
    }

    /// Nobody can be kept out of this machine by what others do from elsewhere.
    fn is_local(self) -> bool {
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
    pub(super) fn new(limits: LoginLimits) -> Self {
        Self { limits, failures: Mutex::default() }
    }

    /// Whether a password may be compared now; counts nothing.
    pub(super) fn check(&self, login: &Login, now: Instant) -> Result<(), Throttled> {
        let mut failures = self.failures();
        failures.forget_old(now);
        self.throttled(&failures, login, now).map_or(Ok(()), |(throttled, _)| Err(throttled))
    }

    /// [`Self::check`], and counts a failure that is taken back when it was none: of several that
    /// are compared at a time no more are let through than of one after another.
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
        // A network that the account is known from cannot be kept out by others, and this machine not
        // by others elsewhere.
        let is_exempt = failures.known.logins.contains(login);
        let by_account =
            if login.network.is_local() { &failures.by_account_here } else { &failures.by_account };
        let by_account = by_account.get(&login.account).filter(|_| !is_exempt);
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

/// How long there are too many for another.
fn over(times: &VecDeque<Instant>, limit: usize, now: Instant) -> Option<Throttled> {
    let decisive = times.len().checked_sub(limit)?;
    let until = *times.get(decisive)? + LOGIN_WINDOW;
    Some(Throttled { retry_after: until.saturating_duration_since(now) })
}

impl Attempt {
    /// The password was right.
    pub(super) fn succeed(self) {
        let mut failures = self.throttle.failures();
        failures.take_back(&self.login, self.at);
        failures.known.add(&self.login);
    }

    /// The password was wrong. Tells the limit that this has reached, where it is to be logged.
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
        // Near the end: it was added as long ago as hashing a password takes.
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

/// Removes a time, and the entry with the last one.
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
        Arc::new(Throttle::new(limits))
    }

    fn login(account: &str, address: &str) -> Login {
        let network = Network::of(address.parse().unwrap());
        Login { account: account.parse().unwrap(), network }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn fail(throttle: &Arc<Throttle>, login: &Login, now: Instant) -> Option<&'static str> {
        let attempt = throttle.begin(login.clone(), now).expect("it may be tried");
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
    fn five_failures_of_an_account_from_an_address_hold_it_back_until_the_first_is_a_minute_old() {
        let (throttle, start) = (throttle(), Instant::now());
        let paff = login("paff", "192.0.2.1");
        let reached: Vec<_> =
            (0..5).map(|at| fail(&throttle, &paff, start + seconds(at * 10))).collect();
        assert_eq!(reached, [None, None, None, None, Some("address")]);
        assert_eq!(held_for(&throttle, &paff, start + seconds(41)), Some(seconds(19)));
        assert!(throttle.begin(paff.clone(), start + seconds(59)).is_err());
        assert_eq!(held_for(&throttle, &login("neko", "192.0.2.1"), start + seconds(41)), None);
        assert_eq!(held_for(&throttle, &login("paff", "192.0.2.2"), start + seconds(41)), None);
        // What was refused does not count: it goes on as soon as the first is forgotten.
        let now = start + seconds(60);
        assert_eq!(held_for(&throttle, &paff, now), None);
        assert_eq!(fail(&throttle, &paff, now), Some("address"));
        assert_eq!(held_for(&throttle, &paff, now), Some(seconds(10)));
    }

    #[test]
    fn twenty_failures_of_an_account_from_anywhere_hold_it_back_everywhere_but_where_it_is_known() {
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
    fn users_of_this_machine_have_tries_of_their_own_and_twenty_together() {
        let (throttle, now) = (throttle(), Instant::now());
        let (at_home, new) = (of_user("neko", 1000), of_user("neko", 1005));
        throttle.begin(at_home.clone(), now).unwrap().succeed();
        for uid in 1001..1005 {
            assert_eq!(held_for(&throttle, &new, now), None);
            let user = of_user("neko", uid);
            fail_five_times(&throttle, &user, now);
            assert_eq!(held_for(&throttle, &user, now), Some(LOGIN_WINDOW));
        }
        // Whoever can become many users has no more tries than that.
        assert_eq!(held_for(&throttle, &new, now), Some(LOGIN_WINDOW));
        assert_eq!(held_for(&throttle, &at_home, now), None);
        assert_eq!(held_for(&throttle, &of_user("paff", 1001), now), None);
        assert_eq!(held_for(&throttle, &new, now + LOGIN_WINDOW), None);
    }

    #[test]
    fn right_passwords_count_for_nothing_and_forgive_nothing() {
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
    fn passwords_that_are_being_compared_count_as_failures_until_they_are_found_right() {
        let (throttle, now) = (throttle(), Instant::now());
        let paff = login("paff", "192.0.2.1");
        let mut under_way: Vec<_> =
            (0..5).map(|_| throttle.begin(paff.clone(), now).unwrap()).collect();
        assert!(throttle.begin(paff.clone(), now).is_err());
        under_way.pop().unwrap().succeed();
        assert!(throttle.begin(paff.clone(), now).is_ok());
    }

    #[test]
    fn networks_are_what_one_attacker_can_choose_from() {
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
    fn memory_is_bounded_and_made_up_names_push_out_the_oldest_failures_only() {
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
