//! `chat-cli block [USER]` and `chat-cli unblock USER`

use std::io::Write;

use crate::catalogue::people as texts;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::inbox::Clock;
use crate::client::render::messages::moment;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::model::UserName;
use crate::protocol::people::{BlockState, BlockedUser};
use crate::terminal;

/// Blocks a user, or prints whom the user blocks.
pub fn run(
    user: Option<UserName>,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let Some(user) = user else {
        let blocked = verbs::blocks(link, token)?;
        print_list(&blocked, view, out)?;
        return Ok(if blocked.is_empty() { Exit::Nothing } else { Exit::Done });
    };
    print_state(&verbs::block(link, token, user)?, view, out)
}

/// Ends a block.
pub fn end(
    user: UserName,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    print_state(&verbs::unblock(link, token, user)?, view, out)
}

fn print_state(state: &BlockState, view: View, out: &mut dyn Write) -> Result<Exit, Failure> {
    match view.is_json {
        true => writeln!(out, "{}", object::line(state))?,
        false => writeln!(out, "{}", line(state))?,
    }
    Ok(Exit::Done)
}

/// What has become of it, for a person.
pub fn line(BlockState { user, blocked, changed }: &BlockState) -> String {
    match (blocked, changed) {
        (true, true) => texts::blocked_now(user),
        (true, false) => texts::blocked_before(user),
        (false, true) => texts::unblocked_now(user),
        (false, false) => texts::unblocked_before(user),
    }
}

fn print_list(blocked: &[BlockedUser], view: View, out: &mut dyn Write) -> Result<(), Failure> {
    if view.is_json {
        return Ok(blocked.iter().try_for_each(|of| writeln!(out, "{}", object::line(of)))?);
    }
    if terminal::is_shown() {
        let lines = columns(blocked, view.clock.unwrap_or_default());
        return Ok(lines.iter().try_for_each(|line| writeln!(out, "{line}"))?);
    }
    // A program can sort UTC times, and they mean the same on every machine.
    let clock = view.clock.unwrap_or(Clock::Utc);
    let mut print = |of: &BlockedUser| writeln!(out, "{}\t{}", of.user, moment(of.since, clock));
    Ok(blocked.iter().try_for_each(&mut print)?)
}

/// A line for each user.
pub fn columns(blocked: &[BlockedUser], clock: Clock) -> Vec<String> {
    let longest = blocked.iter().map(|of| of.user.as_str().len()).max().unwrap_or(0);
    let line =
        |of: &BlockedUser| format!("{:<longest$}  {}", of.user.as_str(), moment(of.since, clock));
    blocked.iter().map(line).collect()
}
