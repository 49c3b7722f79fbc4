//! Hashes passwords on a small pool of threads. Hashing one takes tens of milliseconds and 19 MiB
//! by design. The pool keeps it from delaying messages and limits the memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::try_generate_salt;
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::judge::Judge;
use super::metrics::Metrics;
use super::throttle::{Attempt, LimitReached, Login, Throttle, Throttled};
use crate::metrics::Stages;
use crate::model::Password;
use crate::queue::Queue;
use crate::store::{Judgement, LoginOutcome, StoreError};

/// The maximum number of passwords in the queue. A further one is refused as busy. Two hashers need
/// about five seconds for a full queue.
const HASH_QUEUE_JOBS_MAX: usize = 256;

/// The argon2id parameters of OWASP's password storage cheat sheet: memory in KiB, passes, lanes.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// The length of a hash in bytes.
const HASH_BYTES: usize = 32;
/// The number of 1 KiB blocks to reserve for a hash: more than 32 MiB. glibc maps memory of that
/// size for each use and returns it at once. It would keep smaller memory for reuse, which costs an
/// idle server 19 MiB for good. Reserved blocks that are not used never become resident.
const BLOCKS_RESERVED: usize = 33 * 1024;
/// The maximum factor by which the parameters of a stored hash may exceed the default ones.
const COST_FACTOR_MAX: u32 = 8;

/// The hash of users without a password, and the one to verify against for unknown users. No
/// password matches it, and verifying takes as long as for a real hash.
pub(super) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8gc3VjaCB1c2VyISE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

type Job = Box<dyn FnOnce(Result<(), TooMany>) + Send>;

pub(super) struct Hashers {
    queue: Arc<Queue<Job>>,
    throttle: Arc<Throttle>,
    metrics: Arc<Metrics>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The queue of passwords is full.
#[derive(Debug)]
pub(super) struct TooMany;

/// Why a password was not verified.
#[derive(Debug)]
pub(super) enum Unverified {
    TooMany,
    /// There were too many failed logins before. The password was not compared.
    Throttled(Throttled),
    /// The password is wrong. If this failure reached a limit that should be logged, it is given.
    Wrong(Option<LimitReached>),
    /// The database did not say whether the password may be compared.
    Unjudged(StoreError),
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
                    // A job that panics drops its responder, which answers then.
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

    /// Compares a password with a stored hash, or with `NOBODY` if there is none. Calls `done` on a
    /// hasher thread, or at once on this thread if the queue is full. The login limits are checked
    /// when the job starts. So queued guesses cannot pass a limit together. If there is a judge, it
    /// has the last word.
    pub(super) fn verify(
        &self,
        judge: Option<Judge>,
        login: Login,
        password: Password,
        hash: Option<String>,
        done: impl FnOnce(Result<(), Unverified>) + Send + 'static,
    ) {
        let compare = move || {
            let matches = verify(&password, hash.as_deref().unwrap_or(NOBODY));
            (matches && hash.is_some()).then_some(())
        };
        self.submit_attempt(judge, login, compare, done);
    }

    /// Hashes `new` if `old` matches `old_hash`. Calls `done` as [`Self::verify`] does, with `None`
    /// if the system has no random bytes.
    pub(super) fn replace(
        &self,
        judge: Option<Judge>,
        login: Login,
        old: Password,
        old_hash: String,
        new: Password,
        done: impl FnOnce(Result<Option<String>, Unverified>) + Send + 'static,
    ) {
        let replace = move || verify(&old, &old_hash).then(|| hash(&new));
        self.submit_attempt(judge, login, replace, done);
    }

    /// Hashes the password of a new account, whose name must be free. A name that is taken counts as
    /// a failed attempt, without hashing. Calls `done` as [`Self::replace`] does.
    pub(super) fn create(
        &self,
        judge: Option<Judge>,
        login: Login,
        is_free: bool,
        password: Password,
        done: impl FnOnce(Result<Option<String>, Unverified>) + Send + 'static,
    ) {
        let create = move || is_free.then(|| hash(&password));
        self.submit_attempt(judge, login, create, done);
    }

    /// Hashes new passwords one after another. Calls `done` on a hasher thread, or at once if the
    /// queue is full. The result is `None` if the system has no random bytes.
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

    /// Does other work that may block, such as a look-up of the system's users. Calls `done` as
    /// [`Self::hash_all`] does.
    pub(super) fn run<T: 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(Result<T, TooMany>) + Send + 'static,
    ) {
        self.submit(|| Ok(()), move |()| work(), move |worked| done(worked.map_err(|_| TooMany)));
    }

