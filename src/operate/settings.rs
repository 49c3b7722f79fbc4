//! The server's settings from all sources: the command line, else the environment, else the
//! configuration file, else the default. `clap`'s definition of [`ServeArguments`], and of `--db` and
//! the other options of the database, is the one list of settings. The keys of the file, the
//! environment, `config show` and the example file follow from it. An option that is added there is
//! a setting everywhere.

use std::any::TypeId;
use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::iter;
use std::path::{Path, PathBuf};

use clap::builder::OsStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, CommandFactory, FromArgMatches};

use super::arguments::{self as operate, Arguments, ConfigCommand, ServeArguments};
use crate::catalogue::{command_line, configuration as texts, serve, server_help};
use crate::configuration::setting::{Setting, Source};
use crate::configuration::{Document, Entry, Kind, Problem, Value};

/// The file that is read by default, if it exists.
pub const FILE_DEFAULT: &str = "/etc/chat/server.toml";

/// The commands that take the settings of `serve`, as paths from the root.
const COMMANDS: [&[&str]; 4] = [&[], &["serve"], &["config", "show"], &["config", "check"]];

/// A command line with the settings of all sources.
pub struct Resolved {
    /// The command and its options.
    pub arguments: Arguments,
    /// Every setting and its source. Only `serve` and `config` use them.
    pub settings: Vec<Setting>,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
    words: Vec<OsString>,
}

/// Why a command line is invalid.
pub enum Unresolved {
    /// The words, or the environment. `--help` and `--version` are errors to `clap` too.
    Words(clap::Error),
    /// The problems of the configuration file: at least one.
    File(Vec<Problem>),
}

impl Resolved {
    /// Reads the command line, and the configuration file if the command uses it.
    ///
    /// # Errors
    /// See [`Unresolved`].
    pub fn of(words: &[OsString]) -> Result<Self, Unresolved> {
        let typed = matched(Arguments::command(), words)?;
        let (file, settings) = file(&typed.1)?;
        let (matches, arguments) = matched(settings.apply(Arguments::command()), words)?;
        let settings = self::settings(&matches, &settings);
        Ok(Self { arguments, settings, file, words: words.to_vec() })
    }

    /// The options of `serve`, if that is the command.
    pub fn serve(&self) -> Option<&ServeArguments> {
        match &self.arguments.command {
            None => Some(&self.arguments.serve),
            Some(operate::Command::Serve(serve)) => Some(serve),
            Some(_) => None,
        }
    }

    /// Whether any source sets it.
    pub fn is_set(&self, key: &str) -> bool {
        let setting = self.settings.iter().find(|setting| setting.key == key);
        setting.is_some_and(|setting| setting.source != Source::Default)
    }

    /// The same command line with the current configuration file.
    ///
    /// # Errors
    /// See [`Unresolved`].
    pub fn again(&self) -> Result<Self, Unresolved> {
        Self::of(&self.words)
    }
}

fn matched(command: Command, words: &[OsString]) -> Result<(ArgMatches, Arguments), Unresolved> {
    let matches = Arguments::matches(command, words).map_err(Unresolved::Words)?;
    let arguments = Arguments::from_arg_matches(&matches).map_err(Unresolved::Words)?;
    Ok((matches, arguments))
}

/// The empty environment variable that `clap` refuses. Its error names the option, which is not on
/// the command line.
pub fn empty_variable(error: &clap::Error) -> Option<String> {
    let is_empty = matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(given)) if given.is_empty());
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let mut root = Arguments::command();
    // Arguments know their names only after this.
    root.build();
    let argument = root.get_arguments().find(|known| known.to_string() == *argument)?;
    let variable = argument.get_env().filter(|_| is_empty)?;
    let is_set = env::var_os(variable).is_some_and(|value| value.is_empty());
    is_set.then(|| variable.to_string_lossy().into_owned())
}

/// The configuration file to read, and its settings.
fn file(typed: &Arguments) -> Result<(Option<PathBuf>, FileSettings), Unresolved> {
    let checked = match &typed.command {
        // `init` writes the named file.
        Some(operate::Command::Completions(_) | operate::Command::Init(_)) => {
            return Ok((None, FileSettings::default()));
        }
        Some(operate::Command::Config(config)) => match &config.command {
            ConfigCommand::Check(check) => check.file.as_ref(),
            ConfigCommand::Example => return Ok((None, FileSettings::default())),
            ConfigCommand::Show(_) => None,
        },
        _ => None,
    };
    let named = checked.or(typed.config.as_ref());
    let path = named.map_or(Path::new(FILE_DEFAULT), PathBuf::as_path);
    match (read(path).map_err(Unresolved::File)?, named) {
        (Some(settings), _) => Ok((Some(path.to_owned()), settings)),
        (None, None) => Ok((None, FileSettings::default())),
        (None, Some(_)) => Err(Unresolved::File(vec![Problem {
            path: path.to_owned(),
            line: None,
            what: serve::no_configuration_file().to_owned(),
            hint: Some(serve::example_to_begin_with().to_owned()),
        }])),
    }
}

