//! `chat-cli list`

use std::io::Write;

use serde_json::json;

use crate::catalogue::client;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, json_line, object};
use crate::client::{local_login, verbs};

/// Prints the users who are logged in, as the seed's JSON text.
pub fn run(view: View, link: &mut Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let reply = verbs::list(link, token)?;
    if view.is_json {
        let names = verbs::parse_list(&reply);
        let names = names.ok_or_else(|| link.not_understood(client::no_list_of_users()))?;
        let names: Vec<&str> = names.collect();
        writeln!(out, "{}", object::line(&json!({"users": names})))?;
    } else {
        writeln!(out, "{}", json_line(&reply))?;
    }
    Ok(Exit::Done)
}
