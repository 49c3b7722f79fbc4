//! `room …` at the prompt: the words of `chat-cli room`, parsed by the same definitions.

use std::io::Write;

use clap::{Args, Command, FromArgMatches};

use super::Conversation;
use crate::catalogue::{client_help, command_line, prompt, shared};
use crate::client::arguments::RoomArguments;
use crate::client::command::room;
use crate::client::failure::Failure;
use crate::client::prompt::line;
use crate::client::render::View;
use crate::client::render::inbox::Clock;
use crate::client::verbs;
use crate::model::{MailboxName, Token};

/// The verb, as `clap` names it in a usage.
const ROOM: &str = "room";

impl Conversation {
    /// Executes `room WORDS…`. A mistake is told on one line.
    pub(super) fn room(&mut self, words: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let words = line::shell_words(words);
        if let [] | ["help" | "--help" | "-h"] =
            words.iter().map(String::as_str).collect::<Vec<_>>()[..]
        {
            return Ok(out.write_all(prompt::room_help().as_bytes())?);
        }
        let command = command_line::spoken(definition(), client_help::HELP);
        let arguments = command
            .try_get_matches_from(&words)
            .and_then(|matches| RoomArguments::from_arg_matches(&matches));
        match arguments {
            Ok(arguments) => {
                let view = View { is_json: false, clock: Some(Clock::Local) };
                room::execute(arguments.command, token, view, &mut self.link, out)?;
                // A room may have been created or joined.
                self.learn_rooms(token);
            }
            Err(help) if !help.use_stderr() => write!(out, "{help}")?,
            Err(error) => {
                let words: Vec<_> = words.iter().map(Into::into).collect();
                let help = client_help::HELP;
                let error = command_line::in_language(error, definition(), help, &words);
                writeln!(out, "{}", shared::failed(command_line::one_line(&error)))?;
            }
        }
        Ok(())
    }

    /// Learns the names of the rooms that the user can see, for completion. An older server knows no
    /// rooms.
    pub(super) fn learn_rooms(&mut self, token: Token) {
        let board = self.live.board();
        let _ = verbs::all_rooms(&mut self.link, token, false, |rooms| {
            rooms.into_iter().for_each(|info| board.add_name(MailboxName::Room(info.room)));
            Ok(())
        });
    }
}

fn definition() -> Command {
    RoomArguments::augment_args(Command::new(ROOM).no_binary_name(true))
}

/// The commands of `room`, for completion.
pub fn commands() -> Vec<String> {
    let definition = definition();
    definition.get_subcommands().map(|command| command.get_name().to_owned()).collect()
}
