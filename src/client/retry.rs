//! Repeats a request that may be repeated, while the server is busy or restarts. For a message, which
//! needs a key, see [`super::delivery`].

use std::thread;
use std::time::{Duration, Instant};

use super::failure::{Failure, NoAnswer};

/// The pause before the second attempt. Each further pause is twice as long, up to the limit.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Calls `attempt` until it succeeds, or fails for another reason than that the server is busy or
/// the connection broke. It begins no attempt after the deadline. Blocks between attempts.
///
/// # Errors
/// The failure of the last attempt.
pub fn until<T>(
    deadline: Instant,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut pause = PAUSE_FIRST;
    loop {
        match attempt() {
            Err(failure) if is_temporary(&failure) && Instant::now() + pause < deadline => {}
            done => return done,
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn is_temporary(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(refused) => refused.is_temporary(),
        Failure::NoAnswer(NoAnswer::Broken { .. }) => true,
        _ => false,
    }
}
