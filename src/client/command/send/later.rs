//! `chat-cli send --at TIME` and `--in DURATION`: the server sends the message then.

use std::io::Write;

use crate::catalogue::{client, scheduled as texts};
use crate::client::delivery::{self, Text};
use crate::client::exit::Exit;
use crate::client::failure::{Failure, is_closed};
use crate::client::link::Link;
use crate::client::render::messages::moment;
use crate::client::render::{View, object};
use crate::model::{MailboxName, Token};
use crate::protocol::arguments::{Key, When};
use crate::protocol::reply::PostReply;
use crate::protocol::scheduled::Later;

use super::naming_users;

/// Schedules a message, and prints when it is sent. One that was scheduled under this key before,
/// and is sent by now, is printed as a message.
pub fn run(
    (text, to): (&Text, &[MailboxName]),
    (when, key): (When, &Key),
    token: Token,
    (view, link): (View, &mut Link),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let answer = delivery::schedule(link, token, to, text, (when, key))
        .map_err(|failure| naming_users(failure, to.len()))?;
    let names = delivery::names(to, ", ");
    let line = match answer {
        PostReply::Later(later) if view.is_json => object::line(&object::Scheduled {
            scheduled: later.scheduled,
            to,
            due_at: later.due_at,
            key: key.as_str(),
            duplicate: later.duplicate,
        }),
        PostReply::Later(Later { scheduled, due_at, duplicate }) => {
            let due_at = moment(due_at, view.clock());
            match duplicate {
                false => texts::scheduled_for(scheduled.0, names, due_at),
                true => texts::scheduled_before(scheduled.0, names, due_at),
            }
        }
        PostReply::Posted(posted) if view.is_json => {
            let lines = posted.sent.iter().map(|copy| {
                let (to, id, at, key) = (copy.to.as_str(), copy.id.0, posted.at, key.as_str());
                object::line(&object::Sent { to, id, at, key, duplicate: true, line: None })
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        PostReply::Posted(_) => client::message_sent(names),
    };
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| {
        if is_closed(&error) {
            return Failure::ReaderGone;
        }
        Failure::new(Exit::TryAgain, client::sent_but_not_printed(error)).with_key(key.clone())
    })?;
    Ok(Exit::Done)
}
