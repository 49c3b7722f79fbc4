//! Parses the lines of the prompt.

/// The verbs of the prompt.
pub const VERBS: &[&str] = &[
    "answer",
    "ask",
    "auth",
    "bell",
    "block",
    "conversations",
    "delete",
    "edit",
    "exit",
    "help",
    "history",
    "inbox",
    "later",
    "list",
    "logout",
    "passwd",
    "quit",
    "receipts",
    "reply",
    "revoke",
    "room",
    "scheduled",
    "search",
    "send",
    "sessions",
    "status",
    "to",
    "unblock",
    "unread",
    "until",
    "users",
    "who",
    "whoami",
];
/// A command of `room`.
macro_rules! room {
    ($command:literal) => {
        concat!("room ", $command)
    };
}

/// Verbs of other programs, with the equivalent verb of the prompt.
const SYNONYMS: &[(&str, &str)] = &[
    ("bye", "quit"),
    ("channel", "room"),
    ("channels", room!("list")),
    ("chats", "conversations"),
    ("create", room!("create")),
    ("del", "delete"),
    ("find", "search"),
    ("ignore", "block"),
    ("grep", "search"),
    ("invite", room!("invite")),
    ("join", room!("join")),
    ("kick", room!("kick")),
    ("leave", room!("leave")),
    ("login", "auth"),
    ("members", room!("members")),
    ("msg", "send"),
    ("read", "inbox"),
    ("rooms", room!("list")),
    ("say", "send"),
    ("tell", "send"),
    ("online", "who"),
];
/// Verbs that may precede a password.
const SECRET_VERBS: &[&str] = &["auth", "login", "passwd"];
/// Verbs that precede the name of a user.
pub const TAKES_NAME: &[&str] = &["ask", "auth", "block", "history", "send", "to", "unblock"];

/// The least similarity of a suggestion; 1 is equality.
const SIMILARITY_MIN: f64 = 0.8;

/// With this option, `auth` stores nothing.
const FORGET: &str = "--forget";

/// With this option, `ask` offers answers.
const CHOICE: &str = "--choice";

