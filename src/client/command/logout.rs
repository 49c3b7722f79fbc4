//! `chat-cli logout`

use std::io::Write;

use serde_json::json;

use crate::catalogue::client;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::session::{self, Source};
use crate::client::verbs;

/// Ends the session on the server, then removes it here. It is also removed if the server does not
/// know it any more.
pub fn run(view: View, link: &mut Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (token, source) = session::current(link.account())?;
    let done = verbs::logout(link, token);
    let over = done.is_ok() || done.as_ref().is_err_and(Failure::ends_session);
    if over && source == Source::File {
        session::forget(link.account(), token)?;
    }
    done?;
    if view.is_json {
        writeln!(out, "{}", object::line(&json!({"ended": 1})))?;
    } else {
        writeln!(out, "{}", client::logged_out())?;
    }
    Ok(Exit::Done)
}