/// The definition of a setting.
#[derive(Debug, Clone)]
pub struct Definition {
    argument: Arg,
    /// Its key in the file.
    pub key: String,
    /// Its type in the file.
    pub kind: Kind,
}

/// The settings of a configuration file. Every key is known, and every value is valid.
#[derive(Debug, Default)]
pub struct FileSettings {
    path: PathBuf,
    entries: Vec<(Definition, Entry)>,
}

/// All settings: those of the database first, then in the order of `--help`.
pub fn definitions() -> Vec<Definition> {
    let root = Arguments::command();
    let of_database = |argument: &&Arg| {
        let id = argument.get_id().as_str();
        id.starts_with("db") || id == "admin_socket"
    };
    let database: Vec<Arg> = root.get_arguments().filter(of_database).cloned().collect();
    let serve = ServeArguments::augment_args(Command::new("serve"));
    let arguments: Vec<Arg> = serve.get_arguments().cloned().collect();
    database.into_iter().chain(arguments).filter_map(Definition::of).collect()
}

/// The settings of the file at `path`. `None` if it does not exist.
///
/// # Errors
/// All problems of the file: at least one.
pub fn read(path: &Path) -> Result<Option<FileSettings>, Vec<Problem>> {
    let document = Document::read(path).map_err(|problem| vec![problem])?;
    document.map(check).transpose()
}

/// The settings of a document, if it is a valid configuration file of the server.
///
/// # Errors
/// All problems of the file: at least one.
pub fn check(document: Document) -> Result<FileSettings, Vec<Problem>> {
    let definitions = definitions();
    let keys: Vec<&str> = definitions.iter().map(|definition| definition.key.as_str()).collect();
    let mut problems = Vec::new();
    for table in &document.root.tables {
        let known = keys.contains(&table.name.as_str());
        problems.push(if known {
            document.problem(table.line, serve::no_table(&table.name))
        } else {
            document.unknown(table.line, &table.name, &keys)
        });
    }
    let mut entries = Vec::new();
    for entry in document.root.entries.iter() {
        let Some(definition) = definitions.iter().find(|known| known.key == entry.key) else {
            problems.push(document.unknown(entry.line, &entry.key, &keys));
            continue;
        };
        match definition.check(&entry.value) {
            Ok(()) => entries.push((definition.clone(), entry.clone())),
            Err(why) => {
                let what = format!("{} = {}: {why}", entry.key, entry.value);
                problems.push(document.problem(entry.line, what).hint(definition.hint()));
            }
        }
    }
    problems.sort_by_key(|problem| problem.line);
    match problems.is_empty() {
        true => Ok(FileSettings { path: document.path, entries }),
        false => Err(problems),
    }
}

impl FileSettings {
    /// The command line's definition with the file's settings as defaults.
    pub fn apply(&self, command: Command) -> Command {
        COMMANDS.iter().fold(command, |command, path| self.apply_to(command, path))
    }

    fn apply_to(&self, command: Command, path: &[&str]) -> Command {
        if let Some((name, below)) = path.split_first() {
            return command.mut_subcommand(name, |command| self.apply_to(command, below));
        }
        self.entries.iter().fold(command, |command, (definition, entry)| {
            let id = definition.argument.get_id().clone();
            // The options of the database are defined once for all commands.
            if !command.get_arguments().any(|argument| *argument.get_id() == id) {
                return command;
            }
            let words = definition.kind.words(&entry.value).unwrap_or_default();
            let words = words.into_iter().map(OsStr::from);
            command.mut_arg(id, |argument| argument.default_values(words))
        })
    }

    fn line(&self, key: &str) -> Option<usize> {
        let entry = self.entries.iter().find(|(definition, _)| definition.key == key);
        entry.map(|(_, entry)| entry.line)
    }
}

/// All settings of a matched command line. `file` was applied to its definition.
pub fn settings(matches: &ArgMatches, file: &FileSettings) -> Vec<Setting> {
    let mut innermost = matches;
    while let Some((_, below)) = innermost.subcommand() {
        innermost = below;
    }
    let of = |definition: &Definition| {
        let id = definition.argument.get_id().as_str();
        // Settings that a command does not define are at the root.
        let at = iter::once(innermost).chain(iter::once(matches));
        let mut at = at.filter(|matches| matches.try_contains_id(id).is_ok());
        let found = at.next();
        let value = found.and_then(|matches| definition.value(matches));
        let source = found.and_then(|matches| matches.value_source(id));
        Setting { key: definition.key.clone(), value, source: definition.source(source, file) }
    };
    definitions().iter().map(of).collect()
}

impl Definition {
    /// `None` for an option that is no setting, such as `--help`.
    fn of(argument: Arg) -> Option<Self> {
        let key = argument.get_long()?.replace('-', "_");
        let kind = kind(&argument);
        Some(Self { argument, key, kind })
    }

