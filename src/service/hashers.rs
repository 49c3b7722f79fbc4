//! Password hashing, in a small pool of its own: it takes tens of milliseconds and 19 MiB a
//! password, by design, and must not stall messages or add up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::try_generate_salt;
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::metrics::Metrics;
use super::throttle::{Attempt, LimitReached, Login, Throttle, Throttled};
use crate::metrics::Stages;
use crate::model::Password;
use crate::queue::Queue;

/// The most passwords that may wait; one more is refused as busy. At two at a time it is a wait of
/// about five seconds.
const HASH_QUEUE_JOBS_MAX: usize = 256;

/// argon2id as OWASP's password storage cheat sheet has it: memory in KiB, passes, lanes.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// What a hash is long, in bytes.
const HASH_BYTES: usize = 32;
/// For how many blocks (of 1 KiB) memory is asked for: more than 32 MiB. glibc takes memory of that
/// size from the system each time and gives it back at once, while it keeps what it has once given
/// back of any smaller size, for a next time: 19 MiB of an idle server, for good. What is asked for
/// and not used never becomes resident.
const BLOCKS_RESERVED: usize = 33 * 1024;
/// How much more of each a stored hash may take.
const COST_FACTOR_MAX: u32 = 8;

/// What a password is compared with where there is no such user, and the hash of those who have no
/// password yet: nothing hashes to it, and finding that out takes as long as with a user's own.
pub(super) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8gc3VjaCB1c2VyISE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

type Job = Box<dyn FnOnce(Result<(), TooMany>) + Send>;

pub(super) struct Hashers {
    queue: Arc<Queue<Job>>,
    throttle: Arc<Throttle>,
    metrics: Arc<Metrics>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// There is no room for another password to wait.
#[derive(Debug)]
pub(super) struct TooMany;

/// Why a password was not compared.
#[derive(Debug)]
pub(super) enum Unverified {
    TooMany,
    /// Too many others were wrong before it.
    Throttled(Throttled),
    /// It was compared, and is wrong; with the limit that this has reached.
    Wrong(Option<LimitReached>),
}

impl Hashers {
    pub(super) fn start(
        count: usize,
        throttle: &Arc<Throttle>,
        metrics: &Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::<Job>::new(HASH_QUEUE_JOBS_MAX));
        let mut threads = Vec::with_capacity(count);
        for index in 0..count {
            let queue = Arc::clone(&queue);
            let run = move || {
                while let Some(job) = queue.pop() {
                    // A job that panics has dropped its responder, which says so.
                    if catch_unwind(AssertUnwindSafe(|| job(Ok(())))).is_err() {
                        tracing::error!("hashing a password panicked");
                    }
                }
            };
            threads.push(thread::Builder::new().name(format!("hasher-{index}")).spawn(run)?);
        }
        let (throttle, metrics) = (Arc::clone(throttle), Arc::clone(metrics));
        Ok(Self { queue, throttle, metrics, threads: Mutex::new(threads) })
    }

    /// Compares a password with a stored hash (with nobody's, where there is none) and tells
    /// `done`, on a hasher's thread; where too many wait, at once and on this one. Whether too many
    /// others were wrong is asked when its turn comes, so that of those that wait together no more
    /// are compared than may be.
    pub(super) fn verify(
        &self,
        login: Login,
        password: Password,
        hash: Option<String>,
        done: impl FnOnce(Result<(), Unverified>) + Send + 'static,
    ) {
        let compare = move || {
            let matches = verify(&password, hash.as_deref().unwrap_or(NOBODY));
            (matches && hash.is_some()).then_some(())
        };
        self.submit_attempt(login, compare, done);
    }

    /// Hashes `new` if `old` fits `old_hash`, and tells `done` as [`Self::verify`] does; nothing
    /// where the system gives no random bytes.
    pub(super) fn replace(
        &self,
        login: Login,
        old: Password,
        old_hash: String,
        new: Password,
        done: impl FnOnce(Result<Option<String>, Unverified>) + Send + 'static,
    ) {
        let replace = move || verify(&old, &old_hash).then(|| hash(&new));
        self.submit_attempt(login, replace, done);
    }

    /// Hashes new passwords, one after another, and tells `done`, on a hasher's thread or, where too
    /// many wait, at once; `None` where the system gives no random bytes.
    pub(super) fn hash_all(
        &self,
        passwords: Vec<Password>,
        done: impl FnOnce(Result<Option<Vec<String>>, TooMany>) + Send + 'static,
    ) {
        let work = move || passwords.iter().map(hash).collect();
        self.submit(
            || Ok(()),
            move |()| work(),
            move |hashed| match hashed {
                Ok(hashed) => done(Ok(hashed)),
                Err(_) => done(Err(TooMany)),
            },
        );
    }

