//! `chat-cli users`

use std::io::Write;

use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::protocol::reply::UserInfo;
use crate::terminal;
use crate::terminal::text;

/// Prints all users, ordered by name: user name and display name. On a terminal in columns,
/// elsewhere separated by a tab.
pub fn run(view: View, link: &mut Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let is_shown = terminal::is_shown() && !view.is_json;
    verbs::all_users(link, token, |users| {
        if is_shown {
            columns(&users).iter().try_for_each(|line| writeln!(out, "{line}"))?;
            return Ok(());
        }
        for info in &users {
            let (name, display_name) = (&info.user, text::visible(&info.display_name));
            if view.is_json {
                writeln!(out, "{}", object::line(info))?;
            } else {
                writeln!(out, "{name}\t{display_name}")?;
            }
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// A line per user, with the display names in a column.
pub fn columns(users: &[UserInfo]) -> Vec<String> {
    let longest = users.iter().map(|info| info.user.as_str().len()).max().unwrap_or(0);
    let line = |info: &UserInfo| {
        let display_name = text::visible(&info.display_name);
        let line = format!("{:<longest$}  {display_name}", info.user.as_str());
        line.trim_end().to_owned()
    };
    users.iter().map(line).collect()
}
