//! `chat-cli who`

use std::io::Write;

use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::inbox::Clock;
use crate::client::render::messages::moment;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::protocol::people::ConnectedUser;
use crate::terminal;
use crate::terminal::text;

/// Prints who is connected, ordered by name: user name, since when, and the status. On a terminal in
/// columns, elsewhere separated by tabs.
pub fn run(view: View, link: &mut Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let is_shown = terminal::is_shown() && !view.is_json;
    verbs::all_connected(link, token, |users| {
        if is_shown {
            let lines = columns(&users, view.clock.unwrap_or_default());
            return Ok(lines.iter().try_for_each(|line| writeln!(out, "{line}"))?);
        }
        for of in &users {
            if view.is_json {
                writeln!(out, "{}", object::line(of))?;
            } else {
                // A program can sort UTC times, and they mean the same on every machine.
                let since = moment(of.since, view.clock.unwrap_or(Clock::Utc));
                let status = text::visible(of.status_text.as_str());
                writeln!(out, "{}\t{since}\t{status}", of.user)?;
            }
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// A line per user. Parentheses are around a user whom only they themselves see.
pub fn columns(users: &[ConnectedUser], clock: Clock) -> Vec<String> {
    let names: Vec<String> = users.iter().map(name).collect();
    let longest = names.iter().map(String::len).max().unwrap_or(0);
    let line = |(of, name): (&ConnectedUser, &String)| {
        let (since, status) = (moment(of.since, clock), text::visible(of.status_text.as_str()));
        format!("{name:<longest$}  {since}  {status}").trim_end().to_owned()
    };
    users.iter().zip(&names).map(line).collect()
}

fn name(of: &ConnectedUser) -> String {
    if of.invisible { format!("({})", of.user) } else { of.user.to_string() }
}
