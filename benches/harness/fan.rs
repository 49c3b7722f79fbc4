//! Deliveries of the messages of one mailbox to many watchers.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::peers::chat::Server;
use super::watchers::Watchers;

/// The text of a message: 64 bytes.
pub const TEXT: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
/// How long to wait for an expected event.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Sends `messages` to a user or a room `to`, one after the other, until every one has reached the
/// watcher of each token. Returns the deliveries per second.
pub fn rate<'a>(
    server: &Server,
    tokens: impl Iterator<Item = &'a String>,
    to: &str,
    messages: usize,
) -> Result<f64> {
    let mut watchers = Watchers::connect(server, tokens)?;
    let token = server.log_in_sender()?;
    let line = format!("post {token} {{\"to\": [\"{to}\"], \"body\": \"{TEXT}\"}}");
    let mut sender = server.connect()?;
    let expected = (messages * watchers.count()) as u64;
    let begin = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let sending = scope.spawn(move || -> Result<()> {
            // One after the other: the acknowledgements do not depend on the deliveries.
            for _ in 0..messages {
                sender.ask_raw(&line)?;
            }
            Ok(())
        });
        let mut progress = (0, Instant::now());
        while watchers.heard() < expected {
            watchers.listen(Duration::from_secs(1))?;
            if watchers.heard() > progress.0 {
                progress = (watchers.heard(), Instant::now());
            }
            ensure!(
                progress.1.elapsed() < TIMEOUT,
                "only {} of {expected} deliveries came",
                watchers.heard()
            );
        }
        sending.join().expect("the sender does not panic")
    })?;
    Ok(expected as f64 / begin.elapsed().as_secs_f64())
}
