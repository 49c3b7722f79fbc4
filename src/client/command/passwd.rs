//! `chat-cli passwd`

use std::io::{IsTerminal, Write, stdin};

use super::revoke;
use crate::catalogue::client;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{local_login, password, verbs};
use crate::protocol::arguments::Passwd;

/// Changes the password. On a terminal, it asks without echo, for the new one twice. Otherwise the
/// old and the new password are the first two lines of standard input. The user's other sessions
/// end.
pub fn run(view: View, link: &mut Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let old = password::ask(client::old_password_prompt())?;
    let new = password::ask(client::new_password_prompt())?;
    if stdin().is_terminal() && password::ask(client::new_password_again_prompt())? != new {
        return Err(Failure::new(Exit::Usage, client::passwords_differ())
            .with_hint(client::nothing_changed()));
    }
    let ended = verbs::passwd(link, token, Passwd { old, new })?;
    if view.is_json {
        writeln!(out, "{}", object::line(&ended))?;
    } else {
        writeln!(out, "{}", client::password_changed(revoke::summary(ended.ended)))?;
    }
    Ok(Exit::Done)
}
