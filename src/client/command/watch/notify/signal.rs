//! Notifications through the terminal: an escape sequence where the terminal is known to show it as
//! a notification, else the bell.

use std::env;
use std::io::{self, IsTerminal};

use super::notification::{Notification, clip};
use crate::terminal;

/// How much of a message an escape sequence has.
const CHARS_MAX: usize = 200;

/// What the terminal understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// OSC 9: one text.
    Osc9,
    /// OSC 777: a headline and a text.
    Osc777,
    /// Every terminal has a bell.
    Bell,
}

impl Signal {
    /// What the terminal on standard output or standard error understands; `None` without a
    /// terminal.
    pub fn find() -> Option<Self> {
        let is_there = terminal::is_shown() || io::stderr().is_terminal();
        let value = |name| env::var(name).unwrap_or_default();
        is_there.then(|| Self::of(&value("TERM"), &value("TERM_PROGRAM")))
    }

    /// By the variables that terminals set. `tmux` and `screen` set them too, and pass neither
    /// sequence on.
    fn of(term: &str, program: &str) -> Self {
        match (term, program) {
            ("xterm-kitty", _) => Self::Osc9,
            ("foot" | "foot-extra" | "xterm-ghostty" | "wezterm", _) => Self::Osc777,
            _ if ["tmux", "screen", "dumb"].iter().any(|name| term.starts_with(name)) => Self::Bell,
            (_, "iTerm.app") => Self::Osc9,
            (_, "WezTerm" | "ghostty") => Self::Osc777,
            _ => Self::Bell,
        }
    }

    /// The bytes to write.
    pub fn sequence(self, told: &Notification) -> String {
        // The texts have no control characters except line feeds. A semicolon ends a field.
        let field = |text: &str| clip(&text.replace('\n', " ").replace(';', ","), CHARS_MAX);
        let (headline, body) = (field(&told.headline), field(&told.body));
        match self {
            Self::Osc9 => format!("\x1b]9;{headline}: {body}\x1b\\"),
            Self::Osc777 => format!("\x1b]777;notify;{headline};{body}\x1b\\"),
            Self::Bell => "\x07".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Priority;

    #[test]
    fn terminal_is_known_by_its_variables() {
        for (term, program, signal) in [
            ("xterm-256color", "", Signal::Bell),
            ("xterm-256color", "iTerm.app", Signal::Osc9),
            ("xterm-256color", "WezTerm", Signal::Osc777),
            ("xterm-kitty", "", Signal::Osc9),
            ("foot", "", Signal::Osc777),
            ("tmux-256color", "tmux", Signal::Bell),
            ("screen.xterm-256color", "iTerm.app", Signal::Bell),
            ("", "", Signal::Bell),
        ] {
            assert_eq!(Signal::of(term, program), signal, "{term} {program}");
        }
    }

    #[test]
    fn sequence_has_no_other_control_characters_and_the_right_fields() {
        let told = Notification {
            headline: "paff: one;two".to_owned(),
            body: "a;b\n\\x1b]0;x\\x07".to_owned(),
            priority: Priority::Default,
            question: None,
        };
        let text = "a,b \\x1b]0,x\\x07";
        assert_eq!(Signal::Osc9.sequence(&told), format!("\x1b]9;paff: one,two: {text}\x1b\\"));
        let fields = format!("paff: one,two;{text}");
        assert_eq!(Signal::Osc777.sequence(&told), format!("\x1b]777;notify;{fields}\x1b\\"));
        assert_eq!(Signal::Bell.sequence(&told), "\x07");
    }
}
