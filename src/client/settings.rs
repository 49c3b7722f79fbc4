//! What the client is set to: the command line, else the environment, else the profile, else the top
//! of the configuration file, else the default. `KEYS` is the one list of what a file can set.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use clap::parser::ValueSource;

use super::address::ServerAddress;
use super::arguments::{Arguments, SERVER_DEFAULT, TIMEOUT_DEFAULT, parse_timeout, parse_user};
use super::dial::Dialer;
use super::exit::Exit;
use super::failure::Failure;
use super::render::inbox::Clock;
use super::state_folder;
use crate::catalogue::{LANGUAGE_VARIABLE, Language, configuration};
use crate::configuration::setting::{Setting, Source};
use crate::configuration::{Document, Entry, Kind, Problem, Table, Value, suggestion};
use crate::model::UserName;

/// The key that names the profile to use where nobody else does.
const PROFILE_KEY: &str = "default_profile";
/// The table that the profiles stand in.
const PROFILES: &str = "profile";

/// What is set; nothing where nobody said anything.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where the server listens.
    pub server: Option<ServerAddress>,
    /// Whose certificates are trusted, instead of the system's authorities.
    pub tls_ca: Option<PathBuf>,
    /// Who to be there.
    pub user: Option<UserName>,
    /// How long the server is waited for.
    pub timeout: Option<Duration>,
    /// How times are shown.
    pub time: Option<Clock>,
    /// The language of what is said to people.
    pub lang: Option<Language>,
    /// Whether messages ring at the prompt.
    pub bell: Option<Bell>,
}

/// Whether messages ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Bell {
    /// They do.
    On,
    /// They do not.
    Off,
}

/// What a file can set.
struct Key {
    name: &'static str,
    /// Understands a value and keeps it, in place of the one that was there.
    put: fn(&mut Settings, &str) -> Result<(), String>,
    /// What it is where nobody said anything.
    default: Option<&'static str>,
    /// The variable of the environment that is its.
    variable: Option<&'static str>,
}

/// One more is one more row, a field of [`Settings`] and a line in `Settings::overridden_by`.
const KEYS: [Key; 7] = [
    Key {
        name: "server",
        put: |settings, text| {
            settings.server = Some(text.parse().map_err(|error| format!("{error}"))?);
            Ok(())
        },
        default: Some(SERVER_DEFAULT),
        variable: Some("CHAT_SERVER"),
    },
    Key {
        name: "tls-ca",
        put: |settings, text| {
            settings.tls_ca = Some(PathBuf::from(text));
            Ok(())
        },
        default: None,
        variable: Some("CHAT_TLS_CA"),
    },
    Key {
        name: "user",
        put: |settings, text| {
            settings.user = Some(parse_user(text)?);
            Ok(())
        },
        default: None,
        variable: Some("CHAT_USER"),
    },
    Key {
        name: "timeout",
        put: |settings, text| {
            settings.timeout = Some(parse_timeout(text)?);
            Ok(())
        },
        default: Some("10s"),
        variable: None,
    },
    Key {
        name: "time",
        put: |settings, text| {
            settings.time = Some(one_of(text)?);
            Ok(())
        },
        default: None,
        variable: None,
    },
    Key {
        name: "lang",
        put: |settings, text| {
            settings.lang = Some(one_of(text)?);
            Ok(())
        },
        default: None,
        variable: Some(LANGUAGE_VARIABLE),
    },
    Key {
        name: "bell",
        put: |settings, text| {
            settings.bell = Some(one_of(text)?);
            Ok(())
        },
        default: Some("off"),
        variable: None,
    },
];

/// A file in which every key is known and every value is accepted.
struct File {
    document: Document,
}

impl Settings {
    /// What counts for this command line. Reads the configuration file, if there is one.
    ///
    /// # Errors
    /// When something is wrong with the file, or there is no such profile.
    pub fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let mut settings = Self::default();
        for (_, entry) in chosen(File::read()?.as_ref(), arguments)? {
            settings.put(entry).map_err(|why| Failure::new(Exit::Configuration, why))?;
        }
        Ok(settings.overridden_by(arguments))
    }

    /// What counts where the configuration file does not.
    pub fn of_command_line(arguments: &Arguments) -> Self {
        Self::default().overridden_by(arguments)
    }

    fn overridden_by(self, arguments: &Arguments) -> Self {
        let lang = self.lang.filter(|_| !is_set(LANGUAGE_VARIABLE));
        Self {
            server: arguments.server.clone().or(self.server),
            tls_ca: arguments.tls_ca.clone().or(self.tls_ca),
            user: arguments.user.clone().or(self.user),
            timeout: arguments.timeout.or(self.timeout),
            time: arguments.time.or(self.time),
            lang: arguments.lang.or(lang),
            bell: self.bell,
        }
    }

    /// What connects to the server, whoever said where it listens.
    pub fn dialer(&self) -> Dialer {
        let server = self.server.clone().unwrap_or_else(ServerAddress::local);
        Dialer::new(server, self.tls_ca.clone())
    }

    /// How long the server is waited for, whoever said so.
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT_DEFAULT)
    }

    /// Whether messages ring at the prompt.
    pub fn is_bell_on(&self) -> bool {
        self.bell == Some(Bell::On)
    }

    fn put(&mut self, entry: &Entry) -> Result<(), String> {
        let key = KEYS.iter().find(|key| key.name == entry.key);
        match (key, &entry.value) {
            (Some(key), Value::Text(text)) => (key.put)(self, text),
            (Some(_), _) => Err(configuration::has_to_be(Kind::Text.described())),
            // `default_profile` was looked at before.
            (None, _) => Ok(()),
        }
    }
}

