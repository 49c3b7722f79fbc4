//! A refusal by the server, and its text in the user's language.

use std::borrow::Cow;

use serde_json::Value;

use crate::catalogue::{Language, language, refusal, room, shared};
use crate::client::exit::Exit;
use crate::model::UserName;
use crate::protocol::refusal::{
    Code, MANY_MEMBERSHIPS, NO_SUCH_MESSAGE, NOT_IN_THE_ROOM, NOT_TO_THIS_USER,
    ONLY_ITS_AUTHOR_EDITS, ONLY_THOSE_DELETE,
};
use crate::protocol::reply::DecodedReply;
use crate::terminal::text;

/// A reply that refuses a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub struct Refused {
    /// The code; `None` if this client does not know it.
    pub code: Option<Code>,
    /// The code that this client does not know.
    pub unknown_code: Option<String>,
    /// The server's text for people. Print it through [`text::visible`] only.
    pub message: String,
    /// The users that the refusal names, if any.
    pub users: Vec<String>,
    /// After how many seconds the same request may be accepted, if the server says so.
    pub retry_after: Option<u32>,
    /// The client refused, with its own text in the user's language.
    pub is_by_client: bool,
}

/// The fields of a positive reply.
///
/// # Errors
/// The refusal, if the reply is one.
pub fn fields_of(reply: DecodedReply) -> Result<Value, Refused> {
    match reply {
        DecodedReply::Done(fields) => Ok(fields),
        DecodedReply::Refused { code, unknown_code, message, users, retry_after } => {
            Err(Refused { code, unknown_code, message, users, retry_after, is_by_client: false })
        }
    }
}

impl Refused {
    /// A refusal with its own text that names no user.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code: Some(code),
            unknown_code: None,
            message: message.into(),
            users: Vec::new(),
            retry_after: None,
            is_by_client: false,
        }
    }

    /// A refusal by this client, without asking the server. `message` is in the user's language.
    pub fn by_client(code: Code, message: impl Into<String>) -> Self {
        Self { is_by_client: true, ..Self::new(code, message) }
    }

    /// The text for this code in the user's language. The server has one language, so its own text
    /// follows in parentheses if it says more. The seed's session prints the server's text
    /// unchanged.
    fn words(&self) -> Cow<'_, str> {
        let message = self.message.as_str();
        let is_seed = language() == Language::Seed;
        let Some(code) = self.known_code() else {
            return match &self.unknown_code {
                Some(word) if !is_seed => refusal::unknown_code(word, message).into(),
                _ => message.into(),
            };
        };
        if let (Code::RateLimited, Some(seconds)) = (code, self.retry_after) {
            return refusal::rate_limited_for(seconds).into();
        }
        let said = self.words_of(code);
        match message.strip_prefix(code.message()) {
            Some("") => said.into(),
            Some(details) => format!("{said}{details}").into(),
            None if self.is_by_client || is_seed => message.into(),
            None if message.is_empty() || is_text_of_a_code(message) => said.into(),
            // Not the server, but this user has too many.
            None if code == Code::TooManyRooms && message.ends_with(MANY_MEMBERSHIPS) => {
                refusal::you_had_too_many_memberships().into()
            }
            None if code == Code::TooManyRooms => refusal::you_have_too_many_rooms().into(),
            None => match exact_words(message) {
                Some(exact) => exact.into(),
                None => format!("{said} ({message})").into(),
            },
        }
    }

    /// The text for this code. An unknown recipient may be a user or a room.
    fn words_of(&self, code: Code) -> &'static str {
        let is_room = |name: &String| name.starts_with('#');
        match code {
            Code::UnknownRecipient if language() == Language::Seed => words_of(code),
            Code::UnknownRecipient if self.users.iter().any(is_room) => {
                if self.users.iter().all(is_room) {
                    refusal::unknown_room()
                } else {
                    room::no_such_user_or_room()
                }
            }
            code => words_of(code),
        }
    }

    /// What to do about a refusal that is about a room.
    pub(super) fn hint_about_a_room(&self) -> Option<String> {
        let name = self.users.first().and_then(|name| name.strip_prefix('#'));
        let is_of_everybody = name == Some(UserName::reserved().as_str());
        match self.code? {
            Code::UnknownRoom | Code::UnknownRecipient if is_of_everybody => {
                Some(room::operator_makes_room_of_everybody().to_owned())
            }
            Code::NotAllowed if is_of_everybody => Some(room::operator_allows_to_post().to_owned()),
            Code::RoomOfEverybody => Some(room::mute_room_of_everybody().to_owned()),
            Code::UnknownRoom | Code::UnknownRecipient => {
                name.map(|_| room::list_rooms().to_owned())
            }
            Code::NotAllowed => name.map(room::show_room),
            Code::LastOwner => Some(room::name_an_owner().to_owned()),
            _ => None,
        }
    }

    /// The line for a person, safe to print on a terminal.
    pub fn line(&self) -> String {
        shared::refused(text::visible(&self.to_string()))
    }

    /// [`Self::line`] with the users that the refusal names.
    pub fn line_naming_users(&self) -> String {
        shared::refused(text::visible(&self.naming_users()))
    }

    /// The text with the users that the refusal names.
    pub(super) fn naming_users(&self) -> String {
        let (shown, users) = (self.to_string(), self.users.join(", "));
        let names = format!(": {users}");
        if users.is_empty() || shown.ends_with(&names) { shown } else { shown + &names }
    }

    /// Whether nothing was done and the same request may be accepted a moment later.
    pub fn is_temporary(&self) -> bool {
        let passing = [Code::Busy, Code::ShuttingDown, Code::TooManyConnections];
        self.code.is_some_and(|code| passing.contains(&code))
    }

    /// The code, also if the seed's own server sent only a text.
    pub fn known_code(&self) -> Option<Code> {
        code_of(self.code, &self.message)
    }

    pub(super) fn exit(&self) -> Exit {
        self.known_code().map_or(Exit::Protocol, Exit::of)
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Self::new(code, code.message())
    }
}

