//! What one `chat-cli send` costs as a process, from its start to its end, beside `true`, which
//! does nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;

use crate::peers::{BODY_NUMBER_BYTES, Chat, recipient};

/// How many processes of each kind.
const PROCESSES: u64 = 200;

/// Times both in turns, and says what they took.
pub fn measure(cli: &Path, chat: &Chat, body_bytes: usize, folder: &Path) -> Result<String> {
    let server = chat.start(folder)?;
    let command = |program: &Path| {
        let mut command = Command::new(program);
        command.env_clear().env("XDG_STATE_HOME", folder).env("HOME", folder);
        command.env("CHAT_SERVER", server.address.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    run(command(cli).args(["auth", "paff", "cytus"]))?;
    let (mut nothing, mut send) = (Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?);
    for number in 0..PROCESSES {
        nothing.record(run(&mut command(Path::new("true")))?)?;
        let mut text = format!("{number:0BODY_NUMBER_BYTES$}");
        text.extend(std::iter::repeat_n('x', body_bytes - BODY_NUMBER_BYTES));
        send.record(run(command(cli).args(["send", &recipient(0), &text]))?)?;
    }
    server.stop(PROCESSES)?;
    Ok(format!(
        "one-shot chat-cli send: {} (true: {}); {PROCESSES} processes each, median (p10–p90)",
        summary(&send),
        summary(&nothing)
    ))
}

/// Runs a process to its good end, and tells how many nanoseconds that took.
fn run(command: &mut Command) -> Result<u64> {
    let begin = Instant::now();
    let status = command.status().with_context(|| format!("{command:?}"))?;
    let took = begin.elapsed();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(took.as_nanos().try_into()?)
}

fn summary(times: &Histogram<u64>) -> String {
    let [median, low, high] =
        [0.5, 0.1, 0.9].map(|part| times.value_at_quantile(part) as f64 / 1e6);
    format!("{median:.2} ms ({low:.2}–{high:.2})")
}
