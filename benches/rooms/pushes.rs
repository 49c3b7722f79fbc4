//! Deliveries a second to the watchers of one inbox, and of one room.

use anyhow::Result;

use crate::harness::fan;
use crate::harness::figures::summary;
use crate::harness::peers::chat::Server;
use crate::harness::peers::recipient;
use crate::{Bench, USERS, room_of};

/// The watchers. Of an inbox they are sessions of one user; of a room each is another member.
pub const WATCHERS: usize = 1000;

/// Prints both rates, and their ratio in each run.
pub fn measure(bench: &Bench<'_>) -> Result<()> {
    let messages = (bench.time().as_secs_f64() * 200.0) as usize;
    let (mut inbox, mut room) = (Vec::new(), Vec::new());
    for turn in 0..bench.arguments.runs {
        for place in 0..2 {
            if (turn + place) % 2 == 0 {
                inbox.push(bench.with_server(|server| inbox_rate(server, messages))?);
            } else {
                room.push(bench.with_server(|server| room_rate(server, messages))?);
            }
        }
    }
    let ratios: Vec<f64> = room.iter().zip(&inbox).map(|(room, inbox)| room / inbox).collect();
    println!(
        "{WATCHERS} watchers, {messages} messages: deliveries a second of one inbox {}, of one \
         room {}; room ÷ inbox {}",
        summary(&inbox, 0),
        summary(&room, 0),
        summary(&ratios, 2)
    );
    Ok(())
}

fn inbox_rate(server: &Server, messages: usize) -> Result<f64> {
    let token = server.log_in(&recipient(0))?;
    fan::rate(server, std::iter::repeat_n(&token, WATCHERS), &recipient(0), messages)
}

fn room_rate(server: &Server, messages: usize) -> Result<f64> {
    let tokens = (0..WATCHERS).map(|user| server.log_in(&recipient(user)));
    let tokens: Vec<String> = tokens.collect::<Result<_>>()?;
    fan::rate(server, tokens.iter(), &room_of(USERS), messages)
}