/// A parsed line. Its parts are as they were typed and may be invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// An empty line.
    Empty,
    /// `auth [--forget] USER [PASSWORD]`
    Auth {
        /// The user; empty to ask for it.
        user: &'a str,
        /// The rest of the line; a password may contain spaces.
        password: Option<&'a str>,
        /// Whether the login is not to be stored.
        is_forgotten: bool,
    },
    /// `send TO[,TO…] TEXT`
    Send {
        /// The recipients, separated by commas.
        to: &'a str,
        /// The rest of the line, without the white space around it.
        text: &'a str,
    },
    /// `later [at|in] WHEN TO[,TO…] TEXT`
    Later {
        /// When it is sent: a time or a duration.
        when: &'a str,
        /// The recipients, separated by commas.
        to: &'a str,
        /// The rest of the line, without the white space around it.
        text: &'a str,
    },
    /// `until WHEN TO[,TO…] TEXT`
    Until {
        /// When it expires: a time or a duration.
        when: &'a str,
        /// The recipients, separated by commas.
        to: &'a str,
        /// The rest of the line, without the white space around it.
        text: &'a str,
    },
    /// `scheduled`
    Scheduled,
    /// `scheduled cancel ID`
    CancelScheduled {
        /// The number.
        id: i64,
    },
    /// `to USER[,USER…]`, `to`
    To {
        /// The recipients of plain text from now on; empty for none.
        to: &'a str,
    },
    /// `reply TEXT`
    Reply {
        /// The text of the answer.
        text: &'a str,
    },
    /// `reply ID TEXT`
    ReplyTo {
        /// The message to answer.
        id: i64,
        /// The text of the answer.
        text: &'a str,
    },
    /// `edit ID TEXT`
    Edit {
        /// The message.
        id: i64,
        /// Its new text.
        text: &'a str,
    },
    /// `delete ID`
    Delete {
        /// The message.
        id: i64,
    },
    /// `ask [--choice ANSWER[,ANSWER…]] TO TEXT`
    Ask {
        /// The offered answers, separated by commas.
        choices: Option<&'a str>,
        /// The user, or the room.
        to: &'a str,
        /// The question.
        text: &'a str,
    },
    /// `answer TEXT`
    Answer {
        /// The answer to the only open question.
        text: &'a str,
    },
    /// `bell`, `bell on`, `bell off`
    Bell {
        /// Whether messages ring from now on; `None` to show the setting.
        is_on: Option<bool>,
    },
    /// `inbox`
    Inbox,
    /// `list`
    List,
    /// `users`
    Users,
    /// `logout`
    Logout,
    /// `history [USER|ROOM]`
    History {
        /// Only the conversation with this user, or in this room.
        with: Option<&'a str>,
    },
    /// `room WORDS…`
    Room {
        /// The words of the command.
        words: &'a str,
    },
    /// `search QUERY`
    Search {
        /// What to find; the server parses it.
        query: &'a str,
    },
    /// `conversations`
    Conversations,
    /// `receipts [ID|on|off]`
    Receipts {
        /// The message or the setting; may be empty.
        of: &'a str,
    },
    /// `who`
    Who,
    /// `status [TEXT]`
    Status {
        /// The status, `-` or an option; may be empty.
        text: &'a str,
    },
    /// `block [USER]`
    Block {
        /// The user; empty to show who is blocked.
        user: &'a str,
    },
    /// `unblock USER`
    Unblock {
        /// The user.
        user: &'a str,
    },
    /// `unread`
    Unread,
    /// `whoami`
    Whoami,
    /// `sessions`
    Sessions,
    /// `revoke ID`, `revoke others`
    Revoke {
        /// The session or `others`; may be empty.
        which: &'a str,
    },
    /// `passwd`
    Passwd,
    /// `help`
    Help,
    /// `quit`, `exit`
    Quit,
    /// An argument is missing or invalid.
    Incomplete,
    /// There are more words than the verb takes.
    Surplus,
    /// `passwd` with words after it, which are probably passwords.
    PasswdWithWords,
    /// The verb is unknown.
    Unknown,
}

impl<'a> Line<'a> {
    /// Parses a line. White space around it, and repeated spaces before an argument, are ignored;
    /// spaces inside a text are kept.
    pub fn parse(line: &'a str) -> Self {
        let (verb, rest) = first_word(line.trim_ascii());
        match (verb, first_word(rest)) {
            ("", _) => Self::Empty,
            ("auth", (FORGET, rest)) => Self::auth(first_word(rest), true),
            ("auth", words) => Self::auth(words, false),
            ("send", ("", _) | (_, "")) | ("reply" | "answer" | "search", ("", _)) => {
                Self::Incomplete
            }
            ("send", (to, text)) => Self::Send { to, text },
            ("later", ("at" | "in", rest)) => Self::later(first_word(rest)),
            ("later", words) => Self::later(words),
            ("until", (when, rest)) => match first_word(rest) {
                (_, "") => Self::Incomplete,
                (to, text) => Self::Until { when, to, text },
            },
            ("scheduled", ("", _)) => Self::Scheduled,
            ("scheduled", ("cancel", id)) => {
                id.parse().map_or(Self::Incomplete, |id| Self::CancelScheduled { id })
            }
            ("answer", _) => Self::Answer { text: rest },
            ("ask", (CHOICE, rest)) => {
                let (choices, rest) = first_word(rest);
                Self::ask(Some(choices), first_word(rest))
            }
            ("ask", words) => Self::ask(None, words),
            ("reply", (id, text)) => match id.parse() {
                Ok(id @ 1..) if !text.is_empty() => Self::ReplyTo { id, text },
                _ => Self::Reply { text: rest },
            },
            ("edit", (id, text)) => match id.parse() {
                Ok(id @ 1..) if !text.is_empty() => Self::Edit { id, text },
                _ => Self::Incomplete,
            },
            ("delete", (id, "")) => match id.parse() {
                Ok(id @ 1..) => Self::Delete { id },
                _ => Self::Incomplete,
            },
            ("to", (to, "")) => Self::To { to },
            ("bell", ("", _)) => Self::Bell { is_on: None },
            ("bell", ("on", "")) => Self::Bell { is_on: Some(true) },
            ("bell", ("off", "")) => Self::Bell { is_on: Some(false) },
            ("bell", (_, "")) => Self::Incomplete,
            ("history", ("", _)) => Self::History { with: None },
            ("history", (with, "")) => Self::History { with: Some(with) },
            ("room", _) => Self::Room { words: rest },
            ("search", _) => Self::Search { query: rest },
            ("revoke", (which, "")) => Self::Revoke { which },
            ("who", ("", _)) => Self::Who,
            ("status", _) => Self::Status { text: rest },
            ("block", (user, "")) => Self::Block { user },
            ("unblock", ("", _)) => Self::Incomplete,
            ("unblock", (user, "")) => Self::Unblock { user },
            ("receipts", (of, "")) => Self::Receipts { of },
            ("inbox", ("", _)) => Self::Inbox,
            ("list", ("", _)) => Self::List,
            ("users", ("", _)) => Self::Users,
            ("logout", ("", _)) => Self::Logout,
            ("conversations", ("", _)) => Self::Conversations,
            ("unread", ("", _)) => Self::Unread,
            ("whoami", ("", _)) => Self::Whoami,
            ("sessions", ("", _)) => Self::Sessions,
            ("passwd", ("", _)) => Self::Passwd,
            ("help", ("", _)) => Self::Help,
            ("quit" | "exit", ("", _)) => Self::Quit,
            ("passwd", _) => Self::PasswdWithWords,
            _ if VERBS.contains(&verb) => Self::Surplus,
            _ => Self::Unknown,
        }
    }

