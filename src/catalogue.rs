//! The texts that people see, in English and in Indonesian, each said once with both side by side.
//!
//! A text is a function: `catalogue::client::message_sent(&to)`. Which language it speaks is one
//! decision a process ([`set_language`]), made before the command line is read. What programs read
//! is no text: words of the protocol, keys and codes of JSON, and the log stay what they are.
//!
//! How to add one: a line in the `texts!` of the area that it belongs to, with `{name}` where a
//! value stands. The compiler asks for both languages, the tests here for the same values in both.

use std::ffi::OsString;
use std::sync::atomic::{AtomicU8, Ordering};

use clap::ValueEnum;

/// Declares the texts of an area: a function each, and the list `TEXTS` of all of them.
///
/// `id:` is the Indonesian; `seed:` stands instead of it where the seed has words of its own: they
/// are Indonesian, and the seed's session keeps them.
macro_rules! texts {
    ($($name:ident $(($($value:ident),+))? { $($language:ident: $words:literal),+ $(,)? })*) => {
        $(texts!(@function $name [$($($value),+)?] [$($language: $words),+]);)*

        /// Every text of this area.
        pub const TEXTS: &[$crate::catalogue::Text] =
            &[$(texts!(@text $name [$($language: $words),+])),*];
    };
    (@text $name:ident [en: $en:literal, id: $id:literal]) => {
        $crate::catalogue::Text { name: stringify!($name), english: $en, indonesian: $id }
    };
    (@text $name:ident [en: $en:literal, seed: $seed:literal]) => {
        texts!(@text $name [en: $en, id: $seed])
    };
    (@function $name:ident [] [en: $en:literal, $other:ident: $id:literal]) => {
        #[doc = concat!("```text\n", $en, "\n```")]
        pub fn $name() -> &'static str {
            if texts!(@is_english $other) { $en } else { $id }
        }
    };
    (@function $name:ident [$($value:ident),+] [en: $en:literal, $other:ident: $id:literal]) => {
        #[doc = concat!("```text\n", $en, "\n```")]
        pub fn $name($($value: impl std::fmt::Display),+) -> String {
            if texts!(@is_english $other) { format!($en) } else { format!($id) }
        }
    };
    (@is_english id) => {
        $crate::catalogue::language() != $crate::catalogue::Language::Indonesian
    };
    (@is_english seed) => {
        $crate::catalogue::language() == $crate::catalogue::Language::English
    };
}

pub mod change;
pub mod client;
pub mod client_help;
pub mod command_line;
pub mod configuration;
pub mod expectation;
pub mod init;
pub mod invitation;
pub mod job;
pub mod mcp;
pub mod notify;
pub mod page;
pub mod people;
pub mod postgres;
pub mod prompt;
pub mod refusal;
pub mod room;
pub mod scheduled;
pub mod serve;
pub mod server;
pub mod server_help;
pub mod shared;
pub mod shared_help;
pub mod storage;
pub mod time;
pub mod token;
pub mod trust;

/// Which language texts are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[repr(u8)]
pub enum Language {
    /// That of the seed's session: English, but the seed's own words where it has some.
    #[value(skip)]
    Seed,
    /// English.
    #[value(name = "en")]
    English,
    /// Indonesian.
    #[value(name = "id")]
    Indonesian,
}

/// The environment variable that chooses.
pub const LANGUAGE_VARIABLE: &str = "CHAT_LANG";

/// The option that chooses, and goes before all else.
const LANGUAGE_OPTION: &str = "--lang";

/// What the process speaks.
static LANGUAGE: AtomicU8 = AtomicU8::new(Language::English as u8);

#[cfg(test)]
pub(crate) use tests::speaking;

/// What the process speaks; [`Language::English`] before it was set. Costs a load from memory.
pub fn language() -> Language {
    #[cfg(test)]
    if let Some(language) = tests::SPOKEN.get() {
        return language;
    }
    match LANGUAGE.load(Ordering::Relaxed) {
        number if number == Language::Seed as u8 => Language::Seed,
        number if number == Language::Indonesian as u8 => Language::Indonesian,
        _ => Language::English,
    }
}

/// From now on the process speaks this.
pub fn set_language(language: Language) {
    LANGUAGE.store(language as u8, Ordering::Relaxed);
}

/// Has something said in English, for a program to read. Not for a process in which another thread
/// speaks to people meanwhile.
pub fn in_english<T>(act: impl FnOnce() -> T) -> T {
    let spoken = language();
    set_language(Language::English);
    let done = act();
    set_language(spoken);
    done
}

impl Language {
    /// What the environment asks for: `CHAT_LANG`, else the locale (`LC_ALL`, `LC_MESSAGES`,
    /// `LANG`, the first that is set). A language that the catalogue has not is answered in
    /// English, so that no setting can break a command.
    pub fn of_environment() -> Self {
        let value = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let names = [LANGUAGE_VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG"];
        names.iter().find_map(value).map_or(Self::English, |locale| Self::of_locale(&locale))
    }

    /// What `--lang` among these words asks for. The words need not make sense otherwise: it is
    /// asked before they are understood, so that what is wrong with them can be told in this
    /// language.
    pub fn named_in(words: &[OsString]) -> Option<Self> {
        let mut words = words.iter().filter_map(|word| word.to_str());
        while let Some(word) = words.next() {
            let value = match word.strip_prefix(LANGUAGE_OPTION) {
                Some("") => words.next()?,
                Some(rest) => rest.strip_prefix('=').unwrap_or_default(),
                None if word == "--" => return None,
                None => continue,
            };
            if let Ok(language) = Self::from_str(value, false) {
                return Some(language);
            }
        }
        None
    }

    /// `id_ID.UTF-8`, `en`, `C.UTF-8` …
    fn of_locale(locale: &str) -> Self {
        match locale.split(['_', '-', '.', '@']).next() {
            Some("id") => Self::Indonesian,
            _ => Self::English,
        }
    }
}

/// A text as it stands in the catalogue, its values as `{name}`.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// Its name.
    pub name: &'static str,
    /// What it says in English,
    pub english: &'static str,
    /// and in Indonesian.
    pub indonesian: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::collections::BTreeSet;

