//! What one command costs that sends one message, as a process from its start to its end: ours and
//! what the others bring, beside `true`, which does nothing.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use crate::harness::peers::{self, BODY_NUMBER_BYTES, Messages, Peer};

/// How many processes of each kind.
const PROCESSES: u64 = 200;

/// Times all of them in turns, and says what they took.
pub fn measure(peers: &[&dyn Peer], messages: Messages, folder: &Path) -> Result<String> {
    let mut measured = Vec::new();
    for (index, peer) in peers.iter().enumerate() {
        let place = folder.join(index.to_string());
        std::fs::create_dir(&place)?;
        let server = peer.start(&place)?;
        if server.one_shot("").is_some() {
            server.log_in(&place)?;
            measured.push((peer.name(), place, server, Histogram::<u64>::new(3)?));
        }
    }
    let mut nothing = Histogram::<u64>::new(3)?;
    for number in 0..PROCESSES {
        nothing.record(run(&mut Command::new("true"), folder)?)?;
        let mut text = format!("{number:0BODY_NUMBER_BYTES$}");
        text.extend(std::iter::repeat_n('x', messages.body_bytes - BODY_NUMBER_BYTES));
        for (_, place, server, times) in &mut measured {
            let mut command = server.one_shot(&text).context("its command")?;
            times.record(run(&mut command, place)?)?;
        }
    }
    let mut said = format!(
        "one command that sends one message, {PROCESSES} processes each, median (p10–p90):\ntrue {}",
        summary(&nothing)
    );
    for (name, _, server, times) in measured {
        said.push_str(&format!("\n{name} {}", summary(&times)));
        server.stop(messages, PROCESSES)?;
    }
    Ok(said)
}

/// Runs a process to its good end, and tells how many nanoseconds that took.
fn run(command: &mut Command, home: &Path) -> Result<u64> {
    command.env_remove("CHAT_TOKEN").env("XDG_STATE_HOME", home).env("HOME", home);
    let begin = Instant::now();
    peers::run(command)?;
    Ok(begin.elapsed().as_nanos().try_into()?)
}

fn summary(times: &Histogram<u64>) -> String {
    let [median, low, high] =
        [0.5, 0.1, 0.9].map(|part| times.value_at_quantile(part) as f64 / 1e6);
    format!("{median:.2} ms ({low:.2}–{high:.2})")
}