    /// Queues `work` as a login attempt. `work` returns `None` if the password is wrong.
    fn submit_attempt<T: 'static>(
        &self,
        judge: Option<Judge>,
        login: Login,
        work: impl FnOnce() -> Option<T> + Send + 'static,
        done: impl FnOnce(Result<T, Unverified>) + Send + 'static,
    ) {
        let throttle = Arc::clone(&self.throttle);
        let begin = move || {
            let begun = throttle.begin(login, Instant::now());
            let attempt = begun.map_err(Unverified::Throttled)?;
            match judge {
                None => Ok((attempt, None)),
                Some(judge) => ask(attempt, &judge).map(|attempt| (attempt, Some(judge))),
            }
        };
        let compare = |(attempt, judge)| conclude(attempt, judge, work());
        self.submit(begin, compare, |compared| done(compared.and_then(|compared| compared)));
    }

    /// Queues a job. When it starts, `begin` decides whether `work` is done.
    fn submit<P, T: 'static>(
        &self,
        begin: impl FnOnce() -> Result<P, Unverified> + Send + 'static,
        work: impl FnOnce(P) -> T + Send + 'static,
        done: impl FnOnce(Result<T, Unverified>) + Send + 'static,
    ) {
        let (submitted, before) = (Instant::now(), Stages::current());
        let metrics = Arc::clone(&self.metrics);
        let job: Job = Box::new(move |room| {
            if let Err(TooMany) = room {
                return before.scope(|| done(Err(Unverified::TooMany)));
            }
            let taken = Instant::now();
            let queued = taken - submitted;
            metrics.hash_queue.observe_time(queued);
            let permit = match begin() {
                Ok(permit) => permit,
                Err(unverified) => {
                    let stages = before.and(Stages { queued, ..Stages::default() });
                    return stages.scope(|| done(Err(unverified)));
                }
            };
            let worked = work(permit);
            let hashed = taken.elapsed();
            metrics.hash.observe_time(hashed);
            let stages = before.and(Stages { queued, hashed, ..Stages::default() });
            stages.scope(|| done(Ok(worked)));
        });
        if let Err((job, _)) = self.queue.push(job) {
            job(Err(TooMany));
        }
    }

    /// The number of queued passwords, and its maximum.
    pub(super) fn queue_length(&self) -> (usize, usize) {
        (self.queue.len(), HASH_QUEUE_JOBS_MAX)
    }

    /// Accepts no more jobs and finishes the queued ones. Blocks until the threads have ended.
    pub(super) fn close(&self) {
        self.queue.close();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = thread.join();
        }
    }
}

/// Asks the judge whether the password may be compared.
fn ask(attempt: Attempt, judge: &Judge) -> Result<Attempt, Unverified> {
    let refused = match judge(attempt.login(), LoginOutcome::Asked) {
        Ok(judgement) => match refused(&judgement) {
            None => return Ok(attempt),
            Some(throttled) => Unverified::Throttled(throttled),
        },
        Err(error) => Unverified::Unjudged(error),
    };
    attempt.withdraw();
    Err(refused)
}

/// Concludes an attempt; `worked` is `None` if the password was wrong. A judge may refuse it still,
/// because others have failed meanwhile on other servers. Then the client learns nothing.
fn conclude<T>(attempt: Attempt, judge: Option<Judge>, worked: Option<T>) -> Result<T, Unverified> {
    let outcome = if worked.is_some() { LoginOutcome::Right } else { LoginOutcome::Wrong };
    let judgement = match judge.map(|judge| judge(attempt.login(), outcome)).transpose() {
        // A wrong password counts at this server anyway.
        Err(error) => {
            if outcome == LoginOutcome::Right {
                attempt.withdraw();
            }
            return Err(Unverified::Unjudged(error));
        }
        Ok(judgement) => judgement,
    };
    if let Some(throttled) = judgement.as_ref().and_then(refused) {
        attempt.withdraw();
        return Err(Unverified::Throttled(throttled));
    }
    match (worked, judgement) {
        (Some(done), _) => {
            attempt.succeed();
            Ok(done)
        }
        (None, None) => Err(Unverified::Wrong(attempt.fail(Instant::now()))),
        (None, Some(judgement)) => {
            Err(Unverified::Wrong(attempt.fail_as(judgement, Instant::now())))
        }
    }
}

fn refused(judgement: &Judgement) -> Option<Throttled> {
    let (_, retry_after) = judgement.reached.filter(|_| judgement.is_refused)?;
    Some(Throttled { retry_after })
}

/// Hashes a new password with a new salt. Takes tens of milliseconds. `None` if the system has no
/// random bytes.
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
    // The hash sets the parameters, and it may come from an import. A hash that takes gigabytes or
    // minutes would let anyone who knows the user name stop the server.
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
    // This comparison takes constant time.
    computed.is_some() && Output::new(digest).is_ok_and(|output| output == stored.output)
}

/// A decoded stored hash.
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

/// Hashes a password into `digest`. `None` if there is not enough memory.
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
        // Computing the second one would take hours.
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