    thread_local! {
        /// What this thread speaks: tests of several languages run at once.
        pub(super) static SPOKEN: Cell<Option<Language>> = const { Cell::new(None) };
    }

    /// Does something in a language.
    pub(crate) fn speaking<T>(language: Language, act: impl FnOnce() -> T) -> T {
        SPOKEN.set(Some(language));
        let done = act();
        SPOKEN.set(None);
        done
    }

    /// Texts that are the same in both languages on purpose.
    const SAME: &[&str] = &[
        "refused",
        "answers_message",
        "answered_by",
        "one_user",
        "failed",
        "password_prompt",
        "change_mode",
        "command",
        "command_with_unread",
        "trace_classic",
        "title_token",
        "title_user",
        "file",
        "log",
        "label_server",
        "server",
        "refused_because",
    ];

    fn all() -> impl Iterator<Item = &'static Text> {
        [
            client::TEXTS,
            client_help::TEXTS,
            configuration::TEXTS,
            expectation::TEXTS,
            scheduled::TEXTS,
            token::TEXTS,
            init::TEXTS,
            invitation::TEXTS,
            command_line::TEXTS,
            shared::TEXTS,
            postgres::TEXTS,
            change::TEXTS,
            prompt::TEXTS,
            refusal::TEXTS,
            room::TEXTS,
            serve::TEXTS,
            server::TEXTS,
            server_help::TEXTS,
            shared_help::TEXTS,
            storage::TEXTS,
            job::TEXTS,
            mcp::TEXTS,
            notify::TEXTS,
            page::TEXTS,
            people::TEXTS,
            time::TEXTS,
            trust::TEXTS,
        ]
        .into_iter()
        .flatten()
    }

    /// The names in braces; doubled ones are no names.
    fn values(text: &str) -> BTreeSet<String> {
        let text = text.replace("{{", "").replace("}}", "");
        let named = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        named.map(|(name, _)| name.split(':').next().unwrap_or(name).to_owned()).collect()
    }

    #[test]
    fn every_text_is_there_in_both_languages_with_the_same_values() {
        let mut names = BTreeSet::new();
        for Text { name, english, indonesian } in all().copied() {
            assert!(!english.trim().is_empty() && !indonesian.trim().is_empty(), "{name} is empty");
            assert_eq!(values(english), values(indonesian), "{name}");
            let is_same = SAME.contains(&name);
            assert_eq!(english == indonesian, is_same, "{name}: {english}");
            assert_eq!(english.ends_with('\n'), indonesian.ends_with('\n'), "{name}");
            names.insert(name);
        }
        let unused = SAME.iter().find(|name| !names.contains(**name));
        assert_eq!(unused, None, "there is no such text any more");
    }

    #[test]
    fn locale_says_the_language_by_its_first_part() {
        for (locale, language) in [
            ("id", Language::Indonesian),
            ("id_ID.UTF-8", Language::Indonesian),
            ("id-ID", Language::Indonesian),
            ("en_US.UTF-8", Language::English),
            ("de_DE@euro", Language::English),
            ("ido", Language::English),
            ("ID", Language::English),
            ("C", Language::English),
            ("C.UTF-8", Language::English),
            ("POSIX", Language::English),
        ] {
            assert_eq!(Language::of_locale(locale), language, "{locale:?}");
        }
    }

    #[test]
    fn option_is_found_among_words_that_make_no_sense() {
        let named = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            Language::named_in(&words)
        };
        let indonesian = Some(Language::Indonesian);
        assert_eq!(named(&["chat-cli", "nonsense", "--lang", "id"]), indonesian);
        assert_eq!(named(&["chat-cli", "--lang=id", "--wrong"]), indonesian);
        assert_eq!(named(&["chat-cli", "--lang", "de", "--lang=id"]), indonesian);
        assert_eq!(named(&["chat-cli", "--lang=en", "--lang=id"]), Some(Language::English));
        for words in [&["chat-cli"][..], &["--lang"], &["--lang="], &["--language", "id"]] {
            assert_eq!(named(words), None, "{words:?}");
        }
        assert_eq!(named(&["send", "neko", "--", "--lang", "id"]), None);
    }

    #[test]
    fn seeds_session_is_english_with_the_seeds_words() {
        texts! {
            plain { en: "yes", id: "ya" }
            of_the_seed(name) { en: "no {name}", seed: "tidak ada {name}" }
        }
        let said = |language| speaking(language, || (plain(), of_the_seed("neko")));
        assert_eq!(said(Language::English), ("yes", "no neko".to_owned()));
        assert_eq!(said(Language::Indonesian), ("ya", "tidak ada neko".to_owned()));
        assert_eq!(said(Language::Seed), ("yes", "tidak ada neko".to_owned()));
        assert_eq!(TEXTS.len(), 2);
    }
}
