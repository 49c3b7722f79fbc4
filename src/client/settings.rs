//! The client's settings. In order of precedence they come from the command line, the environment,
//! the profile, the top of the configuration file, and the defaults. `KEYS` lists what a file can
//! set.

mod file;
mod keys;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use clap::parser::ValueSource;

use file::{File, chosen};
use keys::{KEYS, Key};

use super::address::ServerAddress;
use super::arguments::{Arguments, TIMEOUT_DEFAULT};
use super::dial::Dialer;
use super::exit::Exit;
use super::failure::Failure;
use super::render::inbox::Clock;
use super::servers::Servers;
use super::session::{self, Account};
use super::xdg_folder;
use crate::catalogue::{LANGUAGE_VARIABLE, Language, configuration};
use crate::configuration::setting::{Setting, Source};
use crate::configuration::{Document, Entry, Kind, Problem, Value};
use crate::model::UserName;
use crate::unix;

/// Where a server of this machine listens, if its packages are set up so.
pub const SOCKET_DEFAULT: &str = "/run/chat/chat.sock";

/// The settings; `None` for the default.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The servers of the service.
    pub server: Option<Servers>,
    /// The file of trusted authorities, instead of the system's.
    pub tls_ca: Option<PathBuf>,
    /// The user on the server.
    pub user: Option<UserName>,
    /// How long to wait for the server.
    pub timeout: Option<Duration>,
    /// How times are shown.
    pub time: Option<Clock>,
    /// The language of texts for people.
    pub lang: Option<Language>,
    /// Whether the terminal rings for messages at the prompt.
    pub bell: Option<Bell>,
}

/// Whether the terminal rings for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Bell {
    /// It rings.
    On,
    /// It is silent.
    Off,
}

impl Settings {
    /// The settings of this command line. Reads the configuration file, if there is one.
    ///
    /// # Errors
    /// The file is invalid, or the profile does not exist.
    pub fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let mut settings = Self::default();
        for (_, entry) in chosen(File::read()?.as_ref(), arguments)? {
            settings.put(entry).map_err(|why| Failure::new(Exit::Configuration, why))?;
        }
        Ok(settings.overridden_by(arguments))
    }

    /// The settings without the configuration file.
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

    /// The dialer for the servers.
    pub fn dialer(&self) -> Dialer {
        Dialer::new(self.servers(), self.tls_ca.clone())
    }

    /// The servers. Without a setting it is this machine's socket, if there is one that this
    /// process may connect to; else the default address. A session for the default address keeps
    /// that: it was stored when there was no socket.
    fn servers(&self) -> Servers {
        if let Some(servers) = &self.server {
            return servers.clone();
        }
        let local = Account { servers: Servers::local(), user: self.user.clone() };
        match unix::may_connect(Path::new(SOCKET_DEFAULT)) && !session::exists(&local) {
            true => ServerAddress::Unix(PathBuf::from(SOCKET_DEFAULT)).into(),
            false => local.servers,
        }
    }

    /// How long to wait for the server.
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT_DEFAULT)
    }

    /// Whether the terminal rings for messages at the prompt.
    pub fn is_bell_on(&self) -> bool {
        self.bell == Some(Bell::On)
    }

    fn put(&mut self, entry: &Entry) -> Result<(), String> {
        let key = KEYS.iter().find(|key| key.name == entry.key);
        match (key, &entry.value) {
            (Some(key), Value::Text(text)) => (key.put)(self, text),
            (Some(_), _) => Err(configuration::has_to_be(Kind::Text.described())),
            // `chosen` has used `default_profile` already.
            (None, _) => Ok(()),
        }
    }
}

/// All settings with their sources. `words` are the words that `arguments` were parsed from.
///
/// # Errors
/// As [`Settings::of`].
pub fn sources(arguments: &Arguments, words: &[OsString]) -> Result<Vec<Setting>, Failure> {
    let file = File::read()?;
    let chosen = chosen(file.as_ref(), arguments)?;
    let command = Arguments::definition();
    // The words were parsed without an error before.
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
        // `clap` does not know the language's variable, which is read before the command line.
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
            _ => (default_of(key, arguments)?, Source::Default),
        };
        Ok(Setting { key: key.name.to_owned(), value, source })
    };
    KEYS.iter().map(of).collect()
}

/// The value that is used where nothing sets the key.
fn default_of(key: &Key, arguments: &Arguments) -> Result<Option<Value>, Failure> {
    let text = match key.name {
        "server" => Some(Settings::of(arguments)?.servers().to_string()),
        _ => key.default.map(str::to_owned),
    };
    Ok(text.map(Value::Text))
}

/// The path of the configuration file, whether it exists or not:
/// `$XDG_CONFIG_HOME/chat/config.toml`, else `~/.config/chat/config.toml`.
///
/// # Errors
/// Neither variable is set.
pub fn path() -> Result<PathBuf, Failure> {
    let folder = xdg_folder::locate("XDG_CONFIG_HOME", ".config").ok_or_else(|| {
        Failure::new(Exit::Configuration, configuration::no_place_for_configuration())
            .with_hint(configuration::set_home_for_configuration())
    })?;
    Ok(folder.join("config.toml"))
}

/// The profiles of the file at `path`; `None` if there is no file.
///
/// # Errors
/// The first mistake in the file.
pub fn profiles(path: &Path) -> Result<Option<Vec<String>>, Failure> {
    let Some(file) = File::read_from(path)? else { return Ok(None) };
    Ok(Some(file.profiles().map(|table| table.name.clone()).collect()))
}

/// Checks that a document is a valid configuration file of the client.
///
/// # Errors
/// The first mistake in it.
pub fn check(document: Document) -> Result<(), Problem> {
    File { document }.check()
}

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_key_is_an_option_of_every_command_and_its_default_is_accepted() {
        // The prompt has a verb instead of an option.
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
}
