//! Password hashing, in a small pool of its own: it takes tens of milliseconds and 19 MiB a
//! password, by design, and must not stall messages or add up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use super::measures::Measures;
use crate::metrics::Stages;
use crate::model::Password;
use crate::queue::Queue;

/// The most passwords that may wait; one more is refused as busy. At two at a time it is a wait of
/// about five seconds.
pub(super) const HASH_QUEUE_JOBS_MAX: usize = 256;

/// argon2id as OWASP's password storage cheat sheet has it: memory in KiB, passes, lanes.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How much more of each a stored hash may take.
const COST_FACTOR_MAX: u32 = 8;

/// What a password is compared with where there is no such user, and the hash of those who have no
/// password yet: nothing hashes to it, and finding that out takes as long as with a user's own.
pub(super) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8gc3VjaCB1c2VyISE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

type Job = Box<dyn FnOnce(Result<(), TooMany>) + Send>;

pub(super) struct Hashers {
    queue: Arc<Queue<Job>>,
    measures: Arc<Measures>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// There is no room for another password to wait.
#[derive(Debug)]
pub(super) struct TooMany;

impl Hashers {
    pub(super) fn start(count: usize, measures: &Arc<Measures>) -> std::io::Result<Self> {
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
        Ok(Self { queue, measures: Arc::clone(measures), threads: Mutex::new(threads) })
    }

    /// Compares a password with a stored hash (with nobody's, where there is none) and tells
    /// `done`, on a hasher's thread; where too many wait, at once and on this one.
    pub(super) fn verify(
        &self,
        password: Password,
        hash: Option<String>,
        done: impl FnOnce(Result<bool, TooMany>) + Send + 'static,
    ) {
        let compare = move || {
            let matches = verify(&password, hash.as_deref().unwrap_or(NOBODY));
            matches && hash.is_some()
        };
        self.submit(compare, done);
    }

    /// Hashes `new` if `old` fits `old_hash`, and tells `done` as [`Self::verify`] does; `None`
    /// where it does not fit.
    pub(super) fn replace(
        &self,
        old: Password,
        old_hash: String,
        new: Password,
        done: impl FnOnce(Result<Option<String>, TooMany>) + Send + 'static,
    ) {
        let replace = move || if verify(&old, &old_hash) { hash(&new) } else { None };
        self.submit(replace, done);
    }

    /// Hashes new passwords, one after another, and tells `done` as [`Self::verify`] does; `None`
    /// where the system gives no random bytes.
    pub(super) fn hash_all(
        &self,
        passwords: Vec<Password>,
        done: impl FnOnce(Result<Option<Vec<String>>, TooMany>) + Send + 'static,
    ) {
        self.submit(move || passwords.iter().map(hash).collect(), done);
    }

    fn submit<T: 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(Result<T, TooMany>) + Send + 'static,
    ) {
        let (submitted, before) = (Instant::now(), Stages::current());
        let measures = Arc::clone(&self.measures);
        let job: Job = Box::new(move |room| {
            if let Err(too_many) = room {
                return before.tell(|| done(Err(too_many)));
            }
            let taken = Instant::now();
            let worked = work();
            let (queued, hashed) = (taken - submitted, taken.elapsed());
            measures.hash_queue.observe_time(queued);
            measures.hash.observe_time(hashed);
            let stages = before.and(Stages { queued, hashed, ..Stages::default() });
            stages.tell(|| done(Ok(worked)));
        });
        if let Err((job, _)) = self.queue.push(job) {
            job(Err(TooMany));
        }
    }

    /// How many passwords wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
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
    let hash = argon2()?.hash_password(password.reveal().as_bytes()).ok()?;
    Some(hash.to_string())
}

fn verify(password: &Password, hash: &str) -> bool {
    let (Some(argon2), Ok(hash)) = (argon2(), PasswordHash::new(hash)) else {
        tracing::error!("a stored password hash cannot be read; nobody can log in with it");
        return false;
    };
    // The parameters are those of the hash, which may have come with an import: one that takes
    // gigabytes or minutes would let anybody who knows the name stop the server.
    let is_costly = |params: &Params| {
        params.m_cost() > COST_FACTOR_MAX * MEMORY_KIB
            || params.t_cost() > COST_FACTOR_MAX * PASSES
            || params.p_cost() > COST_FACTOR_MAX * LANES
    };
    if Params::try_from(&hash).as_ref().map_or(true, is_costly) {
        tracing::error!(
            "a stored password hash takes too much to compare with; nobody can log in with it"
        );
        return false;
    }
    argon2.verify_password(password.reveal().as_bytes(), &hash).is_ok()
}

fn argon2() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
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
    fn nobody_has_a_hash_that_costs_the_same_and_fits_nothing() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = hash(&"cytus".parse().unwrap()).unwrap();
        assert_eq!(nobody.params, PasswordHash::new(&somebody).unwrap().params);
        assert!(!verify(&"cytus".parse().unwrap(), NOBODY));
    }
}
