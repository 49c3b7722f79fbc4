//! `chat-cli send --wait-read DURATION`: waits until a message was read. The server tells, over a
//! stream: nobody asks again and again.

use std::io::Write;
use std::time::Instant;

use serde::Serialize;

use crate::catalogue::people;
use crate::client::arguments::TIMEOUT_DEFAULT;
use crate::client::exit::Exit;
use crate::client::failure::{Failure, Refused, is_closed};
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::stream::{SILENCE_MAX, Stream, StreamEvent, Timeouts};
use crate::client::verbs;
use crate::model::{MailboxName, MessageId, Token};
use crate::protocol::arguments::{Watch, WatchFrom};
use crate::protocol::people::ChangeSettings;
use crate::protocol::refusal::Code;
use crate::protocol::reply::SentTo;

/// The object of a message that was read.
#[derive(Debug, Serialize)]
struct WasRead<'a> {
    event: &'static str,
    to: &'a str,
    id: MessageId,
}

/// Refuses to wait before anything is sent, if nobody would be told.
pub fn check(link: &mut Link, token: Token) -> Result<(), Failure> {
    let settings = verbs::settings(link, token, ChangeSettings::default())?;
    if settings.receipts {
        return Ok(());
    }
    let refused = Refused::from(Code::ReceiptsOff);
    Err(Failure::refused_with_hint(&refused, people::turn_receipts_on()))
}

/// Waits until all of these were read: by their recipient, or in a room by a member. If that does not
/// happen before the deadline, the result is [`Exit::Nothing`].
pub fn wait(
    sent: &[SentTo],
    deadline: Instant,
    (token, link): (Token, &Link),
    view: View,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let begin = Watch {
        from: WatchFrom::New,
        receipts: sent.iter().map(|copy| copy.id).collect(),
        ..Watch::default()
    };
    let timeouts = Timeouts { answer: TIMEOUT_DEFAULT, silence: SILENCE_MAX };
    let mut stream = Stream::new(link.dialer().clone(), token, begin, timeouts);
    // After a broken connection the server tells of all again.
    let mut missing: Vec<&SentTo> = sent.iter().collect();
    while !missing.is_empty() {
        let event = stream.next(Some(deadline)).map_err(|failure| after_sending(failure, sent))?;
        let Some(event) = event else { return Ok(Exit::Nothing) };
        let StreamEvent::Receipt(id) = event else { continue };
        if let Some(place) = missing.iter().position(|copy| copy.id == id) {
            print(missing.remove(place), view, out)?;
        }
    }
    Ok(Exit::Done)
}

fn print(copy: &SentTo, view: View, out: &mut dyn Write) -> Result<(), Failure> {
    let SentTo { to, id } = copy;
    let printed = match to {
        _ if view.is_json => {
            let fields = WasRead { event: "read", to: to.as_str(), id: *id };
            writeln!(out, "{}", object::line(&fields))
        }
        MailboxName::User(name) => writeln!(out, "{}", people::has_read_it(name)),
        MailboxName::Room(room) => writeln!(out, "{}", people::somebody_has_read_it(room)),
    };
    printed.and_then(|()| out.flush()).map_err(Failure::from)
}

/// The failure after the message was stored.
fn after_sending(failure: Failure, sent: &[SentTo]) -> Failure {
    match &failure {
        Failure::Output(error) if is_closed(error) => failure,
        _ => {
            let hint = sent.first().map(|copy| people::receipts_of(copy.id.0));
            Failure::new(failure.exit(), people::sent_then(&failure))
                .with_hint(hint.unwrap_or_default())
        }
    }
}
