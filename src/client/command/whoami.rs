//! `chat-cli whoami`

use std::io::Write;

use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::terminal::text;

/// Prints the user's name and display name.
pub fn run(view: View, link: &mut Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let identity = verbs::whoami(link, token)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&identity))?;
    } else if identity.display_name.is_empty() {
        writeln!(out, "{}", identity.user)?;
    } else {
        writeln!(out, "{} ({})", identity.user, text::visible(&identity.display_name))?;
    }
    Ok(Exit::Done)
}