    /// Does `work`, which gives nothing where a password is wrong.
    fn submit_attempt<T: 'static>(
        &self,
        login: Login,
        work: impl FnOnce() -> Option<T> + Send + 'static,
        done: impl FnOnce(Result<T, Unverified>) + Send + 'static,
    ) {
        let throttle = Arc::clone(&self.throttle);
        let begin = move || throttle.begin(login, Instant::now());
        let compare = |attempt: Attempt| match work() {
            Some(done) => {
                attempt.succeed();
                Ok(done)
            }
            None => Err(Unverified::Wrong(attempt.fail(Instant::now()))),
        };
        self.submit(begin, compare, |compared| done(compared.and_then(|compared| compared)));
    }

    /// Has `begin` say whether `work` is to be done when its turn comes.
    fn submit<P, T: 'static>(
        &self,
        begin: impl FnOnce() -> Result<P, Throttled> + Send + 'static,
        work: impl FnOnce(P) -> T + Send + 'static,
        done: impl FnOnce(Result<T, Unverified>) + Send + 'static,
    ) {
        let (submitted, before) = (Instant::now(), Stages::current());
        let metrics = Arc::clone(&self.metrics);
        let job: Job = Box::new(move |room| {
            if let Err(TooMany) = room {
                return before.tell(|| done(Err(Unverified::TooMany)));
            }
            let taken = Instant::now();
            let queued = taken - submitted;
            metrics.hash_queue.observe_time(queued);
            let permit = match begin() {
                Ok(permit) => permit,
                Err(throttled) => {
                    let stages = before.and(Stages { queued, ..Stages::default() });
                    return stages.tell(|| done(Err(Unverified::Throttled(throttled))));
                }
            };
            let worked = work(permit);
            let hashed = taken.elapsed();
            metrics.hash.observe_time(hashed);
            let stages = before.and(Stages { queued, hashed, ..Stages::default() });
            stages.tell(|| done(Ok(worked)));
        });
        if let Err((job, _)) = self.queue.push(job) {
            job(Err(TooMany));
        }
    }

    /// How many passwords wait, and how many may.
    pub(super) fn queue(&self) -> (usize, usize) {
        (self.queue.len(), HASH_QUEUE_JOBS_MAX)
    }

    /// Does what is waiting and takes nothing more.
    pub(super) fn close(&self) {
        self.queue.close();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = thread.join();
        }
    }
}

/// Hashes a new password with a salt of its own; takes tens of milliseconds. `None` where the
/// system gives no random bytes.
pub(super) fn hash(password: &Password) -> Option<String> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).ok()?;
    let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
    let salt = try_generate_salt().ok()?;
    let mut digest = [0; HASH_BYTES];
    let argon2 = Argon2::new(algorithm, version, params);
    compute(&argon2, password, &salt, &mut digest)?;
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(argon2.params()).ok()?,
        salt: Salt::new(&salt).ok(),
        hash: Output::new(&digest).ok(),
    };
    Some(hash.to_string())
}

fn verify(password: &Password, hash: &str) -> bool {
    let Some(stored) = Stored::read(hash) else {
        tracing::error!("a stored password hash cannot be read; nobody can log in with it");
        return false;
    };
    // The parameters are those of the hash, which may have come with an import: one that takes
    // gigabytes or minutes would let anybody who knows the name stop the server.
    let params = stored.argon2.params();
    if params.m_cost() > COST_FACTOR_MAX * MEMORY_KIB
        || params.t_cost() > COST_FACTOR_MAX * PASSES
        || params.p_cost() > COST_FACTOR_MAX * LANES
    {
        tracing::error!(
            "a stored password hash takes too much to compare with; nobody can log in with it"
        );
        return false;
    }
    let mut digest = [0; Output::MAX_LENGTH];
    let digest = &mut digest[..stored.output.len()];
    let computed = compute(&stored.argon2, password, &stored.salt, digest);
    // Outputs are compared in constant time.
    computed.is_some() && Output::new(digest).is_ok_and(|output| output == stored.output)
}

/// What a stored hash says.
struct Stored {
    argon2: Argon2<'static>,
    salt: Salt,
    output: Output,
}

impl Stored {
    fn read(hash: &str) -> Option<Self> {
        let hash = PasswordHash::new(hash).ok()?;
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = hash.version.map(Version::try_from).transpose().ok()?.unwrap_or_default();
        let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
        Some(Self { argon2, salt: hash.salt?, output: hash.hash? })
    }
}

/// Hashes a password into `digest`; nothing where there is no memory for it.
fn compute(argon2: &Argon2<'_>, password: &Password, salt: &[u8], digest: &mut [u8]) -> Option<()> {
    let blocks = argon2.params().block_count();
    let mut memory: Vec<Block> = Vec::new();
    memory.try_reserve_exact(blocks.max(BLOCKS_RESERVED)).ok()?;
    memory.resize(blocks, Block::new());
    let password = password.reveal().as_bytes();
    argon2.hash_password_into_with_memory(password, salt, digest, &mut memory).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_salted_argon2id_and_fits_its_password_only() {
        let (password, other): (Password, Password) =
            ("cytus".parse().unwrap(), "cytus2".parse().unwrap());
        let (first, second) = (hash(&password).unwrap(), hash(&password).unwrap());
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, second);
        assert!(verify(&password, &first) && verify(&password, &second));
        assert!(!verify(&other, &first));
    }

    #[test]
    fn stored_hash_that_would_take_gigabytes_or_minutes_fits_nothing_and_is_not_computed() {
        let password: Password = "cytus".parse().unwrap();
        // Were the second computed, this would take hours.
        let own = hash(&password).unwrap();
        for costly in ["m=4194304,t=2,p=1", "m=19456,t=1000000,p=1", "m=19456,t=2,p=64"] {
            assert!(!verify(&password, &own.replace("m=19456,t=2,p=1", costly)), "{costly}");
        }
    }

    #[test]
    fn nobody_has_a_hash_that_costs_the_same_and_fits_nothing() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = hash(&"cytus".parse().unwrap()).unwrap();
        assert_eq!(nobody.params, PasswordHash::new(&somebody).unwrap().params);
        assert!(!verify(&"cytus".parse().unwrap(), NOBODY));
    }
}
