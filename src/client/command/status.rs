//! `chat-cli status [TEXT…]`

use std::io::Write;

use crate::catalogue::people as texts;
use crate::client::arguments::StatusArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::model::{STATUS_BYTES_MAX, StatusText};
use crate::protocol::people::{ChangeSettings, SettingsInfo};
use crate::terminal::reason::of_invalid;
use crate::terminal::text;

/// Changes what others see of the user who is connected, and prints it.
pub fn run(
    arguments: &StatusArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let status_text = match arguments.text.as_slice() {
        [] => arguments.clear.then(StatusText::default),
        words => Some(parse(&words.join(" "))?),
    };
    let invisible = match (arguments.invisible, arguments.visible) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let (token, _) = local_login::current(link)?;
    let change = ChangeSettings { receipts: None, status_text, invisible };
    let settings = verbs::settings(link, token, change)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&settings))?;
    } else {
        writeln!(out, "{}", line(&settings))?;
    }
    Ok(Exit::Done)
}

/// The status of a text that was typed.
pub fn parse(text: &str) -> Result<StatusText, Failure> {
    text.parse().map_err(|invalid| {
        Failure::new(Exit::Usage, texts::give_status(of_invalid(invalid), STATUS_BYTES_MAX))
    })
}

/// The settings, for a person.
pub fn line(settings: &SettingsInfo) -> String {
    let status = text::visible(settings.status_text.as_str());
    match (settings.invisible, status.is_empty()) {
        (false, true) => texts::no_status().to_owned(),
        (false, false) => texts::status_is(status),
        (true, true) => texts::invisible_without_status().to_owned(),
        (true, false) => texts::invisible_with_status(status),
    }
}
