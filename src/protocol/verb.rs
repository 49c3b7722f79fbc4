//! The verbs, as a closed list: what requests are counted and logged by.

/// Makes [`Verb`] with its word on the wire.
macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What a line asks for, without the arguments.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Verb {
            $($(#[$doc])* $name,)*
        }

        impl Verb {
            /// Every verb.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

verbs! {
    /// Logs in.
    Auth = "auth",
    /// Sends a line of text.
    Send = "send",
    /// Reads what is unread.
    Inbox = "inbox",
    /// Who is logged in.
    List = "list",
    /// Ends the session.
    Logout = "logout",
    /// Sends any text, to several, once a key.
    Post = "post",
    /// Reads a part of the log.
    Fetch = "fetch",
    /// Moves a cursor.
    Ack = "ack",
    /// Counts what is unread.
    Unread = "unread",
    /// Begins a stream.
    Watch = "watch",
    /// Whose session it is.
    Whoami = "whoami",
    /// The user's sessions.
    Sessions = "sessions",
    /// Ends sessions.
    Revoke = "revoke",
    /// Changes the password.
    Passwd = "passwd",
    /// Version and limits.
    Hello = "hello",
    /// The list of verbs.
    Help = "help",
    /// None of these, or one whose arguments are wrong.
    Invalid = "invalid",
}
