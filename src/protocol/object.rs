//! A request as a JSON object, for transports that carry the verb and the token beside it. The newer
//! verbs have the arguments of their lines; the seed's verbs have fields here, too.

use serde::Deserialize;

use super::arguments::bad_argument;
use super::command::{
    Action, NO_TOKEN, Nothing, Request, accept, auth, invitation, read_arguments, send,
};
use super::refusal::{Code, Refusal};
use super::verb::Verb;
use crate::model::Token;

/// The fields of `auth`.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthFields {
    /// The name of the user.
    user: String,
    /// The password.
    password: String,
}

/// The fields of `send`.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendFields {
    /// A user, or a room with its `#`.
    to: String,
    /// The text. White space at its ends does not belong to it.
    body: String,
}

impl Verb {
    /// Whether a request with this verb has a token.
    pub fn needs_token(self) -> bool {
        !matches!(self, Self::Auth | Self::Invitation | Self::Accept | Self::Hello | Self::Help)
    }
}

impl Request {
    /// Reads the JSON object of a verb that needs no token. Without an object it is `{}`.
    ///
    /// # Errors
    /// The object is wrong. [`Code::NoSession`] if the verb needs a token.
    pub fn of_open_object(verb: Verb, object: &str) -> Result<Self, Refusal> {
        let object = given(object)?;
        match verb {
            Verb::Auth => {
                let AuthFields { user, password } = read_arguments(object)?;
                if user.is_empty() || password.is_empty() {
                    return Err(Code::Usage.into());
                }
                auth(&user, &password)
            }
            Verb::Invitation => invitation(object),
            Verb::Accept => accept(object),
            Verb::Hello => read_arguments(object).map(|Nothing {}| Self::Hello),
            Verb::Help => read_arguments(object).map(|Nothing {}| Self::Help),
            _ => Err(Code::NoSession.into()),
        }
    }

    /// Reads the JSON object of a verb in the session of this token. Without an object it is `{}`.
    ///
    /// # Errors
    /// There is no such verb in a session. An error in the object is part of the request, because
    /// the session is checked first.
    pub fn of_object(verb: Verb, token: Token, object: &str) -> Result<Self, Refusal> {
        let action = match verb {
            Verb::Send => given(object).and_then(read_arguments).and_then(|fields| {
                let SendFields { to, body } = fields;
                send(&to, &body)
            }),
            Verb::Inbox => nothing(object, Action::Inbox),
            Verb::List => nothing(object, Action::List),
            Verb::Logout => nothing(object, Action::Logout),
            _ if !verb.needs_token() => return Err(Code::UnknownCommand.into()),
            // The object is written as in the line. White space in it does not matter.
            _ => {
                match Self::parse(&format!("{} {NO_TOKEN} {}", verb.as_str(), object.trim_ascii()))?
                {
                    Self::InSession { action, token: _ } => action,
                    _ => return Err(Code::UnknownCommand.into()),
                }
            }
        };
        Ok(Self::InSession { token, action })
    }
}

fn nothing(object: &str, action: Action) -> Result<Action, Refusal> {
    read_arguments(given(object)?).map(|Nothing {}| action)
}

fn given(object: &str) -> Result<&str, Refusal> {
    match object.trim_ascii() {
        "" => Ok("{}"),
        object if object.starts_with('{') => Ok(object),
        _ => Err(bad_argument("give one JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "7a592c0e-2cb5-4de6-866b-4e216b0caf15";

    fn token() -> Token {
        TOKEN.parse().unwrap()
    }

    fn code(request: Result<Request, Refusal>) -> Code {
        match request {
            Err(refusal) | Ok(Request::InSession { action: Err(refusal), .. }) => refusal.code,
            Ok(request) => panic!("{request:?}"),
        }
    }

    #[test]
    fn object_is_the_request_of_the_line() {
        for (verb, object, line) in [
            (Verb::Inbox, "", format!("inbox {TOKEN}")),
            (Verb::List, " {\n}\n", format!("list {TOKEN}")),
            (Verb::Logout, "{}", format!("logout {TOKEN}")),
            (Verb::Send, r#"{"to": "neko", "body": " a  b "}"#, format!("send {TOKEN} neko a  b")),
            (
                Verb::Fetch,
                "{\r\n  \"unread\": true\n}\n",
                format!(r#"fetch {TOKEN} {{"unread": true}}"#),
            ),
            (Verb::Whoami, "", format!("whoami {TOKEN}")),
        ] {
            assert_eq!(Request::of_object(verb, token(), object), Request::parse(&line), "{line}");
        }
        let object = r#"{"user": "paff", "password": "cytus"}"#;
        let line = Request::parse("auth paff cytus");
        assert_eq!(Request::of_open_object(Verb::Auth, object), line);
        assert_eq!(Request::of_open_object(Verb::Hello, ""), Ok(Request::Hello));
    }

    #[test]
    fn object_that_is_none_or_has_other_fields_is_refused() {
        for verb in [Verb::Inbox, Verb::Send, Verb::Post, Verb::Whoami] {
            for object in ["[]", "x", "{", "{} {}", r#"{"unknown": 1}"#] {
                let request = Request::of_object(verb, token(), object);
                assert_eq!(code(request), Code::BadArgument, "{verb:?} {object}");
            }
        }
        for (object, expected) in [
            ("{}", Code::BadArgument),
            (r#"{"user": "paff"}"#, Code::BadArgument),
            (r#"{"user": "no one", "password": "x"}"#, Code::UnknownUser),
            (r#"{"user": "paff", "password": ""}"#, Code::Usage),
        ] {
            assert_eq!(code(Request::of_open_object(Verb::Auth, object)), expected, "{object}");
        }
        assert_eq!(code(Request::of_open_object(Verb::Inbox, "{}")), Code::NoSession);
        assert_eq!(code(Request::of_object(Verb::Auth, token(), "{}")), Code::UnknownCommand);
    }
}
