//! `chat-cli passwd`

use std::io::{IsTerminal, Write, stdin};

use super::revoke;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{password, session, verbs};
use crate::protocol::arguments::Passwd;

/// Changes the password: asked for on a terminal without echo, the new one twice; else the old and
/// the new one are the first two lines of standard input. The user's other sessions end.
pub fn run(view: View, link: &mut Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (token, _) = session::current(link.account())?;
    let old = password::ask("Old password: ")?;
    let new = password::ask("New password: ")?;
    if stdin().is_terminal() && password::ask("New password again: ")? != new {
        return Err(Failure::trouble(Exit::Usage, "the new passwords are not the same")
            .with_hint("nothing was changed; begin again"));
    }
    let ended = verbs::passwd(link, token, Passwd { old, new })?;
    if view.is_json {
        writeln!(out, "{}", object::line(&ended))?;
    } else {
        writeln!(out, "password changed, {}", revoke::told(ended.ended))?;
    }
    Ok(Exit::Done)
}
