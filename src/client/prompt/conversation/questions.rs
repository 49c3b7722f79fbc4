//! `ask` and `answer` at the prompt.

use std::io::Write;

use super::Conversation;
use crate::catalogue::prompt;
use crate::client::arguments::parse_choice;
use crate::client::command::{ask, parse_mailbox, reply, send};
use crate::client::delivery::Text;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::render::inbox::{Clock, Layout};
use crate::client::{open_questions, question};
use crate::model::{Message, Tag};

impl Conversation {
    /// Asks a user, or a room. The answer arrives like any other message.
    pub(super) fn ask(
        &mut self,
        choices: Option<&str>,
        to: &str,
        text: &str,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let choices = choices.into_iter().flat_map(|choices| choices.split(','));
        let choices: Vec<Tag> = choices
            .map(parse_choice)
            .collect::<Result<_, _>>()
            .map_err(|why| Failure::new(Exit::Usage, why))?;
        let text = Text { body: send::body(text.into())?, details: ask::details(&choices, &[])? };
        let to = parse_mailbox(to)?;
        let posted = self.post(std::slice::from_ref(&to), &text)?;
        Ok(writeln!(out, "{}", prompt::question_sent(posted.id.0, &to))?)
    }

    /// Answers the only open question.
    pub(super) fn answer(&mut self, text: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let user = self.login.as_ref().ok_or(Failure::NotLoggedIn)?.session().user.clone();
        let token = self.token()?;
        let body = send::body(text.into())?;
        let open = open_questions::to_user(&mut self.link, token, &user)?;
        match open.as_slice() {
            [] => writeln!(out, "{}", prompt::no_open_question())?,
            [question] if is_refused(question, text) => {
                let offered = question::choices(question).join(", ");
                writeln!(out, "{}", prompt::answer_is_none_of(offered))?;
            }
            [question] => {
                let to = reply::other_side(question, &user);
                self.deliver(&[to], &reply::answer(body, question.id), out)?;
            }
            several => {
                writeln!(out, "{}", prompt::several_questions())?;
                out.write_all(Layout::for_terminal(Clock::Local).page(several).as_bytes())?;
            }
        }
        Ok(())
    }
}

/// Whether the question offers answers, and this is none of them.
fn is_refused(question: &Message, text: &str) -> bool {
    !question::choices(question).is_empty() && question::chosen(question, text).is_none()
}