/// The seed's own server sends texts without codes.
fn code_of(code: Option<Code>, message: &str) -> Option<Code> {
    code.or_else(|| Code::ALL.iter().copied().find(|code| code.message() == message))
}

/// Whether this is the text of some code, so that it adds nothing to the translated text.
fn is_text_of_a_code(message: &str) -> bool {
    Code::ALL.iter().any(|code| code.message() == message || words_of(*code) == message)
}

/// The words for a text that says more than its code.
fn exact_words(message: &str) -> Option<&'static str> {
    Some(match message {
        NOT_TO_THIS_USER => refusal::not_allowed_to_user(),
        NOT_IN_THE_ROOM => refusal::not_in_the_room(),
        ONLY_ITS_AUTHOR_EDITS => refusal::only_its_author_edits(),
        ONLY_THOSE_DELETE => refusal::only_those_delete(),
        _ if message.ends_with(NO_SUCH_MESSAGE) => refusal::no_such_message(),
        _ => return None,
    })
}

fn words_of(code: Code) -> &'static str {
    match code {
        Code::BadRequest => refusal::bad_request(),
        Code::UnknownCommand => refusal::unknown_command(),
        Code::Usage => refusal::usage(),
        Code::LineTooLong => refusal::line_too_long(),
        Code::BadLine => refusal::bad_line(),
        Code::BadEncoding => refusal::bad_encoding(),
        Code::WrongProtocol => refusal::wrong_protocol(),
        Code::BadArgument => refusal::bad_argument(),
        Code::BadQuery => refusal::bad_query(),
        Code::NoSession => refusal::no_session(),
        Code::UnknownUser => refusal::unknown_user(),
        Code::WrongPassword => refusal::wrong_password(),
        Code::RateLimited => refusal::rate_limited(),
        Code::TooManySessions => refusal::too_many_sessions(),
        Code::UnknownRecipient => refusal::unknown_recipient(),
        Code::UsersHidden => refusal::users_hidden(),
        Code::EmptyMessage => refusal::empty_message(),
        Code::TooLong => refusal::too_long(),
        Code::KeyConflict => refusal::key_conflict(),
        Code::InboxFull => refusal::inbox_full(),
        Code::UnknownMessage => refusal::unknown_message(),
        Code::ReceiptsOff => refusal::receipts_off(),
        Code::NotYours => refusal::not_yours(),
        Code::UnknownRoom => refusal::unknown_room(),
        Code::RoomExists => refusal::room_exists(),
        Code::NotAllowed => refusal::not_allowed(),
        Code::LastOwner => refusal::last_owner(),
        Code::RoomArchived => refusal::room_archived(),
        Code::RoomOfEverybody => refusal::room_of_everybody(),
        Code::TooManyRooms => refusal::too_many_rooms(),
        Code::UnknownExpectation => refusal::unknown_expectation(),
        Code::UnknownScheduled => refusal::unknown_scheduled(),
        Code::TokenRights => refusal::token_rights(),
        Code::TokenExists => refusal::token_exists(),
        Code::TooManyTokens => refusal::too_many_tokens(),
        Code::UnknownInvitation => refusal::unknown_invitation(),
        Code::InvitationUsed => refusal::invitation_used(),
        Code::NameTaken => refusal::name_taken(),
        Code::Busy => refusal::busy(),
        Code::StorageFull => refusal::storage_full(),
        Code::TooManyConnections => refusal::too_many_connections(),
        Code::ShuttingDown => refusal::shutting_down(),
        Code::Internal => refusal::internal(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::speaking;
    use crate::client::failure::Failure;

    fn report(failure: &Failure) -> String {
        let mut out = Vec::new();
        failure.report(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn refusal_has_the_seeds_text_in_the_seeds_session_only() {
        let failure = Failure::from(Code::WrongPassword);
        let shown = |language| speaking(language, || report(&failure));
        assert_eq!(shown(Language::Seed), "Error, Password Salah\n");
        assert_eq!(shown(Language::English), "Error, the password is wrong\n");
        assert_eq!((report(&failure), failure.exit() as u8), (shown(Language::English), 77));
    }

    /// Too many rooms of the user, or of the server.
    #[test]
    fn user_in_too_many_rooms_is_told_what_to_do() {
        let server = Refused::from(Code::TooManyRooms);
        let user = Refused::new(Code::TooManyRooms, "you are in 1024 rooms: leave one first");
        let shown = |language, refused: &Refused| speaking(language, || refused.to_string());
        assert_eq!(shown(Language::English, &server), "there are too many rooms");
        let of_user = "you are in too many rooms: leave one first";
        assert_eq!(shown(Language::English, &user), of_user);
        let of_user = "kamu ada di terlalu banyak ruang: tinggalkan salah satunya dulu";
        assert_eq!(shown(Language::Indonesian, &user), of_user);
        assert_eq!(shown(Language::Seed, &user), user.message);
        let ever = format!("you have had 8192 {MANY_MEMBERSHIPS}");
        let ever = Refused::new(Code::TooManyRooms, ever);
        let of_user = "you have joined rooms too often, and can join no more";
        assert_eq!(shown(Language::English, &ever), of_user);
    }

    /// The page in the browser finds its translations by the English words.
    #[test]
    fn text_that_says_more_than_its_code_is_translated_and_not_contradicted() {
        for message in [NOT_TO_THIS_USER, NOT_IN_THE_ROOM, ONLY_ITS_AUTHOR_EDITS, ONLY_THOSE_DELETE]
        {
            let refused = Refused::new(Code::NotAllowed, message);
            let shown = |language| speaking(language, || refused.to_string());
            assert_eq!(shown(Language::English), message);
            assert_ne!(shown(Language::Indonesian), message);
            assert_eq!(shown(Language::Seed), message);
        }
        let refused = Refused::new(Code::UnknownMessage, format!("id: {NO_SUCH_MESSAGE}"));
        assert_eq!(speaking(Language::English, || refused.to_string()), NO_SUCH_MESSAGE);
    }

    #[test]
    fn refusal_of_a_server_without_codes_ends_the_same_way() {
        for (message, exit) in [
            ("Password Salah", Exit::NotLoggedIn),
            ("User Tidak Ditemukan", Exit::NoUser),
            ("Informasi tidak ditemukan", Exit::Protocol),
        ] {
            let (message, users) = (message.to_owned(), Vec::new());
            let known = Refused::new(Code::Busy, message);
            let refused = Refused { code: None, users, ..known };
            assert_eq!(Failure::from(refused).exit(), exit, "{exit:?}");
        }
    }

    #[test]
    fn refusal_is_in_the_chosen_language() {
        let shown = |language, refused: &Refused| speaking(language, || refused.line());
        let wrong = Refused::from(Code::WrongPassword);
        assert_eq!(shown(Language::English, &wrong), "Error, the password is wrong");
        assert_eq!(shown(Language::Indonesian, &wrong), "Error, Password Salah");
        assert_eq!(shown(Language::Seed, &wrong), "Error, Password Salah");
        let named = Refused::new(Code::UnknownRecipient, "User Tidak Ditemukan: conner");
        assert_eq!(shown(Language::English, &named), "Error, there is no such user: conner");
        let detailed = Refused::new(Code::BadArgument, "to: it is empty");
        let line = "Error, the JSON argument is not understood (to: it is empty)";
        assert_eq!(shown(Language::English, &detailed), line);
        assert_eq!(shown(Language::Seed, &detailed), "Error, to: it is empty");
        let line = "Error, argumen JSON-nya tidak dipahami (to: it is empty)";
        assert_eq!(shown(Language::Indonesian, &detailed), line);
        // The code decides, whatever the server's text is.
        let other = Refused::new(Code::NoSession, "User Tidak Ada");
        assert_eq!(shown(Language::English, &other), "Error, there is no such session");
        let ours = Refused::by_client(Code::TooLong, "the message is longer than 32768 bytes");
        assert_eq!(
            shown(Language::English, &ours),
            "Error, the message is longer than 32768 bytes"
        );
        let of_the_seed = Refused { code: None, ..Refused::new(Code::Busy, "no more today") };
        assert_eq!(shown(Language::Indonesian, &of_the_seed), "Error, no more today");
        let newer = Refused { unknown_code: Some("tired".to_owned()), ..of_the_seed };
        assert_eq!(shown(Language::English, &newer), "Error, refused as tired: no more today");
        assert_eq!(
            shown(Language::Indonesian, &newer),
            "Error, ditolak sebagai tired: no more today"
        );
        assert_eq!(shown(Language::Seed, &newer), "Error, no more today");
        let mut out = Vec::new();
        Failure::from(newer).report_json(&mut out);
        let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&object["code"], &object["exit"]), (&"tired".into(), &76.into()));
    }

    #[test]
    fn recipient_that_is_unknown_is_called_a_user_or_a_room() {
        let shown = |users: &[&str], language| {
            let users = users.iter().map(ToString::to_string).collect();
            let refused = Refused { users, ..Refused::from(Code::UnknownRecipient) };
            speaking(language, || refused.line_naming_users())
        };
        let english = |users: &[&str]| shown(users, Language::English);
        assert_eq!(english(&["#x"]), "Error, there is no such room: #x");
        assert_eq!(english(&["x"]), "Error, there is no such user: x");
        assert_eq!(english(&["x", "#x"]), "Error, there is no such user or room: x, #x");
        assert_eq!(shown(&["#x"], Language::Indonesian), "Error, tidak ada ruang itu: #x");
        assert_eq!(shown(&["#x"], Language::Seed), "Error, User Tidak Ditemukan: #x");
    }

    #[test]
    fn refusal_that_ends_by_itself_says_when() {
        let message = "too many failed logins: try again in 42 s";
        let held = Refused { retry_after: Some(42), ..Refused::new(Code::RateLimited, message) };
        let shown = |language| speaking(language, || held.line());
        assert_eq!(shown(Language::English), format!("Error, {message}"));
        assert_eq!(shown(Language::Seed), format!("Error, {message}"));
        let line = "Error, terlalu banyak login yang gagal: coba lagi dalam 42 detik";
        assert_eq!(shown(Language::Indonesian), line);
        let mut out = Vec::new();
        let failure = Failure::from(held);
        failure.report_json(&mut out);
        let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&object["code"], &object["exit"]), (&"rate_limited".into(), &75.into()));
        assert_eq!(object["retry_after"], 42);
        // A command does not keep trying for so long.
        assert!(!matches!(&failure, Failure::Refused(held) if held.is_temporary()));
    }

    #[test]
    fn every_code_has_words_and_in_the_seeds_session_those_of_the_wire() {
        for &code in Code::ALL {
            let seeds = speaking(Language::Seed, || Refused::from(code).to_string());
            assert_eq!(seeds, code.message());
            let english = speaking(Language::English, || words_of(code));
            assert!(english.is_ascii() && !english.contains("Tidak"), "{code}: {english}");
            let indonesian = speaking(Language::Indonesian, || words_of(code));
            assert_ne!(english, indonesian, "{code}");
        }
    }

    #[test]
    fn text_of_the_server_cannot_reach_the_terminal_raw() {
        let message = "\x1b]52;c;AAAA\x07\u{202e}no\nerror: x".to_owned();
        let shown = report(&Refused { code: None, ..Refused::new(Code::Busy, message) }.into());
        assert_eq!(shown, "Error, \\x1b]52;c;AAAA\\x07\\u{202e}no\\nerror: x\n");
    }
}
