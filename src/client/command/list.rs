//! `chat-cli list`

use std::io::Write;

use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::json_line;
use crate::client::{session, verbs};

/// Prints who is logged in, as the seed's JSON text.
pub fn run(link: &mut Link, out: &mut dyn Write) -> Result<(), Failure> {
    let (token, _) = session::current(link.address())?;
    let users = verbs::list(link, token)?;
    writeln!(out, "{}", json_line(&users))?;
    Ok(())
}
