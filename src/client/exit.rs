//! The client's exit codes. The numbers from 64 to 78 mean what `sysexits.h` says, so that mail
//! tools and `systemd` interpret them correctly.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::catalogue::{client, shared};
use crate::protocol::refusal::Code;

/// How a command ended, as its caller sees it. The numbers never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success.
    Done = 0,
    /// Nothing matched: no unread message, no answer, no session with that number.
    Nothing = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The text is refused, whatever the recipient.
    TextRefused = 65,
    /// There is no such user or room.
    NoUser = 67,
    /// The server cannot be reached, so nothing was sent.
    Unreachable = 69,
    /// The server failed.
    Internal = 70,
    /// The rules of a room do not allow it, or the room cannot be created.
    RoomRefused = 73,
    /// A local file or folder, or standard output, cannot be used.
    LocalFile = 74,
    /// Nothing was done, but a later attempt may succeed; or the outcome is unknown.
    TryAgain = 75,
    /// The other end does not speak this protocol.
    Protocol = 76,
    /// There is no session, or the password is wrong.
    NotLoggedIn = 77,
    /// The environment or the configuration is not usable.
    Configuration = 78,
    /// Ctrl-C.
    Interrupted = 130,
    /// The reader of standard output has gone.
    OutputClosed = 141,
}

impl Exit {
    /// All exit codes, lowest number first.
    pub const ALL: &[Self] = &[
        Self::Done,
        Self::Nothing,
        Self::Usage,
        Self::TextRefused,
        Self::NoUser,
        Self::Unreachable,
        Self::Internal,
        Self::RoomRefused,
        Self::LocalFile,
        Self::TryAgain,
        Self::Protocol,
        Self::NotLoggedIn,
        Self::Configuration,
        Self::Interrupted,
        Self::OutputClosed,
    ];

    /// The meaning, as `--help` shows it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => client::exit_done(),
            Self::Nothing => client::exit_nothing(),
            Self::Usage => client::exit_usage(),
            Self::TextRefused => client::exit_text_refused(),
            Self::NoUser => client::exit_no_user(),
            Self::Unreachable => client::exit_unreachable(),
            Self::Internal => client::exit_internal(),
            Self::RoomRefused => client::exit_room_refused(),
            Self::LocalFile => client::exit_local_file(),
            Self::TryAgain => client::exit_try_again(),
            Self::Protocol => client::exit_protocol(),
            Self::NotLoggedIn => client::exit_not_logged_in(),
            Self::Configuration => client::exit_configuration(),
            Self::Interrupted => shared::exit_interrupted(),
            Self::OutputClosed => shared::exit_output_closed(),
        }
    }

    /// The code in the errors of `--json`, if the protocol has no more specific one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Nothing => "nothing",
            Self::Usage => "usage",
            Self::TextRefused => "text_refused",
            Self::NoUser => "no_user",
            Self::Unreachable => "unreachable",
            Self::Internal => "internal",
            Self::RoomRefused => "room_refused",
            Self::LocalFile => "local_file",
            Self::TryAgain => "try_again",
            Self::Protocol => "protocol",
            Self::NotLoggedIn => "not_logged_in",
            Self::Configuration => "configuration",
            Self::Interrupted => "interrupted",
            Self::OutputClosed => "output_closed",
        }
    }

    /// The exit code for a refusal with `code`.
    pub fn of(code: Code) -> Self {
        match code {
            Code::LineTooLong
            | Code::BadLine
            | Code::BadEncoding
            | Code::EmptyMessage
            | Code::TooLong
            | Code::KeyConflict
            | Code::UnknownMessage => Self::TextRefused,
            Code::BadQuery => Self::Usage,
            Code::UnknownUser | Code::UnknownRecipient | Code::UnknownRoom => Self::NoUser,
            Code::NoSession | Code::WrongPassword => Self::NotLoggedIn,
            Code::InboxFull
            | Code::Busy
            | Code::RateLimited
            | Code::TooManySessions
            | Code::StorageFull
            | Code::TooManyConnections
            | Code::ShuttingDown => Self::TryAgain,
            Code::Internal => Self::Internal,
            Code::UsersHidden
            | Code::ReceiptsOff
            | Code::NotYours
            | Code::UnknownExpectation
            | Code::UnknownScheduled
            | Code::TokenRights
            | Code::TokenExists
            | Code::TooManyTokens
            | Code::UnknownInvitation
            | Code::InvitationUsed
            | Code::NameTaken => Self::Nothing,
            Code::RoomExists
            | Code::NotAllowed
            | Code::LastOwner
            | Code::RoomArchived
            | Code::RoomOfEverybody
            | Code::TooManyRooms => Self::RoomRefused,
            // This client sends no such request, so the server speaks another protocol.
            Code::BadRequest
            | Code::UnknownCommand
            | Code::Usage
            | Code::WrongProtocol
            | Code::BadArgument => Self::Protocol,
        }
    }

    /// The table for `--help`.
    pub fn table() -> String {
        let mut table = format!("{}\n", shared::exit_codes_heading());
        for exit in Self::ALL {
            // Writing to a `String` cannot fail.
            let _ = writeln!(table, "  {:>3}  {}", *exit as u8, exit.meaning());
        }
        table
    }
}

