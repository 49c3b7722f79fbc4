//! What is typed at the prompt.

/// A line, understood. Its parts are as they were typed; whether they are valid is asked later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// Nothing.
    Empty,
    /// `auth USER [PASSWORD]`
    Auth {
        /// Who.
        user: &'a str,
        /// The rest of the line; a password may have spaces in it.
        password: Option<&'a str>,
    },
    /// `send TO TEXT`
    Send {
        /// Whom it is for.
        to: &'a str,
        /// The rest of the line, without the white space around it.
        text: &'a str,
    },
    /// `inbox`
    Inbox,
    /// `list`
    List,
    /// `logout`
    Logout,
    /// `help`
    Help,
    /// `quit`, `exit`
    Quit,
    /// The verb lacks an argument.
    Incomplete,
    /// There is no such verb.
    Unknown,
}

impl<'a> Line<'a> {
    /// Understands a line. White space around it, and more than one space before an argument, do
    /// not matter; those inside a text do. What follows a verb that takes nothing is not looked
    /// at, as in the seed's client.
    pub fn parse(line: &'a str) -> Self {
        let (verb, rest) = first_word(line.trim_ascii());
        match verb {
            "" => Self::Empty,
            "auth" => match first_word(rest) {
                ("", _) => Self::Incomplete,
                (user, "") => Self::Auth { user, password: None },
                (user, password) => Self::Auth { user, password: Some(password) },
            },
            "send" => match first_word(rest) {
                ("", _) | (_, "") => Self::Incomplete,
                (to, text) => Self::Send { to, text },
            },
            "inbox" => Self::Inbox,
            "list" => Self::List,
            "logout" => Self::Logout,
            "help" => Self::Help,
            "quit" | "exit" => Self::Quit,
            _ => Self::Unknown,
        }
    }

    /// Whether the line may hold a password, so that it is not to be kept.
    pub fn is_secret(line: &str) -> bool {
        first_word(line.trim_ascii()).0 == "auth"
    }
}

/// The first word, and what follows it.
pub fn first_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_understood_as_by_the_seeds_client() {
        for (line, meaning) in [
            ("auth paff cytus", Line::Auth { user: "paff", password: Some("cytus") }),
            ("auth paff", Line::Auth { user: "paff", password: None }),
            ("auth paff two words ", Line::Auth { user: "paff", password: Some("two words") }),
            ("send neko hai neko", Line::Send { to: "neko", text: "hai neko" }),
            ("send neko  a  b ", Line::Send { to: "neko", text: "a  b" }),
            (" list", Line::List),
            ("list\r", Line::List),
            ("inbox now", Line::Inbox),
            ("logout", Line::Logout),
            ("", Line::Empty),
            ("  ", Line::Empty),
            ("auth", Line::Incomplete),
            ("send", Line::Incomplete),
            ("send neko", Line::Incomplete),
            ("send neko  ", Line::Incomplete),
            ("AUTH paff cytus", Line::Unknown),
            ("sendneko hai", Line::Unknown),
            ("list\tall", Line::Unknown),
        ] {
            assert_eq!(Line::parse(line), meaning, "{line:?}");
        }
    }

    #[test]
    fn lines_with_a_password_are_secret() {
        for line in ["auth paff cytus", "  auth paff cytus", "auth", "auth paff"] {
            assert!(Line::is_secret(line), "{line:?}");
        }
        for line in ["list", "send auth x", "author"] {
            assert!(!Line::is_secret(line), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_understood_as_auth_is_secret(line in "[ auth\ta-c]{0,12}") {
            if matches!(Line::parse(&line), Line::Auth { .. }) {
                prop_assert!(Line::is_secret(&line));
            }
        }

        #[test]
        fn texts_keep_their_inner_spaces(text in "[a-z]( {0,3}[a-z]){0,5}") {
            let line = format!("send neko {text}");
            prop_assert_eq!(Line::parse(&line), Line::Send { to: "neko", text: &text });
        }
    }
}
