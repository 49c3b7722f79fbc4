//! The configuration file: its tables, its profiles, and the mistakes in it.

use std::path::Path;

use super::keys::KEYS;
use super::{Settings, path};
use crate::catalogue::configuration;
use crate::client::arguments::Arguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::configuration::{Document, Entry, Kind, Problem, Table, Value, suggestion};

/// A file with known keys and valid values only.
pub(super) struct File {
    pub(super) document: Document,
}

/// The key that names the default profile.
const PROFILE_KEY: &str = "default_profile";

/// The table that contains the profiles.
const PROFILES: &str = "profile";

impl File {
    /// The user's file, if there is one. Without a home directory there is none.
    pub(super) fn read() -> Result<Option<Self>, Failure> {
        match path() {
            Ok(path) => Self::read_from(&path),
            Err(_) => Ok(None),
        }
    }

    pub(super) fn read_from(path: &Path) -> Result<Option<Self>, Failure> {
        let Some(document) = Document::read(path).map_err(failure)? else { return Ok(None) };
        let file = Self { document };
        file.check().map_err(failure)?;
        Ok(Some(file))
    }

    pub(super) fn profiles(&self) -> impl Iterator<Item = &Table> {
        let tables = self.document.root.tables.iter().filter(|table| table.name == PROFILES);
        tables.flat_map(|table| &table.tables)
    }

    /// Checks everything, also profiles that this command does not use, so that a mistake is found
    /// early.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let (document, root) = (&self.document, &self.document.root);
        self.check_entries(root, &[PROFILE_KEY])?;
        for table in &root.tables {
            if table.name != PROFILES {
                let what = configuration::no_table(&table.name);
                let hint = configuration::profile_begins();
                return Err(document.problem(table.line, what).hint(hint));
            }
            if let Some(entry) = table.entries.first() {
                let what = configuration::in_no_profile(&entry.key);
                let hint = configuration::profile_begins();
                return Err(document.problem(entry.line, what).hint(hint));
            }
            for profile in &table.tables {
                self.check_entries(profile, &[])?;
                if let Some(table) = profile.tables.first() {
                    return Err(document.unknown(table.line, &table.name, &names(&[])));
                }
            }
        }
        Ok(())
    }

    fn check_entries(&self, table: &Table, more: &[&'static str]) -> Result<(), Problem> {
        let known = names(more);
        for entry in &table.entries {
            if !known.contains(&entry.key.as_str()) {
                return Err(self.document.unknown(entry.line, &entry.key, &known));
            }
            let is_text = matches!(entry.value, Value::Text(_));
            let checked = match is_text {
                true => Settings::default().put(entry),
                false => Err(configuration::has_to_be(Kind::Text.described())),
            };
            checked.map_err(|why| {
                let what = format!("{} = {}: {why}", entry.key, entry.value);
                self.document.problem(entry.line, what)
            })?;
        }
        Ok(())
    }

    fn unknown_profile(&self, name: &str, line: Option<usize>) -> Failure {
        let known: Vec<&str> = self.profiles().map(|table| table.name.as_str()).collect();
        let path = self.document.path.display();
        let place = line.map_or_else(|| path.to_string(), |line| format!("{path}:{line}"));
        let failure = unknown_profile(configuration::no_profile(place, name));
        match known.is_empty() {
            true => failure.with_hint(configuration::write_profile(name)),
            false => failure.with_hint(suggestion(name, &known)),
        }
    }
}

/// The entries that apply, in rising order of precedence.
pub(super) fn chosen<'a>(
    file: Option<&'a File>,
    arguments: &Arguments,
) -> Result<Vec<(&'a Table, &'a Entry)>, Failure> {
    let given = arguments.profile.as_deref().filter(|name| !name.is_empty());
    let Some(file) = file else {
        return match given {
            None => Ok(Vec::new()),
            Some(name) => Err(unknown_profile(configuration::no_profile_without_file(name))
                .with_hint(configuration::write_profile(name))),
        };
    };
    let root = &file.document.root;
    let mut tables = vec![root];
    let of_file = root.entries.iter().find(|entry| entry.key == PROFILE_KEY);
    let of_file = of_file.and_then(|entry| match &entry.value {
        Value::Text(name) => Some((name.as_str(), entry.line)),
        _ => None,
    });
    if let Some((name, line)) =
        given.map(|name| (name, None)).or(of_file.map(|(n, l)| (n, Some(l))))
    {
        let Some(table) = file.profiles().find(|table| table.name == name) else {
            return Err(file.unknown_profile(name, line));
        };
        tables.push(table);
    }
    Ok(tables.iter().flat_map(|table| table.entries.iter().map(|entry| (*table, entry))).collect())
}

