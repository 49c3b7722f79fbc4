//! The time of a whole process that sends one message, with our client and with those of the other
//! servers. Next to them: `true`, which does nothing, and commands that go only part of the way.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use crate::harness::peers::{self, BODY_NUMBER_BYTES, Messages, Peer};

/// The number of processes of each kind.
const PROCESSES: u64 = 200;

/// One kind of process.
struct Kind {
    name: String,
    /// The index of its server.
    server: usize,
    /// The command to run. `None` for the command that sends, which has another text each time.
    command: Option<Command>,
    times: Histogram<u64>,
}

/// Runs all kinds in turn, and returns a summary of their times.
pub fn measure(peers: &[&dyn Peer], messages: Messages, folder: &Path) -> Result<String> {
    let mut servers = Vec::new();
    let mut kinds = Vec::new();
    let mut add = |name: &str, server, command| -> Result<()> {
        let times = Histogram::<u64>::new(3)?;
        kinds.push(Kind { name: name.to_owned(), server, command, times });
        Ok(())
    };
    add("true", 0, Some(Command::new("true")))?;
    for (index, peer) in peers.iter().enumerate() {
        let place = folder.join(index.to_string());
        std::fs::create_dir(&place)?;
        let server = peer.start(&place)?;
        if server.one_shot("").is_none() {
            continue;
        }
        server.log_in(&place)?;
        for (step, command) in server.steps_of_one_shot() {
            add(&format!("{}: {step}", peer.name()), servers.len(), Some(command))?;
        }
        add(peer.name(), servers.len(), None)?;
        servers.push((place, server));
    }
    for number in 0..PROCESSES {
        let mut text = format!("{number:0BODY_NUMBER_BYTES$}");
        text.extend(std::iter::repeat_n('x', messages.body_bytes - BODY_NUMBER_BYTES));
        for kind in &mut kinds {
            let (place, server) = servers.get(kind.server).context("no server can be sent to")?;
            let took = match &mut kind.command {
                Some(command) => run(command, place)?,
                None => run(&mut server.one_shot(&text).context("its command")?, place)?,
            };
            kind.times.record(took)?;
        }
    }
    let mut summary_text = format!(
        "one command that sends one message, {PROCESSES} processes each, median (p10–p90):"
    );
    for kind in kinds {
        summary_text.push_str(&format!("\n{} {}", kind.name, summary(&kind.times)));
    }
    for (_, server) in servers {
        server.stop(messages, PROCESSES)?;
    }
    Ok(summary_text)
}

/// Runs a process, which must succeed, and returns how many nanoseconds it took.
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
