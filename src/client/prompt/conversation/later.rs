//! Messages that are sent later: `later`, `scheduled` and `scheduled cancel`.

use std::io::Write;

use super::Conversation;
use crate::catalogue::scheduled as texts;
use crate::client::arguments::parse_when;
use crate::client::command::{scheduled, send};
use crate::client::delivery::{self, Text};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::render::inbox::Clock;
use crate::client::render::messages::moment;
use crate::client::verbs;
use crate::model::ScheduledId;
use crate::protocol::reply::PostReply;

impl Conversation {
    /// `later WHEN TO TEXT`
    pub(super) fn later(
        &mut self,
        (when, to): (&str, &str),
        text: &str,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let token = self.token()?;
        let when = parse_when(when).map_err(|why| Failure::new(Exit::Usage, why))?;
        let (to, key) = (send::parse_recipients(to)?, delivery::new_key()?);
        let text = Text::from(send::body(text.into())?);
        match delivery::schedule(&mut self.link, token, &to, &text, (when, &key))? {
            PostReply::Later(later) => {
                let due_at = moment(later.due_at, Clock::Local);
                let names = delivery::names(&to, ", ");
                writeln!(out, "{}", texts::scheduled_for(later.scheduled.0, names, due_at))?;
            }
            // The key is new, so an earlier attempt has scheduled it, and it is sent by now.
            PostReply::Posted(_) => {
                let sent = crate::catalogue::client::message_sent(delivery::names(&to, ", "));
                writeln!(out, "{sent}")?;
            }
        }
        Ok(())
    }

    /// `scheduled`
    pub(super) fn scheduled(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let found = scheduled::all(&mut self.link, token)?;
        if found.is_empty() {
            writeln!(out, "{}", texts::nothing_is_scheduled())?;
        }
        found
            .iter()
            .try_for_each(|message| writeln!(out, "{}", scheduled::line(message, Clock::Local)))?;
        Ok(())
    }

    /// `scheduled cancel ID`
    pub(super) fn cancel_scheduled(&mut self, id: i64, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let cancelled = verbs::cancel(&mut self.link, token, ScheduledId(id))?;
        writeln!(out, "{}", texts::scheduled_cancelled(cancelled.id.0))?;
        Ok(())
    }
}
