//! `chat-cli receipts [ID|on|off]`

use std::io::Write;

use crate::catalogue::people as texts;
use crate::client::arguments::{ReceiptsArguments, ReceiptsOf};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::model::{MessageId, Token, UserName};
use crate::protocol::people::{
    ChangeSettings, ListReceipts, READERS_MAX, ReceiptList, SettingsInfo,
};
use crate::terminal;

/// Prints who has read a message, one name a line, or shows or changes the setting. If nobody has
/// read the message, the result is [`Exit::Nothing`].
pub fn run(
    arguments: &ReceiptsArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let receipts = match arguments.of {
        Some(ReceiptsOf::Message(id)) => {
            let list = list(link, token, id)?;
            match () {
                () if view.is_json => writeln!(out, "{}", object::line(&list))?,
                () if terminal::is_shown() => writeln!(out, "{}", line(&list))?,
                () => list.readers.iter().try_for_each(|name| writeln!(out, "{name}"))?,
            }
            return Ok(if list.readers.is_empty() { Exit::Nothing } else { Exit::Done });
        }
        Some(ReceiptsOf::Setting(is_on)) => Some(is_on),
        None => None,
    };
    let change = ChangeSettings { receipts, ..ChangeSettings::default() };
    let settings = verbs::settings(link, token, change)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&settings))?;
    } else {
        writeln!(out, "{}", setting(&settings))?;
    }
    Ok(Exit::Done)
}

/// All who have read a message.
pub fn list(link: &mut Link, token: Token, id: MessageId) -> Result<ReceiptList, Failure> {
    let mut after = None;
    let mut readers = Vec::new();
    loop {
        let request = ListReceipts { id, after, limit: READERS_MAX };
        let mut page = verbs::receipts(link, token, request)?;
        readers.append(&mut page.readers);
        if !page.more || readers.is_empty() {
            return Ok(ReceiptList { readers, more: false, ..page });
        }
        after = readers.last().cloned();
    }
}

/// The line for a person.
pub fn line(list: &ReceiptList) -> String {
    let ReceiptList { readers, recipients, .. } = list;
    if readers.is_empty() {
        return texts::read_by_nobody(recipients);
    }
    let names: Vec<&str> = readers.iter().map(UserName::as_str).collect();
    texts::read_by(names.join(", "), readers.len(), recipients)
}

/// The setting, for a person.
pub fn setting(settings: &SettingsInfo) -> &'static str {
    if settings.receipts { texts::receipts_are_on() } else { texts::receipts_are_off() }
}
