//! `chat-cli sessions`

use std::io::Write;

use crate::catalogue::client;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::inbox::Clock;
use crate::client::render::messages::moment;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::terminal;

/// Prints the user's sessions, oldest first: number, `*` for the one in use, when it was opened and
/// when it was last used. On a terminal in columns, elsewhere separated by tabs.
pub fn run(view: View, link: &mut Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let sessions = verbs::sessions(link, token)?.sessions;
    let is_shown = terminal::is_shown();
    let clock = view.clock.unwrap_or(if is_shown { Clock::Relative } else { Clock::Utc });
    if is_shown && !view.is_json {
        writeln!(out, "{:>6}    {:<24}  {}", "id", client::opened(), client::last_used())?;
    }
    for session in &sessions {
        let current = if session.current { "*" } else { "" };
        let id = session.id.0;
        let opened = moment(session.created_at, clock);
        let used = moment(session.last_seen_at, clock);
        if view.is_json {
            writeln!(out, "{}", object::line(session))?;
        } else if is_shown {
            writeln!(out, "{id:>6} {current:<1}  {opened:<24}  {used}")?;
        } else {
            writeln!(out, "{id}\t{current}\t{opened}\t{used}")?;
        }
    }
    Ok(Exit::Done)
}
