//! `chat-cli unread`

use std::io::Write;

use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};

/// Prints the number of unread messages, then the number from each sender and
/// in each room. Without unread messages
/// the result is [`Exit::Nothing`], for use in an `if`.
pub fn run(view: View, link: &mut Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let unread = verbs::unread(link, token)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&unread))?;
    } else {
        writeln!(out, "{}", unread.unread)?;
        for sender in &unread.senders {
            writeln!(out, "{}\t{}", sender.count, sender.from)?;
        }
        for room in &unread.rooms {
            writeln!(out, "{}\t{}", room.count, room.room)?;
        }
    }
    Ok(if unread.unread == 0 { Exit::Nothing } else { Exit::Done })
}