    fn auth((user, password): (&'a str, &'a str), is_forgotten: bool) -> Self {
        let password = (!password.is_empty()).then_some(password);
        Self::Auth { user, password, is_forgotten }
    }

    fn ask(choices: Option<&'a str>, (to, text): (&'a str, &'a str)) -> Self {
        if text.is_empty() { Self::Incomplete } else { Self::Ask { choices, to, text } }
    }

    fn later((when, rest): (&'a str, &'a str)) -> Self {
        match first_word(rest) {
            (_, "") => Self::Incomplete,
            (to, text) => Self::Later { when, to, text },
        }
    }

    /// The verb that was probably meant by the unknown first word of a line.
    pub fn suggestion(line: &str) -> Option<&'static str> {
        let word = first_word(line.trim_ascii()).0.to_lowercase();
        let names = VERBS.iter().map(|&verb| (verb, verb)).chain(SYNONYMS.iter().copied());
        nearest(&word, names)
    }

    /// Whether an unknown line may contain a password, so that it must not be sent as a text.
    pub fn looks_secret(line: &str) -> bool {
        let word = first_word(line.trim_ascii()).0.to_lowercase();
        let is_near = |verb: &str| strsim::damerau_levenshtein(&word, verb) <= 1;
        SECRET_VERBS.iter().any(|verb| is_near(verb))
    }

    /// Whether the line may contain a password, so that it must not be remembered. A pasted line
    /// may contain several lines.
    pub fn is_secret(line: &str) -> bool {
        let is_secret = |line: &str| matches!(first_word(line.trim_ascii()).0, "auth" | "passwd");
        line.split(['\n', '\r']).any(is_secret)
    }

    /// Whether the line is certainly the command that was meant. Any other line may contain a
    /// password: typed before it was asked for, or in a misspelt login. Only a text may have
    /// several lines, because of other commands nothing after the first line is parsed.
    pub fn is_understood(line: &str) -> bool {
        match Line::parse(line) {
            Line::Unknown | Line::Surplus | Line::PasswdWithWords => false,
            Line::Send { .. }
            | Line::Later { .. }
            | Line::Until { .. }
            | Line::Reply { .. }
            | Line::ReplyTo { .. }
            | Line::Edit { .. }
            | Line::Ask { .. }
            | Line::Answer { .. } => true,
            _ => !line.trim_ascii().contains(['\n', '\r']),
        }
    }
}

