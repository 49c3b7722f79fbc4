//! Sends a second, beside messages that wait and expectations, and without them.

use std::time::Duration;

use anyhow::Result;

use crate::harness::figures::summary;
use crate::harness::generator::{self, Extent, Load};
use crate::harness::peers::Verb;
use crate::harness::peers::chat::{self, SENDER};
use crate::service::Run;
use crate::{Bench, MESSAGES, expectations, server};

const CONNECTIONS: [usize; 2] = [1, 64];

/// Prints both rates, and their ratio in each run. The database without any takes turns with the
/// other one.
pub fn measure(bench: &Bench<'_>, empty: &Run<'_>, full: &Run<'_>) -> Result<()> {
    expectations::declare(bench, server(full), expectations::FAR, None)?;
    for connections in CONNECTIONS {
        let mut rates = [vec![], vec![]];
        for turn in 0..bench.arguments.runs {
            for place in 0..2 {
                let which = (turn + place) % 2;
                rates[which].push(rate(bench, [empty, full][which], connections)?);
            }
        }
        let ratios: Vec<f64> =
            rates[1].iter().zip(&rates[0]).map(|(with, without)| with / without).collect();
        println!(
            "sends a second, {connections} connections: {} without, {} beside; ratio {}",
            summary(&rates[0], 0),
            summary(&rates[1], 0),
            summary(&ratios, 2)
        );
    }
    Ok(())
}

fn rate(bench: &Bench<'_>, run: &Run<'_>, connections: usize) -> Result<f64> {
    let token = server(run).log_in(SENDER)?;
    let load = Load {
        connections,
        pipeline: 1,
        rate: None,
        extent: Extent::Time(bench.time().min(Duration::from_secs(2))),
        warm_up: Duration::from_millis(200).min(bench.time()),
    };
    let mut protocol = chat::protocol(Verb::Send, &token, MESSAGES);
    Ok(generator::run(server(run).address(), protocol.as_mut(), &load)?.rate)
}