/// Every setting, and where it comes from. `words` is what `arguments` were made from.
///
/// # Errors
/// As [`Settings::of`].
pub fn listed(arguments: &Arguments, words: &[OsString]) -> Result<Vec<Setting>, Failure> {
    let file = File::read()?;
    let chosen = chosen(file.as_ref(), arguments)?;
    let command = Arguments::definition();
    // They were understood before.
    let matches = command.clone().try_get_matches_from(words).unwrap_or_default();
    let path = file.as_ref().map(|file| file.document.path.clone()).unwrap_or_default();
    let of = |key: &Key| {
        let option = command.get_arguments().find(|it| it.get_long() == Some(key.name));
        let id = option.map(|option| option.get_id().as_str());
        let given = id.and_then(|id| matches.value_source(id));
        let word = || {
            let word = matches.get_raw(id?)?.next()?;
            Some(Value::Text(word.to_string_lossy().into_owned()))
        };
        // The language's variable is read by whoever speaks before the words are understood.
        let of_variable = key.variable.filter(|name| is_set(name));
        let in_file = chosen.iter().rev().find(|(_, entry)| entry.key == key.name);
        let (value, source) = match (given, of_variable, in_file) {
            (Some(ValueSource::CommandLine), ..) => {
                (word(), Source::Option(format!("--{}", key.name)))
            }
            (_, Some(name), _) => {
                (env::var(name).ok().map(Value::Text), Source::Environment(name.to_owned()))
            }
            (_, _, Some((table, entry))) => {
                let profile = (!table.name.is_empty()).then(|| table.name.clone());
                let (path, line) = (path.clone(), entry.line);
                (Some(entry.value.clone()), Source::File { path, line, profile })
            }
            _ => (key.default.map(|text| Value::Text(text.to_owned())), Source::Default),
        };
        Setting { key: key.name.to_owned(), value, source }
    };
    Ok(KEYS.iter().map(of).collect())
}

/// Where the configuration file is, whether there is one or not: `$XDG_CONFIG_HOME/chat/config.toml`,
/// else `~/.config/chat/config.toml`.
///
/// # Errors
/// When neither is known.
pub fn path() -> Result<PathBuf, Failure> {
    let folder = state_folder::xdg("XDG_CONFIG_HOME", ".config").ok_or_else(|| {
        Failure::new(Exit::Configuration, configuration::no_place_for_configuration())
            .with_hint(configuration::set_home_for_configuration())
    })?;
    Ok(folder.join("config.toml"))
}

/// What is wrong with the file at `path`, if anything is; and the profiles in it.
///
/// # Errors
/// The first thing that is wrong.
pub fn profiles(path: &Path) -> Result<Option<Vec<String>>, Failure> {
    let Some(file) = File::read_from(path)? else { return Ok(None) };
    Ok(Some(file.profiles().map(|table| table.name.clone()).collect()))
}

/// Whether a document is a configuration file of the client: what it sets can be set, and so.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(document: Document) -> Result<(), Problem> {
    File { document }.check()
}

/// What counts of the file, what counts more behind what counts less.
fn chosen<'a>(
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

impl File {
    /// The file of the user, if there is one. Without a home there is none.
    fn read() -> Result<Option<Self>, Failure> {
        match path() {
            Ok(path) => Self::read_from(&path),
            Err(_) => Ok(None),
        }
    }

    fn read_from(path: &Path) -> Result<Option<Self>, Failure> {
        let Some(document) = Document::read(path).map_err(failure)? else { return Ok(None) };
        let file = Self { document };
        file.check().map_err(failure)?;
        Ok(Some(file))
    }

    fn profiles(&self) -> impl Iterator<Item = &Table> {
        let tables = self.document.root.tables.iter().filter(|table| table.name == PROFILES);
        tables.flat_map(|table| &table.tables)
    }

    /// Also what does not count for this command: a mistake is told before it does harm.
    fn check(&self) -> Result<(), Problem> {
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

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn one_of<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = names.map(|value| value.get_name().to_owned()).collect();
        configuration::has_to_be_one_of(names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

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
    fn every_key_is_an_option_of_every_command_and_its_default_is_accepted() {
        // The prompt has a verb for these instead.
        const VERBS: &[&str] = &["bell"];
        let command = Arguments::command();
        for key in KEYS {
            if let Some(default) = key.default {
                (key.put)(&mut Settings::default(), default).unwrap();
            }
            if VERBS.contains(&key.name) {
                continue;
            }
            let option =
                command.get_arguments().find(|argument| argument.get_long() == Some(key.name));
            let option = option.unwrap_or_else(|| panic!("there is no --{}", key.name));
            assert!(option.is_global_set(), "{}", key.name);
        }
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
        let mut told = Vec::new();
        failure.report(&mut told);
        let told = String::from_utf8(told).unwrap();
        assert!(told.ends_with("hint: did you mean work?\n"), "{told}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_whether_it_counts_or_not() {
        for (text, told) in [
            ("sever = \"a:1\"\n", "config.toml:1: there is no setting sever"),
            ("\n[profile.x]\nuesr = \"a\"\n", "config.toml:3: there is no setting uesr"),
            ("[profiles.x]\n", "config.toml:1: there is no table [profiles]"),
            ("[profile]\nuser = \"a\"\n", "config.toml:2: user stands in no profile"),
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
            assert!(problem.contains(told), "{told:?} is not in {problem:?}");
        }
    }
}