/// The value of the name that is most similar to `word`, if one is similar enough.
pub fn nearest<T>(word: &str, names: impl IntoIterator<Item = (impl AsRef<str>, T)>) -> Option<T> {
    let similar = names.into_iter().filter_map(|(name, meant)| {
        let similarity = strsim::jaro_winkler(word, name.as_ref());
        (similarity >= SIMILARITY_MIN).then_some((similarity, meant))
    });
    similar.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, meant)| meant)
}

/// The words of a line. Quotes hold a word together, as in a shell: `--topic 'two words'`. One that
/// is not closed ends with the line.
pub fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None;
    let mut quote = None;
    for character in line.chars() {
        match (character, quote) {
            (_, Some(open)) if character == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (' ' | '\t', None) => words.extend(word.take()),
            _ => word.get_or_insert_with(String::new).push(character),
        }
    }
    words.extend(word);
    words
}

/// The first word and the rest.
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
    fn lines_are_understood() {
        for (line, meaning) in [
            ("auth paff cytus", auth("paff", Some("cytus"), false)),
            ("auth paff", auth("paff", None, false)),
            ("auth paff two words ", auth("paff", Some("two words"), false)),
            ("auth --forget paff", auth("paff", None, true)),
            ("auth --forget  paff cytus", auth("paff", Some("cytus"), true)),
            ("auth paff --forget", auth("paff", Some("--forget"), false)),
            ("auth --forget", auth("", None, true)),
            ("auth", auth("", None, false)),
            ("send neko,paff hai", Line::Send { to: "neko,paff", text: "hai" }),
            ("to neko", Line::To { to: "neko" }),
            ("to", Line::To { to: "" }),
            ("to be honest", Line::Surplus),
            ("reply hai  juga", Line::Reply { text: "hai  juga" }),
            ("reply", Line::Incomplete),
            ("reply 17 yes  please", Line::ReplyTo { id: 17, text: "yes  please" }),
            ("reply 17", Line::Reply { text: "17" }),
            ("reply 0 yes", Line::Reply { text: "0 yes" }),
            ("answer yes", Line::Answer { text: "yes" }),
            ("answer", Line::Incomplete),
            ("ask #build go  now?", Line::Ask { choices: None, to: "#build", text: "go  now?" }),
            (
                "ask --choice yes,no neko go?",
                Line::Ask { choices: Some("yes,no"), to: "neko", text: "go?" },
            ),
            ("ask neko", Line::Incomplete),
            ("ask --choice yes,no neko", Line::Incomplete),
            ("ask", Line::Incomplete),
            ("bell", Line::Bell { is_on: None }),
            ("bell on", Line::Bell { is_on: Some(true) }),
            ("bell off", Line::Bell { is_on: Some(false) }),
            ("bell loud", Line::Incomplete),
            ("bell on on", Line::Surplus),
            ("send neko hai neko", Line::Send { to: "neko", text: "hai neko" }),
            ("send neko  a  b ", Line::Send { to: "neko", text: "a  b" }),
            (" list", Line::List),
            ("conversations", Line::Conversations),
            (
                "later 17:00 neko hai  you",
                Line::Later { when: "17:00", to: "neko", text: "hai  you" },
            ),
            ("later at 17:00 neko hai", Line::Later { when: "17:00", to: "neko", text: "hai" }),
            ("later in 2h neko in 3h", Line::Later { when: "2h", to: "neko", text: "in 3h" }),
            ("until 1d neko hai  you", Line::Until { when: "1d", to: "neko", text: "hai  you" }),
            ("until 1d neko", Line::Incomplete),
            ("until", Line::Incomplete),
            ("later 17:00 neko", Line::Incomplete),
            ("later in 2h neko", Line::Incomplete),
            ("later in", Line::Incomplete),
            ("later", Line::Incomplete),
            ("scheduled", Line::Scheduled),
            ("scheduled cancel 7", Line::CancelScheduled { id: 7 }),
            ("scheduled cancel", Line::Incomplete),
            ("scheduled 7", Line::Surplus),
            ("conversations neko", Line::Surplus),
            ("receipts 7", Line::Receipts { of: "7" }),
            ("receipts", Line::Receipts { of: "" }),
            ("receipts 7 8", Line::Surplus),
            ("who", Line::Who),
            ("block", Line::Block { user: "" }),
            ("block paff", Line::Block { user: "paff" }),
            ("block paff neko", Line::Surplus),
            ("unblock paff", Line::Unblock { user: "paff" }),
            ("unblock", Line::Incomplete),
            ("who neko", Line::Surplus),
            ("status at  lunch", Line::Status { text: "at  lunch" }),
            ("status", Line::Status { text: "" }),
            ("list\r", Line::List),
            ("inbox now", Line::Surplus),
            ("history neko paff", Line::Surplus),
            ("revoke 1 2", Line::Surplus),
            ("passwd cytus", Line::PasswdWithWords),
            ("passwd cytus secret", Line::PasswdWithWords),
            ("logout", Line::Logout),
            ("", Line::Empty),
            ("  ", Line::Empty),
            ("send", Line::Incomplete),
            ("send neko", Line::Incomplete),
            ("send neko  ", Line::Incomplete),
            ("search a  \"b c\"", Line::Search { query: "a  \"b c\"" }),
            ("search", Line::Incomplete),
            ("history", Line::History { with: None }),
            ("history neko", Line::History { with: Some("neko") }),
            ("history #build", Line::History { with: Some("#build") }),
            ("room", Line::Room { words: "" }),
            ("room set #b  --topic 'a  b'", Line::Room { words: "set #b  --topic 'a  b'" }),
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
            "list cytus",
            "passwd cytus secret",
        ] {
            assert!(!Line::is_understood(line), "{line:?}");
        }
        for line in ["list", " list \n", "", "send neko", "send neko one\n  two\n", "history neko"]
        {
            assert!(Line::is_understood(line), "{line:?}");
        }
    }

    #[test]
    fn verb_that_was_meant_is_suggested() {
        for (line, verb) in [
            ("sned neko hai", Some("send")),
            ("SEND neko hai", Some("send")),
            ("auht paff cytus", Some("auth")),
            ("login paff", Some("auth")),
            ("lgoin paff", Some("auth")),
            ("hlep", Some("help")),
            ("histroy", Some("history")),
            ("tell neko hai", Some("send")),
            ("join #build", Some("room join")),
            ("rooms", Some("room list")),
            ("dance", None),
            ("cytus", None),
            ("猫", None),
        ] {
            assert_eq!(Line::suggestion(line), verb, "{line:?}");
        }
        let users = ["neko", "paff"].map(|name| (name, name));
        assert_eq!(nearest("paf", users), Some("paff"));
        assert_eq!(nearest("ivy", users), None);
    }

    #[test]
    fn quotes_hold_a_word_together() {
        for (line, words) in [
            ("", &[][..]),
            ("list  --mine ", &["list", "--mine"]),
            ("set #b --topic 'two  words'", &["set", "#b", "--topic", "two  words"]),
            (r#"set '#b' --topic="it's" x"#, &["set", "#b", "--topic=it's", "x"]),
            ("set b --topic ''", &["set", "b", "--topic", ""]),
            ("set b --topic 'open end", &["set", "b", "--topic", "open end"]),
        ] {
            assert_eq!(shell_words(line), words, "{line:?}");
        }
    }

    #[test]
    fn login_in_other_letters_is_no_text() {
        for line in ["auht paff cytus", "AUTH paff cytus", "login paff", "aut paff", "paswd x"] {
            assert!(Line::looks_secret(line), "{line:?}");
        }
        for line in ["hai neko", "author", "the path", "logging", ""] {
            assert!(!Line::looks_secret(line), "{line:?}");
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