/// How this process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a code of its own.
    Own(Exit),
    /// With the code of the command that it has run.
    OfCommand(u8),
    /// With the code of the offered answer with this number, from 0: see `Ending::code_of_choice`.
    Choice(usize),
}

impl Ending {
    /// 0 for the first offered answer, 3 for the second, 4 for the third, and so on. 1 and 2 have
    /// another meaning.
    fn code_of_choice(number: usize) -> u8 {
        match number {
            0 => 0,
            number => u8::try_from(number + 2).unwrap_or(u8::MAX),
        }
    }
}

impl From<Exit> for Ending {
    fn from(exit: Exit) -> Self {
        Self::Own(exit)
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Own(exit) => exit.into(),
            Ending::OfCommand(code) => Self::from(code),
            Ending::Choice(number) => Self::from(Ending::code_of_choice(number)),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::question;

    #[test]
    fn offered_answers_have_codes_that_nothing_else_has() {
        let codes: Vec<u8> = (0..question::CHOICES_MAX).map(Ending::code_of_choice).collect();
        assert_eq!(codes[..3], [0, 3, 4]);
        let own = Exit::ALL.iter().map(|&exit| exit as u8);
        assert!(own.skip(1).all(|code| !codes.contains(&code)));
    }

    #[test]
    fn numbers_are_the_documented_ones() {
        let numbers: Vec<u8> = Exit::ALL.iter().map(|&exit| exit as u8).collect();
        assert_eq!(numbers, [0, 1, 2, 65, 67, 69, 70, 73, 74, 75, 76, 77, 78, 130, 141]);
        assert_eq!(Exit::table().lines().count(), 1 + numbers.len());
    }

    #[test]
    fn every_number_is_in_the_page_of_the_command_line() {
        let page = include_str!("../../docs/cli.md");
        let (_, table) = page.split_once("## Exit codes").unwrap();
        for &exit in Exit::ALL {
            assert!(table.contains(&format!("| {} | ", exit as u8)), "{exit:?}");
        }
    }

    #[test]
    fn refusals_end_as_documented() {
        for (word, exit) in [
            ("users_hidden", 1),
            ("unknown_expectation", 1),
            ("empty_message", 65),
            ("too_long", 65),
            ("bad_encoding", 65),
            ("unknown_user", 67),
            ("unknown_recipient", 67),
            ("unknown_room", 67),
            ("internal", 70),
            ("room_exists", 73),
            ("not_allowed", 73),
            ("last_owner", 73),
            ("room_archived", 73),
            ("too_many_rooms", 73),
            ("busy", 75),
            ("rate_limited", 75),
            ("too_many_sessions", 75),
            ("storage_full", 75),
            ("inbox_full", 75),
            ("shutting_down", 75),
            ("too_many_connections", 75),
            ("unknown_command", 76),
            ("no_session", 77),
            ("wrong_password", 77),
        ] {
            assert_eq!(Exit::of(Code::from_word(word).unwrap()) as u8, exit, "{word}");
        }
        assert!(Code::ALL.iter().all(|&code| Exit::of(code) != Exit::Done));
    }
}
