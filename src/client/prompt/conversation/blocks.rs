//! `block` and `unblock` at the prompt.

use std::io::Write;

use super::Conversation;
use crate::catalogue::people;
use crate::client::command::{block, parse_user};
use crate::client::failure::Failure;
use crate::client::render::inbox::Clock;
use crate::client::verbs;

impl Conversation {
    /// Blocks a user, or shows who is blocked.
    pub(super) fn block(&mut self, user: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        if user.is_empty() {
            let blocked = verbs::blocks(&mut self.link, token)?;
            if blocked.is_empty() {
                return Ok(writeln!(out, "{}", people::nobody_is_blocked())?);
            }
            let lines = block::columns(&blocked, Clock::Local);
            return Ok(lines.iter().try_for_each(|line| writeln!(out, "{line}"))?);
        }
        let state = verbs::block(&mut self.link, token, parse_user(user)?)?;
        Ok(writeln!(out, "{}", block::line(&state))?)
    }

    pub(super) fn unblock(&mut self, user: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let state = verbs::unblock(&mut self.link, token, parse_user(user)?)?;
        Ok(writeln!(out, "{}", block::line(&state))?)
    }
}