    /// Its text in `--help`.
    pub fn help(&self) -> String {
        let help = self.argument.get_help().map(ToString::to_string).unwrap_or_default();
        command_line::help_in_language(&help, server_help::HELP).to_owned()
    }

    /// The option of the command line.
    pub fn option(&self) -> String {
        format!("--{}", self.argument.get_long().unwrap_or_default())
    }

    /// The variable of the environment.
    pub fn variable(&self) -> Option<String> {
        self.argument.get_env().map(|name| name.to_string_lossy().into_owned())
    }

    /// Its default.
    pub fn default(&self) -> Option<Value> {
        let words = self.argument.get_default_values().iter();
        let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        match (words.is_empty(), self.kind) {
            (true, Kind::Switch) => Some(Value::Switch(false)),
            (true, _) => None,
            (false, kind) => Some(kind.value(&words)),
        }
    }

    /// The placeholder of its value in `--help`.
    pub fn placeholder(&self) -> String {
        let names = self.argument.get_value_names().unwrap_or_default();
        names.first().map(ToString::to_string).unwrap_or_default()
    }

    /// Checks the value: its type, and with the option's own parser.
    fn check(&self, value: &Value) -> Result<(), String> {
        let words = self.kind.words(value);
        let words = words.ok_or_else(|| texts::has_to_be(self.kind.described()))?;
        if self.kind == Kind::Switch {
            return Ok(());
        }
        let mut argument = Arg::new("value")
            .long(self.argument.get_long().unwrap_or_default().to_owned())
            .action(self.argument.get_action().clone())
            .value_parser(self.argument.get_value_parser().clone());
        if let Some(delimiter) = self.argument.get_value_delimiter() {
            argument = argument.value_delimiter(delimiter);
        }
        let command = Command::new("check").no_binary_name(true).arg(argument);
        let given = words.iter().map(|word| format!("{}={word}", self.option()));
        match command.try_get_matches_from(given) {
            Ok(_) => Ok(()),
            Err(error) => Err(reason(&error)),
        }
    }

    /// Its value, whatever the source.
    fn value(&self, matches: &ArgMatches) -> Option<Value> {
        let id = self.argument.get_id().as_str();
        if self.kind == Kind::Switch {
            return matches.get_one(id).copied().map(Value::Switch);
        }
        let words = matches.get_raw(id)?;
        let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        Some(self.kind.value(&words))
    }

    fn hint(&self) -> String {
        serve::setting_is(&self.key, self.help())
    }

    fn source(&self, source: Option<ValueSource>, file: &FileSettings) -> Source {
        match source {
            Some(ValueSource::CommandLine) => Source::Option(self.option()),
            Some(ValueSource::EnvVariable) => {
                Source::Environment(self.variable().unwrap_or_default())
            }
            _ => match file.line(&self.key) {
                Some(line) => Source::File { path: file.path.clone(), line, profile: None },
                None => Source::Default,
            },
        }
    }
}

fn kind(argument: &Arg) -> Kind {
    let parsed = argument.get_value_parser().type_id();
    let is = |types: &[TypeId]| types.iter().any(|known| parsed == *known);
    let numbers =
        [TypeId::of::<u16>(), TypeId::of::<u32>(), TypeId::of::<u64>(), TypeId::of::<usize>()];
    match argument.get_action() {
        ArgAction::Append => Kind::List,
        _ if is(&numbers) => Kind::Number,
        _ if is(&[TypeId::of::<bool>()]) => Kind::Switch,
        _ => Kind::Text,
    }
}

/// Why `clap` refuses a value: the parser's error, or the accepted values.
fn reason(error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    match (error.kind(), error.get(ContextKind::ValidValue)) {
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(valid))) if !valid.is_empty() => {
            texts::has_to_be_one_of(valid.join(", "))
        }
        (ErrorKind::InvalidValue, _) => serve::cannot_be_empty().to_owned(),
        _ => error.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_an_option_a_variable_and_a_text_and_its_default_is_accepted() {
        let definitions = definitions();
        assert!(definitions.len() > 10);
        for definition in definitions {
            let variable = definition.variable().unwrap_or_default();
            assert!(variable.starts_with("CHAT_SERVER_"), "{}: {variable}", definition.key);
            assert!(!definition.help().is_empty(), "{}", definition.key);
            if let Some(default) = definition.default() {
                assert_eq!(definition.check(&default), Ok(()), "{}", definition.key);
            }
        }
    }

    #[test]
    fn every_setting_is_in_the_page_of_the_configuration_with_its_default() {
        let page = include_str!("../../docs/configuration.md");
        for definition in definitions() {
            let default = definition.default().map_or("not set".to_owned(), |it| format!("`{it}`"));
            let row = format!("\n| `{}` | {default} | ", definition.key);
            assert!(page.contains(&row), "docs/configuration.md lacks {row:?}");
        }
    }
}
