//! What is typed at the prompt.

/// The verbs that a person can type.
pub const VERBS: &[&str] = &[
    "auth", "exit", "help", "history", "inbox", "list", "logout", "passwd", "quit", "revoke",
    "send", "sessions", "unread", "whoami",
];
/// Those that a user's name may follow.
pub const TAKES_USER: &[&str] = &["auth", "history", "send"];

/// With this `auth` stores nothing.
const FORGET: &str = "--forget";

/// A line, understood. Its parts are as they were typed; whether they are valid is asked later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// Nothing.
    Empty,
    /// `auth [--forget] USER [PASSWORD]`
    Auth {
        /// Who.
        user: &'a str,
        /// The rest of the line; a password may have spaces in it.
        password: Option<&'a str>,
        /// The login is not to be stored.
        is_forgotten: bool,
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
    /// `history [USER]`
    History {
        /// Only the conversation with this user.
        user: Option<&'a str>,
    },
    /// `unread`
    Unread,
    /// `whoami`
    Whoami,
    /// `sessions`
    Sessions,
    /// `revoke ID`, `revoke others`
    Revoke {
        /// Which; may be empty.
        which: &'a str,
    },
    /// `passwd`
    Passwd,
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
            "auth" => {
                let (is_forgotten, rest) = match first_word(rest) {
                    (FORGET, rest) => (true, rest),
                    _ => (false, rest),
                };
                match first_word(rest) {
                    ("", _) => Self::Incomplete,
                    (user, "") => Self::Auth { user, password: None, is_forgotten },
                    (user, password) => Self::Auth { user, password: Some(password), is_forgotten },
                }
            }
            "send" => match first_word(rest) {
                ("", _) | (_, "") => Self::Incomplete,
                (to, text) => Self::Send { to, text },
            },
            "inbox" => Self::Inbox,
            "list" => Self::List,
            "logout" => Self::Logout,
            "history" => match first_word(rest) {
                ("", _) => Self::History { user: None },
                (user, _) => Self::History { user: Some(user) },
            },
            "unread" => Self::Unread,
            "whoami" => Self::Whoami,
            "sessions" => Self::Sessions,
            "revoke" => Self::Revoke { which: first_word(rest).0 },
            "passwd" => Self::Passwd,
            "help" => Self::Help,
            "quit" | "exit" => Self::Quit,
            _ => Self::Unknown,
        }
    }

    /// Whether the line may hold a password, so that it is not to be kept. What was pasted may be
    /// several lines in one.
    pub fn is_secret(line: &str) -> bool {
        let is_secret = |line: &str| matches!(first_word(line.trim_ascii()).0, "auth" | "passwd");
        line.split(['\n', '\r']).any(is_secret)
    }

    /// Whether all of the line is known to be what it was meant to be. What is not may be anything:
    /// a password typed before it was asked for, a login in other words or other letters. Only a
    /// text may have several lines: what follows the first of anything else is not looked at.
    pub fn is_understood(line: &str) -> bool {
        match Line::parse(line) {
            Line::Unknown => false,
            Line::Send { .. } => true,
            _ => !line.trim_ascii().contains(['\n', '\r']),
        }
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

    fn auth<'a>(user: &'a str, password: Option<&'a str>, is_forgotten: bool) -> Line<'a> {
        Line::Auth { user, password, is_forgotten }
    }

    #[test]
    fn lines_are_understood_as_by_the_seeds_client() {
        for (line, meaning) in [
            ("auth paff cytus", auth("paff", Some("cytus"), false)),
            ("auth paff", auth("paff", None, false)),
            ("auth paff two words ", auth("paff", Some("two words"), false)),
            ("auth --forget paff", auth("paff", None, true)),
            ("auth --forget  paff cytus", auth("paff", Some("cytus"), true)),
            ("auth paff --forget", auth("paff", Some("--forget"), false)),
            ("auth --forget", Line::Incomplete),
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
            ("history", Line::History { user: None }),
            ("history neko", Line::History { user: Some("neko") }),
            ("revoke", Line::Revoke { which: "" }),
            ("revoke others", Line::Revoke { which: "others" }),
            ("send neko one\n  two\n", Line::Send { to: "neko", text: "one\n  two" }),
            ("list\ninbox", Line::Unknown),
            ("AUTH paff cytus", Line::Unknown),
            ("sendneko hai", Line::Unknown),
            ("list\tall", Line::Unknown),
        ] {
            assert_eq!(Line::parse(line), meaning, "{line:?}");
        }
    }

    #[test]
    fn lines_with_a_password_are_secret() {
        for line in [
            "auth paff cytus",
            "  auth paff cytus",
            "auth",
            "auth paff",
            "list\nauth paff cytus",
            "passwd cytus secret",
        ] {
            assert!(Line::is_secret(line), "{line:?}");
        }
        for line in ["list", "send auth x", "author"] {
            assert!(!Line::is_secret(line), "{line:?}");
        }
    }

    #[test]
    fn lines_that_may_be_anything_are_not_understood() {
        for line in [
            "AUTH paff cytus",
            "auht paff cytus",
            "login paff cytus",
            "cytus",
            "auth\tpaff cytus",
            "list\nlogin paff cytus",
            "list all\nlogin paff cytus",
        ] {
            assert!(!Line::is_understood(line), "{line:?}");
        }
        for line in ["list", " list \n", "", "send neko", "send neko one\n  two\n", "history neko"]
        {
            assert!(Line::is_understood(line), "{line:?}");
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
