//! Posts a second to users, and to rooms.

use anyhow::Result;

use crate::harness::figures::{quantile, summary};
use crate::harness::generator::{self, Extent, Load};
use crate::harness::peers::chat::{self, Server};
use crate::harness::peers::{Key, Messages, Verb};
use crate::{Bench, MEMBERS, room_of};

const CONNECTIONS: [usize; 2] = [1, 64];
/// A single user would have a full inbox after a second.
const MESSAGES: Messages = Messages { recipients: 1000, body_bytes: 64 };

/// Prints the rates, the p99, and their ratios to those of users in the same run.
pub fn measure(bench: &Bench<'_>) -> Result<()> {
    println!("| connections | posts to | a second | p99 ms | rate ÷ users' | p99 ÷ users' |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let targets = [None, Some(MEMBERS[0]), Some(MEMBERS[1])];
    for connections in CONNECTIONS {
        let mut samples = targets.map(|_| Vec::new());
        for turn in 0..bench.arguments.runs {
            // Each run begins with another target, so that the order favours none.
            for place in 0..targets.len() {
                let target = (turn + place) % targets.len();
                let post = |server: &Server| post(bench, server, targets[target], connections);
                samples[target].push(bench.with_server(post)?);
            }
        }
        for (members, own) in targets.iter().zip(&samples) {
            print_row(connections, *members, own, &samples[0]);
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Acknowledged posts per second.
    rate: f64,
    /// In milliseconds.
    p99: f64,
}

/// Posts to the room with so many members; without a number, to users.
fn post(
    bench: &Bench<'_>,
    server: &Server,
    members: Option<usize>,
    connections: usize,
) -> Result<Sample> {
    let token = server.log_in_sender()?;
    let mut protocol = match members {
        Some(members) => chat::posts_to_room(&room_of(members), &token, MESSAGES.body_bytes),
        None => chat::protocol(Verb::Post(Key::TimeOrdered), &token, MESSAGES),
    };
    let load = Load {
        connections,
        pipeline: 1,
        rate: None,
        extent: Extent::Time(bench.time()),
        warm_up: bench.time() / 5,
    };
    let outcome = generator::run(server.address(), protocol.as_mut(), &load)?;
    Ok(Sample { rate: outcome.rate, p99: quantile(&outcome.latencies, 0.99) })
}

/// `users` are the samples of posts to users, run by run.
fn print_row(connections: usize, members: Option<usize>, own: &[Sample], users: &[Sample]) {
    let name = members.map_or("users".to_owned(), |members| format!("a room of {members}"));
    let values = |get: fn(&Sample) -> f64| own.iter().map(get).collect::<Vec<_>>();
    let ratios = |get: fn(&Sample) -> f64| {
        own.iter().zip(users).map(|(own, users)| get(own) / get(users)).collect::<Vec<_>>()
    };
    println!(
        "| {connections} | {name} | {} | {} | {} | {} |",
        summary(&values(|sample| sample.rate), 0),
        summary(&values(|sample| sample.p99), 2),
        summary(&ratios(|sample| sample.rate), 2),
        summary(&ratios(|sample| sample.p99), 2),
    );
}