fn unknown_profile(what: String) -> Failure {
    Failure::new(Exit::Configuration, what)
}

fn failure(problem: Problem) -> Failure {
    let failure = Failure::new(Exit::Configuration, problem.to_string());
    match problem.hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

fn names(more: &[&'static str]) -> Vec<&'static str> {
    KEYS.iter().map(|key| key.name).chain(more.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::render::inbox::Clock;
    use clap::Parser;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::try_parse_from(["chat-cli"].iter().chain(words)).unwrap()
    }

    fn file(text: &str) -> Result<File, String> {
        let document = Document::parse(Path::new("config.toml"), text).unwrap();
        let file = File { document };
        file.check().map_err(|problem| problem.to_string())?;
        Ok(file)
    }

    #[test]
    fn profile_goes_before_the_top_of_the_file() {
        let file = file(
            "default_profile = \"home\"\nuser = \"paff\"\ntime = \"utc\"\n
             [profile.home]\nserver = \"h:1\"\n[profile.work]\nserver = \"w:1\"\nuser = \"neko\"\n",
        );
        let file = file.unwrap();
        let settings = |words: &[&str]| {
            let mut settings = Settings::default();
            for (_, entry) in chosen(Some(&file), &arguments(words)).unwrap() {
                settings.put(entry).unwrap();
            }
            let server = settings.server.map(|server| server.to_string());
            (server, settings.user.map(|user| user.to_string()), settings.time)
        };
        let utc = Some(Clock::Utc);
        assert_eq!(settings(&[]), (Some("h:1".into()), Some("paff".into()), utc));
        let work = ["--profile", "work", "unread"];
        assert_eq!(settings(&work), (Some("w:1".into()), Some("neko".into()), utc));
        let failure =
            chosen(Some(&file), &arguments(&["--profile", "wrok", "unread"])).unwrap_err();
        assert_eq!(failure.exit(), Exit::Configuration);
        let mut shown = Vec::new();
        failure.report(&mut shown);
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.ends_with("hint: did you mean work?\n"), "{shown}");
    }

    #[test]
    fn mistakes_are_reported_with_their_line_in_every_profile() {
        for (text, shown) in [
            ("sever = \"a:1\"\n", "config.toml:1: there is no setting sever"),
            ("\n[profile.x]\nuesr = \"a\"\n", "config.toml:3: there is no setting uesr"),
            ("[profiles.x]\n", "config.toml:1: there is no table [profiles]"),
            ("[profile]\nuser = \"a\"\n", "config.toml:2: user is outside a profile"),
            (
                "[profile.x]\ndefault_profile = \"x\"\n",
                "config.toml:2: there is no setting default",
            ),
            ("server = \"a\"\n", "config.toml:1: server = \"a\": give HOST:PORT"),
            ("user = \"No One\"\n", "config.toml:1: user = \"No One\": "),
            ("timeout = 5\n", "config.toml:1: timeout = 5: it has to be a text in quotes"),
            ("timeout = \"0s\"\n", "config.toml:1: timeout = \"0s\": give at least 1ms"),
            ("time = \"sun\"\n", "it has to be one of local, utc, relative"),
            ("lang = \"de\"\n", "it has to be one of en, id"),
            ("default_profile = 1\n", "config.toml:1: default_profile = 1: it has to be a text"),
        ] {
            let Err(problem) = file(text) else { panic!("{text:?} is accepted") };
            assert!(problem.contains(shown), "{shown:?} is not in {problem:?}");
        }
    }
}
